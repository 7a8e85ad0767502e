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
