//! TLS towards a node: whom to trust, and who we are.
//!
//! Owns reading certificates and keys. Knows neither targets nor requests.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

/// What the command line or a profile says about TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// Certificates of authorities to trust instead of the system's, PEM.
    pub ca_cert: Option<PathBuf>,
    /// Own certificate chain, PEM.
    pub client_cert: Option<PathBuf>,
    /// Own private key, PEM; where there is none it is looked for beside the certificate.
    pub client_key: Option<PathBuf>,
    /// Whether any certificate of the node is accepted.
    pub insecure: bool,
}

impl TlsOptions {
    /// The configuration of a connection.
    ///
    /// # Errors
    /// When a file cannot be read or holds nothing of use; names it.
    pub fn config(&self) -> Result<ClientConfig, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = if self.insecure {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        } else {
            builder.with_root_certificates(self.roots()?)
        };
        let Some(certificate) = &self.client_cert else {
            return match &self.client_key {
                Some(key) => Err(format!("--client-key {} needs --client-cert", key.display())),
                None => Ok(builder.with_no_client_auth()),
            };
        };
        let chain = certificates(certificate)?;
        let key_file = self.client_key.as_deref().unwrap_or(certificate);
        let key = PrivateKeyDer::from_pem_file(key_file)
            .map_err(|error| format!("{}: no private key: {error}", key_file.display()))?;
        builder
            .with_client_auth_cert(chain, key)
            .map_err(|error| format!("{} and {}: {error}", certificate.display(), key_file.display()))
    }

    fn roots(&self) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        let Some(file) = &self.ca_cert else {
            // What of the system's certificates is of no use is passed over, as every client does.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            return Ok(roots);
        };
        for certificate in certificates(file)? {
            roots.add(certificate).map_err(|error| format!("{}: {error}", file.display()))?;
        }
        Ok(roots)
    }
}

/// Why TLS failed, and what would do. `None` for what is no such failure, or explains itself.
pub fn explained(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    // Each layer on the way up may have wrapped it into one of its own.
    let mut cause = cause;
    while let Some(within) = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        cause = within;
    }
    let error: &Error = cause.downcast_ref()?;
    let advice = match error {
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "the node's certificate is for another host name; use one it names",
        Error::InvalidCertificate(CertificateError::BadSignature) => {
            "who has signed the node's certificate only bears the name of somebody trusted; --ca-cert FILE trusts an authority of your own"
        }
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "the node's certificate has expired"
        }
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "the node wants to see a certificate; --client-cert FILE and --client-key FILE show one"
        }
        Error::AlertReceived(AlertDescription::UnknownCA | AlertDescription::DecryptError) => {
            "the node does not trust whoever has signed our certificate (--client-cert)"
        }
        Error::AlertReceived(AlertDescription::HandshakeFailure | AlertDescription::ProtocolVersion) => {
            "the node and this program have no version or cipher suite of TLS in common"
        }
        _ => return None,
    };
    Some(format!("{advice} ({error})"))
}

/// For connections without TLS: trusts nobody and reads nothing.
///
/// # Errors
/// When the library cannot be set up.
pub fn none() -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// The certificates of a PEM file; there is at least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let found: Vec<_> = CertificateDer::pem_file_iter(file)
        .map_err(|error| failed(&error))?
        .collect::<Result<_, _>>()
        .map_err(|error| failed(&error))?;
    if found.is_empty() { Err(failed(&"holds no certificate")) } else { Ok(found) }
}

/// Accepts every certificate; signatures are checked all the same.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_of_no_use_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let empty = folder.path().join("empty.pem");
        std::fs::write(&empty, "").expect("written");
        for options in [
            TlsOptions { ca_cert: Some(empty.clone()), ..TlsOptions::default() },
            TlsOptions { client_cert: Some(empty.clone()), insecure: true, ..TlsOptions::default() },
            TlsOptions { client_key: Some(empty), insecure: true, ..TlsOptions::default() },
        ] {
            let why = options.config().expect_err("refused");
            assert!(why.contains("empty.pem"), "{why}");
        }
        assert!(TlsOptions { insecure: true, ..TlsOptions::default() }.config().is_ok());
        assert!(none().is_ok());
    }
}
