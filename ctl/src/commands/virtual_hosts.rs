//! Virtual hosts: creating, deleting, metadata, tracing.

use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::command::{Columns, Command, Needs, Section, Tool, Words};
use crate::endpoints::{VHOST, VHOST_PROTECTION, VHOSTS};
use crate::exit::{Failure, Kind};
use crate::output::{Answer, Format, Rows};
use crate::parse::Switch;
use crate::term::Term;

/// Commands of this file.
pub const ALL: &[&Command] = &[
    &ADD_VHOST,
    &DELETE_VHOST,
    &DISABLE_VHOST_DELETION_PROTECTION,
    &ENABLE_VHOST_DELETION_PROTECTION,
    &LIST_VHOSTS,
    &RECONCILE_VHOSTS,
    &RESTART_VHOST,
    &SET_VHOST_TAGS,
    &TRACE_OFF,
    &TRACE_ON,
    &UPDATE_VHOST_METADATA,
];

const QUEUE_TYPES: [&str; 3] = ["quorum", "stream", "classic"];

fn check_queue_type(call: &Call) -> Result<(), Failure> {
    match call.switches.text("default-queue-type") {
        Some(kind) if !QUEUE_TYPES.contains(&kind) => Err(Failure::bad_argument(format!(
            "Default queue type must be one of: {}. Provided: {kind}",
            QUEUE_TYPES.join(", ")
        ))),
        _ => Ok(()),
    }
}

/// `add_vhost`.
pub const ADD_VHOST: Command = Command {
    name: "add_vhost",
    section: Section::VirtualHosts,
    summary: "Creates a virtual host",
    usage: "add_vhost <vhost> [--description <description> --tags \"<tag1>,<tag2>,<...>\" --default-queue-type <quorum|classic|stream>]",
    explains: &[
        ("<vhost>", "Virtual host name"),
        ("--description <description>", "Virtual host description"),
        ("--tags <tag1,tag2>", "Comma-separated list of tags"),
        (
            "--default-queue-type <quorum|classic|stream>",
            "Queue type to use if no type is explicitly provided by the client",
        ),
    ],
    guides: &["vhosts"],
    switches: &[Switch::text("description").short('d'), Switch::text("tags"), Switch::text("default-queue-type")],
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&VHOST],
    check: check_queue_type,
    banner: |call| Some(format!("Adding vhost \"{}\" ...", call.word(0))),
    run: add_vhost,
    ..Command::BLANK
};

fn add_vhost(call: &Call) -> Result<Answer, Failure> {
    if call.word(0).is_empty() {
        call.require()?;
        return Err(Failure::refused(Kind::Data, "the name of a virtual host cannot be empty"));
    }
    // One that is there stays as it is.
    if call.get(&VHOST, &[call.word(0)], "")?.is_ok() {
        return Ok(Answer::Done);
    }
    put(call, call.word(0), &Value::Object(given_metadata(call)))
}

/// The metadata the switches name.
fn given_metadata(call: &Call) -> Map<String, Value> {
    let mut body = Map::new();
    if let Some(description) = call.switches.text("description") {
        body.insert("description".to_owned(), json!(description));
    }
    if let Some(tags) = call.switches.text("tags") {
        let tags: Vec<&str> = tags.split(',').map(str::trim).filter(|tag| !tag.is_empty()).collect();
        body.insert("tags".to_owned(), json!(tags));
    }
    if let Some(kind) = call.switches.text("default-queue-type") {
        body.insert("default_queue_type".to_owned(), json!(kind));
    }
    body
}

fn put(call: &Call, vhost: &str, body: &Value) -> Result<Answer, Failure> {
    let reply = call.put(&VHOST, &[vhost], body)?;
    if reply.is_ok() { Ok(Answer::Done) } else { Err(Failure::refused(Kind::Unavailable, reply.reason())) }
}

/// `delete_vhost`.
pub const DELETE_VHOST: Command = Command {
    name: "delete_vhost",
    section: Section::VirtualHosts,
    summary: "Deletes a virtual host",
    usage: "delete_vhost <vhost>",
    explains: &[("<vhost>", "name of the virtual host")],
    guides: &["vhosts"],
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&VHOST],
    banner: |call| Some(format!("Deleting vhost \"{}\" ...", call.word(0))),
    run: delete_vhost,
    ..Command::BLANK
};

fn delete_vhost(call: &Call) -> Result<Answer, Failure> {
    if call.word(0).is_empty() {
        return call.require().and_then(|()| Err(Failure::no_vhost("")));
    }
    let reply = call.delete(&VHOST, &[call.word(0)], "")?;
    match reply.status {
        404 => Err(Failure::no_vhost(call.word(0))),
        412 => {
            let text = "Cannot delete this virtual host: it is protected from deletion. To lift the protection, inspect \
                        and update its metadata";
            let json = json!({"node": call.node(), "reason": text, "result": "error"});
            Err(Failure::refused(Kind::Data, text).with_json(json))
        }
        _ if reply.is_ok() => Ok(Answer::Done),
        _ => Err(Failure::refused(Kind::Unavailable, reply.reason())),
    }
}

/// `enable_vhost_deletion_protection`.
pub const ENABLE_VHOST_DELETION_PROTECTION: Command = Command {
    name: "enable_vhost_deletion_protection",
    section: Section::VirtualHosts,
    summary: "Protects a virtual host from deletion (until the protection is removed)",
    usage: "enable_vhost_deletion_protection <vhost>",
    explains: &[("<vhost>", "name of the virtual host")],
    guides: &["vhosts"],
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&VHOST_PROTECTION],
    banner: |call| {
        Some(format!("Protecting virtual host \"{}\" from removal by updating its metadata...", call.word(0)))
    },
    run: enable_vhost_deletion_protection,
    ..Command::BLANK
};

fn enable_vhost_deletion_protection(call: &Call) -> Result<Answer, Failure> {
    let reply = call.post(&VHOST_PROTECTION, &[call.word(0)], None)?;
    if reply.is_ok() { Ok(Answer::Done) } else { Err(Failure::no_vhost(call.word(0))) }
}

/// `disable_vhost_deletion_protection`.
pub const DISABLE_VHOST_DELETION_PROTECTION: Command = Command {
    name: "disable_vhost_deletion_protection",
    section: Section::VirtualHosts,
    summary: "Removes deletion protection from a virtual host (so that it can be deleted)",
    usage: "disable_vhost_deletion_protection <vhost>",
    explains: &[("<vhost>", "name of the virtual host")],
    guides: &["vhosts"],
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&VHOST_PROTECTION],
    banner: |call| {
        Some(format!("Removing deletion protection from virtual host \"{}\" by updating its metadata...", call.word(0)))
    },
    run: disable_vhost_deletion_protection,
    ..Command::BLANK
};

fn disable_vhost_deletion_protection(call: &Call) -> Result<Answer, Failure> {
    let reply = call.delete(&VHOST_PROTECTION, &[call.word(0)], "")?;
    if reply.is_ok() { Ok(Answer::Done) } else { Err(Failure::no_vhost(call.word(0))) }
}

/// `list_vhosts`.
pub const LIST_VHOSTS: Command = Command {
    name: "list_vhosts",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::AccessControl,
    summary: "Lists virtual hosts",
    usage: "list_vhosts [--no-table-headers] [<column> ...] [--timeout <timeout>]",
    explains: &[(
        "<column>",
        "must be one of cluster_state, default_queue_type, description, metadata, name, protected_from_deletion, tags, tracing",
    )],
    guides: &["vhosts", "access-control"],
    needs: Needs::AppRunning,
    format: Format::Table,
    words: Words::ANY,
    endpoints: &[&VHOSTS],
    banner: |_| Some("Listing vhosts ...".to_owned()),
    columns: Some(Columns {
        known: &[
            "name",
            "description",
            "tags",
            "default_queue_type",
            "protected_from_deletion",
            "tracing",
            "cluster_state",
            "metadata",
        ],
        default: &["name"],
    }),
    run: list_vhosts,
    ..Command::BLANK
};

fn list_vhosts(call: &Call) -> Result<Answer, Failure> {
    let columns = call.columns();
    let reply = call.get(&VHOSTS, &[], "")?;
    let vhosts = reply.body.as_array().map(Vec::as_slice).unwrap_or_default();
    let rows = vhosts.iter().map(|vhost| columns.iter().map(|name| column(vhost, name)).collect()).collect();
    Ok(Answer::Rows(Rows { columns, rows, ..Rows::default() }))
}

fn column(vhost: &Value, name: &str) -> Term {
    let value = &vhost[name];
    match name {
        "tags" => Term::words(value),
        "default_queue_type" => queue_type(value),
        "protected_from_deletion" => Term::Bool(value.as_bool().unwrap_or(false)),
        "cluster_state" => Term::List(
            value
                .as_object()
                .into_iter()
                .flatten()
                .map(|(node, state)| Term::pair(Term::atom(node.clone()), Term::word(state)))
                .collect(),
        ),
        "metadata" => {
            let mut entries: Vec<(String, Term)> = value
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, value)| {
                    let term = match key.as_str() {
                        "tags" => Term::words(value),
                        "default_queue_type" => queue_type(value),
                        _ => Term::from_json(value),
                    };
                    (key.clone(), term)
                })
                .collect();
            entries.sort_by(|one, other| one.0.cmp(&other.0));
            Term::map(entries)
        }
        _ => Term::from_json(value),
    }
}

fn queue_type(value: &Value) -> Term {
    match value.as_str() {
        Some("undefined") | None => Term::text("classic"),
        Some(kind) => Term::text(kind),
    }
}

/// `update_vhost_metadata`.
pub const UPDATE_VHOST_METADATA: Command = Command {
    name: "update_vhost_metadata",
    section: Section::VirtualHosts,
    summary: "Updates metadata (tags, description, default queue type, protection from deletion) a virtual host",
    usage: "update_vhost_metadata <vhost> [--description=<description>] [--tags=\"<tag1>,<tag2>,<...>\"] [--default-queue-type=<quorum|classic|stream>] [--protected-from-deletion=<true|false>]",
    explains: &[
        ("<vhost>", "name of the virtual host"),
        ("--description <description>", "description"),
        ("--tags <tag1,tag2>", "tags, separated by commas"),
        ("--default-queue-type <quorum|classic|stream>", "type of queues declared without one"),
        ("--protected-from-deletion", "whether deleting it is refused"),
    ],
    guides: &["vhosts"],
    switches: &[
        Switch::text("description").short('d'),
        Switch::text("tags"),
        Switch::text("default-queue-type"),
        Switch::flag("protected-from-deletion"),
    ],
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&VHOST, &VHOST_PROTECTION],
    check: check_update,
    banner: |call| Some(format!("Updating metadata of vhost \"{}\" ...", call.word(0))),
    run: update_vhost_metadata,
    ..Command::BLANK
};

fn check_update(call: &Call) -> Result<(), Failure> {
    check_queue_type(call)?;
    let given = ["description", "tags", "default-queue-type", "protected-from-deletion"];
    if given.iter().any(|name| call.switches.has(name)) { Ok(()) } else { Err(Failure::usage("not enough arguments.")) }
}

fn update_vhost_metadata(call: &Call) -> Result<Answer, Failure> {
    let change = given_metadata(call);
    if !change_metadata(call, &change)? {
        return Err(Failure::no_vhost(call.word(0)));
    }
    if call.switches.has("protected-from-deletion") {
        return if call.switches.flag("protected-from-deletion") {
            enable_vhost_deletion_protection(call)
        } else {
            disable_vhost_deletion_protection(call)
        };
    }
    Ok(Answer::Done)
}

/// Changes some metadata and keeps the rest; `false` when the virtual host is not there.
fn change_metadata(call: &Call, change: &Map<String, Value>) -> Result<bool, Failure> {
    let found = call.get(&VHOST, &[call.word(0)], "")?;
    if !found.is_ok() {
        return Ok(false);
    }
    let mut body = Map::new();
    for key in ["description", "tags", "default_queue_type", "tracing"] {
        let value = change.get(key).unwrap_or(&found.body[key]);
        if !value.is_null() {
            body.insert(key.to_owned(), value.clone());
        }
    }
    put(call, call.word(0), &Value::Object(body))?;
    Ok(true)
}

/// `set_vhost_tags`.
pub const SET_VHOST_TAGS: Command = Command {
    name: "set_vhost_tags",
    section: Section::VirtualHosts,
    summary: "Sets virtual host tags",
    usage: "set_vhost_tags <vhost> <tag> [...]",
    explains: &[("<vhost>", "name of the virtual host"), ("<tags>", "tags, separated by blanks")],
    guides: &["vhosts"],
    needs: Needs::AppRunning,
    words: Words::at_least(1),
    endpoints: &[&VHOST],
    banner: |call| {
        Some(format!("Setting tags for virtual host \"{}\" to [{}] ...", call.word(0), call.words[1..].join(", ")))
    },
    run: set_vhost_tags,
    ..Command::BLANK
};

fn set_vhost_tags(call: &Call) -> Result<Answer, Failure> {
    let change = Map::from_iter([("tags".to_owned(), json!(call.words[1..]))]);
    if change_metadata(call, &change)? {
        return Ok(Answer::Done);
    }
    let (name, node) = (call.word(0), call.node());
    let json = json!({"result": "error", "node": node, "message": format!("Virtual host \"{name}\" does not exists")});
    Err(Failure::refused(Kind::Data, format!("Virtual host \"{name}\" does not exist")).with_json(json))
}

/// `trace_on`.
pub const TRACE_ON: Command = Command {
    name: "trace_on",
    section: Section::VirtualHosts,
    summary: "",
    usage: "trace_on [--vhost <vhost>]",
    guides: &["firehose", "vhosts"],
    endpoints: &[&VHOST],
    needs: Needs::AppRunning,
    banner: |call| Some(format!("Starting tracing for vhost \"{}\" ...", call.vhost())),
    run: trace_on,
    // The reference does not count them.
    words: Words::ANY,
    ..Command::BLANK
};

fn trace_on(call: &Call) -> Result<Answer, Failure> {
    set_tracing(call, true)?;
    Ok(call.told(format!("Trace enabled for vhost {}", call.vhost())))
}

/// `trace_off`.
pub const TRACE_OFF: Command = Command {
    name: "trace_off",
    section: Section::VirtualHosts,
    summary: "",
    usage: "trace_off [--vhost <vhost>]",
    guides: &["firehose", "vhosts"],
    endpoints: &[&VHOST],
    needs: Needs::AppRunning,
    banner: |call| Some(format!("Stopping tracing for vhost \"{}\" ...", call.vhost())),
    run: trace_off,
    // The reference does not count them.
    words: Words::ANY,
    ..Command::BLANK
};

fn trace_off(call: &Call) -> Result<Answer, Failure> {
    set_tracing(call, false)?;
    Ok(call.told(format!("Trace disabled for vhost {}", call.vhost())))
}

/// Tracing of a virtual host that is not there is turned on and off without complaint.
fn set_tracing(call: &Call, on: bool) -> Result<(), Failure> {
    let found = call.get(&VHOST, &[call.vhost()], "")?;
    if !found.is_ok() {
        return Ok(());
    }
    let mut body = Map::new();
    for key in ["description", "tags", "default_queue_type"] {
        if !found.body[key].is_null() {
            body.insert(key.to_owned(), found.body[key].clone());
        }
    }
    body.insert("tracing".to_owned(), json!(on));
    put(call, call.vhost(), &Value::Object(body)).map(|_| ())
}

/// `restart_vhost`.
pub const RESTART_VHOST: Command = Command {
    name: "restart_vhost",
    section: Section::VirtualHosts,
    summary: "Restarts a failed vhost data stores and queues",
    usage: "restart_vhost [--vhost <vhost>] [--timeout <timeout>]",
    explains: &[("--vhost", "virtual host")],
    guides: &["vhosts", "monitoring"],
    needs: Needs::AppRunning,
    endpoints: &[&VHOST],
    banner: |call| Some(format!("Trying to restart vhost '{}' on node '{}' ...", call.vhost(), call.node())),
    run: restart_vhost,
    ..Command::BLANK
};

fn restart_vhost(call: &Call) -> Result<Answer, Failure> {
    let (vhost, node) = (call.vhost(), call.node());
    if call.get(&VHOST, &[vhost], "")?.is_ok() {
        // A virtual host is served by its owner task as long as it exists.
        return Ok(Answer::Message(format!("Vhost '{vhost}' is already running on node '{node}'")));
    }
    let text = format!("Failed to start vhost '{vhost}' on node '{node}'Reason: {{:no_such_vhost, \"{vhost}\"}}");
    Err(Failure::refused(Kind::Software, text))
}

/// `reconcile_vhosts`.
pub const RECONCILE_VHOSTS: Command = Command {
    name: "reconcile_vhosts",
    section: Section::VirtualHosts,
    summary: "Makes sure all virtual hosts were initialized on all reachable cluster nodes",
    usage: "reconcile_vhosts [--timeout <timeout>]",
    guides: &["vhosts", "monitoring"],
    needs: Needs::AppRunning,
    banner: |_| Some("Will try to initiate virtual host reconciliation on all reachable cluster nodes...".to_owned()),
    run: reconcile_vhosts,
    ..Command::BLANK
};

fn reconcile_vhosts(call: &Call) -> Result<Answer, Failure> {
    // Every virtual host already runs on the only node that could run it.
    call.require()?;
    Ok(Answer::Done)
}
