//! The log on the console: how much of it there is, now and after a change at run time.

use std::sync::Arc;

use api::LogLevel;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

/// The log of this process.
pub struct Log {
    filter: reload::Handle<LevelFilter, Registry>,
    console: bool,
}

impl Log {
    /// Starts logging. Without a console nothing is logged, whatever the level.
    pub fn start(level: &str, console: bool) -> Self {
        let (layer, filter) = reload::Layer::new(if console { filter_of(level) } else { LevelFilter::OFF });
        tracing_subscriber::registry().with(layer).with(fmt::layer().with_target(false)).init();
        Self { filter, console }
    }

    /// The way to look at the level and to change it.
    pub fn level(&self) -> LogLevel {
        let (read, change, console) = (self.filter.clone(), self.filter.clone(), self.console);
        LogLevel {
            get: Arc::new(move || name_of(read.clone_current().unwrap_or(LevelFilter::OFF)).to_owned()),
            set: Arc::new(move |level| {
                if console && let Err(error) = change.reload(filter_of(level)) {
                    tracing::error!("the log level stays as it is: {error}");
                }
            }),
        }
    }
}

fn filter_of(level: &str) -> LevelFilter {
    match level {
        "none" => LevelFilter::OFF,
        "debug" => LevelFilter::DEBUG,
        "info" | "notice" => LevelFilter::INFO,
        "warning" => LevelFilter::WARN,
        _ => LevelFilter::ERROR,
    }
}

fn name_of(filter: LevelFilter) -> &'static str {
    match filter {
        LevelFilter::OFF => "none",
        LevelFilter::ERROR => "error",
        LevelFilter::WARN => "warning",
        LevelFilter::INFO => "info",
        _ => "debug",
    }
}
