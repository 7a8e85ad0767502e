//! Help: the overview of a tool, the page of a command, completion.
//!
//! Owns the layout only; every word about a command comes from its constant.

use crate::command::{Command, Section, Tool};
use crate::registry;

const GENERAL_OPTIONS: &str = "\
General Options

The following options are accepted by most or all commands.

short            | long          | description
-----------------|---------------|--------------------------------
-?               | --help        | displays command help
-n <node>        | --node <node> | connect to node <node>
-l               | --longnames   | use long host names
-t               | --timeout <n> | for commands that support it, operation timeout in seconds
-q               | --quiet       | suppress informational messages
-s               | --silent      | suppress informational messages
                                 | and table header row
-p               | --vhost       | for commands that are scoped to a virtual host,
                 |               | virtual host to use
                 | --formatter   | alternative result formatter to use
                                 | if supported: json, pretty_table, table, csv, erlang
                                   not all commands support all (or any) alternative formatters.
";

/// The overview: how to call the tool, and its commands.
pub fn overview(tool: Option<Tool>, script: &str) -> String {
    let mut out = format!(
        "\nUsage\n\n{script} [--node <node>] [--timeout <timeout>] [--longnames] [--quiet] <command> [<command options>]\n\n\
         Available commands:\n\n"
    );
    let list = sections(tool);
    if !list.is_empty() {
        out.push_str(&list);
        out.push('\n');
    }
    out.push_str(&format!("Use '{script} help <command>' to learn more about a specific command\n"));
    out
}

/// Only the commands.
pub fn command_list(tool: Option<Tool>) -> String {
    format!("\n{}\n\n", sections(tool))
}

fn sections(tool: Option<Tool>) -> String {
    let mut commands = registry::of_tool(tool);
    // In a pipe the list is the reference's, word for word; whoever looks sees everything.
    if !crate::terminal::is_watched() {
        commands.retain(|command| command.section != Section::Own);
    }
    commands.sort_by_key(|command| command.section);
    let width = commands.iter().map(|command| command.name.len()).max().unwrap_or(0);
    let mut out = String::new();
    let mut current: Option<Section> = None;
    for command in commands {
        if current != Some(command.section) {
            if current.is_some() {
                out.push('\n');
            }
            out.push_str(&format!("{}:\n\n", command.section.title()));
            current = Some(command.section);
        }
        out.push_str(&format!("   {:width$}  {}\n", command.name, command.summary));
    }
    out
}

/// The page of a command.
pub fn page(command: &Command, script: &str) -> String {
    let mut out = format!("\nUsage\n\n{}\n\n", usage_line(command, script));
    if !command.summary.is_empty() {
        out.push_str(&format!("{}.\n\n\n", command.summary));
    }
    if !command.explains.is_empty() {
        out.push_str("Arguments and Options\n\n");
        for (word, explanation) in command.explains {
            out.push_str(&format!("{word}\n\t{explanation}\n\n"));
        }
        out.push('\n');
    }
    if !command.guides.is_empty() {
        out.push_str("Relevant Doc Guides\n\n");
        for guide in command.guides {
            out.push_str(&format!(" * https://rabbitmq.com/docs/{guide}/\n\n"));
        }
        out.push('\n');
    }
    out.push_str(GENERAL_OPTIONS);
    out.push('\n');
    out
}

/// The usage line with the switches all commands share.
pub fn usage_line(command: &Command, script: &str) -> String {
    format!("{script} [--node <node>] [--longnames] [--quiet] {}", command.usage)
}

/// The switches of all commands, for manual pages and completion.
pub const GLOBAL_EXPLAINS: &[(&str, &str)] = &[
    ("--node <node>", "node of this host, by its name"),
    ("--socket <path>", "control socket of the node"),
    ("--uri <address>", "HTTP API of the node: http://user:password@host:port"),
    ("--profile <name>", "profile of the configuration file"),
    ("--config-file <path>", "file of profiles"),
    ("--username <user>", "user name for --uri"),
    ("--password <password>", "its password; every user of this host can see it in the list of processes"),
    ("--password-file <path>", "file with the password in its first line; - is the standard input"),
    ("--ask-password", "ask for the password on the terminal"),
    ("--ca-cert <path>", "certificates of authorities to trust, PEM"),
    ("--client-cert <path>", "own certificate, PEM"),
    ("--client-key <path>", "own private key, PEM"),
    ("--insecure", "accept any certificate of the node"),
    ("--vhost <vhost>", "virtual host of commands that are for one"),
    ("--timeout <seconds>", "time limit of commands that have one"),
    ("--formatter <name>", "table, json, csv, pretty_table, erlang, inspect, string or json_stream"),
    ("--json", "short for --formatter json"),
    ("--quiet", "no banners"),
    ("--silent", "no banners and no header rows"),
    ("--table-headers", "header rows in tables; --no-table-headers leaves them out"),
    ("--pad-to-header", "fill values up to the width of their header"),
    ("--longnames", "node names with a full host name"),
    ("--dry-run", "only check, or show what would be done"),
    ("--help", "the page of a command"),
];

/// What a switch of all commands does.
pub fn explained(switch: &str) -> Option<&'static str> {
    let (_, about) = GLOBAL_EXPLAINS
        .iter()
        .find(|(term, _)| term.strip_prefix("--").and_then(|rest| rest.split(' ').next()) == Some(switch))?;
    Some(about)
}

/// What nothing is completed to: the switches every command of the reference accepts.
const GLOBAL_SWITCHES: [&str; 19] = [
    "--aliases-file",
    "--data-dir",
    "--dry-run",
    "--enabled-plugins-file",
    "--erlang-cookie",
    "--file",
    "--formatter",
    "--help",
    "--longnames",
    "--node",
    "--plugins-dir",
    "--print-stacktrace",
    "--printer",
    "--quiet",
    "--rabbitmq-home",
    "--script-name",
    "--silent",
    "--timeout",
    "--vhost",
];

/// Names of the tool's commands that begin with a prefix.
pub fn completions(tool: Option<Tool>, prefix: &str) -> Vec<&'static str> {
    if prefix.is_empty() {
        return GLOBAL_SWITCHES.to_vec();
    }
    registry::of_tool(tool).iter().map(|command| command.name).filter(|name| name.starts_with(prefix)).collect()
}
