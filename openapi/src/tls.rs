//! What the node encrypts with, and its certificates. This endpoint is Warren's own.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::endpoint::{Access, Endpoint, Operation, wire};

/// A cipher suite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CipherSuite {
    /// Its name at OpenSSL.
    pub openssl: String,
    /// Its name in the registry of IANA.
    pub iana: String,
    /// How the key is agreed on: `any`, `ecdhe_rsa`, `ecdhe_ecdsa`.
    pub key_exchange: String,
    /// What encrypts.
    pub cipher: String,
    /// What guards against changes.
    pub mac: String,
    /// What secrets are derived with.
    pub prf: String,
}

/// A listener that encrypts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TlsListener {
    /// `amqp/ssl`, `https`, …
    pub protocol: String,
    /// Address it is bound to.
    pub ip_address: String,
    /// Port it is bound to.
    pub port: u16,
    /// Versions it speaks, best first.
    pub versions: Vec<String>,
    /// Its cipher suites, best first, under their names at OpenSSL.
    pub cipher_suites: Vec<String>,
    /// `verify_peer`, or `verify_none`: clients are not asked for a certificate.
    pub verify: String,
    /// Whether clients must show one.
    pub fail_if_no_peer_cert: bool,
    /// The certificates in use, in PEM.
    pub certificates: String,
    /// Those of the authorities that clients are checked against.
    pub authorities: Option<String>,
}

/// All there is to know of a node's encryption but the keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TlsReport {
    /// Versions the program speaks, best first.
    pub versions: Vec<String>,
    /// Cipher suites it speaks, best first.
    pub cipher_suites: Vec<CipherSuite>,
    /// The listeners that encrypt.
    pub listeners: Vec<TlsListener>,
}

/// The encryption of a node.
pub const TLS: Endpoint = Endpoint::new(
    "/warren/tls",
    &[Operation::get(Access::Administrator, "TLS: versions, cipher suites, listeners and their certificates")
        .gives(wire::<TlsReport>())],
);

/// Endpoints of this file.
pub const ENDPOINTS: &[Endpoint] = &[TLS];
