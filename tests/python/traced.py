"""Publishes and gets one message in the default virtual host; it must be copied so often (the only argument)."""
import os
import sys

import pika

connection = pika.BlockingConnection(pika.URLParameters(os.environ["WARREN_AMQP"] + "/%2F"))
channel = connection.channel()
channel.confirm_delivery()
copies = channel.queue_declare("", exclusive=True).method.queue
channel.queue_bind(copies, "amq.rabbitmq.trace", "#")
work = channel.queue_declare("", exclusive=True).method.queue
channel.basic_publish("", work, b"work")
assert channel.basic_get(work, auto_ack=True)[2] == b"work"
copied = []
while True:
    method, _, body = channel.basic_get(copies, auto_ack=True)
    if method is None:
        break
    copied.append((method.routing_key, body))
assert copied == [("publish.", b"work"), ("deliver." + work, b"work")][:int(sys.argv[1])], copied
connection.close()
