//! Permissions and topic permissions.

use serde_json::{Value, json};

use crate::call::Call;
use crate::client::Reply;
use crate::command::{Command, Needs, Section, Tool, Words};
use crate::endpoints::{
    PERMISSION, TOPIC_PERMISSION, TOPIC_PERMISSION_OF_EXCHANGE, USER, USER_PERMISSIONS, USER_TOPIC_PERMISSIONS, VHOST,
    VHOST_PERMISSIONS, VHOST_TOPIC_PERMISSIONS, VHOSTS,
};
use crate::exit::{Failure, Kind};
use crate::output::{Answer, Format, Rows};
use crate::term::Term;

/// Commands of this file.
pub const ALL: &[&Command] = &[
    &CLEAR_PERMISSIONS,
    &CLEAR_TOPIC_PERMISSIONS,
    &LIST_PERMISSIONS,
    &LIST_TOPIC_PERMISSIONS,
    &LIST_USER_PERMISSIONS,
    &LIST_USER_TOPIC_PERMISSIONS,
    &SET_PERMISSIONS,
    &SET_PERMISSIONS_GLOBALLY,
    &SET_TOPIC_PERMISSIONS,
];

/// Rows of some string fields, under the names the reference shows.
fn rows(list: &Value, fields: &[&str], columns: &[&str]) -> Rows {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    Rows {
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        rows: items.iter().map(|item| fields.iter().map(|field| Term::from_json(&item[*field])).collect()).collect(),
        ..Rows::default()
    }
}

/// `set_permissions`.
pub const SET_PERMISSIONS: Command = Command {
    name: "set_permissions",
    section: Section::AccessControl,
    summary: "Sets user permissions for a vhost",
    usage: "set_permissions [--vhost <vhost>] <username> <conf> <write> <read>",
    explains: &[
        ("<username>", "Self-explanatory"),
        ("<conf>", "Configuration permission pattern"),
        ("<write>", "Write permission pattern"),
        ("<read>", "Read permission pattern"),
    ],
    guides: &["access-control", "vhosts"],
    needs: Needs::AppRunning,
    words: Words::exactly(4),
    endpoints: &[&PERMISSION, &VHOST, &USER],
    banner: |call| Some(format!("Setting permissions for user \"{}\" in vhost \"{}\" ...", call.word(0), call.vhost())),
    run: set_permissions,
    ..Command::BLANK
};

fn set_permissions(call: &Call) -> Result<Answer, Failure> {
    let body = json!({"configure": call.word(1), "write": call.word(2), "read": call.word(3)});
    let reply = call.put(&PERMISSION, &[call.vhost(), call.word(0)], &body)?;
    granted(call, &reply, &call.words[1..4], "~c")
}

/// What the node refuses is looked into, to say which of the names is wrong.
fn granted(call: &Call, reply: &Reply, patterns: &[String], sigil: &str) -> Result<Answer, Failure> {
    if reply.is_ok() {
        return Ok(Answer::Done);
    }
    check_patterns(patterns, sigil)?;
    if call.get(&VHOST, &[call.vhost()], "")?.status == 404 {
        let text = format!("Virtual host {} does not exist", call.vhost());
        return Err(Failure::refused(Kind::Unavailable, text));
    }
    if call.get(&USER, &[call.word(0)], "")?.status == 404 {
        return Err(no_user(call));
    }
    Err(Failure::refused(Kind::Unavailable, reply.reason()))
}

/// The user of the first word is not there.
fn no_user(call: &Call) -> Failure {
    let text = format!("User {} does not exist", call.word(0));
    let json = json!({"result": "error", "node": call.node(), "message": text});
    Failure::refused(Kind::NoUser, text).with_json(json)
}

/// A pattern that is no regular expression is refused with what is wrong and where.
fn check_patterns(patterns: &[String], sigil: &str) -> Result<(), Failure> {
    for pattern in patterns {
        if let Some((what, at)) = crate::pattern::trouble(pattern) {
            let text = format!("{{:invalid_regexp, {sigil}\"{pattern}\", {{~c\"{what}\", {at}}}}}");
            return Err(Failure::refused(Kind::Unavailable, text));
        }
    }
    Ok(())
}

/// `set_permissions_globally`.
pub const SET_PERMISSIONS_GLOBALLY: Command = Command {
    name: "set_permissions_globally",
    section: Section::AccessControl,
    summary: "Sets user permissions for all virtual hosts.",
    usage: "set_permissions_globally <username> <conf> <write> <read>",
    explains: &[
        ("<username>", "name of the user"),
        ("<conf>", "pattern of names that may be configured"),
        ("<write>", "pattern of names that may be written to"),
        ("<read>", "pattern of names that may be read from"),
    ],
    guides: &["access-control", "vhosts"],
    needs: Needs::AppRunning,
    words: Words::exactly(4),
    endpoints: &[&VHOSTS, &PERMISSION, &USER],
    banner: |call| Some(format!("Setting permissions for user \"{}\" in all virtual hosts ...", call.word(0))),
    run: set_permissions_globally,
    ..Command::BLANK
};

fn set_permissions_globally(call: &Call) -> Result<Answer, Failure> {
    if call.get(&USER, &[call.word(0)], "")?.status == 404 {
        return Err(no_user(call));
    }
    let vhosts = call.get(&VHOSTS, &[], "columns=name")?;
    let body = json!({"configure": call.word(1), "write": call.word(2), "read": call.word(3)});
    for vhost in vhosts.body.as_array().into_iter().flatten().filter_map(|vhost| vhost["name"].as_str()) {
        let reply = call.put(&PERMISSION, &[vhost, call.word(0)], &body)?;
        if !reply.is_ok() {
            check_patterns(&call.words[1..4], "~c")?;
            return Err(Failure::refused(Kind::Unavailable, reply.reason()));
        }
    }
    Ok(Answer::Done)
}

/// `clear_permissions`.
pub const CLEAR_PERMISSIONS: Command = Command {
    name: "clear_permissions",
    section: Section::AccessControl,
    summary: "Revokes user permissions for a vhost",
    usage: "clear_permissions [--vhost <vhost>] <username>",
    explains: &[("<username>", "name of the user")],
    guides: &["access-control"],
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&PERMISSION],
    banner: |call| {
        Some(format!("Clearing permissions for user \"{}\" in vhost \"{}\" ...", call.word(0), call.vhost()))
    },
    run: clear_permissions,
    ..Command::BLANK
};

fn clear_permissions(call: &Call) -> Result<Answer, Failure> {
    cleared(&call.delete(&PERMISSION, &[call.vhost(), call.word(0)], "")?)
}

/// What is not there is as good as cleared.
fn cleared(reply: &Reply) -> Result<Answer, Failure> {
    if reply.is_ok() || reply.status == 404 {
        Ok(Answer::Done)
    } else {
        Err(Failure::refused(Kind::Unavailable, reply.reason()))
    }
}

/// `list_permissions`.
pub const LIST_PERMISSIONS: Command = Command {
    name: "list_permissions",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::AccessControl,
    summary: "Lists user permissions in a virtual host",
    usage: "list_permissions [--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]",
    guides: &["access-control", "vhosts"],
    needs: Needs::AppRunning,
    format: Format::Table,
    endpoints: &[&VHOST_PERMISSIONS],
    banner: |call| Some(format!("Listing permissions for vhost \"{}\" ...", call.vhost())),
    run: list_permissions,
    ..Command::BLANK
};

fn list_permissions(call: &Call) -> Result<Answer, Failure> {
    let reply = call.get(&VHOST_PERMISSIONS, &[call.vhost()], "")?;
    if reply.status == 404 {
        return Err(Failure::no_vhost(call.vhost()));
    }
    let fields = ["user", "configure", "write", "read"];
    Ok(Answer::Rows(rows(&reply.body, &fields, &fields)))
}

/// `list_user_permissions`.
pub const LIST_USER_PERMISSIONS: Command = Command {
    name: "list_user_permissions",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::AccessControl,
    summary: "Lists permissions of a user across all virtual hosts",
    usage: "list_user_permissions [--no-table-headers] <username> [--timeout <timeout>]",
    explains: &[("<username>", "name of the user")],
    guides: &["access-control", "vhosts"],
    needs: Needs::AppRunning,
    format: Format::Table,
    words: Words::exactly(1),
    endpoints: &[&USER_PERMISSIONS],
    banner: |call| Some(format!("Listing permissions for user \"{}\" ...", call.word(0))),
    run: list_user_permissions,
    ..Command::BLANK
};

fn list_user_permissions(call: &Call) -> Result<Answer, Failure> {
    let reply = call.get(&USER_PERMISSIONS, &[call.word(0)], "")?;
    let fields = ["vhost", "configure", "write", "read"];
    if reply.status == 404 { Err(no_such_user(call)) } else { Ok(Answer::Rows(rows(&reply.body, &fields, &fields))) }
}

fn no_such_user(call: &Call) -> Failure {
    Failure::refused(Kind::Unavailable, format!("{{:no_such_user, \"{}\"}}", call.word(0)))
}

/// `list_topic_permissions`.
pub const LIST_TOPIC_PERMISSIONS: Command = Command {
    name: "list_topic_permissions",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::AccessControl,
    summary: "Lists topic permissions in a virtual host",
    usage: "list_topic_permissions [--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]",
    guides: &["access-control"],
    needs: Needs::AppRunning,
    format: Format::Table,
    endpoints: &[&VHOST_TOPIC_PERMISSIONS],
    banner: |call| Some(format!("Listing topic permissions for vhost \"{}\" ...", call.vhost())),
    run: list_topic_permissions,
    ..Command::BLANK
};

fn list_topic_permissions(call: &Call) -> Result<Answer, Failure> {
    let reply = call.get(&VHOST_TOPIC_PERMISSIONS, &[call.vhost()], "")?;
    if reply.status == 404 {
        return Err(Failure::no_vhost(call.vhost()));
    }
    let fields = ["user", "exchange", "write", "read"];
    Ok(Answer::Rows(rows(&reply.body, &fields, &fields)))
}

/// `list_user_topic_permissions`.
pub const LIST_USER_TOPIC_PERMISSIONS: Command = Command {
    name: "list_user_topic_permissions",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::AccessControl,
    summary: "Lists user topic permissions",
    usage: "list_user_topic_permissions [--no-table-headers] <username> [--timeout <timeout>]",
    explains: &[("<username>", "name of the user")],
    guides: &["access-control"],
    needs: Needs::AppRunning,
    format: Format::Table,
    words: Words::exactly(1),
    endpoints: &[&USER_TOPIC_PERMISSIONS],
    banner: |call| Some(format!("Listing topic permissions for user \"{}\" ...", call.word(0))),
    run: list_user_topic_permissions,
    ..Command::BLANK
};

fn list_user_topic_permissions(call: &Call) -> Result<Answer, Failure> {
    let reply = call.get(&USER_TOPIC_PERMISSIONS, &[call.word(0)], "")?;
    if reply.status == 404 {
        return Err(no_such_user(call));
    }
    let fields = ["vhost", "exchange", "write", "read"];
    Ok(Answer::Rows(Rows { headless: true, ..rows(&reply.body, &fields, &fields) }))
}

/// `set_topic_permissions`.
pub const SET_TOPIC_PERMISSIONS: Command = Command {
    name: "set_topic_permissions",
    section: Section::AccessControl,
    summary: "Sets user topic permissions for an exchange",
    usage: "set_topic_permissions [--vhost <vhost>] <username> <exchange> <write> <read>",
    explains: &[
        ("<username>", "name of the user"),
        ("<exchange>", "name of the exchange"),
        ("<write>", "pattern of names that may be written to"),
        ("<read>", "pattern of names that may be read from"),
    ],
    guides: &["access-control"],
    needs: Needs::AppRunning,
    words: Words::exactly(4),
    endpoints: &[&TOPIC_PERMISSION, &VHOST, &USER],
    banner: |call| {
        Some(format!(
            "Setting topic permissions on \"{}\" for user \"{}\" in vhost \"{}\" ...",
            call.word(1),
            call.word(0),
            call.vhost()
        ))
    },
    run: set_topic_permissions,
    ..Command::BLANK
};

fn set_topic_permissions(call: &Call) -> Result<Answer, Failure> {
    let body = json!({"exchange": call.word(1), "write": call.word(2), "read": call.word(3)});
    let reply = call.put(&TOPIC_PERMISSION, &[call.vhost(), call.word(0)], &body)?;
    granted(call, &reply, &call.words[2..4], "").map_err(|failure| {
        let exchange_is_missing = failure.text.contains("no_such_exchange");
        let text = format!("Exchange {} does not exist", call.word(1));
        let json = json!({"result": "error", "node": call.node(), "message": text});
        if exchange_is_missing { Failure::refused(Kind::Unavailable, text).with_json(json) } else { failure }
    })
}

/// `clear_topic_permissions`.
pub const CLEAR_TOPIC_PERMISSIONS: Command = Command {
    name: "clear_topic_permissions",
    section: Section::AccessControl,
    summary: "Clears user topic permissions for a vhost or exchange",
    usage: "clear_topic_permissions [--vhost <vhost>] <username> [<exchange>]",
    explains: &[("<username>", "name of the user"), ("<exchange>", "name of the exchange")],
    guides: &["access-control"],
    needs: Needs::AppRunning,
    words: Words::between(1, 2),
    endpoints: &[&TOPIC_PERMISSION, &TOPIC_PERMISSION_OF_EXCHANGE],
    banner: banner_of_clear_topic,
    run: clear_topic_permissions,
    ..Command::BLANK
};

fn banner_of_clear_topic(call: &Call) -> Option<String> {
    let (user, vhost) = (call.word(0), call.vhost());
    Some(match call.words.get(1) {
        Some(exchange) => {
            format!("Clearing topic permissions on \"{exchange}\" for user \"{user}\" in vhost \"{vhost}\" ...")
        }
        None => format!("Clearing topic permissions for user \"{user}\" in vhost \"{vhost}\" ..."),
    })
}

fn clear_topic_permissions(call: &Call) -> Result<Answer, Failure> {
    let (user, vhost) = (call.word(0), call.vhost());
    cleared(&match call.words.get(1) {
        Some(exchange) => call.delete(&TOPIC_PERMISSION_OF_EXCHANGE, &[vhost, user, exchange], "")?,
        None => call.delete(&TOPIC_PERMISSION, &[vhost, user], "")?,
    })
}
