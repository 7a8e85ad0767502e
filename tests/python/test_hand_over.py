"""Who comes next: after a single active consumer, and among messages a closed channel had out."""
import pytest
from conftest import Inbox, pump_until, ready


class Reader:
    """A consumer on a channel of its own that has one message at a time."""

    def __init__(self, broker, queue, tag, priority):
        self.channel = broker.channel()
        self.channel.basic_qos(prefetch_count=1)
        self.tag, self.got = tag, []
        self.channel.basic_consume(
            queue, lambda channel, method, properties, body: self.got.append(method.delivery_tag),
            consumer_tag=tag, arguments={"x-priority": priority})


@pytest.mark.parametrize("leave", ["cancel", "close"])
@pytest.mark.parametrize("kind, order", [("classic", ["a", "c", "d", "b"]), ("quorum", ["c", "d", "a", "b"])])
def test_a_single_active_consumer_is_followed_by_the_highest_priority(broker, leave, kind, order):
    channel = broker.channel()
    channel.queue_declare("q", durable=True, arguments={"x-single-active-consumer": True, "x-queue-type": kind})
    readers = [Reader(broker, "q", tag, priority) for tag, priority in [("a", 0), ("b", 0), ("c", 5), ("d", 5)]]
    seen = []
    for _ in order:
        channel.basic_publish("", "q", b"x")
        pump_until([channel.connection, *{reader.channel.connection for reader in readers}],
                   lambda: any(reader.got for reader in readers))
        [active] = [reader for reader in readers if reader.got]
        seen.append(active.tag)
        active.channel.basic_ack(active.got.pop())
        if leave == "cancel":
            active.channel.basic_cancel(active.tag)
        else:
            active.channel.close()
        readers.remove(active)
    assert seen == order


@pytest.mark.parametrize("kind, order", [("classic", "1234"), ("quorum", "3412")])
def test_what_a_closed_channel_had_out_returns(broker, kind, order):
    channel = broker.channel()
    channel.confirm_delivery()
    channel.queue_declare("q", durable=True, arguments={"x-queue-type": kind})
    for body in "1234":
        channel.basic_publish("", "q", body.encode())
    other = broker.channel()
    inbox = Inbox(other, "q")
    inbox.wait_for(4)
    for number in range(2):
        other.basic_nack(inbox.got[number][0].delivery_tag, requeue=True)
        inbox.wait_for(5 + number)
    other.close()
    pump_until([channel.connection], lambda: ready(channel, "q") == 4)
    assert "".join(channel.basic_get("q", auto_ack=True)[2].decode() for _ in range(4)) == order
