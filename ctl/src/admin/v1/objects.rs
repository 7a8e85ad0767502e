//! What can be listed, declared, deleted: one row each.
//!
//! Owns the names of arguments and what they are when left out. Everything about them, help included, follows.

use serde_json::{Map, Value};

use crate::admin::transport::segment;

/// Something that can be listed or shown.
pub struct Listed {
    /// What it is called.
    pub kind: &'static str,
    /// Whether a list can be of one virtual host.
    pub of_vhost: bool,
    /// Columns shown when none is asked for; none: all there are.
    pub columns: &'static [&'static str],
    /// Fields whose objects are shown as JSON.
    pub json: &'static [&'static str],
}

const fn listed(
    kind: &'static str,
    of_vhost: bool,
    columns: &'static [&'static str],
    json: &'static [&'static str],
) -> Listed {
    Listed { kind, of_vhost, columns, json }
}

/// What `list` takes.
pub const LISTABLE: &[Listed] = &[
    listed("connections", false, &["name", "user", "channels"], &[]),
    listed("channels", false, &["name", "user"], &[]),
    listed("consumers", true, &[], &[]),
    listed("exchanges", true, &["name", "type"], &[]),
    listed("queues", true, &["name", "messages"], &[]),
    listed("bindings", true, &["source", "destination", "routing_key"], &[]),
    listed("users", false, &[], &[]),
    listed("vhosts", false, &["name", "messages"], &[]),
    listed("permissions", false, &[], &[]),
    listed("nodes", false, &["name", "type", "mem_used"], &[]),
    listed("parameters", false, &[], &["value"]),
    listed("policies", false, &[], &["definition"]),
    listed("operator_policies", false, &[], &["definition"]),
    listed("vhost_limits", false, &[], &["value"]),
];

/// What `show` takes.
pub const SHOWABLE: &[Listed] = &[listed(
    "overview",
    false,
    &["rabbitmq_version", "cluster_name", "queue_totals.messages", "object_totals.queues"],
    &[],
)];

/// Something that `name=value` words describe.
pub struct Object {
    /// What it is called.
    pub kind: &'static str,
    /// Arguments that must be there; of a group one is enough.
    pub mandatory: &'static [&'static [&'static str]],
    /// Arguments that may be there, and what they are otherwise.
    pub optional: &'static [(&'static str, Option<&'static str>)],
    /// Arguments that are JSON.
    pub json: &'static [&'static str],
    /// Its path behind `/api`; `{name}` is an argument, `{destination:1}` the first letter of the destination's type.
    uri: &'static str,
}

impl Object {
    const fn new(kind: &'static str, uri: &'static str, mandatory: &'static [&'static [&'static str]]) -> Self {
        Self { kind, mandatory, optional: &[], json: &[], uri }
    }

    const fn optional(mut self, optional: &'static [(&'static str, Option<&'static str>)]) -> Self {
        self.optional = optional;
        self
    }

    const fn json(mut self, json: &'static [&'static str]) -> Self {
        self.json = json;
        self
    }

    /// Whether it has an argument of that name.
    pub fn knows(&self, name: &str) -> bool {
        self.mandatory.iter().any(|names| names.contains(&name))
            || self.optional.iter().any(|(known, _)| *known == name)
    }

    /// Its path, filled in.
    pub fn path(&self, upload: &Map<String, Value>) -> String {
        let text = |name: &str| upload.get(name).and_then(Value::as_str).unwrap_or_default();
        let mut path = String::new();
        let mut rest = self.uri;
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, after) = behind.split_once('}').unwrap_or((behind, ""));
            path.push_str(before);
            match name {
                "destination:1" => path.extend(text("destination_type").chars().next()),
                name => path.push_str(&segment(text(name))),
            }
            rest = after;
        }
        path + rest
    }

    fn usage(&self, verb: &str) -> String {
        let mandatory = self.mandatory.iter().map(|names| format!("{}=...", names.join("=... OR ")));
        let mut words: Vec<String> = mandatory.collect();
        if !self.optional.is_empty() {
            let optional: Vec<String> = self.optional.iter().map(|(name, _)| format!("{name}=...")).collect();
            words.push(format!("[{}]", optional.join(" ")));
        }
        let head = if verb.is_empty() { self.kind.to_owned() } else { format!("{verb} {}", self.kind) };
        format!("  {head} {}\n", words.join(" "))
    }
}

const POLICY: &[&[&str]] = &[&["name"], &["pattern"], &["definition"]];
const POLICY_OPTIONAL: &[(&str, Option<&str>)] = &[("priority", Some("0")), ("apply-to", None)];

/// What `declare` takes.
pub const DECLARABLE: &[Object] = &[
    Object::new("exchange", "/exchanges/{vhost}/{name}", &[&["name"], &["type"]])
        .optional(&[
            ("auto_delete", Some("\"false\"")),
            ("durable", Some("\"true\"")),
            ("internal", Some("\"false\"")),
            ("arguments", Some("{}")),
        ])
        .json(&["arguments"]),
    Object::new("queue", "/queues/{vhost}/{name}", &[&["name"]])
        .optional(&[
            ("auto_delete", Some("\"false\"")),
            ("durable", Some("\"true\"")),
            ("arguments", Some("{}")),
            ("node", None),
            ("queue_type", None),
        ])
        .json(&["arguments"]),
    Object::new(
        "binding",
        "/bindings/{vhost}/e/{source}/{destination:1}/{destination}",
        &[&["source"], &["destination"]],
    )
    .optional(&[("destination_type", Some("\"queue\"")), ("routing_key", Some("\"\"")), ("arguments", Some("{}"))])
    .json(&["arguments"]),
    Object::new("vhost", "/vhosts/{name}", &[&["name"]]).optional(&[("tracing", None)]),
    Object::new("user", "/users/{name}", &[&["name"], &["password", "password_hash"], &["tags"]])
        .optional(&[("hashing_algorithm", None)]),
    Object::new(
        "permission",
        "/permissions/{vhost}/{user}",
        &[&["vhost"], &["user"], &["configure"], &["write"], &["read"]],
    ),
    Object::new("parameter", "/parameters/{component}/{vhost}/{name}", &[&["component"], &["name"], &["value"]])
        .json(&["value"]),
    Object::new("policy", "/policies/{vhost}/{name}", POLICY)
        .optional(POLICY_OPTIONAL)
        .json(&["definition", "priority"]),
    Object::new("operator_policy", "/operator-policies/{vhost}/{name}", POLICY)
        .optional(POLICY_OPTIONAL)
        .json(&["definition", "priority"]),
    Object::new("vhost_limit", "/vhost-limits/{vhost}/{name}", &[&["vhost"], &["name"], &["value"]]).json(&["value"]),
];

/// What `delete` takes.
pub const DELETABLE: &[Object] = &[
    Object::new("exchange", "/exchanges/{vhost}/{name}", &[&["name"]]),
    Object::new("queue", "/queues/{vhost}/{name}", &[&["name"]]),
    Object::new(
        "binding",
        "/bindings/{vhost}/e/{source}/{destination:1}/{destination}/{properties_key}",
        &[&["source"], &["destination_type"], &["destination"]],
    )
    .optional(&[("properties_key", Some("\"~\""))]),
    Object::new("vhost", "/vhosts/{name}", &[&["name"]]),
    Object::new("user", "/users/{name}", &[&["name"]]),
    Object::new("permission", "/permissions/{vhost}/{user}", &[&["vhost"], &["user"]]),
    Object::new("parameter", "/parameters/{component}/{vhost}/{name}", &[&["component"], &["name"]]),
    Object::new("policy", "/policies/{vhost}/{name}", &[&["name"]]),
    Object::new("operator_policy", "/operator-policies/{vhost}/{name}", &[&["name"]]),
    Object::new("vhost_limit", "/vhost-limits/{vhost}/{name}", &[&["vhost"], &["name"]]),
];

/// What `close` takes.
pub const CLOSABLE: &[Object] = &[Object::new("connection", "/connections/{name}", &[&["name"]])];

/// What `purge` takes.
pub const PURGABLE: &[Object] = &[Object::new("queue", "/queues/{vhost}/{name}/contents", &[&["name"]])];

/// `publish`.
pub const PUBLISH: Object = Object::new("publish", "/exchanges/{vhost}/{exchange}/publish", &[&["routing_key"]])
    .optional(&[
        ("payload", None),
        ("properties", Some("{}")),
        ("exchange", Some("\"amq.default\"")),
        ("payload_encoding", Some("\"string\"")),
    ])
    .json(&["properties"]);

/// `get`.
pub const GET: Object = Object::new("get", "/queues/{vhost}/{queue}/get", &[&["queue"]]).optional(&[
    ("count", Some("\"1\"")),
    ("ackmode", Some("\"ack_requeue_true\"")),
    ("payload_file", None),
    ("encoding", Some("\"auto\"")),
]);

/// Where more help is.
pub const MORE_HELP: &str = "\nMore help\n=========\n\n  rabbitmqadmin help subcommands  the subcommands\n  \
                             rabbitmqadmin help config       the configuration file\n";

/// Help about the configuration file.
pub const CONFIG_HELP: &str = "\
A configuration file has a section for each host; -c FILE names it, -N SECTION the section. ~/.rabbitmqadmin.conf is read
when it is there, and of it the section default.

  [host_normal]
  hostname = localhost
  port = 15672
  username = guest
  password = guest
  declare_vhost = / # of declare and delete
  vhost = /         # of declare, delete and list

  [host_ssl]
  hostname = otherhost
  port = 15671
  ssl = True
  ssl_key_file = /path/to/key.pem
  ssl_cert_file = /path/to/cert.pem
";

/// Help about the subcommands.
pub fn usage() -> String {
    let mut out = String::from("rabbitmqadmin [options] subcommand, which is one of:\n\nDisplay\n=======\n\n");
    for (verb, all) in [("list", LISTABLE), ("show", SHOWABLE)] {
        for listed in all {
            out.push_str(&format!("  {verb} {} [<column>...]\n", listed.kind));
        }
    }
    out.push_str("\nObject manipulation\n===================\n\n");
    for (verb, all) in [("declare", DECLARABLE), ("delete", DELETABLE), ("close", CLOSABLE), ("purge", PURGABLE)] {
        for object in all {
            out.push_str(&object.usage(verb));
        }
    }
    out.push_str("\nBroker definitions\n==================\n\n  export <file>\n  import <file>\n");
    out.push_str("\nPublishing and consuming\n========================\n\n");
    out.push_str(&PUBLISH.usage(""));
    out.push_str(&GET.usage(""));
    out.push_str("\nWithout a payload, publish reads it from standard input. With payload_file, get writes it there, and count must be 1.\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_are_filled_with_what_was_given() {
        let upload = json!({"vhost": "/", "source": "a b", "destination": "q", "destination_type": "queue", "properties_key": "~"});
        let upload = upload.as_object().expect("an object");
        let of =
            |all: &[Object], kind: &str| all.iter().find(|object| object.kind == kind).expect("an object").path(upload);
        assert_eq!(of(DECLARABLE, "binding"), "/bindings/%2F/e/a%20b/q/q");
        assert_eq!(of(DELETABLE, "binding"), "/bindings/%2F/e/a%20b/q/q/%7E");
    }

    #[test]
    fn the_value_of_an_argument_left_out_is_json() {
        for object in DECLARABLE.iter().chain(DELETABLE).chain([&PUBLISH, &GET]) {
            for (name, value) in object.optional {
                let is_json = value.is_none_or(|value| serde_json::from_str::<Value>(value).is_ok());
                assert!(is_json, "{} {name}", object.kind);
            }
        }
    }
}
