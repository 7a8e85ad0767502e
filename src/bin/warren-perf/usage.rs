//! What processes on this machine have used, from `/proc`: CPU time and resident memory of trees of processes.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use crate::error::PerfError;

/// What the kernel says about a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    parent: u32,
    /// User and system time of the process and of the children it has waited for, in clock ticks.
    ticks: u64,
}

/// CPU time and memory of some trees of processes at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// User and system seconds since each process started, ended children included.
    pub cpu_seconds: f64,
    /// Resident set of all of them, in KiB. Pages they share count for each.
    pub resident_kib: u64,
}

/// Reads `/proc/PID/stat`: the name in parentheses may contain anything, so the fields are counted from its end.
fn parse_stat(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    // After the name: state, parent, …; utime, stime, cutime, cstime are fields 14 to 17 of the whole line.
    let ticks = number(11)? + number(12)? + number(13)? + number(14)?;
    Some(Stat { parent: u32::try_from(number(1)?).ok()?, ticks })
}

fn parse_resident_kib(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

fn stat(pid: u32) -> io::Result<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse_stat(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "unknown format of /proc/PID/stat"))
}

/// All processes that descend from `roots`, the roots among them.
fn tree(roots: &[u32], parents: &BTreeMap<u32, u32>) -> Vec<u32> {
    let mut found: Vec<u32> = Vec::new();
    let mut open: Vec<u32> = roots.to_vec();
    while let Some(pid) = open.pop() {
        if !found.contains(&pid) {
            found.push(pid);
            open.extend(parents.iter().filter(|(_, parent)| **parent == pid).map(|(child, _)| *child));
        }
    }
    found
}

fn parents() -> io::Result<BTreeMap<u32, u32>> {
    let numbers = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    // A process may end between the listing and the look at it.
    Ok(numbers.filter_map(|pid| Some((pid, stat(pid).ok()?.parent))).collect())
}

/// Some processes under watch.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    roots: Vec<u32>,
    peak_kib: u64,
}

impl Watch {
    /// Watches these processes and their children; fails when one is not there.
    pub fn new(roots: &[u32]) -> Result<Self, PerfError> {
        for pid in roots {
            stat(*pid).map_err(|source| PerfError::Process { pid: *pid, source })?;
        }
        Ok(Self { roots: roots.to_vec(), peak_kib: 0 })
    }

    /// Reads the figures now. A root that has ended is an error, for its time would be missing from the sum.
    pub fn read(&mut self) -> Result<Usage, PerfError> {
        let first = self.roots.first().copied().unwrap_or_default();
        let parents = parents().map_err(|source| PerfError::Process { pid: first, source })?;
        let mut usage = Usage::default();
        let mut ticks = 0;
        for pid in tree(&self.roots, &parents) {
            match stat(pid) {
                Ok(stat) => ticks += stat.ticks,
                Err(source) if self.roots.contains(&pid) => return Err(PerfError::Process { pid, source }),
                Err(_) => continue,
            }
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            usage.resident_kib += parse_resident_kib(&status).unwrap_or(0);
        }
        usage.cpu_seconds = ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
        self.peak_kib = self.peak_kib.max(usage.resident_kib);
        Ok(usage)
    }

    /// The same, or nothing when nothing is watched.
    pub fn read_if_any(&mut self) -> Result<Option<Usage>, PerfError> {
        if self.roots.is_empty() { Ok(None) } else { self.read().map(Some) }
    }

    /// The most resident memory seen by any `read`.
    pub fn peak_kib(&self) -> u64 {
        self.peak_kib
    }
}

/// CPU seconds this process itself has used.
pub fn own_cpu_seconds() -> f64 {
    stat(std::process::id()).map_or(0.0, |stat| stat.ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_any_name() {
        let line = "42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 1 0 55 1000 200 18446744073709551615\n";
        assert_eq!(parse_stat(line), Some(Stat { parent: 7, ticks: 127 }));
        assert_eq!(parse_stat("42 (x) S 7"), None);
        assert_eq!(parse_stat(""), None);
        assert_eq!(parse_resident_kib("Name:\tx\nVmHWM:\t  99 kB\nVmRSS:\t  1234 kB\n"), Some(1234));
        assert_eq!(parse_resident_kib("Name:\tkthreadd\n"), None);
    }

    #[test]
    fn a_tree_is_its_roots_and_all_below() {
        let parents = BTreeMap::from([(2, 1), (3, 2), (4, 3), (5, 1), (6, 5)]);
        let sorted = |roots: &[u32]| {
            let mut pids = tree(roots, &parents);
            pids.sort_unstable();
            pids
        };
        assert_eq!(sorted(&[2]), [2, 3, 4]);
        assert_eq!(sorted(&[3, 2]), [2, 3, 4]);
        assert_eq!(sorted(&[6]), [6]);
    }

    #[test]
    fn this_process_can_be_watched_and_a_missing_one_is_an_error() {
        let mut watch = Watch::new(&[std::process::id()]).unwrap();
        let usage = watch.read().unwrap();
        assert!(usage.resident_kib > 0 && watch.peak_kib() >= usage.resident_kib);
        assert!(matches!(Watch::new(&[u32::MAX]), Err(PerfError::Process { .. })));
    }
}
