//! The OpenAPI document against the running server: what it says is what is answered.

use tests::{Options, Server, run_python, run_python_with};

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
