"""Streams outlive a killed broker. `publish` before the kill, `check` after the restart.

Run by the test that does the killing; the broker is named as in conftest.py.
"""
import os
import sys

import pika
from conftest import Broker, pump_until

COUNT = 3000
CUT = "cut"
WHOLE = "whole"


def declare(channel):
    stream = {"x-queue-type": "stream"}
    channel.queue_declare(WHOLE, durable=True, arguments=stream)
    small = {"x-max-length-bytes": 64_000, "x-stream-max-segment-size-bytes": 16_000}
    channel.queue_declare(CUT, durable=True, arguments=stream | small)


def publish(broker):
    channel = broker.channel()
    channel.confirm_delivery()
    declare(channel)
    batch = broker.channel()
    batch.tx_select()
    for queue in [WHOLE, CUT]:
        for number in range(COUNT):
            # A stream keeps what it gets, whatever the delivery mode.
            mode = 1 + number % 2
            batch.basic_publish("", queue, f"{queue} {number:06}".encode(), pika.BasicProperties(delivery_mode=mode))
        batch.tx_commit()
        channel.basic_publish("", queue, f"{queue} {COUNT:06}".encode())


def read(broker, queue, until):
    """Offsets and bodies from the first on, until a body has come."""
    channel = broker.channel()
    channel.basic_qos(prefetch_count=500)
    got = []

    def take(channel, method, properties, body):
        got.append((properties.headers["x-stream-offset"], body.decode()))
        channel.basic_ack(method.delivery_tag)

    channel.basic_consume(queue, take, arguments={"x-stream-offset": "first"})
    pump_until([channel.connection], lambda: got and got[-1][1] == until)
    return got


def check(broker):
    channel = broker.channel()
    channel.confirm_delivery()
    declare(channel)
    last = f"{WHOLE} {COUNT:06}"
    assert read(broker, WHOLE, last) == [(number, f"{WHOLE} {number:06}") for number in range(COUNT + 1)]
    got = read(broker, CUT, f"{CUT} {COUNT:06}")
    first = got[0][0]
    assert first > 0, "retention took nothing"
    assert got == [(number, f"{CUT} {number:06}") for number in range(first, COUNT + 1)]
    # No offset is given out twice.
    for queue in [WHOLE, CUT]:
        channel.basic_publish("", queue, b"after")
        assert read(broker, queue, "after")[-1] == (COUNT + 1, "after")


if __name__ == "__main__":
    broker = Broker(os.environ["WARREN_AMQP"], os.environ["WARREN_HTTP"], "/")
    {"publish": publish, "check": check}[sys.argv[1]](broker)
    broker.close_all()
