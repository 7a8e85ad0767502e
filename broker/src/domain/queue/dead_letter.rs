//! Dead letters as values: the message that leaves, its history, and when a cycle ends.
//!
//! The history lives in the message's own headers (`x-death` and its companions), where
//! clients read it. It counts only in a message the broker made: what a client publishes
//! under these names is overwritten. Where the letter goes is for a topology to say.

use super::state::DropReason;
use crate::domain::message::{Message, Provenance};
use crate::domain::name::{ExchangeName, NAME_BYTES_MAX, QueueName};
use crate::domain::properties::Properties;
use crate::domain::value::{FieldTable, FieldValue};

const DEATHS: &str = "x-death";

/// Where a queue sends its dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterTo {
    /// The exchange.
    pub exchange: ExchangeName,
    /// The only routing key, instead of the message's own.
    pub routing_key: Option<String>,
}

/// How a message left its queue.
#[derive(Debug, Clone, Copy)]
pub struct Demise<'a> {
    /// The queue.
    pub queue: &'a QueueName,
    /// Why.
    pub reason: DropReason,
    /// When, in seconds since the epoch.
    pub at_s: u64,
    /// Failed deliveries so far.
    pub failures: u16,
}

/// A message on its way to a dead letter exchange.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// The message as its next queues get it.
    pub message: Message,
    /// Its routing keys, the message's own first.
    pub routing_keys: Vec<String>,
    /// Queues it died in, latest first, and whether it was rejected there.
    path: Vec<(String, bool)>,
}

impl DeadLetter {
    /// The letter a message becomes. `None` when its properties cannot be read, or the
    /// queue's routing key is longer than any routing key can be.
    #[must_use]
    pub fn new(message: &Message, demise: Demise<'_>, to: &DeadLetterTo) -> Option<Self> {
        let mut properties = Properties::decode(message.properties()).ok()?;
        let expiration = properties.expiration.take();
        let mut headers = properties.headers.take().unwrap_or_default();
        let history = message.provenance();
        let own_keys = routing_keys(message.routing_key(), &headers, history);
        // Keys that only the broker knows go along, but the history does not name them.
        let (routing_keys, hidden) = match &to.routing_key {
            Some(key) => (vec![key.clone()], Vec::new()),
            None => {
                let hidden = message.hidden_keys();
                (own_keys.iter().map(String::as_str).chain(hidden.iter().copied()).map(str::to_owned).collect(), hidden)
            }
        };
        let deaths = record(&mut headers, message, demise, &own_keys, expiration);
        properties.headers = Some(headers);
        let key = routing_keys.first().filter(|key| key.len() <= NAME_BYTES_MAX)?;
        let persistent = message.is_persistent();
        let letter =
            Message::build_hiding(to.exchange.as_str(), key, &hidden, &properties.encode(), message.body(), persistent);
        let provenance = Provenance {
            dead_lettered: true,
            keys_replaced: history.keys_replaced || to.routing_key.is_some(),
            failures: u8::try_from(demise.failures).unwrap_or(u8::MAX),
            hidden_keys: !hidden.is_empty(),
        };
        Some(Self { message: letter.with_provenance(provenance), routing_keys, path: path(&deaths) })
    }

    /// Whether the letter must not enter that queue: it died there before, and nobody
    /// rejected it since, so it would go round for ever.
    #[must_use]
    pub fn closes_cycle(&self, queue: &str) -> bool {
        let since = self.path.iter().position(|(passed, _)| passed == queue);
        since.is_some_and(|since| self.path[..=since].iter().all(|(_, rejected)| !rejected))
    }
}

/// The keys a message was routed by.
fn routing_keys(own: &str, headers: &FieldTable, history: Provenance) -> Vec<String> {
    let mut keys = vec![own.to_owned()];
    if let Some(FieldValue::Array(further)) = headers.get("CC").filter(|_| !history.keys_replaced) {
        keys.extend(further.iter().filter_map(FieldValue::as_text).map(str::to_owned));
    }
    keys
}

/// Enters a death into the headers. A second death of the same kind in the same queue is
/// counted in the entry of the first, which keeps its time and moves to the front.
fn record(
    headers: &mut FieldTable,
    message: &Message,
    demise: Demise<'_>,
    keys: &[String],
    expiration: Option<String>,
) -> Vec<FieldValue> {
    let (queue, reason) = (demise.queue.as_str(), demise.reason.as_str());
    let known = message.provenance().dead_lettered;
    let mut deaths = match headers.get(DEATHS) {
        Some(FieldValue::Array(deaths)) if known => deaths.clone(),
        _ => Vec::new(),
    };
    let same = deaths.iter().position(|death| text(death, "queue") == queue && text(death, "reason") == reason);
    let death = match same.map(|at| deaths.remove(at)) {
        Some(FieldValue::Table(mut death)) => {
            let count = death.get("count").and_then(FieldValue::as_i64).unwrap_or(0);
            death.insert("count", FieldValue::I64(count.saturating_add(1)));
            death
        }
        _ => first_death(message, demise, keys, expiration),
    };
    deaths.insert(0, FieldValue::Table(death));
    headers.insert(DEATHS, FieldValue::Array(deaths.clone()));
    for (what, value) in [("exchange", message.exchange()), ("queue", queue), ("reason", reason)] {
        let first = format!("x-first-death-{what}");
        if !known || headers.get(&first).is_none() {
            headers.insert(first, FieldValue::text(value));
        }
        headers.insert(format!("x-last-death-{what}"), FieldValue::text(value));
    }
    headers.sort();
    deaths
}

fn first_death(message: &Message, demise: Demise<'_>, keys: &[String], expiration: Option<String>) -> FieldTable {
    let mut death = FieldTable::new();
    if let Some(expiration) = expiration {
        death.insert("original-expiration", FieldValue::text(&expiration));
    }
    death.insert("count", FieldValue::I64(1));
    death.insert("reason", FieldValue::text(demise.reason.as_str()));
    death.insert("queue", FieldValue::text(demise.queue.as_str()));
    death.insert("time", FieldValue::Timestamp(demise.at_s));
    death.insert("exchange", FieldValue::text(message.exchange()));
    death.insert("routing-keys", FieldValue::Array(keys.iter().map(|key| FieldValue::text(key)).collect()));
    death
}

fn text<'a>(death: &'a FieldValue, field: &str) -> &'a str {
    match death {
        FieldValue::Table(death) => death.get(field).and_then(FieldValue::as_text).unwrap_or_default(),
        _ => "",
    }
}

fn path(deaths: &[FieldValue]) -> Vec<(String, bool)> {
    let rejected = DropReason::Rejected.as_str();
    deaths.iter().map(|death| (text(death, "queue").to_owned(), text(death, "reason") == rejected)).collect()
}

#[cfg(test)]
mod model;

#[cfg(test)]
mod tests {
    use super::*;

    /// A message and the deaths it died, a hundred seconds apart.
    struct Way {
        message: Message,
        last: Option<DeadLetter>,
        at_s: u64,
    }

    fn published(headers: &[(&str, FieldValue)], expiration: Option<&str>) -> Way {
        let headers: FieldTable = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let properties = Properties {
            headers: Some(headers).filter(|headers| !headers.is_empty()),
            expiration: expiration.map(str::to_owned),
            delivery_mode: Some(2),
            ..Properties::default()
        };
        let message = Message::build("ex", "key", &properties.encode(), b"body", true);
        Way { message, last: None, at_s: 100 }
    }

    impl Way {
        fn dies(mut self, queue: &str, reason: DropReason, routing_key: Option<&str>) -> Self {
            let queue = QueueName::new(queue).unwrap();
            let to = DeadLetterTo {
                exchange: ExchangeName::new("dlx").unwrap(),
                routing_key: routing_key.map(str::to_owned),
            };
            let demise = Demise { queue: &queue, reason, at_s: self.at_s, failures: 0 };
            let letter = DeadLetter::new(&self.message, demise, &to).unwrap();
            self.message = letter.message.clone();
            self.last = Some(letter);
            self.at_s += 100;
            self
        }

        fn headers(&self) -> FieldTable {
            Properties::decode(self.message.properties()).unwrap().headers.unwrap()
        }

        /// Each death as its fields in order.
        fn deaths(&self) -> Vec<String> {
            let headers = self.headers();
            let Some(FieldValue::Array(deaths)) = headers.get(DEATHS) else { return Vec::new() };
            let shown = |value: &FieldValue| match value {
                FieldValue::LongString(text) => String::from_utf8_lossy(text).into_owned(),
                FieldValue::I64(count) => count.to_string(),
                FieldValue::Timestamp(at) => format!("@{at}"),
                FieldValue::Array(keys) => keys.iter().filter_map(FieldValue::as_text).collect::<Vec<_>>().join("+"),
                other => format!("{other:?}"),
            };
            let death = |death: &FieldValue| match death {
                FieldValue::Table(death) => {
                    death.iter().map(|(name, value)| format!("{name}={}", shown(value))).collect::<Vec<_>>().join(" ")
                }
                other => format!("{other:?}"),
            };
            deaths.iter().map(death).collect()
        }

        fn check(self, deaths: &[&str], first: &str, last: &str) -> Self {
            assert_eq!(self.deaths(), deaths);
            let headers = self.headers();
            let told = |which: &str| {
                ["queue", "reason", "exchange"]
                    .map(|what| headers.get(&format!("x-{which}-death-{what}")).unwrap().as_text().unwrap().to_owned())
                    .join(" ")
            };
            assert_eq!((told("first").as_str(), told("last").as_str()), (first, last));
            self
        }
    }

    use DropReason::{DeliveryLimit, Expired, MaxLength, Rejected};

    #[test]
    fn a_death_is_entered_as_clients_read_it() {
        published(&[], Some("60")).dies("q", Expired, None).check(
            &["original-expiration=60 count=1 reason=expired queue=q time=@100 exchange=ex routing-keys=key"],
            "q expired ex",
            "q expired ex",
        );
        published(&[], None).dies("q", MaxLength, Some("k")).check(
            &["count=1 reason=maxlen queue=q time=@100 exchange=ex routing-keys=key"],
            "q maxlen ex",
            "q maxlen ex",
        );
    }

    #[test]
    fn the_latest_death_stands_first_and_repeated_ones_are_counted() {
        published(&[], None)
            .dies("a", Rejected, Some("b"))
            .dies("b", Expired, Some("a"))
            .check(
                &[
                    "count=1 reason=expired queue=b time=@200 exchange=dlx routing-keys=b",
                    "count=1 reason=rejected queue=a time=@100 exchange=ex routing-keys=key",
                ],
                "a rejected ex",
                "b expired dlx",
            )
            .dies("a", Rejected, Some("b"))
            .check(
                &[
                    "count=2 reason=rejected queue=a time=@100 exchange=ex routing-keys=key",
                    "count=1 reason=expired queue=b time=@200 exchange=dlx routing-keys=b",
                ],
                "a rejected ex",
                "a rejected dlx",
            )
            .dies("a", DeliveryLimit, None)
            .check(
                &[
                    "count=1 reason=delivery_limit queue=a time=@400 exchange=dlx routing-keys=b",
                    "count=2 reason=rejected queue=a time=@100 exchange=ex routing-keys=key",
                    "count=1 reason=expired queue=b time=@200 exchange=dlx routing-keys=b",
                ],
                "a rejected ex",
                "a delivery_limit dlx",
            );
    }

    #[test]
    fn what_a_client_claims_of_earlier_deaths_is_overwritten() {
        let claimed = FieldTable::from_iter([
            ("queue".to_owned(), FieldValue::text("q")),
            ("reason".to_owned(), FieldValue::text("rejected")),
            ("count".to_owned(), FieldValue::I64(7)),
        ]);
        let headers = [
            (DEATHS, FieldValue::Array(vec![FieldValue::Table(claimed)])),
            ("x-first-death-queue", FieldValue::text("mine")),
        ];
        published(&headers, None).dies("q", Rejected, None).check(
            &["count=1 reason=rejected queue=q time=@100 exchange=ex routing-keys=key"],
            "q rejected ex",
            "q rejected ex",
        );
    }

    #[test]
    fn keys_are_the_messages_own_until_a_queue_replaces_them() {
        let cc = [("CC", FieldValue::Array(vec![FieldValue::text("one"), FieldValue::text("two")]))];
        let keys = |way: &Way| way.last.as_ref().unwrap().routing_keys.join("+");
        let way = published(&cc, None).dies("q", Rejected, None);
        assert_eq!((keys(&way).as_str(), way.message.routing_key()), ("key+one+two", "key"));
        let way = way.dies("r", Rejected, Some("k"));
        assert_eq!((keys(&way).as_str(), way.message.routing_key()), ("k", "k"));
        let way = way.dies("s", Rejected, None);
        assert_eq!((keys(&way).as_str(), way.message.routing_key()), ("k", "k"));
        assert!(way.deaths()[0].ends_with("routing-keys=k"));
        assert!(way.deaths()[1].ends_with("routing-keys=key+one+two"));
        assert!(way.headers().get("CC").is_some(), "the header stays for consumers to see");
    }

    #[test]
    fn hidden_keys_lead_on_and_are_not_told() {
        let keys = |way: &Way| way.last.as_ref().unwrap().routing_keys.join("+");
        let mut way = published(&[], None);
        let properties = way.message.properties().to_vec();
        way.message =
            Message::build_hiding("ex", "key", &["secret", &"k".repeat(256), "more"], &properties, b"b", true);
        let way = way.dies("q", Rejected, None).dies("r", Rejected, None);
        assert_eq!((keys(&way).as_str(), way.message.hidden_keys()), ("key+secret+more", vec!["secret", "more"]));
        assert!(way.deaths().iter().all(|death| death.ends_with("routing-keys=key")));
        let way = way.dies("s", Rejected, Some("k"));
        assert_eq!((keys(&way).as_str(), way.message.hidden_keys()), ("k", vec![]));
    }

    #[test]
    fn a_letter_keeps_its_properties_but_the_expiration() {
        let headers = [("z", FieldValue::Boolean(true)), ("a", FieldValue::Boolean(false))];
        let way = published(&headers, Some("5")).dies("q", Expired, None);
        let properties = Properties::decode(way.message.properties()).unwrap();
        assert_eq!((properties.expiration, properties.delivery_mode), (None, Some(2)));
        assert_eq!(
            (way.message.exchange(), way.message.body(), way.message.is_persistent()),
            ("dlx", &b"body"[..], true)
        );
        let headers = way.headers();
        let names: Vec<&str> = headers.iter().map(|(name, _)| name).collect();
        assert!(names.is_sorted(), "{names:?}");
    }

    #[test]
    fn failures_go_along() {
        let to = DeadLetterTo { exchange: ExchangeName::new("dlx").unwrap(), routing_key: None };
        let queue = QueueName::new("q").unwrap();
        for (reason, failures, after) in
            [(Rejected, 0, 0), (Rejected, 2, 2), (DeliveryLimit, 3, 3), (Expired, 0, 0), (MaxLength, 999, 255)]
        {
            let demise = Demise { queue: &queue, reason, at_s: 1, failures };
            let letter = DeadLetter::new(&published(&[], None).message, demise, &to).unwrap();
            assert_eq!(letter.message.provenance().failures, after, "{reason:?} after {failures}");
        }
    }

    #[test]
    fn a_cycle_ends_unless_somebody_rejected_in_it() {
        type Case<'a> = (&'a [(&'a str, DropReason)], &'a str, bool);
        let cases: &[Case<'_>] = &[
            (&[("a", Expired)], "b", false),
            (&[("a", Expired)], "a", true),
            (&[("a", MaxLength)], "a", true),
            (&[("a", DeliveryLimit)], "a", true),
            (&[("a", Rejected)], "a", false),
            (&[("a", Expired), ("b", Expired)], "a", true),
            (&[("a", Rejected), ("b", Expired)], "a", false),
            (&[("a", Expired), ("b", Rejected)], "a", false),
            (&[("a", Rejected), ("b", Expired), ("c", Expired)], "b", true),
            (&[("a", Expired), ("b", Expired)], "c", false),
        ];
        for (deaths, target, closes) in cases {
            let mut way = published(&[], None);
            for (queue, reason) in *deaths {
                way = way.dies(queue, *reason, None);
            }
            assert_eq!(way.last.unwrap().closes_cycle(target), *closes, "{deaths:?} into {target}");
        }
    }

    #[test]
    fn a_key_no_message_can_have_leads_nowhere() {
        let to = DeadLetterTo { exchange: ExchangeName::new("dlx").unwrap(), routing_key: Some("k".repeat(256)) };
        let queue = QueueName::new("q").unwrap();
        let demise = Demise { queue: &queue, reason: Rejected, at_s: 1, failures: 0 };
        assert!(DeadLetter::new(&published(&[], None).message, demise, &to).is_none());
    }
}
