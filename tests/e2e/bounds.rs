//! A publisher that is faster than its consumer: the broker's memory stays bounded, whatever
//! keeps the messages.
//!
//! Each kind of message is sent several times as much as the broker may keep of it.

use std::thread;

use tests::amqp::{Client, Event};
use tests::{Options, Server, wait_until};

const MIB: u64 = 1 << 20;

/// Memory the broker believes to have: queues together may then keep 32 MiB in memory.
const NODE_BYTES: u64 = 512 * MIB;
const QUEUES_BYTES: u64 = 2 * (16 * MIB);

/// One queue: fresh messages that are not logged, and a quarter of that of messages that are out.
const QUEUE_BYTES: u64 = 16 * MIB + 4 * MIB;

/// A connection: what is read and not yet taken, what is written and not yet gone. A queue's
/// mailbox and its appends under way hold what was read.
const CONNECTION_BYTES: u64 = 16 * MIB + 2 * MIB;

/// One transaction.
const TRANSACTION_BYTES: u64 = 256 * MIB;

/// What is known of a message that is out, at the queue and at the channel.
const OUT_MESSAGE_BYTES: u64 = 112 + 24;

/// Allocations that are not full, and buffers that are written and not used again.
const SLACK: u64 = 2;

const BODY_BYTES: u64 = 4096;
const BODIES: u64 = 100 * MIB / BODY_BYTES;

fn resident(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Publishes [`BODIES`] messages and waits for their confirms; tells the most memory seen.
fn publish(server: &Server, queue: &str, persistent: bool) -> u64 {
    const BATCH: u64 = 256;
    let mut client = Client::connect(server.amqp).unwrap();
    client.select_confirms().unwrap();
    let body = vec![b'x'; BODY_BYTES as usize];
    let (mut sent, mut confirmed, mut most) = (0, 0, 0);
    while confirmed < BODIES {
        // A few batches ahead of the confirms.
        while sent < BODIES && sent < confirmed + 8 * BATCH {
            (0..BATCH).for_each(|_| client.publish_as("", queue, &body, persistent));
            client.flush().unwrap();
            sent += BATCH;
        }
        let Event::Confirm { tag, multiple, taken } = client.event().unwrap() else { panic!("only confirms come") };
        assert!(taken);
        confirmed = if multiple { tag } else { confirmed + 1 };
        most = most.max(if confirmed % 64 == 0 || confirmed == BODIES { resident(server) } else { 0 });
    }
    most
}

#[test]
fn a_publisher_that_is_faster_than_its_consumer_does_not_fill_the_memory() {
    let set = vec![
        format!("total_memory_available_override_value={NODE_BYTES}"),
        "vm_memory_high_watermark.absolute=8GB".to_owned(),
    ];
    let server = Server::start_with(Options { set, ..Options::default() });
    let before = resident(&server);
    let mut bound = before + SLACK * (QUEUES_BYTES + 2 * CONNECTION_BYTES);
    let check = |what: &str, most: u64, bound: u64| {
        eprintln!("{what}: {} MiB of at most {}", most / MIB, bound / MIB);
        assert!(most <= bound, "{what}: {most} bytes are resident, {bound} may be");
    };
    let mut client = Client::connect(server.amqp).unwrap();
    for queue in ["transient", "persistent", "out", "out-transient", "stalled"] {
        client.declare_queue(queue).unwrap();
    }

    check("transient", publish(&server, "transient", false), bound);
    check("persistent", publish(&server, "persistent", true), bound);

    for (queue, persistent) in [("out", true), ("out-transient", false)] {
        bound += SLACK * (BODIES * OUT_MESSAGE_BYTES + QUEUE_BYTES);
        let mut consumer = Client::connect(server.amqp).unwrap();
        consumer.consume(queue, 0).unwrap();
        let reader = thread::spawn(move || {
            let mut tag_last = 0;
            while tag_last < BODIES {
                let Event::Delivery { tag, .. } = consumer.event().unwrap() else { panic!("only deliveries come") };
                tag_last = tag;
            }
            consumer
        });
        let most = publish(&server, queue, persistent);
        let consumer = reader.join().unwrap();
        check(queue, most.max(resident(&server)), bound);
        // What was out comes back, and all of it is there.
        drop(consumer);
        wait_until("what was out to come back", || (client.count(queue).unwrap() == Some(BODIES as u32)).then_some(()));
        check(queue, resident(&server), bound);
        client.purge(queue).unwrap();
    }

    let mut stalled = Client::connect(server.amqp).unwrap();
    stalled.consume_as("stalled", true).unwrap();
    bound += SLACK * CONNECTION_BYTES;
    check("stalled", publish(&server, "stalled", true), bound);

    let mut transaction = Client::connect(server.amqp).unwrap();
    transaction.select_transactions().unwrap();
    let body = vec![b'x'; 16 * MIB as usize - 1024];
    let mut refused = false;
    for _ in 0..2 * TRANSACTION_BYTES / (16 * MIB) {
        transaction.publish_as("", "transient", &body, false);
        refused = transaction.flush().is_err();
        if refused {
            break;
        }
    }
    // The refusal ends the connection; its answer may have come before or after the last write.
    assert!(refused || transaction.limit(1).is_err());
    bound += SLACK * TRANSACTION_BYTES;
    check("transaction", resident(&server), bound);
}
