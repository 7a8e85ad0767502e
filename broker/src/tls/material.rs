//! Files with certificates and keys as a configuration. Every refusal names its file.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use tokio_rustls::rustls;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::ciphers::Cipher;
use super::depth::BoundedDepth;
use super::facts::{CertificateFacts, CertificateUse};
use super::{ClientCertificates, TlsSettings, TlsVersion};
use crate::error::Error;

/// Largest file with key material, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// How encrypted keys of today's form are marked.
const ENCRYPTED_LABEL: &str = "ENCRYPTED PRIVATE KEY";
/// How a key of the form before that says it is encrypted.
const ENCRYPTED_OF_OLD: &str = "Proc-Type: 4,ENCRYPTED";

/// What was read, and when.
pub(super) struct Material {
    pub(super) config: Arc<ServerConfig>,
    pub(super) certificates: Vec<CertificateFacts>,
    /// The files as they were.
    stamps: Vec<(PathBuf, Stamp)>,
}

/// What changes when a file does.
type Stamp = Option<(SystemTime, u64)>;

impl Material {
    /// Reads everything.
    pub(super) fn load(settings: &TlsSettings, alpn: &[&str]) -> Result<Self, Error> {
        let required = |file: &Option<PathBuf>, key: &str| {
            file.clone().ok_or_else(|| Error::Unavailable(format!("a TLS listener needs the setting {key}")))
        };
        let certificate_file = required(&settings.certificate_file, "certfile")?;
        let key_file = required(&settings.key_file, "keyfile")?;
        let mut files = vec![certificate_file.clone(), key_file.clone()];
        files.extend(settings.ca_file.clone());
        // Taken before the files are read: a change in between is found at the next look.
        let stamps = files.into_iter().map(|file| (stamp(&file), file)).map(|(stamp, file)| (file, stamp)).collect();

        let chain = read_certificates(&certificate_file)?;
        let mut certificates = facts(&chain, &certificate_file, CertificateUse::Own)?;
        let key = read_key(&key_file, settings.key_password.as_deref())?;
        let provider = Arc::new(provider(&settings.ciphers));
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions(&settings.versions))
            .map_err(|error| Error::Unavailable(format!("TLS: {error}")))?;
        let authorities = match &settings.ca_file {
            Some(file) => {
                let read = read_certificates(file)?;
                certificates.extend(facts(&read, file, CertificateUse::Authority)?);
                Some((file, read))
            }
            None => None,
        };
        let builder = match (settings.client_certificates, authorities) {
            (ClientCertificates::Ignored, _) => builder.with_no_client_auth(),
            (_, None) => {
                let reason = "verify = verify_peer needs the setting cacertfile: whose clients are to be trusted";
                return Err(Error::Unavailable(reason.to_owned()));
            }
            (wanted, Some((file, read))) => {
                builder.with_client_cert_verifier(verifier(wanted, settings.depth, file, read, provider)?)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => wrong(
                &key_file,
                format!("the key does not belong to the certificate in {}", certificate_file.display()),
            ),
            error => wrong(&key_file, error),
        })?;
        config.ignore_client_order = settings.prefers_own_ciphers;
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(Self { config: Arc::new(config), certificates, stamps })
    }

    /// Whether a file is no longer as it was read.
    pub(super) fn is_stale(&self) -> bool {
        self.stamps.iter().any(|(file, read)| stamp(file) != *read)
    }
}

fn wrong(file: &Path, why: impl std::fmt::Display) -> Error {
    Error::Unavailable(format!("TLS: {}: {why}", file.display()))
}

fn stamp(file: &Path) -> Stamp {
    let found = std::fs::metadata(file).ok()?;
    Some((found.modified().ok()?, found.len()))
}

fn versions(wanted: &[TlsVersion]) -> Vec<&'static SupportedProtocolVersion> {
    let all = [(TlsVersion::V13, &rustls::version::TLS13), (TlsVersion::V12, &rustls::version::TLS12)];
    let wanted = all.into_iter().filter(|(version, _)| wanted.is_empty() || wanted.contains(version));
    wanted.map(|(_, version)| version).collect()
}

fn read(file: &Path) -> Result<Vec<u8>, Error> {
    let size = std::fs::metadata(file).map_err(|error| wrong(file, error))?.len();
    if size > FILE_BYTES_MAX {
        return Err(wrong(file, format_args!("{size} bytes are no key material; at most {FILE_BYTES_MAX} are read")));
    }
    std::fs::read(file).map_err(|error| wrong(file, error))
}

fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = read(file)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match certificates.map_err(|error| wrong(file, error))? {
        none if none.is_empty() => Err(wrong(file, "no certificate in PEM form stands in it")),
        certificates => Ok(certificates),
    }
}

fn facts(chain: &[CertificateDer<'_>], file: &Path, usage: CertificateUse) -> Result<Vec<CertificateFacts>, Error> {
    let read = |der: &CertificateDer<'_>| CertificateFacts::read(der, file, usage).map_err(|error| wrong(file, error));
    chain.iter().map(read).collect()
}

fn read_key(file: &Path, password: Option<&str>) -> Result<PrivateKeyDer<'static>, Error> {
    let bytes = read(file)?;
    let text = String::from_utf8_lossy(&bytes);
    if text.contains(ENCRYPTED_OF_OLD) {
        return Err(wrong(
            file,
            "the key is encrypted in a form of old, which is not read; `openssl pkcs8 -topk8 -v2 aes256` turns it into today's",
        ));
    }
    if !text.contains(ENCRYPTED_LABEL) {
        return PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
            rustls::pki_types::pem::Error::NoItemsFound => wrong(file, "no private key in PEM form stands in it"),
            error => wrong(file, error),
        });
    }
    let password = password.ok_or_else(|| wrong(file, "the key is encrypted; the setting password is missing"))?;
    let (_, document) = SecretDocument::from_pem(text.trim()).map_err(|error| wrong(file, error))?;
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()).map_err(|error| wrong(file, error))?;
    let key = encrypted.decrypt(password).map_err(|_| wrong(file, "the setting password does not open the key"))?;
    Ok(PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec())))
}

/// What encrypts: all there is, or what is wanted in the order it is.
fn provider(wanted: &[Cipher]) -> CryptoProvider {
    let all = ring::default_provider();
    if wanted.is_empty() {
        return all;
    }
    let of = |cipher: &Cipher| all.cipher_suites.iter().find(|suite| suite.suite() == cipher.suite()).copied();
    CryptoProvider { cipher_suites: wanted.iter().filter_map(of).collect(), ..all }
}

fn verifier(
    wanted: ClientCertificates,
    depth: Option<u8>,
    file: &Path,
    authorities: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, Error> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority).map_err(|error| wrong(file, error))?;
    }
    let (anchors, algorithms) = (roots.roots.clone(), provider.signature_verification_algorithms);
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = match wanted {
        ClientCertificates::Required => builder,
        ClientCertificates::Verified | ClientCertificates::Ignored => builder.allow_unauthenticated(),
    };
    let inner = builder.build().map_err(|error: VerifierBuilderError| wrong(file, error))?;
    Ok(match depth {
        None => inner,
        Some(depth) => Arc::new(BoundedDepth { inner, anchors, algorithms, depth: depth.into() }),
    })
}
