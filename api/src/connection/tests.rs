//! Clients that are slow, silent, greedy or talk nonsense. The clock is paused where
//! somebody waits, so nothing here depends on how fast the machine is.

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::io::DuplexStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;
use crate::body;

/// A byte comes this often from a client that is slow.
const DRIP_EVERY: Duration = Duration::from_secs(10);

/// Largest body of the routes below.
const BODY_BYTES: usize = 1000;

/// Takes a body as the API does.
async fn take(request: Request) -> Result<String, StatusCode> {
    let timeouts = *request.extensions().get::<Timeouts>().unwrap();
    let (parts, body) = request.into_parts();
    let taken = body::read(body, &parts.headers, BODY_BYTES, timeouts.idle).await.map_err(|error| error.status)?;
    Ok(format!("{} bytes", taken.len()))
}

fn routes() -> Router {
    Router::new()
        .route("/", get(async || "hello"))
        .route("/body", post(take))
        .route("/large", get(async || Body::from(vec![b'x'; 4 << 20])))
}

struct Client {
    socket: DuplexStream,
    served: JoinHandle<()>,
    _stop: watch::Sender<bool>,
}

impl Client {
    fn of(router: Router) -> Self {
        let (socket, far) = tokio::io::duplex(4096);
        let (_stop, stopping) = watch::channel(false);
        let serving = serve(far, Spoken::Http1, PeerAddress(None), Timeouts::default(), router, stopping);
        Self { socket, served: tokio::spawn(serving), _stop }
    }

    fn new() -> Self {
        Self::of(routes())
    }

    async fn send(&mut self, text: &str) {
        self.socket.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads until the other side says it is over.
    async fn rest(&mut self) -> String {
        let mut read = Vec::new();
        let _ = self.socket.read_to_end(&mut read).await;
        String::from_utf8_lossy(&read).into_owned()
    }
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or(answer)
}

/// Sends the same byte again and again; ends when nobody takes it.
async fn drip(socket: &mut (impl AsyncWrite + Unpin), byte: &[u8]) {
    while socket.write_all(byte).await.is_ok() {
        tokio::time::sleep(DRIP_EVERY).await;
    }
}

#[tokio::test(start_paused = true)]
async fn heads_that_drip_in_are_cut_and_others_are_answered() {
    let router = routes();
    let dripping: Vec<_> = (0..50)
        .map(|_| {
            let mut client = Client::of(router.clone());
            tokio::spawn(async move {
                client.send("GET / HTTP/1.1\r\nhost: x\r\nx-slow: ").await;
                drip(&mut client.socket, b"a").await;
                client.served.await.unwrap();
            })
        })
        .collect();
    let mut swift = Client::of(router);
    swift.send("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(swift.rest().await.ends_with("hello"));
    for client in dripping {
        client.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_drips_in_is_answered_with_408() {
    let mut client = Client::new();
    client.send("POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\n").await;
    let (mut reader, mut writer) = tokio::io::split(client.socket);
    let dripping = tokio::spawn(async move { drip(&mut writer, b"a").await });
    let mut answer = Vec::new();
    let _ = reader.read_to_end(&mut answer).await;
    assert_eq!(status(&String::from_utf8_lossy(&answer)), "408");
    client.served.await.unwrap();
    dripping.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_is_answered_with_408() {
    let mut client = Client::new();
    client.send("POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\nabc").await;
    assert_eq!(status(&client.rest().await), "408");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_the_answer_loses_the_connection() {
    let mut client = Client::new();
    client.send("GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await;
    client.served.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_waits_between_requests_is_closed() {
    let mut client = Client::new();
    client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(client.rest().await.ends_with("hello"));
    drop(client.socket);
    client.served.await.unwrap();
}

#[tokio::test]
async fn a_body_that_is_announced_too_large_is_refused_before_it_comes() {
    let mut client = Client::new();
    let announced = BODY_BYTES + 1;
    client.send(&format!("POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: {announced}\r\n\r\n")).await;
    // Not a byte of it was sent.
    assert_eq!(status(&client.rest().await), "400");
    client.served.abort();
}

#[tokio::test]
async fn who_sends_too_much_and_reads_afterwards_still_gets_the_answer() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_stop, stopping) = watch::channel(false);
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        serve(socket, Spoken::Http1, PeerAddress(None), Timeouts::default(), routes(), stopping).await;
    });
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let size = 20_000_000;
    let head = format!("POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: {size}\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(&vec![b'x'; size]).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert_eq!(status(&answer), "400");
}

/// As the reference answers; what follows such a request is not taken for another.
#[tokio::test]
async fn a_request_says_once_for_which_host_it_is() {
    for (head, expected) in [
        ("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "200"),
        ("GET / HTTP/1.0\r\n\r\n", "200"),
        ("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\ncontent-length: 5\r\n\r\nhello", "400"),
        ("GET / HTTP/1.1\r\nhost: x\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: x\r\nx: a\r\n b\r\n\r\n", "400"),
    ] {
        let mut client = Client::new();
        client.send(head).await;
        let mut answer = String::new();
        client.socket.read_to_string(&mut answer).await.unwrap();
        assert_eq!((status(&answer), answer.matches("HTTP/1.").count()), (expected, 1), "{head:?}");
        client.served.await.unwrap();
    }
}

#[tokio::test]
async fn heads_are_bounded_in_size_and_in_lines() {
    for head in [
        format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "a".repeat(2 * HEAD_BYTES_MAX)),
        format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "x-one: more\r\n".repeat(HEADERS_MAX + 1)),
    ] {
        let client = Client::new();
        let (mut reader, mut writer) = tokio::io::split(client.socket);
        let sending = tokio::spawn(async move {
            let _ = writer.write_all(head.as_bytes()).await;
        });
        let mut answer = Vec::new();
        let _ = reader.read_to_end(&mut answer).await;
        assert_eq!(status(&String::from_utf8_lossy(&answer)), "431");
        sending.await.unwrap();
        client.served.await.unwrap();
    }
}

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_order() {
    const AHEAD: usize = 2000;
    let client = Client::new();
    let (mut reader, mut writer) = tokio::io::split(client.socket);
    let sending = tokio::spawn(async move {
        for number in 0..AHEAD {
            let body = "x".repeat(number % 7);
            let head = format!("POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            writer.write_all(head.as_bytes()).await.unwrap();
        }
        writer.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        writer
    });
    let mut answers = Vec::new();
    let _ = reader.read_to_end(&mut answers).await;
    let answers = String::from_utf8(answers).unwrap();
    let sizes: Vec<_> = answers.split("\r\n\r\n").skip(1).map(|rest| rest.split(' ').next().unwrap()).collect();
    let expected: Vec<_> = (0..AHEAD).map(|number| (number % 7).to_string()).collect();
    assert_eq!(sizes[..AHEAD], expected);
    assert!(answers.ends_with("hello"));
    sending.await.unwrap();
}

#[tokio::test]
async fn nonsense_ends_its_connection_and_nothing_else() {
    let router = routes();
    // A small generator of its own, so that every run sends the same.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let starts = [
        "",
        "GET ",
        "GET / HTTP/1.1\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02",
        "POST /body HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n",
    ];
    for round in 0..300 {
        let mut bytes = starts[round % starts.len()].as_bytes().to_vec();
        let count = next() % 3000;
        bytes.extend((0..count).map(|_| next() as u8));
        bytes.extend_from_slice(b"\r\n\r\n");
        let client = Client::of(router.clone());
        let (mut reader, mut writer) = tokio::io::split(client.socket);
        let sending = tokio::spawn(async move {
            let _ = writer.write_all(&bytes).await;
            let _ = writer.shutdown().await;
        });
        let mut answer = Vec::new();
        let _ = reader.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || status(&answer).starts_with('4'), "round {round}: {answer}");
        sending.await.unwrap();
        client.served.await.unwrap();
    }
    let mut client = Client::of(router);
    client.send("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(client.rest().await.ends_with("hello"));
}

#[tokio::test]
async fn a_request_that_runs_when_the_end_comes_is_finished() {
    let (running, may_end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (running, may_end) = (Arc::clone(&running), Arc::clone(&may_end));
        async move || {
            running.notify_one();
            may_end.notified().await;
            "finished"
        }
    };
    let mut client = Client::of(Router::new().route("/", get(handler)));
    client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    running.notified().await;
    client._stop.send_replace(true);
    may_end.notify_one();
    let answer = client.rest().await;
    assert!(answer.ends_with("finished"), "{answer}");
    client.served.await.unwrap();
}
