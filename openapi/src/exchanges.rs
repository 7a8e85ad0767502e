//! Exchanges.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::arguments::ExchangeArguments;
use crate::bindings::Binding;
use crate::endpoint::{Access, Endpoint, LISTING, OBJECT, Operation, PAGED, Query, wire, wire_list};
use crate::parameter::VHOST_HEADER;
use crate::traffic::{Flow, MessageStats};

/// An exchange.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Exchange {
    /// Arguments as declared.
    #[schema(value_type = ExchangeArguments)]
    pub arguments: Map<String, Value>,
    /// Goes with its last binding as source.
    pub auto_delete: bool,
    /// Survives a restart.
    pub durable: bool,
    /// Clients may not publish to it.
    pub internal: bool,
    /// Its name; empty for the default exchange.
    pub name: String,
    /// `direct`, `fanout`, `topic`, `headers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who declared it.
    pub user_who_performed_action: String,
    /// Its virtual host.
    pub vhost: String,
    /// The policy that applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Messages that wait there; only of type `x-delayed-message`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages_delayed: Option<u64>,
    /// Messages in and out, once there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = MessageStats, required = false)]
    pub message_stats: Option<Map<String, Value>>,
    /// Where messages came from; only of a single exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<Flow>, required = false)]
    pub incoming: Option<Vec<Flow>>,
    /// Where messages went; only of a single exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<Flow>, required = false)]
    pub outgoing: Option<Vec<Flow>>,
}

/// An exchange to declare.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PutExchange {
    /// `direct` when left out.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Survives a restart.
    #[serde(default)]
    pub durable: bool,
    /// Goes with its last binding as source.
    #[serde(default)]
    pub auto_delete: bool,
    /// Clients may not publish to it.
    #[serde(default)]
    pub internal: bool,
    /// Arguments.
    #[serde(default)]
    #[schema(value_type = ExchangeArguments)]
    pub arguments: Map<String, Value>,
}

const IF_UNUSED: &[Query] = &[Query::flag("if-unused", "`true` refuses when something is bound to it.")];

const fn list(access: Access, summary: &'static str) -> Operation {
    Operation::get(access, summary).query(PAGED).gives(wire_list::<Exchange>())
}

const fn bindings(summary: &'static str) -> Operation {
    Operation::get(Access::Vhost, summary).query(LISTING).gives(wire_list::<Binding>())
}

/// All exchanges.
pub const EXCHANGES: Endpoint =
    Endpoint::new("/exchanges", &[list(Access::Any, "Exchanges the caller may see").header(VHOST_HEADER)]);

/// Exchanges of a virtual host.
pub const OF_VHOST: Endpoint =
    Endpoint::new("/exchanges/{vhost}", &[list(Access::Vhost, "Exchanges of a virtual host")]);

/// One exchange.
pub const EXCHANGE: Endpoint = Endpoint::new(
    "/exchanges/{vhost}/{exchange}",
    &[
        Operation::get(Access::Vhost, "One exchange").query(OBJECT).gives(wire::<Exchange>()),
        Operation::put(Access::Vhost, "Declares an exchange").may_take(wire::<PutExchange>()),
        Operation::delete(Access::Vhost, "Deletes an exchange").query(IF_UNUSED),
    ],
);

/// Bindings with the exchange as source.
pub const BINDINGS_FROM: Endpoint = Endpoint::new(
    "/exchanges/{vhost}/{exchange}/bindings/source",
    &[bindings("Bindings that take messages from an exchange")],
);

/// Bindings with the exchange as destination.
pub const BINDINGS_TO: Endpoint = Endpoint::new(
    "/exchanges/{vhost}/{exchange}/bindings/destination",
    &[bindings("Bindings that bring messages to an exchange")],
);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[EXCHANGES, OF_VHOST, EXCHANGE, BINDINGS_FROM, BINDINGS_TO];
