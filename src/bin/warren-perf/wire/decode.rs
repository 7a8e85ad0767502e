//! Reads frames in place from one buffer that is filled by the socket and never reallocated after the tuning.
//!
//! Every length is checked against what was agreed before it is believed.

use super::{FRAME_END, FRAME_OVERHEAD_BYTES, MethodId, frame_type};

/// What arrived does not follow the protocol.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Malformed {
    /// The octet after a payload is not the end marker.
    #[error("a frame of {size} bytes does not end with 0xCE but with {found:#04x}")]
    FrameEnd { size: usize, found: u8 },
    /// A frame is larger than agreed.
    #[error("a frame of {size} bytes is larger than the {max} bytes agreed on")]
    FrameSize { size: usize, max: usize },
    /// A frame type the protocol does not have.
    #[error("unknown frame type {0}")]
    FrameType(u8),
    /// A payload ends before its last value.
    #[error("a frame ends in the middle of its arguments")]
    Short,
}

/// One frame whose payload still lies in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The channel it belongs to; 0 is the connection.
    pub channel: u16,
    /// What it carries.
    pub incoming: Incoming<'a>,
}

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A method and its arguments.
    Method(MethodId, Args<'a>),
    /// A content header; of its properties only the size matters here.
    Header { body_bytes: u64 },
    /// A part of a body.
    Body(&'a [u8]),
    /// A sign of life.
    Heartbeat,
}

/// The arguments of a method, read from the left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Args<'a>(&'a [u8]);

impl<'a> Args<'a> {
    /// Arguments that start at the first octet of `bytes`.
    #[allow(dead_code, reason = "the client of the tests, which shares this file, uses it")]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(*head)
    }

    /// One octet.
    pub fn octet(&mut self) -> Result<u8, Malformed> {
        Ok(self.take::<1>()?[0])
    }

    /// Two octets.
    pub fn short(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.take()?))
    }

    /// Four octets.
    pub fn long(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.take()?))
    }

    /// Eight octets.
    pub fn long_long(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_be_bytes(self.take()?))
    }

    /// What has not been read, as octets.
    #[allow(dead_code, reason = "the client of the tests, which shares this file, uses it")]
    pub fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// A short string as octets.
    pub fn short_string(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::from(self.octet()?);
        let (head, rest) = self.0.split_at_checked(length).ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(head)
    }
}

/// The incoming side of a connection: octets from the socket in, frames out.
#[derive(Debug)]
pub struct FrameBuffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
    frame_max: usize,
}

impl FrameBuffer {
    /// A buffer of `capacity` octets (at least two frames) for frames of up to `frame_max` octets.
    pub fn new(capacity: usize, frame_max: usize) -> Self {
        let bytes = vec![0; capacity.max(2 * frame_max)].into_boxed_slice();
        Self { bytes, start: 0, end: 0, frame_max }
    }

    /// The free room, never empty while the frames that are whole have been taken out. Tell what arrived with `filled`.
    pub fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        } else if self.bytes.len() - self.end < self.frame_max {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        &mut self.bytes[self.end..]
    }

    /// `count` octets were written at the start of the room.
    pub fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
    }

    /// The next whole frame, or `None` until more octets arrive.
    #[inline]
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Malformed> {
        let unread = &self.bytes[self.start..self.end];
        let Some((head, rest)) = unread.split_first_chunk::<7>() else { return Ok(None) };
        let channel = u16::from_be_bytes([head[1], head[2]]);
        let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
        if size > self.frame_max - FRAME_OVERHEAD_BYTES {
            return Err(Malformed::FrameSize { size: size.saturating_add(FRAME_OVERHEAD_BYTES), max: self.frame_max });
        }
        let Some(&marker) = rest.get(size) else { return Ok(None) };
        if marker != FRAME_END {
            return Err(Malformed::FrameEnd { size, found: marker });
        }
        let payload = &rest[..size];
        let incoming = match head[0] {
            frame_type::METHOD => {
                let mut args = Args(payload);
                let id = (args.short()?, args.short()?);
                Incoming::Method(id, args)
            }
            frame_type::HEADER => {
                let mut args = Args(payload);
                args.long()?;
                Incoming::Header { body_bytes: args.long_long()? }
            }
            frame_type::BODY => Incoming::Body(payload),
            frame_type::HEARTBEAT => Incoming::Heartbeat,
            other => return Err(Malformed::FrameType(other)),
        };
        self.start += size + FRAME_OVERHEAD_BYTES;
        Ok(Some(Frame { channel, incoming }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Encode, encode::Properties, method};
    use super::*;

    fn filled(bytes: &[u8]) -> FrameBuffer {
        let mut buffer = FrameBuffer::new(256, 64);
        buffer.room()[..bytes.len()].copy_from_slice(bytes);
        buffer.filled(bytes.len());
        buffer
    }

    #[test]
    fn what_was_built_is_read_back_at_every_split() {
        let mut bytes = Vec::new();
        bytes.put_method(7, method::BASIC_ACK, |args| args.extend_from_slice(&9_u64.to_be_bytes()));
        bytes.put_header(7, 3, &Properties::default());
        bytes.put_body(7, b"xyz", 64);
        for split in 0..=bytes.len() {
            let mut buffer = FrameBuffer::new(256, 64);
            let mut seen = Vec::new();
            for part in [&bytes[..split], &bytes[split..]] {
                buffer.room()[..part.len()].copy_from_slice(part);
                buffer.filled(part.len());
                while let Some(frame) = buffer.next_frame().unwrap() {
                    assert_eq!(frame.channel, 7);
                    seen.push(match frame.incoming {
                        Incoming::Method(id, mut args) => format!("{id:?} {}", args.long_long().unwrap()),
                        Incoming::Header { body_bytes } => format!("header {body_bytes}"),
                        Incoming::Body(body) => format!("body {body:?}"),
                        Incoming::Heartbeat => "heartbeat".into(),
                    });
                }
            }
            assert_eq!(seen, ["(60, 80) 9", "header 3", "body [120, 121, 122]"], "split at {split}");
        }
    }

    #[test]
    fn the_buffer_moves_a_partial_frame_to_the_front_and_goes_on() {
        let mut frame = Vec::new();
        frame.put_body(1, &[5; 40], 64);
        let mut buffer = FrameBuffer::new(128, 64);
        let mut stream = frame.iter().copied().cycle();
        let mut count = 0;
        // Octets come in pieces that never line up with the frames.
        for _ in 0..500 {
            let room = buffer.room();
            assert!(!room.is_empty());
            let piece = room.len().min(37);
            room[..piece].fill_with(|| stream.next().unwrap());
            buffer.filled(piece);
            while let Some(frame) = buffer.next_frame().unwrap() {
                assert_eq!(frame.incoming, Incoming::Body(&[5; 40]));
                count += 1;
            }
        }
        assert_eq!(count, 500 * 37 / 48);
    }

    #[test]
    fn bad_frames_are_refused_and_not_believed() {
        let check = |bytes: &[u8], expected: Malformed| {
            assert_eq!(filled(bytes).next_frame(), Err(expected));
        };
        check(b"\x08\x00\x00\x00\x00\x00\x00\xcd", Malformed::FrameEnd { size: 0, found: 0xcd });
        check(b"\x08\x00\x00\xff\xff\xff\xff", Malformed::FrameSize { size: 0xffff_ffff + 8, max: 64 });
        check(b"\x09\x00\x00\x00\x00\x00\x00\xce", Malformed::FrameType(9));
        check(b"\x01\x00\x00\x00\x00\x00\x02\x00\x01\xce", Malformed::Short);
        check(b"\x02\x00\x01\x00\x00\x00\x02\x00\x3c\xce", Malformed::Short);
        assert_eq!(Args::new(b"\x05abc").short_string(), Err(Malformed::Short));
    }
}
