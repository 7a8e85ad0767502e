//! A broker of one queue and one consumer that goes wrong on demand, to prove that the tool notices.
//!
//! Only for tests: enough of the protocol for a run, every answer the plainest one that is allowed.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use clap::Parser;

use crate::error::PerfError;
use crate::options::Options;
use crate::report::Report;
use crate::run::run;
use crate::wire::encode::{Properties, Table};
use crate::wire::{Args, Encode, Frame, FrameBuffer, Incoming, MethodId, method};

/// What goes wrong with the message of this number (from 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Lose(usize),
    Double(usize),
    /// Delivers it after the next one.
    Swap(usize),
    Truncate(usize),
    /// Answers its publish with basic.nack.
    Refuse(usize),
    /// Closes the channel at its publish.
    Close(usize),
    /// Never answers its publish.
    Forget(usize),
}

/// Shared by all connections.
#[derive(Default)]
struct Queue {
    consumer: Option<TcpStream>,
    published: usize,
    delivered: u64,
    held_back: Option<Vec<u8>>,
}

impl Queue {
    fn deliver(&mut self, body: &[u8]) {
        self.delivered += 1;
        let tag = self.delivered;
        let mut out = Vec::new();
        out.put_method(1, method::BASIC_DELIVER, |args| {
            args.extend_from_slice(b"\x010");
            args.extend_from_slice(&tag.to_be_bytes());
            args.push(0);
            args.extend_from_slice(b"\x00\x00");
        });
        out.put_header(1, body.len() as u64, &Properties::default());
        out.put_body(1, body, 4096);
        if let Some(consumer) = &mut self.consumer {
            // A consumer that has seen enough may be gone.
            let _ = consumer.write_all(&out);
        }
    }

    fn publish(&mut self, number: usize, body: &[u8], fault: Fault) {
        match fault {
            Fault::Lose(at) if at == number => {}
            Fault::Double(at) if at == number => {
                self.deliver(body);
                self.deliver(body);
            }
            Fault::Swap(at) if at == number => self.held_back = Some(body.to_vec()),
            Fault::Truncate(at) if at == number => self.deliver(&body[1..]),
            _ => self.deliver(body),
        }
        if number > 0 && fault == Fault::Swap(number - 1) {
            let late = self.held_back.take().unwrap();
            self.deliver(&late);
        }
    }
}

/// The arguments of the plainest answer to a method; `None` when it has none.
fn answer(id: MethodId) -> Option<(MethodId, &'static [u8])> {
    Some(match id {
        method::CONNECTION_START_OK => (method::CONNECTION_TUNE, &[0, 0, 0, 0, 0x10, 0, 0, 0]),
        method::CONNECTION_OPEN => (method::CONNECTION_OPEN_OK, &[0]),
        method::CHANNEL_OPEN => (method::CHANNEL_OPEN_OK, &[0, 0, 0, 0]),
        method::QUEUE_DECLARE => (method::QUEUE_DECLARE_OK, b"\x01q\x00\x00\x00\x00\x00\x00\x00\x00"),
        method::QUEUE_DELETE => (method::QUEUE_DELETE_OK, &[0, 0, 0, 0]),
        method::BASIC_CONSUME => (method::BASIC_CONSUME_OK, b"\x010"),
        method::BASIC_CANCEL => (method::BASIC_CANCEL_OK, b"\x010"),
        method::CONNECTION_TUNE_OK | method::BASIC_PUBLISH | method::BASIC_ACK => return None,
        (class, number) => ((class, number + 1), &[]),
    })
}

/// The no-wait bit of queue.bind, behind the names of queue and exchange and the key.
fn without_answer(mut args: Args<'_>) -> bool {
    args.short().unwrap();
    for _ in 0..3 {
        args.short_string().unwrap();
    }
    args.octet().unwrap() & 1 == 1
}

/// One connection as the broker sees it.
struct Session<'a> {
    queue: &'a Mutex<Queue>,
    fault: Fault,
    out: Vec<u8>,
    /// The tag of the next publish, by channel, once confirms were asked for there.
    next_tags: BTreeMap<u16, u64>,
    body: Vec<u8>,
    body_bytes: usize,
}

impl Session<'_> {
    fn take(&mut self, frame: Frame<'_>, socket: &TcpStream) {
        match frame.incoming {
            Incoming::Method(method::QUEUE_BIND, args) if without_answer(args) => {}
            Incoming::Method(id, _) => {
                match id {
                    method::BASIC_CONSUME => self.queue.lock().unwrap().consumer = Some(socket.try_clone().unwrap()),
                    method::CONFIRM_SELECT => {
                        self.next_tags.insert(frame.channel, 1);
                    }
                    _ => {}
                }
                if let Some((reply, args)) = answer(id) {
                    self.out.put_method(frame.channel, reply, |bytes| bytes.extend_from_slice(args));
                }
            }
            Incoming::Header { body_bytes } => {
                self.body.clear();
                self.body_bytes = body_bytes as usize;
                self.publish_if_whole(frame.channel);
            }
            Incoming::Body(part) => {
                self.body.extend_from_slice(part);
                self.publish_if_whole(frame.channel);
            }
            Incoming::Heartbeat => {}
        }
    }

    fn publish_if_whole(&mut self, channel: u16) {
        if self.body.len() < self.body_bytes {
            return;
        }
        let mut queue = self.queue.lock().unwrap();
        let number = queue.published;
        queue.published += 1;
        queue.publish(number, &self.body, self.fault);
        if self.fault == Fault::Close(number) {
            self.out.put_method(channel, method::CHANNEL_CLOSE, |args| {
                args.extend_from_slice(b"\x01\x94\x09NOT_FOUND\x00\x3c\x00\x28");
            });
        }
        let Some(tag) = self.next_tags.get_mut(&channel) else { return };
        if self.fault != Fault::Forget(number) {
            let id = if self.fault == Fault::Refuse(number) { method::BASIC_NACK } else { method::BASIC_ACK };
            self.out.put_method(channel, id, |args| {
                args.extend_from_slice(&tag.to_be_bytes());
                args.push(0);
            });
        }
        *tag += 1;
    }
}

/// Serves one connection until it ends.
fn serve(mut socket: TcpStream, queue: &Mutex<Queue>, fault: Fault) {
    let mut header = [0; 8];
    socket.read_exact(&mut header).unwrap();
    let mut session =
        Session { queue, fault, out: Vec::new(), next_tags: BTreeMap::new(), body: Vec::new(), body_bytes: 0 };
    session.out.put_method(0, method::CONNECTION_START, |args| {
        args.extend_from_slice(&[0, 9]);
        args.put_table(&Table::new());
        args.put_long(b"PLAIN");
        args.put_long(b"en_US");
    });
    let mut input = FrameBuffer::new(65_536, 4096);
    loop {
        // The client may be gone already: then the read says so.
        let _ = socket.write_all(&session.out);
        session.out.clear();
        match socket.read(input.room()) {
            Ok(count) if count > 0 => input.filled(count),
            _ => return,
        }
        while let Some(frame) = input.next_frame().unwrap() {
            session.take(frame, &socket);
        }
    }
}

/// A run of 100 messages against a broker with a fault.
fn run_against(fault: Fault, arguments: &str) -> Result<Report, PerfError> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("amqp://{}", listener.local_addr().unwrap());
    let queue = Arc::new(Mutex::new(Queue::default()));
    // Ends with the test process: nothing tells a listener that no more will come.
    thread::spawn(move || {
        for socket in listener.incoming() {
            let queue = queue.clone();
            thread::spawn(move || serve(socket.unwrap(), &queue, fault));
        }
    });
    // Short where the run must notice that nothing comes any more, long where a busy machine must not look like that.
    let stall = if matches!(fault, Fault::Lose(_) | Fault::Forget(_)) { "2" } else { "60" };
    let words = ["warren-perf", "--count", "100", "--stall-timeout", stall, "--uri", &uri];
    run(&Options::parse_from(words.into_iter().chain(arguments.split_whitespace())))
}

/// The failures of a run against a fault.
fn check(fault: Fault, arguments: &str, failures: &[&str]) {
    let report = run_against(fault, arguments).unwrap();
    assert_eq!(report.failures, failures, "{fault:?} {arguments}");
    assert_eq!(report.ok, failures.is_empty(), "{fault:?} {arguments}");
}

#[test]
fn a_run_without_faults_passes_whatever_the_options() {
    for arguments in [
        "",
        "-s 16 --auto-ack",
        "-s 0",
        "-s 7",
        "-s 9000",
        "-c 1",
        "-c 1000 --persistent -A 10",
        "--batch 1 -q 0",
        "--batch 1000 -c 7 -x 3",
        "-x 3 --connections 1 -c 7",
        "-x 3 --connections 2 -r 5000",
        "-t topic --extra-bindings 20",
        "--consume-rate 5000 -s 16",
        "-t fanout",
        "-t topic --bindings 20",
        "-t headers --bindings 3",
        "-r 5000 --mandatory",
        "--queue-kind transient --queue-argument x-max-length=5",
        "--queue-kind exclusive",
    ] {
        check(Fault::None, arguments, &[]);
    }
}

#[test]
fn a_message_that_goes_wrong_fails_the_run() {
    let in_vain = "1 consumers waited in vain for more messages";
    let queue = |what: &str| format!("queue warren-perf, publisher 0: 1 messages {what}, first at sequence 40");
    check(Fault::Lose(40), "", &[in_vain, &queue("missing")]);
    check(Fault::Lose(40), "-s 4", &[in_vain, "queue warren-perf: 99 messages came, but 100 were sent"]);
    check(Fault::Double(40), "", &[&queue("delivered twice")]);
    check(Fault::Double(40), "-s 4", &["queue warren-perf: 101 messages came, but 100 were sent"]);
    check(Fault::Swap(40), "", &[&queue("out of order")]);
    check(Fault::Refuse(40), "-c 10", &["1 publishes were refused (basic.nack)"]);
    let truncated = run_against(Fault::Truncate(40), "-s 100").unwrap();
    assert!(!truncated.ok && truncated.failures[0] == "1 bodies did not have the size that was sent", "{truncated}");
}

#[test]
fn a_server_that_closes_or_forgets_is_an_error_that_says_so() {
    let closed = run_against(Fault::Close(40), "-c 1000").unwrap_err();
    assert_eq!(closed.to_string(), "the server refused method 60.40 and closed the channel: 404 NOT_FOUND");
    let forgotten = run_against(Fault::Forget(40), "-c 10").unwrap_err();
    assert!(matches!(forgotten, PerfError::Stalled { .. }), "{forgotten}");
}

#[test]
fn nobody_listening_is_an_error_that_says_where() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let uri = format!("amqp://127.0.0.1:{port}");
    let refused = run(&Options::parse_from(["warren-perf", "--uri", &uri])).unwrap_err();
    assert!(refused.to_string().starts_with(&format!("cannot connect to 127.0.0.1:{port}")), "{refused}");
}
