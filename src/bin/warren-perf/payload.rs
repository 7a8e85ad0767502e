//! What the tool writes at the start of each body, so that the receiving end can tell lost, doubled, reordered and late
//! messages apart:
//!
//! ```text
//! 0        3             8                16
//! +--------+-------------+----------------+------
//! | sender | sequence    | sent, ns       | zeros
//! +--------+-------------+----------------+------
//!   24 bit   40 bit        64 bit            all big-endian
//! ```
//!
//! A body of 8 to 15 octets has no time in it, a smaller one nothing: then only the count can be checked.

/// Octets that carry sender and sequence.
pub const ORDER_BYTES: usize = 8;
/// Octets that carry the time as well.
pub const STAMP_BYTES: usize = 16;
/// The largest number of senders that can be told apart.
pub const SENDERS_MAX: u32 = 1 << 24;

/// What a body says about its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Which publisher.
    pub sender: u32,
    /// Its how-manieth message to this destination, from 0.
    pub sequence: u64,
    /// When it was sent, if the body has room for that.
    pub sent_ns: Option<u64>,
}

impl Mark {
    /// Writes as much of the mark as fits at the start of `body`.
    #[inline]
    pub fn write(sender: u32, sequence: u64, sent_ns: u64, body: &mut [u8]) {
        let order = (u64::from(sender) << 40) | (sequence & ((1 << 40) - 1));
        if let Some(field) = body.get_mut(..ORDER_BYTES) {
            field.copy_from_slice(&order.to_be_bytes());
        }
        if let Some(field) = body.get_mut(ORDER_BYTES..STAMP_BYTES) {
            field.copy_from_slice(&sent_ns.to_be_bytes());
        }
    }

    /// Reads the mark at the start of `body`, the first frame of a message; `None` when it is too small for one.
    #[inline]
    pub fn read(body: &[u8]) -> Option<Self> {
        let (order, rest) = body.split_first_chunk::<ORDER_BYTES>()?;
        let order = u64::from_be_bytes(*order);
        let sent_ns = rest.first_chunk::<8>().map(|stamp| u64::from_be_bytes(*stamp));
        Some(Self { sender: (order >> 40) as u32, sequence: order & ((1 << 40) - 1), sent_ns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_comes_back_as_far_as_the_body_has_room() {
        let check = |size: usize, expected: Option<Mark>| {
            let mut body = vec![0; size];
            Mark::write(SENDERS_MAX - 1, (1 << 40) - 1, 77, &mut body);
            assert_eq!(Mark::read(&body), expected, "{size} bytes");
        };
        let mark = Mark { sender: SENDERS_MAX - 1, sequence: (1 << 40) - 1, sent_ns: None };
        check(0, None);
        check(7, None);
        check(8, Some(mark));
        check(15, Some(mark));
        check(16, Some(Mark { sent_ns: Some(77), ..mark }));
        check(1024, Some(Mark { sent_ns: Some(77), ..mark }));
    }
}
