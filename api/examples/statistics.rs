//! What statistics of many queues take: memory for each, and time for a round of sampling.
//!
//! `cargo run --release -p api --example statistics -- [QUEUES [ROUNDS]]` starts a broker on a
//! directory of its own and samples it at times of its own. In an idle round nothing has
//! happened; in a busy one every queue has taken a message and given one away. Rounds
//! are five seconds apart, so that 720 of them are all that is kept.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "whoever measures wants to see a failure at once")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use api::{Statistics, StatisticsSettings};
use broker::domain::message::Message;
use broker::domain::name::{QueueName, UserName, VhostName};
use broker::domain::properties::Properties;
use broker::domain::queue::{QueueId, QueueKind, QueueSpec};
use broker::domain::value::FieldTable;
use broker::{AckMode, Broker, Caller, Definitions, Node, Settings};

/// Time between rounds, in milliseconds.
const INTERVAL_MS: u64 = 5000;

/// Queues that are published to and read at once.
const AT_ONCE: usize = 64;

fn name(number: usize) -> QueueName {
    QueueName::new(format!("queue {number}")).unwrap()
}

async fn declare(broker: &Broker, vhost: &VhostName, queues: usize) {
    let spec = |number| QueueSpec {
        // A new one is given when it is declared.
        id: QueueId(0),
        name: name(number),
        kind: QueueKind::Classic,
        durable: true,
        auto_delete: false,
        exclusive_owner: None,
        arguments: FieldTable::new(),
        declared_by: UserName::new("guest").unwrap(),
    };
    let queues = (0..queues).map(|number| (vhost.clone(), Arc::new(spec(number)))).collect();
    let definitions = Definitions { queues, ..Definitions::default() };
    broker.import_definitions(&Caller::internal(), definitions).await.unwrap();
}

/// Every queue takes a message, and gives one away.
async fn be_busy(broker: &Broker, vhost: &VhostName, queues: usize) {
    let caller = Caller::internal();
    for some in (0..queues).collect::<Vec<_>>().chunks(AT_ONCE) {
        let all = some.iter().map(|number| {
            let (broker, vhost, caller, queue) = (broker.clone(), vhost.clone(), caller.clone(), name(*number));
            tokio::spawn(async move {
                let message = Message::build("", queue.as_str(), &Properties::default().encode(), b"x", false);
                broker.publish(&caller, &vhost, message).await.unwrap();
                broker.get_messages(&caller, &vhost, &queue, 1, AckMode::Ack).await.unwrap();
            })
        });
        for one in all.collect::<Vec<_>>() {
            one.await.unwrap();
        }
    }
}

/// The median of times, in milliseconds.
fn median_ms(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
}

async fn measure(queues: usize, rounds: usize) {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(Settings::embedded(data.path().to_owned()), Vec::new()).await.unwrap();
    let (broker, vhost) = (node.broker().unwrap(), VhostName::new("/").unwrap());
    declare(&broker, &vhost, queues).await;
    let statistics = Statistics::new(StatisticsSettings::default());
    let mut now_ms = 20_000 * 24 * 3600 * 1000;
    let mut round = || {
        let began = Instant::now();
        statistics.sample(&broker, now_ms);
        now_ms += INTERVAL_MS;
        began.elapsed()
    };
    let idle: Vec<_> = (0..20).map(|_| round()).collect();
    let (objects, bytes) = statistics.size();
    println!("{queues} idle queues: {objects} series, {bytes} bytes in all; a round takes {:.2} ms", median_ms(idle));
    let mut busy = Vec::new();
    for _ in 0..rounds {
        be_busy(&broker, &vhost, queues).await;
        busy.push(round());
    }
    let (objects, bytes) = statistics.size();
    let each = bytes / queues.max(1);
    println!("busy for {rounds} rounds: {objects} series, {bytes} bytes in all, {each} bytes a queue;");
    println!("  a round takes {:.2} ms", median_ms(busy));
    let idle: Vec<_> = (0..20).map(|_| round()).collect();
    println!("idle again: a round takes {:.2} ms", median_ms(idle));
    node.shutdown().await.unwrap();
}

fn main() {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse().expect("a number"));
    let (queues, rounds) = (numbers.next().unwrap_or(10_000), numbers.next().unwrap_or(200));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure(queues, rounds));
}
