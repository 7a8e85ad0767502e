//! A server that is killed while a publisher counts its confirms, and while clients do everything at once.

mod load;
mod model;

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering::SeqCst;

use load::{Chance, FANOUT, QUEUES, Round, SLOTS, Step, TOPIC, World, lock};
use model::{Id, Judged, QueueModel};
use tests::amqp::{Client, Event};
use tests::{Server, python, repository, run_python, wait_until};

/// Replays the choices of a run of the mixed test: its number is in what the run printed.
const SEED_VARIABLE: &str = "WARREN_CRASH_SEED";

/// Kills in one run of the mixed test.
const ROUNDS_VARIABLE: &str = "WARREN_CRASH_ROUNDS";
const MIXED_ROUNDS: u64 = 8;

/// Messages confirmed in one round of it at most.
const CONFIRMS_MAX: u64 = 4_000;

/// Steps of a queue that are shown when it is not what it should be.
const STEPS_SHOWN: usize = 8;

/// Kills in one run.
const ROUNDS: u64 = 12;

/// Numbers per round; more than a round can publish.
const ROUND_NUMBERS: u64 = 1_000_000;

/// The numbers in a file of confirms. A last line without its end was not recorded.
fn numbers(path: &Path) -> Vec<u64> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| line.parse().unwrap()).collect()
}

fn start_publisher(server: &Server, record: &Path, first: u64) -> Child {
    Command::new(python())
        .args(["crash.py", "publish"])
        .arg(record)
        .arg(first.to_string())
        .current_dir(repository().join("tests/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("WARREN_AMQP", format!("amqp://{}", server.amqp))
        .env("WARREN_HTTP", format!("http://{}", server.http))
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn every_confirmed_message_is_there_once_and_in_order_after_each_of_many_kills() {
    let records = tempfile::tempdir().unwrap();
    let mut server = Server::start();
    let mut confirmed = Vec::new();
    for round in 1..=ROUNDS {
        let record = records.path().join(round.to_string());
        let mut publisher = start_publisher(&server, &record, round * ROUND_NUMBERS);
        // Another moment of the log's life in every round.
        let enough = usize::try_from(50 + round * 97 % 400).unwrap();
        wait_until("confirms", || {
            assert!(publisher.try_wait().unwrap().is_none(), "the publisher ended before the server");
            (numbers(&record).len() >= enough).then_some(())
        });
        server.kill();
        publisher.wait().unwrap();
        confirmed.extend(numbers(&record));

        server = server.restart();
        let output = run_python(&server, &["crash.py", "read"]);
        let found: Vec<u64> =
            String::from_utf8(output.stdout).unwrap().lines().map(|line| line.parse().unwrap()).collect();
        assert!(found.is_sorted_by(|a, b| a < b), "round {round}: out of order, or twice");
        let there: BTreeSet<u64> = found.iter().copied().collect();
        let missing: Vec<_> = confirmed.iter().filter(|number| !there.contains(number)).collect();
        assert!(missing.is_empty(), "round {round}: confirmed and lost: {missing:?}");
        println!("round {round}: {} confirmed so far, {} found", confirmed.len(), found.len());
    }
}

/// The number in an environment variable.
fn number_in(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {text}")))
}

/// What never goes away.
fn set_up(broker: SocketAddr) {
    let mut client = Client::connect(broker).unwrap();
    client.declare_exchange(FANOUT, "fanout").unwrap();
    client.declare_exchange(TOPIC, "topic").unwrap();
    for queue in QUEUES {
        client.declare_queue(queue).unwrap();
        client.bind(queue, FANOUT, "").unwrap();
    }
}

type Work = fn(&Round<'_>, Chance) -> std::io::Result<()>;

const CLIENTS: [(&str, Work); 6] = [
    ("the publisher to all queues", load::publish_to_all),
    ("the publisher to one queue", load::publish_to_one),
    ("the consumer", load::consume),
    ("the consumer in pieces", load::consume_in_pieces),
    ("the purger", load::purge),
    ("the builder of queues", load::rebuild),
];

/// Lets all clients work, and kills the server after so many confirms.
fn work_and_kill(server: &mut Server, world: &World, seed: u64, confirms: u64) {
    let round = Round::new(server.amqp, world);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (1..)
            .zip(CLIENTS)
            .map(|(sequence, (name, work))| {
                let (round, chance) = (&round, Chance::new(seed, sequence));
                let worker = scope.spawn(move || {
                    let error = work(round, chance).expect_err("it works until the server is gone");
                    let too_early = !round.killed.load(SeqCst);
                    round.end();
                    too_early.then_some(error)
                });
                (name, worker)
            })
            .collect();
        round.await_confirms(confirms);
        let over = round.killed.swap(true, SeqCst);
        server.kill();
        round.end();
        for (name, worker) in workers {
            let failed = worker.join().unwrap();
            assert!(failed.is_none(), "{name} failed before the kill: {failed:?}");
        }
        assert!(!over, "a client ended before the kill");
    });
}

/// All messages of a queue in their order; they are back in it when this returns.
fn content(broker: SocketAddr, queue: &str) -> Vec<Id> {
    let mut client = Client::connect(broker).unwrap();
    let count = client.count(queue).unwrap().unwrap_or_else(|| panic!("there is no {queue}"));
    client.consume(queue, 0).unwrap();
    let mut found = Vec::new();
    while found.len() < count as usize {
        let Event::Delivery { body, .. } = client.event().unwrap() else { panic!("a consumer got a confirm") };
        found.push(load::id_of(&body).unwrap());
    }
    client.limit(0).unwrap();
    assert_eq!(client.arrived().count(), 0, "{queue} holds more than it says");
    drop(client);
    let mut client = Client::connect(broker).unwrap();
    wait_until("the messages back in the queue", || (client.count(queue).unwrap() == Some(count)).then_some(()));
    found
}

fn judge(broker: SocketAddr, queue: &str, model: &mut QueueModel) -> Judged {
    let found = content(broker, queue);
    model.judge(&found).unwrap_or_else(|wrong| panic!("{queue}: {wrong}"))
}

/// Rows of a listing of the command line tool.
fn listing(server: &Server, arguments: &[&str]) -> BTreeSet<Vec<String>> {
    let output = server.tool("rabbitmqctl", &[&["-q", "--formatter", "csv"], arguments].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let rows = text.lines().skip(1).map(|line| line.split(',').map(|cell| cell.trim_matches('"').to_owned()).collect());
    rows.collect()
}

/// Compares queues and bindings with what clients were told; what was under way may have happened or not.
fn judge_metadata(server: &Server, world: &World) {
    let queues = listing(server, &["list_queues", "name"]);
    let bindings = listing(server, &["list_bindings", "source_name", "destination_name"]);
    let row = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let mut known = BTreeSet::new();
    for queue in QUEUES {
        known.extend([row(&[queue])]);
        assert!(bindings.contains(&row(&[FANOUT, queue])), "{queue} has lost its binding: {bindings:?}");
    }
    for (name, slot) in SLOTS.iter().zip(lock(&world.slots).iter_mut()) {
        let (there, bound) = (queues.contains(&row(&[name])), bindings.contains(&row(&[TOPIC, name])));
        if !matches!(slot.open, Some(Step::Declare | Step::Delete)) {
            assert_eq!(there, slot.declared, "whether {name} exists; under way: {:?}", slot.open);
        }
        let expected = there && slot.bound;
        if !matches!(slot.open, Some(Step::Bind | Step::Unbind)) {
            assert_eq!(bound, expected, "whether {name} is bound; under way: {:?}", slot.open);
        }
        known.extend(there.then(|| row(&[name])));
        (slot.declared, slot.bound, slot.open) = (there, bound, None);
        if !there {
            slot.model = QueueModel::default();
        }
    }
    assert_eq!(queues, known, "queues that nobody declared, or that were deleted");
}

/// Compares everything.
fn judge_all(server: &Server, world: &World) -> Judged {
    judge_metadata(server, world);
    let mut all = Judged::default();
    let mut add = |judged: Judged| {
        all.kept += judged.kept;
        all.gone += judged.gone;
        all.open += judged.open;
    };
    for (queue, model) in QUEUES.iter().zip(&world.queues) {
        add(judge(server.amqp, queue, &mut lock(model)));
    }
    for (queue, slot) in SLOTS.iter().zip(lock(&world.slots).iter_mut()) {
        if slot.declared {
            let last = slot.steps.iter().rev().take(STEPS_SHOWN).rev().collect::<Vec<_>>();
            println!("{queue}: {last:?}");
            add(judge(server.amqp, queue, &mut slot.model));
            slot.steps.push((Step::Crash, String::new()));
        }
    }
    all
}

#[test]
fn nothing_confirmed_is_lost_and_nothing_settled_comes_back_when_all_happens_at_once() {
    let seed = number_in(SEED_VARIABLE).unwrap_or_else(|| RandomState::new().hash_one(()));
    let rounds = number_in(ROUNDS_VARIABLE).unwrap_or(MIXED_ROUNDS);
    // Seen when the test fails.
    println!("{SEED_VARIABLE}={seed} repeats the choices of this run");
    let mut chance = Chance::new(seed, 0);
    let world = World::default();
    let mut server = Server::start();
    set_up(server.amqp);
    let mut all = Judged::default();
    for round in 1..=rounds {
        // Now and then right after the start.
        let confirms = if chance.below(10) == 0 { 0 } else { chance.below(CONFIRMS_MAX) };
        work_and_kill(&mut server, &world, seed ^ round, confirms);
        server = server.restart();
        let judged = judge_all(&server, &world);
        println!("round {round}: killed after {confirms} confirms; {judged:?}");
        all.kept += judged.kept;
        all.gone += judged.gone;
    }
    assert!(all.kept > 0 && all.gone > 0, "nothing was put to the test: {all:?}");
}
