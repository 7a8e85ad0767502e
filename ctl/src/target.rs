//! Which node a command is for, and how that node is reached.
//!
//! Owns the order of the ways to say it (`--socket`, `--uri`, a profile, a node name) and
//! finding a node's control socket in the runtime registry. Opens no connection.

use std::path::{Path, PathBuf};

use openapi::control::{RegistryEntry, registry_dirs, registry_file_name};

use crate::exit::{Failure, Kind};
use crate::parse::Parsed;
use crate::profile::{self, Profile};
use crate::tls::TlsOptions;
use crate::{secret, uri};

/// Head of the node name when none is given.
const DEFAULT_HEAD: &str = "rabbit";

/// Most registry files looked at to find the only node.
const REGISTRY_FILES_MAX: usize = 256;

/// Most names of other nodes that are shown where one is not found.
const NAMES_SHOWN_MAX: usize = 16;

/// How the node is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Its control socket.
    Socket(PathBuf),
    /// Its HTTP API, with user name and password.
    Http {
        /// Scheme, host, port and what stands before `/api`.
        base: String,
        /// User name and password.
        credentials: Option<(String, String)>,
        /// Whom to trust and who we are, where the scheme is `https`.
        tls: TlsOptions,
    },
    /// Not at all; says why.
    Nowhere(String),
}

/// A node and the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The node's name, unless only the node itself can tell.
    pub node: Option<String>,
    /// The way to it.
    pub route: Route,
    /// The virtual host of commands that name none.
    pub vhost: Option<String>,
}

impl Target {
    const fn new(node: Option<String>, route: Route) -> Self {
        Self { node, route, vhost: None }
    }
}

/// What the world outside the command line says.
pub struct Surroundings {
    /// An environment variable that is set and not empty.
    pub variable: fn(&str) -> Option<String>,
    /// Effective user id.
    pub uid: u32,
    /// Whether somebody may be asked for a password.
    pub may_ask: bool,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_process() -> Self {
        let variable: fn(&str) -> Option<String> = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self { variable, uid: rustix::process::geteuid().as_raw(), may_ask: true }
    }

    /// The same, while nobody may be asked for anything.
    pub fn silent() -> Self {
        Self { may_ask: false, ..Self::of_process() }
    }
}

/// The target the switches and the environment name.
pub fn resolve(switches: &Parsed, command: &str, around: &Surroundings) -> Result<Target, Failure> {
    let named = switches.text("node").map(str::to_owned).or_else(|| (around.variable)("RABBITMQ_NODENAME"));
    let node = named.map(|name| full_name(&name)).transpose()?;
    if let Some(socket) = switches.text("socket") {
        return Ok(Target::new(node, Route::Socket(PathBuf::from(socket))));
    }
    if let Some(uri) = switches.text("uri") {
        return Ok(Target::new(node, over_http(uri, &Profile::default(), switches, around)?));
    }
    if let Some(name) = switches.text("profile") {
        return of_profile(name, node, switches, around);
    }
    if switches.text("node").is_none() {
        if let Some(socket) = (around.variable)("WARREN_SOCKET") {
            // No node is called by a long name that has none; the reference finds nobody either.
            let short = node.as_deref().is_some_and(|name| !name.contains('.'));
            if switches.flag("longnames") && short {
                return registered(node.as_deref(), switches, command, around);
            }
            return Ok(Target::new(node, Route::Socket(PathBuf::from(socket))));
        }
        if let Some(uri) = (around.variable)("WARREN_URI") {
            return Ok(Target::new(node, over_http(&uri, &Profile::default(), switches, around)?));
        }
        if let Some(name) = (around.variable)("WARREN_PROFILE") {
            return of_profile(&name, node, switches, around);
        }
    }
    registered(node.as_deref(), switches, command, around)
}

/// The target a profile names; the switches come before it.
fn of_profile(name: &str, node: Option<String>, switches: &Parsed, around: &Surroundings) -> Result<Target, Failure> {
    let profile = profile::find(name, switches.text("config-file"), around)?;
    let node = match node {
        Some(node) => Some(node),
        None => profile.node.as_deref().map(full_name).transpose()?,
    };
    let vhost = profile.vhost.clone();
    if let Some(socket) = &profile.socket {
        return Ok(Target { vhost, ..Target::new(node, Route::Socket(socket.clone())) });
    }
    if let Some(uri) = profile.uri() {
        return Ok(Target { vhost, ..Target::new(node, over_http(&uri, &profile, switches, around)?) });
    }
    if node.is_none() {
        let text = format!("profile {name} names no node: it needs one of uri, hostname, socket and node");
        return Err(Failure::refused(Kind::Configuration, text).before_banner());
    }
    Ok(Target { vhost, ..registered(node.as_deref(), switches, "--profile", around)? })
}

/// The route to an HTTP API: what the switches say comes before the profile, and that before the address.
fn over_http(uri: &str, profile: &Profile, switches: &Parsed, around: &Surroundings) -> Result<Route, Failure> {
    let address = uri::parse(uri)?;
    let user = switches
        .text("username")
        .map(str::to_owned)
        .or_else(|| profile.username.clone())
        .or(address.user)
        .or_else(|| (around.variable)("WARREN_USERNAME"));
    let password = match secret::given(switches, around)? {
        Some(password) => Some(password),
        None => profile.secret()?.or(address.password),
    };
    let credentials = match (user, password) {
        (Some(user), Some(password)) => Some((user, password)),
        // Someone who names a user and sits at a terminal is asked.
        (Some(user), None) => {
            let password = if around.may_ask { secret::ask_at_terminal(&user)? } else { None }.unwrap_or_default();
            Some((user, password))
        }
        (None, _) => None,
    };
    let path = |name: &str| switches.text(name).map(PathBuf::from);
    let tls = TlsOptions {
        ca_cert: path("ca-cert").or_else(|| profile.ca_cert.clone()),
        client_cert: path("client-cert").or_else(|| profile.client_cert.clone()),
        client_key: path("client-key").or_else(|| profile.client_key.clone()),
        insecure: switches.flag_or("insecure", profile.insecure),
    };
    Ok(Route::Http { base: address.base, credentials, tls })
}

/// A node of this host, by the runtime registry.
fn registered(node: Option<&str>, switches: &Parsed, command: &str, around: &Surroundings) -> Result<Target, Failure> {
    let long = switches.flag("longnames");
    let directories = registry_dirs(around.uid, (around.variable)("XDG_RUNTIME_DIR").as_deref());
    let name = node.map_or_else(|| format!("{DEFAULT_HEAD}@{}", short_host()), str::to_owned);
    let host = name.split_once('@').map_or("", |(_, host)| host);
    if host.contains('.') && !long && host.parse::<std::net::IpAddr>().is_err() {
        let text = format!(
            "Error: operation {command} failed due to invalid node name (node: {name}, reason: short).\nIf using FQDN node names, use the -l / --longnames argument"
        );
        return Err(Failure::plain(Kind::Data, text).before_banner());
    }
    if long && !host.contains('.') {
        let why = format!("{name} is not a long node name: its host part has no dot");
        return Ok(Target::new(Some(name), Route::Nowhere(why)));
    }
    if let Some(entry) = find_registered(&directories, &name) {
        return Ok(Target::new(Some(name), Route::Socket(entry.socket)));
    }
    if node.is_none()
        && let Some(only) = find_only(&directories)
    {
        return Ok(Target::new(Some(only.node), Route::Socket(only.socket)));
    }
    let places: Vec<String> = directories.iter().map(|dir| dir.display().to_string()).collect();
    let others = match registered_nodes(around) {
        names if names.is_empty() => "none runs here".to_owned(),
        names if names.len() > NAMES_SHOWN_MAX => format!("here run {} others", names.len()),
        names => format!("here run {}", names.join(", ")),
    };
    let why = format!("no node {name} is registered in {}; {others}", places.join(" or "));
    Ok(Target::new(Some(name), Route::Nowhere(why)))
}

/// A name without a host gets the local one.
fn full_name(name: &str) -> Result<String, Failure> {
    let (head, host) = name.split_once('@').unwrap_or((name, ""));
    if head.is_empty() || !head.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
        let text = "Unsupported node name: node name head (the part before the @) is invalid. Only alphanumerics, _ and \
                    - characters are allowed.\nIf using FQDN node names, use the -l / --longnames argument";
        return Err(Failure::plain(Kind::Data, text).before_banner());
    }
    Ok(if host.is_empty() { format!("{head}@{}", short_host()) } else { name.to_owned() })
}

/// The host's name up to the first dot.
pub fn short_host() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    name.split('.').next().unwrap_or("localhost").to_owned()
}

fn find_registered(directories: &[PathBuf], node: &str) -> Option<RegistryEntry> {
    directories.iter().find_map(|dir| read_entry(&dir.join(registry_file_name(node))))
}

/// The one node that is registered and whose process lives.
fn find_only(directories: &[PathBuf]) -> Option<RegistryEntry> {
    let mut live = directories.iter().filter_map(|dir| std::fs::read_dir(dir).ok()).flat_map(|files| {
        files
            .take(REGISTRY_FILES_MAX)
            .filter_map(|file| read_entry(&file.ok()?.path()))
            .filter(is_alive)
            .collect::<Vec<_>>()
    });
    let only = live.next()?;
    live.next().is_none().then_some(only)
}

/// Names of the nodes that are registered on this host and live.
pub fn registered_nodes(around: &Surroundings) -> Vec<String> {
    let directories = registry_dirs(around.uid, (around.variable)("XDG_RUNTIME_DIR").as_deref());
    let files = directories.iter().filter_map(|dir| std::fs::read_dir(dir).ok()).flatten().take(REGISTRY_FILES_MAX);
    files.filter_map(|file| read_entry(&file.ok()?.path())).filter(is_alive).map(|entry| entry.node).collect()
}

fn read_entry(path: &Path) -> Option<RegistryEntry> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn is_alive(entry: &RegistryEntry) -> bool {
    i32::try_from(entry.pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{GLOBAL, parse};

    fn nothing(_: &str) -> Option<String> {
        None
    }

    fn target(line: &str) -> Result<Target, Failure> {
        resolve(
            &parse(line.split(' '), &[GLOBAL]),
            "list_users",
            &Surroundings { variable: nothing, uid: 4_000_000, may_ask: false },
        )
    }

    #[test]
    fn a_uri_may_hold_user_and_password() {
        let route = |line: &str| target(line).map(|target| target.route);
        let http = |base: &str, user: &str, password: &str| Route::Http {
            base: base.to_owned(),
            credentials: Some((user.to_owned(), password.to_owned())),
            tls: TlsOptions::default(),
        };
        assert_eq!(route("--uri http://a:p%40q@h:15672/api/"), Ok(http("http://h:15672", "a", "p@q")));
        assert_eq!(route("--uri h:1 --username u --password p"), Ok(http("http://h:1", "u", "p")));
        assert_eq!(route("--socket /s"), Ok(Route::Socket(PathBuf::from("/s"))));
    }

    #[test]
    fn node_names_are_checked_and_completed() {
        assert_eq!(target("-n sp:ace@h").map_err(|failure| failure.kind), Err(Kind::Data));
        assert_eq!(target("-n a@b.c").map_err(|failure| failure.kind), Err(Kind::Data));
        let completed = target("-n nosuch").map(|target| target.node);
        assert_eq!(completed, Ok(Some(format!("nosuch@{}", short_host()))));
        assert!(matches!(target("-n nosuch@h"), Ok(Target { route: Route::Nowhere(_), .. })));
    }
}
