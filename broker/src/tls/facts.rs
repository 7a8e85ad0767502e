//! What stands in certificates, and what a handshake agreed on, in the reference's words.

use std::path::{Path, PathBuf};

use tokio_rustls::rustls::{ProtocolVersion, ServerConnection};
use x509_cert::Certificate;
use x509_cert::der::pem::{self, LineEnding};
use x509_cert::der::{DateTime, Decode as _, Error as DerError};

use super::ciphers::{AEAD, Cipher};
use super::login::PeerNames;
use super::names;

/// How certificates are marked in PEM.
const PEM_LABEL: &str = "CERTIFICATE";

/// What a certificate of a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateUse {
    /// Shown to clients.
    Own,
    /// What those of clients are checked against.
    Authority,
}

/// A certificate of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Where it lies.
    pub file: PathBuf,
    /// What it is for.
    pub usage: CertificateUse,
    /// Whom it names.
    pub subject: String,
    /// The certificate in PEM.
    pub pem: String,
    /// Until when it is valid, in seconds since 1970.
    pub not_after_s: u64,
}

impl CertificateFacts {
    /// Reads one.
    pub(super) fn read(der: &[u8], file: &Path, usage: CertificateUse) -> Result<Self, DerError> {
        let certificate = Certificate::from_der(der)?;
        let read = certificate.tbs_certificate();
        let not_after_s = read.validity().not_after.to_unix_duration().as_secs();
        let pem = pem::encode_string(PEM_LABEL, LineEnding::LF, der)?;
        Ok(Self { file: file.to_owned(), usage, subject: names::distinguished(read.subject()), pem, not_after_s })
    }
}

/// The certificate a client showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// Whom it names, `CN=name,O=organisation`.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// `from - until`.
    pub validity: String,
    /// Its number at whoever signed it, in hexadecimal digits.
    pub serial_number: String,
    /// The names its user may be known by.
    pub names: PeerNames,
}

impl PeerCertificate {
    fn read(der: &[u8]) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?;
        let read = certificate.tbs_certificate();
        let validity = read.validity();
        Some(Self {
            subject: names::distinguished(read.subject()),
            issuer: names::distinguished(read.issuer()),
            validity: format!(
                "{} - {}",
                date(validity.not_before.to_date_time()),
                date(validity.not_after.to_date_time())
            ),
            serial_number: number(read.serial_number().as_bytes()),
            names: PeerNames::read(&certificate),
        })
    }
}

/// A number in hexadecimal digits, without zeros in front.
fn number(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() { "0".to_owned() } else { digits.to_owned() }
}

/// `2026-11-25T13:15:00Z`.
fn date(at: DateTime) -> String {
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minutes(),
        at.seconds()
    )
}

/// What a handshake agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFacts {
    /// `tlsv1.2` or `tlsv1.3`.
    pub protocol: &'static str,
    /// `any`, `ecdhe_rsa` or `ecdhe_ecdsa`.
    pub key_exchange: &'static str,
    /// `aes_256_gcm` and the like.
    pub cipher: &'static str,
    /// `aead`: how all of them guard against changes.
    pub hash: &'static str,
    /// The client's certificate.
    pub peer: Option<PeerCertificate>,
}

impl TlsFacts {
    /// The fields of a connection that is not encrypted.
    pub const NONE: [(&'static str, &'static str); 8] = [
        ("peer_cert_issuer", ""),
        ("peer_cert_serial_number", ""),
        ("peer_cert_subject", ""),
        ("peer_cert_validity", ""),
        ("ssl_cipher", ""),
        ("ssl_hash", ""),
        ("ssl_key_exchange", ""),
        ("ssl_protocol", ""),
    ];

    /// Everything under the names the reference gives it; empty where there is nothing.
    #[must_use]
    pub fn fields(&self) -> [(&'static str, &str); 8] {
        let of_peer = |field: fn(&PeerCertificate) -> &str| self.peer.as_ref().map_or("", field);
        [
            ("peer_cert_issuer", of_peer(|peer| &peer.issuer)),
            ("peer_cert_serial_number", of_peer(|peer| &peer.serial_number)),
            ("peer_cert_subject", of_peer(|peer| &peer.subject)),
            ("peer_cert_validity", of_peer(|peer| &peer.validity)),
            ("ssl_cipher", self.cipher),
            ("ssl_hash", self.hash),
            ("ssl_key_exchange", self.key_exchange),
            ("ssl_protocol", self.protocol),
        ]
    }

    /// Of a connection whose handshake is over.
    #[must_use]
    pub fn of(connection: &ServerConnection) -> Self {
        let cipher = connection.negotiated_cipher_suite().map(|suite| Cipher::of(suite.suite()));
        Self {
            protocol: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => "tlsv1.2",
                _ => "tlsv1.3",
            },
            key_exchange: cipher.map_or("any", Cipher::key_exchange),
            cipher: cipher.map_or("unknown", Cipher::cipher),
            hash: AEAD,
            peer: connection
                .peer_certificates()
                .and_then(|chain| chain.first())
                .and_then(|der| PeerCertificate::read(der)),
        }
    }
}
