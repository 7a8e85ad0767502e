"""Arguments and flags of basic.consume, for each type of queue."""
from .row import INTEGERS, OTHERS, B, Row, declare, show

KINDS = ("classic", "quorum", "stream")
WORDS = {
    "x-stream-offset": ("first", "last", "next", "1h", "7D", "-1h", "1w", "First", "0s"),
    "x-stream-filter": ("a", ["a", "b"], ["a", 1], {"a": "b"}),
}
NAMES = ("x-priority", "x-consumer-timeout", "x-cancel-on-ha-failover", "x-stream-match-unfiltered", "x-unknown",
         *WORDS)
FLAGS = [{"no_ack": no_ack, "exclusive": exclusive, "no_local": no_local}
         for no_ack in (False, True) for exclusive in (False, True) for no_local in (False, True)]


def consume(**options):
    return B.Consume(**{"queue": "q", "consumer_tag": "t"} | options)


def rows():
    for kind in KINDS:
        queue = declare({"x-queue-type": kind})
        for name in NAMES:
            for value in INTEGERS + OTHERS + WORDS.get(name, ()):
                yield Row(f"{kind} {name}={show(value)}",
                          (B.Qos(prefetch_count=10), consume(arguments={name: value})), before=(queue,))
        for flags in FLAGS:
            words = "+".join(name for name, is_set in flags.items() if is_set) or "plain"
            yield Row(f"{kind} {words}", (B.Qos(prefetch_count=10), consume(**flags)), before=(queue,))
        for size, count, everywhere in ((0, 0, False), (1, 0, False), (0, 65535, False), (0, 5, True), (1, 5, True)):
            qos = B.Qos(prefetch_size=size, prefetch_count=count, global_qos=everywhere)
            yield Row(f"{kind} qos size {size} count {count} global {everywhere}", (qos,))
            if not size:
                yield Row(f"{kind} consume after qos count {count} global {everywhere}", (qos, consume()),
                          before=(queue,))
        single = declare({"x-queue-type": kind} | ({} if kind == "stream" else {"x-single-active-consumer": True}))
        yield Row(f"{kind} single active, exclusive", (B.Qos(prefetch_count=1), consume(exclusive=True)),
                  before=(single,))
        yield Row(f"{kind} single active, a second", (B.Qos(prefetch_count=1), consume(), consume(consumer_tag="u")),
                  before=(single,))
        for first in (False, True):
            for second in (False, True):
                yield Row(f"{kind} exclusive {first} then exclusive {second}",
                          (B.Qos(prefetch_count=1), consume(exclusive=first),
                           consume(consumer_tag="u", exclusive=second)), before=(queue,))
