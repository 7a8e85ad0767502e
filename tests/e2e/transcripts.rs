//! Recorded exchanges of the reference broker, replayed on this one.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tests::transcripts::{Scores, cli_scores, http_scores, judge, scenarios, unlike, wider_scores};
use tests::{Options, Server, binaries, free_port, python, repository};

/// A server whose ports stay the same when the application is stopped and started.
fn server() -> Server {
    let set = [
        format!("listeners.tcp.default=127.0.0.1:{}", free_port()),
        format!("management.tcp.port={}", free_port()),
        format!("prometheus.tcp.port={}", free_port()),
        // What the transcripts were recorded with, and cheap enough for thousands of users.
        "password_hashing_module=rabbit_password_hashing_sha256".to_owned(),
    ];
    // The recorded node had variables of its environment to show.
    let environment = vec![("RABBITMQ_DEFAULT_VHOST".to_owned(), "/".to_owned())];
    Server::start_with(Options { set: set.to_vec(), environment, ..Options::default() })
}

/// A file beside the server's data.
fn beside(server: &Server, name: &str) -> PathBuf {
    server.data_dir().with_file_name(name)
}

/// Runs a replayer and reads its report. That steps differ is no failure yet.
fn replay(
    server: &Server,
    kind: &str,
    program: &[PathBuf],
    arguments: &[String],
    read: fn(&str) -> anyhow::Result<Scores>,
) -> Scores {
    let report = beside(server, "report.json");
    let output = Command::new(python())
        .args(program)
        .arg("--json-report")
        .arg(&report)
        .args(arguments)
        .args(scenarios(kind).expect("a list").iter().flat_map(|name| ["--scenario", name]))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("RABBITMQ_NODENAME", &server.node)
        .env("WARREN_SOCKET", &server.socket)
        .stdin(Stdio::null())
        .output()
        .expect("python runs");
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(&report).unwrap_or_else(|_| panic!("no report:\n{said}\n{complained}"));
    println!("{said}");
    read(&text).expect("a report")
}

fn check(kind: &str, scores: &Scores) {
    match judge(kind, scores) {
        // Not through the macro, which is silent while a test passes.
        Ok(text) => std::io::stdout().write_all(text.as_bytes()).expect("standard output is open"),
        Err(error) => panic!("{error:#}"),
    }
}

/// Refuses answers that the OpenAPI document does not know: their path, status, content type or a field.
fn check_documented(undocumented: &Path) {
    let text = std::fs::read_to_string(undocumented).expect("the replayer writes what it found");
    let findings: Vec<String> = serde_json::from_str(&text).expect("a list");
    assert!(findings.is_empty(), "answers that are not in the OpenAPI document:\n{}", findings.join("\n"));
}

#[test]
fn the_http_api_answers_as_recorded_and_as_documented() {
    let server = server();
    let ctl = binaries().links.join("rabbitmqctl");
    let ctl = ctl.display();
    let mut arguments = vec![
        "--url".to_owned(),
        format!("http://{}", server.http),
        "--amqp".to_owned(),
        format!("amqp://{}", server.amqp),
        "--prometheus-url".to_owned(),
        format!("http://{}", server.metrics.expect("metrics are on")),
        "--reset-cmd".to_owned(),
        // The recorded node had no global parameters but its identity.
        format!(
            "{ctl} -q stop_app && {ctl} -q reset && {ctl} -q start_app && {ctl} -q clear_global_parameter cluster_tags"
        ),
    ];
    arguments.extend(unlike().expect("a list").into_iter().flat_map(|step| ["--unlike".to_owned(), step]));
    let undocumented = beside(&server, "undocumented.json");
    let program = [repository().join("tests/python/documented_replay.py"), undocumented.clone()];
    check("http", &replay(&server, "http", &program, &arguments, http_scores));
    check_documented(&undocumented);
}

/// What the command line replayer is told about a server.
fn about(server: &Server) -> Vec<String> {
    vec![
        "--bin-dir".to_owned(),
        binaries().links.display().to_string(),
        "--amqp".to_owned(),
        format!("amqp://guest:guest@{}/", server.amqp),
        "--http".to_owned(),
        format!("http://guest:guest@{}", server.http),
        "--node".to_owned(),
        server.node.clone(),
        "--env".to_owned(),
        format!("WARREN_SOCKET={}", server.socket.display()),
        "--subst".to_owned(),
        format!("{}=<DATA_DIR>", server.data_dir().display()),
    ]
}

#[test]
fn the_command_line_answers_as_recorded() {
    let server = server();
    let program = [repository().join("tests/transcripts/cli/replay.py")];
    check("cli", &replay(&server, "cli", &program, &about(&server), cli_scores));
}

/// Every command with every formatter and every kind of mistake, as recorded from Debian's package.
#[test]
fn the_command_line_answers_other_lines_as_recorded() {
    let server = server();
    let program = [repository().join("tests/transcripts/cli/replay.py")];
    let mut arguments = about(&server);
    let folder = repository().join("tests/transcripts/wider/scenarios").display().to_string();
    arguments.extend(["--as".to_owned(), WIDER_VERSION.to_owned(), "--dir".to_owned(), folder]);
    check("wider", &replay(&server, "wider", &program, &arguments, wider_scores));
}

/// The version the scenarios of the folder `wider` were recorded from.
const WIDER_VERSION: &str = "4.3.6";
