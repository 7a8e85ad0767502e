//! What callers ask of the journal, and who waits for which answer.
//!
//! Owns the vocabulary between the mailbox and the journal's thread.

use std::ops::RangeInclusive;

use tokio::sync::oneshot;

use super::disk::SegmentId;
use super::large::LargeDone;
use crate::storage::{LogBatch, LogId, LogRecord, LogSummary, Position, ReadLimit, StorageError};

/// Where the answer to a request goes.
pub type Reply<T> = oneshot::Sender<Result<T, StorageError>>;

/// What the journal is asked, in order.
#[derive(Debug)]
pub enum Request {
    /// Adds records to a log.
    Append(LogId, Vec<LogRecord>, Reply<()>),
    /// An append that broke the rules of a log.
    Invalid(Reply<()>),
    /// Removes ranges of positions.
    Remove(LogId, Vec<RangeInclusive<Position>>),
    /// Forgets a log.
    Delete(LogId, Reply<()>),
    /// Sums a log up.
    Open(LogId, Reply<LogSummary>),
    /// Reads records of a log.
    Read(Read),
    /// Records that could not be read back, with the segments they lie in.
    Damaged(LogId, Vec<(SegmentId, Position)>),
    /// Names the logs with records.
    Logs(Reply<Vec<LogId>>),
    /// A large record was written.
    Written(Box<LargeDone>),
    /// Only waits for what was handed over before.
    Sync(Reply<()>),
    /// Ends the journal.
    Close(Reply<()>),
}

/// What to read, and for whom.
#[derive(Debug)]
pub struct Read {
    /// The log.
    pub log: LogId,
    /// Its positions, in order.
    pub ranges: Vec<RangeInclusive<Position>>,
    /// Where to go on behind them, when that is known already.
    pub rest: Option<Position>,
    /// How much of them.
    pub limit: ReadLimit,
    /// Who waits.
    pub reply: Reply<LogBatch>,
}

/// A request's answer, given when its group is durable.
#[derive(Debug)]
pub enum Answer {
    /// It is done.
    Done(Reply<()>),
    /// It broke a rule, nothing was done.
    Invalid(Reply<()>),
    /// What is in the log.
    Open(LogId, Reply<LogSummary>),
    /// Records of the log.
    Read(Read),
    /// The logs with records.
    Logs(Reply<Vec<LogId>>),
    /// Everything before is durable.
    Synced(Reply<()>),
    /// The journal has ended.
    Closed(Reply<()>),
}

impl Request {
    /// The log it is about.
    #[must_use]
    pub fn log(&self) -> Option<LogId> {
        match self {
            Self::Append(log, ..)
            | Self::Remove(log, _)
            | Self::Delete(log, _)
            | Self::Open(log, _)
            | Self::Damaged(log, _) => Some(*log),
            Self::Read(read) => Some(read.log),
            Self::Invalid(_) | Self::Logs(_) | Self::Written(_) | Self::Sync(_) | Self::Close(_) => None,
        }
    }

    /// Who waits for it, if anyone does.
    #[must_use]
    pub fn into_answer(self) -> Option<Answer> {
        match self {
            Self::Append(_, _, reply) | Self::Delete(_, reply) => Some(Answer::Done(reply)),
            Self::Sync(reply) => Some(Answer::Synced(reply)),
            Self::Invalid(reply) => Some(Answer::Invalid(reply)),
            Self::Open(log, reply) => Some(Answer::Open(log, reply)),
            Self::Logs(reply) => Some(Answer::Logs(reply)),
            Self::Close(reply) => Some(Answer::Closed(reply)),
            Self::Read(read) => Some(Answer::Read(read)),
            Self::Remove(..) | Self::Damaged(..) | Self::Written(_) => None,
        }
    }

    /// Takes the reply of an append away: it is answered otherwise.
    pub fn take_reply(&mut self) -> Option<Reply<()>> {
        match std::mem::replace(self, Self::Remove(LogId(0), Vec::new())) {
            Self::Append(_, _, reply) => Some(reply),
            other => {
                *self = other;
                None
            }
        }
    }

    /// Turns an append into one that broke a rule.
    pub fn invalidate(&mut self) {
        *self = match std::mem::replace(self, Self::Remove(LogId(0), Vec::new())) {
            Self::Append(_, _, reply) => Self::Invalid(reply),
            other => other,
        };
    }
}

impl Answer {
    /// Tells whoever waits that it failed.
    pub fn refuse(self, error: &StorageError) {
        let error = error.clone();
        match self {
            Self::Done(reply) | Self::Invalid(reply) | Self::Synced(reply) | Self::Closed(reply) => {
                drop(reply.send(Err(error)));
            }
            Self::Open(_, reply) => drop(reply.send(Err(error))),
            Self::Read(read) => drop(read.reply.send(Err(error))),
            Self::Logs(reply) => drop(reply.send(Err(error))),
        }
    }
}
