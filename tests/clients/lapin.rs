//! The Rust client lapin, in this process.

use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ErrorKind, ExchangeKind};

use crate::broker::Broker;
use crate::verdict::Verdict;

/// Messages of one run.
const MESSAGES: usize = 1000;
/// Three frames.
const LARGE_BYTES: usize = 300_000;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Runs the whole program.
pub fn run(broker: &Broker) -> Verdict {
    let url = format!("{}%2f", broker.url());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let outcome = runtime.expect("a runtime starts").block_on(async {
        tokio::time::timeout(tests::DEADLINE, program(&url)).await.map_err(|_elapsed| "too slow".into()).flatten()
    });
    match outcome {
        Ok(checks) => Verdict::Passed(format!("{checks} checks")),
        Err(error) => Verdict::Failed(error.to_string()),
    }
}

async fn program(url: &str) -> Outcome<usize> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let suffix = std::process::id();
    let mut checks = 0;
    let mut check = |what: &str, holds: bool| -> Outcome<()> {
        checks += 1;
        if holds { Ok(()) } else { Err(what.into()) }
    };

    let channel = connection.create_channel().await?;
    let (exchange, queue) = (format!("clients-lapin-x-{suffix}"), format!("clients-lapin-{suffix}"));
    declare(&channel, &exchange, &queue).await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let mut headers = FieldTable::default();
    headers.insert("number".into(), AMQPValue::LongLongInt(i64::MAX));
    headers.insert("bytes".into(), AMQPValue::ByteArray(vec![0, 255].into()));
    let properties = BasicProperties::default().with_delivery_mode(2).with_headers(headers.clone());
    let mut confirms = Vec::with_capacity(MESSAGES);
    for number in 0..MESSAGES {
        let body = if number == 0 { vec![7; LARGE_BYTES] } else { number.to_string().into_bytes() };
        confirms.push(publish(&channel, &exchange, "a.b", &body, properties.clone()).await?);
    }
    let mut acknowledged = 0;
    for confirm in confirms {
        acknowledged += usize::from(confirm.await?.is_ack());
    }
    check("every message is confirmed", acknowledged == MESSAGES)?;

    let returned = publish(&channel, &exchange, "nowhere", b"back", properties.clone()).await?.await?;
    check(
        "an unroutable message returns",
        returned.take_message().is_some_and(|message| message.delivery.data == b"back"),
    )?;

    channel.basic_qos(50, BasicQosOptions::default()).await?;
    let mut consumer =
        channel.basic_consume(short(&queue), "t".into(), BasicConsumeOptions::default(), FieldTable::default()).await?;
    let (mut got, mut again, mut large) = (0, 0, false);
    while got < MESSAGES {
        let delivery = consumer.next().await.ok_or("the consumer ended")??;
        if got == 10 && again == 0 && !delivery.redelivered {
            delivery.nack(BasicNackOptions { requeue: true, ..Default::default() }).await?;
            again = 1;
            continue;
        }
        large |= delivery.data.len() == LARGE_BYTES;
        again += usize::from(delivery.redelivered);
        check("headers return as sent", delivery.properties.headers().as_ref() == Some(&headers))?;
        delivery.ack(BasicAckOptions::default()).await?;
        got += 1;
    }
    check("a large body returns whole", large)?;
    check("what was refused came again", again == 2)?;

    let other = connection.create_channel().await?;
    other.queue_delete(short(&queue), QueueDeleteOptions::default()).await?;
    check("a consumer ends with its queue", consumer.next().await.is_none())?;
    let missing = other.basic_get(short(&queue), BasicGetOptions::default()).await;
    let code = match missing.err().map(|error| error.kind().clone()) {
        Some(ErrorKind::ProtocolError(error)) => error.get_id(),
        _ => 0,
    };
    check("a missing queue is refused", code == 404)?;
    connection.close(200, "done".into()).await?;
    Ok(checks)
}

async fn declare(channel: &Channel, exchange: &str, queue: &str) -> Outcome<()> {
    let options = ExchangeDeclareOptions { auto_delete: true, ..Default::default() };
    channel.exchange_declare(short(exchange), ExchangeKind::Topic, options, FieldTable::default()).await?;
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(short(queue), options, FieldTable::default()).await?;
    let (queue, exchange) = (short(queue), short(exchange));
    channel.queue_bind(queue, exchange, "a.*".into(), QueueBindOptions::default(), FieldTable::default()).await?;
    Ok(())
}

async fn publish(
    channel: &Channel,
    exchange: &str,
    key: &str,
    body: &[u8],
    properties: BasicProperties,
) -> Outcome<lapin::PublisherConfirm> {
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    Ok(channel.basic_publish(short(exchange), short(key), options, body, properties).await?)
}

fn short(text: &str) -> ShortString {
    text.into()
}
