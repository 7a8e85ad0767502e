//! What is measured of the two command lines. The groups run in order on one broker.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::broker::{Broker, Kind};
use crate::client::Client;
use crate::table::{Table, Unit};
use crate::tools::{TENANTS, children_cpu_seconds, provisioning_script, run_quietly};

/// What a group needs to know.
pub struct Setting<'a> {
    pub broker: &'a Broker,
    /// Where our tools are.
    pub tools: &'a Path,
    pub scale: f64,
    /// Whether RabbitMQ's tools run the whole script.
    pub all_commands: bool,
}

/// Figures that are taken together.
pub struct Group {
    /// What `--only` looks at.
    pub name: &'static str,
    /// Takes them once.
    pub measure: fn(&Setting<'_>, &mut Table) -> Result<()>,
}

/// In the order they are taken.
pub const ALL: &[Group] = &[
    Group { name: "one command", measure: one_command },
    Group { name: "provisioning", measure: provisioning },
    Group { name: "many queues", measure: many_queues },
    Group { name: "binary", measure: binary },
];

/// Times a command of ours is run; processor time is counted in hundredths of a second, so it takes many to see one.
const OURS_TIMES: u32 = 100;
/// Times one of RabbitMQ's is run.
const THEIRS_TIMES: u32 = 3;
/// Queues of the long list.
const QUEUES: f64 = 10_000.0;
/// Its columns.
const COLUMNS: [&str; 10] = [
    "name",
    "durable",
    "auto_delete",
    "arguments",
    "policy",
    "messages",
    "messages_ready",
    "messages_unacknowledged",
    "consumers",
    "state",
];
/// Tenants of the script that RabbitMQ's tools run, unless they are to run all.
const TENANTS_FEWER: usize = 5;

/// A command, and the nearest of the other command line where it has another name.
struct Compared {
    name: &'static str,
    ours: &'static [&'static str],
    theirs: &'static [&'static str],
}

const COMMANDS: [Compared; 5] = [
    same("`list_users`", &["rabbitmqctl", "list_users"]),
    same("`list_queues`", &["rabbitmqctl", "list_queues"]),
    same("`status`", &["rabbitmqctl", "status"]),
    Compared {
        name: "`health` (RabbitMQ: `check_running`)",
        ours: &["rabbitmq-diagnostics", "health"],
        theirs: &["rabbitmq-diagnostics", "check_running"],
    },
    Compared {
        name: "`wait --ready` (RabbitMQ: `await_startup`)",
        ours: &["rabbitmqctl", "wait", "--ready"],
        theirs: &["rabbitmqctl", "await_startup"],
    },
];

const fn same(name: &'static str, words: &'static [&'static str]) -> Compared {
    Compared { name, ours: words, theirs: words }
}

impl Compared {
    fn command(&self, broker: &Broker) -> Command {
        let words = match broker.kind() {
            Kind::Warren => self.ours,
            Kind::Rabbitmq => self.theirs,
        };
        let mut command = broker.tool(words[0]);
        command.args(&words[1..]).stdin(Stdio::null());
        command
    }
}

fn one_command(setting: &Setting<'_>, table: &mut Table) -> Result<()> {
    let kind = setting.broker.kind();
    let times = match kind {
        Kind::Warren => OURS_TIMES,
        Kind::Rabbitmq => THEIRS_TIMES,
    };
    for compared in &COMMANDS {
        run_quietly(&mut compared.command(setting.broker))?;
        let (cpu, mut wall) = (children_cpu_seconds()?, Vec::new());
        for _ in 0..times {
            let started = Instant::now();
            run_quietly(&mut compared.command(setting.broker))?;
            wall.push(started.elapsed().as_secs_f64());
        }
        let cpu = (children_cpu_seconds()? - cpu) / f64::from(times);
        wall.sort_by(f64::total_cmp);
        let name = compared.name;
        table.record(&format!("{name}, wall"), Unit::Milliseconds, kind, wall[wall.len() / 2] * 1e3);
        table.record(&format!("{name}, CPU of the command"), Unit::Milliseconds, kind, cpu * 1e3);
    }
    Ok(())
}

fn provisioning(setting: &Setting<'_>, table: &mut Table) -> Result<()> {
    let kind = setting.broker.kind();
    let tenants = if kind == Kind::Warren || setting.all_commands { TENANTS } else { TENANTS_FEWER };
    let started = Instant::now();
    let mut shell = setting.broker.tool("bash").arg("-s").stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    let mut input = shell.stdin.take().context("the shell's input is a pipe")?;
    input.write_all(provisioning_script(tenants).as_bytes())?;
    drop(input);
    ensure!(shell.wait()?.success(), "a command of the script failed");
    let seconds = started.elapsed().as_secs_f64() * TENANTS as f64 / tenants as f64;
    table.record("provisioning script of 100 commands, wall", Unit::Seconds, kind, seconds);
    Ok(())
}

fn many_queues(setting: &Setting<'_>, table: &mut Table) -> Result<()> {
    let (broker, kind) = (setting.broker, setting.broker.kind());
    let count = ((QUEUES * setting.scale) as usize).max(10);
    let mut text = String::from(r#"{"queues":["#);
    for number in 0..count {
        let comma = if number == 0 { "" } else { "," };
        write!(
            text,
            r#"{comma}{{"name":"queue-{number}","vhost":"/","durable":true,"auto_delete":false,"arguments":{{}}}}"#
        )?;
    }
    text.push_str("]}");
    Client::open(broker.management())?.ask("POST", "/api/definitions", &text)?;
    for (form, switches) in [("text", &[][..]), ("JSON", &["--formatter", "json"])] {
        let times = if kind == Kind::Warren { 5 } else { 1 };
        let cpu = children_cpu_seconds()?;
        let started = Instant::now();
        for _ in 0..times {
            let mut command = broker.tool("rabbitmqctl");
            command.args(["-q", "list_queues"]).args(switches).args(COLUMNS).stdin(Stdio::null());
            run_quietly(&mut command)?;
        }
        let wall = started.elapsed().as_secs_f64() / f64::from(times);
        let cpu = (children_cpu_seconds()? - cpu) / f64::from(times);
        let name = format!("`list_queues` of {count} queues with 10 columns, as {form}");
        table.record(&format!("{name}: wall"), Unit::Milliseconds, kind, wall * 1e3);
        table.record(&format!("{name}: CPU of the command"), Unit::Milliseconds, kind, cpu * 1e3);
    }
    Ok(())
}

/// The size of our tool, and the system calls it starts with; RabbitMQ's is a script for a virtual machine.
fn binary(setting: &Setting<'_>, table: &mut Table) -> Result<()> {
    if setting.broker.kind() != Kind::Warren {
        return Ok(());
    }
    let tool = setting.tools.join("rabbitmqctl");
    let mebibytes = std::fs::metadata(&tool)?.len() as f64 / f64::from(1 << 20);
    table.record("binary of all tools, stripped", Unit::Mebibytes, Kind::Warren, mebibytes);
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join("strace");
    let mut traced = Command::new("strace");
    let command = setting.broker.tool("rabbitmqctl");
    traced.args(["-f", "-qq", "-o"]).arg(&log).arg(&tool).arg("list_users").stdin(Stdio::null());
    traced.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    // A host without strace has no such row.
    if traced.output().is_ok_and(|output| output.status.success()) {
        let calls = std::fs::read_to_string(&log)?.lines().filter(|line| !line.contains("resumed>")).count();
        table.record("system calls of one `list_users`", Unit::Count, Kind::Warren, calls as f64);
    }
    Ok(())
}
