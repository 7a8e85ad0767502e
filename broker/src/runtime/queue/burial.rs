//! The owner and its dead: what leaves unacknowledged, and what became of it.

use std::sync::Arc;

use super::lane::{Demised, Terms};
use super::notes::{Note, What};
use super::outlet::Delay;
use super::task::Owner;
use crate::domain::arguments::EffectiveArguments;
use crate::domain::queue::page::Sum;
use crate::domain::queue::state::Effects;
use crate::metrics::DeadLetterStrategy;
use crate::runtime::clock::now_ms;

/// Where a queue with these settings sends its dead letters.
pub(super) fn terms(settings: &EffectiveArguments) -> Option<Terms> {
    let to = Arc::new(settings.dead_letter_to()?);
    Some(Terms { to, must_arrive: settings.letters_must_arrive() })
}

impl Owner {
    /// Sends dropped messages on their way, or forgets them when there is none.
    pub(super) fn bury(&mut self) {
        let dropped = self.outlets.take_dropped();
        if dropped.is_empty() {
            return;
        }
        let at_ms = now_ms();
        let must_arrive = self.dead_letters.terms().map(|terms| terms.must_arrive);
        let strategy = match must_arrive {
            Some(true) => DeadLetterStrategy::AtLeastOnce,
            Some(false) => DeadLetterStrategy::AtMostOnce,
            None => DeadLetterStrategy::Disabled,
        };
        for (entry, reason) in dropped {
            self.context.traffic.message_left(self.context.spec.kind, strategy, reason);
            let Some(must_arrive) = must_arrive else {
                if entry.logged {
                    self.outlets.forget(entry.position);
                }
                continue;
            };
            let note = self.notes.as_mut().filter(|_| must_arrive && entry.logged).map(|notes| {
                let what = What::Died(reason);
                notes.write(Note {
                    position: entry.position,
                    at_ms,
                    failures: entry.failures,
                    acquired: entry.acquired,
                    what,
                })
            });
            self.dead_letters.push(entry, reason, at_ms / 1000, note);
        }
        self.count_dead();
    }

    /// Notes which messages wait and which no longer do.
    pub(super) fn note_delays(&mut self) {
        let Some(notes) = &mut self.notes else { return };
        for delay in self.outlets.take_delays() {
            match delay {
                Delay::Begun(note) => {
                    self.delay_notes.insert(note.position, notes.write(note));
                }
                Delay::Ended(position) => {
                    if let Some(note) = self.delay_notes.remove(&position) {
                        notes.erase(note);
                    }
                }
            }
        }
    }

    /// Forgets the dead that are over: others took them, or there is nowhere to send them.
    pub(super) fn buried(&mut self, over: &[Demised]) {
        for demised in over {
            if let Some(position) = demised.position {
                self.outlets.forget(position);
            }
            if let (Some(notes), Some(note)) = (&mut self.notes, demised.note) {
                notes.erase(note);
            }
        }
        self.count_dead();
    }

    /// Tells how many messages are dead and still here: they count for the length.
    pub(super) fn count_dead(&mut self) {
        self.state.set_held(self.dead());
    }

    /// Messages that are dead and still here.
    pub(super) fn dead(&self) -> Sum {
        match self.dead_letters.terms() {
            Some(terms) if terms.must_arrive => self.dead_letters.held(),
            _ => Sum::default(),
        }
    }

    /// Purges the dead as well. Answers with how many there were.
    pub(super) fn purge_dead(&mut self) -> u64 {
        if self.dead().messages == 0 {
            return 0;
        }
        let over = self.dead_letters.purge();
        self.buried(&over);
        over.len() as u64
    }

    /// What applies to dead letters has changed.
    pub(super) fn change_terms(&mut self, settings: &EffectiveArguments) {
        let over = self.dead_letters.set_terms(terms(settings));
        self.buried(&over);
    }
}
