//! The recorded commands of our tools against a RabbitMQ, over its HTTP API alone (`tests/transcripts/cli/over_http.py`).
//!
//! Owns which RabbitMQ that is. What may differ stands in the lists of `tests/transcripts/cli/elsewhere/`.

use std::process::Command;

use tests::{binaries, python, repository};

use crate::broker::{Broker, lacking};
use crate::rabbitmq::Rabbitmq;
use crate::verdict::Verdict;

/// Allows it to empty the broker that the environment names.
const MAY_EMPTY: &str = "WARREN_MAY_EMPTY";

/// All commands that an HTTP API can carry, against Debian's RabbitMQ or the one the environment names.
pub fn commands_over_http(broker: &Broker) -> Verdict {
    if let Some(verdict) = lacking(&["apt-get", "dpkg", "python3"]) {
        return verdict;
    }
    if !broker.is_ours() {
        return match std::env::var_os(MAY_EMPTY) {
            Some(_) => play(broker),
            None => Verdict::NotRun(format!("it empties the broker; {MAY_EMPTY}=1 allows that")),
        };
    }
    let rabbitmq = Rabbitmq::start();
    let verdict = play(&Broker::at(rabbitmq.amqp, rabbitmq.http));
    match verdict {
        Verdict::Failed(said) if said.contains("there is no list for RabbitMQ") => {
            Verdict::NotRun(format!("this host's packages are of a version without a list:\n{said}"))
        }
        verdict => verdict,
    }
}

fn play(broker: &Broker) -> Verdict {
    broker.judge(
        Command::new(python())
            .arg(repository().join("tests/transcripts/cli/over_http.py"))
            .args(["run", "--http", &format!("http://guest:guest@{}", broker.http), "--amqp", &broker.url()])
            .arg("--bin-dir")
            .arg(&binaries().links),
    )
}
