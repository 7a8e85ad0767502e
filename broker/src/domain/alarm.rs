//! Resource alarms: what was measured and where the limits lie decide which alarms are in
//! force, and why. While one is in force, connections that publish are blocked.
//!
//! Measuring, and telling connections, is the business of others.

use std::fmt;

/// Longest text a client is told as the reason, in bytes: the protocol's short string.
const REASON_BYTES_MAX: usize = 255;
/// Shortest pause between two samples, in milliseconds: something is about to run out.
pub const SAMPLE_MS_MIN: u64 = 100;
/// Longest pause between two samples, in milliseconds.
pub const SAMPLE_MS_MAX: u64 = 1_000;
/// How fast memory and disk are expected to fill at worst, in bytes per millisecond.
const FILL_BYTES_PER_MS: u64 = 1_000_000;

/// Where a limit lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Watermark {
    /// At this many times the memory there is.
    Relative(f64),
    /// At this many bytes.
    Absolute(u64),
}

impl Watermark {
    /// The limit in bytes, where the memory there is counts `memory_total`.
    #[must_use]
    pub fn bytes(self, memory_total: u64) -> u64 {
        match self {
            Self::Relative(share) => (memory_total as f64 * share) as u64,
            Self::Absolute(bytes) => bytes,
        }
    }
}

/// The limits of a node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Resident memory above this raises the memory alarm.
    pub memory: Watermark,
    /// Free disk space below this raises the disk alarm.
    pub disk: Watermark,
    /// Whether free disk space is looked at.
    pub disk_monitored: bool,
}

/// Whether storage takes writes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StorageState {
    /// It does.
    #[default]
    Well,
    /// It found the disk full; what it says.
    DiskFull(String),
    /// A write or sync failed; what it says.
    Failed(String),
}

/// What was measured at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sample {
    /// Memory the process may use, in bytes.
    pub memory_total: u64,
    /// Resident memory, in bytes.
    pub memory_used: u64,
    /// Free bytes on the disk of the data directory; `None` when the system did not say.
    pub disk_free: Option<u64>,
    /// What storage says of itself.
    pub storage: StorageState,
}

/// What has run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scarce {
    /// Free disk space.
    Disk,
    /// Memory.
    Memory,
    /// Storage that takes writes.
    Storage,
}

impl Scarce {
    /// The name of the resource in listings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Memory => "memory",
            Self::Storage => "storage",
        }
    }
}

/// Why an alarm is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// More memory is used than the limit, both in bytes.
    MemoryOver {
        /// Resident memory.
        used: u64,
        /// The limit.
        limit: u64,
    },
    /// Less disk space is free than the limit, both in bytes.
    DiskBelow {
        /// Free space.
        free: u64,
        /// The limit.
        limit: u64,
    },
    /// A write found the disk full.
    DiskFull(String),
    /// Storage failed and confirms nothing any more.
    StorageFailed(String),
}

impl Cause {
    /// Which resource the alarm is about.
    #[must_use]
    pub fn resource(&self) -> Scarce {
        match self {
            Self::MemoryOver { .. } => Scarce::Memory,
            Self::DiskBelow { .. } | Self::DiskFull(_) => Scarce::Disk,
            Self::StorageFailed(_) => Scarce::Storage,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MemoryOver { used, limit } => write!(f, "{used} bytes of memory are used, the limit is {limit}"),
            Self::DiskBelow { free, limit } => write!(f, "{free} bytes of disk are free, the limit is {limit}"),
            Self::DiskFull(why) => write!(f, "the disk is full: {why}"),
            Self::StorageFailed(why) => write!(f, "storage failed: {why}"),
        }
    }
}

/// What was decided, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// The memory limit in bytes; no more than the memory there is.
    pub memory_limit: u64,
    /// The disk limit in bytes.
    pub disk_limit: u64,
    /// Why alarms are in force; empty when none is.
    pub causes: Vec<Cause>,
}

impl Verdict {
    /// Whether any alarm is in force.
    #[must_use]
    pub fn is_alarmed(&self) -> bool {
        !self.causes.is_empty()
    }

    /// Whether the alarm of a resource is in force.
    #[must_use]
    pub fn is_scarce(&self, resource: Scarce) -> bool {
        self.causes.iter().any(|cause| cause.resource() == resource)
    }

    /// The resources whose alarms are in force, each once, in the order of their names.
    #[must_use]
    pub fn scarce(&self) -> Vec<Scarce> {
        let mut resources: Vec<Scarce> = self.causes.iter().map(Cause::resource).collect();
        resources.sort_unstable();
        resources.dedup();
        resources
    }

    /// The text of `connection.blocked`: `low on disk & memory`.
    #[must_use]
    pub fn blocked_reason(&self) -> String {
        let scarce = self.scarce();
        let low: Vec<_> = scarce.iter().filter(|&&one| one != Scarce::Storage).map(|one| one.name()).collect();
        let mut parts = Vec::new();
        if !low.is_empty() {
            parts.push(format!("low on {}", low.join(" & ")));
        }
        parts.extend(self.causes.iter().filter(|cause| cause.resource() == Scarce::Storage).map(Cause::to_string));
        let mut text = parts.join("; ");
        text.truncate(text.floor_char_boundary(REASON_BYTES_MAX));
        text
    }
}

/// Which alarms are in force.
#[must_use]
pub fn decide(limits: &Limits, sample: &Sample) -> Verdict {
    let memory_limit = limits.memory.bytes(sample.memory_total).min(sample.memory_total);
    let disk_limit = limits.disk.bytes(sample.memory_total);
    let mut causes = Vec::new();
    if sample.memory_used > memory_limit {
        causes.push(Cause::MemoryOver { used: sample.memory_used, limit: memory_limit });
    }
    if let Some(free) = sample.disk_free.filter(|free| limits.disk_monitored && *free < disk_limit) {
        causes.push(Cause::DiskBelow { free, limit: disk_limit });
    }
    match &sample.storage {
        StorageState::Well => {}
        StorageState::DiskFull(why) => causes.push(Cause::DiskFull(why.clone())),
        StorageState::Failed(why) => causes.push(Cause::StorageFailed(why.clone())),
    }
    Verdict { memory_limit, disk_limit, causes }
}

/// How long to wait before the next sample, in milliseconds: half the time in which what
/// is left could be gone at worst. An alarm in force is looked at as rarely as plenty.
#[must_use]
pub fn next_sample_ms(verdict: &Verdict, sample: &Sample, disk_monitored: bool) -> u64 {
    let patience = |left: u64| (left / FILL_BYTES_PER_MS / 2).clamp(SAMPLE_MS_MIN, SAMPLE_MS_MAX);
    let memory = match verdict.memory_limit.checked_sub(sample.memory_used) {
        Some(left) => patience(left),
        None => SAMPLE_MS_MAX,
    };
    let disk = match sample.disk_free.filter(|_| disk_monitored).and_then(|free| free.checked_sub(verdict.disk_limit)) {
        Some(left) => patience(left),
        None => SAMPLE_MS_MAX,
    };
    memory.min(disk)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn limits(memory: Watermark, disk: Watermark) -> Limits {
        Limits { memory, disk, disk_monitored: true }
    }

    fn sample(memory_used: u64, disk_free: u64) -> Sample {
        Sample { memory_total: 10 * GIB, memory_used, disk_free: Some(disk_free), storage: StorageState::Well }
    }

    #[test]
    fn alarms_follow_from_limits_and_measures() {
        use Watermark::{Absolute, Relative};
        let usual = limits(Relative(0.5), Absolute(50));
        for (limits, sample, resources, reason) in [
            (usual, sample(5 * GIB, 50), vec![], ""),
            (usual, sample(5 * GIB + 1, 50), vec![Scarce::Memory], "low on memory"),
            (usual, sample(0, 49), vec![Scarce::Disk], "low on disk"),
            (usual, sample(6 * GIB, 49), vec![Scarce::Disk, Scarce::Memory], "low on disk & memory"),
            (limits(Absolute(100), Absolute(0)), sample(101, 0), vec![Scarce::Memory], "low on memory"),
            // More than there is counts as all there is.
            (limits(Absolute(20 * GIB), Absolute(0)), sample(10 * GIB + 1, 0), vec![Scarce::Memory], "low on memory"),
            (limits(Relative(0.0), Absolute(0)), sample(1, 0), vec![Scarce::Memory], "low on memory"),
            (limits(Relative(1.0), Relative(2.0)), sample(1, 20 * GIB - 1), vec![Scarce::Disk], "low on disk"),
            (limits(Relative(1.0), Relative(2.0)), sample(1, 20 * GIB), vec![], ""),
            (Limits { disk_monitored: false, ..usual }, sample(1, 0), vec![], ""),
            (usual, Sample { disk_free: None, ..sample(1, 0) }, vec![], ""),
        ] {
            let verdict = decide(&limits, &sample);
            assert_eq!(verdict.scarce(), resources, "{limits:?} {sample:?}");
            assert_eq!(verdict.blocked_reason(), reason);
            assert_eq!(verdict.is_alarmed(), !resources.is_empty());
        }
    }

    #[test]
    fn storage_that_does_not_take_writes_is_an_alarm_of_its_own() {
        let usual = limits(Watermark::Relative(0.5), Watermark::Absolute(50));
        let with = |storage| decide(&usual, &Sample { storage, ..sample(6 * GIB, 0) });
        let full = with(StorageState::DiskFull("no space left".into()));
        assert_eq!(full.scarce(), [Scarce::Disk, Scarce::Memory]);
        assert_eq!(full.blocked_reason(), "low on disk & memory");
        let failed = with(StorageState::Failed("sync: I/O error".into()));
        assert_eq!(failed.scarce(), [Scarce::Disk, Scarce::Memory, Scarce::Storage]);
        assert_eq!(failed.blocked_reason(), "low on disk & memory; storage failed: sync: I/O error");
        let long = with(StorageState::Failed("é".repeat(200)));
        assert!(long.blocked_reason().len() <= REASON_BYTES_MAX);
    }

    #[test]
    fn a_verdict_says_how_it_was_reached() {
        let usual = limits(Watermark::Relative(0.5), Watermark::Absolute(50));
        let verdict = decide(&usual, &sample(6 * GIB, 49));
        assert_eq!((verdict.memory_limit, verdict.disk_limit), (5 * GIB, 50));
        let causes: Vec<_> = verdict.causes.iter().map(Cause::to_string).collect();
        assert_eq!(
            causes,
            [
                "6442450944 bytes of memory are used, the limit is 5368709120",
                "49 bytes of disk are free, the limit is 50"
            ]
        );
    }

    #[test]
    fn the_nearer_a_limit_the_sooner_the_next_look() {
        let usual = limits(Watermark::Absolute(5 * GIB), Watermark::Absolute(0));
        let next = |memory_used, disk_free| {
            let sample = sample(memory_used, disk_free);
            next_sample_ms(&decide(&usual, &sample), &sample, true)
        };
        let plenty = 100 * GIB;
        assert_eq!(next(0, plenty), SAMPLE_MS_MAX);
        assert_eq!(next(5 * GIB, plenty), SAMPLE_MS_MIN);
        assert_eq!(next(5 * GIB - 1_000_000_000, plenty), 500);
        assert_eq!(next(0, 600_000_000), 300);
        assert_eq!(next(6 * GIB, plenty), SAMPLE_MS_MAX);
    }
}
