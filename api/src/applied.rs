//! Which policies apply to the objects of one vhost, for listings.

use std::sync::Arc;

use broker::Directory;
use broker::domain::name::VhostName;
use broker::domain::policy::{PolicySet, Selected, Subject, effective};
use serde_json::{Map, Value};

/// The policies of one vhost.
pub(crate) struct Applied(Arc<PolicySet>);

impl Applied {
    /// The policies of a vhost.
    pub(crate) fn new(directory: &Directory, vhost: &VhostName) -> Self {
        Self(directory.policy_set(vhost))
    }

    /// The policies that apply to an object.
    pub(crate) fn select(&self, subject: Subject, name: &str) -> Selected {
        if self.0.is_empty() { Selected::default() } else { self.0.select(subject, name) }
    }
}

/// What the selected policies set together.
pub(crate) fn definition(selected: &Selected) -> Map<String, Value> {
    let settings = effective(selected.user.as_deref(), selected.operator.as_deref());
    settings.into_iter().map(|(key, effective)| (key, effective.value)).collect()
}
