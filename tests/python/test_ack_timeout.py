"""Deliveries of quorum queues that are not settled in time, compared with the reference."""
from urllib.parse import quote

import pika
import pytest
from conftest import Inbox, pump_until, ready

QUEUE = "work"
TIMED_OUT = ("PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: -1 ms. "
             "This timeout value can be configured, see consumers doc guide to learn more")
SHORT_MS = {"x-consumer-timeout": 1000}


def quorum(channel, **arguments):
    channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum", **arguments})
    channel.confirm_delivery()
    for number in range(3):
        channel.basic_publish("", QUEUE, str(number).encode())


def cancelled(channel):
    seen = []
    channel.add_on_cancel_callback(lambda frame: seen.append(frame.method.consumer_tag))
    return seen


def policy(broker, channel):
    broker.api("PUT", f"/policies/{quote(broker.vhost, safe='')}/short",
               {"pattern": ".*", "definition": {"consumer-timeout": 1000}, "apply-to": "queues"})
    quorum(channel)


@pytest.mark.parametrize("declare, consume", [
    (lambda broker, channel: quorum(channel), SHORT_MS),
    (lambda broker, channel: quorum(channel, **SHORT_MS), {}),
    (policy, {}),
])
def test_the_consumer_ends_and_its_messages_go_back(broker, declare, consume):
    channel = broker.channel()
    declare(broker, channel)
    channel.basic_qos(prefetch_count=2)
    seen = cancelled(channel)
    inbox = Inbox(channel, QUEUE, consumer_tag="slow", arguments=consume)
    pump_until([inbox.connection], lambda: seen)
    assert seen == ["slow"] and inbox.bodies == ["0", "1"]
    pump_until([inbox.connection], lambda: ready(channel, QUEUE) == 3)
    # Too late, and no mistake.
    channel.basic_ack(1)
    other = Inbox(broker.channel(), QUEUE, auto_ack=True)
    assert other.wait_for(3) == ["0", "1", "2"]
    assert [method.redelivered for method, _, _ in other.got] == [True, True, False]
    channel.basic_ack(2)
    assert ready(channel, QUEUE) == 0


def test_what_is_settled_in_time_stays_settled(broker):
    channel = broker.channel()
    quorum(channel)
    seen = cancelled(channel)
    inbox = Inbox(channel, QUEUE, consumer_tag="half", arguments=SHORT_MS)
    inbox.wait_for(3)
    channel.basic_ack(2, multiple=True)
    pump_until([inbox.connection], lambda: seen)
    pump_until([inbox.connection], lambda: ready(channel, QUEUE) == 1)
    assert Inbox(broker.channel(), QUEUE, auto_ack=True).wait_for(1) == ["2"]


def closes(channel):
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as closed:
        while True:
            channel.queue_declare(QUEUE, passive=True)
    return closed.value.reply_text


def test_a_client_without_cancel_notification_loses_its_channel(broker):
    quorum(broker.channel())
    parameters = broker.parameters()
    parameters.client_properties = {"capabilities": {"consumer_cancel_notify": False}}
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    Inbox(channel, QUEUE, arguments=SHORT_MS).wait_for(3)
    assert closes(channel) == TIMED_OUT
    connection.close()


def test_a_fetched_message_that_is_not_settled_closes_the_channel(broker):
    channel = broker.channel()
    quorum(channel, **SHORT_MS)
    fetching = broker.channel()
    assert fetching.basic_get(QUEUE)[2] == b"0"
    assert closes(fetching) == TIMED_OUT
    assert ready(channel, QUEUE) == 3
