//! Tools that bring a broker into a described state, by the command line tools and the HTTP API: Ansible's collection
//! community.rabbitmq, and Salt's modules and states; of the large packages that hold them only these parts are kept. What
//! Puppet's module asks and how it reads the answers is a program of our own.

use std::path::{Path, PathBuf};
use std::process::Command;

use tests::cache::{Cached, run};
use tests::{python_with, repository};

use crate::broker::{Broker, lacking};
use crate::verdict::Verdict;

/// A part of a Python package.
struct Part {
    package: &'static str,
    /// What the names of the wanted files begin with.
    prefix: &'static str,
}

/// The collection is published elsewhere than Python's packages, but this one has it among hundreds of others.
const COLLECTION: Part = Part { package: "ansible==12.3.0", prefix: "ansible_collections/community/rabbitmq/" };
const SALT: Part = Part { package: "salt==3007.1", prefix: "salt-3007.1/salt/" };

/// Takes what begins so out of an archive: ARCHIVE PREFIX FOLDER.
const EXTRACT: &str = "import sys, tarfile, zipfile
_, archive, prefix, folder = sys.argv
if zipfile.is_zipfile(archive):
    archive = zipfile.ZipFile(archive)
    archive.extractall(folder, [name for name in archive.namelist() if name.startswith(prefix)])
else:
    archive = tarfile.open(archive)
    archive.extractall(folder, [member for member in archive.getmembers() if member.name.startswith(prefix)])";

/// Playbooks, as often as a team runs them.
pub fn ansible(broker: &Broker) -> Verdict {
    program(broker, "ansible", &COLLECTION, "")
}

/// States, as often as a minion is brought into them.
pub fn salt(broker: &Broker) -> Verdict {
    program(broker, "salt", &SALT, "salt-3007.1")
}

/// Resources, asked for as Puppet's module does.
pub fn puppet(broker: &Broker) -> Verdict {
    if let Some(verdict) = lacking(&["python3"]) {
        return verdict;
    }
    let clients = repository().join("tests/clients");
    let mut command = Command::new("python3");
    command
        .arg("program.py")
        .env("PYTHONPATH", clients.join("python"))
        .env("ADMIN", broker.rabbitmqadmin())
        .current_dir(clients.join("puppet"));
    broker.judge(broker.with_tools(&mut command))
}

/// Runs the program of that folder, which is told where the part lies.
fn program(broker: &Broker, name: &str, part: &Part, below: &str) -> Verdict {
    if let Some(verdict) = lacking(&["python3"]) {
        return verdict;
    }
    let clients = repository().join("tests/clients");
    let python = python_with(&format!("client-{name}"), &clients.join(name).join("requirements.txt"));
    let part = unpacked(&python, name, part).join(below);
    let mut command = Command::new(python);
    command.arg("program.py").arg(part).env("PYTHONPATH", clients.join("python")).current_dir(clients.join(name));
    broker.judge(broker.with_tools(&mut command))
}

/// The folder with the part.
fn unpacked(python: &Path, name: &str, part: &Part) -> PathBuf {
    let Part { package, prefix } = part;
    let cached = Cached::open(&format!("client-{name}-part"), &format!("{package}\n{prefix}"));
    if !cached.is_made {
        let download = tempfile::tempdir_in(&cached.folder).expect("target/ can be written");
        run(Command::new(python)
            .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", package, "--dest"])
            .arg(download.path()));
        let mut archives = std::fs::read_dir(download.path()).expect("it can be read");
        let archive = archives.next().expect("one was fetched").expect("it can be read").path();
        run(Command::new(python).args(["-c", EXTRACT]).arg(archive).arg(prefix).arg(&cached.folder));
        cached.made();
    }
    cached.folder
}
