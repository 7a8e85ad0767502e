//! Replays recorded exchanges of the reference broker, and keeps the share that passes from falling.
//!
//! `transcripts/floors.txt` holds, per scenario, how many steps pass: the number may only
//! rise. `transcripts/exceptions.txt` names scenarios that are not replayed, each with its
//! reason.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context, ensure};

use crate::repository;

/// Steps of one scenario.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Score {
    /// Those that passed.
    pub passed: usize,
    /// All that were compared.
    pub total: usize,
}

/// Scores by scenario; the name is `http/NAME` or `cli/NAME`.
pub type Scores = BTreeMap<String, Score>;

/// Set to rewrite the floors from what passes, never lower than they are.
pub const RAISE_VARIABLE: &str = "WARREN_RAISE_FLOORS";

fn file(name: &str) -> PathBuf {
    repository().join("tests/transcripts").join(name)
}

/// Reads a report of the HTTP replayer.
///
/// # Errors
/// When it is not of the expected form.
pub fn http_scores(report: &str) -> anyhow::Result<Scores> {
    let report: serde_json::Value = serde_json::from_str(report)?;
    let mut scores = Scores::new();
    for step in report["steps"].as_array().context("no steps")? {
        let name = step["scenario"].as_str().context("no scenario")?;
        let score = scores.entry(format!("http/{name}")).or_default();
        score.total += 1;
        score.passed += usize::from(step["ok"] == true);
    }
    Ok(scores)
}

/// Reads a report of the command line replayer.
///
/// # Errors
/// When it is not of the expected form.
pub fn cli_scores(report: &str) -> anyhow::Result<Scores> {
    let report: serde_json::Value = serde_json::from_str(report)?;
    let mut scores = Scores::new();
    for scenario in report["scenarios"].as_array().context("no scenarios")? {
        let name = scenario["scenario"].as_str().context("no name")?;
        let count = |key: &str| scenario[key].as_u64().and_then(|n| usize::try_from(n).ok()).context("no count");
        let (passed, failed) = (count("passed")?, count("failed")?);
        scores.insert(format!("cli/{name}"), Score { passed, total: passed + failed });
    }
    Ok(scores)
}

/// Names of the scenarios of a kind to be replayed.
///
/// # Errors
/// When the folder or the list of exceptions cannot be read.
pub fn scenarios(kind: &str) -> anyhow::Result<Vec<String>> {
    let exceptions = exceptions()?;
    let mut names = Vec::new();
    for entry in std::fs::read_dir(file(kind).join("scenarios"))? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).context("a scenario has a name")?;
        if !exceptions.contains_key(&format!("{kind}/{name}")) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Compares with the floors; answers what to print.
///
/// # Errors
/// The scenarios of which fewer steps pass than did.
pub fn judge(kind: &str, scores: &Scores) -> anyhow::Result<String> {
    let floors = floors()?;
    let mut text = String::new();
    let (mut all, mut fallen) = (Score::default(), Vec::new());
    for (name, score) in scores {
        let floor = floors.get(name).copied().unwrap_or_default();
        writeln!(text, "{name:45} {:4} of {:4}  floor {floor:4}", score.passed, score.total)?;
        all.passed += score.passed;
        all.total += score.total;
        if score.passed < floor {
            fallen.push(format!("{name}: {} of {} pass, {floor} did", score.passed, score.total));
        }
    }
    for (name, reason) in exceptions()?.iter().filter(|(name, _)| name.starts_with(kind)) {
        writeln!(text, "{name:45} not replayed: {reason}")?;
    }
    ensure!(all.total > 0, "nothing was replayed");
    let share = all.passed as f64 * 100.0 / all.total as f64;
    writeln!(text, "{kind} transcripts: {} of {} steps pass ({share:.1} %)", all.passed, all.total)?;
    if std::env::var_os(RAISE_VARIABLE).is_some() {
        raise(floors, scores)?;
    }
    ensure!(fallen.is_empty(), "{text}\nscenarios of which more steps passed before:\n{}", fallen.join("\n"));
    Ok(text)
}

fn floors() -> anyhow::Result<BTreeMap<String, usize>> {
    let text = std::fs::read_to_string(file("floors.txt"))?;
    let mut floors = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, count) = line.split_once(' ').with_context(|| format!("floors.txt: {line}"))?;
        floors.insert(name.to_owned(), count.trim().parse()?);
    }
    Ok(floors)
}

fn exceptions() -> anyhow::Result<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(file("exceptions.txt"))?;
    let mut exceptions = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, reason) = line.split_once(": ").with_context(|| format!("exceptions.txt: {line}"))?;
        exceptions.insert(name.to_owned(), reason.to_owned());
    }
    Ok(exceptions)
}

fn raise(mut floors: BTreeMap<String, usize>, scores: &Scores) -> anyhow::Result<()> {
    for (name, score) in scores {
        let floor = floors.entry(name.clone()).or_default();
        *floor = score.passed.max(*floor);
    }
    let mut text = format!("# Steps of each scenario that pass. Raised with {RAISE_VARIABLE}=1, never lowered.\n");
    for (name, count) in floors {
        writeln!(text, "{name} {count}")?;
    }
    Ok(std::fs::write(file("floors.txt"), text)?)
}
