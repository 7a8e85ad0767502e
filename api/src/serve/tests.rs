//! Both kinds of listeners, and TLS with both versions of HTTP.

use std::path::Path;

use axum::Extension;
use axum::routing::get;
use broker::tls::{ClientCertificates, TlsSettings};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::*;

fn answers_address() -> Router {
    let address = async |request: axum::extract::Request, Extension(PeerAddress(address)): Extension<PeerAddress>| {
        format!("{:?} from {address:?}", request.version())
    };
    Router::new().route("/", get(async move |extension, request| address(request, extension).await))
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn both_kinds_of_listener_say_where_a_request_comes_from_and_stop() {
    let (stop, stopping) = watch::channel(false);
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let unix = UnixListener::bind(&path).unwrap();
    let loops = [
        tokio::spawn(serve_tcp(tcp, Serving::plain(answers_address()), stopping.clone())),
        tokio::spawn(serve_unix(unix, answers_address(), stopping)),
    ];
    let over_tcp = ask(TcpStream::connect(address).await.unwrap()).await;
    assert!(over_tcp.ends_with("from Some(127.0.0.1)"), "{over_tcp}");
    let over_unix = ask(UnixStream::connect(&path).await.unwrap()).await;
    assert!(over_unix.ends_with("from None"), "{over_unix}");
    // An idle connection does not keep the loops from ending.
    let _idle = TcpStream::connect(address).await.unwrap();
    stop.send_replace(true);
    for accepting in loops {
        accepting.await.unwrap();
    }
}

#[tokio::test]
async fn a_request_names_one_host() {
    let (_stop, stopping) = watch::channel(false);
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let accepting = tokio::spawn(serve_tcp(tcp, Serving::plain(answers_address()), stopping));
    for (head, status) in [
        ("GET / HTTP/1.1\r\nhost: x\r\n", "200"),
        ("GET / HTTP/1.1\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n", "400"),
        ("GET / HTTP/1.0\r\n", "200"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer.split(' ').nth(1), Some(status), "{head}");
    }
    accepting.abort();
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn signed(authority: &Authority) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (params.signed_by(&key, authority).unwrap(), key)
}

/// Key material of a server in files.
fn server_files(folder: &Path, authority: &Authority, client_certificates: ClientCertificates) -> TlsSettings {
    let (certificate, key) = signed(authority);
    let write = |name: &str, text: String| {
        std::fs::write(folder.join(name), text).unwrap();
        Some(folder.join(name))
    };
    TlsSettings {
        ca_file: write("ca.pem", authority.pem()),
        certificate_file: write("server.pem", certificate.pem()),
        key_file: write("server.key", key.serialize_pem()),
        client_certificates,
        ..TlsSettings::default()
    }
}

/// A running encrypted listener.
struct Secure {
    authority: Authority,
    address: std::net::SocketAddr,
    stop: watch::Sender<bool>,
    accepting: tokio::task::JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Secure {
    async fn start(client_certificates: ClientCertificates) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = authority();
        let settings = server_files(folder.path(), &authority, client_certificates);
        let tls = Some(Arc::new(TlsAcceptor::load(settings, ALPN).unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopping) = watch::channel(false);
        let serving = Serving { tls, ..Serving::plain(answers_address()) };
        let accepting = tokio::spawn(serve_tcp(listener, serving, stopping));
        Self { authority, address, stop, accepting, _folder: folder }
    }

    async fn connect(&self, alpn: &[&str], shown_by: Option<&Authority>) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match shown_by {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let (certificate, key) = signed(authority);
                let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
                builder.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
            }
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let socket = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, socket).await
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        self.accepting.await.unwrap();
    }
}

fn request() -> hyper::Request<Empty<bytes::Bytes>> {
    hyper::Request::get("https://localhost/").header("host", "localhost").body(Empty::new()).unwrap()
}

async fn text(response: hyper::Response<hyper::body::Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn tls_carries_the_version_of_http_that_was_negotiated() {
    let server = Secure::start(ClientCertificates::Ignored).await;
    let stream = server.connect(&["h2", "http/1.1"], None).await.unwrap();
    let (mut asks, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let http2 = tokio::spawn(connection);
    let both = [asks.send_request(request()), asks.send_request(request())];
    for answer in futures_util::future::join_all(both).await {
        assert_eq!(text(answer.unwrap()).await, "HTTP/2.0 from Some(127.0.0.1)");
    }
    for alpn in [&["http/1.1"][..], &[]] {
        let stream = server.connect(alpn, None).await.unwrap();
        let (mut asks, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let http1 = tokio::spawn(connection);
        let answer = asks.send_request(request()).await.unwrap();
        assert_eq!(text(answer).await, "HTTP/1.1 from Some(127.0.0.1)");
        drop(asks);
        http1.await.unwrap().unwrap();
    }
    // Who only speaks something else gets no connection.
    assert!(server.connect(&["spdy/3"], None).await.is_err());
    // An open HTTP/2 connection is told to go, and the loop ends.
    server.stop().await;
    http2.await.unwrap().unwrap();
}

#[tokio::test]
async fn clients_show_certificates_where_that_is_required() {
    let server = Secure::start(ClientCertificates::Required).await;
    let stranger = authority();
    for (shown_by, is_taken) in [(None, false), (Some(&stranger), false), (Some(&server.authority), true)] {
        // With TLS 1.3 a client learns that it is refused when it reads.
        let answered = async {
            let mut stream = server.connect(&[], shown_by).await?;
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            io::Result::Ok(answer)
        };
        let answered = answered.await;
        assert_eq!(answered.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 ")), is_taken);
    }
    server.stop().await;
}

#[tokio::test]
async fn who_speaks_no_tls_is_not_answered_in_the_clear() {
    let server = Secure::start(ClientCertificates::Ignored).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    server.stop().await;
}
