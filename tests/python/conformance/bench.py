"""Where rows are played: a virtual host, connections that are used again, and what must not change.

After every refusal the topology is what it was, and another connection publishes and gets.
"""
import base64
import http.client
import json
import re
import socket
from urllib.parse import urlsplit

import pika
from pika import spec
from recorded import masked
from wire import Link, MASKS, describe

from .row import Http, Publish, Q, identity

DEADLINE_S = 90
# Methods nothing answers.
SILENT = (spec.Basic.Ack, spec.Basic.Nack, spec.Basic.Reject, spec.Basic.RecoverAsync)
# What a channel remembers.
REMEMBERED = (spec.Basic.Consume, spec.Basic.Get, spec.Basic.Qos, spec.Confirm.Select, spec.Tx.Select)
# Without the notice of a queue that goes, since every row's queue does.
CAPABILITIES = {"authentication_failure_close": True, "basic.nack": True, "publisher_confirms": True}
# Whose messages are confirmed.
CONFIRMED = ("keeper", "administrator")
TOPOLOGY, POLICIES = ("queues", "exchanges", "bindings"), ("policies", "operator-policies")
SHOWN = ("name", "type", "durable", "auto_delete", "exclusive", "internal", "arguments", "policy", "source",
         "destination", "destination_type", "routing_key", "pattern", "definition", "priority", "apply-to")


class Api:
    """The management API over one connection."""

    def __init__(self, address):
        address = urlsplit(address)
        self.connection = http.client.HTTPConnection(address.hostname, address.port, timeout=DEADLINE_S)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.login = "Basic " + base64.b64encode(b"guest:guest").decode()

    def call(self, method, path, body=None):
        """Status and value of the answer."""
        text = None if body is None else json.dumps(body)
        headers = {"Authorization": self.login, "Content-Type": "application/json"}
        self.connection.request(method, "/api" + path, text, headers)
        answer = self.connection.getresponse()
        content = answer.read()
        said = json.loads(content) if content else None
        if answer.status >= 400 and isinstance(said, dict):
            # What a refusal tells beside these is no answer of the reference.
            said = {name: said[name] for name in ("error", "reason") if name in said}
        return answer.status, said


class Bench:
    """One table's rows are played on one of these."""

    def __init__(self, amqp, http_address, table):
        # Short, since reply texts are cut at 255 bytes.
        self.vhost = "conf-" + table[:12]
        self.address, self.api = urlsplit(amqp), Api(http_address)
        self.links, self.states, self.said = {}, {}, []
        self.users = set()
        self.masks = [(re.escape(self.vhost), "VHOST")] + MASKS
        self.drop()
        self.call("PUT", "/vhosts/{vhost}", {})
        self.grant("guest")
        self.link("keeper").call(Q.Declare(queue="keeper", durable=True))

    # What `wire.Link` wants of whoever uses it.
    broker = property(lambda self: self)

    def say(self, _link, text):
        self.said.append(text)

    def call(self, method, path, body=None):
        return self.api.call(method, path.replace("{vhost}", self.vhost), body)

    def grant(self, user, configure=".*", write=".*", read=".*"):
        self.call("PUT", "/permissions/{vhost}/" + user, {"configure": configure, "write": write, "read": read})

    def user(self, name):
        """A user of that name, who may enter."""
        self.users.add(name)
        self.call("PUT", f"/users/{name}", {"password": name, "tags": ""})
        return name

    def drop(self):
        self.call("DELETE", "/vhosts/{vhost}")
        for user in self.users:
            self.call("DELETE", f"/users/{user}")

    def close(self):
        for name in list(self.links):
            self.leave(name)
        self.drop()

    def leave(self, name):
        self.links.pop(name).socket.close()

    def link(self, name):
        """The connection of that name, with a channel that is open."""
        link = self.links.get(name)
        if link is None or link.over:
            user = name if name in self.users else "guest"
            link = self.links[name] = Link(self, name)
            link.socket.settimeout(DEADLINE_S)
            link.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link.open(response=f"\0{user}\0{user}".encode(), capabilities=CAPABILITIES)
        elif 1 not in link.channels:
            link.call(spec.Channel.Open())
        else:
            return link
        if name in CONFIRMED:
            link.call(spec.Confirm.Select())
        return link

    def play(self, row):
        """Plays a row and returns the answer. When it is a refusal, nothing has changed and others are served."""
        who = row.login or "subject"
        if row.fresh and who in self.links:
            self.leave(who)
        for step in row.before:
            self.administer(step)
        link = self.link(who)
        for step in row.steps[:-1]:
            self.step(link, step)
        self.said = []
        # What is there before the last operation depends on what was done up to then, and is asked once.
        done = identity(row.before + row.steps[:-1])
        if done not in self.states:
            self.states[done] = self.listed(row)
        self.step(link, row.steps[-1], row.frames)
        answer = masked(" / ".join(self.said), self.masks) or "nothing"
        if answer.startswith("connection "):
            link.over = True
            link.socket.close()
        if is_refusal(answer):
            self.serves()
            found = self.listed(row)
            assert found == self.states[done], f"{row.name}: {answer}, but {self.states[done]} became {found}"
        self.clear(row, link, answer)
        return answer

    def clear(self, row, link, answer):
        """What the row has left goes: what it names, then its channel if that remembers anything."""
        # What is exclusive only its own connection may delete.
        own = any(getattr(step, "exclusive", False) for step in row.steps) and not row.before
        by = self.link(row.login or "subject") if own and not link.over else None
        if row.before or len(row.steps) > 1 or not is_refusal(answer):
            for step in row.undo:
                self.administer(step, by)
        if 1 in link.channels and not link.over and (len(row.steps) > 1 or isinstance(row.steps[0], REMEMBERED)):
            link.send(spec.Channel.Close(200, "", 0, 0))
            while 1 in link.channels and not link.over:
                link.read(log=False)

    def administer(self, step, link=None):
        """An operation of an administrator, which must succeed."""
        if isinstance(step, Http):
            status, said = self.call(step.method, step.path, step.body)
            assert status < 300 or step.method == "DELETE", f"{step}: {status} {said}"
            return
        self.said, link = [], link or self.link("administrator")
        self.step(link, step)
        if isinstance(step, Publish):
            # It is there once it is confirmed.
            self.read(link)
        assert not is_refusal(" / ".join(self.said)), f"{step}: {self.said}"

    def step(self, link, step, frames=1):
        if isinstance(step, Http):
            status, said = self.call(step.method, step.path, step.body)
            return self.say(link, f"{status} {json.dumps(said, sort_keys=True, ensure_ascii=False)}")
        if isinstance(step, Publish):
            properties = pika.BasicProperties(**step.properties)
            link.publish(step.exchange, step.key, b"m", mandatory=True, immediate=step.immediate,
                         properties=properties)
            return None if link.name in CONFIRMED else self.sync(link)
        if isinstance(step, SILENT) or getattr(step, "nowait", False):
            link.send(step)
            return self.sync(link)
        link.send(step)
        for _ in range(frames):
            if self.read(link) is None:
                return None
        return None

    def sync(self, link):
        """Reads what the broker says until it has done everything that was sent."""
        link.sync(read=lambda: self.read(link))

    def read(self, link):
        """One frame; None when nothing more will come."""
        found = link.read(log=False)
        what = getattr(found, "method", None)
        if found is None:
            self.say(link, "connection lost without a word")
        elif isinstance(what, (spec.Channel.Close, spec.Connection.Close)):
            kind = type(what).__qualname__.split(".")[0].lower()
            text = what.reply_text.encode("unicode_escape").decode()
            self.say(link, f"{kind} {what.reply_code} {text} at {what.class_id}.{what.method_id}")
            return None
        else:
            self.say(link, describe(found).removeprefix("1 "))
        return found

    def listed(self, row):
        """What the row could change, as the management API lists it."""
        found = {}
        for kind in POLICIES if isinstance(row.steps[-1], Http) else TOPOLOGY:
            _, listed = self.call("GET", f"/{kind}/{{vhost}}?disable_stats=true")
            rows = [json.dumps({key: item[key] for key in SHOWN if key in item}, sort_keys=True) for item in listed]
            found[kind] = sorted(rows)
        return found

    def serves(self):
        """Another connection publishes, is confirmed and gets."""
        keeper, self.said = self.link("keeper"), []
        keeper.publish("", "keeper", b"m")
        keeper.read()
        keeper.call(spec.Basic.Get(queue="keeper", no_ack=True), frames=3)
        assert [line.split(" ")[1] for line in self.said] == ["Basic.Ack", "Basic.GetOk", "header", "body"] and \
            self.said[-1] == "1 body b'm'", self.said


def is_refusal(answer):
    return answer.startswith(("channel ", "connection ", "4", "5"))
