//! How the counters of one object run, for listings that say one field after the other.

use broker::domain::exchange::ExchangeId;
use broker::domain::queue::{ConnectionId, QueueId};
use openapi::statistics::Details;

use super::kinds::HAPPENINGS;
use super::{QueueDetails, Ranges, RatesMode, Statistics};

impl Statistics {
    /// How the counters of a queue run; all at rest when it is not known yet.
    pub(crate) fn queue(&self, queue: QueueId, ranges: &Ranges) -> QueueDetails {
        let details = {
            let store = self.lock();
            store.read(&store.queues, &queue, &store.basic, ranges)
        };
        let [messages_ready, messages_unacknowledged, messages, happened @ ..] = details;
        QueueDetails {
            messages_ready,
            messages_unacknowledged,
            messages,
            happened: self.keeps_messages().then_some(happened),
        }
    }

    /// How bytes read and written by a connection run.
    pub(crate) fn connection(&self, connection: ConnectionId, ranges: &Ranges) -> [Details; 2] {
        let store = self.lock();
        store.read(&store.connections, &connection, &store.basic, ranges)
    }

    /// How messages into an exchange and out of it run; `None` when that is not kept, and not to be shown.
    pub(crate) fn exchange(&self, exchange: ExchangeId, ranges: &Ranges) -> Option<[Details; 2]> {
        self.keeps_messages().then(|| {
            let store = self.lock();
            store.read(&store.exchanges, &exchange, &store.basic, ranges)
        })
    }

    /// How what happens on a channel runs; `None` when that is not kept, and not to be shown.
    pub(crate) fn channel(
        &self,
        connection: ConnectionId,
        number: u16,
        ranges: &Ranges,
    ) -> Option<[Details; HAPPENINGS]> {
        self.keeps_messages().then(|| {
            let store = self.lock();
            store.read(&store.channels, &(connection, number), &store.basic, ranges)
        })
    }

    /// Whether what happens to messages is kept.
    fn keeps_messages(&self) -> bool {
        self.settings().rates_mode != RatesMode::None
    }
}
