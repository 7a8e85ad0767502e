//! The exchange of events: there as long as events are told, and no client's to delete.

use super::owner::Owner;
use crate::domain::event::EVENT_EXCHANGE;
use crate::domain::exchange::{Exchange, ExchangeKind, INTERNAL_USER};
use crate::domain::name::{ExchangeName, UserName};
use crate::domain::value::FieldTable;
use crate::error::Error;

impl Owner {
    /// Declares the exchange, or deletes it with its bindings.
    pub(super) fn provide_event_exchange(&mut self, wanted: bool) -> Result<(), Error> {
        let exists = self.topology.exchange(EVENT_EXCHANGE).is_some();
        match (wanted, exists) {
            (true, false) => {
                let internal = |error| Error::Internal(format!("{error}"));
                let node = UserName::new(INTERNAL_USER).map_err(internal)?;
                let exchange = Exchange {
                    name: ExchangeName::new(EVENT_EXCHANGE).map_err(internal)?,
                    kind: ExchangeKind::Topic,
                    durable: true,
                    auto_delete: false,
                    internal: true,
                    arguments: FieldTable::new(),
                    declared_by: node.clone(),
                };
                self.add_exchange(exchange, &node)
            }
            (false, true) => {
                let removed = self.topology.remove_exchange(EVENT_EXCHANGE);
                self.record_removed(&removed, INTERNAL_USER)
            }
            (true, true) | (false, false) => Ok(()),
        }
    }
}
