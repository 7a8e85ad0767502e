"""The handshake, tuning, and what ends a connection."""
import struct
from urllib.parse import quote

import pytest
from conftest import pump_until
from pika import spec
from wire import CAPABILITIES, HEADER, body, header, method, raw

NO_CLOSE = {**CAPABILITIES, "authentication_failure_close": False}


@pytest.mark.parametrize("bad", [
    b"AMQP\0\0\x09\x02", b"AMQP\0\0\x0a\0", b"AMQP\0\0\x08\0", b"AMQP\x01\x02\0\x09", b"HTTP\0\0\x09\x01",
    b"GET / HT", b"\0" * 8,
], ids=["0-9-2", "0-10", "0-8", "1-2-0-9", "http-0-9-1", "get", "zeroes"])
def test_wrong_protocol_header(wire, bad):
    link = wire.link()
    link.write(bad)
    link.rest()


@pytest.mark.parametrize("mechanism, response", [
    ("NONSENSE", b""), ("", b"\0guest\0guest"), ("PLAIN", b""), ("PLAIN", b"guest"), ("PLAIN", b"\0guest"),
    ("PLAIN", b"x\0guest\0guest"), ("PLAIN", b"\0guest\0wrong"), ("PLAIN", b"\0\0"), ("PLAIN", b"\0guest\0guest\0more"),
    ("PLAIN", b"\0\xff\0guest"), ("AMQPLAIN", b"\x05LOGIN"), ("AMQPLAIN", b""),
    ("AMQPLAIN", b"\x05LOGINS\0\0\0\x05guest"),
    ("AMQPLAIN", b"\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x05guest"),
    ("AMQPLAIN", b"\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x05wrong"),
    ("AMQPLAIN", b"\x05LOGINI\0\0\0\x05\x08PASSWORDS\0\0\0\x05guest"),
], ids=["nonsense", "none", "plain-empty", "plain-no-nul", "plain-no-password", "plain-authzid", "plain-wrong",
        "plain-nobody", "plain-more", "plain-not-utf8", "amqplain-cut", "amqplain-empty", "amqplain-no-password",
        "amqplain-right", "amqplain-wrong", "amqplain-number"])
def test_login(wire, mechanism, response):
    link = wire.link()
    link.start(mechanism, response, quiet=False)
    if not link.hears("Connection.Tune"):
        link.rest()


def test_wrong_password_without_the_capability(wire):
    link = wire.link()
    link.start("PLAIN", b"\0guest\0wrong", NO_CLOSE, quiet=False)
    link.rest()


@pytest.mark.parametrize("tune", [
    (0, 131072, 0), (2048, 131072, 0), (2047, 0, 0), (2047, 131073, 0), (2047, 4095, 0), (1, 131072, 0), (2047, 100, 0),
], ids=lambda tune: "-".join(map(str, tune)))
def test_tune_ok(wire, tune):
    link = wire.link()
    link.start()
    link.send(spec.Connection.TuneOk(*tune), spec.Connection.Open(virtual_host=wire.broker.vhost), channel=0)
    if not link.hears("Connection.OpenOk"):
        link.rest()


@pytest.mark.parametrize("vhost", ["absent", "", "水", "v" * 255, "it's"], ids=["absent", "empty", "utf8", "long", "quote"])
def test_missing_vhost(wire, vhost):
    link = wire.link()
    link.start()
    link.call(spec.Connection.TuneOk(2047, 131072, 0), spec.Connection.Open(virtual_host=vhost), channel=0)
    link.rest()


@pytest.mark.parametrize("early", [
    spec.Connection.Open(), spec.Channel.Open(), spec.Connection.TuneOk(0, 0, 0), spec.Connection.CloseOk(),
    spec.Connection.Close(200, "bye", 0, 0), spec.Connection.StartOk(), spec.Queue.Declare(queue="q"),
], ids=lambda early: early.NAME)
@pytest.mark.parametrize("state", ["starting", "tuning", "opening", "running"])
def test_method_out_of_state(wire, state, early):
    if state == "starting" and early.NAME == "Connection.StartOk":
        early = spec.Connection.StartOk(mechanism="", response="", locale="")
    elif early.NAME == "Connection.StartOk":
        early = spec.Connection.StartOk(mechanism="PLAIN", response="\0guest\0guest", locale="en_US")
    if state == "tuning" and early.NAME == "Connection.TuneOk":
        early = spec.Connection.TuneOk(2047, 131072, 0)
    if state == "opening" and early.NAME == "Connection.Open":
        pytest.skip("that is in order")
    link = wire.link()
    if state == "starting":
        link.write(HEADER)
        link.next()
    elif state == "running":
        link.open()
    else:
        link.start()
        if state == "opening":
            link.send(spec.Connection.TuneOk(2047, 131072, 0), channel=0)
    if state == "tuning" and early.NAME == "Connection.TuneOk":
        pytest.skip("that is in order")
    link.send(early, channel=0)
    link.rest()


def test_start_ok_on_channel_1(wire):
    link = wire.link()
    link.write(HEADER)
    link.next()
    link.send(spec.Connection.StartOk(mechanism="PLAIN", response="\0guest\0guest", locale="en_US"), channel=1)
    link.rest()


def test_channel_method_during_the_handshake(wire):
    link = wire.link()
    link.start()
    link.send(spec.Channel.Open(), channel=1)
    link.rest()


def test_frame_before_tune_is_limited(wire):
    link = wire.link()
    link.write(HEADER)
    link.next()
    link.write(raw(1, 0, b"\0\x0a\0\x0b" + b"x" * 9000))
    link.rest()


def test_open_twice(wire):
    link = wire.open()
    link.send(spec.Connection.Open(virtual_host=wire.broker.vhost), channel=0)
    link.rest()


def test_close(wire):
    link = wire.open()
    link.send(spec.Connection.Close(200, "bye", 0, 0), channel=0)
    link.rest()


FRAMES = {
    "too-large": raw(1, 1, b"x" * 5000),
    "announced-too-large": struct.pack(">BHI", 3, 1, 2**31),
    "header-too-large": raw(2, 1, b"x" * 5000),
    "heartbeat-too-large": raw(8, 0, b"x" * 5000),
    "bad-end": raw(1, 1, b"\0\x32\0\x0a" + b"\0" * 9, b"\xcd"),
    "bad-end-of-body": raw(3, 1, b"x", b"\0"),
    "bad-end-of-heartbeat": raw(8, 0, b"", b"\0"),
    "unknown-type": raw(4, 1, b"abc"),
    "unknown-type-0": raw(0, 0, b""),
    "unknown-type-on-0": raw(9, 0, b"abc"),
    "unknown-type-on-closed": raw(9, 7, b"abc"),
    "type-of-a": raw(65, 1, b"abc"),
    "heartbeat-on-1": raw(8, 1, b""),
    "heartbeat-on-7": raw(8, 7, b""),
    "heartbeat-with-payload": raw(8, 0, b"abc"),
    "empty-method": raw(1, 1, b""),
    "short-method": raw(1, 1, b"\0\x32\0"),
    "empty-method-on-0": raw(1, 0, b""),
    "unknown-class": raw(1, 1, b"\0\x63\0\x0a"),
    "unknown-method": raw(1, 1, b"\0\x32\0\x63"),
    "unknown-method-on-0": raw(1, 0, b"\0\x0a\0\x63"),
    "unknown-method-on-closed": raw(1, 7, b"\0\x32\0\x63"),
    "server-method": raw(1, 1, b"\0\x32\0\x0b\x01q" + b"\0" * 8),
    "server-method-on-0": raw(1, 0, b"\0\x0a\0\x29\0"),
    "server-deliver": raw(1, 1, b"\0\x3c\0\x3c\x01t" + b"\0" * 9 + b"\0\0"),
    "cut-fields": raw(1, 1, b"\0\x32\0\x0a\0\0\x05q"),
    "cut-table": raw(1, 1, b"\0\x32\0\x0a\0\0\x01q\x02\0\0\0\x09\x01x"),
    "table-of-nonsense": raw(1, 1, b"\0\x32\0\x0a\0\0\x01q\x02\0\0\0\x03\x01xZ"),
    "rest-behind-fields": raw(1, 1, b"\0\x32\0\x0a\0\0\x01q\x02\0\0\0\0more"),
    "not-utf8": raw(1, 1, b"\0\x32\0\x0a\0\0\x01\xff\x02\0\0\0\0"),
    "cut-fields-on-0": raw(1, 0, b"\0\x0a\0\x28\x05q"),
    "header-first": header(1, 0),
    "body-first": body(1, b"x"),
    "header-on-0": header(0, 0),
    "body-on-0": body(0, b"x"),
    "header-on-closed": header(7, 0),
    "body-on-closed": body(7, b"x"),
    "method-on-closed": method(7, spec.Queue.Declare(queue="q", durable=True)),
    "channel-close-on-closed": method(7, spec.Channel.Close(200, "", 0, 0)),
    "channel-close-ok-on-closed": method(7, spec.Channel.CloseOk()),
    "channel-open-on-0": method(0, spec.Channel.Open()),
    "basic-on-0": method(0, spec.Basic.Get(queue="q")),
    "connection-close-on-1": method(1, spec.Connection.Close(200, "", 0, 0)),
    "connection-open-on-1": method(1, spec.Connection.Open(virtual_host="/")),
    "connection-close-on-7": method(7, spec.Connection.Close(200, "", 0, 0)),
    "tx-unknown": raw(1, 1, b"\0\x5a\0\x63"),
    "access-request": raw(1, 1, b"\0\x1e\0\x0a\x05/data\x1f"),
    "start-of-a-header-again": HEADER,
    "header-of-1-0": b"AMQP\x03\x01\0\0",
}


@pytest.mark.parametrize("name", FRAMES)
def test_frame(wire, name):
    link = wire.open(tune=(2047, 8192, 0))
    data = FRAMES[name]
    if "too-large" in name and len(data) == 5008:
        data = data[:3] + struct.pack(">I", 8193) + b"x" * 8193 + b"\xce"
    link.write(data)


@pytest.mark.parametrize("size", [8184, 8185, 8192, 8193])
def test_frame_at_the_limit(wire, size):
    link = wire.open(tune=(2047, 8192, 0))
    link.send(spec.Basic.Publish(routing_key="absent"), header(1, size), body(1, b"x" * size))


@pytest.mark.parametrize("data", [
    [spec.Basic.Publish(routing_key="q"), spec.Basic.Publish(routing_key="q")],
    [spec.Basic.Publish(routing_key="q"), spec.Channel.Close(200, "", 0, 0)],
    [spec.Basic.Publish(routing_key="q"), spec.Queue.Declare(queue="q", durable=True)],
    [spec.Basic.Publish(routing_key="q"), body(1, b"x")],
    [spec.Basic.Publish(routing_key="q"), header(1, 1, class_id=50)],
    [spec.Basic.Publish(routing_key="q"), header(1, 1), header(1, 1)],
    [spec.Basic.Publish(routing_key="q"), header(1, 1), spec.Queue.Declare(queue="q", durable=True)],
    [spec.Basic.Publish(routing_key="q"), header(1, 1), body(1, b"xy")],
    [spec.Basic.Publish(routing_key="q"), header(1, 2), body(1, b"x"), body(1, b"yz")],
    [spec.Basic.Publish(routing_key="q"), header(1, 0), body(1, b"")],
    [spec.Basic.Publish(routing_key="q"), header(1, 0), body(1, b"x")],
    [spec.Basic.Publish(routing_key="q"), raw(2, 1, b"\0\x3c")],
    [spec.Basic.Publish(routing_key="q"), raw(2, 1, b"")],
    [spec.Basic.Publish(routing_key="q"), header(1, 0, properties=b"\x80\0")],
    [spec.Basic.Publish(routing_key="q"), header(1, 0, properties=b"\x80\0\x05ab")],
    [spec.Basic.Publish(routing_key="q"), header(1, 0, properties=b"\x20\0\0\0\0\x03\x01xZ")],
    [spec.Basic.Publish(routing_key="q"), header(1, 0, properties=b"\0\x01\0\0")],
    [spec.Basic.Publish(routing_key="q"), header(1, 0, properties=b"\0\0rest")],
    [spec.Basic.Publish(routing_key="q"), header(1, 2**63)],
    [spec.Basic.Publish(routing_key="q"), header(1, 600 * 1024 * 1024)],
    [spec.Basic.Publish(routing_key="q"), header(1, 17 * 1024 * 1024)],
    [spec.Basic.Publish(routing_key="q", immediate=True), header(1, 0)],
    [spec.Basic.Publish(exchange="absent", routing_key="q"), header(1, 1), body(1, b"x")],
    [spec.Basic.Publish(exchange="absent", routing_key="q"), body(1, b"x")],
    [spec.Basic.Publish(exchange="absent", routing_key="q"), header(1, 0), body(1, b"x"),
     spec.Queue.Declare(queue="q", durable=True)],
], ids=["publish", "close", "declare", "body", "class", "header", "declare-after-header", "long", "long-later",
        "empty-body-frame", "body-of-nothing", "cut-header", "empty-header", "properties-absent", "properties-cut",
        "properties-nonsense", "flags-continued", "rest-in-header", "huge", "too-large", "large", "immediate", "absent",
        "absent-and-body", "absent-and-longer"])
def test_content(wire, data):
    link = wire.open()
    link.send(*data)


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 8184, b"x" * 8185, b"x" * 30000], ids=len)
@pytest.mark.parametrize("pieces", [1, 3, 8000])
def test_bodies_come_back_whole(wire, content, pieces):
    link = wire.open(tune=(2047, 8192, 0))
    link.call(spec.Queue.Declare(queue="q", durable=True))
    size = max(1, min(8184, -(-len(content) // pieces)))
    frames = [body(1, content[at:at + size]) for at in range(0, len(content), size)]
    link.send(spec.Basic.Publish(routing_key="q"), header(1, len(content)), *frames)
    link.call(spec.Basic.Get(queue="q", no_ack=True), frames=2 + -(-len(content) // 8184))


def test_empty_body_frames_between(wire):
    link = wire.open()
    link.call(spec.Queue.Declare(queue="q", durable=True))
    link.send(spec.Basic.Publish(routing_key="q"), header(1, 2), body(1, b""), body(1, b"x"), body(1, b""), body(1, b"y"))
    link.call(spec.Basic.Get(queue="q", no_ack=True), frames=3)


def test_bodies_of_two_channels_interleave(wire):
    link = wire.open(channels=(1, 2))
    link.call(spec.Queue.Declare(queue="q", durable=True))
    link.send(spec.Basic.Publish(routing_key="q"), method(2, spec.Basic.Publish(routing_key="q")), header(1, 2),
              header(2, 2), body(1, b"a"), body(2, b"c"), raw(8, 0, b""), body(1, b"b"))
    link.sync()
    link.send(body(2, b"d"))
    link.sync(2)
    link.call(spec.Basic.Get(queue="q", no_ack=True), frames=3)
    link.call(spec.Basic.Get(queue="q", no_ack=True), frames=3)


def test_heartbeats_come_and_silence_ends_the_connection(wire):
    link = wire.open(tune=(2047, 131072, 1))
    link.rest()
    assert link.heartbeats >= 2


def test_channel_opened_twice(wire):
    wire.open().send(spec.Channel.Open())


def test_channel_beyond_channel_max(wire):
    wire.open(tune=(2, 131072, 0)).call(spec.Channel.Open(), channel=3)


def test_channels_of_a_small_channel_max_are_counted(wire):
    link = wire.open(tune=(2, 131072, 0), channels=(1, 2))
    link.call(spec.Channel.Close(200, "", 0, 0))
    link.call(spec.Channel.Open())


def test_channel_is_opened_again_after_its_close(wire):
    link = wire.open()
    link.call(spec.Queue.Declare(queue="absent", passive=True))
    link.call(spec.Channel.Open())
    link.call(spec.Queue.Declare(queue="q", durable=True))


def test_a_closing_channel_ignores_all_but_close(wire):
    link = wire.open()
    link.send(spec.Queue.Declare(queue="absent", passive=True), spec.Queue.Declare(queue="q", durable=True),
              spec.Basic.Publish(routing_key="q"), header(1, 1), body(1, b"x"), spec.Channel.Close(200, "", 0, 0))
    link.read()
    link.read()
    link.call(spec.Channel.Open())
    link.call(spec.Queue.Declare(queue="q", passive=True))


def test_a_publish_cut_by_a_close_of_its_channel(wire):
    link = wire.open()
    link.call(spec.Channel.Close(200, "", 0, 0))
    link.send(body(1, b"x"))
    link.rest()


def test_close_by_an_operator(wire):
    link = wire.open()
    close_all(wire.broker, {})
    link.rest()


def test_close_by_an_operator_with_a_reason(wire):
    link = wire.open()
    close_all(wire.broker, {"X-Reason": "go away"})
    link.rest()


def test_deletion_of_the_vhost_closes_its_connections(wire):
    link = wire.open()
    path = "/vhosts/" + wire.broker.vhost
    wire.broker.api("DELETE", path)
    link.rest()
    wire.broker.api("PUT", path, {})


def test_deletion_of_the_user_closes_their_connections(wire):
    broker = wire.broker
    name = "user-of-" + broker.vhost
    broker.api("PUT", "/users/" + name, {"password": "pw", "tags": ""})
    broker.api("PUT", f"/permissions/{broker.vhost}/{name}", {"configure": "", "write": "", "read": ""})
    link = wire.open(response=f"\0{name}\0pw")
    broker.api("DELETE", "/users/" + name)
    link.rest()


@pytest.mark.parametrize("limit", [0, 1])
def test_connection_limit_of_the_vhost(wire, limit):
    wire.broker.api("PUT", f"/vhost-limits/{wire.broker.vhost}/max-connections", {"value": limit})
    for _ in range(limit):
        wire.open()
    link = wire.link()
    link.start()
    link.send(spec.Connection.TuneOk(2047, 131072, 0), spec.Connection.Open(virtual_host=wire.broker.vhost), channel=0)
    link.rest()


def limited_user(broker, limit):
    name = "user-of-" + broker.vhost
    broker.api("PUT", "/users/" + name, {"password": "pw", "tags": ""})
    broker.api("PUT", f"/permissions/{broker.vhost}/{name}", {"configure": "", "write": "", "read": ""})
    broker.api("PUT", f"/user-limits/{name}/{limit}", {"value": 1})
    return name


def test_connection_limit_of_the_user(wire):
    name = limited_user(wire.broker, "max-connections")
    wire.open(response=f"\0{name}\0pw")
    link = wire.link()
    link.start(response=f"\0{name}\0pw")
    link.send(spec.Connection.TuneOk(2047, 131072, 0), spec.Connection.Open(virtual_host=wire.broker.vhost), channel=0)
    link.rest()
    wire.broker.api("DELETE", "/users/" + name)
    wire.links[0].rest()


def test_channel_limit_of_the_user(wire):
    name = limited_user(wire.broker, "max-channels")
    link = wire.open(response=f"\0{name}\0pw")
    link.send(spec.Channel.Open(), channel=2)
    link.rest()
    wire.broker.api("DELETE", "/users/" + name)


def close_all(broker, headers):
    seen = []

    def listed():
        seen[:] = [one["name"] for one in broker.api("GET", f"/vhosts/{broker.vhost}/connections")]
        return seen
    pump_until([], listed)
    for name in seen:
        broker.api("DELETE", "/connections/" + quote(name, safe=""), headers=headers)
