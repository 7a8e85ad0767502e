"""Who may do what: every route and method, asked by everybody."""

import dataclasses
from urllib.parse import quote

from .row import Row, delete, get, post, put
from .scene import EVERYTHING, TAGS

E, POLICY = EVERYTHING, {"pattern": "^none$", "definition": {"max-length": 5}}
TOPIC = {"exchange": "x", "write": "", "read": ""}
GET_ONE = {"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"}
PUBLISH = {"routing_key": "k", "payload": "m", "payload_encoding": "string", "properties": {}}
USER = put("/users/{u}", {"password": "p", "tags": ""})
KEY = "/bindings/{v}/e/x/q/q/k"

# What is only read.
READS = tuple("""
/overview /cluster-name /nodes /nodes/{node} /nodes/{node}/memory /nodes/{node}/memory/relative /nodes/{node}/memory/ets
/nodes/{node}/memory/ets/relative /nodes/{node}/memory/ets/none /nodes/{node}/memory/ets/none/relative /nodes/missing
/extensions /feature-flags /deprecated-features /deprecated-features/used /auth/hash_password/p /config/effective
/version /auth/attempts/{node} /auth/attempts/{node}/source /whoami
/vhosts /vhosts/{v} /vhosts/missing /vhosts/{v}/permissions /vhosts/{v}/topic-permissions /vhosts/{v}/connections
/vhosts/missing/permissions /vhosts/missing/connections /vhosts/missing/channels
/vhosts/{v}/channels /users /users/without-permissions /users/guest /users/missing /users/guest/permissions
/users/missing/permissions /users/guest/topic-permissions /users/missing/topic-permissions /users/guest/queues
/users/{caller}/queues /users/{caller} /users/{caller}/permissions /users/missing/queues
/permissions /permissions/{v}/guest /permissions/{v}/missing /permissions/missing/guest /topic-permissions
/topic-permissions/{v}/guest /topic-permissions/{v}/missing /topic-permissions/{v}/guest/y /topic-permissions/{v}/missing/y
/exchanges /exchanges/{v} /exchanges/missing /exchanges/{v}/x /exchanges/{v}/missing /exchanges/missing/x
/exchanges/{v}/x/bindings/source /exchanges/{v}/y/bindings/destination /exchanges/{v}/missing/bindings/source
/queues /queues/detailed /queues/{v} /queues/missing /queues/{v}/q /queues/{v}/missing /queues/missing/q
/queues/{v}/q/bindings /queues/quorum/{v}/quorum/status /queues/quorum/{v}/q/status /queues/quorum/{v}/missing/status
/bindings /bindings/{v} /bindings/missing /bindings/{v}/e/x/q/q /bindings/{v}/e/x/e/y /bindings/{v}/e/missing/q/q
/bindings/{v}/e/x/q/q/k /bindings/{v}/e/x/e/y/k /bindings/{v}/e/x/q/q/missing
/policies /policies/{v} /policies/missing /policies/{v}/p /policies/{v}/missing /policies/missing/p
/operator-policies /operator-policies/{v} /operator-policies/{v}/o /operator-policies/{v}/missing /operator-policies/missing/o
/parameters /parameters/vhost-limits /parameters/missing /parameters/vhost-limits/{v} /parameters/vhost-limits/missing
/parameters/vhost-limits/{v}/limits /parameters/vhost-limits/{v}/missing /parameters/missing/{v}/missing
/global-parameters /global-parameters/cluster_name /global-parameters/missing
/vhost-limits /vhost-limits/{v} /vhost-limits/missing /user-limits /user-limits/guest /user-limits/{caller}
/user-limits/missing
/health/checks/alarms /health/checks/local-alarms /health/checks/virtual-hosts /health/checks/port-listener/1
/health/checks/protocol-listener/amqp /health/checks/certificate-expiration/1/days
/health/checks/certificate-expiration/1/eons
/health/checks/node-is-quorum-critical /health/checks/metadata-store/initialized
/health/checks/metadata-store/initialized/with-data
/health/checks/quorum-queues-without-elected-leaders/all-vhosts
/health/checks/quorum-queues-without-elected-leaders/all-vhosts/pattern/.*
/health/checks/quorum-queues-without-elected-leaders/vhost/{v}
/health/checks/quorum-queues-without-elected-leaders/vhost/{v}/pattern/.*
/health/checks/quorum-queues-without-elected-leaders/vhost/missing
/health/checks/is-in-service /health/checks/below-node-connection-limit /health/checks/ready-to-serve-clients
/health/checks/reached-target-cluster-size /health/checks/node-is-mirror-sync-critical
/aliveness-test/{v} /aliveness-test/missing /healthchecks/node /healthchecks/node/{node} /healthchecks/node/missing
/definitions /definitions/{v} /definitions/missing /all-configuration
/connections /connections/missing /connections/missing/channels /connections/missing/sessions
/connections/username/missing /connections/username/{caller} /connections/username/guest
/channels /channels/missing /consumers /consumers/{v} /consumers/missing
/index.html /traces /trace-files /top/{node} /process/1 /stream/connections /auth /nothing
""".split())
# What looks at connections: of the caller, and of somebody else.
LIVE = (
    "/connections/{WHOSE}",
    "/connections/{WHOSE}/channels",
    "/connections/{WHOSE}/sessions",
    "/channels/{WHOSE}%20(1)",
)
# What changes something, with what is there beforehand.
CHANGES = (
    (put("/cluster-name", {}), ()),
    (put("/feature-flags/missing/enable"), ()),
    (delete("/reset", may_be_shared=True), ()),
    (delete("/reset/{node}", may_be_shared=True), ()),
    (delete("/reset/missing", may_be_shared=True), ()),
    (post("/rebalance/queues"), ()),
    (delete("/auth/attempts/{node}"), ()),
    (delete("/auth/attempts/{node}/source"), ()),
    (delete("/auth/attempts/missing"), ()),
    (post("/login"), ()),
    (delete("/login"), ()),
    (put("/vhosts/{v}"), ()),
    (delete("/vhosts/{v}"), ()),
    (delete("/vhosts/missing"), ()),
    (post("/vhosts/{v}/start/{node}"), ()),
    (post("/vhosts/{v}/start/missing"), ()),
    (post("/vhosts/missing/start/{node}"), ()),
    (post("/vhosts/{v}/deletion/protection"), ()),
    (delete("/vhosts/{v}/deletion/protection"), ()),
    (get("/vhosts/{v}/deletion/protection"), ()),
    (delete("/vhosts/missing/deletion/protection"), ()),
    (post("/vhosts/missing/deletion/protection"), ()),
    (put("/users/{u}", {"password": "p", "tags": ""}), ()),
    (put("/users/{u}", {"password": "p", "tags": ""}), (USER,)),
    (delete("/users/{u}"), (USER,)),
    (delete("/users/missing"), ()),
    (post("/users/bulk-delete", {"users": ["{u}"]}), (USER,)),
    (put("/permissions/{v}/{u}", E), (USER,)),
    (put("/permissions/missing/guest", E, may_be_shared=True), ()),
    (delete("/permissions/{v}/{u}"), (USER, put("/permissions/{v}/{u}", E))),
    (delete("/permissions/{v}/missing"), ()),
    (put("/topic-permissions/{v}/{u}", TOPIC), (USER,)),
    (put("/topic-permissions/{v}/{u}/y", TOPIC), (USER,)),
    (delete("/topic-permissions/{v}/guest"), ()),
    (delete("/topic-permissions/{v}/guest/y"), ()),
    (delete("/topic-permissions/{v}/guest/missing"), ()),
    (put("/exchanges/{v}/new"), ()),
    (put("/exchanges/{v}/x", {"type": "topic"}), ()),
    (put("/exchanges/missing/new"), ()),
    (delete("/exchanges/{v}/x"), ()),
    (delete("/exchanges/{v}/missing"), ()),
    (delete("/exchanges/missing/x"), ()),
    (post("/exchanges/{v}/x/publish", PUBLISH), ()),
    (post("/exchanges/{v}/missing/publish", PUBLISH), ()),
    (post("/exchanges/{v}/amq.default/publish", PUBLISH), ()),
    (post("/exchanges/missing/x/publish", PUBLISH), ()),
    (put("/queues/{v}/new"), ()),
    (put("/queues/{v}/q", {"durable": True}), ()),
    (put("/queues/missing/new"), ()),
    (delete("/queues/{v}/q"), ()),
    (delete("/queues/{v}/missing"), ()),
    (delete("/queues/missing/q"), ()),
    (delete("/queues/{v}/q/contents"), ()),
    (delete("/queues/{v}/missing/contents"), ()),
    (post("/queues/{v}/q/get", GET_ONE), ()),
    (post("/queues/{v}/missing/get", GET_ONE), ()),
    (post("/queues/missing/q/get", GET_ONE), ()),
    (post("/queues/{v}/q/actions", {"action": "sync"}), ()),
    (post("/queues/{v}/missing/actions", {"action": "sync"}), ()),
    (post("/queues/quorum/{v}/q/replicas/add", {"node": "missing"}), ()),
    (delete("/queues/quorum/{v}/q/replicas/delete", body={"node": "missing"}), ()),
    (
        post(
            "/queues/quorum/replicas/on/{node}/grow",
            {"vhost_pattern": "^none$", "queue_pattern": "^none$", "strategy": "all"},
        ),
        (),
    ),
    (delete("/queues/quorum/replicas/on/missing/shrink"), ()),
    (post("/bindings/{v}/e/x/q/q", {"routing_key": "new"}), ()),
    (post("/bindings/{v}/e/x/e/y", {"routing_key": "new"}), ()),
    (post("/bindings/{v}/e/missing/q/q"), ()),
    (post("/bindings/{v}/e/x/q/missing"), ()),
    (post("/bindings/missing/e/x/q/q"), ()),
    (delete(KEY), ()),
    (delete("/bindings/{v}/e/x/e/y/k"), ()),
    (delete("/bindings/{v}/e/x/q/q/missing"), ()),
    (put("/policies/{v}/new", POLICY), ()),
    (put("/policies/{v}/p", POLICY), ()),
    (put("/policies/missing/p", POLICY), ()),
    (delete("/policies/{v}/p"), ()),
    (delete("/policies/{v}/missing"), ()),
    (put("/operator-policies/{v}/new", POLICY), ()),
    (put("/operator-policies/missing/new", POLICY), ()),
    (delete("/operator-policies/{v}/o"), ()),
    (delete("/operator-policies/{v}/missing"), ()),
    (put("/parameters/vhost-limits/{v}/limits", {"value": {"max-queues": 5}}), ()),
    (put("/parameters/vhost-limits/missing/limits", {"value": {"max-queues": 5}}), ()),
    (put("/parameters/missing/{v}/one", {"value": 1}), ()),
    (delete("/parameters/vhost-limits/{v}/limits"), ()),
    (delete("/parameters/vhost-limits/{v}/missing"), ()),
    (put("/global-parameters/{u}", {"value": 1}), ()),
    (delete("/global-parameters/missing"), ()),
    (delete("/global-parameters/{u}"), ()),
    (put("/vhost-limits/{v}/max-connections", {"value": 5}), ()),
    (put("/vhost-limits/missing/max-connections", {"value": 5}), ()),
    (put("/vhost-limits/{v}/missing", {"value": 5}), ()),
    (delete("/vhost-limits/{v}/max-queues"), ()),
    (delete("/vhost-limits/{v}/max-connections"), ()),
    (put("/user-limits/{u}/max-channels", {"value": 5}), (USER,)),
    (put("/user-limits/missing/max-channels", {"value": 5}), ()),
    (delete("/user-limits/{u}/max-channels"), (USER,)),
    (delete("/user-limits/missing/max-channels"), ()),
    (post("/definitions", {}), ()),
    (post("/definitions/{v}", {}), ()),
    (post("/definitions/missing", {}), ()),
    (post("/all-configuration", {}), ()),
    (delete("/connections/missing"), ()),
    (delete("/connections/username/missing"), ()),
    (put("/traces/{v}/t", {}), ()),
    (delete("/trace-files/t"), ()),
    (put("/nothing"), ()),
    (post("/nothing"), ()),
)
# What changes connections.
CLOSING = (delete("/connections/{WHOSE}"), delete("/connections/username/{WHOM}"))
# Ours alone.
OWN = (
    get("//live"),
    get("//ready"),
    get("/openapi.json"),
    get("/docs"),
    get("/docs/viewer.css"),
    get("/docs/viewer.js"),
    get("/warren/node"),
    post("/warren/node/reset"),
    get("/warren/node/settings"),
    put("/warren/node/settings"),
    post("/warren/node/shutdown"),
    post("/warren/node/start-app"),
    post("/warren/node/stop-app"),
    get("/warren/plugins"),
    put("/warren/plugins"),
    get("/warren/sessions"),
    post("/warren/sessions"),
    delete("/warren/sessions"),
    get("/warren/tls"),
)


def callers(scene):
    """Everybody: the name in the table, the credentials, whether they are granted anything in the virtual host."""
    found = [("nobody", None, False), ("wrong password", "guest:wrong", False)]
    for tag in TAGS:
        for inside in (False, True):
            name = f"{scene.prefix}-{tag or 'none'}-{'in' if inside else 'out'}"
            found.append((f"{tag or 'no tag'}{' inside' if inside else ''}", f"{name}:{name}", inside))
    return found


def prepare(scene):
    for name, login, inside in callers(scene):
        if login and not login.startswith("guest"):
            user = login.split(":")[0]
            scene.person(user, name.split(" ")[0] if not name.startswith("no ") else "")
            if inside:
                scene.grant(user, scene.home)


def cases():
    """Method and path of everything that is asked, as in the document."""
    steps = [get(path) for path in READS + LIVE] + [step for step, _ in CHANGES] + list(CLOSING + OWN)
    return [(step.method, step.path[1:] if step.path.startswith("//") else "/api" + step.path) for step in steps]


def answers(scene):
    """Every case: its name, and who gets which answer."""
    prepare(scene)
    for path in READS:
        yield from _asked(scene, [(get(path), (), False)])
    yield from _asked(scene, [(step, before, True) for step, before in CHANGES])
    yield from _asked(scene, [(step, (), False) for step in OWN])
    for path in LIVE:
        yield from _live(scene, get(path))
    for step in CLOSING:
        yield from _live(scene, step)


def _asked(scene, cases):
    for step, before, fresh in cases:
        name = f"{step.method} {step.path}" + (" again" if before and step == before[-1] else "")
        for caller, login, inside in callers(scene):
            user = login.split(":")[0] if login else "guest"
            asked = dataclasses.replace(step, login=login)
            row = Row(name, (asked,), before, fresh, granted=user if inside and fresh else None)
            yield name, caller, scene.play(row, {"caller": user} if "{caller}" in step.path else None)


def _live(scene, step):
    deletes = step.method == "DELETE"
    for whose in ("own", "other's"):
        shared = {}
        name = f"{step.method} {step.path.replace('{WHOSE}', '{connection}').replace('{WHOM}', '{user}')} of {'the caller' if whose == 'own' else 'another'}"
        for caller, login, inside in callers(scene):
            user = login.split(":")[0] if login else "guest"
            known = login and not login.endswith(":wrong")
            owner = login if whose == "own" and known else f"{scene.prefix}-none-in:{scene.prefix}-none-in"
            if whose == "own" and (not known or not inside):
                continue  # has no connection here
            if whose != "own" and owner == login:
                owner = f"{scene.prefix}-management-in:{scene.prefix}-management-in"
            if deletes or owner not in shared:
                shared[owner] = scene.connect(owner, scene.home)
            places = {"WHOSE": quote(shared[owner], safe=""), "WHOM": owner.split(":")[0]}
            row = Row(name, (dataclasses.replace(step, login=login),))
            yield name, caller, scene.play(row, places)
