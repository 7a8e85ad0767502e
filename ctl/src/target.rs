//! Which node a command is for, and how that node is reached.
//!
//! Owns the order of the ways to say it (`--socket`, `--uri`, a node name) and finding a
//! node's control socket in the runtime registry. Opens no connection.

use std::path::{Path, PathBuf};

use openapi::control::{RegistryEntry, registry_dirs, registry_file_name};

use crate::exit::{Failure, Kind};
use crate::parse::Parsed;

/// Head of the node name when none is given.
const DEFAULT_HEAD: &str = "rabbit";

/// Most registry files looked at to find the only node.
const REGISTRY_FILES_MAX: usize = 256;

/// How the node is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Its control socket.
    Socket(PathBuf),
    /// Its HTTP API, with user name and password.
    Http {
        /// Scheme, host and port.
        base: String,
        /// User name and password.
        credentials: Option<(String, String)>,
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
}

/// What the world outside the command line says.
pub struct Surroundings {
    /// An environment variable that is set and not empty.
    pub variable: fn(&str) -> Option<String>,
    /// Effective user id.
    pub uid: u32,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_process() -> Self {
        let variable: fn(&str) -> Option<String> = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self { variable, uid: rustix::process::geteuid().as_raw() }
    }
}

/// The target the switches and the environment name.
pub fn resolve(switches: &Parsed, command: &str, around: &Surroundings) -> Result<Target, Failure> {
    let named = switches.text("node").map(str::to_owned).or_else(|| (around.variable)("RABBITMQ_NODENAME"));
    let node = named.map(|name| full_name(&name)).transpose()?;
    if let Some(socket) = switches.text("socket") {
        return Ok(Target { node, route: Route::Socket(PathBuf::from(socket)) });
    }
    if let Some(uri) = switches.text("uri") {
        return Ok(Target { node, route: http_route(uri, switches) });
    }
    if switches.text("node").is_none() {
        if let Some(socket) = (around.variable)("WARREN_SOCKET") {
            return Ok(Target { node, route: Route::Socket(PathBuf::from(socket)) });
        }
        if let Some(uri) = (around.variable)("WARREN_URI") {
            return Ok(Target { node, route: http_route(&uri, switches) });
        }
    }
    let long = switches.flag("longnames");
    let directories = registry_dirs(around.uid, (around.variable)("XDG_RUNTIME_DIR").as_deref());
    let name = node.clone().unwrap_or_else(|| format!("{DEFAULT_HEAD}@{}", short_host()));
    let host = name.split_once('@').map_or("", |(_, host)| host);
    if host.contains('.') && !long && host.parse::<std::net::IpAddr>().is_err() {
        let text = format!("Error: operation {command} failed due to invalid node name (node: {name}, reason: short).");
        return Err(Failure::plain(Kind::Data, text).before_banner());
    }
    if long && !host.contains('.') {
        let why = format!("{name} is not a long node name: its host part has no dot");
        return Ok(Target { node: Some(name), route: Route::Nowhere(why) });
    }
    if let Some(entry) = find_registered(&directories, &name) {
        return Ok(Target { node: Some(name), route: Route::Socket(entry.socket) });
    }
    if node.is_none()
        && let Some(only) = find_only(&directories)
    {
        return Ok(Target { node: Some(only.node), route: Route::Socket(only.socket) });
    }
    let places: Vec<String> = directories.iter().map(|dir| dir.display().to_string()).collect();
    let why = format!("no node {name} is registered in {}", places.join(" or "));
    Ok(Target { node: Some(name), route: Route::Nowhere(why) })
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

fn http_route(uri: &str, switches: &Parsed) -> Route {
    let (scheme, rest) = uri.split_once("://").unwrap_or(("http", uri));
    let rest = rest.trim_end_matches('/');
    let rest = rest.strip_suffix("/api").unwrap_or(rest);
    let (user_info, host) = match rest.rsplit_once('@') {
        Some((info, host)) => (Some(info), host),
        None => (None, rest),
    };
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (user, password) = match user_info.map(|info| info.split_once(':').unwrap_or((info, ""))) {
        Some((user, password)) => (Some(decode(user)), Some(decode(password))),
        None => (None, None),
    };
    let user = switches.text("username").map(str::to_owned).or(user);
    let password = switches.text("password").map(str::to_owned).or(password);
    let credentials = user.map(|user| (user, password.unwrap_or_default()));
    Route::Http { base: format!("{scheme}://{host}"), credentials }
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
        resolve(&parse(line.split(' '), &[GLOBAL]), "list_users", &Surroundings { variable: nothing, uid: 4_000_000 })
    }

    #[test]
    fn a_uri_may_hold_user_and_password() {
        let route = |line: &str| target(line).map(|target| target.route);
        let http = |base: &str, user: &str, password: &str| Route::Http {
            base: base.to_owned(),
            credentials: Some((user.to_owned(), password.to_owned())),
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
