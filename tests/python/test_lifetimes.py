"""What goes when its user goes: exclusive and auto-delete queues and exchanges; server properties."""
import pika
import pytest
from conftest import Inbox, pump_until


def exists(broker, queue):
    channel = broker.channel()
    try:
        channel.queue_declare(queue, passive=True)
        return True
    except pika.exceptions.ChannelClosedByBroker as closed:
        assert closed.reply_code == 404
        return False


def test_an_exclusive_queue_goes_with_its_connection(broker):
    connection = broker.connect()
    connection.channel().queue_declare("mine", exclusive=True)
    connection.close()
    assert not exists(broker, "mine")


def test_a_closed_connection_has_left_its_queues_when_it_is_told_so(broker):
    others = broker.channel()
    for _ in range(20):
        connection = broker.connect()
        channel = connection.channel()
        channel.queue_declare("mine", exclusive=True)
        channel.queue_declare("passing", auto_delete=True)
        channel.basic_consume("passing", lambda *_: None, exclusive=True)
        connection.close()
        for queue in ("mine", "passing"):
            others.queue_declare(queue, exclusive=True)
            others.queue_delete(queue)


def test_an_auto_delete_queue_goes_with_its_last_consumer(broker):
    channel = broker.channel()
    channel.queue_declare("passing", auto_delete=True)
    assert exists(broker, "passing")
    tags = [channel.basic_consume("passing", lambda *_: None) for _ in range(2)]
    channel.basic_cancel(tags[0])
    assert exists(broker, "passing")
    channel.basic_cancel(tags[1])
    assert not exists(broker, "passing")


def test_an_auto_delete_exchange_goes_with_its_last_binding(broker):
    channel = broker.channel()
    channel.exchange_declare("passing", "fanout", auto_delete=True)
    channel.queue_declare("q")
    channel.queue_bind("q", "passing")
    channel.queue_unbind("q", "passing")
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as closed:
        channel.exchange_declare("passing", passive=True)
    assert closed.value.reply_code == 404


def test_consumers_hear_that_their_queue_was_deleted(broker):
    channel = broker.channel()
    channel.queue_declare("q")
    cancelled = []
    channel.add_on_cancel_callback(cancelled.append)
    tag = channel.basic_consume("q", lambda *_: None)
    broker.channel().queue_delete("q")
    pump_until([channel.connection], lambda: cancelled)
    assert cancelled[0].method.consumer_tag == tag


def test_server_properties_say_rabbitmq_and_a_three_part_version(broker):
    connection = broker.connect()
    properties = connection._impl.server_properties
    assert properties["product"] == "RabbitMQ"
    assert [part.isdigit() for part in properties["version"].split(".")] == [True] * 3
    assert {"publisher_confirms", "consumer_cancel_notify", "basic.nack", "exchange_exchange_bindings",
            "per_consumer_qos", "connection.blocked", "authentication_failure_close", "direct_reply_to",
            "consumer_priorities"} <= {name for name, on in properties["capabilities"].items() if on}


def test_message_properties_survive_the_way(broker):
    channel = broker.channel()
    channel.queue_declare("q")
    sent = pika.BasicProperties(
        content_type="text/plain", content_encoding="utf-8", headers={"n": 1, "水": "浒", "list": [1, "a", True, None]},
        delivery_mode=2, priority=5, correlation_id="c", reply_to="r", expiration="60000", message_id="m", timestamp=1700000000,
        type="t", user_id="guest", app_id="a")
    channel.basic_publish("", "q", b"x", sent)
    inbox = Inbox(channel, "q", auto_ack=True)
    inbox.wait_for(1)
    got = inbox.got[0][1]
    for name in ("content_type", "content_encoding", "headers", "delivery_mode", "priority", "correlation_id", "reply_to",
                 "expiration", "message_id", "timestamp", "type", "user_id", "app_id"):
        assert getattr(got, name) == getattr(sent, name), name
