"""connection.update-secret, compared with the reference."""
from urllib.parse import quote

import pika
import pytest
from conftest import Inbox, pump_until

QUEUE = "work"


@pytest.fixture
def user(broker):
    name = "secretive"
    broker.api("PUT", f"/users/{name}", {"password": "old", "tags": ""})
    broker.api("PUT", f"/permissions/{quote(broker.vhost, safe='')}/{name}",
               {"configure": ".*", "write": ".*", "read": ".*"})
    yield name
    broker.api("DELETE", f"/users/{name}")


@pytest.mark.parametrize("secret", ["old", "new", ""])
def test_a_connection_goes_on_after_its_secret_was_updated(broker, user, secret):
    connection = broker.connect(user=user, password="old")
    channel = connection.channel()
    channel.queue_declare(QUEUE)
    inbox = Inbox(channel, QUEUE, auto_ack=True)
    channel.basic_publish("", QUEUE, b"before")
    connection.update_secret(secret, "the old one is known")
    channel.basic_publish("", QUEUE, b"after")
    assert inbox.wait_for(2) == ["before", "after"]


def test_who_may_no_longer_enter_the_vhost_is_refused(broker, user):
    connection = broker.connect(user=user, password="old")
    broker.api("DELETE", f"/permissions/{quote(broker.vhost, safe='')}/{user}")
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as closed:
        connection.update_secret("new", "why not")
        pump_until([connection], lambda: False)
    assert closed.value.reply_code == 530
    assert closed.value.reply_text == f"NOT_ALLOWED - access to vhost '{broker.vhost}' refused for user '{user}'"
