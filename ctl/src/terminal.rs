//! Whether somebody is looking, whether colours are wanted, and saying things to a reader that may have gone away.
//!
//! Owns these questions and the colours. Knows no command.

use std::io::{IsTerminal as _, Write as _};

/// Says something on standard output, at once. A reader that went away is no failure: what was asked for is done all the
/// same.
pub fn say(text: &str) {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok();
}

/// Says something on standard error, at once; whether anybody reads it or not.
pub fn whisper(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).ok();
}

/// Whether standard output is a terminal.
pub fn is_watched() -> bool {
    std::io::stdout().is_terminal()
}

/// Whether an environment variable is set and not empty.
fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Whether text for that stream may be coloured: on a terminal that can, unless `NO_COLOR` is set.
fn may_colour(is_terminal: bool) -> bool {
    is_terminal && !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|kind| kind != "dumb")
}

/// A heading: bold, if standard output may be coloured.
pub fn heading(text: &str) -> String {
    if may_colour(is_watched()) { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// A complaint: its first word red, if standard error may be coloured.
pub fn complaint(text: &str) -> String {
    match text.strip_prefix("Error") {
        Some(rest) if may_colour(std::io::stderr().is_terminal()) => format!("\u{1b}[31mError\u{1b}[0m{rest}"),
        _ => text.to_owned(),
    }
}
