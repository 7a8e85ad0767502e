//! What clients send, read from method frames. Text borrows from the frame.

use bytes::Bytes;

use super::reply::{ReplyCode, Violation};
use crate::domain::term::Term;
use crate::domain::value::{FieldTable, FieldValue};
use crate::domain::wire::{Malformed, Reader};

macro_rules! field_type {
    (short) => { &'a str };
    (long) => { &'a [u8] };
    (table) => { FieldTable };
    (u8) => { u8 };
    (u16) => { u16 };
    (u32) => { u32 };
    (u64) => { u64 };
    (bit0) => { bool };
    (bit1) => { bool };
    (bit2) => { bool };
    (bit3) => { bool };
    (bit4) => { bool };
}

// Consecutive bits share an octet: `bit0` reads it, the others look at it.
macro_rules! field_read {
    ($reader:ident, $octet:ident, short) => {
        $reader.short_string()?
    };
    ($reader:ident, $octet:ident, long) => {
        $reader.long_string()?
    };
    ($reader:ident, $octet:ident, table) => {
        $reader.table()?
    };
    ($reader:ident, $octet:ident, u8) => {
        $reader.u8()?
    };
    ($reader:ident, $octet:ident, u16) => {
        $reader.u16()?
    };
    ($reader:ident, $octet:ident, u32) => {
        $reader.u32()?
    };
    ($reader:ident, $octet:ident, u64) => {
        $reader.u64()?
    };
    ($reader:ident, $octet:ident, bit0) => {{
        $octet = $reader.u8()?;
        $octet & 1 != 0
    }};
    ($reader:ident, $octet:ident, bit1) => {
        $octet & 2 != 0
    };
    ($reader:ident, $octet:ident, bit2) => {
        $octet & 4 != 0
    };
    ($reader:ident, $octet:ident, bit3) => {
        $octet & 8 != 0
    };
    ($reader:ident, $octet:ident, bit4) => {
        $octet & 16 != 0
    };
}

macro_rules! methods {
    ($(($class:literal, $method:literal) $name:ident { $($field:ident: $kind:ident),* })*) => {
        /// A method a client may send (AMQP 0-9-1, 1.1, with the extensions of the reference).
        #[derive(Debug, Clone, PartialEq)]
        #[expect(missing_docs, reason = "names and fields are those of the specification")]
        pub enum Method<'a> {
            $($name { $($field: field_type!($kind)),* },)*
        }

        impl<'a> Method<'a> {
            fn decode_fields(class: u16, method: u16, reader: &mut Reader<'a>) -> Result<Option<Self>, Malformed> {
                #[allow(unused_assignments, unused_mut, unused_variables, reason = "few methods have bits")]
                let mut octet = 0u8;
                Ok(Some(match (class, method) {
                    $(($class, $method) => Self::$name { $($field: field_read!(reader, octet, $kind)),* },)*
                    _ => return Ok(None),
                }))
            }

            /// Class and method id.
            #[must_use]
            pub fn ids(&self) -> (u16, u16) {
                match self { $(Self::$name { .. } => ($class, $method),)* }
            }

            /// The method's name, as in the specification but in one word.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name { .. } => stringify!($name),)* }
            }
        }
    };
}

methods! {
    (10, 11) ConnectionStartOk { client_properties: table, mechanism: short, response: long, locale: short }
    (10, 21) ConnectionSecureOk { response: long }
    (10, 31) ConnectionTuneOk { channel_max: u16, frame_max: u32, heartbeat: u16 }
    (10, 40) ConnectionOpen { vhost: short, reserved_1: short, reserved_2: bit0 }
    (10, 50) ConnectionClose { code: u16, text: short, class: u16, method: u16 }
    (10, 51) ConnectionCloseOk {}
    (10, 70) ConnectionUpdateSecret { secret: long, reason: short }
    (20, 10) ChannelOpen { reserved: short }
    (20, 20) ChannelFlow { active: bit0 }
    (20, 21) ChannelFlowOk { active: bit0 }
    (20, 40) ChannelClose { code: u16, text: short, class: u16, method: u16 }
    (20, 41) ChannelCloseOk {}
    (30, 10) AccessRequest { realm: short, exclusive: bit0, passive: bit1, active: bit2, write: bit3, read: bit4 }
    (40, 10) ExchangeDeclare { ticket: u16, exchange: short, kind: short, passive: bit0, durable: bit1, auto_delete: bit2, internal: bit3, nowait: bit4, arguments: table }
    (40, 20) ExchangeDelete { ticket: u16, exchange: short, if_unused: bit0, nowait: bit1 }
    (40, 30) ExchangeBind { ticket: u16, destination: short, source: short, routing_key: short, nowait: bit0, arguments: table }
    (40, 40) ExchangeUnbind { ticket: u16, destination: short, source: short, routing_key: short, nowait: bit0, arguments: table }
    (50, 10) QueueDeclare { ticket: u16, queue: short, passive: bit0, durable: bit1, exclusive: bit2, auto_delete: bit3, nowait: bit4, arguments: table }
    (50, 20) QueueBind { ticket: u16, queue: short, exchange: short, routing_key: short, nowait: bit0, arguments: table }
    (50, 30) QueuePurge { ticket: u16, queue: short, nowait: bit0 }
    (50, 40) QueueDelete { ticket: u16, queue: short, if_unused: bit0, if_empty: bit1, nowait: bit2 }
    (50, 50) QueueUnbind { ticket: u16, queue: short, exchange: short, routing_key: short, arguments: table }
    (60, 10) BasicQos { prefetch_size: u32, prefetch_count: u16, global: bit0 }
    (60, 20) BasicConsume { ticket: u16, queue: short, consumer_tag: short, no_local: bit0, no_ack: bit1, exclusive: bit2, nowait: bit3, arguments: table }
    (60, 30) BasicCancel { consumer_tag: short, nowait: bit0 }
    (60, 31) BasicCancelOk { consumer_tag: short }
    (60, 40) BasicPublish { ticket: u16, exchange: short, routing_key: short, mandatory: bit0, immediate: bit1 }
    (60, 70) BasicGet { ticket: u16, queue: short, no_ack: bit0 }
    (60, 80) BasicAck { delivery_tag: u64, multiple: bit0 }
    (60, 90) BasicReject { delivery_tag: u64, requeue: bit0 }
    (60, 100) BasicRecoverAsync { requeue: bit0 }
    (60, 110) BasicRecover { requeue: bit0 }
    (60, 120) BasicNack { delivery_tag: u64, multiple: bit0, requeue: bit1 }
    (85, 10) ConfirmSelect { nowait: bit0 }
    (90, 10) TxSelect {}
    (90, 20) TxCommit {}
    (90, 30) TxRollback {}
}

/// Bytes of fields that cannot be read that are shown in a refusal.
const SHOWN_BYTES_MAX: usize = 255;

/// Class and method id of `basic.publish`.
pub const BASIC_PUBLISH: [u8; 4] = [0, 60, 0, 40];

impl<'a> Method<'a> {
    /// Reads the payload of a method frame.
    ///
    /// # Errors
    /// 503 for a method that is not known here, 501 for fields that cannot be read.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(payload);
        let (class, method) = (reader.u16()?, reader.u16()?);
        let fields = reader.rest();
        match Self::decode_fields(class, method, &mut reader) {
            Ok(Some(method)) if reader.rest().is_empty() => Ok(method),
            Ok(None) if matches!((class, method), (60, 50 | 60 | 71)) => Err(Violation::connection(
                ReplyCode::UnexpectedFrame,
                "expected content header for class 60, got non content header frame instead",
            )),
            Ok(None) => Err(Violation::connection(ReplyCode::CommandInvalid, "unimplemented method")),
            Err(Malformed::Utf8) => Err(Violation::from(Malformed::Utf8).anonymous()),
            Ok(Some(_)) | Err(_) => {
                // More than a reply text holds would be cut off anyway.
                let shown = &fields[..fields.len().min(SHOWN_BYTES_MAX)];
                let shown = FieldValue::ByteArray(Bytes::copy_from_slice(shown));
                Err(Violation::connection(ReplyCode::FrameError, format!("cannot decode {}", Term(&shown))))
            }
        }
    }

    /// Whether it is a method of class connection that brokers alone send.
    #[must_use]
    pub fn is_of_brokers(ids: (u16, u16)) -> bool {
        matches!(ids, (10, 10 | 20 | 30 | 41 | 60 | 61 | 71))
    }

    /// Ids of the method in a payload, whether it can be read or not.
    #[must_use]
    pub fn ids_of(payload: &[u8]) -> (u16, u16) {
        match payload.first_chunk::<4>() {
            Some(ids) => (u16::from_be_bytes([ids[0], ids[1]]), u16::from_be_bytes([ids[2], ids[3]])),
            None => (0, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_declare_is_read_with_its_bits() {
        let mut payload = vec![0, 50, 0, 10, 0, 0, 1, b'q', 0b01010];
        payload.extend_from_slice(&[0; 4]);
        let Method::QueueDeclare { queue, passive, durable, exclusive, auto_delete, nowait, arguments, .. } =
            Method::decode(&payload).unwrap()
        else {
            panic!("a queue.declare")
        };
        assert_eq!((queue, passive, durable, exclusive, auto_delete, nowait), ("q", false, true, false, true, false));
        assert!(arguments.is_empty());
    }

    #[test]
    fn an_unknown_method_is_503() {
        assert_eq!(Method::decode(&[0, 60, 0, 99]).unwrap_err().code, ReplyCode::CommandInvalid);
    }

    #[test]
    fn fields_that_cannot_be_read_are_shown() {
        for (payload, text, anonymous) in [
            (&[0, 60, 0, 80, 1][..], "cannot decode <<1>>", false),
            (&[0, 90, 0, 10, 0], "cannot decode <<0>>", false),
            (b"\0\x3c\0\x6emore", "cannot decode <<\"more\">>", false),
            (&[0, 50, 0, 10, 0, 0, 1, 0xff, 0, 0, 0, 0, 0], "Malformed UTF-8 in shortstr", true),
        ] {
            let violation = Method::decode(payload).unwrap_err();
            assert_eq!((violation.code, violation.text.as_str()), (ReplyCode::FrameError, text));
            assert_eq!(violation.ids((1, 2)) == (0, 0), anonymous);
        }
        let large = [&[0, 90, 0, 10][..], &[7; 100_000]].concat();
        assert!(Method::decode(&large).unwrap_err().text.len() < 1024);
    }

    proptest! {
        #[test]
        fn arbitrary_payloads_are_refused_or_read(class in prop::sample::select(vec![10u8, 20, 30, 40, 50, 60, 85, 90]), bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let mut payload = vec![0, class];
            payload.extend_from_slice(&bytes);
            let _ = Method::decode(&payload);
        }
    }
}
