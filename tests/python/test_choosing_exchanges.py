"""Exchanges that give each message to one of their bindings: by hash or by chance.

Against the reference these need its plugins rabbitmq_consistent_hash_exchange and rabbitmq_random_exchange.
"""
import pika
import pytest
from conftest import drained

MESSAGES = 200


def bound_queues(channel, exchange, keys):
    """A queue for each binding key."""
    queues = []
    for number, key in enumerate(keys):
        queue = f"{exchange}-{number}"
        channel.queue_declare(queue, durable=True)
        channel.queue_bind(queue, exchange, key)
        queues.append(queue)
    return queues


def refused(broker, use, code, text):
    channel = broker.channel()
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as closed:
        use(channel)
    assert closed.value.reply_code == code
    assert closed.value.reply_text == text


@pytest.mark.parametrize("kind, keys", [
    ("x-consistent-hash", ["1", "1", "1"]), ("x-modulus-hash", ["", "any", "key"]),
    ("x-random", ["", "any", "key"]), ("x-local-random", ["", "", ""])])
def test_each_message_goes_to_exactly_one_queue_and_every_queue_gets_some(broker, kind, keys):
    channel = broker.channel()
    channel.confirm_delivery()
    channel.exchange_declare("choose", kind, durable=True)
    queues = bound_queues(channel, "choose", keys)
    for number in range(MESSAGES):
        channel.basic_publish("choose", f"key-{number}", str(number).encode(), mandatory=True)
    got = [drained(channel, queue) for queue in queues]
    assert sorted(int(body) for bodies in got for body in bodies) == list(range(MESSAGES))
    # One queue of three left out by chance: less than once in 10^34 runs.
    assert all(got)


@pytest.mark.parametrize("kind", ["x-consistent-hash", "x-modulus-hash", "x-random", "x-local-random"])
def test_without_bindings_a_message_is_unroutable(broker, kind):
    channel = broker.channel()
    channel.confirm_delivery()
    channel.exchange_declare("choose", kind)
    with pytest.raises(pika.exceptions.UnroutableError):
        channel.basic_publish("choose", "1", b"nobody", mandatory=True)


@pytest.mark.parametrize("kind", ["x-consistent-hash", "x-modulus-hash"])
def test_a_key_stays_with_its_queue(broker, kind):
    channel = broker.channel()
    channel.confirm_delivery()
    channel.exchange_declare("choose", kind)
    queues = bound_queues(channel, "choose", ["5", "5", "5", "5"])
    for number in range(MESSAGES):
        channel.basic_publish("choose", f"key-{number % 10}", str(number % 10).encode())
    got = [set(drained(channel, queue)) for queue in queues]
    assert sum(len(keys) for keys in got) == 10


@pytest.mark.parametrize("arguments, properties", [
    ({"hash-header": "user"}, lambda name: pika.BasicProperties(headers={"user": name})),
    ({"hash-property": "correlation_id"}, lambda name: pika.BasicProperties(correlation_id=name)),
    ({"hash-property": "message_id"}, lambda name: pika.BasicProperties(message_id=name)),
    ({"hash-property": "timestamp"}, lambda name: pika.BasicProperties(timestamp=1_000_000 + int(name)))])
def test_a_header_or_property_can_decide_instead_of_the_key(broker, arguments, properties):
    channel = broker.channel()
    channel.confirm_delivery()
    channel.exchange_declare("choose", "x-consistent-hash", arguments=arguments)
    queues = bound_queues(channel, "choose", ["1", "1", "1"])
    for number in range(MESSAGES):
        name = str(number % 20)
        channel.basic_publish("choose", f"key-{number}", name.encode(), properties(name))
    got = [set(drained(channel, queue)) for queue in queues]
    assert sum(len(names) for names in got) == 20
    assert all(got)


def test_weights_are_shares(broker):
    channel = broker.channel()
    channel.confirm_delivery()
    channel.exchange_declare("choose", "x-consistent-hash")
    queues = bound_queues(channel, "choose", ["1", "9"])
    for number in range(1000):
        channel.basic_publish("choose", f"key-{number}", b"")
    few, many = (len(drained(channel, queue)) for queue in queues)
    assert few + many == 1000
    assert 40 < few < 180


@pytest.mark.parametrize("key, text", [
    ("", "The binding key must be an integer: <<>>"),
    ("two", 'The binding key must be an integer: <<"two">>'),
    ("0", "The binding key must be greater than 0"),
    ("10001", "The binding key must not exceed 10000")])
def test_a_binding_key_must_be_a_weight(broker, key, text):
    channel = broker.channel()
    channel.exchange_declare("choose", "x-consistent-hash")
    channel.queue_declare("q", durable=True)
    refused(broker, lambda other: other.queue_bind("q", "choose", key), 406, "PRECONDITION_FAILED - " + text)
    assert [binding["source"] for binding in broker.api("GET", f"/queues/{broker.vhost}/q/bindings")] == [""]


@pytest.mark.parametrize("arguments, text", [
    ({"hash-header": "h", "hash-property": "message_id"}, "hash-header and hash-property are mutually exclusive"),
    ({"hash-property": "priority"}, "Unsupported property: priority")])
def test_hash_arguments_are_checked(broker, arguments, text):
    refused(broker, lambda channel: channel.exchange_declare("choose", "x-consistent-hash", arguments=arguments),
            406, "PRECONDITION_FAILED - " + text)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker):
        broker.channel().exchange_declare("choose", passive=True)


def test_local_random_takes_classic_queues_with_an_empty_key_alone(broker):
    channel = broker.channel()
    channel.exchange_declare("choose", "x-local-random")
    channel.queue_declare("classic", durable=True)
    channel.queue_declare("quorum", durable=True, arguments={"x-queue-type": "quorum"})
    refused(broker, lambda other: other.queue_bind("classic", "choose", "k"), 406,
            "PRECONDITION_FAILED - Non empty binding 'k' key not permitted")
    refused(broker, lambda other: other.queue_bind("quorum", "choose", ""), 406,
            "PRECONDITION_FAILED - Queue type rabbit_quorum_queue not valid for this exchange type")
    refused(broker, lambda other: other.exchange_bind("amq.fanout", "choose", ""), 406,
            "PRECONDITION_FAILED - Destination not found")


def test_they_are_listed_and_named_by_the_management_api(broker):
    types = [kind["name"] for kind in broker.api("GET", "/overview")["exchange_types"]]
    kinds = {"x-consistent-hash", "x-local-random", "x-modulus-hash", "x-random"}
    assert kinds <= set(types)
    channel = broker.channel()
    for kind in kinds:
        channel.exchange_declare("of-" + kind, kind)
    exchanges = {exchange["name"]: exchange["type"] for exchange in broker.api("GET", f"/exchanges/{broker.vhost}")}
    assert {exchanges["of-" + kind] for kind in kinds} == kinds
