//! One call of a command: its words and switches, the node it is for, and asking that node.
//!
//! Owns what `run` functions are given. The application's state is learned from the
//! answer to the real request where there is one, so that a command costs one request.

use std::cell::{OnceCell, RefCell};
use std::io::{BufRead as _, IsTerminal as _};
use std::time::{Duration, Instant};

use openapi::control::{AppState, NODE, NodeSummary};
use openapi::error::{APP_RUNNING, APP_STOPPED};
use openapi::{Endpoint, Method};
use serde_json::Value;

use crate::client::{Client, REQUEST_WAIT_MAX, Reply, Request, Trouble};
use crate::command::{Command, Needs, Tool};
use crate::elsewhere;
use crate::endpoints::{NODES, OVERVIEW};
use crate::exit::{Failure, Kind};
use crate::output::{Answer, Format};
use crate::parse::{Parsed, Setting};
use crate::standard::{self, Broker};
use crate::target::{Route, Surroundings, Target, resolve, short_host};
use crate::terminal::say;

/// Longest secret or document read from standard input, in bytes.
const INPUT_BYTES_MAX: u64 = 1 << 30;

/// A call of a command.
pub struct Call {
    /// The tool it was called as; `None` for a made-up `--script-name`.
    pub tool: Option<Tool>,
    /// Name of the tool as shown.
    pub script: String,
    /// The command.
    pub command: &'static Command,
    /// Its words, without its name.
    pub words: Vec<String>,
    /// Its switches.
    pub switches: Parsed,
    /// The formatter.
    pub format: Format,
    /// The node and the way to it.
    pub target: Target,
    client: OnceCell<Client>,
    name: OnceCell<String>,
    banner: RefCell<Option<String>>,
}

impl Call {
    /// A call; nothing is asked of the node yet.
    pub fn new(
        (tool, script): (Option<Tool>, String),
        command: &'static Command,
        words: Vec<String>,
        switches: Parsed,
        format: Format,
        target: Target,
    ) -> Self {
        let (client, name, banner) = (OnceCell::new(), OnceCell::new(), RefCell::new(None));
        Self { tool, script, command, words, switches, format, target, client, name, banner }
    }

    /// A call of another command for the same node.
    pub fn other(&self, command: &'static Command, vhost: Option<&str>) -> Self {
        let settings = vhost.map(|vhost| ("vhost", Setting::Text(vhost.to_owned()))).into_iter().collect();
        let switches = Parsed { settings, ..Parsed::default() };
        let who = (self.tool, self.script.clone());
        Self::new(who, command, Vec::new(), switches, command.format, self.target.clone())
    }

    /// The same call for a node that may have come up, or moved, since the last look.
    pub fn again(&self) -> Result<Self, Failure> {
        let target = match self.target.route {
            // An address stays what it is, and nobody wants to be asked for a password twice.
            Route::Http { .. } => self.target.clone(),
            _ => resolve(&self.switches, self.command.name, &Surroundings::of_process())?,
        };
        let who = (self.tool, self.script.clone());
        Ok(Self::new(who, self.command, self.words.clone(), self.switches.clone(), self.format, target))
    }

    /// A word; empty when there are fewer.
    pub fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", String::as_str)
    }

    /// The virtual host.
    pub fn vhost(&self) -> &str {
        self.switches.text("vhost").or(self.target.vhost.as_deref()).unwrap_or("/")
    }

    /// Whether prompts and success lines are left out.
    pub fn is_quiet(&self) -> bool {
        self.switches.flag("quiet") || self.switches.flag("silent")
    }

    /// The node's name; asks the node when nobody has said it.
    pub fn node(&self) -> String {
        if let Some(node) = &self.target.node {
            return node.clone();
        }
        self.name
            .get_or_init(|| {
                let ask = |path: &str| {
                    let reply = self.request(&Request::new(Method::Get, path)).ok().filter(Reply::is_ok)?;
                    reply.body["node"].as_str().map(str::to_owned)
                };
                let (own, standard) = (NODE.fill(&[]), "/api/overview?columns=node");
                // A socket is Warren's; what is behind an address need not be.
                let told = match self.target.route {
                    Route::Http { .. } => ask(standard).or_else(|| ask(&own)),
                    _ => ask(&own),
                };
                told.unwrap_or_else(|| format!("rabbit@{}", short_host()))
            })
            .clone()
    }

    /// The columns asked for, each once, or the usual ones.
    pub fn columns(&self) -> Vec<String> {
        let asked = self.asked_columns();
        if !asked.is_empty() || !self.words.is_empty() {
            return asked;
        }
        let usual = self.command.columns.map_or(&[][..], |columns| columns.default);
        usual.iter().map(|name| (*name).to_owned()).collect()
    }

    /// The columns asked for, each once.
    pub fn asked_columns(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in self.words.iter().flat_map(|word| word.split(',')).map(str::trim).filter(|name| !name.is_empty()) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// A command only asks the endpoints it names.
    fn declared<'a>(&self, endpoint: &'a Endpoint) -> &'a Endpoint {
        debug_assert!(
            self.command
                .endpoints
                .iter()
                .chain(elsewhere::endpoints(self.command.name))
                .any(|known| known.path == endpoint.path),
            "{} does not name {}",
            self.command.name,
            endpoint.path
        );
        endpoint
    }

    /// Asks an endpoint.
    pub fn get(&self, endpoint: &Endpoint, names: &[&str], query: &str) -> Result<Reply, Failure> {
        self.ask(Method::Get, endpoint, names, query, None)
    }

    /// Asks a health check, whose failure is an answer as well.
    pub fn get_checked(&self, endpoint: &Endpoint, names: &[&str]) -> Result<Reply, Failure> {
        let path = self.declared(endpoint).fill(names);
        let reply = self.request(&Request::new(Method::Get, &path))?;
        if reply.status == 503 && reply.error() != APP_STOPPED {
            return Ok(reply);
        }
        self.judge(endpoint, Method::Get, reply)
    }

    /// Asks a probe: every status is an answer.
    pub fn probe(&self, endpoint: &Endpoint) -> Result<Reply, Failure> {
        self.request(&Request::new(Method::Get, &self.declared(endpoint).fill(&[])))
    }

    /// Creates or changes something.
    pub fn put(&self, endpoint: &Endpoint, names: &[&str], body: &Value) -> Result<Reply, Failure> {
        self.ask(Method::Put, endpoint, names, "", Some(body))
    }

    /// Has something done.
    pub fn post(&self, endpoint: &Endpoint, names: &[&str], body: Option<&Value>) -> Result<Reply, Failure> {
        self.ask(Method::Post, endpoint, names, "", body)
    }

    /// Removes something.
    pub fn delete(&self, endpoint: &Endpoint, names: &[&str], query: &str) -> Result<Reply, Failure> {
        self.ask(Method::Delete, endpoint, names, query, None)
    }

    /// Removes what a body names.
    pub fn delete_with(&self, endpoint: &Endpoint, names: &[&str], body: &Value) -> Result<Reply, Failure> {
        self.ask(Method::Delete, endpoint, names, "", Some(body))
    }

    /// Whether the node is named by an address, so that it may be any broker.
    pub const fn is_over_http(&self) -> bool {
        matches!(self.target.route, Route::Http { .. })
    }

    /// The broker behind an address that is not Warren; `None` when it is, or there is no doubt.
    pub fn other_broker(&self) -> Result<Option<Broker>, Failure> {
        if !self.is_over_http() || self.summary()?.is_some() {
            return Ok(None);
        }
        let overview = self.request(&Request::new(Method::Get, &OVERVIEW.fill(&[])))?;
        let overview = self.judge(&OVERVIEW, Method::Get, overview)?;
        Ok(overview.is_ok().then(|| Broker::of(&overview.body)))
    }

    /// Asks as another user.
    pub fn get_as(&self, endpoint: &Endpoint, user: &str, password: &str) -> Result<Reply, Failure> {
        let path = self.declared(endpoint).fill(&[]);
        let wait = self.wait_max()?;
        let reply = self
            .client()
            .and_then(|client| {
                client.send(&Request { credentials: Some((user, password)), ..Request::new(Method::Get, &path) }, wait)
            })
            .map_err(|trouble| self.failure(&trouble, wait))?;
        if reply.status == 503 && reply.error() == APP_STOPPED {
            return Err(app_must_run());
        }
        Ok(reply)
    }

    /// The node at a glance; `None` when what answers is not Warren.
    pub fn summary(&self) -> Result<Option<NodeSummary>, Failure> {
        let reply = self.request(&Request::new(Method::Get, &NODE.fill(&[])))?;
        if reply.status == 401 {
            return Err(self.unwelcome());
        }
        Ok(if reply.is_ok() { serde_json::from_value(reply.body).ok() } else { None })
    }

    /// The node at a glance, whatever it is: of another broker as far as its standard endpoints tell.
    pub fn described(&self) -> Result<NodeSummary, Failure> {
        let reply = self.request(&Request::new(Method::Get, &NODE.fill(&[])))?;
        let reply = self.judge(&NODE, Method::Get, reply)?;
        serde_json::from_value(reply.body)
            .map_err(|error| Failure::refused(Kind::Unavailable, format!("the node does not describe itself: {error}")))
    }

    /// Checks what the command needs of the node. For a running application this is only
    /// called where the command's own request does not tell.
    pub fn require(&self) -> Result<(), Failure> {
        if self.command.needs == Needs::Nothing {
            return Ok(());
        }
        let running = self.summary()?.is_none_or(|summary| summary.app_state == AppState::Running);
        match (self.command.needs, running) {
            (Needs::AppRunning, false) => Err(app_must_run()),
            (Needs::AppStopped, true) => Err(app_must_be_stopped()),
            _ => Ok(()),
        }
    }

    fn ask(
        &self,
        method: Method,
        endpoint: &Endpoint,
        names: &[&str],
        query: &str,
        body: Option<&Value>,
    ) -> Result<Reply, Failure> {
        let path = self.declared(endpoint).fill(names);
        let path = if query.is_empty() { path } else { format!("{path}?{query}") };
        let reply = self.request(&Request { body, ..Request::new(method, &path) })?;
        self.judge(endpoint, method, reply)
    }

    /// Removes something, and says why to whom it concerns.
    pub fn delete_because(&self, endpoint: &Endpoint, names: &[&str], reason: &str) -> Result<Reply, Failure> {
        let path = self.declared(endpoint).fill(names);
        let asked = Request { reason: Some(reason), ..Request::new(Method::Delete, &path) };
        self.judge(endpoint, Method::Delete, self.request(&asked)?)
    }

    fn judge(&self, endpoint: &Endpoint, method: Method, reply: Reply) -> Result<Reply, Failure> {
        match reply.status {
            503 if reply.error() == APP_STOPPED => Err(app_must_run()),
            409 | 400 | 503 if reply.error() == APP_RUNNING => Err(app_must_be_stopped()),
            401 => Err(self.unwelcome()),
            500.. => Err(Failure::refused(Kind::Software, reply.reason())),
            status if self.is_over_http() && standard::may_lack(endpoint, status) => {
                self.elsewhere(endpoint, method, reply)
            }
            _ => Ok(reply),
        }
    }

    /// What is behind an address answers as if it did not have the endpoint: it may be another broker.
    fn elsewhere(&self, endpoint: &Endpoint, method: Method, reply: Reply) -> Result<Reply, Failure> {
        let overview = self.request(&Request::new(Method::Get, &OVERVIEW.fill(&[])))?;
        if !overview.is_ok() {
            return Ok(reply);
        }
        if standard::is_own(endpoint) && method == Method::Get {
            let nodes = self.request(&Request::new(Method::Get, &NODES.fill(&[])))?;
            let own = overview.body["node"].as_str().unwrap_or_default();
            let all = nodes.body.as_array().map(Vec::as_slice).unwrap_or_default();
            let node = all.iter().find(|node| node["name"] == own).or(all.first());
            let made = node.and_then(|node| standard::made(endpoint, method, &overview.body, node));
            if let Some(body) = made {
                return Ok(Reply { status: 200, body });
            }
        }
        let broker = Broker::of(&overview.body);
        match standard::lacks(&broker, &self.shown_node(), endpoint, method, reply.status) {
            Some(text) => Err(Failure::refused(Kind::Unavailable, text)),
            None => Ok(reply),
        }
    }

    fn request(&self, asked: &Request) -> Result<Reply, Failure> {
        let wait = self.wait_max()?;
        self.client().and_then(|client| client.send(asked, wait)).map_err(|trouble| self.failure(&trouble, wait))
    }

    fn client(&self) -> Result<&Client, Trouble> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::new(&self.target.route)?;
        Ok(self.client.get_or_init(|| client))
    }

    /// The node does not take who we say we are.
    fn unwelcome(&self) -> Failure {
        let text = match &self.target.route {
            Route::Http { credentials: None, .. } => {
                "the node asks who this is: give --username with --password-file, --ask-password or WARREN_PASSWORD, or put \
                 user:password@ into the address"
                    .to_owned()
            }
            Route::Http { credentials: Some((user, _)), .. } => format!(
                "the node does not accept user '{user}' with this password; over its control socket none is needed"
            ),
            _ => "the node does not accept these credentials".to_owned(),
        };
        Failure::refused(Kind::Unavailable, text).before_banner()
    }

    /// How long the command may take.
    pub fn wait_max(&self) -> Result<Duration, Failure> {
        let limited = self.command.usage.contains("[--timeout <timeout>]");
        match self.switches.integer("timeout").filter(|_| limited) {
            None => Ok(REQUEST_WAIT_MAX),
            Some(0) => Err(Failure::timed_out(self.command.name, &self.shown_node(), 0)),
            Some(seconds) => u64::try_from(seconds)
                .map(Duration::from_secs)
                .map_err(|_| Failure::bad_argument(format!("a time limit cannot be negative: {seconds}"))),
        }
    }

    /// The node's name as far as it is known without asking.
    pub fn shown_node(&self) -> String {
        match (&self.target.node, &self.target.route) {
            (Some(node), _) => node.clone(),
            (None, Route::Http { base, .. }) => base.clone(),
            (None, Route::Socket(path)) => path.display().to_string(),
            (None, Route::Nowhere(_)) => format!("rabbit@{}", short_host()),
        }
    }

    fn failure(&self, trouble: &Trouble, wait: Duration) -> Failure {
        let early = self.command.needs != Needs::Nothing;
        let failure = match trouble {
            Trouble::Unreachable(tried) => unreachable(&self.shown_node(), tried),
            Trouble::TimedOut => Failure::timed_out(self.command.name, &self.shown_node(), wait.as_millis()),
            Trouble::Setup(why) => Failure::refused(Kind::Configuration, why.clone()),
        };
        Failure { early, ..failure }
    }

    /// Keeps the banner until something is printed.
    pub fn hold_banner(&self, banner: Option<String>) {
        self.banner.replace(banner);
    }

    /// The banner, once.
    pub fn take_banner(&self) -> String {
        self.banner.take().map(|text| format!("{text}\n")).unwrap_or_default()
    }

    /// Says how far a long command is, unless only data is wanted.
    pub fn tell(&self, line: &str) {
        if !self.is_quiet() && !self.format.machine_readable() {
            say(&format!("{}{line}\n", self.take_banner()));
        }
    }

    /// A text that JSON wraps as a value.
    pub fn told(&self, text: String) -> Answer {
        let json = serde_json::json!({"node": self.node(), "value": text, "result": "ok"});
        Answer::Report { text, json }
    }

    /// Whether success lines are left out too.
    pub fn is_silent(&self) -> bool {
        self.switches.flag("silent")
    }

    /// Reads a secret from standard input after a prompt. The banner comes first, so the
    /// node is asked for its state before.
    pub fn prompt(&self, question: &str) -> Result<Option<String>, Failure> {
        self.require()?;
        say(&self.take_banner());
        let ask = || {
            if !self.is_quiet() {
                say(&format!("{question}: \n"));
            }
        };
        let stdin = std::io::stdin();
        // On a terminal the answer must not be seen.
        if stdin.is_terminal() {
            return crate::secret::hidden_answer(ask).map(Some);
        }
        ask();
        let mut line = String::new();
        match std::io::Read::take(stdin.lock(), INPUT_BYTES_MAX).read_line(&mut line) {
            Ok(0) | Err(_) => Ok(None),
            Ok(_) => Ok(Some(line.trim_end_matches(['\n', '\r']).to_owned())),
        }
    }

    /// All of standard input.
    pub fn input(&self) -> std::io::Result<String> {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut std::io::Read::take(std::io::stdin().lock(), INPUT_BYTES_MAX), &mut text)?;
        Ok(text)
    }

    /// Asks again until the answer is one, or the time is over.
    pub fn until<T>(
        &self,
        wait: Duration,
        mut attempt: impl FnMut() -> Result<Option<T>, Failure>,
    ) -> Result<Option<T>, Failure> {
        let start = Instant::now();
        loop {
            if let Some(found) = attempt()? {
                return Ok(Some(found));
            }
            if start.elapsed() + POLL_EVERY > wait {
                return Ok(None);
            }
            std::thread::sleep(POLL_EVERY);
        }
    }
}

/// How often a waiting command asks.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// The application must run.
pub fn app_must_run() -> Failure {
    Failure::environment(
        "this command requires the 'rabbit' app to be running on the target node. Start it with 'rabbitmqctl start_app'.",
    )
}

/// The application must be stopped.
pub fn app_must_be_stopped() -> Failure {
    Failure::environment(
        "this command requires the 'rabbit' app to be stopped on the target node. Stop it with 'rabbitmqctl stop_app'.",
    )
}

/// The node cannot be reached: the reference's paragraph, then what was tried.
pub fn unreachable(node: &str, tried: &str) -> Failure {
    let text = format!(
        "Error: unable to perform an operation on node '{node}'. Please see diagnostics information and suggestions below.

Most common reasons for this are:

 * Target node is unreachable (e.g. due to hostname resolution, TCP connection or firewall issues)
 * CLI tool fails to authenticate with the server (e.g. due to CLI tool's Erlang cookie not matching that of the server)
 * Target node is not running

DIAGNOSTICS
===========

tried: {tried}"
    );
    Failure::plain(Kind::Unavailable, text)
}
