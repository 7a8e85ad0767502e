//! The list against a plain one, with a disk that is slow and loses things.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::*;
use crate::domain::queue::held::Stub;

#[test]
fn a_message_that_waits_stays_small() {
    // Millions may wait; what is added here is added to each.
    assert!(size_of::<Entry>() <= 80, "{}", size_of::<Entry>());
}

const TINY: Paging = Paging {
    logged_bytes: 900,
    all_bytes: 1500,
    keep_bytes: 300,
    spill_bytes: 250,
    run_messages: 3,
    low_bytes: 250,
    read_bytes: 0,
    read_messages: 0,
};

#[derive(Debug, Clone)]
enum Step {
    Push { priority: u8, logged: bool, expires: bool, body_len: usize },
    Pop,
    PutBack { which: usize, away: bool },
    PageOut,
    StartLoad { wanted: bool },
    FinishLoad { records: usize, damaged: Vec<bool> },
    Expire,
    PurgeSome(usize),
}

fn steps(logged: f64) -> impl Strategy<Value = Vec<Step>> {
    let push = (0..4u8, prop::bool::weighted(logged), prop::bool::weighted(0.1), 0..60usize)
        .prop_map(|(priority, logged, expires, body_len)| Step::Push { priority, logged, expires, body_len });
    let step = prop_oneof![
        20 => push,
        6 => Just(Step::Pop),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(which, away)| Step::PutBack { which, away }),
        4 => Just(Step::PageOut),
        4 => any::<bool>().prop_map(|wanted| Step::StartLoad { wanted }),
        4 => (1..9usize, prop::collection::vec(prop::bool::weighted(0.05), 8))
            .prop_map(|(records, damaged)| Step::FinishLoad { records, damaged }),
        1 => Just(Step::Expire),
    ];
    let purge = (1..6usize).prop_map(Step::PurgeSome);
    prop::collection::vec(prop_oneof![120 => step, 1 => purge], 1..250)
}

/// A list and what it should be.
struct World {
    list: ReadyList,
    returns: Return,
    now_ms: u64,
    next: u64,
    /// By level and position.
    model: BTreeMap<(std::cmp::Reverse<u8>, u64), Entry>,
    /// Returned ones that come first.
    first: Vec<Entry>,
    out: Vec<Entry>,
    log: BTreeMap<u64, Entry>,
    spilled: HashMap<u64, Vec<Entry>>,
    /// Spilled while out.
    kept: HashMap<u64, Vec<Entry>>,
    load: Option<Load>,
}

fn key(entry: &Entry) -> (std::cmp::Reverse<u8>, u64) {
    (std::cmp::Reverse(entry.priority), entry.position)
}

impl World {
    fn new(max_priority: u8, returns: Return) -> Self {
        let mut list = ReadyList::new(max_priority, returns);
        list.set_paging(TINY);
        Self {
            list,
            returns,
            now_ms: 1000,
            next: 1,
            model: BTreeMap::new(),
            first: Vec::new(),
            out: Vec::new(),
            log: BTreeMap::new(),
            spilled: HashMap::new(),
            kept: HashMap::new(),
            load: None,
        }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Push { priority, logged, expires, body_len } => {
                let message = Message::build("", "q", &[0, 0], &vec![b'x'; body_len], logged || body_len % 2 == 0);
                let expires_at_ms = if expires { self.now_ms + 3 } else { 0 };
                let priority = priority.min(self.list.levels.len() as u8 - 1);
                let entry = Entry::published(self.next, message, expires_at_ms, priority, logged);
                self.next += 1;
                if logged {
                    self.log.insert(entry.position, entry.clone());
                }
                self.model.insert(key(&entry), entry.clone());
                self.list.push(entry);
            }
            Step::Pop => {
                if let Some(entry) = self.list.pop() {
                    let expected = self.take_head();
                    assert_eq!(format!("{entry:?}"), format!("{expected:?}"));
                    self.out.push(Entry { acquired: entry.acquired + 1, ..entry });
                }
            }
            Step::PutBack { which, away } if !self.out.is_empty() => {
                let entry = self.out.swap_remove(which % self.out.len());
                match self.returns {
                    Return::ToPlace => drop(self.model.insert(key(&entry), entry.clone())),
                    Return::First => self.first.push(entry.clone()),
                }
                let held = match (away, entry.logged) {
                    (false, _) => Held::Here(entry),
                    (true, true) => Held::Away(Stub::logged(&entry)),
                    (true, false) => {
                        let key = self.list.take_key();
                        let stub = Stub::in_block(&entry, key);
                        // What changes while it is out is known without reading.
                        self.kept.insert(key, vec![Entry { acquired: 0, ..entry }]);
                        Held::Away(stub)
                    }
                };
                self.list.put_back(held);
            }
            Step::PageOut => {
                for Spilling { key, entries } in self.list.page_out() {
                    assert!(!entries.is_empty());
                    self.spilled.insert(key, entries);
                }
            }
            Step::StartLoad { wanted } => {
                if let Some(load) = self.list.next_load(wanted) {
                    assert!(self.load.is_none(), "one at a time");
                    self.load = Some(load);
                }
            }
            Step::FinishLoad { records, damaged } => self.finish_load(records, &damaged),
            Step::Expire => {
                self.now_ms += 2;
                while let Some(held) = self.list.pop_expired(self.now_ms) {
                    assert!(held.expires_at_ms() <= self.now_ms);
                    self.drop_kept(&held);
                    if self.first.first().is_some_and(|first| first.position == held.position()) {
                        self.first.remove(0);
                        continue;
                    }
                    let level = self.model.keys().find(|(level, _)| level.0 == held.priority()).copied();
                    let key = (std::cmp::Reverse(held.priority()), held.position());
                    assert_eq!(level, Some(key), "only heads expire");
                    self.model.remove(&key);
                }
                let head = self.list.peek().map(|head| head.expires_at_ms);
                assert!(head.is_none_or(|at| at == 0 || at > self.now_ms));
            }
            Step::PurgeSome(steps) => {
                self.load = None;
                for _ in 0..steps {
                    self.purge_next();
                }
                // Whoever starts to purge goes on.
                while self.purge_next() {}
                assert!(self.model.is_empty() && self.first.is_empty() && self.spilled.is_empty());
            }
            Step::PutBack { .. } => {}
        }
    }

    fn drop_kept(&mut self, held: &Held) {
        if let Held::Away(stub) = held
            && let Some(key) = stub.block()
        {
            self.kept.remove(&key).expect("it was kept");
        }
    }

    fn take_head(&mut self) -> Entry {
        match self.first.is_empty() {
            true => self.model.pop_first().expect("the list had one").1,
            false => self.first.remove(0),
        }
    }

    fn purge_next(&mut self) -> bool {
        let mut gone = |position: u64| {
            let before = self.model.len() + self.first.len();
            self.model.retain(|_, entry| entry.position != position);
            self.first.retain(|entry| entry.position != position);
            assert_eq!(self.model.len() + self.first.len() + 1, before, "{position} was there");
        };
        match self.list.purge_next() {
            Some(Purged::Held(held)) => {
                gone(held.position());
                self.drop_kept(&held);
            }
            Some(Purged::Logged(run)) => run.for_each(|position| {
                gone(position);
            }),
            Some(Purged::Page { all, spilled, .. }) => {
                if let Some(key) = spilled {
                    let entries = self.spilled.remove(&key).expect("it was spilled");
                    assert_eq!(entries.len() as u64, all.messages);
                    entries.iter().filter(|entry| !entry.logged).for_each(|entry| gone(entry.position));
                }
            }
            None => return false,
        }
        true
    }

    fn finish_load(&mut self, records: usize, damaged: &[bool]) {
        match self.load.take() {
            Some(Load::Spilled(key)) => {
                let mut entries = self.spilled.remove(&key).expect("it was spilled");
                if damaged[0] {
                    entries.drain(..).for_each(|entry| drop(self.model.remove(&self::key(&entry))));
                }
                self.list.loaded(entries, None);
            }
            Some(Load::Kept(key)) => {
                // It may have expired meanwhile.
                let mut entries = self.kept.get(&key).cloned().unwrap_or_default();
                if damaged[0] {
                    entries.drain(..).for_each(|entry| self.lose(&entry));
                }
                let loaded = self.list.loaded(entries, None);
                let expected = self.kept.remove(&key).map_or(0, |entries| entries.len());
                assert_eq!(loaded.from_block, Some((key, expected)));
            }
            Some(Load::Logged(runs)) => {
                let asked: Vec<u64> = runs.into_iter().flatten().collect();
                let next = asked.get(records).copied();
                let mut entries = Vec::new();
                for (number, position) in asked.into_iter().take(records).enumerate() {
                    let stored = self.log[&position].clone();
                    if damaged[number % damaged.len()] {
                        self.lose(&stored);
                        continue;
                    }
                    // The log knows no priority.
                    entries.push(Entry { priority: 0, ..stored });
                }
                self.list.loaded(entries, next);
            }
            None => {}
        }
    }

    fn lose(&mut self, entry: &Entry) {
        self.model.remove(&key(entry));
        self.first.retain(|first| first.position != entry.position);
    }

    fn check(&self) {
        let count = self.model.len() + self.first.len();
        assert_eq!(self.list.len(), count);
        let head = self.first.first().or_else(|| self.model.first_key_value().map(|(_, entry)| entry));
        match self.list.peek() {
            Some(entry) => assert_eq!(Some(entry.position), head.map(|head| head.position)),
            None => assert_eq!(self.list.is_head_away(), head.is_some()),
        }
        let resident = self.list.levels.iter().flat_map(|level| {
            let tail = level.behind.iter().flat_map(|behind| &behind.tail);
            level.fresh.iter().chain(tail)
        });
        let (mut bytes, mut logged_bytes) = (0, 0);
        for entry in resident {
            bytes += entry.cost();
            logged_bytes += if entry.logged { entry.cost() } else { 0 };
        }
        assert_eq!((self.list.resident_bytes, self.list.resident_logged_bytes), (bytes, logged_bytes));
        assert!(
            self.list.levels.iter().all(|level| level.behind.as_ref().is_none_or(|behind| !behind.pages.is_empty()))
        );
        let paged = self.list.levels.iter().filter_map(|level| level.behind.as_ref());
        assert_eq!(paged.fold(Sum::default(), |sum, behind| sum.with(behind.paged)), self.list.paged);
        let returned = self.list.levels.iter().flat_map(|level| level.returned.values()).chain(&self.list.first);
        let (mut here, mut away) = (Resident::default(), Sum::default());
        for held in returned {
            here.add(held);
            if let Held::Away(stub) = held {
                away.add(held.body_len());
                assert!(stub.block().is_none_or(|key| self.kept.contains_key(&key)));
            }
        }
        assert_eq!((self.list.returned, self.list.returned_away), (here, away));
    }

    /// Takes everything out.
    fn drain(&mut self) {
        while !self.list.is_empty() {
            self.run(Step::Pop);
            self.run(Step::StartLoad { wanted: true });
            self.finish_load(3, &[false]);
            self.check();
        }
        assert_eq!((self.list.bytes(), self.list.expiring), (0, 0));
        assert_eq!((self.list.paged(), self.list.resident_bytes()), (Sum::default(), 0));
        assert!(self.spilled.is_empty() && self.kept.is_empty());
    }
}

fn check(max_priority: u8, returns: Return, steps: Vec<Step>) {
    let mut world = World::new(max_priority, returns);
    for step in steps {
        world.run(step);
        world.check();
    }
    // What is asked for by now is still read.
    world.finish_load(3, &[false]);
    world.drain();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn logged_messages_come_back_in_order(steps in steps(1.0)) {
        check(0, Return::ToPlace, steps);
    }

    #[test]
    fn mixed_messages_come_back_in_order(steps in steps(0.6)) {
        check(0, Return::ToPlace, steps);
    }

    #[test]
    fn messages_nobody_logged_come_back_in_order(steps in steps(0.0)) {
        check(0, Return::First, steps);
    }

    #[test]
    fn priorities_are_kept(steps in steps(0.8)) {
        check(3, Return::ToPlace, steps);
    }

    #[test]
    fn returned_messages_come_first(steps in steps(0.9)) {
        check(2, Return::First, steps);
    }
}

fn entry(position: u64, body_len: usize, logged: bool) -> Entry {
    Entry::published(position, Message::build("", "q", &[0, 0], &vec![b'x'; body_len], true), 0, 0, logged)
}

#[test]
fn a_long_queue_of_logged_messages_takes_no_memory_for_most_of_them() {
    let mut list = ReadyList::new(0, Return::ToPlace);
    for position in 1..=1_000_000 {
        list.push(entry(position, 10, true));
        if position % 1000 == 0 {
            assert!(list.page_out().is_empty(), "nothing is written");
        }
    }
    assert!(list.resident_bytes() <= Paging::ROOMY.keep_bytes + Paging::ROOMY.logged_bytes);
    assert!(list.levels[0].behind.as_ref().is_some_and(|behind| behind.tail.is_empty()), "they go to pages at once");
    assert_eq!((list.len(), list.bytes()), (1_000_000, 10_000_000));
}

#[test]
fn one_huge_message_is_not_read_again_and_again() {
    let mut list = ReadyList::new(0, Return::ToPlace);
    list.push(entry(1, 8 << 20, true));
    list.page_out();
    assert_eq!((list.paged().messages, list.next_load(true)), (0, None));
    list.push(entry(2, 8 << 20, true));
    list.page_out();
    assert_eq!(list.paged().messages, 1);
    list.pop();
    assert_eq!(list.next_load(true), Some(Load::Logged(vec![2..=2])));
}

#[test]
fn without_a_place_to_write_to_only_what_is_logged_leaves() {
    for (every, leaves) in [(1, true), (2, false), (0, false)] {
        let mut list = ReadyList::new(0, Return::ToPlace);
        list.set_paging(TINY);
        list.set_spilling(false);
        for position in 1..=100 {
            list.push(entry(position, 10, every != 0 && position % every == 0));
            assert!(list.page_out().is_empty());
        }
        assert_eq!(list.paged().messages > 0, leaves, "every {every}");
        assert_eq!(list.len(), 100);
    }
}
