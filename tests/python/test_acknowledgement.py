"""Automatic and manual acknowledgement, and what happens to messages nobody acknowledged."""
import pytest

import pika
from conftest import Inbox, die, ready


@pytest.fixture
def channel(broker):
    channel = broker.channel()
    channel.queue_declare("work")
    return channel


def publish(channel, *bodies):
    for body in bodies:
        channel.basic_publish("", "work", body.encode())


def test_automatic_acknowledgement_takes_messages_off_at_delivery(broker, channel):
    publish(channel, "a", "b")
    inbox = Inbox(broker.channel(), "work", auto_ack=True)
    inbox.wait_for(2)
    die(inbox.connection)
    assert ready(channel, "work") == 0


def test_manual_acknowledgement_takes_messages_off_for_good(broker, channel):
    publish(channel, "a", "b", "c")
    inbox = Inbox(broker.channel(), "work")
    inbox.wait_for(3)
    inbox.channel.basic_ack(inbox.got[-1][0].delivery_tag, multiple=True)
    inbox.connection.close()
    assert ready(channel, "work") == 0


def test_an_unacknowledged_message_goes_to_the_next_consumer_when_its_consumer_dies(broker, channel):
    first, second = broker.channel(), broker.channel()
    dying = Inbox(first, "work")
    publish(channel, "林冲")
    dying.wait_for(1)
    assert not dying.got[0][0].redelivered

    heir = Inbox(second, "work")
    die(dying.connection)
    assert heir.wait_for(1) == ["林冲"]
    assert heir.got[0][0].redelivered
    second.basic_ack(heir.got[0][0].delivery_tag)
    heir.connection.close()
    assert ready(channel, "work") == 0


def test_messages_of_a_closed_channel_come_back_in_their_order(broker, channel):
    publish(channel, "a", "b", "c", "d")
    inbox = Inbox(broker.channel(), "work")
    inbox.wait_for(4)
    inbox.channel.basic_ack(inbox.got[1][0].delivery_tag)
    inbox.channel.close()
    again = Inbox(broker.channel(), "work", auto_ack=True)
    assert again.wait_for(3) == ["a", "c", "d"]
    assert all(method.redelivered for method, _, _ in again.got)


def test_nack_with_requeue_redelivers_and_without_drops(broker, channel):
    publish(channel, "keep", "drop")
    method, _, _ = channel.basic_get("work")
    channel.basic_nack(method.delivery_tag, requeue=True)
    method, _, body = channel.basic_get("work")
    assert (body, method.redelivered) == (b"keep", True)
    channel.basic_ack(method.delivery_tag)
    method, _, body = channel.basic_get("work")
    assert (body, method.redelivered) == (b"drop", False)
    channel.basic_reject(method.delivery_tag, requeue=False)
    assert channel.basic_get("work") == (None, None, None)


def test_recover_redelivers_everything_outstanding(broker, channel):
    publish(channel, "a", "b")
    inbox = Inbox(channel, "work")
    inbox.wait_for(2)
    channel.basic_recover(requeue=True)
    assert inbox.wait_for(4)[2:] == ["a", "b"]
    assert [method.redelivered for method, _, _ in inbox.got] == [False, False, True, True]


def test_an_unknown_delivery_tag_closes_the_channel(broker, channel):
    channel.basic_ack(7)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as closed:
        channel.queue_declare("work", passive=True)
    assert (closed.value.reply_code, closed.value.reply_text) == (406, "PRECONDITION_FAILED - unknown delivery tag 7")


def test_cancel_stops_deliveries_and_keeps_the_rest_ready(broker, channel):
    inbox = Inbox(channel, "work", auto_ack=True)
    publish(channel, "a")
    inbox.wait_for(1)
    channel.basic_cancel(inbox.tag)
    publish(channel, "b")
    assert channel.basic_get("work", auto_ack=True)[2] == b"b"
    assert inbox.bodies == ["a"]


def test_messages_that_were_out_before_a_global_prefetch_do_not_use_it_up_for_ever(broker, channel):
    publish(channel, "a", "b", "c")
    reader = broker.channel()
    first, _, _ = reader.basic_get("work")
    reader.basic_qos(prefetch_count=1, global_qos=True)
    inbox = Inbox(reader, "work")
    reader.basic_ack(first.delivery_tag)
    inbox.wait_for(1)
    reader.basic_ack(inbox.got[0][0].delivery_tag)
    assert inbox.wait_for(2) == ["b", "c"]
