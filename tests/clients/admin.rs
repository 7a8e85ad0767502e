//! Administration tools, by scripts of command lines (`tests/clients/scripts/`): rabbitmqadmin of both generations, and the
//! checks of a monitoring system.

use std::ffi::{OsStr, OsString};
use std::process::Command;

use tests::{Options, debian, repository};

use crate::broker::{Broker, lacking};
use crate::verdict::Verdict;
use crate::{crates, python};

/// The first generation: a script in Python that Debian's server package has beside the server.
pub fn rabbitmqadmin_v1(broker: &Broker) -> Verdict {
    if let Some(verdict) = lacking(&["python3", "apt-get", "dpkg"]) {
        return verdict;
    }
    let tool = debian("client-rabbitmqadmin-v1", &["rabbitmq-server"]).join("usr/bin/rabbitmqadmin");
    let [host, port] = address(broker);
    scripted(
        broker,
        "rabbitmqadmin-v1",
        [python::interpreter().as_os_str(), tool.as_os_str(), "-H".as_ref(), &host, "-P".as_ref(), &port],
    )
}

/// The second generation.
pub fn rabbitmqadmin_v2(broker: &Broker) -> Verdict {
    if let Some(verdict) = lacking(&["python3", "cargo", "cp"]) {
        return verdict;
    }
    let [host, port] = address(broker);
    scripted(
        broker,
        "rabbitmqadmin-v2",
        [crates::rabbitmqadmin().as_os_str(), "-H".as_ref(), &host, "-P".as_ref(), &port],
    )
}

/// The checks of Debian's package, and what they need of Perl's libraries.
const NAGIOS: &[&str] = &[
    "nagios-plugins-rabbitmq",
    "libclass-accessor-perl",
    "libclone-perl",
    "libconfig-tiny-perl",
    "libencode-locale-perl",
    "libfile-listing-perl",
    "libhtml-parser-perl",
    "libhtml-tagset-perl",
    "libhttp-cookies-perl",
    "libhttp-date-perl",
    "libhttp-message-perl",
    "libhttp-negotiate-perl",
    "libio-html-perl",
    "libjson-perl",
    "liblwp-mediatypes-perl",
    "libmath-calc-units-perl",
    "libmodule-implementation-perl",
    "libmodule-runtime-perl",
    "libmonitoring-plugin-perl",
    "libnet-http-perl",
    "libparams-validate-perl",
    "libsub-name-perl",
    "libtimedate-perl",
    "libtry-tiny-perl",
    "liburi-perl",
    "libwww-perl",
];

/// Runs one check, given where the checks, Perl's libraries and the broker are, and its name before its arguments.
const CHECK: &str = r#"export PERL5LIB="$2"; check="$1/check_rabbitmq_$5" host=$3 port=$4; shift 5; exec perl "$check" -H "$host" --port="$port" "$@""#;

/// The checks for Nagios. They expect a node of the usual name.
pub fn nagios_checks(broker: &Broker) -> Verdict {
    if let Some(verdict) = lacking(&["python3", "apt-get", "dpkg", "perl", "sh"]) {
        return verdict;
    }
    let own = broker
        .is_ours()
        .then(|| Broker::start(Options { node: Some("rabbit@localhost".to_owned()), ..Options::default() }));
    let broker = own.as_ref().unwrap_or(broker);
    let root = debian("client-nagios", NAGIOS);
    let libraries = std::fs::read_dir(root.join("usr/lib")).expect("some have compiled parts");
    let versions =
        libraries.flat_map(|machine| std::fs::read_dir(machine.expect("it can be read").path().join("perl5")));
    let compiled = versions.flatten().map(|version| version.expect("it can be read").path());
    let paths = std::env::join_paths(compiled.chain([root.join("usr/share/perl5")])).expect("no colon in them");
    let [host, port] = address(broker);
    let checks = root.join("usr/bin");
    let shell = ["sh", "-c", CHECK, "sh"].map(OsStr::new);
    scripted(broker, "nagios", shell.into_iter().chain([checks.as_os_str(), &paths, &host, &port]))
}

fn address(broker: &Broker) -> [OsString; 2] {
    [broker.http.ip().to_string().into(), broker.http.port().to_string().into()]
}

/// Runs a tool by its script and compares with what was recorded.
fn scripted<'w>(broker: &Broker, name: &str, program: impl IntoIterator<Item = &'w OsStr>) -> Verdict {
    let clients = repository().join("tests/clients");
    broker.judge(
        Command::new(python::interpreter())
            .arg("commands.py")
            .arg(clients.join(format!("scripts/{name}.txt")))
            .arg(clients.join(format!("expected/{name}.txt")))
            .args(program)
            .current_dir(clients.join("python")),
    )
}
