//! Turns the options into who publishes what with which key, which queues that must reach, and who consumes where.
//!
//! Pure: the whole run follows from the plan, and what must arrive follows from it too.

use std::ops::Range;
use std::time::Duration;

use crate::error::PerfError;
use crate::options::{ExchangeKind, Options, QueueKind};
use crate::payload::SENDERS_MAX;
use crate::wire::ShortString;
use crate::wire::encode::{Field, Table};

/// Bounds that keep a mistyped option from eating the machine.
const CONNECTIONS_MAX: u32 = 20_000;
/// Channel 0 is the connection itself.
const CHANNELS_MAX: u32 = 65_534;
const QUEUES_MAX: usize = 1_000_000;
const BINDINGS_MAX: usize = 1_000_000;
const BODY_BYTES_MAX: usize = 512 * 1024 * 1024;
const CONFIRMS_MAX: u32 = 1_000_000;
const BATCH_MAX: usize = 10_000;
const RATE_MIN: f64 = 0.001;
const RATE_MAX: f64 = 1e9;

/// Where a message must arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// In this queue.
    Queue(usize),
    /// In all of them.
    Every,
}

/// A key (and headers) to publish with.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// The routing key.
    pub key: ShortString,
    /// Headers, for a headers exchange.
    pub headers: Table,
    /// Index into the publisher's destinations.
    pub destination: usize,
}

/// What one publisher does.
#[derive(Debug, Clone, PartialEq)]
pub struct PublisherPlan {
    /// Its number, which its messages carry.
    pub id: u32,
    /// Used in turn.
    pub routes: Vec<Route>,
    /// Where its messages arrive; each has a sequence of its own.
    pub destinations: Vec<Destination>,
    /// How many messages; `None` publishes until the time is over.
    pub count: Option<u64>,
    /// Messages per second.
    pub rate: Option<f64>,
    /// How long after the others' common start it begins, so that publishers at a fixed rate take turns.
    pub delay: Duration,
}

/// A binding of a queue to the exchange.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// Index of the queue.
    pub queue: usize,
    /// The binding key.
    pub key: ShortString,
    /// Arguments, for a headers exchange.
    pub arguments: Table,
}

/// The whole run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Names of the queues.
    pub queues: Vec<ShortString>,
    /// The exchange; empty is the default one.
    pub exchange: ShortString,
    /// All bindings to make, in the order of their queues.
    pub bindings: Vec<Binding>,
    /// One each.
    pub publishers: Vec<PublisherPlan>,
    /// The queues each consumer reads.
    pub consumers: Vec<Vec<usize>>,
    /// The publishers of each connection.
    pub publisher_connections: Vec<Range<usize>>,
    /// The consumers of each connection.
    pub consumer_connections: Vec<Range<usize>>,
}

fn usage<T>(text: impl Into<String>) -> Result<T, PerfError> {
    Err(PerfError::Usage(text.into()))
}

/// Generated keys and names are far below the limit.
fn generated(text: String) -> ShortString {
    ShortString::try_from(text).unwrap_or_default()
}

fn header(number: usize) -> (ShortString, Field) {
    (generated("perf".into()), Field::Long(number as i64))
}

impl Plan {
    /// Checks the options against each other and plans the run.
    pub fn make(options: &Options) -> Result<Self, PerfError> {
        check(options)?;
        let queues = queue_names(options)?;
        let mut bindings = bindings(options);
        let exchange = match options.exchange_kind {
            ExchangeKind::Default => ShortString::default(),
            _ => options.exchange_name.clone(),
        };
        let total = u64::from(options.publishers.max(1));
        let publishers = (0..options.publishers)
            .map(|id| {
                let (routes, destinations) = routes(options, id as usize, &queues, &bindings);
                let share = |count: u64| count / total + u64::from(u64::from(id) < count % total);
                let rate = options.rate.map(|rate| rate / total as f64);
                let delay = options.rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(f64::from(id) / rate));
                PublisherPlan { id, routes, destinations, count: options.count.map(share), rate, delay }
            })
            .collect();
        let consumers =
            (0..options.consumers as usize).map(|c| dealt(c, options.consumers as usize, queues.len())).collect();
        bindings.extend(extra_bindings(options));
        bindings.sort_by_key(|binding| binding.queue);
        let publisher_connections = shared_out(options.publishers, options.connections);
        let consumer_connections = shared_out(options.consumers, options.connections);
        Ok(Self { queues, exchange, bindings, publishers, consumers, publisher_connections, consumer_connections })
    }

    /// The bindings of a queue.
    pub fn bindings_of(&self, queue: usize) -> &[Binding] {
        let start = self.bindings.partition_point(|binding| binding.queue < queue);
        let end = self.bindings.partition_point(|binding| binding.queue <= queue);
        &self.bindings[start..end]
    }
}

/// Workers by connection: neighbours share one, and none is left without.
fn shared_out(workers: u32, connections: Option<u32>) -> Vec<Range<usize>> {
    let connections = connections.unwrap_or(workers).min(workers) as usize;
    let workers = workers as usize;
    (0..connections).map(|n| n * workers / connections..(n + 1) * workers / connections).collect()
}

/// The things (of `things`) the worker `index` of `workers` gets: one when there are as many workers, else its share.
fn dealt(index: usize, workers: usize, things: usize) -> Vec<usize> {
    if workers >= things { vec![index % things] } else { (index..things).step_by(workers).collect() }
}

fn queue_names(options: &Options) -> Result<Vec<ShortString>, PerfError> {
    let name = |number: usize| {
        let text =
            if options.queues == 1 { options.queue_name.clone() } else { format!("{}-{number}", options.queue_name) };
        ShortString::try_from(text).map_err(|e| PerfError::Usage(format!("--queue-name: {e}")))
    };
    (1..=options.queues).map(name).collect()
}

fn bindings(options: &Options) -> Vec<Binding> {
    let all = 0..options.queues;
    let number = options.bindings.unwrap_or(options.queues);
    let plain = |queue, key| Binding { queue, key, arguments: Table::new() };
    match options.exchange_kind {
        ExchangeKind::Default => Vec::new(),
        ExchangeKind::Fanout => all.map(|queue| plain(queue, ShortString::default())).collect(),
        _ if !options.binding_key.is_empty() => {
            all.flat_map(|queue| options.binding_key.iter().map(move |key| plain(queue, key.clone()))).collect()
        }
        ExchangeKind::Direct => {
            (0..number).map(|n| plain(n % options.queues, generated(format!("perf.{n}")))).collect()
        }
        ExchangeKind::Topic => {
            (0..number).map(|n| plain(n % options.queues, generated(format!("perf.{n}.*.#")))).collect()
        }
        ExchangeKind::Headers => {
            let all_match = (generated("x-match".into()), Field::Text("all".into()));
            let arguments = |n| vec![all_match.clone(), header(n)];
            (0..number)
                .map(|n| Binding { queue: n % options.queues, key: ShortString::default(), arguments: arguments(n) })
                .collect()
        }
    }
}

/// Bindings that look like those of the messages and match none.
fn extra_bindings(options: &Options) -> impl Iterator<Item = Binding> + '_ {
    (0..options.extra_bindings).map(|n| {
        let (key, arguments) = match options.exchange_kind {
            ExchangeKind::Topic => (format!("perf.other-{n}.*.#"), Table::new()),
            ExchangeKind::Headers => {
                let other = (generated("perf-other".into()), Field::Long(n as i64));
                (String::new(), vec![(generated("x-match".into()), Field::Text("all".into())), other])
            }
            _ => (format!("perf.other-{n}"), Table::new()),
        };
        Binding { queue: n % options.queues, key: generated(key), arguments }
    })
}

fn routes(
    options: &Options,
    publisher: usize,
    queues: &[ShortString],
    bindings: &[Binding],
) -> (Vec<Route>, Vec<Destination>) {
    let to_every = |key: &ShortString| Route { key: key.clone(), headers: Table::new(), destination: 0 };
    let each = |number| (0..number).map(Destination::Queue).collect();
    match options.exchange_kind {
        ExchangeKind::Default => {
            let own = dealt(publisher, options.publishers as usize, queues.len());
            let route = |(destination, queue): (usize, &usize)| Route {
                key: queues[*queue].clone(),
                headers: Table::new(),
                destination,
            };
            (own.iter().enumerate().map(route).collect(), own.iter().copied().map(Destination::Queue).collect())
        }
        ExchangeKind::Fanout => (vec![to_every(&ShortString::default())], vec![Destination::Every]),
        _ if !options.routing_key.is_empty() => {
            (options.routing_key.iter().map(to_every).collect(), vec![Destination::Every])
        }
        kind => {
            let route = |(number, binding): (usize, &Binding)| {
                let key = match kind {
                    ExchangeKind::Topic => generated(format!("perf.{number}.message.key")),
                    _ => binding.key.clone(),
                };
                let headers = if kind == ExchangeKind::Headers { vec![header(number)] } else { Table::new() };
                Route { key, headers, destination: binding.queue }
            };
            (bindings.iter().enumerate().map(route).collect(), each(queues.len()))
        }
    }
}

fn check(options: &Options) -> Result<(), PerfError> {
    let bindings = options.bindings.unwrap_or(options.queues);
    let keyed = matches!(options.exchange_kind, ExchangeKind::Direct | ExchangeKind::Topic | ExchangeKind::Headers);
    if options.publishers == 0 && options.consumers == 0 {
        return usage("--publishers and --consumers cannot both be 0");
    }
    if options.publishers.max(options.consumers) > CONNECTIONS_MAX.min(SENDERS_MAX) {
        return usage(format!("at most {CONNECTIONS_MAX} publishers and as many consumers"));
    }
    if let Some(connections) = options.connections {
        let most = options.publishers.max(options.consumers).div_ceil(connections.max(1));
        if connections == 0 || most > CHANNELS_MAX {
            return usage(format!("--connections must be at least 1, and leave each at most {CHANNELS_MAX} channels"));
        }
    }
    if options.queues == 0 || options.queues > QUEUES_MAX {
        return usage(format!("--queues must be 1 to {QUEUES_MAX}"));
    }
    if options.size > BODY_BYTES_MAX {
        return usage(format!("--size must be at most {BODY_BYTES_MAX}"));
    }
    if options.batch == 0 || options.batch > BATCH_MAX {
        return usage(format!("--batch must be 1 to {BATCH_MAX}"));
    }
    if options.confirm.is_some_and(|window| window == 0 || window > CONFIRMS_MAX) {
        return usage(format!("--confirm must be 1 to {CONFIRMS_MAX}"));
    }
    if options.rate.is_some_and(|rate| !(RATE_MIN..=RATE_MAX).contains(&rate)) {
        return usage(format!("--rate must be {RATE_MIN} to {RATE_MAX}"));
    }
    if options.consume_rate.is_some_and(|rate| !(RATE_MIN..=RATE_MAX).contains(&rate)) {
        return usage(format!("--consume-rate must be {RATE_MIN} to {RATE_MAX}"));
    }
    if options.ack_every == Some(0) {
        return usage("--ack-every must be at least 1");
    }
    if options.prefetch > 0 && options.ack_every.is_some_and(|every| every > u64::from(options.prefetch)) {
        return usage("--ack-every must not exceed --prefetch, or the consumer would wait for ever");
    }
    if bindings > BINDINGS_MAX || bindings < options.queues {
        return usage(format!("--bindings must be at least the number of queues and at most {BINDINGS_MAX}"));
    }
    if options.extra_bindings > BINDINGS_MAX {
        return usage(format!("--extra-bindings must be at most {BINDINGS_MAX}"));
    }
    if options.extra_bindings > 0 && matches!(options.exchange_kind, ExchangeKind::Default | ExchangeKind::Fanout) {
        return usage(
            "--extra-bindings needs --exchange-kind direct, topic or headers: fanout has none that do not match",
        );
    }
    if options.bindings.is_some() && !keyed {
        return usage("--bindings needs --exchange-kind direct, topic or headers");
    }
    if !options.binding_key.is_empty() && !matches!(options.exchange_kind, ExchangeKind::Direct | ExchangeKind::Topic) {
        return usage("--binding-key and --routing-key need --exchange-kind direct or topic");
    }
    if options.queue_kind == QueueKind::Exclusive {
        if options.consumers == 0 || options.consumers as usize > options.queues {
            return usage("exclusive queues need at least one consumer, and no more consumers than queues");
        }
        if options.publishers == 0 || options.keep {
            return usage("exclusive queues do not outlive a run: --publishers 0 and --keep make no sense with them");
        }
    }
    if options.backlog_first && (options.publishers == 0 || options.consumers == 0) {
        return usage("--backlog-first needs publishers and consumers");
    }
    if options.publishers == 0 && (options.count.is_some() || options.duration.is_some() || options.rate.is_some()) {
        return usage("--publishers 0 reads what is there: --count, --duration and --rate have no meaning");
    }
    if options.count == Some(0) {
        return usage("--count must be at least 1");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn plan(arguments: &str) -> Result<Plan, PerfError> {
        let words = std::iter::once("warren-perf").chain(arguments.split_whitespace());
        Plan::make(&Options::try_parse_from(words).unwrap())
    }

    /// One line per publisher: its share, then `key>destination` in turn.
    fn check(arguments: &str, publishers: &[&str], consumers: &[&[usize]]) {
        let plan = plan(arguments).unwrap();
        let said: Vec<String> = plan
            .publishers
            .iter()
            .map(|publisher| {
                let mut line = publisher.count.map_or("-".into(), |count| count.to_string());
                for route in &publisher.routes {
                    let to = match publisher.destinations[route.destination] {
                        Destination::Queue(queue) => queue.to_string(),
                        Destination::Every => "all".into(),
                    };
                    line += &format!(" {}>{to}", route.key);
                }
                line
            })
            .collect();
        assert_eq!(said, publishers, "{arguments}");
        assert_eq!(plan.consumers, consumers, "{arguments}");
    }

    #[test]
    fn work_is_dealt_over_publishers_queues_and_consumers() {
        check("", &["- warren-perf>0"], &[&[0]]);
        check("-C 5 -x 2", &["3 warren-perf>0", "2 warren-perf>0"], &[&[0]]);
        check("--queues 3 --queue-name q -y 2", &["- q-1>0 q-2>1 q-3>2"], &[&[0, 2], &[1]]);
        check("--queues 2 --queue-name q -x 3 -y 4", &["- q-1>0", "- q-2>1", "- q-1>0"], &[&[0], &[1], &[0], &[1]]);
        check("--queues 2 -t fanout", &["- >all"], &[&[0, 1]]);
        check("--queues 2 -t direct --bindings 3 -y 0", &["- perf.0>0 perf.1>1 perf.2>0"], &[]);
        check("-t topic --bindings 2", &["- perf.0.message.key>0 perf.1.message.key>0"], &[&[0]]);
        check("-t topic --queues 2 -y 2 --binding-key a.# -k a.b -k a.c", &["- a.b>all a.c>all"], &[&[0], &[1]]);
        check("-x 0 -y 1", &[], &[&[0]]);
    }

    #[test]
    fn bindings_follow_the_kind_of_exchange() {
        assert!(plan("").unwrap().bindings.is_empty());
        let topic = plan("-t topic --bindings 2").unwrap().bindings;
        assert_eq!(topic.iter().map(|b| b.key.as_str()).collect::<Vec<_>>(), ["perf.0.*.#", "perf.1.*.#"]);
        let explicit = plan("-t direct --queues 2 --binding-key a --binding-key b -k a").unwrap().bindings;
        assert_eq!(
            explicit.iter().map(|b| (b.queue, b.key.as_str())).collect::<Vec<_>>(),
            [(0, "a"), (0, "b"), (1, "a"), (1, "b")]
        );
        let headers = plan("-t headers").unwrap();
        assert_eq!(headers.bindings[0].arguments.len(), 2);
        assert_eq!(headers.publishers[0].routes[0].headers, [header(0)]);
    }

    #[test]
    fn extra_bindings_are_dealt_over_the_queues_and_no_message_uses_them() {
        let plan = plan("-t topic --queues 2 --extra-bindings 3").unwrap();
        let keys = |queue| plan.bindings_of(queue).iter().map(|b| b.key.as_str()).collect::<Vec<_>>();
        assert_eq!(keys(0), ["perf.0.*.#", "perf.other-0.*.#", "perf.other-2.*.#"]);
        assert_eq!(keys(1), ["perf.1.*.#", "perf.other-1.*.#"]);
        assert_eq!(plan.publishers[0].routes.len(), 2);
        assert!(plan.bindings_of(2).is_empty());
    }

    #[test]
    fn workers_share_connections_evenly() {
        let check = |workers, connections, expected: &[Range<usize>]| {
            assert_eq!(shared_out(workers, connections), expected, "{workers} {connections:?}");
        };
        check(0, None, &[]);
        check(2, None, &[0..1, 1..2]);
        check(3, Some(2), &[0..1, 1..3]);
        check(2, Some(5), &[0..1, 1..2]);
        check(1000, Some(1), std::slice::from_ref(&(0..1000)));
    }

    #[test]
    fn contradictions_are_refused() {
        for arguments in [
            "-x 0 -y 0",
            "--queues 0",
            "--batch 0",
            "-c 0",
            "-r 0",
            "-r nan",
            "-A 0",
            "-A 10 -q 5",
            "--bindings 3",
            "-t topic --queues 3 --bindings 2",
            "-t fanout --binding-key a -k a",
            "--queue-kind exclusive -y 2",
            "--queue-kind exclusive -y 0",
            "--queue-kind exclusive --keep",
            "--backlog-first -y 0",
            "-x 0 -C 5",
            "-C 0",
            "-x 20001",
            "-s 999999999999",
            "--connections 0",
            "--extra-bindings 3",
            "-t fanout --extra-bindings 3",
            "--consume-rate 0",
        ] {
            assert!(matches!(plan(arguments), Err(PerfError::Usage(_))), "{arguments}");
        }
    }
}
