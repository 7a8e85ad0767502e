//! One question for probes of schedulers and load balancers: is the node alive, is it ready?
//!
//! One request; the exit code is the answer.

use openapi::Method;
use openapi::health::Probe;
use serde_json::{Value, json};

use crate::call::Call;
use crate::client::Reply;
use crate::command::{Command, Section, Tool};
use crate::endpoints::{HEALTH_READY, LIVE, READY};
use crate::exit::{Failure, Kind};
use crate::output::Answer;
use crate::parse::Switch;

/// Commands of this file.
pub const ALL: &[&Command] = &[&HEALTH];

/// `health`.
pub const HEALTH: Command = Command {
    name: "health",
    tools: &[Tool::Ctl, Tool::Diagnostics],
    section: Section::Own,
    summary: "Says whether the node is ready for clients, or with --live whether it is alive, and why not",
    usage: "health [--live] [--timeout <timeout>]",
    explains: &[
        ("--live", "whether the node needs a restart, not whether it takes clients"),
        ("exit code 0", "it is; alarms, which only keep publishers waiting, are named"),
        ("exit code 69", "it is not, or cannot be reached; the reasons are on standard error"),
        ("exit code 75", "it did not answer in time"),
    ],
    guides: &["monitoring"],
    switches: &[Switch::flag("live")],
    endpoints: &[&LIVE, &READY, &HEALTH_READY],
    run: health,
    ..Command::BLANK
};

fn health(call: &Call) -> Result<Answer, Failure> {
    let live = call.switches.flag("live");
    let probe = ask(call, live)?;
    told(probe, if live { "alive" } else { "ready" })
}

/// Whether clients may be sent to the node.
///
/// # Errors
/// When they may not, with the reasons.
pub fn readiness(call: &Call) -> Result<(), Failure> {
    told(ask(call, false)?, "ready").map(drop)
}

fn ask(call: &Call, live: bool) -> Result<Probe, Failure> {
    let reply = call.probe(if live { &LIVE } else { &READY })?;
    match serde_json::from_value::<Probe>(reply.body) {
        Ok(probe) => Ok(probe),
        Err(_) => elsewhere(call, live),
    }
}

fn told(probe: Probe, word: &str) -> Result<Answer, Failure> {
    let json = json!({"status": probe.status, "reasons": probe.reasons, "warnings": probe.warnings});
    if probe.status == "ok" {
        let lines =
            std::iter::once(word.to_owned()).chain(probe.warnings.iter().map(|line| format!("warning: {line}")));
        return Ok(Answer::Report { text: lines.collect::<Vec<_>>().join("\n"), json });
    }
    let lines = std::iter::once(format!("not {word}")).chain(probe.reasons);
    Err(Failure::plain(Kind::Unavailable, lines.collect::<Vec<_>>().join("\n")).with_json(json))
}

/// Another broker has no such probes. That its API answers is its life; a check says whether it is ready.
fn elsewhere(call: &Call, live: bool) -> Result<Probe, Failure> {
    let fit = |reasons: Vec<String>| Probe {
        status: if reasons.is_empty() { "ok" } else { "failed" }.to_owned(),
        reasons,
        warnings: Vec::new(),
    };
    if live {
        return Ok(fit(Vec::new()));
    }
    let reply: Reply = call.probe(&HEALTH_READY)?;
    match (reply.status, &reply.body["reason"]) {
        (200, _) => Ok(fit(Vec::new())),
        // It came with RabbitMQ 4.1: before, an API that answers is all there is to know.
        (404, _) => Ok(fit(Vec::new())),
        (_, Value::String(reason)) => Ok(fit(vec![reason.clone()])),
        _ => Ok(fit(vec![format!("{} {} answers {}", Method::Get.as_str(), HEALTH_READY.full_path(), reply.status)])),
    }
}
