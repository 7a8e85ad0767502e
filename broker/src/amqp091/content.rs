//! From `basic.publish`, content header and bodies to a message.
//!
//! Nearly always the three frames lie one behind the other in what one read brought:
//! then the message is a slice of it. Otherwise the parts are gathered.

use bytes::Bytes;

use super::frame::{self, BODY, HEADER, METHOD};
use super::method::BASIC_PUBLISH;
use super::reply::{ReplyCode, Violation};
use crate::domain::message::{Message, MessageLayout};
use crate::domain::properties::check;

/// Largest body any content header may announce: beyond it the connection ends.
pub const BODY_BYTES_HARD_MAX: u64 = 512 << 20;

/// A publish with its content.
#[derive(Debug, Clone)]
pub struct Publish {
    /// The message.
    pub message: Message,
    /// Return it when no queue takes it.
    pub mandatory: bool,
    /// Not offered: the caller refuses it.
    pub immediate: bool,
}

/// A publish found whole in a chunk of frames: where its parts lie. Nothing is taken yet, so
/// looking at names and properties costs no reference to the chunk.
#[derive(Debug, Clone, Copy)]
pub struct InPlace {
    start: usize,
    layout: MessageLayout,
    flags: u8,
    next: usize,
}

impl InPlace {
    /// Exchange and routing key as two short strings, not checked.
    #[must_use]
    pub fn names<'a>(&self, chunk: &'a [u8]) -> &'a [u8] {
        &chunk[self.start..self.start + usize::from(self.layout.names_end)]
    }

    /// Property flags and list, not checked.
    #[must_use]
    pub fn properties<'a>(&self, chunk: &'a [u8]) -> &'a [u8] {
        let start = self.start + usize::from(self.layout.properties_start);
        &chunk[start..start + self.layout.properties_len as usize]
    }

    /// Length of the body in bytes.
    #[must_use]
    pub fn body_len(&self) -> u32 {
        self.layout.body_len
    }

    /// Where the next frame starts.
    #[must_use]
    pub fn next(&self) -> usize {
        self.next
    }

    /// Neither mandatory nor immediate.
    #[must_use]
    pub fn is_ordinary(&self) -> bool {
        self.flags & 0b11 == 0
    }

    /// Checks names and properties, and takes the publish.
    ///
    /// # Errors
    /// 501 for names that are not UTF-8 and properties that cannot be read.
    pub fn take(&self, chunk: &Bytes) -> Result<Publish, Violation> {
        let names = self.names(chunk);
        let (exchange, key) = names[1..].split_at(usize::from(names[0]));
        if std::str::from_utf8(exchange).is_err() || std::str::from_utf8(&key[1..]).is_err() {
            return Err(crate::domain::wire::Malformed::Utf8.into());
        }
        let persistent = check(self.properties(chunk))?.persistent;
        let message = self.take_known(chunk, persistent);
        Ok(Publish { message, mandatory: self.flags & 1 != 0, immediate: self.flags & 2 != 0 })
    }

    /// Takes the message of a publish whose names and properties equal some that were checked.
    #[must_use]
    pub fn take_known(&self, chunk: &Bytes, persistent: bool) -> Message {
        let end = self.start + self.layout.body_start as usize + self.layout.body_len as usize;
        Message::from_parts(chunk.slice(self.start..end), self.layout, persistent)
    }
}

/// Finds a whole publish at `at` in `chunk` if its frames lie there one behind the other;
/// `None`: gather it frame by frame.
#[must_use]
pub fn publish_in_place(chunk: &[u8], at: usize) -> Option<InPlace> {
    let bytes = &chunk[at..];
    // Frames in `chunk` are complete and checked: only their order is open.
    let method = frame_at(bytes, 0)?;
    if method.kind != METHOD || !method.payload(bytes).starts_with(&BASIC_PUBLISH) {
        return None;
    }
    let header = frame_at(bytes, method.end)?;
    if header.kind != HEADER || header.channel != method.channel || header.size < 14 {
        return None;
    }
    let head = header.payload(bytes).first_chunk::<12>()?;
    if head[..2] != [0, 60] {
        return None;
    }
    let body_len = u64::from_be_bytes([head[4], head[5], head[6], head[7], head[8], head[9], head[10], head[11]]);
    let (body_start, end) = if body_len == 0 {
        (header.end, header.end)
    } else {
        let body = frame_at(bytes, header.end)?;
        if body.kind != BODY || body.channel != method.channel || body.size as u64 != body_len {
            return None;
        }
        (body.start, body.end)
    };
    let names_start = method.start + 6;
    let (names_len, flags) = names(bytes.get(names_start..method.start + method.size)?)?;
    let layout = MessageLayout {
        names_end: names_len,
        properties_start: u16::try_from(header.start + 12 - names_start).ok()?,
        properties_len: (header.size - 12) as u32,
        body_start: (body_start - names_start) as u32,
        body_len: body_len as u32,
    };
    Some(InPlace { start: at + names_start, layout, flags, next: at + end })
}

struct At {
    kind: u8,
    channel: u16,
    start: usize,
    size: usize,
    end: usize,
}

impl At {
    fn payload<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.start..self.start + self.size]
    }
}

fn frame_at(bytes: &[u8], at: usize) -> Option<At> {
    let head = bytes.get(at..)?.first_chunk::<{ frame::HEAD_BYTES }>()?;
    let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
    let start = at + frame::HEAD_BYTES;
    let end = start + size + 1;
    (end <= bytes.len()).then(|| At {
        kind: head[0],
        channel: u16::from_be_bytes([head[1], head[2]]),
        start,
        size,
        end,
    })
}

/// Length of the two short strings, and the bits behind them.
fn names(bytes: &[u8]) -> Option<(u16, u8)> {
    let key_at = 1 + usize::from(*bytes.first()?);
    let end = key_at + 1 + usize::from(*bytes.get(key_at)?);
    Some((end as u16, *bytes.get(end)?))
}

/// A publish whose content is still arriving. It grows with what has arrived, whatever was
/// announced, and in the layout of a message, so the whole one is not copied again.
#[derive(Debug)]
pub struct Gathering {
    /// Names, then properties, then the body as far as it is here.
    buffer: Vec<u8>,
    names_end: u16,
    mandatory: bool,
    immediate: bool,
    header: Option<Header>,
}

#[derive(Debug)]
struct Header {
    persistent: bool,
    body_start: usize,
    body_len: u64,
}

/// Room taken at first for an announced body, and the least it grows by.
const BODY_GROWTH_BYTES_MIN: usize = 64 << 10;

impl Gathering {
    /// 505: another frame came where the next part of the content belongs.
    #[must_use]
    pub fn interrupted(&self) -> Violation {
        let text = match self.header {
            None => "expected content header for class 60, got non content header frame instead",
            Some(_) => "expected content body, got non content body frame instead",
        };
        Violation::connection(ReplyCode::UnexpectedFrame, text)
    }

    /// After the method frame.
    ///
    /// # Panics
    /// When a name is longer than 255 bytes, which a short string cannot be.
    #[must_use]
    pub fn new(exchange: &str, routing_key: &str, mandatory: bool, immediate: bool) -> Self {
        assert!(exchange.len() <= 255 && routing_key.len() <= 255, "names are short strings");
        let mut buffer = Vec::new();
        for name in [exchange, routing_key] {
            buffer.push(name.len() as u8);
            buffer.extend_from_slice(name.as_bytes());
        }
        Self { names_end: buffer.len() as u16, buffer, mandatory, immediate, header: None }
    }

    /// Takes a frame of the channel; true when the content is whole.
    ///
    /// # Errors
    /// 505 for a frame out of order, 501 for bad sizes.
    pub fn take(&mut self, kind: u8, payload: &[u8]) -> Result<bool, Violation> {
        match (&mut self.header, kind) {
            (None, HEADER) => {
                let (header, properties) = read_header(payload)?;
                self.buffer.extend_from_slice(properties);
                let header = Header { body_start: self.buffer.len(), ..header };
                let whole = header.body_len == 0;
                self.header = Some(header);
                Ok(whole)
            }
            (None, _) => Err(self.interrupted()),
            (Some(header), BODY) => {
                let arrived = self.buffer.len() - header.body_start;
                let missing = header.body_len - arrived as u64;
                if payload.len() as u64 > missing {
                    return Err(Violation::connection(
                        ReplyCode::FrameError,
                        "content body frame exceeds remaining content size",
                    ));
                }
                if self.buffer.capacity() - self.buffer.len() < payload.len() {
                    // Doubles what is here, but never beyond what was announced.
                    let growth = payload.len().max(arrived).max(BODY_GROWTH_BYTES_MIN);
                    self.buffer.reserve_exact(growth.min(missing as usize));
                }
                self.buffer.extend_from_slice(payload);
                Ok(payload.len() as u64 == missing)
            }
            (Some(_), _) => Err(self.interrupted()),
        }
    }

    /// Announced length of the body, once the header has arrived.
    #[must_use]
    pub fn body_len(&self) -> Option<u64> {
        self.header.as_ref().map(|header| header.body_len)
    }

    /// The publish, when [`Self::take`] said it is whole.
    #[must_use]
    pub fn finish(self) -> Option<Publish> {
        let header = self.header?;
        let layout = MessageLayout {
            names_end: self.names_end,
            properties_start: self.names_end,
            properties_len: (header.body_start - usize::from(self.names_end)) as u32,
            body_start: header.body_start as u32,
            body_len: (self.buffer.len() - header.body_start) as u32,
        };
        let message = Message::from_parts(Bytes::from(self.buffer), layout, header.persistent);
        Some(Publish { message, mandatory: self.mandatory, immediate: self.immediate })
    }
}

/// A content header and its properties; where the body starts is not known yet.
fn read_header(payload: &[u8]) -> Result<(Header, &[u8]), Violation> {
    let Some((head, properties)) = payload.split_first_chunk::<12>() else {
        return Err(Violation::connection(ReplyCode::FrameError, "content header frame is too short"));
    };
    let class = u16::from_be_bytes([head[0], head[1]]);
    if class != 60 {
        return Err(Violation::connection(
            ReplyCode::UnexpectedFrame,
            format!("expected content header for class 60, got one for class {class} instead"),
        ));
    }
    let body_len = u64::from_be_bytes([head[4], head[5], head[6], head[7], head[8], head[9], head[10], head[11]]);
    if body_len > BODY_BYTES_HARD_MAX {
        return Err(Violation::connection(
            ReplyCode::FrameError,
            format!("content body size {body_len} exceeds maximum allowed size {BODY_BYTES_HARD_MAX}"),
        ));
    }
    let persistent = check(properties)?.persistent;
    Ok((Header { persistent, body_start: 0, body_len }, properties))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish_frames(body: &[u8], body_frames: usize) -> Vec<u8> {
        let mut out = Vec::new();
        frame::write(&mut out, METHOD, 5, |out| {
            out.extend_from_slice(&BASIC_PUBLISH);
            out.extend_from_slice(&[0, 0, 2, b'e', b'x', 3, b'k', b'e', b'y', 1]);
        });
        frame::write(&mut out, HEADER, 5, |out| {
            out.extend_from_slice(&[0, 60, 0, 0]);
            out.extend_from_slice(&(body.len() as u64).to_be_bytes());
            out.extend_from_slice(&[0x10, 0x00, 2]);
        });
        for chunk in body.chunks(body.len().div_ceil(body_frames).max(1)) {
            frame::write(&mut out, BODY, 5, |out| out.extend_from_slice(chunk));
        }
        out
    }

    fn check(message: &Message, body: &[u8]) {
        assert_eq!((message.exchange(), message.routing_key(), message.body()), ("ex", "key", body));
        assert_eq!(message.properties(), [0x10, 0x00, 2]);
        assert!(message.is_persistent());
    }

    #[test]
    fn contiguous_frames_are_taken_in_place() {
        for body in [&b""[..], b"hello"] {
            let mut bytes = vec![0; 3];
            bytes.extend(publish_frames(body, 1));
            bytes.extend_from_slice(&[8, 0, 0]);
            let end = bytes.len() - 3;
            let chunk = Bytes::from(bytes);
            let found = publish_in_place(&chunk, 3).unwrap();
            let publish = found.take(&chunk).unwrap();
            assert_eq!((found.next(), publish.mandatory, publish.immediate), (end, true, false));
            assert_eq!((found.names(&chunk), found.properties(&chunk)), (&b"\x02ex\x03key"[..], &[0x10, 0, 2][..]));
            check(&publish.message, body);
        }
    }

    #[test]
    fn split_bodies_are_gathered() {
        let chunk = Bytes::from(publish_frames(b"hello world", 3));
        assert!(publish_in_place(&chunk, 0).is_none());
        let mut gathering = Gathering::new("ex", "key", true, false);
        let mut at = frame::read(&chunk, 4096).unwrap().unwrap().payload.len() + frame::OVERHEAD_BYTES;
        let mut whole = false;
        while at < chunk.len() {
            assert!(!whole);
            let frame = frame::read(&chunk[at..], 4096).unwrap().unwrap();
            whole = gathering.take(frame.kind, frame.payload).unwrap();
            at += frame.payload.len() + frame::OVERHEAD_BYTES;
        }
        assert!(whole);
        check(&gathering.finish().unwrap().message, b"hello world");
    }

    #[test]
    fn an_announced_body_takes_room_as_it_arrives() {
        let announced = BODY_BYTES_HARD_MAX;
        let mut header = vec![0, 60, 0, 0];
        header.extend_from_slice(&announced.to_be_bytes());
        header.extend_from_slice(&[0, 0]);
        let mut gathering = Gathering::new("", "q", false, false);
        assert!(!gathering.take(HEADER, &header).unwrap());
        assert!(gathering.buffer.capacity() < 1024);
        let payload = [7; 4088];
        for frame in 1..=1000 {
            assert!(!gathering.take(BODY, &payload).unwrap());
            let arrived = frame * payload.len();
            assert!(gathering.buffer.capacity() <= 2 * arrived + BODY_GROWTH_BYTES_MIN, "after {arrived} bytes");
        }
        assert_eq!(gathering.body_len(), Some(announced));
    }

    #[test]
    fn a_large_body_is_gathered_without_room_to_spare_or_a_second_copy() {
        let frames = 300;
        let payload: Vec<u8> = (0..1000).map(|byte| byte as u8).collect();
        let mut header = vec![0, 60, 0, 0];
        header.extend_from_slice(&(frames as u64 * 1000).to_be_bytes());
        header.extend_from_slice(&[0x10, 0, 2]);
        let mut gathering = Gathering::new("ex", "key", false, false);
        gathering.take(HEADER, &header).unwrap();
        for frame in 1..=frames {
            assert_eq!(gathering.take(BODY, &payload).unwrap(), frame == frames);
        }
        assert_eq!(gathering.buffer.capacity(), gathering.buffer.len());
        let at = gathering.buffer.as_ptr();
        let message = gathering.finish().unwrap().message;
        assert_eq!(message.buffer().as_ptr(), at);
        check(&message, &payload.repeat(frames));
    }

    #[test]
    fn frames_out_of_order_and_long_bodies_are_refused() {
        let mut gathering = Gathering::new("", "q", false, false);
        assert_eq!(gathering.take(BODY, b"x").unwrap_err().code, ReplyCode::UnexpectedFrame);
        assert!(!gathering.take(HEADER, &[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0]).unwrap());
        assert_eq!(gathering.take(BODY, b"xy").unwrap_err().code, ReplyCode::FrameError);
    }
}
