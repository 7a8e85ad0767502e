//! How the counters of one object run, for listings that say one field after the other.

use broker::domain::exchange::ExchangeId;
use broker::domain::queue::ConnectionId;
use openapi::statistics::Details;

use super::{Ranges, RatesMode, Statistics};

/// How what happens to messages on a channel runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ChannelHappened {
    pub(crate) publish: Details,
    pub(crate) confirm: Details,
    pub(crate) return_unroutable: Details,
    pub(crate) drop_unroutable: Details,
    pub(crate) deliver: Details,
    pub(crate) ack: Details,
    pub(crate) deliver_no_ack: Details,
    pub(crate) get: Details,
    pub(crate) get_no_ack: Details,
    pub(crate) redeliver: Details,
    pub(crate) get_empty: Details,
    pub(crate) deliver_get: Details,
}

impl Statistics {
    /// How bytes read and written by a connection run.
    pub(crate) fn connection(&self, connection: ConnectionId, ranges: &Ranges) -> [Details; 2] {
        let store = self.lock();
        store.read(&store.connections, &connection, &store.basic, ranges)
    }

    /// How messages into an exchange and out of it run; `None` when that is not kept, and not to be shown.
    pub(crate) fn exchange(&self, exchange: ExchangeId, ranges: &Ranges) -> Option<[Details; 2]> {
        if self.settings().rates_mode == RatesMode::None {
            return None;
        }
        let store = self.lock();
        Some(store.read(&store.exchanges, &exchange, &store.basic, ranges))
    }

    /// How what happens on a channel runs; `None` when that is not kept, and not to be shown.
    pub(crate) fn channel(&self, connection: ConnectionId, number: u16, ranges: &Ranges) -> Option<ChannelHappened> {
        if self.settings().rates_mode == RatesMode::None {
            return None;
        }
        let details = {
            let store = self.lock();
            store.read(&store.channels, &(connection, number), &store.basic, ranges)
        };
        let [
            publish,
            confirm,
            return_unroutable,
            drop_unroutable,
            deliver,
            ack,
            deliver_no_ack,
            get,
            get_no_ack,
            redeliver,
            get_empty,
            deliver_get,
        ] = details;
        Some(ChannelHappened {
            publish,
            confirm,
            return_unroutable,
            drop_unroutable,
            deliver,
            ack,
            deliver_no_ack,
            get,
            get_no_ack,
            redeliver,
            get_empty,
            deliver_get,
        })
    }
}
