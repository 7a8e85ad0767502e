//! Named targets in a file: `~/.config/warren/ctl.toml`, a table a profile.
//!
//! Owns where the file lies and what a profile may say. The keys of the reference's
//! `rabbitmqadmin` file are accepted under their own names, so one file can serve both.
//! Knows nothing of the command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::exit::{Failure, Kind};
use crate::secret;
use crate::target::Surroundings;

/// Largest file read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A named target. A key that is not known is refused: a mistyped `pasword` must not go unseen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// Control socket.
    pub socket: Option<PathBuf>,
    /// Node of this host, by name.
    pub node: Option<String>,
    /// Address of the HTTP API.
    #[serde(alias = "base_uri")]
    uri: Option<String>,
    /// Host of the HTTP API, where there is no address.
    hostname: Option<String>,
    /// Its port.
    port: Option<u16>,
    /// `http` or `https`.
    scheme: Option<String>,
    /// Whether the API is asked over TLS.
    #[serde(alias = "ssl")]
    tls: bool,
    /// What stands before `/api`.
    path_prefix: Option<String>,
    /// User name.
    pub username: Option<String>,
    /// Password.
    password: Option<String>,
    /// File with the password in its first line.
    password_file: Option<String>,
    /// Virtual host of commands that are for one, unless `--vhost` says another.
    #[serde(alias = "virtual_host")]
    pub vhost: Option<String>,
    /// Certificates of authorities to trust, PEM.
    #[serde(alias = "ca_certificate_bundle_path")]
    pub ca_cert: Option<PathBuf>,
    /// Own certificate chain, PEM.
    #[serde(alias = "client_certificate_file_path")]
    pub client_cert: Option<PathBuf>,
    /// Own private key, PEM.
    #[serde(alias = "client_private_key_file_path")]
    pub client_key: Option<PathBuf>,
    /// Whether any certificate is accepted.
    pub insecure: bool,
    /// How `rabbitmqadmin` draws tables; means nothing here.
    #[serde(rename = "table_style")]
    _table_style: Option<String>,
    /// Means nothing here.
    #[serde(rename = "non_interactive")]
    _non_interactive: bool,
    /// Means nothing here.
    #[serde(rename = "quiet")]
    _quiet: bool,
    /// Means nothing here.
    #[serde(rename = "verbose")]
    _verbose: bool,
}

impl Profile {
    /// The address of the HTTP API, if the profile names one.
    pub fn uri(&self) -> Option<String> {
        if let Some(uri) = &self.uri {
            return Some(uri.clone());
        }
        let host = self.hostname.as_ref()?;
        let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.clone() };
        let scheme = self.scheme.as_deref().unwrap_or(if self.tls { "https" } else { "http" });
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        let prefix = self.path_prefix.as_deref().unwrap_or_default().trim_end_matches('/');
        Some(format!("{scheme}://{host}{port}{prefix}"))
    }

    /// Its password.
    ///
    /// # Errors
    /// When the file it lies in cannot be read.
    pub fn secret(&self) -> Result<Option<String>, Failure> {
        match (&self.password, &self.password_file) {
            (Some(password), _) => Ok(Some(password.clone())),
            (None, Some(file)) => secret::read_file(file).map(Some),
            (None, None) => Ok(None),
        }
    }
}

/// The file of profiles: the one that is named, or `warren/ctl.toml` in the user's configuration directory.
fn file(named: Option<&str>, around: &Surroundings) -> Result<PathBuf, String> {
    if let Some(named) = named.map(str::to_owned).or_else(|| (around.variable)("WARREN_CTL_CONFIG")) {
        return Ok(PathBuf::from(named));
    }
    let base = (around.variable)("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| (around.variable)("HOME").map(|home| Path::new(&home).join(".config")));
    base.map(|base| base.join("warren/ctl.toml")).ok_or_else(|| "neither XDG_CONFIG_HOME nor HOME is set".to_owned())
}

/// The profile of that name.
///
/// # Errors
/// When the file cannot be read, is no TOML, or does not have it; says which file and which names it has.
pub fn find(name: &str, named_file: Option<&str>, around: &Surroundings) -> Result<Profile, Failure> {
    let refused =
        |text: String| Failure::plain(Kind::Configuration, format!("Error: profile {name}: {text}")).before_banner();
    let path = file(named_file, around).map_err(refused)?;
    let mut profiles = read(&path).map_err(|why| refused(format!("{}: {why}", path.display())))?;
    profiles.remove(name).ok_or_else(|| {
        let known: Vec<&str> = profiles.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        refused(format!("{} has no such profile; it has {known}", path.display()))
    })
}

/// Names of all profiles; none when the file cannot be read.
pub fn names(named_file: Option<&str>, around: &Surroundings) -> Vec<String> {
    file(named_file, around).and_then(|path| read(&path)).map(|all| all.into_keys().collect()).unwrap_or_default()
}

fn read(path: &Path) -> Result<BTreeMap<String, Profile>, String> {
    use std::io::Read as _;
    let mut text = String::new();
    let opened = std::fs::File::open(path).map_err(|error| error.to_string())?;
    opened.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(|error| error.to_string())?;
    toml::from_str(&text).map_err(|error| error.to_string().trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AROUND: Surroundings = Surroundings { variable: |_| None, uid: 1, may_ask: false };

    fn look(text: &str, name: &str) -> Result<Profile, Failure> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ctl.toml");
        std::fs::write(&path, text).expect("written");
        find(name, path.to_str(), &AROUND)
    }

    #[test]
    fn a_profile_is_found_by_its_name() {
        let text = "[staging]\nuri = \"https://h:1/x\"\nusername = \"u\"\npassword = \"p\"\n\n\
                    [prod]\nhostname = \"::1\"\nport = 15671\ntls = true\nvirtual_host = \"v\"\n";
        let staging = look(text, "staging").expect("a profile");
        assert_eq!(staging.uri().as_deref(), Some("https://h:1/x"));
        assert_eq!(staging.secret(), Ok(Some("p".to_owned())));
        let prod = look(text, "prod").expect("a profile");
        assert_eq!(prod.uri().as_deref(), Some("https://[::1]:15671"));
        assert_eq!(prod.vhost.as_deref(), Some("v"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, expected) in [("[a]\n[b]\n", "it has a, b"), ("[x]\npasword = \"p\"\n", "pasword"), ("[x", "line 1")]
        {
            let failure = look(text, "x").expect_err("refused");
            assert_eq!(failure.kind, Kind::Configuration);
            assert!(failure.text.contains(expected), "{}", failure.text);
        }
        let missing = find("x", Some("/nonexistent/ctl.toml"), &AROUND).expect_err("refused");
        assert!(missing.text.contains("/nonexistent/ctl.toml"), "{}", missing.text);
    }
}
