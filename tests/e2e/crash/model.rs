//! What one queue may hold after a crash, given what its clients sent and what they were told.
//!
//! Moments are ticks of a counter: what has a smaller tick was known to have happened before. A message that was confirmed
//! and that nobody began to remove must be there. One whose removal is known to be on disk must not. All else may be either.
//! Removes are on disk with the next group that is synced, so one is known to be when a publish to the queue was confirmed
//! that began after the confirm of another which began after the removal was known to be done: the first shows that the queue
//! has handed the removal over, the second that a group was synced since.

use std::collections::{HashMap, HashSet};

/// A message: its publisher and its number there.
pub type Id = u64;

/// The id of a publisher's message.
pub fn id(publisher: u64, number: u64) -> Id {
    publisher << 40 | number
}

/// What is known of a message since the last crash, or since before it.
#[derive(Debug, Default, Clone, Copy)]
struct Message {
    /// When its publish began.
    sent: u64,
    /// When its confirm came.
    confirmed: Option<u64>,
    /// Somebody began to remove it.
    doubtful: bool,
    /// When its removal was known to be done.
    removed: Option<u64>,
}

/// What was judged of a queue after a crash.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// Messages that had to be there.
    pub kept: usize,
    /// Messages that had to be gone.
    pub gone: usize,
    /// Messages of which neither could be said.
    pub open: usize,
}

/// One queue.
#[derive(Debug, Default)]
pub struct QueueModel {
    tick: u64,
    messages: HashMap<Id, Message>,
    /// What was there after the last crash, in order.
    old: Vec<Id>,
    /// A purge is under way.
    purging: bool,
}

impl QueueModel {
    fn now(&mut self) -> u64 {
        self.tick += 1;
        self.tick
    }

    /// A publish is about to be sent.
    pub fn sending(&mut self, id: Id) {
        let sent = self.now();
        self.messages.insert(id, Message { sent, doubtful: self.purging, ..Message::default() });
    }

    /// Its confirm came.
    pub fn confirmed(&mut self, id: Id) {
        let now = self.now();
        self.messages.entry(id).or_default().confirmed = Some(now);
    }

    /// An acknowledgement is about to be sent.
    pub fn settling(&mut self, id: Id) {
        self.messages.entry(id).or_default().doubtful = true;
    }

    /// The broker is known to have read the acknowledgement.
    pub fn settled(&mut self, id: Id) {
        let now = self.now();
        self.messages.entry(id).or_default().removed = Some(now);
    }

    /// A purge is about to be sent; returns the messages it will remove for certain.
    pub fn purging(&mut self) -> Vec<Id> {
        self.purging = true;
        let mut certain = Vec::new();
        for (id, message) in &mut self.messages {
            message.doubtful = true;
            if message.confirmed.is_some() {
                certain.push(*id);
            }
        }
        certain
    }

    /// The purge was answered.
    pub fn purged(&mut self, certain: &[Id]) {
        self.purging = false;
        for id in certain {
            self.settled(*id);
        }
    }

    /// Messages that nobody began to remove, as far as is known.
    pub fn waiting(&self) -> usize {
        self.messages.values().filter(|message| message.confirmed.is_some() && !message.doubtful).count()
    }

    /// Removals before this moment are known to be on disk.
    fn durable_before(&self) -> u64 {
        let confirmed = || self.messages.values().filter_map(|message| Some((message.sent, message.confirmed?)));
        let last_sent = confirmed().map(|(sent, _)| sent).max().unwrap_or(0);
        confirmed().filter(|(_, confirmed)| *confirmed < last_sent).map(|(sent, _)| sent).max().unwrap_or(0)
    }

    /// Compares with what is found after a crash, in order, and goes on from there.
    pub fn judge(&mut self, found: &[Id]) -> Result<Judged, String> {
        let there: HashSet<Id> = found.iter().copied().collect();
        if there.len() < found.len() {
            let mut seen = HashSet::new();
            let twice: Vec<_> = found.iter().filter(|id| !seen.insert(**id)).collect();
            return Err(format!("there twice: {}", listed(&twice)));
        }
        let strange: Vec<_> = found.iter().filter(|id| !self.messages.contains_key(*id)).collect();
        if !strange.is_empty() {
            return Err(format!("there and never sent: {}", listed(&strange)));
        }
        let mut judged = Judged::default();
        let durable_before = self.durable_before();
        let (mut lost, mut back) = (Vec::new(), Vec::new());
        for (id, message) in &self.messages {
            if message.removed.is_some_and(|removed| removed < durable_before) {
                judged.gone += 1;
                back.extend(there.contains(id).then_some(id));
            } else if message.confirmed.is_some() && !message.doubtful {
                judged.kept += 1;
                lost.extend((!there.contains(id)).then_some(id));
            } else {
                judged.open += 1;
            }
        }
        if !lost.is_empty() {
            return Err(format!("confirmed and lost: {}", listed(&lost)));
        }
        if !back.is_empty() {
            return Err(format!("removed for good and back: {}", listed(&back)));
        }
        self.judge_order(found)?;
        // What is there now must stay: as if confirmed before everything that follows.
        let kept = Message { sent: 0, confirmed: Some(0), doubtful: false, removed: None };
        self.messages = found.iter().map(|id| (*id, kept)).collect();
        self.old = found.to_vec();
        (self.tick, self.purging) = (0, false);
        Ok(judged)
    }

    /// What survived the last crash comes first and as it was; what came since, in the order of each publisher.
    fn judge_order(&self, found: &[Id]) -> Result<(), String> {
        let place: HashMap<Id, usize> = self.old.iter().enumerate().map(|(place, id)| (*id, place)).collect();
        let mut last_place = None;
        let mut last_of: HashMap<u64, Id> = HashMap::new();
        let mut new = false;
        for id in found {
            match place.get(id) {
                Some(_) if new => return Err(format!("{} came before what is ahead of it", shown(*id))),
                Some(at) if last_place.is_some_and(|last| *at < last) => {
                    return Err(format!("{} has changed its place", shown(*id)));
                }
                Some(at) => last_place = Some(*at),
                None => {
                    new = true;
                    if last_of.insert(id >> 40, *id).is_some_and(|last| last > *id) {
                        return Err(format!("{} is behind a later one of its publisher", shown(*id)));
                    }
                }
            }
        }
        Ok(())
    }
}

fn shown(id: Id) -> String {
    format!("{}/{}", id >> 40, id & ((1 << 40) - 1))
}

/// The first few, in order.
fn listed(ids: &[&Id]) -> String {
    const LISTED: usize = 20;
    let mut ids: Vec<Id> = ids.iter().map(|id| **id).collect();
    ids.sort_unstable();
    let first: Vec<_> = ids.iter().take(LISTED).map(|id| shown(*id)).collect();
    format!("{} messages: {}", ids.len(), first.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Publishes and confirms messages one by one.
    fn with(numbers: std::ops::Range<u64>) -> QueueModel {
        let mut model = QueueModel::default();
        for number in numbers {
            model.sending(number);
            model.confirmed(number);
        }
        model
    }

    fn check(model: &mut QueueModel, found: &[Id], expected: Result<(usize, usize, usize), &str>) {
        let judged = model.judge(found).map(|judged| (judged.kept, judged.gone, judged.open));
        assert_eq!(judged, expected.map_err(str::to_owned), "{found:?}");
    }

    #[test]
    fn confirmed_messages_must_be_there_once_and_in_order() {
        check(&mut with(0..3), &[0, 1, 2], Ok((3, 0, 0)));
        check(&mut with(0..3), &[0, 2], Err("confirmed and lost: 1 messages: 0/1"));
        check(&mut with(0..3), &[0, 1, 1, 2], Err("there twice: 1 messages: 0/1"));
        check(&mut with(0..3), &[0, 1, 2, 3], Err("there and never sent: 1 messages: 0/3"));
        check(&mut with(0..3), &[0, 2, 1], Err("0/1 is behind a later one of its publisher"));
    }

    #[test]
    fn what_survived_keeps_its_place_ahead_of_what_came_since() {
        let survived = || {
            let mut model = with(0..2);
            model.sending(id(1, 0));
            model.judge(&[0, id(1, 0), 1]).unwrap();
            model.sending(2);
            model.confirmed(2);
            model
        };
        check(&mut survived(), &[0, id(1, 0), 1, 2], Ok((4, 0, 0)));
        check(&mut survived(), &[0, 1, id(1, 0), 2], Err("1/0 has changed its place"));
        check(&mut survived(), &[0, id(1, 0), 2, 1], Err("0/1 came before what is ahead of it"));
    }

    #[test]
    fn a_removal_is_final_after_two_more_confirms_one_behind_the_other() {
        let removed = |confirms: u64| {
            let mut model = with(0..2);
            model.settling(0);
            model.settled(0);
            for number in 2..2 + confirms {
                model.sending(number);
                model.confirmed(number);
            }
            model
        };
        check(&mut removed(1), &[0, 1, 2], Ok((2, 0, 1)));
        check(&mut removed(2), &[0, 1, 2, 3], Err("removed for good and back: 1 messages: 0/0"));
        check(&mut removed(2), &[1, 2, 3], Ok((3, 1, 0)));
    }

    #[test]
    fn a_purge_leaves_what_came_after_it_and_perhaps_what_came_meanwhile() {
        let purged = || {
            let mut model = with(0..2);
            let certain = model.purging();
            model.sending(2);
            model.purged(&certain);
            for number in 3..6 {
                model.sending(number);
                model.confirmed(number);
            }
            model
        };
        check(&mut purged(), &[3, 4, 5], Ok((3, 2, 1)));
        check(&mut purged(), &[2, 3, 4, 5], Ok((3, 2, 1)));
        check(&mut purged(), &[1, 3, 4, 5], Err("removed for good and back: 1 messages: 0/1"));
    }
}
