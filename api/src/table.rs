//! Field tables of the protocol and JSON objects, one as the other.

use broker::domain::value::{FieldTable, FieldValue};
use bytes::Bytes;
use serde_json::{Map, Number, Value, json};

use crate::error::ApiError;

/// Deepest nesting of a table read from JSON.
const DEPTH_MAX: usize = 64;

/// A table as an object.
pub(crate) fn to_json(table: &FieldTable) -> Value {
    Value::Object(to_object(table))
}

/// A table as an object.
pub(crate) fn to_object(table: &FieldTable) -> Map<String, Value> {
    table.iter().map(|(name, value)| (name.to_owned(), value_to_json(value))).collect()
}

/// A value as JSON. Bytes that are no UTF-8 are shown with replacement characters.
pub(crate) fn value_to_json(value: &FieldValue) -> Value {
    let float = |number: f64| Number::from_f64(number).map_or(Value::Null, Value::Number);
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
        FieldValue::Decimal(scale, unscaled) => float(f64::from(*unscaled) / 10f64.powi((*scale).into())),
        FieldValue::LongString(bytes) | FieldValue::ByteArray(bytes) => {
            String::from_utf8_lossy(bytes).into_owned().into()
        }
        FieldValue::Array(items) => items.iter().map(value_to_json).collect(),
        FieldValue::Timestamp(seconds) => (*seconds).into(),
        FieldValue::Table(table) => to_json(table),
        FieldValue::Void => Value::Null,
    }
}

/// What to make of `null`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nulls {
    /// Void, as in arguments.
    Void,
    /// Refused, as in message headers and lists.
    Refused,
}

/// A table from an object; an empty array is an empty table, as the reference's clients send it.
pub(crate) fn from_json(value: &Value, nulls: Nulls) -> Result<FieldTable, ApiError> {
    table_from_json(value, nulls, 0)
}

fn table_from_json(value: &Value, nulls: Nulls, depth: usize) -> Result<FieldTable, ApiError> {
    match value {
        Value::Object(fields) => {
            let entry = |(name, value): (&String, &Value)| {
                if name.len() > usize::from(u8::MAX) {
                    return Err(ApiError::bad_request(json!(["field_name_too_long", name])));
                }
                Ok((name.clone(), value_from_json(value, nulls, depth + 1)?))
            };
            fields.iter().map(entry).collect()
        }
        Value::Array(items) if items.is_empty() => Ok(FieldTable::new()),
        other => Err(ApiError::bad_request(json!(["not_a_table", other]))),
    }
}

fn value_from_json(value: &Value, nulls: Nulls, depth: usize) -> Result<FieldValue, ApiError> {
    if depth > DEPTH_MAX {
        return Err(ApiError::bad_request("the table is nested too deeply"));
    }
    Ok(match value {
        Value::Null if nulls == Nulls::Void => FieldValue::Void,
        Value::Null => return Err(ApiError::bad_request("null_not_allowed")),
        Value::Bool(value) => FieldValue::Boolean(*value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => FieldValue::I64(number),
            None if number.is_f64() => FieldValue::F64(number.as_f64().unwrap_or_default()),
            None => return Err(ApiError::bad_request(json!(["number_too_large", number]))),
        },
        Value::String(text) => FieldValue::LongString(Bytes::copy_from_slice(text.as_bytes())),
        Value::Array(items) => FieldValue::Array(
            items.iter().map(|item| value_from_json(item, Nulls::Refused, depth + 1)).collect::<Result<_, _>>()?,
        ),
        Value::Object(_) => FieldValue::Table(table_from_json(value, nulls, depth)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_survive_the_way_through_json() {
        let object = json!({"n": 5, "f": 1.5, "s": "水", "b": true, "l": [1, "a", {"k": 2}], "t": {"in": null}});
        let table = from_json(&object, Nulls::Void).unwrap();
        assert_eq!(table.get("n"), Some(&FieldValue::I64(5)));
        assert_eq!(to_json(&table), object);
        assert!(from_json(&json!([]), Nulls::Void).unwrap().is_empty());
    }

    #[test]
    fn what_no_table_can_hold_is_refused() {
        let reason = |value: Value, nulls| from_json(&value, nulls).unwrap_err().body.unwrap()["reason"].clone();
        assert_eq!(reason(json!({"a": null}), Nulls::Refused), json!("null_not_allowed"));
        assert_eq!(reason(json!({"a": [null]}), Nulls::Void), json!("null_not_allowed"));
        assert_eq!(reason(json!("x"), Nulls::Void), json!(["not_a_table", "x"]));
        assert_eq!(reason(json!({"a": u64::MAX}), Nulls::Void), json!(["number_too_large", u64::MAX]));
        let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
        assert_eq!(reason(json!({ "a": deep }), Nulls::Void), json!("the table is nested too deeply"));
    }
}
