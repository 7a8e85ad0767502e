//! Exporting and importing definitions.

use std::path::Path;

use serde_json::{Value, json};

use crate::call::Call;
use crate::command::{Command, Needs, Section, Words};
use crate::endpoints::DEFINITIONS;
use crate::exit::{Failure, Kind};
use crate::output::Answer;
use crate::parse::Switch;
use crate::progress::Progress;
use crate::term::Term;

/// Commands of this file.
pub const ALL: &[&Command] = &[&EXPORT_DEFINITIONS, &IMPORT_DEFINITIONS];

fn is_erlang(call: &Call) -> bool {
    call.switches.text("format").is_some_and(|format| format.eq_ignore_ascii_case("erlang"))
}

fn check_format(call: &Call) -> Result<(), Failure> {
    match call.switches.text("format").map(str::to_lowercase).as_deref() {
        None | Some("json" | "erlang") => Ok(()),
        Some(_) => Err(Failure::bad_argument("Format should be either json or erlang")),
    }
}

fn format_name(call: &Call) -> &'static str {
    if is_erlang(call) { "Erlang term format" } else { "JSON" }
}

/// `export_definitions`.
pub const EXPORT_DEFINITIONS: Command = Command {
    name: "export_definitions",
    section: Section::Definitions,
    summary: "Exports definitions in JSON or compressed Erlang Term Format.",
    usage: "export_definitions <file_path | \"-\"> [--format <json | erlang>] [--timeout <timeout>]",
    explains: &[
        ("<file>", "Local file path to export to. Pass a dash (-) for stdout."),
        ("--format", "output format to use: json or erlang"),
    ],
    guides: &["definitions"],
    switches: &[Switch::text("format")],
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&DEFINITIONS],
    check: check_export,
    banner: banner_of_export,
    run: export_definitions,
    ..Command::BLANK
};

fn check_export(call: &Call) -> Result<(), Failure> {
    check_format(call)?;
    let directory = Path::new(call.word(0)).parent().filter(|directory| !directory.as_os_str().is_empty());
    match directory {
        Some(directory) if !directory.is_dir() => {
            Err(Failure::bad_argument(format!("Directory {} does not exist", directory.display())))
        }
        _ => Ok(()),
    }
}

fn banner_of_export(call: &Call) -> Option<String> {
    let format = format_name(call);
    (call.word(0) != "-").then(|| format!("Exporting definitions in {format} to a file at \"{}\" ...", call.word(0)))
}

/// What the reference exports over HTTP only.
const NOT_EXPORTED: [&str; 5] =
    ["product_name", "product_version", "rabbitmq_definition_format", "original_cluster_name", "explanation"];

fn export_definitions(call: &Call) -> Result<Answer, Failure> {
    let reply = call.get(&DEFINITIONS, &[], "")?;
    if !reply.is_ok() {
        return Err(Failure::refused(Kind::Unavailable, reply.reason()));
    }
    let mut definitions = reply.body;
    if let Some(entries) = definitions.as_object_mut() {
        entries.retain(|key, _| !NOT_EXPORTED.contains(&key.as_str()));
    }
    let bytes = if is_erlang(call) {
        crate::etf::encode(&Term::from_json(&definitions))
    } else {
        definitions.to_string().into_bytes()
    };
    if call.word(0) == "-" {
        return Ok(Answer::Message(String::from_utf8_lossy(&bytes).into_owned()));
    }
    write_whole(Path::new(call.word(0)), &bytes)
        .map_err(|error| Failure::refused(Kind::Data, format!("{}: {error}", call.word(0))))?;
    Ok(Answer::Done)
}

/// Writes a file so that whoever looks finds the old one or the whole new one, also after Ctrl-C.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // A device or pipe is no file that could be replaced, and a link stays a link.
    if std::fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
        return std::fs::write(path, bytes);
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    std::fs::write(&beside, bytes)
        .and_then(|()| std::fs::rename(&beside, path))
        .inspect_err(|_| drop(std::fs::remove_file(&beside)))
}

/// `import_definitions`.
pub const IMPORT_DEFINITIONS: Command = Command {
    name: "import_definitions",
    section: Section::Definitions,
    summary: "Imports definitions in JSON or compressed Erlang Term Format.",
    usage: "import_definitions <file_path> [--format <json | erlang>] [--skip-if-unchanged] [--timeout <timeout>]",
    explains: &[
        ("[file]", "Local file path to import from. If omitted will be read from standard input"),
        ("--format", "input format to use: json or erlang"),
        (
            "--skip-if-unchanged",
            "Avoids repetitive definition imports when file contents are unchanged. Target node must be configured accordingly",
        ),
    ],
    guides: &["definitions"],
    switches: &[Switch::text("format"), Switch::flag("skip-if-unchanged")],
    needs: Needs::AppRunning,
    words: Words::between(0, 1),
    endpoints: &[&DEFINITIONS],
    check: check_import,
    banner: banner_of_import,
    run: import_definitions,
    ..Command::BLANK
};

fn check_import(call: &Call) -> Result<(), Failure> {
    check_format(call)?;
    match call.words.first() {
        Some(file) if !Path::new(file).exists() => Err(Failure::bad_argument(format!("File {file} does not exist"))),
        _ => Ok(()),
    }
}

fn banner_of_import(call: &Call) -> Option<String> {
    let format = format_name(call);
    Some(match call.words.first() {
        Some(file) => format!("Importing definitions in {format} from a file at \"{file}\" ..."),
        None => format!("Importing definitions in {format} from standard input ..."),
    })
}

const STARTED: &str = "Successfully started definition import. This process is asynchronous and can take some time. Watch \
                       target node logs for completion.";

fn import_definitions(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    let bytes = match call.words.first() {
        Some(file) => std::fs::read(file).map_err(|error| Failure::refused(Kind::Data, format!("{file}: {error}")))?,
        None => call.input().map_err(|error| Failure::refused(Kind::Data, error.to_string()))?.into_bytes(),
    };
    if bytes.is_empty() {
        return Err(Failure::refused(Kind::Unavailable, "not_enough_args"));
    }
    let definitions = read(call, &bytes)?;
    if !definitions.is_object() {
        let text = format!("{{:badmap, {}}}\n", crate::output::elixir(&definitions));
        return Err(Failure::refused(Kind::Software, text));
    }
    let count: usize =
        definitions.as_object().into_iter().flatten().filter_map(|(_, list)| list.as_array()).map(Vec::len).sum();
    // What was sent is carried out whole; Ctrl-C meanwhile must not hide how it went.
    let _held = crate::interrupt::hold();
    let progress = Progress::wait(format!("importing {count} objects"));
    let reply = call.post(&DEFINITIONS, &[], Some(&definitions));
    progress.end();
    let reply = reply?;
    if !reply.is_ok() {
        return Err(Failure::refused(Kind::Unavailable, reply.reason()));
    }
    if call.is_quiet() && !call.format.machine_readable() {
        return Ok(Answer::Silent);
    }
    Ok(Answer::Report { text: STARTED.to_owned(), json: json!({"node": call.node(), "result": "ok"}) })
}

fn read(call: &Call, bytes: &[u8]) -> Result<Value, Failure> {
    let failed = |format: &str, why: &str| {
        Failure::refused(Kind::Data, format!("Failed to deserialise input (format: {format}) (error: {why})"))
    };
    if is_erlang(call) {
        return crate::etf::decode(bytes)
            .map(|term| term.to_json())
            .map_err(|error| failed("Erlang term format", &error.to_string()));
    }
    serde_json::from_slice(bytes).map_err(|error| failed("JSON", &unexpected(&error, bytes)))
}

/// Where reading stopped, in the words of the reference's JSON reader.
fn unexpected(error: &serde_json::Error, bytes: &[u8]) -> String {
    if error.is_eof() {
        return format!("{{:unexpected_end, {}}}", bytes.len());
    }
    let before: usize =
        bytes.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    let at = before + error.column().saturating_sub(1);
    match bytes.get(at) {
        Some(byte) => format!("{{:unexpected_byte, \"0x{byte:02X}\", {at}}}"),
        None => format!("{{:unexpected_end, {}}}", bytes.len()),
    }
}
