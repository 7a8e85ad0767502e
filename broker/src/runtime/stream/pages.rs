//! Messages of a stream in memory: the newest, as they were appended, and pages that were read.
//!
//! ```text
//!   page     page  page              tail
//! ──────────────────────────────────────── offsets ─▶
//! ```
//! All readers share them, so many readers near the same place cost one read. Nobody holds on
//! to them: a page that was not used for longest goes when there is too much, and a reader
//! that comes back late reads it again.

use std::collections::VecDeque;

use crate::domain::message::Message;

/// What a message takes besides its buffer, in bytes, estimated.
const MESSAGE_OVERHEAD_BYTES: usize = 96;

/// Consecutive messages that were read together.
#[derive(Debug)]
pub(super) struct Page {
    first: u64,
    /// Behind the last offset it speaks of.
    end: u64,
    /// Those of the offsets `first..end` that there are.
    messages: Vec<(u64, Message)>,
    bytes: usize,
}

impl Page {
    /// The messages there are of the offsets `first..end`, in order.
    pub(super) fn new(first: u64, end: u64, messages: Vec<(u64, Message)>) -> Self {
        let bytes = messages.iter().map(|(_, message)| bytes_of(message)).sum();
        Self { first, end, messages, bytes }
    }
}

/// How a walk over messages ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Walked {
    /// It was told to stop.
    Stopped,
    /// There is nothing more.
    AtEnd,
    /// What comes next is not in memory.
    Missing,
}

/// The messages of a stream that are in memory.
#[derive(Debug, Default)]
pub(super) struct Pages {
    /// The one used last at the end.
    pages: VecDeque<Page>,
    pages_bytes: usize,
    /// The newest messages, without gaps up to the end of the stream.
    tail: VecDeque<Message>,
    tail_first: u64,
    tail_bytes: usize,
}

impl Pages {
    /// Of a stream that goes on with `next`.
    pub(super) fn new(next: u64) -> Self {
        Self { tail_first: next, ..Self::default() }
    }

    /// A message was appended.
    pub(super) fn push(&mut self, message: Message) {
        self.tail_bytes += bytes_of(&message);
        self.tail.push_back(message);
    }

    /// A message was appended that nobody is going to read soon.
    pub(super) fn skip(&mut self) {
        self.tail_first += 1 + self.tail.len() as u64;
        self.tail.clear();
        self.tail_bytes = 0;
    }

    /// Keeps so many bytes of the tail, and as many of pages.
    pub(super) fn shrink(&mut self, bytes_max: usize) {
        while self.tail_bytes > bytes_max
            && let Some(message) = self.tail.pop_front()
        {
            self.tail_first += 1;
            self.tail_bytes -= bytes_of(&message);
        }
        // The page used last stays: somebody waits for it.
        while self.pages_bytes > bytes_max && self.pages.len() > 1 {
            if let Some(page) = self.pages.pop_front() {
                self.pages_bytes -= page.bytes;
            }
        }
    }

    /// Nobody reads any more.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.tail_first + self.tail.len() as u64);
    }

    /// A page was read.
    pub(super) fn insert(&mut self, page: Page) {
        self.pages_bytes += page.bytes;
        self.pages.push_back(page);
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.tail_bytes + self.pages_bytes
    }

    /// Messages in the tail.
    pub(super) fn tail_len(&self) -> u64 {
        self.tail.len() as u64
    }

    /// What is missing from `from` on: the last offset to read up to, `end` being behind the
    /// last one there is. `None`: nothing.
    pub(super) fn missing(&self, from: u64, end: u64) -> Option<u64> {
        let end = end.min(self.tail_first);
        if from >= end || self.position_of(from).is_some() {
            return None;
        }
        let next = self.pages.iter().map(|page| page.first).filter(|first| *first > from).min();
        Some(next.unwrap_or(end).min(end) - 1)
    }

    /// Where the page with that offset ends.
    pub(super) fn end_of(&self, offset: u64) -> Option<u64> {
        self.position_of(offset).map(|at| self.pages[at].end)
    }

    fn position_of(&self, offset: u64) -> Option<usize> {
        self.pages.iter().rposition(|page| (page.first..page.end).contains(&offset))
    }

    /// Shows messages from `from` on and before `end`, in order, moving `from` along, until
    /// `visit` declines one.
    pub(super) fn walk(&mut self, from: &mut u64, end: u64, mut visit: impl FnMut(u64, &Message) -> bool) -> Walked {
        while *from < end {
            if *from >= self.tail_first {
                let (start, stop) = ((*from - self.tail_first) as usize, (end - self.tail_first) as usize);
                for message in self.tail.range(start.min(self.tail.len())..stop.min(self.tail.len())) {
                    if !visit(*from, message) {
                        return Walked::Stopped;
                    }
                    *from += 1;
                }
                return Walked::AtEnd;
            }
            let Some(at) = self.position_of(*from) else { return Walked::Missing };
            // The page used last goes last.
            if at + 1 < self.pages.len()
                && let Some(page) = self.pages.remove(at)
            {
                self.pages.push_back(page);
            }
            let Some(page) = self.pages.back() else { return Walked::Missing };
            let start = page.messages.partition_point(|(offset, _)| offset < from);
            for (offset, message) in &page.messages[start..] {
                if *offset >= end {
                    return Walked::AtEnd;
                }
                *from = *offset;
                if !visit(*offset, message) {
                    return Walked::Stopped;
                }
                *from += 1;
            }
            *from = page.end;
        }
        Walked::AtEnd
    }
}

fn bytes_of(message: &Message) -> usize {
    message.buffer().len() + MESSAGE_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(offset: u64) -> Message {
        Message::build("", "s", &[0, 0], offset.to_string().as_bytes(), true)
    }

    fn page(first: u64, end: u64, gaps: &[u64]) -> Page {
        let there = (first..end).filter(|offset| !gaps.contains(offset));
        Page::new(first, end, there.map(|offset| (offset, message(offset))).collect())
    }

    fn walk(pages: &mut Pages, mut from: u64, end: u64, stop_at: u64) -> (Vec<u64>, u64, Walked) {
        let mut seen = Vec::new();
        let walked = pages.walk(&mut from, end, |offset, message| {
            assert_eq!(message.body(), offset.to_string().as_bytes());
            if offset == stop_at {
                return false;
            }
            seen.push(offset);
            true
        });
        (seen, from, walked)
    }

    /// Pages of 0..3 and 5..8 and a tail of 10..13, of a stream that ends at 13.
    fn pages() -> Pages {
        let mut pages = Pages::new(10);
        (10..13).for_each(|offset| pages.push(message(offset)));
        pages.insert(page(5, 8, &[6]));
        pages.insert(page(0, 3, &[]));
        pages
    }

    #[test]
    fn a_walk_goes_as_far_as_there_is_something_in_memory() {
        for (from, end, stop_at, expected) in [
            (0, 13, 99, (vec![0, 1, 2], 3, Walked::Missing)),
            (1, 2, 99, (vec![1], 2, Walked::AtEnd)),
            (1, 13, 2, (vec![1], 2, Walked::Stopped)),
            (5, 13, 99, (vec![5, 7], 8, Walked::Missing)),
            (6, 13, 7, (vec![], 7, Walked::Stopped)),
            (10, 13, 99, (vec![10, 11, 12], 13, Walked::AtEnd)),
            (11, 12, 99, (vec![11], 12, Walked::AtEnd)),
            (13, 13, 99, (vec![], 13, Walked::AtEnd)),
            (20, 13, 99, (vec![], 20, Walked::AtEnd)),
        ] {
            assert_eq!(walk(&mut pages(), from, end, stop_at), expected, "{from}..{end}");
        }
    }

    #[test]
    fn what_is_missing_ends_where_something_is() {
        for (from, end, expected) in [
            (0, 13, None),
            (3, 13, Some(4)),
            (4, 13, Some(4)),
            (8, 13, Some(9)),
            (8, 9, Some(8)),
            (10, 13, None),
            (9, 9, None),
        ] {
            assert_eq!(pages().missing(from, end), expected, "{from}..{end}");
        }
        assert_eq!((pages().end_of(1), pages().end_of(4)), (Some(3), None));
    }

    #[test]
    fn too_much_is_let_go_of_oldest_first() {
        let mut pages = pages();
        let one = bytes_of(&message(1));
        walk(&mut pages, 5, 8, 99);
        pages.shrink(2 * one + 2);
        assert_eq!((pages.end_of(0), pages.end_of(5)), (None, Some(8)), "the page used last stays");
        assert_eq!((pages.tail_first, pages.tail_len()), (11, 2));
        pages.shrink(0);
        assert_eq!((pages.end_of(5), pages.tail_first, pages.tail_bytes), (Some(8), 13, 0));
        pages.push(message(13));
        pages.skip();
        assert_eq!((pages.tail_first, pages.tail_len(), pages.tail_bytes), (15, 0, 0));
        pages.clear();
        assert_eq!((pages.bytes(), pages.tail_first), (0, 15));
    }
}
