//! The bytes a connection reads: one buffer after the other, and the ones nobody looks into
//! any more used again.
//!
//! A chunk of frames leaves as a shared slice of its buffer, and messages keep it alive. A
//! busy connection remembers the buffers it gave away; most come back within a few reads,
//! and reading into one of those spares the allocator and the kernel fresh pages.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Buffer of a quiet connection.
const READ_BYTES_MIN: usize = 4 << 10;
/// Buffer of a busy one; also about what one pass handles.
const READ_BYTES_MAX: usize = 128 << 10;
/// Buffers remembered.
const GIVEN_AWAY_MAX: usize = 8;

/// The input of a connection.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) bytes: BytesMut,
    /// What one read asks for.
    read_bytes: usize,
    /// Chunks of full-sized buffers, oldest first.
    given_away: VecDeque<Bytes>,
    /// Whether a full-sized buffer was used since [`Self::cool_down`].
    busy: bool,
}

impl Input {
    /// Starts with what the handshake read too far.
    pub(super) fn new(bytes: BytesMut) -> Self {
        Self { bytes, read_bytes: READ_BYTES_MIN, given_away: VecDeque::new(), busy: false }
    }

    /// Makes room for a read.
    pub(super) fn make_room(&mut self) {
        if self.read_bytes < READ_BYTES_MAX {
            self.bytes.reserve(self.read_bytes);
            return;
        }
        self.busy = true;
        if self.bytes.capacity() - self.bytes.len() >= self.read_bytes {
            return;
        }
        // What is left of the old buffer belongs to the frame that is still arriving.
        let wanted = self.bytes.len() + self.read_bytes;
        let mut next = self.unused(wanted).unwrap_or_else(|| BytesMut::with_capacity(wanted));
        next.extend_from_slice(&self.bytes);
        self.bytes = next;
    }

    /// A buffer given away that nobody looks into any more.
    fn unused(&mut self, wanted: usize) -> Option<BytesMut> {
        let at = self.given_away.iter().position(Bytes::is_unique)?;
        let mut buffer = self.given_away.remove(at)?.try_into_mut().ok()?;
        buffer.clear();
        (buffer.capacity() >= wanted).then_some(buffer)
    }

    /// What one read asks for, and about the size of the buffer a chunk keeps alive.
    pub(super) fn read_bytes(&self) -> usize {
        self.read_bytes
    }

    /// Takes `len` bytes off the front.
    pub(super) fn take(&mut self, len: usize) -> Bytes {
        let chunk = self.bytes.split_to(len).freeze();
        if self.read_bytes == READ_BYTES_MAX {
            if self.given_away.len() == GIVEN_AWAY_MAX {
                self.given_away.pop_front();
            }
            self.given_away.push_back(chunk.clone());
        }
        chunk
    }

    /// Follows the flow: a full read asks for a larger one, a small one gives memory back.
    pub(super) fn account_read(&mut self, count: usize) {
        if count >= self.read_bytes {
            self.read_bytes = (self.read_bytes * 4).min(READ_BYTES_MAX);
        } else if count < self.read_bytes / 16 {
            self.read_bytes = (self.read_bytes / 2).max(READ_BYTES_MIN);
            self.given_away.clear();
        }
    }

    /// Whether it holds more than a quiet connection should.
    pub(super) fn is_warm(&self) -> bool {
        self.read_bytes == READ_BYTES_MAX
    }

    /// Gives memory back when nothing was read into a full-sized buffer since the last call.
    pub(super) fn cool_down(&mut self) {
        if std::mem::take(&mut self.busy) {
            return;
        }
        self.given_away.clear();
        self.read_bytes = READ_BYTES_MIN;
        let mut small = BytesMut::with_capacity(self.bytes.len().max(READ_BYTES_MIN));
        small.extend_from_slice(&self.bytes);
        self.bytes = small;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `count` bytes and takes them as one chunk.
    fn read(input: &mut Input, count: usize) -> Bytes {
        input.make_room();
        assert!(input.bytes.capacity() - input.bytes.len() >= count.min(input.read_bytes));
        input.bytes.resize(input.bytes.len() + count, 7);
        input.account_read(count);
        input.take(count)
    }

    fn busy() -> Input {
        let mut input = Input::new(BytesMut::new());
        while !input.is_warm() {
            read(&mut input, READ_BYTES_MAX);
        }
        input
    }

    #[test]
    fn a_buffer_nobody_looks_into_is_used_again_and_one_in_use_is_not() {
        let mut input = busy();
        let kept = read(&mut input, READ_BYTES_MAX);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let chunk = read(&mut input, READ_BYTES_MAX);
            assert_ne!(chunk.as_ptr(), kept.as_ptr());
            seen.insert(chunk.as_ptr() as usize);
        }
        assert!(seen.len() <= GIVEN_AWAY_MAX, "{} buffers", seen.len());
        assert!(kept.iter().all(|&byte| byte == 7));
    }

    #[test]
    fn the_start_of_a_frame_moves_on_to_the_next_buffer() {
        let mut input = busy();
        input.make_room();
        input.bytes.extend_from_slice(b"start of a frame");
        input.bytes.resize(READ_BYTES_MAX / 2, 0);
        input.make_room();
        assert!(input.bytes.starts_with(b"start of a frame"));
        assert_eq!(input.bytes.len(), READ_BYTES_MAX / 2);
    }

    #[test]
    fn a_connection_that_falls_silent_gives_its_buffers_back() {
        let mut input = busy();
        read(&mut input, READ_BYTES_MAX);
        input.make_room();
        input.bytes.extend_from_slice(b"part");
        input.cool_down();
        assert!(input.is_warm(), "it was busy since the last look");
        input.cool_down();
        assert!(!input.is_warm() && input.given_away.is_empty());
        assert_eq!(&input.bytes[..], b"part");
        assert!(input.bytes.capacity() <= READ_BYTES_MIN);
    }
}
