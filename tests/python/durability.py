"""What outlives a killed broker. `publish` before the kill, `check` after the restart.

Run by the test that does the killing; the broker is named as in conftest.py.
"""
import os
import sys

import pika
from conftest import Broker, Inbox, ready

PERSISTENT, TRANSIENT = pika.BasicProperties(delivery_mode=2), pika.BasicProperties(delivery_mode=1)


def publish(broker):
    channel = broker.channel()
    channel.confirm_delivery()
    channel.exchange_declare("kept", "topic", durable=True)
    channel.exchange_declare("lost", "topic", durable=False)
    channel.queue_declare("kept", durable=True, arguments={"x-max-length": 100})
    channel.queue_declare("lost", durable=False)
    channel.queue_bind("kept", "kept", "a.#")
    for number in range(10):
        channel.basic_publish("kept", f"a.{number}", f"persistent {number}".encode(), PERSISTENT)
        channel.basic_publish("kept", f"a.{number}", f"transient {number}".encode(), TRANSIENT)
        channel.basic_publish("", "lost", b"in a transient queue", PERSISTENT)
    taken = [channel.basic_get("kept") for _ in range(4)]
    channel.basic_ack(taken[0][0].delivery_tag)
    channel.basic_ack(taken[1][0].delivery_tag)
    assert [body for _, _, body in taken] == [b"persistent 0", b"transient 0", b"persistent 1", b"transient 1"]
    # A later confirm tells that the acknowledgements before it were taken.
    channel.basic_publish("kept", "a.last", b"persistent last", PERSISTENT)


def check(broker):
    channel = broker.channel()
    channel.exchange_declare("kept", "topic", passive=True)
    for gone in (lambda c: c.exchange_declare("lost", passive=True), lambda c: c.queue_declare("lost", passive=True)):
        try:
            gone(broker.channel())
        except pika.exceptions.ChannelClosedByBroker as closed:
            assert closed.reply_code == 404
        else:
            raise AssertionError("a transient object outlived the broker")
    channel.queue_declare("kept", durable=True, arguments={"x-max-length": 100})
    expected = [f"persistent {number}" for number in range(1, 10)] + ["persistent last"]
    found = ready(channel, "kept")
    inbox = Inbox(channel, "kept")
    inbox.wait_for(found)
    # An acknowledgement becomes durable with a later group, so an acknowledged message may come back.
    bodies = [body for body in inbox.bodies if body != "persistent 0"]
    assert bodies == expected, bodies
    channel.basic_ack(0, multiple=True)
    # The binding outlived it too.
    channel.confirm_delivery()
    channel.basic_publish("kept", "a.new", b"new", PERSISTENT, mandatory=True)
    inbox.wait_for(found + 1)
    channel.basic_ack(0, multiple=True)


if __name__ == "__main__":
    under_test = Broker(os.environ["WARREN_AMQP"], os.environ["WARREN_HTTP"], "/")
    {"publish": publish, "check": check}[sys.argv[1]](under_test)
    under_test.close_all()
