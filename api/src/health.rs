//! Health checks: 200 and `ok`, or 503 with what is wrong, in the reference's words.
//!
//! Owns what each check makes of a condition. The conditions are the broker's.

use axum::http::StatusCode;
use broker::domain::alarm::Scarce;
use broker::domain::name::VhostName;
use broker::domain::queue::QueueKind;
use broker::{AppState, ConnectionRoom, Listener, QueueDown};
use openapi::health as wire;
use openapi::health::Health;
use serde::Serialize;

use crate::call::Call;
use crate::certificates;
use crate::error::ApiError;
use crate::probes;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};

pub(crate) fn mount(on: &mut Mounts) {
    probes::mount(on);
    on.at(&wire::ALARMS).get(check_alarms);
    on.at(&wire::LOCAL_ALARMS).get(check_local_alarms);
    on.at(&wire::VIRTUAL_HOSTS).get(check_vhosts);
    on.at(&wire::PORT_LISTENER).get(check_port);
    on.at(&wire::PROTOCOL_LISTENER).get(check_protocols);
    on.at(&wire::CERTIFICATE_EXPIRATION).get(certificates::check);
    on.at(&wire::QUORUM_CRITICAL).get(check_quorum_critical);
    on.at(&wire::METADATA_STORE).get(check_metadata);
    on.at(&wire::METADATA_STORE_DATA).get(check_metadata_data);
    on.at(&wire::LEADERS_ALL).get(check_leaders);
    on.at(&wire::LEADERS_ALL_PATTERN).get(check_leaders);
    on.at(&wire::LEADERS_VHOST).get(check_leaders);
    on.at(&wire::LEADERS_VHOST_PATTERN).get(check_leaders);
    on.at(&wire::IS_IN_SERVICE).get(check_in_service);
    on.at(&wire::BELOW_CONNECTION_LIMIT).get(check_connections);
    on.at(&wire::READY_TO_SERVE).get(check_ready);
    on.at(&wire::TARGET_CLUSTER_SIZE).get(check_cluster_size);
    on.at(&wire::ALIVENESS).get(check_vhost);
    on.at(&wire::NODE).get(check_node);
    on.at(&wire::NAMED_NODE).get(check_named_node);
}

/// Nodes there are.
const NODES: u32 = 1;

/// Longest a pattern of queue names may be, in bytes, and steps a match may take.
const PATTERN_BYTES_MAX: usize = 2000;
const BACKTRACK_STEPS_MAX: usize = 100_000;

/// 200 when it says `ok`, 503 otherwise.
fn answer(health: &Health) -> Answer {
    answer_with(&health.status, health)
}

/// The same of a check with details of its own.
pub(crate) fn answer_with(status: &str, health: &impl Serialize) -> Answer {
    if status == "ok" { Reply::json(health) } else { Reply::json_status(StatusCode::SERVICE_UNAVAILABLE, health) }
}

async fn check_alarms(call: Call) -> Answer {
    alarms(&call, "There are alarms in effect in the cluster")
}

async fn check_local_alarms(call: Call) -> Answer {
    alarms(&call, "There are alarms in effect on the node")
}

fn alarms(call: &Call, reason: &str) -> Answer {
    let status = call.node().status();
    let in_force = |resource: Scarce| {
        let resource = match resource {
            Scarce::Disk => "disk space",
            Scarce::Memory | Scarce::Storage => resource.name(),
        };
        wire::AlarmInForce { node: status.name.clone(), resource: resource.to_owned() }
    };
    let alarms: Vec<_> = status.alarms.scarce().into_iter().map(in_force).collect();
    if alarms.is_empty() {
        return answer(&Health::ok());
    }
    answer(&Health { alarms: Some(alarms), ..Health::failed(reason) })
}

async fn check_vhosts(call: Call) -> Answer {
    answer(&vhosts(&call.broker()?.vhosts_down()))
}

fn vhosts(down: &[VhostName]) -> Health {
    if down.is_empty() {
        return Health::ok();
    }
    let names = down.iter().map(|vhost| vhost.as_str().to_owned()).collect();
    Health { virtual_hosts: Some(names), ..Health::failed("Some virtual hosts are down") }
}

async fn check_port(call: Call) -> Answer {
    let port: i64 = call.parameter("port").parse().map_err(|_| ApiError::bad_request("Invalid port"))?;
    let ports: Vec<_> = open_listeners(&call).iter().map(|listener| listener.address.port()).collect();
    if ports.iter().any(|open| i64::from(*open) == port) {
        let open =
            wire::PortHealth { status: "ok".to_owned(), reason: None, port: Some(port), missing: None, ports: None };
        return Reply::json(&open);
    }
    let closed = wire::PortHealth {
        status: "failed".to_owned(),
        reason: Some(NO_LISTENER.to_owned()),
        port: None,
        missing: Some(port),
        ports: Some(ports),
    };
    Reply::json_status(StatusCode::SERVICE_UNAVAILABLE, &closed)
}

const NO_LISTENER: &str = "No active listener";

/// A protocol under the name listeners bear.
fn canonical_protocol(name: &str) -> String {
    let name = name.trim().to_lowercase();
    match name.as_str() {
        "amqp091" | "amqp0.9.1" | "amqp0-9-1" | "amqp0_9_1" | "amqp-0-9-1" | "amqp10" | "amqp1.0" | "amqp1-0"
        | "amqp1_0" => "amqp".to_owned(),
        "amqps" | "amqp/tls" | "amqp+tls" | "amqp+ssl" => "amqp/ssl".to_owned(),
        "management" | "management_ui" | "ui" | "http1" | "http1.1" | "http_api" => "http".to_owned(),
        "http/tls" | "http/ssl" => "https".to_owned(),
        "prometheus" => "http/prometheus".to_owned(),
        "cli" | "distribution" => "clustering".to_owned(),
        _ => name,
    }
}

async fn check_protocols(call: Call) -> Answer {
    let mut protocols: Vec<_> = open_listeners(&call).into_iter().map(|listener| listener.protocol).collect();
    protocols.sort();
    protocols.dedup();
    let wanted = call.parameter("protocols").split(',').map(canonical_protocol);
    let missing: Vec<_> = wanted.filter(|name| !protocols.contains(name)).collect();
    if missing.is_empty() {
        return Reply::json(&wire::ProtocolHealth { status: "ok".to_owned(), reason: None, missing: None, protocols });
    }
    let failed = wire::ProtocolHealth {
        status: "failed".to_owned(),
        reason: Some(NO_LISTENER.to_owned()),
        missing: Some(missing),
        protocols,
    };
    Reply::json_status(StatusCode::SERVICE_UNAVAILABLE, &failed)
}

async fn check_quorum_critical(_call: Call) -> Answer {
    answer(&Health { reason: Some("single node cluster".to_owned()), ..Health::ok() })
}

/// The store was read when the application started, before anybody could ask.
async fn check_metadata(call: Call) -> Answer {
    answer(&match call.broker() {
        Ok(_) => Health::ok(),
        Err(_) => Health::failed("Metadata store has not yet reported as initialized"),
    })
}

async fn check_metadata_data(call: Call) -> Answer {
    let directory = call.directory()?;
    answer(&if directory.vhosts.is_empty() {
        Health::failed("Metadata store has not yet been initialized: it reports to have no virtual hosts")
    } else {
        Health::ok()
    })
}

/// A queue's only replica is its leader, so a quorum queue has none while it is down.
async fn check_leaders(call: Call) -> Answer {
    let down = call.broker()?.queues_down();
    answer(&leaders(&down, call.find_parameter("in_vhost"), call.find_parameter("pattern")))
}

fn leaders(down: &[QueueDown], vhost: Option<&str>, pattern: Option<&str>) -> Health {
    let named = NamePattern::new(pattern);
    let concerned = down.iter().filter(|queue| {
        queue.kind == QueueKind::Quorum
            && vhost.is_none_or(|vhost| queue.vhost.as_str() == vhost)
            && named.matches(queue.name.as_str())
    });
    let queues: Vec<_> = concerned.map(without_leader).collect();
    if queues.is_empty() {
        return Health::ok();
    }
    Health { queues: Some(queues), ..Health::failed("Detected quorum queues without an elected leader") }
}

fn without_leader(queue: &QueueDown) -> wire::QueueWithoutLeader {
    wire::QueueWithoutLeader {
        name: queue.name.as_str().to_owned(),
        readable_name: format!("queue '{}' in vhost '{}'", queue.name, queue.vhost),
        kind: "rabbit_quorum_queue".to_owned(),
        virtual_host: queue.vhost.as_str().to_owned(),
    }
}

/// Which names a check is about.
enum NamePattern {
    All,
    Matching(fancy_regex::Regex),
    /// What is no pattern matches nothing, as on the reference.
    Nothing,
}

impl NamePattern {
    fn new(pattern: Option<&str>) -> Self {
        let Some(pattern) = pattern else { return Self::All };
        if pattern.len() > PATTERN_BYTES_MAX {
            return Self::Nothing;
        }
        let built = fancy_regex::RegexBuilder::new(pattern).backtrack_limit(BACKTRACK_STEPS_MAX).build();
        built.map_or(Self::Nothing, Self::Matching)
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Matching(pattern) => pattern.is_match(name).unwrap_or(false),
            Self::Nothing => false,
        }
    }
}

/// Whether the application runs and nobody has put the node into maintenance.
fn is_in_service(call: &Call) -> bool {
    call.node().app_state() == AppState::Running && !call.node().is_in_maintenance()
}

async fn check_in_service(call: Call) -> Answer {
    answer(&if is_in_service(&call) {
        Health::ok()
    } else {
        Health::failed("this rabbit node is not currently available to serve")
    })
}

const CONNECTION_LIMIT: &str = "node connection limit is reached";

async fn check_connections(call: Call) -> Answer {
    let room = call.broker()?.connection_room();
    answer(&if room.is_full() { Health::failed(CONNECTION_LIMIT) } else { Health::ok() })
}

/// Listeners for clients of the broker.
fn is_for_clients(listener: &Listener) -> bool {
    matches!(listener.protocol.as_str(), "amqp" | "amqp/ssl")
}

/// Listeners that take connections now. The reference's go on being listed while they are
/// suspended, and its checks of ports and protocols pass; these tell the truth.
fn open_listeners(call: &Call) -> Vec<Listener> {
    let suspended = call.node().are_listeners_suspended();
    let mut listeners = call.node().listeners();
    listeners.retain(|listener| !(suspended && is_for_clients(listener)));
    listeners
}

/// Whether clients can reach the node: it listens for AMQP.
pub(crate) fn has_client_listener(call: &Call) -> bool {
    open_listeners(call).iter().any(is_for_clients)
}

async fn check_ready(call: Call) -> Answer {
    let room = call.broker()?.connection_room();
    answer(&ready(is_in_service(&call), has_client_listener(&call), room))
}

fn ready(in_service: bool, listens: bool, room: ConnectionRoom) -> Health {
    match (in_service, listens) {
        (false, _) => Health::failed("the rabbit node is not currently available to serve"),
        (_, false) => Health::failed("no active listeners for AMQP/AMQPS"),
        _ if room.is_full() => Health { connections: Some(room.open as u64), ..Health::failed(CONNECTION_LIMIT) },
        _ => Health::ok(),
    }
}

async fn check_cluster_size(call: Call) -> Answer {
    answer(&cluster_size(call.node().settings().target_cluster_size))
}

fn cluster_size(target: u32) -> Health {
    if NODES >= target {
        return Health::ok();
    }
    let reason = format!("target cluster size not reached: {NODES} of {target} nodes are online");
    Health { online: Some(NODES), target: Some(target), ..Health::failed(reason) }
}

async fn check_vhost(call: Call) -> Answer {
    call.vhost()?;
    call.enter_vhost()?;
    answer(&Health::ok())
}

/// The oldest check: alarms, under the names and in the spelling it always had.
async fn check_node(call: Call) -> Answer {
    let status = call.node().status();
    answer(&node(&status.name, &status.alarms.scarce()))
}

fn node(name: &str, scarce: &[Scarce]) -> Health {
    if scarce.is_empty() {
        return Health::ok();
    }
    let term = |resource: &Scarce| {
        let atom = match resource {
            Scarce::Memory => "memory",
            Scarce::Disk => "disk",
            Scarce::Storage => "storage",
        };
        format!("{{resource_limit,{atom},{name}}}")
    };
    let terms: Vec<_> = scarce.iter().map(term).collect();
    Health::failed(format!("resource alarm(s) in effect:[{}]", terms.join(",\n                             ")))
}

async fn check_named_node(call: Call) -> Answer {
    if call.parameter("node") != call.node().settings().node_name {
        return Err(ApiError::no_object());
    }
    check_node(call).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use broker::domain::name::QueueName;

    fn shown(health: &Health) -> String {
        serde_json::to_string(health).unwrap()
    }

    fn vhost(name: &str) -> VhostName {
        VhostName::new(name).unwrap()
    }

    #[test]
    fn virtual_hosts_that_are_down_are_named() {
        assert_eq!(shown(&vhosts(&[])), r#"{"status":"ok"}"#);
        assert_eq!(
            shown(&vhosts(&[vhost("down")])),
            r#"{"status":"failed","reason":"Some virtual hosts are down","virtual-hosts":["down"]}"#
        );
    }

    #[test]
    fn quorum_queues_that_are_down_have_no_leader() {
        let queue = |name: &str, kind| QueueDown { vhost: vhost("/"), name: QueueName::new(name).unwrap(), kind };
        let down = [queue("qq", QueueKind::Quorum), queue("classic", QueueKind::Classic)];
        let failed = r#"{"status":"failed","reason":"Detected quorum queues without an elected leader","queues":[{"name":"qq","readable_name":"queue 'qq' in vhost '/'","type":"rabbit_quorum_queue","virtual_host":"/"}]}"#;
        for (vhost, pattern, expected) in [
            (None, None, failed),
            (Some("/"), None, failed),
            (Some("other"), None, r#"{"status":"ok"}"#),
            (None, Some("q.*"), failed),
            (None, Some("zz"), r#"{"status":"ok"}"#),
            (Some("/"), Some("("), r#"{"status":"ok"}"#),
            (Some("/"), Some(&*"q?".repeat(1001)), r#"{"status":"ok"}"#),
        ] {
            assert_eq!(shown(&leaders(&down, vhost, pattern)), expected, "{vhost:?} {pattern:?}");
        }
        assert_eq!(leaders(&down[1..], None, None), Health::ok());
    }

    #[test]
    fn readiness_names_the_first_obstacle() {
        let room = |open, max| ConnectionRoom { open, max };
        for (in_service, listens, room, expected) in [
            (true, true, room(1, Some(2)), r#"{"status":"ok"}"#),
            (
                true,
                true,
                room(2, Some(2)),
                r#"{"status":"failed","reason":"node connection limit is reached","connections":2}"#,
            ),
            (true, false, room(2, Some(2)), r#"{"status":"failed","reason":"no active listeners for AMQP/AMQPS"}"#),
            (
                false,
                false,
                room(0, None),
                r#"{"status":"failed","reason":"the rabbit node is not currently available to serve"}"#,
            ),
        ] {
            assert_eq!(shown(&ready(in_service, listens, room)), expected);
        }
    }

    #[test]
    fn a_cluster_that_should_be_larger_is_told() {
        assert_eq!(cluster_size(1), Health::ok());
        assert_eq!(
            shown(&cluster_size(3)),
            r#"{"status":"failed","reason":"target cluster size not reached: 1 of 3 nodes are online","online":1,"target":3}"#
        );
    }

    #[test]
    fn the_oldest_check_prints_alarms_as_terms() {
        assert_eq!(node("n@h", &[]), Health::ok());
        assert_eq!(
            node("n@h", &[Scarce::Disk, Scarce::Memory]).reason.unwrap(),
            "resource alarm(s) in effect:[{resource_limit,disk,n@h},\n                             {resource_limit,memory,n@h}]"
        );
    }
}
