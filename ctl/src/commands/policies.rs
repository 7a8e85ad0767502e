//! Policies and operator policies.

use openapi::Endpoint;
use serde_json::{Value, json};

use crate::call::Call;
use crate::client::Reply;
use crate::command::{Command, Needs, Section, Tool, Words};
use crate::document;
use crate::endpoints::{EXCHANGE, OPERATOR_POLICIES_IN, OPERATOR_POLICY, POLICIES_IN, POLICY, QUEUE};
use crate::exit::{Failure, Kind};
use crate::output::{Answer, Format, Rows};
use crate::parse::Switch;
use crate::term::Term;

/// Commands of this file.
pub const ALL: &[&Command] = &[
    &CLEAR_OPERATOR_POLICY,
    &CLEAR_POLICY,
    &LIST_OPERATOR_POLICIES,
    &LIST_POLICIES,
    &SET_OPERATOR_POLICY,
    &SET_POLICY,
    &LIST_POLICIES_THAT_MATCH,
];

/// `set_policy`.
pub const SET_POLICY: Command = Command {
    name: "set_policy",
    section: Section::Policies,
    summary: "Sets or updates a policy",
    usage: "set_policy [--vhost <vhost>] [--priority <priority>] [--apply-to <apply-to>] <name> <pattern> <definition>",
    explains: &[
        ("<name>", "policy name (identifier)"),
        ("<pattern>", "regular expression pattern that will be used to match queues, exchanges, etc"),
        ("<definition>", "policy definition (arguments). Must be a valid JSON document"),
        ("--priority <priority>", "policy priority"),
        (
            "--apply-to <queues | exchanges | all>",
            "policy should only apply to queues, exchanges, or all entities (both of the above)",
        ),
    ],
    guides: &["parameters"],
    switches: &[Switch::integer("priority"), Switch::text("apply-to")],
    needs: Needs::AppRunning,
    words: Words::exactly(3),
    endpoints: &[&POLICY],
    banner: |call| banner_of_set(call, "policy"),
    run: |call| set(call, &POLICY),
    ..Command::BLANK
};

/// `set_operator_policy`.
pub const SET_OPERATOR_POLICY: Command = Command {
    name: "set_operator_policy",
    section: Section::Policies,
    summary: "Sets an operator policy that overrides a subset of arguments in user policies",
    usage: "set_operator_policy [--vhost <vhost>] [--priority <priority>] [--apply-to <apply-to>] <name> <pattern> <definition>",
    explains: &[
        ("<name>", "name"),
        ("<pattern>", "regular expression that names must match"),
        ("<definition>", "a JSON object"),
        ("--priority <priority>", "the highest priority that matches wins"),
        ("--apply-to <queues | exchanges | all>", "kinds of objects it applies to"),
    ],
    guides: &["parameters"],
    switches: &[Switch::integer("priority"), Switch::text("apply-to")],
    needs: Needs::AppRunning,
    words: Words::exactly(3),
    endpoints: &[&OPERATOR_POLICY],
    banner: |call| banner_of_set(call, "operator policy override"),
    run: |call| set(call, &OPERATOR_POLICY),
    ..Command::BLANK
};

fn banner_of_set(call: &Call, what: &str) -> Option<String> {
    Some(format!(
        "Setting {what} \"{}\" for pattern \"{}\" to \"{}\" with priority \"{}\" for vhost \"{}\" ...",
        call.word(0),
        call.word(1),
        call.word(2),
        priority(call),
        call.vhost()
    ))
}

fn priority(call: &Call) -> i64 {
    call.switches.integer("priority").unwrap_or(0)
}

fn set(call: &Call, endpoint: &Endpoint) -> Result<Answer, Failure> {
    let definition = document::parse_object(call, call.word(2))?;
    let body = json!({
        "pattern": call.word(1),
        "definition": definition,
        "priority": priority(call),
        "apply-to": call.switches.text("apply-to").unwrap_or("all"),
    });
    let reply = call.put(endpoint, &[call.vhost(), call.word(0)], &body)?;
    match reply.status {
        404 => Err(Failure::no_vhost(call.vhost())),
        _ if reply.is_ok() => Ok(Answer::Done),
        _ => Err(Failure::refused(Kind::Unavailable, reply.reason())),
    }
}

/// `clear_policy`.
pub const CLEAR_POLICY: Command = Command {
    name: "clear_policy",
    section: Section::Policies,
    summary: "Clears (removes) a policy",
    usage: "clear_policy [--vhost <vhost>] <name>",
    explains: &[("<name>", "name")],
    guides: &["parameters"],
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&POLICY],
    run: |call| clear(call, &POLICY),
    banner: |call| Some(format!("Clearing policy \"{}\" on vhost \"{}\" ...", call.word(0), call.vhost())),
    ..Command::BLANK
};

/// `clear_operator_policy`.
pub const CLEAR_OPERATOR_POLICY: Command = Command {
    name: "clear_operator_policy",
    section: Section::Policies,
    summary: "Clears an operator policy",
    usage: "clear_operator_policy [--vhost <vhost>] <name>",
    explains: &[("<name>", "name")],
    guides: &["parameters"],
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&OPERATOR_POLICY],
    run: |call| clear(call, &OPERATOR_POLICY),
    banner: |call| Some(format!("Clearing operator policy \"{}\" on vhost \"{}\" ...", call.word(0), call.vhost())),
    ..Command::BLANK
};

fn clear(call: &Call, endpoint: &Endpoint) -> Result<Answer, Failure> {
    cleared(&call.delete(endpoint, &[call.vhost(), call.word(0)], "")?)
}

/// Policies and parameters that are not there are refused in the same words.
pub fn cleared(reply: &Reply) -> Result<Answer, Failure> {
    match reply.status {
        404 => Err(Failure::refused(Kind::Unavailable, "Parameter does not exist")),
        _ if reply.is_ok() => Ok(Answer::Done),
        _ => Err(Failure::refused(Kind::Unavailable, reply.reason())),
    }
}

/// `list_policies`.
pub const LIST_POLICIES: Command = Command {
    name: "list_policies",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Policies,
    summary: "Lists all policies in a virtual host",
    usage: "list_policies [--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]",
    guides: &["parameters"],
    needs: Needs::AppRunning,
    format: Format::Table,
    endpoints: &[&POLICIES_IN],
    run: |call| list(call, &POLICIES_IN),
    banner: |call| Some(format!("Listing policies for vhost \"{}\" ...", call.vhost())),
    ..Command::BLANK
};

/// `list_operator_policies`.
pub const LIST_OPERATOR_POLICIES: Command = Command {
    name: "list_operator_policies",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Policies,
    summary: "Lists operator policy overrides for a virtual host",
    usage: "list_operator_policies [--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]",
    guides: &["parameters"],
    needs: Needs::AppRunning,
    format: Format::Table,
    endpoints: &[&OPERATOR_POLICIES_IN],
    run: |call| list(call, &OPERATOR_POLICIES_IN),
    banner: |call| Some(format!("Listing operator policy overrides for vhost \"{}\" ...", call.vhost())),
    ..Command::BLANK
};

/// Columns of a listing of policies.
pub const COLUMNS: [&str; 6] = ["vhost", "name", "pattern", "apply-to", "definition", "priority"];

fn list(call: &Call, endpoint: &Endpoint) -> Result<Answer, Failure> {
    let reply = call.get(endpoint, &[call.vhost()], "")?;
    if reply.status == 404 {
        return Err(Failure::no_vhost(call.vhost()));
    }
    let policies = reply.body.as_array().map(Vec::as_slice).unwrap_or_default();
    let rows = policies.iter().map(row).collect();
    Ok(Answer::Rows(Rows { columns: COLUMNS.iter().map(|name| (*name).to_owned()).collect(), rows, ..Rows::default() }))
}

/// A policy as a row; its definition is one JSON text.
pub fn row(policy: &Value) -> Vec<Term> {
    COLUMNS
        .iter()
        .map(|name| match *name {
            "definition" => Term::text(document::show(&policy[*name])),
            _ => Term::from_json(&policy[*name]),
        })
        .collect()
}

/// `list_policies_that_match`.
pub const LIST_POLICIES_THAT_MATCH: Command = Command {
    name: "list_policies_that_match",
    tools: &[Tool::Diagnostics],
    section: Section::Policies,
    summary: "Lists all policies matching a queue/exchange (only the highest priority policy is active)",
    usage: "list_policies_that_match [--object-type <type>] <name>",
    explains: &[("<name>", "name"), ("--object-type <queue | exchange>", "kind of the object; a queue by default")],
    guides: &["queues"],
    switches: &[Switch::text("object-type")],
    needs: Needs::AppRunning,
    format: Format::PrettyTable,
    words: Words::exactly(1),
    endpoints: &[&POLICIES_IN, &QUEUE, &EXCHANGE],
    banner: banner_of_match,
    run: list_policies_that_match,
    ..Command::BLANK
};

fn object_type(call: &Call) -> &str {
    call.switches.text("object-type").unwrap_or("queue")
}

fn banner_of_match(call: &Call) -> Option<String> {
    let (kind, name, vhost) = (object_type(call), call.word(0), call.vhost());
    Some(format!("Listing policies that match {kind} '{name}' in vhost '{vhost}' ..."))
}

fn list_policies_that_match(call: &Call) -> Result<Answer, Failure> {
    let queue_type = match object_type(call) {
        "queue" => {
            let queue = call.get(&QUEUE, &[call.vhost(), call.word(0)], "columns=type")?;
            if !queue.is_ok() {
                return missing_object(call);
            }
            queue.body["type"].as_str().unwrap_or("classic").to_owned()
        }
        "exchange" => String::new(),
        other => {
            call.require()?;
            let text = format!("there are no policies for a {other}; --object-type is queue or exchange");
            return Err(Failure::refused(Kind::Software, text));
        }
    };
    let reply = call.get(&POLICIES_IN, &[call.vhost()], "")?;
    let applies = |policy: &Value| match policy["apply-to"].as_str().unwrap_or("all") {
        "all" => true,
        "exchanges" => queue_type.is_empty(),
        "queues" => !queue_type.is_empty(),
        "classic_queues" => queue_type == "classic",
        "quorum_queues" => queue_type == "quorum",
        "streams" => queue_type == "stream",
        _ => false,
    };
    let matches =
        |policy: &Value| crate::pattern::matches(policy["pattern"].as_str().unwrap_or_default(), call.word(0));
    let all = reply.body.as_array().cloned().unwrap_or_default();
    let mut found: Vec<Value> = all.into_iter().filter(|policy| applies(policy) && matches(policy)).collect();
    found.sort_by_key(|policy| std::cmp::Reverse(policy["priority"].as_i64().unwrap_or(0)));
    match call.format {
        Format::Json => Ok(Answer::Report { text: String::new(), json: json!({"result": "ok", "policies": found}) }),
        _ => {
            let columns = COLUMNS.iter().map(|name| (*name).to_owned()).collect();
            Ok(Answer::Rows(Rows { columns, rows: found.iter().map(matching_row).collect(), ..Rows::default() }))
        }
    }
}

fn missing_object(call: &Call) -> Result<Answer, Failure> {
    if call.format != Format::Json {
        return Err(crate::commands::queues::not_found());
    }
    let json = json!({"message": "object (queue, exchange) not found", "result": "error", "policies": []});
    Ok(Answer::Report { text: String::new(), json })
}

/// Here a definition is a list of pairs.
fn matching_row(policy: &Value) -> Vec<Term> {
    COLUMNS
        .iter()
        .map(|name| match policy[*name].as_object() {
            Some(entries) => Term::List(
                entries
                    .iter()
                    .map(|(key, value)| Term::pair(Term::text(key.clone()), Term::from_json(value)))
                    .collect(),
            ),
            None => Term::from_json(&policy[*name]),
        })
        .collect()
}
