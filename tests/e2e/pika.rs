//! Programs written with pika, run unmodified: `tests/python/test_*.py`, each file against a server of its own.

use std::collections::BTreeSet;

use tests::{Options, Server, repository, run_python};

/// The file that asks the management API everything.
const MANAGEMENT: &str = "test_management.py";

/// Runs one file with pytest.
fn check(file: &str) {
    // Hundreds of users, and what is told of them is what the recorded node said.
    let hashing: &[&str] = &["password_hashing_module=rabbit_password_hashing_sha256"];
    check_with(file, if file == MANAGEMENT { hashing } else { &[] });
}

/// The same with settings.
fn check_with(file: &str, set: &[&str]) {
    let set = set.iter().map(|set| (*set).to_owned()).collect();
    let server = Server::start_with(Options { set, ..Options::default() });
    let output = run_python(&server, &["-m", "pytest", "-q", "-p", "no:cacheprovider", file]);
    println!("{}", String::from_utf8_lossy(&output.stdout));
}

/// One test per file, and the list of the files.
macro_rules! pika_programs {
    ($($name:ident => $file:literal,)*) => {
        const FILES: &[&str] = &[$($file),*];
        $(#[test] fn $name() { check($file); })*
    };
}

pika_programs! {
    alarms_block_who_publishes => "test_alarms.py",
    deliveries_are_settled_in_time_or_go_back => "test_ack_timeout.py",
    flows_are_hidden_in_the_usual_mode => "test_flows.py",
    metrics_are_the_reference_s => "test_metrics.py",
    metrics_fill_dashboards => "test_metrics_dashboards.py",
    secrets_are_updated_on_open_connections => "test_secrets.py",
    consumers_share_a_work_queue => "test_work_queue.py",
    consumers_and_messages_follow_each_other => "test_hand_over.py",
    messages_are_acknowledged_or_come_back => "test_acknowledgement.py",
    exchanges_route_by_their_type => "test_routing.py",
    exchanges_choose_one_binding => "test_choosing_exchanges.py",
    an_exchange_keeps_its_recent_history => "test_recent_history.py",
    messages_wait_at_a_delaying_exchange => "test_delayed.py",
    rights_change_under_open_channels => "test_rights.py",
    replies_come_without_a_queue => "test_direct_reply.py",
    requests_get_their_replies => "test_rpc.py",
    tables_are_answered_as_recorded => "test_conformance.py",
    the_api_answers_everybody_as_recorded => "test_management.py",
    refusals_have_the_reference_s_code_and_text => "test_refusals.py",
    frames_in_and_out_of_order_are_answered => "test_wire_connection.py",
    operators_close_with_their_reasons => "test_wire_operator.py",
    methods_of_a_channel_are_answered => "test_wire_channel.py",
    the_firehose_copies_what_passes => "test_firehose.py",
    queues_and_exchanges_go_when_their_users_go => "test_lifetimes.py",
    streams_are_read_by_offset => "test_streams.py",
    answers_are_compared_strictly_with_a_document => "test_document.py",
    dead_letters_tell_what_happened => "test_dead_letters.py",
    dead_letters_go_where_they_are_told => "test_dead_letter_routes.py",
    quorum_queues_count_and_let_die => "test_quorum_letters.py",
}

/// Flows between two objects, which [`FILES`] runs in the usual mode.
const FLOWS: &str = "test_flows.py";

#[test]
fn flows_are_shown_by_pair() {
    check_with(FLOWS, &["management.rates_mode=detailed", "collect_statistics_interval=500"]);
}

#[test]
fn flows_are_not_counted_without_rates() {
    check_with(FLOWS, &["management.rates_mode=none"]);
}

/// Runs a program with `publish`, kills the broker, and runs the program with `check`.
fn outlives_a_kill(program: &str) {
    let mut server = Server::start();
    run_python(&server, &[program, "publish"]);
    server.kill();
    let server = server.restart();
    run_python(&server, &[program, "check"]);
}

#[test]
fn durable_queues_and_persistent_messages_outlive_a_kill() {
    outlives_a_kill("durability.py");
}

#[test]
fn delayed_messages_outlive_a_kill() {
    outlives_a_kill("delays.py");
}

#[test]
fn streams_outlive_a_kill() {
    outlives_a_kill("stream_kill.py");
}

#[test]
fn dead_letters_that_must_arrive_outlive_a_kill() {
    outlives_a_kill("at_least_once.py");
}

#[test]
fn huge_messages_pass_in_parts_and_nobody_waits_for_them() {
    const LIMIT: &str = "536870000";
    let options = Options { set: vec![format!("max_message_size={LIMIT}")], ..Options::default() };
    let server = Server::start_with(options);
    run_python(&server, &["huge.py", LIMIT, &server.pid().to_string()]);
}

#[test]
fn every_program_is_run() {
    let folder = std::fs::read_dir(repository().join("tests/python")).unwrap();
    let there: BTreeSet<String> = folder
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("test_") && name.ends_with(".py"))
        .collect();
    assert_eq!(there, FILES.iter().map(|file| (*file).to_owned()).collect());
}
