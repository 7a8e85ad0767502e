"""aio-pika: robust connections, confirms, transactions, streams of messages, RPC, and refusals."""
import asyncio

import aio_pika
from aio_pika.patterns import RPC
from checks import DEADLINE_S, URL, name, ok


async def work(connection):
    channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
    await channel.set_qos(prefetch_count=10)
    exchange = await channel.declare_exchange(name("aio-x"), aio_pika.ExchangeType.HEADERS, auto_delete=True)
    queue = await channel.declare_queue(name("aio"), exclusive=True)
    await queue.bind(exchange, arguments={"x-match": "any", "kind": "a", "size": 1})
    confirmed = await asyncio.gather(*(exchange.publish(aio_pika.Message(
        str(number).encode(), headers={"kind": "a" if number % 2 else "b"}, delivery_mode=2), "", mandatory=False)
        for number in range(100)))
    ok("confirms of concurrent publishers", len(confirmed) == 100)
    got = []
    async with queue.iterator() as messages:
        async for message in messages:
            async with message.process():
                got.append(int(message.body))
            if len(got) == 50:
                break
    ok("a headers exchange routes", got == list(range(1, 100, 2)), got)
    try:
        await exchange.publish(aio_pika.Message(b"nobody wants it"), "", mandatory=True)
        ok("an unroutable message is returned", False)
    except aio_pika.exceptions.DeliveryError as error:
        ok("an unroutable message is returned", error.frame is not None)
    ok("an empty queue says so", await queue.get(fail=False) is None)


async def transaction(connection):
    channel = await connection.channel(publisher_confirms=False)
    queue = await channel.declare_queue(name("aio-tx"), exclusive=True)
    async with channel.transaction():
        await channel.default_exchange.publish(aio_pika.Message(b"committed"), queue.name)
    try:
        async with channel.transaction():
            await channel.default_exchange.publish(aio_pika.Message(b"rolled back"), queue.name)
            raise InterruptedError
    except InterruptedError:
        pass
    got = [await queue.get(no_ack=True, fail=False) for _ in range(2)]
    ok("a transaction publishes when it is committed", got[0].body == b"committed" and got[1] is None, got)


async def redelivery(connection):
    channel = await connection.channel()
    queue = await channel.declare_queue(name("aio-again"), exclusive=True)
    await channel.default_exchange.publish(aio_pika.Message(b"again"), queue.name)
    first = await queue.get()
    await first.reject(requeue=True)
    second = await queue.get()
    await second.ack()
    ok("a rejected message comes again", (first.redelivered, second.redelivered) == (False, True))


async def dead_letters(connection):
    channel = await connection.channel()
    dead = await channel.declare_queue(name("aio-dead"), exclusive=True)
    queue = await channel.declare_queue(name("aio-short"), exclusive=True, arguments={
        "x-message-ttl": 1, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead.name})
    await channel.default_exchange.publish(aio_pika.Message(b"late"), queue.name)
    letters = asyncio.Queue()
    await dead.consume(letters.put, no_ack=True)
    message = await letters.get()
    death = message.headers["x-death"][0]
    ok("an expired message becomes a dead letter", (death["reason"], death["queue"]) == ("expired", queue.name), death)


async def rpc(connection):
    channel = await connection.channel()
    service = await RPC.create(channel)
    method = name("aio-rpc")

    async def double(*, x):
        return 2 * x

    await service.register(method, double, auto_delete=True)
    answers = await asyncio.gather(*(service.call(method, {"x": x}) for x in range(20)))
    ok("calls get their answers", answers == [2 * x for x in range(20)], answers)
    await service.close()


async def refusal(connection):
    channel = await connection.channel()
    try:
        await channel.get_queue(name("absent"), ensure=True)
        ok("a missing queue is refused", False)
    except aio_pika.exceptions.ChannelNotFoundEntity as error:
        ok("a missing queue is refused", "NOT_FOUND" in str(error), error)


async def main():
    connection = await aio_pika.connect_robust(URL)
    async with connection:
        for part in (work, transaction, redelivery, dead_letters, rpc, refusal):
            await part(connection)
    ok("the connection closes", connection.is_closed)


asyncio.run(asyncio.wait_for(main(), DEADLINE_S))
