//! `rabbitmqadmin`: the HTTP client of the reference, in both syntaxes people have in their scripts.
//!
//! The first, `declare queue name=q durable=true`, is `v1`; the second, `queues declare --name q`, is `v2`. This file
//! decides which a line is in. Neither has anything to do with the commands of `rabbitmqctl`: they share the connection.

mod settings;
mod transport;
mod v1;
mod v2;

use std::io::Write as _;
use std::process::ExitCode;

/// The name this answers to.
pub const NAME: &str = "rabbitmqadmin";

/// What is printed, and the exit code.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Outcome {
    stdout: Vec<u8>,
    stderr: String,
    code: u8,
}

impl Outcome {
    fn said(text: impl Into<String>) -> Self {
        Self { stdout: text.into().into_bytes(), ..Self::default() }
    }

    const fn failed(code: u8, stderr: String) -> Self {
        Self { stdout: Vec::new(), stderr, code }
    }
}

/// The manual page.
pub fn manual() -> String {
    v2::manual()
}

/// Runs a line.
pub fn run(words: &[String]) -> ExitCode {
    if words.first().is_some_and(|word| word == crate::complete::NAME) {
        std::io::stdout().write_all(v2::complete(&words[1..]).as_bytes()).ok();
        return ExitCode::SUCCESS;
    }
    let outcome = if is_first_syntax(words) { v1::run(words) } else { v2::run(words) };
    // A reader that went away is no failure.
    std::io::stdout().write_all(&outcome.stdout).and_then(|()| std::io::stdout().flush()).ok();
    std::io::stderr().write_all(outcome.stderr.as_bytes()).ok();
    ExitCode::from(outcome.code)
}

/// Whether a line is in the first syntax: a verb of it comes first, its words are `name=value`, and nothing says otherwise.
fn is_first_syntax(words: &[String]) -> bool {
    let plain: Vec<&str> = v1::without_options(words);
    let only_of_second = words.iter().any(|word| word.len() > 2 && word.starts_with("--") && !v1::is_its_option(word));
    match plain.as_slice() {
        // Without a command the options decide whose help is wanted.
        [] => words.iter().any(|word| v1::is_its_option(word) && !v2::is_its_option(word)),
        // Each has words here which the other does not.
        ["publish", "message", ..] | ["get", "messages", ..] | ["export" | "import", "definitions", ..] => false,
        ["list" | "show", kind, ..] if v2::can_list(kind) && !v1::can_list(kind) => false,
        [verb, ..] => v1::has_verb(verb) && !only_of_second,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_syntax_of_a_line_is_recognised() {
        for (line, first) in [
            ("declare queue name=q durable=true", true),
            ("-H h -P 1 -u u -p p list queues name messages", true),
            ("-q -f tsv list users", true),
            ("export file.json", true),
            ("publish routing_key=q payload=x", true),
            ("help subcommands", true),
            ("declare exchange --vhost=v --user=u --password=p name=x type=topic", true),
            ("declare queue --vhost v --user u name=x", true),
            ("-V / delete exchange name=x", true),
            ("queues declare --name q", false),
            ("--host h --port 1 queues list", false),
            ("declare queue --name q --type quorum", false),
            ("publish message --routing-key q", false),
            ("get messages --queue q", false),
            ("export definitions --file x", false),
            ("--non-interactive list queues", false),
            ("show endpoint", false),
            ("list feature_flags", false),
            ("list nonsense", true),
            ("--help", false),
            ("--bash-completion", true),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(is_first_syntax(&words), first, "{line}");
        }
    }
}
