//! What is measured. The groups run in order on one broker: later ones find what earlier ones made.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::amqp;
use crate::broker::Broker;
use crate::client::Client;
use crate::dashboard;
use crate::process::{cpu_seconds, resident_bytes};
use crate::table::{Table, Unit};

/// How much of everything.
pub struct Sizes {
    /// Part of the usual numbers.
    pub scale: f64,
    /// How long messages flow with and without a dashboard, each time.
    pub stretch: Duration,
    /// How long queues are busy before the memory of their samples is read.
    pub statistics: Duration,
    /// Where the command line tools are.
    pub tools: PathBuf,
}

/// Figures that are taken together.
pub struct Group {
    /// What `--only` looks at.
    pub name: &'static str,
    /// Takes them once.
    pub measure: fn(&Broker, &Sizes, &mut Table) -> Result<()>,
}

/// In the order they are taken.
pub const ALL: &[Group] = &[
    Group { name: "puts", measure: puts },
    Group { name: "import", measure: import },
    Group { name: "lists", measure: lists },
    Group { name: "connections", measure: connections },
    Group { name: "dashboard", measure: dashboard::dashboard },
    Group { name: "statistics", measure: dashboard::statistics },
];

/// Queues put one after the other.
const PUTS: f64 = 1_000.0;
/// Queues, and bindings, of the definitions.
pub const QUEUES: f64 = 10_000.0;
/// Users of the definitions.
const USERS: f64 = 1_000.0;
/// Connections, each with a channel.
const CONNECTIONS: f64 = 500.0;
/// Times each list is asked for; the median counts.
const ASKED: usize = 5;
/// The same for answers of a moment.
const ASKED_QUICK: usize = 200;
/// RabbitMQ gathers statistics every five seconds: lists are complete some time after that.
const GATHERED: Duration = Duration::from_secs(6);
pub fn scaled(count: f64, scale: f64) -> usize {
    ((count * scale) as usize).max(10)
}

fn puts(broker: &Broker, sizes: &Sizes, table: &mut Table) -> Result<()> {
    let mut client = Client::open(broker.management())?;
    let count = scaled(PUTS, sizes.scale);
    // The first logs in and opens files.
    client.ask("PUT", "/api/queues/%2F/put", r#"{"durable":true}"#)?;
    let cpu = cpu_seconds(broker.pid())?;
    let started = Instant::now();
    for number in 0..count {
        client.ask("PUT", &format!("/api/queues/%2F/put-{number}"), r#"{"durable":true}"#)?;
    }
    let seconds = started.elapsed().as_secs_f64();
    let kind = broker.kind();
    table.record("durable queues put one after the other, per second", Unit::PerSecond, kind, count as f64 / seconds);
    let cpu = (cpu_seconds(broker.pid())? - cpu) / count as f64;
    table.record("durable queues put one after the other: CPU of one", Unit::Microseconds, kind, cpu * 1e6);
    for number in 0..count {
        client.ask("DELETE", &format!("/api/queues/%2F/put-{number}"), "")?;
    }
    client.ask("DELETE", "/api/queues/%2F/put", "").map(drop)
}

fn definitions(scale: f64) -> Result<String> {
    let mut text = String::from(r#"{"exchanges":[],"queues":["#);
    let comma = |number| if number == 0 { "" } else { "," };
    for number in 0..scaled(QUEUES, scale) {
        let comma = comma(number);
        write!(
            text,
            r#"{comma}{{"name":"queue-{number}","vhost":"/","durable":true,"auto_delete":false,"arguments":{{"x-queue-type":"classic"}}}}"#
        )?;
    }
    text.push_str(r#"],"bindings":["#);
    for number in 0..scaled(QUEUES, scale) {
        let comma = comma(number);
        write!(
            text,
            r#"{comma}{{"source":"amq.direct","vhost":"/","destination":"queue-{number}","destination_type":"queue","routing_key":"key-{number}","arguments":{{}}}}"#
        )?;
    }
    text.push_str(r#"],"users":["#);
    for number in 0..scaled(USERS, scale) {
        let comma = comma(number);
        // Salt and hash of a password nobody knows.
        let hash = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR";
        write!(
            text,
            r#"{comma}{{"name":"user-{number}","password_hash":"{hash}","hashing_algorithm":"rabbit_password_hashing_sha256","tags":["monitoring"],"limits":{{}}}}"#
        )?;
    }
    text.push_str("]}");
    Ok(text)
}

fn import(broker: &Broker, sizes: &Sizes, table: &mut Table) -> Result<()> {
    let mut client = Client::open(broker.management())?;
    let text = definitions(sizes.scale)?;
    for name in ["first", "again, nothing changed"] {
        let started = Instant::now();
        client.ask("POST", "/api/definitions", &text)?;
        let name = format!("import of {QUEUES} queues, {QUEUES} bindings and {USERS} users, {name}");
        table.record(&name, Unit::Seconds, broker.kind(), started.elapsed().as_secs_f64());
    }
    let started = Instant::now();
    let bytes = client.get("/api/definitions")?.len();
    ensure!(bytes > text.len() / 2, "the export is short");
    table.record("export of the same", Unit::Milliseconds, broker.kind(), started.elapsed().as_secs_f64() * 1e3);
    Ok(())
}

/// Asks for one thing several times, and records the median and what one answer takes of the broker's processor time.
fn ask_often(broker: &Broker, name: &str, path: &str, times: usize, table: &mut Table) -> Result<usize> {
    let mut client = Client::open(broker.management())?;
    let mut bytes = client.get(path)?.len();
    let cpu = cpu_seconds(broker.pid())?;
    let mut took = Vec::with_capacity(times);
    for _ in 0..times {
        let started = Instant::now();
        bytes = client.get(path)?.len();
        took.push(started.elapsed().as_secs_f64());
    }
    let cpu = (cpu_seconds(broker.pid())? - cpu) / times as f64;
    took.sort_by(f64::total_cmp);
    let median = took[times / 2];
    let (unit, factor) = if times == ASKED_QUICK { (Unit::Microseconds, 1e6) } else { (Unit::Milliseconds, 1e3) };
    table.record(name, unit, broker.kind(), median * factor);
    table.record(&format!("{name}: CPU"), unit, broker.kind(), cpu * factor);
    Ok(bytes)
}

fn lists(broker: &Broker, _: &Sizes, table: &mut Table) -> Result<()> {
    std::thread::sleep(GATHERED);
    let mut ask = |name: &str, path: &str, times| ask_often(broker, name, path, times, table);
    ask("`whoami`", "/api/whoami", ASKED_QUICK)?;
    ask("`overview`", "/api/overview", ASKED_QUICK)?;
    let columns = "columns=name,vhost,type,state,messages,messages_ready,messages_unacknowledged,consumers";
    for size in [100, 500] {
        let path = format!("/api/queues?page=1&page_size={size}&{columns}");
        ask(&format!("a page of {size} queues with 8 columns"), &path, ASKED_QUICK)?;
    }
    ask("a page of 100 queues, filtered by name", "/api/queues?page=1&page_size=100&name=ue-99", ASKED)?;
    ask(
        "a page of 100 queues, by messages",
        "/api/queues?page=1&page_size=100&sort=messages&sort_reverse=true",
        ASKED,
    )?;
    let bytes = ask("all queues", "/api/queues", ASKED)?;
    ask("all queues with 8 columns", &format!("/api/queues?{columns}"), ASKED)?;
    ask("all queues in detail", "/api/queues/detailed", ASKED)?;
    ask("all queues without statistics", "/api/queues?disable_stats=true", ASKED)?;
    ask("all bindings", "/api/bindings", ASKED)?;
    ask("all exchanges", "/api/exchanges", ASKED)?;
    ask("all users", "/api/users", ASKED)?;
    let kind = broker.kind();
    table.record("all queues: bytes of the answer", Unit::Bytes, kind, bytes as f64);
    table.record("resident memory after that", Unit::Mebibytes, kind, resident_bytes(broker.pid())? / 1024.0 / 1024.0);
    Ok(())
}

fn connections(broker: &Broker, sizes: &Sizes, table: &mut Table) -> Result<()> {
    let count = scaled(CONNECTIONS, sizes.scale);
    let open = |_| {
        let mut client = amqp::Client::open(broker.address())?;
        client.open_channel(1)?;
        Ok(client)
    };
    let opened = (0..count).map(open).collect::<Result<Vec<_>>>()?;
    std::thread::sleep(GATHERED);
    ask_often(broker, &format!("{CONNECTIONS} connections"), "/api/connections", ASKED, table)?;
    ask_often(broker, &format!("{CONNECTIONS} channels"), "/api/channels", ASKED, table)?;
    let page = "page=1&page_size=100";
    for (name, path) in [
        ("connections", format!("/api/connections?{page}")),
        ("connections with 4 columns", format!("/api/connections?{page}&columns=name,user,state,channels")),
        ("connections by bytes read", format!("/api/connections?{page}&sort=recv_oct&columns=name,recv_oct")),
        ("channels with 4 columns", format!("/api/channels?{page}&columns=name,number,state,consumer_count")),
    ] {
        ask_often(broker, &format!("a page of 100 of {CONNECTIONS} {name}"), &path, ASKED_QUICK, table)?;
    }
    drop(opened);
    Ok(())
}
