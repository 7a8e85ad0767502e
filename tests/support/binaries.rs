//! The binaries under test: built once per test run, by the cargo that runs the tests.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// The binaries under test.
#[derive(Debug)]
pub struct Binaries {
    /// The server.
    pub warren: PathBuf,
    /// The command line tool.
    pub ctl: PathBuf,
    /// A folder with the tool under the names of the reference's tools.
    pub links: PathBuf,
}

/// The repository's folder.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies in the repository")
}

/// Builds them when needed. Cargo hands paths of binaries only to tests of the same
/// package (`CARGO_BIN_EXE_…`), so they are built, or found fresh, here.
pub fn binaries() -> &'static Binaries {
    static BINARIES: LazyLock<Binaries> = LazyLock::new(build);
    &BINARIES
}

fn build() -> Binaries {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--workspace", "--bins", "--message-format=json-render-diagnostics"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let output = command.current_dir(repository()).stderr(Stdio::inherit()).output().expect("cargo runs");
    assert!(output.status.success(), "the binaries do not build");
    let executables: HashMap<String, PathBuf> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| {
            let name = message["target"]["name"].as_str()?.to_owned();
            Some((name, PathBuf::from(message["executable"].as_str()?)))
        })
        .collect();
    let path_of = |name: &str| executables.get(name).unwrap_or_else(|| panic!("cargo built no {name}")).clone();
    let (warren, ctl) = (path_of("warren"), path_of("ctl"));
    let links = warren.with_file_name("test-links");
    install_links(&ctl, &links);
    Binaries { warren, ctl, links }
}

fn install_links(ctl: &Path, folder: &Path) {
    let output = Command::new(ctl).args(["install-links", "--force"]).arg(folder).output().expect("ctl runs");
    assert!(output.status.success(), "install-links: {}", String::from_utf8_lossy(&output.stderr));
}
