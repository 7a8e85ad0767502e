//! What a refusal says beside the reference's two fields: a word for programs, what it is
//! about, which rule refused, and what to do. Taken from the broker's own decision, never
//! from its text.

use broker::{DefinitionPlace, Error, Operation, Resource};
use openapi::error::{ErrorObject, ErrorRule};

use crate::route::Parameters;

/// The further fields of a refusal.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct About {
    /// A word that stays the same.
    pub(crate) code: &'static str,
    /// What the refusal is about.
    pub(crate) object: Option<ErrorObject>,
    /// Which rule refused.
    pub(crate) rule: Option<ErrorRule>,
    /// What to do.
    pub(crate) hint: Option<String>,
}

impl About {
    /// Only the word.
    pub(crate) fn code(code: &'static str) -> Self {
        Self { code, ..Self::default() }
    }

    fn of(code: &'static str, object: ErrorObject) -> Self {
        Self { object: Some(object), ..Self::code(code) }
    }

    fn by(self, rule: ErrorRule) -> Self {
        Self { rule: Some(rule), ..self }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The tag an operation needs.
    pub(crate) fn tag(tag: &str) -> Self {
        let rule = ErrorRule::named("tag", tag);
        Self::code("tag_missing")
            .by(rule)
            .hint(format!("an administrator gives the tag: rabbitmqctl set_user_tags USER {tag}"))
    }

    /// A setting whose limit was passed.
    pub(crate) fn setting(code: &'static str, setting: &str, value: usize) -> Self {
        let rule = ErrorRule { value: Some(value.into()), ..ErrorRule::named("setting", setting) };
        Self::code(code).by(rule)
    }

    /// What the path of a request names.
    pub(crate) fn object_of_path(parameters: &Parameters) -> Option<ErrorObject> {
        let (kind, name) = parameters.last()?;
        let vhost = parameters.iter().find(|(kind, _)| *kind == "vhost").map(|(_, name)| name.clone());
        let vhost = vhost.filter(|_| *kind != "vhost");
        Some(ErrorObject { vhost, ..ErrorObject::named(kind, name) })
    }
}

fn object(resource: &Resource) -> ErrorObject {
    match resource {
        Resource::Exchange(vhost, name) => {
            ErrorObject { vhost: Some(vhost.to_string()), ..ErrorObject::named("exchange", name.as_str()) }
        }
        Resource::Queue(vhost, name) => {
            ErrorObject { vhost: Some(vhost.to_string()), ..ErrorObject::named("queue", name.as_str()) }
        }
    }
}

fn vhost(name: &impl ToString) -> ErrorObject {
    ErrorObject::named("vhost", &name.to_string())
}

fn permission(kind: &str, operation: Operation, pattern: Option<&String>) -> ErrorRule {
    ErrorRule { pattern: pattern.cloned(), ..ErrorRule::named(kind, &operation.to_string()) }
}

impl From<&Error> for About {
    fn from(error: &Error) -> Self {
        match error {
            Error::NoSuch(resource @ Resource::Queue(..)) => Self::of("no_such_queue", object(resource)),
            Error::NoSuch(resource @ Resource::Exchange(..)) => Self::of("no_such_exchange", object(resource)),
            Error::NoPreviousQueue => Self::code("no_previous_queue"),
            Error::NoSuchVhost(name) => {
                Self::of("no_such_vhost", vhost(name)).hint("create it first: PUT /api/vhosts/NAME")
            }
            Error::NoSuchUser(name) => Self::of("no_such_user", ErrorObject::named("user", name.as_str())),
            Error::NoSuchObject { kind, name } => Self::of("no_such_object", ErrorObject::named(kind, name)),
            Error::AccessRefused { operation, resource, user, pattern } => Self::of("access_refused", object(resource))
                .by(permission("permission", *operation, pattern.as_ref()))
                .hint(match pattern {
                    Some(_) => {
                        format!("the {operation} pattern of user '{user}' in this virtual host has to match the name")
                    }
                    None => {
                        format!("user '{user}' needs permissions in this virtual host: PUT /api/permissions/VHOST/USER")
                    }
                }),
            Error::TopicAccessRefused { operation, exchange, routing_key, user, pattern } => {
                Self::of("topic_access_refused", object(exchange))
                    .by(permission("topic_permission", *operation, pattern.as_ref()))
                    .hint(format!(
                        "the topic {operation} pattern of user '{user}' on this exchange has to match '{routing_key}'"
                    ))
            }
            Error::VhostAccessRefused { vhost: name, user } => Self::of("vhost_access_refused", vhost(name))
                .hint(format!("user '{user}' needs permissions in this virtual host: PUT /api/permissions/VHOST/USER")),
            Error::DefaultExchange => Self::code("default_exchange").hint(
                "the nameless exchange routes to every queue by its name; it cannot be bound, changed or deleted",
            ),
            Error::ReservedName { kind, name } => Self::of("reserved_name", ErrorObject::named(kind, name))
                .by(ErrorRule { pattern: Some("^amq\\.".to_owned()), ..ErrorRule::named("reserved_prefix", "amq.") })
                .hint("choose a name that does not begin with amq."),
            Error::SystemExchange(resource) => Self::of("system_exchange", object(resource)),
            Error::VolatileQueue => Self::code("volatile_queue"),
            Error::InternalExchange(resource) => {
                Self::of("internal_exchange", object(resource)).hint("publish to an exchange that is bound to it")
            }
            Error::ExclusiveUse(resource) => Self::of("exclusive_use", object(resource)),
            Error::Locked(resource) => {
                Self::of("resource_locked", object(resource)).hint("only the connection that declared it may use it")
            }
            Error::SingleActiveGet(resource, _) => Self::of("single_active_consumer", object(resource)),
            Error::Inequivalent { argument, resource, received, current } => {
                let rule = ErrorRule {
                    received: Some(received.clone()),
                    current: Some(current.clone()),
                    ..ErrorRule::named("equivalence", argument)
                };
                Self::of("inequivalent_argument", object(resource))
                    .by(rule)
                    .hint("declare it as it is, change it by a policy where one can, or delete it first")
            }
            Error::InvalidArgument(_) => Self::code("invalid_argument"),
            Error::FeatureDenied(_) => Self::code("feature_denied"),
            Error::UnknownExchangeType(kind) => Self::code("unknown_exchange_type")
                .by(ErrorRule { received: Some(kind.clone()), ..ErrorRule::named("exchange_type", "type") })
                .hint("exchange_types of GET /api/overview lists those there are"),
            Error::InUse(resource) => Self::of("in_use", object(resource))
                .by(ErrorRule::named("condition", "if-unused"))
                .hint("leave if-unused out to delete it all the same"),
            Error::NotEmpty(resource) => Self::of("not_empty", object(resource))
                .by(ErrorRule::named("condition", "if-empty"))
                .hint("purge it, or leave if-empty out to delete it with its messages"),
            Error::LimitReached { vhost: name, limit, max, .. } => Self::of("limit_reached", vhost(name))
                .by(ErrorRule { value: Some((*max).into()), ..ErrorRule::named("limit", limit) })
                .hint(format!("raise the limit: PUT /api/vhost-limits/VHOST/{limit}")),
            Error::InvalidMessage(_) => Self::code("invalid_message"),
            Error::NotImplemented(_) => Self::code("not_implemented"),
            Error::NotAllowed(_) => Self::code("not_allowed"),
            Error::InvalidCredentials(_) | Error::LoginRefused(_) => Self::code("invalid_credentials"),
            Error::LoopbackOnly(_) => Self::code("loopback_only")
                .by(ErrorRule::named("setting", "loopback_users"))
                .hint("log in as another user, or take this one out of loopback_users"),
            Error::InvalidValue(_) => Self::code("invalid_value"),
            Error::InvalidPattern { pattern, error } => Self::code("invalid_pattern").by(ErrorRule {
                pattern: Some(pattern.clone()),
                ..ErrorRule::named("regular_expression", &error.to_string())
            }),
            Error::InDefinitions { place, error, .. } | Error::UndeclarableInDefinitions { place, error } => {
                Self::in_definitions(place, error)
            }
            Error::ProtectedVhost(name) => Self::of("protected_vhost", vhost(name))
                .by(ErrorRule::named("protection", "protected_from_deletion"))
                .hint("take the protection away first: DELETE /api/vhosts/NAME/deletion/protection"),
            Error::Unavailable(_) => Self::code("unavailable"),
            Error::Internal(_) => Self::code("internal"),
        }
    }
}

impl About {
    /// Of an object of an import: what is wrong with it, and where it stands in the document.
    fn in_definitions(place: &DefinitionPlace, error: &Error) -> Self {
        let why = Self::from(error);
        let object = why.object.unwrap_or_else(|| ErrorObject::of_kind(place.section.trim_end_matches('s')));
        let object = ErrorObject {
            section: Some(place.section.to_owned()),
            index: place.index,
            field: place.field.clone(),
            ..object
        };
        let hint = why.hint.unwrap_or_else(|| {
            "nothing of the document was imported; correct this object and send it again".to_owned()
        });
        Self { object: Some(object), hint: Some(hint), ..why }
    }
}

#[cfg(test)]
mod tests {
    use broker::domain::name::{ExchangeName, QueueName, UserName, VhostName};
    use serde_json::{Value, json};

    use super::*;
    use crate::error::ApiError;

    #[track_caller]
    fn check(error: Error, expected: &Value) {
        let body = ApiError::from(error).body().unwrap();
        let names: Vec<_> = body.as_object().unwrap().keys().take(2).collect();
        assert_eq!(names, ["error", "reason"], "the reference's fields come first");
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&body[name], value, "{name} of {body}");
        }
    }

    #[test]
    fn a_refusal_names_its_object_and_the_rule_that_decided() {
        let place = VhostName::new("/").unwrap();
        let queue = Resource::Queue(place.clone(), QueueName::new("q").unwrap());
        let exchange = Resource::Exchange(place.clone(), ExchangeName::new("x").unwrap());
        let user = UserName::new("u").unwrap();
        let q = json!({"kind": "queue", "name": "q", "vhost": "/"});
        check(Error::NoSuch(queue.clone()), &json!({"code": "no_such_queue", "object": q}));
        check(
            Error::AccessRefused {
                operation: Operation::Configure,
                resource: queue.clone(),
                user: user.clone(),
                pattern: Some("^mine-".to_owned()),
            },
            &json!({
                "code": "access_refused", "object": q,
                "rule": {"kind": "permission", "name": "configure", "pattern": "^mine-"},
                "hint": "the configure pattern of user 'u' in this virtual host has to match the name"
            }),
        );
        check(
            Error::Inequivalent {
                argument: "durable".into(),
                resource: queue.clone(),
                received: "'false'".into(),
                current: "'true'".into(),
            },
            &json!({
                "code": "inequivalent_argument", "object": q,
                "rule": {"kind": "equivalence", "name": "durable", "received": "'false'", "current": "'true'"}
            }),
        );
        check(
            Error::LimitReached { vhost: place, limit: "max-queues", max: 5, text: "full".into() },
            &json!({
                "error": "bad_request", "reason": "full", "code": "limit_reached",
                "object": {"kind": "vhost", "name": "/"}, "rule": {"kind": "limit", "name": "max-queues", "value": 5}
            }),
        );
        check(
            Error::TopicAccessRefused {
                operation: Operation::Write,
                routing_key: "a.b".into(),
                exchange,
                user,
                pattern: Some("^c".into()),
            },
            &json!({
                "object": {"kind": "exchange", "name": "x", "vhost": "/"},
                "rule": {"kind": "topic_permission", "name": "write", "pattern": "^c"}
            }),
        );
        let place = DefinitionPlace { field: Some("destination".into()), ..DefinitionPlace::object("bindings", 3) };
        check(
            Error::InDefinitions { object: "o".into(), place, error: Box::new(Error::NoSuch(queue)) },
            &json!({
                "code": "no_such_queue",
                "object": {
                    "kind": "queue", "name": "q", "vhost": "/", "section": "bindings", "index": 3, "field": "destination"
                }
            }),
        );
    }
}
