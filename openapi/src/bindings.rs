//! Bindings.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::arguments::{BindingArguments, DestinationType};
use crate::endpoint::{Access, AnswerHeader, Endpoint, LISTING, OBJECT, Operation, Status, wire, wire_list};
use crate::parameter::VHOST_HEADER;

/// A binding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Binding {
    /// The exchange messages come from; empty for the default exchange.
    pub source: String,
    /// Its virtual host.
    pub vhost: String,
    /// Where they go.
    pub destination: String,
    /// `queue` or `exchange`.
    #[schema(value_type = DestinationType)]
    pub destination_type: String,
    /// The binding key.
    pub routing_key: String,
    /// Arguments.
    #[schema(value_type = BindingArguments)]
    pub arguments: Map<String, Value>,
    /// Its name between the two ends; encode it once more to put it into a path.
    pub properties_key: String,
}

/// A binding to make.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PostBinding {
    /// The binding key.
    #[serde(default)]
    #[schema(max_length = 255)]
    pub routing_key: String,
    /// Arguments.
    #[serde(default)]
    #[schema(value_type = BindingArguments)]
    pub arguments: Map<String, Value>,
}

const fn list(access: Access, summary: &'static str) -> Operation {
    Operation::get(access, summary).query(LISTING).gives(wire_list::<Binding>())
}

const LOCATION: &[AnswerHeader] =
    &[AnswerHeader { name: "Location", summary: "Where the binding is, relative to the exchange it leads from." }];

const BETWEEN: &[Operation] = &[
    Operation::get(Access::Vhost, "Bindings between an exchange and a destination")
        .query(LISTING)
        .gives(wire_list::<Binding>()),
    Operation::post(Access::Vhost, "Binds a destination to an exchange")
        .may_take(wire::<PostBinding>())
        .status(Status::new(201, "Bound, also when it was before").headers(LOCATION)),
];

const ONE: &[Operation] = &[
    Operation::get(Access::Vhost, "One binding").query(OBJECT).gives(wire::<Binding>()),
    Operation::delete(Access::Vhost, "Removes a binding"),
];

/// All bindings.
pub const BINDINGS: Endpoint =
    Endpoint::new("/bindings", &[list(Access::Any, "Bindings the caller may see").header(VHOST_HEADER)]);

/// Bindings in a virtual host.
pub const OF_VHOST: Endpoint = Endpoint::new("/bindings/{vhost}", &[list(Access::Vhost, "Bindings in a virtual host")]);

/// Bindings between an exchange and a queue.
pub const TO_QUEUE: Endpoint = Endpoint::new("/bindings/{vhost}/e/{source}/q/{queue}", BETWEEN);

/// One binding between an exchange and a queue.
pub const ONE_TO_QUEUE: Endpoint = Endpoint::new("/bindings/{vhost}/e/{source}/q/{queue}/{properties_key}", ONE);

/// Bindings between two exchanges.
pub const TO_EXCHANGE: Endpoint = Endpoint::new("/bindings/{vhost}/e/{source}/e/{exchange}", BETWEEN);

/// One binding between two exchanges.
pub const ONE_TO_EXCHANGE: Endpoint = Endpoint::new("/bindings/{vhost}/e/{source}/e/{exchange}/{properties_key}", ONE);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[BINDINGS, OF_VHOST, TO_QUEUE, ONE_TO_QUEUE, TO_EXCHANGE, ONE_TO_EXCHANGE];
