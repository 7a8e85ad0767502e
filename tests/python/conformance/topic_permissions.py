"""Topic permissions: patterns with the user's and the virtual host's name, for keys of messages and bindings."""
from .row import Http, Publish, Q, Row, X, declare

USER = "conf-topic"
EXCHANGES = (X.Declare(exchange="x", type="topic"), X.Declare(exchange="y", type="topic"),
             X.Declare(exchange="d", type="direct"), X.Declare(exchange="h", type="headers"))
UNBOUND = (X.Unbind(destination="y", source="x", routing_key="b.a"),
           X.Unbind(destination="x", source="y", routing_key="b.a"))
# Exchange it is given for, pattern of writing, pattern of reading.
PERMISSIONS = {
    "none": None,
    "everything": ("x", ".*", ".*"),
    "nothing": ("x", "^$", "^$"),
    "empty patterns": ("x", "", ""),
    "keys of a": ("x", "^a\\.", "^a\\."),
    "the user": ("x", "^{username}\\.", "^{username}\\."),
    "the vhost": ("x", "^{vhost}\\.", "^{vhost}\\."),
    "both": ("x", "^{username}-{vhost}$", "^{username}-{vhost}$"),
    "an unknown variable": ("x", "^{what}$", "^{client_id}$"),
    "a direct exchange": ("d", "^$", "^$"),
    "a headers exchange": ("h", "^$", "^$"),
    "the default exchange": ("", "^$", "^$"),
    "write alone": ("x", ".*", "^$"),
    "read alone": ("x", "^$", ".*"),
}
KEYS = ("a.b", "b.a", "", "#", "conf-topic.a", "{username}.a", "conf-topic-permi.a", "conf-topic-conf-topic-permi",
        "{what}", "conf-topicXa", "k" * 255)
OTHERS = {
    "publish to another": Publish("y", "a.b"), "publish to direct": Publish("d", "a.b"),
    "publish to headers": Publish("h", "a.b"), "publish to the default exchange": Publish("", "q"),
    "bind another": Q.Bind(queue="q", exchange="y", routing_key="b"),
    "bind direct": Q.Bind(queue="q", exchange="d", routing_key="b"),
    "bind an exchange": X.Bind(destination="y", source="x", routing_key="b.a"),
    "bind to it": X.Bind(destination="x", source="y", routing_key="b.a"),
    "unbind an exchange": X.Unbind(destination="y", source="x", routing_key="b.a"),
    "publish with CC": Publish("x", "a.b", {"headers": {"CC": ["b.a"]}}),
    "publish with BCC": Publish("x", "a.b", {"headers": {"BCC": ["b.a"]}}),
    "publish with a wrong CC": Publish("x", "a.b", {"headers": {"CC": "b.a"}}),
    "publish as another": Publish("x", "b.a", {"user_id": "guest"}),
}


def prepare(bench):
    bench.user(USER)
    bench.grant(USER)
    for exchange in EXCHANGES:
        bench.administer(exchange)


def rows():
    path = "/topic-permissions/{vhost}/" + USER
    for name, permission in PERMISSIONS.items():
        given = [Http("DELETE", path)]
        if permission:
            exchange, write, read = permission
            given.append(Http("PUT", path, {"exchange": exchange, "write": write, "read": read}))
        operations = {f"publish {key[:30]!r}": Publish("x", key) for key in KEYS}
        operations |= {f"bind {key[:30]!r}": Q.Bind(queue="q", exchange="x", routing_key=key) for key in KEYS}
        operations |= {f"unbind {key[:30]!r}": Q.Unbind(queue="q", exchange="x", routing_key=key) for key in KEYS[:3]}
        for place, (what, operation) in enumerate((operations | OTHERS).items()):
            # What a channel was told before it may remember, so each has a connection of its own.
            before = (*given, declare()) if place == 0 else (declare(),)
            undo = (Q.Delete(queue="q"), *UNBOUND) if isinstance(operation, (X.Bind, X.Unbind)) else (Q.Delete(queue="q"),)
            yield Row(f"{name}: {what}", (operation,), before=before, undo=undo, login=USER, fresh=place == 0)
