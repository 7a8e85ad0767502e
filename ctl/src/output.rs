//! What a command answers, and the form it is printed in.
//!
//! Owns the choice of formatter and what is printed around the data: banner, header,
//! the reference's envelopes in JSON. One file below per form of a value. Knows no
//! command and no endpoint.

mod csv;
mod elixir;
mod erlang;
mod json;
mod pretty_table;
mod table;

use serde_json::{Map, Value, json};

use crate::term::Term;

pub use elixir::{atom as elixir_atom, inspect as elixir};
pub use erlang::{binary, flat as erlang_flat, float};

/// A formatter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Columns separated by tabs.
    Table,
    /// JSON.
    Json,
    /// Comma-separated values.
    Csv,
    /// A drawn table.
    PrettyTable,
    /// Erlang terms.
    Erlang,
    /// Elixir terms.
    Inspect,
    /// Text as it is.
    Text,
    /// One line per item.
    Lines,
    /// One JSON document per line.
    JsonStream,
}

impl Format {
    /// The formatter of that name; some names of the reference mean the same form.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "table" => Self::Table,
            "json" => Self::Json,
            "csv" => Self::Csv,
            "pretty_table" => Self::PrettyTable,
            "erlang" => Self::Erlang,
            "inspect" => Self::Inspect,
            "string" | "report" | "msacc" | "plugins" | "encrypted_conf_value" => Self::Text,
            "string_per_line" => Self::Lines,
            "json_stream" => Self::JsonStream,
            _ => return None,
        })
    }

    /// Whether a machine reads it, so that nothing but data is printed.
    #[must_use]
    pub const fn machine_readable(self) -> bool {
        matches!(self, Self::Json | Self::Csv | Self::JsonStream)
    }
}

/// Rows of a listing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// One cell per column.
    pub rows: Vec<Vec<Term>>,
    /// How the reference hands them over, which shows when there are none.
    pub delivery: Delivery,
    /// Whether the table form has a header row unless it is asked for.
    pub headless: bool,
}

/// How the reference hands rows over to its formatter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Delivery {
    /// As one list: an empty one still prints an empty line.
    #[default]
    Whole,
    /// One by one: an empty list prints nothing.
    Streamed,
    /// In chunks, which shows as one more level of lists in Erlang terms.
    Chunked,
}

/// What a command answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It was done; there is nothing to say.
    Done,
    /// Nothing is printed at all, whatever the format.
    Silent,
    /// A text.
    Message(String),
    /// A text, and what JSON says instead.
    Report {
        /// The text.
        text: String,
        /// The same for `--formatter json`.
        json: Value,
    },
    /// One value, printed as a term; JSON wraps it.
    Value(Term),
    /// A term that is its own document in JSON.
    Document(Term),
    /// Rows.
    Rows(Rows),
}

/// What the global switches say about printing.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// The formatter.
    pub format: Format,
    /// Whether the table form has a header row.
    pub headers: Headers,
    /// Pad each value to its header.
    pub pad: bool,
}

/// Whether a table has a header row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Headers {
    /// As the command usually does.
    Usual,
    /// Yes.
    On,
    /// No.
    Off,
}

/// The printed form of an answer, with its line end.
#[must_use]
pub fn render(answer: &Answer, style: Style, node: &dyn Fn() -> String) -> String {
    match answer {
        Answer::Silent => String::new(),
        Answer::Done => match style.format {
            Format::Json => line(&json!({"node": node(), "result": "ok"}).to_string()),
            _ => String::new(),
        },
        Answer::Message(text) => message(text, style.format),
        Answer::Report { text, json } => match style.format {
            Format::Json | Format::JsonStream => line(&json.to_string()),
            other => message(text, other),
        },
        Answer::Value(term) => match style.format {
            Format::Json | Format::JsonStream => {
                let mut wrapped = Map::new();
                wrapped.insert("node".to_owned(), Value::String(node()));
                wrapped.insert("value".to_owned(), json::value(term));
                wrapped.insert("result".to_owned(), Value::String("ok".to_owned()));
                line(&Value::Object(wrapped).to_string())
            }
            other => document(term, other),
        },
        Answer::Document(term) => match style.format {
            Format::Json | Format::JsonStream => line(&json::value(term).to_string()),
            other => document(term, other),
        },
        Answer::Rows(rows) => self::rows(rows, style),
    }
}

fn line(text: &str) -> String {
    if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

fn message(text: &str, format: Format) -> String {
    match format {
        Format::Json | Format::JsonStream => line(&json!({"message": text}).to_string()),
        Format::PrettyTable => pretty_table::render(&["Output".to_owned()], &[vec![Term::text(text)]]),
        Format::Csv => csv::render(&[], &[vec![Term::text(text)]]),
        Format::Erlang => line(&erlang::render(&Term::text(text))),
        Format::Inspect | Format::Table | Format::Text | Format::Lines if text.is_empty() => String::new(),
        // Text is shown as it is, not as a term.
        Format::Inspect | Format::Table | Format::Text | Format::Lines => line(text),
    }
}

fn document(term: &Term, format: Format) -> String {
    match format {
        Format::Erlang => line(&erlang::render(term)),
        Format::Inspect => match term {
            // Text is shown as it is, not as a term.
            Term::Text(text) => line(text),
            term => line(&elixir::term(term)),
        },
        Format::Lines => match term {
            Term::List(items) => items.iter().map(|item| line(&table::cell(item))).collect(),
            other => line(&table::cell(other)),
        },
        Format::PrettyTable => match term {
            Term::Map(entries) => {
                let columns: Vec<String> = entries.iter().map(|(key, _)| table::cell(key)).collect();
                pretty_table::render(&columns, &[entries.iter().map(|(_, value)| value.clone()).collect()])
            }
            other => pretty_table::render(&["Output".to_owned()], &[vec![other.clone()]]),
        },
        Format::Csv => match term {
            Term::Map(entries) => {
                let columns: Vec<String> = entries.iter().map(|(key, _)| table::cell(key)).collect();
                csv::render(&columns, &[entries.iter().map(|(_, value)| value.clone()).collect()])
            }
            other => csv::render(&[], &[vec![other.clone()]]),
        },
        Format::Json | Format::JsonStream => line(&json::value(term).to_string()),
        Format::Table | Format::Text => line(&table::cell(term)),
    }
}

fn rows(rows: &Rows, style: Style) -> String {
    if rows.rows.is_empty() && rows.delivery != Delivery::Whole {
        return match style.format {
            Format::Json | Format::Inspect => "[\n]\n".to_owned(),
            Format::Erlang => "[]\n".to_owned(),
            _ => String::new(),
        };
    }
    if rows.rows.is_empty() {
        return match style.format {
            Format::Json | Format::Inspect => "[]\n".to_owned(),
            Format::Erlang => "[]\n".to_owned(),
            Format::Csv => "\r\n\r\n\n".to_owned(),
            Format::PrettyTable => pretty_table::render(&["Output".to_owned()], &[vec![Term::text("[]")]]),
            Format::JsonStream => "[]\n".to_owned(),
            Format::Table | Format::Text | Format::Lines => "\n".to_owned(),
        };
    }
    match style.format {
        Format::Json => json::rows(rows),
        // Each document is followed by an empty line.
        Format::JsonStream => rows.rows.iter().map(|row| format!("{}\n\n", json::row(&rows.columns, row))).collect(),
        Format::Inspect => format!("[\n{}\n]\n", elixir::rows(rows).join("\n,")),
        Format::Text => elixir::rows(rows).iter().map(|row| line(row)).collect(),
        // An empty line stands between two rows.
        Format::Lines => line(&elixir::loose_rows(rows).join("\n\n")),
        Format::Csv => csv::render(&rows.columns, &rows.rows),
        Format::PrettyTable => pretty_table::render(&rows.columns, &rows.rows),
        Format::Erlang => line(&erlang::rows(rows)),
        Format::Table => {
            let headers = match style.headers {
                Headers::On => true,
                Headers::Off => false,
                Headers::Usual => !rows.headless,
            };
            if crate::terminal::is_watched() && !style.pad {
                return table::aligned(rows, headers, crate::terminal::heading);
            }
            table::render(rows, headers, style.pad)
        }
    }
}
