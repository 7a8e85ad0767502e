//! The Python environment of the tests: made below `target/` by the first test that needs it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use rustix::fs::{FlockOperation, flock};

use crate::{Server, repository};

/// The interpreter that has what `tests/python/requirements.txt` names.
pub fn python() -> &'static Path {
    static PYTHON: LazyLock<PathBuf> = LazyLock::new(install);
    &PYTHON
}

/// Makes the environment unless it is there with the same requirements. Several test
/// processes may come at once: the first one works, the others wait for its lock.
fn install() -> PathBuf {
    let requirements = repository().join("tests/python/requirements.txt");
    let wanted = fs::read_to_string(&requirements).expect("the requirements can be read");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from);
    let environment = target.join("test-python");
    fs::create_dir_all(&environment).expect("target/ can be written");
    let lock = File::create(environment.join("lock")).expect("target/ can be written");
    flock(&lock, FlockOperation::LockExclusive).expect("a local file can be locked");

    let (venv, done) = (environment.join("venv"), environment.join("installed-requirements.txt"));
    let python = venv.join("bin/python");
    if fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) && python.exists() {
        return python;
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(requirements));
    fs::write(done, wanted).expect("target/ can be written");
    python
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Runs Python in `tests/python` with the server's addresses in the environment.
///
/// # Panics
/// When it fails; its output is in the message.
pub fn run_python(server: &Server, arguments: &[&str]) -> Output {
    let output = Command::new(python())
        .args(arguments)
        .current_dir(repository().join("tests/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("WARREN_AMQP", format!("amqp://{}", server.amqp))
        .env("WARREN_HTTP", format!("http://{}", server.http))
        .output()
        .expect("python runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "python {arguments:?}: {}\n{text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
