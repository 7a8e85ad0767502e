//! The list of all commands.
//!
//! Owns the list and finding a command in it; help, suggestions, completion and the
//! table tests are folds over it. A new command is one constant in its family's file
//! and its name in that file's list.

use crate::command::{Command, Tool};
use crate::commands;

/// How alike a known name must be to be suggested for an unknown one.
const SUGGEST_FROM: f64 = 0.77;

/// All commands.
pub fn commands() -> impl Iterator<Item = &'static Command> {
    commands::FAMILIES.iter().flat_map(|family| family.iter().copied())
}

/// Commands of a tool, in name order.
pub fn of_tool(tool: Option<Tool>) -> Vec<&'static Command> {
    let mut found: Vec<_> =
        commands().filter(|command| tool.is_some_and(|tool| command.tools.contains(&tool))).collect();
    found.sort_by_key(|command| command.name);
    found
}

/// The tool's command of that name.
pub fn find(tool: Option<Tool>, name: &str) -> Option<&'static Command> {
    let tool = tool?;
    commands().find(|command| command.name == name && command.tools.contains(&tool))
}

/// The known name most like an unknown one, if it is alike enough.
pub fn suggest(tool: Option<Tool>, name: &str) -> Option<&'static str> {
    let mut best: Option<(f64, &'static str)> = None;
    for command in of_tool(tool) {
        let likeness = jaro(name, command.name);
        if best.is_none_or(|(most, _)| likeness > most) {
            best = Some((likeness, command.name));
        }
    }
    best.filter(|(likeness, _)| *likeness >= SUGGEST_FROM).map(|(_, name)| name)
}

/// Jaro similarity: 1 for equal words, 0 for words that share nothing.
fn jaro(one: &str, other: &str) -> f64 {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    if one.is_empty() || other.is_empty() {
        return if one == other { 1.0 } else { 0.0 };
    }
    let reach = (one.len().max(other.len()) / 2).saturating_sub(1);
    let mut taken = vec![false; other.len()];
    let mut matched = Vec::new();
    for (at, c) in one.iter().enumerate() {
        let (from, to) = (at.saturating_sub(reach), (at + reach + 1).min(other.len()));
        if let Some(found) = (from..to).find(|place| !taken[*place] && other[*place] == *c) {
            taken[found] = true;
            matched.push(*c);
        }
    }
    if matched.is_empty() {
        return 0.0;
    }
    let theirs = other.iter().zip(&taken).filter(|(_, taken)| **taken).map(|(c, _)| c);
    let moved = matched.iter().zip(theirs).filter(|(mine, theirs)| mine != theirs).count();
    let count = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    let (matches, swaps) = (count(matched.len()), count(moved / 2));
    (matches / count(one.len()) + matches / count(other.len()) + (matches - swaps) / matches) / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_snake_case() {
        for tool in Tool::ALL {
            let mut seen = HashSet::new();
            for command in of_tool(Some(tool)) {
                assert!(seen.insert(command.name), "{} twice in {}", command.name, tool.name());
                assert!(command.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
            }
        }
    }

    #[test]
    fn every_command_says_what_it_does_in_one_line() {
        for command in commands() {
            assert!(!command.summary.contains('\n'), "{}", command.name);
            assert!(!command.summary.is_empty() || command.name.starts_with("trace_"), "{}", command.name);
            // Not always its name: the reference misspells a few of its own.
            assert!(!command.usage.is_empty() && !command.usage.contains('\n'), "{}", command.name);
            assert!(!command.tools.is_empty(), "{}", command.name);
        }
    }

    #[test]
    fn columns_shown_may_also_be_asked_for() {
        for command in commands() {
            if let Some(columns) = command.columns {
                assert!(columns.default.iter().all(|name| columns.known.contains(name)), "{}", command.name);
            }
        }
    }

    #[test]
    fn a_known_name_is_suggested_when_it_is_alike() {
        for (typed, expected) in [
            ("lst_users", Some("list_users")),
            ("list_user", Some("list_users")),
            ("delete_uesr", Some("delete_user")),
            ("permissions", Some("clear_permissions")),
            ("stpo_app", Some("stop_app")),
            ("xyzzy", None),
            ("q", None),
        ] {
            assert_eq!(suggest(Some(Tool::Ctl), typed), expected, "{typed}");
        }
    }
}
