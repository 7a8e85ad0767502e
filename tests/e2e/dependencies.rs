//! The policy of `deny.toml`: licenses, banned crates and sources of everything we link.

use std::process::Command;

use serde_json::Value;
use tests::repository;

/// The strings of one list of the policy, and of lists of tables their `name`.
fn policy(key: &str) -> Vec<String> {
    let text = std::fs::read_to_string(repository().join("deny.toml")).unwrap();
    let start = text.find(&format!("\n{key} = [")).unwrap_or_else(|| panic!("deny.toml has no {key}"));
    let list = &text[start..start + text[start..].find("\n]").or_else(|| text[start..].find(']')).unwrap()];
    let mut values = Vec::new();
    for line in list.lines().filter(|line| line.contains('"')) {
        values.extend(line.split('"').nth(1).map(str::to_owned));
    }
    values
}

fn packages() -> Vec<Value> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--all-features"])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Whether an SPDX expression can be met with allowed licenses alone.
fn is_met(expression: &str, allowed: &[String]) -> bool {
    let expression = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = expression.split_whitespace().peekable();
    any_of(&mut words, allowed)
}

type Words<'w> = std::iter::Peekable<std::str::SplitWhitespace<'w>>;

fn any_of(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut met = all_of(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        met |= all_of(words, allowed);
    }
    met
}

fn all_of(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut met = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut Words<'_>, allowed: &[String]) -> bool {
    match words.next() {
        Some("(") => {
            let met = any_of(words, allowed);
            assert_eq!(words.next(), Some(")"), "an unclosed license expression");
            met
        }
        Some(license) => {
            let mut license = license.trim_end_matches('+').to_owned();
            if words.next_if_eq(&"WITH").is_some() {
                license = format!("{license} WITH {}", words.next().unwrap_or_default());
            }
            allowed.contains(&license)
        }
        None => false,
    }
}

#[test]
fn license_expressions_are_understood() {
    let allowed = ["MIT".to_owned(), "Zlib".to_owned(), "A WITH b".to_owned()];
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("(GPL-3.0 OR MIT) AND Zlib", true),
        ("A WITH b", true),
        ("A", false),
        ("MIT+", true),
        ("", false),
    ] {
        assert_eq!(is_met(expression, &allowed), expected, "{expression}");
    }
}

#[test]
fn everything_linked_fits_the_policy() {
    let (licenses, banned, registries) = (policy("allow"), policy("deny"), policy("allow-registry"));
    assert!(licenses.len() > 5 && banned.len() > 3 && registries.len() == 1, "deny.toml was not understood");
    let packages = packages();
    let mut broken = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        if !is_met(package["license"].as_str().unwrap_or_default(), &licenses) {
            broken.push(format!("{name}: license {}", package["license"]));
        }
        if let Some(source) = package["source"].as_str()
            && !registries.iter().any(|registry| source == format!("registry+{registry}"))
        {
            broken.push(format!("{name}: source {source}"));
        }
        for dependency in package["dependencies"].as_array().unwrap() {
            let used = dependency["name"].as_str().unwrap();
            // A member of the workspace has no source.
            if banned.iter().any(|name| name == used) && package["source"].is_null() {
                broken.push(format!("{name}: uses {used}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
