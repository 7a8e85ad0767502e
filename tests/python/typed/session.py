"""A client made from the OpenAPI document by a published generator, and a small session with it.

The generator must take the whole document: a schema or an answer that it leaves out with a warning is a finding. What
the client does not know as types fails here, since nothing below speaks JSON.
"""
import importlib
import os
import subprocess
import sys
import tempfile
import urllib.request

PACKAGE = "warren_api"
GENERATION_TIMEOUT_S = 300


def generate(url, folder):
    """Makes the package, and says what the generator could not make."""
    document = os.path.join(folder, "openapi.json")
    with urllib.request.urlopen(url + "/api/openapi.json", timeout=30) as answer, open(document, "wb") as file:
        file.write(answer.read())
    tools = os.path.dirname(sys.executable)
    made = subprocess.run(
        [os.path.join(tools, "openapi-python-client"), "generate", "--path", document, "--meta", "none",
         "--output-path", os.path.join(folder, PACKAGE), "--fail-on-warning"],
        env={**os.environ, "PATH": tools + os.pathsep + os.environ.get("PATH", "")},
        capture_output=True, text=True, timeout=GENERATION_TIMEOUT_S, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    sys.path.insert(0, folder)
    return importlib.import_module(PACKAGE)


class Api:
    """Operations and types of the made package, by name."""

    def __init__(self, package, url):
        basic = "Z3Vlc3Q6Z3Vlc3Q="
        self.client = package.AuthenticatedClient(base_url=url, token=basic, prefix="Basic")

    def call(self, resource, operation, *names, **given):
        """The whole answer: its status and what was read from it."""
        module = importlib.import_module("%s.api.%s.%s" % (PACKAGE, resource, operation))
        return module.sync_detailed(*names, client=self.client, **given)

    @staticmethod
    def make(name, /, *given, **fields):
        module = importlib.import_module("%s.models" % PACKAGE)
        return getattr(module, name)(*given, **fields)


def session(api):
    make = api.make
    steps = 0

    def done(status, resource, operation, *names, **given):
        nonlocal steps
        steps += 1
        answer = api.call(resource, operation, *names, **given)
        assert answer.status_code == status, "%s answers %d: %r" % (operation, answer.status_code, answer.content)
        return answer.parsed

    done(201, "vhosts", "put_vhosts_vhost", "typed/1",
         body=make("PutVhost", description="made by a typed client", default_queue_type=make("QueueType", "quorum")))
    assert done(200, "vhosts", "get_vhosts_vhost", "typed/1").description == "made by a typed client"
    done(201, "users", "put_users_user", "typed", body=make("PutUser", password="secret", tags=["management", "policymaker"]))
    user = done(200, "users", "get_users_user", "typed")
    assert user.tags == ["management", "policymaker"] and user.limits.additional_properties == {}
    done(201, "permissions", "put_permissions_vhost_user", "typed/1", "typed",
         body=make("PutPermission", configure=".*", write=".*", read=".*"))
    # Whoever makes a virtual host may do everything there.
    done(204, "permissions", "put_permissions_vhost_user", "typed/1", "guest",
         body=make("PutPermission", configure=".*", write=".*", read=".*"))
    done(204, "limits", "put_vhost_limits_vhost_limit", "typed/1", "max-queues", body=make("PutLimit", value=10))

    arguments = make("QueueArguments", x_max_length=5, x_queue_type=make("QueueArgumentsXQueueType", "classic"),
                     x_overflow=make("QueueArgumentsXOverflow", "reject-publish"))
    done(201, "queues", "put_queues_vhost_queue", "typed/1", "orders", body=make("PutQueue", durable=True, arguments=arguments))
    done(201, "exchanges", "put_exchanges_vhost_exchange", "typed/1", "events", body=make("PutExchange", type_="topic", durable=True))
    done(201, "bindings", "post_bindings_vhost_e_source_q_queue", "typed/1", "events", "orders",
         body=make("PostBinding", routing_key="order.*"))
    settings = make("PolicySettings", message_ttl=60_000)
    done(201, "policies", "put_policies_vhost_policy", "typed/1", "short",
         body=make("PutPolicy", pattern="^orders$", definition=settings, priority=1, apply_to=make("ApplyTo", "queues")))

    message = make("Publish", routing_key="order.paid", payload="1", payload_encoding=make("PayloadEncoding", "string"),
                   properties=make("MessageProperties", content_type="text/plain", delivery_mode=2))
    assert done(200, "messages", "post_exchanges_vhost_exchange_publish", "typed/1", "events", body=message).routed
    fetch = make("Get", count=5, ackmode=make("AckMode", "ack_requeue_false"), encoding=make("FetchEncoding", "auto"))
    fetched = done(200, "messages", "post_queues_vhost_queue_get", "typed/1", "orders", body=fetch)
    assert [(one.payload, one.properties.content_type, one.message_count) for one in fetched] == [("1", "text/plain", 0)]

    listed = done(200, "queues", "get_queues_vhost", "typed/1")
    assert [(one.name, one.arguments.x_max_length, one.policy) for one in listed] == [("orders", 5, "short")], listed
    page = done(200, "queues", "get_queues_vhost", "typed/1", page=1, page_size=10)
    assert page.total_count == 1 and page.items[0].name == "orders", page
    bindings = done(200, "bindings", "get_bindings_vhost_e_source_q_queue", "typed/1", "events", "orders")
    assert [one.properties_key for one in bindings] == ["order.%2A"]
    exported = done(200, "definitions", "get_definitions_vhost", "typed/1")
    assert [(one.name, one.arguments.x_overflow) for one in exported.queues] == [("orders", "reject-publish")]
    refusal = done(404, "queues", "get_queues_vhost_queue", "typed/1", "missing")
    assert refusal.code == "not_found" and refusal.object_.name == "missing"

    done(204, "queues", "delete_queues_vhost_queue", "typed/1", "orders", if_empty=True)
    done(204, "users", "delete_users_user", "typed")
    done(204, "vhosts", "delete_vhosts_vhost", "typed/1")
    return steps


def main():
    url = os.environ["WARREN_HTTP"]
    with tempfile.TemporaryDirectory() as folder:
        package = generate(url, folder)
        print("%d steps of a typed client" % session(Api(package, url)))


if __name__ == "__main__":
    main()
