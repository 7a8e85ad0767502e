//! When rounds of sampling are: at every multiple of the interval, while the application runs.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use broker::storage::BoxFuture;
use broker::{AppService, Broker, Error, Listener};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Statistics;

/// Samples while the application runs. What was sampled is forgotten when it stops: the
/// counters begin again with it.
pub struct StatisticsService {
    statistics: Statistics,
    /// What runs now. A leaf lock, never held over an await.
    running: Mutex<Option<Running>>,
}

struct Running {
    stop: watch::Sender<bool>,
    sampling: JoinHandle<()>,
}

impl StatisticsService {
    /// The service that fills these statistics.
    #[must_use]
    pub fn new(statistics: Statistics) -> Self {
        Self { statistics, running: Mutex::new(None) }
    }

    fn open(&self, broker: Broker) {
        if self.statistics.settings().disabled {
            return;
        }
        let (stop, stopping) = watch::channel(false);
        let sampling = tokio::spawn(sample(self.statistics.clone(), broker, stopping));
        self.running.lock().unwrap_or_else(PoisonError::into_inner).replace(Running { stop, sampling });
    }

    async fn close(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Running { stop, sampling }) = running {
            stop.send_replace(true);
            let _ = sampling.await;
        }
        self.statistics.clear();
    }
}

/// The wall clock as it was at the start, going on by itself: a clock that is set does not
/// make samples stand before those that were taken earlier.
struct Clock {
    started: Instant,
    started_at: Duration,
}

impl Clock {
    fn new() -> Self {
        let started_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), started_at }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from((self.started_at + self.started.elapsed()).as_millis()).unwrap_or(u64::MAX)
    }
}

async fn sample(statistics: Statistics, broker: Broker, mut stop: watch::Receiver<bool>) {
    let clock = Clock::new();
    let interval_ms = u64::from(statistics.settings().interval_ms.max(1));
    loop {
        // Not on a thread that serves: with many objects a round takes milliseconds.
        let (statistics, broker, now_ms) = (statistics.clone(), broker.clone(), clock.now_ms());
        let round = tokio::task::spawn_blocking(move || statistics.sample(&broker, now_ms));
        if let Err(error) = round.await {
            tracing::error!(%error, "statistics end: a round of sampling failed");
            return;
        }
        let now_ms = clock.now_ms();
        let wait = Duration::from_millis(interval_ms - now_ms % interval_ms);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

impl AppService for StatisticsService {
    fn start(&self, broker: Broker) -> BoxFuture<'_, Result<Vec<Listener>, Error>> {
        self.open(broker);
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.close())
    }
}
