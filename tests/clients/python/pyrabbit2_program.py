"""pyrabbit2: every function it offers."""
import os

import amqpstorm
from called import Called
from checks import HOST, PORT, name, ok, until
from pyrabbit2 import api, http

called = Called(api.Client)
client = api.Client(os.environ["HTTP_URL"].removeprefix("http://"), "guest", "guest", timeout=30)
VHOST, USER, HASHED = name("pyrabbit/vhost"), name("pyrabbit-user"), name("pyrabbit-hashed")


def refused(status, call, *args, **named):
    try:
        call(*args, **named)
    except (http.HTTPError, api.PermissionError, api.APIError) as error:
        return str(status) in str(error)
    return False


overview = client.get_overview()
ok("overview", overview["management_version"] == overview["rabbitmq_version"])
ok("whoami", client.get_whoami()["name"] == "guest")
ok("nodes", [node["name"] for node in client.get_nodes()] == [overview["node"]])
ok("cluster name", client.get_cluster_name()["name"] == overview["cluster_name"])
ok("extensions", isinstance(client.get_extensions(), list))
ok("the server is alive", client.is_alive())

ok("a vhost is created", client.create_vhost(VHOST) and client.get_vhost(VHOST)["name"] == VHOST)
ok("and listed", VHOST in client.get_vhost_names() and VHOST in [vhost["name"] for vhost in client.get_all_vhosts()])
client.create_user(USER, password="secret", tags="management")
client.create_user(HASHED, password_hash="kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR", tags="")
users = {user["name"]: user for user in client.get_users()}
ok("users", users[USER]["tags"] == ["management"] and users[HASHED]["hashing_algorithm"] == "rabbit_password_hashing_sha256")
client.set_vhost_permissions(VHOST, USER, "^a", ".*", "")
client.set_vhost_permissions(VHOST, "guest", ".*", ".*", ".*")
granted = {"user": USER, "vhost": VHOST, "configure": "^a", "write": "", "read": ".*"}
ok("permissions", client.get_permission(VHOST, USER) == granted and client.get_user_permissions(USER) == [granted])
ok("permissions of a vhost and of all", granted in client.get_vhost_permissions(VHOST) and granted in client.get_permissions())

client.create_policy(VHOST, "bounds", pattern="^q", definition={"max-length": 100}, priority=1, **{"apply-to": "queues"})
ok("a policy", client.get_policy(VHOST, "bounds")["definition"] == {"max-length": 100})
ok("policies", "bounds" in [policy["name"] for policy in client.get_all_policies()])
client.create_exchange(VHOST, "events", "topic", durable=True)
ok("an exchange", client.get_exchange(VHOST, "events")["type"] == "topic")
ok("exchanges", "events" in [found["name"] for found in client.get_exchanges(VHOST)] and client.get_exchanges())
for queue in ["q1", "q2"]:
    client.create_queue(VHOST, queue, durable=True, arguments={"x-max-priority": 3})
ok("a queue", until(lambda: client.get_queue(VHOST, "q1").get("policy")) == "bounds")
ok("queues", [found["name"] for found in client.get_queues(VHOST)] == ["q1", "q2"] and len(client.get_queues()) >= 2)
ok("queues by a pattern, page by page", [found["name"] for found in client.get_queues(VHOST, pattern="^q[2-9]", regex=True)] == ["q2"])
client.create_binding(VHOST, "events", "q1", "news.it")
ok("bindings", {"q1", "news.it"} == {found["routing_key"] for found in client.get_queue_bindings(VHOST, "q1")}
   and "news.it" in [found["routing_key"] for found in client.get_bindings()])
# Three that the library has, and that do nothing.
for nothing in [client.get_bindings_from_exchange, client.get_bindings_to_exchange]:
    nothing(VHOST, "events")
client.get_bindings_between_exch_and_queue(VHOST, "events", "q1")

ok("a message is routed", client.publish(VHOST, "events", "news.it", "hello", properties={"delivery_mode": 2}))
ok("and another is not", not client.publish(VHOST, "events", "nowhere", "lost"))
ok("it is got and put back", client.get_messages(VHOST, "q1", requeue=True)[0]["payload"] == "hello")
until(lambda: client.get_queue_depth(VHOST, "q1") == 1)
client.get_queue_depths(VHOST)
ok("its queue has a depth")
ok("it is got for good", client.get_messages(VHOST, "q1", count=5, truncate=2)[0]["payload"] == "he")
client.publish(VHOST, "events", "news.it", "purged")
client.purge_queue(VHOST, "q1")
ok("queues are purged", client.purge_queues([("q1", VHOST), ("q2", VHOST)]) and not client.get_messages(VHOST, "q1"))

with amqpstorm.Connection(HOST, "guest", "guest", PORT, virtual_host=VHOST) as connection:
    connection.channel().queue.declare("q1", passive=True)
    mine = until(lambda: [found for found in client.get_connections() or [] if found.get("vhost") == VHOST])[0]["name"]
    ok("a connection", client.get_connection(mine)["user"] == "guest")
    channel = until(lambda: [found for found in client.get_channels() or [] if found["vhost"] == VHOST])[0]["name"]
    ok("its channel", client.get_channel(channel)["number"] == 1)
    client.delete_connection(mine)
    until(lambda: mine not in [found["name"] for found in client.get_connections() or []])
    ok("a connection is closed", refused(404, client.get_connection, mine))

definitions = client.get_definitions()
ok("definitions", "q1" in [queue["name"] for queue in definitions["queues"] if queue["vhost"] == VHOST])
# Shovels are a plugin; here, and there when it is off, their routes are not.
ok("no shovels", client.get_all_shovels() == [])
for what, call in [("create", lambda: client.create_shovel(VHOST, "s", **{"src-uri": "amqp://"})),
                   ("get", lambda: client.get_shovel(VHOST, "s")), ("delete", lambda: client.delete_shovel(VHOST, "s"))]:
    ok(f"shovel: {what} is refused", refused(40, call))

client.delete_binding(VHOST, "events", "q1", "news.it")
client.delete_policy(VHOST, "bounds")
client.delete_exchange(VHOST, "events")
for queue in ["q1", "q2"]:
    client.delete_queue(VHOST, queue)
ok("deleted", not client.get_queues(VHOST) and refused(404, client.get_exchange, VHOST, "events"))
client.delete_permission(VHOST, USER)
for user in [USER, HASHED]:
    client.delete_user(user)
client.delete_vhost(VHOST)
ok("a deleted vhost is gone", VHOST not in client.get_vhost_names())
ok("a wrong password is refused", refused("ermission", api.Client(client.api_url, "guest", "wrong").get_overview))
ok("every function was called", not called.missing, called.missing)
