//! The command line tools in the benches: building and linking ours, running commands of any, and what they take.
//!
//! Knows which script is run, and nothing of tables.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::bench::root;

/// Tenants of the provisioning script, with four commands each.
pub const TENANTS: usize = 25;

/// Four commands for each tenant: a user, its tag, its vhost, its permissions.
pub fn provisioning_script(tenants: usize) -> String {
    let mut script = String::from("set -e\n");
    for tenant in 1..=tenants {
        script += &format!(
            "rabbitmqctl add_user user{tenant} secret{tenant}\n\
             rabbitmqctl set_user_tags user{tenant} monitoring\n\
             rabbitmqctl add_vhost vhost{tenant}\n\
             rabbitmqctl set_permissions -p vhost{tenant} user{tenant} '.*' '.*' '.*'\n"
        );
    }
    script
}

/// Builds the command line tool, another package, and links it under RabbitMQ's names; returns the directory of the links.
pub fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.current_dir(root()).args(["build", "-q", "-p", "ctl"]);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    let built = build.status()?;
    if !built.success() {
        bail!("cannot build ctl");
    }
    let binaries = Path::new(env!("CARGO_BIN_EXE_warren")).parent().context("the server binary lies in a directory")?;
    let links = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compare/bin");
    std::fs::create_dir_all(&links)?;
    for name in ["rabbitmqctl", "rabbitmq-plugins", "rabbitmq-diagnostics"] {
        let link = links.join(name);
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(binaries.join("ctl"), &link).with_context(|| link.display().to_string())?;
    }
    Ok(links)
}

/// Runs a command that must succeed; what it says goes nowhere.
pub fn run_quietly(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// User and system seconds of all children of this process that have ended, and of theirs.
pub fn children_cpu_seconds() -> Result<f64> {
    let stat = read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // cutime and cstime, counted from behind the name.
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
    let ticks = ticks(13).zip(ticks(14)).context("unknown format of /proc/self/stat")?;
    Ok((ticks.0 + ticks.1) / rustix::param::clock_ticks_per_second() as f64)
}
