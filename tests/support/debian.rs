//! Debian packages, unpacked below `target/`: nothing is installed on the host, and no root is needed.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache::{Cached, run};

/// The folder where these packages are unpacked. Dependencies are not followed: the caller names them all.
///
/// # Panics
/// When they cannot be fetched.
#[must_use]
pub fn debian(name: &str, packages: &[&str]) -> PathBuf {
    let cached = Cached::open(name, &packages.join("\n"));
    let (root, archives) = (cached.folder.join("root"), cached.folder.join("archives"));
    if cached.is_made {
        return root;
    }
    for folder in [&root, &archives] {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).expect("target/ can be written");
    }
    // The host's lists of packages may be absent or old: then lists of our own are fetched.
    if !download(&[], packages, &archives) {
        let own = own_lists(&cached.folder);
        run(Command::new("apt-get").args(&own).args(["-q", "update"]));
        assert!(download(&own, packages, &archives), "apt-get download {packages:?} failed");
    }
    for archive in fs::read_dir(&archives).expect("it was just made") {
        run(Command::new("dpkg").arg("-x").arg(archive.expect("it was just made").path()).arg(&root));
    }
    let _ = fs::remove_dir_all(archives);
    cached.made();
    root
}

fn download(options: &[OsString], packages: &[&str], into: &Path) -> bool {
    let output =
        Command::new("apt-get").args(options).args(["-q", "download"]).args(packages).current_dir(into).output();
    output.is_ok_and(|output| output.status.success())
}

fn own_lists(folder: &Path) -> [OsString; 4] {
    let (state, cache) = (folder.join("state"), folder.join("cache"));
    for folder in [state.join("lists/partial"), cache.join("archives/partial")] {
        fs::create_dir_all(folder).expect("target/ can be written");
    }
    let option = |name: &str, path: &Path| [name, &path.to_string_lossy()].concat().into();
    ["-o".into(), option("Dir::State=", &state), "-o".into(), option("Dir::Cache=", &cache)]
}
