//! Recent history: a fanout that keeps its last messages for whoever is bound later.
//!
//! How many is the exchange's to say, and a message can ask not to be kept. Who holds the
//! histories of living exchanges, this file does not know.

use std::collections::VecDeque;

use crate::domain::message::Message;
use crate::domain::term::Term;
use crate::domain::value::{FieldTable, FieldValue};
use crate::error::Error;

/// Exchange argument: how many messages are kept.
pub const HISTORY_LENGTH: &str = "x-recent-history-length";
/// Header: true keeps a message out of the history.
pub const NO_STORE: &str = "x-recent-history-no-store";
/// Messages kept when the exchange does not say.
const LENGTH_DEFAULT: usize = 20;
/// Bytes of messages kept at most; a single larger one is kept alone.
pub const HISTORY_BYTES_MAX: usize = 16 << 20;

/// How many messages an exchange with these arguments keeps.
///
/// # Errors
/// [`Error::InvalidArgument`] with the reference's sentence.
pub fn length(arguments: &FieldTable) -> Result<usize, Error> {
    let Some(value) = arguments.get(HISTORY_LENGTH) else { return Ok(LENGTH_DEFAULT) };
    let length = match value {
        FieldValue::I8(_) | FieldValue::I16(_) | FieldValue::I32(_) | FieldValue::I64(_) => value.as_i64(),
        _ => None,
    };
    length.filter(|length| *length > 0).and_then(|length| usize::try_from(length).ok()).ok_or_else(|| {
        Error::InvalidArgument(format!(
            "Invalid argument {}, '{HISTORY_LENGTH}' must be a positive integer",
            Term(value)
        ))
    })
}

/// Whether a message with these headers is kept.
#[must_use]
pub fn is_kept(headers: &FieldTable) -> bool {
    headers.get(NO_STORE) != Some(&FieldValue::Boolean(true))
}

/// The last messages of one exchange.
#[derive(Debug, Clone, Default)]
pub struct History {
    messages: VecDeque<Message>,
    bytes: usize,
}

impl History {
    /// Keeps one more message, and of all at most `length` and [`HISTORY_BYTES_MAX`].
    pub fn push(&mut self, message: Message, length: usize) {
        self.bytes += message.buffer().len();
        self.messages.push_back(message);
        while self.messages.len() > length.max(1) || (self.bytes > HISTORY_BYTES_MAX && self.messages.len() > 1) {
            let Some(oldest) = self.messages.pop_front() else { return };
            self.bytes -= oldest.buffer().len();
        }
    }

    /// The messages, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn arguments(value: FieldValue) -> FieldTable {
        [(HISTORY_LENGTH.to_owned(), value)].into_iter().collect()
    }

    #[test]
    fn the_length_is_a_positive_integer() {
        assert_eq!(length(&FieldTable::new()), Ok(20));
        assert_eq!(length(&arguments(FieldValue::I32(3))), Ok(3));
        for (value, shown) in [
            (FieldValue::I32(0), "0"),
            (FieldValue::I64(-1), "-1"),
            (FieldValue::text("5"), "<<\"5\">>"),
            (FieldValue::U8(5), "5"),
        ] {
            let refusal = length(&arguments(value)).unwrap_err().to_string();
            assert_eq!(
                refusal,
                format!("Invalid argument {shown}, 'x-recent-history-length' must be a positive integer")
            );
        }
    }

    #[test]
    fn a_message_can_ask_not_to_be_kept() {
        let headers = |value| [(NO_STORE.to_owned(), value)].into_iter().collect::<FieldTable>();
        assert!(is_kept(&FieldTable::new()) && is_kept(&headers(FieldValue::Boolean(false))));
        assert!(is_kept(&headers(FieldValue::text("true"))));
        assert!(!is_kept(&headers(FieldValue::Boolean(true))));
    }

    #[test]
    fn bytes_are_bounded_but_for_a_single_message() {
        let mut history = History::default();
        let large = Message::build("x", "k", &[0, 0], &vec![0; HISTORY_BYTES_MAX / 2], false);
        (0..3).for_each(|_| history.push(large.clone(), 10));
        assert_eq!(history.iter().count(), 1, "two of them and their names are too much");
        history.push(Message::build("x", "k", &[0, 0], &vec![1; HISTORY_BYTES_MAX + 1], false), 10);
        assert_eq!(history.iter().map(Message::body_len).collect::<Vec<_>>(), [HISTORY_BYTES_MAX as u32 + 1]);
    }

    proptest! {
        #[test]
        fn the_last_ones_are_kept_in_order(count in 0usize..40, length in 1usize..12) {
            let mut history = History::default();
            for number in 0..count {
                history.push(Message::build("x", &number.to_string(), &[0, 0], b"", false), length);
            }
            let kept: Vec<_> = history.iter().map(|message| message.routing_key().to_owned()).collect();
            let expected: Vec<_> = (count.saturating_sub(length)..count).map(|number| number.to_string()).collect();
            prop_assert_eq!(kept, expected);
        }
    }
}
