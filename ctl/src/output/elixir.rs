//! Values as Elixir's `inspect` shows them; some failures of the reference are such terms.

use serde_json::Value;

/// A JSON value as the reference holds it.
pub fn inspect(value: &Value) -> String {
    match value {
        Value::Null => "nil".to_owned(),
        Value::Array(items) => format!("[{}]", items.iter().map(inspect).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{} => {}", Value::from(key.as_str()), inspect(value)))
                .collect();
            format!("%{{{}}}", entries.join(", "))
        }
        other => other.to_string(),
    }
}
