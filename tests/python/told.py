"""Messages as lines that tell the types of their headers too, and what the broker itself publishes.

As with `wire.py`, the expectation is what the reference sent: see `recorded.py`.
"""
import contextlib
import re

import pika
from conftest import awaited
from recorded import compare, masked


@contextlib.contextmanager
def with_types():
    """Lets pika say of each value of a table which type it had."""
    plain = pika.data.decode_value

    def typed(encoded, offset):
        kind = encoded[offset:offset + 1].decode()
        value, offset = plain(encoded, offset)
        return (kind, value.decode() if isinstance(value, bytes) else value), offset

    pika.data.decode_value = typed
    try:
        yield
    finally:
        pika.data.decode_value = plain


def by_name(typed):
    """A typed value with its tables in the order of their names, for where that order is nobody's business."""
    kind, value = typed
    if kind == "F":
        return kind, {name: by_name(one) for name, one in sorted(value.items())}
    return (kind, [by_name(one) for one in value]) if kind == "A" else typed


def text_of(typed):
    """A typed value as text."""
    kind, value = typed
    if kind == "F":
        return "{" + ", ".join(f"{name}: {text_of(one)}" for name, one in value.items()) + "}"
    if kind == "A":
        return "[" + ", ".join(map(text_of, value)) + "]"
    if kind == "T":
        return "T:TIME"
    return f"{kind}:{int(value)}" if kind in "lIsb" else f"{kind}:{value!r}"


def properties_of(properties):
    present = {name: value for name, value in vars(properties).items() if value is not None and name != "headers"}
    return " ".join(f"{name}={value!r}" for name, value in present.items())


class Told:
    """Reads what comes to a queue and writes it down, masked."""

    def __init__(self, broker, source, keys=("#",)):
        self.broker, self.lines = broker, []
        self.masks = [(re.escape(broker.vhost), "VHOST"), (r"(rabbit|live|test[0-9_-]*)@[a-zA-Z0-9.-]+", "NODE"),
                      (r"127\.0\.0\.1:\d+ -> 127\.0\.0\.1:\d+", "CONNECTION"), (r"<NODE[0-9.]*>", "<PROCESS>"),
                      (r"amq\.rabbitmq\.reply-to\.[A-Za-z0-9+/=.-]+", "REPLY-ADDRESS")]
        self.channel = broker.channel()
        self.queue = self.channel.queue_declare("", exclusive=True).method.queue
        for key in keys:
            self.channel.queue_bind(self.queue, source, key)

    def next(self):
        """The next message: method, properties with types, body."""
        with with_types():
            return awaited(self.channel, self.queue, auto_ack=True)

    def compare(self, request, file):
        """The lines must be those of the reference."""
        compare(file, request, [masked(line, self.masks) for line in self.lines])
