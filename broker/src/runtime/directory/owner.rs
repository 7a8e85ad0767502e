//! The owner task of the directory, and the handle through which it is asked.
//!
//! One task, one mailbox. The owner takes what has gathered in the mailbox, plans each
//! request against the picture as the ones before left it, records all changes in one
//! write, publishes the new picture and then answers. So a change that was answered is
//! durable, and whoever reads afterwards sees it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot, watch};

use super::bootstrap::{FirstBoot, INTERNAL_CLUSTER_ID, new_cluster_id};
use super::load::stored_topology;
use super::{Change, Directory, Plan};
use crate::domain::name::UserName;
use crate::error::Error;
use crate::runtime::credentials::HashingPool;
use crate::runtime::events::Events;
use crate::runtime::events::directory::of_change;
use crate::storage::{Expect, MetadataStore, StorageError, Write};

/// Requests that may wait. When the mailbox is full, whoever asks waits for room.
const MAILBOX: usize = 256;

/// Most requests that share one write.
const REQUESTS_PER_WRITE_MAX: usize = 64;

/// What a request makes of the current picture.
struct Step {
    changes: Vec<Change>,
    /// Who is said to have brought them about.
    by: UserName,
    answer: Answer,
}

type Answer = Box<dyn FnOnce(Result<(), Error>) + Send>;
type Request = Box<dyn FnOnce(&Directory) -> Step + Send>;

/// What the owner and its handles share.
struct Shared {
    picture: ArcSwap<Directory>,
    version: watch::Sender<u64>,
    /// Whether the first boot is recorded; until then the first user has no password yet.
    settled: watch::Sender<bool>,
    events: Arc<Events>,
}

/// The way to the directory: reads the picture, asks for changes.
#[derive(Clone)]
pub(crate) struct DirectoryHandle {
    shared: Arc<Shared>,
    mailbox: mpsc::Sender<Request>,
}

impl DirectoryHandle {
    /// Loads the directory and starts its owner. On an empty store the first user and
    /// vhost are there at once; hashing the password and recording both goes on behind,
    /// so that a slow hash does not delay the start, and [`Self::settled`] waits for it.
    ///
    /// # Errors
    /// `Unavailable` naming what could not be read.
    pub(crate) async fn start(
        store: Arc<dyn MetadataStore>,
        first_boot: FirstBoot,
        hashing: HashingPool,
        events: Arc<Events>,
    ) -> Result<Self, Error> {
        let mut directory = Directory::load(&*store).await?;
        // A node that is provisioned from elsewhere can be empty of users for many boots.
        let known = directory.global_parameters.get(INTERNAL_CLUSTER_ID).and_then(|id| id.as_str());
        let cluster_id = known.map_or_else(new_cluster_id, |id| Ok(id.to_owned()))?;
        let virgin = directory.is_virgin();
        if virgin {
            directory.apply(&first_boot.changes(None, &cluster_id));
        }
        let shared = Arc::new(Shared {
            picture: ArcSwap::from_pointee(directory),
            version: watch::Sender::new(0),
            settled: watch::Sender::new(!virgin),
            events,
        });
        let (mailbox, requests) = mpsc::channel(MAILBOX);
        let owner = Owner { shared: shared.clone(), store, first_boot, cluster_id, hashing, stale: false };
        tokio::spawn(owner.run(requests));
        Ok(Self { shared, mailbox })
    }

    /// The current picture.
    pub(crate) fn snapshot(&self) -> Arc<Directory> {
        self.shared.picture.load_full()
    }

    /// Tells of every new version. Who reacts keeps the picture it last acted on and asks
    /// [`Directory::changes_since`]: versions may be skipped, changes are not.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.shared.version.subscribe()
    }

    /// Resolves when the first boot, if this is one, is recorded.
    pub(crate) async fn settled(&self) {
        let mut settled = self.shared.settled.subscribe();
        // The sender lives in `shared`, which `self` holds.
        let _ = settled.wait_for(|settled| *settled).await;
    }

    /// Where changes are told.
    pub(crate) fn events(&self) -> &Arc<Events> {
        &self.shared.events
    }

    /// Plans a change against the current picture, and resolves when it is durable and
    /// published. A refused plan changes nothing. `by`: who is said to have brought it about.
    ///
    /// # Errors
    /// What the plan answers, or `Unavailable`.
    pub(crate) async fn change<T, P>(&self, by: UserName, plan: P) -> Result<T, Error>
    where
        T: Send + 'static,
        P: FnOnce(&Directory) -> Result<Plan<T>, Error> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        // Who asked may have gone; then nobody needs the answer.
        let request: Request = Box::new(move |directory| match plan(directory) {
            Ok(Plan { changes, outcome }) => {
                Step { changes, by, answer: Box::new(move |recorded| drop(sender.send(recorded.map(|()| outcome)))) }
            }
            Err(error) => Step { changes: Vec::new(), by, answer: Box::new(move |_| drop(sender.send(Err(error)))) },
        });
        let stopped = || Error::Unavailable("the broker is stopping".into());
        self.mailbox.send(request).await.map_err(|_| stopped())?;
        receiver.await.map_err(|_| stopped())?
    }
}

struct Owner {
    shared: Arc<Shared>,
    store: Arc<dyn MetadataStore>,
    first_boot: FirstBoot,
    cluster_id: String,
    hashing: HashingPool,
    /// A write failed half-way: the store may hold more than the picture.
    stale: bool,
}

impl Owner {
    /// Serves until every handle is gone.
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        if !*self.shared.settled.borrow()
            && let Err(error) = self.record_first_boot().await
        {
            tracing::error!(%error, "the first user and virtual host could not be recorded");
        }
        while let Some(first) = requests.recv().await {
            let mut batch = vec![first];
            while batch.len() < REQUESTS_PER_WRITE_MAX
                && let Ok(next) = requests.try_recv()
            {
                batch.push(next);
            }
            self.serve(batch).await;
        }
    }

    async fn serve(&mut self, batch: Vec<Request>) {
        let current = match self.current().await {
            Ok(current) => current,
            Err(error) => {
                let error = Error::from(error);
                for request in batch {
                    // The request decides what to answer; the picture it sees is the last one published.
                    (request(&self.shared.picture.load()).answer)(Err(error.clone()));
                }
                return;
            }
        };
        let mut next = Directory::clone(&current);
        let (mut writes, mut answers, mut changed) = (Vec::new(), Vec::new(), false);
        let (events, mut told) = (self.shared.events.clone(), Vec::new());
        for request in batch {
            let Step { changes, by, answer } = request(&next);
            match self.writes(&changes).await {
                Ok(more) => {
                    writes.extend(more);
                    changed |= !changes.is_empty();
                    if events.is_on() {
                        let of_change = |change| of_change(events.node(), &next, change, by.as_str());
                        told.extend(changes.iter().flat_map(of_change));
                    }
                    next.apply(&changes);
                    answers.push(answer);
                }
                Err(error) => answer(Err(error)),
            }
        }
        let recorded = if writes.is_empty() { Ok(()) } else { self.record(writes).await };
        if recorded.is_ok() && changed {
            self.publish(next);
            events.tell_all(told);
        }
        for answer in answers {
            answer(recorded.clone());
        }
    }

    /// The published picture, after a failed write read anew.
    async fn current(&mut self) -> Result<Arc<Directory>, StorageError> {
        if self.stale {
            let mut directory = Directory::load(&*self.store).await?;
            directory.continue_from(&self.shared.picture.load());
            self.publish(directory);
            self.stale = false;
        }
        if !*self.shared.settled.borrow() {
            self.record_first_boot().await.map_err(|error| StorageError::Unavailable(error.to_string()))?;
        }
        Ok(self.shared.picture.load_full())
    }

    async fn record_first_boot(&mut self) -> Result<(), Error> {
        let FirstBoot { password, hashing, is_provisioned, .. } = self.first_boot.clone();
        let password = if is_provisioned { None } else { Some(self.hashing.hash(hashing, password).await?) };
        let changes = self.first_boot.changes(password, &self.cluster_id);
        let writes = self.writes(&changes).await?;
        self.record(writes).await?;
        let mut next = Directory::clone(&self.shared.picture.load());
        next.apply(&changes);
        self.publish(next);
        self.shared.settled.send_replace(true);
        Ok(())
    }

    async fn writes(&self, changes: &[Change]) -> Result<Vec<Write>, Error> {
        let mut writes = Vec::with_capacity(changes.len());
        for change in changes {
            if let Change::SweepTopology(vhost) = change {
                let stored = stored_topology(&*self.store, vhost).await?;
                writes.extend(stored.into_iter().map(|entry| Write {
                    key: entry.key,
                    value: None,
                    expect: Expect::Any,
                }));
            }
            writes.extend(change.write()?);
        }
        Ok(writes)
    }

    async fn record(&mut self, writes: Vec<Write>) -> Result<(), Error> {
        self.store.write(writes).await.map(drop).map_err(|error| {
            tracing::error!(%error, "a change of users, virtual hosts or policies was not recorded");
            self.stale = true;
            Error::from(error)
        })
    }

    fn publish(&self, mut next: Directory) {
        next.version = self.shared.picture.load().version + 1;
        let version = next.version;
        self.shared.picture.store(Arc::new(next));
        self.shared.version.send_replace(version);
    }
}

impl Directory {
    /// Takes over what a picture read from the store cannot know: the version, when things
    /// were created, and what is not stored.
    fn continue_from(&mut self, older: &Self) {
        self.version = older.version;
        let births = older.version + 1;
        self.user_births = self
            .users
            .keys()
            .map(|name| (name.clone(), older.user_births.get(name).copied().unwrap_or(births)))
            .collect();
        self.vhost_births = self
            .vhosts
            .keys()
            .map(|name| (name.clone(), older.vhost_births.get(name).copied().unwrap_or(births)))
            .collect();
        for (name, vhost) in older.vhosts.iter().filter(|(_, vhost)| vhost.tracing) {
            if let Some(read) = self.vhosts.get(name) {
                let traced = crate::domain::vhost::Vhost { tracing: vhost.tracing, ..(**read).clone() };
                self.vhosts.insert(name.clone(), Arc::new(traced));
            }
        }
    }
}
