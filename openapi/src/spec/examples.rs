//! Examples of requests and answers, recorded from a running broker.
//!
//! The tour through all operations records them (`tests/python/tour.py`), and validates them against
//! the schemas when it does not.

use std::sync::LazyLock;

use serde_json::Value;

static RECORDED: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../examples.json")).expect("recorded as JSON"));

/// What was sent.
pub(super) fn request(id: &str) -> Option<Value> {
    RECORDED.get(id)?.get("request").cloned()
}

/// What came with a status.
pub(super) fn response(id: &str, code: u16) -> Option<Value> {
    let recorded = RECORDED.get(id)?;
    (recorded.get("status")?.as_u64()? == u64::from(code)).then(|| recorded.get("response").cloned())?
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_example_belongs_to_an_operation() {
        let ids: BTreeSet<_> = crate::endpoints()
            .flat_map(|endpoint| {
                endpoint.operations.iter().map(|operation| super::super::operation_id(endpoint, operation))
            })
            .collect();
        for id in RECORDED.as_object().unwrap().keys() {
            assert!(ids.contains(id), "{id} has an example and is no operation");
        }
    }
}
