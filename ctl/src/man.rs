//! Manual pages, one a tool, folded from the declarations.
//!
//! Owns the layout in roff; every word about a command comes from its constant.

use std::path::{Path, PathBuf};

use crate::command::{Command, Needs, Section, Tool};
use crate::exit::{Kind, exit_code};
use crate::help::{GLOBAL_EXPLAINS, usage_line};
use crate::registry;

/// Text in which roff sees nothing but text.
pub fn plain(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    // A line that begins so would be a request.
    match escaped.starts_with(['.', '\'']) {
        true => format!("\\&{escaped}"),
        false => escaped,
    }
}

/// The page of a tool.
pub fn page(tool: Tool) -> String {
    let name = tool.name();
    let mut out = format!(
        ".TH {} 8 \"\" \"Warren {}\" \"Warren\"\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n.B {}\n[\\fIswitches\\fR] \\fIcommand\\fR \
         [\\fIarguments\\fR]\n",
        plain(&name.to_uppercase()),
        env!("CARGO_PKG_VERSION"),
        plain(name),
        purpose(tool),
        plain(name),
    );
    out.push_str(".SH DESCRIPTION\nAsks a node over its control socket, or over the HTTP API of any host. On the host of the node no password is needed: whoever may open its control socket is administrator.\n");
    out.push_str(".SH SWITCHES OF ALL COMMANDS\n");
    for (switch, about) in GLOBAL_EXPLAINS {
        out.push_str(&entry(switch, about));
    }
    let mut commands = registry::of_tool(Some(tool));
    commands.sort_by_key(|command| command.section);
    let mut current: Option<Section> = None;
    for command in commands {
        if current != Some(command.section) {
            out.push_str(&format!(".SH {}\n", plain(&command.section.title().to_uppercase())));
            current = Some(command.section);
        }
        out.push_str(&section(command));
    }
    out.push_str(".SH EXIT STATUS\n");
    for (kind, about) in [
        (Kind::Usage, "unknown command or switch, wrong number of words, wrong state of the application"),
        (Kind::Data, "a bad value, or something that is not there"),
        (Kind::NoUser, "no such user"),
        (Kind::Unavailable, "the node cannot be reached, refused, or a check failed"),
        (Kind::Software, "already there, or something broke inside"),
        (Kind::TryAgain, "it took too long, or was interrupted"),
        (Kind::Configuration, "a profile or certificate is of no use"),
    ] {
        out.push_str(&entry(&exit_code(kind).to_string(), about));
    }
    out.push_str(".SH ENVIRONMENT\n");
    for (variable, about) in [
        ("RABBITMQ_NODENAME", "as --node"),
        ("WARREN_SOCKET, WARREN_URI, WARREN_PROFILE", "as --socket, --uri, --profile, unless --node is given"),
        ("WARREN_USERNAME, WARREN_PASSWORD", "who calls, where nothing else says it"),
        ("NO_COLOR", "no colours on a terminal"),
    ] {
        out.push_str(&entry(variable, about));
    }
    out.push_str(".SH FILES\n");
    out.push_str(&entry("~/.config/warren/ctl.toml", "profiles"));
    out
}

/// A word, and what it means.
pub fn entry(term: &str, about: &str) -> String {
    format!(".TP\n.B {}\n{}\n", plain(term), plain(about))
}

fn section(command: &Command) -> String {
    let mut out = format!(".SS {}\n", plain(command.name));
    let usage = usage_line(command, "").trim_start().replace("[--node <node>] [--longnames] [--quiet] ", "");
    out.push_str(&format!(".nf\n{}\n.fi\n", plain(&usage)));
    if !command.summary.is_empty() {
        out.push_str(&format!(".PP\n{}\n", plain(command.summary)));
    }
    match command.needs {
        Needs::Nothing => {}
        Needs::AppRunning => out.push_str(".PP\nThe application must run.\n"),
        Needs::AppStopped => out.push_str(".PP\nThe application must be stopped.\n"),
    }
    for (word, about) in command.explains {
        out.push_str(&entry(word, about));
    }
    if let Some(columns) = command.columns {
        out.push_str(&entry("columns", &columns.known.join(", ")));
    }
    out
}

const fn purpose(tool: Tool) -> &'static str {
    match tool {
        Tool::Ctl => "operate a broker",
        Tool::Diagnostics => "look into a broker, and check its health",
        Tool::Plugins => "list, enable and disable plugins",
        Tool::Queues => "maintain replicated queues",
        Tool::Streams => "maintain replicated streams",
        Tool::Upgrade => "prepare a node for maintenance",
    }
}

/// Writes the pages below a directory of manual pages, as `man8/TOOL.8`; says which, or why not.
pub fn install(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let folder = directory.join("man8");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut made = Vec::new();
    let pages = Tool::ALL.map(|tool| (tool.name(), page(tool)));
    for (name, page) in pages.into_iter().chain([(crate::admin::NAME, crate::admin::manual())]) {
        let path = folder.join(format!("{name}.8"));
        std::fs::write(&path, page).map_err(|error| format!("{}: {error}", path.display()))?;
        made.push(path);
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_section() {
        for tool in Tool::ALL {
            let page = page(tool);
            for command in registry::of_tool(Some(tool)) {
                assert!(page.contains(&format!("\n.SS {}\n", plain(command.name))), "{} {}", tool.name(), command.name);
            }
        }
    }

    #[test]
    fn no_line_of_text_is_a_request() {
        const REQUESTS: [&str; 7] = [".TH", ".SH", ".SS", ".TP", ".B ", ".PP", ".nf"];
        for line in Tool::ALL.map(page).iter().flat_map(|page| page.lines()) {
            let is_request = REQUESTS.iter().any(|request| line.starts_with(request)) || line == ".fi";
            assert!(!line.starts_with(['.', '\'']) || is_request, "{line}");
        }
    }
}
