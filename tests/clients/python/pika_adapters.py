"""pika's callback adapters: one program, driven by the select loop and by asyncio's."""
import asyncio

import pika
from checks import DEADLINE_S, HOST, PORT, name, ok
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.exchange_type import ExchangeType

PARAMETERS = pika.ConnectionParameters(HOST, PORT, credentials=pika.PlainCredentials("guest", "guest"))
LARGE = b"x" * 300_000  # three frames
MESSAGES = 200


class Program:
    """Declares, publishes with confirms, consumes, asks for what is missing, goes."""

    def __init__(self, adapter, **options):
        self.queue, self.exchange = name("pika"), name("pika-x")
        self.confirmed, self.got, self.returned, self.error, self.channel = 0, [], [], None, None
        self.connection = adapter(PARAMETERS, on_open_callback=self.opened, on_open_error_callback=self.failed,
                                  on_close_callback=self.closed, **options)
        self.deadline = self.connection._adapter_call_later(DEADLINE_S, lambda: self.fail("too slow"))

    @property
    def loop(self):
        return self.connection.ioloop

    def fail(self, error):
        self.error = error
        self.loop.stop()

    def failed(self, _connection, error):
        self.fail(error)

    def closed(self, _connection, reason):
        if self.error is None and not isinstance(reason, pika.exceptions.ConnectionClosedByClient):
            self.error = reason
        self.loop.stop()

    def opened(self, connection):
        connection.channel(on_open_callback=self.channel_opened)

    def channel_opened(self, channel):
        self.channel = channel
        channel.add_on_return_callback(lambda _c, method, _p, body: self.returned.append((method.reply_code, body)))
        channel.confirm_delivery(self.settled, callback=lambda _: channel.exchange_declare(
            self.exchange, ExchangeType.topic, auto_delete=True, callback=lambda _: channel.queue_declare(
                self.queue, exclusive=True, callback=lambda _: channel.queue_bind(
                    self.queue, self.exchange, "a.#", callback=self.ready))))

    def ready(self, _):
        self.channel.basic_publish(self.exchange, "elsewhere", b"back", mandatory=True)
        for number in range(MESSAGES):
            body = LARGE if number == 0 else str(number).encode()
            self.channel.basic_publish(self.exchange, f"a.{number}", body, pika.BasicProperties(
                delivery_mode=2, headers={"number": number, "nested": {"list": [1, "two", None, True]}}))

    def settled(self, frame):
        assert isinstance(frame.method, pika.spec.Basic.Ack)
        last = frame.method.delivery_tag
        self.confirmed = last if frame.method.multiple else self.confirmed + 1
        if self.confirmed == MESSAGES + 1:
            self.channel.basic_qos(prefetch_count=10, callback=lambda _: self.channel.basic_consume(
                self.queue, self.delivered))

    def delivered(self, channel, method, properties, body):
        if len(self.got) == 5 and not method.redelivered:
            channel.basic_nack(method.delivery_tag, requeue=True)
            return
        self.got.append((body, properties.headers))
        channel.basic_ack(method.delivery_tag)
        if len(self.got) == MESSAGES:
            self.connection.channel(on_open_callback=self.ask_for_what_is_missing)

    def ask_for_what_is_missing(self, channel):
        def refused(_channel, reason):
            self.refusal = reason
            self.connection.close()
        channel.add_on_close_callback(refused)
        channel.queue_declare(name("absent"), passive=True)

    def check(self, adapter):
        assert self.error is None, self.error
        ok(f"{adapter} publishes with confirms", self.confirmed == MESSAGES + 1)
        ok(f"{adapter} gets an unroutable message back", self.returned == [(312, b"back")], self.returned)
        numbers = [headers["number"] for _, headers in self.got]
        ok(f"{adapter} consumes everything once", sorted(numbers) == list(range(MESSAGES)), numbers)
        ok(f"{adapter} gets large bodies whole", (LARGE in [body for body, _ in self.got]))
        ok(f"{adapter} gets headers as sent", self.got[1][1]["nested"] == {"list": [1, "two", None, True]}, self.got[1])
        ok(f"{adapter} is refused a missing queue", self.refusal.reply_code == 404, self.refusal)


program = Program(pika.SelectConnection)
program.loop.start()
program.check("select")

loop = asyncio.new_event_loop()
program = Program(AsyncioConnection, custom_ioloop=loop)
loop.run_forever()
program.check("asyncio")
