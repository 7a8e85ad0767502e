"""Callers that make, look at, use and remove the same few things at once: no 5xx, every answer in the document.

What stands between a look-up and what is done with it may be gone by then, which no request alone can show. At the end
what is listed must be there, one by one. WARREN_FUZZ_SEED decides who asks what; the order is the machine's.
"""
import collections
import http.client
import json
import os
import random
import sys
import threading
from urllib.parse import urlsplit

from document import Document
from tour import DEADLINE_S, GUEST

SEED = int(os.environ.get("WARREN_FUZZ_SEED", "20"))
CALLERS = 6
REQUESTS = int(os.environ.get("WARREN_RACE_REQUESTS", "250"))
VHOSTS, NAMES, USERS = ("race-1", "race-2"), ("a", "b", "c"), ("race-u", "race-v")
EVERYTHING = {"configure": ".*", "write": ".*", "read": ".*"}
GET = {"count": 2, "ackmode": "ack_requeue_false", "encoding": "auto"}
PUBLISH = {"routing_key": "k", "payload": "m", "payload_encoding": "string", "properties": {}}

# (weight, method, path, body); each name is chosen anew.
ASKED = [
    (1, "DELETE", "/vhosts/{v}", None), (3, "PUT", "/vhosts/{v}", {}), (3, "PUT", "/permissions/{v}/guest", EVERYTHING),
    (2, "PUT", "/users/{u}", {"password": "p", "tags": "administrator"}), (1, "DELETE", "/users/{u}", None),
    (2, "PUT", "/permissions/{v}/{u}", EVERYTHING), (1, "DELETE", "/permissions/{v}/{u}", None), (1, "GET", "/users/{u}/permissions", None),
    (8, "PUT", "/queues/{v}/{n}", {"durable": True}), (2, "PUT", "/queues/{v}/{n}", {"arguments": {"x-queue-type": "stream"}, "durable": True}),
    (2, "PUT", "/queues/{v}/{n}", {"arguments": {"x-queue-type": "quorum"}, "durable": True}), (5, "DELETE", "/queues/{v}/{n}", None),
    (3, "GET", "/queues/{v}/{n}", None), (2, "GET", "/queues/{v}", None), (1, "GET", "/queues?page=1", None), (2, "DELETE", "/queues/{v}/{n}/contents", None),
    (4, "PUT", "/exchanges/{v}/{n}", {"type": "topic"}), (2, "DELETE", "/exchanges/{v}/{n}", None), (2, "GET", "/exchanges/{v}/{n}", None),
    (5, "POST", "/bindings/{v}/e/{n}/q/{n}", {"routing_key": "k"}), (2, "POST", "/bindings/{v}/e/{n}/e/{n}", {"routing_key": "#"}),
    (2, "DELETE", "/bindings/{v}/e/{n}/q/{n}/k", None), (2, "GET", "/bindings/{v}", None), (5, "POST", "/exchanges/{v}/{n}/publish", PUBLISH),
    (5, "POST", "/queues/{v}/{n}/get", GET), (2, "PUT", "/policies/{v}/{n}", {"pattern": ".", "definition": {"max-length": 2}}),
    (1, "DELETE", "/policies/{v}/{n}", None), (1, "PUT", "/vhost-limits/{v}/max-queues", {"value": 2}), (1, "DELETE", "/vhost-limits/{v}/max-queues", None),
    (1, "GET", "/definitions", None), (1, "GET", "/definitions/{v}", None), (1, "GET", "/overview", None), (1, "GET", "/vhosts", None),
    (1, "POST", "/definitions/{v}", {"queues": [{"name": "a"}, {"name": "b"}], "exchanges": [{"name": "a", "type": "topic"}],
                                     "bindings": [{"source": "a", "destination": "b", "routing_key": "k"}]}),
]


class Caller:
    def __init__(self, url, document):
        self.document, self.found, self.statuses = document, collections.Counter(), collections.Counter()
        self.connection = http.client.HTTPConnection(url.hostname, url.port, timeout=DEADLINE_S)

    def ask(self, method, path, body=None):
        headers = {"Authorization": GUEST, "Content-Type": "application/json"}
        self.connection.request(method, "/api" + path, None if body is None else json.dumps(body), headers)
        answer = self.connection.getresponse()
        content = answer.read()
        self.statuses[answer.status] += 1
        found = self.document.findings(method, "/api" + path, answer.status, dict(answer.getheaders()), content)
        if answer.status >= 500:
            found.append("answers %d: %r" % (answer.status, content[:200]))
        for finding in found:
            self.found["%s %s: %s" % (method, path, finding)] += 1
        return answer.status, content

    def race(self, seed):
        chance = random.Random(seed)
        for _ in range(REQUESTS):
            _, method, path, body = chance.choices(ASKED, [weight for weight, *_ in ASKED])[0]
            while "{" in path:
                for mark, names in (("{v}", VHOSTS), ("{n}", NAMES), ("{u}", USERS)):
                    path = path.replace(mark, chance.choice(names), 1)
            self.ask(method, path, body)

    def settled(self):
        """What is listed is there."""
        for vhost in VHOSTS:
            self.ask("PUT", "/vhosts/" + vhost, {})
            for kind in ("queues", "exchanges"):
                for item in json.loads(self.ask("GET", "/%s/%s" % (kind, vhost))[1]):
                    if item["name"] and self.ask("GET", "/%s/%s/%s" % (kind, vhost, item["name"]))[0] != 200:
                        self.found["%s %s of %s is listed and not there" % (kind, item["name"], vhost)] += 1
            for binding in json.loads(self.ask("GET", "/bindings/" + vhost)[1]):
                kind = "queues" if binding["destination_type"] == "queue" else "exchanges"
                if self.ask("GET", "/%s/%s/%s" % (kind, vhost, binding["destination"]))[0] != 200:
                    self.found["a binding of %s leads nowhere: %s" % (vhost, binding)] += 1
            self.ask("DELETE", "/vhosts/" + vhost)
        for user in USERS:
            self.ask("DELETE", "/users/" + user)


def main():
    url = urlsplit(os.environ["WARREN_HTTP"])
    document = Document.of(url.geturl())
    callers = [Caller(url, document) for _ in range(CALLERS)]
    threads = [threading.Thread(target=caller.race, args=(SEED * CALLERS + at,)) for at, caller in enumerate(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    callers[0].settled()
    found, statuses = (sum((getattr(caller, name) for caller in callers), collections.Counter()) for name in ("found", "statuses"))
    print("seed %d: %s" % (SEED, "  ".join("%d: %d" % pair for pair in sorted(statuses.items()))))
    for finding, times in found.most_common(40):
        print("%4d x %s" % (times, finding))
    complete = sum(statuses.values()) >= CALLERS * REQUESTS
    return 1 if found or not complete else 0


if __name__ == "__main__":
    sys.exit(main())
