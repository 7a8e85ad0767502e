//! Field tables as JSON and back: arguments, headers, client properties.
//!
//! JSON has one number and one text, a field table has many of both: integers become
//! signed 64-bit, other numbers doubles, text long strings. On the way out the type is
//! lost and only the value is sent, as the reference does.

use std::borrow::Cow;

use broker::domain::name::NAME_BYTES_MAX;
use broker::domain::value::{FieldTable, FieldValue};
use broker::domain::wire::NESTING_MAX;
use serde::{Serialize, Serializer};
use serde_json::{Map, Number, Value};

use crate::error::ApiError;

/// Why JSON is no field table.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum TableError {
    /// Not an object (nor an empty array, which some clients write for one).
    #[error("{0} is not a table")]
    NoTable(Value),
    /// `null`.
    #[error("null_not_allowed")]
    Null,
    /// A name is longer than a short string.
    #[error("a name in a table must be at most {NAME_BYTES_MAX} bytes long, actually was {0}")]
    LongName(usize),
    /// An integer beyond 64 bits with sign.
    #[error("{0} does not fit into 64 bits")]
    LargeNumber(Number),
    /// Tables and arrays nested beyond what a message can hold.
    #[error("tables must be nested at most {NESTING_MAX} levels deep")]
    Nesting,
}

impl From<TableError> for ApiError {
    fn from(error: TableError) -> Self {
        Self::bad_request(error.to_string())
    }
}

/// Arguments or headers. `null` is refused: the reference takes it nowhere.
pub(crate) fn from_json(value: &Value) -> Result<FieldTable, TableError> {
    table_from_json(value, 0)
}

fn table_from_json(value: &Value, depth: usize) -> Result<FieldTable, TableError> {
    match value {
        Value::Object(fields) => {
            let entry = |(name, value): (&String, &Value)| {
                if name.len() > NAME_BYTES_MAX {
                    return Err(TableError::LongName(name.len()));
                }
                Ok((name.clone(), value_from_json(value, depth)?))
            };
            fields.iter().map(entry).collect()
        }
        Value::Array(items) if items.is_empty() => Ok(FieldTable::new()),
        other => Err(TableError::NoTable(other.clone())),
    }
}

fn value_from_json(value: &Value, depth: usize) -> Result<FieldValue, TableError> {
    let deeper = || if depth < NESTING_MAX { Ok(depth + 1) } else { Err(TableError::Nesting) };
    Ok(match value {
        Value::Null => return Err(TableError::Null),
        Value::Bool(value) => FieldValue::Boolean(*value),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => FieldValue::I64(integer),
            None if number.is_f64() => FieldValue::F64(number.as_f64().unwrap_or_default()),
            None => return Err(TableError::LargeNumber(number.clone())),
        },
        Value::String(text) => FieldValue::text(text),
        Value::Array(items) => {
            let depth = deeper()?;
            FieldValue::Array(items.iter().map(|item| value_from_json(item, depth)).collect::<Result<_, _>>()?)
        }
        Value::Object(_) => FieldValue::Table(table_from_json(value, deeper()?)?),
    })
}

/// A table as it is sent.
pub(crate) fn to_json(table: &FieldTable) -> Value {
    Value::Object(to_object(table))
}

/// A table as the fields of an object.
pub(crate) fn to_object(table: &FieldTable) -> Map<String, Value> {
    table.iter().map(|(name, value)| (name.to_owned(), value_to_json(value))).collect()
}

/// A value as the reference prints it, when it is text.
pub(crate) fn text(value: &FieldValue) -> Option<Cow<'_, str>> {
    match value {
        FieldValue::LongString(bytes) | FieldValue::ByteArray(bytes) => Some(String::from_utf8_lossy(bytes)),
        _ => None,
    }
}

/// A table that is written as it is sent, without being built first.
pub(crate) struct AsJson<'a>(pub(crate) &'a FieldTable);

/// Longest table whose names are compared with one another, in fields.
const COMPARED_MAX: usize = 24;

impl Serialize for AsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names = || self.0.iter().map(|(name, _)| name);
        let repeats = || names().enumerate().any(|(place, name)| names().take(place).any(|other| other == name));
        if self.0.len() > COMPARED_MAX || repeats() {
            // A client may send a name twice; an object has it once.
            return to_object(self.0).serialize(serializer);
        }
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, ValueAsJson(value))))
    }
}

struct ValueAsJson<'a>(&'a FieldValue);

impl Serialize for ValueAsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            FieldValue::Boolean(value) => serializer.serialize_bool(*value),
            FieldValue::I64(value) => serializer.serialize_i64(*value),
            FieldValue::LongString(bytes) | FieldValue::ByteArray(bytes) => {
                serializer.serialize_str(&String::from_utf8_lossy(bytes))
            }
            FieldValue::Table(table) => AsJson(table).serialize(serializer),
            FieldValue::Array(items) => serializer.collect_seq(items.iter().map(ValueAsJson)),
            other => value_to_json(other).serialize(serializer),
        }
    }
}

fn value_to_json(value: &FieldValue) -> Value {
    let float = |value: f64| Number::from_f64(value).map_or(Value::Null, Value::Number);
    match value {
        FieldValue::Boolean(value) => (*value).into(),
        FieldValue::I8(value) => (*value).into(),
        FieldValue::U8(value) => (*value).into(),
        FieldValue::I16(value) => (*value).into(),
        FieldValue::U16(value) => (*value).into(),
        FieldValue::I32(value) => (*value).into(),
        FieldValue::U32(value) => (*value).into(),
        FieldValue::I64(value) => (*value).into(),
        FieldValue::F32(value) => float((*value).into()),
        FieldValue::F64(value) => float(*value),
        FieldValue::Decimal(scale, unscaled) => float(f64::from(*unscaled) / 10_f64.powi((*scale).into())),
        FieldValue::LongString(bytes) | FieldValue::ByteArray(bytes) => String::from_utf8_lossy(bytes).into(),
        FieldValue::Array(items) => items.iter().map(value_to_json).collect(),
        FieldValue::Timestamp(seconds) => (*seconds).into(),
        FieldValue::Table(table) => to_json(table),
        FieldValue::Void => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_the_same_after_a_table() {
        for table in [
            json!({}),
            json!({"n": 5, "neg": -1, "f": 1.5, "s": "水", "b": true}),
            json!({"l": [1, "two", {"k": [false]}], "t": {"in": {"deep": []}}}),
            json!({"max": i64::MAX}),
        ] {
            let parsed = from_json(&table).unwrap();
            assert_eq!(to_json(&parsed), table);
            assert_eq!(serde_json::to_value(AsJson(&parsed)).unwrap(), table);
        }
        assert_eq!(from_json(&json!([])), Ok(FieldTable::new()));
    }

    #[test]
    fn numbers_are_integers_when_written_so() {
        let table = from_json(&json!({"a": 1, "b": 1.0, "c": 1e30})).unwrap();
        let values: Vec<_> = table.iter().map(|(_, value)| value.clone()).collect();
        assert_eq!(values, [FieldValue::I64(1), FieldValue::F64(1.0), FieldValue::F64(1e30)]);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let nested = |levels| (0..levels).fold(json!(1), |inner, _| json!({ "k": inner }));
        let long = "n".repeat(NAME_BYTES_MAX + 1);
        for (value, expected) in [
            (json!("x"), TableError::NoTable(json!("x"))),
            (json!(null), TableError::NoTable(json!(null))),
            (json!([1]), TableError::NoTable(json!([1]))),
            (json!({"l": [null]}), TableError::Null),
            (json!({"z": null}), TableError::Null),
            (json!({ long: 1 }), TableError::LongName(256)),
            (json!({"a": u64::MAX}), TableError::LargeNumber(u64::MAX.into())),
            (nested(NESTING_MAX + 2), TableError::Nesting),
        ] {
            assert_eq!(from_json(&value), Err(expected));
        }
        assert!(from_json(&nested(NESTING_MAX + 1)).is_ok());
    }

    #[test]
    fn types_json_does_not_have_lose_themselves() {
        for (value, expected) in [
            (FieldValue::F64(f64::NAN), json!(null)),
            (FieldValue::Decimal(2, 275), json!(2.75)),
            (FieldValue::Timestamp(5), json!(5)),
            (FieldValue::ByteArray(Bytes::from_static(b"a\xffb")), json!("a\u{fffd}b")),
            (FieldValue::U32(u32::MAX), json!(4_294_967_295_u32)),
        ] {
            assert_eq!(value_to_json(&value), expected);
            assert_eq!(serde_json::to_value(ValueAsJson(&value)).unwrap(), expected);
        }
    }
}
