//! The log of the node: where it is, its last lines, following it. Only a file on this host can be read.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::time::{Duration, Instant};

use openapi::control::NODE;

use crate::call::Call;
use crate::command::{Command, Section, Tool};
use crate::exit::{Failure, Kind};
use crate::node_view;
use crate::output::Answer;
use crate::parse::Switch;
use crate::terminal::say;

/// Commands of this file.
pub const ALL: &[&Command] = &[&LOG_LOCATION, &LOG_TAIL, &LOG_TAIL_STREAM];

/// Most of a log file that is read for its last lines, in bytes.
const LOG_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How often a followed log file is looked at.
const LOG_POLL_EVERY: Duration = Duration::from_millis(200);

/// `log_location`.
pub const LOG_LOCATION: Command = Command {
    name: "log_location",
    tools: &[Tool::Diagnostics],
    section: Section::Configuration,
    summary: "Shows log file location(s) on target node",
    usage: "log_location [--all|-a] [--timeout <timeout>]",
    switches: &[Switch::flag("all").short('a')],
    endpoints: &[&NODE],
    banner: |call| Some(format!("Log file location(s) on node {} ...", call.node())),
    run: log_location,
    ..Command::BLANK
};

fn log_location(call: &Call) -> Result<Answer, Failure> {
    let files = node_view::log_names(call.described()?.log_files);
    let count = if call.switches.flag("all") { files.len() } else { 1 };
    let shown: Vec<String> = files.into_iter().take(count).collect();
    Ok(Answer::Message(shown.join("\n")))
}

/// `log_tail`.
pub const LOG_TAIL: Command = Command {
    name: "log_tail",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Prints the last N lines of the log on the node",
    usage: "log_tail [--number|-N <number>] [--timeout <timeout>]",
    explains: &[("<number>", "number of lines")],
    switches: &[Switch::integer("number").short('N')],
    endpoints: &[&NODE],
    banner: |call| {
        Some(format!(
            "Last {} log lines on node {} ...",
            call.switches.integer("number").unwrap_or(LOG_LINES),
            call.node()
        ))
    },
    run: log_tail,
    ..Command::BLANK
};

/// Lines `log_tail` shows.
const LOG_LINES: i64 = 50;

fn log_file(call: &Call) -> Result<String, Failure> {
    let files = call.described()?.log_files;
    files
        .into_iter()
        .find(|file| file.starts_with('/'))
        .ok_or_else(|| Failure::refused(Kind::Unavailable, "the node logs to its standard output, not to a file"))
}

/// The file is the node's, and it may be on another host.
fn unreadable(path: &str, error: &std::io::Error) -> Failure {
    let text = format!("{path}: {error}; the log can be read on the node's own host only");
    Failure::refused(Kind::Unavailable, text)
}

fn log_tail(call: &Call) -> Result<Answer, Failure> {
    let count = usize::try_from(call.switches.integer("number").unwrap_or(LOG_LINES))
        .map_err(|_| Failure::refused(Kind::Unavailable, "the number of lines cannot be negative"))?;
    let path = log_file(call)?;
    let broken = |error: std::io::Error| unreadable(&path, &error);
    let mut file = std::fs::File::open(&path).map_err(broken)?;
    let length = file.metadata().map_err(broken)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_BYTES_MAX))).map_err(broken)?;
    let mut bytes = Vec::new();
    file.take(LOG_BYTES_MAX).read_to_end(&mut bytes).map_err(broken)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    Ok(Answer::Message(lines[lines.len().saturating_sub(count)..].join("\n")))
}

/// `log_tail_stream`.
pub const LOG_TAIL_STREAM: Command = Command {
    name: "log_tail_stream",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Streams logs from a running node for a period of time",
    usage: "log_tail_stream [--duration|-d <seconds>] [--timeout <timeout>]",
    explains: &[("<duration_in_seconds>", "how long, in seconds; for ever by default")],
    switches: &[Switch::integer("duration").short('d')],
    endpoints: &[&NODE],
    banner: |call| Some(format!("Streaming logs from node {} ...", call.node())),
    run: log_tail_stream,
    ..Command::BLANK
};

fn log_tail_stream(call: &Call) -> Result<Answer, Failure> {
    let path = log_file(call)?;
    let broken = |error: std::io::Error| unreadable(&path, &error);
    let mut file = std::fs::File::open(&path).map_err(broken)?;
    file.seek(SeekFrom::End(0)).map_err(broken)?;
    say(&call.take_banner());
    let end =
        call.switches.integer("duration").and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
    let start = Instant::now();
    while end.is_none_or(|end| start.elapsed() < end) {
        let mut bytes = Vec::new();
        (&mut file).take(LOG_BYTES_MAX).read_to_end(&mut bytes).map_err(broken)?;
        let mut out = std::io::stdout();
        // A reader that went away ends the stream.
        if out.write_all(&bytes).and_then(|()| out.flush()).is_err() {
            break;
        }
        std::thread::sleep(LOG_POLL_EVERY);
    }
    Ok(Answer::Silent)
}
