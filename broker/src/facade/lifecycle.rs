//! The owner of the application's life: one task that opens and closes everything in
//! order, one request at a time. Each stage of a stop has a deadline and says what it abandoned.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::Broker;
use super::node::{AppService, AppState, Listener, Shared};
use crate::error::Error;
use crate::server::AmqpListener;
use crate::storage::StorageError;
use crate::storage::local::LocalStorage;

/// Life-cycle requests that may wait. They come from operators, one at a time.
const REQUESTS_MAX: usize = 16;

/// Reason connections are closed with when the application stops.
const SHUTDOWN_REASON: &str = "broker forced connection closure with reason 'shutdown'";

/// Reason connections are closed with when maintenance begins.
const MAINTENANCE_REASON: &str = "Node was put into maintenance mode";

/// What the application's owner can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transition {
    StartApp,
    StopApp,
    Reset,
    Shutdown,
    SuspendListeners,
    ResumeListeners,
    Drain,
    Revive,
}

/// A request and where its answer goes.
pub(crate) struct Request {
    pub(crate) what: Transition,
    pub(crate) reply: oneshot::Sender<Result<(), Error>>,
}

struct Application {
    broker: Broker,
    /// `None` until the services are up: whoever connects finds imported definitions.
    amqp: Option<AmqpListener>,
}

struct Owner {
    shared: Arc<Shared>,
    services: Vec<Box<dyn AppService>>,
    storage: Option<LocalStorage>,
    application: Option<Application>,
}

/// Takes the data directory and starts the owner of the application's life.
///
/// # Errors
/// `Unavailable` naming what holds the directory or cannot be opened.
pub(crate) async fn start(
    shared: Arc<Shared>,
    services: Vec<Box<dyn AppService>>,
) -> Result<mpsc::Sender<Request>, Error> {
    let directory = shared.settings.data_dir.clone();
    let opened = tokio::task::spawn_blocking(move || LocalStorage::open(&directory));
    let storage = opened.await.map_err(|error| Error::Internal(error.to_string()))??;
    let (requests, mailbox) = mpsc::channel(REQUESTS_MAX);
    let owner = Owner { shared, services, storage: Some(storage), application: None };
    tokio::spawn(owner.run(mailbox));
    Ok(requests)
}

impl Owner {
    async fn run(mut self, mut mailbox: mpsc::Receiver<Request>) {
        while let Some(Request { what, reply }) = mailbox.recv().await {
            let result = match what {
                Transition::StartApp => self.start_app().await,
                Transition::StopApp => self.stop_app().await,
                Transition::Reset => self.reset().await,
                Transition::Shutdown => self.shutdown().await,
                Transition::SuspendListeners => self.suspend_listeners().await,
                Transition::ResumeListeners => self.resume_listeners().await,
                Transition::Drain => self.drain().await,
                Transition::Revive => self.revive().await,
            };
            if let Err(error) = &result {
                tracing::error!("{what:?}: {error}");
            }
            let _ = reply.send(result);
        }
        // Every node handle is gone: an abandoned node must not leave its data unsynced.
        if let Err(error) = self.shutdown().await {
            tracing::error!("shutdown: {error}");
        }
    }

    fn set_state(&self, state: AppState) {
        self.shared.state.store(state.to_u8(), Relaxed);
    }

    fn set_listeners(&self, listeners: Vec<Listener>) {
        *self.shared.listeners.lock().unwrap_or_else(PoisonError::into_inner) = listeners;
    }

    async fn start_app(&mut self) -> Result<(), Error> {
        if self.application.is_some() {
            return Ok(());
        }
        self.set_state(AppState::Booting);
        self.shared.maintenance.store(false, Relaxed);
        match self.open().await {
            Ok(()) => {
                self.set_state(AppState::Running);
                Ok(())
            }
            Err(error) => {
                let _ = self.stop_app().await;
                Err(error)
            }
        }
    }

    async fn open(&mut self) -> Result<(), Error> {
        let Some(storage) = &self.storage else {
            return Err(Error::Unavailable("the data directory has been given up".to_owned()));
        };
        for finding in &storage.findings {
            tracing::warn!(?finding, "the journal was repaired");
        }
        let (metadata, log) = (storage.metadata.clone(), storage.log.clone());
        let broker = Broker::start(self.shared.settings.clone(), metadata, log).await?;
        self.application = Some(Application { broker: broker.clone(), amqp: None });
        self.shared.broker.store(Some(Arc::new(broker.clone())));
        let mut opened = Vec::new();
        for service in &self.services {
            opened.extend(service.start(broker.clone()).await?);
        }
        let amqp = AmqpListener::start(&broker).await?;
        // AMQP first.
        let listeners = amqp.listeners().chain(opened).collect();
        self.application = Some(Application { broker, amqp: Some(amqp) });
        self.shared.listeners_suspended.store(false, Relaxed);
        self.set_listeners(listeners);
        Ok(())
    }

    fn running(&mut self) -> Result<&mut Application, Error> {
        self.application.as_mut().ok_or_else(|| Error::Unavailable("the application is stopped".to_owned()))
    }

    /// Closes the AMQP listeners; connections go on. The HTTP API stays open, because over
    /// it an operator takes the suspension back.
    async fn suspend_listeners(&mut self) -> Result<(), Error> {
        if let Some(amqp) = self.running()?.amqp.as_mut() {
            amqp.suspend().await;
        }
        self.shared.listeners_suspended.store(true, Relaxed);
        tracing::info!("AMQP listeners suspended");
        Ok(())
    }

    /// Opens them again, at the same addresses.
    async fn resume_listeners(&mut self) -> Result<(), Error> {
        let application = self.running()?;
        if let Some(amqp) = application.amqp.as_mut() {
            amqp.resume(&application.broker).await?;
        }
        self.shared.listeners_suspended.store(false, Relaxed);
        tracing::info!("AMQP listeners resumed");
        Ok(())
    }

    /// Into maintenance: nobody comes in, those inside are asked to leave.
    async fn drain(&mut self) -> Result<(), Error> {
        self.running()?;
        self.shared.maintenance.store(true, Relaxed);
        self.suspend_listeners().await?;
        self.running()?.broker.close_all_connections(MAINTENANCE_REASON);
        tracing::warn!("the node is in maintenance");
        Ok(())
    }

    async fn revive(&mut self) -> Result<(), Error> {
        self.resume_listeners().await?;
        self.shared.maintenance.store(false, Relaxed);
        tracing::warn!("the node is no longer in maintenance");
        Ok(())
    }

    async fn stop_app(&mut self) -> Result<(), Error> {
        if self.application.is_some() {
            self.close_application().await;
            self.reopen_storage(LocalStorage::reopen).await?;
        }
        self.set_state(AppState::Stopped);
        Ok(())
    }

    /// Stops accepting, ends connections, then the owners; what they handed to storage stays.
    async fn close_application(&mut self) {
        let Some(Application { broker, amqp }) = self.application.take() else { return };
        if let Some(amqp) = &amqp {
            amqp.stop_accepting();
        }
        for service in &self.services {
            service.stop().await;
        }
        self.set_listeners(Vec::new());
        broker.close_all_connections(SHUTDOWN_REASON);
        let left = match &amqp {
            Some(amqp) => amqp.drained().await,
            None => 0,
        };
        if left > 0 {
            tracing::warn!("{left} connections did not end in time and are abandoned");
        }
        self.shared.broker.store(None);
        broker.stop().await;
    }

    async fn reset(&mut self) -> Result<(), Error> {
        if self.application.is_some() {
            return Err(Error::NotAllowed("the application is running: stop it before a reset".to_owned()));
        }
        self.reopen_storage(LocalStorage::reset).await
    }

    /// Puts storage through a change of state that may fail; it stays given up when it does.
    async fn reopen_storage<F>(&mut self, change: impl FnOnce(LocalStorage) -> F) -> Result<(), Error>
    where
        F: Future<Output = Result<LocalStorage, StorageError>>,
    {
        if let Some(storage) = self.storage.take() {
            self.storage = Some(change(storage).await?);
        }
        Ok(())
    }

    async fn shutdown(&mut self) -> Result<(), Error> {
        self.close_application().await;
        self.set_state(AppState::Stopped);
        match self.storage.take() {
            Some(storage) => Ok(storage.close().await?),
            None => Ok(()),
        }
    }
}
