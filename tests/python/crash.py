"""The two ends of the crash test.

`publish FILE FIRST` publishes numbered persistent messages, a window of them unconfirmed at
any time, and appends the number of each confirmed one to FILE before it goes on; it ends when
the broker dies. `read` prints the number of every message in the queue, in order, and leaves
them there.
"""
import hashlib
import os
import sys

import pika
from conftest import Broker, Inbox, ready

QUEUE, EXCHANGE = "crash", "crash"
WINDOW = 200
# Small ones share a write; every hundredth is larger than a frame.
SIZES = (10, 100, 1000, 10, 4000, 10, 20_000)


def body_of(number):
    """Its number, a checksum, and filling: a torn or mixed-up body is noticed."""
    filling = "x" * (200_000 if number % 100 == 99 else SIZES[number % len(SIZES)])
    text = f"{number} {filling}"
    return f"{hashlib.sha1(text.encode()).hexdigest()} {text}".encode()


def number_of(body):
    checksum, text = body.split(" ", 1)
    assert hashlib.sha1(text.encode()).hexdigest() == checksum, f"a damaged body: {body[:80]}"
    return int(text.split(" ", 1)[0])


class Publisher:
    def __init__(self, parameters, path, first):
        self.record = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.first, self.sent, self.unconfirmed = first, 0, set()
        self.connection = pika.SelectConnection(
            parameters, on_open_callback=self.opened, on_open_error_callback=self.lost, on_close_callback=self.lost)

    def opened(self, connection):
        connection.channel(on_open_callback=self.channel_open)

    def lost(self, connection, _reason):
        connection.ioloop.stop()

    def channel_open(self, channel):
        self.channel = channel
        channel.confirm_delivery(self.confirmed, callback=lambda _ok: self.fill())

    def fill(self):
        while len(self.unconfirmed) < WINDOW and self.channel.is_open:
            number = self.first + self.sent
            self.sent += 1
            self.unconfirmed.add(self.sent)
            self.channel.basic_publish(EXCHANGE, "", body_of(number), pika.BasicProperties(delivery_mode=2))

    def confirmed(self, frame):
        assert isinstance(frame.method, pika.spec.Basic.Ack), "a persistent message was refused"
        tag, multiple = frame.method.delivery_tag, frame.method.multiple
        tags = sorted(t for t in self.unconfirmed if t <= tag) if multiple else [tag]
        self.unconfirmed.difference_update(tags)
        lines = "".join(f"{self.first + t - 1}\n" for t in tags)
        os.write(self.record, lines.encode())
        self.fill()


def publish(broker, path, first):
    channel = broker.channel()
    channel.exchange_declare(EXCHANGE, "fanout", durable=True)
    channel.queue_declare(QUEUE, durable=True)
    channel.queue_bind(QUEUE, EXCHANGE)
    Publisher(broker.parameters(), path, int(first)).connection.ioloop.start()


def read(broker):
    channel = broker.channel()
    count = ready(channel, QUEUE)
    inbox = Inbox(channel, QUEUE)
    inbox.wait_for(count)
    for body in inbox.bodies:
        print(number_of(body))


if __name__ == "__main__":
    under_test = Broker(os.environ["WARREN_AMQP"], os.environ["WARREN_HTTP"], "/")
    {"publish": publish, "read": read}[sys.argv[1]](under_test, *sys.argv[2:])
