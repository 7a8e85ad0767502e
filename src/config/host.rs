//! What defaults take from the host: its name, a place for data.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// Where a system service keeps its data.
const SYSTEM_DATA_DIR: &str = "/var/lib/warren";

/// The host's name up to the first dot.
pub fn short_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    match name.split('.').next() {
        Some(short) if !short.is_empty() => short.to_owned(),
        _ => "localhost".to_owned(),
    }
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
