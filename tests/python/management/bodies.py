"""Bodies nobody expects: missing, broken, of the wrong type, for every request that takes one."""

import json

from .row import Ask, Row, get, put

BROKEN = {
    "none": None, "empty": b"", "null": b"null", "undefined": b"undefined", "array": b"[]", "array of one": b"[5]",
    "number": b"5", "string": b'"text"', "true": b"true", "object in a string": b'"{}"', "half": b"{",
    "half a member": b'{"a"', "trailing comma": b'{"a":1,}', "two": b"{} {}", "spaces": b"  {}  ",
    "byte order mark": b"\xef\xbb\xbf{}", "no unicode": b'{"a":"\xff"}', "single quotes": b"{'a':1}",
    "text": b"text", "doubly encoded": b'"{\\"a\\":1}"', "comment": b"{} // x", "nan": b'{"a":NaN}',
    "deep": b'{"a":' + b"[" * 200 + b"]" * 200 + b"}", "unknown member": b'{"nobody":"knows"}', "newline": b"\n",
    "form": b"a=b&c=d", "nul": b"\0", "empty name": b'{"":1}', "huge number": b'{"a":1e999}',
}
VALUES = (
    None,
    True,
    False,
    0,
    5,
    -1,
    1.5,
    2**31,
    2**63,
    2**64,
    "",
    "text",
    "5",
    "true",
    "false",
    "null",
    [],
    [1],
    ["hm-a"],
    {},
    {"a": 1},
    "水",
)
GET = {"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"}
PUBLISH = {"routing_key": "k", "payload": "m", "payload_encoding": "string", "properties": {}}
POLICY = {"pattern": "^none$", "definition": {"max-length": 5}, "priority": 0, "apply-to": "all"}
# Every request with a body, with its members, and what shows what became of it.
REQUESTS = (
    (
        "PUT",
        "/queues/{v}/new",
        {"durable": True, "auto_delete": False, "arguments": {}, "node": "{node}", "exclusive": False},
        "/queues/{v}/new",
    ),
    (
        "PUT",
        "/exchanges/{v}/new",
        {"type": "fanout", "durable": True, "auto_delete": False, "internal": False, "arguments": {}},
        "/exchanges/{v}/new",
    ),
    ("POST", "/bindings/{v}/e/x/q/q", {"routing_key": "new", "arguments": {}}, "/bindings/{v}/e/x/q/q"),
    ("POST", "/bindings/{v}/e/x/e/y", {"routing_key": "new", "arguments": {}}, "/bindings/{v}/e/x/e/y"),
    ("PUT", "/policies/{v}/new", POLICY, "/policies/{v}/new"),
    ("PUT", "/operator-policies/{v}/new", POLICY, "/operator-policies/{v}/new"),
    (
        "PUT",
        "/vhosts/{v}",
        {
            "description": "d",
            "tags": "t",
            "tracing": False,
            "default_queue_type": "classic",
            "metadata": {},
            "protected_from_deletion": False,
        },
        "/vhosts/{v}",
    ),
    ("PUT", "/users/{u}", {"password": "p", "tags": "management"}, "/users/{u}"),
    (
        "PUT",
        "/users/{u}",
        {"password_hash": "", "tags": "management", "hashing_algorithm": "rabbit_password_hashing_sha256"},
        "/users/{u}",
    ),
    ("PUT", "/users/{u}", {"password": "p", "tags": "", "permissions": {}, "limits": {}}, "/users/{u}"),
    ("PUT", "/permissions/{v}/guest", {"configure": ".*", "write": ".*", "read": ".*"}, "/permissions/{v}/guest"),
    (
        "PUT",
        "/topic-permissions/{v}/guest",
        {"exchange": "x", "write": ".*", "read": ".*"},
        "/topic-permissions/{v}/guest",
    ),
    ("PUT", "/parameters/vhost-limits/{v}/limits", {"value": {"max-queues": 5}}, "/vhost-limits/{v}"),
    ("PUT", "/parameters/nobody/{v}/one", {"value": 5}, None),
    ("PUT", "/global-parameters/{u}", {"value": 5}, "/global-parameters/{u}"),
    ("PUT", "/vhost-limits/{v}/max-queues", {"value": 5}, "/vhost-limits/{v}"),
    ("PUT", "/vhost-limits/{v}/max-connections", {"value": 5}, "/vhost-limits/{v}"),
    ("PUT", "/user-limits/{u}/max-channels", {"value": 1000}, "/user-limits/{u}"),
    ("POST", "/queues/{v}/q/get", GET | {"truncate": 5}, None),
    ("POST", "/exchanges/{v}/x/publish", PUBLISH, None),
    ("POST", "/queues/{v}/q/actions", {"action": "sync"}, None),
    ("POST", "/users/bulk-delete", {"users": []}, None),
    ("POST", "/queues/quorum/{v}/q/replicas/add", {"node": "missing"}, None),
    ("DELETE", "/queues/quorum/{v}/q/replicas/delete", {"node": "missing"}, None),
    (
        "POST",
        "/queues/quorum/replicas/on/{node}/grow",
        {"vhost_pattern": "^none$", "queue_pattern": "^none$", "strategy": "all"},
        None,
    ),
    ("POST", "/vhosts/{v}/start/{node}", {}, None),
    ("POST", "/vhosts/{v}/deletion/protection", {}, None),
    ("POST", "/rebalance/queues", {}, None),
    ("PUT", "/feature-flags/missing/enable", {}, None),
    ("DELETE", "/queues/{v}/q", {}, None),
    ("DELETE", "/queues/{v}/q/contents", {}, None),
    ("DELETE", "/exchanges/{v}/x", {}, None),
    ("DELETE", "/vhost-limits/{v}/max-queues", {}, None),
    ("DELETE", "/policies/{v}/p", {}, None),
)
PROPERTIES = (
    "content_type", "content_encoding", "priority", "correlation_id", "reply_to", "expiration", "message_id",
    "timestamp", "type", "user_id", "app_id", "cluster_id", "delivery_mode", "headers", "nobody",
)


def show(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 30 else text[:30] + "..."


def rows():
    for method, path, members, shown in REQUESTS:
        named = f"{method} {path} {'+'.join(members)}"
        after = (get(shown),) if shown else ()
        before = (put("/users/{u}", {"tags": "", "password": "p"}),) if path.startswith("/user-limits") else ()
        for title, body in BROKEN.items():
            yield Row(f"{named}: {title}", (Ask(method, path, body), *after), before, fresh=True)
        for member in members:
            without = {name: value for name, value in members.items() if name != member}
            yield Row(f"{named}: without {member}", (Ask(method, path, without), *after), before, fresh=True)
            for value in VALUES:
                yield Row(
                    f"{named}: {member} {show(value)}",
                    (Ask(method, path, members | {member: value}), *after),
                    before,
                    fresh=True,
                )
    for name in PROPERTIES:
        for value in VALUES:
            if (name, value) == ("expiration", "5"):
                continue  # whether it is still there is a matter of speed
            body = PUBLISH | {"properties": {name: value}}
            yield Row(
                f"publish with {name} {show(value)}",
                (
                    Ask("POST", "/exchanges/{v}/x/publish", body),
                    Ask("POST", "/queues/{v}/q/get", GET | {"ackmode": "ack_requeue_false"}),
                ),
                fresh=True,
            )
    for value in VALUES:
        for path, body, shown in (
            ("/queues/{v}/new", {"durable": True}, "/queues/{v}/new"),
            ("/exchanges/{v}/new", {"type": "topic"}, "/exchanges/{v}/new"),
        ):
            yield Row(
                f"argument of {path}: {show(value)}",
                (put(path, body | {"arguments": {"nobody": value}}), get(shown)),
                fresh=True,
            )
        for key in (
            "max-length",
            "message-ttl",
            "ha-mode",
            "overflow",
            "nobody",
            "alternate-exchange",
            "delivery-limit",
        ):
            for kind in ("policies", "operator-policies"):
                path = f"/{kind}/{{v}}/new"
                yield Row(
                    f"{kind}: {key} {show(value)}",
                    (put(path, {"pattern": "^none$", "definition": {key: value}}), get(path)),
                    fresh=True,
                )
        yield Row(
            f"vhost limit {show(value)}",
            (put("/parameters/vhost-limits/{v}/limits", {"value": {"max-queues": value}}), get("/vhost-limits/{v}")),
            fresh=True,
        )
        yield Row(
            f"permissions of a user {show(value)}",
            (
                put("/users/{u}", {"tags": "", "password": "p", "permissions": {"{v}": value}}),
                get("/users/{u}/permissions"),
            ),
            fresh=True,
        )
        yield Row(
            f"limits of a user {show(value)}",
            (
                put("/users/{u}", {"tags": "", "password": "p", "limits": {"max-channels": value}}),
                get("/user-limits/{u}"),
            ),
            fresh=True,
        )
        yield Row(
            f"tags of a user [{show(value)}]",
            (put("/users/{u}", {"tags": [value, "a"], "password": "p"}), get("/users/{u}")),
            fresh=True,
        )
