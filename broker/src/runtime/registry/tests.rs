//! The counts are always what counting would say.

use std::net::{Ipv4Addr, SocketAddr};

use proptest::prelude::*;

use super::*;

/// What happens to the connections, by index: one opens for a user in a vhost, one closes, a channel opens or closes.
#[derive(Debug, Clone)]
enum Step {
    Open(u8, u8),
    Close(usize),
    OpenChannel(usize, u16),
    CloseChannel(usize, u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..3u8, 0..3u8).prop_map(|(user, vhost)| Step::Open(user, vhost)),
        (0..8usize).prop_map(Step::Close),
        (0..8usize, 1..4u16).prop_map(|(at, number)| Step::OpenChannel(at, number)),
        (0..8usize, 1..4u16).prop_map(|(at, number)| Step::CloseChannel(at, number)),
    ];
    proptest::collection::vec(step, 1..60)
}

fn user(number: u8) -> UserName {
    UserName::new(format!("user{number}")).unwrap()
}

fn vhost(number: u8) -> VhostName {
    VhostName::new(format!("vhost{number}")).unwrap()
}

fn facts(user: UserName, vhost: VhostName) -> ConnectionFacts {
    let end = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    ConnectionFacts {
        peer: end,
        local: end,
        user,
        vhost,
        auth_mechanism: "PLAIN".to_owned(),
        client_properties: FieldTable::new(),
        heartbeat_s: 0,
        frame_max: 131_072,
        channel_max: 2047,
        connected_at_ms: 0,
        tls: None,
    }
}

fn enter(registry: &Registry, number: u8, in_vhost: u8) -> Result<Arc<ConnectionEntry>, Error> {
    let (sender, _) = ConnectionSender::new();
    registry.add(registry.next_id(), facts(user(number), vhost(in_vhost)), sender, |_| Ok(()))
}

/// A connection's end: its channels close, then it leaves.
fn end(registry: &Registry, entry: &ConnectionEntry) {
    for (number, _) in entry.channel_entries() {
        entry.remove_channel(number);
    }
    registry.remove(entry.id);
}

proptest! {
    #[test]
    fn counts_equal_a_count(steps in steps()) {
        let registry = Registry::default();
        let mut open: Vec<Arc<ConnectionEntry>> = Vec::new();
        for step in steps {
            match step {
                Step::Open(user, vhost) => open.push(enter(&registry, user, vhost).unwrap()),
                Step::Close(at) if at < open.len() => end(&registry, &open.remove(at)),
                Step::OpenChannel(at, number) if at < open.len() => drop(open[at].add_channel(number)),
                Step::CloseChannel(at, number) if at < open.len() => open[at].remove_channel(number),
                _ => {}
            }
            for (user, vhost) in (0..3).flat_map(|number| (0..3).map(move |other| (user(number), vhost(other)))) {
                let count = |wanted: &dyn Fn(&ConnectionFacts) -> bool| open.iter().filter(|entry| wanted(&entry.facts)).count();
                let counted = OpenConnections {
                    in_all: open.len(),
                    in_vhost: count(&|facts| facts.vhost == vhost),
                    of_user: count(&|facts| facts.user == user),
                };
                prop_assert_eq!(registry.open_connections(&vhost, &user), counted);
                let of_user: Vec<_> = open.iter().filter(|entry| entry.facts.user == user).collect();
                let channels = of_user.iter().map(|entry| entry.channel_entries().len()).sum::<usize>();
                prop_assert_eq!(registry.lock().counts.channels(&user), channels);
                prop_assert!(of_user.iter().all(|entry| entry.channels_of_user() == channels));
            }
        }
        open.iter().for_each(|entry| end(&registry, entry));
        prop_assert!(registry.lock().counts.is_empty(), "nothing is kept of those who left");
    }
}

#[test]
fn a_connection_that_is_not_admitted_leaves_no_trace() {
    let registry = Registry::default();
    let first = enter(&registry, 0, 0).unwrap();
    let (sender, _) = ConnectionSender::new();
    let refused = registry.add(registry.next_id(), facts(user(0), vhost(0)), sender, |open| {
        assert_eq!(open, OpenConnections { in_all: 1, in_vhost: 1, of_user: 1 });
        Err(Error::NotAllowed("full".to_owned()))
    });
    assert!(refused.is_err());
    assert_eq!(registry.open_connections(&vhost(0), &user(0)).in_vhost, 1);
    assert_eq!(registry.connections().len(), 1);
    end(&registry, &first);
    assert!(registry.lock().counts.is_empty());
}
