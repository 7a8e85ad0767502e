//! The configuration: flags, environment, file and defaults become one checked value.
//!
//! Owns the order of the layers and the complaints about what cannot be taken. What
//! settings there are is said in `config/table.rs`, how a file is written in
//! `config/file.rs`, how a value is spelled in `config/value.rs`.

mod file;
mod host;
mod known;
mod provision;
mod secure;
mod setting;
mod table;
mod value;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::{HttpListener, HttpOptions, MetricsSettings, RatesMode, Retention, StatisticsSettings};
use broker::Settings;
use broker::domain::alarm::Watermark;
use broker::domain::mechanism::Mechanism;
use broker::domain::queue::QueueKind;
use broker::domain::user::HashAlgorithm;
use broker::tls::{CertificateLogin, TlsSettings};

use file::{Assignment, Origin};
use known::Known;
use secure::{HttpKeys, LoginKeys, TlsKeys};
use table::{Initial, SETTINGS, Setting};

/// Main configuration files looked for when none is named, first found first.
const FILES_DEFAULT: &[&str] = &["/etc/warren/warren.conf", "/etc/rabbitmq/rabbitmq.conf"];

/// Port of the HTTP API when nothing is configured.
const MANAGEMENT_PORT: u16 = 15672;

/// Port of the metrics when nothing is configured.
const METRICS_PORT: u16 = 15692;

/// How alike a key must be to be suggested for an unknown one, 0 to 1.
const SUGGESTION_LIKENESS_MIN: f64 = 0.75;

/// Answers what an environment variable holds; an empty one counts as unset.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What the command line says.
#[derive(Debug, Default, clap::Parser)]
#[command(
    name = "warren",
    version,
    about = "A message broker that speaks AMQP 0-9-1 and the management API of RabbitMQ."
)]
pub struct Arguments {
    /// Configuration file, in the format of rabbitmq.conf.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where everything durable lives.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Node name; `rabbit@<host>` when not given.
    #[arg(long, value_name = "NAME")]
    pub node: Option<String>,
    /// Sets one key of the configuration; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Prints all settings as a Markdown table.
    #[arg(long)]
    pub list_settings: bool,
}

/// Everything the process needs to know before it starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// For the broker.
    pub node: Settings,
    /// AMQP listeners by name.
    listeners: BTreeMap<String, SocketAddr>,
    /// `listeners.tcp = none`.
    listeners_off: bool,
    /// Encrypted AMQP listeners by name.
    tls_listeners: BTreeMap<String, SocketAddr>,
    /// `listeners.ssl = none`.
    tls_listeners_off: bool,
    /// Key material of AMQP.
    amqp_tls: TlsKeys,
    /// `auth_mechanisms`, by the words of the keys.
    mechanisms: Vec<(String, Mechanism)>,
    /// Assignments of mechanisms that are not offered.
    unknown_mechanisms: Vec<String>,
    /// Which name of a certificate is the user's.
    certificate_login: LoginKeys,
    /// `loopback_users = none`.
    loopback_users_off: bool,
    /// The HTTP API in the clear.
    management: HttpKeys,
    /// The HTTP API over TLS.
    management_secure: HttpKeys,
    /// Its key material.
    management_tls: TlsKeys,
    /// How the HTTP API answers.
    pub http: HttpOptions,
    /// The metrics in the clear.
    metrics_plain: HttpKeys,
    /// The metrics over TLS.
    metrics_secure: HttpKeys,
    /// Their key material.
    metrics_tls: TlsKeys,
    /// Both in one, or that there is no listener; goes before them.
    metrics_listener: Option<Option<SocketAddr>>,
    /// How metrics are served.
    pub metrics: MetricsSettings,
    /// What is sampled of counters, and how long it is kept.
    pub statistics: StatisticsSettings,
    /// What is said of retention: global, basic, detailed.
    retention: [Retention; 3],
    /// Unix socket of the command line tools; `None` is in the data directory.
    pub control_socket: Option<PathBuf>,
    /// Definitions to import at boot.
    pub load_definitions: Option<PathBuf>,
    /// Whether definitions that did not change since are left alone.
    pub skips_unchanged_definitions: bool,
    /// Whether there is a log.
    pub log_console: bool,
    /// Its level, as rabbitmq.conf names it.
    pub log_level: String,
    /// The files that were read.
    pub files: Vec<PathBuf>,
    /// What was written and does not count, for the log.
    pub warnings: Vec<String>,
    /// What counts: `key = value` lines, secrets left out.
    pub effective: String,
}

/// Why there is no configuration: every problem, one line each.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", problems.join("\n"))]
pub struct ConfigError {
    /// One line each.
    pub problems: Vec<String>,
}

impl From<String> for ConfigError {
    fn from(problem: String) -> Self {
        Self { problems: vec![problem] }
    }
}

impl Config {
    /// Puts the layers together: flag over environment over file over default.
    ///
    /// # Errors
    /// Every unknown, ill-typed or refused key with its place; or a file that cannot be read.
    pub fn load(arguments: &Arguments, variable: Variables<'_>) -> Result<Self, ConfigError> {
        let files = files(arguments.config.as_deref(), variable)?;
        let mut written = Vec::new();
        for path in &files {
            written.extend(file::read(path, &|name| variable(name)).map_err(|e| e.to_string())?);
        }
        written.extend(from_environment(variable));
        for flag in &arguments.set {
            written.push(from_flag(flag)?);
        }

        let mut config = Self::blank(arguments, variable)?;
        config.files = files;
        let mut problems = Vec::new();
        let chosen = config.choose(written, &mut problems);
        config.apply_defaults(&chosen);
        config.apply(&chosen, &mut problems);
        problems.extend(config.amqp_tls.problems("ssl_options"));
        problems.extend(config.management_tls.problems("management.ssl"));
        problems.extend(config.metrics_tls.problems("prometheus.ssl"));
        problems.extend(config.choose_mechanisms());
        if !problems.is_empty() {
            return Err(ConfigError { problems });
        }
        config.finish();
        Ok(config)
    }

    /// Where the HTTP API listens.
    pub fn management_listeners(&self) -> Vec<HttpListener> {
        secure::listeners(&self.management, MANAGEMENT_PORT, &self.management_secure, &self.management_tls)
    }

    /// Where metrics are served; nowhere when there is to be no listener.
    pub fn metrics_listeners(&self) -> Vec<HttpListener> {
        let parts = || secure::listeners(&self.metrics_plain, METRICS_PORT, &self.metrics_secure, &self.metrics_tls);
        match self.metrics_listener {
            None => parts(),
            Some(plain) => {
                let encrypted = parts().into_iter().filter(|listener| listener.tls.is_some());
                plain.map(HttpListener::plain).into_iter().chain(encrypted).collect()
            }
        }
    }

    /// Nothing set yet but what is not a setting.
    fn blank(arguments: &Arguments, variable: Variables<'_>) -> Result<Self, ConfigError> {
        let data_dir = match &arguments.data_dir {
            Some(path) => path.clone(),
            None => host::data_dir(variable)?,
        };
        let node = Settings {
            node_name: node_name(arguments.node.clone().or_else(|| variable("RABBITMQ_NODENAME")))?,
            data_dir,
            amqp_listeners: Vec::new(),
            amqp_tls_listeners: Vec::new(),
            amqp_tls: TlsSettings::default(),
            auth_mechanisms: Vec::new(),
            certificate_login: CertificateLogin::default(),
            is_provisioned: false,
            default_user: String::new(),
            default_pass: String::new(),
            default_user_tags: Vec::new(),
            default_vhost: String::new(),
            default_permissions: Default::default(),
            loopback_users: Vec::new(),
            heartbeat_s: 0,
            frame_max: 0,
            channel_max: 0,
            handshake_timeout: Duration::ZERO,
            max_message_size: 0,
            connection_max: None,
            target_cluster_size: 0,
            consumer_timeout: Duration::ZERO,
            password_hashing: HashAlgorithm::default(),
            default_queue_type: QueueKind::default(),
            product: String::new(),
            version: String::new(),
            platform: format!("Warren {}", env!("CARGO_PKG_VERSION")),
            cluster_name: None,
            memory_total: None,
            vm_memory_high_watermark: Watermark::Relative(0.0),
            disk_free_limit: Watermark::Absolute(0),
            count_flows: true,
        };
        Ok(Self {
            node,
            listeners: BTreeMap::new(),
            listeners_off: false,
            tls_listeners: BTreeMap::new(),
            tls_listeners_off: false,
            amqp_tls: TlsKeys::default(),
            mechanisms: Vec::new(),
            unknown_mechanisms: Vec::new(),
            certificate_login: LoginKeys::default(),
            loopback_users_off: false,
            management: HttpKeys::default(),
            management_secure: HttpKeys::default(),
            management_tls: TlsKeys::default(),
            http: HttpOptions::default(),
            metrics_plain: HttpKeys::default(),
            metrics_secure: HttpKeys::default(),
            metrics_tls: TlsKeys::default(),
            metrics_listener: None,
            statistics: StatisticsSettings::default(),
            retention: Default::default(),
            metrics: MetricsSettings { path: String::new(), per_object: false, authenticated: false },
            control_socket: None,
            load_definitions: None,
            skips_unchanged_definitions: false,
            log_console: false,
            log_level: String::new(),
            files: Vec::new(),
            warnings: Vec::new(),
            effective: String::new(),
        })
    }

    /// Keeps the last assignment of every key that is a setting; the others become
    /// warnings or problems. Answers row number and key.
    fn choose(
        &mut self,
        written: Vec<Assignment>,
        problems: &mut Vec<String>,
    ) -> BTreeMap<(usize, String), Assignment> {
        let mut chosen = BTreeMap::new();
        for assignment in written {
            let Assignment { key, origin, .. } = &assignment;
            if let Some((row, word)) = find(key) {
                chosen.insert((row, word.to_owned()), assignment);
                continue;
            }
            match known::look_up(key) {
                Some(Known::Ignored) => self.warnings.push(format!("{origin}: `{key}` is not offered and has no effect")),
                Some(Known::Refused) => problems.push(format!(
                    "{origin}: `{key}` is not offered; without it the broker would be less protected than configured, so it does not start"
                )),
                None => problems.push(match nearest(key) {
                    Some(near) => format!("{origin}: unknown key `{key}`; the nearest known one is `{near}`"),
                    None => format!("{origin}: unknown key `{key}`"),
                }),
            }
        }
        chosen
    }

    /// Gives every setting that nothing sets its initial value.
    fn apply_defaults(&mut self, chosen: &BTreeMap<(usize, String), Assignment>) {
        for (row, setting) in settings().enumerate() {
            let is_set = chosen.range((row, String::new())..(row + 1, String::new())).next().is_some();
            if let (false, Some((key, value))) = (is_set, setting.initial_assignment()) {
                let word = setting.matches(&key).unwrap_or_default();
                let taken = setting.set.put(self, word, value);
                debug_assert!(taken, "the initial value of {key} is of its type");
                self.note(setting, &key, value);
            }
        }
    }

    /// Gives every setting that is set its value.
    fn apply(&mut self, chosen: &BTreeMap<(usize, String), Assignment>, problems: &mut Vec<String>) {
        for ((row, word), Assignment { key, value, origin }) in chosen {
            let Some(setting) = settings().nth(*row) else { continue };
            if setting.set.put(self, &word.replace("\\.", "."), value) {
                self.note(setting, key, value);
            } else {
                let shown = if setting.set.is_secret() { "its value" } else { value };
                problems.push(format!("{origin}: `{key}` cannot be `{shown}`: expected {}", setting.set.type_name()));
            }
        }
    }

    /// Writes down what counts.
    fn note(&mut self, setting: &Setting, key: &str, value: &str) {
        if !setting.set.is_secret() {
            self.effective.push_str(&format!("{key} = {value}\n"));
        }
    }

    /// Settles how clients may log in; says what is wrong.
    fn choose_mechanisms(&mut self) -> Option<String> {
        let not_offered = std::mem::take(&mut self.unknown_mechanisms);
        let are_chosen = !self.mechanisms.is_empty() || !not_offered.is_empty();
        for assignment in &not_offered {
            self.warnings.push(format!("`{assignment}`: this mechanism is not offered"));
        }
        if !are_chosen {
            self.node.auth_mechanisms = Mechanism::INITIAL.to_vec();
            return None;
        }
        self.mechanisms.sort_by(|a, b| secure::place(&a.0).cmp(&secure::place(&b.0)));
        self.node.auth_mechanisms = self.mechanisms.iter().map(|(_, mechanism)| *mechanism).collect();
        self.node.auth_mechanisms.is_empty().then(|| {
            "`auth_mechanisms` names none that is offered, so nobody could log in: these are PLAIN, AMQPLAIN and EXTERNAL".to_owned()
        })
    }

    /// Settles what several settings say together.
    fn finish(&mut self) {
        if !self.listeners_off {
            self.node.amqp_listeners = self.listeners.values().copied().collect();
        }
        if !self.tls_listeners_off {
            self.node.amqp_tls_listeners = self.tls_listeners.values().copied().collect();
        }
        self.node.amqp_tls = self.amqp_tls.settings();
        self.node.certificate_login = self.certificate_login.login();
        if self.loopback_users_off {
            self.node.loopback_users.clear();
        }
        self.node.count_flows = self.statistics.rates_mode != RatesMode::None;
        // A section of which something is said is what is said of it; the others stay.
        let policies = &mut self.statistics.policies;
        let sections = [&mut policies.global, &mut policies.basic, &mut policies.detailed];
        for (section, said) in sections.into_iter().zip(&self.retention) {
            if !said.is_empty() {
                section.clone_from(said);
            }
        }
    }
}

/// Which files to read: the one named, else the first default there is; and the further ones.
fn files(named: Option<&Path>, variable: Variables<'_>) -> Result<Vec<PathBuf>, ConfigError> {
    let mut files = Vec::new();
    let mut folder = None;
    if let Some(path) = named {
        files.push(path.to_owned());
    } else if let Some(path) = variable("RABBITMQ_CONFIG_FILE").map(PathBuf::from) {
        // The reference takes the name without its extension as well.
        let longer = PathBuf::from(format!("{}.conf", path.display()));
        files.push(if !path.exists() && longer.exists() { longer } else { path });
    } else if let Some(path) = FILES_DEFAULT.iter().map(PathBuf::from).find(|path| path.exists()) {
        folder = path.parent().map(|parent| parent.join("conf.d")).filter(|folder| folder.is_dir());
        files.push(path);
    }
    if let Some(further) = variable("RABBITMQ_CONFIG_FILES") {
        folder = Some(PathBuf::from(further.trim_end_matches("/*.conf")));
    }
    if let Some(folder) = folder {
        let entries = std::fs::read_dir(&folder).map_err(|e| format!("{}: cannot be read: {e}", folder.display()))?;
        let mut further: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        further.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
        further.sort();
        files.extend(further);
    }
    Ok(files)
}

/// What the environment sets.
fn from_environment(variable: Variables<'_>) -> Vec<Assignment> {
    let mut written = Vec::new();
    for setting in settings() {
        let (Some(name), Some((key, _))) = (setting.environment, setting.initial_assignment()) else { continue };
        if let Some(value) = variable(name) {
            written.push(Assignment { key, value, origin: Origin::Environment(name) });
        }
    }
    if let Some(address) = variable("RABBITMQ_NODE_IP_ADDRESS") {
        let port = variable("RABBITMQ_NODE_PORT").unwrap_or_else(|| "5672".to_owned());
        written.push(Assignment {
            key: "listeners.tcp.default".to_owned(),
            value: format!("{address}:{port}"),
            origin: Origin::Environment("RABBITMQ_NODE_IP_ADDRESS"),
        });
    }
    written
}

/// What one `--set` sets.
fn from_flag(flag: &str) -> Result<Assignment, String> {
    let (key, value) = flag.split_once('=').ok_or_else(|| format!("--set: expected KEY=VALUE, got `{flag}`"))?;
    Ok(Assignment { key: key.trim().to_owned(), value: value.trim().to_owned(), origin: Origin::Flag("--set") })
}

/// Every setting, in the order of the documentation.
fn settings() -> impl Iterator<Item = &'static Setting> {
    let of_all = [SETTINGS, provision::SETTINGS].into_iter().chain(secure::SETTINGS.iter().copied());
    of_all.flatten()
}

/// The row of a key, and the word it gives for the free part.
fn find(key: &str) -> Option<(usize, &str)> {
    settings().enumerate().find_map(|(row, setting)| Some((row, setting.matches(key)?)))
}

/// The known key most like an unknown one.
fn nearest(key: &str) -> Option<&'static str> {
    let own = settings().flat_map(|setting| [Some(setting.key), setting.alias]).flatten();
    own.chain(known::plain_keys())
        .map(|known| (strsim::normalized_damerau_levenshtein(known, key), known))
        .filter(|(likeness, _)| *likeness >= SUGGESTION_LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// `NAME@HOST`; the host is this one when not given.
fn node_name(given: Option<String>) -> Result<String, String> {
    let name = given.unwrap_or_else(|| "rabbit".to_owned());
    let name = if name.contains('@') { name } else { format!("{name}@{}", host::short_name()) };
    let part = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':'))
    };
    match name.split_once('@') {
        Some((node, host)) if part(node) && part(host) && name.len() <= 255 => Ok(name),
        _ => Err(format!("`{name}` is no node name: expected NAME@HOST")),
    }
}

/// All settings as a page of Markdown: what `docs/settings.md` holds.
pub fn settings_page() -> String {
    let mut page =
        "# Settings\n\nPrinted by `warren --list-settings`. A setting is taken from `--set KEY=VALUE`, else from its \
                    environment variable, else from the configuration file, else it has its default.\n\n\
                    The file is the one of `--config`, else of `RABBITMQ_CONFIG_FILE`, else `/etc/warren/warren.conf` or \
                    `/etc/rabbitmq/rabbitmq.conf` with the `conf.d/*.conf` beside it; `RABBITMQ_CONFIG_FILES` names a folder of \
                    further ones. `RABBITMQ_NODENAME` names the node, `RABBITMQ_NODE_IP_ADDRESS` the address of AMQP.\n\n\
                    Other keys of `rabbitmq.conf` are ignored with a warning in the log, or stop the start where ignoring them \
                    would leave the broker less protected than configured. A key that is neither stops the start.\n\n\
                    | Key | Type | Default | What it does |\n|---|---|---|---|\n"
            .to_owned();
    for Setting { key, alias, environment, initial, doc, set } in settings() {
        let alias = alias.map(|alias| format!(", also `{alias}`")).unwrap_or_default();
        let environment = environment.map(|name| format!(" Environment: `{name}`.")).unwrap_or_default();
        let initial = match initial {
            Initial::Value(value) => format!("`{value}`"),
            Initial::Named(word, value) => format!("`{value}` for `{word}`"),
            Initial::Unset(meaning) => (*meaning).to_owned(),
        };
        page.push_str(&format!("| `{key}`{alias} | {} | {initial} | {doc}{environment} |\n", set.type_name()));
    }
    page
}

#[cfg(test)]
mod tests;
