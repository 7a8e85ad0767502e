"""Direct replies: requests and replies without a reply queue, as `amq.rabbitmq.reply-to` offers them."""
import pika
import pytest

from conftest import pump_until

REPLY_TO = "amq.rabbitmq.reply-to"


class Requester:
    """A channel with a consumer of direct replies, and the queue its requests go through."""

    def __init__(self, broker, tag="replies"):
        self.channel = broker.channel()
        self.connection = self.channel.connection
        self.got = []
        self.channel.basic_consume(REPLY_TO, lambda *reply: self.got.append(reply[1:]), auto_ack=True, consumer_tag=tag)
        self.channel.queue_declare("requests", durable=True)
        self.channel.confirm_delivery()

    def request(self, **properties):
        """Sends a request; its reply address as the server of the request sees it."""
        self.channel.basic_publish("", "requests", b"?", pika.BasicProperties(reply_to=REPLY_TO, **properties))
        _, seen, body = self.channel.basic_get("requests", auto_ack=True)
        assert body == b"?"
        return seen.reply_to

    def replies(self, count):
        pump_until([self.connection], lambda: len(self.got) >= count)
        return [body.decode() for _, _, body in self.got]


def refused(broker, use, code, text, closed=pika.exceptions.ChannelClosedByBroker):
    channel = broker.channel()
    with pytest.raises(closed) as error:
        use(channel)
    assert (error.value.reply_code, error.value.reply_text) == (code, text)


def no_such(broker, name):
    return 404, f"NOT_FOUND - no queue '{name}' in vhost '{broker.vhost}'"


def test_a_reply_from_another_connection_arrives_with_its_properties(broker):
    requester = Requester(broker)
    address = requester.request(correlation_id="7")
    assert address.startswith(REPLY_TO + ".") and len(address) <= 255
    server = broker.channel()
    server.confirm_delivery()
    server.basic_publish("", address, b"answer", pika.BasicProperties(correlation_id="7", headers={"h": 1}),
                         mandatory=True)
    assert requester.replies(1) == ["answer"]
    method, properties, _ = requester.got[0]
    assert (method.consumer_tag, method.exchange, method.routing_key) == ("replies", "", address)
    assert method.redelivered is False
    assert (properties.correlation_id, properties.headers, properties.reply_to) == ("7", {"h": 1}, None)


def test_the_address_stays_for_the_consumer_and_each_has_its_own(broker):
    one, other = Requester(broker), Requester(broker)
    assert len({one.request() for _ in range(5)}) == 1
    addresses = [one.request(), one.request(), other.request()]
    assert addresses[0] == addresses[1] != addresses[2]
    server = broker.channel()
    for number, address in enumerate(addresses):
        server.basic_publish("", address, str(number).encode())
    assert one.replies(2) == ["0", "1"]
    assert other.replies(1) == ["2"]


def test_other_properties_of_a_request_stay_and_other_addresses_are_left_alone(broker):
    requester = Requester(broker)
    properties = pika.BasicProperties(reply_to="own-queue", correlation_id="c", headers={"a": "b"}, delivery_mode=2)
    requester.channel.basic_publish("", "requests", b"?", properties)
    assert requester.channel.basic_get("requests", auto_ack=True)[1] == properties
    properties.reply_to = REPLY_TO
    requester.channel.basic_publish("", "requests", b"?", properties)
    seen = requester.channel.basic_get("requests", auto_ack=True)[1]
    assert seen.reply_to.startswith(REPLY_TO + ".")
    seen.reply_to = REPLY_TO
    assert seen == properties


def test_replies_to_a_requester_that_is_gone_are_lost_without_a_word(broker):
    requester = Requester(broker)
    address = requester.request()
    server = broker.channel()
    server.confirm_delivery()
    requester.channel.basic_cancel("replies")
    server.basic_publish("", address, b"late", mandatory=True)
    refused(broker, lambda channel: channel.queue_declare(address, passive=True), *no_such(broker, address))
    requester.channel.basic_consume(REPLY_TO, lambda *reply: requester.got.append(reply[1:]), auto_ack=True)
    again = requester.request()
    assert again != address
    server.basic_publish("", again, b"in time", mandatory=True)
    assert requester.replies(1) == ["in time"]
    requester.channel.close()
    server.basic_publish("", again, b"late", mandatory=True)
    refused(broker, lambda channel: channel.queue_declare(again), *no_such(broker, again))


def test_a_name_that_is_no_address_is_unroutable(broker):
    requester = Requester(broker)
    address = requester.request()
    server = broker.channel()
    server.confirm_delivery()
    for exchange, key in [("", REPLY_TO), ("", REPLY_TO + ".bogus"), ("amq.direct", address)]:
        with pytest.raises(pika.exceptions.UnroutableError):
            server.basic_publish(exchange, key, b"nowhere", mandatory=True)


def test_only_without_acknowledgements_once_a_channel_and_before_the_first_request(broker):
    refused(broker, lambda channel: channel.basic_consume(REPLY_TO, print), 406,
            "PRECONDITION_FAILED - reply consumer cannot acknowledge")

    def twice(channel):
        for _ in range(2):
            channel.basic_consume(REPLY_TO, print, auto_ack=True)
    refused(broker, twice, 406, "PRECONDITION_FAILED - reply consumer already set")

    def without_consumer(channel):
        channel.basic_publish("", "nowhere", b"?", pika.BasicProperties(reply_to=REPLY_TO))
        channel.queue_declare("", exclusive=True)
    refused(broker, without_consumer, 406, "PRECONDITION_FAILED - fast reply consumer does not exist")


def test_declaring_an_address_says_whether_somebody_listens(broker):
    requester = Requester(broker)
    address = requester.request()
    for name in (REPLY_TO, address):
        for passive in (True, False):
            declared = broker.channel().queue_declare(name, passive=passive).method
            assert (declared.queue, declared.message_count, declared.consumer_count) == (name, 0, 1)


def test_an_address_is_no_queue(broker):
    requester = Requester(broker)
    address = requester.request()
    resource = f"queue '{address}' in vhost '{broker.vhost}'"
    refused(broker, lambda channel: channel.basic_get(address), 540,
            f"NOT_IMPLEMENTED - basic.get not supported by volatile {resource}",
            pika.exceptions.ConnectionClosedByBroker)
    refused(broker, lambda channel: channel.basic_consume(address, print, auto_ack=True), 406,
            f"PRECONDITION_FAILED - only creator channel may consume from {resource}")
    refused(broker, lambda channel: channel.queue_bind(address, "amq.fanout"), 403,
            "ACCESS_REFUSED - cannot bind or unbind to a volatile (direct reply-to) queue")
    refused(broker, lambda channel: channel.queue_unbind(address, "amq.fanout"), 403,
            "ACCESS_REFUSED - cannot bind or unbind to a volatile (direct reply-to) queue")
    for use in (lambda channel: channel.basic_get(REPLY_TO), lambda channel: channel.queue_purge(REPLY_TO),
                lambda channel: channel.queue_bind(REPLY_TO, "amq.fanout")):
        refused(broker, use, *no_such(broker, REPLY_TO))
    channel = broker.channel()
    assert channel.queue_purge(address).method.message_count == 0
    assert channel.queue_delete(address).method.message_count == 0
    channel.basic_publish("", address, b"still there")
    assert requester.replies(1) == ["still there"]
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as closed:
        requester.channel.basic_consume(address, print, auto_ack=True)
    assert closed.value.reply_text == f"PRECONDITION_FAILED - multiple consumers are unsupported for {resource}"


def test_replies_of_a_transaction_go_out_with_its_commit(broker):
    requester = Requester(broker)
    address = requester.request()
    server = broker.channel()
    server.tx_select()
    server.basic_publish("", address, b"taken back")
    server.tx_rollback()
    server.basic_publish("", address, b"committed")
    server.tx_commit()
    assert requester.replies(1) == ["committed"]


def test_a_dead_letter_can_be_a_reply(broker):
    requester = Requester(broker)
    address = requester.request()
    channel = broker.channel()
    channel.queue_declare("refusing", durable=True,
                          arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": address})
    channel.basic_publish("", "refusing", b"not here")
    method = channel.basic_get("refusing")[0]
    channel.basic_reject(method.delivery_tag, requeue=False)
    assert requester.replies(1) == ["not here"]


def test_it_needs_no_right_to_read_or_configure(broker):
    user = "replies-of-" + broker.vhost
    broker.api("PUT", f"/users/{user}", {"password": "p", "tags": ""})
    try:
        broker.api("PUT", f"/permissions/{broker.vhost}/{user}", {"configure": "^$", "write": "amq.default", "read": "^$"})
        channel = broker.channel(user=user, password="p")
        got = []
        channel.basic_consume(REPLY_TO, lambda *reply: got.append(reply[3]), auto_ack=True)
        broker.channel().queue_declare("requests", durable=True)
        channel.basic_publish("", "requests", b"?", pika.BasicProperties(reply_to=REPLY_TO))
        server = broker.channel()
        pump_until([channel.connection], lambda: server.queue_declare("requests", passive=True).method.message_count == 1)
        server.basic_publish("", server.basic_get("requests", auto_ack=True)[1].reply_to, b"!")
        pump_until([channel.connection], lambda: got == [b"!"])
    finally:
        broker.api("DELETE", f"/users/{user}")
