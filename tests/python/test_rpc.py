"""Request and reply over queues, as the tutorials do it."""
import threading
import uuid

import pika
from conftest import Inbox


def serve_one_at_a_time(broker, requests):
    """A server with its own connection and prefetch 1; it answers `requests` requests."""
    channel = broker.channel()
    channel.queue_declare("rpc")
    channel.basic_qos(prefetch_count=1)
    answered = []

    def answer(channel, method, properties, body):
        answered.append(properties.correlation_id)
        result = str(int(body) ** 2).encode()
        channel.basic_publish("", properties.reply_to, result,
                              pika.BasicProperties(correlation_id=properties.correlation_id))
        channel.basic_ack(method.delivery_tag)
        if len(answered) == requests:
            channel.stop_consuming()

    channel.basic_consume("rpc", answer)
    thread = threading.Thread(target=channel.start_consuming)
    thread.start()
    return thread, answered


def test_rpc_with_reply_queue_correlation_id_and_prefetch_one(broker):
    server, answered = serve_one_at_a_time(broker, 20)
    channel = broker.channel()
    replies = channel.queue_declare("", exclusive=True).method.queue
    inbox = Inbox(channel, replies, auto_ack=True)
    expected = {}
    for number in range(20):
        correlation = str(uuid.uuid4())
        expected[correlation] = str(number ** 2)
        channel.basic_publish("", "rpc", str(number).encode(),
                              pika.BasicProperties(reply_to=replies, correlation_id=correlation))
    inbox.wait_for(20)
    server.join(30)
    assert not server.is_alive()
    assert {properties.correlation_id: body for _, properties, body in inbox.got} == expected
    assert answered == list(expected)
