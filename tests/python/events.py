"""Events of the broker, compared with those of the reference; run with the plugin of the event exchange enabled.

Others may use the broker meanwhile: events that name neither this test's virtual host, nor its user, nor a
connection of theirs are passed over.
"""
from urllib.parse import quote

import pika
import pytest
from conftest import Inbox, die
from told import Told, by_name, text_of

EXCHANGE = "amq.rabbitmq.event"
MASKED = {"peer_port", "port", "connected_at"}


class Events(Told):
    def __init__(self, broker, user):
        listening = broker.__class__(f"amqp://{broker.address.netloc}", broker.http, "/")
        super().__init__(listening, EXCHANGE)
        self.listening, self.own, self.ends = listening, [broker.vhost, user], 0
        self.masks = [(broker.vhost, "VHOST"), (user, "USER"), (r"<[^<>]*@[^<>]*\.[0-9.]+>", "PROCESS"),
                      *self.masks[1:]]

    def is_own(self, headers):
        texts = [str(value) for value in headers.values()]
        if not any(own in text for text in texts for own in self.own):
            return False
        self.own += [headers["pid"][1]] if "pid" in headers else []
        return True

    def read(self):
        """Writes down the next own event, and returns its key and facts."""
        while True:
            method, properties, body = self.next()
            headers = properties.headers
            kind, at_ms = headers.pop("timestamp_in_ms")
            assert (kind, body, properties.delivery_mode) == ("l", b"", 2)
            assert properties.timestamp == int(at_ms) // 1000
            if self.is_own(headers):
                break
        if "client_properties" in headers:
            named = [one for one in headers["client_properties"][1] if "connection_name" in one[1]]
            headers["client_properties"] = ("A", named)
        # Whether the broker added one decides their order.
        if "arguments" in headers:
            headers["arguments"][1].sort()
        facts = [f"{name}={'*' if name in MASKED else text_of(by_name(value))}"
                 for name, value in sorted(headers.items())]
        self.lines.append(" ".join([method.routing_key, *facts]))
        return method.routing_key, headers

    def until(self, wanted, key):
        """Writes down own events up to the first with that key that has all these facts."""
        while True:
            found, headers = self.read()
            if found == key and all(str(headers[name][1]) == value for name, value in wanted.items()):
                return

    def end(self, channel):
        """Everything that happened before this."""
        self.ends += 1
        name = f"end-{self.ends}"
        channel.exchange_declare(name, "fanout")
        self.until({"name": name}, "exchange.created")
        self.lines.pop()

    def step(self, channel, title):
        self.end(channel)
        self.lines.append("-- " + title)


@pytest.fixture
def user(broker):
    name = "teller-" + broker.vhost.removeprefix("pika-")
    yield name
    broker.api("POST", "/users/bulk-delete", {"users": [name]})


@pytest.fixture
def channel(broker):
    return broker.channel()


@pytest.fixture
def events(broker, user, channel, request):
    told = Events(broker, user)
    told.end(channel)
    told.lines.clear()
    yield told
    told.end(channel)
    told.compare(request, "events")
    told.listening.close_all()


def path(broker, *parts):
    return "/" + "/".join(quote(part, safe="") for part in parts)


def create(broker, user, password="secret"):
    broker.api("PUT", f"/users/{user}", {"password": password, "tags": "management"})
    broker.api("PUT", path(broker, "permissions", broker.vhost, user), {"configure": ".*", "write": ".*", "read": ".*"})


def test_users(broker, events, user, channel):
    api = broker.api
    api("PUT", f"/users/{user}", {"password": "one", "tags": "management"})
    api("PUT", f"/users/{user}", {"password": "two", "tags": "management,policymaker"})
    api("PUT", f"/users/{user}", {"password_hash": "", "tags": ""})
    events.step(channel, "limits")
    api("PUT", f"/user-limits/{user}/max-connections", {"value": 7})
    api("PUT", f"/user-limits/{user}/max-channels", {"value": 8})
    events.step(channel, "deleted")
    api("DELETE", f"/users/{user}")


def test_permissions(broker, events, user, channel):
    broker.api("PUT", f"/users/{user}", {"password": "one", "tags": ""})
    row = path(broker, "permissions", broker.vhost, user)
    broker.api("PUT", row, {"configure": "^a", "write": "^b", "read": "^c"})
    broker.api("PUT", row, {"configure": "^a", "write": "^b", "read": "^d"})
    broker.api("DELETE", row)
    topic = path(broker, "topic-permissions", broker.vhost, user)
    broker.api("PUT", topic, {"exchange": "amq.topic", "write": "^b", "read": "^d"})
    broker.api("DELETE", topic)


def test_virtual_hosts(broker, events, channel):
    second = path(broker, "vhosts", broker.vhost + "-2")
    broker.api("PUT", second, {"description": "a \"second\" one", "tags": "a,b", "default_queue_type": "quorum"})
    events.end(channel)
    # Which of the predeclared exchanges comes first is nobody's business.
    events.lines.sort()
    events.step(channel, "changed")
    broker.api("PUT", second, {"description": "changed", "tags": "a"})
    events.step(channel, "limits")
    limits = path(broker, "vhost-limits", broker.vhost + "-2")
    broker.api("PUT", limits + "/max-connections", {"value": 7})
    broker.api("PUT", limits + "/max-queues", {"value": 8})
    events.end(channel)
    kept = len(events.lines)
    broker.api("DELETE", second)
    events.end(channel)
    events.lines[kept:] = sorted(events.lines[kept:])


def test_policies_and_parameters(broker, events, channel):
    policy = path(broker, "policies", broker.vhost, "p")
    broker.api("PUT", policy, {"pattern": "^none", "definition": {"max-length": 5, "dead-letter-exchange": "x"},
                               "priority": 3, "apply-to": "queues"})
    broker.api("DELETE", policy)
    operator = path(broker, "operator-policies", broker.vhost, "o")
    broker.api("PUT", operator, {"pattern": "^none", "definition": {"max-length": 5}})
    broker.api("DELETE", operator)
    parameter = path(broker, "parameters", "federation-upstream", broker.vhost, "u")
    broker.api("PUT", parameter, {"value": {"uri": "amqp://localhost:1", "expires": 3600000}})
    broker.api("DELETE", parameter)
    globally = path(broker, "global-parameters", broker.vhost)
    broker.api("PUT", globally, {"value": {"list": [1, "a", True]}})
    broker.api("DELETE", globally)


def test_refused_login(broker, events, user, channel):
    create(broker, user)
    events.step(channel, "refused")
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        broker.connect(user=user, password="wrong")
    # Nothing in the end of such a connection tells whose it was, but for its name.
    events.until({"name": user}, "user.authentication.failure")


def test_connections_and_channels(broker, events, user, channel):
    create(broker, user)
    events.step(channel, "opened")
    parameters = broker.parameters(user, "secret")
    parameters.client_properties = {"connection_name": "mine " + user}
    connection = pika.BlockingConnection(parameters)
    one, two = connection.channel(), connection.channel()
    one.close()
    events.step(channel, "refused on a channel")
    with pytest.raises(pika.exceptions.ChannelClosedByBroker):
        two.queue_declare("absent", passive=True)
    events.until({}, "channel.closed")
    events.step(channel, "closed")
    connection.close()
    events.until({"user_provided_name": "mine " + user}, "connection.closed")


def test_exchanges_and_bindings(events, channel):
    channel.exchange_declare("x", "topic", durable=True, arguments={"alternate-exchange": "amq.fanout"})
    channel.exchange_declare("x", "topic", durable=True, arguments={"alternate-exchange": "amq.fanout"})
    channel.exchange_declare("y", "headers", auto_delete=True, internal=True)
    channel.queue_declare("q", durable=True)
    events.step(channel, "bound")
    channel.queue_bind("q", "x", "a.b", arguments={"number": 1, "table": {"text": "t"}})
    channel.exchange_bind("y", "x", "c")
    channel.queue_bind("q", "y")
    channel.queue_unbind("q", "x", "a.b", arguments={"number": 1, "table": {"text": "t"}})
    events.step(channel, "an exchange goes with its last binding")
    channel.queue_unbind("q", "y")
    events.step(channel, "a binding goes with its exchange")
    channel.queue_bind("q", "x", "z")
    channel.exchange_delete("x")
    events.step(channel, "a binding goes with its queue")
    channel.queue_bind("q", "amq.direct", "z")
    channel.queue_delete("q")


@pytest.mark.parametrize("kind", ["classic", "quorum", "stream"])
def test_queues(events, channel, kind):
    channel.queue_declare("q", durable=True, arguments={"x-queue-type": kind, "x-max-length-bytes": 1000000})
    channel.queue_declare("q", durable=True, arguments={"x-queue-type": kind, "x-max-length-bytes": 1000000})
    channel.queue_delete("q")


def test_queues_of_a_connection(broker, events, channel):
    channel.queue_declare("q", exclusive=True, auto_delete=True)
    events.step(channel, "gone")
    other = broker.connect()
    other.channel().queue_declare("of-another", exclusive=True)
    events.until({"name": "of-another"}, "queue.created")
    del events.lines[events.lines.index("-- gone") + 1:]
    die(other)
    # The order in which all ends with a connection is nobody's business.
    ended = {"connection.closed", "channel.closed", "queue.deleted"}
    while ended:
        ended.discard(events.read()[0])
    events.lines = [line for line in events.lines if line.startswith(("queue.", "--"))]


def test_queues_whose_time_has_come(events, channel):
    channel.queue_declare("q", durable=True, arguments={"x-expires": 1})
    events.until({"name": "q"}, "queue.deleted")


def test_queues_over_http(broker, events, channel):
    queue = path(broker, "queues", broker.vhost, "q")
    broker.api("PUT", queue, {"durable": True, "auto_delete": False, "arguments": {"x-max-length": 5}})
    broker.api("DELETE", queue)


def test_consumers(events, channel):
    channel.queue_declare("q", durable=True)
    events.step(channel, "cancelled")
    channel.basic_qos(prefetch_count=7)
    inbox = Inbox(channel, "q", consumer_tag="first", arguments={"x-priority": 3})
    channel.basic_cancel(inbox.tag)
    Inbox(channel, "q", consumer_tag="second", auto_ack=True, exclusive=True)
    channel.basic_cancel("second")


def test_consumers_of_a_channel_that_fails(broker, events, channel):
    channel.queue_declare("q", durable=True)
    failing = broker.channel()
    Inbox(failing, "q", consumer_tag="failing")
    events.until({"consumer_tag": "failing"}, "consumer.created")
    with pytest.raises(pika.exceptions.ChannelClosedByBroker):
        failing.exchange_declare("absent", passive=True)
    events.until({}, "channel.closed")
    events.lines = [line for line in events.lines if line.startswith(("consumer.", "channel.closed"))]


def test_purging_is_not_told(events, channel):
    channel.queue_declare("q", durable=True)
    channel.queue_purge("q")
