"""Listings, cut, sorted and filtered in every way their parameters allow, and in ways they do not."""

from .row import Row, delete, get, put
from .scene import EVERYTHING, TOPICS

LISTS = (
    "/queues/{v}", "/exchanges/{v}", "/bindings/{v}", "/policies/{v}", "/operator-policies/{v}",
    "/vhosts/{v}/permissions", "/vhosts/{v}/topic-permissions", "/vhosts/{v}/connections", "/vhosts/{v}/channels",
    "/consumers/{v}", "/vhost-limits/{v}", "/parameters/vhost-limits/{v}", "/queues/{v}/q/bindings",
    "/exchanges/{v}/x/bindings/source", "/bindings/{v}/e/x/q/q", "/users/{u}-0/permissions", "/user-limits/{u}-0",
    "/users/{u}-0/topic-permissions", "/feature-flags",
)
GLOBAL = (
    "/queues", "/exchanges", "/bindings", "/vhosts", "/users", "/permissions", "/policies", "/connections",
    "/channels", "/consumers", "/parameters", "/global-parameters", "/users/without-permissions", "/nodes",
    "/topic-permissions", "/user-limits", "/queues/detailed", "/vhost-limits",
)
PAGES = (
    "page=1", "page=1&page_size=2", "page=2&page_size=2", "page=1&page_size=500", "page=1&page_size=501",
    "page=1&page_size=0", "page=0", "page=-1", "page=9&page_size=3", "page=x", "page=", "page", "page=1.5",
    "page=1&page_size=x", "page_size=2", "page=1&page_size=", "page=%31", "page=1&page=2", "page=1&name=q",
    "page=1&name=Q", "page=1&name=none", "page=1&name=", "name=q", "page=1&name=^q&use_regex=true",
    "page=1&name=^Q&use_regex=true", "page=1&name=(&use_regex=true", "page=1&name=^q&use_regex=false",
    "page=1&name=^q&use_regex=TRUE", "page=1&name=%5Eq&use_regex=true", "page=1&name=q%2B&use_regex=true",
    "page=1&name=.&use_regex=true&page_size=3", "page=1&name=a&pagination=true", "pagination=true",
    "page=99999999999999999999", "page=1&page_size=99999999999999999999", "page=1&name=%FF", "page=1&name=a+b",
    "page=%20", "page=+1", "page=01",
)
SORTS = (
    "sort=name", "sort=name&sort_reverse=true", "sort=vhost", "sort=nobody", "sort=nobody&sort_reverse=true",
    "sort=", "sort=&sort_reverse=true", "sort_reverse=true", "sort=name&sort_reverse=false",
    "sort=name&sort_reverse=x", "sort=name&sort_reverse", "sort=arguments", "sort=durable",
    "sort=type&sort_reverse=true", "sort=arguments.x-queue-type", "sort=name.x", "sort=name,vhost", "sort=.",
    "sort=name&sort=vhost", "sort=%FF", "sort", "page=1&page_size=2&sort=name&sort_reverse=true",
    "page=1&sort=nobody", "page=1&sort=", "sort=source", "sort=destination&sort_reverse=true",
    "sort=properties_key", "sort=priority",
)
COLUMNS = (
    "columns=name", "columns=name,vhost", "columns=vhost", "columns=nobody", "columns=", "columns",
    "columns=name,nobody", "columns=arguments", "columns=arguments.x-queue-type", "columns=name.x", "columns=name,",
    "columns=,name", "columns=name,,vhost", "columns=%6eame", "columns=NAME", "columns=name;vhost",
    "columns=name%2Cvhost", "columns=name&columns=vhost", "columns=definition.max-length", "columns=value",
    "columns=arguments.", "columns=.name", "page=1&columns=name", "page=1&columns=nobody", "page=1&columns=items",
    "columns=name&sort=vhost", "columns=name&sort=name&sort_reverse=true", "columns=source,destination",
)
OTHERS = (
    "", "disable_stats=true&columns=name", "disable_stats=x&columns=name",
    "enable_queue_totals=true&disable_stats=true&columns=name,messages", "nobody=x&columns=name",
    "columns=name&msg_rates_age=60&msg_rates_incr=5", "columns=name&msg_rates_age=60&msg_rates_incr=0",
    "columns=name&msg_rates_age=x&msg_rates_incr=5", "columns=name&lengths_age=9999999&lengths_incr=1",
    "columns=name&msg_rates_age=60", "columns=name&data_rates_age=-1&data_rates_incr=5",
    "columns=name&node_stats_age=60&node_stats_incr=5", "&columns=name", "columns=name&", "columns=name&&sort=name",
    "=x&columns=name", "columns=name&a=%zz", "%63olumns=name",
)
ONE = (
    "/queues/{v}/q", "/exchanges/{v}/x", "/policies/{v}/p", "/vhosts/{v}", "/users/guest", "/permissions/{v}/guest",
    "/bindings/{v}/e/x/q/q/k", "/operator-policies/{v}/o", "/parameters/vhost-limits/{v}/limits", "/whoami",
    "/overview", "/cluster-name", "/definitions/{v}",
)


def columns_only(query):
    return "columns=" in query and "nobody" not in query


def rows():
    for number in range(5):
        yield Row(
            f"queue {number}",
            (put(f"/queues/{{v}}/q{number}", {"durable": number % 2 == 0, "auto_delete": number == 1}),),
        )
        yield Row(
            f"policy {number}",
            (
                put(
                    f"/policies/{{v}}/p{number}",
                    {"pattern": "^none$", "definition": {"max-length": number}, "priority": 4 - number},
                ),
            ),
        )
        yield Row(
            f"user {number}",
            (
                put(f"/users/{{u}}-{number}", {"password": "p", "tags": "management", "limits": {"max-channels": 9}}),
                put(f"/permissions/{{v}}/{{u}}-{number}", EVERYTHING),
                put(f"/topic-permissions/{{v}}/{{u}}-{number}", TOPICS),
            ),
        )
    for path in LISTS + GLOBAL:
        for query in PAGES + SORTS + COLUMNS + OTHERS:
            if (
                path in GLOBAL
                and ("page" in query or path in ("/global-parameters", "/nodes"))
                and path not in ("/connections", "/channels")
            ):
                continue  # what others do on the same broker would show
            yield Row(
                f"{path}?{query}",
                (get(f"{path}?{query}", every=columns_only(query) and "name" in query and path not in GLOBAL),),
            )
    for path in ONE:
        for query in COLUMNS + OTHERS[1:]:
            yield Row(f"{path}?{query}", (get(f"{path}?{query}"),))
    for number in range(5):
        yield Row(f"user {number} goes", (delete(f"/users/{{u}}-{number}"),))
