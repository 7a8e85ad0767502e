//! A definitions document as the broker's value. Reads leniently what the reference
//! reads leniently, and names the object in every refusal.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use broker::domain::arguments::QUEUE_TYPE;
use broker::domain::binding::{Binding, Destination};
use broker::domain::exchange::{Exchange, ExchangeKind};
use broker::domain::name::VhostName;
use broker::domain::parameter::{OPERATOR_POLICY, Parameter};
use broker::domain::password;
use broker::domain::permission::{Permissions, TopicPermissions};
use broker::domain::policy::{Policy, PolicyFields, PolicyKind};
use broker::domain::queue::{QueueId, QueueKind, QueueSpec};
use broker::domain::user::{HashAlgorithm, StoredPassword, User, UserLimits};
use broker::domain::vhost::{Vhost, VhostLimits};
use broker::{Caller, DefinitionPlace, Definitions, Error};
use serde_json::{Map, Value};

use super::item::{Item, Sections, invalid};
use crate::call::{user_name, vhost_name};
use crate::tags;

/// Where the two kinds of parameters stand in their common list, in the order they were read.
#[derive(Debug, Default)]
pub(super) struct Places {
    operator_policies: Vec<usize>,
    parameters: Vec<usize>,
}

impl Places {
    /// The place in the document of what the broker numbers in a list of its own.
    pub(super) fn in_document(&self, section: &'static str, index: usize) -> (&'static str, usize) {
        let places = match section {
            "operator_policies" => &self.operator_policies,
            "parameters" => &self.parameters,
            _ => return (section, index),
        };
        ("parameters", places.get(index).copied().unwrap_or(index))
    }

    /// An error with its place in the document.
    pub(super) fn correct(&self, error: Error) -> Error {
        let corrected = |mut place: DefinitionPlace| {
            if let Some(index) = place.index {
                let (section, index) = self.in_document(place.section, index);
                (place.section, place.index) = (section, Some(index));
            }
            place
        };
        match error {
            Error::InDefinitions { object, place, error } => {
                Error::InDefinitions { object, place: corrected(place), error }
            }
            other => other,
        }
    }
}

/// What was read.
pub(super) struct Read {
    pub(super) definitions: Definitions,
    pub(super) places: Places,
}

/// Reads a document; into `vhost` when one is given.
pub(super) fn document(bytes: &[u8], vhost: Option<&VhostName>, hashing: HashAlgorithm) -> Result<Read, Error> {
    let Ok(Value::Object(document)) = serde_json::from_slice(bytes) else {
        return Err(invalid("failed_to_parse_json"));
    };
    let sections = Sections { document: &document, vhost };
    let mut definitions = Definitions {
        policies: sections.read("policies", |item| Ok(Arc::new(policy(item, item.fields, PolicyKind::User)?)))?,
        queues: sections.read("queues", |item| Ok((item.vhost()?, Arc::new(queue(item)?))))?,
        exchanges: sections.read("exchanges", |item| Ok((item.vhost()?, Arc::new(exchange(item)?))))?,
        bindings: sections.read("bindings", |item| Ok((item.vhost()?, Arc::new(binding(item)?))))?,
        ..Definitions::default()
    };
    let is_policy = |item: &Item<'_>| Ok(item.required("component")? == OPERATOR_POLICY);
    let (policies, parameters) = sections.split("parameters", is_policy)?;
    definitions.operator_policies = policies.iter().map(operator_policy).collect::<Result<_, _>>()?;
    definitions.parameters = parameters.iter().map(parameter).collect::<Result<_, _>>()?;
    let places = Places {
        operator_policies: policies.iter().map(|item| item.index).collect(),
        parameters: parameters.iter().map(|item| item.index).collect(),
    };
    if vhost.is_none() {
        definitions.users = sections.read("users", |item| Ok(Arc::new(user(item, hashing)?)))?;
        definitions.vhosts = sections.read("vhosts", |item| Ok(Arc::new(read_vhost(item)?)))?;
        definitions.permissions = sections.read("permissions", |item| Ok(Arc::new(permissions(item)?)))?;
        definitions.topic_permissions =
            sections.read("topic_permissions", |item| Ok(Arc::new(topic_permissions(item)?)))?;
        definitions.global_parameters =
            sections.read("global_parameters", |item| Ok((item.required("name")?.to_owned(), item.value())))?;
    }
    Ok(Read { definitions, places })
}

fn user(item: &Item<'_>, hashing: HashAlgorithm) -> Result<User, Error> {
    let name = item.required("name")?;
    let given = item.fields.get("tags").ok_or_else(|| item.refuse_bare("tags", invalid("tags_not_present")))?;
    let limits = match item.fields.get("limits") {
        None => UserLimits::default(),
        Some(limits) => UserLimits::from_document(limits).map_err(|error| item.refuse("limits", error))?,
    };
    Ok(User {
        name: user_name(name),
        password: read_password(item, hashing)?,
        tags: tags::parse(given).map_err(|_| item.wrong("tags", given))?,
        limits,
    })
}

fn read_password(item: &Item<'_>, hashing: HashAlgorithm) -> Result<Option<StoredPassword>, Error> {
    match (item.text("password")?, item.text("password_hash")?) {
        (Some(_), Some(_)) => {
            Err(item.refuse_bare("password", invalid("both_password_and_password_hash_are_provided")))
        }
        (None, None | Some("")) => Ok(None),
        (Some(password), None) => {
            let mut salt = [0; password::SALT_BYTES];
            getrandom::fill(&mut salt).map_err(|error| Error::Unavailable(format!("no random numbers: {error}")))?;
            password::hash(hashing, password, salt).map(Some)
        }
        (None, Some(hash)) => {
            let algorithm = match item.text("hashing_algorithm")? {
                // Files from before there was a choice do not say.
                None => HashAlgorithm::Sha256,
                Some(name) => {
                    HashAlgorithm::from_name(name).ok_or_else(|| item.wrong("hashing_algorithm", &Value::from(name)))?
                }
            };
            if algorithm != HashAlgorithm::Argon2id && STANDARD.decode(hash).is_err() {
                return Err(item.refuse("password_hash", invalid("password_hash is not base64")));
            }
            Ok(Some(StoredPassword { algorithm, hash: hash.to_owned() }))
        }
    }
}

/// What stands in `metadata` counts before what stands beside it, and is checked. Limits
/// are no part of it: they come as a parameter.
fn read_vhost(item: &Item<'_>) -> Result<Vhost, Error> {
    let none = Map::new();
    let metadata = match item.fields.get("metadata") {
        None | Some(Value::Null) => &none,
        Some(Value::Object(metadata)) => metadata,
        Some(other) => return Err(item.wrong("metadata", other)),
    };
    let either = |field: &str| metadata.get(field).or_else(|| item.fields.get(field)).filter(|value| !value.is_null());
    let default_queue_type = match metadata.get("default_queue_type") {
        Some(Value::String(name)) if name != "undefined" => QueueKind::from_wire(name).ok_or_else(|| {
            item.refuse_bare("default_queue_type", invalid(format!("{name} is not a valid queue type")))
        })?,
        Some(Value::Null | Value::String(_)) => QueueKind::Classic,
        Some(other) => return Err(item.wrong("default_queue_type", other)),
        None => item
            .fields
            .get("default_queue_type")
            .and_then(Value::as_str)
            .and_then(QueueKind::from_wire)
            .unwrap_or_default(),
    };
    let description = match either("description") {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => return Err(item.wrong("description", other)),
    };
    Ok(Vhost {
        name: vhost_name(item.required("name")?),
        description,
        tags: match either("tags") {
            None => Vec::new(),
            Some(given) => tags::parse(given).map_err(|_| item.wrong("tags", given))?,
        },
        default_queue_type,
        protected_from_deletion: metadata.get("protected_from_deletion").and_then(Value::as_bool),
        tracing: false,
        limits: VhostLimits::default(),
    })
}

fn permissions(item: &Item<'_>) -> Result<Permissions, Error> {
    Ok(Permissions {
        user: item.user()?,
        vhost: item.vhost()?,
        configure: item.required("configure")?.to_owned(),
        write: item.required("write")?.to_owned(),
        read: item.required("read")?.to_owned(),
    })
}

fn topic_permissions(item: &Item<'_>) -> Result<TopicPermissions, Error> {
    Ok(TopicPermissions {
        user: item.user()?,
        vhost: item.vhost()?,
        exchange: item.exchange_name("exchange")?,
        write: item.required("write")?.to_owned(),
        read: item.required("read")?.to_owned(),
    })
}

fn operator_policy(item: &Item<'_>) -> Result<Arc<Policy>, Error> {
    let value = item.value();
    let fields = value.as_object().ok_or_else(|| item.wrong("value", &value))?;
    Ok(Arc::new(policy(item, fields, PolicyKind::Operator)?))
}

fn parameter(item: &Item<'_>) -> Result<Arc<Parameter>, Error> {
    Ok(Arc::new(Parameter {
        vhost: item.vhost()?,
        component: item.required("component")?.to_owned(),
        name: item.required("name")?.to_owned(),
        value: item.value(),
    }))
}

fn policy(item: &Item<'_>, fields: &Map<String, Value>, kind: PolicyKind) -> Result<Policy, Error> {
    let missing = Value::Null;
    let fields = PolicyFields {
        pattern: fields.get("pattern").unwrap_or(&missing),
        definition: fields.get("definition").unwrap_or(&missing),
        priority: fields.get("priority"),
        apply_to: fields.get("apply-to"),
    };
    let (name, vhost) = (item.required("name")?, item.vhost()?);
    let object = format!("vhost: \"{vhost}\" key: \"{name}\"");
    let refuse = |error| item.refuse_as(object, None, error);
    fields.check(kind, vhost, name).map_err(refuse)
}

/// The type of a queue stands in its arguments; without, the vhost's default counts,
/// which the import knows. The field `type` is for readers only.
fn queue(item: &Item<'_>) -> Result<QueueSpec, Error> {
    let arguments = item.arguments()?;
    let kind = arguments.get(QUEUE_TYPE).and_then(|kind| kind.as_text()).and_then(QueueKind::from_wire);
    Ok(QueueSpec {
        id: QueueId(0),
        name: item.queue_name("name")?,
        kind: kind.unwrap_or_default(),
        durable: item.boolean("durable", true)?,
        auto_delete: item.boolean("auto_delete", false)?,
        exclusive_owner: None,
        arguments,
        declared_by: Caller::internal().user,
    })
}

fn exchange(item: &Item<'_>) -> Result<Exchange, Error> {
    let unknown =
        |kind: &str| item.refuse_bare("type", invalid(format!("precondition_failed: invalid exchange type '{kind}'")));
    let kind = item.text("type")?.unwrap_or("undefined");
    Ok(Exchange {
        name: item.exchange_name("name")?,
        kind: ExchangeKind::from_wire(kind).ok_or_else(|| unknown(kind))?,
        durable: item.boolean("durable", true)?,
        auto_delete: item.boolean("auto_delete", false)?,
        internal: item.boolean("internal", false)?,
        arguments: item.arguments()?,
        declared_by: Caller::internal().user,
    })
}

fn binding(item: &Item<'_>) -> Result<Binding, Error> {
    let destination = match item.text("destination_type")? {
        None | Some("queue") => Destination::Queue(item.queue_name("destination")?),
        Some("exchange") => Destination::Exchange(item.exchange_name("destination")?),
        Some(other) => return Err(item.wrong("destination_type", &Value::from(other))),
    };
    Ok(Binding {
        source: item.exchange_name("source")?,
        destination,
        routing_key: item.text("routing_key")?.unwrap_or_default().to_owned(),
        arguments: item.arguments()?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(document: &Value) -> Result<Definitions, String> {
        let read = super::document(document.to_string().as_bytes(), None, HashAlgorithm::Sha256);
        read.map(|read| read.definitions).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let read = read(&json!({
            "unknown": 1,
            "users": [{"name": "u", "tags": "a,b"}],
            "vhosts": [{"name": "v", "description": "d", "default_queue_type": "bogus",
                        "metadata": {"tags": ["t"], "protected_from_deletion": true}, "limits": {"max-queues": 1}}],
            "queues": [{"name": "q", "vhost": "v", "arguments": {"x-queue-type": "quorum"}}],
            "exchanges": [{"name": "x", "vhost": "v", "type": "topic"}],
            "bindings": [{"source": "x", "vhost": "v", "destination": "q"}],
            "global_parameters": [{"name": "g"}],
        }))
        .unwrap();
        assert_eq!((&read.users[0].tags, &read.users[0].password), (&vec!["a".to_owned(), "b".to_owned()], &None));
        let vhost = &read.vhosts[0];
        assert_eq!(
            (vhost.description.as_str(), &*vhost.tags, vhost.default_queue_type),
            ("d", &["t".to_owned()][..], QueueKind::Classic)
        );
        assert_eq!((vhost.protected_from_deletion, vhost.limits), (Some(true), VhostLimits::default()));
        let (vhost, queue) = &read.queues[0];
        assert_eq!((vhost.as_str(), queue.durable, queue.kind), ("v", true, QueueKind::Quorum));
        assert!(read.exchanges[0].1.durable && !read.exchanges[0].1.internal);
        assert_eq!(read.bindings[0].1.routing_key, "");
        assert_eq!(read.global_parameters, [("g".to_owned(), Value::Null)]);
    }

    #[test]
    fn operator_policies_stand_among_the_parameters() {
        let value = json!({"pattern": ".*", "definition": {"max-length": 9}, "apply-to": "queues"});
        let read = read(&json!({"parameters": [
            {"component": "operator_policy", "name": "op", "vhost": "/", "value": value},
            {"component": "shovel", "name": "s", "vhost": "/", "value": {"k": 1}},
        ]}))
        .unwrap();
        assert_eq!((read.operator_policies[0].name.as_str(), read.parameters.len()), ("op", 1));
    }

    #[test]
    fn passwords_are_kept_hashed() {
        let read = read(&json!({"users": [{"name": "u", "password": "p", "tags": ""}]})).unwrap();
        assert!(password::verify(read.users[0].password.as_ref().unwrap(), "p"));
    }

    #[test]
    fn a_document_of_a_vhost_stays_in_it() {
        let document = json!({"users": 5, "queues": [{"name": "q", "vhost": "other"}]}).to_string();
        let own = vhost_name("own");
        let read = super::document(document.as_bytes(), Some(&own), HashAlgorithm::Sha256).unwrap().definitions;
        assert_eq!(read.queues[0].0, own);
    }

    #[test]
    fn refusals_name_the_object() {
        for (document, expected) in [
            (json!([]), "failed_to_parse_json"),
            (json!({"queues": 5}), "queues must be a list of objects"),
            (json!({"queues": [5]}), "queues must be a list of objects"),
            (json!({"queues": [{"name": "q"}]}), "vhost is missing (queues \"q\")"),
            (json!({"users": [{}]}), "name is missing (users)"),
            (json!({"users": [{"name": "u"}]}), "tags_not_present"),
            (
                json!({"users": [{"name": "u", "tags": "", "password": "a", "password_hash": "b"}]}),
                "both_password_and_password_hash_are_provided",
            ),
            (
                json!({"users": [{"name": "u", "tags": "", "password_hash": "!"}]}),
                "password_hash is not base64 (users \"u\")",
            ),
            (
                json!({"vhosts": [{"name": "v", "metadata": {"default_queue_type": "b"}}]}),
                "b is not a valid queue type",
            ),
            (
                json!({"exchanges": [{"name": "x", "vhost": "/"}]}),
                "precondition_failed: invalid exchange type 'undefined'",
            ),
            (
                json!({"queues": [{"name": "q", "vhost": "/", "durable": "x"}]}),
                "\"x\" is not a valid durable (queues \"q\" in vhost \"/\")",
            ),
            (
                json!({"policies": [{"name": "p", "vhost": "/", "pattern": "x", "definition": {}}]}),
                "Validation failed\n\nno policy provided\n (vhost: \"/\" key: \"p\")",
            ),
        ] {
            assert_eq!(read(&document).err().as_deref(), Some(expected), "{document}");
        }
        assert!(super::document(b"{", None, HashAlgorithm::Sha256).is_err());
    }
}
