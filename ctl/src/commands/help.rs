//! Help about the commands themselves; needs no node.

use serde_json::json;

use crate::call::Call;
use crate::command::{Command, Section, Tool, Words};
use crate::exit::{Failure, Kind};
use crate::help as layout;
use crate::output::Answer;
use crate::parse::Switch;
use crate::registry;
use crate::shells::{self, Shell};

/// The version of the reference this tool behaves like.
pub const COMPATIBLE_VERSION: &str = "4.3.5";

/// Commands of this file.
pub const ALL: &[&Command] = &[&AUTOCOMPLETE, &COMPLETION, &HELP, &VERSION];

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

/// `completion`.
pub const COMPLETION: Command = Command {
    name: "completion",
    tools: &Tool::ALL,
    section: Section::Own,
    summary: "Prints a script that makes a shell complete commands, switches, columns and names",
    usage: "completion <bash|zsh|fish>",
    explains: &[(
        "<bash|zsh|fish>",
        "the shell; eval \"$(rabbitmqctl completion bash)\" in its start file turns it on",
    )],
    guides: &["cli"],
    words: Words::exactly(1),
    check: check_shell,
    run: |call| Ok(Shell::of(call.word(0)).map_or(Answer::Silent, |shell| Answer::Message(shells::script(shell)))),
    ..Command::BLANK
};

fn check_shell(call: &Call) -> Result<(), Failure> {
    match Shell::of(call.word(0)) {
        Some(_) => Ok(()),
        None => Err(Failure::bad_argument(format!("'{}' is none of bash, zsh, fish", call.word(0)))),
    }
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
    let known = call.words.first().is_none_or(|name| registry::find(call.tool, name).is_some());
    if call.switches.flag("list-commands") && known {
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
