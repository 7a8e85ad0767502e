"""The order of refusals at the door, and reasons an operator gives for closing; more is in `test_wire_connection.py`."""
from urllib.parse import quote

import pytest
from conftest import pump_until
from pika import spec


def path(*parts):
    return "/" + "/".join(quote(part, safe="") for part in parts)


@pytest.fixture
def user(broker):
    name = "visitor"
    broker.api("PUT", f"/users/{name}", {"password": "secret", "tags": ""})
    yield name
    broker.api("POST", "/users/bulk-delete", {"users": [name]})


@pytest.fixture
def guest_of(broker, user):
    broker.api("PUT", path("permissions", broker.vhost, user), {"configure": ".*", "write": ".*", "read": ".*"})
    return user


LOGIN = b"\0visitor\0secret"


def knock(wire):
    """Asks to enter the virtual host."""
    link = wire.link()
    link.start(response=LOGIN)
    link.send(spec.Connection.TuneOk(2047, 131072, 0), spec.Connection.Open(virtual_host=wire.broker.vhost), channel=0)
    if not link.hears("Connection.OpenOk"):
        link.rest()
    return link


def names(broker, wanted):
    """The connections of the virtual host, once the listing has that many."""
    listing = path("vhosts", broker.vhost, "connections")
    pump_until([], lambda: len(broker.api("GET", listing)) == wanted)
    return [connection["name"] for connection in broker.api("GET", listing)]


def test_nothing_granted(wire, user):
    knock(wire)


def test_the_limit_of_the_vhost_is_told_before_what_is_not_granted(broker, wire, user):
    broker.api("PUT", path("vhost-limits", broker.vhost, "max-connections"), {"value": 0})
    broker.api("PUT", path("user-limits", user, "max-connections"), {"value": 0})
    knock(wire)


@pytest.mark.parametrize("limit", [0, 1])
def test_channels_of_a_user(broker, wire, guest_of, limit):
    broker.api("PUT", path("user-limits", guest_of, "max-channels"), {"value": limit})
    link = knock(wire)
    for number in (1, 2):
        if not link.over and link.call(spec.Channel.Open(), channel=number).NAME == "Channel.OpenOk":
            continue
        link.rest()


@pytest.mark.parametrize("headers", [{}, {"X-Reason": "moving house"}, {"X-Reason": "x" * 300}, {"X-Reason": ""}],
                         ids=["no-reason", "reason", "long", "empty"])
def test_closed_over_http(broker, wire, headers):
    link = wire.open()
    broker.api("DELETE", path("connections", *names(broker, 1)), headers=headers)
    link.rest()


def test_all_of_a_user_closed_over_http(broker, wire, guest_of):
    link = knock(wire)
    names(broker, 1)
    broker.api("DELETE", path("connections", "username", guest_of), headers={"X-Reason": "all out"})
    link.rest()


def test_who_says_heartbeats_is_kept(wire):
    link = wire.open(tune=(2047, 131072, 1))
    for _ in range(8):
        heard = link.heartbeats
        while link.heartbeats == heard:
            data = link.socket.recv(4096)
            assert data, "closed"
            link.heartbeats += data.count(b"\x08\0\0\0\0\0\0\xce")
        link.write(b"\x08\0\0\0\0\0\0\xce")
    link.call(spec.Queue.Declare(queue="q", exclusive=True))
