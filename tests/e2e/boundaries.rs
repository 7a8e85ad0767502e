//! What must not cross: crates, modules, and the size of files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tests::repository;

/// Which crates of the workspace each crate may depend on.
const CRATES: &[(&str, &[&str])] = &[
    ("", &["api", "broker", "openapi"]),
    ("api", &["broker", "openapi"]),
    ("broker", &[]),
    ("ctl", &["openapi"]),
    ("openapi", &[]),
    ("tests", &[]),
    ("fuzz", &["broker"]),
];

/// Names that must not appear in the code of a folder, and why.
const FORBIDDEN: &[(&str, &[&str], &str)] = &[
    (
        "broker/src/domain",
        &[
            "tokio",
            "std::fs",
            "std::io",
            "std::net",
            "std::thread",
            "Mutex",
            "RwLock",
            "SystemTime",
            "Instant::now",
            "getrandom",
            "redb",
            "serde",
            "crate::amqp091",
            "crate::server",
            "crate::runtime",
            "crate::storage",
            "crate::facade",
            "async fn",
        ],
        "the domain is values and rules: no clock, no I/O, no task, no lock, no wire format",
    ),
    (
        "broker/src/amqp091",
        &[
            "tokio",
            "std::fs",
            "std::io",
            "std::net",
            "std::thread",
            "SystemTime",
            "Instant::now",
            "getrandom",
            "redb",
            "serde",
            "crate::server",
            "crate::runtime",
            "crate::storage",
            "crate::facade",
            "async fn",
        ],
        "the protocol is bytes and values: no socket, no task, no storage",
    ),
    (
        "broker/src/storage",
        &["crate::domain", "crate::amqp091", "crate::server", "crate::runtime", "crate::facade"],
        "storage holds keys and bytes and does not know what they mean",
    ),
    ("broker/src/runtime", &["crate::server"], "the owners of state do not know sockets"),
    ("broker/src", &["axum", "hyper", "utoipa", "StatusCode", "http::"], "the broker knows no HTTP"),
    ("api/src", &["broker::storage::{", "MetadataStore", "QueueLog"], "the API asks the façade only"),
    ("openapi/src", &["tokio", "axum", "reqwest", "std::fs"], "wire types have no behaviour"),
];

/// Longest file, in lines.
const FILE_LINES_MAX: usize = 600;

/// Files that may be longer, each with its reason.
const LONGER_FILES: &[(&str, &str)] = &[];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}

fn all_sources() -> Vec<PathBuf> {
    CRATES
        .iter()
        .flat_map(|(name, _)| match *name {
            "" => vec!["src".to_owned()],
            "tests" => vec!["tests/support".to_owned(), "tests/e2e".to_owned()],
            name => vec![format!("{name}/src")],
        })
        .flat_map(|folder| sources(&repository().join(folder)))
        .collect()
}

/// The code of a file: no comments, and nothing from its test module on.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let before_tests = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    before_tests.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn shown(path: &Path) -> String {
    path.strip_prefix(repository()).unwrap().display().to_string()
}

#[test]
fn crates_depend_only_inwards() {
    let ours: BTreeSet<&str> = CRATES.iter().map(|(name, _)| *name).filter(|name| !name.is_empty()).collect();
    for (name, allowed) in CRATES {
        let manifest = fs::read_to_string(repository().join(name).join("Cargo.toml")).unwrap();
        let mut section = "";
        for line in manifest.lines() {
            if let Some(header) = line.strip_prefix('[') {
                section = header.trim_end_matches(']');
            }
            let dependency = line.split(['.', '=', ' ']).next().unwrap_or_default();
            let counts = section == "dependencies" || section == "build-dependencies";
            assert!(
                !counts || !ours.contains(dependency) || allowed.contains(&dependency),
                "crate `{name}` must not depend on `{dependency}`"
            );
        }
    }
}

#[test]
fn nothing_forbidden_is_named_where_it_must_not_be() {
    let mut broken = Vec::new();
    for (folder, names, why) in FORBIDDEN {
        for path in sources(&repository().join(folder)) {
            let code = code(&path);
            for name in names.iter().filter(|name| mentions(&code, name)) {
                broken.push(format!("{}: `{name}`: {why}", shown(&path)));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Whether the name stands there as a word of its own.
fn mentions(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + name.len()..].chars().next();
        let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !word(before) && (name.ends_with([':', '{']) || !word(after))
    })
}

#[test]
fn no_file_is_too_long_to_hold_one_idea() {
    let mut broken = Vec::new();
    for path in all_sources() {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        let listed = LONGER_FILES.iter().any(|(file, _)| *file == shown(&path));
        if lines > FILE_LINES_MAX && !listed {
            broken.push(format!("{}: {lines} lines, the limit is {FILE_LINES_MAX}", shown(&path)));
        }
        if lines <= FILE_LINES_MAX && listed {
            broken.push(format!("{}: no longer needs its place in the list of longer files", shown(&path)));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_file_says_what_it_owns() {
    let silent: Vec<_> = all_sources()
        .into_iter()
        .filter(|path| !fs::read_to_string(path).unwrap().starts_with("//!"))
        .map(|path| shown(&path))
        .collect();
    assert!(silent.is_empty(), "files without a comment at the top:\n{}", silent.join("\n"));
}

#[test]
fn the_project_has_one_dependency_table() {
    for (name, _) in CRATES {
        let manifest = fs::read_to_string(repository().join(name).join("Cargo.toml")).unwrap();
        let mut section = "";
        for line in manifest.lines() {
            if let Some(header) = line.strip_prefix('[') {
                section = header.trim_end_matches(']');
            } else if matches!(section, "dependencies" | "dev-dependencies") && !line.trim().is_empty() {
                assert!(
                    line.contains("workspace = true") || line.starts_with('#'),
                    "crate `{name}`: `{line}` belongs into the workspace's table"
                );
            }
        }
    }
}

#[test]
fn every_lock_and_mailbox_stands_in_the_architecture() {
    let architecture = fs::read_to_string(repository().join("ARCHITECTURE.md")).unwrap();
    let table = |title: &str| {
        let start = architecture.find(title).unwrap_or_else(|| panic!("ARCHITECTURE.md has no `{title}`"));
        architecture[start + title.len()..].split("\n## ").next().unwrap_or_default().to_owned()
    };
    let (waits, locks) = (table("## Who waits for whom"), table("## Locks"));
    let mut unnamed = Vec::new();
    for path in all_sources().into_iter().filter(|path| !is_test(path)) {
        let (code, file) = (code(&path), shown(&path));
        if (code.contains("Mutex<") || code.contains("RwLock<")) && !locks.contains(&format!("`{file}`")) {
            unnamed.push(format!("{file} has a lock"));
        }
        if code.contains("mpsc::channel(") && !waits.contains(&format!("`{file}`")) {
            unnamed.push(format!("{file} has a mailbox"));
        }
    }
    assert!(unnamed.is_empty(), "not in ARCHITECTURE.md:\n{}", unnamed.join("\n"));
}

/// Tests, and tools for measuring, hold to no rule of ownership.
fn is_test(path: &Path) -> bool {
    let file = shown(path);
    file.starts_with("tests/")
        || file.starts_with("src/bin/")
        || file.ends_with("tests.rs")
        || file.contains("/tests/")
        || ["broker/src/storage/memory.rs", "broker/src/storage/local/simulated.rs"].contains(&&*file)
}
