//! Health checks of a living server: every condition is made false, and what the check then
//! says is what the reference said about the same condition.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};
use tests::amqp::Client;
use tests::{Options, Server, wait_until};

/// Status and body of `GET path`, as guest.
pub fn get(address: SocketAddr, path: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}

fn check(server: &Server, name: &str) -> (u16, Value) {
    get(server.http, &format!("/api/health/checks/{name}"))
}

fn ok() -> (u16, Value) {
    (200, json!({"status": "ok"}))
}

fn failed(reason: &str, details: &Value) -> (u16, Value) {
    let mut body = json!({"status": "failed", "reason": reason});
    body.as_object_mut().unwrap().extend(details.as_object().unwrap().clone());
    (503, body)
}

fn run(server: &Server, tool: &str, line: &[&str]) {
    let output = server.tool(tool, line);
    assert_eq!(output.status.code(), Some(0), "{line:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn with(set: &[&str]) -> Server {
    Server::start_with(Options { set: set.iter().map(|set| (*set).to_owned()).collect(), ..Options::default() })
}

/// Sentences of `/ready` of a kind: `reasons` or `warnings`.
fn ready(server: &Server, kind: &str) -> Vec<String> {
    let (status, body) = get(server.http, "/ready");
    assert_eq!(status == 200, body["reasons"] == json!([]), "{body}");
    serde_json::from_value(body[kind].clone()).unwrap()
}

#[test]
fn alarms_are_named_as_long_as_they_are_in_force() {
    let server = Server::start();
    let alarm = |resource: &str| json!({"node": server.node, "resource": resource});
    let names = |alarms: &[Value]| json!({ "alarms": alarms });
    let say = |alarms: &[Value], terms: &str| {
        let cluster = failed("There are alarms in effect in the cluster", &names(alarms));
        assert_eq!(check(&server, "alarms"), cluster);
        assert_eq!(check(&server, "local-alarms"), failed("There are alarms in effect on the node", &names(alarms)));
        let old = failed(&format!("resource alarm(s) in effect:[{terms}]"), &json!({}));
        assert_eq!(get(server.http, "/api/healthchecks/node"), old);
        assert_eq!(get(server.http, &format!("/api/healthchecks/node/{}", server.node)), old);
        // A node that has publishers wait still serves.
        assert_eq!(check(&server, "ready-to-serve-clients"), ok());
        assert_eq!(ready(&server, "reasons"), [""; 0]);
        assert_eq!(ready(&server, "warnings").len(), alarms.len());
    };
    run(&server, "rabbitmqctl", &["-q", "set_disk_free_limit", "1000000GB"]);
    say(&[alarm("disk space")], &format!("{{resource_limit,disk,{}}}", server.node));
    run(&server, "rabbitmqctl", &["-q", "set_vm_memory_high_watermark", "0.000001"]);
    let (_, both) = check(&server, "alarms");
    let mut resources: Vec<_> = both["alarms"].as_array().unwrap().iter().map(|alarm| &alarm["resource"]).collect();
    resources.sort_by_key(|resource| resource.as_str());
    assert_eq!(resources, ["disk space", "memory"]);
    run(&server, "rabbitmqctl", &["-q", "set_disk_free_limit", "1"]);
    say(&[alarm("memory")], &format!("{{resource_limit,memory,{}}}", server.node));
    run(&server, "rabbitmqctl", &["-q", "set_vm_memory_high_watermark", "0.9"]);
    for path in ["health/checks/alarms", "health/checks/local-alarms", "healthchecks/node"] {
        assert_eq!(get(server.http, &format!("/api/{path}")), ok(), "{path}");
    }
}

#[test]
fn a_node_at_its_connection_limit_says_so_and_refuses_more() {
    let server = with(&["connection_max=2", "cluster_formation.target_cluster_size_hint=3"]);
    assert_eq!(check(&server, "below-node-connection-limit"), ok());
    let first = Client::connect(server.amqp).unwrap();
    assert_eq!(check(&server, "ready-to-serve-clients"), ok());
    let second = Client::connect(server.amqp).unwrap();
    let reason = "node connection limit is reached";
    assert_eq!(check(&server, "below-node-connection-limit"), failed(reason, &json!({})));
    assert_eq!(check(&server, "ready-to-serve-clients"), failed(reason, &json!({"connections": 2})));
    assert_eq!(check(&server, "is-in-service"), ok());
    assert_eq!(ready(&server, "reasons"), ["as many connections are open as connection_max allows: 2"]);
    let refused = Client::connect(server.amqp).err().unwrap().to_string();
    let said = "NOT_ALLOWED - connection refused: node connection limit (2) is reached";
    assert!(refused.contains(said), "{refused}");
    drop(second);
    wait_until("there is room again", || (check(&server, "below-node-connection-limit") == ok()).then_some(()));
    assert_eq!(check(&server, "ready-to-serve-clients"), ok());
    drop(first);
    assert_eq!(
        check(&server, "reached-target-cluster-size"),
        failed("target cluster size not reached: 1 of 3 nodes are online", &json!({"online": 1, "target": 3}))
    );
}

#[test]
fn a_node_that_takes_no_clients_says_so() {
    let server = Server::start();
    let port = server.amqp.port();
    let listener = format!("port-listener/{port}");
    assert_eq!(check(&server, &listener), (200, json!({"status": "ok", "port": port})));
    let (status, body) = check(&server, "protocol-listener/AMQP091%2Chttp");
    assert_eq!((status, &body["status"]), (200, &json!("ok")));
    run(&server, "rabbitmqctl", &["-q", "suspend_listeners"]);
    let (status, body) = check(&server, &listener);
    assert_eq!((status, &body["reason"], &body["missing"]), (503, &json!("No active listener"), &json!(port)));
    let mut ports: Vec<u16> = serde_json::from_value(body["ports"].clone()).unwrap();
    ports.sort_unstable();
    let mut open = [server.http.port(), server.metrics.unwrap().port()];
    open.sort_unstable();
    assert_eq!(ports, open);
    let (status, body) = check(&server, "protocol-listener/amqp%2Cstomp1.0");
    assert_eq!((status, &body["reason"]), (503, &json!("No active listener")));
    assert_eq!(body["protocols"], json!(["http", "http/prometheus"]));
    assert_eq!(check(&server, "ready-to-serve-clients"), failed("no active listeners for AMQP/AMQPS", &json!({})));
    assert_eq!(check(&server, "is-in-service"), ok());
    assert_eq!(ready(&server, "reasons"), ["the listeners of clients are suspended"]);
    run(&server, "rabbitmqctl", &["-q", "resume_listeners"]);
    assert_eq!(check(&server, "ready-to-serve-clients"), ok());
    run(&server, "rabbitmq-upgrade", &["-q", "drain"]);
    let of = |node: &str| failed(&format!("{node} rabbit node is not currently available to serve"), &json!({}));
    assert_eq!(check(&server, "is-in-service"), of("this"));
    assert_eq!(check(&server, "ready-to-serve-clients"), of("the"));
    assert_eq!(check(&server, "below-node-connection-limit"), ok());
    assert!(ready(&server, "reasons").contains(&"the node is in maintenance".to_owned()));
    run(&server, "rabbitmq-upgrade", &["-q", "revive"]);
    assert_eq!(check(&server, "is-in-service"), ok());
}

#[test]
fn a_node_without_virtual_hosts_says_so() {
    let server = Server::start();
    assert_eq!(check(&server, "metadata-store/initialized/with-data"), ok());
    assert_eq!(get(server.http, "/api/aliveness-test/%2F"), ok());
    run(&server, "rabbitmqctl", &["-q", "delete_vhost", "/"]);
    let reason = "Metadata store has not yet been initialized: it reports to have no virtual hosts";
    assert_eq!(check(&server, "metadata-store/initialized/with-data"), failed(reason, &json!({})));
    assert_eq!(check(&server, "metadata-store/initialized"), ok());
    assert_eq!(check(&server, "virtual-hosts"), ok());
    assert_eq!(get(server.http, "/api/aliveness-test/%2F").0, 404);
}
