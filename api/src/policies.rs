//! Policies and operator policies: the same handlers over two kinds.

use std::sync::Arc;

use broker::PutPolicy;
use broker::domain::name::VhostName;
use broker::domain::policy::{Policy, PolicyFields, PolicyKind};
use openapi::policies as wire;

use crate::call::Call;
use crate::error::ApiError;
use crate::page::Listing;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};

pub(crate) fn mount(on: &mut Mounts) {
    use PolicyKind::{Operator, User};
    on.at(&wire::POLICIES).get(|call| list_policies(call, User));
    on.at(&wire::OF_VHOST).get(|call| list_of_vhost(call, User));
    on.at(&wire::POLICY)
        .get(|call| get_policy(call, User))
        .put(|call| put_policy(call, User))
        .delete(|call| delete_policy(call, User));
    on.at(&wire::OPERATOR_POLICIES).get(|call| list_policies(call, Operator));
    on.at(&wire::OPERATOR_OF_VHOST).get(|call| list_of_vhost(call, Operator));
    on.at(&wire::OPERATOR_POLICY)
        .get(|call| get_policy(call, Operator))
        .put(|call| put_policy(call, Operator))
        .delete(|call| delete_policy(call, Operator));
}

fn to_wire(policy: &Policy) -> wire::Policy {
    wire::Policy {
        vhost: policy.vhost.to_string(),
        name: policy.name.clone(),
        pattern: policy.pattern.clone(),
        apply_to: policy.apply_to.as_str().to_owned(),
        definition: policy.definition.iter().cloned().collect(),
        priority: policy.priority,
    }
}

/// In the order of their priorities, the lowest first, or of their names where nobody sees the priorities.
fn policies(call: &Call, kind: PolicyKind, keep: impl Fn(&VhostName) -> bool) -> Result<Vec<wire::Policy>, ApiError> {
    let directory = call.directory()?;
    let all = match kind {
        PolicyKind::User => &directory.policies,
        PolicyKind::Operator => &directory.operator_policies,
    };
    let mut found: Vec<_> = all.values().filter(|policy| keep(&policy.vhost)).map(|policy| to_wire(policy)).collect();
    if call.query.get("columns").is_none_or(|columns| columns.contains("priority")) {
        found.sort_by_key(|policy| policy.priority);
    }
    Ok(found)
}

/// The policy in the path, which must exist.
fn find(call: &Call, kind: PolicyKind) -> Result<Arc<Policy>, ApiError> {
    let directory = call.directory()?;
    let key = (call.vhost_name(), call.parameter("policy").to_owned());
    let found = match kind {
        PolicyKind::User => directory.policies.get(&key),
        PolicyKind::Operator => directory.operator_policies.get(&key),
    };
    found.cloned().ok_or_else(ApiError::no_object)
}

async fn list_policies(call: Call, kind: PolicyKind) -> Answer {
    let visible = call.visible_vhosts()?;
    call.list(policies(&call, kind, |vhost| visible.contains(vhost))?, Listing::Plain)
}

async fn list_of_vhost(call: Call, kind: PolicyKind) -> Answer {
    let own = call.vhost()?;
    call.list(policies(&call, kind, |vhost| *vhost == own.name)?, Listing::Plain)
}

async fn get_policy(call: Call, kind: PolicyKind) -> Answer {
    call.object(&to_wire(&*find(&call, kind)?))
}

async fn put_policy(call: Call, kind: PolicyKind) -> Answer {
    if kind == PolicyKind::Operator {
        call.require_json()?;
    }
    call.target_vhost()?;
    let fields = call.fields()?;
    fields.require(&["pattern", "definition"])?;
    let missing = serde_json::Value::Null;
    let given = PolicyFields {
        pattern: fields.get("pattern").unwrap_or(&missing),
        definition: fields.get("definition").unwrap_or(&missing),
        priority: fields.get("priority"),
        apply_to: fields.get("apply-to"),
    };
    let policy = given.check(kind, call.vhost_name(), call.parameter("policy"))?;
    let put = PutPolicy { policy, operator: kind == PolicyKind::Operator };
    Ok(call.broker()?.put_policy(put).await?.into())
}

async fn delete_policy(call: Call, kind: PolicyKind) -> Answer {
    let policy = find(&call, kind)?;
    call.broker()?.delete_policy(&policy.vhost, &policy.name, kind == PolicyKind::Operator).await?;
    Ok(Reply::no_content())
}
