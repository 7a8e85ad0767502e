//! What every declared command must have beside its constant: help, completion, a manual section, a transcript.
//!
//! Only tests: each goes over the list of all commands, so that a new one cannot forget anything.

use std::collections::BTreeSet;

use crate::command::{Command, Tool};
use crate::{complete, help, man, registry};

/// Commands without a recorded transcript, each with where it is tested instead, or why it is not.
const WITHOUT_TRANSCRIPT: &[(&str, &str)] = &[
    ("completion", "not the reference's; tests of `shells` and `complete`"),
    ("declare_binding", "not the reference's; tests/e2e/verbs.rs"),
    ("declare_exchange", "not the reference's; tests/e2e/verbs.rs"),
    ("declare_queue", "not the reference's; tests/e2e/verbs.rs"),
    ("delete_binding", "not the reference's; tests/e2e/verbs.rs"),
    ("delete_exchange", "not the reference's; tests/e2e/verbs.rs"),
    ("delete_queues", "not the reference's; tests/e2e/verbs.rs"),
    ("health", "not the reference's; tests/e2e/verbs.rs"),
    ("purge_queues", "not the reference's; tests/e2e/verbs.rs"),
    ("erlang_cookie_sources", "lists files of the reference's own host"),
    ("eval_file", "the reference evaluates Erlang; here it says what to use instead, as eval does, which is recorded"),
    ("log_tail_stream", "the reference's answer is its log"),
    ("observer", "a full-screen program of the reference's runtime"),
    ("remote_shell", "an interactive shell of the reference's runtime"),
];

/// The words of every recorded step.
fn recorded() -> BTreeSet<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/transcripts/cli/scenarios");
    let mut words = BTreeSet::new();
    for entry in std::fs::read_dir(folder).expect("a folder of scenarios") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("a scenario");
        let scenario: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        for step in scenario["steps"].as_array().into_iter().flatten() {
            let arguments = step["args"].as_array().into_iter().flatten();
            words.extend(arguments.filter_map(|word| word.as_str().map(str::to_owned)));
        }
    }
    words
}

fn everything() -> impl Iterator<Item = (Tool, &'static Command)> {
    Tool::ALL.into_iter().flat_map(|tool| registry::of_tool(Some(tool)).into_iter().map(move |command| (tool, command)))
}

#[test]
fn every_command_has_help() {
    for (tool, command) in everything() {
        let page = help::page(command, tool.name());
        assert!(page.contains(command.usage) && page.contains("General Options"), "{} {}", tool.name(), command.name);
        for switch in command.switches {
            let word = format!("--{}", switch.name);
            let is_told = page.contains(&word) || UNTOLD.contains(&(command.name, switch.name));
            assert!(is_told, "{} {word} is in no line of its help", command.name);
        }
    }
}

/// Switches the reference takes and does not explain.
const UNTOLD: &[(&str, &str)] = &[
    ("activate_free_disk_space_monitoring", "unit"),
    ("deactivate_free_disk_space_monitoring", "unit"),
    ("enable_feature_flag", "experimental"),
    ("grow", "membership"),
    ("list_network_interfaces", "offline"),
    ("resolve_hostname", "offline"),
    ("resolver_info", "offline"),
];

#[test]
fn every_command_is_completed_and_has_a_manual_section() {
    for tool in Tool::ALL {
        let (completed, page) = (complete::candidates(tool, &[], ""), man::page(tool));
        for command in registry::of_tool(Some(tool)) {
            assert!(completed.iter().any(|candidate| candidate.word == command.name), "{}", command.name);
            let heading = format!("\n.SS {}\n", command.name);
            assert!(page.contains(&heading), "{}", command.name);
        }
    }
}

#[test]
fn every_command_has_a_transcript_or_a_reason_why_not() {
    let recorded = recorded();
    for (_, command) in everything() {
        let excused = WITHOUT_TRANSCRIPT.iter().any(|(name, _)| *name == command.name);
        assert!(recorded.contains(command.name) != excused, "{}", command.name);
    }
    for (name, _) in WITHOUT_TRANSCRIPT {
        assert!(everything().any(|(_, command)| command.name == *name), "{name} is no command");
    }
}
