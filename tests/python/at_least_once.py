"""Dead letters that must arrive, over a broker that is killed.

    at_least_once.py publish|check

`publish` fills a quorum queue, rejects everything while dead letters are on their way into another, and leaves further
ones that no queue takes. Then the broker is killed, and `check` finds every message in one of the places it may be in.
"""
import os
import sys

import pika
from conftest import Broker, awaited, pump_until, ready

MESSAGES = 300
SAFELY = {"x-queue-type": "quorum", "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish",
          "x-dead-letter-exchange": ""}


def declare(channel, name, **arguments):
    channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum", **arguments})


def reject_all(channel, queue):
    for _ in range(MESSAGES):
        method, _, _ = channel.basic_get(queue)
        channel.basic_reject(method.delivery_tag, requeue=False)


def publish(broker):
    channel = broker.channel()
    channel.confirm_delivery()
    declare(channel, "target")
    for source, key in [("moving", "target"), ("stuck", "later")]:
        declare(channel, source, **SAFELY, **{"x-dead-letter-routing-key": key})
        for number in range(MESSAGES):
            # Transient ones as well: a quorum queue keeps everything.
            properties = pika.BasicProperties(delivery_mode=1 + number % 2)
            channel.basic_publish("", source, f"{source} {number}".encode(), properties)
    for source in ["stuck", "moving"]:
        reject_all(channel, source)
    # Killed with letters under way.
    os._exit(0)


def drain(channel, queue, wanted):
    """Takes messages until all that are wanted came; they may come twice."""
    seen = []
    while not wanted <= set(seen):
        _, properties, body = awaited(channel, queue, auto_ack=True)
        seen.append(body.decode())
        assert properties.headers["x-last-death-reason"] == "rejected", properties.headers
    assert set(seen) == wanted, sorted(set(seen) - wanted)
    return seen


def check(broker):
    channel = broker.channel()
    # What was rejected so late that nobody had noted it is ready again, and is rejected again.
    for source in ["moving", "stuck"]:
        while (method := channel.basic_get(source)[0]) is not None:
            channel.basic_reject(method.delivery_tag, requeue=False)
    declare(channel, "later")
    for source, target in [("moving", "target"), ("stuck", "later")]:
        seen = drain(channel, target, {f"{source} {number}" for number in range(MESSAGES)})
        print(f"{len(seen) - MESSAGES} of {target} came twice")
    pump_until([channel.connection], lambda: not any(ready(channel, source) for source in ["moving", "stuck"]))


if __name__ == "__main__":
    under_test = Broker(os.environ["WARREN_AMQP"], os.environ["WARREN_HTTP"], "/")
    {"publish": publish, "check": check}[sys.argv[1]](under_test)
    under_test.close_all()
