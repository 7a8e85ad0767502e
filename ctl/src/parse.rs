//! Switches and words of a command line, by the reference's grammar.
//!
//! The grammar is written by hand because a declarative parser cannot follow it: the
//! line is read twice (once with the global switches to find the command, once with the
//! switches of the command added), `--` ends switches but `-` and `-5` are words, a
//! boolean takes a value only after `=`, all unknown or ill-typed switches are collected
//! and reported together *after* the command was found, and the last repetition wins.
//! What is accepted is data: a table of [`Switch`]es. Knows no command and prints nothing.

/// The type of a switch's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing; `--no-NAME` turns it off.
    Nothing,
    /// A whole number.
    Integer,
    /// Text.
    Text,
}

/// One switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switch {
    /// Long name, without dashes in front.
    pub name: &'static str,
    /// One-letter name.
    pub short: Option<char>,
    /// Its value.
    pub takes: Takes,
}

impl Switch {
    /// A boolean switch.
    pub const fn flag(name: &'static str) -> Self {
        Self { name, short: None, takes: Takes::Nothing }
    }

    /// A switch with a text.
    pub const fn text(name: &'static str) -> Self {
        Self { name, short: None, takes: Takes::Text }
    }

    /// A switch with a number.
    pub const fn integer(name: &'static str) -> Self {
        Self { name, short: None, takes: Takes::Integer }
    }

    /// With a one-letter name.
    pub const fn short(mut self, short: char) -> Self {
        self.short = Some(short);
        self
    }
}

/// Switches every command accepts, whether it uses them or not.
pub const GLOBAL: &[Switch] = &[
    Switch::text("node").short('n'),
    Switch::flag("quiet").short('q'),
    Switch::flag("silent").short('s'),
    Switch::flag("dry-run"),
    Switch::text("vhost").short('p'),
    Switch::integer("timeout").short('t'),
    Switch::flag("longnames").short('l'),
    Switch::text("formatter"),
    Switch::text("printer"),
    Switch::text("file"),
    Switch::text("script-name"),
    Switch::text("rabbitmq-home"),
    Switch::text("mnesia-dir"),
    Switch::text("data-dir"),
    Switch::text("plugins-dir"),
    Switch::text("enabled-plugins-file"),
    Switch::text("aliases-file"),
    Switch::text("erlang-cookie"),
    Switch::flag("help").short('?'),
    Switch::flag("print-stacktrace"),
    Switch::flag("version"),
    Switch::flag("auto-complete"),
    Switch::text("socket"),
    Switch::text("uri"),
    Switch::text("username"),
    Switch::text("password"),
    Switch::text("password-file"),
    Switch::flag("ask-password"),
    Switch::text("profile"),
    Switch::text("config-file"),
    Switch::text("ca-cert"),
    Switch::text("client-cert"),
    Switch::text("client-key"),
    Switch::flag("insecure"),
    Switch::flag("json"),
];

/// Switches of the table formatter.
pub const TABLE: &[Switch] = &[Switch::flag("table-headers"), Switch::flag("pad-to-header")];

/// A switch's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// On or off.
    Flag(bool),
    /// A number.
    Integer(i64),
    /// A text.
    Text(String),
}

/// A line read once.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// Switches in the order given.
    pub settings: Vec<(&'static str, Setting)>,
    /// Everything else.
    pub words: Vec<String>,
    /// Switches that are unknown or have a wrong value, as written, with that value.
    pub invalid: Vec<(String, Option<String>)>,
}

impl Parsed {
    fn last(&self, name: &str) -> Option<&Setting> {
        self.settings.iter().rev().find(|(known, _)| *known == name).map(|(_, setting)| setting)
    }

    /// Whether a switch was given at all.
    pub fn has(&self, name: &str) -> bool {
        self.last(name).is_some()
    }

    /// A boolean switch; off when absent.
    pub fn flag(&self, name: &str) -> bool {
        self.flag_or(name, false)
    }

    /// A boolean switch with a default.
    pub fn flag_or(&self, name: &str, default: bool) -> bool {
        match self.last(name) {
            Some(Setting::Flag(on)) => *on,
            _ => default,
        }
    }

    /// A text switch.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.last(name) {
            Some(Setting::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A number switch.
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.last(name) {
            Some(Setting::Integer(number)) => Some(*number),
            _ => None,
        }
    }
}

/// Reads a line; a command's own switches come before the global ones of the same name.
pub fn parse<'a>(line: impl IntoIterator<Item = &'a str>, tables: &[&'static [Switch]]) -> Parsed {
    let mut rest: std::collections::VecDeque<String> = line.into_iter().map(str::to_owned).collect();
    let mut parsed = Parsed::default();
    while let Some(word) = rest.pop_front() {
        if word == "--" {
            parsed.words.extend(rest.drain(..));
        } else if let Some(body) = word.strip_prefix("--") {
            let (name, value) = split_value(body);
            take(&mut parsed, &mut rest, &word, find_long(tables, name), value);
        } else if word == "-" || !word.starts_with('-') || word.starts_with("- ") {
            parsed.words.push(word);
        } else {
            let (letters, value) = split_value(&word[1..]);
            let mut chars = letters.chars();
            match (chars.next(), chars.next()) {
                _ if value.is_none() && is_negative_number(&word) => parsed.words.push(word),
                (Some(letter), None) => {
                    let found = find_short(tables, letter).map(|switch| (switch, true));
                    take(&mut parsed, &mut rest, &word, found, value);
                }
                _ if letters.contains(['-', '_']) => parsed.invalid.push((switch_part(&word).to_owned(), None)),
                _ => spread_letters(letters, value, &mut rest),
            }
        }
    }
    parsed
}

/// `-abc=x` is `-a -b -c=x`, `-n5` is `-n 5`.
fn spread_letters(letters: &str, value: Option<&str>, rest: &mut std::collections::VecDeque<String>) {
    let digits = letters.find(|c: char| c.is_ascii_digit()).unwrap_or(letters.len());
    let (letters, number) = letters.split_at(digits);
    let mut words: Vec<String> = letters.chars().map(|letter| format!("-{letter}")).collect();
    if let Some(value) = value
        && let Some(last) = words.last_mut()
    {
        *last = format!("{last}={value}");
    }
    if !number.is_empty() {
        words.push(number.to_owned());
    }
    for word in words.into_iter().rev() {
        rest.push_front(word);
    }
}

fn take(
    parsed: &mut Parsed,
    rest: &mut std::collections::VecDeque<String>,
    word: &str,
    found: Option<(&'static Switch, bool)>,
    value: Option<&str>,
) {
    let written = switch_part(word).to_owned();
    let Some((switch, positive)) = found else {
        parsed.invalid.push((written, None));
        return;
    };
    let value = value.map(str::to_owned);
    let setting = match switch.takes {
        Takes::Nothing => match value.as_deref() {
            _ if !positive => Some(Setting::Flag(false)),
            None | Some("true") => Some(Setting::Flag(true)),
            Some("false") => Some(Setting::Flag(false)),
            Some(_) => None,
        }
        .ok_or(value),
        Takes::Integer => {
            let value = value.or_else(|| value_behind(rest));
            value.as_deref().and_then(|text| text.parse().ok()).map(Setting::Integer).ok_or(value)
        }
        Takes::Text => {
            let value = value.or_else(|| value_behind(rest));
            value.map(Setting::Text).ok_or(None)
        }
    };
    match setting {
        Ok(setting) => parsed.settings.push((switch.name, setting)),
        Err(value) => parsed.invalid.push((written, value)),
    }
}

fn value_behind(rest: &mut std::collections::VecDeque<String>) -> Option<String> {
    let is_value = rest.front().is_some_and(|next| {
        !next.starts_with('-') || next == "-" || next.starts_with("- ") || is_negative_number(next)
    });
    if is_value { rest.pop_front() } else { None }
}

fn split_value(body: &str) -> (&str, Option<&str>) {
    match body.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (body, None),
    }
}

fn switch_part(word: &str) -> &str {
    split_value(word).0
}

fn is_negative_number(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|digits| digits.starts_with(|c: char| c.is_ascii_digit()))
        && word.parse::<f64>().is_ok()
}

fn find_long(tables: &[&'static [Switch]], name: &str) -> Option<(&'static Switch, bool)> {
    let find = |name: &str| tables.iter().flat_map(|table| table.iter()).find(|switch| switch.name == name);
    if let Some(positive) = name.strip_prefix("no-")
        && let Some(switch) = find(positive)
        && switch.takes == Takes::Nothing
    {
        return Some((switch, false));
    }
    find(name).map(|switch| (switch, true))
}

fn find_short(tables: &[&'static [Switch]], letter: char) -> Option<&'static Switch> {
    tables.iter().flat_map(|table| table.iter()).find(|switch| switch.short == Some(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &[Switch] = &[Switch::flag("if-empty").short('e'), Switch::integer("queue-timeout")];

    fn line(text: &str) -> Parsed {
        parse(text.split(' '), &[OWN, GLOBAL])
    }

    #[test]
    fn words_and_switches_mix() {
        let parsed = line("-q list_users -n a@b x --formatter=json -- -q");
        assert_eq!(parsed.words, ["list_users", "x", "-q"]);
        assert!(parsed.flag("quiet"));
        assert_eq!(parsed.text("node"), Some("a@b"));
        assert_eq!(parsed.text("formatter"), Some("json"));
        assert!(parsed.invalid.is_empty());
    }

    #[test]
    fn wrong_switches_are_collected_as_written() {
        for (text, invalid) in [
            ("x --bogus=1 --more", vec![("--bogus", None), ("--more", None)]),
            ("x -z", vec![("-z", None)]),
            ("x --timeout abc", vec![("--timeout", Some("abc"))]),
            ("x -t", vec![("-t", None)]),
            ("x --formatter", vec![("--formatter", None)]),
            ("x --quiet=maybe", vec![("--quiet", Some("maybe"))]),
        ] {
            let expected: Vec<(String, Option<String>)> =
                invalid.into_iter().map(|(switch, value)| (switch.to_owned(), value.map(str::to_owned))).collect();
            assert_eq!(line(text).invalid, expected, "{text}");
        }
    }

    #[test]
    fn booleans_take_values_after_the_equals_sign_only() {
        assert!(!line("x --quiet=false").flag("quiet"));
        assert!(!line("x -q --no-quiet").flag("quiet"));
        assert_eq!(line("x --quiet true").words, ["x", "true"]);
    }

    #[test]
    fn letters_spread_and_numbers_stay_words() {
        let parsed = line("x -qe -t5 -7 -");
        assert!(parsed.flag("quiet") && parsed.flag("if-empty"));
        assert_eq!(parsed.integer("timeout"), Some(5));
        assert_eq!(parsed.words, ["x", "-7", "-"]);
        assert_eq!(line("x -t -1").integer("timeout"), Some(-1));
    }
}
