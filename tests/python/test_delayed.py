"""Exchanges that keep messages back for a while.

Against the reference this needs its plugin rabbitmq_delayed_message_exchange.
"""
import time

import pika
import pytest
from conftest import Inbox, pump_until, ready


def delayed(milliseconds, **more):
    return pika.BasicProperties(headers={"x-delay": milliseconds, **more.pop("headers", {})}, **more)


@pytest.fixture
def channel(broker):
    """A channel with confirms, and the exchange `later`, of type direct, bound to `q`."""
    channel = broker.channel()
    channel.confirm_delivery()
    channel.exchange_declare("later", "x-delayed-message", durable=True, arguments={"x-delayed-type": "direct"})
    channel.queue_declare("q", durable=True)
    channel.queue_bind("q", "later", "k")
    return channel


def test_messages_come_in_the_order_in_which_they_are_due(broker, channel):
    inbox = Inbox(channel, "q", auto_ack=True)
    start = time.monotonic()
    for delay, body in [(3000, b"third"), (1000, b"first"), (2000, b"second"), (0, b"now"), (-300, b"now too")]:
        channel.basic_publish("later", "k", body, delayed(delay))
    channel.basic_publish("later", "k", b"plain")
    assert inbox.wait_for(6) == ["now", "now too", "plain", "first", "second", "third"]
    assert time.monotonic() - start >= 3


def test_a_message_that_has_waited_has_its_delay_negated_and_is_as_it_was(broker, channel):
    inbox = Inbox(channel, "q", auto_ack=True)
    channel.basic_publish(
        "later", "k", b"body", delayed(100, headers={"a": "b"}, correlation_id="c", delivery_mode=2, priority=3))
    inbox.wait_for(1)
    method, properties, _ = inbox.got[0]
    assert (method.exchange, method.routing_key) == ("later", "k")
    assert properties.headers == {"a": "b", "x-delay": -100}
    assert (properties.correlation_id, properties.delivery_mode, properties.priority) == ("c", 2, 3)


@pytest.mark.parametrize("delay", ["soon", "", None, True, 2**32, [1], {"a": 1}])
def test_what_is_no_delay_does_not_delay(broker, channel, delay):
    channel.basic_publish("later", "k", b"x", delayed(delay))
    # It is in the queue when it is confirmed.
    assert ready(channel, "q") == 1


@pytest.mark.parametrize("delay", ["3600000", 3600000, 2**32 - 1])
def test_how_many_wait_is_told(broker, channel, delay):
    path = f"/exchanges/{broker.vhost}/later"
    assert broker.api("GET", path)["messages_delayed"] == 0
    for _ in range(3):
        channel.basic_publish("later", "k", b"x", delayed(delay))
    assert ready(channel, "q") == 0
    pump_until([channel.connection], lambda: broker.api("GET", path)["messages_delayed"] == 3)
    assert "messages_delayed" not in broker.api("GET", f"/exchanges/{broker.vhost}/amq.direct")
    assert [queue["name"] for queue in broker.api("GET", f"/queues/{broker.vhost}")] == ["q"]
    channel.exchange_delete("later")
    channel.exchange_declare("later", "x-delayed-message", durable=True, arguments={"x-delayed-type": "fanout"})
    assert broker.api("GET", path)["messages_delayed"] == 0


def test_it_routes_by_the_type_it_is_given(broker, channel):
    channel.exchange_declare("topics", "x-delayed-message", arguments={"x-delayed-type": "topic"})
    channel.exchange_declare("bound", "fanout")
    channel.queue_declare("topic")
    channel.queue_declare("far")
    channel.queue_bind("topic", "topics", "a.#")
    channel.exchange_bind("bound", "topics", "*.b")
    channel.queue_bind("far", "bound")
    for key in ["a.b", "a.c", "c.b", "c"]:
        channel.basic_publish("topics", key, key.encode(), delayed(50))
    topic, far = Inbox(channel, "topic"), Inbox(channel, "far")
    assert topic.wait_for(2) == ["a.b", "a.c"]
    assert far.wait_for(2) == ["a.b", "c.b"]


def test_further_keys_count_when_the_message_is_due_and_hidden_ones_stay_hidden(broker, channel):
    for key in ["cc", "bcc"]:
        channel.queue_declare(key)
        channel.queue_bind(key, "later", key)
    channel.basic_publish("later", "k", b"x", delayed(50, headers={"CC": ["cc"], "BCC": ["bcc"]}))
    for queue in ["q", "cc", "bcc"]:
        inbox = Inbox(channel, queue)
        assert inbox.wait_for(1) == ["x"]
        assert inbox.got[0][1].headers == {"CC": ["cc"], "x-delay": -50}


def test_bindings_are_those_of_the_time_it_is_due(broker, channel):
    channel.basic_publish("later", "new", b"x", delayed(1500))
    channel.queue_bind("q", "later", "new")
    assert Inbox(channel, "q").wait_for(1) == ["x"]


def test_a_mandatory_message_that_waits_is_not_returned(broker, channel):
    channel.basic_publish("later", "k", b"x", delayed(50), mandatory=True)
    assert Inbox(channel, "q").wait_for(1) == ["x"]


def test_a_transaction_publishes_to_it_at_its_commit(broker, channel):
    other = broker.channel()
    other.tx_select()
    other.basic_publish("later", "k", b"rolled back", delayed(10))
    other.tx_rollback()
    other.basic_publish("later", "k", b"committed", delayed(10))
    other.tx_commit()
    inbox = Inbox(channel, "q")
    assert inbox.wait_for(1) == ["committed"]


def test_dead_letters_wait_as_other_messages_do(broker, channel):
    channel.queue_declare("source", arguments={
        "x-dead-letter-exchange": "later", "x-dead-letter-routing-key": "k", "x-message-ttl": 0})
    channel.basic_publish("", "source", b"x", delayed(200, headers={"a": "b"}))
    inbox = Inbox(channel, "q")
    assert inbox.wait_for(1) == ["x"]
    headers = inbox.got[0][1].headers
    assert headers["x-delay"] == -200 and headers["x-death"][0]["queue"] == "source"


def test_a_message_published_over_http_waits_too(broker, channel):
    broker.api("POST", f"/exchanges/{broker.vhost}/later/publish", {
        "properties": {"headers": {"x-delay": 100}}, "routing_key": "k", "payload": "x", "payload_encoding": "string"})
    inbox = Inbox(channel, "q")
    assert inbox.wait_for(1) == ["x"]
    assert inbox.got[0][1].headers == {"x-delay": -100}


@pytest.mark.parametrize("arguments, code, text", [
    ({}, 406, "PRECONDITION_FAILED - Invalid argument, 'x-delayed-type' must be an existing exchange type"),
    ({"x-delayed-type": 1}, 406,
     "PRECONDITION_FAILED - Invalid argument, 'x-delayed-type' must be an existing exchange type"),
    ({"x-delayed-type": "x-delayed-message"}, 406,
     "PRECONDITION_FAILED - Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'"),
])
def test_it_must_be_given_a_type(broker, arguments, code, text):
    channel = broker.channel()
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as closed:
        channel.exchange_declare("later", "x-delayed-message", arguments=arguments)
    assert (closed.value.reply_code, closed.value.reply_text) == (code, text)


def test_an_unknown_type_is_refused_as_that_of_an_exchange(broker):
    def refusal(kind, arguments):
        channel = broker.channel()
        with pytest.raises((pika.exceptions.ChannelClosedByBroker, pika.exceptions.ConnectionClosedByBroker)) as closed:
            channel.exchange_declare("later", kind, arguments=arguments)
        return type(closed.value), closed.value.reply_code, closed.value.reply_text

    assert refusal("x-delayed-message", {"x-delayed-type": "nope"}) == refusal("nope", {})


def test_who_watches_sees_no_queue_where_it_waits(broker, channel):
    broker.api("PUT", f"/vhosts/{broker.vhost}", {"tracing": True})
    watcher = broker.channel()
    watcher.queue_declare("watch", exclusive=True)
    watcher.queue_bind("watch", "amq.rabbitmq.trace", "publish.later")
    channel.basic_publish("later", "k", b"x", delayed(3_600_000))
    channel.basic_publish("later", "k", b"x", delayed(0))
    inbox = Inbox(watcher, "watch")
    inbox.wait_for(2)
    assert [properties.headers["routed_queues"] for _, properties, _ in inbox.got] == [[], ["q"]]


def test_its_type_is_offered(broker):
    types = {row["name"]: row["description"] for row in broker.api("GET", "/overview")["exchange_types"]}
    assert types["x-delayed-message"] == "Delayed Message Exchange."
