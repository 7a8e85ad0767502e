//! Limits of users and of virtual hosts.

use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::command::{Command, Needs, Section, Tool, Words};
use crate::commands::parameters::put_parameter;
use crate::commands::policies::cleared;
use crate::document;
use crate::endpoints::{PARAMETER, USER, USER_LIMIT, USER_LIMITS, VHOST, VHOST_LIMIT, VHOST_LIMITS, VHOST_LIMITS_OF};
use crate::exit::{Failure, Kind};
use crate::output::{Answer, Format, Rows, erlang_flat};
use crate::parse::Switch;
use crate::term::Term;

/// Commands of this file.
pub const ALL: &[&Command] = &[
    &CLEAR_USER_LIMITS,
    &CLEAR_VHOST_LIMITS,
    &LIST_USER_LIMITS,
    &LIST_VHOST_LIMITS,
    &SET_USER_LIMITS,
    &SET_VHOST_LIMITS,
];

const USER_LIMIT_NAMES: [&str; 2] = ["max-connections", "max-channels"];

fn no_such_user(name: &str) -> Failure {
    Failure::refused(Kind::Unavailable, format!("{{:no_such_user, \"{name}\"}}"))
}

/// The user whose limits are meant must be there.
fn limits_of(call: &Call, user: &str) -> Result<Map<String, Value>, Failure> {
    let reply = call.get(&USER, &[user], "")?;
    if !reply.is_ok() {
        return Err(no_such_user(user));
    }
    Ok(reply.body["limits"].as_object().cloned().unwrap_or_default())
}

/// `set_user_limits`.
pub const SET_USER_LIMITS: Command = Command {
    name: "set_user_limits",
    section: Section::Users,
    summary: "Sets user limits",
    usage: "set_user_limits <username> <definition>",
    explains: &[("<username>", "Self-explanatory"), ("<definition>", "Limit definitions as a JSON document")],
    guides: &["access-control"],
    needs: Needs::AppRunning,
    words: Words::exactly(2),
    endpoints: &[&USER_LIMIT, &USER],
    banner: |call| Some(format!("Setting user limits to \"{}\" for user \"{}\" ...", call.word(1), call.word(0))),
    run: set_user_limits,
    ..Command::BLANK
};

fn set_user_limits(call: &Call) -> Result<Answer, Failure> {
    let limits = document::parse_object(call, call.word(1))?;
    limits_of(call, call.word(0))?;
    // All are looked at before the first is set.
    for (name, value) in &limits {
        let shown = erlang_flat(&Term::from_json(value));
        if !USER_LIMIT_NAMES.contains(&name.as_str()) {
            let name = erlang_flat(&Term::text(name.clone()));
            let text = format!("Unrecognised terms [{{{name},{shown}}}] in user-limits");
            return Err(Failure::refused(Kind::Unavailable, text));
        }
        if !value.is_i64() {
            let text = format!("{name} should be a number, actually was {shown}");
            return Err(Failure::refused(Kind::Unavailable, text));
        }
    }
    for (name, value) in &limits {
        let reply = call.put(&USER_LIMIT, &[call.word(0), name], &json!({"value": value}))?;
        if !reply.is_ok() {
            return Err(Failure::refused(Kind::Unavailable, reply.reason()));
        }
    }
    Ok(Answer::Done)
}

/// `clear_user_limits`.
pub const CLEAR_USER_LIMITS: Command = Command {
    name: "clear_user_limits",
    section: Section::Users,
    summary: "Clears user connection/channel limits",
    usage: "clear_user_limits <username> <limit_type> | all",
    explains: &[("<username>", "name of the user"), ("<limit_type>", "max-connections, max-channels, or all")],
    guides: &["access-control"],
    needs: Needs::AppRunning,
    words: Words::exactly(2),
    endpoints: &[&USER_LIMIT, &USER],
    banner: banner_of_clear,
    run: clear_user_limits,
    ..Command::BLANK
};

fn banner_of_clear(call: &Call) -> Option<String> {
    let (user, limit) = (call.word(0), call.word(1));
    Some(match limit {
        "all" => format!("Clearing all limits for user \"{user}\" ..."),
        _ => format!("Clearing \"{limit}\" limit for user \"{user}\" ..."),
    })
}

fn clear_user_limits(call: &Call) -> Result<Answer, Failure> {
    let present = limits_of(call, call.word(0))?;
    for name in present.keys().filter(|name| call.word(1) == "all" || name.as_str() == call.word(1)) {
        call.delete(&USER_LIMIT, &[call.word(0), name], "")?;
    }
    Ok(Answer::Done)
}

/// `list_user_limits`.
pub const LIST_USER_LIMITS: Command = Command {
    name: "list_user_limits",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Users,
    summary: "Displays configured user limits",
    usage: "list_user_limits [--user <username>] [--global]",
    explains: &[("--global", "everything, whatever the virtual host or user")],
    guides: &["access-control"],
    switches: &[Switch::flag("global"), Switch::text("user")],
    needs: Needs::AppRunning,
    format: Format::Table,
    endpoints: &[&USER_LIMITS, &USER],
    banner: banner_of_user_limits,
    run: list_user_limits,
    ..Command::BLANK
};

fn banner_of_user_limits(call: &Call) -> Option<String> {
    Some(if call.switches.flag("global") {
        "Listing limits for all users ...".to_owned()
    } else {
        format!("Listing limits for user \"{}\" ...", call.switches.text("user").unwrap_or("guest"))
    })
}

fn list_user_limits(call: &Call) -> Result<Answer, Failure> {
    if call.switches.flag("global") {
        return Ok(of_all(&call.get(&USER_LIMITS, &[], "")?.body, "user"));
    }
    let limits = limits_of(call, call.switches.text("user").unwrap_or("guest"))?;
    Ok(Answer::Message(document::show(&Value::Object(limits))))
}

/// A row for everyone who has a limit.
fn of_all(list: &Value, whose: &str) -> Answer {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let rows = items
        .iter()
        .filter(|item| item["value"].as_object().is_some_and(|limits| !limits.is_empty()))
        .map(|item| vec![Term::from_json(&item[whose]), Term::text(document::show(&item["value"]))])
        .collect();
    Answer::Rows(Rows { columns: vec![whose.to_owned(), "limits".to_owned()], rows, ..Rows::default() })
}

/// `set_vhost_limits`.
pub const SET_VHOST_LIMITS: Command = Command {
    name: "set_vhost_limits",
    section: Section::VirtualHosts,
    summary: "Sets virtual host limits",
    usage: "set_vhost_limits [--vhost <vhost>] <definition>",
    explains: &[("<definition>", "a JSON object")],
    guides: &["vhosts"],
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&PARAMETER],
    banner: |call| Some(format!("Setting vhost limits to \"{}\" for vhost \"{}\" ...", call.word(0), call.vhost())),
    run: set_vhost_limits,
    ..Command::BLANK
};

fn set_vhost_limits(call: &Call) -> Result<Answer, Failure> {
    let limits = document::parse_object(call, call.word(0))?;
    put_parameter(call, "vhost-limits", "limits", &Value::Object(limits))
}

/// `clear_vhost_limits`.
pub const CLEAR_VHOST_LIMITS: Command = Command {
    name: "clear_vhost_limits",
    section: Section::VirtualHosts,
    summary: "Clears virtual host limits",
    usage: "clear_vhost_limits [--vhost <vhost>]",
    guides: &["vhosts"],
    needs: Needs::AppRunning,
    endpoints: &[&PARAMETER, &VHOST_LIMITS_OF, &VHOST_LIMIT],
    banner: |call| Some(format!("Clearing vhost \"{}\" limits ...", call.vhost())),
    run: clear_vhost_limits,
    ..Command::BLANK
};

fn clear_vhost_limits(call: &Call) -> Result<Answer, Failure> {
    let reply = call.delete(&PARAMETER, &["vhost-limits", call.vhost(), "limits"], "")?;
    if reply.status != 404 {
        return cleared(&reply);
    }
    // A node need not keep them as a parameter; one by one they can be cleared everywhere.
    let limits = call.get(&VHOST_LIMITS_OF, &[call.vhost()], "")?;
    let Some(names) = limits.body[0]["value"].as_object().filter(|names| !names.is_empty()) else {
        return cleared(&reply);
    };
    for name in names.keys() {
        let reply = call.delete(&VHOST_LIMIT, &[call.vhost(), name], "")?;
        // One that is gone meanwhile is cleared as well.
        if reply.status != 404 {
            cleared(&reply)?;
        }
    }
    Ok(Answer::Done)
}

/// `list_vhost_limits`.
pub const LIST_VHOST_LIMITS: Command = Command {
    name: "list_vhost_limits",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::VirtualHosts,
    summary: "Displays configured virtual host limits",
    usage: "list_vhost_limits [--vhost <vhost>] [--global] [--no-table-headers]",
    explains: &[("--global", "everything, whatever the virtual host or user")],
    guides: &["vhosts"],
    switches: &[Switch::flag("global")],
    needs: Needs::AppRunning,
    format: Format::Table,
    endpoints: &[&VHOST_LIMITS, &VHOST_LIMITS_OF, &VHOST],
    banner: banner_of_vhost_limits,
    run: list_vhost_limits,
    ..Command::BLANK
};

fn banner_of_vhost_limits(call: &Call) -> Option<String> {
    Some(if call.switches.flag("global") {
        "Listing limits for all vhosts ...".to_owned()
    } else {
        format!("Listing limits for vhost \"{}\" ...", call.vhost())
    })
}

fn list_vhost_limits(call: &Call) -> Result<Answer, Failure> {
    if call.switches.flag("global") {
        return Ok(of_all(&call.get(&VHOST_LIMITS, &[], "")?.body, "vhost"));
    }
    let reply = call.get(&VHOST_LIMITS_OF, &[call.vhost()], "")?;
    if reply.status == 404 {
        return Err(Failure::no_vhost(call.vhost()));
    }
    match reply.body[0]["value"].as_object() {
        Some(limits) if !limits.is_empty() => {
            Ok(Answer::Value(Term::text(document::show(&Value::Object(limits.clone())))))
        }
        _ if call.get(&VHOST, &[call.vhost()], "")?.status == 404 => Err(Failure::no_vhost(call.vhost())),
        _ => Ok(Answer::Rows(Rows::default())),
    }
}
