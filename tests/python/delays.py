"""Delayed messages outlive a killed broker. `publish` before the kill, `check` after the restart.

Run by the test that does the killing; the broker is named as in conftest.py.
"""
import os
import sys

import pika
from conftest import Broker, Inbox, pump_until

SOON, LATE = ([f"{word} {number}" for number in range(500)] for word in ["soon", "late"])


def due(delay_ms, mode=2):
    return pika.BasicProperties(headers={"x-delay": delay_ms}, delivery_mode=mode)


def publish(broker):
    channel = broker.channel()
    channel.confirm_delivery()
    channel.exchange_declare("later", "x-delayed-message", durable=True, arguments={"x-delayed-type": "topic"})
    channel.exchange_declare("gone", "x-delayed-message", durable=False, arguments={"x-delayed-type": "fanout"})
    channel.queue_declare("q", durable=True)
    channel.queue_bind("q", "later", "a.#")
    channel.queue_bind("q", "gone")
    channel.basic_publish("later", "a.far", b"far", due(3_600_000))
    channel.basic_publish("gone", "", b"of an exchange that is gone", due(1))
    inbox = Inbox(channel, "q", auto_ack=True)
    assert inbox.wait_for(1) == ["of an exchange that is gone"]
    channel.basic_publish("gone", "", b"of an exchange that is gone", due(8_000))
    # They are due while the broker is down or soon after: what was published last comes first.
    # One commit for all, so that none is due before the kill. Transient ones are kept as well.
    committed = broker.channel()
    committed.tx_select()
    for bodies, delay_ms in [(LATE, 16_000), (SOON, 8_000)]:
        for number, body in enumerate(bodies):
            committed.basic_publish("later", "a.b", body.encode(), due(delay_ms, 2 if number % 2 else 1))
    committed.tx_commit()
    assert len(inbox.got) == 1, "it took so long that there is nothing to test"


def check(broker):
    channel = broker.channel()
    inbox = Inbox(channel, "q", auto_ack=True)
    assert inbox.wait_for(len(SOON) + len(LATE)) == SOON + LATE
    pump_until([channel.connection], lambda: broker.api("GET", "/exchanges/%2F/later")["messages_delayed"] == 1)
    # Nothing came twice.
    assert len(inbox.got) == len(SOON) + len(LATE)


if __name__ == "__main__":
    broker = Broker(os.environ["WARREN_AMQP"], os.environ["WARREN_HTTP"], "/")
    {"publish": publish, "check": check}[sys.argv[1]](broker)
    broker.close_all()
