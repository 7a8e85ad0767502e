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
