//! What a person is shown of the grammar: what can stand next on a line, and the manual page.
//!
//! Folds over the grammar, so an operation that is added to the table is completed and described by itself. Carries
//! nothing out.

use clap::{Arg, Command};

use super::grammar;
use crate::man::{entry, plain};

/// The candidates for the last of `words`, one a line, with a description behind a tab.
pub fn complete(words: &[String]) -> String {
    let current = words.last().map_or("", String::as_str);
    let before = &words[..words.len().saturating_sub(1)];
    let mut out = String::new();
    for (word, about) in candidates(&grammar(), before, current) {
        if word.starts_with(current) {
            out.push_str(&word);
            if !about.is_empty() {
                out.push('\t');
                out.push_str(&about);
            }
            out.push('\n');
        }
    }
    out
}

/// What can follow `before`: the values of an option, options, groups or operations.
fn candidates(root: &Command, before: &[String], current: &str) -> Vec<(String, String)> {
    let mut place = root;
    let mut words = before.iter().map(String::as_str);
    while let Some(word) = words.next() {
        if let Some(option) = option(root, place, word) {
            // The value of an option is a word of its own, unless it stands behind an equals sign.
            if takes_value(option) && !word.contains('=') && words.next().is_none() {
                let values = option.get_possible_values();
                return values.iter().map(|value| (value.get_name().to_owned(), String::new())).collect();
            }
        } else if let Some(inner) = place.find_subcommand(word) {
            place = inner;
        }
    }
    let about = |text: Option<&clap::builder::StyledStr>| text.map(ToString::to_string).unwrap_or_default();
    if current.starts_with('-') {
        let mut options: Vec<&Arg> = place.get_arguments().collect();
        if !std::ptr::eq(place, root) {
            options.extend(root.get_arguments());
        }
        let long = options.iter().filter_map(|arg| Some((format!("--{}", arg.get_long()?), about(arg.get_help()))));
        return long.collect();
    }
    place.get_subcommands().map(|inner| (inner.get_name().to_owned(), about(inner.get_about()))).collect()
}

/// The option a word names, of the operation or of all.
fn option<'a>(root: &'a Command, place: &'a Command, word: &str) -> Option<&'a Arg> {
    let bare = word.split('=').next().unwrap_or(word);
    let matches = |arg: &&Arg| {
        arg.get_long().is_some_and(|long| bare.strip_prefix("--") == Some(long))
            || arg.get_short().is_some_and(|short| bare == format!("-{short}"))
    };
    place.get_arguments().chain(root.get_arguments()).find(matches)
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

/// The manual page.
pub fn manual() -> String {
    let root = grammar();
    let name = super::super::NAME;
    let mut out = format!(
        ".TH {} 8 \"\" \"Warren {}\" \"Warren\"\n.SH NAME\n{name} \\- ask the HTTP API of a broker\n.SH SYNOPSIS\n.B {name}\n\
         [\\fIoptions\\fR] \\fIgroup\\fR \\fIoperation\\fR [\\fIoptions\\fR]\n.br\n.B {name}\n[\\fIoptions\\fR] \
         \\fIverb\\fR \\fIkind\\fR [\\fIname=value\\fR ...]\n",
        plain(&name.to_uppercase()),
        env!("CARGO_PKG_VERSION"),
    );
    out.push_str(
        ".SH DESCRIPTION\nBoth syntaxes of the reference's tool are understood: options with two dashes after a group and an \
         operation, or words of the form name=value after a verb. The verbs of the second are declare, delete, list, show, \
         publish, get, purge, close, export and import;\n.B rabbitmqadmin help subcommands\nlists what they take.\n",
    );
    out.push_str(".SH OPTIONS OF ALL OPERATIONS\n");
    root.get_arguments().for_each(|arg| out.push_str(&described(arg)));
    for group in root.get_subcommands() {
        out.push_str(&format!(".SH {}\n", plain(&group.get_name().replace('_', " ").to_uppercase())));
        for operation in group.get_subcommands() {
            out.push_str(&format!(".SS {} {}\n", plain(group.get_name()), plain(operation.get_name())));
            if let Some(about) = operation.get_about() {
                out.push_str(&format!("{}\n", plain(&about.to_string())));
            }
            operation.get_arguments().for_each(|arg| out.push_str(&described(arg)));
        }
    }
    out
}

fn described(arg: &Arg) -> String {
    let Some(long) = arg.get_long() else { return String::new() };
    let short = arg.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
    let value = if takes_value(arg) { " <value>" } else { "" };
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let need = if arg.is_required_set() { "needed" } else { "" };
    let about = [need, &help].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ");
    entry(&format!("{short}--{long}{value}"), &about)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words_after(line: &str) -> Vec<String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        complete(&words).lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn every_operation_is_completed_and_has_a_manual_section() {
        let (root, page) = (grammar(), manual());
        for group in root.get_subcommands() {
            assert!(words_after("").contains(&group.get_name().to_owned()), "{}", group.get_name());
            let known = words_after(&format!("--host h {} ", group.get_name()));
            for operation in group.get_subcommands() {
                assert!(known.contains(&operation.get_name().to_owned()), "{}", operation.get_name());
                let heading = format!("\n.SS {} {}\n", plain(group.get_name()), plain(operation.get_name()));
                assert!(page.contains(&heading), "{heading}");
            }
        }
    }

    #[test]
    fn options_and_their_values_are_completed() {
        assert!(words_after("queues declare --na").contains(&"--name".to_owned()));
        assert!(words_after("queues declare --ho").contains(&"--host".to_owned()));
        assert!(!words_after("--table-style ").is_empty());
        assert!(words_after("queues declare --name q dec").is_empty());
        assert_eq!(words_after("qu"), ["queues"]);
    }

    #[test]
    fn no_line_of_text_is_a_request() {
        const REQUESTS: [&str; 7] = [".TH", ".SH", ".SS", ".TP", ".B ", ".br", ".PP"];
        for line in manual().lines() {
            assert!(!line.starts_with(['.', '\'']) || REQUESTS.iter().any(|known| line.starts_with(known)), "{line}");
        }
    }
}
