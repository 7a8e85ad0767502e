//! Names and interfaces as the host of the node sees them.

use std::collections::BTreeMap;
use std::net::ToSocketAddrs as _;

use openapi::control::NODE;
use serde_json::{Value, json};

use crate::call::Call;
use crate::command::{Command, Needs, Section, Tool, Words};
use crate::exit::{Failure, Kind};
use crate::output::{Answer, elixir_atom};
use crate::parse::Switch;

/// Commands of this file.
pub const ALL: &[&Command] = &[&DISCOVER_PEERS, &LIST_NETWORK_INTERFACES, &RESOLVER_INFO, &RESOLVE_HOSTNAME];

/// Unless told to stay offline, the node must be there: the answer is about its host.
fn reach(call: &Call) -> Result<(), Failure> {
    if !call.switches.flag("offline") {
        call.summary()?;
    }
    Ok(())
}

/// `resolve_hostname`.
pub const RESOLVE_HOSTNAME: Command = Command {
    name: "resolve_hostname",
    tools: &[Tool::Diagnostics],
    section: Section::Configuration,
    summary: "Resolves a hostname to a set of addresses. Takes Erlang's inetrc file into account.",
    usage: "resolve_hostname <hostname> [--address-family <ipv4 | ipv6>]",
    switches: &[Switch::text("address-family").short('a'), Switch::flag("offline")],
    words: Words::exactly(1),
    check: check_family,
    endpoints: &[&NODE],
    banner: banner_of_resolve,
    run: resolve_hostname,
    ..Command::BLANK
};

fn family(call: &Call) -> &str {
    call.switches.text("address-family").unwrap_or("IPv4")
}

fn check_family(call: &Call) -> Result<(), Failure> {
    match family(call) {
        "ipv4" | "ipv6" | "IPv4" | "IPv6" => Ok(()),
        other => {
            Err(Failure::bad_argument(format!("unsupported IP address family {other}. Valid values are: ipv4, ipv6")))
        }
    }
}

fn banner_of_resolve(call: &Call) -> Option<String> {
    if call.switches.flag("offline") {
        return Some(format!("Resolving hostname {} to {} addresses...", call.word(0), family(call)));
    }
    Some(format!("Asking node {} to resolve hostname {} to {} addresses...", call.node(), call.word(0), family(call)))
}

fn resolve_hostname(call: &Call) -> Result<Answer, Failure> {
    reach(call)?;
    let wanted_v4 = family(call).eq_ignore_ascii_case("ipv4");
    let text = "Hostname does not resolve (resolution failed with an nxdomain)";
    let found = (call.word(0), 0).to_socket_addrs().map_err(|_| Failure::refused(Kind::Data, text))?;
    let mut addresses: Vec<String> = Vec::new();
    for address in found.filter(|address| address.is_ipv4() == wanted_v4).map(|address| address.ip().to_string()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let json = json!({
        "node": call.node(),
        "result": "ok",
        "hostname": call.word(0),
        "address_family": family(call),
        "addresses": addresses,
    });
    Ok(Answer::Report { text: addresses.join("\n"), json })
}

/// `resolver_info`.
pub const RESOLVER_INFO: Command = Command {
    name: "resolver_info",
    tools: &[Tool::Diagnostics],
    section: Section::Configuration,
    summary: "Displays effective hostname resolver (inetrc) configuration on target node",
    usage: "resolver_info",
    switches: &[Switch::flag("offline")],
    banner: |call| {
        Some(format!("Asking node {} for its effective hostname resolver (inetrc) configuration...", call.node()))
    },
    endpoints: &[&NODE],
    run: resolver_info,
    ..Command::BLANK
};

fn resolver_info(call: &Call) -> Result<Answer, Failure> {
    reach(call)?;
    // Names are resolved by the operating system, as its own files say.
    let text = "Runtime Hostname Resolver (inetrc) Settings\n\nLookup order: native\nHosts file: /etc/hosts\nResolver conf file: \
                /etc/resolv.conf\nCache size: \n\ninetrc File Host Entries\n\n(none)";
    let json = json!({"lookup": ["native"], "hosts_file": "/etc/hosts", "resolv_conf": "/etc/resolv.conf"});
    Ok(Answer::Report { text: text.to_owned(), json })
}

/// `list_network_interfaces`.
pub const LIST_NETWORK_INTERFACES: Command = Command {
    name: "list_network_interfaces",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Lists network interfaces (NICs) on the target node",
    usage: "list_network_interfaces [--timeout <timeout>]",
    switches: &[Switch::flag("offline")],
    banner: |call| Some(format!("Asking node {} to report its network interfaces ...", call.node())),
    endpoints: &[&NODE],
    run: list_network_interfaces,
    ..Command::BLANK
};

fn list_network_interfaces(call: &Call) -> Result<Answer, Failure> {
    reach(call)?;
    let interfaces = interfaces();
    let text: Vec<String> = interfaces
        .iter()
        .map(|(name, fields)| {
            let lines: Vec<String> = fields.iter().map(|(key, value)| format!("{key}: {value}")).collect();
            format!("Interface {name}\n\n{}\n\n", lines.join("\n"))
        })
        .collect();
    let json = interfaces
        .iter()
        .map(|(name, fields)| (name.clone(), json!(fields.iter().cloned().collect::<BTreeMap<_, _>>())))
        .collect();
    Ok(Answer::Report { text: text.join("\n"), json: Value::Object(json) })
}

/// Interfaces of this host with what the system's files say of each.
fn interfaces() -> BTreeMap<String, Vec<(String, String)>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten() {
        let read = |file: &str| std::fs::read_to_string(entry.path().join(file)).unwrap_or_default().trim().to_owned();
        let mut fields = vec![("hwaddr".to_owned(), read("address"))];
        let flags = u32::from_str_radix(read("flags").trim_start_matches("0x"), 16).unwrap_or_default();
        const NAMES: [(u32, &str); 6] =
            [(1, "up"), (2, "broadcast"), (8, "loopback"), (16, "pointtopoint"), (64, "running"), (4096, "multicast")];
        let set: Vec<&str> = NAMES.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name).collect();
        fields.push(("flags".to_owned(), set.join(", ")));
        found.insert(entry.file_name().to_string_lossy().into_owned(), fields);
    }
    found
}

/// `discover_peers`.
pub const DISCOVER_PEERS: Command = Command {
    name: "discover_peers",
    tools: &[Tool::Diagnostics],
    section: Section::Monitoring,
    summary: "Performs peer discovery and lists discovered nodes, if any",
    usage: "discover_peers [--timeout <timeout>]",
    needs: Needs::AppRunning,
    banner: |_| Some("Discovering peers nodes ...".to_owned()),
    run: discover_peers,
    ..Command::BLANK
};

fn discover_peers(call: &Call) -> Result<Answer, Failure> {
    call.require()?;
    let node = call.node();
    Ok(Answer::Report { text: format!("[:{}]", elixir_atom(&node)), json: json!([node]) })
}
