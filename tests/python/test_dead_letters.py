"""Where messages go that no consumer took, and what their headers then tell, as recorded from the reference.

Every row runs a small topology and writes down what arrives where: exchange, routing key, properties, and the headers
with the types they have on the wire. Times are left out. What must come is in `wire_answers/dead_letters.txt`;
DEAD_LETTERS_RECORD=1 with the reference's addresses records it anew.
"""
import contextlib
import os
import time
from urllib.parse import quote

import pika
import pytest
from conftest import DEADLINE_S, die
from wire import answers, record

RECORDING = os.environ.get("DEAD_LETTERS_RECORD")
KINDS = ["classic", "quorum"]
SHORT_MS = 30


@contextlib.contextmanager
def typed():
    """Header values decode to text that tells their type."""
    plain = pika.data.decode_value

    def decode(encoded, offset):
        kind = encoded[offset:offset + 1].decode()
        value, offset = plain(encoded, offset)
        if kind == "T":
            return "T:*", offset
        if kind == "F":
            return "{" + " ".join(f"{name}={item}" for name, item in value.items()) + "}", offset
        if kind == "A":
            return "[" + " ".join(value) + "]", offset
        return f"{kind}:{value}", offset

    pika.data.decode_value = decode
    try:
        yield
    finally:
        pika.data.decode_value = plain


class Stage:
    """Queues and exchanges of one row, and what was seen."""

    def __init__(self, broker, kind):
        self.broker, self.kind, self.seen = broker, kind, []
        self.channel = broker.channel()

    def policy(self, name, pattern, priority=0, **definition):
        definition = {key.replace("_", "-"): value for key, value in definition.items()}
        self.broker.api("PUT", f"/policies/{quote(self.broker.vhost, safe='')}/{name}",
                        {"pattern": pattern, "definition": definition, "apply-to": "queues", "priority": priority})

    def queue(self, name, kind=None, **arguments):
        arguments = {"x-" + key.replace("_", "-"): value for key, value in arguments.items()}
        self.channel.queue_declare(name, durable=True, arguments={"x-queue-type": kind or self.kind, **arguments})

    def exchange(self, name, kind="direct", **options):
        self.channel.exchange_declare(name, kind, durable=True, **options)

    def bind(self, queue, exchange, key="", **options):
        self.channel.queue_bind(queue, exchange, key, **options)

    def publish(self, key, body="m", exchange="", **properties):
        self.channel.basic_publish(exchange, key, body.encode(), pika.BasicProperties(**properties))

    def take(self, queue, channel=None):
        """The next message of a queue, awaited."""
        end = time.monotonic() + DEADLINE_S
        while True:
            method, properties, body = (channel or self.channel).basic_get(queue)
            if method is not None:
                return method, properties, body.decode()
            assert time.monotonic() < end, f"nothing comes to {queue}"
            time.sleep(0.005)

    def reject(self, queue, requeue=False):
        method, _, _ = self.take(queue)
        self.channel.basic_reject(method.delivery_tag, requeue=requeue)

    def nack(self, queue, requeue=False):
        method, _, _ = self.take(queue)
        self.channel.basic_nack(method.delivery_tag, requeue=requeue)

    def arrives(self, queue, ack=True):
        """Writes down the next message of a queue."""
        with typed():
            method, properties, body = self.take(queue)
        told = {name: value for name, value in vars(properties).items() if value is not None and name != "headers"}
        self.seen.append(f"{queue}: {body!r} from {method.exchange!r} by {method.routing_key!r}"
                         f"{' redelivered' if method.redelivered else ''} {told or ''}".rstrip())
        headers = properties.headers or {}
        self.seen += [f"  {name} = {headers[name]}" for name in sorted(headers)]
        if ack:
            self.channel.basic_ack(method.delivery_tag)
        return method

    def empties(self, *queues):
        """Waits until nothing is ready in any of them."""
        end = time.monotonic() + DEADLINE_S
        while any(self.channel.queue_declare(queue, passive=True).method.message_count for queue in queues):
            assert time.monotonic() < end, f"{queues} do not become empty"
            time.sleep(0.005)
        self.seen.append(f"{' and '.join(queues)} empty")

    def holds(self, queue, count):
        """Waits until so many are ready."""
        end = time.monotonic() + DEADLINE_S
        while (found := self.channel.queue_declare(queue, passive=True).method.message_count) != count:
            assert time.monotonic() < end, f"{queue} has {found}"
            time.sleep(0.005)
        self.seen.append(f"{queue} has {count}")


def to(key, **more):
    """Arguments of a queue whose dead letters go to one queue."""
    return {"dead_letter_exchange": "", "dead_letter_routing_key": key, **more}


def rejected(s):
    s.queue("q", **to("d"))
    s.queue("d")
    s.publish("q", headers={"z": 1, "a": "b"}, delivery_mode=2, priority=3, content_type="text/plain", message_id="7")
    s.reject("q")
    s.arrives("d")


def nacked_with_several(s):
    s.queue("q", **to("d"))
    s.queue("d")
    for body in "abc":
        s.publish("q", body)
    last = [s.take("q")[0] for _ in range(3)][-1]
    s.channel.basic_nack(last.delivery_tag, multiple=True, requeue=False)
    # What was rejected together arrives in order.
    for _ in range(3):
        s.arrives("d")


def expired_by_the_queue(s):
    s.queue("q", message_ttl=SHORT_MS, **to("d"))
    s.queue("d")
    s.publish("q")
    s.arrives("d")


def expired_by_its_own_time(s):
    s.queue("q", **to("d"))
    s.queue("d")
    s.publish("q", expiration=str(SHORT_MS))
    s.arrives("d")


def the_shorter_time_counts(s):
    s.queue("q", message_ttl=SHORT_MS, **to("d"))
    s.queue("d")
    s.publish("q", expiration="3600000")
    s.arrives("d")


def a_time_that_did_not_come_is_told(s):
    s.queue("q", **to("d"))
    s.queue("d")
    s.publish("q", expiration="3600000")
    s.reject("q")
    s.arrives("d")


def no_time_at_all(s):
    s.queue("q", message_ttl=0, **to("d"))
    s.queue("d")
    s.publish("q")
    s.arrives("d")
    s.empties("q")


def too_long(s):
    s.queue("q", max_length=1, **to("d"))
    s.queue("d")
    s.publish("q", "first")
    s.publish("q", "second")
    s.arrives("d")
    s.arrives("q")


def no_length_at_all(s):
    s.queue("q", max_length=0, **to("d"))
    s.queue("d")
    s.publish("q")
    s.arrives("d")
    s.empties("q")


def too_many_bytes(s):
    s.queue("q", max_length_bytes=200, **to("d"))
    s.queue("d")
    s.publish("q", "1" * 150)
    s.publish("q", "2" * 151)
    s.arrives("d")


def refused_and_dead_lettered(s):
    if s.kind == "quorum":
        pytest.skip("quorum queues do not know this overflow")
    s.queue("q", max_length=1, overflow="reject-publish-dlx", **to("d"))
    s.queue("d")
    s.publish("q", "first")
    s.publish("q", "second", expiration="3600000")
    s.arrives("d")
    s.arrives("q")


def refused_and_not_dead_lettered(s):
    s.queue("q", max_length=1, overflow="reject-publish", **to("d"))
    s.queue("d")
    s.publish("q", "first")
    s.holds("q", 1)
    s.channel.confirm_delivery()
    for _ in range(3):
        try:
            s.publish("q", "more")
        except pika.exceptions.NackError:
            break
    s.empties("d")


def failed_too_often(s):
    s.queue("q", kind="quorum", delivery_limit=1, **to("d"))
    s.queue("d")
    s.publish("q")
    s.arrives("q", ack=False)
    s.channel.basic_reject(1, requeue=True)
    s.arrives("q", ack=False)
    s.channel.basic_reject(2, requeue=True)
    s.arrives("d")


def returned_is_not_failed(s):
    s.queue("q", kind="quorum", delivery_limit=1, **to("d"))
    s.queue("d")
    s.publish("q")
    for tag in range(1, 5):
        s.arrives("q", ack=False)
        s.channel.basic_nack(tag, requeue=True)
    s.arrives("q")


def a_lost_connection_is_a_failure(s):
    s.queue("q", kind="quorum", delivery_limit=1, **to("d"))
    s.queue("d")
    s.publish("q")
    for _ in range(2):
        connection = s.broker.connect()
        s.take("q", connection.channel())
        die(connection)
    s.arrives("d")


def a_closed_channel_is_a_failure(s):
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


def counts_of_every_way_back(s):
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


def without_a_limit(s):
    s.queue("q", kind="quorum", delivery_limit=-1, **to("d"))
    s.queue("d")
    s.publish("q")
    for _ in range(25):
        s.reject("q", requeue=True)
    s.arrives("q")
    s.empties("d")


def the_limit_is_twenty(s):
    s.queue("q", kind="quorum", **to("d"))
    s.queue("d")
    s.publish("q")
    for _ in range(21):
        s.reject("q", requeue=True)
    s.arrives("d")
    s.empties("q")


def counts_go_along_between_quorum_queues(s):
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


def keys_are_kept(s):
    s.exchange("in", "topic")
    s.exchange("out", "topic")
    s.queue("q", dead_letter_exchange="out")
    s.queue("d")
    s.bind("q", "in", "a.#")
    s.bind("d", "out", "a.*")
    s.publish("a.b", exchange="in")
    s.reject("q")
    s.arrives("d")


def further_keys_are_kept(s):
    s.exchange("in", "direct")
    s.exchange("out", "direct")
    for name in ["d1", "d2", "d3"]:
        s.queue(name)
        s.bind(name, "out", name)
    s.queue("q", dead_letter_exchange="out")
    s.bind("q", "in", "d1")
    s.publish("d1", exchange="in", headers={"CC": ["d2"], "BCC": ["d3"]})
    s.reject("q")
    for name in ["d1", "d2", "d3"]:
        s.arrives(name)


def further_keys_are_replaced(s):
    s.exchange("out", "direct")
    for name in ["d1", "d2", "d3", "d4"]:
        s.queue(name)
        s.bind(name, "out", name)
    s.exchange("in", "direct")
    s.queue("q", dead_letter_exchange="out", dead_letter_routing_key="d4")
    s.bind("q", "in", "d1")
    s.publish("d1", exchange="in", headers={"CC": ["d2"], "BCC": ["d3"]})
    s.reject("q")
    s.arrives("d4")
    s.empties("d1", "d2", "d3")


def replaced_keys_stay_replaced(s):
    s.exchange("out", "direct")
    s.exchange("last", "fanout")
    s.queue("q", dead_letter_exchange="out", dead_letter_routing_key="r")
    s.queue("r", dead_letter_exchange="last")
    s.bind("r", "out", "r")
    s.queue("d")
    s.bind("d", "last")
    s.publish("q", headers={"CC": ["elsewhere"]})
    s.reject("q")
    s.reject("r")
    s.arrives("d")


def round_and_round(s):
    s.queue("q", **to("q"))
    s.publish("q")
    for tag in range(1, 4):
        s.arrives("q", ack=False)
        s.channel.basic_reject(tag, requeue=False)
    s.arrives("q")


def round_two(s):
    s.queue("a", message_ttl=SHORT_MS, **to("b"))
    s.queue("b", **to("a"))
    s.publish("a", expiration="1000")
    s.arrives("b", ack=False)
    s.channel.basic_reject(1, requeue=False)
    s.arrives("b", ack=False)
    s.channel.basic_reject(2, requeue=False)
    s.arrives("b")


def round_three(s):
    for name in "abc":
        s.exchange("x" + name, "fanout")
        s.queue(name, dead_letter_exchange="x" + name)
    for name, following in [("a", "b"), ("b", "c"), ("c", "a")]:
        s.bind(following, "x" + name)
    s.publish("a")
    for tag, name in enumerate("abcabc", start=1):
        s.arrives(name, ack=False)
        s.channel.basic_reject(tag, requeue=False)
    s.arrives("a")


def a_cycle_nobody_rejected_in_ends(s):
    s.queue("q", message_ttl=SHORT_MS, **to("q"))
    s.publish("q")
    s.empties("q")


def a_cycle_over_three_nobody_rejected_in_ends(s):
    s.exchange("x", "fanout")
    s.queue("a", message_ttl=SHORT_MS, **to("b"))
    s.queue("b", message_ttl=SHORT_MS, **to("c"))
    s.queue("c", message_ttl=SHORT_MS, dead_letter_exchange="x")
    s.queue("d")
    s.bind("a", "x")
    s.bind("d", "x")
    s.publish("a")
    s.arrives("d")
    s.empties("a", "b", "c")


def a_rejection_before_the_cycle_does_not_count(s):
    s.queue("q", **to("a"))
    s.queue("a", message_ttl=SHORT_MS, **to("b"))
    s.queue("b", message_ttl=SHORT_MS, **to("a"))
    s.publish("q")
    s.reject("q")
    s.empties("q", "a", "b")


def different_reasons_in_one_queue(s):
    s.queue("q", message_ttl=SHORT_MS, **to("r"))
    s.queue("r", **to("q"))
    s.queue("d")
    s.publish("q")
    s.reject("r")
    s.arrives("r", ack=False)
    s.channel.basic_reject(2, requeue=False)
    s.arrives("r")


def many_targets(s):
    s.exchange("x", "fanout")
    s.queue("q", dead_letter_exchange="x")
    for name in ["a", "b"]:
        s.queue(name, **to("d"))
        s.bind(name, "x")
    s.queue("d")
    s.publish("q")
    s.reject("q")
    for name in ["a", "b"]:
        s.reject(name)
        s.arrives("d")


def an_exchange_that_is_missing(s):
    s.queue("q", dead_letter_exchange="nowhere")
    s.publish("q")
    s.reject("q")
    s.empties("q")


def an_exchange_that_comes_later(s):
    s.queue("q", dead_letter_exchange="later")
    s.queue("d")
    s.publish("q", "lost")
    s.reject("q")
    s.empties("q")
    s.exchange("later", "fanout")
    s.bind("d", "later")
    s.publish("q", "found")
    s.reject("q")
    s.arrives("d")


def an_exchange_that_went(s):
    s.exchange("x", "fanout")
    s.queue("q", dead_letter_exchange="x")
    s.queue("d")
    s.bind("d", "x")
    s.publish("q", "first")
    s.reject("q")
    s.arrives("d")
    s.channel.exchange_delete("x")
    s.publish("q", "second")
    s.reject("q")
    s.empties("q", "d")


def an_alternate_exchange_behind(s):
    s.exchange("rest", "fanout")
    s.exchange("x", "direct", arguments={"alternate-exchange": "rest"})
    s.queue("q", dead_letter_exchange="x")
    s.queue("d")
    s.bind("d", "rest")
    s.publish("q")
    s.reject("q")
    s.arrives("d")


def an_internal_exchange(s):
    s.exchange("x", "fanout", internal=True)
    s.queue("q", dead_letter_exchange="x")
    s.queue("d")
    s.bind("d", "x")
    s.publish("q")
    s.reject("q")
    s.arrives("d")


def an_exchange_by_headers(s):
    s.exchange("x", "headers")
    s.queue("q", dead_letter_exchange="x")
    s.queue("d")
    s.bind("d", "x", arguments={"x-match": "all-with-x", "x-first-death-queue": "q"})
    s.queue("e")
    s.bind("e", "x", arguments={"x-match": "all", "mine": 1})
    s.publish("q", headers={"mine": 1})
    s.reject("q")
    s.arrives("e")
    s.holds("d", 1)
    s.arrives("d")


def a_policy_says_where(s):
    s.policy("dlx", "^q$", dead_letter_exchange="", dead_letter_routing_key="d")
    s.queue("q")
    s.queue("d")
    s.publish("q")
    s.reject("q")
    s.arrives("d")


def an_argument_before_a_policy(s):
    s.policy("dlx", "^q$", dead_letter_exchange="nowhere", dead_letter_routing_key="e")
    s.queue("q", **to("d"))
    s.queue("d")
    s.queue("e")
    s.publish("q")
    s.reject("q")
    s.arrives("d")
    s.empties("e")


def a_policy_s_key_with_an_argument_s_exchange(s):
    s.policy("dlx", "^q$", dead_letter_routing_key="d")
    s.queue("q", dead_letter_exchange="")
    s.queue("d")
    s.publish("q")
    s.reject("q")
    s.arrives("d")


def claims_of_clients_are_overwritten(s):
    s.queue("q", **to("d"))
    s.queue("d")
    s.publish("q", headers={"x-death": [{"queue": "q", "reason": "rejected", "count": 7}], "x-first-death-queue": "me",
                            "x-last-death-queue": "me", "x-delivery-count": 9, "x-acquired-count": 4, "mine": True})
    s.reject("q")
    s.arrives("d")


def claims_of_another_type(s):
    s.queue("q", **to("d"))
    s.queue("d")
    s.publish("q", headers={"x-death": "never"})
    s.reject("q")
    s.arrives("d")


def published_again_by_a_client(s):
    s.queue("q", **to("d"))
    s.queue("d", **to("q"))
    s.publish("q")
    s.reject("q")
    _, properties, body = s.take("d")
    s.channel.basic_ack(2)
    s.channel.basic_publish("", "q", body, properties)
    s.reject("q")
    s.arrives("d")


def deleting_and_purging_is_no_death(s):
    s.queue("q", **to("d"))
    s.queue("d")
    s.publish("q")
    s.holds("q", 1)
    s.channel.queue_purge("q")
    s.publish("q")
    s.holds("q", 1)
    s.channel.queue_delete("q")
    s.empties("d")


def a_queue_s_end_is_no_death(s):
    s.queue("q", expires=SHORT_MS, **to("d"))
    s.queue("d")
    s.publish("q")
    end = time.monotonic() + DEADLINE_S
    path = f"/queues/{quote(s.broker.vhost, safe='')}"
    while any(queue["name"] == "q" for queue in s.broker.api("GET", path)):
        assert time.monotonic() < end, "the queue stays"
        time.sleep(0.02)
    s.empties("d")


SAFELY = {"kind": "quorum", "dead_letter_strategy": "at-least-once", "overflow": "reject-publish"}


def rejected_safely(s):
    s.queue("q", **SAFELY, **to("d"))
    s.queue("d")
    s.publish("q", headers={"mine": 1}, expiration="3600000")
    s.reject("q")
    s.arrives("d")


def expired_safely(s):
    s.queue("q", message_ttl=SHORT_MS, **SAFELY, **to("d"))
    s.queue("d")
    s.publish("q")
    s.arrives("d")


def failed_too_often_safely(s):
    s.queue("q", delivery_limit=0, **SAFELY, **to("d"))
    s.queue("d")
    s.publish("q")
    s.reject("q", requeue=True)
    s.arrives("d")


def safely_by_all_keys(s):
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


def what_is_returned_waits(s):
    s.queue("q", kind="quorum", delayed_retry_type="all", delayed_retry_min=SHORT_MS, delayed_retry_max=2 * SHORT_MS)
    s.publish("q")
    s.reject("q", requeue=True)
    s.arrives("q", ack=False)
    s.channel.basic_nack(2, requeue=True)
    s.arrives("q", ack=False)
    s.channel.basic_reject(3, requeue=True)
    s.arrives("q")


ROWS = [rejected, nacked_with_several, expired_by_the_queue, expired_by_its_own_time, the_shorter_time_counts,
        a_time_that_did_not_come_is_told, no_time_at_all, too_long, no_length_at_all, too_many_bytes,
        refused_and_dead_lettered, refused_and_not_dead_lettered, keys_are_kept, further_keys_are_kept,
        further_keys_are_replaced, replaced_keys_stay_replaced, round_and_round, round_two, round_three,
        a_cycle_nobody_rejected_in_ends, a_cycle_over_three_nobody_rejected_in_ends,
        a_rejection_before_the_cycle_does_not_count, different_reasons_in_one_queue, many_targets,
        an_exchange_that_is_missing, an_exchange_that_comes_later, an_exchange_that_went,
        an_alternate_exchange_behind, an_internal_exchange, an_exchange_by_headers, a_policy_says_where,
        an_argument_before_a_policy, a_policy_s_key_with_an_argument_s_exchange, claims_of_clients_are_overwritten,
        claims_of_another_type, published_again_by_a_client, deleting_and_purging_is_no_death,
        a_queue_s_end_is_no_death]
QUORUM_ROWS = [failed_too_often, returned_is_not_failed, a_lost_connection_is_a_failure, a_closed_channel_is_a_failure,
               counts_of_every_way_back, without_a_limit, the_limit_is_twenty, counts_go_along_between_quorum_queues,
               rejected_safely, expired_safely, failed_too_often_safely, safely_by_all_keys, what_is_returned_waits]


def run(broker, kind, scenario):
    stage = Stage(broker, kind)
    scenario(stage)
    row = f"{scenario.__name__} {kind}"
    if RECORDING:
        record("dead_letters", row, stage.seen)
    else:
        assert stage.seen == answers("dead_letters.differs").get(row, answers("dead_letters")[row])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scenario", ROWS, ids=lambda scenario: scenario.__name__)
def test_headers_tell_what_happened(broker, kind, scenario):
    run(broker, kind, scenario)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scenario", QUORUM_ROWS, ids=lambda scenario: scenario.__name__)
def test_quorum_queues_count(broker, kind, scenario):
    """`kind` is that of the queue for dead letters."""
    run(broker, kind, scenario)
