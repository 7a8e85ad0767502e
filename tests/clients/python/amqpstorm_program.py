"""AMQPStorm's management API: every function it offers."""
import os

import amqpstorm
from amqpstorm import management
from amqpstorm.management import basic, channel, connection, exchange, healthchecks, queue, user, virtual_host
from called import Called
from checks import HOST, PORT, name, ok, until

called = Called(management.ManagementApi, basic.Basic, channel.Channel, connection.Connection, exchange.Exchange,
                healthchecks.HealthChecks, queue.Queue, user.User, virtual_host.VirtualHost)
api = management.ManagementApi(os.environ["HTTP_URL"], "guest", "guest", timeout=30)
VHOST, USER = name("storm/vhost"), name("storm-user")


def refused(code, call, *args, **named):
    try:
        call(*args, **named)
    except management.ApiError as error:
        return error.error_code == code
    return False


overview = api.overview()
node = overview["node"]
ok("overview", overview["rabbitmq_version"].startswith("4.3.") and overview["object_totals"]["queues"] >= 0)
ok("nodes", [entry["name"] for entry in api.nodes()] == [node] and api.node(node)["running"])
ok("whoami", api.whoami()["name"] == "guest" and "administrator" in api.whoami()["tags"])
ok("cluster name", api.cluster_name()["name"] == overview["cluster_name"])
ok("health checks", api.healthchecks.get() == api.healthchecks.get(node) == {"status": "ok"})
# A plugin's route, and the plugin is off.
ok("processes of the runtime: not found, as on the reference", refused(404, api.top))

api.virtual_host.create(VHOST)
ok("a vhost is created", api.virtual_host.get(VHOST)["name"] == VHOST)
ok("and listed", VHOST in [vhost["name"] for vhost in api.virtual_host.list()])
api.user.create(USER, "secret", tags=["management", "policymaker"])
ok("a user is created", sorted(api.user.get(USER)["tags"]) == ["management", "policymaker"])
ok("and listed", USER in [user["name"] for user in api.user.list()])
api.user.set_permission(USER, VHOST, "^a", "", ".*")
api.user.set_permission("guest", VHOST)
granted = {"user": USER, "vhost": VHOST, "configure": "^a", "write": "", "read": ".*"}
ok("permissions", api.user.get_permission(USER, VHOST) == granted and api.user.get_permissions(USER) == [granted])
ok("permissions of a vhost", granted in api.virtual_host.get_permissions(VHOST))
api.user.delete_permission(USER, VHOST)
ok("a revoked permission is gone", refused(404, api.user.get_permission, USER, VHOST))
ok("the vhost is alive", api.aliveness_test(VHOST)["status"] == "ok")

api.exchange.declare("events", "topic", VHOST, durable=True)
api.exchange.declare("events", virtual_host=VHOST, passive=True)
ok("an exchange is declared", api.exchange.get("events", VHOST)["type"] == "topic")
api.exchange.declare("inner", "fanout", VHOST, internal=True, arguments={"alternate-exchange": "events"})
ok("exchanges are listed, filtered by pages",
   [found["name"] for found in api.exchange.list(VHOST, name="^(events|inner)$", use_regex=True, page_size=1)] == ["events", "inner"])
ok("exchanges of all vhosts", "inner" in [found["name"] for found in api.exchange.list(show_all=True)])
ok("another type is refused", refused(400, api.exchange.declare, "events", "fanout", VHOST, durable=True))
for number in range(5):
    api.queue.declare(f"q{number}", VHOST, durable=True, arguments={"x-max-length": 10})
ok("a declared queue", api.queue.declare("q0", VHOST, passive=True)["arguments"]["x-max-length"] == 10)
ok("queues are listed by pages", [found["name"] for found in api.queue.list(VHOST, name="q", page_size=2)] == [f"q{n}" for n in range(5)])
ok("queues of all vhosts", "q4" in [found["name"] for found in api.queue.list(show_all=True)])
ok("a missing queue", refused(404, api.queue.get, "absent", VHOST))
api.queue.bind("q0", "events", "news.#", VHOST, {"n": 1})
api.queue.bind("q1", "events", "news.it", VHOST)
api.exchange.bind("inner", "events", "inner.*", VHOST)
keys = {found["routing_key"]: found["properties_key"] for found in api.queue.bindings("q0", VHOST)}
ok("bindings of a queue", sorted(keys) == ["news.#", "q0"])
ok("bindings of an exchange", len(api.exchange.bindings("events", VHOST)) == 3)
sent = api.basic.publish("hello 水许传", "news.it", "events", VHOST, {"content_type": "text/plain", "headers": {"n": 1}})
ok("a message is routed", sent == {"routed": True})
ok("and another is not", api.basic.publish("x", "nowhere", "events", VHOST) == {"routed": False})
got = api.basic.get("q0", VHOST, requeue=True, to_dict=True)
ok("a message is got", got[0]["payload"] == "hello 水许传" and got[0]["properties"]["headers"] == {"n": 1}, got)
again = api.basic.get("q0", VHOST, requeue=False, truncate=5)
ok("it comes again, cut off", again[0].body == "hello")
ok("and is gone then", api.basic.get("q0", VHOST) == [])
api.queue.purge("q1", VHOST)
ok("a purged queue is empty", api.basic.get("q1", VHOST) == [])
api.queue.unbind("q0", "events", "news.#", VHOST, keys["news.#"])
api.queue.unbind("q1", "events", "news.it", VHOST)
api.exchange.unbind("inner", "events", "inner.*", VHOST)
ok("unbound", [found["routing_key"] for found in api.queue.bindings("q0", VHOST)] == ["q0"] and not api.exchange.bindings("events", VHOST))

with amqpstorm.Connection(HOST, "guest", "guest", PORT, virtual_host=VHOST,
                          client_properties={"connection_name": USER}) as client:
    client.channel().basic.consume(lambda _: None, "q0")
    mine = until(lambda: [found for found in api.connection.list(name="127.0.0.1", page_size=10) if found["vhost"] == VHOST])[0]
    ok("a connection is listed", mine["user"] == "guest" and api.connection.get(mine["name"])["channels"] == 1)
    channels = until(lambda: [found for found in api.channel.list() if found["vhost"] == VHOST])
    ok("and its channel", channels[0]["number"] == 1 and api.channel.get(channels[0]["name"])["consumer_details"][0]["queue"]["name"] == "q0")
    ok("channels by pages", [found["name"] for found in api.channel.list(name=mine["name"], page_size=1)] == [channels[0]["name"]])
    api.connection.close(mine["name"], "told to")
    until(lambda: mine["name"] not in [found["name"] for found in api.connection.list()])
    ok("a connection is closed", refused(404, api.connection.get, mine["name"]))

for number in range(5):
    api.queue.delete(f"q{number}", VHOST)
api.exchange.delete("events", VHOST)
api.exchange.delete("inner", VHOST)
ok("deleted", api.queue.list(VHOST) == [] and refused(404, api.exchange.get, "events", VHOST))
api.user.create(USER + "-2", "secret")
api.user.delete([USER, USER + "-2"])
ok("users are deleted together", not {USER, USER + "-2"} & {user["name"] for user in api.user.list()})
api.virtual_host.delete(VHOST)
ok("a deleted vhost is gone", refused(404, api.virtual_host.get, VHOST))
with management.ManagementApi(os.environ["HTTP_URL"], "guest", "wrong") as wrong:
    ok("a wrong password is refused", refused(401, wrong.overview))
api.user.create(USER, "secret")
api.user.delete(USER)
ok("every function was called", not called.missing, called.missing)
