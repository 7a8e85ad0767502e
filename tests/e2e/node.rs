//! The server process: start, stop, configuration, the data directory's lock, the control socket.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Command;

use rustix::process::Signal;
use tests::{Options, Server, binaries};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `GET path` over a control socket; the status line and the body.
fn get(socket: &std::path::Path, path: &str) -> (String, serde_json::Value) {
    let mut stream = UnixStream::connect(socket).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: warren\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), serde_json::from_str(body).unwrap())
}

#[test]
fn says_that_it_is_ready_and_where_it_listens() {
    let server = Server::start();
    let log = server.log();
    let line =
        |text: &str| log.iter().position(|line| line.contains(text)).unwrap_or_else(|| panic!("no {text}: {log:?}"));
    assert!(line("Server startup complete") < line("listening for amqp on 127.0.0.1:"));
    assert!(line("Server startup complete") < line("listening for http on 127.0.0.1:"));
}

#[test]
fn stops_in_order_on_sigterm_and_on_ctrl_c() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start();
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(0));
        assert!(!server.socket.exists(), "the control socket is left behind");
        assert!(server.log().last().unwrap().contains("stopped"), "{:?}", server.log());
    }
}

#[test]
fn a_second_server_on_the_same_folder_is_refused_and_told_who_holds_it() {
    let server = Server::start();
    let output = server.rival();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains(&format!("process {}", server.pid())), "{said}");
    assert!(said.contains(&server.data_dir().display().to_string()), "{said}");
    // The one that was there first does not notice.
    assert_eq!(server.tool("rabbitmqctl", &["-q", "list_vhosts"]).status.code(), Some(0));
}

#[test]
fn a_mistyped_key_stops_the_start_with_file_line_and_nearest_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("warren.conf");
    std::fs::write(&file, "# mine\nheartbeat = 30\nhartbeat = 20\nframe_max = big\n").unwrap();
    let output = Command::new(&binaries().warren)
        .arg("--config")
        .arg(&file)
        .arg("--data-dir")
        .arg(folder.path().join("data"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(78));
    let expected = format!(
        "{0}:3: unknown key `hartbeat`; the nearest known one is `heartbeat`\n\
         {0}:4: `frame_max` cannot be `big`: expected bytes from 4096 to 134217728, or with KB, MB, GB\n",
        file.display()
    );
    assert_eq!(text(&output.stderr), expected);
    assert!(!folder.path().join("data").exists(), "a refused start leaves a data directory");
}

#[test]
fn the_control_socket_is_its_owner_s_alone_and_needs_no_password() {
    let server = Server::start();
    assert_eq!(std::fs::metadata(&server.socket).unwrap().permissions().mode() & 0o777, 0o600);
    let (status, node) = get(&server.socket, "/api/warren/node");
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert_eq!(node["node"], server.node.as_str());
    assert_eq!(node["os_pid"], server.pid());
    assert_eq!(node["data_dir"], server.data_dir().display().to_string());
}

#[test]
fn a_data_directory_with_a_long_name_has_its_socket_elsewhere() {
    let server = Server::start_with(Options { data_dir: Some("x".repeat(120)), ..Options::default() });
    assert!(!server.socket.starts_with(server.data_dir()), "{}", server.socket.display());
    assert_eq!(server.tool("rabbitmqctl", &["-q", "list_vhosts"]).status.code(), Some(0));
}

#[test]
fn tools_find_a_node_by_its_name() {
    let server = Server::start();
    let output = server
        .tool_command("rabbitmqctl", &["-n", &server.node, "-q", "list_vhosts"])
        .env_remove("WARREN_SOCKET")
        .output()
        .unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), "name\n/\n".to_owned()),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn container_variables_make_the_first_user_and_vhost() {
    let environment =
        [("RABBITMQ_DEFAULT_USER", "yugo"), ("RABBITMQ_DEFAULT_PASS", "123"), ("RABBITMQ_DEFAULT_VHOST", "shop")];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let server = Server::start_with(Options { environment, ..Options::default() });
    let ctl = |arguments: &[&str]| text(&server.tool("rabbitmqctl", arguments).stdout);
    assert_eq!(ctl(&["-q", "list_users"]), "user\ttags\nyugo\t[administrator]\n");
    assert_eq!(ctl(&["-q", "list_permissions", "-p", "shop"]), "user\tconfigure\twrite\tread\nyugo\t.*\t.*\t.*\n");
    assert_eq!(server.tool("rabbitmqctl", &["authenticate_user", "yugo", "123"]).status.code(), Some(0));
}

#[test]
fn what_was_provisioned_outlives_a_kill() {
    let mut server = Server::start();
    for command in [
        &["add_user", "yugo", "123"][..],
        &["set_user_tags", "yugo", "administrator"],
        &["add_vhost", "vhost1"],
        &["set_permissions", "-p", "vhost1", "yugo", "^a", "^b", "^c"],
    ] {
        let output = server.tool("rabbitmqctl", command);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
    server.kill();
    let server = server.restart();
    let ctl = |arguments: &[&str]| text(&server.tool("rabbitmqctl", arguments).stdout);
    assert!(ctl(&["-q", "list_users"]).contains("yugo\t[administrator]\n"));
    assert_eq!(ctl(&["-q", "list_permissions", "-p", "vhost1"]), "user\tconfigure\twrite\tread\nyugo\t^a\t^b\t^c\n");
    assert_eq!(server.tool("rabbitmqctl", &["authenticate_user", "yugo", "123"]).status.code(), Some(0));
    assert_eq!(server.tool("rabbitmqctl", &["authenticate_user", "yugo", "124"]).status.code(), Some(65));
}

#[test]
fn a_tool_without_a_broker_says_what_it_tried_and_exits_69() {
    let mut server = Server::start();
    assert_eq!(server.stop().code(), Some(0));
    let output = server.tool("rabbitmqctl", &["list_users"]);
    assert_eq!(output.status.code(), Some(69));
    let said = text(&output.stderr);
    assert!(said.contains(&server.socket.display().to_string()), "{said}");
}

#[test]
fn stop_over_the_control_socket_ends_the_process_in_order() {
    let mut server = Server::start();
    assert_eq!(server.tool("rabbitmqctl", &["-q", "stop"]).status.code(), Some(0));
    assert_eq!(server.wait().code(), Some(0));
    assert!(server.log().iter().any(|line| line.contains("asked over the control socket")), "{:?}", server.log());
}

#[test]
fn an_address_in_use_stops_the_start_and_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for set in [format!("listeners.tcp.default={address}"), format!("management.tcp.port={}", address.port())] {
        let output = Server::start_refused(&Options { set: vec![set.clone()], ..Options::default() });
        assert_eq!(output.status.code(), Some(1), "{set}");
        assert!(text(&output.stderr).contains(&address.to_string()), "{set}: {}", text(&output.stderr));
    }
}

#[test]
fn a_configuration_file_of_the_environment_is_read_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("rabbitmq.conf"),
        "default_user = from_file\nqueue_index_embed_msgs_below = 4096\n",
    )
    .unwrap();
    // Without its extension, as the reference takes it as well.
    let named = folder.path().join("rabbitmq").display().to_string();
    let environment = vec![("RABBITMQ_CONFIG_FILE".to_owned(), named)];
    let server = Server::start_with(Options { environment, no_config: true, ..Options::default() });
    assert_eq!(
        text(&server.tool("rabbitmqctl", &["-q", "list_users"]).stdout),
        "user\ttags\nfrom_file\t[administrator]\n"
    );
    let warning = "rabbitmq.conf:2: `queue_index_embed_msgs_below` is not offered and has no effect";
    assert!(server.log().iter().any(|line| line.contains(warning)), "{:?}", server.log());
}

#[test]
fn definitions_at_boot_make_the_users_and_the_default_ones_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "1-users.json",
        r#"{"users": [{"name": "yugo", "password": "123", "tags": "administrator"}], "vhosts": [{"name": "shop"}],
            "permissions": [{"user": "yugo", "vhost": "shop", "configure": ".*", "write": ".*", "read": ".*"}]}"#,
    );
    write("2-queues.json", r#"{"queues": [{"name": "orders", "vhost": "shop", "durable": true, "arguments": {}}]}"#);
    write("notes.txt", "no definitions");
    let set = vec![format!("load_definitions={}", folder.path().display())];
    let mut server = Server::start_with(Options { set, ..Options::default() });
    let check = |server: &Server| {
        let ctl = |arguments: &[&str]| text(&server.tool("rabbitmqctl", arguments).stdout);
        assert_eq!(ctl(&["-q", "list_users"]), "user\ttags\nyugo\t[administrator]\n");
        assert_eq!(ctl(&["-q", "list_vhosts"]), "name\nshop\n");
        assert_eq!(ctl(&["-s", "list_queues", "-p", "shop", "name", "durable"]), "orders\ttrue\n");
        assert_eq!(server.tool("rabbitmqctl", &["authenticate_user", "yugo", "123"]).status.code(), Some(0));
    };
    check(&server);
    // They are merged again at every start, and after a reset.
    server.stop();
    let server = server.restart();
    check(&server);
    for command in ["stop_app", "reset", "start_app"] {
        assert_eq!(server.tool("rabbitmqctl", &["-q", command]).status.code(), Some(0), "{command}");
    }
    check(&server);
}

#[test]
fn definitions_without_an_administrator_leave_a_way_in_that_the_log_tells() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("definitions.json");
    std::fs::write(
        &file,
        r#"{"users": [{"name": "app", "password": "a", "tags": ""}, {"name": "boss", "tags": "administrator"}],
            "vhosts": [{"name": "shop"}]}"#,
    )
    .unwrap();
    let set = vec![format!("load_definitions={}", file.display()), "definitions.skip_if_unchanged=true".to_owned()];
    let mut server = Server::start_with(Options { set, ..Options::default() });
    let told = |server: &Server| -> Vec<Vec<String>> {
        let log = server.log();
        let commands = log.iter().filter_map(|line| line.split_once("  rabbitmqctl ")).map(|(_, command)| command);
        commands.map(|command| command.split(' ').map(str::to_owned).collect()).collect()
    };
    let commands = told(&server);
    assert_eq!(commands.len(), 3, "{commands:?}");
    for command in &commands {
        let words: Vec<_> = command.iter().map(String::as_str).collect();
        let output = server.tool("rabbitmqctl", &words);
        assert_eq!(output.status.code(), Some(0), "{words:?}: {}", text(&output.stderr));
    }
    assert_eq!(server.tool("rabbitmqctl", &["authenticate_user", "admin", "PASSWORD"]).status.code(), Some(0));
    let permissions = text(&server.tool("rabbitmqctl", &["-q", "list_user_permissions", "admin"]).stdout);
    assert!(permissions.contains("shop"), "{permissions}");
    // The files are as they were, so what was made by hand stays, and nobody need be told.
    assert_eq!(server.tool("rabbitmqctl", &["delete_user", "app"]).status.code(), Some(0));
    server.stop();
    let server = server.restart();
    assert!(told(&server).is_empty());
    assert!(server.log().iter().any(|line| line.contains("unchanged since they were imported")));
    let users = text(&server.tool("rabbitmqctl", &["-s", "list_users"]).stdout);
    assert!(!users.contains("app") && users.contains("admin"), "{users}");
}

#[test]
fn wrong_definitions_at_boot_stop_the_start_and_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("definitions.json");
    for definitions in
        ["{", r#"{"users": [{"name": "yugo"}]}"#, r#"{"queues": [{"name": "q", "vhost": "absent", "durable": true}]}"#]
    {
        std::fs::write(&file, definitions).unwrap();
        let set = vec![format!("load_definitions={}", file.display())];
        let output = Server::start_refused(&Options { set, ..Options::default() });
        assert_eq!(output.status.code(), Some(1), "{definitions}");
        let expected = format!("definitions {}: ", file.display());
        assert!(text(&output.stderr).contains(&expected), "{definitions}: {}", text(&output.stderr));
    }
}
