//! What this server can speak, by the names operators know: those of OpenSSL.
//!
//! Owns the spelling. What a listener allows of it is its settings' matter.

use tokio_rustls::rustls::crypto::ring;

/// Versions of TLS, the newest first.
#[must_use]
pub const fn versions() -> [&'static str; 2] {
    ["tlsv1.3", "tlsv1.2"]
}

/// Cipher suites, the preferred first.
#[must_use]
pub fn cipher_suites() -> Vec<String> {
    ring::DEFAULT_CIPHER_SUITES.iter().filter_map(|suite| suite.suite().as_str().map(spelled)).collect()
}

/// The name OpenSSL gives to a suite that the standard calls `name`.
fn spelled(name: &str) -> String {
    let Some(bare) = name.strip_prefix("TLS13_") else {
        let parts = name.trim_start_matches("TLS_").replace("_WITH_", "_").replace("AES_", "AES");
        return parts.replace("CHACHA20_POLY1305_SHA256", "CHACHA20_POLY1305").replace('_', "-");
    };
    format!("TLS_{bare}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_have_the_names_operators_know() {
        assert_eq!(spelled("TLS13_AES_256_GCM_SHA384"), "TLS_AES_256_GCM_SHA384");
        assert_eq!(spelled("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"), "ECDHE-RSA-AES128-GCM-SHA256");
        assert_eq!(spelled("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"), "ECDHE-ECDSA-CHACHA20-POLY1305");
        assert!(cipher_suites().contains(&"TLS_AES_128_GCM_SHA256".to_owned()));
    }
}
