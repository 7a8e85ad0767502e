//! The stored form of a recent history: `history/<vhost>/<exchange>`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};

use super::key::{self, kind};
use super::{damaged, erase, read, write};
use crate::domain::message::Message;
use crate::domain::name::{ExchangeName, NAME_BYTES_MAX, VhostName};
use crate::error::Error;
use crate::storage::{Entry, StorageError, Write};

/// One message; bytes are in base64.
#[derive(Serialize, Deserialize)]
struct Body {
    exchange: String,
    routing_key: String,
    properties: String,
    body: String,
    persistent: bool,
}

/// What the keys of a vhost's histories start with.
pub(crate) fn prefix(vhost: &VhostName) -> String {
    key::prefix(kind::HISTORY, [vhost.as_str()])
}

/// Stores a history, oldest message first.
///
/// # Errors
/// [`Error::Internal`] when it cannot be encoded.
pub(crate) fn put(vhost: &VhostName, exchange: &ExchangeName, messages: &[Message]) -> Result<Write, Error> {
    let body = |message: &Message| Body {
        exchange: message.exchange().to_owned(),
        routing_key: message.routing_key().to_owned(),
        properties: STANDARD_NO_PAD.encode(message.properties()),
        body: STANDARD_NO_PAD.encode(message.body()),
        persistent: message.is_persistent(),
    };
    write(history_key(vhost, exchange), &messages.iter().map(body).collect::<Vec<_>>())
}

/// Forgets a history.
pub(crate) fn delete(vhost: &VhostName, exchange: &ExchangeName) -> Write {
    erase(history_key(vhost, exchange))
}

/// The history an entry holds, with its vhost and exchange.
///
/// # Errors
/// [`StorageError::Damaged`] naming the key.
pub(crate) fn decode(entry: &Entry) -> Result<(VhostName, ExchangeName, Vec<Message>), StorageError> {
    let [vhost, name] =
        key::parts(&entry.key, kind::HISTORY).ok_or_else(|| damaged(entry, "not the key of a history"))?;
    let mut messages = Vec::new();
    for Body { exchange, routing_key, properties, body, persistent } in read::<Vec<Body>>(entry)? {
        let bytes = |text: &str| STANDARD_NO_PAD.decode(text).map_err(|error| damaged(entry, error));
        if exchange.len().max(routing_key.len()) > NAME_BYTES_MAX {
            return Err(damaged(entry, "a name is too long"));
        }
        messages.push(Message::build(&exchange, &routing_key, &bytes(&properties)?, &bytes(&body)?, persistent));
    }
    let name = ExchangeName::new(name).map_err(|error| damaged(entry, error))?;
    Ok((VhostName::new(vhost).map_err(|error| damaged(entry, error))?, name, messages))
}

fn history_key(vhost: &VhostName, exchange: &ExchangeName) -> String {
    key::key(kind::HISTORY, [vhost.as_str(), exchange.as_str()])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::stored;
    use super::*;

    proptest! {
        #[test]
        fn a_history_comes_back_as_it_was(
            vhost in ".{0,8}",
            name in ".{0,20}",
            messages in proptest::collection::vec(
                (".{0,9}", ".{0,9}", proptest::collection::vec(any::<u8>(), 0..20), any::<bool>()), 0..5),
        ) {
            let (vhost, name) = (VhostName::new(vhost).unwrap(), ExchangeName::new(name).unwrap());
            let messages: Vec<_> = messages
                .iter()
                .map(|(exchange, key, body, persistent)| Message::build(exchange, key, &[0, 0], body, *persistent))
                .collect();
            let entry = stored(put(&vhost, &name, &messages).unwrap());
            prop_assert_eq!(&delete(&vhost, &name).key, &entry.key);
            prop_assert!(entry.key.starts_with(&prefix(&vhost)));
            let (back_vhost, back_name, back) = decode(&entry).unwrap();
            prop_assert_eq!((back_vhost, back_name), (vhost, name));
            let parts = |message: &Message| (message.buffer().clone(), message.layout(), message.is_persistent());
            prop_assert_eq!(back.iter().map(parts).collect::<Vec<_>>(), messages.iter().map(parts).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_damaged_history_is_refused() {
        let (vhost, name) = (VhostName::new("/").unwrap(), ExchangeName::new("x").unwrap());
        let message = Message::build("x", "k", &[0, 0], b"body", false);
        let mut entry = stored(put(&vhost, &name, &[message]).unwrap());
        let text = String::from_utf8(entry.value.to_vec()).unwrap().replace("\"Ym9keQ\"", "\"*\"");
        entry.value = text.into_bytes().into();
        assert!(decode(&entry).unwrap_err().to_string().contains("history/%2F/x"));
    }
}
