//! What the operating system says of this process, its memory and its disk.

use std::path::{Path, PathBuf};

/// Assumed when the system does not say how much memory there is.
const MEMORY_BYTES_ASSUMED: u64 = 1 << 30;

/// Resident memory of this process, in bytes; 0 where the system does not tell.
pub(crate) fn resident_bytes() -> u64 {
    statm_bytes(1)
}

/// How much of it is pages of files: the program itself and libraries.
pub(crate) fn resident_file_bytes() -> u64 {
    statm_bytes(2)
}

fn statm_bytes(column: usize) -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split_whitespace().nth(column).and_then(|pages| pages.parse().ok()).unwrap_or_default();
    pages * rustix::param::page_size() as u64
}

/// Context switches of this process since it started, voluntary or not; 0 where the system
/// does not tell.
pub(crate) fn context_switches() -> u64 {
    use nix::sys::resource::{UsageWho, getrusage};
    let count = |switches: i64| u64::try_from(switches).unwrap_or_default();
    getrusage(UsageWho::RUSAGE_SELF)
        .map_or(0, |usage| count(usage.voluntary_context_switches()) + count(usage.involuntary_context_switches()))
}

/// Tasks of the runtime this is called in: how many there are, and how many of them wait in
/// its queue for a thread. Nothing outside a runtime.
pub(crate) fn tasks() -> (u64, u64) {
    tokio::runtime::Handle::try_current().map_or((0, 0), |runtime| {
        let metrics = runtime.metrics();
        (metrics.num_alive_tasks() as u64, metrics.global_queue_depth() as u64)
    })
}

/// Memory this process may use: the least of the machine's and of the limits of its
/// control group and the groups around it.
pub(crate) fn memory_bytes() -> u64 {
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    let total = read(Path::new("/proc/meminfo")).and_then(|text| total_memory(&text)).unwrap_or(MEMORY_BYTES_ASSUMED);
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let limits = limit_files(&groups).into_iter().filter_map(|path| read(&path)?.trim().parse::<u64>().ok());
    limits.fold(total, u64::min)
}

fn total_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Files that may hold a memory limit, from the lines of `/proc/self/cgroup`. In a
/// container the group's path may not be visible, but its root is the group itself. A file
/// that is missing or says `max` limits nothing.
fn limit_files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut add = |root: &str, group: &str, file: &str| {
        let group = Path::new(group.trim_start_matches('/'));
        files.extend(group.ancestors().map(|part| Path::new(root).join(part).join(file)));
    };
    for line in groups.lines() {
        match line.splitn(3, ':').collect::<Vec<_>>()[..] {
            ["0", "", group] => add("/sys/fs/cgroup", group, "memory.max"),
            [_, controllers, group] if controllers.split(',').any(|name| name == "memory") => {
                add("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes");
            }
            _ => {}
        }
    }
    files
}

/// Free bytes on the disk of a path; `None` where the system does not tell.
pub(crate) fn disk_free_bytes(path: &Path) -> Option<u64> {
    rustix::fs::statvfs(path).ok().map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Open file descriptors, and the most there may be.
pub(crate) fn file_descriptors() -> (u64, u64) {
    const FOLDER: &str = "/proc/self/fd";
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    // Since Linux 6.2 the folder's size is their number. Reading it takes a descriptor: that
    // there is none left is what the limit says.
    let used = match std::fs::metadata(FOLDER).map(|folder| folder.len()) {
        Ok(count) if count > 0 => count,
        _ => std::fs::read_dir(FOLDER).map_or(limit, |entries| entries.count() as u64),
    };
    (used, limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_part_of_resident_memory() {
        let (file, all) = (resident_file_bytes(), resident_bytes());
        assert!(file > 0 && file < all, "{file} of {all}");
    }

    #[tokio::test]
    async fn tasks_and_context_switches_are_counted() {
        let before = context_switches();
        let waiting: Vec<_> = (0..3).map(|_| tokio::spawn(std::future::pending::<()>())).collect();
        assert!(tasks().0 >= 3);
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
        // Whoever waits for another thread gives up the processor.
        std::thread::spawn(std::thread::yield_now).join().unwrap();
        assert!(context_switches() > before);
    }

    #[test]
    fn open_files_are_counted() {
        let files: Vec<_> = (0..100).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        let (used, limit) = file_descriptors();
        assert!(used > files.len() as u64 && used <= limit, "{used} of {limit}");
    }

    #[test]
    fn total_memory_is_read_from_meminfo() {
        assert_eq!(total_memory("MemTotal:       2048 kB\nMemFree: 1 kB\n"), Some(2_097_152));
        assert_eq!(total_memory("MemFree: 1 kB\n"), None);
        assert_eq!(total_memory("MemTotal: lots\n"), None);
    }

    #[test]
    fn limits_are_looked_for_in_the_group_and_around_it() {
        let files = |groups| limit_files(groups).iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        assert_eq!(files("0::/\n"), ["/sys/fs/cgroup/memory.max"]);
        assert_eq!(
            files("0::/system.slice/warren.service\n"),
            [
                "/sys/fs/cgroup/system.slice/warren.service/memory.max",
                "/sys/fs/cgroup/system.slice/memory.max",
                "/sys/fs/cgroup/memory.max"
            ]
        );
        assert_eq!(
            files("5:cpu:/a\n4:memory,x:/docker\n"),
            ["/sys/fs/cgroup/memory/docker/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        );
        assert_eq!(files("nonsense"), [""; 0]);
    }
}
