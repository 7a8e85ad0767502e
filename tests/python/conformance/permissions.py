"""Who may do what: every operation, with each right given, taken, and given for one of its resources only."""
from pika import spec

from .row import B, Http, Publish, Q, Row, X, declare

USER = "conf-worker"
GRANTS = {"all": (".*",) * 3, "nothing": ("^$",) * 3}
for place, right in enumerate(("configure", "write", "read")):
    GRANTS[f"no {right}"] = tuple("^$" if place == other else ".*" for other in range(3))
    GRANTS[f"only {right}"] = tuple(".*" if place == other else "^$" for other in range(3))
    for one in ("q", "x", "y"):
        GRANTS[f"{right} of {one} alone"] = tuple(f"^{one}$" if place == other else ".*" for other in range(3))
GRANTS["empty patterns"] = ("",) * 3
GRANTS["default exchange alone"] = ("^amq\\.default$",) * 3
GRANTS["unanchored"] = ("q|x|y",) * 3
GRANTS["not a pattern of x"] = ("^(?!x)",) * 3

QUEUE, NEW = declare(), {"x-dead-letter-exchange": "y"}
EXCHANGE = X.Declare(exchange="x", type="fanout")
TARGET = X.Declare(exchange="y", type="fanout")
THERE = (QUEUE, EXCHANGE, TARGET)
OPERATIONS = {
    "declare a new exchange": (EXCHANGE, ()),
    "declare an exchange again": (EXCHANGE, THERE),
    "declare an exchange passively": (X.Declare(exchange="x", passive=True), THERE),
    "declare a missing exchange passively": (X.Declare(exchange="x", passive=True), ()),
    "declare an exchange with an alternate": (
        X.Declare(exchange="x", arguments={"alternate-exchange": "y"}), (TARGET,)),
    "declare an exchange with a missing alternate": (
        X.Declare(exchange="x", arguments={"alternate-exchange": "y"}), ()),
    "declare the default exchange": (X.Declare(exchange=""), ()),
    "delete an exchange": (X.Delete(exchange="x"), THERE),
    "delete a missing exchange": (X.Delete(exchange="x"), ()),
    "declare a new queue": (QUEUE, ()),
    "declare a queue again": (QUEUE, THERE),
    "declare a queue passively": (Q.Declare(queue="q", passive=True), THERE),
    "declare a missing queue passively": (Q.Declare(queue="q", passive=True), ()),
    "declare an exclusive queue": (declare(exclusive=True), ()),
    "declare a queue named by the broker": (declare(queue="", exclusive=True), ()),
    "declare a queue with dead letters": (declare(NEW), (TARGET,)),
    "declare a queue with dead letters to nowhere": (declare(NEW), ()),
    "declare a queue with dead letters again": (declare(NEW), (TARGET, declare(NEW))),
    "declare a queue with dead letters to the default exchange": (declare({"x-dead-letter-exchange": ""}), ()),
    "declare a quorum queue with dead letters": (declare(NEW | {"x-queue-type": "quorum"}), (TARGET,)),
    "delete a queue": (Q.Delete(queue="q"), THERE),
    "delete a missing queue": (Q.Delete(queue="q"), ()),
    "purge": (Q.Purge(queue="q"), THERE),
    "bind a queue": (Q.Bind(queue="q", exchange="x"), THERE),
    "bind a missing queue": (Q.Bind(queue="q", exchange="x"), (EXCHANGE,)),
    "unbind a queue": (Q.Unbind(queue="q", exchange="x"), THERE),
    "bind an exchange": (X.Bind(destination="y", source="x"), THERE),
    "unbind an exchange": (X.Unbind(destination="y", source="x"), THERE),
    "bind to the default exchange": (Q.Bind(queue="q", exchange="", routing_key="q"), THERE),
    "publish": (Publish("x", "k"), THERE),
    "publish to a missing exchange": (Publish("x", "k"), ()),
    "publish to the default exchange": (Publish("", "k"), ()),
    "publish to an internal exchange": (Publish("x", "k"), (X.Declare(exchange="x", internal=True),)),
    "publish with a wrong expiration": (Publish("x", "k", {"expiration": "soon"}), THERE),
    "publish as another": (Publish("x", "k", {"user_id": "guest"}), THERE),
    "get": (B.Get(queue="q"), THERE),
    "get from a missing queue": (B.Get(queue="q"), ()),
    "consume": (B.Consume(queue="q", consumer_tag="t"), THERE),
    "consume from a missing queue": (B.Consume(queue="q", consumer_tag="t"), ()),
    "consume replies": (B.Consume(queue="amq.rabbitmq.reply-to", no_ack=True, consumer_tag="t"), ()),
    "cancel an unknown consumer": (B.Cancel(consumer_tag="t"), ()),
    "set the prefetch": (B.Qos(prefetch_count=1), ()),
    "select confirms": (spec.Confirm.Select(), ()),
}
# What is done twice on one channel, the right being taken or given in between.
CHANGING = ("declare an exchange again", "delete a missing exchange", "declare a queue again", "delete a missing queue",
            "declare a queue passively", "bind a queue", "unbind a queue", "bind an exchange", "publish", "purge",
            "get", "publish to the default exchange")
GONE = (Q.Delete(queue="q"), X.Delete(exchange="x"), X.Delete(exchange="y"))


def permit(grant):
    configure, write, read = GRANTS[grant]
    return Http("PUT", "/permissions/{vhost}/" + USER, {"configure": configure, "write": write, "read": read})


def prepare(bench):
    bench.user(USER)


def rows():
    for grant in GRANTS:
        for place, (name, (operation, there)) in enumerate(OPERATIONS.items()):
            # What a channel was told before it may remember, so each grant has a connection of its own.
            before = (permit(grant), *there) if place == 0 else there
            undo = (Q.Delete(queue=operation.queue),) if getattr(operation, "exclusive", False) else GONE
            yield Row(f"{grant}: {name}", (operation,), before=before, undo=undo, login=USER, fresh=place == 0)
    for name in CHANGING:
        operation, there = OPERATIONS[name]
        yield Row(f"taken on an open channel: {name}", (operation, permit("nothing"), operation), undo=GONE,
                  before=(permit("all"), *there), login=USER, fresh=True)
        refused = Q.Declare(queue="q", passive=True)
        yield Row(f"given on an open connection: {name}", (refused, permit("all"), spec.Channel.Open(), operation),
                  before=(permit("nothing"), *there), undo=GONE, login=USER, fresh=True)
