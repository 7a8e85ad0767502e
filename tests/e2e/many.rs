//! Many connections, channels, bindings and declarations on one server: each of them works.

#[path = "../../benches/scale/client.rs"]
#[expect(dead_code, reason = "the bench measures more than is looked at here")]
mod client;

use client::Client;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};
use tests::{Server, wait_until};

const CONNECTIONS: usize = 1_000;
const CHANNELS: u16 = 1_000;
const BINDINGS: usize = 20_000;
const QUEUES: usize = 2_000;

#[test]
fn a_thousand_connections_are_served_and_leave_nothing() {
    // The server raises its own; this is for the other ends.
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let server = Server::start();
    let mut open: Vec<Client> = (0..CONNECTIONS).map(|_| Client::open(server.amqp).unwrap()).collect();
    for (number, client) in open.iter_mut().enumerate().step_by(100) {
        client.open_channel(1).unwrap();
        assert_eq!(client.declare_queue(&format!("q{number}"), 1).unwrap(), 0);
    }
    drop(open);
    let mut last = Client::open(server.amqp).unwrap();
    last.open_channel(1).unwrap();
    assert_eq!(last.declare_queue("q900", 1).unwrap(), 0, "what the others declared is there");
}

#[test]
fn a_thousand_channels_of_one_connection_work() {
    let server = Server::start();
    let mut client = Client::open(server.amqp).unwrap();
    (1..=CHANNELS).for_each(|number| client.open_channel(number).unwrap());
    for number in [1, CHANNELS / 2, CHANNELS] {
        assert_eq!(client.declare_queue("q", number).unwrap(), 0);
    }
}

#[test]
fn twenty_thousand_bindings_route_and_go() {
    let server = Server::start();
    let mut client = Client::open(server.amqp).unwrap();
    client.open_channel(1).unwrap();
    client.declare_topic_exchange("x").unwrap();
    client.declare_queue("q", 1).unwrap();
    client.confirm().unwrap();
    let patterns: Vec<String> = (0..BINDINGS)
        .map(|number| match number % 3 {
            0 => format!("a{}.*.k{number}", number % 100),
            1 => format!("a{}.b.k{number}.#", number % 100),
            _ => format!("a{}.b.k{number}", number % 100),
        })
        .collect();
    client.bind_all("q", "x", &patterns).unwrap();
    let keys = (0..BINDINGS).map(|number| format!("a{}.b.k{number}", number % 100));
    client.publish_all("x", keys).unwrap();
    assert_eq!(client.declare_queue("q", 1).unwrap() as usize, BINDINGS, "each through its one binding");
    client.publish_all("x", (0..100).map(|number| format!("a1.c.k{number}"))).unwrap();
    assert_eq!(client.declare_queue("q", 1).unwrap() as usize, BINDINGS, "no binding, no message");
    // The exchange goes with its last binding.
    client.delete_queues(&["q".to_owned()]).unwrap();
    client.declare_topic_exchange("x").unwrap();
}

#[test]
fn declarations_sent_without_waiting_are_durable_when_answered() {
    let mut server = Server::start();
    let names: Vec<String> = (0..QUEUES).map(|number| format!("q{number}")).collect();
    let mut clients: Vec<Client> = (0..4).map(|_| Client::open(server.amqp).unwrap()).collect();
    for client in &mut clients {
        client.open_channel(1).unwrap();
    }
    std::thread::scope(|scope| {
        for (client, names) in clients.iter_mut().zip(names.chunks(QUEUES / 4)) {
            scope.spawn(|| client.declare_queues(names).unwrap());
        }
    });
    server.kill();
    let server = server.restart();
    let listed = server.tool("rabbitmqctl", &["-q", "list_queues", "--no-table-headers", "name"]);
    assert_eq!(String::from_utf8_lossy(&listed.stdout).lines().count(), QUEUES);
}

#[test]
fn a_server_out_of_descriptors_serves_who_is_there_and_takes_who_waits_once_some_go() {
    let server = Server::start();
    let mut there: Vec<Client> = (0..12).map(|_| Client::open(server.amqp).unwrap()).collect();
    // Below the highest of them: numbers, not files, are limited.
    let limit = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count() as u64;
    let pid = Pid::from_raw(server.pid().cast_signed());
    prlimit(pid, Resource::Nofile, Rlimit { current: Some(limit), maximum: getrlimit(Resource::Nofile).maximum })
        .unwrap();

    // More than fit in between what is open.
    let address = server.amqp;
    let coming: Vec<_> = (0..8).map(|_| std::thread::spawn(move || Client::open(address))).collect();
    let said = |text: &str| server.log().iter().filter(|line| line.contains(text)).count();
    wait_until("the shortage is logged", || (said("file descriptors have run out") >= 1).then_some(()));
    let counted = format!("of {limit} are open)");
    let (none, known) = (said(&format!("(0 {counted}")), said(&counted));
    assert!(none == 0 && known >= 1, "{:#?}", server.log());
    there[0].open_channel(1).unwrap();
    assert_eq!(there[0].declare_queue("q", 1).unwrap(), 0, "who is there is served");
    there.truncate(1);
    for one in coming {
        let mut came = one.join().unwrap().unwrap();
        came.open_channel(1).unwrap();
        assert_eq!(came.declare_queue("q", 1).unwrap(), 0, "who waited is served");
    }
    wait_until("the end of it is logged", || (said("connections are accepted again") >= 1).then_some(()));
}
