//! What the binary does under its own name only: making the links and manual pages, printing the reference page.
//!
//! Declared with the library's builder, since no foreign grammar has to be followed here.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, Command, value_parser};

use crate::command::Tool;
use crate::exit::{Kind, exit_code};
use crate::terminal::{say, whisper};
use crate::{links, man, reference};

const INSTALL_LINKS: &str = "install-links";
const INSTALL_MAN: &str = "install-man";
const MAN: &str = "man";
const REFERENCE: &str = "reference";

/// Whether a line begins with one of these commands.
pub fn has(word: &str) -> bool {
    matches!(word, INSTALL_LINKS | INSTALL_MAN | MAN | REFERENCE)
}

fn grammar() -> Command {
    Command::new("ctl")
        .about("The command line of Warren")
        .subcommand_required(true)
        .subcommand(
            Command::new(INSTALL_LINKS)
                .about("Makes links with the names of the tools in a directory")
                .arg(Arg::new("directory").value_name("DIR").required(true).value_parser(value_parser!(PathBuf)))
                .arg(Arg::new("force").long("force").action(ArgAction::SetTrue).help("Replace what is there")),
        )
        .subcommand(
            Command::new(INSTALL_MAN)
                .about("Writes the manual pages below a directory, /usr/local/share/man for example")
                .arg(Arg::new("directory").value_name("DIR").required(true).value_parser(value_parser!(PathBuf))),
        )
        .subcommand(
            Command::new(MAN)
                .about("Prints the manual page of a tool: ctl man rabbitmqctl | man -l -")
                .arg(Arg::new("tool").value_name("TOOL").required(true).value_parser(Tool::ALL.map(Tool::name))),
        )
        .subcommand(Command::new(REFERENCE).about("Prints every command of every tool as a page of Markdown"))
}

/// Does it.
pub fn run(words: &[String]) -> ExitCode {
    let line = std::iter::once("ctl".to_owned()).chain(words.iter().cloned());
    let found = match grammar().try_get_matches_from(line) {
        Ok(found) => found,
        Err(error) => {
            error.print().ok();
            return ExitCode::from(if error.use_stderr() { exit_code(Kind::Usage) } else { 0 });
        }
    };
    match found.subcommand() {
        Some((INSTALL_LINKS, own)) => {
            let directory = own.get_one::<PathBuf>("directory").cloned().unwrap_or_default();
            return told(links::install(&directory, own.get_flag("force")));
        }
        Some((INSTALL_MAN, own)) => {
            return told(man::install(&own.get_one::<PathBuf>("directory").cloned().unwrap_or_default()));
        }
        Some((MAN, own)) => {
            let tool = own.get_one::<String>("tool").and_then(|name| Tool::of(name)).unwrap_or(Tool::Ctl);
            say(&man::page(tool));
        }
        _ => say(&reference::page()),
    }
    ExitCode::SUCCESS
}

/// The files that were made, or why not.
fn told(made: Result<Vec<PathBuf>, String>) -> ExitCode {
    match made {
        Ok(made) => {
            made.iter().for_each(|path| say(&format!("{}\n", path.display())));
            ExitCode::SUCCESS
        }
        Err(why) => {
            whisper(&format!("Error:\n{why}\n"));
            ExitCode::from(exit_code(Kind::Data))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_holds_together() {
        grammar().debug_assert();
        assert!(grammar().get_subcommands().all(|command| has(command.get_name())));
    }
}
