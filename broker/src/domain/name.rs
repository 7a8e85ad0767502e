//! Validated names of everything a client can address.
//!
//! A name is cheap to clone (a shared string), compares by content and knows no
//! resource behind it. AMQP carries names as short strings, so 255 bytes is the
//! limit of every name a client can send (AMQP 0-9-1, 4.2.5.3).

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// Longest name of an exchange, queue or routing key, in bytes (a short string).
pub const NAME_BYTES_MAX: usize = 255;

/// The name is longer than [`NAME_BYTES_MAX`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} name is {bytes} bytes long, the limit is {NAME_BYTES_MAX}")]
pub struct NameTooLong {
    /// What was being named.
    pub kind: &'static str,
    /// Its length in bytes.
    pub bytes: usize,
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $max:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Checks the length and takes the name.
            ///
            /// # Errors
            /// [`NameTooLong`] when a client could not have sent it.
            pub fn new(name: impl AsRef<str>) -> Result<Self, NameTooLong> {
                let name = name.as_ref();
                match $max {
                    Some(max) if name.len() > max => Err(NameTooLong { kind: $kind, bytes: name.len() }),
                    _ => Ok(Self(Arc::from(name))),
                }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $type {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $type {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }
    };
}

name!(
    /// Name of a virtual host. The reference sets no limit over HTTP, so neither do we.
    VhostName, "virtual host", None::<usize>
);
name!(
    /// Name of a user. The reference sets no limit over HTTP, so neither do we.
    UserName, "user", None::<usize>
);
name!(
    /// Name of an exchange; the empty name is the default exchange.
    ExchangeName, "exchange", Some(NAME_BYTES_MAX)
);
name!(
    /// Name of a queue.
    QueueName, "queue", Some(NAME_BYTES_MAX)
);

/// Prefix of names only the broker may give.
pub const RESERVED_PREFIX: &str = "amq.";

impl ExchangeName {
    /// The name of the default exchange.
    #[must_use]
    pub fn default_exchange() -> Self {
        Self(Arc::from(""))
    }

    /// Whether this is the nameless default exchange.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the name carries the reserved prefix.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with(RESERVED_PREFIX)
    }

    /// The name permission patterns are matched against: the default exchange
    /// is checked as `amq.default`.
    #[must_use]
    pub fn permission_name(&self) -> &str {
        if self.is_default() { "amq.default" } else { &self.0 }
    }
}

impl QueueName {
    /// Whether the name carries the reserved prefix.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with(RESERVED_PREFIX)
    }
}

/// Drops the CR and LF the reference strips from queue and exchange names on
/// declare, bind and delete.
#[must_use]
pub fn strip_line_breaks(name: &str) -> std::borrow::Cow<'_, str> {
    if name.contains(['\r', '\n']) {
        std::borrow::Cow::Owned(name.replace(['\r', '\n'], ""))
    } else {
        std::borrow::Cow::Borrowed(name)
    }
}
