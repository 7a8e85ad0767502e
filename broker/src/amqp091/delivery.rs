//! Messages on their way to a client: deliver, get-ok and return, each with its content.
//!
//! Small bodies are copied between their frames' heads and ends. A large one is not: its
//! place among the encoded bytes is noted, and whoever writes them writes it from where it
//! lies. So a message of any size costs the output a few bytes per frame.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};

use super::frame::{self, BODY, END, HEADER, METHOD};
use crate::domain::message::Message;
use crate::domain::stream::annotation::write_with_offset;
use crate::domain::wire::write_short_string;

/// Bodies of at least that length are written from where they lie. Below, the socket takes
/// longer over more pieces than the copy takes.
pub const SHARED_BODY_BYTES_MIN: usize = 8 << 10;

/// Pieces of bodies among encoded bytes, in order.
#[derive(Debug, Default)]
pub struct SharedBodies {
    pieces: VecDeque<Piece>,
    bytes: usize,
}

#[derive(Debug)]
struct Piece {
    /// Stands before that index of the encoded bytes.
    at: usize,
    rest: Bytes,
}

impl SharedBodies {
    /// Bytes in all pieces.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Puts a piece behind `at` encoded bytes. Pieces come in order.
    pub fn push(&mut self, at: usize, piece: Bytes) {
        self.bytes += piece.len();
        self.pieces.push_back(Piece { at, rest: piece });
    }

    /// What is to be written from index `start` of the encoded bytes on, none of it empty.
    pub fn slices<'a>(&'a self, encoded: &'a [u8], start: usize) -> impl Iterator<Item = &'a [u8]> {
        let starts = std::iter::once(start).chain(self.pieces.iter().map(|piece| piece.at));
        let ends = self.pieces.iter().map(|piece| piece.at).chain(std::iter::once(encoded.len()));
        let bodies = self.pieces.iter().map(|piece| &piece.rest[..]).chain(std::iter::once(&[][..]));
        let slices = starts.zip(ends).zip(bodies).flat_map(|((start, end), body)| [&encoded[start..end], body]);
        slices.filter(|slice| !slice.is_empty())
    }

    /// Moves on by `count` written bytes from index `start`; returns the new index.
    pub fn advance(&mut self, mut start: usize, mut count: usize) -> usize {
        while let Some(piece) = self.pieces.front_mut() {
            let before = count.min(piece.at - start);
            start += before;
            count -= before;
            let of_piece = count.min(piece.rest.len());
            piece.rest.advance(of_piece);
            self.bytes -= of_piece;
            count -= of_piece;
            if !piece.rest.is_empty() {
                return start;
            }
            self.pieces.pop_front();
        }
        start + count
    }

    /// The first `count` encoded bytes, all of them written, are no longer there.
    pub fn shift(&mut self, count: usize) {
        self.pieces.iter_mut().for_each(|piece| piece.at -= count);
    }
}

/// Writes messages for one channel.
#[derive(Debug)]
pub struct ContentWriter<'a> {
    /// Encoded bytes.
    pub out: &'a mut Vec<u8>,
    /// Large bodies among them.
    pub bodies: &'a mut SharedBodies,
    /// The channel.
    pub channel: u16,
    /// The negotiated frame limit in bytes.
    pub frame_max: u32,
}

impl ContentWriter<'_> {
    /// `basic.deliver` with its content: the hot path, three copies out of the message.
    pub fn deliver(&mut self, consumer_tag: &str, tag: u64, redelivered: bool, message: &Message) {
        let names = message.names();
        let size = 4 + 1 + consumer_tag.len() + 9 + names.len();
        let [channel_high, channel_low] = self.channel.to_be_bytes();
        let [s0, s1, s2, s3] = (size as u32).to_be_bytes();
        let [t0, t1, t2, t3, t4, t5, t6, t7] = tag.to_be_bytes();
        let out = &mut *self.out;
        out.reserve(size + message.properties().len() + message.body().len().min(SHARED_BODY_BYTES_MIN) + 64);
        let tag_len = consumer_tag.len() as u8;
        out.extend_from_slice(&[METHOD, channel_high, channel_low, s0, s1, s2, s3, 0, 60, 0, 60, tag_len]);
        out.extend_from_slice(consumer_tag.as_bytes());
        out.extend_from_slice(&[t0, t1, t2, t3, t4, t5, t6, t7, u8::from(redelivered)]);
        out.extend_from_slice(names);
        out.push(END);
        self.content(message);
    }

    /// [`Self::deliver`] for a message of a stream, which tells its offset.
    pub fn deliver_at(&mut self, consumer_tag: &str, tag: u64, offset: u64, message: &Message) {
        frame::write(self.out, METHOD, self.channel, |out| {
            out.extend_from_slice(&[0, 60, 0, 60]);
            write_short_string(out, consumer_tag);
            out.extend_from_slice(&tag.to_be_bytes());
            out.push(0);
            out.extend_from_slice(message.names());
        });
        frame::write(self.out, HEADER, self.channel, |out| {
            out.extend_from_slice(&[0, 60, 0, 0]);
            out.extend_from_slice(&u64::from(message.body_len()).to_be_bytes());
            write_with_offset(out, message.properties(), offset);
        });
        self.body(message);
    }

    /// `basic.return` with its content.
    pub fn give_back(&mut self, code: u16, text: &str, message: &Message) {
        frame::write(self.out, METHOD, self.channel, |out| {
            out.extend_from_slice(&[0, 60, 0, 50]);
            out.extend_from_slice(&code.to_be_bytes());
            write_short_string(out, text);
            out.extend_from_slice(message.names());
        });
        self.content(message);
    }

    /// `basic.get-ok` with its content.
    pub fn get_ok(&mut self, tag: u64, redelivered: bool, message: &Message, messages_left: u32) {
        frame::write(self.out, METHOD, self.channel, |out| {
            out.extend_from_slice(&[0, 60, 0, 71]);
            out.extend_from_slice(&tag.to_be_bytes());
            out.push(u8::from(redelivered));
            out.extend_from_slice(message.names());
            out.extend_from_slice(&messages_left.to_be_bytes());
        });
        self.content(message);
    }

    fn content(&mut self, message: &Message) {
        let out = &mut *self.out;
        let body = message.body();
        let [channel_high, channel_low] = self.channel.to_be_bytes();
        let properties = message.properties();
        let [s0, s1, s2, s3] = (12 + properties.len() as u32).to_be_bytes();
        let [b0, b1, b2, b3, b4, b5, b6, b7] = (body.len() as u64).to_be_bytes();
        out.extend_from_slice(&[
            HEADER,
            channel_high,
            channel_low,
            s0,
            s1,
            s2,
            s3,
            0,
            60,
            0,
            0,
            b0,
            b1,
            b2,
            b3,
            b4,
            b5,
            b6,
            b7,
        ]);
        out.extend_from_slice(properties);
        out.push(END);
        self.body(message);
    }

    #[inline]
    fn body(&mut self, message: &Message) {
        let Self { out, bodies, channel, frame_max } = self;
        let body = message.body();
        let [channel_high, channel_low] = channel.to_be_bytes();
        let chunk_max = (*frame_max as usize).saturating_sub(frame::OVERHEAD_BYTES).max(1);
        let mut start = 0;
        for chunk in body.chunks(chunk_max) {
            let [s0, s1, s2, s3] = (chunk.len() as u32).to_be_bytes();
            out.extend_from_slice(&[BODY, channel_high, channel_low, s0, s1, s2, s3]);
            if body.len() < SHARED_BODY_BYTES_MIN {
                out.extend_from_slice(chunk);
            } else {
                bodies.push(out.len(), message.body_part(start, chunk.len()));
                start += chunk.len();
            }
            out.push(END);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encodes deliveries of such bodies, and the bytes a client gets.
    fn deliver(bodies_len: &[usize], frame_max: u32) -> (Vec<u8>, SharedBodies, Vec<u8>) {
        let (mut out, mut bodies, mut expected) = (Vec::new(), SharedBodies::default(), Vec::new());
        for (at, &len) in bodies_len.iter().enumerate() {
            let body: Vec<u8> = (0..len).map(|byte| (byte % 251) as u8).collect();
            let message = Message::build("ex", "key", &[0, 0], &body, false);
            let mut writer = ContentWriter { out: &mut out, bodies: &mut bodies, channel: 5, frame_max };
            writer.deliver("tag", at as u64, at % 2 == 1, &message);
            frame::write(&mut expected, METHOD, 5, |out| {
                out.extend_from_slice(&[0, 60, 0, 60, 3, b't', b'a', b'g']);
                out.extend_from_slice(&(at as u64).to_be_bytes());
                out.push((at % 2) as u8);
                out.extend_from_slice(b"\x02ex\x03key");
            });
            frame::write(&mut expected, HEADER, 5, |out| {
                out.extend_from_slice(&[0, 60, 0, 0]);
                out.extend_from_slice(&(len as u64).to_be_bytes());
                out.extend_from_slice(&[0, 0]);
            });
            for chunk in body.chunks(frame_max as usize - frame::OVERHEAD_BYTES) {
                frame::write(&mut expected, BODY, 5, |out| out.extend_from_slice(chunk));
            }
        }
        (out, bodies, expected)
    }

    const LENGTHS: [usize; 6] = [3, 3 * SHARED_BODY_BYTES_MIN, 0, SHARED_BODY_BYTES_MIN, SHARED_BODY_BYTES_MIN - 1, 1];

    #[test]
    fn large_bodies_are_not_copied_and_stand_where_they_belong() {
        for frame_max in [1024, 4096, 1 << 20] {
            let (out, bodies, expected) = deliver(&LENGTHS, frame_max);
            assert_eq!(bodies.len(), 4 * SHARED_BODY_BYTES_MIN);
            assert_eq!(bodies.slices(&out, 0).flatten().copied().collect::<Vec<u8>>(), expected);
        }
    }

    #[test]
    fn writing_goes_on_where_the_last_write_ended() {
        for step in [1, 7, 1000, 5000, 1 << 20] {
            let (mut out, mut bodies, expected) = deliver(&LENGTHS, 4096);
            let (mut written, mut start) = (Vec::new(), 0);
            while start < out.len() || !bodies.is_empty() {
                let part: Vec<u8> = bodies.slices(&out, start).flatten().copied().take(step).collect();
                start = bodies.advance(start, part.len());
                written.extend_from_slice(&part);
                if written.len() % 3 == 0 {
                    out.drain(..start);
                    bodies.shift(start);
                    start = 0;
                }
            }
            assert!(written == expected, "in steps of {step}");
            assert_eq!(bodies.len(), 0);
        }
    }
}
