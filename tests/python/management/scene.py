"""Where rows are played: virtual hosts with a few objects, users with each tag, and connections of theirs."""
import json
import re
import time
from urllib.parse import quote, unquote, urlsplit

import pika

from . import told
from .client import DEADLINE_S, Client

TAGS = ("", "management", "policymaker", "monitoring", "administrator")
EVERYTHING = {"configure": ".*", "write": ".*", "read": ".*"}
POLICY = {"pattern": "^none$", "definition": {"max-length": 5}, "priority": 0, "apply-to": "all"}
# What every virtual host of a scene holds.
OBJECTS = {
    "queues": [{"name": "q", "durable": True, "auto_delete": False, "arguments": {}}],
    "exchanges": [{"name": name, "type": kind, "durable": True, "auto_delete": False, "internal": False, "arguments": {}}
                  for name, kind in (("x", "topic"), ("y", "fanout"))],
    "bindings": [{"source": "x", "destination": name, "destination_type": kind, "routing_key": "k", "arguments": {}}
                 for name, kind in (("q", "queue"), ("y", "exchange"))],
    "policies": [{"name": "p", **POLICY}],
    "parameters": [{"component": "operator_policy", "name": "o", "value": POLICY},
                   {"component": "vhost-limits", "name": "limits", "value": {"max-queues": 1000}}],
}
QUORUM = {"durable": True, "arguments": {"x-queue-type": "quorum"}}
TOPICS = {"exchange": "y", "write": "^w$", "read": "^r$"}


class Scene:
    """One table is played in one of these."""

    def __init__(self, amqp, http, table):
        self.amqp, self.client, self.prefix = urlsplit(amqp), Client(http), f"hm-{table}"
        self.rows, self.open, self.masks, self.spare = 0, [], [], None
        self.must("GET", "/whoami")
        self.node = self.must("GET", "/overview").value["node"]
        self.sweep()
        self.home = self.vhost(self.prefix, quorum=True)
        self.user = f"{self.prefix}-user"

    def must(self, method, path, body=None):
        answer = self.client.call(method, path, body)
        assert answer.status < 300, (method, path, answer)
        return answer

    def vhost(self, name, quorum=False):
        """A virtual host with everything in it."""
        encoded = quote(name, safe="")
        self.must("PUT", f"/vhosts/{encoded}", {})
        self.must("POST", f"/definitions/{encoded}", OBJECTS)
        self.must("PUT", f"/topic-permissions/{encoded}/guest", TOPICS)
        if quorum:
            self.must("PUT", f"/queues/{encoded}/quorum", QUORUM)
        return name

    def person(self, name, tag):
        self.must("PUT", f"/users/{name}", {"password": name, "tags": tag})

    def grant(self, name, vhost):
        self.must("PUT", f"/permissions/{quote(vhost, safe='')}/{name}", EVERYTHING)

    def connect(self, login, vhost):
        """An AMQP connection with a channel; its name as the API tells it."""
        name, password = login.split(":")
        connection = pika.BlockingConnection(pika.ConnectionParameters(
            host=self.amqp.hostname, port=self.amqp.port, virtual_host=vhost,
            credentials=pika.PlainCredentials(name, password)))
        connection.channel()
        self.open.append(connection)
        mine, theirs = (getattr(connection._impl._transport._sock, f"get{end}name")() for end in ("sock", "peer"))
        told = f"{mine[0]}:{mine[1]} -> {theirs[0]}:{theirs[1]}"
        for path in (f"/connections/{quote(told)}", f"/channels/{quote(told)}%20(1)"):
            self.until(path, lambda answer: answer.status == 200)
        return told

    def until(self, path, condition):
        end = time.monotonic() + DEADLINE_S
        while not condition(self.client.call("GET", path)):
            assert time.monotonic() < end, path
            time.sleep(0.02)

    def play(self, row, places=None):
        """The answers of a row as one line."""
        vhost = self.prepared(row) if row.fresh else self.home
        if row.granted:
            self.grant(row.granted, vhost)
        places = self.places(vhost) | (places or {})
        self.masks = [(quote(vhost, safe=""), "V"), (self.prefix, "T"), (self.node, "NODE"), (quote(self.node), "NODE")]
        self.masks += [(text, name.upper()) for name, value in places.items() if name not in ("v", "u", "node")
                       for text in (value, unquote(value))]
        lines, changed = [], False
        for step in row.steps:
            ours = None if "{v}" in step.path or "{u}" in step.path else self.is_ours
            answer = self.ask(step, places)
            changed = changed or answer.status < 400
            lines.append(self.mask(told.line(answer, step.method, step.every, ours)))
        if row.fresh and changed:
            self.discard()
        return " ; ".join(lines)

    def is_ours(self, one):
        """Whether what a list of everything holds counts: of the scene, and there for every row."""
        text = json.dumps(one)
        return self.prefix in text and not re.search(self.prefix + r"-\d", text)

    def prepared(self, row):
        """A virtual host as the row wants it: the one of the row before, if that wanted the same and changed nothing."""
        wanted = repr(row.before)
        if self.spare is None or self.spare[1] != wanted:
            self.discard()
            self.rows += 1
            self.spare = self.vhost(f"{self.prefix}-{self.rows}"), wanted
            for step in row.before:
                answer = self.ask(step, self.places(self.spare[0]))
                assert answer.status < 300, (row.name, step, answer)
        return self.spare[0]

    def discard(self):
        if self.spare is not None:
            self.drop(self.spare[0])
            self.client.call("DELETE", f"/users/{self.user}")
            self.spare = None

    def places(self, vhost):
        return {"v": quote(vhost, safe=""), "u": self.user, "node": quote(self.node)}

    def ask(self, step, places):
        assert not harms(step) or step.may_be_shared, step
        body = step.body
        if body is not None:
            body = filled(body if isinstance(body, bytes) else json.dumps(body).encode(), places | {"node": self.node})
        headers = {name: value and filled(value.encode(), places).decode() for name, value in step.headers}
        return self.client.call(step.method, filled(step.path.encode(), places).decode(), body, step.login, headers)

    def mask(self, text):
        for value, mask in self.masks:
            text = text.replace(value, mask)
        text = re.sub(r"^(200) \"4\.[0-9.]+\"", r"\1 VERSION", text)
        text = re.sub(r'{"name":"[a-z0-9_-]+@[a-zA-Z0-9.-]+"}', "CLUSTER", text)
        return re.sub(r"\s*\n\s*", "\\\\n", text)

    def sweep(self):
        """Removes what a run before left behind."""
        for kind, remove in (("vhosts", self.drop), ("users", lambda name: self.must("DELETE", f"/users/{name}"))):
            for one in self.must("GET", f"/{kind}").value:
                if one["name"].startswith(self.prefix):
                    remove(one["name"])

    def drop(self, vhost):
        path = "/vhosts/" + quote(vhost, safe="")
        if self.client.call("DELETE", path).status == 412:
            self.must("DELETE", path + "/deletion/protection")
            self.must("DELETE", path)

    def close(self):
        for connection in self.open:
            try:
                connection.close()
            except pika.exceptions.AMQPError:
                pass  # the row ended it
        self.open = []
        self.sweep()


# What a broker that others use at the same time must not lose: who administers it, its name, and its statistics.
SHARED = re.compile(r"/(users|user-limits)/+guest|/permissions/(%2F|/|missing)/*guest|/global-parameters/(cluster_name|internal)|/vhosts/(%2F|/)|"
                    r"^/reset|/queues//|^/(queues|exchanges|policies)/%2F", re.IGNORECASE)


def harms(step):
    """Whether a request would change what is not the scene's own."""
    return step.method.upper() not in ("GET", "HEAD", "OPTIONS") and SHARED.search(step.path) is not None


def filled(text, places):
    for name, value in places.items():
        text = text.replace(b"{" + name.encode() + b"}", value.encode())
    return text
