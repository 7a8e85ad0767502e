//! Clients from Debian's packages: the tools of the C library, the Java client, and the Go client with its suite.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::cache::{Cached, run};
use tests::{debian, repository};

use crate::broker::{Broker, lacking};
use crate::suite::{Outcomes, compare};
use crate::verdict::Verdict;

/// The C library's command line tools, driven by a shell script.
pub fn amqp_tools(broker: &Broker) -> Verdict {
    if let Some(verdict) = lacking(&["apt-get", "dpkg", "sh"]) {
        return verdict;
    }
    let root = debian("client-amqp-tools", &["amqp-tools", "librabbitmq4", "libpopt0"]);
    let libraries = std::fs::read_dir(root.join("usr/lib")).expect("the packages have libraries");
    let libraries: Vec<PathBuf> = libraries.map(|entry| entry.expect("it can be read").path()).collect();
    broker.judge(
        Command::new("sh")
            .arg(repository().join("tests/clients/amqp_tools.sh"))
            .env("LD_LIBRARY_PATH", std::env::join_paths(libraries).expect("no colon in them"))
            .env("PATH", before_path(&root.join("usr/bin"))),
    )
}

/// The Java client, by a program that the JDK compiles as it starts.
pub fn java_amqp_client(broker: &Broker) -> Verdict {
    if let Some(verdict) = lacking(&["apt-get", "dpkg", "java", "javac"]) {
        return verdict;
    }
    let jars = debian("client-java", &["librabbitmq-client-java", "libslf4j-java"]).join("usr/share/java");
    let path = ["amqp-client.jar", "slf4j-api.jar", "slf4j-nop.jar"].map(|jar| jars.join(jar));
    let path = std::env::join_paths(path).expect("no colon in them");
    broker.judge(Command::new("java").arg("-cp").arg(path).arg(repository().join("tests/clients/java/Program.java")))
}

/// The Go client: its package has its tests with it, those against a broker included.
pub fn amqp091_go_suite(broker: &Broker) -> Verdict {
    if let Some(verdict) = lacking(&["apt-get", "dpkg"]) {
        return verdict;
    }
    let libraries = ["golang-github-rabbitmq-amqp091-go-dev", "golang-uber-goleak-dev"];
    let root = debian("client-go", &[&["golang-1.19-go", "golang-1.19-src"], &libraries[..]].concat());
    let package = root.join("usr/share/gocode/src/github.com/rabbitmq/amqp091-go");
    let changes = std::fs::read_to_string(package.join("connection.go")).expect("the package has it");
    let version = changes.lines().find_map(|line| line.trim().strip_prefix("buildVersion"));
    let version = version.map_or("", |rest| rest.trim_matches([' ', '=', '"']));
    let program = compiled(&root, &package, version);
    let said = broker.run(Command::new(program).arg("-test.v").current_dir(package));
    compare(broker, "amqp091-go", &format!("amqp091-go {version}"), &said, &outcomes(&said.text))
}

/// Compiles the tests of a Go package into a program.
fn compiled(root: &Path, package: &Path, version: &str) -> PathBuf {
    let cached = Cached::open("client-go-suite", version);
    let program = cached.folder.join("amqp091.test");
    if !cached.is_made {
        let goroot = root.join("usr/lib/go-1.19");
        run(Command::new(goroot.join("bin/go"))
            .args(["test", "-c", "-tags", "integration", "-o"])
            .arg(&program)
            .current_dir(package)
            .env("GOROOT", &goroot)
            .env("GOPATH", root.join("usr/share/gocode"))
            .env("GOCACHE", cached.folder.join("cache"))
            .env("GO111MODULE", "off")
            .env("CGO_ENABLED", "0"));
        cached.made();
    }
    program
}

/// What a Go test program says with `-test.v`: `--- PASS: TestName (0.01s)`, indented for a test within a test.
fn outcomes(text: &str) -> Outcomes {
    let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix("--- "));
    let found = lines.filter_map(|line| {
        let (outcome, rest) = line.split_once(": ")?;
        let outcome = match outcome {
            "PASS" => "passed",
            "FAIL" => "failed",
            _ => "skipped",
        };
        Some((rest.split(' ').next()?.to_owned(), outcome.to_owned()))
    });
    found.collect()
}

fn before_path(folder: &Path) -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).expect("they were joined before")
}
