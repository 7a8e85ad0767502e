"""Metrics for Prometheus: names, types and labels are the reference's, values are true, and what counts never falls.

`metrics_families.txt` was recorded on RabbitMQ 4.3.6 by running this file with METRICS_RECORD=1: page, family, type and the
sets of label names that its samples had.
"""
import gzip
import os
import re
import urllib.error
import urllib.request
from pathlib import Path

import pika
import pytest
from conftest import DEADLINE_S, Inbox, pump_until

FAMILIES = Path(__file__).with_name("metrics_families.txt")
PAGES = {
    "aggregated": "/metrics",
    "per-object": "/metrics/per-object",
    "memory-breakdown": "/metrics/memory-breakdown",
    "detailed": "/metrics/detailed?" + "&".join("family=" + family for family in (
        "connection_churn_metrics node_coarse_metrics node_metrics node_persister_metrics auth_attempt_metrics "
        "queue_coarse_metrics queue_metrics channel_metrics channel_process_metrics connection_coarse_metrics "
        "stream_consumer_metrics connection_metrics queue_delivery_metrics vhost_status exchange_bindings "
        "exchange_names").split()),
    "consumers": "/metrics/detailed?family=queue_consumer_count",
}

# Families of the reference that are about its runtime or its replication, and have no counterpart.
NOT_OFFERED = re.compile(r"erlang_|rabbitmq_(detailed_)?raft_|rabbitmq_stream_reader|rabbitmq_osiris")
# Families with fewer samples, or samples with fewer labels, than the reference's.
LESS = {
    "not counted, seen one by one": ["queue_disk_reads_total", "queue_disk_writes_total"],
}
# Families that have samples here and, by an oversight, none there.
MORE = ["queue_messages_persistent_bytes", "channel_prefetch"]

LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
SUFFIXES = {"summary": ["_count", "_sum"], "histogram": ["_bucket", "_count", "_sum"]}
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


class Page:
    """A page of either format, checked while it is read."""

    def __init__(self, text, open_metrics=False):
        self.families, self.samples, kind = {}, {}, None
        # The older format allows empty lines, and the reference ends with one.
        end = "\n" if open_metrics else "\n\n"
        assert text.endswith(end)
        lines = text.removesuffix(end).split("\n")
        if open_metrics:
            assert lines.pop() == "# EOF"
        for line in lines:
            if line.startswith("# TYPE "):
                _, _, family, kind = line.split(" ")
                assert family not in self.families, f"{family} appears twice"
                assert kind in ("counter", "gauge", "untyped", "unknown", "info", "summary", "histogram"), line
                self.families[family] = (kind, set())
                helped = False
            elif line.startswith("# HELP "):
                assert line.startswith(f"# HELP {family} ") and not helped
                helped = True
            else:
                name, labels, value = re.fullmatch(r"([a-zA-Z0-9_:]+)(?:\{(.*)\})? (\S+)", line).groups()
                suffixes = SUFFIXES.get(kind, [""])
                if open_metrics:
                    suffixes = {"counter": ["_total"], "info": ["_info"]}.get(kind, suffixes)
                assert helped and name in [family + suffix for suffix in suffixes], (family, line)
                pairs = LABEL.findall(labels or "")
                assert ",".join(f'{label}="{text}"' for label, text in pairs) == (labels or ""), line
                key = (name, tuple(sorted(pairs)))
                assert key not in self.samples, f"{line} appears twice"
                self.samples[key] = float(value)
                self.families[family][1].add(",".join(sorted(label for label, _ in pairs)) or "-")

    def value(self, name, **labels):
        return self.samples[name, tuple(sorted(labels.items()))]

    def kinds(self, name, kind, **labels):
        return self.value(f"rabbitmq_global_{name}", protocol="amqp091", queue_type=f"rabbit_{kind}_queue", **labels)


def fetch(path, method="GET", **headers):
    request = urllib.request.Request(os.environ["WARREN_METRICS"] + path, method=method)
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.headers, refusal.read()


def scrape(path="/metrics", **headers):
    status, headers, body = fetch(path, **headers)
    assert status == 200, body
    return Page(body.decode(), headers["Content-Type"].startswith("application/openmetrics-text"))


def use(broker):
    """Something of everything: kinds of queues, exchanges, publishes that arrive and that do not, deliveries."""
    channel = broker.channel()
    channel.queue_declare("classic", durable=True)
    channel.queue_declare("quorum", durable=True, arguments={"x-queue-type": "quorum"})
    channel.queue_declare("stream", durable=True, arguments={"x-queue-type": "stream"})
    channel.exchange_declare("topic", "topic")
    channel.exchange_declare("nowhere", "fanout")
    channel.queue_bind("classic", "topic", "#")
    channel.queue_bind("quorum", "topic", "#")
    channel.basic_publish("", "classic", b"not confirmed")
    channel.confirm_delivery()
    for queue in ("classic", "quorum", "stream"):
        channel.basic_publish("", queue, b"five.", pika.BasicProperties(delivery_mode=2))
    channel.basic_publish("topic", "key", b"x" * 5000)
    channel.basic_publish("nowhere", "key", b"dropped")
    with pytest.raises(pika.exceptions.UnroutableError):
        channel.basic_publish("nowhere", "key", b"returned", mandatory=True)
    fetched, _, _ = channel.basic_get("classic")
    channel.basic_get("classic", auto_ack=True)
    channel.basic_ack(fetched.delivery_tag)
    channel.basic_get("quorum")
    channel.queue_declare("empty")
    channel.basic_get("empty")
    # A name that needs every escape.
    channel.queue_declare('quo"te\\back')
    reader = broker.channel()
    reader.basic_qos(prefetch_count=10)
    inbox = Inbox(reader, "classic")
    inbox.wait_for(1)


@pytest.fixture
def busy(broker):
    use(broker)


def test_families_are_the_references(broker, busy):
    lines = set()
    for page, path in PAGES.items():
        scrape(path)  # a page that was never asked for says nothing of its cost
        for family, (kind, labels) in scrape(path).families.items():
            lines.add(" ".join([page, family, kind, *sorted(labels)]))
    if os.environ.get("METRICS_RECORD"):
        FAMILIES.write_text("\n".join(sorted(lines)) + "\n")
        return
    ours = {tuple(line.split(" ")[:2]): line.split(" ")[2:] for line in lines}
    less = {name for names in LESS.values() for name in names}
    for line in FAMILIES.read_text().splitlines():
        page, family, *recorded = line.split(" ")
        found = ours.pop((page, family), None)
        short = re.sub("^rabbitmq_(detailed_)?", "", family)
        if found is None:
            assert NOT_OFFERED.match(family), f"{line} is missing"
        elif short in less:
            assert found[0] == recorded[0], line
        elif short in MORE:
            assert found[0] == recorded[0] and set(recorded) <= set(found), line
        else:
            assert found == recorded, line
    assert not ours, "families the reference does not have"


def test_values_are_what_happened_and_outlive_connections_and_queues(broker):
    pump_until([], lambda: scrape().value("rabbitmq_connections") == 0)
    start, start_stats = scrape(), broker.api("GET", "/overview")["message_stats"]
    stats = ("publish", "confirm", "get_empty", "ack", "deliver_get")

    def grown(page, name, **labels):
        return page.value(name, **labels) - start.value(name, **labels)

    def told(name):
        stats = broker.api("GET", "/overview")["message_stats"]
        return stats.get(name, 0) - start_stats.get(name, 0)

    def published(page):
        return {name: grown(page, f"rabbitmq_global_messages_{name}_total", protocol="amqp091") for name in (
            "received", "received_confirm", "routed", "confirmed", "unroutable_dropped", "unroutable_returned")}

    expected = {"received": 7, "received_confirm": 6, "routed": 6, "confirmed": 6,
                "unroutable_dropped": 1, "unroutable_returned": 1}
    use(broker)
    pump_until([], lambda: published(scrape()) == expected)
    page = scrape()
    for family, kind, count in (
            ("delivered", "classic", 3), ("delivered_get_manual_ack", "classic", 1),
            ("delivered_get_auto_ack", "classic", 1), ("get_empty", "classic", 1),
            ("delivered_consume_manual_ack", "classic", 1), ("acknowledged", "classic", 1),
            ("delivered_get_manual_ack", "quorum", 1), ("delivered", "stream", 0)):
        family = f"rabbitmq_global_messages_{family}_total"
        assert grown(page, family, protocol="amqp091", queue_type=f"rabbit_{kind}_queue") == count, (family, kind)
    for bound, count in (("100", 6), ("10000", 7), ("+Inf", 7)):
        assert grown(page, "rabbitmq_message_size_bytes_bucket", protocol="amqp091", le=bound) == count
    bytes_sent = 13 + 3 * 5 + 5000 + 7 + 8
    assert grown(page, "rabbitmq_message_size_bytes_sum", protocol="amqp091") == bytes_sent
    assert grown(page, "rabbitmq_connection_incoming_bytes_total") > bytes_sent
    assert grown(page, "rabbitmq_queues_created_total") == 5
    assert page.value("rabbitmq_queues") == 5 and page.value("rabbitmq_connections") == 2
    assert page.value("rabbitmq_global_publishers", protocol="amqp091") == 1
    assert page.value("rabbitmq_global_consumers", protocol="amqp091") == 1
    assert page.value("rabbitmq_queue_messages_unacked") == 2
    objects = scrape("/metrics/per-object")
    assert objects.value("rabbitmq_queue_messages_unacked", vhost=broker.vhost, queue="classic") == 1
    assert objects.value("rabbitmq_queue_messages_ready", vhost=broker.vhost, queue=r"quo\"te\\back") == 0
    assert [told(name) for name in stats] == [7, 6, 1, 1, 4]

    broker.close_all()
    for queue in ("classic", "quorum", "stream", "empty"):
        broker.api("DELETE", f"/queues/{broker.vhost}/{queue}")
    pump_until([], lambda: scrape().value("rabbitmq_connections") == 0)
    later = scrape()
    assert published(later) == expected
    assert [told(name) for name in stats] == [7, 6, 1, 1, 4]
    for family, (kind, _) in page.families.items():
        fallen = [key for key, value in page.samples.items() if key[0] == family and later.samples[key] < value]
        # The reference calls this a counter, but it is what there is now.
        fallen = [key for key in fallen if key[0] != "rabbitmq_stream_segments"]
        assert kind != "counter" or not fallen
    assert later.value("rabbitmq_global_publishers", protocol="amqp091") == 0


def test_messages_that_leave_are_counted_by_reason(broker):
    def left(reason, kind, strategy):
        return scrape().value(f"rabbitmq_global_messages_dead_lettered_{reason}_total",
                              queue_type=f"rabbit_{kind}_queue", dead_letter_strategy=strategy)

    channel = broker.channel()
    channel.exchange_declare("letters", "fanout")
    cases = [
        ("expired", "classic", "at_most_once", {"x-message-ttl": 0, "x-dead-letter-exchange": "letters"}),
        ("expired", "classic", "disabled", {"x-message-ttl": 0}),
        ("maxlen", "classic", "at_most_once", {"x-max-length": 0, "x-dead-letter-exchange": "letters"}),
        ("rejected", "quorum", "at_most_once", {"x-queue-type": "quorum", "x-dead-letter-exchange": "letters"}),
        ("rejected", "classic", "disabled", {}),
        ("delivery_limit", "quorum", "disabled", {"x-queue-type": "quorum", "x-delivery-limit": 0}),
    ]
    for number, (reason, kind, strategy, arguments) in enumerate(cases):
        before, queue = left(reason, kind, strategy), f"q{number}"
        channel.queue_declare(queue, durable=True, arguments=arguments)
        channel.basic_publish("", queue, b"letter")
        if reason in ("rejected", "delivery_limit"):
            inbox = Inbox(channel, queue)
            inbox.wait_for(1)
            channel.basic_reject(inbox.got[0][0].delivery_tag, requeue=reason == "delivery_limit")
        pump_until([channel.connection], lambda: left(reason, kind, strategy) == before + 1)


def test_detailed_pages_show_what_is_asked_for(broker, busy):
    def queues(query):
        page = scrape("/metrics/detailed?" + query)
        return sorted(dict(labels)["queue"] for name, labels in page.samples if name.endswith("_queue_messages_ready"))

    assert queues("family=queue_coarse_metrics&queue=%5Ecl") == ["classic"]
    assert queues(f"family=queue_coarse_metrics&vhost={broker.vhost}&queue=st%7Cte") == [r"quo\"te\\back", "stream"]
    assert queues("family=queue_coarse_metrics&vhost=%2F") == []
    assert queues("family=node_metrics") == []
    for query, reason in (("queue=(", "Invalid 'queue' regex"), ("queue=a&queue=b", "Only one 'queue'")):
        status, _, body = fetch("/metrics/detailed?family=queue_metrics&" + query)
        assert status == 400 and body.decode().startswith(reason)


def test_requests_are_answered_as_by_the_reference():
    for method, path, accept, status, kind, body in (
            ("GET", "/metrics", None, 200, "text/plain; version=0.0.4", None),
            ("GET", "/metrics/", "*/*", 200, "text/plain; version=0.0.4", None),
            ("GET", "/metrics", "text/html", 406, None, b""),
            ("HEAD", "/metrics", None, 204, None, b""),
            ("OPTIONS", "/metrics", None, 200, None, b""),
            ("POST", "/metrics", None, 405, None, b""),
            ("GET", "/metrics/nope", None, 404, "text/plain", b"Unknown Registry"),
            ("GET", "/nope", None, 404, "application/json", b'{"error":"Object Not Found","reason":"Not Found"}'),
            ("GET", "/", None, 404, "application/json", b'{"error":"Object Not Found","reason":"Not Found"}')):
        got, headers, answer = fetch(path, method, **({"Accept": accept} if accept else {}))
        assert (got, headers["Content-Type"]) == (status, kind), (method, path)
        assert body is None or answer == body
        if kind != "application/json" and status != 204:
            assert headers["Allow"] == "HEAD, GET, OPTIONS"
    status, headers, body = fetch("/metrics", Accept_Encoding="gzip")
    assert (status, headers["Content-Encoding"]) == (200, "gzip")
    Page(gzip.decompress(body).decode())
