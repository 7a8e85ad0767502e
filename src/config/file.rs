//! The file format of `rabbitmq.conf`: `key = value` lines, `#` comments, quotes, `$(VAR)`.
//!
//! Owns the grammar and nothing else: it does not know which keys exist. No published
//! parser speaks this dialect with line numbers (the INI crates know sections, `;`
//! comments and backslash escapes, which it has not), and it is small.

use std::fmt;
use std::path::{Path, PathBuf};

/// Longest configuration file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In a file, on a line.
    File(PathBuf, usize),
    /// In an environment variable.
    Environment(&'static str),
    /// On the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Environment(variable) => write!(f, "environment variable {variable}"),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// One assignment as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The key.
    pub key: String,
    /// The value, unquoted and with variables filled in.
    pub value: String,
    /// Where it stands.
    pub origin: Origin,
}

/// A line that cannot be read, or a file that cannot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct FileError {
    /// File, and line when there is one.
    pub place: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Reads a file whole and parses it. `variables` answers `$(NAME)`.
///
/// # Errors
/// The first line that is no assignment, or why the file cannot be read.
pub fn read(path: &Path, variables: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Assignment>, FileError> {
    let failed = |problem: String| FileError { place: path.display().to_string(), problem };
    let length = std::fs::metadata(path).map_err(|e| failed(format!("cannot be read: {e}")))?.len();
    if length > FILE_BYTES_MAX {
        return Err(failed(format!("is {length} bytes long, the limit is {FILE_BYTES_MAX}")));
    }
    let text = std::fs::read_to_string(path).map_err(|e| failed(format!("cannot be read: {e}")))?;
    parse(path, &text, variables)
}

/// Parses the text of a file.
///
/// # Errors
/// The first line that is no assignment.
pub fn parse(
    path: &Path,
    text: &str,
    variables: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Assignment>, FileError> {
    let mut assignments = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let origin = Origin::File(path.to_owned(), index + 1);
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match assignment(line, variables) {
            Ok((key, value)) => assignments.push(Assignment { key, value, origin }),
            Err(problem) => return Err(FileError { place: origin.to_string(), problem }),
        }
    }
    Ok(assignments)
}

/// One `key = value` line.
fn assignment(line: &str, variables: &dyn Fn(&str) -> Option<String>) -> Result<(String, String), String> {
    if line.starts_with("include ") || line.starts_with("include\t") {
        return Err("`include` is not offered; put further files into RABBITMQ_CONFIG_FILES".to_owned());
    }
    let (key, rest) = line.split_once('=').ok_or("expected `key = value`")?;
    let (key, rest) = (key.trim(), rest.trim());
    let value = match rest.strip_prefix('\'') {
        // In quotes everything counts, `#` and `$(` included.
        Some(quoted) => {
            let (value, after) = quoted.split_once('\'').ok_or("the closing quote is missing")?;
            let after = after.trim();
            if !after.is_empty() && !after.starts_with('#') {
                return Err(format!("unexpected `{after}` after the closing quote"));
            }
            value.to_owned()
        }
        None => expand(rest.split('#').next().unwrap_or_default().trim(), variables)?,
    };
    check_key(key)?;
    if value.is_empty() {
        return Err(format!("`{key}` has no value"));
    }
    Ok((key.to_owned(), value))
}

/// A key is words of letters, digits, `-` and `_`, joined by dots; `\.` is a dot within a word.
fn check_key(key: &str) -> Result<(), String> {
    let word = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '\u{1}'))
    };
    if key.replace("\\.", "\u{1}").split('.').all(word) {
        Ok(())
    } else {
        Err(format!("`{key}` is no key: expected words of letters, digits, `-` and `_`, joined by dots"))
    }
}

/// Fills in `$(NAME)`.
fn expand(value: &str, variables: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut expanded = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("$(") {
        let (name, after) = after.split_once(')').ok_or("`$(` without `)`")?;
        expanded.push_str(before);
        expanded.push_str(&variables(name).ok_or(format!("the environment has no variable `{name}`"))?);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&[(&str, &str)], &str>) {
        let variables = |name: &str| (name == "SECRET").then(|| "s3#cret".to_owned());
        let parsed = parse(Path::new("w.conf"), text, &variables)
            .map(|found| found.into_iter().map(|a| (a.key, a.value)).collect::<Vec<_>>())
            .map_err(|e| e.to_string());
        let expected = expected
            .map(|rows| rows.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>())
            .map_err(str::to_owned);
        assert_eq!(parsed, expected, "{text:?}");
    }

    #[test]
    fn the_dialect_of_rabbitmq_conf() {
        check("", Ok(&[]));
        check("# only\n\n   # comments\n\t\n", Ok(&[]));
        check("a.b = c\r\nd=e f  \n", Ok(&[("a.b", "c"), ("d", "e f")]));
        check("a = b # why\nc = d#e\n", Ok(&[("a", "b"), ("c", "d")]));
        check("a = 'b # c' # why\n", Ok(&[("a", "b # c")]));
        check("a = '$(SECRET)'\n", Ok(&[("a", "$(SECRET)")]));
        check("a = x$(SECRET)y\n", Ok(&[("a", "xs3#crety")]));
        check("a\\.b.c = 1\n", Ok(&[("a\\.b.c", "1")]));
        check("a = b = c\n", Ok(&[("a", "b = c")]));
        check("a = 1\na = 2\n", Ok(&[("a", "1"), ("a", "2")]));
    }

    #[test]
    fn what_is_no_assignment_is_named_with_its_line() {
        check("\nnonsense\n", Err("w.conf:2: expected `key = value`"));
        check("a =\n", Err("w.conf:1: `a` has no value"));
        check("a = # b\n", Err("w.conf:1: `a` has no value"));
        check("a = 'b\n", Err("w.conf:1: the closing quote is missing"));
        check("a = 'b' c\n", Err("w.conf:1: unexpected `c` after the closing quote"));
        check("a = $(NOPE)\n", Err("w.conf:1: the environment has no variable `NOPE`"));
        check("a = $(NOPE\n", Err("w.conf:1: `$(` without `)`"));
        check(
            "水 = 1\n",
            Err("w.conf:1: `水` is no key: expected words of letters, digits, `-` and `_`, joined by dots"),
        );
        check(
            "a..b = 1\n",
            Err("w.conf:1: `a..b` is no key: expected words of letters, digits, `-` and `_`, joined by dots"),
        );
        check(
            "include other.conf\n",
            Err("w.conf:1: `include` is not offered; put further files into RABBITMQ_CONFIG_FILES"),
        );
    }
}
