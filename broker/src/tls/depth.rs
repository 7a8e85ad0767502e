//! A bound on how many authorities may stand between a client and one that is trusted.
//!
//! Owns nothing but the count: what makes a certificate valid is the library's, whose own bound
//! stays in force.

use std::fmt;
use std::sync::Arc;

use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::WebPkiSupportedAlgorithms;
use tokio_rustls::rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

/// Verifies certificates of clients, and counts.
#[derive(Debug)]
pub(super) struct BoundedDepth {
    /// What else must be right.
    pub(super) inner: Arc<dyn ClientCertVerifier>,
    /// The authorities that are trusted.
    pub(super) anchors: Vec<TrustAnchor<'static>>,
    /// How signatures are checked.
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    /// Most authorities in between; with 0 a trusted one has signed the certificate itself.
    pub(super) depth: usize,
}

/// No path is short enough.
struct TooDeep(usize);

/// The library shows errors by this.
impl fmt::Debug for TooDeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for TooDeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {} authorities between the certificate and one that is trusted (depth)", self.0)
    }
}

impl std::error::Error for TooDeep {}

impl BoundedDepth {
    /// Whether a path is short enough. An authority that has signed itself anew does not count.
    fn allows(&self, path: &VerifiedPath<'_>) -> Result<(), webpki::Error> {
        let between = path.intermediate_certificates().filter(|one| one.subject() != one.issuer()).count();
        if between <= self.depth { Ok(()) } else { Err(webpki::Error::MaximumPathDepthExceeded) }
    }
}

impl ClientCertVerifier for BoundedDepth {
    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.inner.verify_client_cert(end_entity, intermediates, now)?;
        let refused = |_| Error::from(CertificateError::Other(OtherError(Arc::new(TooDeep(self.depth)))));
        let certificate = EndEntityCert::try_from(end_entity).map_err(refused)?;
        let allows = |path: &VerifiedPath<'_>| self.allows(path);
        let path = certificate.verify_for_usage(
            self.algorithms.all,
            &self.anchors,
            intermediates,
            now,
            KeyUsage::client_auth(),
            None,
            Some(&allows),
        );
        path.map(|_| verified).map_err(refused)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
