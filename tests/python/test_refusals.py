"""What the broker refuses: its code, its text, and whether the channel or the connection goes."""
from urllib.parse import quote

import pika
import pytest
from conftest import pump_until


def refusal(kind, action):
    with pytest.raises(kind) as refused:
        action()
    return refused.value.reply_code, refused.value.reply_text


def channel_refusal(channel, action):
    """The action closes the channel, and only the channel."""
    code_and_text = refusal(pika.exceptions.ChannelClosedByBroker, action)
    assert channel.connection.is_open
    channel.connection.channel().close()
    return code_and_text


def test_a_wrong_password_is_refused(broker):
    with pytest.raises(pika.exceptions.ProbableAuthenticationError) as refused:
        broker.connect(password="wrong")
    assert "(403) " in str(refused.value)
    assert ("ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. "
            "For details see the broker logfile.") in str(refused.value)


def test_an_unknown_user_is_refused_like_a_wrong_password(broker):
    with pytest.raises(pika.exceptions.ProbableAuthenticationError) as refused:
        broker.connect(user="nobody")
    assert "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN." in str(refused.value)


def test_a_missing_vhost_is_refused(broker):
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError) as refused:
        broker.connect(vhost="no such vhost")
    assert "(530) 'NOT_ALLOWED - vhost no such vhost not found'" in str(refused.value)


@pytest.fixture
def limited(broker):
    """A user that may read and write only what starts with `own`, and configure nothing."""
    name = "limited-" + broker.vhost
    broker.api("PUT", "/users/" + quote(name), {"password": "pw", "tags": ""})
    yield name
    broker.api("DELETE", "/users/" + quote(name))


def grant(broker, user, configure, write, read):
    broker.api("PUT", f"/permissions/{quote(broker.vhost)}/{quote(user)}",
               {"configure": configure, "write": write, "read": read})


def test_a_vhost_without_permission_is_refused(broker, limited):
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError) as refused:
        broker.connect(user=limited, password="pw")
    assert f"(530) \"NOT_ALLOWED - access to vhost '{broker.vhost}' refused for user '{limited}'\"" in str(refused.value)


def test_operations_without_permission_are_refused(broker, limited):
    grant(broker, limited, "^$", "^own", "^own")
    owner = broker.channel()
    owner.queue_declare("theirs")
    owner.queue_declare("own")
    login = {"user": limited, "password": "pw"}
    theirs = f"queue 'theirs' in vhost '{broker.vhost}'"

    channel = broker.channel(**login)
    assert channel_refusal(channel, lambda: channel.queue_declare("new")) == (
        403, f"ACCESS_REFUSED - configure access to queue 'new' in vhost '{broker.vhost}' refused for user '{limited}'")
    channel = broker.channel(**login)
    assert channel_refusal(channel, lambda: channel.basic_get("theirs")) == (
        403, f"ACCESS_REFUSED - read access to {theirs} refused for user '{limited}'")
    channel = broker.channel(**login)
    assert channel_refusal(channel, lambda: channel.basic_consume("theirs", lambda *_: None)) == (
        403, f"ACCESS_REFUSED - read access to {theirs} refused for user '{limited}'")
    channel = broker.channel(**login)
    channel.confirm_delivery()
    assert channel_refusal(channel, lambda: channel.basic_publish("amq.topic", "k", b"")) == (
        403, f"ACCESS_REFUSED - write access to exchange 'amq.topic' in vhost '{broker.vhost}' refused for user '{limited}'")
    channel = broker.channel(**login)
    assert channel.basic_get("own") == (None, None, None)


def test_redeclaring_a_queue_with_other_properties_is_refused(broker):
    broker.channel().queue_declare("q", durable=True, arguments={"x-message-ttl": 1000})
    queue = f"queue 'q' in vhost '{broker.vhost}'"
    channel = broker.channel()
    assert channel_refusal(channel, lambda: channel.queue_declare(
        "q", durable=True, arguments={"x-message-ttl": 2000})) == (
        406, f"PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for {queue}: "
             "received '2000' but current is '1000'")
    channel = broker.channel()
    assert channel_refusal(channel, lambda: channel.queue_declare("q", durable=True)) == (
        406, f"PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for {queue}: "
             "received none but current is the value '1000' of type 'signedint'")
    channel = broker.channel()
    assert channel_refusal(channel, lambda: channel.queue_declare("q", arguments={"x-message-ttl": 1000})) == (
        406, f"PRECONDITION_FAILED - inequivalent arg 'durable' for {queue}: received 'false' but current is 'true'")


def test_redeclaring_an_exchange_with_another_type_is_refused(broker):
    broker.channel().exchange_declare("x", "direct")
    channel = broker.channel()
    assert channel_refusal(channel, lambda: channel.exchange_declare("x", "fanout")) == (
        406, f"PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'x' in vhost '{broker.vhost}': "
             "received 'fanout' but current is 'direct'")


@pytest.mark.parametrize("action", [
    lambda channel: channel.queue_declare("absent", passive=True),
    lambda channel: channel.basic_get("absent"),
    lambda channel: channel.basic_consume("absent", lambda *_: None),
    lambda channel: channel.queue_purge("absent"),
    lambda channel: channel.queue_bind("absent", "amq.direct", "k"),
], ids=["passive-declare", "get", "consume", "purge", "bind"])
def test_an_unknown_queue_is_refused(broker, action):
    channel = broker.channel()
    assert channel_refusal(channel, lambda: action(channel)) == (
        404, f"NOT_FOUND - no queue 'absent' in vhost '{broker.vhost}'")


def test_an_unknown_exchange_is_refused(broker):
    channel = broker.channel()
    channel.basic_publish("absent", "k", b"")
    assert channel_refusal(channel, lambda: channel.queue_declare("q")) == (
        404, f"NOT_FOUND - no exchange 'absent' in vhost '{broker.vhost}'")


def test_an_unknown_exchange_type_is_refused(broker):
    channel = broker.channel()
    assert channel_refusal(channel, lambda: channel.exchange_declare("x", "nonsense")) == (
        406, "PRECONDITION_FAILED - unknown exchange type 'nonsense'")


def test_reserved_names_are_refused(broker):
    channel = broker.channel()
    assert channel_refusal(channel, lambda: channel.queue_declare("amq.mine")) == (
        403, "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'")
    channel = broker.channel()
    assert channel_refusal(channel, lambda: channel.exchange_declare("amq.mine")) == (
        403, "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'")
    channel = broker.channel()
    assert channel_refusal(channel, lambda: channel.exchange_delete("amq.direct")) == (
        403, f"ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '{broker.vhost}' not allowed")


def test_another_connection_s_exclusive_queue_is_locked(broker):
    broker.channel().queue_declare("mine", exclusive=True)
    channel = broker.channel()
    assert channel_refusal(channel, lambda: channel.queue_declare("mine", exclusive=True)) == (
        405, f"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'mine' in vhost '{broker.vhost}'. It could "
             "be originally declared on another connection or the exclusive property value does not match that of the "
             "original declaration.")


def test_a_long_reply_text_is_cut_to_a_short_string(broker):
    channel = broker.channel()
    code, text = channel_refusal(channel, lambda: channel.queue_declare("q" * 250, passive=True))
    assert (code, text) == (404, "NOT_FOUND - no queue '" + "q" * 230 + "...")


def test_a_second_exclusive_consumer_is_refused(broker):
    owner = broker.channel()
    owner.queue_declare("q")
    owner.basic_consume("q", lambda *_: None, exclusive=True)
    channel = broker.channel()
    assert channel_refusal(channel, lambda: channel.basic_consume("q", lambda *_: None)) == (
        403, f"ACCESS_REFUSED - queue 'q' in vhost '{broker.vhost}' in exclusive use")


def test_a_used_consumer_tag_closes_the_connection(broker):
    channel = broker.channel()
    channel.queue_declare("q")
    method = pika.spec.Basic.Consume(queue="q", consumer_tag="t")
    channel.basic_consume("q", lambda *_: None, consumer_tag="t")
    channel._impl._send_method(method)
    assert refusal(pika.exceptions.ConnectionClosedByBroker,
                   lambda: pump_until([channel.connection], lambda: False)) == (
        530, "NOT_ALLOWED - attempt to reuse consumer tag 't'")


def test_deleting_what_is_missing_succeeds(broker):
    channel = broker.channel()
    assert channel.queue_delete("absent").method.message_count == 0
    channel.exchange_delete("absent")


def test_conditional_deletes_are_refused(broker):
    channel = broker.channel()
    channel.queue_declare("q")
    channel.basic_publish("", "q", b"m")
    assert channel_refusal(channel, lambda: channel.queue_delete("q", if_empty=True)) == (
        406, f"PRECONDITION_FAILED - queue 'q' in vhost '{broker.vhost}' not empty")
    owner = broker.channel()
    owner.basic_consume("q", lambda *_: None)
    channel = broker.channel()
    assert channel_refusal(channel, lambda: channel.queue_delete("q", if_unused=True)) == (
        406, f"PRECONDITION_FAILED - queue 'q' in vhost '{broker.vhost}' in use")
