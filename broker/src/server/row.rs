//! Declarations and bindings that a client sends one behind the other without waiting: they go to the vhost as one
//! request and are answered in order, each once it is durable.

use super::session::{Session, Standing};
use crate::amqp091::encode;
use crate::amqp091::frame;
use crate::amqp091::method::Method;
use crate::domain::name::strip_line_breaks;
use crate::domain::reply_to::DIRECT_REPLY_TO;
use crate::facade::{DeclareQueue, Put};
use crate::runtime::vhost::{RowDone, RowRequest};

/// Requests of one row; what comes behind them is the next.
const ROW_REQUESTS_MAX: usize = 256;

const QUEUE_DECLARE: (u16, u16) = (50, 10);
const QUEUE_BIND: (u16, u16) = (50, 20);

/// Where a row ended.
pub(super) struct Taken {
    /// Where the next frame starts.
    pub(super) next: usize,
    /// How many frames it was.
    pub(super) frames: u64,
}

/// A request, and what its answer needs.
struct Asked {
    ids: (u16, u16),
    nowait: bool,
    end: usize,
}

impl Session {
    /// Takes the requests of an open channel that lie at `at`, if they are more than one.
    pub(super) async fn take_row(&mut self, chunk: &[u8], at: usize, number: u16) -> Option<Taken> {
        let (requests, asked) = self.gather_row(chunk, at, number);
        if requests.len() < 2 {
            return None;
        }
        // What the client published or settled before comes before what it asks now.
        self.flush().await;
        self.touch(number);
        let (done, refused) = match self.vhost_handle.row(&self.caller, requests).await {
            Ok(row) => (row.done, row.refused),
            Err(error) => (Vec::new(), Some(error)),
        };
        let answered = done.len();
        for (done, asked) in done.into_iter().zip(&asked) {
            match done {
                RowDone::Declared(declared) => {
                    let totals = match declared.put {
                        Put::Existed => declared.queue.touch().await,
                        Put::Created => declared.queue.totals(),
                    };
                    let name = declared.queue.spec().name.clone();
                    self.declared(number, name, totals.ready, totals.consumers, asked.nowait);
                }
                RowDone::Bound if asked.nowait => {}
                RowDone::Bound => encode::bare(&mut self.output.bytes, number, 50, 21),
            }
        }
        let mut frames = answered;
        if let Some((error, asked)) = refused.zip(asked.get(answered)) {
            frames += 1;
            self.fail(number, &error.into(), asked.ids).await;
        }
        self.refresh();
        let next = asked.get(frames.checked_sub(1)?)?.end;
        Some(Taken { next, frames: frames as u64 })
    }

    /// The open channel on which a row may start here.
    pub(super) fn starts_row(&self, bytes: &[u8]) -> Option<u16> {
        let number = u16::from_be_bytes([*bytes.get(1)?, *bytes.get(2)?]);
        if bytes[0] != frame::METHOD || !is_wanted(bytes.get(7..)?) || self.standing != Standing::Open {
            return None;
        }
        let open = self.channels.get(&number).is_some_and(|channel| !channel.closing && channel.gathering.is_none());
        open.then_some(number)
    }

    /// The requests of one channel that lie one behind the other. Those that depend on an answer, or are refused
    /// before the vhost is asked, end the row.
    fn gather_row(&self, chunk: &[u8], mut at: usize, number: u16) -> (Vec<RowRequest>, Vec<Asked>) {
        let (mut requests, mut asked) = (Vec::new(), Vec::new());
        while requests.len() < ROW_REQUESTS_MAX
            && let Ok(Some(found)) = frame::read(&chunk[at..], self.tuned.frame_max)
            && found.kind == frame::METHOD
            && found.channel == number
            && is_wanted(found.payload)
            && let Ok(method) = Method::decode(found.payload)
            && let Some((request, nowait)) = self.row_request(number, method)
        {
            at += found.payload.len() + frame::OVERHEAD_BYTES;
            requests.push(request);
            asked.push(Asked { ids: Method::ids_of(found.payload), nowait, end: at });
        }
        (requests, asked)
    }

    fn row_request(&self, number: u16, method: Method<'_>) -> Option<(RowRequest, bool)> {
        match method {
            Method::QueueDeclare {
                queue, passive: false, durable, exclusive, auto_delete, nowait, arguments, ..
            } if !strip_line_breaks(queue).starts_with(DIRECT_REPLY_TO) => {
                let declare = DeclareQueue { name: queue.to_owned(), durable, exclusive, auto_delete, arguments };
                Some((RowRequest::DeclareQueue(declare), nowait))
            }
            Method::QueueBind { queue, exchange, routing_key, nowait, arguments, .. } if !queue.is_empty() => {
                let binding = self.queue_binding(number, queue, exchange, routing_key, arguments).ok()?;
                Some((RowRequest::Bind(binding), nowait))
            }
            _ => None,
        }
    }
}

/// Whether a method's payload is one of those that make a row.
fn is_wanted(payload: &[u8]) -> bool {
    payload.len() >= 4 && matches!(Method::ids_of(payload), QUEUE_DECLARE | QUEUE_BIND)
}
