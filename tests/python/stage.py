"""Where rows about dead letters are played: queues and exchanges of one virtual host, and what arrives where.

A row writes down exchange, routing key, properties, and the headers with the types they have on the wire; times are
left out. What it must see is in `wire_answers/dead_letters.txt`: see `recorded.py`.
"""
from urllib.parse import quote

import pika
import pytest
from conftest import awaited, pump_until, ready
from recorded import compare
from told import properties_of, text_of, with_types

SHORT_MS = 30


class Stage:
    """Queues and exchanges of one row, and what was seen."""

    def __init__(self, broker, kind):
        self.broker, self.kind, self.seen = broker, kind, []
        self.channel = broker.channel()

    def policy(self, name, pattern, priority=0, **definition):
        definition = {key.replace("_", "-"): value for key, value in definition.items()}
        self.broker.api("PUT", f"/policies/{quote(self.broker.vhost, safe='')}/{name}",
                        {"pattern": pattern, "definition": definition, "apply-to": "queues", "priority": priority})

    def queue(self, name, kind=None, **arguments):
        arguments = {"x-" + key.replace("_", "-"): value for key, value in arguments.items()}
        self.channel.queue_declare(name, durable=True, arguments={"x-queue-type": kind or self.kind, **arguments})

    def exchange(self, name, kind="direct", **options):
        self.channel.exchange_declare(name, kind, durable=True, **options)

    def bind(self, queue, exchange, key="", **options):
        self.channel.queue_bind(queue, exchange, key, **options)

    def publish(self, key, body="m", exchange="", **properties):
        self.channel.basic_publish(exchange, key, body.encode(), pika.BasicProperties(**properties))

    def take(self, queue, channel=None):
        """The next message of a queue, awaited."""
        return awaited(channel or self.channel, queue)

    def reject(self, queue, requeue=False):
        method, _, _ = self.take(queue)
        self.channel.basic_reject(method.delivery_tag, requeue=requeue)

    def nack(self, queue, requeue=False):
        method, _, _ = self.take(queue)
        self.channel.basic_nack(method.delivery_tag, requeue=requeue)

    def arrives(self, queue, ack=True):
        """Writes down the next message of a queue."""
        with with_types():
            method, properties, body = self.take(queue)
        self.seen.append(f"{queue}: {body.decode()!r} from {method.exchange!r} by {method.routing_key!r}"
                         f"{' redelivered' if method.redelivered else ''} {properties_of(properties)}".rstrip())
        headers = properties.headers or {}
        self.seen += [f"  {name} = {text_of(headers[name])}" for name in sorted(headers)]
        if ack:
            self.channel.basic_ack(method.delivery_tag)
        return method

    def empties(self, *queues):
        """Waits until nothing is ready in any of them."""
        pump_until([self.channel.connection], lambda: not any(ready(self.channel, queue) for queue in queues))
        self.seen.append(f"{' and '.join(queues)} empty")

    def holds(self, queue, count):
        """Waits until so many are ready."""
        pump_until([self.channel.connection], lambda: ready(self.channel, queue) == count)
        self.seen.append(f"{queue} has {count}")


@pytest.fixture(params=["classic", "quorum"])
def kind(request):
    """That of every queue for which a row names no other."""
    return request.param


@pytest.fixture
def s(broker, kind, request):
    stage = Stage(broker, kind)
    yield stage
    compare("dead_letters", request, stage.seen)


def to(key, **more):
    """Arguments of a queue whose dead letters go to one queue."""
    return {"dead_letter_exchange": "", "dead_letter_routing_key": key, **more}
