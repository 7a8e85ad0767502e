"""Arguments of queue.declare: each, of every value, for each type of queue."""
from .row import INTEGERS, OTHERS, Q, Row, declare, show

KINDS = ("classic", "quorum", "stream")
WORDS = {
    "x-overflow": ("drop-head", "reject-publish", "reject-publish-dlx", "Drop-Head"),
    "x-dead-letter-exchange": ("dlx", "amq.direct", "n" * 255, "n" * 256),
    "x-dead-letter-routing-key": ("key", "n" * 256),
    "x-dead-letter-strategy": ("at-most-once", "at-least-once"),
    "x-queue-leader-locator": ("client-local", "balanced", "random", "least-leaders", "min-masters"),
    "x-queue-mode": ("default", "lazy"),
    "x-queue-version": (),
    "x-delayed-retry-type": ("disabled", "all", "failed", "returned"),
    "x-max-age": ("1Y", "2M", "3D", "4h", "5m", "6s", "1", "0s", "-1s", "1.5h", "1w", "1 h", "1h ", "007s", "1Ys",
                  "99999999999999999999Y"),
}
NAMES = ("x-message-ttl", "x-expires", "x-max-length", "x-max-length-bytes", "x-max-priority",
         "x-single-active-consumer", "x-delivery-limit", "x-consumer-timeout", "x-consumer-disconnected-timeout",
         "x-delayed-retry-min", "x-delayed-retry-max", "x-quorum-initial-group-size", "x-queue-master-locator",
         "x-max-in-memory-length", "x-max-in-memory-bytes", "x-stream-max-segment-size-bytes",
         "x-stream-filter-size-bytes", "x-initial-cluster-size", "x-unknown", *WORDS)
# Who takes an argument; on others one good and one bad value tell.
TAKERS = {
    "x-max-priority": "classic", "x-queue-mode": "classic", "x-queue-version": "classic",
    "x-delivery-limit": "quorum", "x-consumer-timeout": "quorum", "x-consumer-disconnected-timeout": "quorum",
    "x-delayed-retry-type": "quorum", "x-delayed-retry-min": "quorum", "x-delayed-retry-max": "quorum",
    "x-quorum-initial-group-size": "quorum", "x-dead-letter-strategy": "quorum", "x-max-in-memory-length": "quorum",
    "x-max-in-memory-bytes": "quorum", "x-max-age": "stream", "x-stream-max-segment-size-bytes": "stream",
    "x-stream-filter-size-bytes": "stream", "x-initial-cluster-size": "stream",
}
NOT_FOR_STREAMS = ("x-message-ttl", "x-expires", "x-max-length", "x-overflow", "x-dead-letter-exchange",
                   "x-dead-letter-routing-key", "x-single-active-consumer")
TYPES = ("classic", "quorum", "stream", "tape", "", "undefined", "Classic", "rabbit_classic_queue", b"classic", 1,
         True, None, [], "rabbit_mqtt_qos0_queue")
# Arguments that depend on each other, and which refusal comes first.
TOGETHER = {
    "key-and-exchange": {"x-dead-letter-routing-key": "k", "x-dead-letter-exchange": "dlx"},
    "key-and-empty-exchange": {"x-dead-letter-routing-key": "k", "x-dead-letter-exchange": ""},
    "strategy-without-overflow": {"x-dead-letter-strategy": "at-least-once", "x-dead-letter-exchange": "dlx"},
    "strategy-and-overflow": {"x-dead-letter-strategy": "at-least-once", "x-dead-letter-exchange": "dlx",
                              "x-overflow": "reject-publish"},
    "two-wrong": {"x-expires": 0, "x-message-ttl": -1},
    "wrong-and-foreign": {"x-max-age": "1h", "x-max-priority": 5, "x-delivery-limit": 5, "x-overflow": "burst"},
    "retry-without-type": {"x-delayed-retry-min": 10, "x-delayed-retry-max": 5},
    "retry-reversed": {"x-delayed-retry-type": "all", "x-delayed-retry-min": 10, "x-delayed-retry-max": 5},
    "everything": {"x-message-ttl": 1000, "x-expires": 60000, "x-max-length": 5, "x-max-length-bytes": 500},
}
PROPERTIES = [{"durable": durable, "exclusive": exclusive, "auto_delete": auto_delete}
              for durable in (True, False) for exclusive in (False, True) for auto_delete in (False, True)]


def values(kind, name):
    if TAKERS.get(name, kind) != kind or kind == "stream" and name in NOT_FOR_STREAMS:
        return (5, "text")
    return INTEGERS + OTHERS + WORDS.get(name, ())


def words(properties):
    return "+".join(name for name, is_set in properties.items() if is_set) or "none"


def rows():
    for kind in KINDS:
        for name in NAMES:
            for value in values(kind, name):
                arguments = {"x-queue-type": kind, name: value}
                yield Row(f"{kind} {name}={show(value)}", (declare(arguments),))
        for name, arguments in TOGETHER.items():
            yield Row(f"{kind} {name}", (declare({"x-queue-type": kind} | arguments),))
        for properties in PROPERTIES:
            yield Row(f"{kind} {words(properties)}", (declare({"x-queue-type": kind}, **properties),))
        yield Row(f"{kind} named by the broker", (declare({"x-queue-type": kind}, queue="", exclusive=True),),
                  undo=(Q.Delete(queue=""),))
        yield Row(f"{kind} of a reserved name", (declare({"x-queue-type": kind}, queue="amq.q"),))
    for value in TYPES:
        yield Row(f"x-queue-type={show(value)}", (declare({"x-queue-type": value}),))
    for properties in PROPERTIES:
        yield Row(f"no type, {words(properties)}", (declare(**properties),))
