//! The forms of a list: table, tsv, long, kvp, bash, raw_json, pretty_json.
//!
//! Owns how objects become rows, and how each form draws them. Values are spelled as the reference's language spells them.

use std::collections::BTreeSet;

use serde_json::Value;

/// Columns that come first, in this order; the others follow by name.
const FIRST: [&str; 7] = ["vhost", "name", "type", "source", "destination", "destination_type", "routing_key"];

/// Width of the rule in the long form.
const RULE_CHARS: usize = 80;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Table,
    Tsv,
    Long,
    Pairs,
    Bash,
    RawJson,
    PrettyJson,
}

/// A form, and how deep it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    form: Form,
    depth: Option<usize>,
    verbose: bool,
}

impl Layout {
    /// The form of that name.
    pub fn new(name: &str, depth: Option<usize>, verbose: bool) -> Option<Self> {
        let form = match name {
            "table" => Form::Table,
            "tsv" => Form::Tsv,
            "long" => Form::Long,
            "kvp" => Form::Pairs,
            "bash" => Form::Bash,
            "raw_json" => Form::RawJson,
            "pretty_json" => Form::PrettyJson,
            _ => return None,
        };
        Some(Self { form, depth, verbose })
    }

    /// Whether a list that names no columns has a few usual ones, not all.
    pub fn takes_usual_columns(self) -> bool {
        self.depth.is_none_or(|depth| depth == 1) && !matches!(self.form, Form::RawJson | Form::PrettyJson)
    }

    /// The printed list.
    pub fn show(self, items: &Value, columns: &[String], json: &[&str]) -> String {
        match self.form {
            Form::RawJson => return format!("{items}\n"),
            Form::PrettyJson => {
                let pretty = serde_json::to_string_pretty(&sorted(items)).unwrap_or_default();
                return format!("{pretty}\n");
            }
            _ => {}
        }
        let rows = items.as_array().map(Vec::as_slice).unwrap_or_default();
        let depth = if columns.is_empty() { self.depth.unwrap_or(1) } else { usize::MAX };
        let columns = if columns.is_empty() { all_columns(rows, depth, json) } else { columns.to_vec() };
        let table: Vec<Vec<String>> = rows.iter().map(|item| row(item, &columns, depth, json)).collect();
        if table.is_empty() {
            return if self.verbose { "No items\n".to_owned() } else { String::new() };
        }
        match self.form {
            Form::Tsv => tsv(&columns, &table, self.verbose),
            Form::Long => long(&columns, &table),
            Form::Pairs => pairs(&columns, &table),
            Form::Bash => bash(&columns, &table),
            Form::Table | Form::RawJson | Form::PrettyJson => boxed(&columns, &table),
        }
    }
}

/// Every field of an object with its dotted name, down to a depth.
fn fields(item: &Value, prefix: &str, depth: usize, depth_max: usize, json: &[&str], out: &mut Vec<(String, String)>) {
    for (key, value) in item.as_object().into_iter().flatten() {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Object(_) if json.contains(&key.as_str()) => out.push((name, dumped(value))),
            Value::Object(_) if depth < depth_max => fields(value, &name, depth + 1, depth_max, json, out),
            Value::Object(_) => {}
            Value::Array(items) if items.iter().all(Value::is_string) => {
                let words: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
                out.push((name, words.join(" ")));
            }
            Value::Array(_) => out.push((name, dumped(value))),
            other => out.push((name, scalar(other))),
        }
    }
}

fn all_columns(rows: &[Value], depth: usize, json: &[&str]) -> Vec<String> {
    let mut found = BTreeSet::new();
    for item in rows {
        let mut all = Vec::new();
        fields(item, "", 1, depth, json, &mut all);
        found.extend(all.into_iter().map(|(name, _)| name));
    }
    let mut columns: Vec<String> = found.into_iter().collect();
    columns.sort_by_key(|name| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
    columns
}

fn row(item: &Value, columns: &[String], depth: usize, json: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    fields(item, "", 1, depth, json, &mut all);
    let value = |column: &String| all.iter().find(|(name, _)| name == column).map(|(_, value)| value.clone());
    columns.iter().map(|column| value(column).unwrap_or_default()).collect()
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// JSON with a blank behind commas and colons, and nothing beyond ASCII.
fn dumped(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(dumped).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(key, value)| format!("{}: {}", ascii(key), dumped(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::String(text) => ascii(text),
        other => other.to_string(),
    }
}

fn ascii(text: &str) -> String {
    let quoted = Value::String(text.to_owned()).to_string();
    let mut out = String::new();
    for c in quoted.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            out.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    out
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(entries) => {
            let mut entries: Vec<_> = entries.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            entries.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

fn tsv(columns: &[String], table: &[Vec<String>], header: bool) -> String {
    let head = header.then(|| columns.join("\t"));
    head.into_iter().chain(table.iter().map(|row| row.join("\t"))).map(|line| line + "\n").collect()
}

fn long(columns: &[String], table: &[Vec<String>]) -> String {
    let rule = format!("\n{}\n\n", "-".repeat(RULE_CHARS));
    let width = columns.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let mut out = rule.clone();
    for row in table {
        for (name, value) in columns.iter().zip(row) {
            out.push_str(&format!("{name:>width$}: {value}\n"));
        }
        out.push_str(&rule);
    }
    out
}

fn pairs(columns: &[String], table: &[Vec<String>]) -> String {
    let line = |row: &Vec<String>| {
        let pairs: Vec<String> = columns.iter().zip(row).map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        format!("{}\n", pairs.join(" "))
    };
    table.iter().map(line).collect()
}

fn bash(columns: &[String], table: &[Vec<String>]) -> String {
    let Some(at) = columns.iter().position(|name| name == "name") else { return String::new() };
    let names: Vec<&str> = table.iter().map(|row| row[at].as_str()).collect();
    format!("{}\n", names.join(" "))
}

fn boxed(columns: &[String], table: &[Vec<String>]) -> String {
    let width = |text: &String| text.chars().count();
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| table.iter().map(|row| width(&row[at])).chain([width(&columns[at])]).max().unwrap_or(0))
        .collect();
    let rule: String = widths.iter().map(|width| format!("+{}", "-".repeat(width + 2))).collect::<String>() + "+\n";
    let line = |row: &[String], centred: bool| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(text, &width)| if centred { format!("| {text:^width$} ") } else { format!("| {text:<width$} ") });
        cells.collect::<String>() + "|\n"
    };
    let mut out = rule.clone() + &line(columns, true) + &rule;
    for row in table {
        out.push_str(&line(row, false));
    }
    out + &rule
}
