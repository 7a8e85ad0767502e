//! Runtime parameters, of a virtual host and global ones.

use serde_json::{Value, json};

use crate::call::Call;
use crate::command::{Command, Needs, Section, Tool, Words};
use crate::commands::policies::cleared;
use crate::document;
use crate::endpoints::{GLOBAL_PARAMETER, GLOBAL_PARAMETERS, PARAMETER, PARAMETERS, VHOST};
use crate::exit::{Failure, Kind};
use crate::output::{Answer, Format, Rows};
use crate::term::Term;

/// Commands of this file.
pub const ALL: &[&Command] = &[
    &CLEAR_GLOBAL_PARAMETER,
    &CLEAR_PARAMETER,
    &LIST_GLOBAL_PARAMETERS,
    &LIST_PARAMETERS,
    &SET_GLOBAL_PARAMETER,
    &SET_PARAMETER,
];

/// `set_parameter`.
pub const SET_PARAMETER: Command = Command {
    name: "set_parameter",
    section: Section::Parameters,
    summary: "Sets a runtime parameter.",
    usage: "set_parameter [--vhost <vhost>] <component_name> <name> <value>",
    explains: &[
        ("<component_name>", "component the parameter belongs to"),
        ("<name>", "name"),
        ("<value>", "the value, as JSON"),
    ],
    guides: &["parameters"],
    needs: Needs::AppRunning,
    words: Words::exactly(3),
    endpoints: &[&PARAMETER],
    banner: |call| {
        Some(format!(
            "Setting runtime parameter \"{}\" for component \"{}\" to \"{}\" in vhost \"{}\" ...",
            call.word(1),
            call.word(0),
            call.word(2),
            call.vhost()
        ))
    },
    run: set_parameter,
    ..Command::BLANK
};

fn set_parameter(call: &Call) -> Result<Answer, Failure> {
    let value = document::parse(call, call.word(2))?;
    put_parameter(call, call.word(0), call.word(1), &value)
}

/// Creates or replaces a parameter of the virtual host.
pub fn put_parameter(call: &Call, component: &str, name: &str, value: &Value) -> Result<Answer, Failure> {
    let reply = call.put(&PARAMETER, &[component, call.vhost(), name], &json!({"value": value}))?;
    match reply.status {
        404 => Err(Failure::no_vhost(call.vhost())),
        _ if reply.is_ok() => Ok(Answer::Done),
        _ => Err(Failure::refused(Kind::Unavailable, reply.reason())),
    }
}

/// `clear_parameter`.
pub const CLEAR_PARAMETER: Command = Command {
    name: "clear_parameter",
    section: Section::Parameters,
    summary: "Clears a runtime parameter.",
    usage: "clear_parameter [--vhost <vhost>] <component_name> <name>",
    explains: &[("<component_name>", "component the parameter belongs to"), ("<name>", "name")],
    guides: &["parameters"],
    needs: Needs::AppRunning,
    words: Words::exactly(2),
    endpoints: &[&PARAMETER],
    banner: |call| {
        Some(format!(
            "Clearing runtime parameter \"{}\" for component \"{}\" on vhost \"{}\" ...",
            call.word(1),
            call.word(0),
            call.vhost()
        ))
    },
    run: clear_parameter,
    ..Command::BLANK
};

fn clear_parameter(call: &Call) -> Result<Answer, Failure> {
    cleared(&call.delete(&PARAMETER, &[call.word(0), call.vhost(), call.word(1)], "")?)
}

/// `list_parameters`.
pub const LIST_PARAMETERS: Command = Command {
    name: "list_parameters",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Parameters,
    summary: "Lists runtime parameters for a virtual host",
    usage: "list_parameters [--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]",
    guides: &["parameters"],
    needs: Needs::AppRunning,
    format: Format::Table,
    endpoints: &[&PARAMETERS, &VHOST],
    banner: |call| Some(format!("Listing runtime parameters for vhost \"{}\" ...", call.vhost())),
    run: list_parameters,
    ..Command::BLANK
};

/// A parameter's value on one line. Operator policies keep the order in which they are stored.
fn shown(component: &Value, value: &Value) -> String {
    const STORED: [&str; 4] = ["pattern", "definition", "priority", "apply-to"];
    match value.as_object() {
        Some(policy) if component == "operator_policy" && policy.len() == STORED.len() => {
            let fields = STORED.iter().filter_map(|key| Some((key, policy.get(*key)?)));
            let fields = fields.map(|(key, value)| format!("{}:{}", json!(key), document::show(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        _ => document::show(value),
    }
}

fn list_parameters(call: &Call) -> Result<Answer, Failure> {
    let reply = call.get(&PARAMETERS, &[], "")?;
    let all = reply.body.as_array().map(Vec::as_slice).unwrap_or_default();
    let rows: Vec<Vec<Term>> = all
        .iter()
        .filter(|parameter| parameter["vhost"].as_str() == Some(call.vhost()))
        .map(|parameter| {
            let value = Term::text(shown(&parameter["component"], &parameter["value"]));
            vec![Term::from_json(&parameter["component"]), Term::from_json(&parameter["name"]), value]
        })
        .collect();
    if rows.is_empty() && call.get(&VHOST, &[call.vhost()], "")?.status == 404 {
        return Err(Failure::no_vhost(call.vhost()));
    }
    let columns = ["component", "name", "value"].map(str::to_owned).to_vec();
    Ok(Answer::Rows(Rows { columns, rows, ..Rows::default() }))
}

/// `set_global_parameter`.
pub const SET_GLOBAL_PARAMETER: Command = Command {
    name: "set_global_parameter",
    section: Section::Parameters,
    summary: "Sets a runtime parameter.",
    usage: "set_global_parameter <name> <value>",
    explains: &[("<name>", "name"), ("<value>", "the value, as JSON")],
    guides: &["parameters"],
    needs: Needs::AppRunning,
    words: Words::exactly(2),
    endpoints: &[&GLOBAL_PARAMETER],
    banner: |call| Some(format!("Setting global runtime parameter \"{}\" to \"{}\" ...", call.word(0), call.word(1))),
    run: set_global_parameter,
    ..Command::BLANK
};

fn set_global_parameter(call: &Call) -> Result<Answer, Failure> {
    let value = document::parse(call, call.word(1))?;
    let reply = call.put(&GLOBAL_PARAMETER, &[call.word(0)], &json!({"value": value}))?;
    if reply.is_ok() { Ok(Answer::Done) } else { Err(Failure::refused(Kind::Unavailable, reply.reason())) }
}

/// `clear_global_parameter`.
pub const CLEAR_GLOBAL_PARAMETER: Command = Command {
    name: "clear_global_parameter",
    section: Section::Parameters,
    summary: "Clears a global runtime parameter",
    usage: "clear_global_parameter <name>",
    explains: &[("<name>", "name")],
    guides: &["parameters"],
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&GLOBAL_PARAMETER],
    banner: |call| Some(format!("Clearing global runtime parameter \"{}\" ...", call.word(0))),
    run: clear_global_parameter,
    ..Command::BLANK
};

fn clear_global_parameter(call: &Call) -> Result<Answer, Failure> {
    cleared(&call.delete(&GLOBAL_PARAMETER, &[call.word(0)], "")?)
}

/// `list_global_parameters`.
pub const LIST_GLOBAL_PARAMETERS: Command = Command {
    name: "list_global_parameters",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Parameters,
    summary: "Lists global runtime parameters",
    usage: "list_global_parameters [--no-table-headers] [--timeout <timeout>]",
    guides: &["parameters"],
    needs: Needs::AppRunning,
    format: Format::Table,
    endpoints: &[&GLOBAL_PARAMETERS],
    banner: |_| Some("Listing global runtime parameters ...".to_owned()),
    run: list_global_parameters,
    ..Command::BLANK
};

fn list_global_parameters(call: &Call) -> Result<Answer, Failure> {
    let reply = call.get(&GLOBAL_PARAMETERS, &[], "")?;
    let all = reply.body.as_array().map(Vec::as_slice).unwrap_or_default();
    let rows = all
        .iter()
        .map(|parameter| vec![Term::word(&parameter["name"]), Term::text(document::show(&parameter["value"]))])
        .collect();
    Ok(Answer::Rows(Rows { columns: vec!["name".into(), "value".into()], rows, ..Rows::default() }))
}
