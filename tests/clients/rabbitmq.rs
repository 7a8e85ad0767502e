//! A RabbitMQ of Debian's packages, unpacked and started beside the tests: own ports on the loopback, own data, own cookie,
//! own port mapper, all in a folder that goes with it.
//!
//! Owns its processes. Knows nothing of what is asked of it. The package is the one this host's Debian has; what is
//! expected of which version is for others to know.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tests::{debian, free_port, wait_until};

/// The server, and what of Erlang it needs; dependencies are not followed.
const PACKAGES: &[&str] = &[
    "rabbitmq-server",
    "erlang-asn1",
    "erlang-base",
    "erlang-crypto",
    "erlang-eldap",
    "erlang-inets",
    "erlang-mnesia",
    "erlang-os-mon",
    "erlang-parsetools",
    "erlang-public-key",
    "erlang-runtime-tools",
    "erlang-ssl",
    "erlang-syntax-tools",
    "erlang-tools",
    "erlang-xmerl",
];

/// A running RabbitMQ. It is killed when dropped.
pub struct Rabbitmq {
    /// Where AMQP clients connect.
    pub amqp: SocketAddr,
    /// Where the HTTP API is.
    pub http: SocketAddr,
    // The server first, then the port mapper, which every node insists on.
    processes: Vec<Child>,
    folder: TempDir,
}

impl Rabbitmq {
    /// Starts one and waits until its HTTP API listens.
    ///
    /// # Panics
    /// When it cannot be fetched or does not start; what it said is in the message.
    pub fn start() -> Self {
        let root = debian("client-rabbitmq", PACKAGES);
        let erlang = root.join("usr/lib/erlang");
        let programs = only(&erlang, "erts-").join("bin");
        let server = only(&root.join("usr/lib/rabbitmq/lib"), "rabbitmq_server-");
        let folder = tempfile::Builder::new().prefix("rabbitmq-").tempdir().expect("a temporary folder");
        let (amqp, mapper) = (short_port(), free_port());
        let mut ports = [free_port(), free_port()];
        ports.sort_unstable();
        let [http, distribution] = ports;
        let here = |name: &str| folder.path().join(name);
        for name in ["bin", "data", "log"] {
            fs::create_dir(here(name)).expect("a fresh folder can be written");
        }
        let starter = format!(
            "#!/bin/sh\nexport ROOTDIR='{}' BINDIR='{}' EMU=beam PROGNAME=erl\nexec '{}' \"$@\"\n",
            erlang.display(),
            programs.display(),
            programs.join("erlexec").display()
        );
        // The package's own starter knows no place but the one it is installed in.
        write(&here("bin/erl"), &starter);
        fs::set_permissions(here("bin/erl"), fs::Permissions::from_mode(0o755)).expect("an own file");
        let settings = format!(
            "listeners.tcp.default = 127.0.0.1:{amqp}\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {http}\n\
             collect_statistics_interval = 500\n"
        );
        write(&here("rabbitmq.conf"), &settings);
        write(&here("enabled_plugins"), "[rabbitmq_management].\n");
        let node = "elsewhere@localhost";
        let mut processes = Vec::new();
        let mapped = [Ipv4Addr::LOCALHOST.to_string(), mapper.to_string()];
        let mut epmd = Command::new(programs.join("epmd"));
        processes.push(spawn(epmd.args(["-address", &mapped[0], "-port", &mapped[1]]), &here("log/epmd")));
        let mut command = Command::new(server.join("sbin/rabbitmq-server"));
        command
            .env_clear()
            .env(
                "PATH",
                std::env::join_paths([&here("bin"), Path::new("/usr/bin"), Path::new("/bin")]).expect("no colon"),
            )
            .env("HOME", folder.path())
            .env("LANG", "C.UTF-8")
            .env("ERL_EPMD_ADDRESS", &mapped[0])
            .env("ERL_EPMD_PORT", &mapped[1])
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_CONFIG_FILE", here("rabbitmq.conf"))
            .env("RABBITMQ_DIST_PORT", distribution.to_string())
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", here("enabled_plugins"))
            .env("RABBITMQ_LOG_BASE", here("log"))
            .env("RABBITMQ_LOGS", here("log/broker.log"))
            .env("RABBITMQ_MNESIA_BASE", here("data"))
            .env("RABBITMQ_NODENAME", node)
            .env("RABBITMQ_PLUGINS_DIR", server.join("plugins"))
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}");
        processes.insert(0, spawn(&mut command, &here("log/console")));
        let mut this = Self {
            amqp: (Ipv4Addr::LOCALHOST, amqp).into(),
            http: (Ipv4Addr::LOCALHOST, http).into(),
            processes,
            folder,
        };
        wait_until("a started RabbitMQ", || this.is_ready().then_some(()));
        this
    }

    /// Whether it has started its plugins, and so its HTTP API, as it says at the end of its start.
    fn is_ready(&mut self) -> bool {
        let said = fs::read_to_string(self.folder.path().join("log/console")).unwrap_or_default();
        let ended = self.processes[0].try_wait().expect("its state can be read");
        assert!(ended.is_none(), "RabbitMQ ended:\n{said}");
        said.contains("completed with")
    }
}

impl Drop for Rabbitmq {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = kill_process_group(Pid::from_child(process), Signal::KILL);
            let _ = process.wait();
        }
    }
}

fn spawn(command: &mut Command, log: &Path) -> Child {
    let output = File::create(log).expect("a fresh folder can be written");
    let errors = output.try_clone().expect("a file can be shared");
    command
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// The one entry of a folder whose name begins so, whatever its version.
fn only(folder: &Path, beginning: &str) -> PathBuf {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let found = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let has_name = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(beginning));
    found.filter(has_name).min().unwrap_or_else(|| panic!("no {beginning}… in {}", folder.display()))
}

/// A free port of four digits. Some lists are sorted by port as a number and some as text: with one short port both orders
/// are those of the usual ports 5672, 15672 and 25672.
fn short_port() -> u16 {
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    (6000..10_000).find(is_free).expect("one of four thousand ports is free")
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("a fresh folder can be written");
}
