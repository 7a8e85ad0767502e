//! Commands that a Warren node answers from what it is: one node, without Erlang. Elsewhere that answer would be a lie.
//!
//! Owns what such a command does when the target is another broker: it asks the standard API, or says that the API
//! does not tell and what to use. Asked in one place, `run`, once per call.

use openapi::Endpoint;
use serde_json::{Value, json};

use crate::call::Call;
use crate::commands::health::{leaders_answer, passed};
use crate::endpoints::{
    HEALTH_CLUSTER_SIZE, HEALTH_LEADERS, HEALTH_LEADERS_IN, HEALTH_QUORUM, QUORUM_GROW, QUORUM_MEMBER,
    QUORUM_MEMBER_GONE, QUORUM_SHRINK, QUORUM_STATUS, REBALANCE,
};
use crate::exit::{Failure, Kind};
use crate::output::{Answer, Rows};
use crate::standard::Broker;
use crate::term::Term;

/// What a command does with another broker.
pub enum Elsewhere {
    /// Asks the standard API.
    Asks(&'static [&'static Endpoint], fn(&Call) -> Result<Answer, Failure>),
    /// Says that the API does not carry it: what is missing, and what to use.
    Refuses(&'static str),
}

const DISTRIBUTION: &str = "speaks to the Erlang runtime; run the broker's own tools on its host";
const CLUSTERING: &str = "changes which nodes form the cluster; run the broker's own rabbitmqctl on its host";
const TLS: &str = "reads the TLS settings of a node; the broker's own rabbitmq-diagnostics on its host shows them";
const RAFT: &str = "asks a Raft member; the broker's own tools on its host do";

/// The commands, by tool-independent name.
const COMMANDS: &[(&str, Elsewhere)] = &[
    ("add_member", Elsewhere::Asks(&[&QUORUM_MEMBER], add_member)),
    ("add_replica", Elsewhere::Refuses("changes members of a stream; the broker's own rabbitmq-streams does")),
    (
        "await_online_quorum_plus_one",
        Elsewhere::Refuses("waits for members; check_if_node_is_quorum_critical asks once"),
    ),
    ("certificates", Elsewhere::Refuses(TLS)),
    (
        "check_for_quorum_queues_without_an_elected_leader",
        Elsewhere::Asks(&[&HEALTH_LEADERS, &HEALTH_LEADERS_IN], leaders),
    ),
    ("check_if_new_quorum_queue_replicas_have_finished_initial_sync", Elsewhere::Refuses(RAFT)),
    ("check_if_node_is_quorum_critical", Elsewhere::Asks(&[&HEALTH_QUORUM], quorum_critical)),
    ("cipher_suites", Elsewhere::Refuses(TLS)),
    ("consume_event_stream", Elsewhere::Refuses(DISTRIBUTION)),
    ("coordinator_status", Elsewhere::Refuses(RAFT)),
    ("delete_member", Elsewhere::Asks(&[&QUORUM_MEMBER_GONE], delete_member)),
    ("delete_replica", Elsewhere::Refuses("changes members of a stream; the broker's own rabbitmq-streams does")),
    ("discover_peers", Elsewhere::Refuses(CLUSTERING)),
    ("erlang_cookie_hash", Elsewhere::Refuses(DISTRIBUTION)),
    ("eval", Elsewhere::Refuses(DISTRIBUTION)),
    ("eval_file", Elsewhere::Refuses(DISTRIBUTION)),
    ("exec", Elsewhere::Refuses(DISTRIBUTION)),
    ("force_checkpoint", Elsewhere::Refuses(RAFT)),
    ("force_gc", Elsewhere::Refuses(DISTRIBUTION)),
    ("forget_cluster_node", Elsewhere::Refuses(CLUSTERING)),
    ("grow", Elsewhere::Asks(&[&QUORUM_GROW], grow)),
    ("grow_to_count", Elsewhere::Refuses("is made of many add_member, which the API carries")),
    ("has_reached_target_cluster_size", Elsewhere::Asks(&[&HEALTH_CLUSTER_SIZE], cluster_size)),
    ("join_cluster", Elsewhere::Refuses(CLUSTERING)),
    ("list_unresponsive_queues", Elsewhere::Refuses("asks every queue's process; list_queues shows their state")),
    ("maybe_stuck", Elsewhere::Refuses(DISTRIBUTION)),
    ("message_size_stats", Elsewhere::Refuses("reads histograms; they stand at /metrics of the Prometheus listener")),
    ("metadata_store_status", Elsewhere::Refuses(RAFT)),
    ("peek", Elsewhere::Refuses("looks into a member's log; rabbitmqadmin get shows the first messages")),
    ("quorum_status", Elsewhere::Asks(&[&QUORUM_STATUS], quorum_status)),
    ("rebalance", Elsewhere::Asks(&[&REBALANCE], rebalance)),
    ("reclaim_quorum_memory", Elsewhere::Refuses(RAFT)),
    ("reconcile_vhosts", Elsewhere::Refuses("restarts processes of virtual hosts; list_vhosts shows their state")),
    ("restart_stream", Elsewhere::Refuses(RAFT)),
    ("runtime_thread_stats", Elsewhere::Refuses(DISTRIBUTION)),
    ("shrink", Elsewhere::Asks(&[&QUORUM_SHRINK], shrink)),
    ("stream_status", Elsewhere::Refuses(RAFT)),
    ("tls_versions", Elsewhere::Refuses(TLS)),
    ("transfer_leadership", Elsewhere::Refuses("moves leaders; rebalance spreads them over HTTP")),
];

/// What the command does with another broker; `None` when it asks the same everywhere.
pub fn of(command: &str) -> Option<&'static Elsewhere> {
    COMMANDS.iter().find(|(name, _)| *name == command).map(|(_, elsewhere)| elsewhere)
}

/// The endpoints the command asks of another broker alone.
pub fn endpoints(command: &str) -> &'static [&'static Endpoint] {
    match of(command) {
        Some(Elsewhere::Asks(endpoints, _)) => endpoints,
        _ => &[],
    }
}

/// Runs the command against another broker.
pub fn run(elsewhere: &Elsewhere, call: &Call, broker: &Broker) -> Result<Answer, Failure> {
    match elsewhere {
        Elsewhere::Asks(_, ask) => ask(call),
        Elsewhere::Refuses(why) => {
            let Broker { product, version, .. } = broker;
            let text =
                format!("the HTTP API of {product} {version} has no endpoint for {}, which {why}", call.command.name);
            Err(Failure::refused(Kind::Unavailable, text))
        }
    }
}

/// A queue that is not there, or is of another type.
fn refused(call: &Call, status: u16, reason: String) -> Failure {
    if status == 404 {
        let text = format!("queue '{}' was not found in virtual host '{}'", call.word(0), call.vhost());
        return Failure::plain(Kind::Data, text);
    }
    Failure::refused(Kind::Unavailable, reason)
}

fn quorum_status(call: &Call) -> Result<Answer, Failure> {
    let reply = call.get(&QUORUM_STATUS, &[call.vhost(), call.word(0)], "")?;
    if !reply.is_ok() {
        return Err(refused(call, reply.status, reply.reason()));
    }
    let members = reply.body.as_array().map(Vec::as_slice).unwrap_or_default();
    let columns: Vec<String> =
        members.first().and_then(Value::as_object).map(|first| first.keys().cloned().collect()).unwrap_or_default();
    let words = ["Node Name", "Raft State", "Membership"];
    let cell = |member: &Value, name: &String| {
        if words.contains(&name.as_str()) { Term::word(&member[name]) } else { Term::from_json(&member[name]) }
    };
    let rows = members.iter().map(|member| columns.iter().map(|name| cell(member, name)).collect()).collect();
    Ok(Answer::Rows(Rows { columns, rows, ..Rows::default() }))
}

fn add_member(call: &Call) -> Result<Answer, Failure> {
    let reply = call.post(&QUORUM_MEMBER, &[call.vhost(), call.word(0)], Some(&json!({"node": call.word(1)})))?;
    if reply.is_ok() { Ok(Answer::Done) } else { Err(refused(call, reply.status, reply.reason())) }
}

fn delete_member(call: &Call) -> Result<Answer, Failure> {
    let body = json!({"node": call.word(1)});
    let reply = call.delete_with(&QUORUM_MEMBER_GONE, &[call.vhost(), call.word(0)], &body)?;
    if reply.is_ok() { Ok(Answer::Done) } else { Err(refused(call, reply.status, reply.reason())) }
}

fn grow(call: &Call) -> Result<Answer, Failure> {
    if call.tool == Some(crate::command::Tool::Streams) {
        let text = "the HTTP API grows quorum queues only; the broker's own rabbitmq-streams grows streams";
        return Err(Failure::refused(Kind::Unavailable, text));
    }
    let body = json!({
        "strategy": call.word(1),
        "vhost_pattern": call.switches.text("vhost-pattern").unwrap_or(".*"),
        "queue_pattern": call.switches.text("queue-pattern").unwrap_or(".*"),
    });
    let reply = call.post(&QUORUM_GROW, &[call.word(0)], Some(&body))?;
    if reply.is_ok() { Ok(Answer::Rows(Rows::default())) } else { Err(refused(call, 400, reply.reason())) }
}

fn shrink(call: &Call) -> Result<Answer, Failure> {
    if call.tool == Some(crate::command::Tool::Streams) {
        let text = "the HTTP API shrinks quorum queues only; the broker's own rabbitmq-streams shrinks streams";
        return Err(Failure::refused(Kind::Unavailable, text));
    }
    let reply = call.delete(&QUORUM_SHRINK, &[call.word(0)], "")?;
    if reply.is_ok() { Ok(Answer::Rows(Rows::default())) } else { Err(refused(call, 400, reply.reason())) }
}

fn rebalance(call: &Call) -> Result<Answer, Failure> {
    let narrowed = ["vhost-pattern", "queue-pattern"].iter().any(|name| call.switches.has(name));
    if call.word(0) != "all" || narrowed {
        let text = "the HTTP API rebalances all queues at once: rebalance all, without patterns";
        return Err(Failure::refused(Kind::Unavailable, text));
    }
    let reply = call.post(&REBALANCE, &[], None)?;
    if reply.is_ok() { Ok(Answer::Done) } else { Err(Failure::refused(Kind::Unavailable, reply.reason())) }
}

fn quorum_critical(call: &Call) -> Result<Answer, Failure> {
    let reply = call.get_checked(&HEALTH_QUORUM, &[])?;
    if reply.is_ok() {
        let text = format!("Node {} reported no queues with minimum quorum", call.node());
        return Ok(passed(call, text));
    }
    Err(Failure::plain(Kind::Unavailable, reply.reason()).with_json(reply.body))
}

fn cluster_size(call: &Call) -> Result<Answer, Failure> {
    let reply = call.get_checked(&HEALTH_CLUSTER_SIZE, &[])?;
    if reply.is_ok() {
        return Ok(passed(call, format!("Target cluster size has been reached on node {}", call.node())));
    }
    Err(Failure::plain(Kind::Unavailable, reply.reason()).with_json(reply.body))
}

fn leaders(call: &Call) -> Result<Answer, Failure> {
    let reply = if call.switches.flag("across-all-vhosts") {
        call.get_checked(&HEALTH_LEADERS, &[call.word(0)])?
    } else {
        call.get_checked(&HEALTH_LEADERS_IN, &[call.vhost(), call.word(0)])?
    };
    if reply.is_ok() {
        return Ok(leaders_answer(call));
    }
    Err(Failure::plain(Kind::Unavailable, reply.reason()).with_json(reply.body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry;

    #[test]
    fn every_entry_is_a_command() {
        for (name, _) in COMMANDS {
            assert!(registry::commands().any(|command| command.name == *name), "{name}");
        }
    }
}
