//! The node itself: its state, stopping and starting the application, plugins, and
//! where a node's control socket is found. These endpoints are Warren's own.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::endpoint::{Access, Endpoint, Operation, Status, percent_encode, wire};

/// Whether the application (everything but the node and its control socket) runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AppState {
    /// Starting.
    Booting,
    /// Serving.
    Running,
    /// Stopped; the control socket still answers.
    Stopped,
}

/// An open listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeListener {
    /// `amqp`, `http`, …
    pub protocol: String,
    /// Address it is bound to.
    pub ip_address: String,
    /// Port it is bound to.
    pub port: u16,
}

/// A resource alarm in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeAlarm {
    /// `memory`, `disk` or `storage`.
    pub resource: String,
    /// Why, with the numbers that decided.
    pub reason: String,
}

/// The node at a glance; answered whether the application runs or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeSummary {
    /// Node name, `rabbit@host`.
    pub node: String,
    /// Whether the application runs.
    pub app_state: AppState,
    /// Process id.
    pub os_pid: u32,
    /// Warren's own version.
    pub warren_version: String,
    /// The version of the reference it is compatible with.
    pub compatible_version: String,
    /// Product name told to clients.
    pub product: String,
    /// Where everything durable lives.
    pub data_dir: String,
    /// Configuration files that were read.
    pub config_files: Vec<String>,
    /// Where the log goes.
    pub log_files: Vec<String>,
    /// Milliseconds since the process started.
    pub uptime_ms: u64,
    /// Open listeners.
    pub listeners: Vec<NodeListener>,
    /// Cluster name.
    pub cluster_name: String,
    /// Resident memory in bytes.
    pub memory_used: u64,
    /// Where the memory alarm starts, in bytes.
    pub memory_limit: u64,
    /// Whether it is on.
    pub memory_alarm: bool,
    /// Free bytes on the data directory's disk.
    pub disk_free: u64,
    /// Where the disk alarm starts, in bytes.
    pub disk_free_limit: u64,
    /// Whether it is on.
    pub disk_alarm: bool,
    /// The alarms in force; publishers are blocked while there is one.
    pub alarms: Vec<NodeAlarm>,
    /// Open file descriptors.
    pub fd_used: u64,
    /// Most that may be open.
    pub fd_total: u64,
    /// Processors.
    pub processors: usize,
}

/// How a plugin stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PluginState {
    /// Enabled by name.
    Enabled,
    /// Enabled because another one needs it.
    Implicit,
    /// Not enabled.
    NotEnabled,
}

/// A plugin of the reference distribution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Plugin {
    /// Its name.
    pub name: String,
    /// Its version: the compatible version.
    pub version: String,
    /// One line.
    pub description: String,
    /// What it needs, libraries included, as the reference lists it.
    pub dependencies: Vec<String>,
    /// Whether it is enabled.
    pub enabled: PluginState,
    /// Whether it runs: enabled, and the application runs.
    pub running: bool,
}

/// All plugins in name order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PluginList {
    /// The plugins.
    pub plugins: Vec<Plugin>,
    /// Names that are enabled and not part of the distribution.
    pub missing: Vec<String>,
}

/// The plugins to be enabled by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PutPlugins {
    /// The complete set.
    pub enabled: Vec<String>,
}

/// What a change of the enabled set did, in the order the reference prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PluginChange {
    /// All plugins enabled now, dependencies included.
    pub set: Vec<String>,
    /// Those that were started by the change.
    pub started: Vec<String>,
    /// Those that were stopped by it.
    pub stopped: Vec<String>,
    /// Names that are enabled and not part of the distribution.
    pub missing: Vec<String>,
}

/// The node at a glance.
pub const NODE: Endpoint = Endpoint::new(
    "/warren/node",
    &[Operation::get(Access::Administrator, "The node: state, versions, files, listeners")
        .gives(wire::<NodeSummary>())],
);

/// Stopping the application.
pub const STOP_APP: Endpoint = Endpoint::new(
    "/warren/node/stop-app",
    &[Operation::post(Access::ControlSocket, "Stops the application; the control socket keeps answering")],
);

/// Starting it again.
pub const START_APP: Endpoint =
    Endpoint::new("/warren/node/start-app", &[Operation::post(Access::ControlSocket, "Starts the application again")]);

/// Back to the virgin state.
pub const RESET: Endpoint = Endpoint::new(
    "/warren/node/reset",
    &[Operation::post(Access::ControlSocket, "Returns a stopped node to its virgin state")
        .status(Status::new(409, "The application runs"))],
);

/// Ending the process.
pub const SHUTDOWN: Endpoint = Endpoint::new(
    "/warren/node/shutdown",
    &[Operation::post(Access::ControlSocket, "Stops the application and ends the process")
        .status(Status::new(202, "It is about to end"))],
);

/// The plugins.
pub const PLUGINS: Endpoint = Endpoint::new(
    "/warren/plugins",
    &[
        Operation::get(Access::Administrator, "Plugins and whether they are enabled").gives(wire::<PluginList>()),
        Operation::put(Access::Administrator, "Sets which plugins are enabled")
            .takes(wire::<PutPlugins>())
            .gives(wire::<PluginChange>()),
    ],
);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[NODE, STOP_APP, START_APP, RESET, SHUTDOWN, PLUGINS];

/// Permission bits of the control socket: whoever may open it acts as administrator.
pub const SOCKET_MODE: u32 = 0o600;

/// What a running node writes about itself into its registry file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryEntry {
    /// Node name.
    pub node: String,
    /// Path of its control socket.
    pub socket: PathBuf,
    /// Its process id.
    pub pid: u32,
}

/// The directory in which a user's nodes register, from the effective user id and the
/// value of `XDG_RUNTIME_DIR`.
#[must_use]
pub fn registry_dir(uid: u32, xdg_runtime_dir: Option<&str>) -> PathBuf {
    match xdg_runtime_dir {
        _ if uid == 0 => PathBuf::from("/run/warren/nodes"),
        Some(dir) if dir.starts_with('/') => PathBuf::from(dir).join("warren/nodes"),
        _ => PathBuf::from(format!("/tmp/warren-{uid}/nodes")),
    }
}

/// Where to look for a node, in this order: the caller's own directory, then the system's.
#[must_use]
pub fn registry_dirs(uid: u32, xdg_runtime_dir: Option<&str>) -> Vec<PathBuf> {
    let mut dirs = vec![registry_dir(uid, xdg_runtime_dir)];
    let system = registry_dir(0, None);
    if !dirs.contains(&system) {
        dirs.push(system);
    }
    dirs
}

/// Name of a node's file in a registry directory: the percent-encoded node name and `.json`.
#[must_use]
pub fn registry_file_name(node: &str) -> String {
    let mut name = String::new();
    percent_encode(node, &mut name);
    name.push_str(".json");
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registry_follows_user_and_runtime_directory() {
        assert_eq!(registry_dir(0, Some("/run/user/0")), PathBuf::from("/run/warren/nodes"));
        assert_eq!(registry_dir(7, Some("/run/user/7")), PathBuf::from("/run/user/7/warren/nodes"));
        assert_eq!(registry_dir(7, None), PathBuf::from("/tmp/warren-7/nodes"));
        assert_eq!(registry_dir(7, Some("relative")), PathBuf::from("/tmp/warren-7/nodes"));
        assert_eq!(registry_dirs(0, None).len(), 1);
        assert_eq!(registry_dirs(7, None)[1], PathBuf::from("/run/warren/nodes"));
    }

    #[test]
    fn registry_files_are_named_for_the_node() {
        assert_eq!(registry_file_name("rabbit@host"), "rabbit%40host.json");
        assert_eq!(registry_file_name("a/../b"), "a%2F..%2Fb.json");
    }
}
