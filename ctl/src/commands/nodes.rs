//! The life of a node: starting and stopping the application, reset, stopping the process.

use std::time::Duration;

use openapi::Endpoint;
use openapi::control::{self, AppState, NODE};

use crate::call::Call;
use crate::command::{Command, Needs, Section, Tool, Words};
use crate::commands::probes;
use crate::endpoints::{HEALTH_READY, QUEUE, READY};
use crate::exit::{Failure, Kind};
use crate::output::Answer;
use crate::parse::Switch;

/// Commands of this file.
pub const ALL: &[&Command] = &[&AWAIT_STARTUP, &RESET, &ROTATE_LOGS, &SHUTDOWN, &START_APP, &STOP, &STOP_APP, &WAIT];

/// How long `await_startup` waits, in seconds.
const STARTUP_WAIT_SECONDS: u64 = 300;

/// How long `wait` waits, in seconds.
const WAIT_SECONDS: u64 = 10;

/// How long a stopping process may take, in seconds.
const SHUTDOWN_WAIT_SECONDS: u64 = 120;

fn ask(call: &Call, endpoint: &Endpoint) -> Result<Answer, Failure> {
    let reply = call.post(endpoint, &[], None)?;
    match reply.status {
        404 | 405 => {
            Err(Failure::refused(Kind::Unavailable, "this is only possible over a Warren node's control socket"))
        }
        _ if reply.is_ok() => Ok(Answer::Done),
        _ => Err(Failure::refused(Kind::Unavailable, reply.reason())),
    }
}

/// `stop_app`.
pub const STOP_APP: Command = Command {
    name: "stop_app",
    section: Section::Nodes,
    summary: "Stops the RabbitMQ application, leaving the runtime (Erlang VM) running",
    usage: "stop_app",
    endpoints: &[&control::STOP_APP],
    run: |call| ask(call, &control::STOP_APP),
    banner: |call| Some(format!("Stopping rabbit application on node {} ...", call.node())),
    ..Command::BLANK
};

/// `start_app`.
pub const START_APP: Command = Command {
    name: "start_app",
    section: Section::Nodes,
    summary: "Starts the RabbitMQ application but leaves the runtime (Erlang VM) running",
    usage: "start_app",
    endpoints: &[&control::START_APP],
    run: |call| ask(call, &control::START_APP),
    banner: |call| Some(format!("Starting node {} ...", call.node())),
    ..Command::BLANK
};

/// `reset`.
pub const RESET: Command = Command {
    name: "reset",
    section: Section::Nodes,
    summary: "Instructs a RabbitMQ node to leave the cluster and return to its virgin state",
    usage: "reset",
    guides: &["clustering"],
    needs: Needs::AppStopped,
    endpoints: &[&control::RESET],
    run: |call| ask(call, &control::RESET),
    banner: |call| Some(format!("Resetting node {} ...", call.node())),
    ..Command::BLANK
};

/// `stop`.
pub const STOP: Command = Command {
    name: "stop",
    section: Section::Nodes,
    summary: "Stops RabbitMQ and its runtime (Erlang VM). Requires a local node pid file path to monitor progress.",
    usage: "stop [--idempotent] [<pidfile>]",
    explains: &[
        ("<pidfile>", "file with the process id of the node"),
        ("--idempotent", "a node that does not run is no error"),
    ],
    switches: &[Switch::flag("idempotent")],
    words: Words::between(0, 1),
    endpoints: &[&control::SHUTDOWN],
    banner: |call| Some(format!("Stopping and halting node {} ...", call.node())),
    run: stop,
    ..Command::BLANK
};

fn stop(call: &Call) -> Result<Answer, Failure> {
    let running = match call.summary() {
        Err(_) if call.switches.flag("idempotent") => {
            return Ok(Answer::Message(format!("Node {} is no longer running", call.node())));
        }
        other => other?,
    };
    let answer = ask(call, &control::SHUTDOWN)?;
    let pid = match call.words.first() {
        Some(file) => read_pid(file),
        None => running.map(|summary| summary.os_pid),
    };
    if let Some(pid) = pid {
        await_end(call, pid)?;
    }
    Ok(answer)
}

fn read_pid(file: &str) -> Option<u32> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn is_running(pid: u32) -> bool {
    let exists = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH));
    exists && !is_unreaped(pid)
}

/// Whether a process has ended and only waits for its parent to ask how.
fn is_unreaped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name before the state is in brackets, and may hold brackets and spaces.
    stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('Z'))
}

/// Waits for a process to end; only a local one can be watched.
fn await_end(call: &Call, pid: u32) -> Result<(), Failure> {
    let seconds = call.switches.integer("timeout").and_then(|seconds| u64::try_from(seconds).ok());
    let wait = Duration::from_secs(seconds.unwrap_or(SHUTDOWN_WAIT_SECONDS));
    match call.until(wait, || Ok((!is_running(pid)).then_some(())))? {
        Some(()) => Ok(()),
        None => Err(Failure::timed_out(call.command.name, &call.node(), wait.as_millis())),
    }
}

/// `shutdown`.
pub const SHUTDOWN: Command = Command {
    name: "shutdown",
    section: Section::Nodes,
    summary: "Stops RabbitMQ and its runtime (Erlang VM). Monitors progress for local nodes. Does not require a PID file path.",
    usage: "shutdown [--wait] [--timeout <timeout>]",
    explains: &[("--wait", "wait for the process to end"), ("--no-wait", "do not wait for the process to end")],
    switches: &[Switch::flag("wait")],
    endpoints: &[&control::SHUTDOWN],
    run: shutdown,
    ..Command::BLANK
};

fn shutdown(call: &Call) -> Result<Answer, Failure> {
    let pid = call.summary()?.map(|summary| summary.os_pid);
    ask(call, &control::SHUTDOWN)?;
    let node = call.node();
    let Some(pid) = pid.filter(|_| call.switches.flag_or("wait", true)) else {
        return Ok(Answer::Message(format!("Shutting down RabbitMQ node {node}")));
    };
    await_end(call, pid)?;
    Ok(Answer::Message(format!(
        "Shutting down RabbitMQ node {node} running at PID {pid}\nWaiting for PID {pid} to terminate\nRabbitMQ node {node} \
         running at PID {pid} successfully shut down"
    )))
}

/// `rotate_logs`.
pub const ROTATE_LOGS: Command = Command {
    name: "rotate_logs",
    section: Section::Nodes,
    summary: "Does nothing [deprecated]",
    usage: "rotate_logs",
    guides: &["logging"],
    needs: Needs::AppRunning,
    run: rotate_logs,
    ..Command::BLANK
};

fn rotate_logs(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    Err(Failure::refused(Kind::Unavailable, "This command does not rotate logs anymore [deprecated]"))
}

/// `await_startup`.
pub const AWAIT_STARTUP: Command = Command {
    name: "await_startup",
    section: Section::Nodes,
    summary: "Waits for the RabbitMQ application to start on the target node",
    usage: "await_startup",
    endpoints: &[&openapi::control::NODE],
    run: await_startup,
    ..Command::BLANK
};

fn await_startup(call: &Call) -> Result<Answer, Failure> {
    let seconds = call.switches.integer("timeout").and_then(|seconds| u64::try_from(seconds).ok());
    let wait = Duration::from_secs(seconds.unwrap_or(STARTUP_WAIT_SECONDS));
    // Whoever names a time means to wait for the node to come up as well.
    let patient = seconds.is_some();
    let found = call.until(wait, || match running(&call.again()?) {
        Err(failure) if patient && failure.kind == Kind::Unavailable => Ok(None),
        other => other,
    })?;
    match found {
        Some(()) => Ok(Answer::Done),
        None if patient => {
            call.summary().and_then(|_| Err(Failure::refused(Kind::Unavailable, "rabbit_is_not_running")))
        }
        None => Err(Failure::refused(Kind::Unavailable, "rabbit_is_not_running")),
    }
}

fn running(call: &Call) -> Result<Option<()>, Failure> {
    Ok(call.summary()?.is_none_or(|summary| summary.app_state == AppState::Running).then_some(()))
}

/// `wait`.
pub const WAIT: Command = Command {
    name: "wait",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Nodes,
    summary: "Waits for RabbitMQ node startup by monitoring a local PID file. See also 'rabbitmqctl await_online_nodes'",
    usage: "wait [<pidfile>] [--pid|-P <pid>] [--timeout <timeout>]",
    explains: &[
        ("<pidfile>", "file with the process id of the node"),
        ("--pid <pid>", "process id of the node"),
        ("--ready", "wait until the node is ready for clients, wherever it is"),
        ("--queue <queue>", "with --ready: until that queue of --vhost is there and runs"),
    ],
    switches: &[Switch::integer("pid").short('P'), Switch::flag("ready"), Switch::text("queue")],
    words: Words::between(0, 1),
    endpoints: &[&NODE, &READY, &HEALTH_READY, &QUEUE],
    check: check_wait,
    run: wait,
    ..Command::BLANK
};

fn check_wait(call: &Call) -> Result<(), Failure> {
    match (call.words.first(), call.switches.integer("pid")) {
        (None, None) if call.switches.flag("ready") => Ok(()),
        (None, None) => Err(Failure::usage("\"No pid or pidfile specified\"")),
        (Some(_), Some(_)) => Err(Failure::usage("\"Cannot specify both pid and pidfile\"")),
        _ => Ok(()),
    }
}

/// Waits until the node takes clients, and a queue of it runs.
fn wait_until_ready(call: &Call, wait: Duration) -> Result<Option<()>, Failure> {
    // What is in the way lately is what a failure tells.
    let mut last = None;
    let found = call.until(wait, || {
        let call = call.again()?;
        match ready(&call) {
            Ok(()) => Ok(Some(())),
            Err(failure) if matches!(failure.kind, Kind::Unavailable | Kind::TryAgain | Kind::Software) => {
                last = Some(failure.text);
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    })?;
    match (found, last) {
        (None, Some(why)) => {
            let timed_out = Failure::timed_out("wait", &call.shown_node(), wait.as_millis());
            Err(Failure { text: format!("{}\n{why}", timed_out.text), early: false, ..timed_out })
        }
        (found, _) => Ok(found),
    }
}

fn ready(call: &Call) -> Result<(), Failure> {
    probes::readiness(call)?;
    let Some(name) = call.switches.text("queue") else { return Ok(()) };
    let reply = call.get(&QUEUE, &[call.vhost(), name], "columns=state")?;
    let state = reply.body["state"].as_str().unwrap_or("running");
    match (reply.is_ok(), state) {
        (true, "running" | "idle" | "flow") => Ok(()),
        (true, other) => Err(Failure::refused(Kind::Unavailable, format!("queue '{name}' is {other}"))),
        (false, _) => {
            let text = format!("queue '{name}' is not there in virtual host '{}'", call.vhost());
            Err(Failure::refused(Kind::Unavailable, text))
        }
    }
}

fn wait(call: &Call) -> Result<Answer, Failure> {
    let seconds = call.switches.integer("timeout").and_then(|seconds| u64::try_from(seconds).ok());
    let wait = Duration::from_secs(seconds.unwrap_or(WAIT_SECONDS));
    let late = || Failure { early: false, ..Failure::timed_out("wait", &call.shown_node(), wait.as_millis()) };
    if call.switches.flag("ready") && call.words.is_empty() && !call.switches.has("pid") {
        return wait_until_ready(call, wait)?.map(|()| Answer::Done).ok_or_else(late);
    }
    let given = call.switches.integer("pid").and_then(|pid| u32::try_from(pid).ok());
    let pid = match given {
        Some(pid) => pid,
        None => {
            let file = call.word(0);
            call.tell(&format!("Waiting for pid file '{file}' to appear"));
            let pid = call.until(wait, || Ok(read_pid(file)))?.ok_or_else(late)?;
            call.tell(&format!("pid is {pid}"));
            pid
        }
    };
    let node = call.node();
    call.tell(&format!("Waiting for erlang distribution on node '{node}' while OS process '{pid}' is running"));
    let start = std::time::Instant::now();
    let answers = call.until(wait, || match call.again()?.summary() {
        Ok(_) => Ok(Some(())),
        Err(_) if is_running(pid) => Ok(None),
        Err(_) => Err(Failure::refused(Kind::Unavailable, "process_not_running")),
    })?;
    answers.ok_or_else(late)?;
    call.tell(&format!("Waiting for applications 'rabbit_and_plugins' to start on node '{node}'"));
    call.until(wait.saturating_sub(start.elapsed()), || running(&call.again()?))?.ok_or_else(late)?;
    call.tell(&format!("Applications 'rabbit_and_plugins' are running on node '{node}'"));
    Ok(Answer::Done)
}
