//! The command line, which is also the manual: every option is declared and explained here, once.

use std::str::FromStr;
use std::time::Duration;

use clap::{ArgGroup, Parser, ValueEnum};

use crate::uri::Uri;
use crate::wire::ShortString;
use crate::wire::encode::Field;

const MANUAL: &str = "\
Loads an AMQP 0-9-1 broker with publishers and consumers and reports rates, latencies and, for a broker on the same \
machine, what the load cost it in CPU time and memory.

Every publisher and every consumer has its own connection, or with --connections a channel of one that several share. \
Every run is also a test: each message carries its \
publisher and a sequence, and a run in which a message is missing, delivered twice, out of order, returned or refused \
says so and exits with 65.

The queues and the exchange are declared before the run and deleted after it; a queue that already holds messages is left \
alone and the run refused, unless --purge is given.";

const EXAMPLES: &str = "\
EXAMPLES
  One publisher, one consumer, ten seconds as fast as it goes:
      warren-perf
  A million small transient messages with automatic acknowledgement, and what they cost the broker:
      warren-perf -s 16 -C 1000000 --auto-ack --server-pid $(pidof warren)
  Safe publishing: persistent, at most 1000 unconfirmed, acknowledged by hundreds:
      warren-perf -s 1024 -C 200000 --persistent --confirm 1000 --ack-every 100
  Fan-out of each message to ten queues:
      warren-perf --queues 10 --consumers 10 --exchange-kind fanout
  A topic exchange with 10,000 bindings, the keys used in turn:
      warren-perf --exchange-kind topic --bindings 10000
  A topic exchange with 10,000 bindings that no message matches, and one that they do:
      warren-perf --exchange-kind topic --extra-bindings 10000
  1000 queues, each with a publisher and a consumer, 10,000 messages a second in all, on 8 + 8 connections:
      warren-perf --queues 1000 -x 1000 -y 1000 --connections 8 --rate 10000 -z 10 -s 16 --auto-ack
  A consumer that takes 100 messages a second while 1000 come:
      warren-perf --rate 1000 -z 5 --consume-rate 100 --prefetch 10
  Latency at 1000 messages a second:
      warren-perf --rate 1000 -z 10 -s 16 --auto-ack
  A backlog of a million, then its drain, each measured by itself:
      warren-perf -C 1000000 --persistent --backlog-first --ack-every 100
  The broker's memory with a million messages unread, and two seconds after they were read:
      warren-perf -C 1000000 --persistent --backlog-first --ack-every 100 --settle 2 --server-pid $(pidof warren)
  Messages that survive a restart (fill, restart the broker, then read and verify):
      warren-perf -C 100000 --persistent --confirm 1000 --consumers 0 --keep
      warren-perf --publishers 0 --ack-every 100

HOW IT MEASURES
  Latency is from the moment a batch was made (with --rate: from the moment the message was due, when the broker made
  the publisher wait) to the moment the consumer took it from its socket. Bodies under 16 bytes carry no time, those
  under 8 bytes no sequence either: then only the number of messages is checked.
  Times run from the first publish to the last answer or delivery. Server figures are user and system time of the given
  processes and all their children, from /proc; memory is their resident set, the peak sampled four times a second. With
  --backlog-first the two phases, publishing and consuming, have their own times and CPU seconds.
  Connections are blocking sockets with a thread each: with --connections there are fewer threads and larger writes, and
  the messages of one connection that fall due together leave in one write.

EXIT CODES
  0  all messages arrived, once and in order     64  wrong options
  65 a message was lost, doubled, reordered, returned or refused
  69 the server could not be reached, refused, hung up or stalled     70 a fault of the tool or of the protocol";

/// What a run is asked to do.
#[derive(Debug, Clone, Parser)]
#[command(name = "warren-perf", version, about = "Load tool for AMQP 0-9-1 brokers", long_about = MANUAL, after_help = EXAMPLES)]
#[command(group(ArgGroup::new("length").args(["count", "duration"])))]
#[command(group(ArgGroup::new("acknowledgement").args(["auto_ack", "ack_every"])))]
pub struct Options {
    /// The broker, as amqp://user:password@host:port/vhost
    #[arg(
        long,
        short = 'u',
        value_name = "URI",
        default_value = "amqp://guest:guest@127.0.0.1:5672",
        env = "WARREN_PERF_URI",
        hide_env_values = true
    )]
    pub uri: Uri,

    /// Number of publishers; 0 reads what is already in the queues
    #[arg(long, short = 'x', value_name = "N", default_value_t = 1, help_heading = "Load")]
    pub publishers: u32,

    /// Number of consumers, dealt over the queues; 0 only publishes
    #[arg(long, short = 'y', value_name = "N", default_value_t = 1, help_heading = "Load")]
    pub consumers: u32,

    /// Size of a body in bytes
    #[arg(long, short = 's', value_name = "BYTES", default_value_t = 1024, help_heading = "Load")]
    pub size: usize,

    /// Messages to publish, all publishers together
    #[arg(long, short = 'C', value_name = "N", help_heading = "Load")]
    pub count: Option<u64>,

    /// Seconds to publish for [default: 10]
    #[arg(long, short = 'z', value_name = "SECONDS", value_parser = seconds, help_heading = "Load")]
    pub duration: Option<Duration>,

    /// Messages per second, all publishers together [default: as fast as possible]
    #[arg(long, short = 'r', value_name = "PER_SECOND", help_heading = "Load")]
    pub rate: Option<f64>,

    /// Messages per write at most
    #[arg(long, value_name = "N", default_value_t = 64, help_heading = "Load")]
    pub batch: usize,

    /// Publish everything first and start the consumers then
    #[arg(long, help_heading = "Load")]
    pub backlog_first: bool,

    /// Connections that publish, and as many that consume: publishers and consumers then share them, each on a channel of
    /// its own [default: one for each]
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub connections: Option<u32>,

    /// Mark messages persistent
    #[arg(long, help_heading = "Publishing")]
    pub persistent: bool,

    /// Publish with confirms, at most N of them outstanding per publisher
    #[arg(long, short = 'c', value_name = "N", help_heading = "Publishing")]
    pub confirm: Option<u32>,

    /// Publish as mandatory: a message no queue takes fails the run
    #[arg(long, help_heading = "Publishing")]
    pub mandatory: bool,

    /// Let deliveries count as acknowledged when sent
    #[arg(long, short = 'a', help_heading = "Consuming")]
    pub auto_ack: bool,

    /// Acknowledge after every N deliveries, all at once [default: 1]
    #[arg(long, short = 'A', value_name = "N", help_heading = "Consuming")]
    pub ack_every: Option<u64>,

    /// Unacknowledged messages a consumer may hold; 0 is no limit
    #[arg(long, short = 'q', value_name = "N", default_value_t = 1000, help_heading = "Consuming")]
    pub prefetch: u16,

    /// Messages per second taken from the sockets, all consumers together: slow consumers [default: as fast as they come]
    #[arg(long, value_name = "PER_SECOND", help_heading = "Consuming")]
    pub consume_rate: Option<f64>,

    /// Number of queues
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Topology")]
    pub queues: usize,

    /// Name of the queue; of several, the start of their names
    #[arg(long, value_name = "NAME", default_value = "warren-perf", help_heading = "Topology")]
    pub queue_name: String,

    /// What kind of queue is declared
    #[arg(long, value_name = "KIND", value_enum, default_value_t = QueueKind::Durable, help_heading = "Topology")]
    pub queue_kind: QueueKind,

    /// Queue argument, such as x-queue-type=quorum or x-max-length=1000 (repeatable)
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Topology")]
    pub queue_argument: Vec<Argument>,

    /// Exchange published to; `default` is the nameless one, which routes to the queue named by the key
    #[arg(long, short = 't', value_name = "KIND", value_enum, default_value_t = ExchangeKind::Default, help_heading = "Topology")]
    pub exchange_kind: ExchangeKind,

    /// Name of the exchange
    #[arg(long, short = 'e', value_name = "NAME", default_value = "warren-perf", help_heading = "Topology")]
    pub exchange_name: ShortString,

    /// Number of bindings of a direct, topic or headers exchange: one per key, dealt over the queues; publishers use
    /// the keys in turn [default: as many as queues]
    #[arg(long, value_name = "N", help_heading = "Topology", conflicts_with_all = ["binding_key", "routing_key"])]
    pub bindings: Option<usize>,

    /// Further bindings of the exchange, dealt over the queues, that match none of the messages
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Topology")]
    pub extra_bindings: usize,

    /// Bind every queue with this key instead (repeatable); every --routing-key must match one of them
    #[arg(long, value_name = "KEY", requires = "routing_key", help_heading = "Topology")]
    pub binding_key: Vec<ShortString>,

    /// Publish with this key (repeatable: used in turn); each message must then reach every queue
    #[arg(long, short = 'k', value_name = "KEY", requires = "binding_key", help_heading = "Topology")]
    pub routing_key: Vec<ShortString>,

    /// Throw away messages that are in the queues before the run
    #[arg(long, help_heading = "Topology")]
    pub purge: bool,

    /// Leave queues, exchange and messages in place after the run
    #[arg(long, help_heading = "Topology")]
    pub keep: bool,

    /// Process of the broker on this machine, whose CPU time and memory are reported (repeatable; children count)
    #[arg(long, value_name = "PID", help_heading = "Report")]
    pub server_pid: Vec<u32>,

    /// Seconds to let the broker rest after the run before its memory is read once more
    #[arg(long, value_name = "SECONDS", value_parser = seconds, requires = "server_pid", help_heading = "Report")]
    pub settle: Option<Duration>,

    /// Print one JSON object on standard output instead of the table
    #[arg(long, help_heading = "Report")]
    pub json: bool,

    /// Seconds without any progress after which a run is given up
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30", help_heading = "Report")]
    pub stall_timeout: Duration,
}

/// How queues are declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum QueueKind {
    /// Survives a restart
    Durable,
    /// Does not survive a restart
    Transient,
    /// Belongs to its consumer's connection and goes with it
    Exclusive,
}

/// The exchange kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExchangeKind {
    Default,
    Direct,
    Fanout,
    Topic,
    Headers,
}

impl ExchangeKind {
    /// The name in the protocol; the default exchange is never declared.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "",
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::Topic => "topic",
            Self::Headers => "headers",
        }
    }
}

/// One `KEY=VALUE`; numbers and booleans are sent as such, everything else as text.
#[derive(Debug, Clone, PartialEq)]
pub struct Argument(pub ShortString, pub Field);

impl FromStr for Argument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or("it must be KEY=VALUE")?;
        let key = key.parse().map_err(|e| format!("the key has {e}"))?;
        let field = match (value.parse::<i64>(), value.parse::<bool>()) {
            (Ok(number), _) => Field::Long(number),
            (_, Ok(truth)) => Field::Bool(truth),
            _ => Field::Text(value.to_owned()),
        };
        Ok(Self(key, field))
    }
}

/// The longest time an option may name: a day.
const SECONDS_MAX: f64 = 86_400.0;

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= SECONDS_MAX => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(format!("it must be a number of seconds above 0 and up to {SECONDS_MAX}")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn an_argument_keeps_the_kind_of_its_value() {
        let check = |text: &str, key: &str, field: Field| {
            assert_eq!(text.parse::<Argument>(), Ok(Argument(key.parse().unwrap(), field)));
        };
        check("x-max-length=10", "x-max-length", Field::Long(10));
        check("x-queue-type=quorum", "x-queue-type", Field::Text("quorum".into()));
        check("x-single-active-consumer=true", "x-single-active-consumer", Field::Bool(true));
        check("k=a=b", "k", Field::Text("a=b".into()));
        assert!("novalue".parse::<Argument>().is_err());
    }

    #[test]
    fn seconds_are_positive_and_bounded() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "-1", "NaN", "inf", "1e9", "x"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
