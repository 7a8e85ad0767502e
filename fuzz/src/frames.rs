//! Frames: bytes mean the same whether they come at once or in pieces; methods and content are read without a panic.

use broker::amqp091::content::{self, Gathering};
use broker::amqp091::frame;
use broker::amqp091::method::Method;
use bytes::Bytes;

use crate::grammar;
use crate::random::Random;

/// The limit that frames are cut by.
const FRAME_MAX: u32 = 4096;

/// One execution.
///
/// # Panics
/// When a rule does not hold.
pub fn run(seed: u64) {
    let random = &mut Random::new(seed);
    let mut bytes = Vec::new();
    for _ in 0..=random.below(4) {
        if random.once_in(2) {
            let channel = random.below(3) as u16;
            grammar::publish(random, &mut bytes, channel);
        } else {
            let payload = grammar::method(random);
            frame::write(&mut bytes, frame::METHOD, 1, |out| out.extend(payload));
        }
    }
    if !random.once_in(4) {
        random.damage(&mut bytes);
    }
    let whole = read_all(&bytes);
    let pieces = read_in_pieces(random, &bytes);
    assert_eq!(whole, pieces, "frames do not depend on how their bytes come");
    if let Ok(len) = frame::complete_len(&bytes, FRAME_MAX) {
        let frames: usize = whole.0.iter().map(|frame| frame.len() + 8).sum();
        assert_eq!(len, frames, "whole frames are counted as they are read");
        read_contents(&bytes[..len]);
    }
}

/// Payloads of the frames, and whether they end in a violation.
type Frames = (Vec<Vec<u8>>, bool);

fn read_all(bytes: &[u8]) -> Frames {
    let (mut frames, mut rest) = (Vec::new(), bytes);
    loop {
        match frame::read(rest, FRAME_MAX) {
            Ok(Some(found)) => {
                frames.push(found.payload.to_vec());
                rest = &rest[found.payload.len() + 8..];
            }
            Ok(None) => return (frames, false),
            Err(_violation) => return (frames, true),
        }
    }
}

fn read_in_pieces(random: &mut Random, bytes: &[u8]) -> Frames {
    let (mut frames, mut input, mut at) = (Vec::new(), Vec::new(), 0);
    while at < bytes.len() {
        let end = (at + 1 + random.below(64)).min(bytes.len());
        input.extend_from_slice(&bytes[at..end]);
        at = end;
        match frame::complete_len(&input, FRAME_MAX) {
            Ok(len) => {
                let (found, violated) = read_all(&input[..len]);
                assert!(!violated, "frames that are complete can be read");
                frames.extend(found);
                input.drain(..len);
            }
            Err(_violation) => return (frames, true),
        }
    }
    // What came whole before a bad frame is served first; the bad frame shows next time.
    let violated = frame::complete_len(&input, FRAME_MAX).is_err();
    (frames, violated)
}

/// Reads every method of whole frames, and contents both ways: in place and frame by frame.
fn read_contents(bytes: &[u8]) {
    let chunk = Bytes::copy_from_slice(bytes);
    let mut at = 0;
    while let Ok(Some(found)) = frame::read(&bytes[at..], FRAME_MAX) {
        let next = at + found.payload.len() + 8;
        if found.kind == frame::METHOD
            && let Ok(Method::BasicPublish { exchange, routing_key, mandatory, immediate, .. }) =
                Method::decode(found.payload)
        {
            let in_place = content::publish_in_place(bytes, at).map(|place| (place.next(), place.take(&chunk)));
            let gathered = gather(&bytes[next..], found.channel, exchange, routing_key, (mandatory, immediate));
            if let (Some((_, Ok(in_place))), Some(gathered)) = (in_place, gathered) {
                assert_eq!(in_place.message.body(), gathered.message.body(), "both ways read the same body");
                assert_eq!(in_place.message.properties(), gathered.message.properties());
                assert_eq!(in_place.message.routing_key(), gathered.message.routing_key());
                assert_eq!(in_place.mandatory, gathered.mandatory);
            }
        }
        at = next;
    }
}

fn gather(
    mut bytes: &[u8],
    channel: u16,
    exchange: &str,
    routing_key: &str,
    (mandatory, immediate): (bool, bool),
) -> Option<content::Publish> {
    let mut gathering = Gathering::new(exchange, routing_key, mandatory, immediate);
    while let Ok(Some(found)) = frame::read(bytes, FRAME_MAX) {
        bytes = &bytes[found.payload.len() + 8..];
        if found.channel != channel {
            continue;
        }
        match gathering.take(found.kind, found.payload) {
            Ok(true) => return gathering.finish(),
            Ok(false) => {}
            Err(_violation) => return None,
        }
    }
    None
}
