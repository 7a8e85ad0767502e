//! What defaults take from the host: its name, its memory, a place for data.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// Where a system service keeps its data.
const SYSTEM_DATA_DIR: &str = "/var/lib/warren";

/// Assumed when the host does not say.
const MEMORY_BYTES_ASSUMED: u64 = 1 << 30;

/// The host's name up to the first dot.
pub fn short_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    match name.split('.').next() {
        Some(short) if !short.is_empty() => short.to_owned(),
        _ => "localhost".to_owned(),
    }
}

/// Memory of the host, in bytes.
pub fn memory_bytes() -> u64 {
    std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_memory(&text)).unwrap_or(MEMORY_BYTES_ASSUMED)
}

fn total_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// `/var/lib/warren` where the user may write it, else a folder of the user's own. It is
/// never named after the host, so a container with another host name finds its data.
pub fn data_dir(variable: &dyn Fn(&str) -> Option<String>) -> Result<PathBuf, String> {
    let system = Path::new(SYSTEM_DATA_DIR);
    let writable = |path: &Path| access(path, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    if writable(system) || (!system.exists() && system.parent().is_some_and(writable)) {
        return Ok(system.to_owned());
    }
    let of = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(data) = of("XDG_DATA_HOME") {
        return Ok(data.join("warren"));
    }
    of("HOME")
        .map(|home| home.join(".local/share/warren"))
        .ok_or_else(|| format!("{SYSTEM_DATA_DIR} cannot be written and HOME is not set: give --data-dir"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn total_memory_is_read_from_meminfo() {
        assert_eq!(total_memory("MemTotal:       2048 kB\nMemFree: 1 kB\n"), Some(2_097_152));
        assert_eq!(total_memory("MemFree: 1 kB\n"), None);
        assert_eq!(total_memory("MemTotal: lots\n"), None);
    }
}
