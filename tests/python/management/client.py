"""Requests as they are on the wire, and their answers. Knows no route."""
import base64
import dataclasses
import http.client
import json
import socket
from urllib.parse import urlsplit

DEADLINE_S = 60
ADMINISTRATOR = "guest:guest"


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came back."""
    status: int
    headers: dict
    body: bytes

    @property
    def value(self):
        """The body as JSON; `None` when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Client:
    """One keep-alive connection to the management API."""

    def __init__(self, address):
        self.address = urlsplit(address)
        self.connection = None

    def call(self, method, path, body=None, login=ADMINISTRATOR, headers=()):
        """The answer to a request; `body` is bytes or what is sent as JSON, `path` is sent as it is."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        sent = {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()} if login else {}
        if body is not None:
            sent["Content-Type"] = "application/json"
        sent.update(headers)
        sent = {name: value for name, value in sent.items() if value is not None}
        try:
            return self._exchange(method, path, body, sent)
        except (http.client.RemoteDisconnected, ConnectionError):
            # A connection that was answered for the last time; the request was not looked at.
            self.connection = None
            return self._exchange(method, path, body, sent)

    def _exchange(self, method, path, body, headers):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=DEADLINE_S)
            self.connection._validate_path = lambda path: None
            self.connection.connect()
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.request(method, "/api" + path if not path.startswith("//") else path[1:], body, headers)
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.will_close:
            self.connection.close()
            self.connection = None
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, content)
