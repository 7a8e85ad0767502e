//! Properties of a message as JSON and back.

use broker::domain::name::NAME_BYTES_MAX;
use broker::domain::properties::Properties;
use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::table::{self, TableError, to_json};

/// A text in the properties, or a name in the headers, that is longer than a short
/// string, in the words of the reference.
const OVERFLOW: &str = "506 failed to deliver message: content_properties_shortstr_overflow";

/// The properties an object names. Fields that are no properties are ignored.
pub(crate) fn properties_from_json(fields: &Map<String, Value>) -> Result<Properties, ApiError> {
    let text = |name: &str| -> Result<Option<String>, ApiError> {
        match fields.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() > NAME_BYTES_MAX => Err(ApiError::bad_request(OVERFLOW)),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(ApiError::bad_request(json!(["not_string", name]))),
        }
    };
    let integer = |name: &str| -> Result<Option<i64>, ApiError> {
        let Some(value) = fields.get(name) else { return Ok(None) };
        value.as_i64().map(Some).ok_or_else(|| ApiError::bad_request(json!(["not_int", name])))
    };
    let headers = match fields.get("headers") {
        None => None,
        Some(headers) => Some(table::from_json(headers).map_err(|error| match error {
            TableError::LongName(_) => ApiError::bad_request(OVERFLOW),
            other => other.into(),
        })?),
    };
    // An octet is cut from the number, as the reference does: 256 is 0.
    let octet = |integer: i64| integer.to_le_bytes()[0];
    Ok(Properties {
        content_type: text("content_type")?,
        content_encoding: text("content_encoding")?,
        headers,
        delivery_mode: integer("delivery_mode")?.map(octet),
        priority: integer("priority")?.map(octet),
        correlation_id: text("correlation_id")?,
        reply_to: text("reply_to")?,
        expiration: text("expiration")?,
        message_id: text("message_id")?,
        timestamp: integer("timestamp")?.map(i64::cast_unsigned),
        kind: text("type")?,
        user_id: text("user_id")?,
        app_id: text("app_id")?,
        cluster_id: text("cluster_id")?,
    })
}

/// The properties as they are sent: those that are set; an empty array when none is.
pub(crate) fn properties_to_json(properties: Properties) -> Value {
    let Properties {
        content_type,
        content_encoding,
        headers,
        delivery_mode,
        priority,
        correlation_id,
        reply_to,
        expiration,
        message_id,
        timestamp,
        kind,
        user_id,
        app_id,
        cluster_id,
    } = properties;
    let fields: [(&str, Option<Value>); 14] = [
        ("content_type", content_type.map(Value::from)),
        ("content_encoding", content_encoding.map(Value::from)),
        ("headers", headers.map(|headers| to_json(&headers))),
        ("delivery_mode", delivery_mode.map(Value::from)),
        ("priority", priority.map(Value::from)),
        ("correlation_id", correlation_id.map(Value::from)),
        ("reply_to", reply_to.map(Value::from)),
        ("expiration", expiration.map(Value::from)),
        ("message_id", message_id.map(Value::from)),
        ("timestamp", timestamp.map(|seconds| seconds.cast_signed().into())),
        ("type", kind.map(Value::from)),
        ("user_id", user_id.map(Value::from)),
        ("app_id", app_id.map(Value::from)),
        ("cluster_id", cluster_id.map(Value::from)),
    ];
    let set: Map<_, _> = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    if set.is_empty() { Value::Array(Vec::new()) } else { Value::Object(set) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(given: &Value, expected: &Result<Value, Value>) {
        let Value::Object(fields) = given else { panic!("an object") };
        let got = properties_from_json(fields).map(properties_to_json);
        assert_eq!(&got.map_err(|error| error.body.unwrap()["reason"].clone()), expected);
    }

    #[test]
    fn properties_are_what_they_were() {
        let all = json!({
            "content_type": "text/plain", "content_encoding": "utf-8", "headers": {"s": "v", "l": [1, {"k": true}]},
            "delivery_mode": 2, "priority": 3, "correlation_id": "c1", "reply_to": "r", "expiration": "600000",
            "message_id": "m1", "timestamp": 1_600_000_000, "type": "ty", "user_id": "guest", "app_id": "app",
            "cluster_id": "cl",
        });
        check(&all, &Ok(all.clone()));
        check(&json!({"unknown": 1}), &Ok(json!([])));
        check(&json!({"headers": []}), &Ok(json!({"headers": {}})));
        check(&json!({"priority": 256, "timestamp": -1}), &Ok(json!({"priority": 0, "timestamp": -1})));
    }

    #[test]
    fn refusals_name_the_property() {
        check(&json!({"message_id": 5}), &Err(json!(["not_string", "message_id"])));
        check(&json!({"delivery_mode": "2"}), &Err(json!(["not_int", "delivery_mode"])));
        check(&json!({"headers": {"z": null}}), &Err(json!("null_not_allowed")));
        check(&json!({"headers": "x"}), &Err(json!("\"x\" is not a table")));
        check(&json!({"app_id": "x".repeat(256)}), &Err(json!(OVERFLOW)));
        check(&json!({"headers": {"n".repeat(256): 1}}), &Err(json!(OVERFLOW)));
    }
}
