//! The Python environments of the tests: made below `target/` by the first test that needs one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use crate::cache::{Cached, run};
use crate::{Server, repository};

/// The interpreter that has what `tests/python/requirements.txt` names.
pub fn python() -> &'static Path {
    static PYTHON: LazyLock<PathBuf> =
        LazyLock::new(|| python_with("test-python", &repository().join("tests/python/requirements.txt")));
    &PYTHON
}

/// The interpreter of the environment `name`, which has what the file names.
///
/// # Panics
/// When it cannot be made; what was tried is in the message.
#[must_use]
pub fn python_with(name: &str, requirements: &Path) -> PathBuf {
    let wanted = fs::read_to_string(requirements).expect("the requirements can be read");
    let cached = Cached::open(name, &wanted);
    let (venv, python) = (cached.folder.join("venv"), cached.folder.join("venv/bin/python"));
    if !cached.is_made || !python.exists() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv));
        run(Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg(requirements));
        cached.made();
    }
    python
}

/// Runs Python in `tests/python` with the server's addresses in the environment.
///
/// # Panics
/// When it fails; its output is in the message.
pub fn run_python(server: &Server, arguments: &[&str]) -> Output {
    run_python_with(server, arguments, &[])
}

/// The same with more in the environment.
///
/// # Panics
/// When it fails; its output is in the message.
pub fn run_python_with(server: &Server, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let output = Command::new(python())
        .args(arguments)
        .current_dir(repository().join("tests/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("WARREN_AMQP", format!("amqp://{}", server.amqp))
        .env("WARREN_HTTP", format!("http://{}", server.http))
        .env("WARREN_SOCKET", &server.socket)
        .envs(environment.iter().copied())
        .envs(server.metrics.map(|metrics| ("WARREN_METRICS", format!("http://{metrics}"))))
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
