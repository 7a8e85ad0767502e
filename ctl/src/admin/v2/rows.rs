//! Every operation of the second syntax, a row each.
//!
//! Grammar, requests and tables are made of these rows.

use crate::admin::v2::columns::*;
use crate::admin::v2::operations::Need::{Default, Optional, Required};
use crate::admin::v2::operations::To::{Argument, Arguments, Body, Nowhere, Path};
use crate::admin::v2::operations::Type::{Bool, Json, List, Number, Switch, Text};
use crate::admin::v2::operations::{Does, Flag, Operation, change, check, flag, list};
use openapi::Method::{Delete, Get, Post, Put};

const NAME: Flag = flag("name", Text, Required, Path("name"));
const IDEMPOTENTLY: Flag = flag("idempotently", Switch, Optional, Nowhere);
const DELETE: &[Flag] = &[NAME, IDEMPOTENTLY];
const ARGUMENTS: Flag = flag("arguments", Json, Default("{}"), Arguments);
const DURABLE: Flag = flag("durable", Bool, Default("true"), Body("durable"));
const AUTO_DELETE: Flag = flag("auto-delete", Bool, Default("false"), Body("auto_delete")).or(&["auto_delete"]);
const USERNAME: Flag = flag("user", Text, Required, Path("user")).or(&["name"]);
const MANY: &[Flag] = &[
    flag("name-pattern", Text, Required, Nowhere),
    flag("approve", Switch, Optional, Nowhere),
    flag("dry-run", Switch, Optional, Nowhere),
    IDEMPOTENTLY,
];

const QUEUE: &[Flag] = &[
    NAME,
    flag("type", Text, Default("classic"), Argument("x-queue-type")),
    DURABLE,
    AUTO_DELETE,
    ARGUMENTS,
    IDEMPOTENTLY,
];
const STREAM: &[Flag] = &[
    NAME,
    flag("type", Text, Default("stream"), Argument("x-queue-type")),
    flag("expiration", Text, Required, Argument("x-max-age")),
    flag("max-length-bytes", Number, Optional, Argument("x-max-length-bytes")),
    flag("max-segment-length-bytes", Number, Optional, Argument("x-stream-max-segment-size-bytes"))
        .or(&["stream-max-segment-size-bytes"]),
    ARGUMENTS,
    IDEMPOTENTLY,
];
const EXCHANGE: &[Flag] =
    &[NAME, flag("type", Text, Default("direct"), Body("type")), DURABLE, AUTO_DELETE, ARGUMENTS, IDEMPOTENTLY];
const SOURCE: Flag = flag("source", Text, Required, Path("source"));
const DESTINATION: Flag = flag("destination", Text, Required, Path("destination"));
const BIND: &[Flag] = &[
    SOURCE,
    flag("destination-type", Text, Default("queue"), Path("kind")).or(&["destination_type"]),
    DESTINATION,
    flag("routing-key", Text, Default(""), Body("routing_key")).or(&["routing_key"]),
    ARGUMENTS,
    IDEMPOTENTLY,
];
const UNBIND: &[Flag] = &[
    SOURCE,
    flag("destination-type", Text, Default("queue"), Path("kind")).or(&["destination_type"]),
    DESTINATION,
    flag("properties-key", Text, Default("~"), Path("properties")).or(&["routing-key", "routing_key"]),
    flag("arguments", Json, Default("{}"), Nowhere),
    IDEMPOTENTLY,
];
const VHOST: &[Flag] = &[
    NAME,
    flag("default-queue-type", Text, Optional, Body("default_queue_type")),
    flag("description", Text, Optional, Body("description")),
    flag("tracing", Switch, Optional, Body("tracing")),
];
const USER: &[Flag] = &[
    NAME,
    flag("password", Text, Optional, Body("password")),
    flag("password-hash", Text, Optional, Body("password_hash")),
    flag("hashing-algorithm", Text, Optional, Nowhere),
    flag("tags", List, Default(""), Body("tags")),
];
const PERMISSION: &[Flag] = &[
    USERNAME,
    flag("configure", Text, Required, Body("configure")),
    flag("read", Text, Required, Body("read")),
    flag("write", Text, Required, Body("write")),
];
const POLICY: &[Flag] = &[
    NAME,
    flag("pattern", Text, Required, Body("pattern")),
    flag("apply-to", Text, Required, Body("apply-to")).or(&["applies-to"]),
    flag("priority", Number, Default("0"), Body("priority")),
    flag("definition", Json, Required, Body("definition")),
];
const COMPONENT: Flag = flag("component", Text, Required, Path("component"));
const LIMIT: Flag = flag("name", Text, Required, Path("name"));
const LIMIT_VALUE: Flag = flag("value", Number, Required, Body("value"));
const FILE: Flag = flag("file", Text, Default("-"), Nowhere);

/// All operations.
pub const OPERATIONS: &[Operation] = &[
    list(&[("queues", "list"), ("list", "queues")], "lists queues and streams", "/queues/{vhost}", QUEUES),
    list(&[("queues", "show"), ("streams", "show")], "shows one", "/queues/{vhost}/{name}", QUEUES).with(&[NAME]),
    change(&[("queues", "declare"), ("declare", "queue")], "declares a queue", Put, "/queues/{vhost}/{name}", QUEUE),
    change(
        &[("queues", "delete"), ("delete", "queue"), ("streams", "delete"), ("delete", "stream")],
        "deletes it",
        Delete,
        "/queues/{vhost}/{name}",
        DELETE,
    ),
    change(
        &[("queues", "delete_multiple")],
        "deletes queues whose names match a pattern",
        Get,
        "/queues/{vhost}",
        MANY,
    )
    .doing(Does::DeletesMany),
    change(
        &[("queues", "purge"), ("purge", "queue")],
        "removes its messages",
        Delete,
        "/queues/{vhost}/{name}/contents",
        &[NAME],
    ),
    change(
        &[("queues", "rebalance"), ("rebalance", "queues"), ("rebalance", "all")],
        "spreads leaders",
        Post,
        "/rebalance/queues",
        &[],
    ),
    list(&[("streams", "list")], "lists queues and streams", "/queues/{vhost}", QUEUES),
    change(
        &[("streams", "declare"), ("declare", "stream")],
        "declares a stream",
        Put,
        "/queues/{vhost}/{name}",
        STREAM,
    )
    .always(&[("durable", "true")]),
    list(&[("exchanges", "list"), ("list", "exchanges")], "lists exchanges", "/exchanges/{vhost}", EXCHANGES),
    change(
        &[("exchanges", "declare"), ("declare", "exchange")],
        "declares an exchange",
        Put,
        "/exchanges/{vhost}/{name}",
        EXCHANGE,
    ),
    change(
        &[("exchanges", "delete"), ("delete", "exchange")],
        "deletes it",
        Delete,
        "/exchanges/{vhost}/{name}",
        DELETE,
    ),
    change(
        &[("exchanges", "bind"), ("bindings", "declare"), ("declare", "binding")],
        "binds a queue or exchange to an exchange",
        Post,
        "/bindings/{vhost}/e/{source}/{kind}/{destination}",
        BIND,
    ),
    change(
        &[("exchanges", "unbind"), ("bindings", "delete"), ("delete", "binding")],
        "removes a binding",
        Delete,
        "/bindings/{vhost}/e/{source}/{kind}/{destination}/{properties}",
        UNBIND,
    ),
    list(&[("bindings", "list"), ("list", "bindings")], "lists bindings", "/bindings/{vhost}", BINDINGS),
    list(&[("vhosts", "list"), ("list", "vhosts")], "lists virtual hosts", "/vhosts", VHOSTS),
    change(&[("vhosts", "declare"), ("declare", "vhost")], "creates a virtual host", Put, "/vhosts/{name}", VHOST),
    change(&[("vhosts", "delete"), ("delete", "vhost")], "deletes it", Delete, "/vhosts/{name}", DELETE),
    change(&[("vhosts", "delete_multiple")], "deletes those whose names match a pattern", Get, "/vhosts", MANY)
        .doing(Does::DeletesMany),
    change(
        &[("vhosts", "enable_deletion_protection")],
        "protects it",
        Post,
        "/vhosts/{name}/deletion/protection",
        &[NAME],
    ),
    change(
        &[("vhosts", "disable_deletion_protection")],
        "no longer protects it",
        Delete,
        "/vhosts/{name}/deletion/protection",
        &[NAME],
    ),
    list(&[("users", "list"), ("list", "users")], "lists users", "/users", USERS),
    change(&[("users", "declare"), ("declare", "user")], "creates a user", Put, "/users/{name}", USER),
    change(&[("users", "delete"), ("delete", "user")], "deletes it", Delete, "/users/{name}", DELETE),
    list(&[("users", "permissions")], "lists permissions of users", "/permissions", PERMISSIONS),
    list(
        &[("users", "connections"), ("connections", "list_of_user"), ("list", "user_connections")],
        "lists connections of a user",
        "/connections/username/{username}",
        CONNECTIONS,
    )
    .with(&[flag("of-user", Text, Required, Path("username")).or(&["user", "name"])]),
    list(&[("permissions", "list"), ("list", "permissions")], "lists permissions", "/permissions", PERMISSIONS),
    change(
        &[("permissions", "declare"), ("declare", "permissions")],
        "grants permissions",
        Put,
        "/permissions/{vhost}/{user}",
        PERMISSION,
    ),
    change(
        &[("permissions", "delete"), ("delete", "permissions")],
        "revokes them",
        Delete,
        "/permissions/{vhost}/{user}",
        &[USERNAME, IDEMPOTENTLY],
    ),
    list(&[("policies", "list"), ("list", "policies")], "lists policies", "/policies", POLICIES),
    list(&[("policies", "list_in")], "lists policies of the virtual host", "/policies/{vhost}", POLICIES),
    change(&[("policies", "declare"), ("declare", "policy")], "sets a policy", Put, "/policies/{vhost}/{name}", POLICY),
    change(&[("policies", "delete"), ("delete", "policy")], "clears it", Delete, "/policies/{vhost}/{name}", DELETE),
    list(
        &[("operator_policies", "list"), ("list", "operator_policies")],
        "lists operator policies",
        "/operator-policies",
        POLICIES,
    ),
    list(
        &[("operator_policies", "list_in")],
        "lists those of the virtual host",
        "/operator-policies/{vhost}",
        POLICIES,
    ),
    change(
        &[("operator_policies", "declare"), ("declare", "operator_policy")],
        "sets an operator policy",
        Put,
        "/operator-policies/{vhost}/{name}",
        POLICY,
    ),
    change(
        &[("operator_policies", "delete"), ("delete", "operator_policy")],
        "clears it",
        Delete,
        "/operator-policies/{vhost}/{name}",
        DELETE,
    ),
    list(&[("parameters", "list_all")], "lists all runtime parameters", "/parameters", PARAMETERS),
    list(
        &[("parameters", "list"), ("parameters", "list_in"), ("list", "parameters")],
        "lists those of a component",
        "/parameters/{component}/{vhost}",
        PARAMETERS,
    )
    .with(&[COMPONENT]),
    change(
        &[("parameters", "set"), ("parameters", "declare"), ("declare", "parameter")],
        "sets a runtime parameter",
        Put,
        "/parameters/{component}/{vhost}/{name}",
        &[NAME, COMPONENT, flag("value", Json, Required, Body("value"))],
    ),
    change(
        &[("parameters", "clear"), ("parameters", "delete"), ("delete", "parameter")],
        "clears it",
        Delete,
        "/parameters/{component}/{vhost}/{name}",
        &[NAME, COMPONENT, IDEMPOTENTLY],
    ),
    list(
        &[("global_parameters", "list")],
        "lists global parameters",
        "/global-parameters",
        &[("name", "name"), ("value", "value")],
    ),
    change(
        &[("global_parameters", "set"), ("global_parameters", "declare")],
        "sets a global parameter",
        Put,
        "/global-parameters/{name}",
        &[NAME, flag("value", Json, Required, Body("value"))],
    ),
    change(
        &[("global_parameters", "clear"), ("global_parameters", "delete")],
        "clears it",
        Delete,
        "/global-parameters/{name}",
        DELETE,
    ),
    list(
        &[("user_limits", "list"), ("users", "limits"), ("list", "user_limits")],
        "lists limits of users",
        "/user-limits",
        &[("username", "user"), ("limits", "value")],
    ),
    change(
        &[("user_limits", "declare"), ("declare", "user_limit")],
        "sets a limit",
        Put,
        "/user-limits/{user}/{name}",
        &[flag("user", Text, Required, Path("user")), LIMIT, LIMIT_VALUE],
    ),
    change(
        &[("user_limits", "delete"), ("delete", "user_limit")],
        "clears it",
        Delete,
        "/user-limits/{user}/{name}",
        &[flag("user", Text, Required, Path("user")), LIMIT, IDEMPOTENTLY],
    ),
    list(
        &[("vhost_limits", "list"), ("list", "vhost_limits")],
        "lists limits of virtual hosts",
        "/vhost-limits",
        &[("vhost", "vhost"), ("limits", "value")],
    ),
    change(
        &[("vhost_limits", "declare"), ("declare", "vhost_limit")],
        "sets a limit",
        Put,
        "/vhost-limits/{vhost}/{name}",
        &[LIMIT, LIMIT_VALUE],
    ),
    change(
        &[("vhost_limits", "delete"), ("delete", "vhost_limit")],
        "clears it",
        Delete,
        "/vhost-limits/{vhost}/{name}",
        DELETE,
    ),
    list(&[("connections", "list"), ("list", "connections")], "lists connections", "/connections", CONNECTIONS),
    change(&[("connections", "close"), ("close", "connection")], "closes one", Delete, "/connections/{name}", DELETE),
    change(
        &[("connections", "close_of_user"), ("close", "user_connections")],
        "closes those of a user",
        Delete,
        "/connections/username/{username}",
        &[flag("username", Text, Required, Path("username")).or(&["of-user", "user"]), IDEMPOTENTLY],
    ),
    list(&[("channels", "list"), ("list", "channels")], "lists channels", "/channels", CHANNELS),
    list(&[("list", "consumers")], "lists consumers", "/consumers/{vhost}", CONSUMERS),
    list(&[("nodes", "list"), ("list", "nodes")], "lists nodes", "/nodes", NODES),
    list(
        &[("nodes", "memory_breakdown_in_bytes"), ("show", "memory_breakdown_in_bytes")],
        "shows what memory is used for",
        "/nodes/{node}/memory",
        &[],
    )
    .with(&[flag("node", Text, Required, Path("node"))])
    .doing(Does::Pairs("Memory", &[])),
    list(
        &[("feature_flags", "list"), ("list", "feature_flags")],
        "lists feature flags",
        "/feature-flags",
        FEATURE_FLAGS,
    ),
    change(
        &[("feature_flags", "enable")],
        "enables one",
        Put,
        "/feature-flags/{name}/enable",
        &[NAME, flag("opt-in-to-experimental", Switch, Optional, Nowhere)],
    ),
    list(
        &[("deprecated_features", "list"), ("list", "deprecated_features")],
        "lists deprecated features",
        "/deprecated-features",
        DEPRECATED,
    ),
    list(
        &[("deprecated_features", "list_used"), ("list", "deprecated_features_in_use")],
        "lists those in use",
        "/deprecated-features/used",
        DEPRECATED,
    ),
    list(
        &[("plugins", "list_all")],
        "lists enabled plugins by node",
        "/nodes",
        &[("node", "name"), ("plugins", "enabled_plugins")],
    ),
    list(
        &[("plugins", "list_on_node")],
        "lists enabled plugins of a node",
        "/nodes/{node}",
        &[("node", "name"), ("plugins", "enabled_plugins")],
    )
    .with(&[flag("node", Text, Required, Path("node"))]),
    check(&[("health_check", "local_alarms")], "no alarm on the node", "/health/checks/local-alarms"),
    check(&[("health_check", "cluster_wide_alarms")], "no alarm in the cluster", "/health/checks/alarms"),
    check(
        &[("health_check", "node_is_quorum_critical")],
        "no queue needs this very node",
        "/health/checks/node-is-quorum-critical",
    ),
    check(&[("health_check", "port_listener")], "a port is listened on", "/health/checks/port-listener/{port}")
        .with(&[flag("port", Number, Required, Path("port"))]),
    check(
        &[("health_check", "protocol_listener")],
        "a protocol is listened for",
        "/health/checks/protocol-listener/{protocol}",
    )
    .with(&[flag("protocol", Text, Required, Path("protocol"))]),
    check(&[("health_check", "virtual_hosts")], "all virtual hosts run", "/health/checks/virtual-hosts"),
    list(
        &[("definitions", "export"), ("export", "definitions")],
        "writes all definitions to a file",
        "/definitions",
        &[],
    )
    .with(&[FILE, flag("stdout", Switch, Optional, Nowhere)])
    .doing(Does::Exports),
    list(&[("definitions", "export_from_vhost")], "writes those of the virtual host", "/definitions/{vhost}", &[])
        .with(&[FILE, flag("stdout", Switch, Optional, Nowhere)])
        .doing(Does::Exports),
    change(
        &[("definitions", "import"), ("import", "definitions")],
        "imports definitions",
        Post,
        "/definitions",
        &[FILE, flag("stdin", Switch, Optional, Nowhere)],
    )
    .doing(Does::Imports),
    change(
        &[("definitions", "import_into_vhost")],
        "imports them into the virtual host",
        Post,
        "/definitions/{vhost}",
        &[FILE, flag("stdin", Switch, Optional, Nowhere)],
    )
    .doing(Does::Imports),
    change(
        &[("publish", "message")],
        "publishes a message, for tests",
        Post,
        "/exchanges/{vhost}/{exchange}/publish",
        &[
            flag("routing-key", Text, Default(""), Body("routing_key")).or(&["routing_key"]),
            flag("exchange", Text, Default(""), Path("exchange")),
            flag("payload", Text, Default("test"), Body("payload")),
            flag("payload-file", Text, Optional, Nowhere),
            flag("properties", Json, Default("{}"), Body("properties")),
        ],
    )
    .always(&[("payload_encoding", "string")])
    .doing(Does::Publishes),
    Operation {
        called: &[("get", "messages")],
        about: "takes messages, for tests",
        method: Post,
        path: "/queues/{vhost}/{queue}/get",
        flags: &[
            flag("queue", Text, Required, Path("queue")),
            flag("count", Number, Default("1"), Body("count")),
            flag("ack-mode", Text, Default("ack_requeue_false"), Body("ackmode")).or(&["ack_mode"]),
        ],
        fixed: &[("encoding", "auto")],
        does: Does::List(MESSAGES),
    },
    list(&[("show", "overview")], "shows the node and its totals", "/overview", &[])
        .doing(Does::Pairs("Overview", OVERVIEW)),
    list(&[("show", "endpoint")], "shows the address of the API", "/", &[]).doing(Does::ShowsEndpoint),
    list(&[("passwords", "salt_and_hash")], "hashes a password, offline", "/", &[])
        .with(&[flag("password", Text, Required, Nowhere), flag("hashing-algorithm", Text, Default("SHA256"), Nowhere)])
        .doing(Does::Hashes),
];
