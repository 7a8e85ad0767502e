//! Settings of HTTP listeners and of TLS: the same keys under several prefixes, so they are
//! made by two macros instead of being written out.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use api::{HttpListener, Timeouts};
use broker::domain::mechanism::Mechanism;
use broker::tls::{
    AlternativeNameKind, CertificateLogin, Cipher, ClientCertificates, NamedCipher, TlsSettings, TlsVersion,
};

use super::Config;
use super::table::{Initial, Setting, narrow};
use super::value::{Set, any_address};

/// What a configuration says of TLS at one place.
#[derive(Debug, Clone, Default)]
pub struct TlsKeys {
    settings: TlsSettings,
    /// `verify = verify_peer`.
    verifies: bool,
    /// `fail_if_no_peer_cert`.
    requires: Option<bool>,
    /// What `ciphers` names, by the words of the keys.
    ciphers: Vec<(String, Cipher)>,
    /// Whether anything is named there.
    names_ciphers: bool,
    /// What is named there and does not exist.
    unknown_ciphers: Vec<String>,
}

impl TlsKeys {
    /// Takes a version; those before 1.2 are not spoken.
    fn add_version(&mut self, name: &str, warnings: &mut Vec<String>) {
        match name {
            "tlsv1.2" => self.settings.versions.push(TlsVersion::V12),
            "tlsv1.3" => self.settings.versions.push(TlsVersion::V13),
            _ => warnings.push(format!("{name} is not offered: clients need tlsv1.2 or tlsv1.3")),
        }
    }

    /// Takes a cipher suite; those that are not spoken are told.
    fn add_cipher(&mut self, key: &str, word: &str, name: &str, warnings: &mut Vec<String>) {
        self.names_ciphers = true;
        match Cipher::find(name) {
            NamedCipher::Offered(cipher) => self.ciphers.push((word.to_owned(), cipher)),
            NamedCipher::NotOffered => {
                warnings.push(format!("`{key}.{word} = {name}`: this cipher suite is not offered"));
            }
            NamedCipher::Unknown => {
                self.unknown_ciphers.push(format!("`{key}.{word}` cannot be `{name}`: no cipher suite has this name"));
            }
        }
    }

    /// What the keys say together. Who verifies certificates wants one, unless it is said otherwise.
    pub fn settings(&self) -> TlsSettings {
        let client_certificates = match (self.verifies, self.requires) {
            (false, _) => ClientCertificates::Ignored,
            (true, Some(false)) => ClientCertificates::Verified,
            (true, None | Some(true)) => ClientCertificates::Required,
        };
        let mut ciphers = self.ciphers.clone();
        ciphers.sort_by(|a, b| place(&a.0).cmp(&place(&b.0)));
        let ciphers = ciphers.into_iter().map(|(_, cipher)| cipher).collect();
        TlsSettings { client_certificates, ciphers, ..self.settings.clone() }
    }

    /// What is wrong with the keys of `prefix` together.
    pub fn problems(&self, prefix: &str) -> Vec<String> {
        let mut problems = self.unknown_ciphers.clone();
        if self.requires == Some(true) && !self.verifies {
            problems.push(format!(
                "`{prefix}.fail_if_no_peer_cert = true` needs `{prefix}.verify = verify_peer`: a certificate that nobody verifies protects nothing"
            ));
        }
        if self.names_ciphers && self.ciphers.is_empty() && self.unknown_ciphers.is_empty() {
            problems.push(format!(
                "`{prefix}.ciphers` names no cipher suite that is offered: these are {}",
                Cipher::all().into_iter().map(Cipher::openssl_name).collect::<Vec<_>>().join(", ")
            ));
        }
        problems
    }
}

/// Where a word of a list of keys stands among others: numbers count as such.
pub fn place(word: &str) -> (u64, &str) {
    (word.parse().unwrap_or(u64::MAX), word)
}

/// What a configuration says of logins by certificate.
#[derive(Debug, Clone)]
pub struct LoginKeys {
    from: String,
    kind: AlternativeNameKind,
    index: usize,
}

impl Default for LoginKeys {
    fn default() -> Self {
        Self { from: String::new(), kind: AlternativeNameKind::Dns, index: 0 }
    }
}

impl LoginKeys {
    /// Which name it is.
    pub fn login(&self) -> CertificateLogin {
        match self.from.as_str() {
            "common_name" => CertificateLogin::CommonName,
            "subject_alternative_name" | "subject_alt_name" => CertificateLogin::AlternativeName(self.kind, self.index),
            _ => CertificateLogin::DistinguishedName,
        }
    }
}

/// What a configuration says of an HTTP listener.
#[derive(Debug, Clone, Default)]
pub struct HttpKeys {
    /// Its port.
    pub port: Option<u16>,
    /// Its address; `None` is every address.
    pub address: Option<IpAddr>,
    timeouts: Timeouts,
}

impl HttpKeys {
    /// Where it listens, once the port is known.
    pub fn at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.address.unwrap_or_else(any_address), port)
    }

    /// The listener.
    pub fn listener(&self, port: u16, tls: Option<TlsSettings>) -> HttpListener {
        HttpListener { address: self.at(port), tls, timeouts: self.timeouts }
    }
}

/// Listeners in the clear and encrypted: the one in the clear is there unless only the other is configured.
pub fn listeners(plain: &HttpKeys, port_initial: u16, secure: &HttpKeys, tls: &TlsKeys) -> Vec<HttpListener> {
    let has_plain = secure.port.is_none() || plain.port.is_some() || plain.address.is_some();
    let plain = has_plain.then(|| plain.listener(plain.port.unwrap_or(port_initial), None));
    let secure = secure.port.map(|port| secure.listener(port, Some(tls.settings())));
    plain.into_iter().chain(secure).collect()
}

const fn setting(key: &'static str, initial: Initial, doc: &'static str, set: Set) -> Setting {
    Setting { key, alias: None, environment: None, initial, doc, set }
}

/// Longest time-out that can be configured, in milliseconds: an hour.
const TIMEOUT_MS_MAX: u32 = 3_600_000;

fn milliseconds(number: u32) -> Duration {
    Duration::from_millis(number.into())
}

/// Time-outs of an HTTP listener.
macro_rules! timeouts {
    ($prefix:literal, $keys:ident) => {
        [
            setting(
                concat!($prefix, ".request_timeout"),
                Initial::Value("30000"),
                "Longest wait for the head of a request, in milliseconds; also how long a connection may wait between requests.",
                Set::Number(1, TIMEOUT_MS_MAX, |config, ms| config.$keys.timeouts.request = milliseconds(ms)),
            ),
            setting(
                concat!($prefix, ".idle_timeout"),
                Initial::Value("60000"),
                "Longest wait for the next piece of a request body, in milliseconds.",
                Set::Number(1, TIMEOUT_MS_MAX, |config, ms| config.$keys.timeouts.idle = milliseconds(ms)),
            ),
            setting(
                concat!($prefix, ".inactivity_timeout"),
                Initial::Value("300000"),
                "A connection on which nothing goes either way for that long is closed, in milliseconds.",
                Set::Number(1, TIMEOUT_MS_MAX, |config, ms| config.$keys.timeouts.inactivity = milliseconds(ms)),
            ),
        ]
    };
}

/// Where an encrypted HTTP listener is.
macro_rules! place {
    ($prefix:literal, $keys:ident, $what:literal) => {
        [
            setting(
                concat!($prefix, ".port"),
                Initial::Unset("no encrypted listener"),
                concat!("Port of ", $what, " over TLS; 0 takes a free one. Without a port or address for connections in the clear these are not served then."),
                Set::Number(0, 65_535, |config, port| config.$keys.port = Some(narrow(port))),
            ),
            setting(
                concat!($prefix, ".ip"),
                Initial::Unset("every address"),
                concat!("Address of ", $what, " over TLS."),
                Set::Address(|config, address| config.$keys.address = Some(address)),
            ),
        ]
    };
}

/// Key material and what is asked of clients.
macro_rules! key_material {
    ($prefix:literal, $keys:ident) => {
        [
            setting(
                concat!($prefix, ".cacertfile"),
                Initial::Unset("clients are not verified"),
                "Certificates of the authorities that sign those of clients, in PEM.",
                Set::Path(|config, path: PathBuf| config.$keys.settings.ca_file = Some(path)),
            ),
            setting(
                concat!($prefix, ".certfile"),
                Initial::Unset("none; needed to listen"),
                "Certificate of the server and those between it and its authority, in PEM. A changed file is taken without a restart.",
                Set::Path(|config, path: PathBuf| config.$keys.settings.certificate_file = Some(path)),
            ),
            setting(
                concat!($prefix, ".keyfile"),
                Initial::Unset("none; needed to listen"),
                "Private key of the server, in PEM.",
                Set::Path(|config, path: PathBuf| config.$keys.settings.key_file = Some(path)),
            ),
            setting(
                concat!($prefix, ".password"),
                Initial::Unset("the key is not encrypted"),
                "What the private key is encrypted with.",
                Set::Secret(|config, password| config.$keys.settings.key_password = Some(password.to_owned())),
            ),
            setting(
                concat!($prefix, ".verify"),
                Initial::Value("verify_none"),
                "Whether clients are asked for a certificate; one that is shown must be signed by an authority of the cacertfile.",
                Set::Choice(&["verify_none", "verify_peer"], |config, word| {
                    config.$keys.verifies = word == "verify_peer";
                }),
            ),
            setting(
                concat!($prefix, ".fail_if_no_peer_cert"),
                Initial::Unset("true where clients are verified"),
                "Whether clients must show a certificate.",
                Set::Flag(|config, _, on| config.$keys.requires = Some(on)),
            ),
            setting(
                concat!($prefix, ".versions.$n"),
                Initial::Unset("tlsv1.2 and tlsv1.3"),
                "A version of TLS that may be spoken; those before 1.2 are not offered.",
                Set::Choice(&["tlsv1.3", "tlsv1.2", "tlsv1.1", "tlsv1"], |config: &mut Config, name| {
                    config.$keys.add_version(name, &mut config.warnings);
                }),
            ),
            setting(
                concat!($prefix, ".ciphers.$n"),
                Initial::Unset("all that are offered"),
                "A cipher suite that may be used, under its name at OpenSSL or at IANA; `rabbitmq-diagnostics cipher_suites` lists what is offered.",
                Set::Text(|config: &mut Config, word, name| {
                    config.$keys.add_cipher(concat!($prefix, ".ciphers"), word, name, &mut config.warnings);
                }),
            ),
            setting(
                concat!($prefix, ".depth"),
                Initial::Unset("as many as are verified, which is up to 6"),
                "Most authorities between the certificate of a client and one of the cacertfile; with 0 that one has signed it itself.",
                Set::Number(0, 255, |config, depth| config.$keys.settings.depth = Some(narrow(depth) as u8)),
            ),
            setting(
                concat!($prefix, ".honor_cipher_order"),
                Initial::Value("false"),
                "Whether the server's order of ciphers counts and not the client's.",
                Set::Flag(|config, _, on| config.$keys.settings.prefers_own_ciphers = on),
            ),
        ]
    };
}

/// All of them, in the order of the documentation.
pub const SETTINGS: &[&[Setting]] = &[
    &[setting(
        "listeners.ssl.$name",
        Initial::Unset("no encrypted listener"),
        "Where AMQP clients connect over TLS, with the key material of `ssl_options`. A port alone means every address; port 0 takes a free one.",
        Set::Listener(|config, name, address| {
            config.tls_listeners.insert(name.to_owned(), address);
        }),
    )],
    &key_material!("ssl_options", amqp_tls),
    &[
        setting(
            "ssl_handshake_timeout",
            Initial::Value("5000"),
            "Longest wait for the TLS handshake of an AMQP client, in milliseconds.",
            Set::Number(1, 600_000, |config, ms| config.amqp_tls.settings.handshake_timeout = Some(milliseconds(ms))),
        ),
        setting(
            "auth_mechanisms.$n",
            Initial::Unset("PLAIN and AMQPLAIN"),
            "A way for AMQP clients to log in: `PLAIN`, `AMQPLAIN`, or `EXTERNAL`, which takes the name in the client's certificate and is offered over TLS.",
            Set::Text(|config, word, name| match Mechanism::from_name(name) {
                Some(mechanism) => config.mechanisms.push((word.to_owned(), mechanism)),
                None => config.unknown_mechanisms.push(format!("auth_mechanisms.{word} = {name}")),
            }),
        ),
        setting(
            "ssl_cert_login_from",
            Initial::Value("distinguished_name"),
            "Which name of a client's certificate is the user's.",
            Set::Choice(
                &["distinguished_name", "common_name", "subject_alternative_name", "subject_alt_name"],
                |config, from| config.certificate_login.from = from.to_owned(),
            ),
        ),
        setting(
            "ssl_cert_login_san_type",
            Initial::Value("dns"),
            "Which kind of alternative name it is.",
            Set::Choice(&["dns", "ip", "email", "uri", "other_name"], |config, kind| {
                config.certificate_login.kind = match kind {
                    "ip" => AlternativeNameKind::Ip,
                    "email" => AlternativeNameKind::Email,
                    "uri" => AlternativeNameKind::Uri,
                    "other_name" => AlternativeNameKind::Other,
                    _ => AlternativeNameKind::Dns,
                };
            }),
        ),
        setting(
            "ssl_cert_login_san_index",
            Initial::Value("0"),
            "Which of them, when there are several, from 0.",
            Set::Number(0, u32::MAX, |config, index| config.certificate_login.index = index as usize),
        ),
    ],
    &timeouts!("management.tcp", management),
    &place!("management.ssl", management_secure, "the HTTP API"),
    &key_material!("management.ssl", management_tls),
    &timeouts!("management.ssl", management_secure),
    &place!("prometheus.ssl", metrics_secure, "the metrics"),
    &key_material!("prometheus.ssl", metrics_tls),
];
