//! What the reference's authors publish as crates: their administration tool and their HTTP client, each with the suite that
//! lies in its crate. Built from crates.io with the crates' own lock files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::cache::{Cached, run};

use crate::apart::Apart;
use crate::broker::{Broker, lacking};
use crate::suite::{Outcomes, compare};
use crate::verdict::Verdict;

/// A published crate, and the features its suite is built with: without TLS, which takes minutes to build.
struct Published {
    name: &'static str,
    version: &'static str,
    features: &'static str,
}

const TOOL: Published = Published { name: "rabbitmqadmin", version: "2.35.0", features: "" };
const LIBRARY: Published =
    Published { name: "rabbitmq_http_client", version: "0.93.0", features: "blocking,async,zeroize" };

/// What their suites try that is not offered here (plugins, and the protocol of streams with its listener), and what needs
/// the authors' certificates. Names of tests with one of these in them are left out.
const NOT_OFFERED: &[&str] = &[
    "shovel",
    "federation",
    "stream_connections",
    "stream_consumers",
    "stream_publishers",
    "protocol_listener_succeeds",
    "tls",
];

/// Builds both crates, once, into one folder: they share most of what they depend on. All but the programs is thrown away.
fn built() -> PathBuf {
    let wanted = [TOOL, LIBRARY].map(|wanted| format!("{} {} {}", wanted.name, wanted.version, wanted.features));
    let cached = Cached::open("client-crates", &wanted.join("\n"));
    if !cached.is_made {
        let target = cached.folder.join("target");
        for published in [TOOL, LIBRARY] {
            build(&published, &cached.folder, &target);
        }
        for intermediate in ["deps", "build", ".fingerprint"] {
            fs::remove_dir_all(target.join("debug").join(intermediate)).expect("target/ can be written");
        }
        cached.made();
    }
    cached.folder
}

/// Unpacks a crate below `folder` and builds its suite to `NAME-suite` there, and with it the crate's own programs.
fn build(published: &Published, folder: &Path, target: &Path) {
    let Published { name, version, features } = published;
    let cargo = || Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // This brings the crate to the machine, and only the crate.
    run(cargo().args(["info", "--quiet", &format!("{name}@{version}")]));
    let source = folder.join(name);
    if source.exists() {
        fs::remove_dir_all(&source).expect("target/ can be written");
    }
    run(Command::new("cp").arg("-r").arg(downloaded(&format!("{name}-{version}"))).arg(&source));
    // It lies below this workspace and is no member of it.
    let manifest = source.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).expect("a crate has a manifest");
    fs::write(&manifest, text + "\n[workspace]\n").expect("target/ can be written");
    // Tests over TLS do not compile without it.
    let list = source.join("tests/integration/main.rs");
    let text = fs::read_to_string(&list).expect("the crate has its suite");
    let modules: Vec<&str> = text.lines().filter(|line| !line.contains("tls_tests")).collect();
    fs::write(&list, modules.join("\n")).expect("target/ can be written");
    let output = cargo()
        .args(["test", "--locked", "--no-run", "--test", "integration", "--message-format=json"])
        .args(["--no-default-features", "--features", features])
        .current_dir(&source)
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_PROFILE_TEST_DEBUG", "0")
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8_lossy(&output.stdout);
    let suite = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "integration")
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)));
    fs::rename(suite.expect("cargo tells it"), folder.join(format!("{name}-suite"))).expect("target/ can be written");
}

/// Where cargo has unpacked a crate of that name and version.
fn downloaded(crate_version: &str) -> PathBuf {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let registries = home.expect("cargo has a home").join("registry/src");
    let registries = fs::read_dir(&registries).unwrap_or_else(|error| panic!("{}: {error}", registries.display()));
    let found = registries.map(|registry| registry.expect("it can be read").path().join(crate_version));
    found.into_iter().find(|path| path.is_dir()).unwrap_or_else(|| panic!("cargo has not unpacked {crate_version}"))
}

/// The tool itself.
pub fn rabbitmqadmin() -> PathBuf {
    built().join("target/debug/rabbitmqadmin")
}

pub fn rabbitmqadmin_suite(broker: &Broker) -> Verdict {
    suite(broker, &TOOL, "rust/rabbitmqadmin")
}

pub fn rabbitmq_http_client_suite(broker: &Broker) -> Verdict {
    suite(broker, &LIBRARY, "rust/http/api/client")
}

/// Runs a suite, one test at a time as they change what all of them see. It knows one address only.
fn suite(broker: &Broker, published: &Published, vhost: &str) -> Verdict {
    if let Some(verdict) = lacking(&["cargo", "cp", "unshare", "nsenter", "ip"]) {
        return verdict;
    }
    let Some(apart) = Apart::on_usual_ports(broker) else {
        return Verdict::NotRun("no network namespaces on this host, and the suite wants the usual ports".to_owned());
    };
    let folder = built();
    // What the authors' own preparation does.
    for words in [
        &["vhosts", "declare", "--name", vhost][..],
        &[
            "permissions",
            "declare",
            "-V",
            vhost,
            "--username",
            "guest",
            "--configure",
            ".*",
            "--write",
            ".*",
            "--read",
            ".*",
        ],
        &["users", "declare", "--name", "rust3", "--password", "rust3"],
        &[
            "permissions",
            "declare",
            "-V",
            "/",
            "--username",
            "rust3",
            "--configure",
            ".*",
            "--write",
            ".*",
            "--read",
            ".*",
        ],
    ] {
        run(apart.command(&rabbitmqadmin()).args(words));
    }
    let skipped = NOT_OFFERED.iter().flat_map(|&name| ["--skip", name]);
    let said = broker.run(
        apart
            .command(&folder.join(format!("{}-suite", published.name)))
            .args(["--test-threads=1"])
            .args(skipped)
            .current_dir(folder.join(published.name)),
    );
    compare(broker, published.name, &format!("{} {}", published.name, published.version), &said, &outcomes(&said.text))
}

/// What a Rust test program says: `test NAME ... ok`.
fn outcomes(text: &str) -> Outcomes {
    let lines = text.lines().filter_map(|line| line.strip_prefix("test ")?.split_once(" ... "));
    let found = lines.map(|(name, outcome)| {
        let outcome = match outcome {
            "ok" => "passed",
            "FAILED" => "failed",
            _ => "skipped",
        };
        (name.to_owned(), outcome.to_owned())
    });
    found.collect()
}
