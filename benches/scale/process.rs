//! What the broker's process takes: memory, processor time, open files.

use std::fs::{read_dir, read_to_string};

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Its resident memory.
pub fn resident_bytes(pid: u32) -> Result<f64> {
    let status = read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? * 1024.0)
}

/// User and system seconds it has taken.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // utime and stime, counted from behind the name.
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
    let (user, system) = ticks(11).zip(ticks(12)).context("unknown format of /proc/PID/stat")?;
    Ok((user + system) / rustix::param::clock_ticks_per_second() as f64)
}

/// How many files and sockets it has open.
pub fn open_files(pid: u32) -> Result<usize> {
    Ok(read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// Lets this process, and the brokers it starts, open as many files as the host allows.
pub fn allow_many_files() -> Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).context("cannot raise the number of open files")
}
