//! Bindings.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::header::LOCATION;
use broker::Broker;
use broker::domain::binding::{Binding, Destination};
use broker::domain::name::{ExchangeName, NAME_BYTES_MAX, VhostName};
use openapi::bindings as wire;
use openapi::endpoint::percent_encode;
use percent_encoding::percent_decode_str;

use crate::call::{Call, exchange_name, queue_name};
use crate::error::ApiError;
use crate::page::Listing;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};
use crate::rows::{self, Fields};
use crate::table;

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::BINDINGS).get(list_bindings);
    on.at(&wire::OF_VHOST).get(list_of_vhost);
    on.at(&wire::TO_QUEUE).get(list_to_queue).post(bind_queue);
    on.at(&wire::ONE_TO_QUEUE).get(get_to_queue).delete(unbind_queue);
    on.at(&wire::TO_EXCHANGE).get(list_to_exchange).post(bind_exchange);
    on.at(&wire::ONE_TO_EXCHANGE).get(get_to_exchange).delete(unbind_exchange);
}

/// `queue` or `exchange`.
pub(crate) fn destination_type(destination: &Destination) -> &'static str {
    match destination {
        Destination::Queue(_) => "queue",
        Destination::Exchange(_) => "exchange",
    }
}

/// Says everything of a binding: the fields of [`wire::Binding`] in their order.
fn describe(binding: &Binding, vhost: &VhostName, fields: &mut Fields<'_>) {
    fields.put("source", binding.source.as_str());
    fields.put("vhost", vhost.as_str());
    fields.put("destination", binding.destination.name());
    fields.put("destination_type", destination_type(&binding.destination));
    fields.put("routing_key", &binding.routing_key);
    fields.put("arguments", &table::AsJson(&binding.arguments));
    fields.put_with("properties_key", || binding.properties_key());
}

/// A binding and where it is.
type Placed<'a> = (Arc<Binding>, &'a VhostName);

/// Those bindings of a vhost for which `keep` holds, in the order of listings: whether a destination is a queue or an
/// exchange plays no part in it. A vhost that is not there has none, as in the reference.
pub(crate) fn found<'a>(broker: &Broker, vhost: &'a VhostName, keep: impl Fn(&Binding) -> bool) -> Vec<Placed<'a>> {
    let kept = broker.bindings(vhost).into_iter().filter(|binding| keep(binding));
    let mut found: Vec<_> = kept.map(|binding| (binding, vhost)).collect();
    // They come nearly in this order, so this is one comparison each.
    found.sort_by(|(a, _), (b, _)| place(a).cmp(&place(b)));
    found
}

/// Answers with those bindings of some vhosts for which `keep` holds.
pub(crate) async fn list(call: &Call, vhosts: &[VhostName], kind: Listing, keep: impl Fn(&Binding) -> bool) -> Answer {
    let broker = call.broker()?;
    answer(call, kind, vhosts.iter().flat_map(|vhost| found(broker, vhost, &keep)).collect()).await
}

/// Answers with bindings that are in order.
pub(crate) async fn answer(call: &Call, kind: Listing, bindings: Vec<Placed<'_>>) -> Answer {
    let describe = |(binding, vhost): &Placed<'_>, fields: &mut Fields<'_>| {
        describe(binding, vhost, fields);
    };
    Ok(Reply::json_text(rows::listing(kind, bindings, |_| Cow::Borrowed(""), describe, &call.query).await?))
}

fn place(binding: &Binding) -> (&ExchangeName, &str, &str) {
    (&binding.source, binding.destination.name(), &binding.routing_key)
}

async fn list_bindings(call: Call) -> Answer {
    list(&call, &call.visible_vhosts()?, Listing::PageIgnored, |_| true).await
}

async fn list_of_vhost(call: Call) -> Answer {
    let vhost = call.vhost()?;
    list(&call, std::slice::from_ref(&vhost.name), Listing::PageIgnored, |_| true).await
}

/// The two ends a path names.
struct Ends {
    source: ExchangeName,
    destination: Destination,
}

impl Ends {
    fn of_queue(call: &Call) -> Result<Self, ApiError> {
        let destination = Destination::Queue(queue_name(call.parameter("queue"))?);
        Ok(Self { source: exchange_name(call.parameter("source"))?, destination })
    }

    fn of_exchange(call: &Call) -> Result<Self, ApiError> {
        let destination = Destination::Exchange(exchange_name(call.parameter("exchange"))?);
        Ok(Self { source: exchange_name(call.parameter("source"))?, destination })
    }

    fn are_of(&self, binding: &Binding) -> bool {
        binding.source == self.source && binding.destination == self.destination
    }

    async fn list(&self, call: &Call) -> Answer {
        list(call, &[call.vhost_name()], Listing::Plain, |binding| self.are_of(binding)).await
    }

    async fn bind(self, call: &Call) -> Answer {
        let fields = call.fields()?;
        let routing_key = fields.text("routing_key")?.unwrap_or_default();
        if routing_key.len() > NAME_BYTES_MAX {
            return Err(ApiError::bad_request(format!(
                "routing_key should be less than {NAME_BYTES_MAX} bytes, actually was {}\n",
                routing_key.len()
            )));
        }
        let binding = Binding {
            source: self.source,
            destination: self.destination,
            routing_key: routing_key.to_owned(),
            arguments: match fields.get("arguments") {
                None => Default::default(),
                Some(arguments) => table::from_json(arguments)?,
            },
        };
        let location = location(&binding);
        call.broker()?.bind(&call.caller(), &call.vhost_name(), binding).await?;
        let location = location.parse().map_err(|_| ApiError::internal("the location is no header text"))?;
        Ok(Reply::created().header(LOCATION, location))
    }

    /// The binding the path names.
    fn find(&self, call: &Call) -> Result<Binding, ApiError> {
        let vhost = call.vhost()?;
        let key = PropertiesKey::parse(call.parameter("properties_key")).ok_or_else(ApiError::no_object)?;
        let all = call.broker()?.bindings(&vhost.name);
        let found = all.into_iter().find(|binding| self.are_of(binding) && key.names(binding));
        found.map(|binding| (*binding).clone()).ok_or_else(ApiError::no_object)
    }

    fn get(&self, call: &Call) -> Answer {
        let binding = self.find(call)?;
        let vhost = call.vhost_name();
        call.object(&rows::value(|fields| describe(&binding, &vhost, fields))?)
    }

    async fn unbind(&self, call: &Call) -> Answer {
        let binding = self.find(call)?;
        call.broker()?.unbind(&call.caller(), &call.vhost_name(), &binding).await?;
        Ok(Reply::no_content())
    }
}

/// Where a new binding is, relative to its source: the properties key is encoded once
/// more, as in any path.
fn location(binding: &Binding) -> String {
    let mut location = String::new();
    percent_encode(binding.destination.name(), &mut location);
    // A space as in forms.
    location = location.replace("%20", "+");
    location.push('/');
    percent_encode(&binding.properties_key(), &mut location);
    location
}

/// A properties key from a path, decoded. Keys are compared by what they mean, since
/// clients write a space as `+` or as `%20`.
#[derive(Debug, PartialEq, Eq)]
struct PropertiesKey {
    routing_key: String,
    arguments_hash: Option<String>,
}

impl PropertiesKey {
    fn parse(key: &str) -> Option<Self> {
        let (routing_key, hash) = match key.split_once('~') {
            Some((routing_key, "")) => (routing_key, None),
            Some((routing_key, hash)) => (routing_key, Some(hash.to_owned())),
            None => (key, None),
        };
        let spaced = routing_key.replace('+', " ");
        let routing_key = percent_decode_str(&spaced).decode_utf8().ok()?.into_owned();
        Some(Self { routing_key, arguments_hash: hash })
    }

    fn names(&self, binding: &Binding) -> bool {
        // The hash is only made for bindings that have the key.
        binding.routing_key == self.routing_key && Self::parse(&binding.properties_key()).as_ref() == Some(self)
    }
}

async fn list_to_queue(call: Call) -> Answer {
    Ends::of_queue(&call)?.list(&call).await
}

async fn bind_queue(call: Call) -> Answer {
    Ends::of_queue(&call)?.bind(&call).await
}

async fn get_to_queue(call: Call) -> Answer {
    Ends::of_queue(&call)?.get(&call)
}

async fn unbind_queue(call: Call) -> Answer {
    Ends::of_queue(&call)?.unbind(&call).await
}

async fn list_to_exchange(call: Call) -> Answer {
    Ends::of_exchange(&call)?.list(&call).await
}

async fn bind_exchange(call: Call) -> Answer {
    Ends::of_exchange(&call)?.bind(&call).await
}

async fn get_to_exchange(call: Call) -> Answer {
    Ends::of_exchange(&call)?.get(&call)
}

async fn unbind_exchange(call: Call) -> Answer {
    Ends::of_exchange(&call)?.unbind(&call).await
}

#[cfg(test)]
mod tests {
    use broker::domain::name::QueueName;
    use serde_json::{Value, json};

    use super::*;

    fn binding(routing_key: &str, arguments: &Value) -> Binding {
        Binding {
            source: ExchangeName::new("x").unwrap(),
            destination: Destination::Queue(QueueName::new("a/b").unwrap()),
            routing_key: routing_key.to_owned(),
            arguments: table::from_json(arguments).unwrap(),
        }
    }

    // Recorded from the reference.
    #[test]
    fn locations_encode_the_key_once_more() {
        for (routing_key, expected) in [
            ("", "a%2Fb/~"),
            ("rk", "a%2Fb/rk"),
            ("~", "a%2Fb/%257E"),
            ("a/b c?d#e%f+g", "a%2Fb/a%252Fb%2Bc%253Fd%2523e%2525f%252Bg"),
            ("水", "a%2Fb/%25E6%25B0%25B4"),
        ] {
            assert_eq!(location(&binding(routing_key, &json!({}))), expected);
        }
        assert!(location(&binding("rk", &json!({"a": 1}))).starts_with("a%2Fb/rk~"));
    }

    #[test]
    fn a_key_from_a_path_names_the_binding_it_means() {
        let plain = binding("a b", &json!({}));
        let names = |key: &str, binding: &Binding| PropertiesKey::parse(key).is_some_and(|key| key.names(binding));
        for (key, named) in [("a+b", true), ("a%20b", true), ("a b", true), ("a%2Bb", false), ("a", false)] {
            assert_eq!(names(key, &plain), named, "{key}");
        }
        let (empty, with_arguments) = (binding("", &json!({})), binding("a b", &json!({"k": 1})));
        assert!(names("~", &empty) && names("", &empty) && !names("~x", &empty));
        assert!(names(&with_arguments.properties_key(), &with_arguments));
        assert!(!names("a+b", &with_arguments) && !names(&with_arguments.properties_key(), &plain));
        assert_eq!(PropertiesKey::parse("%FF"), None);
    }
}
