"""Exchanges that keep their last messages for queues that are bound later.

Against the reference this needs its plugin rabbitmq_recent_history_exchange.
"""
import pika
import pytest
from conftest import drained, pump_until


def ready(channel, queue, count):
    """Everything in a queue that is to hold that many."""
    pump_until([channel.connection], lambda: channel.queue_declare(queue, passive=True).method.message_count >= count)
    return drained(channel, queue)


@pytest.fixture
def history(broker):
    """A channel with an exchange that keeps three messages, of five that were published."""
    channel = broker.channel()
    channel.confirm_delivery()
    channel.exchange_declare("log", "x-recent-history", durable=True, arguments={"x-recent-history-length": 3})
    for number in range(5):
        channel.basic_publish("log", f"key-{number}", str(number).encode())
    return channel


def test_a_queue_bound_later_gets_the_last_messages_once_and_in_order(broker, history):
    history.queue_declare("late", durable=True)
    history.queue_bind("late", "log", "any")
    history.queue_bind("late", "log", "any")
    assert ready(history, "late", 3) == ["2", "3", "4"]
    history.basic_publish("log", "k", b"5")
    assert ready(history, "late", 1) == ["5"]
    history.queue_declare("later", durable=True)
    history.queue_bind("later", "log", "")
    assert ready(history, "later", 3) == ["3", "4", "5"]


def test_messages_keep_their_names_and_properties(broker, history):
    properties = pika.BasicProperties(headers={"a": "b"}, correlation_id="c", delivery_mode=2)
    history.basic_publish("log", "the-key", b"m", properties)
    history.queue_declare("late", durable=True)
    history.queue_bind("late", "log")
    pump_until([history.connection], lambda: history.queue_declare("late", passive=True).method.message_count == 3)
    for _ in range(3):
        method, seen, body = history.basic_get("late", auto_ack=True)
    assert (method.exchange, method.routing_key, seen, body) == ("log", "the-key", properties, b"m")


def test_a_message_can_ask_not_to_be_kept(broker, history):
    history.queue_declare("early", durable=True)
    history.queue_bind("early", "log")
    assert len(ready(history, "early", 3)) == 3
    history.basic_publish("log", "k", b"secret", pika.BasicProperties(headers={"x-recent-history-no-store": True}))
    assert ready(history, "early", 1) == ["secret"]
    history.queue_declare("late", durable=True)
    history.queue_bind("late", "log")
    assert ready(history, "late", 3) == ["2", "3", "4"]


def test_an_exchange_bound_later_routes_the_history_on(broker, history):
    history.exchange_declare("keyed", "direct")
    history.queue_declare("four", durable=True)
    history.queue_bind("four", "keyed", "key-4")
    history.exchange_bind("keyed", "log")
    assert ready(history, "four", 1) == ["4"]


def test_the_history_goes_with_its_exchange(broker, history):
    history.exchange_delete("log")
    history.exchange_declare("log", "x-recent-history", durable=True)
    history.queue_declare("late", durable=True)
    history.queue_bind("late", "log")
    history.basic_publish("log", "k", b"new")
    assert ready(history, "late", 1) == ["new"]


@pytest.mark.parametrize("length, shown", [(0, "0"), (-1, "-1"), ("5", '<<"5">>')])
def test_the_length_must_be_a_positive_integer(broker, length, shown):
    channel = broker.channel()
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as closed:
        channel.exchange_declare("log", "x-recent-history", arguments={"x-recent-history-length": length})
    assert (closed.value.reply_code, closed.value.reply_text) == (
        406, f"PRECONDITION_FAILED - Invalid argument {shown}, 'x-recent-history-length' must be a positive integer")
