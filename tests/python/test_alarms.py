"""Resource alarms block who publishes, and nobody else.

The alarms are raised by moving the limits of the running node, over an endpoint that only
Warren has; what follows was compared with the reference.
"""
import urllib.error
from contextlib import contextmanager
from urllib.parse import quote

import pika
import pytest
from conftest import Inbox, pump_until

BEYOND_ANY_DISK = 1 << 60
QUEUE = "work"


def settings(broker, **changes):
    broker.api("PUT", "/warren/node/settings", changes)


def clear(broker):
    settings(broker, disk_monitoring=True, disk_free_limit={"absolute": "50MB"},
             memory_high_watermark={"relative": 0.6}, maintenance=False)


@pytest.fixture(autouse=True)
def limits(broker):
    """The limits are the node's: every test gives them back."""
    yield
    clear(broker)


@contextmanager
def disk_alarm(broker):
    settings(broker, disk_free_limit={"absolute": BEYOND_ANY_DISK})
    yield
    settings(broker, disk_free_limit={"absolute": "50MB"})


class Told:
    """What a connection is told about being blocked."""

    def __init__(self, connection):
        self.connection, self.reasons, self.unblocked = connection, [], 0
        connection.add_on_connection_blocked_callback(lambda _, frame: self.reasons.append(frame.method.reason))
        connection.add_on_connection_unblocked_callback(self._on_unblocked)

    def _on_unblocked(self, *_):
        self.unblocked += 1

    def wait_for_reason(self):
        pump_until([self.connection], lambda: self.reasons)
        return self.reasons

    def wait_for_end(self):
        pump_until([self.connection], lambda: self.unblocked)


def listed(broker, connection):
    """The connection as the management API shows it."""
    port = connection._impl._transport._sock.getsockname()[1]
    return next(one for one in broker.api("GET", "/connections") if one["peer_port"] == port)


def publisher(broker):
    channel = broker.channel()
    channel.queue_declare(QUEUE)
    return channel, Told(channel.connection)


@pytest.mark.parametrize("limit, reason, resource", [
    ({"disk_free_limit": {"absolute": BEYOND_ANY_DISK}}, "low on disk", "disk"),
    ({"disk_free_limit": {"relative": 1000.0}}, "low on disk", "disk"),
    ({"memory_high_watermark": {"relative": 0.0}}, "low on memory", "memory"),
    ({"memory_high_watermark": {"absolute": "1kB"}}, "low on memory", "memory"),
])
def test_a_publisher_is_blocked_and_a_consumer_is_not(broker, limit, reason, resource):
    channel, told = publisher(broker)
    for number in range(10):
        channel.basic_publish("", QUEUE, f"before {number}".encode())
    inbox = Inbox(broker.channel(), QUEUE, auto_ack=True)
    assert len(inbox.wait_for(10)) == 10

    settings(broker, **limit)
    assert listed(broker, channel.connection)["state"] == "blocking"
    with pytest.raises(urllib.error.HTTPError) as check:
        broker.api("GET", "/health/checks/alarms")
    assert check.value.code == 503
    node = broker.api("GET", "/nodes")[0]
    assert (node["mem_alarm"], node["disk_free_alarm"]) == (resource == "memory", resource == "disk")

    channel.basic_publish("", QUEUE, b"held")
    channel.basic_publish("", QUEUE, b"held too")
    assert told.wait_for_reason() == [reason]
    assert listed(broker, channel.connection)["state"] == "blocked"
    # The consumer's connection does everything but publish, and gets what was accepted elsewhere.
    broker.api("POST", f"/exchanges/{quote(broker.vhost, safe='')}/amq.default/publish",
               {"properties": {}, "routing_key": QUEUE, "payload": "http", "payload_encoding": "string"})
    assert inbox.wait_for(11)[10:] == ["http"]
    assert listed(broker, inbox.connection)["state"] == "blocking"

    clear(broker)
    told.wait_for_end()
    assert inbox.wait_for(13)[11:] == ["held", "held too"]
    assert told.reasons == [reason] and told.unblocked == 1
    assert listed(broker, channel.connection)["state"] == "running"
    assert broker.api("GET", "/health/checks/alarms") == {"status": "ok"}


def test_two_alarms_are_told_as_one_and_both_must_end(broker):
    channel, told = publisher(broker)
    settings(broker, disk_free_limit={"absolute": BEYOND_ANY_DISK}, memory_high_watermark={"relative": 0.0})
    channel.basic_publish("", QUEUE, b"held")
    assert told.wait_for_reason() == ["low on disk & memory"]
    settings(broker, memory_high_watermark={"relative": 0.6})
    assert listed(broker, channel.connection)["state"] == "blocked"
    settings(broker, disk_free_limit={"absolute": "50MB"})
    told.wait_for_end()
    assert told.reasons == ["low on disk & memory"]


def test_a_connection_opened_during_an_alarm_is_blocked_by_its_first_publish(broker):
    with disk_alarm(broker):
        channel, told = publisher(broker)
        assert listed(broker, channel.connection)["state"] == "blocking"
        channel.basic_publish("", QUEUE, b"held")
        assert told.wait_for_reason() == ["low on disk"]
    told.wait_for_end()
    assert Inbox(channel, QUEUE, auto_ack=True).wait_for(1) == ["held"]


def test_a_large_message_is_held_in_the_middle_and_arrives_whole(broker):
    channel, told = publisher(broker)
    body = "水" * 400_000
    with disk_alarm(broker):
        channel.basic_publish("", QUEUE, body.encode())
        assert told.wait_for_reason() == ["low on disk"]
    told.wait_for_end()
    assert Inbox(channel, QUEUE, auto_ack=True).wait_for(1) == [body]


def test_a_blocked_connection_gets_deliveries(broker):
    channel, told = publisher(broker)
    inbox = Inbox(channel, QUEUE, auto_ack=True)
    channel.basic_publish("", QUEUE, b"one")
    inbox.wait_for(1)
    with disk_alarm(broker):
        channel.basic_publish("", QUEUE, b"held")
        told.wait_for_reason()
        broker.api("POST", f"/exchanges/{quote(broker.vhost, safe='')}/amq.default/publish",
                   {"properties": {}, "routing_key": QUEUE, "payload": "http", "payload_encoding": "string"})
        assert inbox.wait_for(2) == ["one", "http"]
    assert inbox.wait_for(3) == ["one", "http", "held"]


def test_a_blocked_connection_can_be_closed_by_the_operator(broker):
    channel, told = publisher(broker)
    with disk_alarm(broker):
        channel.basic_publish("", QUEUE, b"held")
        told.wait_for_reason()
        name = listed(broker, channel.connection)["name"]
        broker.api("DELETE", f"/connections/{quote(name, safe='')}", headers={"X-Reason": "enough"})
        with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as closed:
            pump_until([channel.connection], lambda: False)
        assert (closed.value.reply_code, closed.value.reply_text) == (320, "CONNECTION_FORCED - enough")


def test_heartbeats_go_on_while_a_connection_is_blocked(broker):
    parameters = broker.parameters()
    parameters.heartbeat = 2
    connection = pika.BlockingConnection(parameters)
    channel, told = connection.channel(), Told(connection)
    channel.queue_declare(QUEUE)
    heartbeats = connection._impl._heartbeat_checker
    with disk_alarm(broker):
        channel.basic_publish("", QUEUE, b"held")
        told.wait_for_reason()
        before = heartbeats._heartbeat_frames_received
        # Twice the interval is when a silent client would be given up.
        pump_until([connection], lambda: heartbeats._heartbeat_frames_received >= before + 6)
    told.wait_for_end()
    assert Inbox(channel, QUEUE, auto_ack=True).wait_for(1) == ["held"]
    connection.close()


def test_disk_space_that_is_not_monitored_raises_no_alarm(broker):
    channel, told = publisher(broker)
    with disk_alarm(broker):
        channel.basic_publish("", QUEUE, b"held")
        told.wait_for_reason()
        settings(broker, disk_monitoring=False)
        told.wait_for_end()
        assert broker.api("GET", "/warren/node/settings")["disk_monitoring"] is False
        settings(broker, disk_monitoring=True)
        with pytest.raises(urllib.error.HTTPError):
            broker.api("GET", "/health/checks/local-alarms")


@pytest.mark.parametrize("wrong", [
    {"memory_high_watermark": {"relative": 1.5}},
    {"memory_high_watermark": {"absolute": "lots"}},
    {"disk_free_limit": {"relative": -1}},
    {"disk_free_limit": 7},
    {"log_level": "loud"},
    {"colour": "blue"},
])
def test_settings_that_make_no_sense_change_nothing(broker, wrong):
    before = broker.api("GET", "/warren/node/settings")
    with pytest.raises(urllib.error.HTTPError) as refused:
        settings(broker, **{"disk_free_limit": {"absolute": 7}, **wrong})
    assert refused.value.code == 400
    assert broker.api("GET", "/warren/node/settings") == before


def test_maintenance_closes_connections_and_keeps_new_ones_out(broker):
    connection = broker.connect()
    settings(broker, maintenance=True)
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as closed:
        pump_until([connection], lambda: False)
    assert closed.value.reply_text == "CONNECTION_FORCED - Node was put into maintenance mode"
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        broker.connect()
    assert broker.api("GET", "/nodes")[0]["being_drained"] is True
    with pytest.raises(urllib.error.HTTPError) as check:
        broker.api("GET", "/health/checks/is-in-service")
    assert check.value.code == 503
    settings(broker, maintenance=False)
    assert broker.channel().queue_declare(QUEUE).method.message_count == 0
    assert broker.api("GET", "/health/checks/is-in-service") == {"status": "ok"}


def test_suspended_listeners_leave_open_connections_alone(broker):
    channel, _ = publisher(broker)
    settings(broker, listeners_suspended=True)
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        broker.connect()
    channel.basic_publish("", QUEUE, b"inside")
    settings(broker, listeners_suspended=False)
    assert Inbox(broker.channel(), QUEUE, auto_ack=True).wait_for(1) == ["inside"]
