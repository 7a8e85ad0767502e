//! What a client asks on a channel, one method to one call of the broker.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::session::Session;
use crate::amqp091::encode;
use crate::amqp091::method::Method;
use crate::amqp091::reply::{ReplyCode, Violation};
use crate::domain::binding::{Binding, Destination};
use crate::domain::name::{ExchangeName, QueueName, strip_line_breaks};
use crate::error::Error;
use crate::facade::{DeclareExchange, DeclareQueue};
use crate::runtime::queue::ChannelLimiter;

/// A count as the wire holds it.
pub(super) fn wire_count(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn exchange_name(name: &str) -> Result<ExchangeName, Violation> {
    ExchangeName::new(strip_line_breaks(name)).map_err(|error| Error::InvalidArgument(error.to_string()).into())
}

impl Session {
    /// Everything that is not publishing, settling, opening or closing.
    pub(super) async fn channel_method(&mut self, number: u16, method: Method<'_>) -> Result<(), Violation> {
        match method {
            Method::ChannelFlow { active } => self.flow(number, active),
            Method::ChannelCloseOk {} | Method::BasicCancelOk { .. } => Ok(()),
            Method::AccessRequest { .. } => {
                encode::access_request_ok(&mut self.output.bytes, number);
                Ok(())
            }
            Method::ExchangeDeclare { .. }
            | Method::ExchangeDelete { .. }
            | Method::ExchangeBind { .. }
            | Method::ExchangeUnbind { .. } => self.exchange_method(number, method).await,
            Method::QueueDeclare { .. }
            | Method::QueueDelete { .. }
            | Method::QueuePurge { .. }
            | Method::QueueBind { .. }
            | Method::QueueUnbind { .. } => self.queue_method(number, method).await,
            Method::BasicQos { prefetch_size, prefetch_count, global } => {
                self.qos(number, prefetch_size, prefetch_count, global)
            }
            Method::BasicConsume { .. } => self.consume(number, method).await,
            Method::BasicCancel { consumer_tag, nowait } => self.cancel(number, consumer_tag, nowait).await,
            Method::BasicGet { queue, no_ack, .. } => self.get(number, queue, no_ack).await,
            Method::BasicRecover { requeue } => self.recover(number, requeue, true).await,
            Method::BasicRecoverAsync { requeue } => self.recover(number, requeue, false).await,
            Method::ConfirmSelect { nowait } => self.confirm_select(number, nowait),
            Method::TxSelect {} | Method::TxCommit {} | Method::TxRollback {} => {
                self.transaction(number, &method).await
            }
            Method::ConnectionStartOk { .. }
            | Method::ConnectionSecureOk { .. }
            | Method::ConnectionTuneOk { .. }
            | Method::ConnectionOpen { .. }
            | Method::ConnectionClose { .. }
            | Method::ConnectionCloseOk {}
            | Method::ConnectionUpdateSecret { .. }
            | Method::ChannelFlowOk { .. } => {
                Err(Violation::connection(ReplyCode::CommandInvalid, "unimplemented method"))
            }
            Method::ChannelOpen { .. }
            | Method::ChannelClose { .. }
            | Method::BasicPublish { .. }
            | Method::BasicAck { .. }
            | Method::BasicNack { .. }
            | Method::BasicReject { .. } => {
                Err(Violation::connection(ReplyCode::InternalError, "method reached the wrong place"))
            }
        }
    }

    fn flow(&mut self, number: u16, active: bool) -> Result<(), Violation> {
        if !active {
            return Err(Violation::connection(ReplyCode::NotImplemented, "active=false"));
        }
        encode::channel_flow_ok(&mut self.output.bytes, number, true);
        Ok(())
    }

    fn qos(&mut self, number: u16, prefetch_size: u32, prefetch_count: u16, global: bool) -> Result<(), Violation> {
        if prefetch_size != 0 {
            return Err(Violation::connection(
                ReplyCode::NotImplemented,
                format!("prefetch_size!=0 ({prefetch_size})"),
            ));
        }
        let Some(channel) = self.channels.get_mut(&number) else { return Ok(()) };
        if global {
            // Deliveries to consumers that came later take and give back its places; what is
            // out already does neither.
            channel.limiter.get_or_insert_with(Arc::<ChannelLimiter>::default).set_limit(prefetch_count);
            channel.entry.global_prefetch.store(prefetch_count, Relaxed);
        } else {
            channel.prefetch = prefetch_count;
            channel.entry.prefetch.store(prefetch_count, Relaxed);
        }
        encode::bare(&mut self.output.bytes, number, 60, 11);
        Ok(())
    }

    async fn exchange_method(&mut self, number: u16, method: Method<'_>) -> Result<(), Violation> {
        let (answer, nowait) = match method {
            Method::ExchangeDeclare { exchange, passive: true, nowait, .. } => {
                self.vhost_handle.declare_exchange_passive(&self.caller, exchange)?;
                (11, nowait)
            }
            Method::ExchangeDeclare { exchange, kind, durable, auto_delete, internal, nowait, arguments, .. } => {
                let declare = DeclareExchange {
                    name: exchange.to_owned(),
                    kind: kind.to_owned(),
                    durable,
                    auto_delete,
                    internal,
                    arguments,
                };
                self.broker.declare_exchange(&self.caller, &self.vhost, declare).await?;
                (11, nowait)
            }
            Method::ExchangeDelete { exchange, if_unused, nowait, .. } => {
                self.broker.delete_exchange(&self.caller, &self.vhost, &exchange_name(exchange)?, if_unused).await?;
                (21, nowait)
            }
            Method::ExchangeBind { destination, source, routing_key, nowait, arguments, .. } => {
                let binding = Binding {
                    source: exchange_name(source)?,
                    destination: Destination::Exchange(exchange_name(destination)?),
                    routing_key: routing_key.to_owned(),
                    arguments,
                };
                self.broker.bind(&self.caller, &self.vhost, binding).await?;
                (31, nowait)
            }
            Method::ExchangeUnbind { destination, source, routing_key, nowait, arguments, .. } => {
                let binding = Binding {
                    source: exchange_name(source)?,
                    destination: Destination::Exchange(exchange_name(destination)?),
                    routing_key: routing_key.to_owned(),
                    arguments,
                };
                self.broker.unbind(&self.caller, &self.vhost, &binding).await?;
                (51, nowait)
            }
            _ => return Ok(()),
        };
        if !nowait {
            encode::bare(&mut self.output.bytes, number, 40, answer);
        }
        Ok(())
    }

    async fn queue_method(&mut self, number: u16, method: Method<'_>) -> Result<(), Violation> {
        match method {
            Method::QueueDeclare { queue, nowait, .. } if self.declare_address(number, queue, nowait)? => {}
            Method::QueueDeclare { queue, passive: true, nowait, .. } => {
                // Unlike everywhere else, no name is not the last queue declared.
                let name = QueueName::new(strip_line_breaks(queue))
                    .map_err(|error| Error::InvalidArgument(error.to_string()))?;
                let found = self.vhost_handle.declare_queue_passive(&self.caller, name.as_str())?;
                let totals = found.touch().await;
                self.declared(number, name, totals.ready, totals.consumers, nowait);
            }
            Method::QueueDeclare { queue, durable, exclusive, auto_delete, nowait, arguments, .. } => {
                let declare = DeclareQueue { name: queue.to_owned(), durable, exclusive, auto_delete, arguments };
                let (_, name, totals) = self.broker.declare_queue(&self.caller, &self.vhost, declare).await?;
                self.declared(number, name, totals.ready, totals.consumers, nowait);
            }
            Method::QueueDelete { queue, if_unused, if_empty, nowait, .. } => {
                let name = self.named_queue(number, &strip_line_breaks(queue))?;
                let deleted = self.broker.delete_queue(&self.caller, &self.vhost, &name, if_unused, if_empty).await?;
                let cancelled = self.drain_events_but_cancellations(number).await;
                if !nowait {
                    encode::queue_count_ok(&mut self.output.bytes, number, 41, wire_count(deleted.messages));
                }
                self.consumers_cancelled(cancelled);
            }
            Method::QueuePurge { queue, nowait, .. } => {
                let name = self.named_queue(number, queue)?;
                let purged = match self.readable_address(&name)? {
                    // Nothing is ever kept there.
                    Some(_) => 0,
                    None => self.broker.purge_queue(&self.caller, &self.vhost, &name).await?,
                };
                if !nowait {
                    encode::queue_count_ok(&mut self.output.bytes, number, 31, wire_count(purged));
                }
            }
            Method::QueueBind { queue, exchange, routing_key, nowait, arguments, .. } => {
                let binding = self.queue_binding(number, queue, exchange, routing_key, arguments)?;
                self.broker.bind(&self.caller, &self.vhost, binding).await?;
                if !nowait {
                    encode::bare(&mut self.output.bytes, number, 50, 21);
                }
            }
            Method::QueueUnbind { queue, exchange, routing_key, arguments, .. } => {
                let binding = self.queue_binding(number, queue, exchange, routing_key, arguments)?;
                self.broker.unbind(&self.caller, &self.vhost, &binding).await?;
                encode::bare(&mut self.output.bytes, number, 50, 51);
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn named_queue(&self, number: u16, name: &str) -> Result<QueueName, Error> {
        match self.channels.get(&number) {
            Some(channel) => channel.queue_name(name),
            None => Err(Error::NoPreviousQueue),
        }
    }

    pub(super) fn declared(&mut self, number: u16, name: QueueName, ready: u64, consumers: u64, nowait: bool) {
        if !nowait {
            let out = &mut self.output.bytes;
            encode::queue_declare_ok(out, number, name.as_str(), wire_count(ready), wire_count(consumers));
        }
        if let Some(channel) = self.channels.get_mut(&number) {
            channel.last_queue = Some(name);
        }
    }

    /// With neither queue nor key named, the key is the last declared queue's name too.
    pub(super) fn queue_binding(
        &self,
        number: u16,
        queue: &str,
        exchange: &str,
        routing_key: &str,
        arguments: crate::domain::value::FieldTable,
    ) -> Result<Binding, Violation> {
        let name = self.named_queue(number, &strip_line_breaks(queue))?;
        let routing_key =
            if queue.is_empty() && routing_key.is_empty() { name.as_str() } else { routing_key }.to_owned();
        Ok(Binding { source: exchange_name(exchange)?, destination: Destination::Queue(name), routing_key, arguments })
    }
}
