//! The ways to name a node that is not on this host: addresses, profiles, and where passwords come from.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};

use tests::{Server, binaries, python};

/// A tool that finds no node by itself.
pub fn away(arguments: &[&str]) -> Command {
    let mut command = Command::new(binaries().links.join("rabbitmqctl"));
    command.args(arguments).stdin(Stdio::null());
    for name in ["WARREN_SOCKET", "WARREN_URI", "WARREN_PROFILE", "WARREN_PASSWORD", "RABBITMQ_NODENAME"] {
        command.env_remove(name);
    }
    command
}

pub fn text(output: &Output) -> (String, String, Option<i32>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

pub const USERS: &str = "user\ttags\nguest\t[administrator]\n";

#[track_caller]
pub fn works(command: &mut Command) {
    assert_eq!(text(&command.output().unwrap()), (USERS.to_owned(), String::new(), Some(0)), "{command:?}");
}

#[test]
fn a_node_elsewhere_is_named_by_address_or_profile() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "guest\n").unwrap();
    let secret = secret.display().to_string();
    let http = server.http.to_string();

    works(&mut away(&["-q", "list_users", "--uri", &format!("http://guest:guest@{http}/api")]));
    works(away(&["-q", "list_users"]).env("WARREN_URI", format!("http://guest:guest@{http}")));
    works(&mut away(&["-q", "list_users", "--uri", &http, "--username", "guest", "--password-file", &secret]));
    works(away(&["-q", "list_users", "--uri", &http, "--username", "guest"]).env("WARREN_PASSWORD", "guest"));

    // From standard input, so that it stands in no process list.
    let mut child = away(&["-q", "list_users", "--uri", &http, "--username", "guest", "--password-file", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"guest\n").unwrap();
    assert_eq!(text(&child.wait_with_output().unwrap()), (USERS.to_owned(), String::new(), Some(0)));

    let profiles = folder.path().join("warren/ctl.toml");
    std::fs::create_dir_all(profiles.parent().unwrap()).unwrap();
    let own = format!(
        "[here]\nhostname = \"{}\"\nport = {}\nusername = \"guest\"\npassword_file = \"{secret}\"\nvhost = \"nowhere\"\n",
        server.http.ip(),
        server.http.port()
    );
    std::fs::write(&profiles, own).unwrap();
    let of_profile = |arguments: &[&str]| {
        let mut command = away(arguments);
        command.env("XDG_CONFIG_HOME", folder.path());
        command
    };
    works(&mut of_profile(&["-q", "list_users", "--profile", "here"]));
    works(of_profile(&["-q", "list_users"]).env("WARREN_PROFILE", "here"));
    // The profile's virtual host is the one of commands that name none.
    let refused = text(&of_profile(&["list_permissions", "--profile", "here"]).output().unwrap());
    assert_eq!(refused.1, "Virtual host 'nowhere' does not exist\n");
    works(&mut of_profile(&["-q", "list_users", "--profile", "here", "--vhost", "/"]));
}

#[test]
fn what_a_killed_node_left_is_taken_away_by_the_next_that_starts() {
    let mut killed = Server::start();
    let before = text(&away(&["list_users", "-n", &killed.node]).output().unwrap()).1;
    let unregistered = format!("no node {} is registered", killed.node);
    assert!(!before.contains(&unregistered), "{before}");
    killed.kill();
    let _next = Server::start();
    let stderr = text(&away(&["list_users", "-n", &killed.node]).output().unwrap()).1;
    assert!(stderr.contains(&unregistered), "{stderr}");
}

#[test]
fn what_goes_wrong_first_with_a_node_elsewhere_is_said_with_what_to_do() {
    let server = Server::start();
    let http = server.http.to_string();
    for (uri, expected) in [
        (format!("http://{http}"), "give --username"),
        (format!("http://guest@{http}"), "does not accept user 'guest'"),
        (format!("http://guest:wrong@{http}"), "does not accept user 'guest'"),
        (format!("http://guest:guest@{}", server.amqp), "that is no HTTP API"),
        (format!("https://guest:guest@{http}"), "does not speak TLS"),
    ] {
        let (_, stderr, found) = text(&away(&["list_users", "--uri", &uri]).output().unwrap());
        assert_eq!(found, Some(69), "{uri}: {stderr}");
        assert!(stderr.contains(expected), "{uri}: {stderr}");
    }
    let (_, stderr, found) = text(&away(&["list_users", "-n", "nobody@localhost"]).output().unwrap());
    assert_eq!(found, Some(69));
    assert!(stderr.contains("; here run "), "{stderr}");
}

#[test]
fn what_cannot_be_reached_is_said_with_what_was_tried() {
    let port = tests::free_port().to_string();
    let nobody = format!("127.0.0.1:{port}");
    for (arguments, code, expected) in [
        (vec!["list_users", "--uri", &nobody], 69, nobody.as_str()),
        (vec!["list_users", "--uri", "amqp://h"], 64, "http or https"),
        (vec!["list_users", "--uri", "h:99999"], 64, "\"99999\" is no port"),
        (vec!["list_users", "--profile", "x", "--config-file", "/nonexistent"], 78, "/nonexistent"),
        (vec!["list_users", "--uri", &nobody, "--password-file", "/nonexistent"], 65, "/nonexistent"),
        (vec!["list_users", "--uri", "https://h", "--ca-cert", "/nonexistent"], 78, "/nonexistent"),
        (vec!["list_users", "--socket", "/nonexistent"], 69, "/nonexistent"),
    ] {
        let (_, stderr, found) = text(&away(&arguments).output().unwrap());
        assert_eq!(found, Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    }
}

/// Runs a command on a terminal of its own: tells its process id, answers its first question with a line, and tells what
/// was shown.
const AT_A_TERMINAL: &str = "
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
print(pid, flush=True)
shown = b''
while b': ' not in shown:
    shown += os.read(terminal, 1000)
os.write(terminal, sys.stdin.readline().encode())
while True:
    try:
        shown += os.read(terminal, 1000)
    except OSError:
        break
print(shown)
";

#[test]
fn a_password_that_is_typed_or_read_stands_in_no_process_list_and_on_no_screen() {
    const SECRET: &str = "s3cret-word";
    // Answers nothing, so that the tool waits while it is looked at.
    let node = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = node.local_addr().unwrap().to_string();
    let line = ["list_users", "--uri", &address, "--username", "u"];
    let start = |command: &mut Command| -> Child {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(format!("{SECRET}\n").as_bytes()).unwrap();
        child
    };
    let looked_at = |pid: &str| {
        let (mut asked, _) = node.accept().unwrap();
        let mut head = [0; 4096];
        let length = asked.read(&mut head).unwrap();
        let head = String::from_utf8_lossy(&head[..length]).into_owned();
        assert!(head.contains("Basic dTpzM2NyZXQtd29yZA=="), "{head}");
        let listed = String::from_utf8(std::fs::read(format!("/proc/{pid}/cmdline")).unwrap()).unwrap();
        assert!(listed.contains("list_users") && !listed.contains(SECRET), "{listed}");
    };

    let read = start(&mut away(&[&line[..], &["--password-file", "-"]].concat()));
    looked_at(&read.id().to_string());
    assert_eq!(text(&read.wait_with_output().unwrap()).2, Some(69));

    let mut command = Command::new(python());
    command.args(["-c", AT_A_TERMINAL]).arg(binaries().links.join("rabbitmqctl")).args(line).arg("--ask-password");
    let mut typed = start(command.env_remove("WARREN_SOCKET").env_remove("RABBITMQ_NODENAME"));
    let mut said = BufReader::new(typed.stdout.take().unwrap());
    let mut pid = String::new();
    said.read_line(&mut pid).unwrap();
    looked_at(pid.trim());
    let mut shown = String::new();
    said.read_to_string(&mut shown).unwrap();
    assert!(typed.wait().unwrap().success());
    assert!(shown.contains("Password") && !shown.contains(SECRET), "{shown}");
}
