//! What a node encrypts with: certificates, cipher suites, versions.

use openapi::tls::{CipherSuite, TLS, TlsListener, TlsReport};
use serde_json::json;

use crate::call::Call;
use crate::command::{Command, Needs, Section, Tool};
use crate::exit::{Failure, Kind};
use crate::node_view;
use crate::output::{Answer, Format, erlang_flat};
use crate::parse::Switch;
use crate::term::Term;

/// Commands of this file.
pub const ALL: &[&Command] = &[&CERTIFICATES, &CIPHER_SUITES, &TLS_VERSIONS];

/// What the node says.
fn report(call: &Call) -> Result<TlsReport, Failure> {
    let reply = call.get(&TLS, &[], "")?;
    serde_json::from_value(reply.body)
        .map_err(|error| Failure::refused(Kind::Unavailable, format!("the node does not describe its TLS: {error}")))
}

/// `certificates`.
pub const CERTIFICATES: Command = Command {
    name: "certificates",
    tools: &[Tool::Diagnostics],
    section: Section::Configuration,
    summary: "Displays certificates (public keys) for every listener on target node that is configured to use TLS",
    usage: "certificates",
    guides: &["configure", "ssl"],
    format: Format::Erlang,
    endpoints: &[&TLS],
    banner: |call| Some(format!("Certificates of node {} ...", call.node())),
    run: certificates,
    ..Command::BLANK
};

fn certificates(call: &Call) -> Result<Answer, Failure> {
    let listeners = report(call)?.listeners;
    Ok(match (listeners.is_empty(), call.format) {
        (true, Format::Json) => Answer::Report { text: String::new(), json: json!([]) },
        (true, _) => Answer::Document(Term::Map(Vec::new())),
        (false, _) => {
            let node = call.node();
            Answer::Document(Term::List(listeners.iter().map(|listener| certificates_of(&node, listener)).collect()))
        }
    })
}

/// A listener with its certificates, as the reference shows it.
fn certificates_of(node: &str, listener: &TlsListener) -> Term {
    let shown = node_view::Listener {
        node: node.to_owned(),
        protocol: listener.protocol.clone(),
        interface: match listener.ip_address.as_str() {
            address if address.contains(':') => format!("[{address}]"),
            address => address.to_owned(),
        },
        port: listener.port.into(),
    };
    let mut entries = vec![
        ("node", Term::atom(node)),
        ("port", Term::Int(listener.port.into())),
        ("protocol", Term::atom(&listener.protocol)),
        ("interface", Term::text(&shown.interface)),
    ];
    if let Some(authorities) = &listener.authorities {
        entries.push(("cacertfile", Term::text(authorities)));
    }
    entries.push(("certfile", Term::text(&listener.certificates)));
    entries.push(("purpose", Term::text(shown.purpose())));
    Term::map(entries)
}

/// `cipher_suites`.
pub const CIPHER_SUITES: Command = Command {
    name: "cipher_suites",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Lists cipher suites enabled by default. To list all available cipher suites, add the --all argument.",
    usage: "cipher_suites [--format <openssl | erlang | map>] [--all] [--timeout <timeout>]",
    explains: &[("--format", "format to use"), ("--all", "all of them")],
    switches: &[Switch::text("format"), Switch::flag("all")],
    format: Format::Lines,
    endpoints: &[&TLS],
    check: check_spelling,
    banner: |call| {
        let format = match spelling(call) {
            Some(Spelling::Tuples) => "Erlang term",
            Some(Spelling::Maps) => "map",
            Some(Spelling::Names) | None => "OpenSSL",
        };
        Some(format!("Listing available cipher suites in {format} format"))
    },
    run: cipher_suites,
    ..Command::BLANK
};

/// How suites are spelled.
enum Spelling {
    Names,
    Tuples,
    Maps,
}

/// What `--format` asks for; `None` for another word.
fn spelling(call: &Call) -> Option<Spelling> {
    Some(match call.switches.text("format").map(str::to_ascii_lowercase).as_deref() {
        None | Some("openssl") => Spelling::Names,
        Some("erlang") => Spelling::Tuples,
        Some("map") => Spelling::Maps,
        Some(_) => return None,
    })
}

fn check_spelling(call: &Call) -> Result<(), Failure> {
    let refused = || Failure::bad_argument("Format should be either openssl, erlang or map");
    spelling(call).map(|_| ()).ok_or_else(refused)
}

/// All suites of a node are enabled by default, so `--all` adds none.
fn cipher_suites(call: &Call) -> Result<Answer, Failure> {
    let suites = report(call)?.cipher_suites;
    let terms: fn(&CipherSuite) -> Term = match spelling(call) {
        None | Some(Spelling::Names) => {
            return Ok(Answer::Document(Term::List(
                suites.into_iter().map(|suite| Term::text(suite.openssl)).collect(),
            )));
        }
        Some(Spelling::Tuples) => |suite| {
            let CipherSuite { key_exchange, cipher, mac, prf, .. } = suite;
            Term::Tuple([key_exchange, cipher, mac, prf].map(Term::atom).to_vec())
        },
        Some(Spelling::Maps) => |suite| {
            let CipherSuite { key_exchange, cipher, mac, prf, .. } = suite;
            let entries = [("cipher", cipher), ("key_exchange", key_exchange), ("mac", mac), ("prf", prf)];
            Term::map(entries.map(|(name, value)| (name, Term::atom(value))))
        },
    };
    let suites: Vec<_> = suites.iter().map(|suite| erlang_flat(&terms(suite))).collect();
    Ok(Answer::Message(format!("[\n{}\n]", suites.join("\n,"))))
}

/// `tls_versions`.
pub const TLS_VERSIONS: Command = Command {
    name: "tls_versions",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Lists TLS versions supported (but not necessarily allowed) on the target node",
    usage: "tls_versions [--timeout <timeout>]",
    needs: Needs::AppRunning,
    format: Format::Lines,
    endpoints: &[&TLS],
    banner: |_| Some("Listing all TLS versions supported by the runtime...".to_owned()),
    run: tls_versions,
    ..Command::BLANK
};

fn tls_versions(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    let versions = report(call)?.versions;
    // The reference prints them with nothing between.
    Ok(Answer::Report { text: versions.concat(), json: json!({"versions": versions}) })
}
