//! One request on its way to its handler: who calls, what the path names, what was sent.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use broker::domain::name::{ExchangeName, NAME_BYTES_MAX, NameTooLong, QueueName, UserName, VhostName};
use broker::domain::vhost::Vhost;
use broker::{Broker, Caller, Directory, Node};
use bytes::Bytes;
use serde::{Serialize, Serializer as _};
use serde_json::Value;

use crate::auth::Identity;
use crate::body::Fields;
use crate::context::Context;
use crate::error::ApiError;
use crate::page::{self, Listing};
use crate::query::QueryString;
use crate::reply::{JSON, Reply};
use crate::route::{Answer, Parameters};
use crate::statistics::{Ranges, Sampled, Statistics};

/// Selects a vhost for listings whose path names none.
const VHOST_HEADER: &str = "x-vhost";

/// One request.
pub(crate) struct Call {
    /// What all requests share.
    pub(crate) context: Arc<Context>,
    /// The broker when the request came in; `None` while the application is stopped.
    pub(crate) broker: Option<Broker>,
    /// Who calls.
    pub(crate) identity: Identity,
    /// From where; `None` for the control socket.
    pub(crate) address: Option<IpAddr>,
    /// Whether it came over TLS.
    pub(crate) is_encrypted: bool,
    /// Values of the parameters in the path.
    pub(crate) parameters: Parameters,
    /// The query string.
    pub(crate) query: QueryString,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Bytes,
}

impl Call {
    /// The node.
    pub(crate) fn node(&self) -> &Node {
        &self.context.node
    }

    /// The running broker.
    pub(crate) fn broker(&self) -> Result<&Broker, ApiError> {
        self.broker.as_ref().ok_or_else(ApiError::app_stopped)
    }

    /// The picture of users, vhosts, permissions and parameters.
    pub(crate) fn directory(&self) -> Result<Arc<Directory>, ApiError> {
        Ok(self.broker()?.directory())
    }

    /// The caller as the broker knows it.
    pub(crate) fn caller(&self) -> Caller {
        self.identity.caller()
    }

    /// The value of a parameter of the path.
    ///
    /// # Panics
    /// When the endpoint has no such parameter.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.find_parameter(name).unwrap_or_else(|| panic!("the path has no parameter {name}"))
    }

    /// The value of a parameter of the path, for handlers of several paths.
    pub(crate) fn find_parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
    }

    /// The name of the vhost in the path.
    pub(crate) fn vhost_name(&self) -> VhostName {
        vhost_name(self.parameter("vhost"))
    }

    /// The vhost in the path, which must exist.
    pub(crate) fn vhost(&self) -> Result<Arc<Vhost>, ApiError> {
        let directory = self.directory()?;
        directory.vhosts.get(&self.vhost_name()).cloned().ok_or_else(ApiError::no_object)
    }

    /// The vhost in the path, in which something is to be changed: a missing one is told apart,
    /// before the body is looked at.
    pub(crate) fn target_vhost(&self) -> Result<Arc<Vhost>, ApiError> {
        self.vhost().map_err(|_| ApiError::not_found("vhost_not_found"))
    }

    /// The name of the user in the path.
    pub(crate) fn user_name(&self) -> UserName {
        user_name(self.parameter("user"))
    }

    /// Refuses a caller without a permission row for the vhost in the path, administrators
    /// too: what acts on messages enters the vhost as the user.
    pub(crate) fn enter_vhost(&self) -> Result<(), ApiError> {
        let permitted = match self.identity.user_name() {
            Some(user) => self.directory()?.permissions.contains_key(&(user.clone(), self.vhost_name())),
            None => true,
        };
        match self.identity.user_name() {
            Some(user) if !permitted => {
                Err(broker::Error::VhostAccessRefused { vhost: self.vhost_name(), user: user.clone() }.into())
            }
            _ => Ok(()),
        }
    }

    /// The vhost a header names; an empty one names none.
    pub(crate) fn named_in_header(&self) -> Option<&HeaderValue> {
        self.headers.get(VHOST_HEADER).filter(|name| !name.is_empty())
    }

    /// Vhosts the caller sees in listings of objects, or the one a header names.
    pub(crate) fn visible_vhosts(&self) -> Result<Vec<VhostName>, ApiError> {
        let broker = self.broker()?;
        let directory = broker.directory();
        if let Some(name) = self.named_in_header() {
            let named = directory.vhosts.keys().find(|vhost| vhost.as_str().as_bytes() == name.as_bytes());
            return match named.filter(|vhost| self.identity.enters(broker, vhost)) {
                Some(vhost) => Ok(vec![vhost.clone()]),
                None => Err(ApiError::no_object()),
            };
        }
        Ok(directory.vhosts.keys().filter(|vhost| self.identity.enters(broker, vhost)).cloned().collect())
    }

    /// Refuses a body that is not said to be JSON, where the reference minds: on most paths it does not.
    pub(crate) fn require_json(&self) -> Result<(), ApiError> {
        let given = self.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = given.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case(JSON) { Ok(()) } else { Err(ApiError::bare(StatusCode::UNSUPPORTED_MEDIA_TYPE)) }
    }

    /// The body as a JSON object.
    pub(crate) fn fields(&self) -> Result<Fields, ApiError> {
        Fields::parse(&self.body)
    }

    /// How counters run.
    pub(crate) fn statistics(&self) -> &Statistics {
        &self.context.facts.statistics
    }

    /// Whether what is counted is left out: the request says so, or the configuration does.
    pub(crate) fn without_stats(&self) -> bool {
        self.query.is_true("disable_stats") || self.statistics().settings().disabled
    }

    /// Refuses an answer that is all statistics when there are to be none.
    pub(crate) fn needs_stats(&self) -> Result<(), ApiError> {
        if self.without_stats() {
            return Err(ApiError::bad_request("Stats in management UI are disabled on this node"));
        }
        Ok(())
    }

    /// Which samples are asked for.
    pub(crate) fn ranges(&self) -> Result<Ranges, ApiError> {
        Ranges::parse(&self.query)
    }

    /// The same in a list of what is more than statistics: who asks for none, or for columns without them, may say
    /// anything.
    pub(crate) fn ranges_of_list(&self) -> Result<Ranges, ApiError> {
        let ranges = self.ranges();
        match self.query.get("columns") {
            _ if self.without_stats() => Ok(Ranges::default()),
            Some(columns) if !STATISTICS.iter().any(|name| columns.contains(name)) => Ok(ranges.unwrap_or_default()),
            _ => ranges,
        }
    }

    /// An item with how its counters run.
    pub(crate) fn rated(&self, subject: Sampled<'_>, ranges: &Ranges, mut item: Value) -> Value {
        self.statistics().fill(subject, ranges, &mut item);
        item
    }

    /// Answers with one object, cut to the columns asked for.
    pub(crate) fn object<T: Serialize>(&self, item: &T) -> Answer {
        Reply::json(&page::object(to_value(item)?, &self.query)?)
    }

    /// Answers with a list, as the listing parameters ask for it.
    pub(crate) fn list<T: Serialize>(&self, items: impl IntoIterator<Item = T>, kind: Listing) -> Answer {
        if page::is_as_it_comes(&self.query, kind)? {
            let mut body = serde_json::Serializer::new(Vec::new());
            body.collect_seq(items).map_err(|error| ApiError::internal(error.to_string()))?;
            return Ok(Reply::json_text(body.into_inner()));
        }
        let items = items.into_iter().map(|item| to_value(&item)).collect::<Result<_, _>>()?;
        Reply::json(&page::listing(items, &self.query, kind)?)
    }
}

/// What the names of columns that hold statistics contain.
const STATISTICS: &[&str] = &["_details", "message_stats"];

/// A value as it will be sent.
pub(crate) fn to_value<T: Serialize>(item: &T) -> Result<Value, ApiError> {
    serde_json::to_value(item).map_err(|error| ApiError::internal(error.to_string()))
}

/// A vhost name from text.
pub(crate) fn vhost_name(name: &str) -> VhostName {
    VhostName::new(name).expect("vhost names have no limit")
}

/// A user name from text.
pub(crate) fn user_name(name: &str) -> UserName {
    UserName::new(name).expect("user names have no limit")
}

/// A queue name from text.
pub(crate) fn queue_name(name: &str) -> Result<QueueName, ApiError> {
    QueueName::new(name).map_err(|error| too_long(&error))
}

/// An exchange name from text. `amq.default` is how a path spells the nameless one.
pub(crate) fn exchange_name(name: &str) -> Result<ExchangeName, ApiError> {
    let name = if name == "amq.default" { "" } else { name };
    ExchangeName::new(name).map_err(|error| too_long(&error))
}

/// The reference's sentence, line break included.
fn too_long(error: &NameTooLong) -> ApiError {
    let NameTooLong { kind, bytes } = error;
    ApiError::bad_request(format!("{kind} should be less than {NAME_BYTES_MAX} bytes, actually was {bytes}\n"))
}
