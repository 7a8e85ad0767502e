//! Definitions as the document the reference exports.

use std::collections::BTreeMap;
use std::sync::Arc;

use broker::Definitions;
use broker::domain::binding::Binding;
use broker::domain::exchange::Exchange;
use broker::domain::limit::VHOST_LIMITS_NAME;
use broker::domain::name::VhostName;
use broker::domain::parameter::{OPERATOR_POLICY, VHOST_LIMITS};
use broker::domain::policy::Policy;
use broker::domain::queue::QueueSpec;
use broker::domain::vhost::Vhost;
use openapi::definition_entries::{
    BindingEntry, ExchangeEntry, InVhost, ParameterEntry, PolicyEntry, QueueEntry, UserEntry, VhostEntry,
};
use openapi::definitions as wire;
use openapi::parameters::GlobalParameter;
use openapi::permissions::{Permission, TopicPermission};
use openapi::vhosts::VhostMetadata;
use serde_json::{Value, json};

use crate::bindings::destination_type;
use crate::call::Call;
use crate::cluster;
use crate::error::ApiError;
use crate::table;
use crate::users::user_to_wire;

/// Global parameters that belong to the node and stay with it.
const NOT_EXPORTED: &[&str] = &["internal_cluster_id"];

/// The whole broker.
pub(super) fn whole(call: &Call, definitions: &Definitions) -> Result<wire::Definitions, ApiError> {
    let settings = call.node().settings();
    let cluster = cluster::name(call.broker()?, settings);
    let user = |user| user_entry(user_to_wire(user, settings.password_hashing));
    Ok(wire::Definitions {
        rabbit_version: settings.version.clone(),
        rabbitmq_version: settings.version.clone(),
        product_name: settings.product.clone(),
        product_version: settings.version.clone(),
        rabbitmq_definition_format: "cluster".to_owned(),
        explanation: format!("Definitions of cluster '{cluster}'"),
        original_cluster_name: cluster,
        users: definitions.users.iter().map(|one| user(one)).collect(),
        vhosts: definitions.vhosts.iter().map(|vhost| vhost_entry(vhost)).collect(),
        permissions: definitions
            .permissions
            .iter()
            .map(|row| Permission {
                user: row.user.to_string(),
                vhost: row.vhost.to_string(),
                configure: row.configure.clone(),
                write: row.write.clone(),
                read: row.read.clone(),
            })
            .collect(),
        topic_permissions: definitions
            .topic_permissions
            .iter()
            .map(|row| TopicPermission {
                user: row.user.to_string(),
                vhost: row.vhost.to_string(),
                exchange: row.exchange.to_string(),
                write: row.write.clone(),
                read: row.read.clone(),
            })
            .collect(),
        parameters: parameters(definitions, &definitions.vhosts).map(|(vhost, entry)| in_vhost(entry, vhost)).collect(),
        global_parameters: definitions
            .global_parameters
            .iter()
            .filter(|(name, _)| !NOT_EXPORTED.contains(&name.as_str()))
            .map(|(name, value)| GlobalParameter { name: name.clone(), value: value.clone() })
            .collect(),
        policies: definitions.policies.iter().map(|policy| in_vhost(policy_entry(policy), &policy.vhost)).collect(),
        queues: definitions.queues.iter().map(|(vhost, queue)| in_vhost(queue_entry(queue), vhost)).collect(),
        exchanges: definitions
            .exchanges
            .iter()
            .map(|(vhost, exchange)| in_vhost(exchange_entry(exchange), vhost))
            .collect(),
        bindings: definitions.bindings.iter().map(|(vhost, binding)| in_vhost(binding_entry(binding), vhost)).collect(),
    })
}

/// One vhost; its objects do not name it.
pub(super) fn vhost(call: &Call, vhost: &Arc<Vhost>, definitions: &Definitions) -> wire::VhostDefinitions {
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
        metadata: Some(metadata(vhost)),
        limits: limits(vhost),
        parameters: parameters(definitions, std::slice::from_ref(vhost)).map(|(_, entry)| entry).collect(),
        policies: definitions.policies.iter().map(|policy| policy_entry(policy)).collect(),
        queues: definitions.queues.iter().map(|(_, queue)| queue_entry(queue)).collect(),
        exchanges: definitions.exchanges.iter().map(|(_, exchange)| exchange_entry(exchange)).collect(),
        bindings: definitions.bindings.iter().map(|(_, binding)| binding_entry(binding)).collect(),
    }
}

fn in_vhost<T>(entry: T, vhost: &VhostName) -> InVhost<T> {
    InVhost { entry, vhost: vhost.to_string() }
}

fn user_entry(user: openapi::users::User) -> UserEntry {
    let openapi::users::User { name, password_hash, hashing_algorithm, tags, limits } = user;
    UserEntry { name, password: None, password_hash, hashing_algorithm, tags, limits }
}

fn metadata(vhost: &Vhost) -> VhostMetadata {
    VhostMetadata {
        description: vhost.description.clone(),
        tags: vhost.tags.clone(),
        default_queue_type: vhost.default_queue_type.as_str().to_owned(),
        protected_from_deletion: vhost.protected_from_deletion,
    }
}

fn limits(vhost: &Vhost) -> BTreeMap<String, i64> {
    match vhost.limits.to_document() {
        Value::Object(limits) => limits.into_iter().filter_map(|(name, limit)| Some((name, limit.as_i64()?))).collect(),
        _ => BTreeMap::new(),
    }
}

fn vhost_entry(vhost: &Vhost) -> VhostEntry {
    let metadata = metadata(vhost);
    VhostEntry {
        name: vhost.name.to_string(),
        limits: limits(vhost),
        description: metadata.description.clone(),
        tags: metadata.tags.clone(),
        default_queue_type: metadata.default_queue_type.clone(),
        metadata,
    }
}

/// Runtime parameters. Operator policies and limits of vhosts are among them, as in the reference.
fn parameters<'d>(
    definitions: &'d Definitions,
    vhosts: &'d [Arc<Vhost>],
) -> impl Iterator<Item = (&'d VhostName, ParameterEntry)> {
    let entry = |component: &str, name: &str, value: Value| ParameterEntry {
        component: component.to_owned(),
        name: name.to_owned(),
        value,
    };
    let shown_otherwise = [OPERATOR_POLICY, VHOST_LIMITS];
    let plain = definitions
        .parameters
        .iter()
        .filter(move |parameter| !shown_otherwise.contains(&parameter.component.as_str()))
        .map(move |parameter| {
            (&parameter.vhost, entry(&parameter.component, &parameter.name, parameter.value.clone()))
        });
    let operator_policies = definitions.operator_policies.iter().map(move |policy| {
        let PolicyEntry { pattern, apply_to, definition, priority, .. } = policy_entry(policy);
        let value = json!({"pattern": pattern, "apply-to": apply_to, "definition": definition, "priority": priority});
        (&policy.vhost, entry(OPERATOR_POLICY, &policy.name, value))
    });
    let limits = vhosts
        .iter()
        .filter(|vhost| !vhost.limits.is_empty())
        .map(move |vhost| (&vhost.name, entry(VHOST_LIMITS, VHOST_LIMITS_NAME, vhost.limits.to_document())));
    plain.chain(operator_policies).chain(limits)
}

fn policy_entry(policy: &Policy) -> PolicyEntry {
    PolicyEntry {
        name: policy.name.clone(),
        pattern: policy.pattern.clone(),
        apply_to: policy.apply_to.as_str().to_owned(),
        definition: policy.definition.iter().cloned().collect(),
        priority: policy.priority,
    }
}

fn queue_entry(queue: &QueueSpec) -> QueueEntry {
    QueueEntry {
        name: queue.name.to_string(),
        durable: queue.durable,
        auto_delete: queue.auto_delete,
        kind: queue.kind.as_str().to_owned(),
        arguments: table::to_object(&queue.arguments),
    }
}

fn exchange_entry(exchange: &Exchange) -> ExchangeEntry {
    ExchangeEntry {
        name: exchange.name.to_string(),
        kind: exchange.kind.as_str().to_owned(),
        durable: exchange.durable,
        auto_delete: exchange.auto_delete,
        arguments: table::to_object(&exchange.arguments),
        internal: exchange.internal,
    }
}

fn binding_entry(binding: &Binding) -> BindingEntry {
    BindingEntry {
        source: binding.source.to_string(),
        destination: binding.destination.name().to_owned(),
        destination_type: destination_type(&binding.destination).to_owned(),
        routing_key: binding.routing_key.clone(),
        arguments: table::to_object(&binding.arguments),
    }
}
