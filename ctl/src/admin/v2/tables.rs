//! How lists are drawn: boxes of several styles, or bare cells for scripts.
//!
//! Knows no operation.

use serde_json::Value;

/// A way to draw a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Round corners, no lines between rows.
    Modern,
    /// No lines at all.
    Borderless,
    /// Plain characters, lines between rows.
    Ascii,
    /// Dots and colons.
    Dots,
    /// As psql draws them.
    Psql,
    /// Markdown.
    Markdown,
    /// No lines and no header: for scripts.
    Bare,
}

impl Style {
    /// The names of those that can be asked for.
    pub const NAMES: [&'static str; 6] = ["modern", "borderless", "ascii", "dots", "psql", "markdown"];

    /// The style of that name.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "modern" => Self::Modern,
            "borderless" => Self::Borderless,
            "ascii" => Self::Ascii,
            "dots" => Self::Dots,
            "psql" => Self::Psql,
            "markdown" => Self::Markdown,
            _ => return None,
        })
    }

    /// Left, between, right of a row; and the rules: above, below the header, between rows, below.
    const fn lines(self) -> Lines {
        const NONE: Option<Rule> = None;
        match self {
            Self::Modern => Lines {
                row: ["│ ", " │ ", " │"],
                top: Some(Rule(["╭", "─", "┬", "╮"])),
                head: Some(Rule(["├", "─", "┼", "┤"])),
                between: NONE,
                bottom: Some(Rule(["╰", "─", "┴", "╯"])),
            },
            Self::Ascii => {
                const RULE: Option<Rule> = Some(Rule(["+", "-", "+", "+"]));
                Lines { row: ["| ", " | ", " |"], top: RULE, head: RULE, between: RULE, bottom: RULE }
            }
            Self::Dots => Lines {
                row: [": ", " : ", " :"],
                top: Some(Rule([".", ".", ".", "."])),
                head: Some(Rule([":", ".", ":", ":"])),
                between: Some(Rule([":", ".", ":", ":"])),
                bottom: Some(Rule([":", ".", ":", ":"])),
            },
            Self::Psql => Lines {
                row: [" ", " | ", " "],
                top: NONE,
                head: Some(Rule(["", "-", "+", ""])),
                between: NONE,
                bottom: NONE,
            },
            Self::Markdown => Lines {
                row: ["| ", " | ", " |"],
                top: NONE,
                head: Some(Rule(["|", "-", "|", "|"])),
                between: NONE,
                bottom: NONE,
            },
            Self::Borderless => Lines { row: [" ", "   ", " "], top: NONE, head: NONE, between: NONE, bottom: NONE },
            Self::Bare => Lines { row: ["", "  ", ""], top: NONE, head: NONE, between: NONE, bottom: NONE },
        }
    }
}

/// Left corner, line, crossing, right corner.
#[derive(Clone, Copy)]
struct Rule([&'static str; 4]);

struct Lines {
    row: [&'static str; 3],
    top: Option<Rule>,
    head: Option<Rule>,
    between: Option<Rule>,
    bottom: Option<Rule>,
}

/// A cell's text; an object is a line per entry.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Object(entries) => {
            let mut lines: Vec<String> = entries.iter().map(|(key, value)| format!("{key}: {value}")).collect();
            lines.sort();
            lines.join("\n")
        }
        other => other.to_string(),
    }
}

/// What a cell shows; a path that ends in `#0` is of a count, which is 0 while it is not known.
fn shown(item: &Value, path: &str, between: &str) -> String {
    let text = match path.strip_suffix("#0") {
        Some(path) if look(item, path).is_null() => "0".to_owned(),
        Some(path) => cell(look(item, path)),
        None => cell(look(item, path)),
    };
    if between == "\n" { text } else { text.replace('\n', between) }
}

/// The value at a dotted path; of several paths the first that is there.
fn look<'v>(item: &'v Value, path: &str) -> &'v Value {
    const NOTHING: &Value = &Value::Null;
    let found = path.split('|').map(|path| path.split('.').fold(item, |value, key| value.get(key).unwrap_or(NOTHING)));
    found.into_iter().find(|value| !value.is_null()).unwrap_or(NOTHING)
}

/// A list: a title and a path per column.
pub fn list(items: &Value, columns: &[(&str, &str)], asked: Option<&[&String]>, style: Style) -> String {
    let columns: Vec<(&str, &str)> = match asked {
        None => columns.to_vec(),
        // A column that has no title here is a path of its own.
        Some(asked) => asked
            .iter()
            .map(|name| {
                columns.iter().find(|(title, _)| title == name).copied().unwrap_or((name.as_str(), name.as_str()))
            })
            .collect(),
    };
    let rows = items.as_array().map(Vec::as_slice).unwrap_or_default();
    let between = if style == Style::Bare { "," } else { "\n" };
    let cells: Vec<Vec<String>> =
        rows.iter().map(|item| columns.iter().map(|(_, path)| shown(item, path, between)).collect()).collect();
    let titles: Vec<String> = columns.iter().map(|(title, _)| (*title).to_owned()).collect();
    draw(None, &titles, &cells, style)
}

/// One object as two columns, below a title.
pub fn pairs(item: &Value, title: &str, fields: &[(&str, &str)], style: Style) -> String {
    let mut rows: Vec<Vec<String>> =
        fields.iter().map(|(name, path)| vec![(*name).to_owned(), cell(look(item, path))]).collect();
    // Without fields every one there is is shown.
    if fields.is_empty() {
        let entries = item.as_object().into_iter().flatten();
        rows = entries.map(|(key, value)| vec![key.clone(), cell(value)]).collect();
    }
    draw(Some(title), &["key".to_owned(), "value".to_owned()], &rows, style)
}

fn draw(title: Option<&str>, titles: &[String], rows: &[Vec<String>], style: Style) -> String {
    let lines = style.lines();
    let width = |text: &str| text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    let bare = style == Style::Bare;
    let mut widths: Vec<usize> = (0..titles.len())
        .map(|at| {
            let header = if bare { 0 } else { width(&titles[at]) };
            rows.iter().map(|row| width(&row[at])).chain([header]).max().unwrap_or(0)
        })
        .collect();
    let inner = |widths: &[usize]| widths.iter().sum::<usize>() + 3 * widths.len().saturating_sub(1);
    if let (Some(title), Some(last), false) = (title, widths.len().checked_sub(1), bare) {
        let wanted = width(title);
        widths[last] += wanted.saturating_sub(inner(&widths));
    }
    let mut out = String::new();
    let rule = |out: &mut String, rule: Option<Rule>| {
        if let Some(Rule([left, line, cross, right])) = rule {
            let parts: Vec<String> = widths.iter().map(|width| line.repeat(width + 2)).collect();
            out.push_str(&format!("{left}{}{right}\n", parts.join(cross)));
        }
    };
    let row = |out: &mut String, cells: &[String]| {
        let height = cells.iter().map(|cell| cell.lines().count()).max().unwrap_or(1).max(1);
        for level in 0..height {
            let texts: Vec<String> = cells
                .iter()
                .zip(&widths)
                .map(|(cell, &width)| format!("{:<width$}", cell.lines().nth(level).unwrap_or_default()))
                .collect();
            out.push_str(&format!("{}{}{}\n", lines.row[0], texts.join(lines.row[1]), lines.row[2]));
        }
    };
    rule(&mut out, lines.top);
    if let Some(title) = title.filter(|_| !bare) {
        let width = inner(&widths);
        out.push_str(&format!("{}{title:<width$}{}\n", lines.row[0], lines.row[2]));
        rule(&mut out, lines.head);
    }
    if !bare {
        row(&mut out, titles);
        if title.is_none() {
            rule(&mut out, lines.head);
        }
    }
    for (at, cells) in rows.iter().enumerate() {
        if at > 0 {
            rule(&mut out, lines.between);
        }
        row(&mut out, cells);
    }
    // Below a list without rows nothing is drawn.
    if !rows.is_empty() {
        rule(&mut out, lines.bottom);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn styles_are_as_recorded() {
        let items = json!([{"name": "guest", "tags": ["administrator"], "limits": {"a": 1, "b": 2}}]);
        let columns = [("name", "name"), ("tags", "tags"), ("limits", "limits")];
        let drawn = |style| list(&items, &columns, None, style);
        assert_eq!(
            drawn(Style::Modern),
            "╭───────┬───────────────┬────────╮\n│ name  │ tags          │ limits │\n├───────┼───────────────┼────────┤\n\
             │ guest │ administrator │ a: 1   │\n│       │               │ b: 2   │\n╰───────┴───────────────┴────────╯\n"
        );
        assert_eq!(drawn(Style::Bare), "guest  administrator  a: 1,b: 2\n");
        let name = "name".to_owned();
        assert_eq!(
            list(&items, &columns, Some(&[&name]), Style::Ascii),
            "+-------+\n| name  |\n+-------+\n| guest |\n+-------+\n"
        );
        assert_eq!(list(&items, &columns, Some(&[&name]), Style::Markdown), "| name  |\n|-------|\n| guest |\n");
        for name in Style::NAMES {
            assert!(Style::of(name).is_some(), "{name}");
        }
    }
}
