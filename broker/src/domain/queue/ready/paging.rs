//! What of the ready messages is in memory and what is on disk.
//!
//! A list that outgrows its share of memory keeps the messages that are next and puts the
//! rest into pages. It says what to write and what to read; somebody else does it.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use super::returned::{Asked, Loaded};
use super::{Entry, ReadyList};
use crate::domain::queue::held::Held;
use crate::domain::queue::page::{Page, Sum};

/// How much of a queue is kept in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// Memory of messages the queue's log has, which are on disk anyway.
    pub logged_bytes: u64,
    /// Memory of all messages; those the log does not have must be written to leave it.
    pub all_bytes: u64,
    /// Memory that is kept when logged messages leave it.
    pub keep_bytes: u64,
    /// Memory of the messages that are written together.
    pub spill_bytes: u64,
    /// Logged messages in a row that get a page of their own among others.
    pub run_messages: usize,
    /// Memory of ready messages below which the next are read, while somebody takes them.
    pub low_bytes: u64,
    /// Bytes read at once.
    pub read_bytes: usize,
    /// Messages read at once.
    pub read_messages: usize,
}

impl Paging {
    /// While the node has memory.
    pub const ROOMY: Self = Self {
        logged_bytes: 4 << 20,
        all_bytes: 64 << 20,
        keep_bytes: 1 << 20,
        spill_bytes: 256 << 10,
        run_messages: 32,
        low_bytes: 512 << 10,
        read_bytes: 512 << 10,
        read_messages: 4096,
    };

    /// While the queues of the node take more than they should.
    pub const SCARCE: Self = Self {
        logged_bytes: 64 << 10,
        all_bytes: 64 << 10,
        keep_bytes: 16 << 10,
        spill_bytes: 16 << 10,
        run_messages: 32,
        low_bytes: 8 << 10,
        read_bytes: 16 << 10,
        read_messages: 128,
    };
}

/// Memory that leaves a list at once at most, so that a pass stays short.
const PAGE_OUT_BYTES_MAX: u64 = 4 << 20;

/// Runs of positions asked for at once.
pub(super) const LOAD_RUNS_MAX: usize = 256;

/// Messages that leave memory and are to be kept under a key.
#[derive(Debug)]
pub struct Spilling {
    /// The key.
    pub key: u64,
    /// The messages, in order.
    pub entries: Vec<Entry>,
}

/// What is to be read next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Load {
    /// Messages at these positions of the queue's log; less than all will do.
    Logged(Vec<RangeInclusive<u64>>),
    /// What was spilled under this key; it is not needed there any longer.
    Spilled(u64),
    /// What was spilled under this key, of which a part is wanted; the rest stays there.
    Kept(u64),
}

/// A load under way.
#[derive(Debug)]
pub(super) enum Loading {
    /// From the first page of a level.
    Page {
        level: usize,
        /// Every position asked for is below; 0 for what was spilled.
        end: u64,
    },
    /// Messages that came back.
    Returned(Asked),
}

/// A part of a list that is emptied.
#[derive(Debug)]
pub enum Purged {
    /// A message in memory, or one that came back.
    Held(Held),
    /// Positions of messages on disk; they are counted with their page.
    Logged(RangeInclusive<u64>),
    /// A page, once all its positions were told.
    Page {
        /// Its messages.
        all: Sum,
        /// Those that are persistent.
        persistent: Sum,
        /// The key it was spilled under.
        spilled: Option<u64>,
    },
}

impl ReadyList {
    /// How much is kept in memory from now on.
    pub fn set_paging(&mut self, paging: Paging) {
        self.paging = paging;
    }

    /// Whether what the queue's log does not have may leave memory.
    pub fn set_spilling(&mut self, spilling: bool) {
        self.spilling = spilling;
    }

    /// Whether what the queue's log does not have may leave memory.
    #[must_use]
    pub fn is_spilling(&self) -> bool {
        self.spilling
    }

    /// How much is kept in memory.
    #[must_use]
    pub fn paging(&self) -> &Paging {
        &self.paging
    }

    /// Bytes of memory that messages which could be on disk take.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        self.resident_bytes + self.returned.bytes()
    }

    /// Messages that are on disk.
    #[must_use]
    pub fn paged(&self) -> Sum {
        self.paged.with(self.returned_away)
    }

    /// Whether there is a next message, but not in memory.
    #[must_use]
    pub fn is_head_away(&self) -> bool {
        self.is_returned_away() || self.is_head_paged()
    }

    /// Whether there is a next message, but on a page.
    #[must_use]
    pub fn is_head_paged(&self) -> bool {
        self.first.is_empty() && self.levels[self.top].is_away()
    }

    /// Adds a message to a level that has pages.
    pub(super) fn push_behind(&mut self, level: usize, entry: Entry) {
        let far = self.paging.logged_bytes;
        if let Some(behind) = &mut self.levels[level].behind
            && entry.logged
            && behind.tail.is_empty()
            && behind.ends_logged()
            && memory_of(behind.paged) >= far
        {
            return self.page_logged(level, &entry);
        }
        self.account_resident(&entry);
        let behind = self.levels[level].behind.get_or_insert_default();
        behind.tail_bytes += entry.cost();
        behind.tail.push_back(entry);
    }

    /// Moves a message, which is counted already, into a page of a level.
    fn page_logged(&mut self, level: usize, entry: &Entry) {
        let behind = self.levels[level].behind.get_or_insert_default();
        let begins_to_expire = behind.add_logged(entry);
        self.paged.add(entry.message.body_len());
        self.expiring += usize::from(begins_to_expire);
        self.expiring -= usize::from(entry.expires_at_ms != 0);
    }

    /// Adds messages that are in the queue's log, of which nothing but their positions is
    /// known. They may expire.
    pub fn recover_paged(&mut self, level: u8, positions: impl Iterator<Item = RangeInclusive<u64>>, sum: Sum) {
        let level = usize::from(level).min(self.levels.len() - 1);
        let mut positions = positions.peekable();
        if positions.peek().is_none() {
            return;
        }
        self.len += sum.messages as usize;
        self.bytes += sum.bytes;
        self.paged = self.paged.with(sum);
        self.top = self.top.max(level);
        let behind = self.levels[level].behind.get_or_insert_default();
        behind.paged = behind.paged.with(sum);
        if behind.pages.is_empty() {
            behind.pages.push_back(Page { may_expire: true, ..Page::default() });
            self.expiring += 1;
        }
        if let Some(page) = behind.pages.back_mut() {
            positions.for_each(|run| page.positions.push(run));
            page.all = page.all.with(sum);
            page.persistent = page.persistent.with(sum);
        }
    }

    /// What the list may keep of its memory, when it has too much.
    fn target_bytes(&self) -> Option<u64> {
        if self.resident_logged_bytes > self.paging.logged_bytes {
            // Without a way to spill, only what is logged throughout can leave.
            let can = self.spilling || self.resident_logged_bytes == self.resident_bytes;
            return can.then_some(self.paging.keep_bytes);
        }
        let beyond = self.resident_bytes > self.paging.all_bytes + self.paging.spill_bytes;
        (beyond && self.spilling).then_some(self.paging.all_bytes)
    }

    /// Moves messages to disk when there are too many in memory, the last to be delivered
    /// first. What it returns must be kept until it is loaded or purged.
    pub fn page_out(&mut self) -> Vec<Spilling> {
        let mut spilling = Vec::new();
        let Some(target) = self.target_bytes() else { return spilling };
        let mut wanted = (self.resident_bytes - target).min(PAGE_OUT_BYTES_MAX);
        for level in 0..=self.top {
            let leaving = self.take_last(level, wanted);
            wanted = wanted.saturating_sub(leaving.iter().map(Entry::cost).sum());
            if !leaving.is_empty() {
                self.page(level, leaving, &mut spilling);
            }
            if wanted == 0 {
                break;
            }
        }
        spilling
    }

    /// Takes messages of so much memory: the first of the tail, or the last fresh ones when
    /// nothing stands behind them.
    fn take_last(&mut self, level: usize, wanted: u64) -> VecDeque<Entry> {
        let level = &mut self.levels[level];
        let taken = |entries: &mut dyn Iterator<Item = &Entry>| {
            let mut bytes = 0;
            let enough = |entry: &&Entry| {
                let more = bytes < wanted;
                bytes += entry.cost();
                more
            };
            entries.take_while(enough).count()
        };
        match &mut level.behind {
            Some(behind) => {
                let count = taken(&mut behind.tail.iter());
                let rest = behind.tail.split_off(count);
                let leaving = std::mem::replace(&mut behind.tail, rest);
                behind.tail_bytes -= leaving.iter().map(Entry::cost).sum::<u64>();
                leaving
            }
            None => {
                // The first stays, or it would only be read again.
                let count = taken(&mut level.fresh.iter().skip(1).rev());
                let leaving = level.fresh.split_off(level.fresh.len() - count);
                level.fresh.shrink_to_fit();
                leaving
            }
        }
    }

    /// Makes pages of messages behind all pages of a level.
    fn page(&mut self, level: usize, mut leaving: VecDeque<Entry>, spilling: &mut Vec<Spilling>) {
        leaving.iter().for_each(|entry| self.account_not_resident(entry));
        let mut mixed: Vec<Entry> = Vec::new();
        let mut mixed_bytes = 0;
        while !leaving.is_empty() {
            let run = leaving.iter().take_while(|entry| entry.logged).count();
            let continues =
                mixed.is_empty() && self.levels[level].behind.as_ref().is_some_and(|behind| behind.ends_logged());
            let weighs = || leaving.iter().take(run).map(Entry::cost).sum::<u64>() >= self.paging.spill_bytes;
            if run > 0 && (continues || run >= self.paging.run_messages || weighs()) {
                if !mixed.is_empty() {
                    spilling.push(self.spill(level, std::mem::take(&mut mixed)));
                    mixed_bytes = 0;
                }
                leaving.drain(..run).for_each(|entry| self.page_logged(level, &entry));
                continue;
            }
            for entry in leaving.drain(..run.max(1)) {
                mixed_bytes += entry.cost();
                mixed.push(entry);
            }
            if mixed_bytes >= self.paging.spill_bytes {
                spilling.push(self.spill(level, std::mem::take(&mut mixed)));
                mixed_bytes = 0;
            }
        }
        // Too little to be written stays.
        mixed.iter().for_each(|entry| self.account_resident(entry));
        let level = &mut self.levels[level];
        match &mut level.behind {
            Some(behind) => {
                behind.tail_bytes += mixed.iter().map(Entry::cost).sum::<u64>();
                mixed.into_iter().rev().for_each(|entry| behind.tail.push_front(entry));
            }
            None => level.fresh.extend(mixed),
        }
    }

    /// A key to keep messages under.
    pub fn take_key(&mut self) -> u64 {
        self.next_key += 1;
        self.next_key - 1
    }

    fn spill(&mut self, level: usize, entries: Vec<Entry>) -> Spilling {
        let key = self.take_key();
        let mut page = Page { spilled: Some(key), ..Page::default() };
        for entry in &entries {
            page.add(entry);
            self.expiring -= usize::from(entry.expires_at_ms != 0);
        }
        self.expiring += usize::from(page.may_expire);
        self.paged = self.paged.with(page.all);
        let behind = self.levels[level].behind.get_or_insert_default();
        behind.paged = behind.paged.with(page.all);
        behind.pages.push_back(page);
        Spilling { key, entries }
    }

    /// What to read now, unless something is being read; `wanted`: somebody takes messages.
    /// The answer goes to [`Self::loaded`].
    pub fn next_load(&mut self, wanted: bool) -> Option<Load> {
        if self.loading.is_some() {
            return None;
        }
        if wanted && let Some((load, asked)) = self.next_returned() {
            self.loading = Some(Loading::Returned(asked));
            return Some(load);
        }
        if self.paged.messages == 0 {
            return None;
        }
        let (level, page) = (0..=self.top).rev().find_map(|at| {
            let level = &self.levels[at];
            let behind = level.behind.as_ref()?;
            let page = behind.pages.front()?;
            let ahead = || wanted && self.resident_bytes - behind.tail_bytes < self.paging.low_bytes;
            let needed = match at == self.top {
                true => level.is_away() || ahead(),
                false => level.is_away() && page.may_expire,
            };
            needed.then_some((at, page))
        })?;
        let (load, end) = match page.spilled {
            Some(key) => (Load::Spilled(key), 0),
            None => {
                let runs = page.positions.first_runs(LOAD_RUNS_MAX);
                let end = runs.last().map_or(0, |run| run.end() + 1);
                (Load::Logged(runs), end)
            }
        };
        self.loading = Some(Loading::Page { level, end });
        Some(load)
    }

    /// Takes what was read: of logged messages everything asked for below `next`, or all of
    /// it; of spilled ones all. Answers with what was lost.
    pub fn loaded(&mut self, entries: Vec<Entry>, next: Option<u64>) -> Loaded {
        match self.loading.take() {
            Some(Loading::Page { level, end }) => self.loaded_page(level, end, entries, next),
            Some(Loading::Returned(asked)) => self.loaded_returned(&asked, entries, next),
            None => Loaded::default(),
        }
    }

    fn loaded_page(&mut self, at: usize, end: u64, entries: Vec<Entry>, next: Option<u64>) -> Loaded {
        let level = &mut self.levels[at];
        let Some(behind) = &mut level.behind else { return Loaded::default() };
        let Some(page) = behind.pages.front_mut() else { return Loaded::default() };
        let (mut all, mut persistent) = (Sum::default(), Sum::default());
        for entry in &entries {
            all.add(entry.message.body_len());
            if entry.message.is_persistent() {
                persistent.add(entry.message.body_len());
            }
        }
        let gone = match page.spilled {
            Some(_) => page.all.messages,
            None => page.positions.take_below(next.unwrap_or(end)),
        };
        page.all = page.all.without(all);
        page.persistent = page.persistent.without(persistent);
        let (lost, lost_persistent);
        if page.spilled.is_some() || page.positions.is_empty() {
            (lost, lost_persistent) = (page.all, page.persistent);
            self.expiring -= usize::from(page.may_expire);
            behind.pages.pop_front();
        } else {
            // Their bytes are known once the rest of the page has been read.
            lost = Sum { messages: gone.saturating_sub(all.messages), bytes: 0 };
            lost_persistent = lost;
            page.all = page.all.without(lost);
            page.persistent = page.persistent.without(lost);
        }
        let left = all.with(lost);
        behind.paged = behind.paged.without(left);
        self.paged = self.paged.without(left);
        self.len -= lost.messages as usize;
        self.bytes -= lost.bytes;
        for mut entry in entries {
            entry.priority = at as u8;
            self.expiring += usize::from(entry.expires_at_ms != 0);
            self.account_resident(&entry);
            self.levels[at].fresh.push_back(entry);
        }
        self.join_tail(at);
        self.lower_top();
        Loaded { lost, lost_persistent, from_block: None }
    }

    /// Once nothing is on disk any more, what stood behind it is fresh.
    fn join_tail(&mut self, level: usize) {
        let level = &mut self.levels[level];
        if let Some(mut behind) = level.behind.take_if(|behind| behind.pages.is_empty()) {
            match level.fresh.is_empty() {
                true => level.fresh = behind.tail,
                false => level.fresh.append(&mut behind.tail),
            }
        }
    }

    /// Takes a part of the list, whichever is at hand; `None` when it is empty. What is being
    /// read meanwhile must not be given to [`Self::loaded`].
    pub fn purge_next(&mut self) -> Option<Purged> {
        self.loading = None;
        if let Some(held) = self.pop_held() {
            return Some(Purged::Held(held));
        }
        let at = self.levels.iter().position(|level| level.behind.is_some())?;
        let behind = self.levels[at].behind.as_mut()?;
        let page = behind.pages.front_mut()?;
        if let Some(run) = page.positions.pop_run() {
            return Some(Purged::Logged(run));
        }
        let page = behind.pages.pop_front()?;
        behind.paged = behind.paged.without(page.all);
        self.expiring -= usize::from(page.may_expire);
        self.paged = self.paged.without(page.all);
        self.len -= page.all.messages as usize;
        self.bytes -= page.all.bytes;
        self.join_tail(at);
        self.lower_top();
        Some(Purged::Page { all: page.all, persistent: page.persistent, spilled: page.spilled })
    }
}

/// Memory that messages on disk would take.
fn memory_of(paged: Sum) -> u64 {
    paged.bytes + paged.messages * size_of::<Entry>() as u64
}
