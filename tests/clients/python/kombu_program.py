"""kombu over py-amqp: pools, priorities, consumers, a broadcast, and heartbeats."""
import socket
import time

import kombu
from checks import URL, name, ok
from kombu.pools import connections, producers


def consume(connection, queue, count, **options):
    got = []
    with connection.Consumer(queue, callbacks=[lambda body, message: (got.append(body), message.ack())], **options):
        while len(got) < count:
            connection.drain_events(timeout=20)
    return got


with kombu.Connection(URL, heartbeat=2, transport_options={"confirm_publish": True}) as connection:
    queue = kombu.Queue(name("kombu"), kombu.Exchange(name("kombu-x"), "topic", durable=True, auto_delete=True), "news.#",
                        durable=True, max_priority=9, expires=600)
    with producers[connection].acquire(block=True) as producer:
        for number in range(10):
            producer.publish({"number": number}, routing_key="news.it", exchange=queue.exchange, declare=[queue],
                             serializer="json", compression="zlib", priority=number, retry=True)
    got = consume(connection, queue, 10)
    ok("priorities go before age", [body["number"] for body in got] == list(range(9, -1, -1)), got)

    with connections[connection].acquire(block=True) as other:
        end = time.monotonic() + 5  # longer than two heartbeats, after which a silent side is given up
        while time.monotonic() < end:
            other.heartbeat_check()
            try:
                other.drain_events(timeout=0.5)
            except socket.timeout:
                pass
        ok("heartbeats keep an idle connection", other.connected)

    simple = connection.SimpleQueue(name("kombu-simple"), queue_opts={"auto_delete": True})
    simple.put("once")
    message = simple.get(timeout=20)
    message.requeue()
    again = simple.get(timeout=20)
    ok("a requeued message comes again", again.delivery_info["redelivered"] and again.payload == "once")
    again.ack()
    simple.close()

    channel = connection.channel()
    fanout = kombu.Exchange(name("kombu-all"), "fanout", auto_delete=True)
    ears = [kombu.Queue("", fanout, exclusive=True)(channel) for _ in range(3)]
    for ear in ears:
        ear.declare()
    kombu.Producer(channel, fanout).publish("to all")
    ok("a broadcast reaches all", [ear.get(no_ack=True).payload for ear in ears] == ["to all"] * 3)

    bound = queue(connection.channel())
    ok("deleting answers with a count", bound.delete() == 0)
    try:
        bound.queue_declare(passive=True)
        ok("a deleted queue is gone", False)
    except connection.channel_errors as error:
        ok("a deleted queue is gone", error.code == 404, error)
