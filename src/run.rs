//! One run of the server: start the node and what serves it, wait, stop in order.

use std::sync::Arc;

use anyhow::Context;
use api::definitions::LoadDefinitions;
use api::{
    EnabledPlugins, HttpService, Logins, ServerFacts, Statistics, StatisticsService, Transport, router, serve_unix,
};
use broker::{AppService, Node};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::config::Config;
use crate::control::ControlSocket;
use crate::files;
use crate::log::Log;

/// Exit code after a second signal: stopping was not waited for.
const EXIT_IMPATIENT: i32 = 130;

/// Runs the server until a signal or the control socket ends it.
///
/// # Errors
/// What kept it from starting, or from stopping in order.
pub fn run(config: &Config, log: &Log) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    runtime.block_on(serve(config, log))
}

async fn serve(config: &Config, log: &Log) -> anyhow::Result<()> {
    for path in &config.files {
        tracing::info!("configuration file {}", path.display());
    }
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    files::raise_limit();
    let mut signals = Signals::new()?;
    let (end, ending) = watch::channel(false);
    let facts = facts(config, end, log);
    let (http, slot) = HttpService::new(config.management_listeners(), facts.clone());
    let (metrics, metrics_slot) =
        HttpService::metrics(config.metrics_listeners(), config.metrics.clone(), facts.clone());
    let mut services: Vec<Box<dyn AppService>> = Vec::new();
    if let Some(path) = &config.load_definitions {
        services.push(Box::new(LoadDefinitions {
            path: path.clone(),
            hashing: config.node.password_hashing,
            skips_unchanged: config.skips_unchanged_definitions,
            node_name: config.node.node_name.clone(),
        }));
    }
    services.push(Box::new(EnabledPlugins));
    services.push(Box::new(StatisticsService::new(facts.statistics.clone())));
    services.push(Box::new(http));
    services.push(Box::new(metrics));
    let node = Node::start(config.node.clone(), services).await?;
    slot.fill(node.clone());
    metrics_slot.fill(node.clone());

    let (socket, listener) =
        ControlSocket::open(&config.node.node_name, &config.node.data_dir, config.control_socket.as_deref())?;
    let (close, closing) = watch::channel(false);
    let control = tokio::spawn(serve_unix(listener, router(node.clone(), Transport::ControlSocket, facts), closing));
    report(&node, &socket);

    let why = signals.wait(ending).await;
    tracing::info!("stopping: {why}");
    let stopped = tokio::select! {
        stopped = async {
            close.send_replace(true);
            let _ = control.await;
            node.shutdown().await
        } => stopped,
        () = signals.next() => {
            tracing::warn!("second signal: not waiting any longer");
            std::process::exit(EXIT_IMPATIENT);
        }
    };
    stopped?;
    tracing::info!("stopped");
    Ok(())
}

/// Says that the node is ready; scripts and containers wait for the first line.
fn report(node: &Node, socket: &ControlSocket) {
    tracing::info!("Server startup complete; node {}", node.settings().node_name);
    for listener in node.listeners() {
        tracing::info!("listening for {} on {}", listener.protocol, listener.address);
    }
    tracing::info!("control socket {}", socket.path().display());
}

fn facts(config: &Config, end: watch::Sender<bool>, log: &Log) -> ServerFacts {
    ServerFacts {
        warren_version: env!("CARGO_PKG_VERSION").to_owned(),
        config_files: config.files.clone(),
        log_files: vec!["-".to_owned()],
        effective_config: config.effective.clone(),
        http: config.http.clone(),
        logins: Logins::default(),
        statistics: Statistics::new(config.statistics.clone()),
        shutdown: Arc::new(move || {
            end.send_replace(true);
        }),
        log_level: log.level(),
    }
}

/// The signals that end a run.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Resolves with the next one.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Resolves when a signal comes or `ending` turns true, and says which.
    async fn wait(&mut self, mut ending: watch::Receiver<bool>) -> &'static str {
        tokio::select! {
            () = self.next() => "signal received",
            _ = ending.wait_for(|ending| *ending) => "asked over the control socket",
        }
    }
}
