"""Rights taken away while their user is at work: what is open feels it at once."""
import pika
import pytest
from conftest import pump_until


@pytest.fixture
def worker(broker):
    """A user who may do everything in the virtual host, and a way to change that."""
    name = "worker-of-" + broker.vhost
    broker.api("PUT", f"/users/{name}", {"password": "p", "tags": ""})

    def grant(configure=".*", write=".*", read=".*"):
        broker.api("PUT", f"/permissions/{broker.vhost}/{name}", {"configure": configure, "write": write, "read": read})
    grant()
    grant.name, grant.login = name, {"user": name, "password": "p"}
    yield grant
    broker.api("DELETE", f"/users/{name}")


def test_a_consumer_that_loses_read_is_cancelled_and_others_go_on(broker, worker):
    channel = broker.channel(**worker.login)
    cancelled, got = [], []
    channel.add_on_cancel_callback(lambda frame: cancelled.append(frame.method.consumer_tag))
    for queue in ("kept", "lost"):
        channel.queue_declare(queue, durable=True)
        channel.basic_consume(queue, lambda _, method, __, body: got.append((method.consumer_tag, body)),
                              consumer_tag=queue)
    worker(read="^kept$")
    pump_until([channel.connection], lambda: cancelled == ["lost"])
    publisher = broker.channel()
    publisher.confirm_delivery()
    for queue in ("lost", "kept"):
        publisher.basic_publish("", queue, b"m")
    pump_until([channel.connection], lambda: got)
    assert got == [("kept", b"m")]
    assert broker.channel().queue_declare("lost", passive=True).method.consumer_count == 0


def test_deliveries_that_were_out_can_still_be_acknowledged(broker, worker):
    channel = broker.channel(**worker.login)
    channel.queue_declare("q", durable=True)
    channel.basic_publish("", "q", b"m")
    got, cancelled = [], []
    channel.add_on_cancel_callback(cancelled.append)
    channel.basic_consume("q", lambda _, method, __, ___: got.append(method.delivery_tag))
    pump_until([channel.connection], lambda: got)
    worker(read="^$")
    pump_until([channel.connection], lambda: cancelled)
    channel.basic_ack(got[0])
    channel.close()
    assert broker.channel().queue_declare("q", passive=True).method.message_count == 0


def test_a_publisher_that_loses_write_is_refused_at_its_next_message(broker, worker):
    broker.channel().queue_declare("q", durable=True)
    channel = broker.channel(**worker.login)
    channel.confirm_delivery()
    # Often enough that the way is known by heart.
    for _ in range(5):
        channel.basic_publish("amq.direct", "q", b"m")
    worker(write="^$")
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as closed:
        channel.basic_publish("amq.direct", "q", b"m")
    assert closed.value.reply_code == 403
    assert closed.value.reply_text == (
        f"ACCESS_REFUSED - write access to exchange 'amq.direct' in vhost '{broker.vhost}' refused for user '{worker.name}'")


def test_a_topic_right_taken_away_is_felt_at_the_next_message(broker, worker):
    channel = broker.channel(**worker.login)
    channel.confirm_delivery()
    for _ in range(5):
        channel.basic_publish("amq.topic", "a.b", b"m")
    broker.api("PUT", f"/topic-permissions/{broker.vhost}/{worker.name}",
               {"exchange": "amq.topic", "write": "^x", "read": ".*"})
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as closed:
        channel.basic_publish("amq.topic", "a.b", b"m")
    assert closed.value.reply_code == 403


def test_a_right_that_is_given_is_felt_too(broker, worker):
    worker(configure="^$")
    connection = broker.connect(**worker.login)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker):
        connection.channel().queue_declare("q", durable=True)
    worker()
    connection.channel().queue_declare("q", durable=True)


def test_a_deleted_user_s_connection_is_closed(broker, worker):
    connection = broker.connect(**worker.login)
    broker.api("DELETE", f"/users/{worker.name}")
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as closed:
        pump_until([connection], lambda: False)
    assert closed.value.reply_code == 320
    broker.api("PUT", f"/users/{worker.name}", {"password": "p", "tags": ""})
