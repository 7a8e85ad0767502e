//! Finds out whether each queue delivered every message once and in order.
//!
//! Each consumer notes what it sees per sender (`Stream`): one consumer of a queue sees the sequences rise by one, several
//! see them rise with gaps that the others fill. At the end the notes of a queue's consumers are laid over each other
//! (`verdict`). Costs one bit per message once a gap was seen, and nothing before. Knows nothing of the wire.

/// The furthest a sequence may jump ahead before its message counts as damaged (and the bits it would cost as too many).
const JUMP_MAX: u64 = 1 << 26;

/// Which sequences were seen: a solid start, and bits once there was a gap.
#[derive(Debug, Default, Clone)]
struct Seen {
    /// Everything below was seen; only counted up while `words` is empty.
    solid: u64,
    /// Bits of the sequences from `first_word * 64` on.
    words: Vec<u64>,
    first_word: u64,
}

impl Seen {
    /// Notes a sequence; `false` when it had been seen.
    fn insert(&mut self, sequence: u64) -> bool {
        if self.words.is_empty() {
            if sequence == self.solid {
                self.solid += 1;
                return true;
            }
            if sequence < self.solid {
                return false;
            }
            self.first_word = self.solid / 64;
            self.words.push((1 << (self.solid % 64)) - 1);
        }
        let Some(index) = (sequence / 64).checked_sub(self.first_word) else { return false };
        let index = index as usize;
        if index >= self.words.len() {
            self.words.resize(index + 1, 0);
        }
        let bit = 1 << (sequence % 64);
        let new = self.words[index] & bit == 0;
        self.words[index] |= bit;
        new
    }

    fn word(&self, index: u64) -> u64 {
        if self.words.is_empty() {
            return low_bits(self.solid.saturating_sub(index * 64));
        }
        match index.checked_sub(self.first_word) {
            None => u64::MAX,
            Some(offset) => self.words.get(offset as usize).copied().unwrap_or(0),
        }
    }

    fn word_count(&self) -> u64 {
        if self.words.is_empty() { self.solid.div_ceil(64) } else { self.first_word + self.words.len() as u64 }
    }
}

/// The lowest `count` bits (all when 64 or more).
fn low_bits(count: u64) -> u64 {
    if count >= 64 { u64::MAX } else { (1 << count) - 1 }
}

/// How often something went wrong, and where first.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// How often.
    pub count: u64,
    /// The sequence it was first seen at.
    pub first: u64,
}

impl Fault {
    fn note(&mut self, sequence: u64, times: u64) {
        if times > 0 {
            self.first = if self.count == 0 { sequence } else { self.first.min(sequence) };
            self.count += times;
        }
    }

    fn describe(&self, what: &str, queue: &str, sender: u32) -> Option<String> {
        (self.count > 0).then(|| {
            format!("queue {queue}, publisher {sender}: {} {what}, first at sequence {}", self.count, self.first)
        })
    }
}

/// What one consumer saw of one sender in one queue.
#[derive(Debug, Default, Clone)]
pub struct Stream {
    seen: Seen,
    next: u64,
    duplicate: Fault,
    out_of_order: Fault,
    damaged: Fault,
}

impl Stream {
    /// Notes one message.
    #[inline]
    pub fn note(&mut self, sequence: u64) {
        if sequence > self.next.saturating_add(JUMP_MAX) {
            self.damaged.note(sequence, 1);
            return;
        }
        if !self.seen.insert(sequence) {
            self.duplicate.note(sequence, 1);
        } else if sequence < self.next {
            self.out_of_order.note(sequence, 1);
        }
        self.next = self.next.max(sequence + 1);
    }

    /// One past the highest sequence seen.
    pub fn next(&self) -> u64 {
        self.next
    }
}

/// The streams of one queue as one consumer saw them, found by sender.
#[derive(Debug, Default, Clone)]
pub struct QueueView {
    streams: Vec<(u32, Stream)>,
    last: usize,
    /// Messages too small to carry a sequence.
    pub unmarked: u64,
    /// Messages from before this run.
    pub stale: u64,
}

impl QueueView {
    /// The stream of a sender, made when it is new.
    #[inline]
    pub fn stream(&mut self, sender: u32) -> &mut Stream {
        if self.streams.get(self.last).is_none_or(|(known, _)| *known != sender) {
            self.last = match self.streams.binary_search_by_key(&sender, |(known, _)| *known) {
                Ok(at) => at,
                Err(at) => {
                    self.streams.insert(at, (sender, Stream::default()));
                    at
                }
            };
        }
        &mut self.streams[self.last].1
    }

    /// The senders it knows.
    pub fn senders(&self) -> impl Iterator<Item = u32> + '_ {
        self.streams.iter().map(|(sender, _)| *sender)
    }

    fn find(&self, sender: u32) -> Option<&Stream> {
        let at = self.streams.binary_search_by_key(&sender, |(known, _)| *known).ok()?;
        Some(&self.streams[at].1)
    }
}

/// Judges one sender's messages in one queue: `views` are what each consumer of the queue saw, `expected` how many there
/// should be (`None`: as many as the highest sequence says). Returns what is wrong, one line each.
pub fn verdict(queue: &str, sender: u32, views: &[&QueueView], expected: Option<u64>) -> Vec<String> {
    let streams: Vec<&Stream> = views.iter().filter_map(|view| view.find(sender)).collect();
    let expected = expected.unwrap_or_else(|| streams.iter().map(|stream| stream.next()).max().unwrap_or(0));
    let (mut missing, mut duplicate, mut surplus) = (Fault::default(), Fault::default(), Fault::default());
    let (mut out_of_order, mut damaged) = (Fault::default(), Fault::default());
    for stream in &streams {
        duplicate.note(stream.duplicate.first, stream.duplicate.count);
        out_of_order.note(stream.out_of_order.first, stream.out_of_order.count);
        damaged.note(stream.damaged.first, stream.damaged.count);
    }
    let words = streams.iter().map(|stream| stream.seen.word_count()).max().unwrap_or(0).max(expected.div_ceil(64));
    for index in 0..words {
        let wanted = low_bits(expected.saturating_sub(index * 64));
        let mut union = 0;
        for word in streams.iter().map(|stream| stream.seen.word(index)) {
            let twice = union & word;
            duplicate.note(index * 64 + u64::from(twice.trailing_zeros()), u64::from(twice.count_ones()));
            union |= word;
        }
        let lost = wanted & !union;
        missing.note(index * 64 + u64::from(lost.trailing_zeros()), u64::from(lost.count_ones()));
        let beyond = union & !wanted;
        surplus.note(index * 64 + u64::from(beyond.trailing_zeros()), u64::from(beyond.count_ones()));
    }
    [
        (missing, "messages missing"),
        (duplicate, "messages delivered twice"),
        (out_of_order, "messages out of order"),
        (surplus, "messages nobody sent"),
        (damaged, "messages with an impossible sequence"),
    ]
    .iter()
    .filter_map(|(fault, what)| fault.describe(what, queue, sender))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(sequences: impl IntoIterator<Item = u64>) -> QueueView {
        let mut view = QueueView::default();
        for sequence in sequences {
            view.stream(3).note(sequence);
        }
        view
    }

    /// Lays the consumers' views over each other and compares what is said to be wrong, without the common start.
    fn check(consumers: &[&[u64]], expected: u64, wrong: &[&str]) {
        let views: Vec<QueueView> = consumers.iter().map(|seen| view(seen.iter().copied())).collect();
        let said = verdict("q", 3, &views.iter().collect::<Vec<_>>(), Some(expected));
        let wrong: Vec<String> = wrong.iter().map(|w| format!("queue q, publisher 3: {w}")).collect();
        assert_eq!(said, wrong, "{consumers:?}");
    }

    #[test]
    fn one_consumer_must_see_each_sequence_once_and_rising() {
        check(&[&[0, 1, 2, 3]], 4, &[]);
        check(&[&[]], 0, &[]);
        check(&[&[0, 1, 3]], 4, &["1 messages missing, first at sequence 2"]);
        check(&[&[0, 1]], 4, &["2 messages missing, first at sequence 2"]);
        check(&[&[]], 2, &["2 messages missing, first at sequence 0"]);
        check(&[&[0, 1, 1, 2, 3]], 4, &["1 messages delivered twice, first at sequence 1"]);
        check(&[&[0, 2, 1, 3]], 4, &["1 messages out of order, first at sequence 1"]);
        check(&[&[0, 1, 2, 3, 4]], 4, &["1 messages nobody sent, first at sequence 4"]);
        check(&[&[0, 1, 2, 3, 0]], 4, &["1 messages delivered twice, first at sequence 0"]);
        check(&[&[0, 1 << 30, 1]], 2, &["1 messages with an impossible sequence, first at sequence 1073741824"]);
    }

    #[test]
    fn several_consumers_must_fill_each_others_gaps() {
        check(&[&[0, 2, 4], &[1, 3, 5]], 6, &[]);
        check(&[&[0, 1, 2], &[3, 4]], 5, &[]);
        check(&[&[3, 4], &[], &[0, 1, 2]], 5, &[]);
        check(&[&[0, 2, 4], &[1, 5]], 6, &["1 messages missing, first at sequence 3"]);
        check(&[&[0, 2, 3], &[1, 3]], 4, &["1 messages delivered twice, first at sequence 3"]);
        check(&[&[2, 0], &[1]], 3, &["1 messages out of order, first at sequence 0"]);
    }

    #[test]
    fn long_streams_with_gaps_agree_with_a_plain_set() {
        // Two consumers, 10,000 messages dealt by a fixed pattern; one is kept back, one dealt to both.
        let first = |n: u64| n * n % 7 < 3;
        let kept_back = 4_321;
        let to_both = (9_000..).find(|n| first(*n)).unwrap();
        let one = view((0..10_000).filter(|n| first(*n) && *n != kept_back));
        let two = view((0..10_000).filter(|n| (!first(*n) || *n == to_both) && *n != kept_back));
        let said = verdict("q", 3, &[&one, &two], Some(10_000));
        let twice = format!("queue q, publisher 3: 1 messages delivered twice, first at sequence {to_both}");
        assert_eq!(said, ["queue q, publisher 3: 1 messages missing, first at sequence 4321", &twice]);
    }

    #[test]
    fn senders_are_told_apart_and_an_unknown_total_is_taken_from_the_highest() {
        let mut view = QueueView::default();
        for (sender, sequence) in [(9, 0), (2, 0), (9, 1), (2, 2)] {
            view.stream(sender).note(sequence);
        }
        assert_eq!(view.senders().collect::<Vec<_>>(), [2, 9]);
        assert!(verdict("q", 9, &[&view], None).is_empty());
        assert_eq!(verdict("q", 2, &[&view], None), ["queue q, publisher 2: 1 messages missing, first at sequence 1"]);
    }
}
