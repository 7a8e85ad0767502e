//! Published client libraries, and the suites that some of them bring, against the built server.
//!
//! Owns the list of clients and how their verdicts are told. A client whose toolchain the host does not have is told as
//! not run, so this target has a harness of its own. Each client gets a server of its own. With `WARREN_AMQP` and
//! `WARREN_HTTP` all of them work with that broker instead, the reference for example, and with `CLIENTS_RECORD=1`
//! what their suites say there becomes what is expected here (`tests/clients/expected/`).

mod admin;
mod apart;
mod broker;
mod crates;
mod debian;
mod elsewhere;
mod lapin;
mod node;
mod provision;
mod python;
mod rabbitmq;
mod shells;
mod suite;
mod verdict;

use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use broker::Broker;
use verdict::Verdict;

/// Clients at work at the same time: they mostly wait, for timers of theirs above all.
const CLIENTS_AT_ONCE: usize = 3;

/// What is run for one client.
type Run = fn(&Broker) -> Verdict;

/// The longest first, so that the end is not one of them alone.
const CLIENTS: &[(&str, Run)] = &[
    ("commands_over_http", elsewhere::commands_over_http),
    ("rabbitmq_http_client_suite", crates::rabbitmq_http_client_suite),
    ("rabbitmqadmin_suite", crates::rabbitmqadmin_suite),
    ("ansible_playbooks", provision::ansible),
    ("rabbitmqadmin_v2", admin::rabbitmqadmin_v2),
    ("rabbitmqadmin_v1", admin::rabbitmqadmin_v1),
    ("kombu_integration_suite", python::kombu_suite),
    ("celery_worker", python::celery),
    ("amqp091_go_suite", debian::amqp091_go_suite),
    ("java_amqp_client", debian::java_amqp_client),
    ("py_amqp_integration_suite", python::py_amqp_suite),
    ("pika_select_and_asyncio", python::pika_adapters),
    ("aio_pika", python::aio_pika),
    ("nagios_checks", admin::nagios_checks),
    ("amqpstorm_management", python::amqpstorm),
    ("pyrabbit2", python::pyrabbit2),
    ("flower", python::flower),
    ("kombu", python::kombu),
    ("node_amqplib", node::amqplib),
    ("rust_lapin", lapin::run),
    ("c_amqp_tools", debian::amqp_tools),
    ("salt_states", provision::salt),
    ("puppet_resources", provision::puppet),
    ("provisioning_script", shells::provisioning_script),
    ("completion_in_three_shells", shells::completion),
    ("manual_pages", shells::manual_pages),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        CLIENTS.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let filters: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let chosen = |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()));
    let waiting: Mutex<VecDeque<_>> = Mutex::new(CLIENTS.iter().filter(|(name, _)| chosen(name)).collect());
    let [passed, failed, not_run] = [const { AtomicUsize::new(0) }; 3];
    println!("\nrunning {} clients", waiting.lock().expect("no holder panics").len());
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS_AT_ONCE {
            scope.spawn(|| {
                while let Some((name, run)) = { waiting.lock().expect("no holder panics").pop_front() } {
                    let verdict = judge(name, *run);
                    let count = match verdict {
                        Verdict::Passed(_) => &passed,
                        Verdict::Failed(_) => &failed,
                        Verdict::NotRun(_) => &not_run,
                    };
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let [passed, failed, not_run] = [passed, failed, not_run].map(AtomicUsize::into_inner);
    println!("\n{passed} passed, {failed} failed, {not_run} skipped");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one client and tells what came of it.
fn judge(name: &str, run: Run) -> Verdict {
    let started = Instant::now();
    // The set-up panics when it fails; that is the verdict on this client, not the end of the others.
    let verdict = std::panic::catch_unwind(|| run(&Broker::under_test())).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Verdict::Failed(text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default())
    });
    println!("client {name} ... {verdict} [{:.1} s]", started.elapsed().as_secs_f64());
    verdict
}
