//! The reference page: every command of every tool, folded from the list of commands.

use crate::command::{Needs, Section, Tool};
use crate::help::usage_line;
use crate::registry;

/// The page as Markdown: what `docs/commands.md` holds.
pub fn page() -> String {
    let mut out = String::from(
        "# Commands\n\nPrinted by `ctl reference`. `TOOL help COMMAND` explains a command and the switches that belong to all of \
         them; `docs/ctl.md` says how a node is named that is not on this host or not registered.\n",
    );
    for tool in Tool::ALL {
        out.push_str(&format!("\n## {}\n", tool.name()));
        let mut commands = registry::of_tool(Some(tool));
        commands.sort_by_key(|command| command.section);
        let mut current: Option<Section> = None;
        for command in commands {
            if current != Some(command.section) {
                out.push_str(&format!(
                    "\n### {}\n\n| Command | Does | Needs | Asks |\n|---|---|---|---|\n",
                    command.section.title()
                ));
                current = Some(command.section);
            }
            let usage = usage_line(command, "").trim_start().replace("[--node <node>] [--longnames] [--quiet] ", "");
            let needs = match command.needs {
                Needs::Nothing => "—",
                Needs::AppRunning => "application running",
                Needs::AppStopped => "application stopped",
            };
            let asks: Vec<String> = command
                .endpoints
                .iter()
                .chain(crate::elsewhere::endpoints(command.name))
                .map(|endpoint| format!("`{}`", endpoint.full_path()))
                .collect();
            let asks = if asks.is_empty() { "—".to_owned() } else { asks.join(" ") };
            let cell = |text: &str| text.trim().replace('|', "\\|");
            let summary = if command.summary.is_empty() { "—".to_owned() } else { cell(command.summary) };
            out.push_str(&format!("| `{}` | {summary} | {needs} | {asks} |\n", cell(&usage)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_on_disk_is_the_one_printed() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/commands.md");
        let on_disk = std::fs::read_to_string(path).unwrap_or_default();
        assert!(on_disk == page(), "write it anew: cargo run -p ctl -- reference > docs/commands.md");
    }
}
