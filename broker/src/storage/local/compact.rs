//! Gives disk space back, in steps that never delay an append for long.
//!
//! Owns the choice of the next segment to go and the state of a rewrite. What may be
//! deleted, and in which order, is argued at the head of `core`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Result;

use super::core::Core;
use super::disk::{DiskFile, SegmentId};
use super::index::LogIndex;
use super::read::SharedWindow;
use super::record::{
    Checker, HEAD_BYTES, Header, Kind, RANGE_BYTES, RANGES_PER_RECORD_MAX, RECORD_ALIGN, RECORD_HEADER_BYTES,
    claimed_payload_bytes, decode_ranges, encode_range, next_candidate, record_bytes, shared_place,
};
use super::segment::{Segment, Suspicion};
use super::sharing::SHARED_BYTES_MIN;
use super::slot::Slot;
use super::writer::Writer;

/// Bytes read, and rewritten where they live, before appends get their turn.
const STEP_BYTES: usize = 256 * 1024;

/// Files deleted before appends get their turn.
const DELETIONS_PER_STEP: usize = 4;

/// A closed segment is rewritten at once when at most this share of it has to be kept.
const NEARLY_DEAD_SHARE: f64 = 1.0 / 8.0;

/// The newest closed segments are left alone by that rule: what is left in them is
/// probably about to be removed, and then they go without being read.
const YOUNG_SEGMENTS: usize = 4;

/// Above this share of garbage in closed segments, the one with the most is rewritten.
const GARBAGE_SHARE_MAX: f64 = 0.5;

/// The same while the disk is short of room.
const GARBAGE_SHARE_MAX_WHEN_SHORT: f64 = 0.1;

/// Less garbage than in this many segments is not worth that work.
const GARBAGE_SEGMENTS_MIN: u64 = 2;

/// The choice is made anew after this share of a segment died.
const RECONSIDER_SHARE: u64 = 16;

/// When to look for space to give back, and a rewrite under way.
#[derive(Debug)]
pub struct Reclaim {
    /// Bytes that died since the last choice.
    freed: u64,
    /// A choice is made when this much did.
    reconsider: u64,
    /// A choice may find something.
    pending: bool,
    rewrite: Option<Rewrite>,
    garbage_share_max: f64,
    /// A segment cannot be read: nothing is deleted until the journal is opened anew.
    stopped: bool,
}

impl Reclaim {
    /// Looks once at what is there.
    #[must_use]
    pub fn new(segment_bytes: u64) -> Self {
        let reconsider = segment_bytes / RECONSIDER_SHARE;
        Self {
            freed: 0,
            reconsider,
            pending: true,
            rewrite: None,
            garbage_share_max: GARBAGE_SHARE_MAX,
            stopped: false,
        }
    }

    /// Bytes of live records died.
    pub fn note_freed(&mut self, bytes: u64) {
        self.freed += bytes;
        self.pending |= self.freed >= self.reconsider;
    }

    /// A segment was closed.
    pub fn note_closed(&mut self) {
        self.pending = true;
    }

    /// The disk became short of room, or is no longer.
    pub fn note_space(&mut self, is_short: bool) {
        self.garbage_share_max = if is_short { GARBAGE_SHARE_MAX_WHEN_SHORT } else { GARBAGE_SHARE_MAX };
        self.pending = true;
    }

    /// Whether a step may do something.
    #[must_use]
    pub fn has_work(&self) -> bool {
        !self.stopped && (self.pending || self.rewrite.is_some())
    }
}

/// A segment being rewritten into the active one.
#[derive(Debug)]
struct Rewrite {
    segment: SegmentId,
    file: Box<dyn DiskFile>,
    checker: Checker,
    bytes: u64,
    place: u64,
    window: Vec<u8>,
    /// Ranges of its remove records, per log and generation, when they still matter.
    removed: BTreeMap<(u64, u32), Vec<(u64, u64)>>,
    payloads: SharedWindow,
    /// Where payloads stand now that other records may refer to.
    payload_places: HashMap<u64, (SegmentId, u64)>,
    /// Logs whose records were moved.
    moved: BTreeSet<u64>,
    /// Logs and generations of its delete records, when they still matter.
    deleted: BTreeMap<u64, u32>,
    damaged: bool,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
enum Choice {
    Nothing,
    Delete(Vec<SegmentId>),
    Rewrite(SegmentId),
}

impl Core {
    /// Does a bounded amount of work towards giving space back.
    ///
    /// # Errors
    /// The disk's, on writing: the journal has failed.
    pub fn reclaim_step(&mut self) -> Result<()> {
        if let Some(rewrite) = self.reclaim.rewrite.take() {
            return self.rewrite_step(rewrite);
        }
        self.reclaim.freed = 0;
        let active = self.writer.as_ref().map(Writer::id);
        match choose(&self.segments, active, self.segment_bytes, self.reclaim.garbage_share_max) {
            Choice::Nothing => self.reclaim.pending = false,
            Choice::Delete(ids) => self.delete_segments(&ids)?,
            Choice::Rewrite(id) => match self.begin_rewrite(id) {
                Ok(rewrite) => self.reclaim.rewrite = Some(rewrite),
                Err(error) => self.stop_reclaiming(id, &error),
            },
        }
        Ok(())
    }

    fn delete_segments(&mut self, ids: &[SegmentId]) -> Result<()> {
        let greatest = ids.iter().max().copied();
        if self.writer.as_ref().map(Writer::id) < greatest {
            // A greater number stays on the disk, so that none is ever used twice.
            self.rotate()?;
        }
        for id in ids {
            if let Err(error) = self.disk.remove(*id) {
                self.stop_reclaiming(*id, &error);
                return Ok(());
            }
            self.segments.remove(id);
            self.open_files.forget(*id);
        }
        if let Err(error) = self.disk.sync_directory() {
            self.stop_reclaiming(ids.first().copied().unwrap_or_default(), &error);
            return Ok(());
        }
        for segment in self.segments.values_mut() {
            for id in ids {
                segment.targets.remove(id);
            }
        }
        tracing::debug!(?ids, "journal: segments deleted");
        Ok(())
    }

    fn begin_rewrite(&self, id: SegmentId) -> Result<Rewrite> {
        let file = self.disk.open(id)?;
        Ok(Rewrite {
            segment: id,
            bytes: file.bytes()?,
            file,
            checker: Checker::new(self.nonce, id),
            place: HEAD_BYTES as u64,
            window: Vec::new(),
            removed: BTreeMap::new(),
            payloads: SharedWindow::default(),
            payload_places: HashMap::new(),
            moved: BTreeSet::new(),
            deleted: BTreeMap::new(),
            damaged: false,
        })
    }

    /// A segment that cannot be read or deleted stays, and so must all others whose remove
    /// records may speak of it. Nothing is lost, so the journal goes on.
    fn stop_reclaiming(&mut self, id: SegmentId, error: &std::io::Error) {
        self.reclaim.stopped = true;
        tracing::error!("journal segment {id}: {error}; no disk space is given back until a restart");
    }

    fn rewrite_step(&mut self, mut rewrite: Rewrite) -> Result<()> {
        if let Err(error) = rewrite.fill() {
            self.stop_reclaiming(rewrite.segment, &error);
            return Ok(());
        }
        let window = std::mem::take(&mut rewrite.window);
        let mut at = 0;
        while at < window.len() {
            let place = rewrite.place + at as u64;
            if let Some((header, payload)) = rewrite.checker.decode(place, &window[at..]) {
                self.rewrite_record(&mut rewrite, place, &header, payload)?;
                at += record_bytes(payload.len());
                continue;
            }
            let more = rewrite.bytes - rewrite.place > window.len() as u64;
            if more && at > 0 {
                // The window may end inside the record: the next one begins with it.
                break;
            }
            rewrite.damaged |= window[at..].iter().any(|byte| *byte != 0);
            at = match next_candidate(&window, at + RECORD_ALIGN) {
                Some(next) => next,
                // The head of the next record may begin in the last bytes.
                None if more => window.len().saturating_sub(RECORD_HEADER_BYTES).max(at) + RECORD_ALIGN,
                None => window.len(),
            };
        }
        rewrite.place = (rewrite.place + at as u64).min(rewrite.bytes);
        rewrite.window = window;
        if rewrite.place < rewrite.bytes {
            self.reclaim.rewrite = Some(rewrite);
            return Ok(());
        }
        self.finish_rewrite(rewrite)
    }

    fn rewrite_record(&mut self, rewrite: &mut Rewrite, place: u64, header: &Header, payload: &[u8]) -> Result<()> {
        let id = rewrite.segment;
        let pinned = self.segments.get(&id).is_some_and(|segment| !segment.targets.is_empty());
        match header.kind {
            Kind::Data | Kind::Share => {
                let live = self.logs.get(&header.log).and_then(|index| index.get(header.position));
                if let Some(slot) = live.filter(|slot| slot.segment() == id && slot.place() == place) {
                    rewrite.moved.insert(header.log);
                    match header.kind {
                        Kind::Share => self.move_share(rewrite, slot, header, payload)?,
                        _ => {
                            let moved = self.move_record(slot, header, payload)?;
                            if payload.len() >= SHARED_BYTES_MIN {
                                rewrite.payload_places.insert(place, moved);
                            }
                        }
                    }
                }
            }
            Kind::Remove if pinned => {
                rewrite.removed.entry((header.log, header.generation)).or_default().extend(decode_ranges(payload));
            }
            Kind::Delete if pinned => {
                let newest = rewrite.deleted.entry(header.log).or_default();
                *newest = header.generation.max(*newest);
            }
            Kind::Remove | Kind::Delete | Kind::Table | Kind::End => {}
        }
        Ok(())
    }

    /// Writes a live record anew; returns where it stands now.
    fn move_record(&mut self, from: Slot, header: &Header, payload: &[u8]) -> Result<(SegmentId, u64)> {
        let (to, place, bytes) = self.push(&Header { group: self.group, ..*header }, payload)?;
        if let Some(index) = self.logs.get_mut(&header.log) {
            index.relocate(Slot::new(header.position, to, place, bytes, header.weight));
        }
        if let Some(segment) = self.segments.get_mut(&to) {
            segment.add_live(1, bytes as u64);
        }
        if let Some(segment) = self.segments.get_mut(&from.segment()) {
            segment.drop_live(1, from.bytes() as u64);
        }
        Ok((to, place))
    }

    /// Moves a record whose payload stands elsewhere in the segment: it goes on referring to
    /// it where it stands now, if that is the active segment, and takes it over otherwise.
    fn move_share(&mut self, rewrite: &mut Rewrite, slot: Slot, header: &Header, payload: &[u8]) -> Result<()> {
        let Rewrite { checker, file, payloads, payload_places, .. } = rewrite;
        let Some(from) = shared_place(slot.place(), payload) else { return Ok(()) };
        // One that cannot be read stays behind, and is reported as lost with the segment.
        let Some((_, payload)) = payloads.record(file.as_ref(), *checker, slot.segment(), from) else { return Ok(()) };
        let here = self.writer.as_ref().filter(|writer| writer.has_room(size_of::<u64>())).map(Writer::id);
        match payload_places.get(&from).filter(|(segment, _)| Some(*segment) == here) {
            Some((_, place)) => drop(self.move_record(slot, header, &place.to_le_bytes())?),
            None => {
                let place = self.move_record(slot, &Header { kind: Kind::Data, ..*header }, payload)?;
                payload_places.insert(from, place);
            }
        }
        Ok(())
    }

    fn finish_rewrite(&mut self, rewrite: Rewrite) -> Result<()> {
        let id = rewrite.segment;
        for log in &rewrite.moved {
            if let Some(index) = self.logs.get_mut(log) {
                index.repack();
            }
        }
        let targets: Vec<SegmentId> =
            self.segments.get(&id).map(|segment| segment.targets.iter().copied().collect()).unwrap_or_default();
        // Both are empty when no target is left.
        for ((log, generation), ranges) in rewrite.removed {
            let ranges = joined(ranges, self.logs.get(&log));
            for part in ranges.chunks(RANGES_PER_RECORD_MAX) {
                let mut payload = Vec::with_capacity(part.len() * RANGE_BYTES);
                part.iter().for_each(|(first, last)| encode_range(&mut payload, *first, *last));
                self.push_remove(Kind::Remove, log, generation, &payload, &targets)?;
            }
        }
        for (log, generation) in rewrite.deleted {
            self.push_remove(Kind::Delete, log, generation, &[], &targets)?;
        }
        self.sync()?;
        let (suspicion, lost) =
            self.segments.get(&id).map_or((Suspicion::None, 0), |segment| (segment.suspicion, segment.live_records));
        if lost > 0 || (rewrite.damaged && suspicion != Suspicion::Damaged) {
            let kept = self.disk.set_aside(id)?.name;
            tracing::error!(segment = id, kept, "journal: damage found on rewriting, {lost} records are lost");
            self.logs.values_mut().for_each(|index| index.remove_segment(id));
        }
        self.delete_segments(&[id])
    }
}

impl Rewrite {
    /// Reads the next window, large enough for the record that begins it.
    fn fill(&mut self) -> Result<()> {
        let left = (self.bytes - self.place) as usize;
        self.window.resize(STEP_BYTES.min(left), 0);
        self.file.read(&mut self.window, self.place)?;
        if let Some(payload) = claimed_payload_bytes(&self.window)
            && record_bytes(payload) > self.window.len()
            && record_bytes(payload) <= left
        {
            self.window.resize(record_bytes(payload), 0);
            self.file.read(&mut self.window, self.place)?;
        }
        Ok(())
    }
}

/// The removed ranges in order, joined wherever nothing lives between two. (Within the
/// generation of the ranges, and below their end, what does not live now never will.)
fn joined(mut ranges: Vec<(u64, u64)>, index: Option<&LogIndex>) -> Vec<(u64, u64)> {
    let lives = |first, last| index.is_some_and(|index| index.live_in(first, last).next().is_some());
    ranges.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (first, last) in ranges {
        match joined.last_mut() {
            Some(previous)
                if first <= previous.1.saturating_add(1) || !lives(previous.1.saturating_add(1), first - 1) =>
            {
                previous.1 = previous.1.max(last);
            }
            _ => joined.push((first, last)),
        }
    }
    joined
}

/// The next thing to do. `active` is appended to and never touched.
fn choose(
    segments: &BTreeMap<SegmentId, Segment>,
    active: Option<SegmentId>,
    segment_bytes: u64,
    garbage_share_max: f64,
) -> Choice {
    let closed = || segments.iter().filter(|(id, _)| Some(**id) != active);
    if let Some((id, _)) = closed().find(|(_, segment)| segment.suspicion != Suspicion::None) {
        return Choice::Rewrite(*id);
    }
    let free = |segment: &Segment| segment.live_records == 0 && segment.targets.is_empty();
    let deletable: Vec<SegmentId> =
        closed().filter(|(_, segment)| free(segment)).map(|(id, _)| *id).take(DELETIONS_PER_STEP).collect();
    if !deletable.is_empty() {
        return Choice::Delete(deletable);
    }
    let share = |segment: &Segment| segment.weight() as f64 / segment.used().max(1) as f64;
    let count = closed().count();
    let nearly_dead =
        closed().take(count.saturating_sub(YOUNG_SEGMENTS)).find(|(_, segment)| share(segment) <= NEARLY_DEAD_SHARE);
    if let Some((id, _)) = nearly_dead {
        return Choice::Rewrite(*id);
    }
    let (bytes, weight) =
        closed().fold((0, 0), |(bytes, weight), (_, segment)| (bytes + segment.used(), weight + segment.weight()));
    let garbage = bytes - weight.min(bytes);
    if garbage >= GARBAGE_SEGMENTS_MIN * segment_bytes
        && garbage as f64 > bytes as f64 * garbage_share_max
        && let Some((id, _)) = closed().min_by(|(_, a), (_, b)| share(a).total_cmp(&share(b)))
    {
        return Choice::Rewrite(*id);
    }
    Choice::Nothing
}
