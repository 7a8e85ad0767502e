"""Methods on a channel: what each answers, and what it refuses."""
import pika
import pytest
from pika import spec

N255 = "n" * 255
Q, X = spec.Queue, spec.Exchange
QUORUM, STREAM = {"x-queue-type": "quorum"}, {"x-queue-type": "stream"}
REPLY_TO = "amq.rabbitmq.reply-to"


def durable(queue="q", **options):
    return Q.Declare(queue=queue, durable=True, **options)


ROWS = {
    "publish-to-missing-exchange": [("publish", "absent", "k")],
    "publish-to-internal": [X.Declare(exchange="x", internal=True), ("publish", "x", "k")],
    "flow-true": [spec.Channel.Flow(active=True)],
    "flow-false": [spec.Channel.Flow(active=False)],
    "flow-ok": [spec.Channel.FlowOk(active=True)],
    "declare": [durable()],
    "declare-twice": [durable(), durable()],
    "declare-nowait": [durable(nowait=True), Q.Declare(queue="q", passive=True)],
    "declare-named-by-server": [Q.Declare(queue="", durable=True), Q.Declare(queue="", passive=True)],
    "declare-passive-empty-name": [Q.Declare(queue="", passive=True)],
    "declare-exclusive-empty-name": [Q.Declare(queue="", exclusive=True), spec.Basic.Get(queue="")],
    "declare-passive-missing": [Q.Declare(queue="absent", passive=True)],
    "declare-passive-missing-nowait": [Q.Declare(queue="absent", passive=True, nowait=True)],
    "declare-passive-ignores-properties": [durable(), Q.Declare(queue="q", passive=True, exclusive=True, auto_delete=True)],
    "declare-reserved": [durable("amq.q")],
    "declare-passive-reserved": [Q.Declare(queue="amq.q", passive=True)],
    "declare-durable-differs": [durable(), Q.Declare(queue="q", exclusive=True)],
    "declare-exclusive-differs": [durable(), durable(exclusive=True)],
    "declare-auto-delete-differs": [durable(), durable(auto_delete=True)],
    "declare-argument-differs": [durable(arguments={"x-max-length": 1}), durable(arguments={"x-max-length": 2})],
    "declare-argument-of-other-type": [durable(arguments={"x-max-length": 1}), durable(arguments={"x-max-length": "1"})],
    "declare-argument-missing": [durable(arguments={"x-expires": 60000}), durable()],
    "declare-argument-added": [durable(), durable(arguments={"x-expires": 60000})],
    "declare-argument-unknown": [durable(arguments={"x-what": 1}), durable(arguments={"x-what": 2}), durable()],
    "declare-argument-negative": [durable(arguments={"x-message-ttl": -1})],
    "declare-argument-zero": [durable(arguments={"x-expires": 0})],
    "declare-argument-text": [durable(arguments={"x-message-ttl": "soon"})],
    "declare-overflow-nonsense": [durable(arguments={"x-overflow": "burst"})],
    "declare-type-nonsense": [durable(arguments={"x-queue-type": "tape"})],
    "declare-routing-key-without-exchange": [durable(arguments={"x-dead-letter-routing-key": "k"})],
    "declare-priority-too-high": [durable(arguments={"x-max-priority": 256})],
    "declare-long-name": [durable(N255), Q.Delete(queue=N255)],
    "passive-long-name": [Q.Declare(queue=N255, passive=True)],
    "declare-utf8-name": [durable("水许传"), Q.Declare(queue="水", passive=True)],
    "declare-line-breaks": [durable("a\r\nb"), Q.Declare(queue="ab", passive=True), Q.Bind(queue="a\nb", exchange="amq.di\nrect", routing_key="k\n"), Q.Delete(queue="\rab")],
    "line-breaks-in-get": [durable("ab"), spec.Basic.Get(queue="a\nb")],
    "line-breaks-in-purge": [durable("ab"), Q.Purge(queue="a\nb")],
    "only-line-breaks": [Q.Declare(queue="\r\n", durable=True)],
    "exchange-line-breaks": [X.Declare(exchange="a\r\nb"), X.Declare(exchange="ab", passive=True), X.Delete(exchange="a\nb")],
    "exchange-publish-line-breaks": [X.Declare(exchange="ab"), ("publish", "a\nb", "k")],
    "exchange-declare": [X.Declare(exchange="x", type="direct"), X.Declare(exchange="x", type="direct")],
    "exchange-declare-nowait": [X.Declare(exchange="x", nowait=True), X.Declare(exchange="x", passive=True)],
    "exchange-type-unknown": [X.Declare(exchange="x", type="nonsense")],
    "exchange-type-empty": [X.Declare(exchange="x", type="")],
    "exchange-type-differs": [X.Declare(exchange="x", type="direct"), X.Declare(exchange="x", type="topic")],
    "exchange-durable-differs": [X.Declare(exchange="x"), X.Declare(exchange="x", durable=True)],
    "exchange-auto-delete-differs": [X.Declare(exchange="x"), X.Declare(exchange="x", auto_delete=True)],
    "exchange-internal-differs": [X.Declare(exchange="x"), X.Declare(exchange="x", internal=True)],
    "exchange-argument-differs": [X.Declare(exchange="x"), X.Declare(exchange="x", arguments={"a": 1})],
    "exchange-alternate-differs": [X.Declare(exchange="x"), X.Declare(exchange="x", arguments={"alternate-exchange": "y"})],
    "exchange-alternate-of-wrong-type": [X.Declare(exchange="x", arguments={"alternate-exchange": 1})],
    "exchange-reserved": [X.Declare(exchange="amq.x")],
    "exchange-reserved-existing": [X.Declare(exchange="amq.direct", type="direct", durable=True)],
    "exchange-reserved-differs": [X.Declare(exchange="amq.direct", type="topic", durable=True)],
    "exchange-default": [X.Declare(exchange="")],
    "exchange-default-passive": [X.Declare(exchange="", passive=True)],
    "exchange-passive-missing": [X.Declare(exchange="absent", passive=True)],
    "exchange-passive-type-ignored": [X.Declare(exchange="amq.direct", type="nonsense", passive=True)],
    "exchange-delete-missing": [X.Delete(exchange="absent")],
    "exchange-delete-default": [X.Delete(exchange="")],
    "exchange-delete-system": [X.Delete(exchange="amq.direct")],
    "exchange-delete-reserved-missing": [X.Delete(exchange="amq.x")],
    "exchange-delete-used": [X.Declare(exchange="x"), durable(), Q.Bind(queue="q", exchange="x"), X.Delete(exchange="x", if_unused=True)],
    "exchange-delete-unused": [X.Declare(exchange="x"), X.Delete(exchange="x", if_unused=True), X.Delete(exchange="x", nowait=True)],
    "exchange-long-name": [X.Declare(exchange=N255), X.Delete(exchange=N255)],
    "exchange-bind": [X.Declare(exchange="x"), X.Bind(destination="x", source="amq.topic", routing_key="k"), X.Unbind(destination="x", source="amq.topic", routing_key="k")],
    "exchange-bind-missing-source": [X.Bind(destination="amq.direct", source="absent")],
    "exchange-bind-missing-destination": [X.Bind(destination="absent", source="amq.direct")],
    "exchange-bind-missing-both": [X.Bind(destination="absent", source="gone")],
    "exchange-bind-default": [X.Bind(destination="amq.direct", source="")],
    "exchange-bind-to-default": [X.Bind(destination="", source="amq.direct")],
    "exchange-unbind-default": [X.Unbind(destination="amq.direct", source="")],
    "exchange-unbind-missing": [X.Unbind(destination="amq.direct", source="amq.topic", routing_key="never")],
    "exchange-unbind-missing-source": [X.Unbind(destination="amq.direct", source="absent")],
    "exchange-unbind-missing-destination": [X.Unbind(destination="absent", source="amq.topic")],
    "bind": [durable(), Q.Bind(queue="q", exchange="amq.direct", routing_key="k"), Q.Bind(queue="q", exchange="amq.direct", routing_key="k", nowait=True), Q.Unbind(queue="q", exchange="amq.direct", routing_key="k"), Q.Unbind(queue="q", exchange="amq.direct", routing_key="k")],
    "bind-empty-names": [durable(), Q.Bind(queue="", exchange="amq.direct", routing_key=""), ("publish", "amq.direct", "q"), Q.Purge(queue="")],
    "bind-empty-queue-key": [durable(), Q.Bind(queue="", exchange="amq.direct", routing_key="k"), ("publish", "amq.direct", "k"), Q.Purge(queue="")],
    "bind-empty-queue-none": [Q.Bind(queue="", exchange="amq.direct", routing_key="k")],
    "bind-missing-queue": [Q.Bind(queue="absent", exchange="amq.direct")],
    "bind-missing-exchange": [durable(), Q.Bind(queue="q", exchange="absent")],
    "bind-missing-both": [Q.Bind(queue="absent", exchange="gone")],
    "bind-default": [durable(), Q.Bind(queue="q", exchange="")],
    "unbind-default": [durable(), Q.Unbind(queue="q", exchange="", routing_key="q")],
    "unbind-missing-queue": [Q.Unbind(queue="absent", exchange="amq.direct")],
    "unbind-missing-exchange": [durable(), Q.Unbind(queue="q", exchange="absent")],
    "unbind-empty-queue-none": [Q.Unbind(queue="", exchange="amq.direct")],
    "bind-bad-x-match": [durable(), Q.Bind(queue="q", exchange="amq.headers", arguments={"x-match": "most"})],
    "bind-x-match-number": [durable(), Q.Bind(queue="q", exchange="amq.headers", arguments={"x-match": 1})],
    "bind-system-internal": [durable(), Q.Bind(queue="q", exchange="amq.rabbitmq.trace", routing_key="#")],
    "delete-missing": [Q.Delete(queue="absent")],
    "delete-missing-conditional": [Q.Delete(queue="absent", if_unused=True, if_empty=True)],
    "delete-empty-name": [durable(), Q.Delete(queue=""), Q.Delete(queue="")],
    "delete-empty-name-none": [Q.Delete(queue="")],
    "delete-nowait": [durable(), Q.Delete(queue="q", nowait=True), Q.Declare(queue="q", passive=True)],
    "delete-counts": [durable(), ("publish", "", "q"), ("publish", "", "q"), Q.Delete(queue="q")],
    "delete-not-empty": [durable(), ("publish", "", "q"), Q.Delete(queue="q", if_empty=True)],
    "delete-used": [durable(), spec.Basic.Consume(queue="q", consumer_tag="t"), Q.Delete(queue="q", if_unused=True)],
    "delete-used-and-full": [durable(), spec.Basic.Consume(queue="q", consumer_tag="t"), Q.Delete(queue="q", if_unused=True, if_empty=True)],
    "purge": [durable(), ("publish", "", "q"), ("publish", "", "q"), Q.Purge(queue="q"), Q.Purge(queue="q", nowait=True), Q.Purge(queue="q")],
    "purge-missing": [Q.Purge(queue="absent")],
    "purge-empty-name": [Q.Purge(queue="")],
    "purge-leaves-unacknowledged": [durable(), ("publish", "", "q"), ("get", "q"), Q.Purge(queue="q")],
    "get-empty": [durable(), spec.Basic.Get(queue="q"), spec.Basic.Get(queue="")],
    "get-missing": [spec.Basic.Get(queue="absent")],
    "get-empty-name": [spec.Basic.Get(queue="")],
    "get-counts": [durable(), ("publish", "", "q"), ("publish", "", "q"), ("get", "q"), ("get", "q"), spec.Basic.Get(queue="q")],
    "consume-missing": [spec.Basic.Consume(queue="absent")],
    "consume-missing-nowait": [spec.Basic.Consume(queue="absent", nowait=True, consumer_tag="t")],
    "consume-empty-name": [spec.Basic.Consume(queue="")],
    "consume": [durable(), spec.Basic.Consume(queue="", consumer_tag="t"), spec.Basic.Cancel(consumer_tag="t")],
    "consume-server-tag": [durable(), spec.Basic.Consume(queue="q")],
    "consume-nowait": [durable(), spec.Basic.Consume(queue="q", consumer_tag="t", nowait=True), Q.Declare(queue="q", passive=True)],
    "consume-tag-of-255": [durable(), spec.Basic.Consume(queue="q", consumer_tag=N255)],
    "consume-tag-reused": [durable(), spec.Basic.Consume(queue="q", consumer_tag="t"), spec.Basic.Consume(queue="q", consumer_tag="t")],
    "consume-tag-reused-missing-queue": [durable(), spec.Basic.Consume(queue="q", consumer_tag="t"), spec.Basic.Consume(queue="absent", consumer_tag="t")],
    "consume-tag-again-after-cancel": [durable(), spec.Basic.Consume(queue="q", consumer_tag="t"), spec.Basic.Cancel(consumer_tag="t"), spec.Basic.Consume(queue="q", consumer_tag="t")],
    "consume-exclusive-after-shared": [durable(), spec.Basic.Consume(queue="q", consumer_tag="t"), spec.Basic.Consume(queue="q", consumer_tag="u", exclusive=True)],
    "consume-shared-after-exclusive": [durable(), spec.Basic.Consume(queue="q", consumer_tag="t", exclusive=True), spec.Basic.Consume(queue="q", consumer_tag="u")],
    "consume-bad-priority": [durable(), spec.Basic.Consume(queue="q", arguments={"x-priority": "high"})],
    "consume-unknown-argument": [durable(), spec.Basic.Consume(queue="q", consumer_tag="t", arguments={"x-what": 1})],
    "cancel-unknown": [spec.Basic.Cancel(consumer_tag="t"), spec.Basic.Cancel(consumer_tag="t", nowait=True)],
    "cancel-empty-tag": [spec.Basic.Cancel(consumer_tag="")],
    "cancel-ok": [spec.Basic.CancelOk(consumer_tag="t")],
    "ack-unknown": [spec.Basic.Ack(delivery_tag=1)],
    "ack-0": [spec.Basic.Ack(delivery_tag=0)],
    "ack-0-multiple": [spec.Basic.Ack(delivery_tag=0, multiple=True)],
    "ack-7-multiple": [spec.Basic.Ack(delivery_tag=7, multiple=True)],
    "nack-0-multiple": [spec.Basic.Nack(delivery_tag=0, multiple=True)],
    "nack-unknown": [spec.Basic.Nack(delivery_tag=3)],
    "reject-unknown": [spec.Basic.Reject(delivery_tag=3)],
    "ack-twice": [durable(), ("publish", "", "q"), ("get", "q"), spec.Basic.Ack(delivery_tag=1), spec.Basic.Ack(delivery_tag=1)],
    "ack-no-ack": [durable(), ("publish", "", "q"), ("get-no-ack", "q"), spec.Basic.Ack(delivery_tag=1)],
    "ack-multiple": [durable(), ("publish", "", "q", "a"), ("publish", "", "q", "b"), ("publish", "", "q", "c"), ("get", "q"), ("get", "q"), ("get", "q"), spec.Basic.Ack(delivery_tag=2, multiple=True), spec.Basic.Ack(delivery_tag=1, multiple=True)],
    "ack-large-tag": [spec.Basic.Ack(delivery_tag=2**64 - 1)],
    "nack-range-comes-back-in-order": [durable(), ("publish", "", "q", "a"), ("publish", "", "q", "b"), ("publish", "", "q", "c"), ("get", "q"), ("get", "q"), spec.Basic.Nack(delivery_tag=2, multiple=True, requeue=True), ("get", "q"), ("get", "q"), ("get", "q")],
    "reject-comes-back-to-its-place": [durable(), ("publish", "", "q", "a"), ("publish", "", "q", "b"), ("get", "q"), spec.Basic.Reject(delivery_tag=1, requeue=True), ("get", "q"), ("get", "q")],
    "reject-drops": [durable(), ("publish", "", "q", "a"), ("get", "q"), spec.Basic.Reject(delivery_tag=1, requeue=False), spec.Basic.Get(queue="q")],
    "recover": [durable(), ("publish", "", "q", "a"), ("publish", "", "q", "b"), ("get", "q"), ("get", "q"), spec.Basic.Recover(requeue=True), ("get", "q"), ("get", "q"), spec.Basic.Ack(delivery_tag=1)],
    "recover-async": [spec.Basic.RecoverAsync(requeue=True)],
    "recover-nothing": [spec.Basic.Recover(requeue=True)],
    "recover-false": [spec.Basic.Recover(requeue=False)],
    "recover-async-false": [spec.Basic.RecoverAsync(requeue=False)],
    "qos": [spec.Basic.Qos(prefetch_count=65535), spec.Basic.Qos(prefetch_count=0)],
    "qos-size": [spec.Basic.Qos(prefetch_size=1)],
    "qos-size-and-count": [spec.Basic.Qos(prefetch_size=4096, prefetch_count=5)],
    "confirm-twice": [spec.Confirm.Select(), spec.Confirm.Select(), spec.Confirm.Select(nowait=True)],
    "confirm-in-tx": [spec.Tx.Select(), spec.Confirm.Select()],
    "tx-in-confirm": [spec.Confirm.Select(), spec.Tx.Select()],
    "tx-twice": [spec.Tx.Select(), spec.Tx.Select()],
    "tx-commit-without": [spec.Tx.Commit()],
    "tx-rollback-without": [spec.Tx.Rollback()],
    "tx-commit": [durable(), spec.Tx.Select(), ("publish", "", "q", "a"), Q.Declare(queue="q", passive=True), spec.Tx.Commit(), Q.Declare(queue="q", passive=True)],
    "tx-rollback": [durable(), spec.Tx.Select(), ("publish", "", "q", "a"), spec.Tx.Rollback(), spec.Tx.Commit(), Q.Declare(queue="q", passive=True)],
    "tx-ack-unknown": [spec.Tx.Select(), spec.Basic.Ack(delivery_tag=1)],
    "tx-ack-rolled-back": [durable(), ("publish", "", "q", "a"), spec.Tx.Select(), ("get", "q"), spec.Basic.Ack(delivery_tag=1), spec.Tx.Rollback(), spec.Basic.Ack(delivery_tag=1), spec.Tx.Commit()],
    "tx-mandatory": [spec.Tx.Select(), ("mandatory", "", "absent"), (spec.Tx.Commit(), 4)],
    "mandatory": [("mandatory", "", "absent"), 3],
    "mandatory-before-its-confirm": [spec.Confirm.Select(), ("mandatory", "amq.topic", "absent"), 4],
    "mandatory-routed": [durable(), spec.Confirm.Select(), ("mandatory", "", "q"), 1],
    "confirm-unroutable": [spec.Confirm.Select(), ("publish", "", "absent"), 1],
    "bad-expiration": [("properties", {"expiration": "soon"})],
    "negative-expiration": [("properties", {"expiration": "-1"})],
    "huge-expiration": [("properties", {"expiration": "315360000001"})],
    "foreign-user-id": [("properties", {"user_id": "someone"})],
    "own-user-id": [("properties", {"user_id": "guest"})],
    "cc-of-wrong-type": [("properties", {"headers": {"CC": "q"}})],
    "cc-of-wrong-items": [("properties", {"headers": {"CC": [1]}})],
    "quorum-delete-unused": [durable(arguments={"x-queue-type": "quorum"}), Q.Delete(queue="q", if_unused=True)],
    "quorum-exclusive": [durable(exclusive=True, arguments={"x-queue-type": "quorum"})],
    "quorum-transient": [Q.Declare(queue="q", arguments={"x-queue-type": "quorum"})],
    "quorum-auto-delete": [durable(auto_delete=True, arguments={"x-queue-type": "quorum"})],
    "quorum-delete-empty": [durable(arguments=QUORUM), Q.Delete(queue="q", if_empty=True)],
    "quorum-delete": [durable(arguments=QUORUM), ("publish", "", "q"), Q.Delete(queue="q")],
    "quorum-foreign-argument": [durable(arguments={**QUORUM, "x-max-priority": 5})],
    "quorum-named-by-server": [Q.Declare(queue="", durable=True, arguments=QUORUM)],
    "quorum-single-active-get": [durable(arguments={**QUORUM, "x-single-active-consumer": True}), spec.Basic.Get(queue="q")],
    "stream-get": [durable(arguments=STREAM), spec.Basic.Get(queue="q")],
    "stream-purge": [durable(arguments=STREAM), Q.Purge(queue="q")],
    "stream-consume-without-prefetch": [durable(arguments=STREAM), spec.Basic.Consume(queue="q", consumer_tag="t")],
    "stream-consume-without-acknowledgement": [durable(arguments=STREAM), spec.Basic.Qos(prefetch_count=1), spec.Basic.Consume(queue="q", consumer_tag="t", no_ack=True)],
    "stream-exclusive": [durable(exclusive=True, arguments=STREAM)],
    "stream-foreign-argument": [durable(arguments={**STREAM, "x-message-ttl": 5})],
    "stream-max-age-nonsense": [durable(arguments={**STREAM, "x-max-age": "old"})],
    "stream-offset-nonsense": [durable(arguments=STREAM), spec.Basic.Qos(prefetch_count=1), spec.Basic.Consume(queue="q", consumer_tag="t", arguments={"x-stream-offset": "soon"})],
    "single-active-get": [durable(arguments={"x-single-active-consumer": True}), spec.Basic.Get(queue="q")],
    "single-active-of-wrong-type": [durable(arguments={"x-single-active-consumer": "yes"})],
    "dead-letter-exchange-of-wrong-type": [durable(arguments={"x-dead-letter-exchange": 1})],
    "dead-letter-strategy-for-classic": [durable(arguments={"x-dead-letter-strategy": "at-least-once"})],
    "denied-feature": [durable(arguments={"x-queue-master-locator": "min-masters"})],
    "queue-version-1": [durable(arguments={"x-queue-version": 1})],
    "expires-of-ten-years-and-more": [durable(arguments={"x-expires": 315360000001})],
    "length-of-wrong-type": [durable(arguments={"x-max-length-bytes": True})],
    "topic-of-three-hashes": [durable(), Q.Bind(queue="q", exchange="amq.topic", routing_key="#.a.#.#")],
    "local-random-key": [X.Declare(exchange="x", type="x-local-random"), durable(), Q.Bind(queue="q", exchange="x", routing_key="k")],
    "local-random-exchange": [X.Declare(exchange="x", type="x-local-random"), X.Bind(destination="amq.direct", source="x")],
    "local-random-quorum": [X.Declare(exchange="x", type="x-local-random"), durable(arguments=QUORUM), Q.Bind(queue="q", exchange="x")],
    "modulus-hash": [X.Declare(exchange="x", type="x-modulus-hash"), durable(), Q.Bind(queue="q", exchange="x", routing_key="k"), ("publish", "x", "any"), ("get", "q")],
    "reply-consumer-acknowledging": [spec.Basic.Consume(queue=REPLY_TO)],
    "reply-consumer": [spec.Basic.Consume(queue=REPLY_TO, no_ack=True, consumer_tag="t"), spec.Basic.Cancel(consumer_tag="t")],
    "reply-consumer-twice": [spec.Basic.Consume(queue=REPLY_TO, no_ack=True, consumer_tag="t"), spec.Basic.Consume(queue=REPLY_TO, no_ack=True, consumer_tag="u")],
    "reply-consumer-of-a-used-tag": [durable(), spec.Basic.Consume(queue="q", consumer_tag="t"), spec.Basic.Consume(queue=REPLY_TO, no_ack=True, consumer_tag="t")],
    "request-without-reply-consumer": [("properties", {"reply_to": REPLY_TO})],
    "reply-to-declare": [Q.Declare(queue=REPLY_TO), Q.Declare(queue=REPLY_TO, passive=True, nowait=True)],
    "reply-to-get": [spec.Basic.Get(queue=REPLY_TO)],
    "reply-to-delete": [Q.Delete(queue=REPLY_TO)],
    "reply-to-bind": [Q.Bind(queue=REPLY_TO, exchange="amq.direct")],
    "reply-address-bind": [Q.Bind(queue=REPLY_TO + ".x", exchange="amq.direct")],
    "reply-address-unbind": [Q.Unbind(queue=REPLY_TO + ".x", exchange="amq.direct")],
    "reply-address-nonsense": [Q.Declare(queue=REPLY_TO + ".x", passive=True)],
}
SILENT = (spec.Basic.Ack, spec.Basic.Nack, spec.Basic.Reject, spec.Basic.RecoverAsync, spec.Channel.FlowOk,
          spec.Basic.CancelOk)


def play(link, step):
    """Sends a step and reads its answer; a number only reads."""
    if isinstance(step, int):
        return [link.read() for _ in range(step) if not link.over]
    if isinstance(step, tuple) and isinstance(step[0], str):
        kind, *rest = step
        if kind == "properties":
            return link.publish("", "absent", b"m", properties=pika.BasicProperties(**rest[0]))
        if kind.startswith("get"):
            return link.call(spec.Basic.Get(queue=rest[0], no_ack=kind == "get-no-ack"), frames=3)
        content = rest[2].encode() if len(rest) > 2 else b"m"
        return link.publish(rest[0], rest[1], content, mandatory=kind == "mandatory")
    what, frames = step if isinstance(step, tuple) else (step, 1)
    if isinstance(what, SILENT) or getattr(what, "nowait", False):
        link.send(what)
        return link.sync()
    return link.call(what, frames=frames)


@pytest.mark.parametrize("row", ROWS)
def test_row(wire, row):
    link = wire.open()
    for step in ROWS[row]:
        if 1 in link.channels:
            play(link, step)


OWNED = {
    "declare": durable("mine"), "declare-exclusive": durable("mine", exclusive=True),
    "passive": Q.Declare(queue="mine", passive=True), "get": spec.Basic.Get(queue="mine"),
    "consume": spec.Basic.Consume(queue="mine"), "purge": Q.Purge(queue="mine"), "delete": Q.Delete(queue="mine"),
    "bind": Q.Bind(queue="mine", exchange="amq.direct"), "unbind": Q.Unbind(queue="mine", exchange="amq.direct"),
}


@pytest.mark.parametrize("what", OWNED)
def test_exclusive_queue_of_another_connection(wire, what):
    owner, other = wire.open(), wire.open()
    owner.call(durable("mine", exclusive=True))
    other.call(OWNED[what])


def test_publishing_to_another_connection_s_exclusive_queue(wire):
    owner, other = wire.open(), wire.open()
    owner.call(durable("mine", exclusive=True))
    other.call(spec.Confirm.Select())
    other.publish("", "mine", b"m")
    other.read()
    owner.call(spec.Basic.Get(queue="mine"), frames=3)


def test_deliveries_return_in_order_when_a_channel_closes(wire):
    link = wire.open(channels=(1, 2))
    link.call(durable())
    for content in (b"a", b"b", b"c"):
        link.publish("", "q", content)
    link.sync()
    link.call(spec.Basic.Qos(prefetch_count=2), channel=2)
    link.call(spec.Basic.Consume(queue="q", consumer_tag="t"), channel=2, frames=7)
    link.call(spec.Channel.Close(200, "", 0, 0), channel=2)
    for _ in range(3):
        link.call(spec.Basic.Get(queue="q", no_ack=True), frames=3)


def test_prefetch_is_the_consumer_s(wire):
    link = wire.open()
    link.call(durable())
    for content in (b"a", b"b", b"c", b"d"):
        link.publish("", "q", content)
    link.call(spec.Basic.Qos(prefetch_count=1))
    link.call(spec.Basic.Consume(queue="q", consumer_tag="t"), frames=4)
    link.call(spec.Basic.Consume(queue="q", consumer_tag="u"), frames=4)
    link.call(spec.Basic.Ack(delivery_tag=1), frames=3)
    link.call(spec.Basic.Cancel(consumer_tag="t"))
    link.call(spec.Basic.Nack(delivery_tag=2, requeue=True), frames=3)


def test_a_consumer_is_told_when_its_queue_goes(wire):
    link, other = wire.open(), wire.open()
    link.call(durable())
    link.call(spec.Basic.Consume(queue="q", consumer_tag="t"))
    other.call(Q.Delete(queue="q"))
    link.read()


def test_a_consumer_without_the_capability_is_not_told(wire):
    link = wire.open(capabilities={})
    link.call(durable())
    link.call(spec.Basic.Consume(queue="q", consumer_tag="t"))
    link.call(Q.Delete(queue="q"))


def test_deleting_the_queue_of_one_s_own_consumer_is_answered_before_the_cancellation(wire):
    link = wire.open()
    link.call(durable())
    link.call(spec.Basic.Consume(queue="q", consumer_tag="t"))
    link.call(spec.Basic.Consume(queue="q", consumer_tag="u"))
    link.call(Q.Delete(queue="q"), frames=3)


def test_queue_limit_of_the_vhost(wire):
    vhost = wire.broker.vhost
    wire.broker.api("PUT", f"/vhost-limits/{vhost}/max-queues", {"value": 1})
    link = wire.open()
    link.call(durable("one"))
    link.call(durable("one"))
    link.call(durable("two"))
