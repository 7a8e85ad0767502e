//! Events of users, vhosts, permissions, policies and parameters: what a change tells,
//! compared with the picture before it. What stays as it was is not told.

use super::topology::exchange_created;
use crate::domain::event::Event;
use crate::domain::exchange::predeclared;
use crate::domain::name::VhostName;
use crate::domain::parameter::{Document, OPERATOR_POLICY, VHOST_LIMITS};
use crate::domain::policy::{Policy, PolicyKind};
use crate::domain::user::User;
use crate::domain::value::FieldValue;
use crate::domain::vhost::{Vhost, VhostLimits};
use crate::runtime::directory::{Change, Directory};

/// The name under which limits are set.
const LIMITS: &str = "limits";

/// What a change that is about to be made to `before` will have to tell.
pub(crate) fn of_change(node: &str, before: &Directory, change: &Change, by: &str) -> Vec<Event> {
    match change {
        Change::PutUser(user) => user_put(before.users.get(&user.name).map(|user| &**user), user, by),
        Change::DeleteUser(name) => vec![Event::new("user.deleted").text("name", name.as_str()).by(by)],
        Change::PutVhost(vhost) => vhost_put(node, before.vhosts.get(&vhost.name).map(|vhost| &**vhost), vhost, by),
        Change::DeleteVhost(name) => {
            // What was in it is told by its owner, which ends after the vhost is gone from the picture.
            let limited = before.vhosts.get(name).filter(|vhost| !vhost.limits.is_empty());
            let mut events = limited.map(|vhost| limits_cleared(&vhost.name, by)).unwrap_or_default();
            events.push(Event::new("vhost.deleted").text("name", name.as_str()).by(by));
            events
        }
        Change::SweepTopology(_) => Vec::new(),
        Change::PutPermissions(row) => {
            let event =
                Event::new("permission.created").text("user", row.user.as_str()).text("vhost", row.vhost.as_str());
            let event = event.text("configure", &row.configure).text("write", &row.write).text("read", &row.read);
            vec![event.by(by)]
        }
        Change::DeletePermissions(user, vhost) => {
            vec![Event::new("permission.deleted").text("user", user.as_str()).text("vhost", vhost.as_str()).by(by)]
        }
        Change::PutTopicPermissions(row) => {
            let event = Event::new("topic.permission.created").text("user", row.user.as_str());
            let event = event.text("vhost", row.vhost.as_str()).text("exchange", row.exchange.as_str());
            vec![event.text("write", &row.write).text("read", &row.read).by(by)]
        }
        Change::DeleteTopicPermissions(user, vhost, _) => {
            let event = Event::new("topic.permission.deleted").text("user", user.as_str());
            vec![event.text("vhost", vhost.as_str()).by(by)]
        }
        Change::PutPolicy(kind, policy) => policy_set(*kind, policy, by),
        Change::DeletePolicy(kind, vhost, name) => policy_cleared(*kind, vhost, name, by),
        Change::PutParameter(parameter) => {
            vec![set(Some(&parameter.vhost), &parameter.component, &parameter.name, &parameter.value, by)]
        }
        Change::DeleteParameter(component, vhost, name) => vec![cleared(Some(vhost), component, name, by)],
        Change::PutGlobalParameter(name, value) => vec![set(None, "global", name, value, by)],
        Change::DeleteGlobalParameter(name) => vec![cleared(None, "global", name, by)],
    }
}

fn user_put(before: Option<&User>, user: &User, by: &str) -> Vec<Event> {
    let about = |key| Event::new(key).text("name", user.name.as_str()).by(by);
    let mut events = Vec::new();
    match before {
        None => events.push(about("user.created")),
        Some(before) if before.password == user.password => {}
        Some(_) if user.password.is_none() => events.push(about("user.password.cleared")),
        Some(_) => events.push(about("user.password.changed")),
    }
    if before.map_or(&[][..], |before| &before.tags) != user.tags {
        events.push(about("user.tags.set").texts("tags", user.tags.iter().map(String::as_str)));
    }
    let limits = before.map(|before| before.limits).unwrap_or_default();
    let changed = [
        ("max-connections", limits.max_connections, user.limits.max_connections),
        ("max-channels", limits.max_channels, user.limits.max_channels),
    ];
    let changed: Vec<_> = changed.into_iter().filter(|(_, before, now)| before != now).collect();
    let about = |key| Event::new(key).text("name", LIMITS).text("username", user.name.as_str()).by(by);
    let set: Vec<_> = changed.iter().filter_map(|(name, _, now)| Some((name, (*now)?))).collect();
    if set.len() < changed.len() {
        events.push(about("user.limits.cleared"));
    }
    if !set.is_empty() {
        events.push(set.into_iter().fold(about("user.limits.set"), |event, (name, limit)| event.number(name, limit)));
    }
    events
}

fn vhost_put(node: &str, before: Option<&Vhost>, vhost: &Vhost, by: &str) -> Vec<Event> {
    let mut events = Vec::new();
    let Some(before) = before else {
        // Exchanges that are there from the start come with the vhost.
        events.extend(predeclared().map(|exchange| exchange_created(&vhost.name, &exchange, "", by)));
        events.push(about_vhost("vhost.created", node, vhost).by(by));
        if vhost.limits != VhostLimits::default() {
            events.extend(limits_put(vhost, by));
        }
        return events;
    };
    let settled = |vhost: &Vhost| Vhost { limits: VhostLimits::default(), tracing: false, ..vhost.clone() };
    if settled(before) != settled(vhost) {
        let protected = vhost.protected_from_deletion.unwrap_or(false);
        events.push(about_vhost("vhost.updated", node, vhost).flag("deletion_protection", protected).by(by));
    }
    if before.limits != vhost.limits {
        events.extend(limits_put(vhost, by));
    }
    events
}

fn about_vhost(key: &'static str, node: &str, vhost: &Vhost) -> Event {
    let running = [(node.to_owned(), FieldValue::text("running"))].into_iter().collect();
    let kind = vhost.default_queue_type.as_str();
    let description = FieldValue::text(&vhost.description);
    let metadata = format!(
        "#{{description => {},tags => [{}],default_queue_type => <<\"{kind}\">>}}",
        crate::domain::term::Term(&description),
        vhost.tags.join(","),
    );
    Event::new(key)
        .with("cluster_state", FieldValue::Table(running))
        .text("default_queue_type", kind)
        .text("description", &vhost.description)
        .text("metadata", &metadata)
        .text("name", vhost.name.as_str())
        .flag("protected_from_deletion", vhost.protected_from_deletion.unwrap_or(false))
        .texts("tags", vhost.tags.iter().map(String::as_str))
        .flag("tracing", vhost.tracing)
}

fn limits_put(vhost: &Vhost, by: &str) -> Vec<Event> {
    let name = &vhost.name;
    let about = |key| Event::new(key).text("name", LIMITS).text("vhost", name.as_str()).by(by);
    if vhost.limits.is_empty() {
        return limits_cleared(name, by);
    }
    let document = vhost.limits.to_document();
    let limits = [("max-connections", vhost.limits.max_connections), ("max-queues", vhost.limits.max_queues)];
    let told = limits.into_iter().filter_map(|(name, limit)| Some((name, limit?)));
    let told = told.fold(about("vhost.limits.set"), |event, (name, limit)| event.number(name, limit));
    vec![set(Some(name), VHOST_LIMITS, LIMITS, &document, by), told]
}

fn limits_cleared(vhost: &VhostName, by: &str) -> Vec<Event> {
    let event = Event::new("vhost.limits.cleared").text("name", LIMITS).text("vhost", vhost.as_str()).by(by);
    vec![cleared(Some(vhost), VHOST_LIMITS, LIMITS, by), event]
}

fn policy_set(kind: PolicyKind, policy: &Policy, by: &str) -> Vec<Event> {
    let definition = Document::Object(policy.definition.iter().cloned().collect());
    let facts = [
        ("apply-to", FieldValue::text(policy.apply_to.as_str())),
        ("definition", value_of(&definition)),
        ("pattern", FieldValue::text(&policy.pattern)),
        ("priority", FieldValue::I64(policy.priority)),
    ];
    let mut events = Vec::new();
    if kind == PolicyKind::Operator {
        let value = facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let event = parameter("parameter.set", Some(&policy.vhost), OPERATOR_POLICY, &policy.name, by);
        events.push(event.with("value", FieldValue::Table(value)));
    }
    let event = Event::new("policy.set").text("name", &policy.name).text("vhost", policy.vhost.as_str()).by(by);
    events.push(facts.into_iter().fold(event, |event, (name, value)| event.with(name, value)));
    events
}

fn policy_cleared(kind: PolicyKind, vhost: &VhostName, name: &str, by: &str) -> Vec<Event> {
    let about = |key| Event::new(key).text("name", name).text("vhost", vhost.as_str()).by(by);
    match kind {
        PolicyKind::User => vec![about("policy.cleared")],
        PolicyKind::Operator => {
            vec![cleared(Some(vhost), OPERATOR_POLICY, name, by), about("operator.policy.cleared")]
        }
    }
}

fn parameter(key: &'static str, vhost: Option<&VhostName>, component: &str, name: &str, by: &str) -> Event {
    let event = Event::new(key).text("component", component).text("name", name).by(by);
    match vhost {
        Some(vhost) => event.text("vhost", vhost.as_str()),
        None => event,
    }
}

fn set(vhost: Option<&VhostName>, component: &str, name: &str, value: &Document, by: &str) -> Event {
    parameter("parameter.set", vhost, component, name, by).with("value", value_of(value))
}

fn cleared(vhost: Option<&VhostName>, component: &str, name: &str, by: &str) -> Event {
    parameter("parameter.cleared", vhost, component, name, by)
}

/// A document as a field value. The reference cannot tell an empty object from an empty list.
fn value_of(document: &Document) -> FieldValue {
    match document {
        Document::Null => FieldValue::text("null"),
        Document::Bool(value) => FieldValue::Boolean(*value),
        Document::Number(number) => match number.as_i64() {
            Some(value) => FieldValue::I64(value),
            None => FieldValue::F64(number.as_f64().unwrap_or_default()),
        },
        Document::String(text) => FieldValue::text(text),
        Document::Array(values) => FieldValue::Array(values.iter().map(value_of).collect()),
        Document::Object(entries) if entries.is_empty() => FieldValue::Array(Vec::new()),
        Document::Object(entries) => {
            FieldValue::Table(entries.iter().map(|(name, value)| (name.clone(), value_of(value))).collect())
        }
    }
}
