//! What can stand next on a line: commands, switches, their values, columns, and names the node knows.
//!
//! Everything but the names is a fold over the declarations. Scripts of three shells ask here; see `shells`.

use std::time::Duration;

use openapi::Endpoint;

use crate::call::Call;
use crate::command::{Command, Needs, Tool};
use crate::endpoints::{EXCHANGES_IN, FEATURE_FLAGS, POLICIES_IN, QUEUES_IN, USERS, VHOSTS};
use crate::output::Format;
use crate::parse::{GLOBAL, Parsed, Switch, TABLE, Takes, parse};
use crate::registry;
use crate::target::{Surroundings, registered_nodes, resolve};

/// The hidden command the scripts call.
pub const NAME: &str = "__complete";

/// How long a name may be waited for: nobody waits longer for a key press.
const NAMES_WAIT: Duration = Duration::from_secs(2);

/// Most names shown.
const NAMES_MAX: usize = 2000;

/// What tells the scripts that names of files fit.
const FILES: &str = ":files";

/// A candidate, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The word.
    pub word: String,
    /// One line about it.
    pub about: String,
}

fn bare(word: impl Into<String>) -> Candidate {
    Candidate { word: word.into(), about: String::new() }
}

/// Kinds of objects whose names the node tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    Users,
    Vhosts,
    Queues,
    Exchanges,
    Policies,
    FeatureFlags,
    Plugins,
    Files,
}

/// What a placeholder of a usage line stands for.
fn names_of(placeholder: &str) -> Option<Names> {
    Some(match placeholder {
        "username" | "user" => Names::Users,
        "vhost" => Names::Vhosts,
        "queue" | "queue_name" | "stream" | "destination" => Names::Queues,
        "exchange" | "source" => Names::Exchanges,
        "name" => Names::Policies,
        "feature_flag" => Names::FeatureFlags,
        "plugin" | "plugin1" => Names::Plugins,
        "file" | "file_path" | "file_path | \"-\"" | "pidfile" | "path" => Names::Files,
        _ => return None,
    })
}

/// Values of a switch that are always the same.
fn values(switch: &str) -> &'static [&'static str] {
    match switch {
        "formatter" => &["table", "json", "csv", "pretty_table", "erlang", "inspect", "string", "json_stream"],
        "type" | "default-queue-type" => &["classic", "quorum", "stream"],
        "apply-to" => &["all", "queues", "classic_queues", "quorum_queues", "streams", "exchanges"],
        "destination-type" | "object-type" => &["queue", "exchange"],
        "format" => &["json", "erlang"],
        "unit" => &["bytes", "mb", "mib", "gb", "gib", "days", "weeks", "months", "years"],
        "membership" => &["promotable", "voter", "non_voter"],
        _ => &[],
    }
}

/// Prints the candidates for a line, one a line, a description behind a tab.
pub fn run(tool: Tool, words: &[String]) -> String {
    let current = words.last().map_or("", String::as_str);
    let before = &words[..words.len().saturating_sub(1)];
    let mut out = String::new();
    for candidate in candidates(tool, before, current) {
        if candidate.word == FILES || candidate.word.starts_with(current) {
            out.push_str(&candidate.word);
            if !candidate.about.is_empty() {
                out.push('\t');
                out.push_str(&candidate.about);
            }
            out.push('\n');
        }
    }
    out
}

/// The candidates, whatever the word so far.
pub fn candidates(tool: Tool, before: &[String], current: &str) -> Vec<Candidate> {
    let global = parse(before.iter().map(String::as_str), &[GLOBAL]);
    let command = global.words.first().and_then(|name| registry::find(Some(tool), name));
    let tables = tables(command);
    let line = parse(before.iter().map(String::as_str), &tables);
    if let Some(switch) = before.last().and_then(|word| awaits_value(word, &tables)) {
        return of_switch(switch, &line);
    }
    if current.starts_with('-') {
        return switches(command, &tables);
    }
    let Some(command) = command else {
        let all = registry::of_tool(Some(tool));
        let about = |command: &Command| command.summary.to_owned();
        return all.iter().map(|command| Candidate { word: command.name.to_owned(), about: about(command) }).collect();
    };
    if let Some(columns) = command.columns {
        return columns
            .known
            .iter()
            .filter(|name| !line.words.iter().any(|word| word == *name))
            .map(|name| bare(*name))
            .collect();
    }
    if command.name == "help" {
        return registry::of_tool(Some(tool)).iter().map(|command| bare(command.name)).collect();
    }
    let at = line.words.len().saturating_sub(1);
    let placeholders = placeholders(command.usage);
    // A list of words at the end of a usage line repeats its last one.
    let Some(placeholder) =
        placeholders.get(at).or_else(|| placeholders.last().filter(|_| command.words.max.is_none()))
    else {
        return Vec::new();
    };
    match names_of(placeholder) {
        Some(names) => names_from(names, &line),
        None if placeholder.contains('|') => placeholder.split('|').map(|word| bare(word.trim())).collect(),
        None => Vec::new(),
    }
}

/// The switches a line of that command takes.
fn tables(command: Option<&'static Command>) -> Vec<&'static [Switch]> {
    let own = command.map_or(&[][..], |command| command.switches);
    let table = command.filter(|command| command.format == Format::Table).map_or(&[][..], |_| TABLE);
    vec![own, table, GLOBAL]
}

/// The switch a word is, if it waits for its value.
fn awaits_value(word: &str, tables: &[&'static [Switch]]) -> Option<&'static Switch> {
    let all = || tables.iter().flat_map(|table| table.iter()).filter(|switch| switch.takes != Takes::Nothing);
    if let Some(name) = word.strip_prefix("--") {
        return all().find(|switch| switch.name == name);
    }
    let letter = word.strip_prefix('-').filter(|rest| rest.chars().count() == 1)?.chars().next();
    all().find(|switch| switch.short == letter)
}

fn of_switch(switch: &Switch, line: &Parsed) -> Vec<Candidate> {
    match switch.name {
        "vhost" => names_from(Names::Vhosts, line),
        "queue" => names_from(Names::Queues, line),
        "node" => registered_nodes(&Surroundings::silent()).into_iter().map(bare).collect(),
        "profile" => {
            crate::profile::names(line.text("config-file"), &Surroundings::silent()).into_iter().map(bare).collect()
        }
        "password-file"
        | "config-file"
        | "ca-cert"
        | "client-cert"
        | "client-key"
        | "socket"
        | "file"
        | "data-dir"
        | "plugins-dir"
        | "enabled-plugins-file"
        | "aliases-file" => vec![bare(FILES)],
        name => values(name).iter().map(|value| bare(*value)).collect(),
    }
}

fn switches(command: Option<&'static Command>, tables: &[&'static [Switch]]) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    for switch in tables.iter().flat_map(|table| table.iter()) {
        let word = format!("--{}", switch.name);
        if !found.iter().any(|known| known.word == word) {
            let about = command
                .and_then(|command| explanation(command, &word))
                .or_else(|| crate::help::explained(switch.name))
                .unwrap_or_default();
            found.push(Candidate { word, about: about.to_owned() });
        }
    }
    found
}

/// What a command says of its switch.
fn explanation(command: &'static Command, word: &str) -> Option<&'static str> {
    let (_, about) = command.explains.iter().find(|(name, _)| name.split([' ', '|']).any(|part| part == word))?;
    Some(about)
}

/// The placeholders of the words in a usage line, without those of switches.
fn placeholders(usage: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = usage;
    while let Some(start) = rest.find('<') {
        let Some(end) = rest[start..].find('>') else { break };
        let head = rest[..start].trim_end().trim_end_matches(['=', '"']);
        let of_switch = head.rsplit([' ', '[', '(', '|']).next().is_some_and(|word| word.starts_with('-'));
        if !of_switch {
            found.push(rest[start + 1..start + end].to_owned());
        }
        rest = &rest[start + end + 1..];
    }
    found
}

/// The command that asks for names.
static ASK: Command = Command {
    name: NAME,
    usage: "[--timeout <timeout>]",
    needs: Needs::Nothing,
    endpoints: &[&USERS, &VHOSTS, &QUEUES_IN, &EXCHANGES_IN, &POLICIES_IN, &FEATURE_FLAGS, &openapi::control::PLUGINS],
    ..Command::BLANK
};

/// The names the node tells; none when it does not answer, as completion must not complain.
fn names_from(names: Names, line: &Parsed) -> Vec<Candidate> {
    let (endpoint, scoped): (&Endpoint, bool) = match names {
        Names::Files => return vec![bare(FILES)],
        Names::Users => (&USERS, false),
        Names::Vhosts => (&VHOSTS, false),
        Names::Queues => (&QUEUES_IN, true),
        Names::Exchanges => (&EXCHANGES_IN, true),
        Names::Policies => (&POLICIES_IN, true),
        Names::FeatureFlags => (&FEATURE_FLAGS, false),
        Names::Plugins => (&openapi::control::PLUGINS, false),
    };
    let Ok(target) = resolve(line, NAME, &Surroundings::silent()) else { return Vec::new() };
    let mut switches = line.clone();
    let seconds = i64::try_from(NAMES_WAIT.as_secs()).unwrap_or(1);
    switches.settings.push(("timeout", crate::parse::Setting::Integer(seconds)));
    let call = Call::new((Some(Tool::Ctl), NAME.to_owned()), &ASK, Vec::new(), switches, Format::Json, target);
    let vhost = call.vhost().to_owned();
    let within: &[&str] = if scoped { &[&vhost] } else { &[] };
    let Ok(reply) = call.get(endpoint, within, "columns=name") else { return Vec::new() };
    let list = if names == Names::Plugins { &reply.body["plugins"] } else { &reply.body };
    let rows = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let named = rows.iter().filter_map(|row| row["name"].as_str()).filter(|name| !name.is_empty());
    // A name with a line break cannot be told to a shell.
    named.filter(|name| !name.contains(['\n', '\t'])).take(NAMES_MAX).map(bare).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        let (before, current) = line.rsplit_once(' ').unwrap_or(("", line));
        let before: Vec<String> = before.split_whitespace().map(str::to_owned).collect();
        let found = candidates(Tool::Ctl, &before, current);
        found.into_iter().map(|candidate| candidate.word).filter(|word| word.starts_with(current)).collect()
    }

    #[test]
    fn commands_switches_values_and_columns_are_completed() {
        for (line, expected) in [
            (
                "list_u",
                vec![
                    "list_user_limits",
                    "list_user_permissions",
                    "list_user_topic_permissions",
                    "list_users",
                    "list_unresponsive_queues",
                ],
            ),
            ("-q -p x add_v", vec!["add_vhost"]),
            ("delete_queue --if", vec!["--if-empty", "--if-unused"]),
            ("list_users --table", vec!["--table-headers"]),
            ("list_queues --formatter j", vec!["json", "json_stream"]),
            ("list_queues name messages_r", vec!["messages_ready", "messages_ram", "messages_ready_ram"]),
            ("completion z", vec!["zsh"]),
            ("help set_pol", vec!["set_policy"]),
            ("list_users --password-file x --pass", vec!["--password", "--password-file"]),
            ("import_definitions x", vec![]),
        ] {
            let (mut found, mut expected) = (words(line), expected);
            found.sort();
            expected.sort_unstable();
            assert_eq!(found, expected, "{line}");
        }
        assert_eq!(candidates(Tool::Ctl, &["import_definitions".to_owned()], ""), [bare(FILES)]);
    }

    #[test]
    fn placeholders_of_switches_are_no_words() {
        assert_eq!(placeholders("delete_queue [--vhost <vhost>] <queue_name> [--if-empty|-e]"), ["queue_name"]);
        assert_eq!(placeholders("grow <node> <all | even> [--x <y>]"), ["node", "all | even"]);
    }

    #[test]
    fn every_command_and_every_switch_is_completed() {
        for tool in Tool::ALL {
            let commands = candidates(tool, &[], "");
            for command in registry::of_tool(Some(tool)) {
                assert!(commands.iter().any(|candidate| candidate.word == command.name), "{}", command.name);
                let switches = candidates(tool, &[command.name.to_owned()], "--");
                for switch in command.switches {
                    let word = format!("--{}", switch.name);
                    assert!(switches.iter().any(|candidate| candidate.word == word), "{} {word}", command.name);
                }
            }
        }
    }
}
