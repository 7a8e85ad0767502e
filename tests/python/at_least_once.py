"""Dead letters that must arrive, over a broker that is killed.

    at_least_once.py publish|check

`publish` fills a quorum queue, rejects everything while dead letters are on their way into another, and leaves further
ones that no queue takes. Then the broker is killed, and `check` finds every message in one of the places it may be in.
"""
import os
import sys
import time
from urllib.parse import urlsplit

import pika

MESSAGES = 300
DEADLINE_S = 60
SAFELY = {"x-queue-type": "quorum", "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish",
          "x-dead-letter-exchange": ""}


def connect():
    address = urlsplit(os.environ["WARREN_AMQP"])
    return pika.BlockingConnection(pika.ConnectionParameters(address.hostname, address.port))


def declare(channel, name, **arguments):
    channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum", **arguments})


def reject_all(channel, queue):
    for _ in range(MESSAGES):
        method, _, _ = channel.basic_get(queue)
        channel.basic_reject(method.delivery_tag, requeue=False)


def publish():
    channel = connect().channel()
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
    end, seen = time.monotonic() + DEADLINE_S, []
    while not wanted <= set(seen):
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        if method is None:
            assert time.monotonic() < end, f"{queue} lacks {sorted(wanted - set(seen))}"
            time.sleep(0.01)
            continue
        seen.append(body.decode())
        assert properties.headers["x-last-death-reason"] == "rejected", properties.headers
    assert set(seen) == wanted, sorted(set(seen) - wanted)
    return seen


def check():
    channel = connect().channel()
    # What was rejected so late that nobody had noted it is ready again, and is rejected again.
    for source in ["moving", "stuck"]:
        while (method := channel.basic_get(source)[0]) is not None:
            channel.basic_reject(method.delivery_tag, requeue=False)
    declare(channel, "later")
    for source, target in [("moving", "target"), ("stuck", "later")]:
        seen = drain(channel, target, {f"{source} {number}" for number in range(MESSAGES)})
        print(f"{len(seen) - MESSAGES} of {target} came twice")
    end = time.monotonic() + DEADLINE_S
    while any(channel.queue_declare(source, passive=True).method.message_count for source in ["moving", "stuck"]):
        assert time.monotonic() < end
        time.sleep(0.01)


{"publish": publish, "check": check}[sys.argv[1]]()
