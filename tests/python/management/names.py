"""Names nobody expects, for everything that has one: created, read, listed, bound, removed."""

from urllib.parse import quote

from .row import Row, delete, get, post, put
from .scene import EVERYTHING

NAMES = {
    "plain": "plain", "unicode": "水许传", "emoji": "🐇", "space": "a b", "spaces around": " a ", "slash": "a/b",
    "slash alone": "/", "dot": ".", "dots inside": "a.b", "percent": "100%", "percent encoded": "%2F",
    "plus": "a+b", "question": "a?b", "hash": "#", "star": "*", "quotes": "\"'", "backslash": "\\",
    "newline": "a\nb", "nul": "a\0b", "tab": "\t", "semicolon": "a;b", "comma": "a,b", "ampersand": "a&b=c",
    "colon": "a:b", "brackets": "[a]{b}", "tilde": "~", "alias": "~default", "255 bytes": "n" * 255,
    "255 bytes of unicode": "水" * 85, "number": "5", "true": "true", "null": "null", "undefined": "undefined",
    "reserved": "amq.new", "default exchange": "amq.default", "existing": "amq.direct", "bindings": "bindings",
    "detailed": "detailed", "quorum": "quorum", "status": "status", "all": "all", "upper": "UPPER",
    "a pattern": ".*", "html": "<b>&amp;</b>", "latin": "é", "combining": "é", "right to left": "שלום",
}
BYTES = {
    "no unicode": "%FF", "half a character": "%E6%B0", "broken escape": "a%2", "no escape": "a%zz",
    "lower case escape": "a%2fb", "encoded letters": "%61%62", "overlong": "%C0%AF", "encoded nul": "%00",
    "delete": "%7F", "surrogate": "%ED%A0%80",
}
POLICY = {"pattern": "^none$", "definition": {"max-length": 5}}
KINDS = {
    "queue": ("/queues/{v}/NAME", {"durable": True}, "/queues/{v}"),
    "exchange": ("/exchanges/{v}/NAME", {"type": "fanout"}, "/exchanges/{v}"),
    "policy": ("/policies/{v}/NAME", POLICY, "/policies/{v}"),
    "operator policy": ("/operator-policies/{v}/NAME", POLICY, "/operator-policies/{v}"),
    "vhost limit": ("/vhost-limits/{v}/NAME", {"value": 5}, "/vhost-limits/{v}"),
    "component": ("/parameters/NAME/{v}/one", {"value": {}}, "/parameters/NAME/{v}"),
    "user limit": ("/user-limits/{u}/NAME", {"value": 5}, "/user-limits/{u}"),
    "permission of": ("/permissions/{v}/NAME", EVERYTHING, "/vhosts/{v}/permissions"),
    "topic permission of": (
        "/topic-permissions/{v}/NAME",
        {"exchange": "x", "write": "", "read": ""},
        "/vhosts/{v}/topic-permissions",
    ),
}
GLOBAL = {
    "user": ("/users/hm-names-NAME", {"password": "p", "tags": "management"}, "/users"),
    "global parameter": ("/global-parameters/hm-names-NAME", {"value": 1}, "/global-parameters"),
    "vhost": ("/vhosts/hm-names-NAME", {}, "/vhosts"),
}
KEYS = (
    "",
    "k",
    "a b",
    "a/b",
    "水",
    "*",
    "#",
    "a.#.*",
    "~",
    "a~b",
    "%",
    "+",
    "&",
    "?",
    "k" * 255,
    "A-Z_z.9",
    "é",
    "\n",
    "amq.default",
)


def rows():
    every = {title: quote(name, safe="") for title, name in NAMES.items()} | BYTES
    for kind, (path, body, listing) in KINDS.items():
        for title, name in every.items():
            one = path.replace("NAME", name)
            yield Row(
                f"{kind}: {title}",
                (put(one, body), put(one, body), get(one), get(listing.replace("NAME", name)), delete(one), get(one)),
                fresh=True,
            )
    for kind, (path, body, listing) in GLOBAL.items():
        for title, name in every.items():
            one = path.replace("NAME", name)
            yield Row(
                f"{kind}: {title}", (put(one, body), put(one, body), get(one), get(listing), delete(one), get(one))
            )
    for title, name in every.items():
        yield Row(
            f"missing: {title}",
            tuple(
                get(path.replace("NAME", name))
                for path in (
                    "/queues/NAME",
                    "/exchanges/NAME",
                    "/bindings/NAME",
                    "/policies/NAME",
                    "/consumers/NAME",
                    "/permissions/NAME/guest",
                    "/definitions/NAME",
                    "/aliveness-test/NAME",
                    "/vhost-limits/NAME",
                    "/users/NAME/permissions",
                    "/user-limits/NAME",
                    "/users/NAME/queues",
                    "/connections/NAME",
                    "/channels/NAME",
                    "/connections/username/NAME",
                    "/nodes/NAME",
                    "/parameters/NAME",
                    "/queues/{v}/NAME/bindings",
                    "/exchanges/{v}/NAME/bindings/source",
                    "/bindings/{v}/e/NAME/q/q",
                    "/bindings/{v}/e/x/q/NAME",
                    "/bindings/{v}/e/x/NAME/q",
                    "/health/checks/protocol-listener/NAME",
                    "/health/checks/port-listener/NAME",
                    "/health/checks/certificate-expiration/NAME/days",
                    "/health/checks/certificate-expiration/1/NAME",
                    "/bindings/{v}/e/x/q/q/NAME",
                )
            ),
        )
    for key in KEYS:
        encoded = quote(quote(key, safe="-_."), safe="") or "~"
        for kind in ("q/q", "e/y"):
            path = f"/bindings/{{v}}/e/x/{kind}"
            yield Row(
                f"key {key[:9]!r} to {kind}",
                (
                    post(path, {"routing_key": key}),
                    get(path),
                    get(f"{path}/{encoded}"),
                    delete(f"{path}/{encoded}"),
                    get(path),
                ),
                fresh=True,
            )
    for title, name in every.items():
        queue = f"/queues/{{v}}/{name}"
        yield Row(
            f"bound: {title}",
            (
                put(queue, {}),
                post(f"/bindings/{{v}}/e/amq.topic/q/{name}", {"routing_key": "k"}),
                get(f"{queue}/bindings"),
                post(
                    "/exchanges/{v}/amq.topic/publish",
                    {"routing_key": "k", "payload": "m", "payload_encoding": "string", "properties": {}},
                ),
                post(f"{queue}/get", {"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}),
                delete(queue),
            ),
            fresh=True,
        )
