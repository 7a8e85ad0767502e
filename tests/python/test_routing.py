"""The four exchange types, each with the queues a tutorial gives it."""
from conftest import Inbox, pump_until


def inbox_on_own_queue(broker, exchange, *bindings):
    """An exclusive queue whose name the broker chose, bound with keys or argument tables."""
    channel = broker.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    assert queue.startswith("amq.gen-")
    for binding in bindings:
        if isinstance(binding, dict):
            channel.queue_bind(queue, exchange, arguments=binding)
        else:
            channel.queue_bind(queue, exchange, routing_key=binding)
    return Inbox(channel, queue, auto_ack=True)


def settle(inboxes, total):
    """All inboxes together got `total` messages, and then a last message through each queue is the next."""
    pump_until([inbox.connection for inbox in inboxes], lambda: sum(len(inbox.got) for inbox in inboxes) >= total)
    for inbox in inboxes:
        inbox.channel.basic_publish("", inbox.got_from, b"end")
    pump_until([inbox.connection for inbox in inboxes], lambda: all("end" in inbox.bodies for inbox in inboxes))
    return [inbox.bodies[:-1] for inbox in inboxes]


def test_fanout_reaches_every_exclusive_queue(broker):
    channel = broker.channel()
    channel.exchange_declare("news", "fanout")
    inboxes = [inbox_on_own_queue(broker, "news", "") for _ in range(3)]
    assert len({inbox.got_from for inbox in inboxes}) == 3
    for body in ("早报", "晚报"):
        channel.basic_publish("news", "whatever", body.encode())
    assert settle(inboxes, 6) == [["早报", "晚报"]] * 3


def test_direct_delivers_by_key_and_once_to_a_queue_bound_twice(broker):
    channel = broker.channel()
    channel.exchange_declare("people", "direct")
    both = inbox_on_own_queue(broker, "people", "alex", "sb")
    alex = inbox_on_own_queue(broker, "people", "alex")
    twice = inbox_on_own_queue(broker, "people", "sb", "sb")
    for key in ("alex", "sb", "nobody"):
        channel.basic_publish("people", key, ("for " + key).encode())
    assert settle([both, alex, twice], 4) == [["for alex", "for sb"], ["for alex"], ["for sb"]]


def test_topic_star_is_one_word_and_hash_any_number(broker):
    channel = broker.channel()
    channel.exchange_declare("animals", "topic")
    orange = inbox_on_own_queue(broker, "animals", "*.orange.*")
    rabbit = inbox_on_own_queue(broker, "animals", "*.*.rabbit", "lazy.#")
    everything = inbox_on_own_queue(broker, "animals", "#")
    keys = ["quick.orange.rabbit", "lazy.orange.elephant", "quick.orange.fox", "lazy.brown.fox", "lazy.pink.rabbit",
            "quick.brown.fox", "orange", "quick.orange.male.rabbit", "lazy", "lazy.orange.male.rabbit", ""]
    for key in keys:
        channel.basic_publish("animals", key, key.encode() or b"empty")
    got = settle([orange, rabbit, everything], 3 + 6 + len(keys))
    assert got[0] == ["quick.orange.rabbit", "lazy.orange.elephant", "quick.orange.fox"]
    assert got[1] == ["quick.orange.rabbit", "lazy.orange.elephant", "lazy.brown.fox", "lazy.pink.rabbit", "lazy",
                      "lazy.orange.male.rabbit"]
    assert got[2] == [key or "empty" for key in keys]


def test_headers_match_all_or_any(broker):
    import pika
    channel = broker.channel()
    channel.exchange_declare("papers", "headers")
    every = inbox_on_own_queue(broker, "papers", {"x-match": "all", "format": "pdf", "pages": 3})
    some = inbox_on_own_queue(broker, "papers", {"x-match": "any", "format": "pdf", "pages": 3})
    for body, headers in [("both", {"format": "pdf", "pages": 3, "extra": True}), ("one", {"format": "pdf", "pages": 4}),
                          ("none", {"format": "zip"}), ("no headers", None)]:
        channel.basic_publish("papers", "", body.encode(), pika.BasicProperties(headers=headers))
    assert settle([every, some], 3) == [["both"], ["both", "one"]]


def test_an_exchange_bound_to_an_exchange_passes_messages_on(broker):
    channel = broker.channel()
    channel.exchange_declare("first", "topic")
    channel.exchange_declare("second", "fanout")
    channel.exchange_bind("second", "first", "a.#")
    inbox = inbox_on_own_queue(broker, "second", "")
    for key in ("a.b", "b.a", "a"):
        channel.basic_publish("first", key, key.encode())
    assert settle([inbox], 2) == [["a.b", "a"]]
    channel.exchange_unbind("second", "first", "a.#")
    channel.basic_publish("first", "a", b"late")
    assert "late" not in settle([inbox], 3)[0]


def test_mandatory_messages_without_a_queue_come_back(broker):
    import pika
    import pytest
    channel = broker.channel()
    channel.confirm_delivery()
    with pytest.raises(pika.exceptions.UnroutableError) as refused:
        channel.basic_publish("amq.direct", "nowhere", b"lost", mandatory=True)
    returned, = refused.value.messages
    assert (returned.method.reply_code, returned.method.reply_text) == (312, "NO_ROUTE")
    assert (returned.method.exchange, returned.method.routing_key, returned.body) == ("amq.direct", "nowhere", b"lost")
    channel.basic_publish("amq.direct", "nowhere", b"dropped")
