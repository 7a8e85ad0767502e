//! The command line of Warren: one binary that answers to the names of the reference's
//! tools, and does what each of them does.
//!
//! `rabbitmqctl`, `rabbitmq-diagnostics`, `rabbitmq-plugins`, `rabbitmq-queues`,
//! `rabbitmq-streams` and `rabbitmq-upgrade` are links to it; under its own name it is
//! `rabbitmqctl`, plus what `own` adds: `install-links DIR` makes the links.
//!
//! Code map: `parse` reads the line, `registry` finds the command, `run` checks it and
//! calls it, `call` and `client` talk to the node `target` found, `output` prints what
//! the command returned, `exit` says how failures look and what the process exits with.

// These end the process, with the work half done, when nobody reads any more; `terminal` has what does not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod admin;
mod call;
mod client;
mod command;
mod commands;
mod complete;
#[cfg(test)]
mod declared;
mod document;
mod elsewhere;
mod encryption;
mod endpoints;
mod etf;
mod exit;
mod expressions;
mod help;
mod interrupt;
mod links;
mod literal;
mod man;
mod node_view;
mod output;
mod own;
mod parse;
mod pattern;
mod profile;
mod progress;
mod reference;
mod registry;
mod run;
mod secret;
mod shells;
mod standard;
mod target;
mod term;
mod terminal;
mod tls;
mod uri;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut line = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let called = line.next().unwrap_or_default();
    let name =
        std::path::Path::new(&called).file_name().map_or(called.clone(), |name| name.to_string_lossy().into_owned());
    let words: Vec<String> = line.collect();
    if command::Tool::of(&name).is_none() && words.first().is_some_and(|word| own::has(word)) {
        return own::run(&words);
    }
    if name == admin::NAME {
        return admin::run(&words);
    }
    if words.first().is_some_and(|word| word == complete::NAME) {
        let tool = command::Tool::of(&name).unwrap_or(command::Tool::Ctl);
        terminal::say(&complete::run(tool, &words[1..]));
        return ExitCode::SUCCESS;
    }
    let printed = run::run(&name, &words);
    terminal::say(&printed.stdout);
    terminal::whisper(&terminal::complaint(&printed.stderr));
    ExitCode::from(printed.code)
}
