//! What can go wrong in the broker, in broker words only.
//!
//! The text of each variant is what clients see behind the reply code; it is the
//! reference's wording, recorded. Which reply code or HTTP status a kind becomes is
//! decided in `amqp091::reply` and in the HTTP crate, not here.

use std::fmt;

use crate::domain::name::{ExchangeName, QueueName, UserName, VhostName};
use crate::domain::pattern::PatternError;

/// A thing an operation is about, printed as the reference prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// `exchange 'NAME' in vhost 'VHOST'`
    Exchange(VhostName, ExchangeName),
    /// `queue 'NAME' in vhost 'VHOST'`
    Queue(VhostName, QueueName),
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exchange(vhost, name) => write!(f, "exchange '{name}' in vhost '{vhost}'"),
            Self::Queue(vhost, name) => write!(f, "queue '{name}' in vhost '{vhost}'"),
        }
    }
}

/// What a permission pattern grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Create, change or delete.
    Configure,
    /// Publish to, bind a queue.
    Write,
    /// Consume, get, purge, bind from an exchange.
    Read,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configure => "configure",
            Self::Write => "write",
            Self::Read => "read",
        })
    }
}

/// The class of an [`Error`]: what every outside world maps to its own code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The named thing does not exist (AMQP 404).
    NotFound,
    /// Not permitted, or reserved (AMQP 403).
    AccessRefused,
    /// Another connection holds it exclusively (AMQP 405).
    ResourceLocked,
    /// It exists with other properties, is in use, or the arguments are wrong (AMQP 406).
    PreconditionFailed,
    /// Forbidden here whatever the permissions (AMQP 530).
    NotAllowed,
    /// A part of the protocol that is not offered (AMQP 540).
    NotImplemented,
    /// A deprecated feature that is not offered (AMQP 541, HTTP 400).
    FeatureDenied,
    /// Credentials or their source were refused.
    LoginRefused,
    /// A value of an administrative request breaks a rule (HTTP 400).
    InvalidValue,
    /// Storage or an owner does not answer now (AMQP 541, HTTP 503).
    Unavailable,
    /// A defect of ours (AMQP 541, HTTP 500).
    Internal,
}

/// Where an object of an import stands in its document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DefinitionPlace {
    /// The list: `queues`.
    pub section: &'static str,
    /// Which object of the list, from 0; `None`: the list as a whole.
    pub index: Option<usize>,
    /// Which field of the object, where it is one.
    pub field: Option<String>,
}

impl DefinitionPlace {
    /// An object of a list.
    #[must_use]
    pub fn object(section: &'static str, index: usize) -> Self {
        Self { section, index: Some(index), field: None }
    }
}

/// What was wrong, and behind it with which object.
fn in_definitions(object: &str, error: &Error) -> String {
    if object.is_empty() { error.to_string() } else { format!("{error} ({object})") }
}

/// Why the broker refused or failed. `Display` is the text users see.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// `no queue 'q' in vhost '/'`
    #[error("no {0}")]
    NoSuch(Resource),
    /// An empty queue name, and none was declared on this channel.
    #[error("no previously declared queue")]
    NoPreviousQueue,
    /// `connection.open` or an administrative request named an unknown vhost.
    #[error("vhost {0} not found")]
    NoSuchVhost(VhostName),
    /// An administrative request named an unknown user.
    #[error("no such user: {0}")]
    NoSuchUser(UserName),
    /// An administrative request named another unknown thing (policy, parameter, permission…).
    #[error("no such {kind}: {name}")]
    NoSuchObject {
        /// What kind of thing.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// A permission pattern does not match.
    #[error("{operation} access to {resource} refused for user '{user}'")]
    AccessRefused {
        /// What was attempted.
        operation: Operation,
        /// On what.
        resource: Resource,
        /// By whom.
        user: UserName,
        /// The pattern that was held against the name; `None`: the user has no permissions in the vhost.
        pattern: Option<String>,
    },
    /// A topic permission pattern does not match.
    #[error("{operation} access to topic '{routing_key}' in {exchange} refused for user '{user}'")]
    TopicAccessRefused {
        /// What was attempted.
        operation: Operation,
        /// The routing or binding key.
        routing_key: String,
        /// On which exchange.
        exchange: Resource,
        /// By whom.
        user: UserName,
        /// The pattern that was held against the key.
        pattern: Option<String>,
    },
    /// No permission row for the vhost.
    #[error("access to vhost '{vhost}' refused for user '{user}'")]
    VhostAccessRefused {
        /// The vhost.
        vhost: VhostName,
        /// The user.
        user: UserName,
    },
    /// Declaring, binding or deleting the nameless exchange.
    #[error("operation not permitted on the default exchange")]
    DefaultExchange,
    /// A new `amq.` name.
    #[error("{kind} name '{name}' contains reserved prefix 'amq.*'")]
    ReservedName {
        /// `exchange` or `queue`.
        kind: &'static str,
        /// The name asked for.
        name: String,
    },
    /// Deleting a predeclared exchange.
    #[error("deletion of system {0} not allowed")]
    SystemExchange(Resource),
    /// Binding a pseudo-queue for direct replies.
    #[error("cannot bind or unbind to a volatile (direct reply-to) queue")]
    VolatileQueue,
    /// Publishing to an internal exchange.
    #[error("cannot publish to internal {0}")]
    InternalExchange(Resource),
    /// The queue has an exclusive consumer, or an exclusive one was asked for while others exist.
    #[error("{0} in exclusive use")]
    ExclusiveUse(Resource),
    /// Another connection's exclusive queue.
    #[error(
        "cannot obtain exclusive access to locked {0}. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration."
    )]
    Locked(Resource),
    /// `basic.get` on a single-active-consumer queue.
    #[error(
        "cannot obtain access to locked {0}. basic.get operations are not supported by {1} queues with single active consumer"
    )]
    SingleActiveGet(Resource, &'static str),
    /// Redeclared with another property or argument.
    #[error("inequivalent arg '{argument}' for {resource}: received {received} but current is {current}")]
    Inequivalent {
        /// The property or argument.
        argument: String,
        /// Of what.
        resource: Resource,
        /// As asked: `none`, `'true'`, `the value 'V' of type 'T'`.
        received: String,
        /// As it is.
        current: String,
    },
    /// An argument has the wrong type or value, or does not fit the queue type; the whole sentence.
    #[error("{0}")]
    InvalidArgument(String),
    /// A deprecated feature that is not offered was asked for; the whole text.
    #[error("{0}")]
    FeatureDenied(String),
    /// An unknown exchange type.
    #[error("unknown exchange type '{0}'")]
    UnknownExchangeType(String),
    /// `if-unused` on something in use.
    #[error("{0} in use")]
    InUse(Resource),
    /// `if-empty` on a queue with messages.
    #[error("{0} not empty")]
    NotEmpty(Resource),
    /// A limit of a vhost is reached.
    #[error("{text}")]
    LimitReached {
        /// Where.
        vhost: VhostName,
        /// `max-queues`.
        limit: &'static str,
        /// Its value.
        max: i64,
        /// The whole sentence.
        text: String,
    },
    /// A published property breaks a rule (expiration, user id, size…); the whole sentence.
    #[error("{0}")]
    InvalidMessage(String),
    /// Something the protocol names and the queue type does not offer; the whole sentence.
    #[error("{0}")]
    NotImplemented(String),
    /// Forbidden here whatever the permissions (consumer tag reuse…); the whole sentence.
    #[error("{0}")]
    NotAllowed(String),
    /// Wrong credentials; the text goes to the log, never to the client.
    #[error("user '{0}' - invalid credentials")]
    InvalidCredentials(String),
    /// No user could be made out; the whole sentence goes to the log, never to the client.
    #[error("{0}")]
    LoginRefused(String),
    /// A loopback-only user from elsewhere.
    #[error("user '{0}' can only connect via localhost")]
    LoopbackOnly(String),
    /// A value of an administrative request breaks a rule; the whole sentence.
    #[error("{0}")]
    InvalidValue(String),
    /// A permission pattern is no regular expression.
    #[error("invalid regular expression '{pattern}': {} at {}", .error.reason, .error.at)]
    InvalidPattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        error: PatternError,
    },
    /// An object of an import is refused; nothing of the import was applied.
    #[error("{}", in_definitions(.object, .error))]
    InDefinitions {
        /// Which object: `vhost: "/" key: "p"`; empty where the reference does not say.
        object: String,
        /// Where it stands.
        place: DefinitionPlace,
        /// Why.
        error: Box<Error>,
    },
    /// An exchange, queue or binding of an import breaks a rule of its declaration; nothing
    /// of the import was applied.
    #[error("precondition_failed: {error}")]
    UndeclarableInDefinitions {
        /// Where it stands.
        place: DefinitionPlace,
        /// Why.
        error: Box<Error>,
    },
    /// The vhost is protected from deletion.
    #[error("Refusing to delete virtual host '{0}' because it is protected from deletion")]
    ProtectedVhost(VhostName),
    /// Storage or an owner does not answer now; the whole sentence.
    #[error("{0}")]
    Unavailable(String),
    /// A defect of ours; the whole sentence.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// A request for direct replies from where none can be heard.
    #[must_use]
    pub fn no_reply_consumer() -> Self {
        Self::InvalidMessage("fast reply consumer does not exist".to_owned())
    }

    /// The class this error belongs to.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSuch(_) | Self::NoPreviousQueue | Self::NoSuchUser(_) | Self::NoSuchObject { .. } => {
                ErrorKind::NotFound
            }
            Self::AccessRefused { .. }
            | Self::TopicAccessRefused { .. }
            | Self::DefaultExchange
            | Self::ReservedName { .. }
            | Self::SystemExchange(_)
            | Self::InternalExchange(_)
            | Self::VolatileQueue
            | Self::ExclusiveUse(_) => ErrorKind::AccessRefused,
            Self::Locked(_) | Self::SingleActiveGet(..) => ErrorKind::ResourceLocked,
            Self::Inequivalent { .. }
            | Self::InvalidArgument(_)
            | Self::UnknownExchangeType(_)
            | Self::InUse(_)
            | Self::NotEmpty(_)
            | Self::LimitReached { .. }
            | Self::ProtectedVhost(_)
            | Self::InvalidMessage(_) => ErrorKind::PreconditionFailed,
            Self::NoSuchVhost(_) | Self::VhostAccessRefused { .. } | Self::NotAllowed(_) => ErrorKind::NotAllowed,
            Self::NotImplemented(_) => ErrorKind::NotImplemented,
            Self::FeatureDenied(_) => ErrorKind::FeatureDenied,
            Self::InvalidCredentials(_) | Self::LoginRefused(_) | Self::LoopbackOnly(_) => ErrorKind::LoginRefused,
            Self::InvalidValue(_) | Self::InvalidPattern { .. } | Self::UndeclarableInDefinitions { .. } => {
                ErrorKind::InvalidValue
            }
            Self::InDefinitions { error, .. } => match error.kind() {
                kind @ (ErrorKind::Unavailable | ErrorKind::Internal) => kind,
                _ => ErrorKind::InvalidValue,
            },
            Self::Unavailable(_) => ErrorKind::Unavailable,
            Self::Internal(_) => ErrorKind::Internal,
        }
    }
}

impl From<crate::storage::StorageError> for Error {
    fn from(error: crate::storage::StorageError) -> Self {
        Self::Unavailable(error.to_string())
    }
}
