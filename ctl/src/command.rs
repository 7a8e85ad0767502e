//! What a command is: one constant that says everything about it.
//!
//! Owns the vocabulary of that constant. Parsing, argument checks, help, completion and
//! printing are folds over the list in `registry`; a command only fills in the blanks
//! and provides `run`, which returns data and prints nothing.

use openapi::Endpoint;

use crate::call::Call;
use crate::exit::Failure;
use crate::output::{Answer, Format};
use crate::parse::Switch;

/// One of the names the binary answers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// `rabbitmqctl`.
    Ctl,
    /// `rabbitmq-diagnostics`.
    Diagnostics,
    /// `rabbitmq-plugins`.
    Plugins,
    /// `rabbitmq-queues`.
    Queues,
    /// `rabbitmq-streams`.
    Streams,
    /// `rabbitmq-upgrade`.
    Upgrade,
}

impl Tool {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Ctl, Self::Diagnostics, Self::Plugins, Self::Queues, Self::Streams, Self::Upgrade];

    /// The name it is called by.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ctl => "rabbitmqctl",
            Self::Diagnostics => "rabbitmq-diagnostics",
            Self::Plugins => "rabbitmq-plugins",
            Self::Queues => "rabbitmq-queues",
            Self::Streams => "rabbitmq-streams",
            Self::Upgrade => "rabbitmq-upgrade",
        }
    }

    /// The tool of that name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }
}

/// Section of the overview a command is listed in; the order here is the order shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Help.
    Help,
    /// The node's life.
    Nodes,
    /// The cluster.
    Cluster,
    /// Replicas.
    Replication,
    /// Users.
    Users,
    /// Permissions.
    AccessControl,
    /// Listings and health checks.
    Monitoring,
    /// Runtime parameters.
    Parameters,
    /// Policies.
    Policies,
    /// Virtual hosts.
    VirtualHosts,
    /// Queues.
    Queues,
    /// Upgrades.
    Upgrade,
    /// Operations.
    Operations,
    /// Feature flags.
    FeatureFlags,
    /// Configuration.
    Configuration,
    /// Definitions.
    Definitions,
    /// Enabling plugins.
    Plugins,
    /// What the management plugin adds.
    Management,
    /// What the reference's tools do not have.
    Own,
    /// Everything else.
    Other,
    /// What should not be used any more.
    Deprecated,
}

impl Section {
    /// Heading in the overview.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Help => "Help",
            Self::Nodes => "Nodes",
            Self::Cluster => "Cluster",
            Self::Replication => "Replication",
            Self::Users => "Users",
            Self::AccessControl => "Access Control",
            Self::Monitoring => "Monitoring, observability and health checks",
            Self::Parameters => "Parameters",
            Self::Policies => "Policies",
            Self::VirtualHosts => "Virtual hosts",
            Self::Queues => "Queues",
            Self::Upgrade => "Upgrade",
            Self::Operations => "Operations",
            Self::FeatureFlags => "Feature flags",
            Self::Configuration => "Configuration and Environment",
            Self::Definitions => "Definitions",
            Self::Plugins => "Plugin Management",
            Self::Management => "Management plugin",
            Self::Own => "Beyond the reference",
            Self::Other => "Other",
            Self::Deprecated => "Deprecated",
        }
    }
}

/// How many words a command takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// At least.
    pub min: usize,
    /// At most; `None`: any number.
    pub max: Option<usize>,
}

impl Words {
    /// None at all.
    pub const NONE: Self = Self::exactly(0);
    /// Any number.
    pub const ANY: Self = Self::at_least(0);

    /// Exactly that many.
    #[must_use]
    pub const fn exactly(count: usize) -> Self {
        Self { min: count, max: Some(count) }
    }

    /// Between two numbers.
    #[must_use]
    pub const fn between(min: usize, max: usize) -> Self {
        Self { min, max: Some(max) }
    }

    /// At least that many.
    #[must_use]
    pub const fn at_least(min: usize) -> Self {
        Self { min, max: None }
    }
}

/// What must be true of the node before a command begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing; the command may not even talk to a node.
    Nothing,
    /// The application runs.
    AppRunning,
    /// The application is stopped.
    AppStopped,
}

/// Columns of a listing.
#[derive(Debug, Clone, Copy)]
pub struct Columns {
    /// Those that may be asked for.
    pub known: &'static [&'static str],
    /// Those shown when none is asked for.
    pub default: &'static [&'static str],
}

/// The lines printed before a command's answer.
pub type Banner = fn(&Call) -> Option<String>;

/// One command.
pub struct Command {
    /// What it is called.
    pub name: &'static str,
    /// Tools that have it.
    pub tools: &'static [Tool],
    /// Where the overview lists it.
    pub section: Section,
    /// One line of what it does.
    pub summary: &'static str,
    /// The usage line behind the switches all commands share.
    pub usage: &'static str,
    /// Words and switches, each with an explanation.
    pub explains: &'static [(&'static str, &'static str)],
    /// Pages of the reference's documentation that explain the subject.
    pub guides: &'static [&'static str],
    /// How many words it takes.
    pub words: Words,
    /// Its own switches.
    pub switches: &'static [Switch],
    /// Columns that may be asked for by words.
    pub columns: Option<Columns>,
    /// The form of its answer unless `--formatter` says otherwise.
    pub format: Format,
    /// What the node must be like.
    pub needs: Needs,
    /// Whether it shows with `--dry-run` what it would do; others only check and print their banner.
    pub previews: bool,
    /// Endpoints it may ask.
    pub endpoints: &'static [&'static Endpoint],
    /// Checks words and switches before anything is asked of the node.
    pub check: fn(&Call) -> Result<(), Failure>,
    /// Checks what only the node can tell, before the banner; most commands learn it with their own request.
    pub ready: fn(&Call) -> Result<(), Failure>,
    /// Lines before the answer.
    pub banner: Banner,
    /// Does it.
    pub run: fn(&Call) -> Result<Answer, Failure>,
}

impl Command {
    /// A command with nothing filled in.
    pub const BLANK: Self = Self {
        name: "",
        tools: &[Tool::Ctl],
        section: Section::Other,
        summary: "",
        usage: "",
        explains: &[],
        guides: &[],
        words: Words::NONE,
        switches: &[],
        columns: None,
        format: Format::Text,
        needs: Needs::Nothing,
        previews: false,
        endpoints: &[],
        check: |_| Ok(()),
        ready: |_| Ok(()),
        banner: |_| None,
        run: |_| Ok(Answer::Done),
    };
}
