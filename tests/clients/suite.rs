//! Suites of client libraries: what their tests must say is what they said on the reference, test by test.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use tests::repository;

use crate::broker::{Broker, Said};
use crate::verdict::Verdict;

/// Outcome by name of test.
pub type Outcomes = BTreeMap<String, String>;

/// Compares with `expected/NAME.txt`, or writes it when the reference is being recorded. `version` is that of the suite
/// and must be the one recorded.
pub fn compare(broker: &Broker, name: &str, version: &str, said: &Said, outcomes: &Outcomes) -> Verdict {
    let path = repository().join("tests/clients/expected").join(format!("{name}.txt"));
    if std::env::var_os("CLIENTS_RECORD").is_some() {
        return record(broker, path, version, outcomes);
    }
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut difference = String::new();
    if !text.lines().next().unwrap_or_default().contains(version) {
        let _ = writeln!(difference, "{version} is not the version that was recorded");
    }
    let expected = parse(&text);
    for name in expected.keys().chain(outcomes.keys().filter(|name| !expected.contains_key(*name))) {
        let [here, there] = [outcomes, &expected].map(|all| all.get(name).map_or("nothing", String::as_str));
        if here != there {
            let _ = writeln!(difference, "{name}: {here}, on RabbitMQ {there}");
        }
    }
    if expected.is_empty() || !difference.is_empty() {
        return Verdict::Failed(format!("{}\n{difference}", said.text));
    }
    let passed = outcomes.values().filter(|outcome| *outcome == "passed").count();
    Verdict::Passed(format!("{version}: {passed} of {} tests pass, the same as on RabbitMQ", outcomes.len()))
}

fn parse(text: &str) -> Outcomes {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(' ')).map(|(outcome, name)| (name.to_owned(), outcome.to_owned())).collect()
}

fn record(broker: &Broker, path: PathBuf, version: &str, outcomes: &Outcomes) -> Verdict {
    let mut text = format!("# {version}, recorded on {}\n", broker.product());
    for (name, outcome) in outcomes {
        let _ = writeln!(text, "{outcome} {name}");
    }
    fs::write(path, text).expect("the repository can be written");
    Verdict::Passed(format!("{} outcomes recorded", outcomes.len()))
}
