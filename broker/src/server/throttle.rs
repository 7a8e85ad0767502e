//! Blocking a connection that publishes while a resource alarm is in force.
//!
//! A connection that has not published since the alarm began goes on undisturbed. One that
//! publishes is blocked at the content of that publish: its socket is no longer read until no
//! alarm is left. What it sent before goes its way, deliveries go on, and it can be closed.

use std::sync::atomic::Ordering::{AcqRel, Relaxed};

use super::session::{Session, Standing};
use crate::amqp091::encode;

/// Where a connection stands with the alarms.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    /// An alarm is in force.
    alarmed: bool,
    /// The socket is not read, and the client was told.
    blocked: bool,
}

impl Session {
    /// Whether content has to be looked at before it is taken.
    pub(super) fn is_alarmed(&self) -> bool {
        self.throttle.alarmed
    }

    /// Whether input waits until the alarms are over. A connection that is being closed
    /// is read again, because the client's agreement must be seen.
    pub(super) fn is_blocked(&self) -> bool {
        self.throttle.blocked && self.standing == Standing::Open
    }

    /// Content arrived: a publisher is at work.
    pub(super) fn content_arrived(&mut self) {
        if !self.throttle.alarmed || self.throttle.blocked {
            return;
        }
        self.throttle.blocked = true;
        let reason = self.broker.alarms().picture().verdict.blocked_reason();
        tracing::info!(connection = %self.entry.name(), reason, "connection blocked");
        // The alarm may have ended a moment ago; the event that says so is on its way.
        if self.capabilities.connection_blocked {
            encode::connection_blocked(&mut self.output.bytes, &reason);
        }
        self.entry.blocked.store(true, Relaxed);
    }

    /// Input is about to be taken. Whoever was told of an alarm and publishes then must be
    /// blocked, even when the event that says so is still on its way to this connection.
    pub(super) fn notice_alarms(&mut self) {
        if self.broker.registry().is_alarmed() != self.throttle.alarmed {
            self.alarms_changed();
        }
    }

    /// Looks which alarms are in force now.
    pub(super) fn alarms_changed(&mut self) {
        // Acquired before the picture is read: a change after it is told again.
        self.entry.alarms_to_tell.swap(false, AcqRel);
        self.throttle.alarmed = self.broker.alarms().picture().verdict.is_alarmed();
        if self.throttle.alarmed || !std::mem::take(&mut self.throttle.blocked) {
            return;
        }
        tracing::info!(connection = %self.entry.name(), "connection unblocked");
        if self.capabilities.connection_blocked {
            encode::connection_unblocked(&mut self.output.bytes);
        }
        self.entry.blocked.store(false, Relaxed);
    }
}
