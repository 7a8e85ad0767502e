"""A node that is stopped, reset, started and shut down with requests of all sorts, and what is answered meanwhile.

The node is one of its own, since whoever resets it takes away what everything else asks about. While its application is
stopped every operation of the document is asked over the control socket, which alone is open then: those of the node
answer, every other says that it is stopped.
"""
import collections
import json
import re

from tour import OverSocket

NODE = "/api/warren/node"
# What comes with a request that wants nothing.
ODD = [(None, {}), (b"", {"Content-Type": "application/json"}), (b"{", {}), (b"[1]", {"Content-Type": "text/plain"}),
       (b"\xff\x00", {"Content-Type": "application/json"}), (b"{}", {"Content-Type": "nonsense"}),
       (None, {"Accept": "text/html"}), (None, {"Accept": "nonsense"}), (None, {"Authorization": "Basic !"})]
DONE, ENDING = 204, 202


class Node:
    def __init__(self, control, document):
        self.control, self.document = control, document
        self.found, self.asked = collections.Counter(), 0

    def ask(self, method, target, body=None, headers=None):
        connection = OverSocket(self.control)
        try:
            connection.request(method, target, body, headers or {})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        self.asked += 1
        for finding in self.document.findings(method, target, answer.status, dict(answer.getheaders()), content):
            self.finding(method, target, finding)
        return answer.status, content

    def finding(self, method, target, said):
        self.found["%s %s on a node of its own: %s" % (method, target, said)] += 1

    def act(self, action, expected):
        """Asks in every way, and the last time so that it is done. An odd request is refused, or does the same."""
        for body, headers in ODD[1:] + ODD[:1]:
            status, content = self.ask("POST", "%s/%s" % (NODE, action), body, headers)
            if status >= 500 and status != 503:
                self.finding("POST", action, "answers %d: %r" % (status, content[:200]))
        if status != expected:
            self.finding("POST", action, "answers %d instead of %d: %r" % (status, expected, content[:200]))

    def stopped(self):
        """Every operation says that the application is stopped, or is of the node."""
        for path, method, operation in self.document.operations():
            if path.startswith(NODE + "/") and method != "get":
                continue
            target = re.sub(r"\{[a-z_]+\}", "x", path)
            status, content = self.ask(method.upper(), target, b"{}" if method in ("put", "post") else None,
                                       {"Content-Type": "application/json"})
            if status >= 500 and status != 503:
                self.finding(method, target, "answers %d: %r" % (status, content[:200]))
            if status == 503:
                said = json.loads(content)
                if said.get("error") != "app_stopped" and not said.get("reasons"):
                    self.finding(method, target, "does not say that the application is stopped: %r" % content[:200])
            elif status < 300 and not path.startswith(("/api/warren/", "/live", "/ready")):
                needs_nothing = operation["x-access"] == "public"
                if not needs_nothing:
                    self.finding(method, target, "answers %d while the application is stopped" % status)

    def run(self):
        self.act("reset", 409)
        self.act("stop-app", DONE)
        self.stopped()
        self.act("reset", DONE)
        self.act("start-app", DONE)
        if self.ask("GET", "/api/overview")[0] != 200:
            self.finding("GET", "/api/overview", "does not answer after all that")
        # Once: there is nobody to ask again.
        if self.ask("POST", NODE + "/shutdown")[0] != ENDING:
            self.finding("POST", "shutdown", "is refused")
        return self.found
