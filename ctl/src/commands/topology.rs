//! Declaring queues, exchanges and bindings, and deleting the latter two: verbs the reference has over HTTP only.

use openapi::Endpoint;
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::client::Reply;
use crate::command::{Command, Needs, Section, Words};
use crate::document;
use crate::endpoints::{
    BINDING_TO_EXCHANGE, BINDING_TO_QUEUE, BINDINGS_TO_EXCHANGE, BINDINGS_TO_QUEUE, EXCHANGE, QUEUE,
};
use crate::exit::{Failure, Kind};
use crate::output::Answer;
use crate::parse::Switch;

/// Commands of this file.
pub const ALL: &[&Command] = &[&DECLARE_BINDING, &DECLARE_EXCHANGE, &DECLARE_QUEUE, &DELETE_BINDING, &DELETE_EXCHANGE];

/// The arguments given as JSON.
fn arguments(call: &Call) -> Result<Map<String, Value>, Failure> {
    call.switches.text("arguments").map_or_else(|| Ok(Map::new()), |text| document::parse_object(call, text))
}

/// What was declared, or why it was not.
fn declared(reply: &Reply) -> Result<Answer, Failure> {
    if reply.is_ok() { Ok(Answer::Done) } else { Err(refused(reply)) }
}

fn refused(reply: &Reply) -> Failure {
    let kind = if reply.status == 404 { Kind::Data } else { Kind::Unavailable };
    Failure::refused(kind, reply.reason())
}

const ARGUMENTS: (&str, &str) = ("--arguments <json>", "further arguments, a JSON object");

/// `declare_queue`.
pub const DECLARE_QUEUE: Command = Command {
    name: "declare_queue",
    section: Section::Own,
    summary: "Declares a queue; one that is already there with the same properties stays as it is",
    usage: "declare_queue [--vhost <vhost>] <queue> [--type <classic|quorum|stream>] [--transient] [--auto-delete] [--arguments <json>]",
    explains: &[
        ("<queue>", "name of the queue"),
        ("--type <classic|quorum|stream>", "its type; that of the virtual host when left out"),
        ("--transient", "does not outlive a restart"),
        ("--auto-delete", "goes with its last consumer"),
        ARGUMENTS,
    ],
    guides: &["queues"],
    switches: &[
        Switch::text("type"),
        Switch::flag("transient"),
        Switch::flag("auto-delete"),
        Switch::text("arguments"),
    ],
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&QUEUE],
    banner: |call| Some(format!("Declaring queue '{}' in vhost '{}' ...", call.word(0), call.vhost())),
    run: declare_queue,
    ..Command::BLANK
};

fn declare_queue(call: &Call) -> Result<Answer, Failure> {
    let mut arguments = arguments(call)?;
    if let Some(kind) = call.switches.text("type") {
        arguments.insert("x-queue-type".to_owned(), json!(kind));
    }
    let body = json!({
        "durable": !call.switches.flag("transient"),
        "auto_delete": call.switches.flag("auto-delete"),
        "arguments": arguments,
    });
    declared(&call.put(&QUEUE, &[call.vhost(), call.word(0)], &body)?)
}

/// `declare_exchange`.
pub const DECLARE_EXCHANGE: Command = Command {
    name: "declare_exchange",
    section: Section::Own,
    summary: "Declares an exchange; one that is already there with the same properties stays as it is",
    usage: "declare_exchange [--vhost <vhost>] <exchange> [<type>] [--transient] [--auto-delete] [--internal] [--arguments <json>]",
    explains: &[
        ("<exchange>", "name of the exchange"),
        ("<type>", "direct, fanout, topic, headers or another one the node has; direct when left out"),
        ("--transient", "does not outlive a restart"),
        ("--auto-delete", "goes with its last binding"),
        ("--internal", "takes messages from other exchanges only"),
        ARGUMENTS,
    ],
    guides: &["exchanges"],
    switches: &[
        Switch::flag("transient"),
        Switch::flag("auto-delete"),
        Switch::flag("internal"),
        Switch::text("arguments"),
    ],
    needs: Needs::AppRunning,
    words: Words::between(1, 2),
    endpoints: &[&EXCHANGE],
    banner: |call| Some(format!("Declaring exchange '{}' in vhost '{}' ...", call.word(0), call.vhost())),
    run: declare_exchange,
    ..Command::BLANK
};

fn declare_exchange(call: &Call) -> Result<Answer, Failure> {
    let body = json!({
        "type": call.words.get(1).map_or("direct", String::as_str),
        "durable": !call.switches.flag("transient"),
        "auto_delete": call.switches.flag("auto-delete"),
        "internal": call.switches.flag("internal"),
        "arguments": arguments(call)?,
    });
    declared(&call.put(&EXCHANGE, &[call.vhost(), call.word(0)], &body)?)
}

/// `delete_exchange`.
pub const DELETE_EXCHANGE: Command = Command {
    name: "delete_exchange",
    section: Section::Own,
    summary: "Deletes an exchange and its bindings",
    usage: "delete_exchange [--vhost <vhost>] <exchange> [--if-unused|-u]",
    explains: &[("<exchange>", "name of the exchange"), ("--if-unused", "only if nothing is bound to it")],
    guides: &["exchanges"],
    switches: &[Switch::flag("if-unused").short('u')],
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&EXCHANGE],
    banner: |call| Some(format!("Deleting exchange '{}' in vhost '{}' ...", call.word(0), call.vhost())),
    run: delete_exchange,
    ..Command::BLANK
};

fn delete_exchange(call: &Call) -> Result<Answer, Failure> {
    let condition = if call.switches.flag("if-unused") { "if-unused=true" } else { "" };
    let reply = call.delete(&EXCHANGE, &[call.vhost(), call.word(0)], condition)?;
    match reply.status {
        404 => {
            let text = format!("exchange '{}' was not found in virtual host '{}'", call.word(0), call.vhost());
            Err(Failure::plain(Kind::Data, text))
        }
        _ => declared(&reply),
    }
}

const BINDING_SWITCHES: &[Switch] =
    &[Switch::text("routing-key").short('k'), Switch::text("destination-type"), Switch::text("arguments")];

/// `declare_binding`.
pub const DECLARE_BINDING: Command = Command {
    name: "declare_binding",
    section: Section::Own,
    summary: "Binds a queue or an exchange to an exchange; a binding that is already there stays",
    usage: "declare_binding [--vhost <vhost>] <source> <destination> [--routing-key <key>] [--destination-type <queue|exchange>] [--arguments <json>]",
    explains: &[
        ("<source>", "name of the exchange messages come from"),
        ("<destination>", "name of the queue or exchange they go to"),
        ("--routing-key <key>", "routing key or pattern; empty when left out"),
        ("--destination-type <queue|exchange>", "what the destination is; a queue when left out"),
        ARGUMENTS,
    ],
    guides: &["exchanges"],
    switches: BINDING_SWITCHES,
    needs: Needs::AppRunning,
    words: Words::exactly(2),
    endpoints: &[&BINDINGS_TO_QUEUE, &BINDINGS_TO_EXCHANGE],
    check: check_destination,
    banner: |call| {
        Some(format!("Binding '{}' to exchange '{}' in vhost '{}' ...", call.word(1), call.word(0), call.vhost()))
    },
    run: declare_binding,
    ..Command::BLANK
};

fn check_destination(call: &Call) -> Result<(), Failure> {
    match call.switches.text("destination-type") {
        None | Some("queue" | "exchange") => Ok(()),
        Some(other) => Err(Failure::bad_argument(format!("destination type must be queue or exchange, not {other}"))),
    }
}

/// The endpoints of bindings to the destination: all, and one.
fn between(call: &Call) -> (&'static Endpoint, &'static Endpoint) {
    match call.switches.text("destination-type") {
        Some("exchange") => (&BINDINGS_TO_EXCHANGE, &BINDING_TO_EXCHANGE),
        _ => (&BINDINGS_TO_QUEUE, &BINDING_TO_QUEUE),
    }
}

fn declare_binding(call: &Call) -> Result<Answer, Failure> {
    let key = call.switches.text("routing-key").unwrap_or_default();
    let body = json!({"routing_key": key, "arguments": arguments(call)?});
    declared(&call.post(between(call).0, &[call.vhost(), call.word(0), call.word(1)], Some(&body))?)
}

/// `delete_binding`.
pub const DELETE_BINDING: Command = Command {
    name: "delete_binding",
    section: Section::Own,
    summary: "Removes a binding",
    usage: "delete_binding [--vhost <vhost>] <source> <destination> [--routing-key <key>] [--destination-type <queue|exchange>] [--arguments <json>]",
    explains: DECLARE_BINDING.explains,
    guides: &["exchanges"],
    switches: BINDING_SWITCHES,
    needs: Needs::AppRunning,
    words: Words::exactly(2),
    endpoints: &[&BINDINGS_TO_QUEUE, &BINDINGS_TO_EXCHANGE, &BINDING_TO_QUEUE, &BINDING_TO_EXCHANGE],
    check: check_destination,
    banner: |call| {
        Some(format!("Unbinding '{}' from exchange '{}' in vhost '{}' ...", call.word(1), call.word(0), call.vhost()))
    },
    run: delete_binding,
    ..Command::BLANK
};

fn delete_binding(call: &Call) -> Result<Answer, Failure> {
    let (all, one) = between(call);
    let names = [call.vhost(), call.word(0), call.word(1)];
    let (key, arguments) = (call.switches.text("routing-key").unwrap_or_default(), Value::Object(arguments(call)?));
    let reply = call.get(all, &names, "")?;
    let bindings = reply.body.as_array().map(Vec::as_slice).unwrap_or_default();
    // The API names a binding by a key it makes of both; only the list tells it.
    let found = bindings.iter().find(|binding| binding["routing_key"] == key && binding["arguments"] == arguments);
    let Some(properties) = found.and_then(|binding| binding["properties_key"].as_str()) else {
        let text =
            format!("no binding from '{}' to '{}' has routing key '{key}' and these arguments", names[1], names[2]);
        return Err(Failure::plain(Kind::Data, text));
    };
    declared(&call.delete(one, &[names[0], names[1], names[2], properties], "")?)
}
