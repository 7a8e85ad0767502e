//! That the documents say what is true: files they name exist, and the README's commands are those of `.ci/run`.

use std::fs;
use std::process::Command;

use tests::{python, repository};

fn read(name: &str) -> String {
    fs::read_to_string(repository().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn files_that_the_documents_name_exist() {
    let mut missing = Vec::new();
    for document in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "BENCHMARKS.md"] {
        for name in read(document).split(['`', '(', ')']).filter(|word| is_path(word)) {
            if !repository().join(name).exists() {
                missing.push(format!("{document}: {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// A word of a document that names a file of the repository.
fn is_path(word: &str) -> bool {
    const FOLDERS: &[&str] = &["src/", "broker/", "api/", "openapi/", "ctl/", "tests/", "docs/", ".ci/"];
    FOLDERS.iter().any(|folder| word.starts_with(folder)) && !word.contains(['<', '*', '…', ' ', '{'])
}

#[test]
fn ci_runs_the_readme_s_test_command() {
    let readme = read("README.md");
    let command = "cargo test --workspace";
    assert!(readme.contains(&format!("\n{command}\n")), "the README does not show `{command}`");
    assert!(read(".ci/run").lines().any(|line| line.trim() == command), ".ci/run does not run `{command}`");
}

#[test]
fn the_changelog_starts_with_what_is_unreleased() {
    let first = read("CHANGELOG.md").lines().find_map(|line| line.strip_prefix("## ").map(str::to_owned));
    assert_eq!(first.as_deref(), Some("Unreleased"));
}

#[test]
fn settings_named_in_the_documents_are_settings() {
    let page = read("docs/settings.md");
    let readme = read("README.md");
    for flag in readme.split("--set ").skip(1) {
        let key = flag.split(['=', ' ', '`']).next().unwrap_or_default();
        assert!(page.contains(&format!("| `{key}`")) || key == "KEY", "README.md: `{key}`");
    }
}

#[test]
fn the_tables_of_what_differs_on_other_brokers_are_those_of_the_lists() {
    let program = repository().join("tests/transcripts/cli/elsewhere.py");
    let output = Command::new(python()).arg(program).arg("documents").output().expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
