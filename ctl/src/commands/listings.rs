//! Listings of live objects: queues, exchanges, bindings, connections, channels, consumers.

use std::collections::HashMap;

use serde_json::Value;

use crate::call::Call;
use crate::command::{Columns, Command, Needs, Section, Tool, Words};
use crate::endpoints::{BINDINGS_IN, CHANNELS, CONNECTIONS, CONSUMERS_IN, EXCHANGES_IN, QUEUES_IN};
use crate::exit::Failure;
use crate::output::{Answer, Delivery, Format, Rows};
use crate::parse::Switch;
use crate::term::Term;

/// Commands of this file.
pub const ALL: &[&Command] = &[
    &LIST_BINDINGS,
    &LIST_CHANNELS,
    &LIST_CONNECTIONS,
    &LIST_CONSUMERS,
    &LIST_EXCHANGES,
    &LIST_QUEUES,
    &LIST_UNRESPONSIVE_QUEUES,
];

/// Rows of the objects, one cell per column asked for.
fn streamed(call: &Call, list: &Value, cell: impl Fn(&Value, &str) -> Term) -> Answer {
    let columns = call.columns();
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let rows = items.iter().map(|item| columns.iter().map(|name| cell(item, name)).collect()).collect();
    Answer::Rows(Rows { columns, rows, delivery: Delivery::Streamed, headless: false })
}

fn nothing(call: &Call) -> Answer {
    streamed(call, &Value::Null, |_, _| Term::Missing)
}

/// `list_queues`.
pub const LIST_QUEUES: Command = Command {
    name: "list_queues",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Lists queues and their properties",
    usage: "list_queues [--vhost <vhost>] [--online] [--offline] [--local] [--no-table-headers] [<column>, ...] [--timeout <timeout>]",
    explains: &[
        (
            "<column>",
            "must be one of arguments, auto_delete, consumer_capacity, consumer_utilisation, consumers, disk_reads, disk_writes, durable, effective_policy_definition, exclusive, exclusive_consumer_pid, exclusive_consumer_tag, head_message_timestamp, leader, members, memory, message_bytes, message_bytes_persistent, message_bytes_ram, message_bytes_ready, message_bytes_unacknowledged, messages, messages_persistent, messages_ram, messages_ready, messages_ready_ram, messages_unacknowledged, messages_unacknowledged_ram, name, online, operator_policy, owner_pid, pid, policy, state, type",
        ),
        ("--online", "lists only queues on online (reachable) nodes"),
        ("--offline", "lists only queues on offline (unreachable) nodes"),
        ("--local", "only return queues hosted on the target node"),
    ],
    guides: &["queues"],
    switches: &[Switch::flag("offline"), Switch::flag("online"), Switch::flag("local")],
    needs: Needs::AppRunning,
    format: Format::Table,
    words: Words::ANY,
    endpoints: &[&QUEUES_IN],
    banner: banner_of_queues,
    columns: Some(Columns { known: QUEUE_COLUMNS, default: &["name", "messages"] }),
    run: list_queues,
    ..Command::BLANK
};

const QUEUE_COLUMNS: &[&str] = &[
    "name",
    "durable",
    "auto_delete",
    "arguments",
    "policy",
    "operator_policy",
    "effective_policy_definition",
    "pid",
    "owner_pid",
    "exclusive",
    "exclusive_consumer_pid",
    "exclusive_consumer_tag",
    "messages_ready",
    "messages_unacknowledged",
    "messages",
    "messages_ready_ram",
    "messages_unacknowledged_ram",
    "messages_ram",
    "messages_persistent",
    "message_bytes",
    "message_bytes_ready",
    "message_bytes_unacknowledged",
    "message_bytes_ram",
    "message_bytes_persistent",
    "head_message_timestamp",
    "disk_reads",
    "disk_writes",
    "consumers",
    "consumer_utilisation",
    "consumer_capacity",
    "memory",
    "state",
    "type",
    "leader",
    "members",
    "online",
];

/// The time limit of listings of queues when none is given, in seconds.
const QUEUES_WAIT_SECONDS: i64 = 60;

fn banner_of_queues(call: &Call) -> Option<String> {
    let seconds = call.switches.integer("timeout").unwrap_or(QUEUES_WAIT_SECONDS);
    let seconds = i32::try_from(seconds).map_or(f64::INFINITY, f64::from);
    let seconds = crate::output::float(seconds);
    Some(format!("Timeout: {seconds} seconds ...\nListing queues for vhost {} ...", call.vhost()))
}

/// Fields that RabbitMQ tells as they are when it is asked for no statistics. Otherwise it tells what it has gathered, every
/// few seconds, and nothing of a queue that is younger.
const CURRENT_FIELDS: [&str; 8] =
    ["name", "type", "durable", "auto_delete", "arguments", "messages", "messages_ready", "messages_unacknowledged"];

fn list_queues(call: &Call) -> Result<Answer, Failure> {
    let columns = call.columns();
    let fields = queue_fields(&columns);
    let gathered = format!("columns={}", fields.join(","));
    let current = call.is_over_http() && fields.iter().all(|field| CURRENT_FIELDS.contains(field));
    let query = if current { &format!("{gathered}&disable_stats=true&enable_queue_totals=true") } else { &gathered };
    let mut reply = call.get(&QUEUES_IN, &[call.vhost()], query)?;
    if current && queues(&reply.body).any(|queue| fields.iter().any(|field| queue.get(field).is_none())) {
        // It does not count every type of queue that way.
        let gathered = call.get(&QUEUES_IN, &[call.vhost()], &gathered)?;
        fill(&mut reply.body, &gathered.body, &fields);
    }
    let switches = &call.switches;
    // Every queue of a single node is reachable, so none is on an offline one.
    let none = switches.flag("offline") && !switches.flag("online") && !switches.flag("local");
    if none || !reply.is_ok() {
        return Ok(nothing(call));
    }
    Ok(streamed(call, &reply.body, queue_cell))
}

fn queues(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// Gives queues the fields they lack, from another list of the same.
fn fill(list: &mut Value, gathered: &Value, fields: &[&str]) {
    let by_name: HashMap<&str, &Value> =
        queues(gathered).filter_map(|queue| Some((queue["name"].as_str()?, queue))).collect();
    for queue in list.as_array_mut().into_iter().flatten() {
        let Some(known) = queue["name"].as_str().and_then(|name| by_name.get(name)) else { continue };
        for field in fields {
            if let Some(value) = known.get(field)
                && queue.get(field).is_none()
            {
                queue[*field] = value.clone();
            }
        }
    }
}

/// The fields the columns are made of.
fn queue_fields(columns: &[String]) -> Vec<&str> {
    let mut fields = vec!["name", "type"];
    for column in columns {
        let needed: &[&str] = match column.as_str() {
            "leader" => &["leader", "node"],
            "members" => &["members", "node"],
            other => &[other],
        };
        for field in needed {
            if !fields.contains(field) {
                fields.push(field);
            }
        }
    }
    fields
}

/// Columns that only classic queues fill.
const CLASSIC_COLUMNS: [&str; 8] = [
    "exclusive",
    "messages_persistent",
    "messages_unacknowledged_ram",
    "message_bytes",
    "message_bytes_ready",
    "message_bytes_unacknowledged",
    "message_bytes_persistent",
    "exclusive_consumer_pid",
];

fn queue_cell(queue: &Value, name: &str) -> Term {
    let value = &queue[name];
    let kind = queue["type"].as_str().unwrap_or("classic");
    match name {
        // Counted for classic queues only.
        _ if kind != "classic" && CLASSIC_COLUMNS.contains(&name) => Term::Missing,
        // A stream is no process of its own.
        "pid" if kind == "stream" => Term::Missing,
        "arguments" => Term::amqp_table(value),
        "pid" | "owner_pid" | "exclusive_consumer_pid" => Term::pid(value),
        "effective_policy_definition" => policy_definition(value),
        "leader" if value.is_null() => Term::word(&queue["node"]),
        "members" if value.is_null() => Term::List(vec![Term::word(&queue["node"])]),
        "state" | "type" | "leader" => Term::word(value),
        "members" | "online" => Term::words(value),
        _ => Term::from_json(value),
    }
}

/// A list of pairs, but an empty map.
fn policy_definition(value: &Value) -> Term {
    match value.as_object() {
        Some(entries) if !entries.is_empty() => Term::List(
            entries.iter().map(|(key, value)| Term::pair(Term::text(key.clone()), Term::from_json(value))).collect(),
        ),
        _ => Term::Map(Vec::new()),
    }
}

/// Arguments of a binding are kept in the order of their keys, as they identify it.
fn sorted(table: &Value) -> Value {
    match table {
        Value::Object(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by(|one, other| one.0.cmp(other.0));
            Value::Object(entries.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect())
        }
        other => other.clone(),
    }
}

/// `list_unresponsive_queues`.
pub const LIST_UNRESPONSIVE_QUEUES: Command = Command {
    name: "list_unresponsive_queues",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Tests queues to respond within timeout. Lists those which did not respond",
    usage: "list_unresponsive_queues [--local] [--queue-timeout <seconds>] [<column> ...] [--no-table-headers] [--timeout <timeout>]",
    explains: &[
        ("<column>", "must be one of arguments, auto_delete, durable, name, pid"),
        ("--local", "only queues of this node"),
        ("--queue-timeout <milliseconds>", "time a queue has to answer"),
    ],
    switches: &[Switch::integer("queue-timeout"), Switch::flag("local")],
    needs: Needs::AppRunning,
    format: Format::Table,
    words: Words::ANY,
    endpoints: &[&QUEUES_IN],
    banner: |call| Some(format!("Listing unresponsive queues for vhost {} ...", call.vhost())),
    columns: Some(Columns { known: &["name", "durable", "auto_delete", "arguments", "pid"], default: &["name"] }),
    run: list_unresponsive_queues,
    ..Command::BLANK
};

fn list_unresponsive_queues(call: &Call) -> Result<Answer, Failure> {
    // The node answers for all its queues; one that could not would have failed the request.
    call.get(&QUEUES_IN, &[call.vhost()], "columns=name")?;
    Ok(nothing(call))
}

/// `list_exchanges`.
pub const LIST_EXCHANGES: Command = Command {
    name: "list_exchanges",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Lists exchanges",
    usage: "list_exchanges [--vhost <vhost>] [--no-table-headers] [<column> ...] [--timeout <timeout>]",
    explains: &[("<column>", "must be one of arguments, auto_delete, durable, internal, name, policy, type")],
    needs: Needs::AppRunning,
    format: Format::Table,
    words: Words::ANY,
    endpoints: &[&EXCHANGES_IN],
    banner: |call| Some(format!("Listing exchanges for vhost {} ...", call.vhost())),
    columns: Some(Columns {
        known: &["name", "type", "durable", "auto_delete", "internal", "arguments", "policy"],
        default: &["name", "type"],
    }),
    run: list_exchanges,
    ..Command::BLANK
};

fn list_exchanges(call: &Call) -> Result<Answer, Failure> {
    let reply = call.get(&EXCHANGES_IN, &[call.vhost()], "")?;
    if !reply.is_ok() {
        return Ok(nothing(call));
    }
    Ok(streamed(call, &reply.body, |exchange, name| match name {
        "arguments" => Term::amqp_table(&exchange[name]),
        "type" => Term::word(&exchange[name]),
        _ => Term::from_json(&exchange[name]),
    }))
}

/// `list_bindings`.
pub const LIST_BINDINGS: Command = Command {
    name: "list_bindings",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Lists all bindings on a vhost",
    usage: "list_bindings [--vhost <vhost>] [--no-table-headers] [<column> ...] [--timeout <timeout>]",
    explains: &[(
        "<column>",
        "must be one of arguments, destination_kind, destination_name, routing_key, source_kind, source_name",
    )],
    needs: Needs::AppRunning,
    format: Format::Table,
    words: Words::ANY,
    endpoints: &[&BINDINGS_IN],
    banner: |call| Some(format!("Listing bindings for vhost {}...", call.vhost())),
    columns: Some(Columns { known: BINDING_COLUMNS, default: BINDING_COLUMNS }),
    run: list_bindings,
    ..Command::BLANK
};

const BINDING_COLUMNS: &[&str] =
    &["source_name", "source_kind", "destination_name", "destination_kind", "routing_key", "arguments"];

fn list_bindings(call: &Call) -> Result<Answer, Failure> {
    let reply = call.get(&BINDINGS_IN, &[call.vhost()], "")?;
    if !reply.is_ok() {
        return Ok(nothing(call));
    }
    Ok(streamed(call, &reply.body, |binding, name| match name {
        "source_name" => Term::from_json(&binding["source"]),
        "source_kind" => Term::atom("exchange"),
        "destination_name" => Term::from_json(&binding["destination"]),
        "destination_kind" => Term::word(&binding["destination_type"]),
        "arguments" => Term::amqp_table(&sorted(&binding[name])),
        _ => Term::from_json(&binding[name]),
    }))
}

/// `list_connections`.
pub const LIST_CONNECTIONS: Command = Command {
    name: "list_connections",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Lists AMQP connections for the node",
    usage: "list_connections [--no-table-headers] [<column> ...] [--timeout <timeout>]",
    explains: &[(
        "<column>",
        "must be one of auth_mechanism, channel_max, channels, client_properties, connected_at, container_id, frame_max, host, name, peer_cert_issuer, peer_cert_serial_number, peer_cert_subject, peer_cert_validity, peer_host, peer_port, pid, port, protocol, recv_cnt, recv_oct, send_cnt, send_oct, send_pend, ssl, ssl_cipher, ssl_hash, ssl_key_exchange, ssl_protocol, state, timeout, user, vhost",
    )],
    guides: &["connections"],
    needs: Needs::AppRunning,
    format: Format::Table,
    words: Words::ANY,
    endpoints: &[&CONNECTIONS],
    banner: |_| Some("Listing connections ...".to_owned()),
    columns: Some(Columns { known: CONNECTION_COLUMNS, default: &["user", "peer_host", "peer_port", "state"] }),
    run: list_connections,
    ..Command::BLANK
};

const CONNECTION_COLUMNS: &[&str] = &[
    "pid",
    "name",
    "port",
    "host",
    "peer_port",
    "peer_host",
    "ssl",
    "ssl_protocol",
    "ssl_key_exchange",
    "ssl_cipher",
    "ssl_hash",
    "peer_cert_subject",
    "peer_cert_issuer",
    "peer_cert_serial_number",
    "peer_cert_validity",
    "state",
    "channels",
    "protocol",
    "auth_mechanism",
    "user",
    "vhost",
    "container_id",
    "timeout",
    "frame_max",
    "channel_max",
    "client_properties",
    "recv_oct",
    "recv_cnt",
    "send_oct",
    "send_cnt",
    "send_pend",
    "connected_at",
];

fn list_connections(call: &Call) -> Result<Answer, Failure> {
    let reply = call.get(&CONNECTIONS, &[], "")?;
    Ok(streamed(call, &reply.body, |connection, name| {
        let value = &connection[name];
        match name {
            "pid" => Term::pid(value),
            "host" | "peer_host" => Term::address(value),
            "state" => Term::word(value),
            "protocol" => protocol(value),
            "client_properties" => Term::amqp_table(value),
            _ => Term::from_json(value),
        }
    }))
}

/// `AMQP 0-9-1` is a tuple of its numbers.
fn protocol(value: &Value) -> Term {
    let text = value.as_str().unwrap_or_default();
    let numbers: Option<Vec<Term>> = text
        .rsplit(' ')
        .next()
        .map(|version| version.split('-').map(|part| part.parse().ok().map(Term::Int)).collect::<Option<Vec<_>>>())
        .unwrap_or_default();
    match numbers {
        Some(numbers) if numbers.len() > 1 => Term::Tuple(numbers),
        _ => Term::from_json(value),
    }
}

/// `list_channels`.
pub const LIST_CHANNELS: Command = Command {
    name: "list_channels",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Lists all channels in the node",
    usage: "list_channels [--no-table-headers] [<column> ...]",
    explains: &[(
        "<column>",
        "must be one of acks_uncommitted, confirm, connection, consumer_count, messages_unacknowledged, messages_uncommitted, messages_unconfirmed, name, number, pid, prefetch_count, transactional, user, vhost",
    )],
    guides: &["channels"],
    needs: Needs::AppRunning,
    format: Format::Table,
    words: Words::ANY,
    endpoints: &[&CHANNELS, &CONNECTIONS],
    banner: |_| Some("Listing channels ...".to_owned()),
    columns: Some(Columns {
        known: CHANNEL_COLUMNS,
        default: &["pid", "user", "consumer_count", "messages_unacknowledged"],
    }),
    run: list_channels,
    ..Command::BLANK
};

const CHANNEL_COLUMNS: &[&str] = &[
    "pid",
    "connection",
    "name",
    "number",
    "user",
    "vhost",
    "transactional",
    "confirm",
    "consumer_count",
    "messages_unacknowledged",
    "messages_uncommitted",
    "acks_uncommitted",
    "messages_unconfirmed",
    "prefetch_count",
];

fn list_channels(call: &Call) -> Result<Answer, Failure> {
    let reply = call.get(&CHANNELS, &[], "")?;
    // Channels name their connection; its process id is the connection's.
    let connections = match call.columns().iter().any(|column| column == "connection") {
        true => call.get(&CONNECTIONS, &[], "columns=name,pid")?.body,
        false => Value::Null,
    };
    let pid_of = |name: &Value| {
        let all = connections.as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter()
            .find(|connection| connection["name"] == *name)
            .map_or(Term::Missing, |found| Term::pid(&found["pid"]))
    };
    Ok(streamed(call, &reply.body, |channel, name| match name {
        "pid" => Term::pid(&channel[name]),
        "connection" => pid_of(&channel["connection_details"]["name"]),
        _ => Term::from_json(&channel[name]),
    }))
}

/// `list_consumers`.
pub const LIST_CONSUMERS: Command = Command {
    name: "list_consumers",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Lists all consumers for a vhost",
    usage: "list_consumers [--vhost <vhost>] [--no-table-headers] [<column> ...] [--timeout <timeout>]",
    explains: &[(
        "<column>",
        "must be one of ack_required, active, activity_status, arguments, channel_pid, consumer_tag, prefetch_count, queue_name",
    )],
    guides: &["consumers"],
    needs: Needs::AppRunning,
    format: Format::Table,
    words: Words::ANY,
    endpoints: &[&CONSUMERS_IN],
    banner: |call| Some(format!("Listing consumers in vhost {} ...", call.vhost())),
    columns: Some(Columns {
        known: &[
            "queue_name",
            "channel_pid",
            "consumer_tag",
            "ack_required",
            "prefetch_count",
            "active",
            "activity_status",
            "arguments",
        ],
        default: &[
            "queue_name",
            "channel_pid",
            "consumer_tag",
            "ack_required",
            "prefetch_count",
            "active",
            "arguments",
        ],
    }),
    run: list_consumers,
    ..Command::BLANK
};

fn list_consumers(call: &Call) -> Result<Answer, Failure> {
    let reply = call.get(&CONSUMERS_IN, &[call.vhost()], "")?;
    if !reply.is_ok() {
        return Ok(nothing(call));
    }
    let answer = streamed(call, &reply.body, |consumer, name| match name {
        "queue_name" => Term::from_json(&consumer["queue"]["name"]),
        "channel_pid" => Term::pid(&consumer["channel_details"]["pid"]),
        "activity_status" => Term::word(&consumer[name]),
        "arguments" => Term::amqp_table(&consumer[name]),
        _ => Term::from_json(&consumer[name]),
    });
    Ok(match answer {
        Answer::Rows(rows) => Answer::Rows(Rows { delivery: Delivery::Chunked, ..rows }),
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_counted_now_stays_and_what_is_not_comes_from_what_was_gathered() {
        let mut now = json!([{"name": "a", "messages": 2}, {"name": "s"}, {"name": "young"}]);
        let gathered = json!([{"name": "s", "messages": 7}, {"name": "a", "messages": 1}]);
        fill(&mut now, &gathered, &["name", "messages"]);
        assert_eq!(now, json!([{"name": "a", "messages": 2}, {"name": "s", "messages": 7}, {"name": "young"}]));
    }
}
