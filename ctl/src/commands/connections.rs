//! Closing connections.

use std::time::Duration;

use crate::call::Call;
use crate::command::{Command, Needs, Section, Words};
use crate::endpoints::{CONNECTION, CONNECTIONS, CONNECTIONS_OF_USER, VHOST_CONNECTIONS};
use crate::exit::{Failure, Kind};
use crate::output::Answer;
use crate::parse::Switch;
use crate::target::Route;

/// Commands of this file.
pub const ALL: &[&Command] = &[&CLOSE_ALL_CONNECTIONS, &CLOSE_ALL_USER_CONNECTIONS, &CLOSE_CONNECTION];

/// `close_all_connections`.
pub const CLOSE_ALL_CONNECTIONS: Command = Command {
    name: "close_all_connections",
    section: Section::Operations,
    summary: "Instructs the broker to close all connections for the specified vhost or entire RabbitMQ node",
    usage: "close_all_connections [--vhost <vhost> --limit <limit>] [-n <node> --global] [--per-connection-delay <delay>] <explanation>",
    explains: &[
        ("--global", "everything, whatever the virtual host or user"),
        ("--limit <number>", "at most that many"),
        ("--per-connection-delay <milliseconds>", "pause between two connections"),
    ],
    guides: &["connections"],
    switches: &[Switch::flag("global"), Switch::integer("per-connection-delay"), Switch::integer("limit")],
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&CONNECTIONS, &VHOST_CONNECTIONS, &CONNECTION],
    banner: banner_of_all,
    run: close_all_connections,
    ..Command::BLANK
};

fn banner_of_all(call: &Call) -> Option<String> {
    let reason = call.word(0);
    Some(if call.switches.flag("global") {
        format!("Closing all connections to node {} (across all vhosts), reason: {reason}...", call.node())
    } else {
        format!("Closing all connections in vhost {}, reason: {reason}...", call.vhost())
    })
}

fn close_all_connections(call: &Call) -> Result<Answer, Failure> {
    let reply = if call.switches.flag("global") {
        call.get(&CONNECTIONS, &[], "columns=name")?
    } else {
        call.get(&VHOST_CONNECTIONS, &[call.vhost()], "columns=name")?
    };
    let limit = call.switches.integer("limit").and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
    let pause =
        call.switches.integer("per-connection-delay").and_then(|millis| u64::try_from(millis).ok()).unwrap_or(0);
    let open = reply.body.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut closed = 0;
    for name in open.iter().filter_map(|connection| connection["name"].as_str()).take(limit.unwrap_or(usize::MAX)) {
        if closed > 0 && pause > 0 {
            std::thread::sleep(Duration::from_millis(pause));
        }
        // One that went away by itself meanwhile is closed as well.
        call.delete_because(&CONNECTION, &[name], call.word(0))?;
        closed += 1;
    }
    Ok(call.told(format!("Closed {closed} connections")))
}

/// `close_all_user_connections`.
pub const CLOSE_ALL_USER_CONNECTIONS: Command = Command {
    name: "close_all_user_connections",
    section: Section::Operations,
    summary: "Instructs the broker to close all connections of the specified user",
    usage: "close_all_user_connections <username> <explanation>",
    explains: &[("<username>", "name of the user"), ("<explanation>", "reason told to clients and written to the log")],
    guides: &["connections"],
    needs: Needs::AppRunning,
    words: Words::exactly(2),
    endpoints: &[&CONNECTIONS_OF_USER],
    banner: |call| Some(format!("Closing connections of user {}, reason: {}...", call.word(0), call.word(1))),
    run: close_all_user_connections,
    ..Command::BLANK
};

fn close_all_user_connections(call: &Call) -> Result<Answer, Failure> {
    let reply = call.delete_because(&CONNECTIONS_OF_USER, &[call.word(0)], call.word(1))?;
    if reply.is_ok() || reply.status == 404 {
        Ok(Answer::Done)
    } else {
        Err(Failure::refused(Kind::Unavailable, reply.reason()))
    }
}

/// `close_connection`.
pub const CLOSE_CONNECTION: Command = Command {
    name: "close_connection",
    section: Section::Operations,
    summary: "Instructs the broker to close the connection associated with the Erlang process id",
    usage: "close_connection <connection pid> <explanation>",
    explains: &[
        ("<connection pid>", "connection identifier (Erlang PID), see list_connections"),
        ("<explanation>", "reason for connection closure"),
    ],
    guides: &["connections"],
    needs: Needs::AppRunning,
    words: Words::exactly(2),
    endpoints: &[&CONNECTIONS, &CONNECTION],
    banner: |call| Some(format!("Closing connection {}, reason: {}...", call.word(0), call.word(1))),
    run: close_connection,
    ..Command::BLANK
};

fn close_connection(call: &Call) -> Result<Answer, Failure> {
    let pid = call.word(0);
    // The API of RabbitMQ does not tell process ids; names it does.
    if !is_pid(pid) && matches!(call.target.route, Route::Http { .. }) && call.get(&CONNECTION, &[pid], "")?.is_ok() {
        call.delete_because(&CONNECTION, &[pid], call.word(1))?;
        return Ok(Answer::Done);
    }
    if !is_pid(pid) {
        call.require()?;
        let text = format!("Error:\n{{:invalid_pid_syntax, \"{pid}\"}}");
        return Err(Failure::refused(Kind::Unavailable, text));
    }
    let reply = call.get(&CONNECTIONS, &[], "columns=name,pid")?;
    let open = reply.body.as_array().map(Vec::as_slice).unwrap_or_default();
    let name = open.iter().find(|connection| connection["pid"] == pid).and_then(|found| found["name"].as_str());
    if let Some(name) = name {
        call.delete_because(&CONNECTION, &[name], call.word(1))?;
    }
    Ok(Answer::Done)
}

/// `<node@host.1.2.3>`.
fn is_pid(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) else { return false };
    let mut parts = inner.rsplitn(4, '.');
    let numbers = parts.by_ref().take(3).filter(|part| part.parse::<u32>().is_ok()).count();
    numbers == 3 && parts.next().is_some_and(|node| !node.is_empty())
}
