//! Clients written in Python: pika's other adapters, aio-pika, kombu, Celery, the suites of py-amqp and kombu, and clients of
//! the management API.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use tests::cache::{Cached, run};
use tests::{python_with, repository};

use crate::broker::{Broker, Said, lacking};
use crate::suite::{Outcomes, compare};
use crate::verdict::Verdict;

fn folder() -> PathBuf {
    repository().join("tests/clients/python")
}

/// The interpreter that has the client libraries.
pub fn interpreter() -> &'static Path {
    static PYTHON: LazyLock<PathBuf> =
        LazyLock::new(|| python_with("client-python", &folder().join("requirements.txt")));
    &PYTHON
}

/// Runs one program.
fn program(broker: &Broker, file: &str) -> Verdict {
    if let Some(verdict) = lacking(&["python3"]) {
        return verdict;
    }
    broker.judge(Command::new(interpreter()).arg(file).current_dir(folder()))
}

pub fn pika_adapters(broker: &Broker) -> Verdict {
    program(broker, "pika_adapters.py")
}

pub fn aio_pika(broker: &Broker) -> Verdict {
    program(broker, "aio_pika_program.py")
}

pub fn kombu(broker: &Broker) -> Verdict {
    program(broker, "kombu_program.py")
}

pub fn celery(broker: &Broker) -> Verdict {
    program(broker, "celery_program.py")
}

/// AMQPStorm's management API.
pub fn amqpstorm(broker: &Broker) -> Verdict {
    program(broker, "amqpstorm_program.py")
}

pub fn pyrabbit2(broker: &Broker) -> Verdict {
    program(broker, "pyrabbit2_program.py")
}

/// Flower's page about the broker, which it reads from the management API.
pub fn flower(broker: &Broker) -> Verdict {
    program(broker, "flower_program.py")
}

/// py-amqp's integration tests but for those over TLS: these need its authors' certificates, which the package lacks.
pub fn py_amqp_suite(broker: &Broker) -> Verdict {
    suite(broker, "amqp", "py-amqp", &["t/integration/test_rmq.py", "-k", "not tls"])
}

/// kombu's integration tests of the AMQP transport.
pub fn kombu_suite(broker: &Broker) -> Verdict {
    suite(broker, "kombu", "kombu", &["t/integration/test_py_amqp.py"])
}

/// Runs tests that lie in a package's source distribution, of the version that is installed.
fn suite(broker: &Broker, package: &str, name: &str, tests: &[&str]) -> Verdict {
    if let Some(verdict) = lacking(&["python3", "tar"]) {
        return verdict;
    }
    let requirements = std::fs::read_to_string(folder().join("requirements.txt")).expect("it can be read");
    let pinned = format!("{package}==");
    let version = requirements.lines().find_map(|line| line.strip_prefix(&pinned)).expect("its version is pinned");
    let source = source_of(package, version);
    let said = broker.run(
        Command::new(interpreter())
            .args(["-m", "pytest", "-v", "--color=no", "--tb=short", "-p", "no:cacheprovider"])
            .args(tests)
            .env("RABBITMQ_HOST", broker.amqp.ip().to_string())
            .env("RABBITMQ_5672_TCP", broker.amqp.port().to_string())
            .current_dir(source),
    );
    compare(broker, name, &format!("{name} {version}"), &said, &outcomes(&said))
}

/// Unpacks a package's source distribution.
fn source_of(package: &str, version: &str) -> PathBuf {
    let cached = Cached::open(&format!("client-{package}"), version);
    let source = cached.folder.join(format!("{package}-{version}"));
    if !cached.is_made {
        let wanted = format!("{package}=={version}");
        run(Command::new(interpreter())
            .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"])
            .args(["--no-binary", ":all:", &wanted, "--dest"])
            .arg(&cached.folder));
        run(Command::new("tar").arg("-xzf").arg(source.with_added_extension("tar.gz")).arg("-C").arg(&cached.folder));
        cached.made();
    }
    source
}

/// The last word of `pytest -v` on each test; a test it runs again has several.
fn outcomes(said: &Said) -> Outcomes {
    let verdicts = ["PASSED", "FAILED", "ERROR", "SKIPPED", "XFAIL", "XPASS"];
    let lines = said.text.lines().filter(|line| line.contains("::"));
    let found = lines.filter_map(|line| {
        let (line, _progress) = line.rsplit_once(" [").unwrap_or((line, ""));
        let (name, verdict) = line.trim_end().rsplit_once(' ')?;
        let verdict = verdicts.into_iter().find(|known| verdict == *known)?;
        Some((name.trim_end().to_owned(), verdict.to_lowercase()))
    });
    found.collect()
}
