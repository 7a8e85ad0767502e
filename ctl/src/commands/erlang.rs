//! What exists in an Erlang runtime alone: refused with one line that says what to use instead.

use crate::call::Call;
use crate::command::{Command, Needs, Section, Tool, Words};
use crate::commands::users::accepts;
use crate::endpoints::{USER, WHOAMI};
use crate::exit::{Failure, Kind};
use crate::expressions::{self, Expression};
use crate::output::{Answer, Format};
use crate::parse::Switch;
use crate::term::Term;

/// Commands of this file.
pub const ALL: &[&Command] = &[
    &CONSUME_EVENT_STREAM,
    &ERLANG_COOKIE_HASH,
    &EVAL,
    &EVAL_FILE,
    &EXEC,
    &FORCE_GC,
    &MAYBE_STUCK,
    &OBSERVER,
    &REMOTE_SHELL,
    &RUNTIME_THREAD_STATS,
];

/// Something that exists in Erlang's runtime alone.
pub fn erlang_only(what: &str, instead: &str) -> Failure {
    Failure::refused(Kind::Unavailable, format!("{what}: a Warren node has no Erlang runtime; {instead}"))
}

/// `erlang_cookie_hash`.
pub const ERLANG_COOKIE_HASH: Command = Command {
    name: "erlang_cookie_hash",
    tools: &[Tool::Diagnostics],
    section: Section::Configuration,
    summary: "Displays a hash of the Erlang cookie (shared secret) used by the target node",
    usage: "erlang_cookie_hash [--timeout <timeout>]",
    banner: |call| Some(format!("Asking node {} its Erlang cookie hash...", call.node())),
    run: erlang_cookie_hash,
    ..Command::BLANK
};

fn erlang_cookie_hash(_: &Call) -> Result<Answer, Failure> {
    let instead = "whoever may open its control socket is let in";
    Err(Failure::refused(Kind::Unavailable, format!("a Warren node has no shared secret; {instead}")))
}

/// `runtime_thread_stats`.
pub const RUNTIME_THREAD_STATS: Command = Command {
    name: "runtime_thread_stats",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Provides a breakdown of runtime thread activity stats on the target node",
    usage: "runtime_thread_stats [--sample-interval <interval>]",
    explains: &[("--sample-interval <seconds>", "how long to measure")],
    guides: &["runtime"],
    switches: &[Switch::integer("sample-interval").short('i')],
    needs: Needs::AppRunning,
    banner: banner_of_threads,
    run: runtime_thread_stats,
    ..Command::BLANK
};

fn banner_of_threads(call: &Call) -> Option<String> {
    let seconds = call.switches.integer("sample-interval").unwrap_or(5);
    Some(format!("Will collect runtime thread stats on {} for {seconds} seconds...", call.node()))
}

fn runtime_thread_stats(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    Err(erlang_only("runtime_thread_stats", "use `top -H -p PID` with the process id that `status` shows"))
}

/// `maybe_stuck`.
pub const MAYBE_STUCK: Command = Command {
    name: "maybe_stuck",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Detects Erlang processes (\"lightweight threads\") potentially not making progress on the target node",
    usage: "maybe_stuck [--timeout <timeout>]",
    needs: Needs::AppRunning,
    banner: |call| Some(format!("Asking node {} to detect potentially stuck Erlang processes...", call.node())),
    run: maybe_stuck,
    ..Command::BLANK
};

fn maybe_stuck(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    Err(erlang_only(
        "maybe_stuck",
        "check_virtual_hosts and list_unresponsive_queues ask the tasks that could be stuck",
    ))
}

/// `observer`.
pub const OBSERVER: Command = Command {
    name: "observer",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Starts a CLI observer interface on the target node",
    usage: "observer [--interval <seconds>]",
    explains: &[("--interval <seconds>", "seconds between two looks")],
    switches: &[Switch::integer("interval").short('i')],
    run: observer,
    ..Command::BLANK
};

fn observer(_: &Call) -> Result<Answer, Failure> {
    Err(erlang_only("observer", "use `top` or the metrics endpoint"))
}

/// `remote_shell`.
pub const REMOTE_SHELL: Command = Command {
    name: "remote_shell",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Starts an interactive Erlang shell on the target node",
    usage: "remote_shell",
    run: remote_shell,
    ..Command::BLANK
};

fn remote_shell(_: &Call) -> Result<Answer, Failure> {
    Err(erlang_only("remote_shell", "everything it can do is a command or an endpoint of the HTTP API"))
}

/// `consume_event_stream`.
pub const CONSUME_EVENT_STREAM: Command = Command {
    name: "consume_event_stream",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Streams internal events from a running node. Output is jq-compatible.",
    usage: "consume_event_stream [--duration|-d <seconds>] [--pattern <pattern>] [--timeout <timeout>]",
    explains: &[
        ("<duration_in_seconds>", "how long, in seconds; for ever by default"),
        ("<pattern>", "regular expression that names must match"),
    ],
    switches: &[Switch::integer("duration").short('d'), Switch::text("pattern")],
    format: Format::JsonStream,
    run: consume_event_stream,
    ..Command::BLANK
};

fn consume_event_stream(call: &Call) -> Result<Answer, Failure> {
    call.summary()?;
    Err(Failure::refused(
        Kind::Unavailable,
        "events are messages of the exchange amq.rabbitmq.event: bind a queue to it and consume",
    ))
}

/// `force_gc`.
pub const FORCE_GC: Command = Command {
    name: "force_gc",
    section: Section::Operations,
    summary: "Makes all Erlang processes on the target node perform/schedule a full sweep garbage collection",
    usage: "force_gc [--timeout <timeout>]",
    guides: &["memory-use"],
    banner: |call| Some(format!("Will ask all processes on node {} to schedule a full sweep GC", call.node())),
    run: force_gc,
    ..Command::BLANK
};

fn force_gc(call: &Call) -> Result<Answer, Failure> {
    // Memory is given back as soon as it is no longer used; there is nothing to collect.
    call.summary()?;
    Ok(Answer::Done)
}

/// `eval`.
pub const EVAL: Command = Command {
    name: "eval",
    section: Section::Operations,
    summary: "Evaluates a snippet of Erlang code on the target node",
    usage: "eval <expression>",
    explains: &[("<expression>", "Expression to evaluate")],
    guides: &["cli", "monitoring", "troubleshooting"],
    format: Format::Erlang,
    words: Words::ANY,
    check: check_expression,
    endpoints: &[&WHOAMI, &USER],
    run: evaluate,
    ..Command::BLANK
};

fn check_expression(call: &Call) -> Result<(), Failure> {
    if call.words.first().is_some_and(|expression| expression.trim().is_empty()) {
        return Err(Failure::usage("\"Expression must not be blank\""));
    }
    Ok(())
}

const INSTEAD: &str = "commands and the HTTP API show and change what expressions are used for";

fn evaluate(call: &Call) -> Result<Answer, Failure> {
    let text = match call.words.first() {
        Some(text) => text.clone(),
        None => call.input().unwrap_or_default(),
    };
    if text.trim().is_empty() {
        let text = "Expression to evaluate is not provided via argument or stdin";
        return Err(Failure::refused(Kind::Data, text));
    }
    Ok(Answer::Value(match expressions::read(&text) {
        Some(Expression::Value(value)) => value,
        Some(Expression::Node) => Term::atom(call.described()?.node),
        Some(Expression::Version) => Term::Chars(call.described()?.compatible_version),
        Some(Expression::Login { user, password }) => login(call, &user, &password)?,
        None => return Err(erlang_only("eval", INSTEAD)),
    }))
}

/// The answer of a login: what the reference's says before the parts that only its runtime has.
fn login(call: &Call, user: &str, password: &str) -> Result<Term, Failure> {
    let name = Term::text(user);
    if !accepts(call, user, password)? {
        let text = Term::Chars("user '~ts' - invalid credentials".to_owned());
        return Ok(Term::Tuple(vec![Term::atom("refused"), name.clone(), text, Term::List(vec![name])]));
    }
    let reply = call.get_checked(&USER, &[user])?;
    let tags = Term::List(reply.body["tags"].as_array().into_iter().flatten().map(Term::word).collect());
    let backend = Term::pair(Term::atom("rabbit_auth_backend_internal"), Term::atom("none"));
    let user = Term::Tuple(vec![Term::atom("user"), name, tags, Term::List(vec![backend])]);
    Ok(Term::pair(Term::atom("ok"), user))
}

/// `eval_file`.
pub const EVAL_FILE: Command = Command {
    name: "eval_file",
    section: Section::Operations,
    summary: "Evaluates a file that contains a snippet of Erlang code on the target node",
    usage: "eval_file <file path>",
    explains: &[("<file path>", "file to evaluate")],
    guides: &["cli", "monitoring", "troubleshooting"],
    format: Format::Erlang,
    words: Words::exactly(1),
    check: check_file,
    run: |_| Err(erlang_only("eval_file", INSTEAD)),
    ..Command::BLANK
};

fn check_file(call: &Call) -> Result<(), Failure> {
    if std::path::Path::new(call.word(0)).exists() {
        return Ok(());
    }
    Err(Failure::usage(format!("\"File {} does not exist\"", call.word(0))))
}

/// `exec`.
pub const EXEC: Command = Command {
    name: "exec",
    section: Section::Operations,
    summary: "Evaluates a snippet of Elixir code on the CLI node",
    usage: "exec <expression> [--offline]",
    explains: &[("<expression>", "expression to evaluate"), ("--offline", "do not contact the node")],
    guides: &["cli", "monitoring", "troubleshooting"],
    switches: &[Switch::flag("offline")],
    words: Words::exactly(1),
    format: Format::Erlang,
    run: |_| Err(erlang_only("exec", INSTEAD)),
    ..Command::BLANK
};
