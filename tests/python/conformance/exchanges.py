"""Exchanges: properties and arguments, declaring again, deleting, and what may be bound where."""
from .queue_arguments import KINDS
from .row import INTEGERS, OTHERS, Publish, Q, Row, X, declare, show

TYPES = ("direct", "fanout", "topic", "headers", "x-local-random", "x-modulus-hash")
UNKNOWN = ("", "Direct", "x-what", "x-jms-topic", "amq.direct", "n" * 255)
SYSTEM = ("", "amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match", "amq.rabbitmq.trace")
RESERVED = ("amq.", "amq.x", "amqx", "AMQ.x", "amq.gen-x", " amq.x", "x amq.")
FLAGS = [{"durable": durable, "auto_delete": auto_delete, "internal": internal}
         for durable in (False, True) for auto_delete in (False, True) for internal in (False, True)]
GONE = (X.Delete(exchange="x"), X.Delete(exchange="y"), Q.Delete(queue="q"))
# Keys and arguments of bindings that some exchange looks at.
KEYS = ("", "k", "#", "*", "a.#", "#.#", "#.a.#", "#.a.#.b.#", "a..b", ".", "1", "0", "-1", "10001", "1.5",
        "k" * 255)
MATCHES = ({}, {"x-match": "all"}, {"x-match": "any"}, {"x-match": "all-with-x"}, {"x-match": "any-with-x"},
           {"x-match": "ANY"}, {"x-match": ""}, {"x-match": 1}, {"x-match": None}, {"x-match": True}, {"x-match": []},
           {"x-match": b"all"}, {"x-match": "any", "a": [1, {"b": 2}]}, {"a": None})


def exchange(kind="direct", name="x", **options):
    return X.Declare(exchange=name, type=kind, **options)


def words(flags):
    return "+".join(name for name, is_set in flags.items() if is_set) or "none"


def row(name, *steps, before=()):
    return Row(name, steps, before=before, undo=GONE)


def rows():
    yield from declaring()
    yield from declaring_again()
    yield from deleting()
    yield from binding()


def declaring():
    for kind in TYPES + UNKNOWN:
        yield row(f"declare {show(kind)}", exchange(kind))
        yield row(f"declare as {show(kind)} passively", exchange(kind, passive=True), before=(exchange(),))
    for flags in FLAGS:
        yield row(f"declare {words(flags)}", exchange(**flags))
    for name in SYSTEM:
        yield row(f"declare {show(name)} as direct", exchange(name=name, durable=True))
        yield row(f"declare {show(name)} passively", exchange(name=name, passive=True))
    for name in RESERVED:
        yield Row(f"declare {show(name)}", (exchange(name=name),), undo=(X.Delete(exchange=name),))
        yield Row(f"declare queue {show(name)}", (declare(queue=name),), undo=(Q.Delete(queue=name),))
        yield row(f"declare {show(name)} passively", exchange(name=name, passive=True))
        yield row(f"declare queue {show(name)} passively", Q.Declare(queue=name, passive=True))
    for value in INTEGERS + OTHERS + ("x", "y", "n" * 255, "n" * 256):
        yield row(f"alternate-exchange={show(value)}", exchange(arguments={"alternate-exchange": value}))
    for name in ("x-unknown", "x-delayed-type", "hash-header", "x-recent-history-length"):
        for value in (5, "text", None):
            yield row(f"{name}={show(value)}", exchange(arguments={name: value}))


def declaring_again():
    first = {"durable": False, "auto_delete": False, "internal": False}
    for kind in TYPES:
        for other in TYPES:
            yield row(f"{kind} now {other}", exchange(other), before=(exchange(kind),))
        yield row(f"{kind} now unknown", exchange("x-what"), before=(exchange(kind),))
    for second in FLAGS:
        yield row(f"none now {words(second)}", exchange(**second), before=(exchange(**first),))
        yield row(f"all now {words(second)}", exchange(**second),
                  before=(exchange(durable=True, auto_delete=True, internal=True),))
        yield row(f"passive with {words(second)}", exchange(passive=True, **second), before=(exchange(),))
    for name in ("alternate-exchange", "x-unknown"):
        values = ({}, {name: "y"}, {name: "z"}, {name: None}, {name: 1})
        for was in values[:3]:
            for now in values:
                yield row(f"{name}: {was} now {now}", exchange(arguments=now), before=(exchange(arguments=was),))


def deleting():
    bound = Q.Bind(queue="q", exchange="x", routing_key="k")
    as_source = X.Bind(destination="amq.fanout", source="x", routing_key="k")
    as_target = X.Bind(destination="x", source="amq.fanout", routing_key="k")
    for unused in (False, True):
        for name in SYSTEM + ("x", "amq.x"):
            yield row(f"delete {show(name)} if unused {unused}", X.Delete(exchange=name, if_unused=unused))
        for name, how in (("a queue", bound), ("an exchange", as_source), ("none, but a target", as_target)):
            yield row(f"delete the source of {name} if unused {unused}", X.Delete(exchange="x", if_unused=unused),
                      before=(exchange(), declare(), how))
    yield row("an auto-delete exchange goes with its last binding", bound, Q.Unbind(
        queue="q", exchange="x", routing_key="k"), exchange(passive=True),
        before=(exchange(auto_delete=True), declare()))
    yield row("an auto-delete exchange stays as a target", X.Unbind(
        destination="x", source="amq.fanout", routing_key="k"), exchange(passive=True),
        before=(exchange(auto_delete=True), as_target))
    yield row("an auto-delete exchange stays before it has a binding", exchange(passive=True),
              before=(exchange(auto_delete=True),))
    yield row("an auto-delete exchange goes with its last queue", Q.Delete(queue="q"), exchange(passive=True),
              before=(exchange(auto_delete=True), declare(), bound))
    yield row("publish to an internal exchange", Publish("x", "k"), before=(exchange(internal=True), declare(), bound))
    yield row("publish through an internal exchange", Publish("y", "k"), before=(
        exchange(internal=True), declare(), bound, exchange("fanout", "y"),
        X.Bind(destination="x", source="y", routing_key="k")))
    yield row("publish through a cycle", Publish("x", "k"), before=(
        exchange("fanout"), exchange("fanout", "y"), X.Bind(destination="x", source="y"),
        X.Bind(destination="y", source="x")))
    yield row("publish to a cycle of alternates", Publish("x", "k"), before=(
        exchange(arguments={"alternate-exchange": "y"}), exchange("direct", "y", arguments={"alternate-exchange": "x"})))
    yield row("publish to a missing alternate", Publish("x", "k"),
              before=(exchange(arguments={"alternate-exchange": "absent"}),))
    yield row("publish to an alternate", Publish("x", "k"), before=(
        exchange(arguments={"alternate-exchange": "y"}), exchange("fanout", "y"), declare(),
        Q.Bind(queue="q", exchange="y")))


def binding():
    for kind in TYPES:
        # A queue may be bound to x-local-random by one key only; each is asked.
        for key in KEYS:
            yield row(f"{kind} bind key {show(key)}", Q.Bind(queue="q", exchange="x", routing_key=key),
                      before=(exchange(kind), declare()))
        yield row(f"{kind} bind an exchange", X.Bind(destination="y", source="x", routing_key="k"),
                  before=(exchange(kind), exchange("fanout", "y")))
        for queue in KINDS:
            yield row(f"{kind} bind a {queue} queue", Q.Bind(queue="q", exchange="x"),
                      before=(exchange(kind), declare({"x-queue-type": queue})))
    for kind in ("headers", "direct"):
        for arguments in MATCHES:
            yield row(f"{kind} bind with {arguments}", Q.Bind(queue="q", exchange="x", arguments=arguments),
                      before=(exchange(kind), declare()))
            yield row(f"{kind} unbind with {arguments}", Q.Unbind(queue="q", exchange="x", arguments=arguments),
                      before=(exchange(kind), declare()))
    names = ("", "amq.direct", "absent", "x")
    for source in names:
        for target in names + ("q",):
            for what in ((Q.Bind, Q.Unbind) if target == "q" else (X.Bind, X.Unbind)):
                to = {"queue": "q", "exchange": source} if target == "q" else {"destination": target, "source": source}
                yield row(f"{what.__qualname__} {show(source)} to {show(target)}", what(routing_key="k", **to),
                          before=(exchange(), declare()))
        for what in (Q.Bind, Q.Unbind):
            yield row(f"{what.__qualname__} {show(source)} to no queue",
                      what(queue="absent", exchange=source, routing_key="k"), before=(exchange(),))
