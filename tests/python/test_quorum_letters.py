"""What quorum queues count, limit, make wait and let die, as recorded from the reference.

The kind that changes is that of the queue for dead letters.
"""
from conftest import die
from stage import SHORT_MS, kind, s, to

SAFELY = {"kind": "quorum", "dead_letter_strategy": "at-least-once", "overflow": "reject-publish"}

def test_failed_too_often(s):
    s.queue("q", kind="quorum", delivery_limit=1, **to("d"))
    s.queue("d")
    s.publish("q")
    s.arrives("q", ack=False)
    s.channel.basic_reject(1, requeue=True)
    s.arrives("q", ack=False)
    s.channel.basic_reject(2, requeue=True)
    s.arrives("d")


def test_returned_is_not_failed(s):
    s.queue("q", kind="quorum", delivery_limit=1, **to("d"))
    s.queue("d")
    s.publish("q")
    for tag in range(1, 5):
        s.arrives("q", ack=False)
        s.channel.basic_nack(tag, requeue=True)
    s.arrives("q")


def test_a_lost_connection_is_a_failure(s):
    s.queue("q", kind="quorum", delivery_limit=1, **to("d"))
    s.queue("d")
    s.publish("q")
    for _ in range(2):
        connection = s.broker.connect()
        s.take("q", connection.channel())
        die(connection)
    s.arrives("d")


def test_a_closed_channel_is_a_failure(s):
    s.queue("q", kind="quorum", **to("d"))
    s.queue("d")
    s.publish("q")
    for _ in range(3):
        channel = s.channel.connection.channel()
        s.take("q", channel)
        channel.close()
    s.arrives("q", ack=False)
    s.channel.basic_nack(1, requeue=False)
    s.arrives("d")


def test_counts_of_every_way_back(s):
    s.queue("q", kind="quorum", delivery_limit=-1)
    s.publish("q")
    s.nack("q", requeue=True)
    s.arrives("q", ack=False)
    s.channel.basic_reject(2, requeue=True)
    s.arrives("q", ack=False)
    s.channel.basic_recover(requeue=True)
    s.arrives("q", ack=False)
    s.channel.basic_nack(4, requeue=True)
    s.arrives("q")


def test_without_a_limit(s):
    s.queue("q", kind="quorum", delivery_limit=-1, **to("d"))
    s.queue("d")
    s.publish("q")
    for _ in range(25):
        s.reject("q", requeue=True)
    s.arrives("q")
    s.empties("d")


def test_the_limit_is_twenty(s):
    s.queue("q", kind="quorum", **to("d"))
    s.queue("d")
    s.publish("q")
    for _ in range(21):
        s.reject("q", requeue=True)
    s.arrives("d")
    s.empties("q")


def test_counts_go_along_between_quorum_queues(s):
    s.queue("q", kind="quorum", delivery_limit=1, **to("r"))
    s.queue("r", kind="quorum", **to("d"))
    s.queue("d", kind="quorum")
    s.publish("q")
    s.reject("q", requeue=True)
    s.reject("q", requeue=True)
    s.arrives("r", ack=False)
    s.channel.basic_reject(3, requeue=True)
    s.arrives("r", ack=False)
    s.channel.basic_reject(4, requeue=False)
    s.arrives("d")


def test_rejected_safely(s):
    s.queue("q", **SAFELY, **to("d"))
    s.queue("d")
    s.publish("q", headers={"mine": 1}, expiration="3600000")
    s.reject("q")
    s.arrives("d")


def test_expired_safely(s):
    s.queue("q", message_ttl=SHORT_MS, **SAFELY, **to("d"))
    s.queue("d")
    s.publish("q")
    s.arrives("d")


def test_failed_too_often_safely(s):
    s.queue("q", delivery_limit=0, **SAFELY, **to("d"))
    s.queue("d")
    s.publish("q")
    s.reject("q", requeue=True)
    s.arrives("d")


def test_safely_by_all_keys(s):
    s.exchange("in", "direct")
    s.exchange("out", "direct")
    for name in ["d1", "d2", "d3"]:
        s.queue(name)
        s.bind(name, "out", name)
    s.queue("q", dead_letter_exchange="out", **SAFELY)
    s.bind("q", "in", "d1")
    s.publish("d1", exchange="in", headers={"CC": ["d2"], "BCC": ["d3"]})
    s.reject("q")
    for name in ["d1", "d2", "d3"]:
        s.arrives(name)


def test_what_is_returned_waits(s):
    s.queue("q", kind="quorum", delayed_retry_type="all", delayed_retry_min=SHORT_MS, delayed_retry_max=2 * SHORT_MS)
    s.publish("q")
    s.reject("q", requeue=True)
    s.arrives("q", ack=False)
    s.channel.basic_nack(2, requeue=True)
    s.arrives("q", ack=False)
    s.channel.basic_reject(3, requeue=True)
    s.arrives("q")
