"""Requests of every shape: methods, slashes, escapes, headers, on every route."""

from .matrix import CHANGES, READS
from .row import Ask, Row, get
from .scene import harms

METHODS = ("HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "TRACE", "get")
HARMLESS = {"PUT": b'{"a":', "POST": b'{"a":', "DELETE": None}
ACCEPT = (
    "application/json", "*/*", "text/html", "application/xml", "text/*", "application/*", "application/json;q=0.1",
    "application/json;q=0", "", "nonsense", "text/html, */*;q=0.1", "application/bert", "APPLICATION/JSON",
    "application/json;version=1", "text/plain", "*", "application/json, nonsense", "*/json", ";", "a/b/c", ",",
)
TYPES = (
    "application/json", "text/plain", "", "nonsense", "application/xml", "application/x-www-form-urlencoded",
    "application/json; charset=utf-8", "a/b/c", "multipart/form-data", "application/json;",
    "application/json; charset", "*/*", "application/JSON", " application/json ", "application/json, text/plain",
)
LOGINS = (
    "", "Basic", "Basic ", "Basic !!!", "Basic Z3Vlc3Q=", "Basic Z3Vlc3Q6Z3Vlc3Q=", "basic Z3Vlc3Q6Z3Vlc3Q=",
    "BASIC Z3Vlc3Q6Z3Vlc3Q=", "Basic  Z3Vlc3Q6Z3Vlc3Q=", "Basic Z3Vlc3Q6Z3Vlc3Q", "Bearer x", "Bearer",
    'Digest username="guest"', "Z3Vlc3Q6Z3Vlc3Q=", "Basic Og==", "Basic OmFiYw==", "Basic Z3Vlc3Q6",
    "Basic Z3Vlc3Q6Z3Vlc3Q= x", "Token x", "Basic /////w==",
)
PATHS = (
    "/queues/", "/queues//", "//queues", "/queues/{v}/", "/queues/{v}//", "/queues/{v}/q/", "/queues//q",
    "/%71ueues", "/Queues", "/queues/{v}/q/bindings/", "/queues/{v}/q/nobody", "/queues/{v}/q/bindings/x",
    "/./queues/{v}", "/queues/../queues/{v}", "/exchanges/{v}/", "/exchanges/{v}//", "/exchanges/{v}/x/",
    "/exchanges/{v}/x/bindings", "/exchanges/{v}/x/bindings/", "/exchanges/{v}/x/bindings/nobody",
    "/exchanges/{v}//bindings/source", "/exchanges/{v}/amq.default", "/exchanges/{v}/amq.default/bindings/source",
    "/exchanges/{v}/amq.default/bindings/destination", "/bindings/{v}/", "/bindings/{v}/e", "/bindings/{v}/e/x",
    "/bindings/{v}/e/x/q", "/bindings/{v}/e/x/q/", "/bindings/{v}/e/x/q/q/", "/bindings/{v}/e/x/q/q/k/",
    "/bindings/{v}/e//q/q", "/bindings/{v}/e/amq.default/q/q", "/bindings/{v}/e//q/q/q",
    "/bindings/{v}/e/amq.default/q/q/q", "/bindings/{v}/e/x/z/q", "/bindings/{v}/q/q", "/bindings/{v}/e/x/q/q/k/x",
    "/bindings/{v}/e//e/x", "/vhosts/", "/vhosts/{v}/", "/vhosts/{v}/nobody", "/vhosts/{v}/permissions/",
    "/vhosts//permissions", "/users/", "/users/guest/", "/users//permissions", "/users/guest/nobody",
    "/permissions/", "/permissions/{v}", "/permissions/{v}/", "/permissions/{v}/guest/", "/permissions//guest",
    "/topic-permissions/{v}", "/topic-permissions/{v}/guest/", "/topic-permissions/{v}/guest/x", "/policies/{v}/",
    "/policies/{v}/p/", "/policies/{v}/p/x", "/parameters/", "/parameters/vhost-limits/", "/parameters//{v}",
    "/global-parameters/", "/global-parameters//", "/vhost-limits/{v}/", "/vhost-limits/{v}/max-queues",
    "/user-limits/guest/max-channels", "/user-limits/", "/connections/", "/connections/username",
    "/connections/username/", "/channels/", "/consumers/", "/definitions/", "/overview/", "/overview/x", "/nodes/",
    "/whoami/", "/whoami//", "/version/", "/health", "/health/", "/health/checks", "/health/checks/",
    "/health/checks/alarms/", "/health/checks/nobody", "/health/checks/port-listener",
    "/health/checks/port-listener/", "/health/checks/protocol-listener/", "/health/checks/certificate-expiration",
    "/health/checks/certificate-expiration/1", "/health/checks/certificate-expiration/1/", "/aliveness-test",
    "/aliveness-test/", "/aliveness-test//", "/healthchecks", "/healthchecks/", "/healthchecks/node/",
    "/auth/hash_password", "/auth/hash_password/", "/auth/hash_password//", "/auth/attempts", "/auth/attempts/",
    "/auth", "/rebalance", "/reset", "/login", "/feature-flags/x", "/feature-flags/x/enable",
    "/deprecated-features/x", "/extensions/x", "/%2e%2e/queues", "/queues/%2E%2E/q", "/queues/{v}/%2E",
    "/queues/%2e/q", "/queues/{v};x/q", "/queues/{v}/q;x", "/queues/{v}?", "/queues/quorum/{v}/q", "/queues/quorum",
    "/queues/quorum/{v}/q/replicas", "/queues/quorum/{v}/q/status/", "/queues/detailed/", "/queues/detailed/x",
    "/all-configuration/", "/cluster-name/", "/index.html", "/", "", "///", "/nothing/%2F", "/nothing/%2f/x",
    "/federation-links/nobody/x/y", "/stats", "/config", "/config/effective/", "/config/effective/x", "/js/x",
    "/traces/%2F/x", "/process", "/top",
)
VHOSTS = ("{v}", "missing", "", "%2F", "/", "{v} ", "水")
HEADED = (
    "/queues", "/exchanges", "/bindings", "/connections", "/channels", "/consumers", "/policies", "/permissions",
    "/vhosts", "/parameters", "/users", "/overview", "/definitions", "/queues/{v}", "/queues/{v}/q", "/whoami",
    "/nodes", "/vhost-limits", "/queues/detailed", "/aliveness-test/{v}",
)


def rows():
    return (row for row in _all() if not any(map(harms, row.steps)))


def _all():
    paths = dict.fromkeys(path for path in READS if "{caller}" not in path)
    paths |= dict.fromkeys(step.path for step, _ in CHANGES)
    for path in paths:
        for method in METHODS:
            yield Row(f"{method} {path}", (Ask(method, path, HARMLESS.get(method)),), fresh=method == "DELETE")
    for path in PATHS:
        for method in ("GET", "PUT", "DELETE", "OPTIONS", "HEAD"):
            yield Row(f"path {method} {path}", (Ask(method, path, HARMLESS.get(method)),), fresh=method == "DELETE")
    for path in (
        "/whoami",
        "/queues/{v}",
        "/queues/{v}/missing",
        "/config/effective",
        "/version",
        "/definitions/{v}",
        "/nothing",
        "/health/checks/alarms",
        "/index.html",
        "/auth/hash_password/x",
    ):
        for accept in ACCEPT:
            yield Row(f"{path} accepting {accept!r}", (get(path, headers=(("Accept", accept),)),))
        for login in LOGINS:
            yield Row(f"{path} as {login!r}", (get(path, login=None, headers=(("Authorization", login),)),))
    for method, path, body in (
        ("PUT", "/queues/{v}/q", {"durable": True}),
        ("POST", "/definitions/{v}", {}),
        ("POST", "/login", b"username=guest&password=guest"),
        ("PUT", "/policies/{v}/p", b""),
        ("DELETE", "/vhost-limits/{v}/max-channels", None),
        ("POST", "/bindings/{v}/e/x/q/q", {}),
        ("GET", "/whoami", None),
        ("POST", "/rebalance/queues", b""),
    ):
        for kind in TYPES:
            yield Row(f"{method} {path} of {kind!r}", (Ask(method, path, body, headers=(("Content-Type", kind),)),))
    for path in HEADED:
        for vhost in VHOSTS:
            yield Row(
                f"{path} of x-vhost {vhost!r}", (get(path, headers=(("x-vhost", vhost.encode().decode("latin-1")),)),)
            )
    for body in (
        b"",
        b"username=guest&password=guest",
        b"username=guest&password=wrong",
        b"username=guest",
        b"password=guest",
        b"username=&password=",
        b"username=guest&password=guest&x=y",
        b"{}",
        b"username=%67uest&password=guest",
        b"username=guest+&password=guest",
        b"username=guest;password=guest",
        b"nonsense",
        b"username=guest&username=x&password=guest",
        b"username=%FF&password=x",
    ):
        yield Row(
            f"login {body}",
            (
                Ask(
                    "POST",
                    "/login",
                    body,
                    login=None,
                    headers=(("Content-Type", "application/x-www-form-urlencoded"),),
                ),
            ),
        )
