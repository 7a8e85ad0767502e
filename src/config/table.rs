//! Every setting, declared once: key, type, default, documentation, and where it goes.
//!
//! The parser, the defaults, `--list-settings`, the documentation page and the nearest-key
//! suggestion are folds over [`SETTINGS`] and those of `secure`. To add a setting, add a row. Where two rows set
//! the same thing, the later row has precedence.

use std::time::Duration;

use api::{INTERVAL_MS_MAX, INTERVAL_MS_MIN, RatesMode};
use broker::domain::alarm::Watermark;
use broker::domain::queue::QueueKind;
use broker::domain::user::HashAlgorithm;
use http::header;

use super::value::Set;

/// One setting.
pub struct Setting {
    /// Its key. A last part that starts with `$` stands for any word.
    pub key: &'static str,
    /// Another key of the same meaning.
    pub alias: Option<&'static str>,
    /// The environment variable that sets it.
    pub environment: Option<&'static str>,
    /// What it is when nothing sets it.
    pub initial: Initial,
    /// What it does, in one line.
    pub doc: &'static str,
    /// Its type, and where a value goes.
    pub set: Set,
}

/// What a setting is when nothing sets it.
#[derive(Clone, Copy)]
pub enum Initial {
    /// This value.
    Value(&'static str),
    /// This value under this word, unless any word of the key is set.
    Named(&'static str, &'static str),
    /// Nothing; in words, what that means.
    Unset(&'static str),
}

const LEVELS: &[&str] = &["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency", "none"];
/// Longest session that can be configured, in minutes: a year.
const SESSION_MINUTES_MAX: u32 = 366 * 24 * 60;

/// Largest request body that can be configured, in bytes.
const BODY_SIZE_LIMIT: u32 = api::BODY_BYTES_LIMIT as u32;

const SHA256: &str = "rabbit_password_hashing_sha256";
const SHA512: &str = "rabbit_password_hashing_sha512";
const MD5: &str = "rabbit_password_hashing_md5";

/// All of them, in the order of the documentation.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "listeners.tcp.$name",
        alias: None,
        environment: Some("RABBITMQ_NODE_PORT"),
        initial: Initial::Named("default", "5672"),
        doc: "Where AMQP clients connect. A port alone means every address; port 0 takes a free one.",
        set: Set::Listener(|config, name, address| {
            config.listeners.insert(name.to_owned(), address);
        }),
    },
    Setting {
        key: "listeners.tcp",
        alias: None,
        environment: None,
        initial: Initial::Unset("listeners as configured"),
        doc: "`none` closes all AMQP listeners, whatever `listeners.tcp.$name` says.",
        set: Set::Choice(&["none"], |config, _| config.listeners_off = true),
    },
    Setting {
        key: "listeners.ssl",
        alias: None,
        environment: None,
        initial: Initial::Unset("listeners as configured"),
        doc: "`none` closes all encrypted AMQP listeners, whatever `listeners.ssl.$name` says.",
        set: Set::Choice(&["none"], |config, _| config.tls_listeners_off = true),
    },
    Setting {
        key: "management.tcp.port",
        alias: None,
        environment: None,
        initial: Initial::Unset("15672"),
        doc: "Port of the HTTP API in the clear; 0 takes a free one.",
        set: Set::Number(0, 65_535, |config, port| config.management.port = Some(narrow(port))),
    },
    Setting {
        key: "management.tcp.ip",
        alias: None,
        environment: None,
        initial: Initial::Unset("every address"),
        doc: "Address of the HTTP API.",
        set: Set::Address(|config, address| config.management.address = Some(address)),
    },
    Setting {
        key: "management.path_prefix",
        alias: None,
        environment: None,
        initial: Initial::Unset("none"),
        doc: "Stands before every path of the HTTP API.",
        set: Set::PathPrefix(|config, prefix| config.http.path_prefix = prefix),
    },
    Setting {
        key: "management.http.max_body_size",
        alias: None,
        environment: None,
        initial: Initial::Value("10000000"),
        doc: "Largest request body of the HTTP API.",
        set: Set::Size(1, BODY_SIZE_LIMIT, |config, bytes| config.http.body_bytes_max = bytes as usize),
    },
    Setting {
        key: "management.http.hide_allow_header",
        alias: None,
        environment: None,
        initial: Initial::Value("false"),
        doc: "Leaves the header `Allow` out of answers.",
        set: Set::Flag(|config, _, hides| config.http.hides_allow = hides),
    },
    Setting {
        key: "management.login_session_timeout",
        alias: None,
        environment: None,
        initial: Initial::Value("480"),
        doc: "How long a session of the HTTP API lasts, in minutes.",
        set: Set::Number(1, SESSION_MINUTES_MAX, |config, minutes| {
            config.http.session_lifetime = Duration::from_secs(u64::from(minutes) * 60);
        }),
    },
    Setting {
        key: "management.cors.allow_origins.$n",
        alias: None,
        environment: None,
        initial: Initial::Unset("none"),
        doc: "An origin whose pages may call the HTTP API; `*` lets in all, without their credentials.",
        set: Set::Text(|config, _, origin| config.http.cors.allowed_origins.push(origin.to_owned())),
    },
    Setting {
        key: "management.cors.max_age",
        alias: None,
        environment: None,
        initial: Initial::Value("1800"),
        doc: "How long a browser may remember what it was told about an origin, in seconds.",
        set: Set::Number(0, u32::MAX, |config, seconds| config.http.cors.max_age_seconds = seconds),
    },
    Setting {
        key: "management.csp.policy",
        alias: None,
        environment: None,
        initial: Initial::Value("script-src 'self'; object-src 'self'"),
        doc: "Header `Content-Security-Policy`.",
        set: Set::Header(|config, value| config.http.put_header(header::CONTENT_SECURITY_POLICY, value)),
    },
    Setting {
        key: "management.hsts.policy",
        alias: None,
        environment: None,
        initial: Initial::Unset("not sent"),
        doc: "Header `Strict-Transport-Security`.",
        set: Set::Header(|config, value| config.http.put_header(header::STRICT_TRANSPORT_SECURITY, value)),
    },
    Setting {
        key: "management.headers.content_type_options",
        alias: None,
        environment: None,
        initial: Initial::Unset("not sent"),
        doc: "Header `X-Content-Type-Options`.",
        set: Set::Header(|config, value| config.http.put_header(header::X_CONTENT_TYPE_OPTIONS, value)),
    },
    Setting {
        key: "management.headers.frame_options",
        alias: None,
        environment: None,
        initial: Initial::Unset("not sent"),
        doc: "Header `X-Frame-Options`.",
        set: Set::Header(|config, value| config.http.put_header(header::X_FRAME_OPTIONS, value)),
    },
    Setting {
        key: "management.headers.xss_protection",
        alias: None,
        environment: None,
        initial: Initial::Unset("not sent"),
        doc: "Header `X-XSS-Protection`.",
        set: Set::Header(|config, value| config.http.put_header(header::X_XSS_PROTECTION, value)),
    },
    Setting {
        key: "management.headers.referrer_policy",
        alias: None,
        environment: None,
        initial: Initial::Unset("not sent"),
        doc: "Header `Referrer-Policy`.",
        set: Set::Header(|config, value| config.http.put_header(header::REFERRER_POLICY, value)),
    },
    Setting {
        key: "collect_statistics_interval",
        alias: None,
        environment: None,
        initial: Initial::Value("5000"),
        doc: "Milliseconds between samples of counters; rates are taken between two.",
        set: Set::Number(INTERVAL_MS_MIN, INTERVAL_MS_MAX, |config, ms| config.statistics.interval_ms = ms),
    },
    Setting {
        key: "management.rates_mode",
        alias: None,
        environment: None,
        initial: Initial::Value("basic"),
        doc: "Which rates of messages are kept: of every object, of flows between two as well, or none.",
        set: Set::Choice(&["basic", "detailed", "none"], |config, mode| {
            config.statistics.rates_mode = RatesMode::from_name(mode).unwrap_or_default();
        }),
    },
    Setting {
        key: "management.disable_stats",
        alias: Some("management_agent.disable_metrics_collector"),
        environment: None,
        initial: Initial::Value("false"),
        doc: "Samples nothing, and leaves out of every answer what `disable_stats=true` does.",
        set: Set::Flag(|config, _, on| config.statistics.disabled = on),
    },
    Setting {
        key: "management.sample_retention_policies.global.$age",
        alias: None,
        environment: None,
        initial: Initial::Unset("605: 5, 3660: 60, 29400: 600, 86400: 1800"),
        doc: "How long samples of the node and of virtual hosts are kept, and how far apart.",
        set: Set::Retention(|config, age, distance| {
            config.retention[0].insert(age, distance);
        }),
    },
    Setting {
        key: "management.sample_retention_policies.basic.$age",
        alias: None,
        environment: None,
        initial: Initial::Unset("605: 5, 3600: 60"),
        doc: "The same of queues, exchanges, connections and channels.",
        set: Set::Retention(|config, age, distance| {
            config.retention[1].insert(age, distance);
        }),
    },
    Setting {
        key: "management.sample_retention_policies.detailed.$age",
        alias: None,
        environment: None,
        initial: Initial::Unset("605: 5"),
        doc: "The same of flows between two of them.",
        set: Set::Retention(|config, age, distance| {
            config.retention[2].insert(age, distance);
        }),
    },
    Setting {
        key: "prometheus.tcp.port",
        alias: None,
        environment: None,
        initial: Initial::Unset("15692"),
        doc: "Port of the metrics in the clear; 0 takes a free one.",
        set: Set::Number(0, 65_535, |config, port| config.metrics_plain.port = Some(narrow(port))),
    },
    Setting {
        key: "prometheus.tcp.ip",
        alias: None,
        environment: None,
        initial: Initial::Unset("every address"),
        doc: "Address of the metrics.",
        set: Set::Address(|config, address| config.metrics_plain.address = Some(address)),
    },
    Setting {
        key: "prometheus.tcp.listener",
        alias: None,
        environment: None,
        initial: Initial::Unset("address and port as configured"),
        doc: "Address and port of the metrics in one; goes before the others. `none` closes the listener.",
        set: Set::ListenerOrNone(|config, address| config.metrics_listener = Some(address)),
    },
    Setting {
        key: "prometheus.path",
        alias: None,
        environment: None,
        initial: Initial::Value("/metrics"),
        doc: "Path of the metrics; the other pages are below it.",
        set: Set::PathPrefix(|config, path| config.metrics.path = path),
    },
    Setting {
        key: "prometheus.return_per_object_metrics",
        alias: None,
        environment: None,
        initial: Initial::Value("false"),
        doc: "Whether `/metrics` shows queues, channels and connections one by one, as `/metrics/per-object` does.",
        set: Set::Flag(|config, _, on| config.metrics.per_object = on),
    },
    Setting {
        key: "prometheus.authentication.enabled",
        alias: None,
        environment: None,
        initial: Initial::Value("false"),
        doc: "Whether the metrics are for users only that may monitor, who log in with name and password.",
        set: Set::Flag(|config, _, on| config.metrics.authenticated = on),
    },
    Setting {
        key: "control.socket",
        alias: None,
        environment: None,
        initial: Initial::Unset("`control.sock` in the data directory"),
        doc: "Unix socket of the command line tools: whoever may open it is administrator.",
        set: Set::Path(|config, path| config.control_socket = Some(path)),
    },
    Setting {
        key: "default_user",
        alias: None,
        environment: Some("RABBITMQ_DEFAULT_USER"),
        initial: Initial::Value("guest"),
        doc: "First user of an empty node.",
        set: Set::Text(|config, _, name| name.clone_into(&mut config.node.default_user)),
    },
    Setting {
        key: "default_pass",
        alias: None,
        environment: Some("RABBITMQ_DEFAULT_PASS"),
        initial: Initial::Value("guest"),
        doc: "Password of the first user.",
        set: Set::Secret(|config, password| password.clone_into(&mut config.node.default_pass)),
    },
    Setting {
        key: "default_vhost",
        alias: None,
        environment: Some("RABBITMQ_DEFAULT_VHOST"),
        initial: Initial::Value("/"),
        doc: "First virtual host of an empty node.",
        set: Set::Text(|config, _, name| name.clone_into(&mut config.node.default_vhost)),
    },
    Setting {
        key: "default_user_tags.$tag",
        alias: None,
        environment: None,
        initial: Initial::Named("administrator", "true"),
        doc: "Tags of the first user: those that are true.",
        set: Set::Flag(|config, tag, on| {
            if on {
                config.node.default_user_tags.push(tag.to_owned());
            }
        }),
    },
    Setting {
        key: "default_permissions.configure",
        alias: None,
        environment: None,
        initial: Initial::Value(".*"),
        doc: "What the first user may create and delete in the first virtual host.",
        set: Set::Text(|config, _, pattern| pattern.clone_into(&mut config.node.default_permissions[0])),
    },
    Setting {
        key: "default_permissions.write",
        alias: None,
        environment: None,
        initial: Initial::Value(".*"),
        doc: "What the first user may write to.",
        set: Set::Text(|config, _, pattern| pattern.clone_into(&mut config.node.default_permissions[1])),
    },
    Setting {
        key: "default_permissions.read",
        alias: None,
        environment: None,
        initial: Initial::Value(".*"),
        doc: "What the first user may read from.",
        set: Set::Text(|config, _, pattern| pattern.clone_into(&mut config.node.default_permissions[2])),
    },
    Setting {
        key: "loopback_users.$user",
        alias: None,
        environment: None,
        initial: Initial::Named("guest", "true"),
        doc: "Users that may only connect from this host: those that are true.",
        set: Set::Flag(|config, user, on| {
            if on {
                config.node.loopback_users.push(user.to_owned());
            }
        }),
    },
    Setting {
        key: "loopback_users",
        alias: None,
        environment: None,
        initial: Initial::Unset("users as configured"),
        doc: "`none` lets every user connect from anywhere, whatever `loopback_users.$user` says.",
        set: Set::Choice(&["none"], |config, _| config.loopback_users_off = true),
    },
    Setting {
        key: "auth_backends.$num",
        alias: None,
        environment: None,
        initial: Initial::Named("1", "internal"),
        doc: "Where users are looked up: in the broker itself is all there is.",
        set: Set::Choice(&["internal", "rabbit_auth_backend_internal"], |_, _| {}),
    },
    Setting {
        key: "default_queue_type",
        alias: None,
        environment: None,
        initial: Initial::Value("classic"),
        doc: "Type of queues declared without one in virtual hosts that do not say.",
        set: Set::Choice(&["classic", "quorum", "stream"], |config, name| {
            config.node.default_queue_type = QueueKind::from_wire(name).unwrap_or_default();
        }),
    },
    Setting {
        key: "password_hashing_module",
        alias: None,
        environment: None,
        initial: Initial::Value("argon2id"),
        doc: "How new passwords are hashed; hashes of every kind are verified.",
        set: Set::Choice(&["argon2id", SHA256, SHA512, MD5], |config, name| {
            config.node.password_hashing = match name {
                SHA256 => HashAlgorithm::Sha256,
                SHA512 => HashAlgorithm::Sha512,
                MD5 => HashAlgorithm::Md5,
                _ => HashAlgorithm::Argon2id,
            };
        }),
    },
    Setting {
        key: "heartbeat",
        alias: None,
        environment: None,
        initial: Initial::Value("60"),
        doc: "Heartbeat offered to clients, in seconds; 0 offers none.",
        set: Set::Number(0, 65_535, |config, seconds| config.node.heartbeat_s = narrow(seconds)),
    },
    Setting {
        key: "frame_max",
        alias: None,
        environment: None,
        initial: Initial::Value("131072"),
        doc: "Largest frame offered to clients.",
        set: Set::Size(4096, 128 << 20, |config, bytes| config.node.frame_max = bytes),
    },
    Setting {
        key: "max_channels_per_connection",
        alias: Some("channel_max"),
        environment: None,
        initial: Initial::Value("2047"),
        doc: "Channels offered to each connection; 0 offers as many as there can be.",
        set: Set::Number(0, 65_535, |config, channels| {
            config.node.channel_max = if channels == 0 { u16::MAX } else { narrow(channels) };
        }),
    },
    Setting {
        key: "connection_max",
        alias: None,
        environment: None,
        initial: Initial::Value("infinity"),
        doc: "AMQP connections that may be open at once; further ones are refused.",
        set: Set::NumberOrInfinity(|config, connections| config.node.connection_max = connections),
    },
    Setting {
        key: "handshake_timeout",
        alias: None,
        environment: None,
        initial: Initial::Value("10000"),
        doc: "Longest wait for a client's handshake, in milliseconds.",
        set: Set::Number(100, 600_000, |config, ms| {
            config.node.handshake_timeout = Duration::from_millis(ms.into());
        }),
    },
    Setting {
        key: "max_message_size",
        alias: None,
        environment: None,
        initial: Initial::Value("16777216"),
        doc: "Largest message body, in bytes.",
        set: Set::Number(0, 512 << 20, |config, bytes| config.node.max_message_size = bytes),
    },
    Setting {
        key: "consumer_timeout",
        alias: None,
        environment: None,
        initial: Initial::Value("1800000"),
        doc: "How long a consumer of a quorum queue may leave a delivery unsettled, in milliseconds.",
        set: Set::Number(0, u32::MAX, |config, ms| config.node.consumer_timeout = Duration::from_millis(ms.into())),
    },
    Setting {
        key: "total_memory_available_override_value",
        alias: None,
        environment: None,
        initial: Initial::Unset("what the machine and the control group leave it"),
        doc: "Memory the broker may use: relative limits and what queues keep in memory follow it.",
        set: Set::Amount(|config, bytes| config.node.memory_total = Some(bytes)),
    },
    Setting {
        key: "vm_memory_high_watermark.relative",
        alias: None,
        environment: None,
        initial: Initial::Value("0.6"),
        doc: "Publishers wait while the broker uses more than this share of the host's memory.",
        set: Set::Share(1.0, |config, share| {
            config.node.vm_memory_high_watermark = Watermark::Relative(share);
        }),
    },
    Setting {
        key: "vm_memory_high_watermark.absolute",
        alias: None,
        environment: None,
        initial: Initial::Unset("the relative one counts"),
        doc: "Publishers wait while the broker uses more than this; goes before the relative one.",
        set: Set::Amount(|config, bytes| {
            config.node.vm_memory_high_watermark = Watermark::Absolute(bytes);
        }),
    },
    Setting {
        key: "disk_free_limit.relative",
        alias: None,
        environment: None,
        initial: Initial::Unset("the absolute one counts"),
        doc: "Publishers wait while less than this many times the host's memory is free on disk.",
        set: Set::Share(1000.0, |config, share| {
            config.node.disk_free_limit = Watermark::Relative(share);
        }),
    },
    Setting {
        key: "disk_free_limit.absolute",
        alias: None,
        environment: None,
        initial: Initial::Value("50MB"),
        doc: "Publishers wait while less than this is free on disk; goes before the relative one when set.",
        set: Set::Amount(|config, bytes| config.node.disk_free_limit = Watermark::Absolute(bytes)),
    },
    Setting {
        key: "cluster_formation.target_cluster_size_hint",
        alias: None,
        environment: None,
        initial: Initial::Value("1"),
        doc: "Nodes the cluster should have; a health check fails while there are fewer. Warren is one node.",
        set: Set::Number(1, 255, |config, nodes| config.node.target_cluster_size = nodes),
    },
    Setting {
        key: "cluster_name",
        alias: None,
        environment: None,
        initial: Initial::Unset("the node's name with the host's own"),
        doc: "Name of the cluster.",
        set: Set::Text(|config, _, name| config.node.cluster_name = Some(name.to_owned())),
    },
    Setting {
        key: "product.name",
        alias: None,
        environment: Some("RABBITMQ_PRODUCT_NAME"),
        initial: Initial::Value("RabbitMQ"),
        doc: "Product in server properties and overview; client libraries choose behaviour by it.",
        set: Set::Text(|config, _, name| name.clone_into(&mut config.node.product)),
    },
    Setting {
        key: "product.version",
        alias: None,
        environment: Some("RABBITMQ_PRODUCT_VERSION"),
        initial: Initial::Value("4.3.5"),
        doc: "Version in server properties and overview: the compatible one, which clients parse.",
        set: Set::Version(|config, version| version.clone_into(&mut config.node.version)),
    },
    Setting {
        key: "log.console",
        alias: None,
        environment: None,
        initial: Initial::Value("true"),
        doc: "Whether the log goes to standard output.",
        set: Set::Flag(|config, _, on| config.log_console = on),
    },
    Setting {
        key: "log.console.level",
        alias: None,
        environment: None,
        initial: Initial::Value("info"),
        doc: "Least severe log line that is printed.",
        set: Set::Choice(LEVELS, |config, level| level.clone_into(&mut config.log_level)),
    },
];

/// A number whose range the row has checked.
pub fn narrow(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}
