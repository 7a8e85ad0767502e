//! The command line over TLS: whom it trusts, what it shows, and what it says when that is not enough.

use tests::{Options, Server};

use crate::targets::{USERS, away, text, works};
use crate::tls::Certificates;

/// A server whose API is encrypted, with these settings beside its key material.
fn start(certificates: &Certificates, more: &[&str]) -> (Server, String) {
    let mut set = certificates.settings("management.ssl");
    set.extend(["management.ssl.ip=127.0.0.1", "management.ssl.port=0"].map(str::to_owned));
    set.extend(more.iter().map(|setting| (*setting).to_owned()));
    let server = Server::start_with(Options { set, ..Options::default() });
    let port = server.listener("https").expect("it listens").port();
    (server, format!("https://guest:guest@localhost:{port}"))
}

/// What a tool says that does not get through.
#[track_caller]
fn fails(arguments: &[&str], expected: &str) {
    let (out, said, status) = text(&away(arguments).output().unwrap());
    assert_eq!((out.as_str(), status), ("", Some(69)), "{said}");
    assert!(said.contains(expected), "{expected}: {said}");
}

#[test]
fn a_node_is_trusted_for_its_authority_or_not_asked_who_it_is() {
    let certificates = Certificates::new();
    let other = Certificates::new();
    let (server, uri) = start(&certificates, &[]);
    let ca = certificates.path("ca.pem").display().to_string();
    let wrong_ca = other.path("ca.pem").display().to_string();
    let users = |more: &[&'static str]| [&["-q", "list_users"], more].concat();

    works(away(&users(&[])).args(["--uri", &uri, "--ca-cert", &ca]));
    works(away(&users(&[])).args(["--uri", &uri.replace("localhost", "127.0.0.1"), "--ca-cert", &ca]));
    works(away(&users(&["--insecure"])).args(["--uri", &uri]));
    works(away(&users(&["--insecure"])).args(["--uri", &uri, "--ca-cert", &wrong_ca]));

    let unknown = "--ca-cert FILE trusts an authority of your own";
    fails(&["list_users", "--uri", &uri], unknown);
    fails(&["list_users", "--uri", &uri, "--ca-cert", &wrong_ca], unknown);
    // TLS to a listener in the clear, and the other way round.
    let plain = format!("https://guest:guest@{}", server.http);
    fails(&["list_users", "--uri", &plain, "--ca-cert", &ca], "the other side does not speak TLS");
    fails(&["list_users", "--uri", &uri.replace("https", "http")], &uri.replace("https://guest:guest@", ""));

    // A profile says the same, and the tools with other names take the same switches.
    let profiles = certificates.path("ctl.toml");
    std::fs::write(&profiles, format!("[here]\nuri = \"{uri}\"\nca_cert = \"{ca}\"\n")).unwrap();
    works(away(&users(&["--profile", "here"])).arg("--config-file").arg(&profiles));
}

#[test]
fn a_node_whose_certificate_is_for_another_name_is_not_trusted() {
    let certificates = Certificates::new();
    let own = |file: &str, name: &str| format!("management.ssl.{file}={}", certificates.path(name).display());
    let elsewhere = [own("certfile", "elsewhere.pem"), own("keyfile", "elsewhere.key")];
    let (_server, uri) = start(&certificates, &elsewhere.each_ref().map(String::as_str));
    let ca = certificates.path("ca.pem").display().to_string();
    fails(&["list_users", "--uri", &uri, "--ca-cert", &ca], "the node's certificate is for another host name");
    works(&mut away(&["-q", "list_users", "--uri", &uri, "--ca-cert", &ca, "--insecure"]));
}

#[test]
fn a_node_that_wants_a_certificate_is_shown_one() {
    let certificates = Certificates::new();
    let other = Certificates::new();
    let (_server, uri) = start(&certificates, &["management.ssl.verify=verify_peer"]);
    let file = |of: &Certificates, name: &str| of.path(name).display().to_string();
    let (ca, certificate, key) =
        (file(&certificates, "ca.pem"), file(&certificates, "client.pem"), file(&certificates, "client.key"));
    let trusting = ["-q", "list_users", "--uri", &uri, "--ca-cert", &ca];
    let with = |more: &[&str]| [&trusting[..], more].concat().into_iter().map(str::to_owned).collect::<Vec<_>>();
    let shown = with(&["--client-cert", &certificate, "--client-key", &key]);
    works(&mut away(&shown.iter().map(String::as_str).collect::<Vec<_>>()));
    fails(&trusting, "the node wants to see a certificate; --client-cert FILE and --client-key FILE show one");
    let foreign = with(&["--client-cert", &file(&other, "client.pem"), "--client-key", &file(&other, "client.key")]);
    fails(&foreign.iter().map(String::as_str).collect::<Vec<_>>(), "the node does not trust");
    // A key alone, or one that is another's, is said before anybody is asked.
    let (_, said, status) = text(&away(&trusting).args(["--client-key", &key]).output().unwrap());
    assert_eq!((status, said.contains("needs --client-cert")), (Some(78), true), "{said}");
}

#[test]
fn the_tools_say_what_a_node_encrypts_with() {
    let certificates = Certificates::new();
    let more = [
        "listeners.ssl.default=127.0.0.1:0",
        "management.ssl.versions.1=tlsv1.2",
        "management.ssl.ciphers.1=ECDHE-ECDSA-AES128-GCM-SHA256",
    ];
    let mut set = certificates.settings("ssl_options");
    set.extend(more.map(str::to_owned));
    let set: Vec<_> = set.iter().map(String::as_str).collect();
    let (server, uri) = start(&certificates, &set);
    let ask = |arguments: &[&str]| {
        let (out, said, status) = text(&server.tool("rabbitmq-diagnostics", arguments));
        assert_eq!(status, Some(0), "{said}");
        out
    };
    assert_eq!(ask(&["-q", "tls_versions"]), "tlsv1.3tlsv1.2\n");
    assert_eq!(ask(&["-q", "tls_versions", "--formatter", "json"]), "{\"versions\":[\"tlsv1.3\",\"tlsv1.2\"]}\n");
    let suites = ask(&["cipher_suites"]);
    assert!(
        suites.starts_with("Listing available cipher suites in OpenSSL format\nTLS_AES_256_GCM_SHA384\n"),
        "{suites}"
    );
    assert!(suites.contains("\nECDHE-RSA-CHACHA20-POLY1305\n"), "{suites}");
    let terms = ask(&["-q", "cipher_suites", "--format", "erlang"]);
    assert!(terms.starts_with("[\n{any,aes_256_gcm,aead,sha384}\n,{any,aes_128_gcm,aead,sha256}\n,"), "{terms}");
    let maps = ask(&["-q", "cipher_suites", "--format", "map", "--all"]);
    assert!(maps.starts_with("[\n#{cipher => aes_256_gcm,key_exchange => any,mac => aead,prf => sha384}\n,"), "{maps}");

    let listed: serde_json::Value =
        serde_json::from_str(&ask(&["-q", "certificates", "--formatter", "json"])).expect("JSON");
    let pem = std::fs::read_to_string(certificates.path("server.pem")).unwrap().replace("\r\n", "\n");
    let protocols: Vec<_> = listed.as_array().unwrap().iter().map(|one| one["protocol"].as_str().unwrap()).collect();
    assert_eq!(protocols, ["amqp/ssl", "https"]);
    for listener in listed.as_array().unwrap() {
        assert_eq!((listener["certfile"].as_str(), listener["interface"].as_str()), (Some(&*pem), Some("127.0.0.1")));
        assert!(listener["cacertfile"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----\n"));
    }
    assert!(!ask(&["certificates"]).contains("PRIVATE KEY"));
    let listeners = ask(&["-q", "listeners"]);
    assert!(listeners.contains("protocol: https, purpose: HTTP API over TLS (HTTPS)"), "{listeners}");
    assert!(listeners.contains("protocol: amqp/ssl, purpose: AMQP 0-9-1 and AMQP 1.0 over TLS"), "{listeners}");

    // The listener itself keeps to one version and one suite; the tool speaks it.
    let ca = certificates.path("ca.pem").display().to_string();
    let (out, _, _) = text(&away(&["-q", "list_users", "--uri", &uri, "--ca-cert", &ca]).output().unwrap());
    assert_eq!(out, USERS);
}
