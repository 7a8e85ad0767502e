//! Which user a client certificate stands for.
//!
//! Owns the choice among the names of a certificate, nothing of users: whether there is one of
//! that name is asked elsewhere.

use std::net::IpAddr;

use x509_cert::Certificate;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::names;

/// A kind of alternative name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlternativeNameKind {
    /// Name of a host.
    Dns,
    /// Address of a host, shown as addresses are.
    Ip,
    /// Address of mail.
    Email,
    /// Identifier such as a URL.
    Uri,
    /// Of a kind of its own; such a name counts when it is text.
    Other,
}

/// Which name of a certificate is the user's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CertificateLogin {
    /// The whole subject.
    #[default]
    DistinguishedName,
    /// The common names in the subject, joined by commas.
    CommonName,
    /// The alternative name of a kind that stands at this place among those of the kind, from 0.
    AlternativeName(AlternativeNameKind, usize),
}

/// The names of a certificate a user can be known by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerNames {
    distinguished: String,
    common: Option<String>,
    alternative: Vec<(AlternativeNameKind, String)>,
}

impl PeerNames {
    /// Reads them.
    pub(super) fn read(certificate: &Certificate) -> Self {
        let read = certificate.tbs_certificate();
        let alternative = match read.get_extension::<SubjectAltName>() {
            Ok(Some((_, names))) => names.0.iter().filter_map(alternative).collect(),
            // Names that cannot be read are none.
            Ok(None) | Err(_) => Vec::new(),
        };
        Self { distinguished: names::distinguished(read.subject()), common: names::common(read.subject()), alternative }
    }

    /// The user's name; `None` when the certificate has none of the wanted kind.
    #[must_use]
    pub fn user(&self, wanted: CertificateLogin) -> Option<&str> {
        match wanted {
            CertificateLogin::DistinguishedName => Some(&self.distinguished),
            CertificateLogin::CommonName => self.common.as_deref(),
            CertificateLogin::AlternativeName(kind, index) => {
                let mut of_kind = self.alternative.iter().filter(|(found, _)| *found == kind);
                of_kind.nth(index).map(|(_, name)| name.as_str())
            }
        }
    }
}

fn alternative(name: &GeneralName) -> Option<(AlternativeNameKind, String)> {
    Some(match name {
        GeneralName::DnsName(name) => (AlternativeNameKind::Dns, name.to_string()),
        GeneralName::Rfc822Name(name) => (AlternativeNameKind::Email, name.to_string()),
        GeneralName::UniformResourceIdentifier(name) => (AlternativeNameKind::Uri, name.to_string()),
        GeneralName::IpAddress(address) => (AlternativeNameKind::Ip, ip(address.as_bytes())?.to_string()),
        // A name that is no text keeps its place, so that the places of others do not move; nobody bears an empty one.
        GeneralName::OtherName(name) => (AlternativeNameKind::Other, names::text(&name.value).unwrap_or_default()),
        _ => return None,
    })
}

fn ip(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}
