"""Copies of what is published and delivered, compared with those of the reference."""
from urllib.parse import quote

import pika
import pytest
from conftest import Inbox, pump_until, ready
from told import Told, properties_of, text_of

EVERYTHING = pika.BasicProperties(
    content_type="text/plain", content_encoding="utf8", delivery_mode=2, priority=3, correlation_id="c", reply_to="r",
    expiration="600000", message_id="m", timestamp=4000000000, type="t", user_id="guest", app_id="a", cluster_id="l",
    headers={"number": 1, "text": "x", "table": {"list": [1, "b", None, True]}, "CC": ["q2"]})


def trace(broker, on):
    broker.api("PUT", "/vhosts/" + quote(broker.vhost, safe=""), {"tracing": on})


def by_name(table):
    """A table in the order of its names."""
    return dict(sorted(table.items()))


class Firehose(Told):
    def copies_until(self, key):
        """Writes down the copies, up to and with the one whose routing key ends like that."""
        while True:
            method, properties, body = self.next()
            headers = properties.headers
            # The reference's order depends on names alone.
            if "routed_queues" in headers:
                headers["routed_queues"][1].sort()
            # Each property stands under its name, and so does each header, in whatever order.
            properties_told = by_name(headers["properties"][1])
            if "headers" in properties_told:
                properties_told["headers"] = ("F", by_name(properties_told["headers"][1]))
            headers["properties"] = ("F", properties_told)
            for name in ("vhost", "node", "user", "connection"):
                assert headers[name][0] == "S"
            line = [method.routing_key, repr(body), properties_of(properties)]
            line += [f"{name}={text_of(value)}" for name, value in sorted(headers.items())]
            self.lines.append(" ".join(line))
            if method.routing_key.endswith(key):
                return

    def end(self, channel):
        """Everything that was copied before this."""
        channel.basic_publish("end", "", b"")
        self.copies_until(".end")
        self.lines.pop()


@pytest.fixture
def firehose(broker, request):
    told = Firehose(broker, "amq.rabbitmq.trace")
    told.channel.exchange_declare("end", "fanout")
    trace(broker, True)
    yield told
    told.compare(request, "firehose")


@pytest.fixture
def channel(broker):
    channel = broker.channel()
    for queue in ("q1", "q2"):
        channel.queue_declare(queue, durable=True)
    channel.queue_bind("q1", "amq.topic", "a.#")
    channel.queue_bind("q2", "amq.topic", "a.b")
    return channel


def wait_for_ready(channel, queue):
    pump_until([channel.connection], lambda: ready(channel, queue))


def test_a_publish_to_two_queues(firehose, channel):
    channel.basic_publish("amq.topic", "a.b", b"two")
    firehose.end(channel)


def test_all_properties(firehose, channel):
    channel.basic_publish("", "q1", b"all", EVERYTHING)
    wait_for_ready(channel, "q1")
    channel.basic_get("q1")
    firehose.end(channel)


def test_keys_no_consumer_sees(firehose, channel):
    channel.basic_publish("", "q1", b"blind", pika.BasicProperties(headers={"BCC": ["q2"]}))
    firehose.end(channel)


@pytest.mark.parametrize("mandatory", [False, True])
def test_a_publish_to_no_queue(firehose, channel, mandatory):
    channel.basic_publish("amq.topic", "nowhere", b"lost", mandatory=mandatory)
    firehose.end(channel)


def test_a_refused_publish(broker, firehose, channel):
    other = broker.channel()
    other.basic_publish("absent", "", b"refused")
    with pytest.raises(pika.exceptions.ChannelClosedByBroker):
        other.queue_declare("q1", passive=True)
    firehose.end(channel)


def test_same_message_got_twice(firehose, channel):
    channel.basic_publish("amq.topic", "a.c", b"again")
    wait_for_ready(channel, "q1")
    method, _, _ = channel.basic_get("q1")
    channel.basic_nack(method.delivery_tag, requeue=True)
    wait_for_ready(channel, "q1")
    channel.basic_get("q1", auto_ack=True)
    assert channel.basic_get("q1")[0] is None
    firehose.end(channel)


@pytest.mark.parametrize("auto_ack", [False, True])
def test_consumed(firehose, channel, auto_ack):
    for body in (b"one", b"two"):
        channel.basic_publish("amq.topic", "a.c", body)
    Inbox(channel, "q1", auto_ack=auto_ack).wait_for(2)
    firehose.end(channel)


def test_consumers_that_say_nothing_are_seen(broker, firehose, channel):
    trace(broker, False)
    inbox = Inbox(channel, "q1", auto_ack=True)
    other = broker.channel()
    other.basic_publish("amq.topic", "a.c", b"unseen")
    inbox.wait_for(1)
    trace(broker, True)
    other.basic_publish("amq.topic", "a.c", b"seen")
    inbox.wait_for(2)
    firehose.copies_until("deliver.q1")


def test_a_consumer_s_copies_are_routed_as_bound_now(broker, firehose, channel):
    inbox = Inbox(channel, "q1", auto_ack=True)
    late = broker.channel()
    late.queue_declare("late", durable=True)
    late.queue_bind("late", "amq.rabbitmq.trace", "deliver.#")
    late.basic_publish("amq.topic", "a.c", b"seen")
    inbox.wait_for(1)
    wait_for_ready(late, "late")
    firehose.copies_until("deliver.q1")


def test_a_transaction_before_its_commit(broker, firehose, channel):
    transaction = broker.channel()
    transaction.tx_select()
    transaction.basic_publish("amq.topic", "a.c", b"held")
    transaction.queue_declare("q1", passive=True)
    firehose.end(channel)
    transaction.tx_rollback()


def test_a_dead_letter(firehose, channel):
    channel.queue_declare("source", durable=True, arguments={
        "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q1"})
    channel.basic_publish("", "source", b"dead")
    wait_for_ready(channel, "source")
    method, _, _ = channel.basic_get("source")
    channel.basic_reject(method.delivery_tag, requeue=False)
    wait_for_ready(channel, "q1")
    channel.basic_get("q1", auto_ack=True)
    firehose.end(channel)


def test_a_quorum_queue_counts(firehose, channel):
    channel.queue_declare("counting", durable=True, arguments={"x-queue-type": "quorum"})
    channel.basic_publish("", "counting", b"failed")
    wait_for_ready(channel, "counting")
    method, _, _ = channel.basic_get("counting")
    channel.basic_reject(method.delivery_tag, requeue=True)
    wait_for_ready(channel, "counting")
    channel.basic_get("counting", auto_ack=True)
    firehose.end(channel)


def test_direct_replies(broker, firehose, channel):
    asking = broker.channel()
    inbox = Inbox(asking, "amq.rabbitmq.reply-to", auto_ack=True)
    asking.basic_publish("", "q1", b"question", pika.BasicProperties(reply_to="amq.rabbitmq.reply-to"))
    wait_for_ready(channel, "q1")
    _, properties, _ = channel.basic_get("q1", auto_ack=True)
    channel.basic_publish("", properties.reply_to, b"answer")
    inbox.wait_for(1)
    firehose.copies_until("deliver." + properties.reply_to)


def test_a_route_over_exchanges(firehose, channel):
    channel.exchange_declare("next", "fanout")
    channel.exchange_bind("next", "amq.topic", "e.#")
    channel.queue_bind("q1", "next")
    channel.basic_publish("amq.topic", "e.1", b"bound")
    channel.exchange_declare("lonely", "direct", arguments={"alternate-exchange": "next"})
    channel.basic_publish("lonely", "nowhere", b"alternate")
    firehose.end(channel)


def test_over_http(broker, firehose, channel):
    vhost = quote(broker.vhost, safe="")
    broker.api("POST", f"/exchanges/{vhost}/amq.topic/publish", {
        "properties": {"delivery_mode": 2}, "routing_key": "a.c", "payload": "hi", "payload_encoding": "string"})
    wait_for_ready(channel, "q1")
    broker.api("POST", f"/queues/{vhost}/q1/get", {"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"})
    firehose.end(channel)


def test_tracing_ends_and_a_put_that_does_not_speak_of_it_keeps_it(broker, firehose, channel):
    trace(broker, False)
    channel.basic_publish("amq.topic", "a.c", b"unseen")
    trace(broker, True)
    broker.api("PUT", "/vhosts/" + quote(broker.vhost, safe=""), {"description": "still traced"})
    channel.basic_publish("amq.topic", "a.c", b"seen")
    firehose.end(channel)


def test_copies_themselves_are_not_copied(broker, firehose, channel):
    channel.queue_declare("copies", durable=True)
    channel.queue_bind("copies", "amq.rabbitmq.trace", "publish.amq.topic")
    channel.basic_publish("amq.topic", "nowhere", b"once")
    wait_for_ready(channel, "copies")
    channel.basic_get("copies", auto_ack=True)
    firehose.end(channel)
