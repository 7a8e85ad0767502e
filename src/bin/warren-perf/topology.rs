//! Declares, empties, counts and deletes what a run needs on the broker.

use crate::connection::{CHANNEL, Connection};
use crate::error::PerfError;
use crate::options::{ExchangeKind, Options, QueueKind};
use crate::plan::Plan;
use crate::wire::encode::Table;
use crate::wire::{Encode, ShortString, method};

/// Bits of `exchange.declare` and `queue.declare`.
const PASSIVE: u8 = 1;
const DURABLE: u8 = 1 << 1;
const EXCLUSIVE: u8 = 1 << 2;

/// Bindings sent before an answer is waited for: a server that is slow with each must not look as if it had stalled.
const BINDINGS_UNANSWERED_MAX: usize = 250;

/// Declares the exchange and, unless they are exclusive, the queues with their bindings.
///
/// Returns how many messages each queue holds: with publishers that must be none, or they are purged when asked for.
pub fn declare(connection: &mut Connection, plan: &Plan, options: &Options) -> Result<Vec<u64>, PerfError> {
    if options.exchange_kind != ExchangeKind::Default {
        let kind = ShortString::try_from(options.exchange_kind.as_str().to_owned()).unwrap_or_default();
        let args = |args: &mut Vec<u8>| {
            args.extend_from_slice(&[0, 0]);
            args.put_short(&plan.exchange);
            args.put_short(&kind);
            args.push(DURABLE);
            args.put_table(&Table::new());
        };
        connection.call(method::EXCHANGE_DECLARE, method::EXCHANGE_DECLARE_OK, args, |_| Ok(()))?;
    }
    if options.queue_kind == QueueKind::Exclusive {
        return Ok(vec![0; plan.queues.len()]);
    }
    let declare = |queue| declare_queue(connection, plan, options, queue);
    let held = (0..plan.queues.len()).map(declare).collect::<Result<Vec<u64>, PerfError>>()?;
    for queue in 0..plan.queues.len() {
        bind_queue(connection, plan, queue)?;
    }
    Ok(held)
}

/// Declares one queue; returns how many messages it holds.
pub fn declare_queue(
    connection: &mut Connection,
    plan: &Plan,
    options: &Options,
    queue: usize,
) -> Result<u64, PerfError> {
    let name = &plan.queues[queue];
    let arguments: Table = options.queue_argument.iter().map(|a| (a.0.clone(), a.1.clone())).collect();
    let bits = match options.queue_kind {
        QueueKind::Durable => DURABLE,
        QueueKind::Transient => 0,
        QueueKind::Exclusive => EXCLUSIVE,
    };
    let mut held = queue_declare(connection, name, bits, &arguments)?;
    if held > 0 && options.publishers > 0 {
        if !options.purge {
            return Err(PerfError::Usage(format!(
                "queue {name} holds {held} messages that are not of this run; --purge throws them away"
            )));
        }
        let args = |args: &mut Vec<u8>| {
            args.extend_from_slice(&[0, 0]);
            args.put_short(name);
            args.push(0);
        };
        connection.call(method::QUEUE_PURGE, method::QUEUE_PURGE_OK, args, |_| Ok(()))?;
        held = 0;
    }
    Ok(held)
}

/// Makes the bindings of one queue.
pub fn bind_queue(connection: &mut Connection, plan: &Plan, queue: usize) -> Result<(), PerfError> {
    let name = &plan.queues[queue];
    // Bindings are sent without waiting for each answer; the last of some is waited for, and the server answers in order.
    for some in plan.bindings_of(queue).chunks(BINDINGS_UNANSWERED_MAX) {
        for (number, binding) in some.iter().enumerate() {
            let last = number + 1 == some.len();
            let args = |args: &mut Vec<u8>| {
                args.extend_from_slice(&[0, 0]);
                args.put_short(name);
                args.put_short(&plan.exchange);
                args.put_short(&binding.key);
                args.push(u8::from(!last));
                args.put_table(&binding.arguments);
            };
            if last {
                connection.call(method::QUEUE_BIND, method::QUEUE_BIND_OK, args, |_| Ok(()))?;
            } else {
                connection.output.put_method(CHANNEL, method::QUEUE_BIND, args);
            }
        }
    }
    Ok(())
}

fn queue_declare(
    connection: &mut Connection,
    name: &ShortString,
    bits: u8,
    arguments: &Table,
) -> Result<u64, PerfError> {
    let args = |args: &mut Vec<u8>| {
        args.extend_from_slice(&[0, 0]);
        args.put_short(name);
        args.push(bits);
        args.put_table(arguments);
    };
    connection.call(method::QUEUE_DECLARE, method::QUEUE_DECLARE_OK, args, |answer| {
        answer.short_string()?;
        Ok(u64::from(answer.long()?))
    })
}

/// How many messages are ready in a queue.
pub fn count(connection: &mut Connection, name: &ShortString) -> Result<u64, PerfError> {
    queue_declare(connection, name, PASSIVE, &Table::new())
}

/// Deletes what `declare` made.
pub fn delete(connection: &mut Connection, plan: &Plan, options: &Options) -> Result<(), PerfError> {
    if options.queue_kind != QueueKind::Exclusive {
        for name in &plan.queues {
            let args = |args: &mut Vec<u8>| {
                args.extend_from_slice(&[0, 0]);
                args.put_short(name);
                args.push(0);
            };
            connection.call(method::QUEUE_DELETE, method::QUEUE_DELETE_OK, args, |_| Ok(()))?;
        }
    }
    if options.exchange_kind != ExchangeKind::Default {
        let args = |args: &mut Vec<u8>| {
            args.extend_from_slice(&[0, 0]);
            args.put_short(&plan.exchange);
            args.push(0);
        };
        connection.call(method::EXCHANGE_DELETE, method::EXCHANGE_DELETE_OK, args, |_| Ok(()))?;
    }
    Ok(())
}
