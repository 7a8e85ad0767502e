//! Where to, as whom: options, environment and the configuration file of `rabbitmqadmin`, in both forms the file has had.
//!
//! Opens no connection. The file of the first version is an INI file, that of the second is TOML; either serves both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::tls::TlsOptions;

/// Section that is read when none is named.
const DEFAULT_SECTION: &str = "default";

/// Largest file read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What a section says, by the names of either form.
pub type Section = BTreeMap<String, String>;

/// Where to, as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// What stands before `/api`.
    pub prefix: String,
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
    /// Virtual host, if one was named.
    pub vhost: Option<String>,
    /// Whether the API is asked over TLS.
    pub tls: bool,
    /// Whom to trust and who we are.
    pub tls_options: TlsOptions,
    /// How long an answer may take, in seconds.
    pub timeout_seconds: u64,
}

impl Settings {
    /// The address of the API.
    pub fn base(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        let host = if self.host.contains(':') && !self.host.starts_with('[') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        format!("{scheme}://{host}:{}{}", self.port, self.prefix)
    }
}

/// The file of the user, if it is there.
pub fn default_file() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty())?;
    Some(Path::new(&home).join(".rabbitmqadmin.conf")).filter(|path| path.is_file())
}

/// A path in which `~/` is the home directory.
pub fn expanded(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(path),
    }
}

/// A section of the file; the default one may be missing.
///
/// # Errors
/// When the file cannot be read, is neither TOML nor INI, or lacks a section that was named.
pub fn section(path: &Path, named: Option<&str>) -> Result<Section, String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text))
        .map_err(|error| format!("Could not read config file '{}': {error}", path.display()))?;
    let name = named.unwrap_or(DEFAULT_SECTION);
    let mut sections = toml::from_str::<BTreeMap<String, toml::Value>>(&text)
        .map(of_toml)
        .or_else(|_| of_ini(&text).map_err(|why| format!("Could not read config file '{}': {why}", path.display())))?;
    match sections.remove(name) {
        Some(section) => Ok(section),
        None if named.is_none() || name == DEFAULT_SECTION => Ok(Section::new()),
        None => Err(format!(
            "Could not read section '{name}' in config file '{}': there is no such section",
            path.display()
        )),
    }
}

fn of_toml(document: BTreeMap<String, toml::Value>) -> BTreeMap<String, Section> {
    let text = |value: &toml::Value| match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Boolean(on) => on.to_string(),
        // No setting is of another kind.
        _ => String::new(),
    };
    let sections = document.into_iter().filter_map(|(name, value)| {
        let table = value.as_table()?;
        Some((name, table.iter().map(|(key, value)| (key.clone(), text(value))).collect()))
    });
    sections.collect()
}

fn of_ini(text: &str) -> Result<BTreeMap<String, Section>, String> {
    let mut sections: BTreeMap<String, Section> = BTreeMap::new();
    let mut current: Option<String> = None;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            current = Some(name.trim().to_owned());
            sections.entry(name.trim().to_owned()).or_default();
            continue;
        }
        let (Some(section), Some((key, value))) = (&current, line.split_once(['=', ':'])) else {
            return Err(format!("line {} is neither a section nor a setting", at + 1));
        };
        // What stands behind a blank and a hash is a remark.
        let value = value.split(" #").next().unwrap_or_default().trim();
        sections.entry(section.clone()).or_default().insert(key.trim().to_lowercase(), value.to_owned());
    }
    Ok(sections)
}

/// What options said; what is `None` is looked up in the section, then has its usual value.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Host.
    pub host: Option<String>,
    /// Port.
    pub port: Option<u16>,
    /// Address of the whole API.
    pub base_uri: Option<String>,
    /// What stands before `/api`.
    pub prefix: Option<String>,
    /// User name.
    pub user: Option<String>,
    /// Password.
    pub password: Option<String>,
    /// Virtual host.
    pub vhost: Option<String>,
    /// Whether the API is asked over TLS.
    pub tls: bool,
    /// Whom to trust and who we are.
    pub tls_options: TlsOptions,
    /// How long an answer may take, in seconds.
    pub timeout_seconds: Option<u64>,
}

const HOST: &str = "localhost";
const USER: &str = "guest";
const PASSWORD: &str = "guest";
const PORT: u16 = 15672;
const TLS_PORT: u16 = 15671;
const TIMEOUT_SECONDS: u64 = 120;

/// Puts together what was given and what the section says.
///
/// # Errors
/// When an address or a number is none.
pub fn settle(given: Given, section: &Section) -> Result<Settings, String> {
    let of = |names: &[&str]| names.iter().find_map(|name| section.get(*name)).cloned();
    let is_on =
        |names: &[&str]| of(names).is_some_and(|value| matches!(value.as_str(), "True" | "true" | "1" | "https"));
    let address = match given.base_uri.or_else(|| of(&["base_uri"])) {
        Some(uri) => Some(crate::uri::parse(&uri).map_err(|failure| failure.text)?),
        None => None,
    };
    let tls = given.tls
        || is_on(&["ssl", "tls", "scheme"])
        || address.as_ref().is_some_and(|found| found.base.starts_with("https:"));
    let number = |names: &[&str]| match of(names) {
        Some(text) => text.parse::<u16>().map(Some).map_err(|_| format!("'{text}' is no port")),
        None => Ok(None),
    };
    let (mut host, mut port) = (given.host, given.port);
    if let Some(address) = &address {
        let rest = address.base.split_once("://").map_or(address.base.as_str(), |(_, rest)| rest);
        let authority = rest.split('/').next().unwrap_or_default();
        let (name, digits) = authority.rsplit_once(':').unwrap_or((authority, ""));
        host = host.or_else(|| Some(name.to_owned()));
        port = port.or_else(|| digits.parse().ok());
    }
    let path = |given: Option<PathBuf>, names: &[&str]| given.or_else(|| of(names).map(|text| expanded(&text)));
    let prefix = given.prefix.or_else(|| of(&["path_prefix"])).unwrap_or_default();
    let prefix = prefix.trim_end_matches('/');
    let user_of_address = address.as_ref().and_then(|found| found.user.clone());
    let password_of_address = address.and_then(|found| found.password);
    Ok(Settings {
        host: host.or_else(|| of(&["hostname", "host"])).unwrap_or_else(|| HOST.to_owned()),
        port: match port {
            Some(port) => port,
            None => number(&["port"])?.unwrap_or(if tls { TLS_PORT } else { PORT }),
        },
        prefix: prefix.strip_suffix("/api").unwrap_or(prefix).to_owned(),
        user: given.user.or(user_of_address).or_else(|| of(&["username"])).unwrap_or_else(|| USER.to_owned()),
        password: given
            .password
            .or(password_of_address)
            .or_else(|| of(&["password"]))
            .unwrap_or_else(|| PASSWORD.to_owned()),
        vhost: given.vhost.or_else(|| of(&["vhost", "virtual_host"])),
        tls,
        tls_options: TlsOptions {
            ca_cert: path(given.tls_options.ca_cert, &["ssl_ca_cert_file", "ca_certificate_bundle_path"]),
            client_cert: path(given.tls_options.client_cert, &["ssl_cert_file", "client_certificate_file_path"]),
            client_key: path(given.tls_options.client_key, &["ssl_key_file", "client_private_key_file_path"]),
            insecure: given.tls_options.insecure || is_on(&["ssl_insecure", "insecure"]),
        },
        timeout_seconds: given.timeout_seconds.unwrap_or(TIMEOUT_SECONDS),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const INI: &str = "# a remark\n[host_ssl]\nhostname = mq\nport = 15671\nssl = True\nvhost = / # of lists too\n[default]\nusername = u\n";
    const TOML: &str = "[local]\nhostname = \"mq\"\nport = 15673\nscheme = \"https\"\nvirtual_host = \"v\"\n";

    fn look(text: &str, name: Option<&str>) -> Result<Section, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rabbitmqadmin.conf");
        std::fs::write(&path, text).expect("written");
        section(&path, name)
    }

    #[test]
    fn both_forms_of_the_file_are_read() {
        let settings = |section: &Section| settle(Given::default(), section).expect("settings");
        let old = settings(&look(INI, Some("host_ssl")).expect("a section"));
        assert_eq!((old.base().as_str(), old.vhost.as_deref()), ("https://mq:15671", Some("/")));
        assert_eq!(settings(&look(INI, None).expect("a section")).user, "u");
        let new = settings(&look(TOML, Some("local")).expect("a section"));
        assert_eq!((new.base().as_str(), new.vhost.as_deref()), ("https://mq:15673", Some("v")));
        // The default section may be missing, another one may not.
        assert_eq!(look(TOML, None), Ok(Section::new()));
        assert!(look(TOML, Some("x")).is_err_and(|why| why.contains("'x'")));
        assert!(look("nonsense", None).is_err_and(|why| why.contains("line 1")));
    }

    #[test]
    fn an_option_comes_before_the_file() {
        let section = look(INI, Some("host_ssl")).expect("a section");
        let given = Given { host: Some("::1".to_owned()), port: Some(1), ..Given::default() };
        assert_eq!(settle(given, &section).map(|settings| settings.base()), Ok("https://[::1]:1".to_owned()));
        let given = Given { base_uri: Some("http://a:b@h:7/".to_owned()), ..Given::default() };
        let settings = settle(given, &Section::new()).expect("settings");
        assert_eq!((settings.base().as_str(), settings.user.as_str()), ("http://h:7", "a"));
    }
}
