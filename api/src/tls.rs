//! What the node encrypts with, and its certificates.

use broker::Listener;
use broker::tls::{AEAD, CertificateUse, Cipher, ClientCertificates, TlsAcceptor, TlsVersion};
use openapi::tls as wire;

use crate::call::Call;
use crate::reply::Reply;
use crate::route::{Answer, Mounts};

pub(crate) fn mount(on: &mut Mounts) {
    on.at(&wire::TLS).get(get_tls);
}

async fn get_tls(call: Call) -> Answer {
    let listeners = call.node().listeners();
    Reply::json(&wire::TlsReport {
        versions: names(&TlsVersion::ALL),
        cipher_suites: Cipher::all().into_iter().map(suite).collect(),
        listeners: listeners.iter().filter_map(|one| Some(listener(one, one.tls.as_deref()?))).collect(),
    })
}

fn names(versions: &[TlsVersion]) -> Vec<String> {
    versions.iter().map(|version| version.name().to_owned()).collect()
}

fn suite(cipher: Cipher) -> wire::CipherSuite {
    wire::CipherSuite {
        openssl: cipher.openssl_name(),
        iana: cipher.iana_name(),
        key_exchange: cipher.key_exchange().to_owned(),
        cipher: cipher.cipher().to_owned(),
        mac: AEAD.to_owned(),
        prf: cipher.hash().to_owned(),
    }
}

fn listener(listener: &Listener, tls: &TlsAcceptor) -> wire::TlsListener {
    let settings = tls.settings();
    let spoken =
        TlsVersion::ALL.into_iter().filter(|one| settings.versions.is_empty() || settings.versions.contains(one));
    let ciphers = if settings.ciphers.is_empty() { Cipher::all() } else { settings.ciphers.clone() };
    let certificates = tls.certificates();
    let pem = |usage: CertificateUse| -> String {
        certificates.iter().filter(|one| one.usage == usage).map(|one| one.pem.as_str()).collect()
    };
    let is_verified = settings.client_certificates != ClientCertificates::Ignored;
    wire::TlsListener {
        protocol: listener.protocol.clone(),
        ip_address: listener.address.ip().to_string(),
        port: listener.address.port(),
        versions: names(&spoken.collect::<Vec<_>>()),
        cipher_suites: ciphers.into_iter().map(Cipher::openssl_name).collect(),
        verify: if is_verified { "verify_peer" } else { "verify_none" }.to_owned(),
        fail_if_no_peer_cert: settings.client_certificates == ClientCertificates::Required,
        certificates: pem(CertificateUse::Own),
        authorities: Some(pem(CertificateUse::Authority)).filter(|pem| !pem.is_empty()),
    }
}
