//! A value as the reference's tools see it: an Erlang term with the kinds that reach a screen.
//!
//! Owns the value and building it from JSON. Knows no formatter: each one in `output`
//! decides how a term looks.

use serde_json::Value;

/// A value of a cell, or the answer of a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    /// The broker reports nothing for this column.
    Missing,
    /// A bare word.
    Atom(String),
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(String),
    /// Text as a list of characters, which is what quotes mean in Erlang.
    Chars(String),
    /// A list.
    List(Vec<Term>),
    /// A tuple.
    Tuple(Vec<Term>),
    /// A map, in the order it is shown.
    Map(Vec<(Term, Term)>),
    /// A process id, `<node.1.2.3>`.
    Pid(String),
}

impl Term {
    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A bare word.
    pub fn atom(word: impl Into<String>) -> Self {
        Self::Atom(word.into())
    }

    /// A pair.
    pub fn pair(key: Term, value: Term) -> Self {
        Self::Tuple(vec![key, value])
    }

    /// A map with bare words as keys.
    pub fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Term)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (Self::atom(key), value)).collect())
    }

    /// A plain JSON value; an object becomes a map, `null` nothing.
    pub fn from_json(value: &Value) -> Self {
        match value {
            Value::Null => Self::Missing,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => Self::Int(whole),
                None => Self::Float(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => Self::text(text.clone()),
            Value::Array(items) => Self::List(items.iter().map(Self::from_json).collect()),
            Value::Object(entries) => Self::Map(
                entries.iter().map(|(key, value)| (Self::text(key.clone()), Self::from_json(value))).collect(),
            ),
        }
    }

    /// As plain JSON.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Missing => Value::Null,
            Self::Atom(text) if matches!(text.as_str(), "null" | "nil" | "undefined") => Value::Null,
            Self::Atom(text) | Self::Text(text) | Self::Chars(text) | Self::Pid(text) => Value::String(text.clone()),
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(number) => Value::from(*number),
            Self::Float(number) => Value::from(*number),
            Self::List(items) | Self::Tuple(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Self::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, value)| {
                        let key = key.to_json();
                        (key.as_str().map_or_else(|| key.to_string(), str::to_owned), value.to_json())
                    })
                    .collect(),
            ),
        }
    }

    /// Text of the broker that the reference holds as a bare word (states, types, kinds).
    pub fn word(value: &Value) -> Self {
        match value {
            Value::String(text) if text.is_empty() => Self::Missing,
            Value::String(text) => Self::atom(text.clone()),
            other => Self::from_json(other),
        }
    }

    /// A list of bare words.
    pub fn words(value: &Value) -> Self {
        match value {
            Value::Array(items) => Self::List(items.iter().map(Self::word).collect()),
            other => Self::word(other),
        }
    }

    /// A process id; what is not one (`none`, empty) is nothing.
    pub fn pid(value: &Value) -> Self {
        match value.as_str() {
            Some(text) if text.starts_with('<') => Self::Pid(text.to_owned()),
            _ => Self::Missing,
        }
    }

    /// An address: four numbers for IPv4, eight for IPv6, text for a name.
    pub fn address(value: &Value) -> Self {
        let Some(text) = value.as_str() else { return Self::from_json(value) };
        match text.parse::<std::net::IpAddr>() {
            Ok(std::net::IpAddr::V4(v4)) => {
                Self::Tuple(v4.octets().iter().map(|part| Self::Int(i64::from(*part))).collect())
            }
            Ok(std::net::IpAddr::V6(v6)) => {
                Self::Tuple(v6.segments().iter().map(|part| Self::Int(i64::from(*part))).collect())
            }
            Err(_) => Self::text(text),
        }
    }

    /// An AMQP field table. JSON has lost the wire types: a whole number is `signedint`
    /// while it fits 32 bits, as the widespread clients encode it, and `long` beyond.
    pub fn amqp_table(value: &Value) -> Self {
        match value {
            Value::Object(entries) => Self::List(
                entries
                    .iter()
                    .map(|(key, value)| {
                        let (kind, value) = amqp_field(value);
                        Self::Tuple(vec![Self::text(key.clone()), Self::atom(kind), value])
                    })
                    .collect(),
            ),
            _ => Self::List(Vec::new()),
        }
    }

    /// The address a tuple of numbers stands for.
    pub fn as_address(&self) -> Option<String> {
        let Self::Tuple(parts) = self else { return None };
        let numbers: Vec<u16> = parts
            .iter()
            .map(|part| match part {
                Self::Int(number) => u16::try_from(*number).ok(),
                _ => None,
            })
            .collect::<Option<_>>()?;
        match numbers.len() {
            4 => {
                let octets: Vec<u8> = numbers.iter().map(|part| u8::try_from(*part).ok()).collect::<Option<_>>()?;
                Some(octets.iter().map(u8::to_string).collect::<Vec<_>>().join("."))
            }
            8 => {
                let mut segments = [0_u16; 8];
                segments.copy_from_slice(&numbers);
                Some(std::net::Ipv6Addr::from(segments).to_string())
            }
            _ => None,
        }
    }

    /// The fields of an AMQP table: a list of `{name, type, value}`.
    pub fn as_amqp_table(&self) -> Option<Vec<(&str, &str, &Term)>> {
        let Self::List(items) = self else { return None };
        if items.is_empty() {
            return None;
        }
        items
            .iter()
            .map(|item| match item {
                Self::Tuple(parts) => match parts.as_slice() {
                    [Self::Text(name), Self::Atom(kind), value] => Some((name.as_str(), kind.as_str(), value)),
                    _ => None,
                },
                _ => None,
            })
            .collect()
    }
}

fn amqp_field(value: &Value) -> (&'static str, Term) {
    match value {
        Value::Object(_) => ("table", Term::amqp_table(value)),
        Value::Array(items) => (
            "array",
            Term::List(
                items
                    .iter()
                    .map(|item| {
                        let (kind, value) = amqp_field(item);
                        Term::pair(Term::atom(kind), value)
                    })
                    .collect(),
            ),
        ),
        Value::String(_) => ("longstr", Term::from_json(value)),
        Value::Bool(_) => ("bool", Term::from_json(value)),
        Value::Null => ("void", Term::atom("undefined")),
        Value::Number(number) => match number.as_i64() {
            Some(whole) if i32::try_from(whole).is_ok() => ("signedint", Term::Int(whole)),
            Some(whole) => ("long", Term::Int(whole)),
            None => ("double", Term::from_json(value)),
        },
    }
}
