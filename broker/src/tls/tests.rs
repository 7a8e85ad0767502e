//! Handshakes with certificates made for the test, and refusals of wrong files.

use std::path::Path;

use pkcs8::{PrivateKeyInfoRef, SecretDocument};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, OtherNameValue, SanType};
use tempfile::TempDir;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::*;

/// An authority, a server and a client, in files.
struct Files {
    folder: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = authority("Test authority");
        std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        let files = Self { folder, authority };
        files.write("server", "localhost");
        files.write("client", "someone");
        files
    }

    /// Writes a certificate and its key.
    fn write(&self, file: &str, name: &str) {
        let (certificate, key) = signed(&self.authority, name);
        std::fs::write(self.path(&format!("{file}.pem")), certificate).unwrap();
        std::fs::write(self.path(&format!("{file}.key")), key).unwrap();
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn settings(&self, client_certificates: ClientCertificates) -> TlsSettings {
        TlsSettings {
            ca_file: Some(self.path("ca.pem")),
            certificate_file: Some(self.path("server.pem")),
            key_file: Some(self.path("server.key")),
            client_certificates,
            ..TlsSettings::default()
        }
    }

    fn client(&self, certificate: Option<(String, String)>) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let config = match certificate {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
            }
        };
        TlsConnector::from(Arc::new(config))
    }
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key.
fn signed(authority: &CertifiedIssuer<'static, KeyPair>, name: &str) -> (String, String) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

/// What the server learned, or that there was no connection. The client writes, since with
/// TLS 1.3 it learns of a refused certificate only after its own part of the handshake.
async fn meet(acceptor: &TlsAcceptor, client: TlsConnector) -> io::Result<TlsFacts> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let connect = client.connect(ServerName::try_from("localhost").unwrap(), near);
    let (accepted, connected) = tokio::join!(acceptor.accept(far), connect);
    let accepted = accepted?;
    connected?;
    Ok(TlsFacts::of(accepted.get_ref().1))
}

#[tokio::test]
async fn client_certificates_are_ignored_verified_or_required() {
    let files = Files::new();
    let own = signed(&files.authority, "someone");
    let foreign = signed(&authority("Another authority"), "someone");
    use ClientCertificates::{Ignored, Required, Verified};
    for (wanted, certificate, expected) in [
        (Ignored, None, Ok(None)),
        (Ignored, Some(&foreign), Ok(None)),
        (Verified, None, Ok(None)),
        (Verified, Some(&own), Ok(Some("CN=someone"))),
        (Verified, Some(&foreign), Err(())),
        (Required, None, Err(())),
        (Required, Some(&own), Ok(Some("CN=someone"))),
        (Required, Some(&foreign), Err(())),
    ] {
        let acceptor = TlsAcceptor::load(files.settings(wanted), &[]).unwrap();
        let met = meet(&acceptor, files.client(certificate.cloned())).await;
        let met = met.map(|facts| facts.peer.map(|peer| peer.subject)).map_err(drop);
        assert_eq!(met, expected.map(|name| name.map(str::to_owned)), "{wanted:?} {}", certificate.is_some());
    }
}

/// Which users a certificate stands for.
#[tokio::test]
async fn the_user_is_the_wanted_name_of_the_certificate() {
    use AlternativeNameKind::{Dns, Email, Ip, Other, Uri};
    use CertificateLogin::{AlternativeName, CommonName, DistinguishedName};
    let files = Files::new();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::OrganizationName, "Acme, Inc.");
    params.distinguished_name.push(DnType::CommonName, "Ünal");
    let text = |text: &str| text.try_into().unwrap();
    params.subject_alt_names = vec![
        SanType::DnsName(text("one.example")),
        SanType::Rfc822Name(text("me@example")),
        SanType::DnsName(text("two.example")),
        SanType::URI(text("urn:x:1")),
        SanType::IpAddress("127.0.0.1".parse().unwrap()),
        SanType::IpAddress("::1".parse().unwrap()),
        SanType::OtherName((vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3], OtherNameValue::Utf8String("upn@corp".to_owned()))),
    ];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &files.authority).unwrap().pem();
    let acceptor = TlsAcceptor::load(files.settings(ClientCertificates::Required), &[]).unwrap();
    let facts = meet(&acceptor, files.client(Some((certificate, key.serialize_pem())))).await.unwrap();
    let names = facts.peer.unwrap().names;
    for (wanted, expected) in [
        (DistinguishedName, Some("O=Acme\\, Inc.,CN=\\C3\\9Cnal")),
        (CommonName, Some("Ünal")),
        (AlternativeName(Dns, 0), Some("one.example")),
        (AlternativeName(Dns, 1), Some("two.example")),
        (AlternativeName(Dns, 2), None),
        (AlternativeName(Email, 0), Some("me@example")),
        (AlternativeName(Uri, 0), Some("urn:x:1")),
        (AlternativeName(Ip, 0), Some("127.0.0.1")),
        (AlternativeName(Ip, 1), Some("::1")),
        (AlternativeName(Other, 0), Some("upn@corp")),
        (AlternativeName(Other, usize::MAX), None),
    ] {
        assert_eq!(names.user(wanted), expected, "{wanted:?}");
    }
}

/// A client whose certificate has so many authorities between it and the one that is trusted.
fn with_authorities_between(files: &Files, count: usize) -> TlsConnector {
    let mut chain = Vec::new();
    let mut issuer: Option<CertifiedIssuer<'static, KeyPair>> = None;
    for number in 0..count {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, format!("between {number}"));
        let key = KeyPair::generate().unwrap();
        let signer = issuer.as_ref().unwrap_or(&files.authority);
        let next = CertifiedIssuer::signed_by(params, key, signer).unwrap();
        chain.insert(0, next.der().clone());
        issuer = Some(next);
    }
    let (certificate, key) = signed(issuer.as_ref().unwrap_or(&files.authority), "someone");
    chain.insert(0, CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap());
    let mut roots = RootCertStore::empty();
    roots.add(files.authority.der().clone()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = builder.with_root_certificates(roots).with_client_auth_cert(chain, key).unwrap();
    TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn the_depth_bounds_the_authorities_in_between() {
    let files = Files::new();
    for (depth, between, is_accepted) in
        [(Some(0), 0, true), (Some(0), 1, false), (Some(1), 1, true), (Some(1), 2, false), (None, 2, true)]
    {
        let settings = TlsSettings { depth, ..files.settings(ClientCertificates::Required) };
        let acceptor = TlsAcceptor::load(settings, &[]).unwrap();
        let met = meet(&acceptor, with_authorities_between(&files, between)).await;
        assert_eq!(met.is_ok(), is_accepted, "{depth:?} {between}: {met:?}");
        if let Err(error) = met {
            assert!(error.to_string().contains("more than"), "{error}");
        }
    }
}

#[tokio::test]
async fn ciphers_are_those_configured_in_their_order() {
    let files = Files::new();
    let named = |name: &str| match Cipher::find(name) {
        NamedCipher::Offered(cipher) => cipher,
        other => panic!("{name}: {other:?}"),
    };
    // The client of the library prefers AES with 256 bits.
    let (chacha, aes) = ("TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_256_GCM_SHA384");
    for (ciphers, prefers_own_ciphers, expected) in [
        (vec![chacha], false, "chacha20_poly1305"),
        (vec![chacha, aes], true, "chacha20_poly1305"),
        (vec![aes, chacha], true, "aes_256_gcm"),
        (vec![chacha, aes], false, "aes_256_gcm"),
        (vec!["ECDHE-ECDSA-AES128-GCM-SHA256"], false, "aes_128_gcm"),
    ] {
        let ciphers = ciphers.into_iter().map(named).collect();
        let settings = TlsSettings { ciphers, prefers_own_ciphers, ..files.settings(ClientCertificates::Ignored) };
        let acceptor = TlsAcceptor::load(settings, &[]).unwrap();
        assert_eq!(meet(&acceptor, files.client(None)).await.unwrap().cipher, expected);
    }
    // Suites of a version that is not spoken leave nothing, which is said at once.
    let settings = TlsSettings {
        ciphers: vec![named(chacha)],
        versions: vec![TlsVersion::V12],
        ..files.settings(ClientCertificates::Ignored)
    };
    assert!(TlsAcceptor::load(settings, &[]).map(|_| ()).unwrap_err().to_string().contains("cipher suites"));
}

#[tokio::test]
async fn a_handshake_says_what_it_agreed_on() {
    let files = Files::new();
    for (version, name) in [(TlsVersion::V12, "tlsv1.2"), (TlsVersion::V13, "tlsv1.3")] {
        let settings = TlsSettings { versions: vec![version], ..files.settings(ClientCertificates::Required) };
        let acceptor = TlsAcceptor::load(settings, &[]).unwrap();
        let facts = meet(&acceptor, files.client(Some(signed(&files.authority, "someone")))).await.unwrap();
        assert_eq!((facts.protocol, facts.hash), (name, "aead"));
        assert_ne!(facts.cipher, "unknown");
        let peer = facts.peer.unwrap();
        assert_eq!(peer.issuer, "CN=Test authority");
        assert!(peer.validity.starts_with("1975-01-01T00:00:00Z - "), "{}", peer.validity);
    }
}

#[tokio::test]
async fn changed_files_are_taken_and_wrong_ones_are_not() {
    let files = Files::new();
    let acceptor = TlsAcceptor::load(files.settings(ClientCertificates::Ignored), &[]).unwrap();
    let serial = |acceptor: &TlsAcceptor| acceptor.certificates()[0].subject.clone();
    assert_eq!(serial(&acceptor), "CN=localhost");
    std::fs::write(files.path("server.pem"), "half a renew").unwrap();
    acceptor.refresh();
    assert_eq!(serial(&acceptor), "CN=localhost");
    files.write("server", "renewed.example");
    acceptor.refresh();
    assert_eq!(serial(&acceptor), "CN=renewed.example");
    assert!(!acceptor.material.load().is_stale());
}

#[test]
fn refusals_name_the_file_and_say_why() {
    let files = Files::new();
    let check = |change: &dyn Fn(&mut TlsSettings), expected: &str| {
        let mut settings = files.settings(ClientCertificates::Required);
        change(&mut settings);
        let refusal = TlsAcceptor::load(settings, &[]).map(|_| ()).unwrap_err().to_string();
        let folder = format!("{}/", files.folder.path().display());
        assert!(refusal.replace(&folder, "").starts_with(expected), "{refusal}");
    };
    let file = |name: &str, text: &str| {
        std::fs::write(files.path(name), text).unwrap();
        Some(files.path(name))
    };
    let missing = Path::new("/nowhere/x.pem");
    check(&|s| s.certificate_file = None, "a TLS listener needs the setting certfile");
    check(&|s| s.key_file = None, "a TLS listener needs the setting keyfile");
    check(&|s| s.ca_file = None, "verify = verify_peer needs the setting cacertfile");
    check(&|s| s.certificate_file = Some(missing.to_owned()), "TLS: /nowhere/x.pem: No such file or directory");
    check(&|s| s.key_file = Some(missing.to_owned()), "TLS: /nowhere/x.pem: No such file or directory");
    check(&|s| s.certificate_file = file("empty.pem", ""), "TLS: empty.pem: no certificate in PEM form stands in it");
    check(&|s| s.key_file = file("none.key", "x"), "TLS: none.key: no private key in PEM form stands in it");
    check(
        &|s| s.ca_file = file("bad.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        "TLS: bad.pem: ",
    );
    check(
        &|s| s.key_file = Some(files.path("client.key")),
        "TLS: client.key: the key does not belong to the certificate in ",
    );
    check(
        &|s| s.key_file = file("old.key", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"),
        "TLS: old.key: the key is encrypted in a form of old",
    );
}

#[test]
fn an_encrypted_key_opens_with_its_password() {
    let files = Files::new();
    let (_, plain) = SecretDocument::from_pem(&std::fs::read_to_string(files.path("server.key")).unwrap()).unwrap();
    let plain = PrivateKeyInfoRef::try_from(plain.as_bytes()).unwrap();
    let parameters =
        pkcs8::pkcs5::pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(1000, b"saltsalt", [7; 16]).unwrap();
    let encrypted = plain.encrypt_with_params(parameters, "secret").unwrap();
    let pem = encrypted.to_pem("ENCRYPTED PRIVATE KEY", pkcs8::LineEnding::LF).unwrap();
    std::fs::write(files.path("server.key"), pem.as_str()).unwrap();
    let load = |password: Option<&str>| {
        let settings =
            TlsSettings { key_password: password.map(str::to_owned), ..files.settings(ClientCertificates::Ignored) };
        TlsAcceptor::load(settings, &[]).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(load(Some("secret")), Ok(()));
    assert!(load(Some("wrong")).unwrap_err().ends_with("server.key: the setting password does not open the key"));
    assert!(load(None).unwrap_err().ends_with("server.key: the key is encrypted; the setting password is missing"));
}
