//! What the command line can do beyond the reference's: declaring, deleting many, waiting, one question for probes.

use tests::Server;

/// Runs a line; what it printed and its exit code.
fn run(server: &Server, line: &[&str]) -> (String, String, i32) {
    let output = server.tool("rabbitmqctl", line);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code().unwrap())
}

#[track_caller]
fn done(server: &Server, line: &[&str]) -> String {
    let (stdout, stderr, code) = run(server, line);
    assert_eq!((stderr.as_str(), code), ("", 0), "{line:?}");
    stdout
}

#[test]
fn objects_are_declared_again_without_a_change_and_deleted() {
    let server = Server::start();
    for _ in 0..2 {
        done(&server, &["-q", "declare_queue", "q", "--type", "quorum", "--arguments", r#"{"x-max-length":5}"#]);
        done(&server, &["-q", "declare_queue", "t", "--transient", "--auto-delete"]);
        done(&server, &["-q", "declare_exchange", "x", "topic", "--internal"]);
        done(&server, &["-q", "declare_binding", "x", "q", "-k", "a.#"]);
        done(&server, &["-q", "declare_binding", "amq.topic", "x", "--destination-type", "exchange", "-k", "b"]);
    }
    assert_eq!(
        done(
            &server,
            &["-q", "list_queues", "name", "type", "durable", "auto_delete", "arguments", "--no-table-headers"]
        ),
        "q\tquorum\ttrue\tfalse\t[{\"x-max-length\",5},{\"x-queue-type\",\"quorum\"}]\nt\tclassic\tfalse\ttrue\t[{\"x-queue-type\",\"classic\"}]\n"
    );
    let bindings = || done(&server, &["-s", "list_bindings", "source_name", "destination_name", "routing_key"]);
    assert!(bindings().contains("x\tq\ta.#\n") && bindings().contains("amq.topic\tx\tb\n"), "{}", bindings());

    let (_, refused, code) = run(&server, &["delete_exchange", "x", "--if-unused"]);
    assert_eq!(code, 69, "{refused}");
    done(&server, &["-q", "delete_binding", "x", "q", "-k", "a.#"]);
    assert_eq!(run(&server, &["delete_binding", "x", "q", "-k", "a.#"]).2, 65);
    done(&server, &["-q", "delete_exchange", "x"]);
    assert!(!bindings().contains("a.#"), "{}", bindings());
    let (_, missing, code) = run(&server, &["delete_exchange", "x"]);
    assert_eq!((missing.as_str(), code), ("exchange 'x' was not found in virtual host '/'\n", 65));
    let (_, other, code) = run(&server, &["declare_queue", "q"]);
    assert_eq!(code, 69, "declared with other properties: {other}");
}

#[test]
fn many_queues_go_at_once_after_a_preview() {
    let server = Server::start();
    for name in ["job.1", "job.2", "job.3", "keep"] {
        done(&server, &["-q", "declare_queue", name]);
    }
    let preview = done(&server, &["-q", "delete_queues", "^job", "--dry-run"]);
    assert_eq!(
        preview,
        "name\ttype\tmessages\tconsumers\njob.1\tclassic\t0\t0\njob.2\tclassic\t0\t0\njob.3\tclassic\t0\t0\n"
    );
    // Nobody can be asked here.
    let (_, refused, code) = run(&server, &["delete_queues", "^job"]);
    assert_eq!(
        (refused.as_str(), code),
        ("Error:\n3 queues would be deleted: --dry-run lists them, --yes does it\n", 64)
    );
    assert_eq!(done(&server, &["-q", "purge_queues", "^job", "--yes"]), "3 of 3 queues purged\n");
    assert_eq!(done(&server, &["-q", "delete_queues", "^job", "--yes"]), "3 of 3 queues deleted\n");
    assert_eq!(done(&server, &["-s", "list_queues", "name"]), "keep\n");
    assert_eq!(run(&server, &["delete_queues", "("]).2, 65);
}

#[test]
fn a_probe_is_one_question() {
    let server = Server::start();
    assert_eq!(done(&server, &["health"]), "ready\n");
    assert_eq!(done(&server, &["health", "--live"]), "alive\n");
    done(&server, &["wait", "--ready", "--timeout", "20"]);
    let (_, late, code) = run(&server, &["wait", "--ready", "--queue", "later", "--timeout", "1"]);
    assert_eq!(code, 75);
    assert!(late.ends_with("queue 'later' is not there in virtual host '/'\n"), "{late}");
    let waiting =
        server.tool_command("rabbitmqctl", &["wait", "--ready", "--queue", "later", "-t", "30"]).spawn().unwrap();
    done(&server, &["-q", "declare_queue", "later"]);
    assert!(waiting.wait_with_output().unwrap().status.success());

    done(&server, &["-q", "stop_app"]);
    let (_, reasons, code) = run(&server, &["health"]);
    assert_eq!(code, 69);
    assert!(reasons.starts_with("not ready\n"), "{reasons}");
    let json: serde_json::Value = serde_json::from_str(&run(&server, &["health", "--json"]).1).unwrap();
    assert_eq!(json["status"], "failed");
    let waiting = server.tool_command("rabbitmqctl", &["wait", "--ready", "-t", "30"]).spawn().unwrap();
    done(&server, &["-q", "start_app"]);
    assert!(waiting.wait_with_output().unwrap().status.success());
}
