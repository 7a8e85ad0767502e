"""Which messages die, and what their headers then tell, on classic and on quorum queues, as recorded from the reference.

Where they go is in `test_dead_letter_routes.py`, what only quorum queues do in `test_quorum_letters.py`.
"""
from urllib.parse import quote

import pika
import pytest
from conftest import pump_until
from stage import SHORT_MS, kind, s, to


def test_rejected(s):
    s.queue("q", **to("d"))
    s.queue("d")
    s.publish("q", headers={"z": 1, "a": "b"}, delivery_mode=2, priority=3, content_type="text/plain", message_id="7")
    s.reject("q")
    s.arrives("d")


def test_nacked_with_several(s):
    s.queue("q", **to("d"))
    s.queue("d")
    for body in "abc":
        s.publish("q", body)
    last = [s.take("q")[0] for _ in range(3)][-1]
    s.channel.basic_nack(last.delivery_tag, multiple=True, requeue=False)
    # What was rejected together arrives in order.
    for _ in range(3):
        s.arrives("d")


def test_expired_by_the_queue(s):
    s.queue("q", message_ttl=SHORT_MS, **to("d"))
    s.queue("d")
    s.publish("q")
    s.arrives("d")


def test_expired_by_its_own_time(s):
    s.queue("q", **to("d"))
    s.queue("d")
    s.publish("q", expiration=str(SHORT_MS))
    s.arrives("d")


def test_the_shorter_time_counts(s):
    s.queue("q", message_ttl=SHORT_MS, **to("d"))
    s.queue("d")
    s.publish("q", expiration="3600000")
    s.arrives("d")


def test_a_time_that_did_not_come_is_told(s):
    s.queue("q", **to("d"))
    s.queue("d")
    s.publish("q", expiration="3600000")
    s.reject("q")
    s.arrives("d")


def test_no_time_at_all(s):
    s.queue("q", message_ttl=0, **to("d"))
    s.queue("d")
    s.publish("q")
    s.arrives("d")
    s.empties("q")


def test_too_long(s):
    s.queue("q", max_length=1, **to("d"))
    s.queue("d")
    s.publish("q", "first")
    s.publish("q", "second")
    s.arrives("d")
    s.arrives("q")


def test_no_length_at_all(s):
    s.queue("q", max_length=0, **to("d"))
    s.queue("d")
    s.publish("q")
    s.arrives("d")
    s.empties("q")


def test_too_many_bytes(s):
    s.queue("q", max_length_bytes=200, **to("d"))
    s.queue("d")
    s.publish("q", "1" * 150)
    s.publish("q", "2" * 151)
    s.arrives("d")


# Quorum queues do not know this overflow.
@pytest.mark.parametrize("kind", ["classic"])
def test_refused_and_dead_lettered(s):
    s.queue("q", max_length=1, overflow="reject-publish-dlx", **to("d"))
    s.queue("d")
    s.publish("q", "first")
    s.publish("q", "second", expiration="3600000")
    s.arrives("d")
    s.arrives("q")


def test_refused_and_not_dead_lettered(s):
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


def test_claims_of_clients_are_overwritten(s):
    s.queue("q", **to("d"))
    s.queue("d")
    s.publish("q", headers={"x-death": [{"queue": "q", "reason": "rejected", "count": 7}], "x-first-death-queue": "me",
                            "x-last-death-queue": "me", "x-delivery-count": 9, "x-acquired-count": 4, "mine": True})
    s.reject("q")
    s.arrives("d")


def test_claims_of_another_type(s):
    s.queue("q", **to("d"))
    s.queue("d")
    s.publish("q", headers={"x-death": "never"})
    s.reject("q")
    s.arrives("d")


def test_published_again_by_a_client(s):
    s.queue("q", **to("d"))
    s.queue("d", **to("q"))
    s.publish("q")
    s.reject("q")
    _, properties, body = s.take("d")
    s.channel.basic_ack(2)
    s.channel.basic_publish("", "q", body, properties)
    s.reject("q")
    s.arrives("d")


def test_deleting_and_purging_is_no_death(s):
    s.queue("q", **to("d"))
    s.queue("d")
    s.publish("q")
    s.holds("q", 1)
    s.channel.queue_purge("q")
    s.publish("q")
    s.holds("q", 1)
    s.channel.queue_delete("q")
    s.empties("d")


def test_a_queue_s_end_is_no_death(s):
    s.queue("q", expires=SHORT_MS, **to("d"))
    s.queue("d")
    s.publish("q")
    path = f"/queues/{quote(s.broker.vhost, safe='')}"
    pump_until([], lambda: all(queue["name"] != "q" for queue in s.broker.api("GET", path)))
    s.empties("d")
