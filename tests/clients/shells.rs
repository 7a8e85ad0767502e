//! What people's shells do with the command line tools: a provisioning script, completion in bash, zsh and fish
//! (`tests/clients/shell/`), and the manual pages.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use tests::{binaries, debian, repository};

use crate::broker::{Broker, lacking};
use crate::python;
use crate::verdict::Verdict;

/// The shells, and what they need that a host without them may lack as well; two more programs.
const PACKAGES: &[&str] =
    &["zsh", "zsh-common", "fish", "fish-common", "libpcre2-32-0", "mandoc", "groff-base", "jq", "libjq1", "libonig5"];

/// The only thing that the linter may say of a page: the day on which it was written tells nobody anything.
const DATELESS: &str = "missing date, using \"\": TH";

fn folder() -> PathBuf {
    repository().join("tests/clients/shell")
}

/// Where the packages are unpacked.
fn unpacked() -> &'static PathBuf {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| debian("client-shells", PACKAGES));
    &ROOT
}

/// Puts the unpacked programs behind those on the path; jq finds its libraries.
fn with_packages(command: &mut Command) -> &mut Command {
    let root = unpacked();
    let path = command.get_envs().find_map(|(name, value)| (name == "PATH").then_some(value?.to_owned()));
    let path = path.or_else(|| std::env::var_os("PATH")).unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([root.join("usr/bin")]);
    command.env("PATH", std::env::join_paths(folders).expect("they were split before"))
}

/// A provisioning script, run twice.
pub fn provisioning_script(broker: &Broker) -> Verdict {
    if let Some(verdict) = lacking(&["bash", "apt-get", "dpkg"]) {
        return verdict;
    }
    let mut command = Command::new("bash");
    command.arg(folder().join("twice.sh")).env("ADMIN", broker.rabbitmqadmin());
    broker.judge(with_packages(broker.with_tools(&mut command)))
}

/// Completion, as it happens while somebody types.
pub fn completion(broker: &Broker) -> Verdict {
    if !broker.is_ours() {
        return Verdict::NotRun("these are scripts of ours".to_owned());
    }
    if let Some(verdict) = lacking(&["bash", "python3", "apt-get", "dpkg"]) {
        return verdict;
    }
    let mut command = Command::new(python::interpreter());
    command
        .arg(folder().join("completion.py"))
        .arg(unpacked())
        .env("PYTHONPATH", repository().join("tests/clients/python"));
    broker.judge(broker.with_tools(&mut command))
}

/// The manual pages, read by two programs that warn.
pub fn manual_pages(_: &Broker) -> Verdict {
    if let Some(verdict) = lacking(&["apt-get", "dpkg"]) {
        return verdict;
    }
    let pages = tempfile::tempdir().expect("a temporary folder");
    let made = Command::new(&binaries().ctl).arg("install-man").arg(pages.path()).output().expect("ctl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let root = unpacked();
    let (mandoc, groff) = (root.join("usr/bin/mandoc"), root.join("usr/bin/groff"));
    let versions = std::fs::read_dir(root.join("usr/share/groff")).expect("groff has data");
    let data = versions.map(|entry| entry.expect("it can be read").path()).find(|path| path.join("tmac").is_dir());
    let data = data.expect("groff has macros");
    let (mut complaints, mut count) = (String::new(), 0);
    for page in String::from_utf8_lossy(&made.stdout).lines() {
        let mut programs = [Command::new(&mandoc), Command::new(&groff)];
        programs[0].args(["-T", "lint", "-W", "warning", page]);
        programs[1].args(["-man", "-ww", "-Tutf8", "-z"]).env("PATH", root.join("usr/bin"));
        programs[1].arg("-F").arg(data.join("font")).arg("-M").arg(data.join("tmac")).arg(page);
        for mut program in programs {
            let said = program.output().expect("it runs");
            for text in [said.stdout, said.stderr] {
                let text = String::from_utf8_lossy(&text).into_owned();
                let lines = text.lines().filter(|line| !line.ends_with(DATELESS));
                complaints.extend(lines.flat_map(|line| [line, "\n"]));
            }
        }
        count += 1;
    }
    match complaints.is_empty() && count > 0 {
        true => Verdict::Passed(format!("{count} pages")),
        false => Verdict::Failed(complaints),
    }
}
