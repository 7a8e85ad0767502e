//! A server on the usual ports, for suites that know no others: in a network namespace of its own, where these are free.

use std::path::Path;
use std::process::Command;

use rustix::process::geteuid;
use tests::{Options, Server};

use crate::broker::Broker;

/// The ports that every client takes when told nothing; the node bears the usual name too.
const USUAL: [u16; 2] = [5672, 15672];

/// A server on the usual ports.
pub struct Apart {
    server: Option<Server>,
}

impl Apart {
    /// The broker itself where it is on these ports. Another one than a server of ours can be nowhere else; and without
    /// namespaces there is none.
    pub fn on_usual_ports(broker: &Broker) -> Option<Self> {
        if !broker.is_ours() {
            let is_usual = [broker.amqp.port(), broker.http.port()] == USUAL;
            return is_usual.then_some(Self { server: None });
        }
        let unshare = if geteuid().is_root() { &["unshare", "-n"][..] } else { &["unshare", "-rn"] };
        let words = [unshare, &["sh", "-c", "ip link set lo up && exec \"$@\"", "sh"]].concat();
        if !Command::new(words[0]).args(&words[1..]).arg("true").status().is_ok_and(|status| status.success()) {
            return None;
        }
        let [amqp, http] = USUAL;
        let server = Server::start_with(Options {
            node: Some("rabbit@localhost".to_owned()),
            set: vec![format!("listeners.tcp.default=127.0.0.1:{amqp}"), format!("management.tcp.port={http}")],
            within: words.iter().map(|&word| word.to_owned()).collect(),
            ..Options::default()
        });
        Some(Self { server: Some(server) })
    }

    /// A program that finds the server on these ports of the loopback.
    pub fn command(&self, program: &Path) -> Command {
        let Some(server) = &self.server else { return Command::new(program) };
        let namespace = |name: &str| format!("--{name}=/proc/{}/ns/{name}", server.pid());
        let mut command = Command::new("nsenter");
        command.arg(namespace("net"));
        if !geteuid().is_root() {
            command.arg(namespace("user")).arg("--preserve-credentials");
        }
        command.arg("--").arg(program);
        command
    }
}
