//! The layers and the table as a whole.

use super::*;

fn arguments(set: &[&str]) -> Arguments {
    Arguments {
        config: Some("/dev/null".into()),
        data_dir: Some("/nowhere".into()),
        node: Some("warren@test".to_owned()),
        set: set.iter().map(|s| (*s).to_owned()).collect(),
        list_settings: false,
    }
}

/// Loads from a file with `text`, with `variables` and `--set` flags.
fn load(text: &str, variables: &[(&str, &str)], set: &[&str]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.conf");
    std::fs::write(&path, text).unwrap();
    let arguments = Arguments { config: Some(path), ..arguments(set) };
    let variable = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
    Config::load(&arguments, &variable).map_err(|e| e.to_string().replace(&format!("{}/", folder.path().display()), ""))
}

#[track_caller]
fn check_error(text: &str, expected: &str) {
    assert_eq!(load(text, &[], &[]).unwrap_err(), expected, "{text:?}");
}

#[test]
fn without_anything_the_defaults_are_the_reference_s() {
    let config = load("", &[], &[]).unwrap();
    assert_eq!(config.node.amqp_listeners.iter().map(SocketAddr::port).collect::<Vec<_>>(), [5672]);
    assert!(config.node.amqp_listeners[0].ip().is_unspecified());
    assert_eq!(config.management_listeners()[0].address.port(), 15672);
    assert_eq!(
        (&*config.node.default_user, &*config.node.default_pass, &*config.node.default_vhost),
        ("guest", "guest", "/")
    );
    assert_eq!(config.node.default_user_tags, ["administrator"]);
    assert_eq!(config.node.loopback_users, ["guest"]);
    assert_eq!(config.node.default_permissions, [".*", ".*", ".*"]);
    assert_eq!((config.node.heartbeat_s, config.node.frame_max, config.node.channel_max), (60, 131_072, 2047));
    assert_eq!(config.node.max_message_size, 16_777_216);
    assert_eq!(config.node.disk_free_limit, Watermark::Absolute(50_000_000));
    assert_eq!(config.node.vm_memory_high_watermark, Watermark::Relative(0.6));
    assert_eq!((&*config.node.product, &*config.node.version), ("RabbitMQ", "4.3.5"));
    assert_eq!(config.node.password_hashing, HashAlgorithm::Argon2id);
    assert!(config.warnings.is_empty());
}

#[test]
fn a_flag_goes_before_the_environment_before_the_file_before_the_default() {
    let user = |text, variables: &[(&str, &str)], set: &[&str]| load(text, variables, set).unwrap().node.default_user;
    let (file, variables, set) = ("default_user = f\n", [("RABBITMQ_DEFAULT_USER", "e")], ["default_user=s"]);
    assert_eq!(user("", &[], &[]), "guest");
    assert_eq!(user(file, &[], &[]), "f");
    assert_eq!(user(file, &variables, &[]), "e");
    assert_eq!(user(file, &variables, &set), "s");
    assert_eq!(user("default_user = a\ndefault_user = b\n", &[], &[]), "b");
}

#[test]
fn named_defaults_give_way_to_any_name() {
    let config = load("listeners.tcp.local = 127.0.0.1:5673\nloopback_users.admin = true\n", &[], &[]).unwrap();
    assert_eq!(config.node.amqp_listeners, ["127.0.0.1:5673".parse().unwrap()]);
    assert_eq!(config.node.loopback_users, ["admin"]);
    let config = load("loopback_users.guest = false\ndefault_user_tags.management = true\n", &[], &[]).unwrap();
    assert!(config.node.loopback_users.is_empty());
    assert_eq!(config.node.default_user_tags, ["management"]);
    let config = load("loopback_users = none\nlisteners.tcp = none\nlisteners.tcp.a = 1\n", &[], &[]).unwrap();
    assert!(config.node.loopback_users.is_empty() && config.node.amqp_listeners.is_empty());
}

#[test]
fn container_variables_work() {
    let variables = [
        ("RABBITMQ_DEFAULT_PASS", "secret"),
        ("RABBITMQ_DEFAULT_VHOST", "v"),
        ("RABBITMQ_NODE_PORT", "5999"),
        ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1"),
    ];
    let config = load("listeners.tcp.default = 5672\n", &variables, &[]).unwrap();
    assert_eq!((&*config.node.default_pass, &*config.node.default_vhost), ("secret", "v"));
    assert_eq!(config.node.amqp_listeners, ["127.0.0.1:5999".parse().unwrap()]);
}

#[test]
fn aliases_precedence_and_escaped_dots() {
    let config = load(
        "channel_max = 7\ndisk_free_limit.absolute = 1GiB\ndisk_free_limit.relative = 2.0\nloopback_users.a\\.b = true\n",
        &[],
        &[],
    )
    .unwrap();
    assert_eq!(config.node.channel_max, 7);
    assert_eq!(config.node.disk_free_limit, Watermark::Absolute(1 << 30));
    assert_eq!(config.node.loopback_users, ["a.b"]);
    let relative = load("disk_free_limit.relative = 1.0\n", &[], &[]).unwrap();
    assert_eq!(relative.node.disk_free_limit, Watermark::Relative(1.0));
}

#[test]
fn complaints_name_file_line_key_and_what_would_do() {
    check_error("\nheartbeet = 1\n", "w.conf:2: unknown key `heartbeet`; the nearest known one is `heartbeat`");
    check_error(
        "default_users = a\n",
        "w.conf:1: unknown key `default_users`; the nearest known one is `default_user`",
    );
    check_error("utterly.different = 1\n", "w.conf:1: unknown key `utterly.different`");
    check_error("heartbeat = soon\n", "w.conf:1: `heartbeat` cannot be `soon`: expected number from 0 to 65535");
    check_error(
        "frame_max = 4095\n",
        "w.conf:1: `frame_max` cannot be `4095`: expected bytes from 4096 to 134217728, or with KB, MB, GB",
    );
    check_error("product.version = 4.3\n", "w.conf:1: `product.version` cannot be `4.3`: expected version X.Y.Z");
    check_error(
        "default_pass = encrypted:abc\n",
        "w.conf:1: `default_pass` cannot be `its value`: expected secret text",
    );
    check_error("a = 1\nb = 2\n", "w.conf:1: unknown key `a`\nw.conf:2: unknown key `b`");
    check_error(
        "ssl_options.crl_check = true\n",
        "w.conf:1: `ssl_options.crl_check` is not offered; without it the broker would be less protected than configured, so it does not start",
    );
    assert_eq!(
        load("", &[], &["heartbeat=x"]).unwrap_err(),
        "--set: `heartbeat` cannot be `x`: expected number from 0 to 65535"
    );
    assert_eq!(load("", &[], &["heartbeat"]).unwrap_err(), "--set: expected KEY=VALUE, got `heartbeat`");
    assert_eq!(
        load("", &[("RABBITMQ_NODE_PORT", "x")], &[]).unwrap_err(),
        "environment variable RABBITMQ_NODE_PORT: `listeners.tcp.default` cannot be `x`: expected PORT or ADDRESS:PORT"
    );
}

/// The ways to log in and what is configured of TLS: taken, told, or refused.
#[test]
fn logins_and_encryption_are_configured_as_in_the_reference() {
    use broker::tls::{AlternativeNameKind, CertificateLogin, ClientCertificates, NamedCipher};
    let node = load("", &[], &[]).unwrap().node;
    assert_eq!(node.auth_mechanisms, Mechanism::INITIAL);
    assert_eq!(node.certificate_login, CertificateLogin::DistinguishedName);
    let config =
        load("auth_mechanisms.2 = PLAIN\nauth_mechanisms.10 = EXTERNAL\nauth_mechanisms.1 = ANONYMOUS\n", &[], &[]);
    let config = config.unwrap();
    assert_eq!(config.node.auth_mechanisms, [Mechanism::Plain, Mechanism::External]);
    assert_eq!(config.warnings, ["`auth_mechanisms.1 = ANONYMOUS`: this mechanism is not offered"]);
    check_error(
        "auth_mechanisms.1 = ANONYMOUS\n",
        "`auth_mechanisms` names none that is offered, so nobody could log in: these are PLAIN, AMQPLAIN and EXTERNAL",
    );
    let login = |text: &str| load(text, &[], &[]).unwrap().node.certificate_login;
    assert_eq!(login("ssl_cert_login_from = common_name\n"), CertificateLogin::CommonName);
    let alternative = "ssl_cert_login_from = subject_alternative_name\n";
    assert_eq!(login(alternative), CertificateLogin::AlternativeName(AlternativeNameKind::Dns, 0));
    let of_mail = format!("{alternative}ssl_cert_login_san_type = email\nssl_cert_login_san_index = 3\n");
    assert_eq!(login(&of_mail), CertificateLogin::AlternativeName(AlternativeNameKind::Email, 3));

    let text = "ssl_options.verify = verify_peer\nssl_options.depth = 2\nssl_handshake_timeout = 100\n\
                ssl_options.ciphers.2 = ECDHE-RSA-AES128-GCM-SHA256\nssl_options.ciphers.10 = AES256-SHA\n\
                ssl_options.ciphers.1 = TLS_AES_128_GCM_SHA256\n";
    let config = load(text, &[], &[]).unwrap();
    let tls = &config.node.amqp_tls;
    assert_eq!((tls.client_certificates, tls.depth), (ClientCertificates::Required, Some(2)));
    assert_eq!(tls.handshake_timeout, Some(Duration::from_millis(100)));
    let names = ["TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"];
    assert_eq!(tls.ciphers.iter().map(|cipher| cipher.openssl_name()).collect::<Vec<_>>(), names);
    assert!(names.iter().all(|name| matches!(broker::tls::Cipher::find(name), NamedCipher::Offered(_))));
    assert_eq!(config.warnings, ["`ssl_options.ciphers.10 = AES256-SHA`: this cipher suite is not offered"]);
    let verified = load("ssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = false\n", &[], &[]);
    assert_eq!(verified.unwrap().node.amqp_tls.client_certificates, ClientCertificates::Verified);
    check_error(
        "management.ssl.ciphers.1 = ECDHE-RSA-AES128-GCM-SHA255\n",
        "`management.ssl.ciphers.1` cannot be `ECDHE-RSA-AES128-GCM-SHA255`: no cipher suite has this name",
    );
    let refused = load("prometheus.ssl.ciphers.1 = AES256-SHA\n", &[], &[]).unwrap_err();
    assert!(
        refused.starts_with("`prometheus.ssl.ciphers` names no cipher suite that is offered: these are TLS_AES_256")
    );
}

#[test]
fn a_known_key_without_effect_is_a_warning() {
    let config = load("collect_statistics = none\n", &[], &[]).unwrap();
    assert_eq!(config.warnings.len(), 1);
    assert!(config.warnings[0].ends_with("w.conf:1: `collect_statistics` is not offered and has no effect"));
}

#[test]
fn statistics_are_configured_as_in_the_reference() {
    let config = load("", &[], &[]).unwrap();
    assert_eq!(config.statistics, StatisticsSettings::default());
    let text = "collect_statistics_interval = 1000\nmanagement.rates_mode = detailed\n\
                management.sample_retention_policies.basic.minute = 5\n\
                management.sample_retention_policies.basic.7200 = 60\n";
    let statistics = load(text, &[], &[]).unwrap().statistics;
    assert_eq!((statistics.interval_ms, statistics.rates_mode.as_str()), (1000, "detailed"));
    let policies = StatisticsSettings::default().policies;
    assert_eq!(statistics.policies, api::Policies { basic: [(60, 5), (7200, 60)].into(), ..policies });
    for key in ["management.disable_stats", "management_agent.disable_metrics_collector"] {
        assert!(load(&format!("{key} = true\n"), &[], &[]).unwrap().statistics.disabled, "{key}");
    }
    for wrong in [
        "collect_statistics_interval = 99",
        "management.rates_mode = all",
        "management.sample_retention_policies.global.week = 5",
        "management.sample_retention_policies.global.hour = 0",
        "management.sample_retention_policies.other.hour = 5",
    ] {
        assert!(load(&format!("{wrong}\n"), &[], &[]).is_err(), "{wrong}");
    }
}

#[test]
fn node_names_get_a_host_and_are_checked() {
    assert_eq!(node_name(Some("a@b".to_owned())).as_deref(), Ok("a@b"));
    assert_eq!(node_name(Some("a".to_owned())), Ok(format!("a@{}", host::short_name())));
    assert_eq!(node_name(None), Ok(format!("rabbit@{}", host::short_name())));
    for wrong in ["a@", "@b", "a/b@c", "a@b@c", "水@b"] {
        assert!(node_name(Some(wrong.to_owned())).is_err(), "{wrong}");
    }
}

#[test]
fn the_table_is_sound() {
    let mut keys = std::collections::BTreeSet::new();
    for setting in settings() {
        assert!(keys.insert(setting.key), "{} is declared twice", setting.key);
        assert!(setting.doc.ends_with('.') && !setting.doc.contains('\n'), "{}", setting.key);
        assert!(known::plain_keys().all(|key| key != setting.key), "{} is listed as not offered", setting.key);
        assert!(setting.environment.is_none() || setting.initial_assignment().is_some(), "{}", setting.key);
        if let Some((key, value)) = setting.initial_assignment() {
            let mut config = load("", &[], &[]).unwrap();
            let word = setting.matches(&key).unwrap();
            assert!(setting.set.put(&mut config, word, value), "{key} = {value}");
        }
    }
}

#[test]
fn the_settings_page_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings.md");
    let on_disk = std::fs::read_to_string(path).unwrap_or_default();
    assert!(on_disk == settings_page(), "write it anew: cargo run -- --list-settings > docs/settings.md");
}
