//! The OpenAPI document against the running server: what it says is what is answered.

use tests::{Options, Server, run_python};

/// A server on which a login costs little, since every request is one.
fn server() -> Server {
    let set = vec!["password_hashing_module=rabbit_password_hashing_sha256".to_owned()];
    Server::start_with(Options { set, ..Options::default() })
}

#[test]
fn every_operation_succeeds_once_as_documented() {
    println!("{}", String::from_utf8_lossy(&run_python(&server(), &["tour.py"]).stdout));
}

/// `WARREN_FUZZ_EXAMPLES` makes it longer.
#[test]
fn requests_of_all_sorts_are_answered_as_documented() {
    println!("{}", String::from_utf8_lossy(&run_python(&server(), &["fuzz_api.py"]).stdout));
}
