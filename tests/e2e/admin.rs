//! `rabbitmqadmin` in both of its syntaxes. The answers were recorded from its version 1 (Python) and 2.35 (Rust) on RabbitMQ 4.3.

use std::process::{Command, Stdio};

use tests::{Server, binaries};

/// A line of either syntax, without its name.
fn run(server: &Server, line: &[&str]) -> (String, String, i32) {
    let output = Command::new(binaries().links.join("rabbitmqadmin"))
        .args(["--host", &server.http.ip().to_string(), "--port", &server.http.port().to_string()])
        .args(line)
        // No configuration file of whoever runs the tests.
        .env("HOME", server.data_dir())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code().unwrap())
}

/// Lines with what they print and their exit code, one after the other.
#[track_caller]
fn check(server: &Server, table: &[(&[&str], &str, i32)]) {
    for (line, expected, code) in table {
        let (stdout, stderr, found) = run(server, line);
        let said = if stdout.is_empty() { &stderr } else { &stdout };
        assert_eq!((said.as_str(), found), (*expected, *code), "{line:?}\n{stderr}");
    }
}

#[test]
fn the_first_syntax_answers_as_recorded() {
    let server = Server::start();
    let file = server.data_dir().join("exported.json").display().to_string();
    let exported = format!("Exported definitions for {} to \"{file}\"\n", server.http.ip());
    check(
        &server,
        &[
            (&["declare", "queue", "name=q", "durable=true", r#"arguments={"x-max-length":5}"#], "queue declared\n", 0),
            (&["declare", "queue", "name=r", "queue_type=quorum"], "queue declared\n", 0),
            (&["declare", "exchange", "name=x", "type=topic"], "exchange declared\n", 0),
            (&["declare", "binding", "source=x", "destination=q", "routing_key=a"], "binding declared\n", 0),
            (&["declare", "user", "name=u", "password=x", "tags=management"], "user declared\n", 0),
            (&["declare", "vhost", "name=v"], "vhost declared\n", 0),
            (
                &["declare", "permission", "vhost=v", "user=u", "configure=.*", "write=.*", "read=.*"],
                "permission declared\n",
                0,
            ),
            (
                &["declare", "policy", "name=p", "pattern=^x", r#"definition={"max-length":1}"#, "apply-to=queues"],
                "policy declared\n",
                0,
            ),
            (
                &["list", "queues", "name", "durable", "type"],
                "+------+---------+---------+\n| name | durable |  type   |\n+------+---------+---------+\n\
             | q    | True    | classic |\n| r    | True    | quorum  |\n+------+---------+---------+\n",
                0,
            ),
            (&["-f", "tsv", "list", "queues", "name", "auto_delete"], "name\tauto_delete\nq\tFalse\nr\tFalse\n", 0),
            (&["-q", "-f", "tsv", "list", "queues", "name"], "q\nr\n", 0),
            (&["-f", "bash", "list", "queues"], "q r\n", 0),
            (
                &["-f", "kvp", "list", "queues", "name", "type"],
                "name=\"q\" type=\"classic\"\nname=\"r\" type=\"quorum\"\n",
                0,
            ),
            (&["-f", "raw_json", "list", "queues", "name"], "[{\"name\":\"q\"},{\"name\":\"r\"}]\n", 0),
            (&["-V", "v", "list", "queues"], "No items\n", 0),
            (
                &["list", "policies"],
                "+-------+------+----------+-------------------+---------+----------+\n\
             | vhost | name | apply-to |    definition     | pattern | priority |\n\
             +-------+------+----------+-------------------+---------+----------+\n\
             | /     | p    | queues   | {\"max-length\": 1} | ^x      | 0        |\n\
             +-------+------+----------+-------------------+---------+----------+\n",
                0,
            ),
            (&["publish", "routing_key=q", "payload=abc"], "Message published\n", 0),
            (&["publish", "routing_key=nope", "payload=abc"], "Message published but NOT routed\n", 0),
            (
                &["-f", "tsv", "get", "queue=q", "ackmode=ack_requeue_false"],
                "routing_key\texchange\tmessage_count\tpayload\tpayload_bytes\tpayload_encoding\tproperties\tredelivered\n\
             q\t\t0\tabc\t3\tstring\t\tFalse\n",
                0,
            ),
            (&["purge", "queue", "name=q"], "queue purged\n", 0),
            (&["export", &file], &exported, 0),
            (
                &["delete", "binding", "source=x", "destination_type=queue", "destination=q", "properties_key=a"],
                "binding deleted\n",
                0,
            ),
            (&["delete", "queue", "name=q"], "queue deleted\n", 0),
            (&["delete", "queue", "name=q"], "*** Not found: /api/queues/%2F/q\n\n", 1),
            (&["-u", "guest", "-p", "wrong", "list", "users"], "*** Access refused: /api/users\n\n", 1),
            (
                &["declare", "queue"],
                "\nERROR: mandatory argument \"name\" is required\n\nrabbitmqadmin --help for help\n\n",
                1,
            ),
            (
                &["declare", "queue", "nme=x"],
                "\nERROR: Argument \"nme\" is not recognised\n\nrabbitmqadmin --help for help\n\n",
                1,
            ),
            (
                &["declare", "user", "name=x"],
                "\nERROR: one of mandatory arguments \"['password', 'password_hash']\" is required\n\nrabbitmqadmin --help for help\n\n",
                1,
            ),
            (&["list", "nonsense"], "\nERROR: Don't know how to list nonsense\n\nrabbitmqadmin --help for help\n\n", 1),
        ],
    );
    let (imported, _, code) = run(&server, &["import", &file]);
    assert!(imported.starts_with("Uploaded definitions from") && code == 0, "{imported}");
    assert_eq!(run(&server, &["-f", "bash", "list", "queues"]).0, "q r\n");
}

#[test]
fn the_second_syntax_answers_as_recorded() {
    let server = Server::start();
    check(
        &server,
        &[
            (&["queues", "declare", "--name", "q", "--arguments", r#"{"x-max-length":5}"#], "", 0),
            (&["declare", "queue", "--name", "r", "--type", "quorum"], "", 0),
            (&["streams", "declare", "--name", "s", "--expiration", "1h", "--max-length-bytes", "1000000"], "", 0),
            (&["exchanges", "declare", "--name", "x", "--type", "topic"], "", 0),
            (
                &[
                    "exchanges",
                    "bind",
                    "--source",
                    "x",
                    "--destination-type",
                    "queue",
                    "--destination",
                    "q",
                    "--routing-key",
                    "a",
                ],
                "",
                0,
            ),
            (&["vhosts", "declare", "--name", "v", "--description", "d"], "", 0),
            (&["users", "declare", "--name", "u", "--password", "x", "--tags", "monitoring"], "", 0),
            (
                &[
                    "--vhost",
                    "v",
                    "permissions",
                    "declare",
                    "--user",
                    "u",
                    "--configure",
                    ".*",
                    "--read",
                    "a",
                    "--write",
                    "b",
                ],
                "",
                0,
            ),
            (
                &["queues", "list", "--columns", "name,queue_type,arguments"],
                "╭──────┬────────────┬─────────────────────────────╮\n│ name │ queue_type │ arguments                   │\n\
             ├──────┼────────────┼─────────────────────────────┤\n│ q    │ classic    │ x-max-length: 5             │\n\
             │      │            │ x-queue-type: \"classic\"     │\n│ r    │ quorum     │ x-queue-type: \"quorum\"      │\n\
             │ s    │ stream     │ x-max-age: \"1h\"             │\n│      │            │ x-max-length-bytes: 1000000 │\n\
             │      │            │ x-queue-type: \"stream\"      │\n╰──────┴────────────┴─────────────────────────────╯\n",
                0,
            ),
            (&["--non-interactive", "queues", "list", "--columns", "name,durable"], "q  true\nr  true\ns  true\n", 0),
            (
                &["--table-style", "ascii", "vhosts", "list", "--columns", "name,description"],
                "+------+----------------------+\n| name | description          |\n+------+----------------------+\n\
             | /    | Default virtual host |\n+------+----------------------+\n| v    | d                    |\n\
             +------+----------------------+\n",
                0,
            ),
            (
                &["-V", "v", "permissions", "list", "--columns", "user,vhost,read"],
                "╭───────┬───────┬──────╮\n│ user  │ vhost │ read │\n├───────┼───────┼──────┤\n│ guest │ /     │ .*   │\n\
             │ guest │ v     │ .*   │\n│ u     │ v     │ a    │\n╰───────┴───────┴──────╯\n",
                0,
            ),
            (&["health_check", "local_alarms"], "health check passed\n", 0),
            (&["publish", "message", "--routing-key", "nope"], "Message published but NOT routed\n", 0),
            (&["--non-interactive", "policies", "list"], "", 0),
            (&["exchanges", "delete", "--name", "x"], "", 0),
            (&["queues", "delete", "--name", "q"], "", 0),
            (&["queues", "delete", "--name", "q"], "API responded with a 404 Not Found\n", 65),
            (&["queues", "delete", "--name", "q", "--idempotently"], "", 0),
            (&["--non-interactive", "queues", "delete_multiple", "--name-pattern", "^r", "--dry-run"], "r\n", 0),
            (&["queues", "delete_multiple", "--name-pattern", "^r", "--approve"], "1 of 1 deleted\n", 0),
            (&["--non-interactive", "queues", "list", "--columns", "name"], "s\n", 0),
        ],
    );
    let (_, complaint, code) = run(&server, &["queues", "declare"]);
    assert!(complaint.contains("--name <VALUE>") && code == 2, "{complaint}");
}

#[test]
fn a_section_of_the_configuration_file_says_where_to() {
    let server = Server::start();
    let file = server.data_dir().join("rabbitmqadmin.conf");
    let (host, port) = (server.http.ip(), server.http.port());
    for (text, line) in [
        (
            format!("[here]\nhostname = {host}\nport = {port}\nusername = guest\npassword = guest\n"),
            vec!["-f", "bash", "list", "vhosts"],
        ),
        (
            format!("[here]\nhostname = \"{host}\"\nport = {port}\n"),
            vec!["--non-interactive", "vhosts", "list", "--columns", "name"],
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        let output = Command::new(binaries().links.join("rabbitmqadmin"))
            .args(["-c", &file.display().to_string(), "-N", "here"])
            .args(&line)
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "/\n",
            "{line:?} {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
