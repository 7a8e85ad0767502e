//! The ways to name a node that is not on this host: addresses, profiles, and where passwords come from.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use tests::{Server, binaries};

/// A tool that finds no node by itself.
fn away(arguments: &[&str]) -> Command {
    let mut command = Command::new(binaries().links.join("rabbitmqctl"));
    command.args(arguments).stdin(Stdio::null());
    for name in ["WARREN_SOCKET", "WARREN_URI", "WARREN_PROFILE", "WARREN_PASSWORD", "RABBITMQ_NODENAME"] {
        command.env_remove(name);
    }
    command
}

fn text(output: &Output) -> (String, String, Option<i32>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

const USERS: &str = "user\ttags\nguest\t[administrator]\n";

#[track_caller]
fn works(command: &mut Command) {
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
fn what_cannot_be_reached_is_said_with_what_was_tried() {
    let port = tests::free_port().to_string();
    let nobody = format!("127.0.0.1:{port}");
    for (arguments, code, expected) in [
        (vec!["list_users", "--uri", &nobody], 69, nobody.as_str()),
        (vec!["list_users", "--uri", "amqp://h"], 64, "http or https"),
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
