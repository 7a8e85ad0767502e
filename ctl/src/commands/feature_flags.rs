//! Feature flags and deprecated features.

use serde_json::{Value, json};

use crate::call::Call;
use crate::command::{Columns, Command, Needs, Section, Tool, Words};
use crate::endpoints::{DEPRECATED_FEATURES, DEPRECATED_FEATURES_USED, FEATURE_FLAG_ENABLE, FEATURE_FLAGS};
use crate::exit::{Failure, Kind};
use crate::output::{Answer, Format, Rows};
use crate::parse::Switch;
use crate::term::Term;

/// Commands of this file.
pub const ALL: &[&Command] = &[&ENABLE_FEATURE_FLAG, &LIST_DEPRECATED_FEATURES, &LIST_FEATURE_FLAGS];

/// What the reference says of a node that is not there when it looks at its features first.
const NODE_DOWN: &str = "{:badrpc, :nodedown}";

fn rows(call: &Call, list: &Value) -> Rows {
    let columns = call.columns();
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let cell = |item: &Value, name: &str| match name {
        "desc" | "doc_url" => Term::from_json(&item[name]),
        _ => Term::word(&item[name]),
    };
    let rows = items.iter().map(|item| columns.iter().map(|name| cell(item, name)).collect()).collect();
    Rows { columns, rows, ..Rows::default() }
}

/// `list_feature_flags`.
pub const LIST_FEATURE_FLAGS: Command = Command {
    name: "list_feature_flags",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::FeatureFlags,
    summary: "Lists feature flags",
    usage: "list_feature_flags [<column> ...] [--timeout <timeout>]",
    explains: &[("<column>", "must be one of desc, doc_url, name, provided_by, stability, state")],
    guides: &["feature-flags"],
    format: Format::Table,
    words: Words::ANY,
    endpoints: &[&FEATURE_FLAGS],
    needs: Needs::AppRunning,
    banner: |_| Some("Listing feature flags ...".to_owned()),
    columns: Some(Columns {
        known: &["name", "state", "stability", "provided_by", "desc", "doc_url"],
        default: &["name", "state"],
    }),
    run: list_feature_flags,
    ..Command::BLANK
};

fn list_feature_flags(call: &Call) -> Result<Answer, Failure> {
    let reply = call.get(&FEATURE_FLAGS, &[], "").map_err(|failure| failure.unreachable_as(NODE_DOWN))?;
    Ok(Answer::Rows(rows(call, &reply.body)))
}

/// `enable_feature_flag`.
pub const ENABLE_FEATURE_FLAG: Command = Command {
    name: "enable_feature_flag",
    section: Section::FeatureFlags,
    summary: "Enables a feature flag or all supported feature flags on the target node",
    usage: "enable_feature_flag [--opt-in] <all | feature_flag>",
    explains: &[
        ("<feature_flag>", "name of a feature flag, or all"),
        ("--opt-in", "also enable a flag that is not yet stable"),
    ],
    switches: &[Switch::flag("experimental").short('e'), Switch::flag("opt-in").short('o')],
    needs: Needs::AppRunning,
    words: Words::exactly(1),
    endpoints: &[&FEATURE_FLAGS, &FEATURE_FLAG_ENABLE],
    check: check_flag,
    banner: banner_of_enable,
    run: enable_feature_flag,
    ..Command::BLANK
};

fn check_flag(call: &Call) -> Result<(), Failure> {
    if call.word(0).is_empty() {
        return Err(Failure::bad_argument("feature flag (or group) name cannot be an empty string"));
    }
    Ok(())
}

fn banner_of_enable(call: &Call) -> Option<String> {
    Some(match call.word(0) {
        "all" => "Enabling all feature flags ...".to_owned(),
        name => format!("Enabling feature flag \"{name}\" ..."),
    })
}

fn enable_feature_flag(call: &Call) -> Result<Answer, Failure> {
    let opt_in = call.switches.flag("opt-in") || call.switches.flag("experimental");
    if call.word(0) != "all" {
        return enable(call, call.word(0));
    }
    if opt_in {
        call.require()?;
        let text = "`--opt-in` (aliased as `--experimental`) flag is not allowed when enabling all feature flags.\nUse \
                    --opt-in with a specific feature flag name if to enable an opt-in flag";
        return Err(Failure::refused(Kind::Usage, text));
    }
    let flags = call.get(&FEATURE_FLAGS, &[], "")?;
    for flag in flags.body.as_array().into_iter().flatten() {
        if flag["state"] == "disabled" && flag["stability"] != "experimental" {
            enable(call, flag["name"].as_str().unwrap_or_default())?;
        }
    }
    Ok(Answer::Done)
}

fn enable(call: &Call, name: &str) -> Result<Answer, Failure> {
    let reply = call.put(&FEATURE_FLAG_ENABLE, &[name], &json!({}))?;
    if reply.is_ok() {
        return Ok(Answer::Done);
    }
    let text = format!("This feature flag is not supported by node {}", call.node());
    Err(Failure::refused(Kind::Usage, text))
}

/// `list_deprecated_features`.
pub const LIST_DEPRECATED_FEATURES: Command = Command {
    name: "list_deprecated_features",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::FeatureFlags,
    summary: "Lists deprecated features",
    usage: "list_deprecated_features [--used] [<column> ...]",
    explains: &[
        ("<column>", "must be one of deprecation_phase, desc, doc_url, name, provided_by, state"),
        ("--used", "only features in use"),
    ],
    guides: &["feature-flags"],
    switches: &[Switch::flag("used")],
    format: Format::PrettyTable,
    words: Words::ANY,
    endpoints: &[&DEPRECATED_FEATURES, &DEPRECATED_FEATURES_USED],
    needs: Needs::AppRunning,
    banner: banner_of_deprecated,
    columns: Some(Columns {
        known: &["name", "deprecation_phase", "state", "provided_by", "desc", "doc_url"],
        default: &["name", "deprecation_phase", "state"],
    }),
    run: list_deprecated_features,
    ..Command::BLANK
};

fn banner_of_deprecated(call: &Call) -> Option<String> {
    let which = if call.switches.flag("used") { " in use" } else { "" };
    Some(format!("Listing deprecated features{which} ..."))
}

fn list_deprecated_features(call: &Call) -> Result<Answer, Failure> {
    let endpoint = if call.switches.flag("used") { &DEPRECATED_FEATURES_USED } else { &DEPRECATED_FEATURES };
    let reply = call.get(endpoint, &[], "").map_err(|failure| failure.unreachable_as(NODE_DOWN))?;
    Ok(Answer::Rows(rows(call, &reply.body)))
}
