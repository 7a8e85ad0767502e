//! Exchanges.

use broker::domain::policy::Subject;
use broker::{DeclareExchange, ExchangeInfo};
use openapi::exchanges as wire;
use serde_json::{Map, Value};

use crate::applied::Applied;
use crate::bindings::bindings;
use crate::body::Fields;
use crate::call::{Call, exchange_name, to_value};
use crate::error::ApiError;
use crate::flows::Flows;
use crate::page::Listing;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};
use crate::statistics::Sampled;
use crate::stats::counter;
use crate::table;
use broker::domain::binding::Destination;
use broker::domain::name::VhostName;

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::EXCHANGES).get(list_exchanges);
    on.at(&wire::OF_VHOST).get(list_of_vhost);
    on.at(&wire::EXCHANGE).get(get_exchange).put(put_exchange).delete(delete_exchange);
    on.at(&wire::BINDINGS_FROM).get(list_bindings_from);
    on.at(&wire::BINDINGS_TO).get(list_bindings_to);
}

fn to_wire(info: &ExchangeInfo, applied: &Applied, with_stats: bool) -> wire::Exchange {
    let exchange = &info.exchange;
    let selected = applied.select(Subject::Exchange, exchange.name.as_str());
    wire::Exchange {
        arguments: table::to_object(&exchange.arguments),
        auto_delete: exchange.auto_delete,
        durable: exchange.durable,
        internal: exchange.internal,
        name: exchange.name.to_string(),
        kind: exchange.kind.as_str().to_owned(),
        user_who_performed_action: exchange.declared_by.to_string(),
        vhost: info.vhost.to_string(),
        policy: selected.user.map(|policy| policy.name.clone()),
        messages_delayed: info.messages_delayed,
        message_stats: if with_stats { message_stats(info) } else { None },
        incoming: None,
        outgoing: None,
    }
}

fn message_stats(info: &ExchangeInfo) -> Option<Map<String, Value>> {
    let mut stats = Map::new();
    for (name, count) in [("publish_in", info.publish_in), ("publish_out", info.publish_out)] {
        if count > 0 {
            counter(&mut stats, name, count);
        }
    }
    (!stats.is_empty()).then_some(stats)
}

fn list(call: &Call, vhosts: &[VhostName]) -> Answer {
    let broker = call.broker()?;
    let directory = broker.directory();
    let ranges = call.ranges_of_list()?;
    let mut items = Vec::new();
    for vhost in vhosts {
        let applied = Applied::new(&directory, vhost);
        for exchange in broker.exchanges(vhost) {
            let item = to_value(&to_wire(&exchange, &applied, !call.without_stats()))?;
            items.push(call.rated(Sampled::Exchange(exchange.id), &ranges, item));
        }
    }
    call.list(items, Listing::Paged)
}

async fn list_exchanges(call: Call) -> Answer {
    list(&call, &call.visible_vhosts()?)
}

async fn list_of_vhost(call: Call) -> Answer {
    list(&call, std::slice::from_ref(&call.vhost()?.name))
}

/// The exchange in the path, which must exist.
fn find(call: &Call) -> Result<ExchangeInfo, ApiError> {
    let name = exchange_name(call.parameter("exchange"))?;
    call.broker()?.exchange(&call.vhost_name(), name.as_str()).ok_or_else(ApiError::no_object)
}

async fn get_exchange(call: Call) -> Answer {
    let exchange = find(&call)?;
    let applied = Applied::new(&*call.directory()?, &exchange.vhost);
    let mut item = to_wire(&exchange, &applied, !call.without_stats());
    if !call.without_stats() {
        let flows = Flows::wanted(&call, &exchange.vhost)?;
        let (incoming, outgoing) = flows.map(|flows| flows.of_exchange(exchange.id)).unwrap_or_default();
        item.incoming = Some(incoming);
        item.outgoing = Some(outgoing);
    }
    call.object(&call.rated(Sampled::Exchange(exchange.id), &call.ranges()?, to_value(&item)?))
}

async fn put_exchange(call: Call) -> Answer {
    call.target_vhost()?;
    let fields = call.fields()?;
    let name = exchange_name(call.parameter("exchange"))?;
    let declare = DeclareExchange {
        name: name.to_string(),
        kind: exchange_type(&fields)?,
        durable: fields.boolean("durable")?.unwrap_or(false),
        auto_delete: fields.boolean("auto_delete")?.unwrap_or(false),
        internal: fields.boolean("internal")?.unwrap_or(false),
        arguments: match fields.get("arguments") {
            None => Default::default(),
            Some(arguments) => table::from_json(arguments)?,
        },
    };
    let put = call.broker()?.declare_exchange(&call.caller(), &call.vhost_name(), declare).await;
    Ok(put.map_err(refusal)?.into())
}

fn exchange_type(fields: &Fields) -> Result<String, ApiError> {
    match fields.get("type") {
        None => Ok("direct".to_owned()),
        Some(Value::String(kind)) => Ok(kind.clone()),
        Some(other) => Err(ApiError::bad_request(format!("invalid exchange type '{other}'"))),
    }
}

/// Over HTTP the reference has another word for a type nobody knows.
fn refusal(error: broker::Error) -> ApiError {
    match error {
        broker::Error::UnknownExchangeType(kind) => ApiError::bad_request(format!("invalid exchange type '{kind}'")),
        other => other.into(),
    }
}

async fn delete_exchange(call: Call) -> Answer {
    let exchange = find(&call)?;
    call.fields()?;
    let if_unused = call.query.is_true("if-unused");
    let name = &exchange.exchange.name;
    call.broker()?.delete_exchange(&call.caller(), &exchange.vhost, name, if_unused).await?;
    Ok(Reply::no_content())
}

async fn list_bindings_from(call: Call) -> Answer {
    let name = exchange_name(call.parameter("exchange"))?;
    call.list(bindings(call.broker()?, &call.vhost_name(), |binding| binding.source == name), Listing::Plain)
}

async fn list_bindings_to(call: Call) -> Answer {
    let destination = Destination::Exchange(exchange_name(call.parameter("exchange"))?);
    let to = bindings(call.broker()?, &call.vhost_name(), |binding| binding.destination == destination);
    call.list(to, Listing::Plain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_type_is_text() {
        let read = |body: Value| {
            let Value::Object(fields) = body else { panic!("an object") };
            exchange_type(&Fields(fields)).map_err(|error| error.body.unwrap()["reason"].clone())
        };
        assert_eq!(read(json!({})), Ok("direct".into()));
        assert_eq!(read(json!({"type": "x-y"})), Ok("x-y".into()));
        assert_eq!(read(json!({"type": null})), Err(json!("invalid exchange type 'null'")));
        assert_eq!(read(json!({"type": 5})), Err(json!("invalid exchange type '5'")));
    }
}
