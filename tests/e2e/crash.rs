//! A server that is killed while a publisher counts its confirms.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tests::{Server, python, repository, run_python, wait_until};

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
