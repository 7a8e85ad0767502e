//! Deleting and purging many queues by pattern, with a preview.
//!
//! One request a queue, so what is done is done: an interrupt ends between two queues and says how many were left.

use std::io::{BufRead as _, IsTerminal as _};

use openapi::Endpoint;
use serde_json::{Value, json};

use crate::call::Call;
use crate::command::{Command, Needs, Section, Words};
use crate::endpoints::{QUEUE, QUEUE_CONTENTS, QUEUES_IN};
use crate::exit::{Failure, Kind};
use crate::interrupt;
use crate::output::{Answer, Delivery, Rows};
use crate::parse::Switch;
use crate::progress::Progress;
use crate::term::Term;
use crate::terminal::whisper;

/// Commands of this file.
pub const ALL: &[&Command] = &[&DELETE_QUEUES, &PURGE_QUEUES];

const PATTERN: (&str, &str) = ("<pattern>", "regular expression that names must match");
const DRY_RUN: (&str, &str) = ("--dry-run", "only list what would be touched");
const YES: (&str, &str) = ("--yes", "do not ask; needed where there is no terminal to ask on");

/// `delete_queues`.
pub const DELETE_QUEUES: Command = Command {
    name: "delete_queues",
    section: Section::Own,
    summary: "Deletes the queues whose names match a pattern, after a preview",
    usage: "delete_queues [--vhost <vhost>] <pattern> [--if-empty|-e] [--if-unused|-u] [--type <type>] [--dry-run] [--yes|-y]",
    explains: &[
        PATTERN,
        ("--if-empty", "only those that have no messages"),
        ("--if-unused", "only those that have no consumers"),
        ("--type <classic|quorum|stream>", "only those of a type"),
        DRY_RUN,
        YES,
    ],
    guides: &["queues"],
    switches: &[
        Switch::flag("if-empty").short('e'),
        Switch::flag("if-unused").short('u'),
        Switch::text("type"),
        Switch::flag("yes").short('y'),
    ],
    needs: Needs::AppRunning,
    previews: true,
    format: crate::output::Format::Table,
    words: Words::exactly(1),
    endpoints: &[&QUEUES_IN, &QUEUE],
    check: check_pattern,
    banner: |call| Some(format!("Deleting queues matching '{}' in vhost '{}' ...", call.word(0), call.vhost())),
    run: |call| sweep(call, &DELETE),
    ..Command::BLANK
};

/// `purge_queues`.
pub const PURGE_QUEUES: Command = Command {
    name: "purge_queues",
    section: Section::Own,
    summary: "Purges the queues whose names match a pattern, after a preview",
    usage: "purge_queues [--vhost <vhost>] <pattern> [--type <type>] [--dry-run] [--yes|-y]",
    explains: &[PATTERN, ("--type <classic|quorum>", "only those of a type"), DRY_RUN, YES],
    guides: &["queues"],
    switches: &[Switch::text("type"), Switch::flag("yes").short('y')],
    needs: Needs::AppRunning,
    previews: true,
    format: crate::output::Format::Table,
    words: Words::exactly(1),
    endpoints: &[&QUEUES_IN, &QUEUE_CONTENTS],
    check: check_pattern,
    banner: |call| Some(format!("Purging queues matching '{}' in vhost '{}' ...", call.word(0), call.vhost())),
    run: |call| sweep(call, &PURGE),
    ..Command::BLANK
};

fn check_pattern(call: &Call) -> Result<(), Failure> {
    match fancy_regex::Regex::new(call.word(0)) {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::bad_argument(format!("'{}' is no regular expression: {error}", call.word(0)))),
    }
}

/// What is done to each.
struct Act {
    verb: &'static str,
    done: &'static str,
    endpoint: &'static Endpoint,
    /// Whether a stream can be treated so.
    streams: bool,
}

const DELETE: Act = Act { verb: "Delete", done: "deleted", endpoint: &QUEUE, streams: true };
const PURGE: Act = Act { verb: "Purge", done: "purged", endpoint: &QUEUE_CONTENTS, streams: false };

const COLUMNS: [&str; 4] = ["name", "type", "messages", "consumers"];

fn sweep(call: &Call, act: &Act) -> Result<Answer, Failure> {
    let reply = call.get(&QUEUES_IN, &[call.vhost()], &format!("columns={}", COLUMNS.join(",")))?;
    if reply.status == 404 {
        return Err(Failure::no_vhost(call.vhost()));
    }
    let all = reply.body.as_array().map(Vec::as_slice).unwrap_or_default();
    let chosen: Vec<&Value> = all.iter().filter(|queue| is_chosen(call, act, queue)).collect();
    if call.switches.flag("dry-run") || chosen.is_empty() {
        return Ok(listed(&chosen));
    }
    confirm(call, act, &chosen)?;
    let mut conditions = Vec::new();
    // Said again, as much may have happened since the list was made.
    if call.switches.flag("if-empty") {
        conditions.push("if-empty=true");
    }
    if call.switches.flag("if-unused") {
        conditions.push("if-unused=true");
    }
    let interrupted = interrupt::hold();
    let progress = Progress::start(act.done, chosen.len());
    let (mut done, mut refused) = (0_usize, Vec::new());
    for queue in &chosen {
        if interrupted.is_set() {
            break;
        }
        let name = queue["name"].as_str().unwrap_or_default();
        let reply = call.delete(act.endpoint, &[call.vhost(), name], &conditions.join("&"))?;
        // One that went away by itself meanwhile is as good as deleted.
        if reply.is_ok() || reply.status == 404 {
            done += 1
        } else {
            refused.push(format!("{name}: {}", reply.reason()))
        }
        progress.advance();
    }
    progress.end();
    let left = chosen.len() - done - refused.len();
    let text = format!("{done} of {} queues {}", chosen.len(), act.done);
    let json = json!({"matched": chosen.len(), act.done: done, "refused": refused, "left": left});
    if left > 0 {
        let text = format!("{text}; interrupted, {left} are as they were");
        return Err(Failure::refused(Kind::TryAgain, text).with_json(json));
    }
    if refused.is_empty() {
        return Ok(Answer::Report { text, json });
    }
    Err(Failure::refused(Kind::Unavailable, format!("{text}; refused:\n{}", refused.join("\n"))).with_json(json))
}

fn is_chosen(call: &Call, act: &Act, queue: &Value) -> bool {
    let name = queue["name"].as_str().unwrap_or_default();
    let kind = queue["type"].as_str().unwrap_or("classic");
    crate::pattern::matches(call.word(0), name)
        && call.switches.text("type").is_none_or(|wanted| wanted == kind)
        && (act.streams || kind != "stream")
        && !(call.switches.flag("if-empty") && queue["messages"].as_u64().unwrap_or(0) > 0)
        && !(call.switches.flag("if-unused") && queue["consumers"].as_u64().unwrap_or(0) > 0)
}

fn listed(chosen: &[&Value]) -> Answer {
    let cell = |queue: &Value, name: &str| {
        if name == "type" { Term::word(&queue[name]) } else { Term::from_json(&queue[name]) }
    };
    let rows = chosen.iter().map(|queue| COLUMNS.iter().map(|name| cell(queue, name)).collect()).collect();
    Answer::Rows(Rows {
        columns: COLUMNS.map(str::to_owned).to_vec(),
        rows,
        delivery: Delivery::Streamed,
        headless: false,
    })
}

/// How many names a question shows.
const SHOWN_MAX: usize = 10;

fn confirm(call: &Call, act: &Act, chosen: &[&Value]) -> Result<(), Failure> {
    if call.switches.flag("yes") {
        return Ok(());
    }
    let Act { verb, done, .. } = act;
    if !std::io::stdin().is_terminal() {
        let text = format!("{} queues would be {done}: --dry-run lists them, --yes does it", chosen.len());
        return Err(Failure::refused(Kind::Usage, text));
    }
    let messages: u64 = chosen.iter().filter_map(|queue| queue["messages"].as_u64()).sum();
    for queue in chosen.iter().take(SHOWN_MAX) {
        whisper(&format!("  {}\n", queue["name"].as_str().unwrap_or_default()));
    }
    if chosen.len() > SHOWN_MAX {
        whisper(&format!("  and {} more\n", chosen.len() - SHOWN_MAX));
    }
    whisper(&format!("{verb} {} queues with {messages} messages? [y/N] ", chosen.len()));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).ok();
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(Failure::refused(Kind::Usage, "nothing was done"))
}
