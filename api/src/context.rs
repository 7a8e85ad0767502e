//! What every request shares: the node, and what the server binary knows and the broker does not.

use std::path::PathBuf;
use std::sync::Arc;

use broker::Node;

use crate::logins::Logins;
use crate::options::HttpOptions;
use crate::statistics::Statistics;

/// What the server binary tells the API about itself.
#[derive(Clone)]
pub struct ServerFacts {
    /// Warren's own version.
    pub warren_version: String,
    /// Configuration files that were read.
    pub config_files: Vec<PathBuf>,
    /// Where the log goes; `-` for the console.
    pub log_files: Vec<String>,
    /// The configuration in effect, as text; passwords left out.
    pub effective_config: String,
    /// How the HTTP API is configured.
    pub http: HttpOptions,
    /// Logins, shared by all listeners.
    pub logins: Logins,
    /// How counters run, sampled by [`crate::StatisticsService`].
    pub statistics: Statistics,
    /// Asks the process to end in order.
    pub shutdown: Arc<dyn Fn() + Send + Sync>,
    /// How much is logged.
    pub log_level: LogLevel,
}

/// Reads and changes how much is logged while the server runs. Levels are `debug`, `info`,
/// `warning`, `error`, `critical` and `none`.
#[derive(Clone)]
pub struct LogLevel {
    /// The level now.
    pub get: Arc<dyn Fn() -> String + Send + Sync>,
    /// Takes one of the levels.
    pub set: Arc<dyn Fn(&str) + Send + Sync>,
}

/// What every request shares.
pub(crate) struct Context {
    /// The node.
    pub(crate) node: Node,
    /// The server binary.
    pub(crate) facts: ServerFacts,
}
