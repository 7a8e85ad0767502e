"""One producer, several consumers on one queue."""
from conftest import Inbox, pump_until, ready

QUEUE = "水许传"


def test_consumers_take_turns_on_a_queue_with_a_chinese_name(broker):
    producer = broker.channel()
    producer.queue_declare(QUEUE)
    inboxes = [Inbox(broker.channel(), QUEUE, auto_ack=True) for _ in range(3)]

    heroes = [f"第{number}回：梁山好汉" for number in range(1, 31)]
    for hero in heroes:
        producer.basic_publish("", QUEUE, hero.encode())
    pump_until([inbox.connection for inbox in inboxes], lambda: sum(len(inbox.got) for inbox in inboxes) >= 30)

    assert [inbox.bodies for inbox in inboxes] == [heroes[0::3], heroes[1::3], heroes[2::3]]
    assert ready(producer, QUEUE) == 0


def test_a_queue_keeps_order_and_content_without_consumers(broker):
    channel = broker.channel()
    channel.queue_declare(QUEUE)
    for number in range(100):
        channel.basic_publish("", QUEUE, f"宋江 {number}".encode())
    inbox = Inbox(broker.channel(), QUEUE, auto_ack=True)
    assert inbox.wait_for(100) == [f"宋江 {number}" for number in range(100)]
    assert not any(method.redelivered for method, _, _ in inbox.got)


def test_prefetch_one_gives_work_to_who_is_free(broker):
    producer = broker.channel()
    producer.queue_declare(QUEUE)
    busy, free = broker.channel(), broker.channel()
    for channel in (busy, free):
        channel.basic_qos(prefetch_count=1)
    busy_inbox, free_inbox = Inbox(busy, QUEUE), Inbox(free, QUEUE)
    for number in range(10):
        producer.basic_publish("", QUEUE, str(number).encode())

    busy_inbox.wait_for(1)
    while len(free_inbox.got) < 9:
        free_inbox.wait_for(len(free_inbox.got) + 1)
        free.basic_ack(free_inbox.got[-1][0].delivery_tag)
    assert len(busy_inbox.got) == 1
    assert sorted(busy_inbox.bodies + free_inbox.bodies) == [str(number) for number in range(10)]


def test_large_and_empty_bodies_arrive_whole(broker):
    channel = broker.channel()
    channel.queue_declare(QUEUE)
    bodies = ["", "x", "水" * 100_000, "y" * 131_072 * 3]
    for body in bodies:
        channel.basic_publish("", QUEUE, body.encode())
    assert Inbox(channel, QUEUE, auto_ack=True).wait_for(4) == bodies
