//! TLS for every listener: settings, the handshake, and key material that is looked at
//! again when its files change.
//!
//! Owns what is encrypted and with which certificate; does not know what is spoken inside,
//! AMQP or HTTP. `material` turns files into a configuration, `facts` says what a handshake
//! agreed on and what stands in certificates, `ciphers` what suites are called, `names` how names in
//! certificates are spelled, `login` which of those is the user's.

mod ciphers;
mod depth;
mod facts;
mod login;
mod material;
mod names;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;

pub use ciphers::{AEAD, Cipher, NamedCipher};
pub use facts::{CertificateFacts, CertificateUse, PeerCertificate, TlsFacts};
pub use login::{AlternativeNameKind, CertificateLogin, PeerNames};
use material::Material;

use crate::error::Error;

/// Longest wait for a handshake where nothing else is configured.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Changed files are looked for at most this often, in seconds, when a client comes.
const LOOK_EVERY_S: u64 = 5;

/// Whether clients show certificates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They are not asked.
    #[default]
    Ignored,
    /// They are asked; one that is shown must be signed by a known authority.
    Verified,
    /// They are asked and must show one.
    Required,
}

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2.
    V12,
    /// TLS 1.3.
    V13,
}

impl TlsVersion {
    /// All that are spoken, best first.
    pub const ALL: [Self; 2] = [Self::V13, Self::V12];

    /// Its name in configurations.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V12 => "tlsv1.2",
            Self::V13 => "tlsv1.3",
        }
    }
}

/// Where key material lies and what clients may do.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// Certificates of the authorities that sign those of clients, in PEM.
    pub ca_file: Option<PathBuf>,
    /// The certificate of this server and those between it and its authority, in PEM.
    pub certificate_file: Option<PathBuf>,
    /// Its private key, in PEM.
    pub key_file: Option<PathBuf>,
    /// What the key is encrypted with.
    pub key_password: Option<String>,
    /// Whether clients show certificates.
    pub client_certificates: ClientCertificates,
    /// What may be spoken; empty: everything this program can.
    pub versions: Vec<TlsVersion>,
    /// What may be encrypted with, in this order; empty: everything this program can.
    pub ciphers: Vec<Cipher>,
    /// Whether the order of ciphers is the server's and not the client's.
    pub prefers_own_ciphers: bool,
    /// Most authorities between a client's certificate and one that is trusted; `None`: as many as the library takes.
    pub depth: Option<u8>,
    /// Longest wait for a handshake; `None`: [`HANDSHAKE_TIMEOUT`].
    pub handshake_timeout: Option<Duration>,
}

impl std::fmt::Debug for TlsSettings {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsSettings")
            .field("ca_file", &self.ca_file)
            .field("certificate_file", &self.certificate_file)
            .field("key_file", &self.key_file)
            .field("client_certificates", &self.client_certificates)
            .field("versions", &self.versions)
            .field("ciphers", &self.ciphers)
            .field("depth", &self.depth)
            .finish_non_exhaustive()
    }
}

/// Makes accepted sockets encrypted ones.
pub struct TlsAcceptor {
    settings: TlsSettings,
    /// Protocols offered inside, best first; empty: none is negotiated.
    alpn: &'static [&'static str],
    material: ArcSwap<Material>,
    started: Instant,
    /// When files were last looked at, in seconds since `started`.
    looked_s: AtomicU64,
}

impl std::fmt::Debug for TlsAcceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsAcceptor").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl TlsAcceptor {
    /// Reads the key material. Blocks for the time of some small files.
    ///
    /// # Errors
    /// `Unavailable`, naming the file and what is wrong with it.
    pub fn load(settings: TlsSettings, alpn: &'static [&'static str]) -> Result<Self, Error> {
        let material = ArcSwap::from_pointee(Material::load(&settings, alpn)?);
        Ok(Self { settings, alpn, material, started: Instant::now(), looked_s: AtomicU64::new(0) })
    }

    /// The handshake.
    ///
    /// # Errors
    /// Why there is no encrypted socket: the client speaks no TLS, shows no acceptable
    /// certificate, or takes too long.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, socket: S) -> io::Result<TlsStream<S>> {
        let now_s = self.started.elapsed().as_secs();
        let looked_s = self.looked_s.load(Relaxed);
        if now_s >= looked_s + LOOK_EVERY_S && self.looked_s.compare_exchange(looked_s, now_s, Relaxed, Relaxed).is_ok()
        {
            self.refresh();
        }
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(&self.material.load().config));
        let longest = self.settings.handshake_timeout.unwrap_or(HANDSHAKE_TIMEOUT);
        tokio::time::timeout(longest, acceptor.accept(socket)).await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    /// Takes changed files. While they are wrong what was read before goes on to count, so
    /// that a half-written renewal closes no listener.
    fn refresh(&self) {
        let before = self.material.load();
        if !before.is_stale() {
            return;
        }
        match Material::load(&self.settings, self.alpn) {
            Ok(material) => {
                tracing::info!("TLS certificates were read again: their files have changed");
                self.material.store(Arc::new(material));
            }
            Err(error) => tracing::warn!("changed TLS certificates are not taken, the former ones stay: {error}"),
        }
    }

    /// What it was told.
    #[must_use]
    pub fn settings(&self) -> &TlsSettings {
        &self.settings
    }

    /// The certificates in use, those of authorities among them.
    #[must_use]
    pub fn certificates(&self) -> Vec<CertificateFacts> {
        self.material.load().certificates.clone()
    }
}
