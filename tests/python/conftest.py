"""Where the broker under test is, and what every test starts from: a virtual host of its own.

WARREN_AMQP and WARREN_HTTP name it; any broker with a management API and an administrator
guest/guest will do, so that the same files can be run against the reference.
"""
import base64
import json
import os
import socket
import time
import urllib.request
import zlib
from urllib.parse import quote, urlsplit

import pika
import pytest
from recorded import compare
from wire import Wire

DEADLINE_S = 30


class Broker:
    """The broker under test, and one virtual host on it."""

    def __init__(self, amqp, http, vhost):
        self.address = urlsplit(amqp)
        self.http = http
        self.vhost = vhost
        self._open = []

    def api(self, method, path, body=None, headers=()):
        """A management request as guest."""
        request = urllib.request.Request(self.http + "/api" + path, method=method)
        request.add_header("Authorization", "Basic " + base64.b64encode(b"guest:guest").decode())
        request.add_header("Content-Type", "application/json")
        for name, value in dict(headers).items():
            request.add_header(name, value)
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(request, data, timeout=DEADLINE_S) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def parameters(self, user="guest", password="guest", vhost=None):
        return pika.ConnectionParameters(
            host=self.address.hostname, port=self.address.port, virtual_host=self.vhost if vhost is None else vhost,
            credentials=pika.PlainCredentials(user, password), blocked_connection_timeout=DEADLINE_S)

    def connect(self, **login):
        connection = pika.BlockingConnection(self.parameters(**login))
        self._open.append(connection)
        return connection

    def channel(self, **login):
        return self.connect(**login).channel()

    def close_all(self):
        for connection in self._open:
            try:
                connection.close()
            except pika.exceptions.AMQPError:
                pass  # the test ended it


def pump_until(connections, condition):
    """Lets the connections work until the condition holds, and returns what it is then; fails when it never does."""
    end = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < end, "the awaited never happened"
        for connection in connections:
            connection.process_data_events(time_limit=0.01)
        if not connections:
            time.sleep(0.01)
    return found


def die(connection):
    """Ends a connection as a killed process does: the socket closes, AMQP says nothing."""
    sock = connection._impl._transport._sock
    sock.shutdown(socket.SHUT_RDWR)


class Inbox:
    """A consumer that writes down what it gets."""

    def __init__(self, channel, queue, auto_ack=False, **options):
        self.channel, self.got, self.got_from = channel, [], queue
        self.tag = channel.basic_consume(queue, self._take, auto_ack=auto_ack, **options)

    def _take(self, _channel, method, properties, body):
        self.got.append((method, properties, body.decode()))

    @property
    def bodies(self):
        return [body for _, _, body in self.got]

    @property
    def connection(self):
        return self.channel.connection

    def wait_for(self, count):
        pump_until([self.connection], lambda: len(self.got) >= count)
        return self.bodies


def drained(channel, queue):
    """Everything in a queue, in order."""
    bodies = []
    while True:
        method, _, body = channel.basic_get(queue, auto_ack=True)
        if method is None:
            return bodies
        bodies.append(body.decode())


def awaited(channel, queue, auto_ack=False):
    """The next message of a queue: method, properties, body."""

    def get():
        delivery = channel.basic_get(queue, auto_ack=auto_ack)
        return delivery[0] and delivery

    return pump_until([channel.connection], get)


def ready(channel, queue):
    return channel.queue_declare(queue, passive=True).method.message_count


@pytest.fixture
def broker(request):
    # Short, since reply texts are cut at 255 bytes.
    vhost = f"pika-{zlib.crc32(request.node.name.encode()):x}"
    broker = Broker(os.environ["WARREN_AMQP"], os.environ["WARREN_HTTP"], vhost)
    broker.api("PUT", "/vhosts/" + quote(vhost, safe=""), {})
    broker.api("PUT", f"/permissions/{quote(vhost, safe='')}/guest", {"configure": ".*", "write": ".*", "read": ".*"})
    yield broker
    broker.close_all()
    broker.api("DELETE", "/vhosts/" + quote(vhost, safe=""))


@pytest.fixture(scope="session")
def bystander():
    """A channel with whose connection no test has anything to do, and its queue."""
    broker = Broker(os.environ["WARREN_AMQP"], os.environ["WARREN_HTTP"], "/")
    channel = broker.channel()
    channel.confirm_delivery()
    yield channel, channel.queue_declare("", exclusive=True).method.queue
    broker.close_all()


@pytest.fixture
def wire(broker, bystander, request):
    """A recorder of frames; at the end of the row they must be those the reference sent, and others are served."""
    wire = Wire(broker)
    yield wire
    wire.finish()
    channel, queue = bystander
    channel.basic_publish("", queue, b"m", mandatory=True)
    assert drained(channel, queue) == ["m"]
    compare(request.module.__name__.removeprefix("test_wire_"), request, wire.lines)
