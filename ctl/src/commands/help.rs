//! Help about the commands themselves; needs no node.

use serde_json::json;

use crate::call::Call;
use crate::command::{Command, Section, Tool, Words};
use crate::exit::{Failure, Kind};
use crate::help as layout;
use crate::output::Answer;
use crate::parse::Switch;
use crate::registry;

/// The version of the reference this tool behaves like.
pub const COMPATIBLE_VERSION: &str = "4.3.5";

/// Commands of this file.
pub const ALL: &[&Command] = &[&AUTOCOMPLETE, &HELP, &VERSION];

/// `autocomplete`.
pub const AUTOCOMPLETE: Command = Command {
    name: "autocomplete",
    tools: &[Tool::Ctl, Tool::Diagnostics, Tool::Plugins, Tool::Queues],
    section: Section::Help,
    summary: "Provides command name autocomplete variants",
    usage: "autocomplete [prefix] [--timeout <timeout>]",
    guides: &["cli"],
    words: Words::exactly(1),
    run: autocomplete,
    ..Command::BLANK
};

fn autocomplete(call: &Call) -> Result<Answer, Failure> {
    let names = layout::completions(call.tool, call.word(0));
    Ok(if names.is_empty() { Answer::Silent } else { Answer::Message(names.join("\n")) })
}

/// `help`.
pub const HELP: Command = Command {
    name: "help",
    tools: &[Tool::Ctl, Tool::Diagnostics, Tool::Plugins, Tool::Queues, Tool::Streams, Tool::Upgrade],
    section: Section::Help,
    summary: "Displays usage information for a command",
    usage: "help (<command> | [--list-commands])",
    explains: &[("--list-commands", "only the list of commands")],
    switches: &[Switch::flag("list-commands")],
    words: Words::between(0, 1),
    run: help,
    ..Command::BLANK
};

fn help(call: &Call) -> Result<Answer, Failure> {
    if call.switches.flag("list-commands") {
        return Ok(Answer::Message(layout::command_list(call.tool)));
    }
    if call.words.is_empty() {
        return Ok(Answer::Message(layout::overview(call.tool, &call.script)));
    }
    match registry::find(call.tool, call.word(0)) {
        Some(command) => Ok(Answer::Message(layout::page(command, &call.script))),
        None => {
            let name = call.word(0);
            let hint = registry::suggest(call.tool, name).map(|known| format!(" \nDid you mean '{known}'? \n"));
            Err(Failure::refused(Kind::Usage, format!("\nCommand '{name}' not found.{}", hint.unwrap_or_default())))
        }
    }
}

/// `version`.
pub const VERSION: Command = Command {
    name: "version",
    tools: &[Tool::Ctl, Tool::Diagnostics, Tool::Plugins],
    section: Section::Help,
    summary: "Displays CLI tools version",
    usage: "version",
    run: version,
    ..Command::BLANK
};

fn version(call: &Call) -> Result<Answer, Failure> {
    let json = json!({"node": call.shown_node(), "value": {"version": COMPATIBLE_VERSION}, "result": "ok"});
    Ok(Answer::Report { text: COMPATIBLE_VERSION.to_owned(), json })
}
