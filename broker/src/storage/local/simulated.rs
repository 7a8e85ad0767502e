//! A disk in memory that fails on demand and forgets what was not synced.
//!
//! Owns what a real disk may do to a program: after a crash, each sector written since
//! the last sync is there or not, in any combination; creations and removals not synced
//! are there in order, up to some point; after a failed sync the system believes that the
//! data is clean although it never reached the disk.

use std::collections::BTreeMap;
use std::io::{Error, Result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::{Disk, DiskFile, SegmentId, SetAside};

/// Bytes that reach the disk together or not at all.
const SECTOR: usize = 512;

/// A small, fast, seeded source of choices.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    pub fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }
}

#[derive(Debug, Default, Clone)]
struct Contents {
    /// What readers see.
    now: Vec<u8>,
    /// What is on the disk for sure.
    durable: Vec<u8>,
}

#[derive(Debug, Clone)]
enum Naming {
    Create(SegmentId),
    Remove(SegmentId),
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<SegmentId, Contents>,
    /// Files as they are named on the disk for sure.
    named: BTreeMap<SegmentId, ()>,
    /// Removed, but perhaps not on the disk.
    removed: BTreeMap<SegmentId, Contents>,
    namings: Vec<Naming>,
    set_aside: Vec<SegmentId>,
    /// A byte that cannot be read.
    unreadable: Option<(SegmentId, u64)>,
    /// Calls that change something until one fails; then all fail.
    calls_left: Option<u64>,
    /// Bytes that fit; one write that does not fit is written in part.
    capacity: Option<u64>,
    syncs: u64,
}

impl State {
    fn used(&self) -> u64 {
        self.files.values().map(|contents| contents.now.len() as u64).sum()
    }

    /// How much of `more` bytes still fits.
    fn fitting(&self, more: u64) -> u64 {
        self.capacity.map_or(more, |capacity| more.min(capacity.saturating_sub(self.used())))
    }

    fn spend(&mut self) -> Result<()> {
        match &mut self.calls_left {
            Some(0) => Err(Error::other("simulated failure")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// The disk; clones are the same disk.
#[derive(Debug, Default, Clone)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

impl SimulatedDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next `calls` changing calls succeed, all later ones fail.
    pub fn fail_after(&self, calls: u64) {
        self.state().calls_left = Some(calls);
    }

    /// Files hold at most so many bytes together from now on.
    pub fn limit(&self, capacity: u64) {
        self.state().capacity = Some(capacity);
    }

    /// Bytes in all files.
    pub fn used(&self) -> u64 {
        self.state().used()
    }

    /// No read that covers this byte succeeds.
    pub fn make_unreadable(&self, id: SegmentId, at: u64) {
        self.state().unreadable = Some((id, at));
    }

    /// Syncs of files so far.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Segments kept for inspection.
    pub fn kept(&self) -> Vec<SegmentId> {
        self.state().set_aside.clone()
    }

    /// Numbers and contents of all files.
    pub fn files(&self) -> Vec<(SegmentId, Vec<u8>)> {
        self.state().files.iter().map(|(id, contents)| (*id, contents.now.clone())).collect()
    }

    /// A healthy disk with these files.
    pub fn with_files(files: Vec<(SegmentId, Vec<u8>)>) -> Self {
        let disk = Self::default();
        {
            let mut state = disk.state();
            for (id, bytes) in files {
                state.named.insert(id, ());
                state.files.insert(id, Contents { now: bytes.clone(), durable: bytes });
            }
        }
        disk
    }

    /// What a power loss may leave.
    pub fn crash(&self, chance: &mut Chance) -> Self {
        let state = self.state();
        let mut named = state.named.clone();
        let survived = chance.below(state.namings.len() as u64 + 1) as usize;
        for naming in &state.namings[..survived] {
            match naming {
                Naming::Create(id) => named.insert(*id, ()),
                Naming::Remove(id) => named.remove(id),
            };
        }
        let all_or_nothing = chance.below(3);
        let files = named
            .keys()
            .filter_map(|id| {
                let contents = state.files.get(id).or_else(|| state.removed.get(id))?;
                let mut bytes = contents.durable.clone();
                if bytes.len() < contents.now.len() && !chance.one_in(3) {
                    bytes.resize(contents.now.len(), 0);
                } else if bytes.len() > contents.now.len() && chance.one_in(2) {
                    bytes.truncate(contents.now.len());
                }
                for (at, sector) in bytes.chunks_mut(SECTOR).enumerate() {
                    let survives = match all_or_nothing {
                        0 => true,
                        1 => false,
                        _ => chance.one_in(2),
                    };
                    let start = at * SECTOR;
                    let end = (start + sector.len()).min(contents.now.len());
                    if survives && start < end {
                        sector[..end - start].copy_from_slice(&contents.now[start..end]);
                    }
                }
                Some((*id, bytes))
            })
            .collect();
        let crashed = Self::with_files(files);
        crashed.state().set_aside.clone_from(&state.set_aside);
        crashed
    }
}

impl Disk for SimulatedDisk {
    fn list(&self) -> Result<Vec<SegmentId>> {
        Ok(self.state().files.keys().rev().copied().collect())
    }

    fn create(&self, id: SegmentId) -> Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.spend()?;
        assert!(!state.files.contains_key(&id), "segment numbers are not used twice");
        state.files.insert(id, Contents::default());
        state.namings.push(Naming::Create(id));
        Ok(Box::new(SimulatedFile { disk: self.clone(), id }))
    }

    fn open(&self, id: SegmentId) -> Result<Box<dyn DiskFile>> {
        assert!(self.state().files.contains_key(&id), "segment {id} is gone");
        Ok(Box::new(SimulatedFile { disk: self.clone(), id }))
    }

    fn remove(&self, id: SegmentId) -> Result<()> {
        let mut state = self.state();
        state.spend()?;
        if let Some(contents) = state.files.remove(&id) {
            state.removed.insert(id, contents);
        }
        state.namings.push(Naming::Remove(id));
        Ok(())
    }

    fn set_aside(&self, id: SegmentId) -> Result<SetAside> {
        let mut state = self.state();
        let new = !state.set_aside.contains(&id);
        if new {
            state.set_aside.push(id);
        }
        Ok(SetAside { name: format!("kept {id}"), new })
    }

    fn free(&self) -> Result<u64> {
        let state = self.state();
        Ok(state.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(state.used())))
    }

    fn sync_directory(&self) -> Result<()> {
        let mut state = self.state();
        state.spend()?;
        state.named = state.files.keys().map(|id| (*id, ())).collect();
        state.removed.clear();
        state.namings.clear();
        Ok(())
    }
}

#[derive(Debug)]
struct SimulatedFile {
    disk: SimulatedDisk,
    id: SegmentId,
}

impl SimulatedFile {
    fn change(&self, change: impl FnOnce(&mut Contents)) -> Result<()> {
        let mut state = self.disk.state();
        state.spend()?;
        if let Some(contents) = state.files.get_mut(&self.id) {
            change(contents);
        }
        Ok(())
    }
}

impl DiskFile for SimulatedFile {
    fn bytes(&self) -> Result<u64> {
        Ok(self.disk.state().files.get(&self.id).map_or(0, |contents| contents.now.len() as u64))
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let state = self.disk.state();
        let bytes = state.files.get(&self.id).or_else(|| state.removed.get(&self.id));
        let range = offset as usize..offset as usize + buffer.len();
        if state.unreadable.is_some_and(|(id, at)| id == self.id && range.contains(&(at as usize))) {
            return Err(Error::other("simulated bad sector"));
        }
        match bytes.and_then(|contents| contents.now.get(range)) {
            Some(bytes) => {
                buffer.copy_from_slice(bytes);
                Ok(())
            }
            None => Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn write(&self, data: &[u8], offset: u64) -> Result<()> {
        let mut state = self.disk.state();
        let spent = state.spend();
        let Some(length) = state.files.get(&self.id).map(|contents| contents.now.len() as u64) else { return spent };
        let more = (offset + data.len() as u64).saturating_sub(length);
        let short = more - state.fitting(more);
        let result = if short > 0 { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(()) };
        // A write that fails leaves its beginning.
        let written = if spent.is_err() { data.len() / 2 } else { data.len() - short as usize };
        if let Some(contents) = state.files.get_mut(&self.id) {
            let (start, end) = (offset as usize, offset as usize + written);
            if contents.now.len() < end {
                contents.now.resize(end, 0);
            }
            if start < end {
                contents.now[start..end].copy_from_slice(&data[..written]);
            }
        }
        spent.and(result)
    }

    fn sync(&self) -> Result<()> {
        self.change(|contents| contents.durable.clone_from(&contents.now))?;
        self.disk.state().syncs += 1;
        Ok(())
    }

    fn truncate(&self, bytes: u64) -> Result<()> {
        self.change(|contents| contents.now.resize(bytes as usize, 0))
    }

    fn reserve(&self, bytes: u64) -> Result<()> {
        let more = bytes.saturating_sub(self.bytes()?);
        if self.disk.state().fitting(more) < more {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.change(|contents| {
            let bytes = contents.now.len().max(bytes as usize);
            contents.now.resize(bytes, 0);
        })
    }
}
