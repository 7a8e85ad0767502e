//! Addresses of direct replies: names a reply can be published to through the default
//! exchange, without a queue behind them.
//!
//! ```text
//! amq.rabbitmq.reply-to.<base64 of: 1 u8, connection u64, channel u16>.<base64 of 16 random bytes>
//! ```
//!
//! The first part says who made it, the second cannot be guessed. Who listens behind an
//! address, this file does not know.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::queue::ConnectionId;

/// The name a client consumes from, and puts into `reply_to`, for direct replies.
pub const DIRECT_REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// What every address starts with.
const PREFIX: &str = "amq.rabbitmq.reply-to.";

/// First byte of the first part.
const VERSION: u8 = 1;

/// Random bytes of an address.
pub const KEY_BYTES: usize = 16;

/// Bytes of the first part.
const MAKER_BYTES: usize = 1 + 8 + 2;

/// A new address for a consumer on that channel.
#[must_use]
pub fn address(connection: ConnectionId, channel: u16, key: [u8; KEY_BYTES]) -> String {
    let mut maker = vec![VERSION];
    maker.extend_from_slice(&connection.0.to_be_bytes());
    maker.extend_from_slice(&channel.to_be_bytes());
    format!("{PREFIX}{}.{}", STANDARD.encode(maker), STANDARD.encode(key))
}

/// Whether a name is in the name space of addresses, well-formed or not.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// Whether a name has the form of an address. Somebody may or may not listen there.
#[must_use]
pub fn is_address(name: &str) -> bool {
    let decoded = |part: &str| STANDARD.decode(part).ok();
    name.strip_prefix(PREFIX).and_then(|parts| parts.split_once('.')).is_some_and(|(maker, key)| {
        decoded(maker).is_some_and(|maker| maker.len() == MAKER_BYTES && maker[0] == VERSION)
            && decoded(key).is_some_and(|key| key.len() == KEY_BYTES)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn other_names_are_no_addresses() {
        let good = address(ConnectionId(7), 1, [9; KEY_BYTES]);
        assert!(is_address(&good));
        for bad in ["", DIRECT_REPLY_TO, "amq.rabbitmq.reply-to.", "amq.rabbitmq.reply-to.bogus", &good[1..]] {
            assert!(!is_address(bad), "{bad:?}");
        }
        assert!(!is_reserved(DIRECT_REPLY_TO) && !is_reserved("amq.rabbitmq.reply-tox"));
        assert!(is_reserved("amq.rabbitmq.reply-to.bogus"));
    }

    proptest! {
        #[test]
        fn an_address_is_one_fits_a_short_string_and_breaks_when_cut(
            connection in any::<u64>(), channel in any::<u16>(), key in any::<[u8; KEY_BYTES]>(), cut in 1usize..30,
        ) {
            let address = address(ConnectionId(connection), channel, key);
            prop_assert!(is_address(&address) && is_reserved(&address) && address.len() <= 255);
            prop_assert!(!is_address(&address[..address.len() - cut]));
        }
    }
}
