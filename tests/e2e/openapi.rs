//! The OpenAPI document against the running server: what it says is what is answered.

use std::process::Command;

use tests::{Options, Server, python_with, repository, run_python, run_python_with};

/// A server on which a login costs little, since every request is one.
fn server() -> Server {
    let set = vec!["password_hashing_module=rabbit_password_hashing_sha256".to_owned()];
    Server::start_with(Options { set, ..Options::default() })
}

#[test]
fn every_operation_succeeds_once_as_documented() {
    println!("{}", String::from_utf8_lossy(&run_python(&server(), &["tour.py"]).stdout));
}

/// `WARREN_FUZZ_EXAMPLES` makes it longer, `WARREN_FUZZ_SEED` another one.
#[test]
fn requests_of_all_sorts_are_answered_as_documented() {
    let mut spare = server();
    let socket = spare.socket.display().to_string();
    let output = run_python_with(&server(), &["fuzz_api.py"], &[("WARREN_SPARE_SOCKET", &socket)]);
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(spare.wait().success(), "the node was shut down");
}

#[test]
fn requests_that_no_client_makes_are_answered_as_documented() {
    println!("{}", String::from_utf8_lossy(&run_python(&server(), &["odd_requests.py"]).stdout));
}

/// A published generator takes the whole document, and what it makes of it works.
#[test]
fn a_client_is_made_of_the_document() {
    let server = server();
    let folder = repository().join("tests/python/typed");
    let python = python_with("test-typed-client", &folder.join("requirements.txt"));
    let output = Command::new(python)
        .arg("session.py")
        .current_dir(folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("WARREN_HTTP", format!("http://{}", server.http))
        .output()
        .expect("python runs");
    let (said, why) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{why}");
    println!("{said}");
}

/// `WARREN_RACE_REQUESTS` makes it longer.
#[test]
fn callers_in_each_other_s_way_are_answered_as_documented() {
    println!("{}", String::from_utf8_lossy(&run_python(&server(), &["race.py"]).stdout));
}
