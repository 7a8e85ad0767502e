//! What clients say: methods, content and tables, right in form and few in names, so that scripts meet each other.

use broker::amqp091::frame;
use broker::domain::value::{FieldTable, FieldValue};
use broker::domain::wire;
use bytes::Bytes;

use crate::random::Random;

/// Kinds of fields.
#[derive(Debug, Clone, Copy)]
enum Field {
    U16,
    U32,
    U64,
    /// A name of the vocabulary.
    Name,
    Long,
    Table,
    /// That many bits in one octet.
    Bits(u32),
}

use Field::{Bits, Long, Name, Table, U16, U32, U64};

/// Methods of clients on a channel, with their fields.
const METHODS: &[(u16, u16, &[Field])] = &[
    (10, 70, &[Long, Name]),
    (20, 10, &[Name]),
    (20, 20, &[Bits(1)]),
    (20, 40, &[U16, Name, U16, U16]),
    (20, 41, &[]),
    (40, 10, &[U16, Name, Name, Bits(5), Table]),
    (40, 20, &[U16, Name, Bits(2)]),
    (40, 30, &[U16, Name, Name, Name, Bits(1), Table]),
    (40, 40, &[U16, Name, Name, Name, Bits(1), Table]),
    (50, 10, &[U16, Name, Bits(5), Table]),
    (50, 20, &[U16, Name, Name, Name, Bits(1), Table]),
    (50, 30, &[U16, Name, Bits(1)]),
    (50, 40, &[U16, Name, Bits(3)]),
    (50, 50, &[U16, Name, Name, Name, Table]),
    (60, 10, &[U32, U16, Bits(1)]),
    (60, 20, &[U16, Name, Name, Bits(4), Table]),
    (60, 30, &[Name, Bits(1)]),
    (60, 70, &[U16, Name, Bits(1)]),
    (60, 80, &[U64, Bits(1)]),
    (60, 90, &[U64, Bits(1)]),
    (60, 100, &[Bits(1)]),
    (60, 110, &[Bits(1)]),
    (60, 120, &[U64, Bits(2)]),
    (85, 10, &[Bits(1)]),
    (90, 10, &[]),
    (90, 20, &[]),
    (90, 30, &[]),
];

/// Queues, exchanges, types, routing keys and tags in one, so that every name turns up in every place.
const NAMES: &[&str] = &[
    "",
    "q",
    "p",
    "x",
    "y",
    "a.b",
    "a.*",
    "#",
    "t",
    "u",
    "direct",
    "fanout",
    "topic",
    "headers",
    "x-consistent-hash",
    "amq.direct",
    "amq.topic",
    "amq.rabbitmq.reply-to",
    "amq.q",
    "é",
    "a\nb",
];

/// Names of arguments and headers that mean something.
const KEYS: &[&str] = &[
    "x-message-ttl",
    "x-expires",
    "x-max-length",
    "x-max-length-bytes",
    "x-overflow",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-max-priority",
    "x-queue-type",
    "x-single-active-consumer",
    "x-queue-mode",
    "x-delivery-limit",
    "alternate-exchange",
    "x-match",
    "x-priority",
    "x-cancel-on-ha-failover",
    "x-stream-offset",
    "CC",
    "BCC",
    "x-death",
    "x-delay",
    "a",
];

/// Values of arguments that mean something.
const WORDS: &[&str] = &["classic", "quorum", "stream", "drop-head", "reject-publish", "all", "any", "q", "x", "first"];

/// Deepest table made here; what is deeper comes from damage.
const DEPTH_MAX: usize = 4;

/// A field table of at most five fields a level.
pub fn table(random: &mut Random, depth: usize) -> FieldTable {
    let mut table = FieldTable::default();
    for _ in 0..random.below(5) {
        let key = *random.pick(KEYS);
        table.insert(key, value(random, depth));
    }
    table
}

fn value(random: &mut Random, depth: usize) -> FieldValue {
    let number = random.edge_u64();
    match random.below(if depth >= DEPTH_MAX { 13 } else { 15 }) {
        0 => FieldValue::Boolean(number & 1 == 1),
        1 => FieldValue::I8(number as i8),
        2 => FieldValue::U8(number as u8),
        3 => FieldValue::I16(number as i16),
        4 => FieldValue::U16(number as u16),
        5 => FieldValue::I32(number as i32),
        6 => FieldValue::U32(number as u32),
        7 => FieldValue::I64(number as i64),
        8 if number & 1 == 1 => FieldValue::Decimal(number as u8, (number >> 8) as u32),
        8 => FieldValue::F64(f64::from_bits(number)),
        9 => FieldValue::Timestamp(number),
        10 => FieldValue::Void,
        11 => FieldValue::ByteArray(Bytes::from(random.bytes(20))),
        12 => FieldValue::text(random.pick::<&str>(WORDS)),
        13 => FieldValue::Array((0..random.below(4)).map(|_| value(random, depth + 1)).collect()),
        _ => FieldValue::Table(table(random, depth + 1)),
    }
}

/// Small counts that a broker should obey, huge ones that it should refuse.
fn number(random: &mut Random) -> u64 {
    if random.once_in(3) { random.edge_u64() } else { random.below(6) as u64 }
}

fn name(random: &mut Random) -> &'static str {
    random.pick::<&str>(NAMES)
}

/// The payload of a random method.
pub fn method(random: &mut Random) -> Vec<u8> {
    let (class, method, fields) = *random.pick(METHODS);
    let mut out = [class.to_be_bytes(), method.to_be_bytes()].concat();
    for field in fields {
        match field {
            U16 => out.extend((number(random) as u16).to_be_bytes()),
            U32 => out.extend((number(random) as u32).to_be_bytes()),
            U64 => out.extend(number(random).to_be_bytes()),
            Name => wire::write_short_string(&mut out, name(random)),
            Long => wire::write_long_string(&mut out, &random.bytes(30)),
            Table => {
                let table = if random.once_in(2) { FieldTable::default() } else { table(random, 0) };
                wire::write_table(&mut out, &table);
            }
            Bits(count) => out.push(random.below(1 << count) as u8),
        }
    }
    out
}

/// The frames of a publish, its body in up to three frames.
pub fn publish(random: &mut Random, out: &mut Vec<u8>, channel: u16) {
    let len_max = if random.once_in(20) { 9000 } else { 40 };
    let body = random.bytes(len_max);
    frame::write(out, frame::METHOD, channel, |out| {
        out.extend([0, 60, 0, 40, 0, 0]);
        wire::write_short_string(out, name(random));
        wire::write_short_string(out, name(random));
        out.push(random.below(4) as u8);
    });
    let properties = properties(random);
    frame::write(out, frame::HEADER, channel, |out| {
        out.extend([0, 60, 0, 0]);
        out.extend((body.len() as u64).to_be_bytes());
        out.extend(properties);
    });
    let mut rest = &body[..];
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((1 + random.below(4088)).min(rest.len()));
        frame::write(out, frame::BODY, channel, |out| out.extend_from_slice(piece));
        rest = after;
    }
}

/// Properties: headers, delivery mode, priority, reply-to, expiration; each there or not.
pub fn properties(random: &mut Random) -> Vec<u8> {
    let flags = (random.next_u64() as u16) & 0b0011_1011_0000_0000;
    let mut out = flags.to_be_bytes().to_vec();
    if flags & (1 << 13) != 0 {
        wire::write_table(&mut out, &table(random, 0));
    }
    if flags & (1 << 12) != 0 {
        out.push(random.below(3) as u8);
    }
    if flags & (1 << 11) != 0 {
        out.push(random.below(12) as u8);
    }
    if flags & (1 << 9) != 0 {
        wire::write_short_string(&mut out, random.pick::<&str>(&["q", "amq.rabbitmq.reply-to", ""]));
    }
    if flags & (1 << 8) != 0 {
        wire::write_short_string(&mut out, random.pick::<&str>(&["0", "1", "60000", "soon", "-1"]));
    }
    out
}
