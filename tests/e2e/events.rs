//! What the node tells of itself, switched on and off by the tools.

use tests::{Server, run_python};

fn told(server: &Server, line: &[&str]) -> String {
    let output = server.tool("rabbitmqctl", line);
    assert_eq!(output.status.code(), Some(0), "{line:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn tracing(server: &Server) -> String {
    told(server, &["-q", "list_vhosts", "name", "tracing"])
}

#[test]
fn tracing_is_switched_by_the_tool_and_off_after_a_restart() {
    let mut server = Server::start();
    assert_eq!(tracing(&server), "name\ttracing\n/\tfalse\n");
    let started = "Starting tracing for vhost \"/\" ...\nTrace enabled for vhost /\n";
    for _ in 0..2 {
        assert_eq!(told(&server, &["trace_on"]), started);
        assert_eq!(tracing(&server), "name\ttracing\n/\ttrue\n");
        run_python(&server, &["traced.py", "2"]);
    }
    let stopped = "Stopping tracing for vhost \"/\" ...\nTrace disabled for vhost /\n";
    assert_eq!(told(&server, &["trace_off", "-p", "/"]), stopped);
    assert_eq!(tracing(&server), "name\ttracing\n/\tfalse\n");
    run_python(&server, &["traced.py", "0"]);
    told(&server, &["trace_on"]);
    server.stop();
    let server = server.restart();
    assert_eq!(tracing(&server), "name\ttracing\n/\tfalse\n");
    run_python(&server, &["traced.py", "0"]);
}

/// How often the exchange of events is listed.
fn event_exchanges(server: &Server) -> usize {
    let listed = told(server, &["-q", "list_exchanges", "name", "type", "durable", "internal"]);
    listed.lines().filter(|line| *line == "amq.rabbitmq.event\ttopic\ttrue\ttrue").count()
}

#[test]
fn events_are_told_as_long_as_the_plugin_is_enabled() {
    let mut server = Server::start();
    let plugins = |server: &Server, what: &str| {
        let output = server.tool("rabbitmq-plugins", &[what, "rabbitmq_event_exchange"]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let told = |server: &Server, which: &[&str]| {
        let program = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "events.py"];
        let output = run_python(server, &[&program[..], which].concat());
        println!("{}", String::from_utf8_lossy(&output.stdout));
    };
    assert_eq!(event_exchanges(&server), 0);
    plugins(&server, "enable");
    plugins(&server, "enable");
    assert_eq!(event_exchanges(&server), 1);
    told(&server, &[]);
    server.stop();
    let server = server.restart();
    assert_eq!(event_exchanges(&server), 1);
    told(&server, &["-k", "over_http"]);
    plugins(&server, "disable");
    assert_eq!(event_exchanges(&server), 0);
}
