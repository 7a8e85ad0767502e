"""Streams over AMQP 0-9-1: many consumers read the same messages, each from its own offset."""
import datetime
import json
import time
import urllib.error

import pika
import pytest
from conftest import pump_until

STREAM = {"x-queue-type": "stream"}


def declare(channel, name, **arguments):
    """A stream; `max_age="1h"` is the argument `x-max-age`."""
    more = {"x-" + key.replace("_", "-"): value for key, value in arguments.items()}
    channel.queue_declare(name, durable=True, arguments={**STREAM, **more})


@pytest.fixture
def channel(broker):
    channel = broker.channel()
    channel.confirm_delivery()
    return channel


@pytest.fixture
def stream(channel):
    """A stream of ten messages, published one by one."""
    declare(channel, "s")
    publish(channel, "s", range(10))
    return "s"


def publish(channel, stream, numbers, properties=None):
    for number in numbers:
        channel.basic_publish("", stream, str(number).encode(), properties)


class Reader:
    """A consumer with a channel of its own that settles what it gets, unless told otherwise."""

    def __init__(self, broker, stream, offset=None, prefetch=100, settle="ack", batch=1, **arguments):
        self.seen, self.deliveries, self.batch = [], [], batch
        self.channel = broker.channel()
        self.channel.basic_qos(prefetch_count=prefetch)
        if offset is not None:
            arguments["x-stream-offset"] = offset
        self.settle = settle
        self.tag = self.channel.basic_consume(stream, self._take, arguments=arguments)

    def _take(self, channel, method, properties, body):
        assert not method.redelivered
        self.seen.append((int(properties.headers["x-stream-offset"]), body.decode()))
        self.deliveries.append((method, properties))
        if self.settle == "ack" and len(self.seen) % self.batch == 0:
            channel.basic_ack(method.delivery_tag, multiple=self.batch > 1)

    def wait_for(self, count):
        pump_until([self.channel.connection], lambda: len(self.seen) >= count)
        return self.seen

    def is_silent(self):
        """Whether nothing more comes: what a later question is answered is behind everything that does."""
        before = len(self.seen)
        for _ in range(3):
            self.channel.queue_declare("s", passive=True)
            self.channel.connection.process_data_events(0.05)
        return len(self.seen) == before


def numbered(numbers):
    return [(number, str(number)) for number in numbers]


def test_consumers_read_the_same_messages_each_from_its_place(broker, channel, stream):
    whole, part = Reader(broker, stream, "first"), Reader(broker, stream, 6)
    assert whole.wait_for(10) == numbered(range(10))
    assert part.wait_for(4) == numbered(range(6, 10))
    publish(channel, stream, range(10, 12))
    assert whole.wait_for(12) == numbered(range(12))
    assert part.wait_for(6) == numbered(range(6, 12))
    assert channel.queue_declare(stream, passive=True).method.message_count == 12


@pytest.mark.parametrize("offset, expected", [
    ("first", 0), ("last", 9), ("next", 10), (None, 10), (4, 4), (9, 9), (10, 10), (11, 11), (-1, 0),
    ("1h", 0), ("7D", 0), ("1M", 0), ("1Y", 0), ("90m", 0), ("3600s", 0),
    (datetime.datetime(2020, 1, 1), 0), (datetime.datetime(2060, 1, 1), 10)])
def test_a_consumer_starts_where_it_asks_to(broker, channel, stream, offset, expected):
    reader = Reader(broker, stream, offset)
    # The first deliveries, if any, precede what is published after the consumer is there.
    publish(channel, stream, range(10, 13))
    assert reader.wait_for(13 - expected) == numbered(range(expected, 13))


def test_a_time_between_two_messages_is_found(broker, channel):
    declare(channel, "s")
    publish(channel, "s", range(5))
    time.sleep(2.1)
    between = datetime.datetime.fromtimestamp(int(time.time()) - 1, datetime.timezone.utc).replace(tzinfo=None)
    publish(channel, "s", range(5, 10))
    assert Reader(broker, "s", between).wait_for(5) == numbered(range(5, 10))
    assert Reader(broker, "s", "1s").wait_for(5) == numbered(range(5, 10))


@pytest.mark.parametrize("offset", ["foo", "", "First", "5", "0D", "1x", "1h1m", "1W"])
def test_an_offset_that_means_nothing_is_refused(broker, stream, offset):
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as refused:
        Reader(broker, stream, offset)
    value = f'<<"{offset}">>' if offset else "<<>>"
    assert (refused.value.reply_code, refused.value.reply_text) == (406, (
        f"PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue 's' in vhost '{broker.vhost}': "
        f"{{invalid_stream_offset_arg,{{longstr,{value}}}}}"))


def test_room_comes_back_however_a_message_is_settled(broker, stream):
    for settle in [
        lambda channel, tag: channel.basic_ack(tag),
        lambda channel, tag: channel.basic_ack(tag, multiple=True),
        lambda channel, tag: channel.basic_nack(tag, requeue=True),
        lambda channel, tag: channel.basic_nack(tag, requeue=False),
        lambda channel, tag: channel.basic_reject(tag, requeue=True),
        lambda channel, tag: channel.basic_reject(tag, requeue=False),
    ]:
        reader = Reader(broker, stream, "first", prefetch=3, settle=None)
        assert reader.wait_for(3) == numbered(range(3))
        assert reader.is_silent()
        settle(reader.channel, 1)
        assert reader.wait_for(4) == numbered(range(4))
        assert reader.is_silent()
        reader.channel.basic_ack(0, multiple=True)
        assert reader.wait_for(7) == numbered(range(7))
        reader.channel.basic_recover(requeue=True)
        assert reader.wait_for(10) == numbered(range(10)), "recovered messages count as settled and do not come again"


def test_a_global_prefetch_counts_for_each_consumer(broker, stream):
    channel, seen = broker.channel(), []
    channel.basic_qos(prefetch_count=4, global_qos=True)
    channel.basic_consume(stream, lambda *delivery: seen.append(delivery), arguments={"x-stream-offset": "first"})
    pump_until([channel.connection], lambda: len(seen) >= 4)
    channel.queue_declare(stream, passive=True)
    channel.connection.process_data_events(0.05)
    assert len(seen) == 4


def refused(broker, code, text, ask, **more):
    channel = broker.channel()
    with pytest.raises((pika.exceptions.ChannelClosedByBroker, pika.exceptions.ConnectionClosedByBroker)) as closed:
        ask(channel)
    assert (closed.value.reply_code, closed.value.reply_text) == (code, text.format(vhost=broker.vhost, **more))


def test_what_streams_do_not_do_is_refused(broker, stream):
    take = lambda *_: None
    queue = "queue 's' in vhost '{vhost}'"
    refused(broker, 406, "PRECONDITION_FAILED - consumer prefetch count is not set for stream " + queue,
            lambda channel: channel.basic_consume("s", take))
    refused(broker, 540, "NOT_IMPLEMENTED - automatic acknowledgement not supported by stream " + queue,
            lambda channel: (channel.basic_qos(prefetch_count=1), channel.basic_consume("s", take, auto_ack=True)))
    refused(broker, 540, "NOT_IMPLEMENTED - basic.get not supported by stream queues " + queue,
            lambda channel: channel.basic_get("s"))
    refused(broker, 540, "NOT_IMPLEMENTED - queue.purge not supported by stream queues " + queue,
            lambda channel: channel.queue_purge("s"))
    refused(broker, 406, f"PRECONDITION_FAILED - invalid arg 'x-priority' for {queue} of queue type rabbit_stream_queue",
            lambda channel: (channel.basic_qos(prefetch_count=1),
                             channel.basic_consume("s", take, arguments={"x-priority": 1})))


@pytest.mark.parametrize("arguments, reason", [
    ({"max_age": "5"}, ": invalid_max_age"),
    ({"max_age": "1W"}, ": invalid_max_age"),
    ({"max_length_bytes": -1}, ": {value_negative,-1}"),
    ({"initial_cluster_size": 0}, ": {value_zero,0}"),
    ({"queue_leader_locator": "foo"}, ": invalid_queue_locator_arg"),
    ({"stream_max_segment_size_bytes": "a"}, ': "expected integer, got longstr"'),
    ({"max_length": 5}, " of queue type rabbit_stream_queue"),
    ({"overflow": "reject-publish"}, " of queue type rabbit_stream_queue"),
    ({"message_ttl": 5}, " of queue type rabbit_stream_queue"),
    ({"expires": 5000}, " of queue type rabbit_stream_queue"),
    ({"single_active_consumer": True}, " of queue type rabbit_stream_queue"),
    ({"dead_letter_exchange": "x"}, " of queue type rabbit_stream_queue"),
])
def test_arguments_are_checked(broker, arguments, reason):
    name = "x-" + next(iter(arguments)).replace("_", "-")
    refused(broker, 406, f"PRECONDITION_FAILED - invalid arg '{name}' for queue 'n' in vhost '{broker.vhost}'" +
            reason.replace("{", "{{").replace("}", "}}"), lambda channel: declare(channel, "n", **arguments))


def test_arguments_that_place_replicas_are_accepted(broker, channel):
    for number, arguments in enumerate([
        {"initial_cluster_size": 5}, {"queue_leader_locator": "balanced"}, {"queue_leader_locator": "client-local"},
        {"stream_filter_size_bytes": 16}, {"stream_max_segment_size_bytes": 0}, {"max_length_bytes": 0},
    ]):
        declare(channel, f"n{number}", **arguments)


def test_a_delivery_tells_its_offset_and_is_otherwise_what_was_published(broker, channel):
    declare(channel, "s")
    channel.exchange_declare("x", "fanout", durable=True)
    channel.queue_bind("s", "x")
    properties = pika.BasicProperties(
        content_type="t/x", content_encoding="e", headers={"a": 1, "b": "c"}, delivery_mode=2, priority=3,
        correlation_id="c", reply_to="r", expiration="1", message_id="m", timestamp=7, type="t", app_id="a")
    channel.basic_publish("x", "key", b"body", properties)
    channel.basic_publish("x", "key", b"body")
    channel.basic_publish("x", "key", b"y" * 300_000, pika.BasicProperties(headers={"x-stream-offset": 99}))
    reader = Reader(broker, "s", "first")
    reader.wait_for(3)
    (method, seen), (_, bare), (_, third) = reader.deliveries
    assert (method.exchange, method.routing_key, method.redelivered) == ("x", "key", False)
    properties.headers["x-stream-offset"] = 0
    assert seen == properties
    assert bare == pika.BasicProperties(headers={"x-stream-offset": 1}, delivery_mode=1)
    assert third.headers == {"x-stream-offset": 2}
    assert reader.seen[2][1] == "y" * 300_000


def test_filters_pass_what_they_name(broker, channel):
    declare(channel, "s")
    for number, value in enumerate(["a", None, "b", "a", None]):
        headers = {} if value is None else {"x-stream-filter-value": value}
        publish(channel, "s", [number], pika.BasicProperties(headers=headers))
    for wanted, unfiltered, expected in [
        ("a", None, [0, 3]), ("a", False, [0, 3]), ("a", True, [0, 1, 3, 4]), (["a", "b"], None, [0, 2, 3]),
        (["b"], True, [1, 2, 4]), ("", None, [1, 4]), (5, None, [0, 1, 2, 3, 4]), (None, True, [0, 1, 2, 3, 4]),
    ]:
        more = {} if unfiltered is None else {"x-stream-match-unfiltered": unfiltered}
        reader = Reader(broker, "s", "first", **{"x-stream-filter": wanted}, **more)
        assert reader.wait_for(len(expected)) == numbered(expected)
        assert reader.is_silent()
    assert Reader(broker, "s", "first", **{"x-stream-filter": "z"}).is_silent()


def stats(broker, wanted):
    """The listing of the stream, once it has these fields."""

    def listed():
        found = broker.api("GET", f"/queues/{broker.vhost}/s")
        return found if all(found.get(field) == value for field, value in wanted.items()) else None

    return pump_until([], listed)


def test_retention_keeps_the_newest_segments(broker, channel):
    declare(channel, "s", max_length_bytes=50_000, stream_max_segment_size_bytes=10_000)
    for number in range(200):
        channel.basic_publish("", "s", str(number).encode().ljust(1000))
    left = channel.queue_declare("s", passive=True).method.message_count
    assert 30 <= left <= 50
    reader = Reader(broker, "s", "first")
    offsets = [offset for offset, _ in reader.wait_for(left)]
    assert offsets == list(range(200 - left, 200))
    # A policy says less; the open segment stays, and so do the numbers.
    broker.api("PUT", f"/policies/{broker.vhost}/small", {
        "pattern": "^s$", "definition": {"max-length-bytes": 1}, "apply-to": "streams"})
    listed = stats(broker, {"segments": 1, "policy": "small"})
    assert 1 <= listed["messages"] <= 10
    publish(channel, "s", [200])
    assert reader.wait_for(left + 1)[-1] == (200, "200")


def test_segments_go_when_they_are_too_old(broker, channel):
    declare(channel, "s", max_age="1s", stream_max_segment_size_bytes=10_000)
    for number in range(30):
        channel.basic_publish("", "s", b"x" * 1000)
    listed = stats(broker, {"segments": 1})
    assert 1 <= listed["messages"] <= 10


@pytest.mark.parametrize("definition, reason", [
    ({"max-age": "5x"}, '<<"5x">> is not a valid max age'),
    ({"stream-max-segment-size-bytes": -1}, "-1 is not a valid segment size"),
    ({"stream-max-segment-size-bytes": 3_000_000_001}, "3000000001 is not a valid segment size"),
    ({"stream-filter-size-bytes": 3}, "3 is not a valid filter size. Valid range is 16-255"),
])
def test_policies_are_checked(broker, definition, reason):
    with pytest.raises(urllib.error.HTTPError) as refused:
        broker.api("PUT", f"/policies/{broker.vhost}/p", {"pattern": "s", "definition": definition, "apply-to": "streams"})
    assert refused.value.code == 400
    assert json.load(refused.value)["reason"] == f"Validation failed\n\n{reason}\n"


def test_a_policy_that_a_stream_does_not_know_does_not_apply(broker, channel, stream):
    broker.api("PUT", f"/policies/{broker.vhost}/ttl", {
        "pattern": "^s$", "definition": {"message-ttl": 1, "max-length": 1}, "apply-to": "queues"})
    assert Reader(broker, stream, "first").wait_for(10) == numbered(range(10))
    assert stats(broker, {"messages": 10}).get("policy") is None


def test_a_stream_is_deleted_whatever_it_holds_and_its_consumers_are_told(broker, channel):
    for unused, empty in [(True, False), (False, True), (False, False)]:
        declare(channel, "s")
        publish(channel, "s", range(3))
        reader = Reader(broker, "s", "first")
        cancelled = []
        reader.channel.add_on_cancel_callback(cancelled.append)
        reader.wait_for(3)
        answer = channel.queue_delete("s", if_unused=unused, if_empty=empty)
        assert answer.method.message_count == 0
        pump_until([reader.channel.connection], lambda: cancelled)
    declare(channel, "s")
    assert channel.queue_declare("s", passive=True).method.message_count == 0
    publish(channel, "s", ["new"])
    assert Reader(broker, "s", "first").wait_for(1) == [(0, "new")]


def test_dead_letters_and_transactions_and_mandatory_messages_reach_a_stream(broker, channel):
    declare(channel, "s")
    dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "s", "x-max-length": 0}
    channel.queue_declare("source", durable=True, arguments=dead)
    channel.basic_publish("", "source", b"dead")
    reader = Reader(broker, "s", "first")
    reader.wait_for(1)
    assert reader.deliveries[0][1].headers["x-first-death-reason"] == "maxlen"
    channel.basic_publish("", "s", b"mandatory", mandatory=True)
    transactional = broker.channel()
    transactional.tx_select()
    transactional.basic_publish("", "s", b"transaction")
    assert reader.wait_for(2) == [(0, "dead"), (1, "mandatory")]
    transactional.tx_commit()
    assert reader.wait_for(3)[2] == (2, "transaction")


def test_a_listing_says_what_a_stream_is(broker, channel, stream):
    reader = Reader(broker, stream, "first")
    reader.wait_for(10)
    listed = stats(broker, {"messages": 10, "consumers": 1, "readers": {next(iter(stats(broker, {})["readers"])): 1}})
    assert (listed["type"], listed["segments"], listed["durable"]) == ("stream", 1, True)
    assert (listed["messages_ready"], listed["messages_unacknowledged"]) == (10, 0)
    assert abs(listed["first_timestamp"] / 1000 - time.time()) < 60
    assert listed["leader"] in listed["members"] == listed["online"]
    (consumer,) = listed["consumer_details"]
    assert (consumer["prefetch_count"], consumer["ack_required"]) == (100, True)
    assert consumer["arguments"] == {"x-stream-offset": "first"}


def test_a_hundred_thousand_messages_are_read_from_the_start_and_from_the_middle(broker, channel):
    count = 100_000
    declare(channel, "s")
    fast = broker.channel()
    for number in range(count):
        fast.basic_publish("", "s", str(number).encode())
    stats(broker, {"messages": count})
    whole = Reader(broker, "s", "first", prefetch=1000, batch=100)
    assert whole.wait_for(count) == numbered(range(count))
    middle = Reader(broker, "s", count // 2, prefetch=1000, batch=100)
    assert middle.wait_for(count // 2) == numbered(range(count // 2, count))
