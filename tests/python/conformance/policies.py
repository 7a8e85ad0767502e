"""Policies and operator policies: keys and values, what takes them, and which of two counts."""
from .row import Http, Q, Row, declare, show

KEYS = ("alternate-exchange", "dead-letter-exchange", "dead-letter-routing-key", "dead-letter-strategy",
        "message-ttl", "expires", "max-length", "max-length-bytes", "max-in-memory-length", "max-in-memory-bytes",
        "overflow", "delivery-limit", "consumer-timeout", "consumer-disconnected-timeout", "delayed-retry-type",
        "delayed-retry-min", "delayed-retry-max", "max-age", "stream-max-segment-size-bytes",
        "stream-filter-size-bytes", "initial-cluster-size", "queue-leader-locator", "queue-master-locator",
        "queue-mode", "queue-version", "target-group-size", "shards-per-node", "routing-key", "ha-mode",
        "ha-params", "ha-sync-mode", "federation-upstream", "federation-upstream-set", "x-max-length", "unknown")
VALUES = (-1, 0, 1, 16, 255, 256, 3_000_000_001, 315_360_000_001, 1.5, "", "text", "10", True, None, [], {"a": 1})
WORDS = {
    "overflow": ("drop-head", "reject-publish", "reject-publish-dlx"),
    "dead-letter-strategy": ("at-most-once", "at-least-once"),
    "delayed-retry-type": ("disabled", "all", "failed", "returned"),
    "max-age": ("1h", "7D", "0s", "1w"),
    "queue-leader-locator": ("client-local", "balanced", "random", "least-leaders"),
    "queue-master-locator": ("client-local", "min-masters"),
    "queue-mode": ("default", "lazy"),
    "ha-mode": ("all",), "max-length": (2**64,),
}
# A value of every key that a policy may hold, and a greater or different one.
GOOD = {
    "alternate-exchange": ("x", "y"), "dead-letter-exchange": ("x", "y"), "dead-letter-routing-key": ("k", "l"),
    "dead-letter-strategy": ("at-most-once", "at-least-once"), "message-ttl": (60000, 70000),
    "expires": (60000, 70000), "max-length": (5, 6), "max-length-bytes": (5000000, 6000000),
    "max-in-memory-length": (5, 6), "max-in-memory-bytes": (5, 6), "overflow": ("drop-head", "reject-publish"),
    "delivery-limit": (5, 6), "consumer-timeout": (60000, 70000), "consumer-disconnected-timeout": (60000, 70000),
    "delayed-retry-type": ("all", "failed"), "delayed-retry-min": (10, 11), "delayed-retry-max": (20, 21),
    "max-age": ("1h", "2h"), "stream-max-segment-size-bytes": (1000000, 2000000),
    "stream-filter-size-bytes": (16, 17), "initial-cluster-size": (1, 3),
    "queue-leader-locator": ("client-local", "balanced"), "queue-version": (2, 2), "target-group-size": (1, 3),
}
KINDS = ("classic", "quorum", "stream")
APPLY_TO = ("all", "queues", "exchanges", "classic_queues", "quorum_queues", "streams", "", "Queues", "tapes", 1)
PATTERNS = ("", ".*", "^q", "(", "[", "*", "a{2,1}", "p" * 1024, 1, None)
POLICIES = {"policy": "policies", "operator policy": "operator-policies"}
GONE = {path: Http("DELETE", f"/{path}/{{vhost}}/p") for path in POLICIES.values()}


def put(path, definition, **fields):
    return Http("PUT", f"/{path}/{{vhost}}/p", {"pattern": "^q", "definition": definition} | fields)


def rows():
    for policy, path in POLICIES.items():
        for key in KEYS:
            for value in VALUES + WORDS.get(key, ()):
                yield Row(f"{policy} {key}={show(value)}", (put(path, {key: value}),), undo=(GONE[path],))
        for definition in ({}, [], "text", None, {"max-length": 1, "what": 2}, {"max-length": 1, "overflow": "burst"},
                           {"dead-letter-routing-key": "k"}):
            yield Row(f"{policy} of {definition}", (put(path, definition),), undo=(GONE[path],))
        for apply_to in APPLY_TO:
            yield Row(f"{policy} for {show(apply_to)}", (put(path, {"max-length": 5}, **{"apply-to": apply_to}),),
                      undo=(GONE[path],))
        for pattern in PATTERNS:
            yield Row(f"{policy} on {show(pattern)}", (put(path, {"max-length": 5}, pattern=pattern),), undo=(GONE[path],))
        for priority in (0, -1, 2**31, 10**20, 1.5, "1", None, True):
            yield Row(f"{policy} of priority {show(priority)}", (put(path, {"max-length": 5}, priority=priority),),
                      undo=(GONE[path],))
    yield from applied()


def applied():
    """Which queues a policy reaches, and what it makes of two."""
    for kind in KINDS:
        queue = declare({"x-queue-type": kind})
        ask = Http("GET", "/queues/{vhost}/q?disable_stats=true&columns=" + "policy,operator_policy,"
                   "effective_policy_definition")
        undo = (*GONE.values(), Q.Delete(queue="q"))

        def of(key, value):
            # A kind of retry needs its shortest delay.
            return {key: value} | ({"delayed-retry-min": 10} if key.startswith("delayed-retry") and key != MIN else {})

        for key, (value, other) in GOOD.items():
            for policy, path in POLICIES.items():
                if policy == "policy" or key in OPERATOR:
                    yield Row(f"{kind} under {policy} {key}", (ask,), before=(queue, put(path, of(key, value))), undo=undo)
            if key in OPERATOR:
                for user, operator in sorted({(value, other), (other, value)}):
                    yield Row(f"{kind} under {key} {user} and operator's {operator}", (ask,), undo=undo, before=(
                        queue, put("policies", of(key, user)), put("operator-policies", of(key, operator))))
        for apply_to in APPLY_TO[:6]:
            yield Row(f"{kind} under a policy for {apply_to}", (ask,), undo=undo, before=(
                queue, put("policies", {"max-length-bytes": 5000000}, **{"apply-to": apply_to})))
        yield Row(f"{kind} under a policy with a foreign key", (ask,), undo=undo, before=(
            queue, put("policies", {"max-length-bytes": 5000000, "max-age": "1h", "delivery-limit": 5})))


MIN = "delayed-retry-min"
OPERATOR = ("message-ttl", "expires", "max-length", "max-length-bytes", "max-in-memory-length", "max-in-memory-bytes",
            "overflow", "delivery-limit", "queue-version", "target-group-size", "delayed-retry-type",
            "delayed-retry-min", "delayed-retry-max")
