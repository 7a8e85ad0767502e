//! The broker that a client works with, and the running of programs that are given its addresses.

use std::io::{Read as _, Seek as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tests::cache::has_program;
use tests::{Options, Server, binaries};

use crate::verdict::Verdict;

/// The longest a program may take: the slowest takes a tenth of it on an idle machine.
const PROGRAM_MAX: Duration = Duration::from_secs(600);

/// Between two looks at a program.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The broker under test.
pub struct Broker {
    /// Where AMQP clients connect.
    pub amqp: SocketAddr,
    /// Where the HTTP API is.
    pub http: SocketAddr,
    server: Option<Server>,
}

/// What a program said and whether it was content.
pub struct Said {
    /// Whether it ended with success.
    pub success: bool,
    /// Its two outputs.
    pub text: String,
}

impl Broker {
    /// The one named in the environment, or a server started for this purpose.
    pub fn under_test() -> Self {
        let address = |name: &str, scheme: &str| {
            let url = std::env::var(name).ok()?;
            Some(url.trim_start_matches(scheme).parse().unwrap_or_else(|error| panic!("{name}={url}: {error}")))
        };
        if let (Some(amqp), Some(http)) = (address("WARREN_AMQP", "amqp://"), address("WARREN_HTTP", "http://")) {
            return Self::at(amqp, http);
        }
        Self::start(Options::default())
    }

    /// One that somebody else started.
    pub fn at(amqp: SocketAddr, http: SocketAddr) -> Self {
        Self { amqp, http, server: None }
    }

    /// A server of ours.
    pub fn start(options: Options) -> Self {
        let server = Server::start_with(options);
        Self { amqp: server.amqp, http: server.http, server: Some(server) }
    }

    /// Whether it is a server started for this purpose.
    pub fn is_ours(&self) -> bool {
        self.server.is_some()
    }

    /// Puts the command line tools where the program finds them, and the node where they find it.
    pub fn with_tools<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let Some(server) = &self.server else { return command };
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(binaries().links.clone()).chain(std::env::split_paths(&path));
        command
            .env("PATH", std::env::join_paths(folders).expect("they were split before"))
            .env("RABBITMQ_NODENAME", &server.node)
            .env("WARREN_SOCKET", &server.socket)
    }

    /// `rabbitmqadmin`, and the words by which it finds the broker. Beside another one that is its own tool, which the
    /// environment names.
    pub fn rabbitmqadmin(&self) -> String {
        let tool = std::env::var("CLIENTS_RABBITMQADMIN").unwrap_or_else(|_| "rabbitmqadmin".to_owned());
        format!("{tool} --host={} --port={}", self.http.ip(), self.http.port())
    }

    /// Its address as most clients take it.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@{}/", self.amqp)
    }

    /// Its name and version, as the HTTP API tells them.
    pub fn product(&self) -> String {
        let mut stream = TcpStream::connect(self.http).expect("the HTTP API answers");
        let request = "GET /api/overview HTTP/1.0\r\nAuthorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n\r\n";
        stream.write_all(request.as_bytes()).expect("the HTTP API reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the HTTP API answers");
        let body = answer.split_once("\r\n\r\n").expect("a head and a body").1;
        let overview: serde_json::Value = serde_json::from_str(body).expect("the overview is JSON");
        let field = |name: &str| overview[name].as_str().unwrap_or_default();
        format!("{} {}", field("product_name"), field("rabbitmq_version"))
    }

    /// Runs a program with the addresses in its environment, to its end or to [`PROGRAM_MAX`].
    pub fn run(&self, command: &mut Command) -> Said {
        let mut output = tempfile::tempfile().expect("a temporary file");
        let handle = || Stdio::from(output.try_clone().expect("a file can be shared"));
        let mut process = command
            .env("AMQP_URL", self.url())
            .env("AMQP_HOST", self.amqp.ip().to_string())
            .env("AMQP_PORT", self.amqp.port().to_string())
            .env("HTTP_URL", format!("http://{}", self.http))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .stdout(handle())
            .stderr(handle())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let end = Instant::now() + PROGRAM_MAX;
        let status = loop {
            match process.try_wait().expect("its state can be read") {
                Some(status) => break Some(status),
                None if Instant::now() > end => break None,
                None => std::thread::sleep(LOOK_EVERY),
            }
        };
        // Whatever it started goes with it.
        let _ = kill_process_group(Pid::from_child(&process), Signal::KILL);
        let _ = process.wait();
        let mut text = read(&mut output);
        if status.is_none() {
            text += &format!("\nnot ended within {PROGRAM_MAX:?}");
        }
        Said { success: status.is_some_and(|status| status.success()), text }
    }

    /// Runs a program whose exit status is the verdict; the lines it says with `ok` in front are its checks.
    pub fn judge(&self, command: &mut Command) -> Verdict {
        let said = self.run(command);
        let checks = said.text.lines().filter(|line| line.starts_with("ok ")).count();
        match said.success && checks > 0 {
            true => Verdict::Passed(format!("{checks} checks")),
            false => Verdict::Failed(said.text),
        }
    }
}

/// The verdict when the host lacks one of these programs.
pub fn lacking(programs: &[&str]) -> Option<Verdict> {
    let missing: Vec<&str> = programs.iter().copied().filter(|program| !has_program(program)).collect();
    (!missing.is_empty()).then(|| Verdict::NotRun(format!("no {} on this host", missing.join(", no "))))
}

fn read(output: &mut std::fs::File) -> String {
    let mut bytes = Vec::new();
    output.rewind().expect("a file can be rewound");
    output.read_to_end(&mut bytes).expect("a file can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}
