//! The history of dead letters against a plain chronicle of what happened to a message.

use proptest::prelude::*;

use super::*;

const QUEUES: [&str; 3] = ["a", "b", "c"];
const REASONS: [DropReason; 4] =
    [DropReason::Rejected, DropReason::Expired, DropReason::MaxLength, DropReason::DeliveryLimit];

/// One death at random: queue, reason, the queue's own dead letter key, and the exchange it
/// sends to.
type Death = (usize, usize, Option<u8>, u8);

/// What happened, as one would write it down.
#[derive(Debug, Clone, PartialEq)]
struct Line {
    queue: &'static str,
    reason: DropReason,
    at_s: u64,
    exchange: String,
    keys: Vec<String>,
    expiration: Option<String>,
}

/// What the header is to say: kinds of deaths, the one that happened last first, each as it
/// happened first and how often.
fn told(chronicle: &[Line]) -> Vec<(Line, i64)> {
    let mut kinds: Vec<(Line, i64)> = Vec::new();
    for line in chronicle.iter().rev() {
        let same = |other: &&Line| other.queue == line.queue && other.reason == line.reason;
        if kinds.iter().any(|(known, _)| same(&known)) {
            continue;
        }
        let first = chronicle.iter().find(same).unwrap_or(line);
        kinds.push((first.clone(), chronicle.iter().filter(same).count() as i64));
    }
    kinds
}

/// Whether a message would come to a queue where it died, without anybody's rejection since.
fn goes_round(chronicle: &[Line], queue: &str) -> bool {
    let last = chronicle.iter().rposition(|line| line.queue == queue);
    last.is_some_and(|last| chronicle[last..].iter().all(|line| line.reason != DropReason::Rejected))
}

fn keys(value: Option<&FieldValue>) -> Vec<String> {
    match value {
        Some(FieldValue::Array(keys)) => keys.iter().filter_map(FieldValue::as_text).map(str::to_owned).collect(),
        other => panic!("{other:?} is no list of keys"),
    }
}

/// The header as lines and counts.
fn read(headers: &FieldTable) -> Vec<(Line, i64)> {
    let Some(FieldValue::Array(deaths)) = headers.get("x-death") else { panic!("no history") };
    let line = |death: &FieldValue| {
        let FieldValue::Table(death) = death else { panic!("{death:?} is no table") };
        let text = |field: &str| death.get(field).and_then(FieldValue::as_text).map(str::to_owned);
        let queue = QUEUES.into_iter().find(|queue| text("queue").as_deref() == Some(queue)).unwrap();
        let reasons = ["rejected", "expired", "maxlen", "delivery_limit"];
        let reason = reasons.iter().position(|reason| text("reason").as_deref() == Some(reason)).unwrap();
        let Some(FieldValue::Timestamp(at_s)) = death.get("time") else { panic!("no time") };
        let count = death.get("count").and_then(FieldValue::as_i64).unwrap();
        let (exchange, expiration) = (text("exchange").unwrap(), text("original-expiration"));
        let line = Line {
            queue,
            reason: REASONS[reason],
            at_s: *at_s,
            exchange,
            keys: keys(death.get("routing-keys")),
            expiration,
        };
        (line, count)
    };
    deaths.iter().map(line).collect()
}

proptest! {
    #[test]
    fn the_header_tells_what_happened_and_cycles_end(
        deaths in prop::collection::vec((0..3usize, 0..4usize, prop::option::of(0..3u8), 0..2u8), 1..25),
        expiration in prop::option::of(0..1000u32),
        further in prop::collection::vec("[x-z]", 0..3),
    ) {
        let deaths: Vec<Death> = deaths;
        let expiration = expiration.map(|ms| ms.to_string());
        let mut headers = FieldTable::new();
        if !further.is_empty() {
            headers.insert("CC", FieldValue::Array(further.iter().map(|key| FieldValue::text(key)).collect()));
        }
        let properties =
            Properties { headers: Some(headers), expiration: expiration.clone(), ..Properties::default() };
        let mut message = Message::build("ex", "key", &properties.encode(), b"body", true);
        let mut chronicle: Vec<Line> = Vec::new();
        // Where it is published next, and by which keys.
        let (mut exchange, mut routed_by) = ("ex".to_owned(), vec!["key".to_owned()]);
        routed_by.extend(further);
        for (number, (queue, reason, key, to)) in deaths.into_iter().enumerate() {
            let (queue, reason, at_s) = (QUEUES[queue], REASONS[reason], number as u64 * 10);
            chronicle.push(Line {
                queue,
                reason,
                at_s,
                exchange: exchange.clone(),
                keys: routed_by.clone(),
                // Only the first death can find it: a letter has none.
                expiration: expiration.clone().filter(|_| number == 0),
            });
            exchange = format!("dlx-{to}");
            if let Some(key) = key {
                routed_by = vec![format!("key-{key}")];
            }
            let to = DeadLetterTo {
                exchange: ExchangeName::new(exchange.clone()).unwrap(),
                routing_key: key.map(|key| format!("key-{key}")),
            };
            let name = QueueName::new(queue).unwrap();
            let letter = DeadLetter::new(&message, Demise { queue: &name, reason, at_s, failures: 0 }, &to).unwrap();
            message = letter.message.clone();
            let properties = Properties::decode(message.properties()).unwrap();
            prop_assert_eq!(properties.expiration, None);
            let headers = properties.headers.unwrap();
            prop_assert_eq!(read(&headers), told(&chronicle));
            let (first, last) = (&chronicle[0], &chronicle[number]);
            for (which, line) in [("first", first), ("last", last)] {
                let says = |what: &str| headers.get(&format!("x-{which}-death-{what}")).and_then(FieldValue::as_text);
                prop_assert_eq!(says("queue"), Some(line.queue));
                prop_assert_eq!(says("exchange"), Some(line.exchange.as_str()));
                prop_assert_eq!(says("reason"), Some(line.reason.as_str()));
            }
            prop_assert_eq!(&letter.routing_keys, &routed_by);
            for queue in QUEUES {
                prop_assert_eq!(letter.closes_cycle(queue), goes_round(&chronicle, queue), "into {}", queue);
            }
        }
    }
}
