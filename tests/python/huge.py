"""Huge messages, against a server whose limit is raised: LIMIT_BYTES and the server's process id are the arguments.

Bodies arrive and leave in parts, the memory follows what is there, and everybody else is served meanwhile.
"""
import hashlib
import os
import socket
import struct
import sys
from urllib.parse import urlsplit

import pika
from pika import frame, spec

LIMIT, PID = int(sys.argv[1]), int(sys.argv[2])
ADDRESS = urlsplit(os.environ["WARREN_AMQP"])
FRAME = 131072 - 8
BODY = hashlib.shake_128(b"huge").digest(1 << 20) * 64
PARAMETERS = pika.ConnectionParameters(ADDRESS.hostname, ADDRESS.port)


def resident_bytes():
    with open(f"/proc/{PID}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def head(channel, queue, size):
    """The frames before a body."""
    publish = spec.Basic.Publish(exchange="", routing_key=queue)
    return frame.Method(channel, publish).marshal() + frame.Header(channel, size, pika.BasicProperties()).marshal()


def parts(channel, body):
    for at in range(0, len(body), FRAME):
        part = body[at:at + FRAME]
        yield struct.pack(">BHI", 3, channel, len(part)) + part + b"\xce"


class Link:
    """A socket that says exactly what it is told."""

    def __init__(self, channels):
        self.socket, self.input = socket.create_connection((ADDRESS.hostname, ADDRESS.port), timeout=60), b""
        self.socket.sendall(b"AMQP\0\0\x09\x01")
        self.expect(spec.Connection.Start)
        self.send(0, spec.Connection.StartOk(client_properties={}, mechanism="PLAIN", response=b"\0guest\0guest",
                                             locale="en_US"))
        self.expect(spec.Connection.Tune)
        self.send(0, spec.Connection.TuneOk(2047, FRAME + 8, 0))
        self.send(0, spec.Connection.Open(virtual_host="/"))
        self.expect(spec.Connection.OpenOk)
        for channel in range(1, channels + 1):
            self.send(channel, spec.Channel.Open())
            self.expect(spec.Channel.OpenOk)

    def send(self, channel, method):
        self.socket.sendall(frame.Method(channel, method).marshal())

    def next(self):
        while True:
            used, found = frame.decode_frame(self.input)
            if found is not None:
                self.input = self.input[used:]
                return found
            data = self.socket.recv(1 << 18)
            assert data, "the server closed the connection"
            self.input += data

    def expect(self, method):
        found = self.next()
        assert isinstance(getattr(found, "method", None), method), found
        return found.method

    def content(self):
        """The body behind a deliver."""
        size, hashed, pieces = self.next().body_size, hashlib.sha256(), 0
        while size > 0:
            piece = self.next().fragment
            hashed.update(piece)
            size, pieces = size - len(piece), pieces + 1
        return hashed.hexdigest(), pieces


def small_round_trip(channel):
    channel.basic_publish("", "small", b"small")
    assert channel.basic_get("small", auto_ack=True)[2] == b"small"


def main():
    bystander = pika.BlockingConnection(PARAMETERS).channel()
    bystander.queue_declare("small", exclusive=True)
    bystander.queue_declare("huge")
    wanted = hashlib.sha256(BODY).hexdigest()

    # In parts, with other channels and connections served between them.
    link = Link(channels=2)
    frames = list(parts(1, BODY))
    link.socket.sendall(head(1, "huge", len(BODY)))
    for at, part in enumerate(frames):
        link.socket.sendall(part)
        if at == len(frames) // 2:
            link.send(2, spec.Queue.Declare(queue="huge", passive=True))
            assert link.expect(spec.Queue.DeclareOk).message_count == 0
            small_round_trip(bystander)
    link.send(1, spec.Queue.Declare(queue="huge", passive=True))
    assert link.expect(spec.Queue.DeclareOk).message_count == 1

    # To a consumer that does not read: its message waits in the socket, and nobody else does.
    slow = Link(channels=1)
    before = resident_bytes()
    slow.send(1, spec.Basic.Consume(queue="huge", no_ack=True))
    slow.expect(spec.Basic.ConsumeOk)
    slow.expect(spec.Basic.Deliver)
    for _ in range(100):
        small_round_trip(bystander)
    grown = resident_bytes() - before
    assert grown < len(BODY) // 4, f"sending {len(BODY)} bytes copied {grown}"
    assert slow.content() == (wanted, len(frames))

    # Through an ordinary client.
    bystander.basic_publish("", "small", BODY)
    assert hashlib.sha256(bystander.basic_get("small", auto_ack=True)[2]).hexdigest() == wanted

    # Announced and not sent: memory is for what is there.
    liar = Link(channels=50)
    before = resident_bytes()
    for channel in range(1, 51):
        liar.socket.sendall(head(channel, "huge", LIMIT) + next(parts(channel, b"little")))
    liar.send(1, spec.Basic.Ack(delivery_tag=0, multiple=True))
    assert liar.expect(spec.Connection.Close).reply_code == 505
    grown = resident_bytes() - before
    assert grown < 50 << 20, f"50 x {LIMIT} bytes announced took {grown}"

    # Beyond the limit.
    link.socket.sendall(head(2, "huge", LIMIT + 1))
    refused = link.expect(spec.Channel.Close)
    assert refused.reply_code == 406, refused
    assert f"message size {LIMIT + 1} is larger than configured max size {LIMIT}" in refused.reply_text, refused
    small_round_trip(bystander)


main()
