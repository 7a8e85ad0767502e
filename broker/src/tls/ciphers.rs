//! Cipher suites under the names of OpenSSL, of the registry of IANA and of the reference.
//!
//! Owns the names and which suites this program speaks; configuring listeners with them is
//! `material`'s.

use tokio_rustls::rustls::CipherSuite;
use tokio_rustls::rustls::crypto::ring;

/// A cipher suite that is spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cipher(CipherSuite);

/// What a name of a configuration means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedCipher {
    /// A suite that is spoken.
    Offered(Cipher),
    /// A suite there is, and which is not spoken: it is not safe, or this program lacks it.
    NotOffered,
    /// No suite has this name.
    Unknown,
}

impl Cipher {
    /// All that are spoken, best first.
    #[must_use]
    pub fn all() -> Vec<Self> {
        ring::ALL_CIPHER_SUITES.iter().map(|suite| Self(suite.suite())).collect()
    }

    /// Finds a suite by its name at OpenSSL or in the registry.
    #[must_use]
    pub fn find(name: &str) -> NamedCipher {
        let numbers = 0..=u16::MAX;
        let mut bearing = numbers.map(CipherSuite::from).filter(|suite| {
            let registered = registered(*suite);
            registered.as_deref().is_some_and(|registered| registered == name || openssl(registered) == name)
        });
        match bearing.next() {
            None => NamedCipher::Unknown,
            Some(suite) if Self::all().contains(&Self(suite)) => NamedCipher::Offered(Self(suite)),
            Some(_) => NamedCipher::NotOffered,
        }
    }

    pub(super) fn of(suite: CipherSuite) -> Self {
        Self(suite)
    }

    pub(super) fn suite(self) -> CipherSuite {
        self.0
    }

    /// Its name in the registry of IANA.
    #[must_use]
    pub fn iana_name(self) -> String {
        registered(self.0).unwrap_or_default()
    }

    /// Its name at OpenSSL.
    #[must_use]
    pub fn openssl_name(self) -> String {
        openssl(&self.iana_name())
    }

    /// `any`, `ecdhe_rsa` or `ecdhe_ecdsa`.
    #[must_use]
    pub fn key_exchange(self) -> &'static str {
        let name = self.iana_name();
        match name.split_once("_WITH_").map(|(exchange, _)| exchange) {
            Some("TLS_ECDHE_RSA") => "ecdhe_rsa",
            Some("TLS_ECDHE_ECDSA") => "ecdhe_ecdsa",
            _ => "any",
        }
    }

    /// `aes_256_gcm` and the like.
    #[must_use]
    pub fn cipher(self) -> &'static str {
        let name = self.iana_name();
        let known = ["aes_256_gcm", "aes_128_gcm", "chacha20_poly1305"];
        known.into_iter().find(|cipher| name.to_ascii_lowercase().contains(cipher)).unwrap_or("unknown")
    }

    /// What secrets are derived with.
    #[must_use]
    pub fn hash(self) -> &'static str {
        if self.iana_name().ends_with("SHA384") { "sha384" } else { "sha256" }
    }
}

/// What guards against changes: in every suite that is spoken the cipher itself.
pub const AEAD: &str = "aead";

/// The registered name of a number.
fn registered(suite: CipherSuite) -> Option<String> {
    // Suites of TLS 1.3 are marked as such in the library; in the registry they are not.
    Some(suite.as_str()?.replacen("TLS13_", "TLS_", 1))
}

/// The name at OpenSSL of a registered name: `ECDHE-RSA-AES256-GCM-SHA384`.
fn openssl(registered: &str) -> String {
    // Suites of TLS 1.3 have one name.
    let Some((exchange, cipher)) = registered.split_once("_WITH_") else { return registered.to_owned() };
    let exchange = exchange.trim_start_matches("TLS_").replace('_', "-");
    let mut cipher = cipher.replace("3DES_EDE_CBC", "DES-CBC3").replace("RC4_128", "RC4").replace("_CBC", "");
    for family in ["AES", "CAMELLIA", "ARIA"] {
        cipher = cipher.replace(&format!("{family}_"), family);
    }
    if let Some(named_by_hash) = cipher.strip_suffix("_SHA256").filter(|rest| rest.ends_with("POLY1305")) {
        cipher = named_by_hash.to_owned();
    }
    let cipher = cipher.replace('_', "-");
    if exchange == "RSA" { cipher } else { format!("{exchange}-{cipher}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names the reference lists for its own suites.
    #[test]
    fn suites_have_two_names() {
        for (iana, name) in [
            ("TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
            ("TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256"),
            ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"),
            ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
            ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"),
            ("TLS_ECDHE_ECDSA_WITH_AES_256_CCM", "ECDHE-ECDSA-AES256-CCM"),
            ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", "ECDHE-RSA-AES256-SHA384"),
            ("TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", "DHE-RSA-AES256-GCM-SHA384"),
            ("TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA"),
            ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", "DES-CBC3-SHA"),
            ("TLS_RSA_WITH_RC4_128_MD5", "RC4-MD5"),
            ("TLS_DHE_RSA_WITH_CAMELLIA_256_CBC_SHA", "DHE-RSA-CAMELLIA256-SHA"),
        ] {
            assert_eq!(openssl(iana), name);
            assert_eq!(Cipher::find(iana), Cipher::find(name), "{name}");
            assert_ne!(Cipher::find(name), NamedCipher::Unknown, "{name}");
        }
    }

    #[test]
    fn suites_are_found_by_both_names_and_told_apart_from_mistakes() {
        for cipher in Cipher::all() {
            assert_eq!(Cipher::find(&cipher.iana_name()), NamedCipher::Offered(cipher));
            assert_eq!(Cipher::find(&cipher.openssl_name()), NamedCipher::Offered(cipher));
            assert_ne!(cipher.cipher(), "unknown");
        }
        assert_eq!(Cipher::find("ECDHE-RSA-AES256-SHA384"), NamedCipher::NotOffered);
        for mistyped in ["", "HIGH", "ECDHE-RSA-AES256-GCM-SHA38", "TLS13_AES_256_GCM_SHA384"] {
            assert_eq!(Cipher::find(mistyped), NamedCipher::Unknown, "{mistyped}");
        }
    }
}
