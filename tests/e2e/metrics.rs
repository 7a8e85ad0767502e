//! The listener of metrics: its settings, and that it is open while its plugin is enabled.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use tests::{Options, Server, free_port};

/// Status and body of a request for `path`; `None` when nobody listens.
fn get(address: SocketAddr, path: &str, credentials: Option<&str>) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let login = credentials.map(|pair| format!("Authorization: Basic {pair}\r\n")).unwrap_or_default();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{login}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

fn run(server: &Server, tool: &str, line: &[&str]) -> String {
    let output = server.tool(tool, line);
    assert_eq!(output.status.code(), Some(0), "{line:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn with(set: &[&str]) -> Server {
    Server::start_with(Options { set: set.iter().map(|set| (*set).to_owned()).collect(), ..Options::default() })
}

#[test]
fn metrics_are_served_while_the_application_runs_whatever_plugins_are_enabled() {
    let server = with(&[&format!("prometheus.tcp.port={}", free_port())]);
    let address = server.metrics.unwrap();
    let is_listed = || run(&server, "rabbitmq-diagnostics", &["-q", "listeners"]).contains("protocol: http/prometheus");
    let is_served = || get(address, "/metrics", None).map(|answer| answer.0);
    assert_eq!((is_listed(), is_served()), (true, Some(200)));
    run(&server, "rabbitmq-plugins", &["enable", "rabbitmq_shovel"]);
    assert_eq!((is_listed(), is_served()), (true, Some(200)));
    run(&server, "rabbitmqctl", &["-q", "stop_app"]);
    assert_eq!(is_served(), None);
    run(&server, "rabbitmqctl", &["-q", "start_app"]);
    assert_eq!((is_listed(), is_served()), (true, Some(200)));
}

#[test]
fn metrics_are_where_and_for_whom_settings_say() {
    let listener = format!("prometheus.tcp.listener=127.0.0.1:{}", free_port());
    let server = with(&[
        &listener,
        "prometheus.path=/to/metrics",
        "prometheus.return_per_object_metrics=true",
        "prometheus.authentication.enabled=true",
    ]);
    let address = server.metrics.unwrap();
    assert!(listener.ends_with(&address.to_string()));
    run(&server, "rabbitmqctl", &["-q", "add_user", "manager", "m"]);
    run(&server, "rabbitmqctl", &["-q", "set_user_tags", "manager", "management"]);
    let (guest, manager, wrong) = ("Z3Vlc3Q6Z3Vlc3Q=", "bWFuYWdlcjpt", "Z3Vlc3Q6bm8=");
    for (path, credentials, status) in [
        ("/to/metrics", None, 401),
        ("/to/metrics", Some(wrong), 401),
        ("/to/metrics", Some(manager), 401),
        ("/to/metrics/detailed", Some(guest), 200),
        ("/metrics", Some(guest), 404),
    ] {
        assert_eq!(get(address, path, credentials).unwrap().0, status, "{path} {credentials:?}");
    }
    let (_, page) = get(address, "/to/metrics", Some(guest)).unwrap();
    assert!(page.contains("rabbitmq_endpoint=\"per-object\""), "{page}");
}

#[test]
fn metrics_are_off_when_there_is_no_listener() {
    let server = with(&["prometheus.tcp.listener=none"]);
    assert_eq!(server.metrics, None);
}
