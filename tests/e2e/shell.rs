//! A runbook of provisioning commands, with the reference's output and exit codes.
//! The expectations were recorded from RabbitMQ 4.3 with the same commands.

use tests::Server;

/// Runs one command line and compares everything a script could see.
#[track_caller]
fn check(server: &Server, line: &[&str], stdout: &str) {
    let (tool, arguments) = line.split_first().expect("a tool");
    let output = server.tool(tool, arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let expected = stdout.replace("<NODE>", &server.node);
    assert_eq!(
        (text(&output.stdout), text(&output.stderr), output.status.code()),
        (expected, String::new(), Some(0)),
        "{line:?}"
    );
}

const EXCHANGES: &str = "\tdirect\namq.direct\tdirect\namq.fanout\tfanout\namq.headers\theaders\namq.match\theaders\n\
                         amq.rabbitmq.trace\ttopic\namq.topic\ttopic\n";

#[test]
fn the_runbook_runs_on_a_fresh_node() {
    let server = Server::start();
    let run = |line: &[&str], stdout: &str| check(&server, line, stdout);
    run(
        &["rabbitmqctl", "add_user", "yugo", "123"],
        "Adding user \"yugo\" ...\n\
         Done. Don't forget to grant the user permissions to some virtual hosts! See 'rabbitmqctl help set_permissions' to learn more.\n",
    );
    run(
        &["rabbitmqctl", "set_user_tags", "yugo", "administrator"],
        "Setting tags for user \"yugo\" to [administrator] ...\n",
    );
    run(&["rabbitmqctl", "add_vhost", "vhost1"], "Adding vhost \"vhost1\" ...\n");
    run(
        &["rabbitmqctl", "set_permissions", "-p", "/", "yugo", ".*", ".*", ".*"],
        "Setting permissions for user \"yugo\" in vhost \"/\" ...\n",
    );
    run(
        &["rabbitmqctl", "set_permissions", "-p", "vhost1", "yugo", ".*", ".*", ".*"],
        "Setting permissions for user \"yugo\" in vhost \"vhost1\" ...\n",
    );
    run(
        &["rabbitmqctl", "list_users"],
        "Listing users ...\nuser\ttags\nguest\t[administrator]\nyugo\t[administrator]\n",
    );
    run(
        &["rabbitmqctl", "list_user_permissions", "yugo"],
        "Listing permissions for user \"yugo\" ...\nvhost\tconfigure\twrite\tread\n/\t.*\t.*\t.*\nvhost1\t.*\t.*\t.*\n",
    );
    run(
        &["rabbitmqctl", "list_permissions", "-p", "vhost1"],
        "Listing permissions for vhost \"vhost1\" ...\nuser\tconfigure\twrite\tread\nyugo\t.*\t.*\t.*\n",
    );
    run(&["rabbitmqctl", "change_password", "yugo", "456"], "Changing password for user \"yugo\" ...\n");
    run(&["rabbitmqctl", "authenticate_user", "yugo", "456"], "Authenticating user \"yugo\" ...\nSuccess\n");
    run(
        &["rabbitmqctl", "clear_permissions", "-p", "vhost1", "yugo"],
        "Clearing permissions for user \"yugo\" in vhost \"vhost1\" ...\n",
    );
    run(&["rabbitmqctl", "list_exchanges"], &format!("Listing exchanges for vhost / ...\nname\ttype\n{EXCHANGES}"));
    run(&["rabbitmqctl", "list_bindings"], "Listing bindings for vhost /...\n");
    run(
        &["rabbitmqctl", "list_queues", "name", "messages_ready", "messages_unacknowledged"],
        "Timeout: 60.0 seconds ...\nListing queues for vhost / ...\n",
    );
    run(&["rabbitmqctl", "delete_vhost", "vhost1"], "Deleting vhost \"vhost1\" ...\n");
    run(&["rabbitmqctl", "delete_user", "yugo"], "Deleting user \"yugo\" ...\n");
    run(&["rabbitmqctl", "list_users"], "Listing users ...\nuser\ttags\nguest\t[administrator]\n");
    run(&["rabbitmqctl", "list_vhosts"], "Listing vhosts ...\nname\n/\n");
}

#[test]
fn a_reset_node_is_as_new() {
    let server = Server::start();
    let run = |line: &[&str], stdout: &str| check(&server, line, stdout);
    run(&["rabbitmqctl", "-q", "add_user", "yugo", "123"], "");
    run(&["rabbitmqctl", "-q", "add_vhost", "vhost1"], "");
    run(&["rabbitmqctl", "stop_app"], "Stopping rabbit application on node <NODE> ...\n");
    run(&["rabbitmqctl", "reset"], "Resetting node <NODE> ...\n");
    run(&["rabbitmqctl", "start_app"], "Starting node <NODE> ...\n");
    run(&["rabbitmqctl", "list_queues"], "Timeout: 60.0 seconds ...\nListing queues for vhost / ...\n");
    run(&["rabbitmqctl", "list_users"], "Listing users ...\nuser\ttags\nguest\t[administrator]\n");
    run(&["rabbitmqctl", "list_vhosts"], "Listing vhosts ...\nname\n/\n");
}

#[test]
fn a_running_node_refuses_a_reset_and_a_stopped_one_everything_else() {
    let server = Server::start();
    let refused = |arguments: &[&str], reason: &str| {
        let output = server.tool("rabbitmqctl", arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(64), 0), "{arguments:?}: {stderr}");
        assert_eq!(stderr.lines().next(), Some(reason), "{arguments:?}");
    };
    refused(
        &["reset"],
        "Error: this command requires the 'rabbit' app to be stopped on the target node. Stop it with 'rabbitmqctl stop_app'.",
    );
    check(&server, &["rabbitmqctl", "-q", "stop_app"], "");
    for command in [&["list_users"][..], &["add_user", "a", "b"], &["list_queues"]] {
        refused(
            command,
            "Error: this command requires the 'rabbit' app to be running on the target node. Start it with 'rabbitmqctl start_app'.",
        );
    }
    check(&server, &["rabbitmqctl", "-q", "start_app"], "");
    check(&server, &["rabbitmqctl", "-q", "list_vhosts"], "name\n/\n");
}

#[test]
fn status_and_plugins_serve_scripts() {
    let server = Server::start();
    let status = server.tool("rabbitmqctl", &["status"]);
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    assert_eq!(status.status.code(), Some(0));
    for expected in [
        format!("Status of node {} ...", server.node),
        "Runtime".to_owned(),
        format!("OS PID: {}", server.pid()),
        "Virtual host count: 1".to_owned(),
        format!("Interface: 127.0.0.1, port: {}, protocol: amqp", server.amqp.port()),
    ] {
        assert!(text.contains(&expected), "no `{expected}` in:\n{text}");
    }
    for command in [
        &["rabbitmq-plugins", "enable", "rabbitmq_management"][..],
        &["rabbitmq-diagnostics", "ping"],
        &["rabbitmq-diagnostics", "-q", "check_running"],
        &["rabbitmqctl", "await_startup"],
        &["rabbitmqctl", "cluster_status"],
    ] {
        let output = server.tool(command[0], &command[1..]);
        assert_eq!(output.status.code(), Some(0), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_password_can_come_from_standard_input() {
    use std::io::Write;
    use std::process::Stdio;
    let server = Server::start();
    let mut tool = server
        .tool_command("rabbitmqctl", &["-q", "add_user", "yugo"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    tool.stdin.take().unwrap().write_all("水许传\n".as_bytes()).unwrap();
    assert_eq!(tool.wait().unwrap().code(), Some(0));
    check(&server, &["rabbitmqctl", "-q", "authenticate_user", "yugo", "水许传"], "Success\n");
}

#[test]
fn a_reader_that_went_away_changes_nothing_but_what_is_read() {
    use std::process::{Command, Stdio};
    use tests::binaries;
    let server = Server::start();
    let tool = |line: &[&str]| server.tool_command(line[0], &line[1..]);
    let own = |line: &[&str]| {
        let mut command = Command::new(&binaries().ctl);
        command.args(line);
        command
    };
    for (mut command, input) in [
        (tool(&["rabbitmqctl", "add_user", "reader"]), "secret\n"),
        (tool(&["rabbitmqctl", "await_startup"]), ""),
        (tool(&["rabbitmqctl", "list_exchanges"]), ""),
        (tool(&["rabbitmqctl", "report"]), ""),
        (tool(&["rabbitmqctl", "eval"]), "node()."),
        (tool(&["rabbitmq-diagnostics", "check_port_connectivity"]), ""),
        (tool(&["rabbitmq-plugins", "enable", "rabbitmq_event_exchange", "--formatter", "json"]), ""),
        (tool(&["rabbitmqadmin", "help", "config"]), ""),
        (own(&["man", "rabbitmqctl"]), ""),
        (own(&["reference"]), ""),
        (own(&["nosuch"]), ""),
    ] {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(process.stdout.take());
        std::io::Write::write_all(&mut process.stdin.take().unwrap(), input.as_bytes()).unwrap();
        let output = process.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let is_refused = stderr.contains("nosuch");
        assert!(!stderr.contains("panicked"), "{command:?}: {stderr}");
        assert!(output.status.success() != is_refused, "{command:?}: {} {stderr}", output.status);
    }
    check(
        &server,
        &["rabbitmqctl", "authenticate_user", "reader", "secret"],
        "Authenticating user \"reader\" ...\nSuccess\n",
    );
    check(
        &server,
        &["rabbitmq-plugins", "is_enabled", "rabbitmq_event_exchange"],
        "Asking node <NODE> if plugin rabbitmq_event_exchange is enabled...\nPlugin rabbitmq_event_exchange is enabled on node <NODE>\n",
    );
}
