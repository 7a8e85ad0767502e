//! One server process with its own data directory, ports and control socket.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{binaries, wait_until};

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Name of the node; one of its own when not given.
    pub node: Option<String>,
    /// `--set` flags after the usual ones.
    pub set: Vec<String>,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
    /// Name of the data directory; `data` when not given.
    pub data_dir: Option<String>,
    /// A program, with its arguments, that puts itself in a surrounding and then becomes the server.
    pub within: Vec<String>,
    /// Lets the server look for its configuration file itself.
    pub no_config: bool,
}

impl Options {
    fn data_dir(&self, dir: &Path) -> PathBuf {
        dir.join(self.data_dir.as_deref().unwrap_or("data"))
    }
}

/// A running server. It is killed when dropped.
pub struct Server {
    process: Child,
    log: Log,
    dir: Arc<TempDir>,
    options: Options,
    /// Node name, its own for every server.
    pub node: String,
    /// Where AMQP clients connect.
    pub amqp: SocketAddr,
    /// Where the HTTP API is.
    pub http: SocketAddr,
    /// Where its metrics are, unless they were switched off.
    pub metrics: Option<SocketAddr>,
    /// Its control socket.
    pub socket: PathBuf,
}

type Log = Arc<Mutex<Vec<String>>>;

impl Server {
    /// A server on an empty folder.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(Options::default())
    }

    /// A server on an empty folder, with options.
    #[must_use]
    pub fn start_with(options: Options) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let own = || format!("test_{}_{number}@localhost", std::process::id());
        let node = options.node.clone().unwrap_or_else(own);
        let dir = tempfile::Builder::new().prefix("warren-").tempdir().expect("a temporary folder");
        Self::spawn(Arc::new(dir), node, options)
    }

    /// A server that is expected to give up: its exit status and what it said.
    #[must_use]
    pub fn start_refused(options: &Options) -> Output {
        let dir = tempfile::Builder::new().prefix("warren-").tempdir().expect("a temporary folder");
        command(dir.path(), "refused@localhost", options).output().expect("the server starts")
    }

    fn spawn(dir: Arc<TempDir>, node: String, options: Options) -> Self {
        let (mut process, log) = launch(dir.path(), &node, &options);
        let ready = |lines: &[String]| lines.iter().find_map(|line| after(line, "control socket ").map(PathBuf::from));
        let socket = wait_until("a started server", || {
            if let Ok(Some(status)) = process.try_wait() {
                panic!("the server ended with {status}:\n{}", lines(&log).join("\n"));
            }
            ready(&lines(&log))
        });
        let listener = |protocol: &str| listener(&log, protocol);
        let amqp = listener("amqp").expect("an AMQP listener");
        let http = listener("http").expect("an HTTP listener");
        let metrics = listener("http/prometheus");
        Self { process, log, dir, options, node, amqp, http, metrics, socket }
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        lines(&self.log)
    }

    /// Where it listens for this protocol, as its log says.
    #[must_use]
    pub fn listener(&self, protocol: &str) -> Option<SocketAddr> {
        listener(&self.log, protocol)
    }

    /// Its data directory.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.options.data_dir(self.dir.path())
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// SIGKILL: no chance to write anything.
    pub fn kill(&mut self) {
        self.process.kill().expect("the server was running");
        self.process.wait().expect("the server ends");
    }

    /// A new server on the same folder; the old one must have ended.
    #[must_use]
    pub fn restart(mut self) -> Self {
        assert!(self.process.try_wait().expect("its state can be read").is_some(), "the old server still runs");
        Self::spawn(Arc::clone(&self.dir), self.node.clone(), self.options.clone())
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, signal).expect("the server was running");
    }

    /// SIGTERM, and how it ended.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// How it ended.
    pub fn wait(&mut self) -> ExitStatus {
        wait_until("the end of the server", || self.process.try_wait().expect("its state can be read"))
    }

    /// A second server on the same folder, expected to give up: its exit status and what it said.
    #[must_use]
    pub fn rival(&self) -> Output {
        command(self.dir.path(), "rival@localhost", &self.options).output().expect("the server starts")
    }

    /// Runs a command line tool by its name, against this server.
    #[must_use]
    pub fn tool(&self, tool: &str, arguments: &[&str]) -> Output {
        self.tool_command(tool, arguments).stdin(Stdio::null()).output().expect("the tool starts")
    }

    /// The command of [`Self::tool`].
    #[must_use]
    pub fn tool_command(&self, tool: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(binaries().links.join(tool));
        command.args(arguments).env("RABBITMQ_NODENAME", &self.node).env("WARREN_SOCKET", &self.socket);
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("--- log of {}\n{}\n---", self.node, self.log().join("\n"));
        }
    }
}

/// A port nobody listens on now.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
    listener.local_addr().expect("a bound listener has an address").port()
}

fn command(dir: &Path, node: &str, options: &Options) -> Command {
    let mut words = options.within.iter().map(OsStr::new).chain([binaries().warren.as_os_str()]);
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    if !options.no_config {
        // A configuration of the host must not reach the test.
        command.args(["--config", "/dev/null"]);
    }
    command.args(["--node", node, "--data-dir"]).arg(options.data_dir(dir));
    for set in [
        "listeners.tcp.default=127.0.0.1:0",
        "management.tcp.ip=127.0.0.1",
        "management.tcp.port=0",
        "prometheus.tcp.ip=127.0.0.1",
        "prometheus.tcp.port=0",
    ] {
        command.args(["--set", set]);
    }
    for set in &options.set {
        command.args(["--set", set]);
    }
    for name in std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("RABBITMQ_"))
    {
        command.env_remove(name);
    }
    command.envs(options.environment.iter().map(|(name, value)| (name, value)));
    command
}

fn launch(dir: &Path, node: &str, options: &Options) -> (Child, Log) {
    let mut process = command(dir, node, options)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let log = Log::default();
    let pipes: [Box<dyn std::io::Read + Send>; 2] =
        [Box::new(process.stdout.take().expect("it is piped")), Box::new(process.stderr.take().expect("it is piped"))];
    for pipe in pipes {
        let log = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                log.lock().expect("no holder panics").push(line);
            }
        });
    }
    (process, log)
}

fn lines(log: &Log) -> Vec<String> {
    log.lock().expect("no holder panics").clone()
}

/// The address behind "listening for PROTOCOL on" in a log.
fn listener(log: &Log, protocol: &str) -> Option<SocketAddr> {
    let text = format!("listening for {protocol} on ");
    let found = lines(log).iter().find_map(|line| after(line, &text).map(str::to_owned));
    found.and_then(|address| address.parse().ok())
}

fn after<'l>(line: &'l str, text: &str) -> Option<&'l str> {
    line.split_once(text).map(|(_, rest)| rest)
}
