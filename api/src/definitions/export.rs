//! Definitions as the document the reference exports.

use broker::Definitions;
use broker::domain::binding::Binding;
use broker::domain::exchange::Exchange;
use broker::domain::limit::VHOST_LIMITS_NAME;
use broker::domain::parameter::{OPERATOR_POLICY, VHOST_LIMITS};
use broker::domain::policy::Policy;
use broker::domain::queue::QueueSpec;
use broker::domain::vhost::Vhost;
use openapi::definitions as wire;
use serde_json::{Map, Value, json};

use crate::bindings::destination_type;
use crate::call::{Call, to_value};
use crate::cluster;
use crate::error::ApiError;
use crate::table;
use crate::users::user_to_wire;

/// Global parameters that belong to the node and stay with it.
const NOT_EXPORTED: &[&str] = &["internal_cluster_id"];

type Object = Map<String, Value>;

/// The whole broker.
pub(super) fn whole(call: &Call, definitions: &Definitions) -> Result<wire::Definitions, ApiError> {
    let settings = call.node().settings();
    let cluster = cluster::name(call.broker()?, settings);
    let users = definitions.users.iter().map(|user| to_value(&user_to_wire(user, settings.password_hashing)));
    Ok(wire::Definitions {
        rabbit_version: settings.version.clone(),
        rabbitmq_version: settings.version.clone(),
        product_name: settings.product.clone(),
        product_version: settings.version.clone(),
        rabbitmq_definition_format: "cluster".to_owned(),
        explanation: format!("Definitions of cluster '{cluster}'"),
        original_cluster_name: cluster,
        users: users.map(|user| user.map(object)).collect::<Result<_, _>>()?,
        vhosts: definitions.vhosts.iter().map(|vhost| vhost_to_wire(vhost)).collect(),
        permissions: definitions
            .permissions
            .iter()
            .map(|row| {
                object(json!({"user": row.user.as_str(), "vhost": row.vhost.as_str(), "configure": row.configure,
                              "write": row.write, "read": row.read}))
            })
            .collect(),
        topic_permissions: definitions
            .topic_permissions
            .iter()
            .map(|row| {
                object(json!({"user": row.user.as_str(), "vhost": row.vhost.as_str(),
                              "exchange": row.exchange.as_str(), "write": row.write, "read": row.read}))
            })
            .collect(),
        parameters: parameters(definitions, &definitions.vhosts, true),
        global_parameters: definitions
            .global_parameters
            .iter()
            .filter(|(name, _)| !NOT_EXPORTED.contains(&name.as_str()))
            .map(|(name, value)| object(json!({"name": name, "value": value})))
            .collect(),
        policies: definitions.policies.iter().map(|policy| in_vhost(policy_to_wire(policy), &policy.vhost)).collect(),
        queues: definitions.queues.iter().map(|(vhost, queue)| in_vhost(queue_to_wire(queue), vhost)).collect(),
        exchanges: definitions
            .exchanges
            .iter()
            .map(|(vhost, exchange)| in_vhost(exchange_to_wire(exchange), vhost))
            .collect(),
        bindings: definitions
            .bindings
            .iter()
            .map(|(vhost, binding)| in_vhost(binding_to_wire(binding), vhost))
            .collect(),
    })
}

/// One vhost; its objects do not name it.
pub(super) fn vhost(call: &Call, vhost: &std::sync::Arc<Vhost>, definitions: &Definitions) -> wire::VhostDefinitions {
    let settings = call.node().settings();
    wire::VhostDefinitions {
        rabbit_version: settings.version.clone(),
        rabbitmq_version: settings.version.clone(),
        product_name: settings.product.clone(),
        product_version: settings.version.clone(),
        rabbitmq_definition_format: "single_virtual_host".to_owned(),
        original_vhost_name: vhost.name.to_string(),
        explanation: format!("Definitions of virtual host '{}'", vhost.name),
        description: vhost.description.clone(),
        metadata: metadata(vhost),
        limits: object(vhost.limits.to_document()),
        parameters: parameters(definitions, std::slice::from_ref(vhost), false),
        policies: definitions.policies.iter().map(|policy| policy_to_wire(policy)).collect(),
        queues: definitions.queues.iter().map(|(_, queue)| queue_to_wire(queue)).collect(),
        exchanges: definitions.exchanges.iter().map(|(_, exchange)| exchange_to_wire(exchange)).collect(),
        bindings: definitions.bindings.iter().map(|(_, binding)| binding_to_wire(binding)).collect(),
    }
}

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}

fn in_vhost(mut item: Object, vhost: &broker::domain::name::VhostName) -> Object {
    item.insert("vhost".to_owned(), vhost.as_str().into());
    item
}

fn metadata(vhost: &Vhost) -> Object {
    let mut metadata = object(json!({
        "description": vhost.description,
        "tags": vhost.tags,
        "default_queue_type": vhost.default_queue_type.as_str(),
    }));
    if let Some(protected) = vhost.protected_from_deletion {
        metadata.insert("protected_from_deletion".to_owned(), protected.into());
    }
    metadata
}

fn vhost_to_wire(vhost: &Vhost) -> Object {
    object(json!({
        "name": vhost.name.as_str(),
        "metadata": metadata(vhost),
        "limits": vhost.limits.to_document(),
        "description": vhost.description,
        "tags": vhost.tags,
        "default_queue_type": vhost.default_queue_type.as_str(),
    }))
}

/// Runtime parameters. Operator policies and limits of vhosts are among them, as in the reference.
fn parameters(definitions: &Definitions, vhosts: &[std::sync::Arc<Vhost>], named: bool) -> Vec<Object> {
    let item = |vhost: &broker::domain::name::VhostName, component: &str, name: &str, value: Value| {
        let item = object(json!({"component": component, "name": name, "value": value}));
        if named { in_vhost(item, vhost) } else { item }
    };
    let shown_otherwise = [OPERATOR_POLICY, VHOST_LIMITS];
    let plain = definitions
        .parameters
        .iter()
        .filter(|parameter| !shown_otherwise.contains(&parameter.component.as_str()))
        .map(|parameter| item(&parameter.vhost, &parameter.component, &parameter.name, parameter.value.clone()));
    let operator_policies = definitions.operator_policies.iter().map(|policy| {
        let mut value = policy_to_wire(policy);
        value.remove("name");
        item(&policy.vhost, OPERATOR_POLICY, &policy.name, Value::Object(value))
    });
    let limits = vhosts
        .iter()
        .filter(|vhost| !vhost.limits.is_empty())
        .map(|vhost| item(&vhost.name, VHOST_LIMITS, VHOST_LIMITS_NAME, vhost.limits.to_document()));
    plain.chain(operator_policies).chain(limits).collect()
}

fn policy_to_wire(policy: &Policy) -> Object {
    object(json!({
        "name": policy.name,
        "pattern": policy.pattern,
        "apply-to": policy.apply_to.as_str(),
        "definition": policy.definition.iter().cloned().collect::<Object>(),
        "priority": policy.priority,
    }))
}

fn queue_to_wire(queue: &QueueSpec) -> Object {
    object(json!({
        "name": queue.name.as_str(),
        "durable": queue.durable,
        "auto_delete": queue.auto_delete,
        "type": queue.kind.as_str(),
        "arguments": table::to_json(&queue.arguments),
    }))
}

fn exchange_to_wire(exchange: &Exchange) -> Object {
    let mut item = object(json!({
        "name": exchange.name.as_str(),
        "type": exchange.kind.as_str(),
        "durable": exchange.durable,
        "auto_delete": exchange.auto_delete,
        "arguments": table::to_json(&exchange.arguments),
    }));
    // Left out unless true, so that older brokers read the document.
    if exchange.internal {
        item.insert("internal".to_owned(), true.into());
    }
    item
}

fn binding_to_wire(binding: &Binding) -> Object {
    object(json!({
        "source": binding.source.as_str(),
        "destination": binding.destination.name(),
        "destination_type": destination_type(&binding.destination),
        "routing_key": binding.routing_key,
        "arguments": table::to_json(&binding.arguments),
    }))
}
