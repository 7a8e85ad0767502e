//! `ctl install-links DIR`: makes the links by whose names this binary is called.
//!
//! The one command that is Warren's own; declared with the library's builder, since no
//! foreign grammar has to be followed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgAction, Command, value_parser};

use crate::command::Tool;
use crate::exit::{Kind, exit_code};

/// Name of the command.
pub const INSTALL_LINKS: &str = "install-links";

fn grammar() -> Command {
    Command::new("ctl").about("The command line of Warren").subcommand_required(true).subcommand(
        Command::new(INSTALL_LINKS)
            .about("Makes links with the names of the tools in a directory")
            .arg(Arg::new("directory").value_name("DIR").required(true).value_parser(value_parser!(PathBuf)))
            .arg(Arg::new("force").long("force").action(ArgAction::SetTrue).help("Replace what is there")),
    )
}

/// Makes the links, or says why not.
pub fn run(words: &[String]) -> ExitCode {
    let line = std::iter::once("ctl".to_owned()).chain(words.iter().cloned());
    let found = match grammar().try_get_matches_from(line) {
        Ok(found) => found,
        Err(error) => {
            error.print().ok();
            return ExitCode::from(if error.use_stderr() { exit_code(Kind::Usage) } else { 0 });
        }
    };
    let Some((_, own)) = found.subcommand() else { return ExitCode::from(exit_code(Kind::Usage)) };
    let directory = own.get_one::<PathBuf>("directory").cloned().unwrap_or_default();
    match install(&directory, own.get_flag("force")) {
        Ok(made) => {
            for path in made {
                println!("{}", path.display());
            }
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("Error:\n{why}");
            ExitCode::from(exit_code(Kind::Data))
        }
    }
}

fn install(directory: &Path, force: bool) -> Result<Vec<PathBuf>, String> {
    let binary = std::env::current_exe().map_err(|error| format!("this binary's own path is not known: {error}"))?;
    std::fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut made = Vec::new();
    for tool in Tool::ALL {
        let link = directory.join(tool.name());
        let there = std::fs::symlink_metadata(&link).is_ok();
        if there && std::fs::read_link(&link).is_ok_and(|to| to == binary) {
            made.push(link);
            continue;
        }
        if there && !force {
            return Err(format!("{} is already there; --force replaces it", link.display()));
        }
        if there {
            std::fs::remove_file(&link).map_err(|error| format!("{}: {error}", link.display()))?;
        }
        std::os::unix::fs::symlink(&binary, &link).map_err(|error| format!("{}: {error}", link.display()))?;
        made.push(link);
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_made_once_and_replaced_only_by_force() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let made = install(dir.path(), false).expect("links");
        assert_eq!(made.len(), Tool::ALL.len());
        install(dir.path(), false).expect("the same links again");
        let foreign = dir.path().join("rabbitmqctl");
        std::fs::remove_file(&foreign).expect("remove");
        std::fs::write(&foreign, "x").expect("write");
        assert!(install(dir.path(), false).is_err());
        install(dir.path(), true).expect("replaced");
        grammar().debug_assert();
    }
}
