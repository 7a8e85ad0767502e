//! Requests that a client sent one behind the other without waiting for answers: done in their order and recorded
//! together, so that many cost one write to the store.
//!
//! What comes behind a refusal is not done: the refusal closes the channel that asked.

use super::command::{DeclaredQueue, VhostCommand};
use super::handle::VhostHandle;
use super::owner::Owner;
use crate::domain::binding::Binding;
use crate::error::Error;
use crate::facade::{Caller, DeclareQueue, Put};

/// One of the requests.
#[derive(Debug)]
pub(crate) enum RowRequest {
    /// Declare a queue.
    DeclareQueue(DeclareQueue),
    /// Add a binding.
    Bind(Binding),
}

/// One request's answer.
#[derive(Debug)]
pub(crate) enum RowDone {
    /// The queue is there.
    Declared(DeclaredQueue),
    /// The binding is there.
    Bound,
}

/// What became of a row.
#[derive(Debug)]
pub(crate) struct Row {
    /// Answers to the first requests.
    pub(crate) done: Vec<RowDone>,
    /// Why the next one was refused.
    pub(crate) refused: Option<Error>,
}

impl VhostHandle {
    /// Does requests in order, up to the first one that is refused.
    ///
    /// # Errors
    /// When none of them could be done: the vhost is gone, or its store does not answer.
    pub(crate) async fn row(&self, caller: &Caller, requests: Vec<RowRequest>) -> Result<Row, Error> {
        self.ask(|reply| VhostCommand::Row(caller.clone(), requests, reply)).await
    }
}

impl Owner {
    pub(super) async fn row(&mut self, caller: &Caller, requests: Vec<RowRequest>) -> Row {
        let mut row = Row { done: Vec::with_capacity(requests.len()), refused: None };
        for request in requests {
            let done = match request {
                RowRequest::DeclareQueue(declare) => self.declare_queue(caller, declare).map(RowDone::Declared),
                RowRequest::Bind(binding) => self.bind_and_replay(caller, binding).await.map(|_| RowDone::Bound),
            };
            match done {
                Ok(done) => row.done.push(done),
                Err(error) => {
                    row.refused = Some(error);
                    break;
                }
            }
        }
        row
    }

    /// Adds a binding; what its source remembers goes to where it leads.
    pub(super) async fn bind_and_replay(&mut self, caller: &Caller, binding: Binding) -> Result<Put, Error> {
        let put = self.bind(caller, binding.clone())?;
        if put == Put::Created {
            self.replay(&binding).await;
        }
        Ok(put)
    }
}
