"""Every operation of the OpenAPI document with data that fits it and data that does not, by every kind of user.

schemathesis makes the requests from the document; this file says who sends them, puts names of things that exist into
most paths, and judges the answers: no 5xx, save a 503 whose reason is true (`unavailable`), no status, content type or
field that is not in the document. No operation is left out: what only the control socket may do is asked over TCP like
everything else, and done on a broker of its own (`fuzz_node`). WARREN_FUZZ_EXAMPLES is how many examples of either kind
each operation gets, WARREN_FUZZ_SEED decides which; both are printed, so that a finding can be had again. For a long run:
WARREN_FUZZ_EXAMPLES=50 WARREN_FUZZ_SEED=1 cargo test -p tests --test e2e -- requests_of_all_sorts --nocapture
"""
import base64
import collections
import contextlib
import http.client
import io
import json
import os
import random
import sys
import time
import urllib.parse

import requests
import schemathesis
from document import KNOWN, Document
from fuzz_node import Node
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from tour import OverSocket
from unavailable import Unavailable

EXAMPLES = int(os.environ.get("WARREN_FUZZ_EXAMPLES", "2"))
SEED = int(os.environ.get("WARREN_FUZZ_SEED", "20"))
DEADLINE_S = 60
FINDINGS_SHOWN_MAX = 60

ROLES = ["", "management", "policymaker", "monitoring", "administrator"]
PASSWORD = "p"

# Names of what stands on the broker, by parameter of a path.
NAMES = {
    "vhost": ["/", "shop", "~default"], "in_vhost": ["/", "shop"], "exchange": ["events", "amq.topic", "amq.default"],
    "source": ["events", "amq.direct", ""], "queue": ["orders", "log", "plain"], "user": ["alice", "nobody"],
    "policy": ["bounds"], "component": ["vhost-limits", "operator_policy", "x"], "name": ["labels", "cluster_name"],
    "limit": ["max-connections", "max-queues", "max-channels"], "flag": ["khepri_db"], "unit": ["days", "years"],
    "within": ["1", "0", "-1"], "port": ["1", "0"], "protocols": ["amqp", "amqp,http", ","],
    "properties_key": ["order.%2A", "~", "%ZZ"], "pattern": ["^o", "(", ".*"],
}
REAL_NAMES_SHARE = 0.75

# Bodies and headers that fit nothing, sent to every operation.
RUDE = [
    {"data": b"{"}, {"data": b"[]"}, {"data": b'"x"'}, {"data": b"5"}, {"data": b"null"}, {"data": b"\xff\xfe"},
    {"data": b"[" * 5000}, {"data": b'{"arguments":[],"definition":[],"value":null,"tags":5,"users":{},"count":-1}'},
    {"headers": {"Content-Type": "nonsense"}}, {"headers": {"Accept": "application/xml"}},
    {"headers": {"Accept": "application/bert"}}, {"headers": {"x-vhost": "missing"}},
    {"headers": {"Content-Type": "multipart/form-data"}, "data": b"--x"},
    {"params": {"page": "0", "page_size": "-1"}}, {"params": {"page": "99999999999999999999"}},
    {"params": {"page": "1", "use_regex": "true", "name": "("}}, {"params": {"sort": "a..b", "columns": ".,,a."}},
    {"params": {"page": "1", "use_regex": "true", "name": "(" * 50 + "a*" + ")*" * 50 + "b"}},
    {"params": {"msg_rates_age": "1", "msg_rates_incr": "0", "lengths_age": "x", "columns": ""}},
]

FURNITURE = [
    ("PUT", "/vhosts/%2F", {}), ("PUT", "/vhosts/shop", {}),
    *[("PUT", "/users/" + role, {"password": PASSWORD, "tags": role}) for role in ROLES[1:]],
    ("PUT", "/users/alice", {"password": "a", "tags": ""}),
    *[("PUT", "/permissions/%s/%s" % (vhost, user), {"configure": ".*", "write": ".*", "read": ".*"})
      for vhost in ("%2F", "shop") for user in ROLES[1:]],
    *[("PUT", "/exchanges/%s/events" % vhost, {"type": "topic"}) for vhost in ("%2F", "shop")],
    *[("PUT", "/queues/%s/orders" % vhost, {"durable": True}) for vhost in ("%2F", "shop")],
    ("PUT", "/queues/%2F/plain", {"durable": True, "arguments": {"x-queue-type": "quorum"}}),
    ("PUT", "/queues/%2F/log", {"durable": True, "arguments": {"x-queue-type": "stream"}}),
    ("POST", "/bindings/%2F/e/events/q/orders", {"routing_key": "order.*"}),
    ("PUT", "/policies/%2F/bounds", {"pattern": "^z", "definition": {"max-length": 9}}),
    ("PUT", "/operator-policies/%2F/bounds", {"pattern": "^z", "definition": {"max-length": 9}}),
    ("PUT", "/global-parameters/labels", {"value": 1}),
    ("PUT", "/warren/node/settings", {"maintenance": False, "listeners_suspended": False, "log_level": "error"}),
]


class Fuzz:
    def __init__(self, url, control):
        self.url, self.control = url, control
        self.document = Document.of(url)
        self.random = random.Random(SEED)
        self.findings, self.first = collections.Counter(), {}
        self.answers = collections.Counter()
        self.session = requests.Session()
        self.names = {**NAMES, "node": [self.node(), "rabbit@nowhere"]}
        self.unavailable = Unavailable(control)

    def node(self):
        """The node's name."""
        connection = OverSocket(self.control)
        connection.request("GET", "/api/warren/node")
        return json.load(connection.getresponse())["node"]

    def furnish(self):
        """Puts back what earlier requests have taken away; over the control socket, which knows no users."""
        connection = OverSocket(self.control)
        for method, path, body in FURNITURE:
            connection.request(method, "/api" + path, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status < 300, "%s %s: %d" % (method, path, answer.status)
        connection.close()

    @staticmethod
    def credentials(role):
        if not role:
            return {}
        return {"Authorization": "Basic " + base64.b64encode(("%s:%s" % (role, PASSWORD)).encode()).decode()}

    def judge(self, path, role, response):
        request = response.request
        target = request.path_url
        found = self.document.findings(request.method, target, response.status_code, response.headers, response.content)
        if response.status_code == 503:
            found += self.unavailable.findings(request.method, path, target, response)
        elif response.status_code >= 500 and request.method in KNOWN:
            found.append("answers %d: %s" % (response.status_code, response.text[:200]))
        self.answers[role or "nobody", response.status_code] += 1
        for finding in found:
            finding = "%s %s: %s" % (request.method, path, finding)
            self.findings[finding] += 1
            self.first.setdefault(finding, "%s %s as %s, body %r, headers %s" % (
                request.method, target, role or "nobody", (request.body or b"")[:300],
                {name: value for name, value in request.headers.items() if name.lower() != "authorization"}))

    def cases(self, operation, mode):
        """Some requests from the document; none where nothing can be wrong with them."""
        made = []

        @seed(SEED)
        @settings(max_examples=EXAMPLES, database=None, deadline=None, phases=[Phase.generate],
                  suppress_health_check=list(HealthCheck))
        @given(operation.as_strategy(generation_mode=mode))
        def collect(case):
            made.append(case)

        with contextlib.suppress(schemathesis.errors.InvalidSchema), contextlib.redirect_stdout(io.StringIO()):
            try:
                collect()
            except Exception as error:  # noqa: BLE001 - nothing to negate is told in several ways
                if mode == GenerationMode.POSITIVE:
                    self.findings["%s makes no request: %r" % (operation.label, error)] += 1
        return made[:EXAMPLES]

    def send(self, path, case, role):
        names = dict(case.path_parameters or {})
        for name in names:
            if name in self.names and self.random.random() < REAL_NAMES_SHARE:
                names[name] = urllib.parse.quote(self.random.choice(self.names[name]), safe="")
        before, case.path_parameters = case.path_parameters, names
        try:
            kwargs = case.as_transport_kwargs(base_url=self.url)
        finally:
            case.path_parameters = before
        headers = {name: value for name, value in (kwargs.get("headers") or {}).items()
                   if name.lower() not in ("authorization", "accept-encoding", "cookie")}
        kwargs["headers"] = {**headers, "Accept-Encoding": "identity", **self.credentials(role)}
        kwargs.pop("cookies", None)
        self.request(path, role, **kwargs)

    def request(self, path, role, **kwargs):
        try:
            try:
                response = self.session.request(**kwargs, timeout=DEADLINE_S, allow_redirects=False)
            except requests.exceptions.ConnectionError:
                # The connection had lain idle for as long as the server keeps one; a new one must do.
                self.session.close()
                response = self.session.request(**kwargs, timeout=DEADLINE_S, allow_redirects=False)
        except (requests.exceptions.InvalidHeader, UnicodeError, http.client.InvalidURL, ValueError):
            return  # no request that HTTP can carry
        self.session.cookies.clear()
        self.judge(path, role, response)

    def filled(self, path):
        for name in self.parameters(path):
            value = self.random.choice(self.names.get(name, ["x"]))
            path = path.replace("{%s}" % name, urllib.parse.quote(value, safe=""))
        return path

    def otherwise(self, path, item):
        """Methods that the path does not offer, and some that there are not."""
        for method in sorted(KNOWN - {verb.upper() for verb in item}) + ["TRACE", "BREW"]:
            self.request(path, "administrator", method=method, url=self.url + self.filled(path),
                         headers={"Accept-Encoding": "identity", **self.credentials("administrator")})

    def rude(self, path, operation):
        for extra in RUDE:
            filled = self.filled(path)
            headers = {"Accept-Encoding": "identity", **extra.get("headers", {}), **self.credentials("administrator")}
            self.request(path, "administrator", method=operation.method.upper(), url=self.url + filled,
                         headers=headers, data=extra.get("data"), params=extra.get("params"))

    @staticmethod
    def parameters(path):
        return [part[1:-1] for part in path.split("/") if part.startswith("{")]

    def run(self):
        schema = schemathesis.openapi.from_dict(self.document.document)
        started, is_furnished = time.monotonic(), False
        for made in schema.get_all_operations():
            operation = made.ok()
            path = operation.path
            if operation.method in ("head", "options"):
                # As `GET`, or nothing that could be wrong: one request tells.
                for case in self.cases(operation, GenerationMode.POSITIVE)[:1]:
                    self.send(path, case, self.random.choice(ROLES))
                continue
            if not is_furnished:
                self.furnish()
            is_furnished = operation.method == "get"
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                for case in self.cases(operation, mode):
                    for role in ROLES:
                        self.send(path, case, role)
            self.rude(path, operation)
        for path, item in self.document.document["paths"].items():
            self.otherwise(path, item)
        self.furnish()
        return time.monotonic() - started


def main():
    print("seed %d, %d examples of either kind" % (SEED, EXAMPLES))
    fuzz = Fuzz(os.environ["WARREN_HTTP"], os.environ["WARREN_SOCKET"])
    seconds = fuzz.run()
    spare = Node(os.environ["WARREN_SPARE_SOCKET"], fuzz.document)
    fuzz.findings.update(spare.run())
    print("%d requests to a node that stops and starts" % spare.asked)
    for role in ROLES:
        name = role or "nobody"
        counts = sorted((status, count) for (who, status), count in fuzz.answers.items() if who == name)
        print("%-14s %s" % (name, "  ".join("%d: %d" % pair for pair in counts)))
    print("%d requests in %.0f s" % (sum(fuzz.answers.values()), seconds))
    for finding, times in fuzz.findings.most_common(FINDINGS_SHOWN_MAX):
        print("%4d x %s\n       first: %s" % (times, finding, fuzz.first.get(finding, "-")))
    print("%d findings" % len(fuzz.findings))
    return 1 if fuzz.findings else 0


if __name__ == "__main__":
    sys.exit(main())
