//! The owner of resource alarms: one task that measures memory and disk, listens to what
//! storage says of itself, and publishes an immutable picture of limits, measures and verdict.
//!
//! It does not know connections: whoever must hear of a change is told through a function.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot, watch};

use crate::domain::alarm::{Limits, Sample, StorageState, Verdict, Watermark, decide, next_sample_ms};
use crate::error::Error;
use crate::storage::LogHealth;

/// Changes of limits that may wait. They come from operators.
const REQUESTS_MAX: usize = 16;

/// Measures memory and disk; storage is asked elsewhere. May block, so it runs beside the tasks.
pub(crate) type Probe = Arc<dyn Fn() -> Sample + Send + Sync>;

/// Hears that resources became scarce or are plenty again, after the picture was published.
pub(crate) type OnChange = Box<dyn Fn(&AlarmPicture) + Send>;

/// Limits, measures and what follows from them, at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AlarmPicture {
    pub(crate) limits: Limits,
    pub(crate) sample: Sample,
    pub(crate) verdict: Verdict,
}

impl AlarmPicture {
    /// Measures now and decides.
    pub(crate) fn take(limits: Limits, sample: Sample) -> Self {
        let verdict = decide(&limits, &sample);
        Self { limits, sample, verdict }
    }
}

/// A change of limits; `None` leaves one as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ChangeLimits {
    /// Where the memory alarm starts.
    pub memory: Option<Watermark>,
    /// Where the disk alarm starts. Has no effect while free disk space is not looked at.
    pub disk: Option<Watermark>,
    /// Whether free disk space is looked at.
    pub disk_monitored: Option<bool>,
}

impl ChangeLimits {
    /// The limits after the change.
    fn apply(self, limits: Limits) -> Limits {
        let disk_monitored = self.disk_monitored.unwrap_or(limits.disk_monitored);
        // The reference takes no disk limit while it does not look.
        let disk = self.disk.filter(|_| disk_monitored).unwrap_or(limits.disk);
        Limits { memory: self.memory.unwrap_or(limits.memory), disk, disk_monitored }
    }
}

struct Request {
    change: ChangeLimits,
    /// Answered when the alarms that follow are in force.
    reply: oneshot::Sender<()>,
}

/// Asks the owner, reads its picture. The owner ends when every handle is gone.
#[derive(Clone)]
pub(crate) struct AlarmsHandle {
    picture: Arc<ArcSwap<AlarmPicture>>,
    requests: mpsc::Sender<Request>,
}

struct Owner {
    limits: Limits,
    probe: Probe,
    health: watch::Receiver<LogHealth>,
    picture: Arc<ArcSwap<AlarmPicture>>,
    on_change: OnChange,
}

impl AlarmsHandle {
    /// Takes the first sample, and starts the owner.
    pub(crate) async fn start(
        limits: Limits,
        probe: Probe,
        mut health: watch::Receiver<LogHealth>,
        on_change: OnChange,
    ) -> Self {
        let sample = measure(&probe, &mut health).await.unwrap_or_default();
        let first = AlarmPicture::take(limits, sample);
        tell_log(&Verdict::default(), &first.verdict);
        let picture = Arc::new(ArcSwap::from_pointee(first));
        let (requests, mailbox) = mpsc::channel(REQUESTS_MAX);
        let owner = Owner { limits, probe, health, picture: picture.clone(), on_change };
        tokio::spawn(owner.run(mailbox));
        Self { picture, requests }
    }

    /// Limits, measures and alarms as they are.
    pub(crate) fn picture(&self) -> Arc<AlarmPicture> {
        self.picture.load_full()
    }

    /// Changes limits; resolves when the alarms that follow are in force.
    ///
    /// # Errors
    /// `Unavailable` when the application has stopped.
    pub(crate) async fn change(&self, change: ChangeLimits) -> Result<(), Error> {
        let gone = || Error::Unavailable("the application has stopped".to_owned());
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request { change, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }
}

impl Owner {
    async fn run(mut self, mut mailbox: mpsc::Receiver<Request>) {
        let mut storage_tells = true;
        loop {
            let picture = self.picture.load();
            let pause = next_sample_ms(&picture.verdict, &picture.sample, self.limits.disk_monitored);
            drop(picture);
            let reply = tokio::select! {
                request = mailbox.recv() => {
                    let Some(Request { change, reply }) = request else { return };
                    self.limits = change.apply(self.limits);
                    tracing::info!(limits = ?self.limits, "resource limits set");
                    Some(reply)
                }
                changed = self.health.changed(), if storage_tells => {
                    storage_tells = changed.is_ok();
                    None
                }
                () = tokio::time::sleep(Duration::from_millis(pause)) => None,
            };
            self.look().await;
            if let Some(reply) = reply {
                let _ = reply.send(());
            }
        }
    }

    /// Measures, publishes, and tells of a change.
    async fn look(&mut self) {
        let before = self.picture.load_full();
        // A measurement that could not be taken leaves the last one; limits still count.
        let sample = measure(&self.probe, &mut self.health).await.unwrap_or_else(|| before.sample.clone());
        let after = Arc::new(AlarmPicture::take(self.limits, sample));
        self.picture.store(after.clone());
        if before.verdict.scarce() != after.verdict.scarce() {
            tell_log(&before.verdict, &after.verdict);
            (self.on_change)(&after);
        }
    }
}

async fn measure(probe: &Probe, health: &mut watch::Receiver<LogHealth>) -> Option<Sample> {
    let probe = probe.clone();
    let measured = tokio::task::spawn_blocking(move || probe()).await;
    let storage = match &*health.borrow_and_update() {
        LogHealth::Well => StorageState::Well,
        LogHealth::DiskFull(why) => StorageState::DiskFull(why.clone()),
        LogHealth::Failed(why) => StorageState::Failed(why.clone()),
    };
    match measured {
        Ok(sample) => Some(Sample { storage, ..sample }),
        Err(error) => {
            tracing::error!("memory and disk could not be measured: {error}");
            None
        }
    }
}

/// Alarms set and cleared, one line each.
fn tell_log(before: &Verdict, after: &Verdict) {
    for cause in &after.causes {
        let resource = cause.resource();
        if !before.is_scarce(resource) {
            tracing::warn!("{} alarm set, publishers are blocked until it clears: {cause}", resource.name());
        }
    }
    for resource in before.scarce() {
        if !after.is_scarce(resource) {
            tracing::warn!("{} alarm cleared", resource.name());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alarm::Scarce;
    use std::sync::Mutex;

    /// Memory and disk that a test sets, and what the owner told.
    struct World {
        sample: Arc<Mutex<Sample>>,
        health: watch::Sender<LogHealth>,
        told: mpsc::UnboundedReceiver<Vec<Scarce>>,
        alarms: AlarmsHandle,
    }

    async fn world() -> World {
        let plenty = Sample { memory_total: 1000, memory_used: 100, disk_free: Some(1000), ..Sample::default() };
        let sample = Arc::new(Mutex::new(plenty));
        let measured = sample.clone();
        let probe: Probe = Arc::new(move || measured.lock().unwrap().clone());
        let (health, watched) = watch::channel(LogHealth::Well);
        let (tell, told) = mpsc::unbounded_channel();
        let on_change = Box::new(move |picture: &AlarmPicture| {
            let _ = tell.send(picture.verdict.scarce());
        });
        let limits = Limits { memory: Watermark::Relative(0.5), disk: Watermark::Absolute(50), disk_monitored: true };
        let alarms = AlarmsHandle::start(limits, probe, watched, on_change).await;
        World { sample, health, told, alarms }
    }

    #[tokio::test]
    async fn a_measure_beyond_its_limit_is_told_once_and_taken_back() {
        let mut world = world().await;
        assert!(!world.alarms.picture().verdict.is_alarmed());
        world.sample.lock().unwrap().memory_used = 501;
        assert_eq!(world.told.recv().await.unwrap(), [Scarce::Memory]);
        assert_eq!(world.alarms.picture().verdict.memory_limit, 500);
        world.sample.lock().unwrap().memory_used = 499;
        assert_eq!(world.told.recv().await.unwrap(), []);
        assert!(!world.alarms.picture().verdict.is_alarmed());
    }

    #[tokio::test]
    async fn a_change_of_limits_is_in_force_when_it_is_answered() {
        let world = world().await;
        let change = |disk| ChangeLimits { disk: Some(Watermark::Absolute(disk)), ..ChangeLimits::default() };
        world.alarms.change(change(1001)).await.unwrap();
        assert_eq!(world.alarms.picture().verdict.scarce(), [Scarce::Disk]);
        let off = ChangeLimits { disk_monitored: Some(false), ..change(7) };
        world.alarms.change(off).await.unwrap();
        assert!(!world.alarms.picture().verdict.is_alarmed());
        // Nothing was looked at, so the limit was not taken either.
        let on = ChangeLimits { disk_monitored: Some(true), ..ChangeLimits::default() };
        world.alarms.change(on).await.unwrap();
        assert_eq!(world.alarms.picture().verdict.disk_limit, 1001);
        world.alarms.change(change(1000)).await.unwrap();
        assert!(!world.alarms.picture().verdict.is_alarmed());
    }

    #[tokio::test]
    async fn storage_that_fails_raises_an_alarm_at_once() {
        let mut world = world().await;
        world.health.send_replace(LogHealth::Failed("sync: I/O error".into()));
        assert_eq!(world.told.recv().await.unwrap(), [Scarce::Storage]);
        assert_eq!(world.alarms.picture().verdict.blocked_reason(), "storage failed: sync: I/O error");
        world.health.send_replace(LogHealth::DiskFull("no space".into()));
        assert_eq!(world.told.recv().await.unwrap(), [Scarce::Disk]);
        // The owner goes on without storage's reports, and keeps the last one.
        drop(world.health);
        world.alarms.change(ChangeLimits::default()).await.unwrap();
        assert_eq!(world.alarms.picture().verdict.scarce(), [Scarce::Disk]);
    }
}
