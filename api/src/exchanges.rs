//! Exchanges.

use std::borrow::Cow;

use broker::domain::binding::Destination;
use broker::domain::name::VhostName;
use broker::domain::policy::Subject;
use broker::{DeclareExchange, ExchangeInfo, LiveExchange};
use openapi::exchanges as wire;
use serde_json::{Map, Value};

use crate::applied::Applied;
use crate::bindings;
use crate::body::Fields;
use crate::call::{Call, exchange_name, to_value};
use crate::error::ApiError;
use crate::flows::Flows;
use crate::page::Listing;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};
use crate::rows;
use crate::statistics::{Ranges, Statistics};
use crate::table;

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::EXCHANGES).get(list_exchanges);
    on.at(&wire::OF_VHOST).get(list_of_vhost);
    on.at(&wire::EXCHANGE).get(get_exchange).put(put_exchange).delete(delete_exchange);
    on.at(&wire::BINDINGS_FROM).get(list_bindings_from);
    on.at(&wire::BINDINGS_TO).get(list_bindings_to);
}

/// What exchanges look like to one request.
struct View<'a> {
    statistics: &'a Statistics,
    ranges: Ranges,
    /// Whether what is counted is shown.
    counted: bool,
}

impl<'a> View<'a> {
    fn new(call: &'a Call, ranges: Ranges) -> Self {
        Self { statistics: call.statistics(), ranges, counted: !call.without_stats() }
    }

    /// Says everything of an exchange that is to be sent: the fields of [`wire::Exchange`] in their order.
    fn describe(&self, info: &ExchangeInfo, applied: &Applied, fields: &mut rows::Fields<'_>) {
        let exchange = &info.exchange;
        fields.put("arguments", &table::AsJson(&exchange.arguments));
        fields.put("auto_delete", &exchange.auto_delete);
        fields.put("durable", &exchange.durable);
        fields.put("internal", &exchange.internal);
        fields.put("name", exchange.name.as_str());
        fields.put("type", exchange.kind.as_str());
        fields.put("user_who_performed_action", exchange.declared_by.as_str());
        fields.put("vhost", info.vhost.as_str());
        if fields.wants("policy")
            && let Some(policy) = applied.select(Subject::Exchange, exchange.name.as_str()).user
        {
            fields.put("policy", &policy.name);
        }
        if let Some(delayed) = info.messages_delayed {
            fields.put("messages_delayed", &delayed);
        }
        if self.counted
            && fields.wants("message_stats")
            && let Some(stats) = self.message_stats(info)
        {
            fields.put("message_stats", &stats);
        }
    }

    /// Counters that have begun, each beside how it runs.
    fn message_stats(&self, info: &ExchangeInfo) -> Option<Map<String, Value>> {
        if info.publish_in == 0 && info.publish_out == 0 {
            return None;
        }
        let [publish_in, publish_out] = self.statistics.exchange(info.id, &self.ranges)?;
        let mut stats = Map::new();
        for (name, count, details) in
            [("publish_in", info.publish_in, publish_in), ("publish_out", info.publish_out, publish_out)]
        {
            if count > 0 {
                stats.insert(name.to_owned(), count.into());
                stats.insert(format!("{name}_details"), serde_json::to_value(details).unwrap_or_default());
            }
        }
        Some(stats)
    }
}

async fn list(call: &Call, vhosts: &[VhostName]) -> Answer {
    let (broker, directory) = (call.broker()?, call.directory()?);
    let view = View::new(call, call.ranges_of_list()?);
    let applied: Vec<_> = vhosts.iter().map(|vhost| Applied::new(&directory, vhost)).collect();
    let mut exchanges: Vec<(LiveExchange, usize)> = Vec::new();
    for (place, vhost) in vhosts.iter().enumerate() {
        exchanges.extend(broker.live_exchanges(vhost).into_iter().map(|exchange| (exchange, place)));
    }
    let describe = |(exchange, place): &(LiveExchange, usize), fields: &mut rows::Fields<'_>| {
        view.describe(&exchange.info(), &applied[*place], fields);
    };
    Ok(Reply::json_text(rows::listing(Listing::Paged, exchanges, name, describe, &call.query).await?))
}

fn name((exchange, _): &(LiveExchange, usize)) -> Cow<'_, str> {
    exchange.name().as_str().into()
}

async fn list_exchanges(call: Call) -> Answer {
    list(&call, &call.visible_vhosts()?).await
}

async fn list_of_vhost(call: Call) -> Answer {
    list(&call, std::slice::from_ref(&call.vhost()?.name)).await
}

/// The exchange in the path, which must exist.
fn find(call: &Call) -> Result<ExchangeInfo, ApiError> {
    let name = exchange_name(call.parameter("exchange"))?;
    call.broker()?.exchange(&call.vhost_name(), name.as_str()).ok_or_else(ApiError::no_object)
}

async fn get_exchange(call: Call) -> Answer {
    let exchange = find(&call)?;
    let applied = Applied::new(&*call.directory()?, &exchange.vhost);
    let view = View::new(&call, call.ranges()?);
    let mut item = rows::value(|fields| view.describe(&exchange, &applied, fields))?;
    if !call.without_stats() {
        let flows = Flows::wanted(&call, &exchange.vhost)?;
        let (incoming, outgoing) = flows.map(|flows| flows.of_exchange(exchange.id)).unwrap_or_default();
        item["incoming"] = to_value(&incoming)?;
        item["outgoing"] = to_value(&outgoing)?;
    }
    call.object(&item)
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
    bindings::list(&call, &[call.vhost_name()], Listing::Plain, |binding| binding.source == name).await
}

async fn list_bindings_to(call: Call) -> Answer {
    let destination = Destination::Exchange(exchange_name(call.parameter("exchange"))?);
    bindings::list(&call, &[call.vhost_name()], Listing::Plain, |binding| binding.destination == destination).await
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
