//! The broker that is looked at: started here, or running already; and its memory.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

/// One broker; one that was started here ends with this value.
pub struct Server {
    /// Where AMQP clients connect.
    pub address: SocketAddr,
    pid: u32,
    started: Option<(Child, TempDir)>,
}

impl Server {
    /// A broker that runs already.
    pub fn running(address: SocketAddr, pid: u32) -> Self {
        Self { address, pid, started: None }
    }

    /// The built server on an empty directory and free ports.
    pub fn start() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut process = Command::new(env!("CARGO_BIN_EXE_warren"))
            .args(["--config", "/dev/null", "--node", "scale@localhost", "--data-dir"])
            .arg(dir.path().join("data"))
            .args(["--set", "listeners.tcp.default=127.0.0.1:0", "--set", "management.tcp.ip=127.0.0.1"])
            .args(["--set", "management.tcp.port=0"])
            .args(["--set", "prometheus.tcp.port=0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = process.stdout.take().context("its output is piped")?;
        let mut lines = BufReader::new(output).lines();
        let mut address = None;
        for line in lines.by_ref().map_while(Result::ok) {
            if let Some((_, found)) = line.split_once("listening for amqp on ") {
                address = Some(found.parse()?);
                break;
            }
        }
        // What it says later is taken from it, so that it never waits for a reader.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let address = address.context("the server does not start")?;
        Ok(Self { address, pid: process.id(), started: Some((process, dir)) })
    }

    /// Its resident memory.
    pub fn resident_bytes(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.pid);
        let status = std::fs::read_to_string(&path).with_context(|| path.clone())?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((process, _)) = &mut self.started {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Lets this process, and the server it starts, open as many files as the host allows.
pub fn allow_many_files() -> Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).context("cannot raise the number of open files")
}
