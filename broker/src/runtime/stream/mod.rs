//! One stream: a mailbox in; log writes and deliveries out, and nothing is taken away by reading.
//!
//! To everybody else a stream is a queue: it has a [`QueueHandle`](super::queue::QueueHandle) and
//! answers the same commands. Its owner (`task`, and by subject `publishing`, `delivering`,
//! `reading`, `recovery`, `ending`) is another, since its messages stay where they are: consumers
//! are readers with an offset each, bodies live in the log, and `pages` holds what was read or
//! appended lately, once for all readers. A message is delivered when it is durable, so an offset
//! that anybody saw never stands for another message.

mod appends;
mod delivering;
mod ending;
mod pages;
mod publishing;
mod reader;
mod reading;
mod recovery;
mod segment_log;
mod task;
#[cfg(test)]
mod tests;

pub(crate) use delivering::StreamDelivery;
#[cfg(test)]
pub(crate) use segment_log::segments_of;
pub(crate) use task::spawn_stream;
