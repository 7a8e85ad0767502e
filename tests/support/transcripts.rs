//! Replays recorded exchanges of the reference broker, and keeps the share that passes from falling.
//!
//! `transcripts/floors.txt` holds, per scenario, how many steps pass: the number may only
//! rise. `transcripts/exceptions.txt` names the steps that do not, with what the reference
//! does and why we differ; no other may fail, and one that passes is no exception.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context, ensure};

use crate::repository;

/// Steps of one scenario.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Score {
    /// Those that passed.
    pub passed: usize,
    /// All that were compared.
    pub total: usize,
    /// Numbers of those that did not pass.
    pub failed: BTreeSet<usize>,
}

/// Steps of scenarios, by scenario, each with its reason.
type Exceptions = BTreeMap<String, BTreeMap<usize, String>>;

/// Scores by scenario; the name is `http/NAME`, `cli/NAME` or `wider/NAME`.
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
        if step["ok"] == true {
            score.passed += 1;
        } else {
            let number = step["step"].as_u64().and_then(|number| usize::try_from(number).ok());
            score.failed.insert(number.context("no number")?);
        }
    }
    Ok(scores)
}

/// Reads a report of the command line replayer about the scenarios of the folder `cli`.
///
/// # Errors
/// When it is not of the expected form.
pub fn cli_scores(report: &str) -> anyhow::Result<Scores> {
    command_line_scores("cli", report)
}

/// The same for the folder `wider`.
///
/// # Errors
/// When it is not of the expected form.
pub fn wider_scores(report: &str) -> anyhow::Result<Scores> {
    command_line_scores("wider", report)
}

fn command_line_scores(kind: &str, report: &str) -> anyhow::Result<Scores> {
    let report: serde_json::Value = serde_json::from_str(report)?;
    let mut scores = Scores::new();
    for scenario in report["scenarios"].as_array().context("no scenarios")? {
        let name = scenario["scenario"].as_str().context("no name")?;
        let mut score = Score::default();
        for step in scenario["steps"].as_array().context("no steps")? {
            // A step that is run and not judged has neither.
            let Some(passes) = step["ok"].as_bool() else { continue };
            score.total += 1;
            if passes {
                score.passed += 1;
            } else {
                let number = step["step"].as_u64().and_then(|number| usize::try_from(number).ok());
                score.failed.insert(number.context("no number")?);
            }
        }
        scores.insert(format!("{kind}/{name}"), score);
    }
    Ok(scores)
}

/// Names of the scenarios of a kind to be replayed.
///
/// # Errors
/// When the folder cannot be read.
pub fn scenarios(kind: &str) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(file(kind).join("scenarios"))? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).context("a scenario has a name")?;
        names.push(name.to_owned());
    }
    names.sort();
    Ok(names)
}

/// The steps that are exceptions, as the HTTP replayer wants to hear them: `NAME#STEP`.
///
/// # Errors
/// When the list cannot be read.
pub fn unlike() -> anyhow::Result<Vec<String>> {
    let exceptions = exceptions()?;
    let of_http = exceptions.iter().filter_map(|(name, steps)| Some((name.strip_prefix("http/")?, steps)));
    let steps = of_http.flat_map(|(name, steps)| steps.keys().map(move |step| format!("{name}#{step}")));
    Ok(steps.collect())
}

/// Compares with the floors; answers what to print.
///
/// # Errors
/// The scenarios of which fewer steps pass than did.
pub fn judge(kind: &str, scores: &Scores) -> anyhow::Result<String> {
    let (floors, exceptions) = (floors()?, exceptions()?);
    let mut text = String::new();
    let (mut all, mut fallen) = (Score::default(), Vec::new());
    for (name, score) in scores {
        let floor = floors.get(name).copied().unwrap_or_default();
        let excepted = exceptions.get(name).map(|steps| steps.keys().copied().collect()).unwrap_or_default();
        for step in score.failed.difference(&excepted) {
            fallen.push(format!("{name}: step {step} fails and is no exception"));
        }
        for step in excepted.difference(&score.failed) {
            fallen.push(format!("{name}: step {step} passes and stands among the exceptions"));
        }
        writeln!(text, "{name:45} {:4} of {:4}  floor {floor:4}", score.passed, score.total)?;
        all.passed += score.passed;
        all.total += score.total;
        if score.passed < floor {
            fallen.push(format!("{name}: {} of {} pass, {floor} did", score.passed, score.total));
        }
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

fn exceptions() -> anyhow::Result<Exceptions> {
    let text = std::fs::read_to_string(file("exceptions.txt"))?;
    let mut exceptions = Exceptions::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let malformed = || format!("exceptions.txt: {line}");
        let (steps, reason) = line.split_once(": ").with_context(malformed)?;
        let (name, steps) = steps.split_once(' ').with_context(malformed)?;
        for part in steps.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            for step in first.parse::<usize>().with_context(malformed)?..=last.parse().with_context(malformed)? {
                let twice = exceptions.entry(name.to_owned()).or_default().insert(step, reason.to_owned());
                ensure!(twice.is_none(), "exceptions.txt: {name} {step} stands there twice");
            }
        }
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
