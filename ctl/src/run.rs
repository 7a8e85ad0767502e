//! From a line to what is printed: finding the command, the checks in their order,
//! the banner, the answer or the failure.
//!
//! The order is the reference's: unknown command, unknown switches, help, node name,
//! words, the node's state, banner, action. Knows no command by name except the two
//! that are also switches.

use crate::call::Call;
use crate::command::{Command, Needs, Tool};
use crate::elsewhere;
use crate::exit::{Failure, Kind, Shape, exit_code};
use crate::help;
use crate::output::{Answer, Format, Headers, Style, render};
use crate::parse::{GLOBAL, Parsed, Switch, TABLE, parse};
use crate::registry;
use crate::target::{Surroundings, resolve};

/// What goes where, and the exit code.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Printed {
    /// For standard output.
    pub stdout: String,
    /// For standard error.
    pub stderr: String,
    /// Exit code.
    pub code: u8,
}

impl Printed {
    fn ok(stdout: String) -> Self {
        Self { stdout, ..Self::default() }
    }

    fn usage(stderr: String) -> Self {
        Self { stderr, code: exit_code(Kind::Usage), ..Self::default() }
    }
}

/// Runs a line.
pub fn run(called: &str, line: &[String]) -> Printed {
    let words = || line.iter().map(String::as_str);
    let global = parse(words(), &[GLOBAL]);
    let own = Tool::of(called).unwrap_or(Tool::Ctl);
    let (tool, script) = match global.text("script-name") {
        Some(script) => (Tool::of(script), script.to_owned()),
        None => (Some(own), own.name().to_owned()),
    };
    if global.flag("auto-complete") {
        if global.words.is_empty() {
            return Printed::default();
        }
        let rest = line.iter().filter(|word| *word != "--auto-complete").cloned();
        return run(&script, &std::iter::once("autocomplete".to_owned()).chain(rest).collect::<Vec<_>>());
    }
    let Some((name, global)) = command_name(&global) else {
        return overview(tool, &script, &global, line);
    };
    let Some(command) = registry::find(tool, &name) else {
        return match alias(&global, &name) {
            Some(meant) if meant.first().is_some_and(|first| registry::find(tool, first).is_some()) => {
                let at = line.iter().position(|word| *word == name).unwrap_or_default();
                run(&script, &[&line[..at], &meant, &line[at + 1..]].concat())
            }
            _ => unknown(tool, &script, &name),
        };
    };
    let format = match global.text("formatter") {
        None if global.flag("json") => Some(Format::Json),
        None => Some(command.format),
        Some(name) => Format::of(name),
    };
    let table_switches: &[Switch] = if format == Some(Format::Table) { TABLE } else { &[] };
    let mut switches = parse(words(), &[command.switches, table_switches, GLOBAL]);
    if switches.words.first().is_some_and(|first| *first == name) {
        switches.words.remove(0);
    }
    let arguments = std::mem::take(&mut switches.words);
    let fail = |failure: &Failure| failed(failure, command, &script, line, false);
    if !switches.invalid.is_empty() {
        return fail(&invalid_switches(&switches));
    }
    if switches.flag("help") {
        return Printed::ok(help::page(command, &script));
    }
    let Some(format) = format else {
        let name = global.text("formatter").unwrap_or_default();
        let text = format!("Error: there is no formatter '{name}'");
        return fail(&Failure::plain(Kind::UnknownFormatter, text));
    };
    let target = match resolve(&switches, command.name, &Surroundings::of_process()) {
        Ok(target) => target,
        Err(failure) => return fail(&failure),
    };
    let call = Call::new((tool, script.clone()), command, arguments, switches, format, target);
    perform(&call, &script, line)
}

/// The first word, or the command a switch stands for.
fn command_name(global: &Parsed) -> Option<(String, Parsed)> {
    if let Some(word) = global.words.first() {
        return (!word.is_empty()).then(|| (word.clone(), global.clone()));
    }
    None
}

/// A line without a command: some switches stand for one.
fn overview(tool: Option<Tool>, script: &str, global: &Parsed, line: &[String]) -> Printed {
    if global.flag("version") {
        let line: Vec<String> =
            line.iter().map(|word| if word == "--version" { "version" } else { word }.to_owned()).collect();
        return if registry::find(tool, "version").is_some() {
            run(script, &line)
        } else {
            unknown(tool, script, "version")
        };
    }
    let text = help::overview(tool, script);
    if line.iter().any(|word| word == "--help") { Printed::ok(text) } else { Printed::usage(text) }
}

/// A name of the aliases file stands for a command and what follows it.
fn alias(global: &Parsed, name: &str) -> Option<Vec<String>> {
    let file = global
        .text("aliases-file")
        .map(str::to_owned)
        .or_else(|| std::env::var("RABBITMQ_CLI_ALIASES_FILE").ok())
        .filter(|path| !path.is_empty())?;
    let text = std::fs::read_to_string(file).ok()?;
    let (_, command) = text.lines().filter_map(|line| line.split_once('=')).find(|(known, _)| known.trim() == name)?;
    Some(words_of(command))
}

/// The words of an alias: separated by blanks, quotes hold some together.
fn words_of(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote): (Vec<String>, Option<String>, Option<char>) = (Vec::new(), None, None);
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

fn unknown(tool: Option<Tool>, script: &str, name: &str) -> Printed {
    let rest = match registry::suggest(tool, name) {
        Some(known) => format!("Did you mean '{known}'? \n\n"),
        None => help::overview(tool, script),
    };
    Printed::usage(format!("\nCommand '{name}' not found. \n{rest}"))
}

fn invalid_switches(switches: &Parsed) -> Failure {
    let lines: Vec<String> = switches
        .invalid
        .iter()
        .map(|(switch, value)| format!("{switch} : {}", value.as_deref().unwrap_or_default()))
        .collect();
    Failure::usage(format!("Invalid options for this command:\n{}", lines.join("\n")))
}

/// Checks the words, runs the command and prints.
fn perform(call: &Call, script: &str, line: &[String]) -> Printed {
    let command = call.command;
    let json = call.format == Format::Json;
    if let Err(failure) = check(call) {
        return failed(&failure, command, script, line, json);
    }
    let dry = call.switches.flag("dry-run") && !command.previews;
    let ahead = dry || command.needs == Needs::AppStopped;
    if ahead && let Err(failure) = call.require() {
        return failed(&failure, command, script, line, json);
    }
    if let Err(failure) = (command.ready)(call) {
        return failed(&failure, command, script, line, json);
    }
    if !call.is_quiet() && !call.format.machine_readable() {
        call.hold_banner((command.banner)(call));
    }
    if dry {
        return Printed::ok(call.take_banner());
    }
    match act(call) {
        Ok(answer) => {
            let style = Style { format: call.format, headers: headers(call), pad: call.switches.flag("pad-to-header") };
            Printed::ok(call.take_banner() + &render(&answer, style, &|| call.node()))
        }
        Err(failure) => {
            let mut printed = failed(&failure, command, script, line, json);
            if !failure.early {
                printed.stdout = call.take_banner();
            }
            printed
        }
    }
}

/// Runs the command; one that a Warren node answers from what it is asks something else of another broker.
fn act(call: &Call) -> Result<Answer, Failure> {
    if let Some(way) = elsewhere::of(call.command.name)
        && let Some(broker) = call.other_broker()?
    {
        return elsewhere::run(way, call, &broker);
    }
    (call.command.run)(call)
}

/// The banner and the answer of another command for the same node, as text.
pub fn section(call: &Call, command: &'static Command, vhost: Option<&str>) -> Result<String, Failure> {
    let call = call.other(command, vhost);
    let style = Style { format: call.format, headers: Headers::Usual, pad: false };
    let banner = (command.banner)(&call).map(|banner| format!("{banner}\n")).unwrap_or_default();
    Ok(banner + &render(&(command.run)(&call)?, style, &|| call.node()))
}

fn headers(call: &Call) -> Headers {
    if call.switches.has("table-headers") {
        return if call.switches.flag("table-headers") { Headers::On } else { Headers::Off };
    }
    if call.switches.flag("silent") { Headers::Off } else { Headers::Usual }
}

fn check(call: &Call) -> Result<(), Failure> {
    let words = call.command.words;
    if call.words.len() < words.min {
        return Err(Failure::usage("not enough arguments."));
    }
    if words.max.is_some_and(|max| call.words.len() > max) {
        return Err(Failure::usage("too many arguments."));
    }
    if let Some(columns) = call.command.columns {
        let mut odd = call.asked_columns();
        odd.retain(|name| !columns.known.contains(&name.as_str()));
        if !odd.is_empty() {
            return Err(Failure::usage(format!("Info key(s) {} are not supported", odd.join(","))));
        }
    }
    (call.command.check)(call)
}

/// A failure as the reference prints it.
fn failed(failure: &Failure, command: &Command, script: &str, line: &[String], json: bool) -> Printed {
    if json && let Some(document) = &failure.json {
        return Printed { stdout: String::new(), stderr: format!("{document}\n"), code: exit_code(Kind::Unavailable) };
    }
    let given =
        || format!("Arguments given:\n\t{}\n\nUsage\n\n{}\n", line.join(" "), help::usage_line(command, script));
    let stderr = match failure.shape {
        Shape::Plain if failure.text.is_empty() => String::new(),
        Shape::Plain => format!("{}\n", failure.text),
        Shape::Error => format!("Error:\n{}\n", failure.text),
        Shape::Validation => format!("Error (argument validation): {}\n{}", failure.text, given()),
        Shape::Environment => format!("Error: {}\n{}", failure.text, given()),
    };
    Printed { stdout: String::new(), stderr, code: exit_code(failure.kind) }
}

#[cfg(test)]
mod tests;
