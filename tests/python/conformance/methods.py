"""What has no table of its own: methods that always end in a refusal, and rows of the errors by code."""
from pika import spec

from .row import B, Http, Publish, Q, Row, X, declare

QUORUM, STREAM = {"x-queue-type": "quorum"}, {"x-queue-type": "stream"}
REPLY_TO = "amq.rabbitmq.reply-to"
GONE = (X.Delete(exchange="x"), Q.Delete(queue="q"))


def row(name, *steps, before=(), undo=GONE, frames=1):
    return Row(name, steps, before=before, undo=undo, frames=frames)


def rows():
    yield row("access.request", spec.Access.Request())
    yield row("publish immediately", Publish("", "q", immediate=True))
    yield row("publish unroutable", Publish("", "absent"))
    yield row("exclusive consumer's queue", B.Consume(queue="q"),
              before=(declare(), B.Consume(queue="q", exclusive=True)))
    yield row("update-secret on a channel", spec.Connection.UpdateSecret(new_secret=b"guest", reason="r"))
    for expiration in ("", "0", "1", "01", "+1", "-1", "1.5", "1e3", " 1", "1 ", "1\n", "315360000000",
                       "315360000001", "9" * 200, "soon"):
        yield row(f"expiration {expiration[:20]!r}", Publish("", "absent", {"expiration": expiration}))
    for user in ("guest", "", "Guest", "nobody"):
        yield row(f"user-id {user!r}", Publish("", "absent", {"user_id": user}))
    for name in ("CC", "BCC", "cc"):
        for value in ("q", [], ["q"], ["q", "absent"], [1], [None], 1, {}, [["q"]], [b"q"], ["k" * 256]):
            yield row(f"header {name}={str(value)[:20]}", Publish("", "absent", {"headers": {name: value}}),
                      before=(declare(),))
    for priority in (0, 9, 255):
        yield row(f"priority {priority}", Publish("", "absent", {"priority": priority}))
    for mode in (0, 1, 2, 3, 255):
        yield row(f"delivery mode {mode}", Publish("", "q", {"delivery_mode": mode}), before=(declare(),))
    for kind in ("classic", "quorum", "stream"):
        queue = declare({"x-queue-type": kind})
        for unused in (False, True):
            for empty in (False, True):
                flags = f"if unused {unused}, if empty {empty}"
                delete = Q.Delete(queue="q", if_unused=unused, if_empty=empty)
                yield row(f"delete {kind} {flags}", delete, before=(queue,))
                yield row(f"delete {kind} with a message {flags}", delete, before=(queue, Publish("", "q")))
                yield row(f"delete {kind} with a consumer {flags}", B.Qos(prefetch_count=1), B.Consume(queue="q"),
                          delete, before=(queue,))
        yield row(f"get from {kind}", B.Get(queue="q"), before=(queue,))
        yield row(f"get from {kind} without acknowledgement", B.Get(queue="q", no_ack=True), before=(queue,))
        yield row(f"purge {kind}", Q.Purge(queue="q"), before=(queue,))
        yield row(f"recover on {kind}", B.Recover(requeue=True), before=(queue,))
    yield row("get from single active", B.Get(queue="q"), before=(declare({"x-single-active-consumer": True}),))
    for name in (REPLY_TO, REPLY_TO + ".x", REPLY_TO + ".g1h2AA.x", "amq.rabbitmq.reply-to2"):
        yield row(f"declare {name}", declare(queue=name))
        yield row(f"delete {name}", Q.Delete(queue=name))
        yield row(f"purge {name}", Q.Purge(queue=name))
        yield row(f"get from {name}", B.Get(queue=name, no_ack=True))
        yield row(f"publish to {name}", Publish("", name))
        yield row(f"bind {name}", Q.Bind(queue=name, exchange="amq.fanout"))
        yield row(f"consume {name} acknowledging", B.Consume(queue=name, consumer_tag="t"))
    yield row("reply-to without a consumer", Publish("", "absent", {"reply_to": REPLY_TO}))
    yield row("reply-to of somebody", Publish("", "absent", {"reply_to": REPLY_TO + ".x"}))
    limits = "/vhost-limits/{vhost}/"
    for limit, refused in ((0, declare()), (1, declare()), (2, declare()), (-1, declare())):
        yield row(f"queue limit {limit}", refused, before=(Http("PUT", limits + "max-queues", {"value": limit}),),
                  undo=(*GONE, Http("DELETE", limits + "max-queues")))
    yield row("queue limit, an existing queue", declare(), undo=(*GONE, Http("DELETE", limits + "max-queues")),
              before=(declare(), Http("PUT", limits + "max-queues", {"value": 1})))
    for what in (spec.Channel.Flow(active=False), B.Recover(requeue=False), spec.Tx.Commit(), spec.Tx.Rollback(),
                 B.Qos(prefetch_size=1), Q.Purge(queue=""), Q.Delete(queue=""), Q.Bind(queue="", exchange="x"),
                 Q.Unbind(queue="", exchange="x"), B.Get(queue=""), B.Consume(queue=""),
                 Q.Declare(queue="", passive=True), spec.Channel.Open()):
        yield row(f"{what.NAME} where it makes no sense", what)
    yield row("confirms in a transaction", spec.Tx.Select(), spec.Confirm.Select())
