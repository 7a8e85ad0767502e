//! Counters as the reference sends them: each beside its rate, and only once something
//! of its kind has happened.

use broker::metrics::Churn;
use serde_json::{Map, Value, json};

/// Puts a counter and its rate into an object.
pub(crate) fn counter(object: &mut Map<String, Value>, name: &str, count: u64) {
    object.insert(name.to_owned(), count.into());
    object.insert(format!("{name}_details"), json!({ "rate": 0.0 }));
}

/// What came and went, as sent.
pub(crate) fn churn(churn: &Churn) -> Value {
    let mut rates = Map::new();
    for (name, count) in [
        ("connection_closed", churn.connection_closed),
        ("connection_created", churn.connection_created),
        ("channel_closed", churn.channel_closed),
        ("channel_created", churn.channel_created),
        ("queue_created", churn.queue_created),
        ("queue_deleted", churn.queue_deleted),
        ("queue_declared", churn.queue_declared),
    ] {
        counter(&mut rates, name, count);
    }
    Value::Object(rates)
}
