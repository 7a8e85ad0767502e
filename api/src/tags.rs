//! Tags of users and vhosts as requests spell them: a comma-separated text or an array.

use serde_json::{Value, json};

use crate::error::ApiError;

/// Reads tags; elements of an array may be numbers or words, which the reference prints.
pub(crate) fn parse(value: &Value) -> Result<Vec<String>, ApiError> {
    match value {
        Value::String(text) => {
            Ok(text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect())
        }
        Value::Array(items) => items
            .iter()
            .map(|item| match item {
                Value::String(tag) => Ok(tag.clone()),
                Value::Number(_) | Value::Bool(_) | Value::Null => Ok(item.to_string()),
                other => Err(ApiError::bad_request(json!(["invalid_tag", other]))),
            })
            .collect(),
        other => Err(ApiError::bad_request(json!(["invalid_tags", other]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_text_or_array() {
        let parsed = |value: Value| parse(&value).map_err(|error| error.status.as_u16());
        assert_eq!(
            parsed(json!("administrator, monitoring,x")),
            Ok(vec!["administrator".into(), "monitoring".into(), "x".into()])
        );
        assert_eq!(parsed(json!("")), Ok(vec![]));
        assert_eq!(parsed(json!(["a", 1, true])), Ok(vec!["a".into(), "1".into(), "true".into()]));
        assert_eq!(parsed(json!(5)), Err(400));
        assert_eq!(parsed(json!(null)), Err(400));
    }
}
