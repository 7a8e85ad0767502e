"""A client that sends what it is told, right or wrong, and writes down every frame that comes back.

Rows are the tests of `test_wire_*.py`; `recorded.py` says what each must see.
"""
import re
import socket
import struct

import pika
from pika import frame, spec
from recorded import masked

DEADLINE_S = 20
HEADER = b"AMQP\0\0\x09\x01"
CAPABILITIES = {"authentication_failure_close": True, "consumer_cancel_notify": True, "basic.nack": True,
                "publisher_confirms": True, "connection.blocked": True}
MASKS = [(r"amq\.gen-[A-Za-z0-9_-]{22}", "amq.gen-*"), (r"amq\.ctag-[A-Za-z0-9_-]{22}", "amq.ctag-*"),
         (r"rabbit@[a-zA-Z0-9.-]+", "NODE"), (r"<[^<>]*@[^<>]*\.\d+\.\d+>", "<CONNECTION>"),
         (r"127\.0\.0\.1:\d+", "ADDRESS")]
# Fields no answer depends on.
SILENT = {"ticket", "cluster_id", "known_hosts", "channel_id"}


def method(channel, what):
    return frame.Method(channel, what).marshal()


def raw(kind, channel, payload, end=b"\xce"):
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + end


def header(channel, size, class_id=60, properties=b"\0\0"):
    return raw(2, channel, struct.pack(">HHQ", class_id, 0, size) + properties)


def body(channel, content):
    return raw(3, channel, content)


class Link:
    """One socket."""

    def __init__(self, wire, name):
        address = wire.broker.address
        self.wire, self.name = wire, name
        self.socket = socket.create_connection((address.hostname, address.port), timeout=DEADLINE_S)
        self.input, self.over, self.channels, self.heartbeats = b"", False, set(), 0

    def write(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            pass  # the broker closed it: reading tells

    def send(self, *items, channel=1):
        """Methods, publishes and bytes in one write."""
        data = b""
        for item in items:
            data += item if isinstance(item, bytes) else method(channel, item)
        self.write(data)

    def publish(self, exchange, key, content, *, channel=1, properties=None, **options):
        what = spec.Basic.Publish(exchange=exchange, routing_key=key, **options)
        props = properties or pika.BasicProperties()
        data = method(channel, what) + frame.Header(channel, len(content), props).marshal()
        self.write(data + (body(channel, content) if content else b""))

    def next(self):
        """The next frame, or None at the end."""
        while not self.over:
            if self.input.startswith(b"AMQP") and len(self.input) >= 8:
                found, self.input = self.input[:8], self.input[8:]
                return found
            used, found = (0, None) if self.input.startswith(b"AMQP") else frame.decode_frame(self.input)
            if found is not None:
                self.input = self.input[used:]
                if isinstance(found, frame.Heartbeat):
                    self.heartbeats += 1
                    continue
                return found
            try:
                data = self.socket.recv(65536)
            except ConnectionError:
                data = b""
            self.over = not data
            self.input += data
        return None

    def read(self, log=True):
        """Reads one frame, writes it down, and answers a close."""
        found = self.next()
        if found is None:
            self.wire.say(self, "the socket is closed")
            return None
        if isinstance(found, bytes):
            self.wire.say(self, repr(found))
            return found
        number = found.channel_number
        if isinstance(found, frame.Method):
            if isinstance(found.method, spec.Channel.OpenOk):
                self.channels.add(number)
            if isinstance(found.method, spec.Channel.Close):
                self.channels.discard(number)
                self.write(method(number, spec.Channel.CloseOk()))
            if isinstance(found.method, spec.Channel.CloseOk):
                self.channels.discard(number)
            if isinstance(found.method, spec.Connection.CloseOk):
                self.channels.clear()
                self.over = True  # who goes first is nobody's business
            if isinstance(found.method, spec.Connection.Close):
                self.channels.clear()
                self.write(method(0, spec.Connection.CloseOk()))
        if log:
            self.wire.say(self, describe(found))
        return found

    def call(self, *items, channel=1, frames=1):
        """Sends, and reads that many frames."""
        self.send(*items, channel=channel)
        for _ in range(frames):
            found = self.read()
        return getattr(found, "method", found)

    def hears(self, name):
        """Whether the next frame is that method."""
        found = self.read()
        return found is not None and getattr(found, "method", None) is not None and found.method.NAME == name

    def rest(self):
        """Everything up to the end of the socket."""
        while self.read() is not None:
            pass

    def sync(self, channel=1, read=None):
        """Whatever the broker says before it has done all that was sent on the channel, by `read` when it is given."""
        self.send(spec.Channel.Flow(active=True), channel=channel)
        while channel in self.channels and not self.over:
            found = self.next()
            if isinstance(getattr(found, "method", None), spec.Channel.FlowOk):
                return
            self.again(found)
            (read or self.read)()

    def again(self, found):
        """Puts a frame back."""
        if found is not None:
            self.input = (found if isinstance(found, bytes) else found.marshal()) + self.input

    def start(self, mechanism="PLAIN", response=b"\0guest\0guest", capabilities=CAPABILITIES, quiet=True):
        """The handshake up to `tune`."""
        self.write(HEADER)
        started = self.next()
        assert isinstance(started.method, spec.Connection.Start)
        self.send(spec.Connection.StartOk(client_properties={"capabilities": capabilities}, mechanism=mechanism,
                                          response=response, locale="en_US"), channel=0)
        if quiet:
            assert isinstance(self.next().method, spec.Connection.Tune)

    def open(self, vhost=None, tune=(2047, 131072, 0), channels=(1,), **login):
        """The whole handshake, and channels."""
        self.start(**login)
        self.send(spec.Connection.TuneOk(*tune), spec.Connection.Open(virtual_host=vhost or self.wire.broker.vhost),
                  channel=0)
        assert isinstance(self.next().method, spec.Connection.OpenOk)
        for number in channels:
            self.send(spec.Channel.Open(), channel=number)
            assert isinstance(self.next().method, spec.Channel.OpenOk)
            self.channels.add(number)
        return self

    def finish(self):
        for number in sorted(self.channels):
            if not self.over:
                self.sync(number)
        self.socket.close()


def describe(found):
    number = found.channel_number
    if isinstance(found, frame.Header):
        known = {name: value for name, value in vars(found.properties).items() if value is not None}
        return f"{number} header of {found.body_size} {known or ''}".rstrip()
    if isinstance(found, frame.Body):
        content = found.fragment
        text = repr(content) if len(content) < 40 else f"{content[:4]!r}... {len(content)} bytes"
        return f"{number} body {text}"
    what = found.method
    fields = {name: value for name, value in vars(what).items() if name not in SILENT}
    return f"{number} {what.NAME} " + " ".join(f"{name}={value!r}" for name, value in fields.items())


class Wire:
    """What a row works with: links to the broker, and the record of what they heard."""

    def __init__(self, broker):
        self.broker, self.links, self.lines, self.masks = broker, [], [], [(re.escape(broker.vhost), "VHOST")] + MASKS

    def say(self, link, text):
        prefix = "" if link is self.links[0] else f"{link.name}: "
        self.lines.append((prefix + masked(text, self.masks)).rstrip())

    def link(self, name=None):
        link = Link(self, name or f"link {len(self.links) + 1}")
        self.links.append(link)
        return link

    def open(self, **options):
        return self.link().open(**options)

    def finish(self):
        for link in self.links:
            link.finish()
