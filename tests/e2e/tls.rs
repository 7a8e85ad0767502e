//! Listeners over TLS, with certificates made for the test, and refusals to start without usable ones.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::json;
use tempfile::TempDir;
use tests::{Options, Server, run_python};

use crate::health::get;

/// An authority and what it signed, in files.
pub struct Certificates {
    folder: TempDir,
}

impl Certificates {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        for (name, hosts) in
            [("server", &["localhost", "127.0.0.1"][..]), ("client", &["localhost"]), ("elsewhere", &["other.example"])]
        {
            let names = hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>();
            let mut params = CertificateParams::new(names).unwrap();
            params.distinguished_name.push(DnType::CommonName, name);
            // OpenSSL takes a chain only when it says whose key signed it.
            params.use_authority_key_identifier_extension = true;
            let key = KeyPair::generate().unwrap();
            let certificate = params.signed_by(&key, &authority).unwrap();
            std::fs::write(folder.path().join(format!("{name}.pem")), certificate.pem()).unwrap();
            std::fs::write(folder.path().join(format!("{name}.key")), key.serialize_pem()).unwrap();
        }
        Self { folder }
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Key material under a prefix of keys.
    pub fn settings(&self, prefix: &str) -> Vec<String> {
        let files = [("cacertfile", "ca.pem"), ("certfile", "server.pem"), ("keyfile", "server.key")];
        files.map(|(key, file)| format!("{prefix}.{key}={}", self.path(file).display())).to_vec()
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn amqp_the_api_and_the_metrics_are_served_over_tls() {
    let certificates = Certificates::new();
    let mut set: Vec<_> = ["ssl_options", "management.ssl", "prometheus.ssl"]
        .iter()
        .flat_map(|prefix| certificates.settings(prefix))
        .collect();
    for more in [
        "listeners.ssl.default=127.0.0.1:0",
        "ssl_options.verify=verify_peer",
        "ssl_options.fail_if_no_peer_cert=true",
        "management.ssl.ip=127.0.0.1",
        "management.ssl.port=0",
        "prometheus.ssl.ip=127.0.0.1",
        "prometheus.ssl.port=0",
    ] {
        set.push(more.to_owned());
    }
    let server = Server::start_with(Options { set, ..Options::default() });
    let place = |protocol: &str| server.listener(protocol).expect("it listens").to_string();
    let files = ["ca.pem", "client.pem", "client.key"].map(|file| text(&certificates.path(file)));
    let [ca, certificate, key] = &files;
    let (amqps, https, metrics) = (place("amqp/ssl"), place("https"), place("https/prometheus"));
    run_python(&server, &["encrypted.py", ca, certificate, key, &amqps, &https, &metrics]);

    let expiring = |within: &str| get(server.http, &format!("/api/health/checks/certificate-expiration/{within}"));
    assert_eq!(expiring("1/weeks"), (200, json!({"status": "ok"})));
    let (status, body) = expiring("5000/years");
    assert_eq!((status, &body["status"], &body["reason"]), (503, &json!("failed"), &json!("Certificates expiring")));
    let expired = body["expired"].as_array().unwrap();
    let mut protocols: Vec<_> = expired.iter().map(|listener| listener["protocol"].as_str().unwrap()).collect();
    protocols.sort_unstable();
    assert_eq!(protocols, ["amqp/ssl", "https", "https/prometheus"]);
    for listener in expired {
        assert_eq!(listener["certfile"], json!(certificates.path("server.pem")));
        assert_eq!(listener["certfile_expires_on"], json!(["4096-01-01 00:00:00"]));
        assert_eq!(listener["interface"], json!("127.0.0.1"));
    }
}

/// Logs in by certificate with pika, as the programs of users do.
#[test]
fn clients_log_in_by_their_certificate() {
    let certificates = Certificates::new();
    let files = ["ca.pem", "client.pem", "client.key"].map(|file| text(&certificates.path(file)));
    let [ca, certificate, key] = &files;
    let start = |more: &[&str]| {
        let mut set = certificates.settings("ssl_options");
        set.extend(more.iter().map(|setting| (*setting).to_owned()));
        for setting in ["listeners.ssl.default=127.0.0.1:0", "auth_mechanisms.1=PLAIN", "auth_mechanisms.2=EXTERNAL"] {
            set.push(setting.to_owned());
        }
        Server::start_with(Options { set, ..Options::default() })
    };
    let verified = "ssl_options.verify=verify_peer";
    for (more, user) in [
        (vec![verified], "CN=client"),
        (vec![verified, "ssl_cert_login_from=common_name", "ssl_options.fail_if_no_peer_cert=false"], "client"),
        (vec![verified, "ssl_cert_login_from=subject_alternative_name"], "localhost"),
        (vec![verified, "ssl_cert_login_from=subject_alternative_name", "ssl_cert_login_san_index=7"], "nobody"),
        (vec!["ssl_options.verify=verify_none"], "unverified"),
    ] {
        let server = start(&more);
        let amqps = server.listener("amqp/ssl").expect("it listens").to_string();
        run_python(&server, &["certificate_login.py", ca, certificate, key, &amqps, user]);
    }
}

#[test]
fn a_server_without_usable_key_material_does_not_start_and_says_which_file() {
    let certificates = Certificates::new();
    let missing = certificates.path("missing.pem");
    let check = |set: Vec<String>, expected: &str| {
        let output = Server::start_refused(&Options { set, ..Options::default() });
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && said.contains(expected), "{expected}: {said}");
    };
    for (prefix, listens) in
        [("management.ssl", "management.ssl.port=0"), ("ssl_options", "listeners.ssl.default=127.0.0.1:0")]
    {
        let mut set = certificates.settings(prefix);
        set.push(format!("{prefix}.certfile={}", missing.display()));
        set.push(listens.to_owned());
        check(set, &format!("TLS: {}: No such file or directory", missing.display()));
        check(vec![listens.to_owned()], "a TLS listener needs the setting certfile");
        let requires = vec![format!("{prefix}.fail_if_no_peer_cert=true")];
        check(requires, &format!("`{prefix}.fail_if_no_peer_cert = true` needs `{prefix}.verify = verify_peer`"));
    }
}
