//! Where and when it was measured.

use std::fs::{File, read_to_string};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

/// Syncs measured for the disk's speed.
const SYNCS: usize = 300;

/// One line on the machine, the day and the checkout.
pub fn describe() -> Result<String> {
    let cpuinfo = read_to_string("/proc/cpuinfo")?;
    let value = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = value(&cpuinfo, "model name").unwrap_or_else(|| "unknown processor".into());
    let cores = std::thread::available_parallelism()?;
    let memory = value(&read_to_string("/proc/meminfo")?, "MemTotal").unwrap_or_default();
    let memory_kib: f64 = memory.split_whitespace().next().unwrap_or_default().parse().unwrap_or(0.0);
    let kernel = read_to_string("/proc/sys/kernel/osrelease")?;
    let load = read_to_string("/proc/loadavg")?;
    let load = load.split_whitespace().next().unwrap_or_default();
    let (data, sync) = (Path::new(env!("CARGO_TARGET_TMPDIR")), sync()?);
    Ok(format!(
        "{}; {cores} cores of {model}, {:.0} GiB, Linux {}; data on {}, where one 4 KiB write with fdatasync takes {:.2} ms \
         (median) and {:.2} ms (p99); load average before the run {load}; commit {}, {}",
        said(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"])),
        memory_kib / 1024.0 / 1024.0,
        kernel.trim(),
        said(Command::new("stat").args(["-f", "-c", "%T"]).arg(data)),
        sync.median_us / 1e3,
        sync.p99_us / 1e3,
        said(Command::new("git").current_dir(crate::bench::root()).args(["describe", "--always", "--dirty"])),
        said(Command::new("rustc").arg("--version")),
    ))
}

/// What a command prints, or `?`.
fn said(command: &mut Command) -> String {
    let output = command.output().ok().filter(|output| output.status.success());
    output.map_or_else(|| "?".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// How long the disk takes to make a write safe.
pub struct Sync {
    pub median_us: f64,
    pub p99_us: f64,
}

/// Measures 4 KiB writes with fdatasync on the disk the brokers use, while nothing else is asked of it.
pub fn sync() -> Result<Sync> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sync-probe");
    let mut file = File::create(&path).with_context(|| path.display().to_string())?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let started = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.push(started.elapsed().as_secs_f64() * 1e6);
    }
    std::fs::remove_file(path)?;
    times.sort_by(f64::total_cmp);
    Ok(Sync { median_us: times[SYNCS / 2], p99_us: times[SYNCS * 99 / 100] })
}
