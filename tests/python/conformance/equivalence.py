"""Declaring a queue again: with every argument changed, added and left out, and with other properties."""
from .queue_arguments import NOT_FOR_STREAMS, PROPERTIES, TAKERS, words
from .row import Q, Row, Typed, declare, show

# Two values each argument can have, and more it may be compared with.
VALUES = {
    "x-message-ttl": (60000, 60001), "x-expires": (60000, 60001), "x-max-length": (5, 6),
    "x-max-length-bytes": (500000, 500001), "x-max-priority": (5, 6), "x-single-active-consumer": (True, False),
    "x-delivery-limit": (5, 6), "x-consumer-timeout": (60000, 60001), "x-consumer-disconnected-timeout": (60000, 60001),
    "x-delayed-retry-type": ("all", "failed"), "x-delayed-retry-min": (10, 11), "x-delayed-retry-max": (20, 21),
    "x-quorum-initial-group-size": (1, 3), "x-max-in-memory-length": (5, 6), "x-max-in-memory-bytes": (5, 6),
    "x-stream-max-segment-size-bytes": (1000000, 1000001), "x-stream-filter-size-bytes": (16, 17),
    "x-initial-cluster-size": (1, 3), "x-unknown": (1, 2), "x-overflow": ("drop-head", "reject-publish"),
    "x-dead-letter-exchange": ("dlx", "other"), "x-dead-letter-strategy": ("at-most-once", "at-least-once"),
    "x-queue-leader-locator": ("client-local", "balanced"), "x-queue-mode": ("default", "lazy"),
    "x-queue-version": (2,), "x-max-age": ("1h", "60m"),
}
WIDTHS = [Typed(letter, 5) for letter in "bBsuIil"] + [5.0, "5", True]
OTHER_NAMES = ("x-dead-letter-routing-key",)


def takes(kind, name):
    return TAKERS.get(name, kind) == kind and not (kind == "stream" and name in NOT_FOR_STREAMS)


def again(name, first, second, kind="classic", properties=()):
    base = {"x-queue-type": kind}
    return Row(f"{kind} {name}", (declare(base | second, **dict(properties)),), before=(declare(base | first),))


def rows():
    for kind in ("classic", "quorum", "stream"):
        for name, (value, *others) in VALUES.items():
            if not takes(kind, name):
                # An argument of another type is not compared, were it there.
                yield again(f"{name} added, which is foreign", {}, {name: value}, kind)
                continue
            yield again(f"{name} same", {name: value}, {name: value}, kind)
            yield again(f"{name} added", {}, {name: value}, kind)
            yield again(f"{name} left out", {name: value}, {}, kind)
            for other in (*others, None, [1], "word"):
                yield again(f"{name} {show(value)} now {show(other)}", {name: value}, {name: other}, kind)
        for properties in PROPERTIES:
            yield again(f"with {words(properties)}", {}, {}, kind, properties)
        for other in ("classic", "quorum", "stream", "tape", "", "undefined", None, 1):
            yield again(f"now of type {show(other)}", {}, {"x-queue-type": other}, kind)
        yield Row(f"{kind} without a type", (declare(),), before=(declare({"x-queue-type": kind}),))
        yield Row(f"{kind} where none was given", (declare({"x-queue-type": kind}),), before=(declare(),))
        yield again("two differ", {"x-max-length-bytes": 5000000, "x-unknown": 1},
                    {"x-queue-leader-locator": "balanced", "x-max-length-bytes": 6000000}, kind)
    key = {"x-dead-letter-exchange": "dlx", "x-dead-letter-routing-key": "k"}
    for kind in ("classic", "quorum"):
        yield again("routing key of dead letters differs", key, key | {"x-dead-letter-routing-key": "l"}, kind)
        yield again("routing key of dead letters left out", key, {"x-dead-letter-exchange": "dlx"}, kind)
    for value in WIDTHS:
        yield again(f"x-max-length 5:l now {show(value)}", {"x-max-length": Typed("l", 5)}, {"x-max-length": value})
    for first in PROPERTIES:
        # Transient queues that are not exclusive have a table row of their own.
        for second in PROPERTIES if first["durable"] and not first["exclusive"] else ():
            yield Row(f"{words(first)} now {words(second)}", (declare(**second),), before=(declare(**first),))
    for second in PROPERTIES:
        own = declare(exclusive=True)
        yield Row(f"own exclusive now {words(second)}", (own, declare(**second)))
        yield Row(f"another's exclusive, {words(second)}", (declare(**second),), before=(own,))
        yield Row(f"passive, {words(second)}", (Q.Declare(queue="q", passive=True, **second),), before=(declare(),))
