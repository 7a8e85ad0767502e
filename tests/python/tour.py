"""Every operation of the API once, as an administrator with sensible data, on a broker of its own.

Each answer is compared with the OpenAPI document. An operation that is not on the tour, or does not succeed there,
is a finding, so a new one cannot be forgotten. With WARREN_UPDATE_EXAMPLES=1 what was sent and answered is written to
openapi/examples.json, from where the document takes its examples; the golden copy of the document is to be made anew
then, as its test says.
"""
import base64
import http.client
import json
import os
import socket
import sys
from urllib.parse import quote, urlencode, urlsplit

import pika
from document import Document, decoded

DEADLINE_S = 30
EXAMPLE_ITEMS_MAX = 2
EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../openapi/examples.json")
STALE = "an example is not of its schema any more; WARREN_UPDATE_EXAMPLES=1 records them: "
GUEST = "Basic " + base64.b64encode(b"guest:guest").decode()
PEOPLE = {"password": "correct horse battery staple", "tags": "management"}

# What is asked of the broker, in order: method, path below /api, body. Names in braces are filled in from NAMES.
STEPS = [
    ("PUT", "/cluster-name", {"name": "rabbits"}),
    ("PUT", "/vhosts/{vhost}", {"description": "What customers buy", "tags": "sales", "default_queue_type": "quorum"}),
    ("PUT", "/users/{user}", PEOPLE),
    ("PUT", "/permissions/{vhost}/guest", {"configure": ".*", "write": ".*", "read": ".*"}),
    ("PUT", "/permissions/{vhost}/{user}", {"configure": "^$", "write": "^events$", "read": "^orders$"}),
    ("PUT", "/exchanges/{vhost}/{exchange}", {"type": "topic", "durable": True}),
    ("PUT", "/exchanges/{vhost}/archive", {"type": "fanout", "durable": True}),
    ("PUT", "/topic-permissions/{vhost}/{user}/{exchange}", {"exchange": "events", "write": ".*", "read": ".*"}),
    ("PUT", "/topic-permissions/{vhost}/{user}", {"exchange": "events", "write": "^order", "read": ".*"}),
    ("PUT", "/policies/{vhost}/{policy}",
     {"pattern": "^orders", "apply-to": "queues", "priority": 1, "definition": {"max-length": 100000}}),
    ("PUT", "/operator-policies/{vhost}/{policy}",
     {"pattern": ".*", "apply-to": "queues", "definition": {"message-ttl": 86400000}}),
    ("PUT", "/queues/{vhost}/{queue}", {"durable": True, "arguments": {"x-queue-type": "quorum"}}),
    ("POST", "/bindings/{vhost}/e/{source}/q/{queue}", {"routing_key": "order.*"}),
    ("POST", "/bindings/{vhost}/e/{source}/e/archive", {"routing_key": "#"}),
    ("PUT", "/vhost-limits/{vhost}/{limit}", {"value": 1000}),
    ("PUT", "/user-limits/{user}/{limit}", {"value": 100}),
    ("PUT", "/global-parameters/{name}", {"value": {"region": "north"}}),
    ("POST", "/exchanges/{vhost}/{exchange}/publish",
     {"routing_key": "order.placed", "payload": '{"order": 1}', "payload_encoding": "string",
      "properties": {"delivery_mode": 2, "content_type": "application/json"}}),
    ("POST", "/queues/{vhost}/{queue}/get", {"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"}),
    ("PUT", "/feature-flags/{flag}/enable", None),
    ("POST", "/rebalance/queues", None),
    ("POST", "/vhosts/{vhost}/start/{node}", None),
    ("POST", "/queues/quorum/{vhost}/{queue}/replicas/add", {"node": "{node}"}),
    ("POST", "/queues/quorum/replicas/on/{node}/grow",
     {"strategy": "all", "vhost_pattern": ".*", "queue_pattern": ".*"}),
    ("DELETE", "/queues/quorum/replicas/on/{node}/shrink", None),
    ("POST", "/vhosts/{vhost}/deletion/protection", None),
    ("PUT", "/warren/node/settings", {"log_level": "info"}),
    ("PUT", "/warren/plugins", {"enabled": ["rabbitmq_management", "rabbitmq_prometheus"]}),
    ("POST", "/warren/sessions", None),
    ("GET", None, None),  # every GET of the document
    ("DELETE", "/vhosts/{vhost}/deletion/protection", None),
    ("POST", "/definitions", {"vhosts": [{"name": "returns"}]}),
    ("POST", "/all-configuration", {"vhosts": [{"name": "returns"}]}),
    ("POST", "/definitions/{vhost}",
     {"queues": [{"name": "refunds", "durable": True, "auto_delete": False, "arguments": {}}]}),
    ("DELETE", "/queues/{vhost}/{queue}/contents", None),
    ("DELETE", "/reset", None),
    ("DELETE", "/reset/{node}", None),
    ("DELETE", "/auth/attempts/{node}", None),
    ("DELETE", "/auth/attempts/{node}/source", None),
    ("DELETE", "/connections/{connection}", None),
    ("DELETE", "/connections/username/{user}", None),
    ("DELETE", "/bindings/{vhost}/e/{source}/q/{queue}/{properties_key}", None),
    ("DELETE", "/bindings/{vhost}/e/{source}/e/archive/%23", None),
    ("DELETE", "/queues/{vhost}/{queue}", None),
    ("DELETE", "/exchanges/{vhost}/{exchange}", None),
    ("DELETE", "/topic-permissions/{vhost}/{user}/{exchange}", None),
    ("PUT", "/topic-permissions/{vhost}/{user}", {"exchange": "archive", "write": ".*", "read": ".*"}),
    ("DELETE", "/topic-permissions/{vhost}/{user}", None),
    ("DELETE", "/policies/{vhost}/{policy}", None),
    ("DELETE", "/operator-policies/{vhost}/{policy}", None),
    ("DELETE", "/vhost-limits/{vhost}/{limit}", None),
    ("DELETE", "/user-limits/{user}/{limit}", None),
    ("DELETE", "/global-parameters/{name}", None),
    ("DELETE", "/permissions/{vhost}/{user}", None),
    ("POST", "/users/bulk-delete", {"users": ["nobody"]}),
    ("DELETE", "/users/{user}", None),
    ("DELETE", "/vhosts/{vhost}", None),
    ("POST", "/login", {"username": "guest", "password": "guest"}),
    ("DELETE", "/login", None),
    ("DELETE", "/warren/sessions", None),
    ("POST", "/warren/node/stop-app", None),
    ("POST", "/warren/node/reset", None),
    ("POST", "/warren/node/start-app", None),
    ("POST", "/warren/node/shutdown", None),
]

# Operations that cannot succeed on a broker of one node, each with the reason.
NO_SUCCESS = {
    "get_parameters_component_vhost_name": "no component takes parameters",
    "put_parameters_component_vhost_name": "no component takes parameters",
    "delete_parameters_component_vhost_name": "no component takes parameters",
    "delete_queues_quorum_vhost_queue_replicas_delete": "the only replica stays",
    "post_queues_vhost_queue_actions": "no action is left",
    "get_connections_connection_sessions": "sessions are those of AMQP 1.0",
}

NAMES = {
    "vhost": "shop", "in_vhost": "shop", "user": "alice", "exchange": "events", "source": "events", "queue": "orders",
    "policy": "bounds", "component": "vhost-limits", "limit": "max-connections", "name": "labels", "pattern": "^o",
    "properties_key": "order.%2A", "flag": "khepri_db", "password": "correct horse battery staple",
    "protocols": "amqp", "within": "4", "unit": "weeks", "filter": "none",
}
# Where a name of the path is another one.
OTHERWISE = {
    "get_bindings_vhost_e_source_e_exchange": {"exchange": "archive"},
    "get_bindings_vhost_e_source_e_exchange_properties_key": {"exchange": "archive", "properties_key": "%23"},
    "get_exchanges_vhost_exchange_bindings_destination": {"exchange": "archive"},
    "get_connections_username_user": {"user": "guest"},
    "get_users_user_queues": {"user": "guest"},
}


class OverSocket(http.client.HTTPConnection):
    """A connection to the control socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=DEADLINE_S)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DEADLINE_S)
        self.sock.connect(self.path)


class Tour:
    def __init__(self, url, amqp, control):
        self.url, self.amqp, self.control = urlsplit(url), amqp, control
        self.document = Document.of(url)
        self.findings, self.examples, self.names = [], {}, dict(NAMES)
        about = self.ask("GET", "/api/warren/node", None)[2]
        self.names["node"], self.data_dir = about["node"], about["data_dir"]
        self.names["port"] = str(urlsplit(amqp).port)

    def ask(self, method, target, body, form=False):
        """(status, headers, value), compared with the document."""
        # Some operations want to hear that it is JSON even when nothing is sent.
        headers = {"Authorization": GUEST, "Content-Type": "application/json"}
        if form:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        data = None if body is None else (urlencode(body) if form else json.dumps(body)).encode()
        connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=DEADLINE_S)
        if "/warren/node/" in target and method == "POST":
            connection, headers = OverSocket(self.control), {}
        try:
            connection.request(method, target, data, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        for finding in self.document.findings(method, target, answer.status, headers, content):
            self.findings.append("%s %s: %s" % (method, target, finding))
        is_json = content and headers.get("content-type") == "application/json"
        return answer.status, headers, json.loads(decoded(headers, content)) if is_json else None

    def visit(self, method, target, body):
        path, item = self.document.find(target)
        operation = item[method.lower()]
        identity = operation["operationId"]
        form = "application/x-www-form-urlencoded" in operation.get("requestBody", {}).get("content", {})
        status, _, value = self.ask(method, target, body, form)
        if status >= 300 and identity in NO_SUCCESS:
            return
        if status >= 300:
            self.findings.append("%s %s does not succeed: %d %s" % (method, target, status, value))
            return
        example = {"status": status}
        if body is not None:
            example["request"] = body
        if value is not None and identity != "get_openapi_json":
            # Of a list the first few tell what the others are.
            example["response"] = value[:EXAMPLE_ITEMS_MAX] if isinstance(value, list) else value
        self.examples.setdefault(identity, example)

    def fill(self, path, names):
        for name, value in names.items():
            path = path.replace("{%s}" % name, quote(value, safe=""))
        return path

    def open(self):
        """A client that consumes, so that connections, channels and consumers have something to show."""
        address = urlsplit(self.amqp)
        connection = pika.BlockingConnection(pika.ConnectionParameters(
            address.hostname, address.port, "shop", client_properties={"connection_name": "billing"}))
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_qos(prefetch_count=10)
        channel.basic_consume("orders", lambda *_: None, consumer_tag="billing")
        channel.basic_publish("events", "order.paid", b"2")
        status, _, found = self.ask("GET", "/api/channels", None)
        self.names["channel"] = found[0]["name"]
        self.names["connection"] = found[0]["connection_details"]["name"]
        return connection

    def run(self):
        client = None
        for method, path, body in STEPS:
            if path is None:
                client = self.open()
                self.visit_all_reads()
                continue
            if body is not None:
                body = json.loads(json.dumps(body).replace("{node}", self.names["node"]))
            self.visit(method, "/api" + self.fill(path, self.names), body)
        try:
            client.close()
        except pika.exceptions.AMQPError:
            pass  # the tour closed it
        for path, method, operation in self.document.operations():
            identity = operation["operationId"]
            if (identity in self.examples) == (identity in NO_SUCCESS):
                self.findings.append("%s %s: on the tour, and said to have no success" % (method, path)
                                     if identity in self.examples else "%s %s is not on the tour" % (method, path))

    def visit_all_reads(self):
        for path, method, operation in self.document.operations():
            if method == "get":
                names = {**self.names, **OTHERWISE.get(operation["operationId"], {})}
                self.visit("GET", self.fill(path, names), None)

    def written(self):
        """The examples, with the names of this run and host left out."""
        text = json.dumps(dict(sorted(self.examples.items())), indent=1, ensure_ascii=False)
        return text.replace(self.names["node"], "rabbit@warren").replace(self.data_dir, "/var/lib/warren") + "\n"


def main():
    tour = Tour(os.environ["WARREN_HTTP"], os.environ["WARREN_AMQP"], os.environ["WARREN_SOCKET"])
    tour.run()
    findings = tour.findings
    if os.environ.get("WARREN_UPDATE_EXAMPLES"):
        with open(EXAMPLES, "w", encoding="utf-8") as file:
            file.write(tour.written())
    else:
        findings = [STALE + finding for finding in tour.document.example_findings()] + findings
    print("\n".join(findings) or "%d operations answered as the document says" % len(tour.examples))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
