//! Probes of orchestrators: `/live` and `/ready`, without credentials, with reasons.
//!
//! A reason fails the probe; a warning keeps publishers waiting or concerns a part, while
//! the node serves.

use axum::http::StatusCode;
use broker::AppState;
use broker::domain::alarm::{Cause, Scarce};
use openapi::health as wire;

use crate::call::Call;
use crate::health::has_client_listener;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::LIVE).get(probe_live);
    on.at(&wire::READY).get(probe_ready);
}

/// Sentences about the alarms in force: those of failed storage, and the others.
fn alarm_sentences(call: &Call) -> (Vec<String>, Vec<String>) {
    let alarms = call.node().status().alarms;
    let (failed, scarce): (Vec<_>, Vec<_>) =
        alarms.causes.iter().partition(|cause| cause.resource() == Scarce::Storage);
    let sentences = |causes: Vec<&Cause>| causes.into_iter().map(ToString::to_string).collect();
    (sentences(failed), sentences(scarce))
}

fn probe(reasons: Vec<String>, warnings: Vec<String>) -> Answer {
    let (status, word) =
        if reasons.is_empty() { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "failed") };
    Reply::json_status(status, &wire::Probe { status: word.to_owned(), reasons, warnings })
}

/// Storage that failed confirms nothing until the process is started again.
async fn probe_live(call: Call) -> Answer {
    let (failed, scarce) = alarm_sentences(&call);
    probe(failed, scarce)
}

async fn probe_ready(call: Call) -> Answer {
    let (mut reasons, mut warnings) = alarm_sentences(&call);
    let node = call.node();
    let runs = node.app_state() == AppState::Running;
    match node.app_state() {
        AppState::Running => {}
        AppState::Booting => reasons.push("the application is starting".to_owned()),
        AppState::Stopped => reasons.push("the application is stopped; start_app starts it".to_owned()),
    }
    if node.is_in_maintenance() {
        reasons.push("the node is in maintenance".to_owned());
    }
    if node.are_listeners_suspended() {
        reasons.push("the listeners of clients are suspended".to_owned());
    } else if runs && !has_client_listener(&call) {
        reasons.push("no listener for AMQP is open".to_owned());
    }
    if let Some(broker) = node.broker() {
        let room = broker.connection_room();
        if room.is_full() {
            reasons.push(format!("as many connections are open as connection_max allows: {}", room.open));
        }
        // Names are for whoever may see them; these probes need no login.
        for (count, what) in [(broker.vhosts_down().len(), "virtual hosts"), (broker.queues_down().len(), "queues")] {
            if count > 0 {
                warnings.push(format!("{what} that are down: {count}"));
            }
        }
    }
    probe(reasons, warnings)
}
