//! Starts a broker on an empty directory, knows its address, process and command line tool, and stops it.

use std::fmt;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;

use crate::bench::root;

/// How long a broker may take to start or stop.
const PATIENCE: Duration = Duration::from_secs(180);

/// The largest message the brokers are made to take; by default both stop at 16 MiB.
const MESSAGE_BYTES_MAX: usize = 128 * 1024 * 1024;

/// How often a starting broker is asked: finely at first, then sparing the machine.
const ASK_EVERY: Duration = Duration::from_millis(1);
const ASK_EVERY_LATER: Duration = Duration::from_millis(10);
const LATER: Duration = Duration::from_millis(500);

/// Which broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The server of this checkout
    Warren,
    /// The one `tests/live-rabbitmq.sh` installs
    Rabbitmq,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warren => "Warren",
            Self::Rabbitmq => "RabbitMQ",
        })
    }
}

/// A running broker, stopped when dropped.
pub struct Broker {
    kind: Kind,
    /// Warren itself; the script that starts RabbitMQ has ended.
    child: Option<Child>,
    pid: u32,
    /// Neither stopped nor killed yet.
    runs: bool,
    amqp_port: u16,
    management_port: u16,
    started: Instant,
    started_in: Duration,
    directory: PathBuf,
    tools: PathBuf,
}

impl Broker {
    /// Starts it on an empty directory and waits until it answers an AMQP client.
    pub fn start(kind: Kind, tools: &Path, rabbitmq_port: u16) -> Result<Self> {
        match kind {
            Kind::Warren => Self::start_warren(tools),
            Kind::Rabbitmq => Self::start_rabbitmq(tools, rabbitmq_port),
        }
    }

    fn start_warren(tools: &Path) -> Result<Self> {
        Self::start_warren_with(tools, "warren", &[])
    }

    /// Starts the server of this checkout with further settings, on an empty directory of that name.
    pub fn start_warren_with(tools: &Path, name: &str, settings: &[String]) -> Result<Self> {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compare").join(name);
        if directory.exists() {
            std::fs::remove_dir_all(&directory)?;
        }
        std::fs::create_dir_all(&directory)?;
        Self::launch_warren(tools, directory, settings)
    }

    fn launch_warren(tools: &Path, directory: PathBuf, settings: &[String]) -> Result<Self> {
        let log = std::fs::File::create(directory.with_extension("log"))?;
        let [amqp_port, management, prometheus] = free_ports()?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_warren"));
        command.arg("--data-dir").arg(&directory);
        for setting in [
            format!("listeners.tcp.default=127.0.0.1:{amqp_port}"),
            "management.tcp.ip=127.0.0.1".to_owned(),
            format!("management.tcp.port={management}"),
            "prometheus.tcp.ip=127.0.0.1".to_owned(),
            format!("prometheus.tcp.port={prometheus}"),
            format!("control.socket={}", socket(&directory).display()),
            format!("max_message_size={MESSAGE_BYTES_MAX}"),
        ] {
            command.arg("--set").arg(setting);
        }
        command.args(settings.iter().flat_map(|setting| ["--set", setting.as_str()]));
        let started = Instant::now();
        let mut child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let pid = child.id();
        let started_in = await_amqp(amqp_port, started, || match child.try_wait()? {
            Some(status) => bail!("warren ended with {status}; see {}", directory.with_extension("log").display()),
            None => Ok(()),
        })?;
        let tools = tools.to_owned();
        Ok(Self {
            kind: Kind::Warren,
            child: Some(child),
            pid,
            runs: true,
            amqp_port,
            management_port: management,
            started,
            started_in,
            directory,
            tools,
        })
    }

    fn start_rabbitmq(tools: &Path, amqp_port: u16) -> Result<Self> {
        let script = |word: &str| live_script(amqp_port).arg(word).stdin(Stdio::null()).output();
        ensure!(
            !script("pid")?.status.success(),
            "a RabbitMQ already runs on port {amqp_port}; stop it with: LIVE_RABBITMQ_PORT={amqp_port} tests/live-rabbitmq.sh stop"
        );
        script("wipe")?;
        Self::launch_rabbitmq(tools, amqp_port)
    }

    fn launch_rabbitmq(tools: &Path, amqp_port: u16) -> Result<Self> {
        let script = |word: &str| live_script(amqp_port).arg(word).stdin(Stdio::null()).output();
        let started = Instant::now();
        let mut starter = live_script(amqp_port).arg("start").stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let started_in = await_amqp(amqp_port, started, || match starter.try_wait()? {
            Some(status) if !status.success() => bail!("tests/live-rabbitmq.sh start ended with {status}"),
            _ => Ok(()),
        })?;
        ensure!(starter.wait()?.success(), "tests/live-rabbitmq.sh start failed");
        let pid = String::from_utf8(script("pid")?.stdout)?.trim().parse().context("process id of RabbitMQ")?;
        let (directory, tools) = (PathBuf::new(), tools.to_owned());
        Ok(Self {
            kind: Kind::Rabbitmq,
            child: None,
            pid,
            runs: true,
            amqp_port,
            management_port: amqp_port + 10_001,
            started,
            started_in,
            directory,
            tools,
        })
    }

    /// Kills it without warning and starts it again on what it left behind; returns when it answers an AMQP client.
    pub fn crash_and_restart(mut self) -> Result<Self> {
        let pid = rustix::process::Pid::from_raw(self.pid.cast_signed()).context("a process has an id")?;
        rustix::process::kill_process(pid, rustix::process::Signal::KILL)?;
        self.runs = false;
        if let Some(mut child) = self.child.take() {
            child.wait()?;
        }
        let proc = PathBuf::from(format!("/proc/{}", self.pid));
        let killed = Instant::now();
        while proc.exists() {
            ensure!(killed.elapsed() < PATIENCE, "process {} does not end", self.pid);
            sleep(ASK_EVERY);
        }
        match self.kind {
            Kind::Warren => Self::launch_warren(&self.tools.clone(), self.directory.clone(), &[]),
            Kind::Rabbitmq => Self::launch_rabbitmq(&self.tools.clone(), self.amqp_port),
        }
    }

    /// Lets it take messages up to [`MESSAGE_BYTES_MAX`]. Warren was told when it started.
    pub fn allow_huge_messages(&self) -> Result<()> {
        if self.kind == Kind::Rabbitmq {
            let expression = format!("persistent_term:put(max_message_size, {MESSAGE_BYTES_MAX}).");
            let output = self.tool("rabbitmqctl").args(["eval", &expression]).stdin(Stdio::null()).output()?;
            ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    /// Which one.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where it listens for AMQP.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.amqp_port).into()
    }

    /// Where it listens for HTTP.
    pub fn management(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.management_port).into()
    }

    /// From the start of its process.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Its (first) process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// From its start until an AMQP client was answered.
    pub fn started_in(&self) -> Duration {
        self.started_in
    }

    /// Where clients connect.
    pub fn uri(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}", self.amqp_port)
    }

    /// A program of its command line tools, or a shell that finds them.
    pub fn tool(&self, program: &str) -> Command {
        match self.kind {
            Kind::Warren => {
                let own = self.tools.join(program);
                let mut command = Command::new(if own.exists() { own } else { program.into() });
                let path = std::env::var_os("PATH").unwrap_or_default();
                let paths = std::iter::once(self.tools.clone()).chain(std::env::split_paths(&path));
                command.env("PATH", std::env::join_paths(paths).unwrap_or(path.clone()));
                command.env("WARREN_SOCKET", socket(&self.directory));
                command
            }
            Kind::Rabbitmq => {
                let mut command = live_script(self.amqp_port);
                command.args(["ctl", program]);
                command
            }
        }
    }

    /// What it calls its version.
    pub fn version(&self) -> Result<String> {
        let output = match self.kind {
            Kind::Warren => Command::new(env!("CARGO_BIN_EXE_warren")).arg("--version").output()?,
            Kind::Rabbitmq => self.tool("rabbitmqctl").arg("version").output()?,
        };
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.split_whitespace().last().unwrap_or("of unknown version").to_owned())
    }

    /// Stops it in order.
    pub fn stop(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        self.runs = false;
        match (self.kind, self.child.take()) {
            (Kind::Warren, Some(child)) => end_child(child),
            (Kind::Warren, None) => Ok(()),
            (Kind::Rabbitmq, _) => {
                let stopped = live_script(self.amqp_port).arg("stop").stdin(Stdio::null()).output()?;
                ensure!(stopped.status.success(), "{}", String::from_utf8_lossy(&stopped.stderr));
                Ok(())
            }
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if self.runs {
            // Stopped before, or on the way out of a failed run whose own error matters more.
            let _ = self.end();
        }
    }
}

fn socket(directory: &Path) -> PathBuf {
    directory.join("control.socket")
}

fn live_script(port: u16) -> Command {
    let mut command = Command::new("bash");
    command.arg(root().join("tests/live-rabbitmq.sh")).env("LIVE_RABBITMQ_PORT", port.to_string());
    command
}

/// Three ports nobody listens on.
fn free_ports() -> Result<[u16; 3]> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listeners = [bind()?, bind()?, bind()?];
    let [a, b, c] = listeners.map(|listener| listener.local_addr().map(|address| address.port()));
    Ok([a?, b?, c?])
}

/// Waits until the server sends the first octet of its first frame; returns how long that took since `started`.
fn await_amqp(port: u16, started: Instant, mut alive: impl FnMut() -> Result<()>) -> Result<Duration> {
    loop {
        if answers(port).unwrap_or(false) {
            return Ok(started.elapsed());
        }
        alive()?;
        let waited = started.elapsed();
        ensure!(waited < PATIENCE, "nothing answers on port {port} after {} s", waited.as_secs());
        sleep(if waited < LATER { ASK_EVERY } else { ASK_EVERY_LATER });
    }
}

fn answers(port: u16) -> std::io::Result<bool> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    socket.write_all(b"AMQP\x00\x00\x09\x01")?;
    let mut first = [0];
    Ok(socket.read(&mut first)? == 1 && first[0] == 1)
}

fn end_child(mut child: Child) -> Result<()> {
    if let Some(pid) = rustix::process::Pid::from_raw(child.id() as i32) {
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
    }
    let asked = Instant::now();
    while child.try_wait()?.is_none() {
        if asked.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            bail!("warren did not stop within {} s", PATIENCE.as_secs());
        }
        sleep(ASK_EVERY_LATER);
    }
    Ok(())
}
