//! The links by whose names this binary is called.

use std::path::{Path, PathBuf};

use crate::command::Tool;

/// Makes a link per tool in a directory, or says why not.
pub fn install(directory: &Path, force: bool) -> Result<Vec<PathBuf>, String> {
    let binary = std::env::current_exe().map_err(|error| format!("this binary's own path is not known: {error}"))?;
    std::fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut made = Vec::new();
    for name in Tool::ALL.iter().map(|tool| tool.name()).chain([crate::admin::NAME]) {
        let link = directory.join(name);
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
        assert_eq!(made.len(), Tool::ALL.len() + 1);
        install(dir.path(), false).expect("the same links again");
        let foreign = dir.path().join("rabbitmqctl");
        std::fs::remove_file(&foreign).expect("remove");
        std::fs::write(&foreign, "x").expect("write");
        assert!(install(dir.path(), false).is_err());
        install(dir.path(), true).expect("replaced");
    }
}
