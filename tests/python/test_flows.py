"""What passes between two objects, counted by pair: shapes and numbers are those a RabbitMQ 4.3 answers to the same traffic.

Counters by pair are shown over HTTP when the broker's rates mode is `detailed`; as metrics they are there in every
mode but `none`.
"""
import os
import urllib.request
from collections import Counter
from urllib.parse import quote

import pika
import pytest
from conftest import Broker, pump_until

RATES = Broker(os.environ["WARREN_AMQP"], os.environ["WARREN_HTTP"], "/").api("GET", "/overview")["rates_mode"]
PUBLISHED = ["publish", "confirm", "return_unroutable", "drop_unroutable"]
DELIVERED = ["deliver", "deliver_no_ack", "get", "get_no_ack", "redeliver", "ack", "deliver_get", "get_empty"]
FAMILIES = {
    "channel_exchange_metrics": {
        "channel_messages_published_total": "publish", "channel_messages_confirmed_total": "confirm",
        "channel_messages_unroutable_returned_total": "return_unroutable",
        "channel_messages_unroutable_dropped_total": "drop_unroutable"},
    "channel_queue_metrics": {
        "channel_get_ack_total": "get", "channel_get_total": "get_no_ack", "channel_get_empty_total": "get_empty",
        "channel_messages_delivered_ack_total": "deliver", "channel_messages_delivered_total": "deliver_no_ack",
        "channel_messages_redelivered_total": "redeliver", "channel_messages_acked_total": "ack"},
    "channel_queue_exchange_metrics": {"queue_messages_published_total": "publish"},
    "queue_exchange_metrics": {"queue_exchange_messages_published_total": "publish"},
    "exchange_metrics": {
        "exchange_messages_published_total": "publish", "exchange_messages_confirmed_total": "confirm",
        "exchange_messages_unroutable_returned_total": "return_unroutable",
        "exchange_messages_unroutable_dropped_total": "drop_unroutable"},
}

# What the traffic below amounts to.
TO_EXCHANGES = {
    (1, ""): dict(publish=3, confirm=3), (1, "fx"): dict(publish=17, confirm=17),
    (1, "amq.direct"): dict(publish=1, confirm=1, return_unroutable=1),
    (2, "amq.direct"): dict(publish=1, drop_unroutable=1),
}
TO_QUEUES = {("fx", "qa"): 10, ("fx", "qb"): 17, ("fx", "qc"): 5, ("fx", "qq"): 2, ("", "qa"): 3}
FROM_QUEUES = {
    (2, "qa"): dict(get=3, get_no_ack=1, redeliver=1, ack=2, deliver_no_ack=10),
    (2, "qc"): dict(get_no_ack=5, get_empty=1),
    (3, "qb"): dict(deliver=17, ack=17), (3, "qq"): dict(deliver=2, ack=2),
}
for counters in FROM_QUEUES.values():
    counters["deliver_get"] = sum(counters.get(name, 0) for name in ("deliver", "deliver_no_ack", "get", "get_no_ack"))


def whole(counters, names):
    return {name: counters.get(name, 0) for name in names}


def traffic(broker):
    """Every way a message takes, on three channels of one connection."""
    connection = broker.connect()
    publisher, reader, consumer = connection.channel(), connection.channel(), connection.channel()
    publisher.confirm_delivery()
    publisher.exchange_declare("fx", "topic")
    publisher.exchange_declare("fy", "fanout")
    for queue in ("qa", "qb", "qc"):
        publisher.queue_declare(queue, durable=True)
    publisher.queue_declare("qq", durable=True, arguments={"x-queue-type": "quorum"})
    publisher.queue_bind("qa", "fx", "a.#")
    publisher.queue_bind("qb", "fx", "#")
    publisher.exchange_bind("fy", "fx", "e.#")
    publisher.queue_bind("qc", "fy")
    publisher.queue_bind("qq", "fx", "q")
    for exchange, key, count in (("fx", "a.1", 10), ("fx", "e.1", 5), ("", "qa", 3), ("fx", "q", 2)):
        for _ in range(count):
            publisher.basic_publish(exchange, key, b"x" * 100, pika.BasicProperties(delivery_mode=2))
    with pytest.raises(pika.exceptions.UnroutableError):
        publisher.basic_publish("amq.direct", "none", b"x", mandatory=True)
    reader.basic_publish("amq.direct", "none", b"x")
    for _ in range(2):
        fetched, _, _ = reader.basic_get("qa")
        reader.basic_ack(fetched.delivery_tag)
    reader.basic_get("qa", auto_ack=True)
    fetched, _, _ = reader.basic_get("qa")
    reader.basic_nack(fetched.delivery_tag)
    for _ in range(5):
        reader.basic_get("qc", auto_ack=True)
    reader.basic_get("qc")
    taken = Counter()

    def take(channel, method, _, __):
        taken[channel.channel_number] += 1
        if channel is consumer:
            channel.basic_ack(method.delivery_tag)

    for queue in ("qb", "qq"):
        consumer.basic_consume(queue, take)
    reader.basic_consume("qa", take, auto_ack=True)
    pump_until([connection], lambda: taken == {2: 10, 3: 19})
    return connection


def stats(flow, names):
    """The counters of a flow, each of which has its rate."""
    found = flow["stats"]
    assert sorted(found) == sorted([*names, *(name + "_details" for name in names)])
    assert all(found[name + "_details"].keys() == {"rate"} for name in names)
    return {name: found[name] for name in names}


def channels(broker):
    own = [channel for channel in broker.api("GET", "/channels") if channel["vhost"] == broker.vhost]
    return {channel["number"]: broker.api("GET", "/channels/" + quote(channel["name"], safe="")) for channel in own}


def of(broker, kind, name):
    return broker.api("GET", f"/{kind}/{broker.vhost}/{name or 'amq.default'}")


def flows(broker):
    """All flows as each end shows them: (exchanges by channel, queues by exchange, channels by queue), twice."""
    place = dict(vhost=broker.vhost)
    first, second = ({}, {}, {}), ({}, {}, {})
    for number, channel in channels(broker).items():
        for flow in channel["publishes"]:
            assert flow.keys() == {"exchange", "stats"} and flow["exchange"].items() >= place.items()
            first[0][number, flow["exchange"]["name"]] = stats(flow, PUBLISHED)
        for flow in channel["deliveries"]:
            assert flow.keys() == {"queue", "stats"} and flow["queue"].items() >= place.items()
            first[2][number, flow["queue"]["name"]] = stats(flow, DELIVERED)
    for exchange in ("", "fx", "fy", "amq.direct"):
        shown = of(broker, "exchanges", exchange)
        for flow in shown["incoming"]:
            assert flow.keys() == {"channel_details", "stats"}
            details = flow["channel_details"]
            assert details["user"] == "guest" and details["name"].endswith(f" ({details['number']})")
            second[0][details["number"], exchange] = stats(flow, PUBLISHED)
        for flow in shown["outgoing"]:
            assert flow.keys() == {"queue", "stats"}
            first[1][exchange, flow["queue"]["name"]] = stats(flow, ["publish"])
    for queue in ("qa", "qb", "qc", "qq"):
        shown = of(broker, "queues", queue)
        for flow in shown["incoming"]:
            assert flow.keys() == {"exchange", "stats"}
            second[1][flow["exchange"]["name"], queue] = stats(flow, ["publish"])
        for flow in shown["deliveries"]:
            assert flow.keys() == {"channel_details", "stats"}
            second[2][flow["channel_details"]["number"], queue] = stats(flow, DELIVERED)
    return first, second


def settled(condition):
    """What was counted so far is shown a moment after the client has its answer."""
    pump_until([], condition)


def test_flows_are_shown_from_both_ends_in_mode_detailed_alone(broker):
    connection = traffic(broker)
    expected = (
        {pair: whole(counters, PUBLISHED) for pair, counters in TO_EXCHANGES.items()},
        {pair: dict(publish=count) for pair, count in TO_QUEUES.items()},
        {pair: whole(counters, DELIVERED) for pair, counters in FROM_QUEUES.items()},
    )
    if RATES != "detailed":
        assert flows(broker) == (({}, {}, {}),) * 2
        assert broker.api("GET", "/overview")["rates_mode"] == RATES
        return
    settled(lambda: flows(broker) == (expected, expected))
    connection.close()
    # The queues keep what came; the channels are gone, and all that was between them and others.
    settled(lambda: flows(broker) == (({}, expected[1], {}),) + (({}, expected[1], {}),))
    broker.api("DELETE", f"/queues/{broker.vhost}/qb")
    broker.api("DELETE", f"/exchanges/{broker.vhost}/fy")
    left = [flow["queue"]["name"] for flow in of(broker, "exchanges", "fx")["outgoing"]]
    assert left == ["qa", "qc", "qq"]
    broker.api("PUT", f"/queues/{broker.vhost}/qb", {"durable": True})
    assert of(broker, "queues", "qb")["incoming"] == []


@pytest.mark.skipif(RATES != "detailed", reason="nothing is sampled by pair")
def test_flows_have_rates_and_samples(broker):
    channel = broker.channel()
    channel.queue_declare("qa", durable=True)
    consumed = broker.channel()
    consumed.basic_consume("qa", lambda *_: None, auto_ack=True)
    wanted = "?msg_rates_age=60&msg_rates_incr=1"

    def published():
        channel.basic_publish("", "qa", b"x")
        consumed.connection.process_data_events()
        queue = broker.api("GET", f"/queues/{broker.vhost}/qa{wanted}")
        exchange = broker.api("GET", f"/exchanges/{broker.vhost}/amq.default{wanted}")
        all_flows = [*queue["incoming"], *queue["deliveries"], *exchange["incoming"], *exchange["outgoing"]]
        found = [flow["stats"].get("publish_details", flow["stats"].get("deliver_get_details")) for flow in all_flows]
        return found if len(found) == 4 and all(details["rate"] > 0 for details in found) else None

    for details in pump_until([], published):
        assert details["avg_rate"] > 0 and details["samples"][0]["sample"] >= details["samples"][-1]["sample"]


def page(broker, family):
    path = f"/metrics/detailed?vhost={broker.vhost}&family={family}"
    with urllib.request.urlopen(os.environ["WARREN_METRICS"] + path) as answer:
        return answer.read().decode()


def samples(broker, family):
    """Labels of a family's samples but `channel`, with values by counter, and how often which channel appears."""
    found, labels, by_channel = {}, set(), Counter()
    for line in page(broker, family).splitlines():
        name, _, rest = line.partition("{")
        name = name.removeprefix("rabbitmq_detailed_")
        if line.startswith("#") or name not in FAMILIES[family]:
            continue
        text, _, value = rest.rpartition("} ")
        pairs = dict(pair.split("=") for pair in text.replace('"', "").split(","))
        labels.add(tuple(pairs))
        channel = pairs.pop("channel", None)
        by_channel[channel] += 1
        key = (channel, pairs.get("exchange"), pairs.get("queue"))
        found.setdefault(key, {})[FAMILIES[family][name]] = int(value)
    return found, labels, by_channel


def test_metrics_tell_flows_in_every_mode_but_none(broker):
    connection = traffic(broker)
    read = {family: lambda family=family: samples(broker, family) for family in FAMILIES}
    if RATES == "none":
        for family, ask in read.items():
            # Of an exchange its publishes are counted as ever.
            assert all(found.keys() <= {"publish"} for found in ask()[0].values()), family
            assert family == "exchange_metrics" or ask()[0] == {}, family
        return

    def values(family):
        return sorted((exchange, queue, counters) for (_, exchange, queue), counters in read[family]()[0].items()) \
            if family != "channel_queue_metrics" else \
            sorted((queue, sorted(counters.items())) for (_, _, queue), counters in read[family]()[0].items())

    names = list(FAMILIES["channel_queue_metrics"].values())
    settled(lambda: values("channel_queue_metrics") == sorted(
        (queue, sorted(whole(counters, names).items())) for (_, queue), counters in FROM_QUEUES.items()))
    found, labels, by_channel = read["channel_exchange_metrics"]()
    assert labels == {("channel", "vhost", "exchange")} and sorted(by_channel.values()) == [4, 12]
    assert Counter((exchange, *counters.values()) for (_, exchange, _), counters in found.items()) == Counter(
        (exchange, *whole(counters, PUBLISHED).values()) for (_, exchange), counters in TO_EXCHANGES.items())
    assert read["channel_queue_metrics"]()[1] == {("channel", "vhost", "queue")}
    found, labels, by_channel = read["channel_queue_exchange_metrics"]()
    assert labels == {("channel", "queue_vhost", "queue", "exchange_vhost", "exchange")} and len(by_channel) == 1
    routed = {(exchange, queue): dict(publish=count) for (exchange, queue), count in TO_QUEUES.items()}
    assert {(exchange, queue): counters for (_, exchange, queue), counters in found.items()} == routed
    found, labels, _ = read["queue_exchange_metrics"]()
    assert labels == {("vhost", "exchange", "queue")}
    assert {(exchange, queue): counters for (_, exchange, queue), counters in found.items()} == routed
    found, _, _ = read["exchange_metrics"]()
    assert found[None, "amq.direct", None] == dict(publish=2, confirm=1, return_unroutable=1, drop_unroutable=1)
    assert found[None, "fx", None] == whole(dict(publish=17, confirm=17), PUBLISHED)
    connection.close()
    for family in FAMILIES:
        if family.startswith("channel_"):
            settled(lambda: read[family]()[0] == {})
    assert len(read["queue_exchange_metrics"]()[0]) == len(TO_QUEUES)


def test_messages_written_and_read_are_counted(broker):
    """Those of every kind of queue, where the reference leaves all but classic queues out."""

    def disk():
        overview = broker.api("GET", "/overview")["message_stats"]
        counters = {name: overview.get(name, 0) for name in ("disk_writes", "disk_reads")}
        assert all(name + "_details" in overview for name in overview.keys() & counters.keys())
        return counters

    channel = broker.channel()
    channel.confirm_delivery()
    channel.queue_declare("kept", durable=True)
    channel.queue_declare("quorum", durable=True, arguments={"x-queue-type": "quorum"})
    before = disk()
    for queue in ("kept", "quorum"):
        for _ in range(20):
            channel.basic_publish("", queue, b"x" * (1 << 19), pika.BasicProperties(delivery_mode=2))
    channel.basic_publish("", "kept", b"transient")
    assert disk()["disk_writes"] == before["disk_writes"] + 40
    # More than stays in memory: some are read back, those at the front are not.
    for _ in range(20):
        channel.basic_get("kept", auto_ack=True)
    settled(lambda: before["disk_reads"] < disk()["disk_reads"] <= before["disk_reads"] + 40)
