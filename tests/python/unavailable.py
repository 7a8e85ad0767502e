"""Whether a 503 is true: what a health check calls wrong must be wrong, and nothing else may be unavailable.

Asks over the control socket, which knows no users, how things really are. Knows what the fuzz puts on the broker: nothing
is stopped, no alarm is raised, no certificate is there to expire.
"""
import json
import urllib.parse

from document import BERT
from tour import OverSocket

PORT = "/api/health/checks/port-listener/{port}"
PROTOCOLS = "/api/health/checks/protocol-listener/{protocols}"
STATUS = "/api/queues/quorum/{vhost}/{queue}/status"


class Unavailable:
    def __init__(self, control):
        self.control = control
        listeners = self.ask("/api/overview?columns=listeners")["listeners"]
        self.ports = {listener["port"] for listener in listeners}
        self.protocols = {listener["protocol"] for listener in listeners}

    def ask(self, target):
        connection = OverSocket(self.control)
        try:
            connection.request("GET", target)
            return json.load(connection.getresponse())
        finally:
            connection.close()

    def findings(self, method, path, target, response):
        """Why the answer is not true; nothing when it is, or cannot be read here."""
        last = urllib.parse.unquote(urllib.parse.urlsplit(target).path.rstrip("/").rpartition("/")[2])
        if method == "HEAD" or response.headers.get("Content-Type") == BERT:
            return []
        try:
            said = response.json()
        except ValueError:
            return ["503 without a reason"]
        if said.get("status") == "failed" and not said.get("reason"):
            return ["503 without a reason: %s" % response.text[:200]]
        if path == PORT:
            is_true = said["missing"] == int(last) and int(last) not in self.ports and set(said["ports"]) == self.ports
        elif path == PROTOCOLS:
            # Spelled as the server compares them: in small letters, without space around them.
            missing = set(said["missing"])
            is_true = missing and not missing & self.protocols and len(missing) <= len(last.split(","))
        elif path == STATUS:
            queue = self.ask(target.partition("?")[0].removesuffix("/").removesuffix("/status").replace("/quorum", "", 1))
            is_true = queue.get("type") in ("classic", "stream")
        else:
            is_true = False
        return [] if is_true else ["503 that is not true: %s" % response.text[:300]]
