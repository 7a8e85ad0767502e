//! Statistics: how counters ran, sampled every few seconds while the application runs.
//!
//! A round (`sampler`) reads the counters of everything there is and hands them to the
//! store, which keeps a log of changes by object (`series`, `record`) as long and as closely
//! as the retention policies say (`policy`). Requests ask for rates, and for ranges of
//! samples (`range`). What is counted on which kind of object is said in `kinds`; when rounds
//! are, in `service`. Nothing here counts: counters live with the owners in the broker.

mod fill;
mod flows;
mod happened;
mod kinds;
mod policy;
mod range;
mod read;
mod record;
mod sampler;
mod series;
#[cfg(test)]
mod series_tests;
mod service;
mod store;
mod table;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openapi::statistics::Details;

pub(crate) use fill::Sampled;
pub(crate) use happened::Happened;
use kinds::QUEUE_HAPPENINGS;
pub(crate) use policy::named_ages;
pub use policy::{Policies, RETENTION_S_MAX, Retention};
pub(crate) use range::Ranges;
pub use service::StatisticsService;
use store::Store;

/// Shortest time between rounds, in milliseconds.
pub const INTERVAL_MS_MIN: u32 = 100;

/// Longest time between rounds, in milliseconds.
pub const INTERVAL_MS_MAX: u32 = 3_600_000;

/// Which rates are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RatesMode {
    /// Of every object.
    #[default]
    Basic,
    /// Of flows between objects too.
    Detailed,
    /// Nothing of what happens to messages.
    None,
}

impl RatesMode {
    /// As it is configured and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Detailed => "detailed",
            Self::None => "none",
        }
    }

    /// The mode of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Basic, Self::Detailed, Self::None].into_iter().find(|mode| mode.as_str() == name)
    }
}

/// What is sampled, and how long it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatisticsSettings {
    /// Which rates are kept.
    pub rates_mode: RatesMode,
    /// Milliseconds between rounds.
    pub interval_ms: u32,
    /// How long samples are kept.
    pub policies: Policies,
    /// Nothing is sampled, and answers show nothing that is counted.
    pub disabled: bool,
}

impl Default for StatisticsSettings {
    fn default() -> Self {
        Self { rates_mode: RatesMode::Basic, interval_ms: 5000, policies: Policies::default(), disabled: false }
    }
}

/// What was sampled. Cheap to clone; one leaf lock, held to hand over some counters or to
/// read those of one object.
#[derive(Debug, Clone)]
pub struct Statistics(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: StatisticsSettings,
    store: Mutex<Store>,
}

/// How the counters of a queue run.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct QueueDetails {
    pub(crate) messages_ready: Details,
    pub(crate) messages_unacknowledged: Details,
    pub(crate) messages: Details,
    /// What happens to messages; `None` when that is not kept, and not to be shown.
    pub(crate) happened: Option<[Details; QUEUE_HAPPENINGS]>,
}

impl Default for Statistics {
    /// Nothing sampled yet, with the settings of a node that says nothing.
    fn default() -> Self {
        Self::new(StatisticsSettings::default())
    }
}

impl Statistics {
    /// Nothing sampled yet.
    #[must_use]
    pub fn new(settings: StatisticsSettings) -> Self {
        let store = Mutex::new(Store::new(&settings.policies, u64::from(settings.interval_ms)));
        Self(Arc::new(Shared { settings, store }))
    }

    /// What is sampled, and how long it is kept.
    #[must_use]
    pub fn settings(&self) -> &StatisticsSettings {
        &self.0.settings
    }

    /// Forgets all samples; counters stay as they are.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Objects of which there are samples, and bytes of memory they take.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        let store = self.lock();
        let sizes = [
            store.queues.size(),
            store.channels.size(),
            store.connections.size(),
            store.exchanges.size(),
            store.vhosts.size(),
            store.all_vhosts.size(),
            store.node.size(),
            store.flows.size(),
        ];
        sizes.into_iter().fold((0, 0), |(objects, bytes), (more, more_bytes)| (objects + more, bytes + more_bytes))
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.0.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
