//! The server: arguments, configuration, log; then [`run::run`] until it is told to stop.

mod config;
mod control;
mod run;

use std::process::ExitCode;

use clap::Parser;
use tracing::level_filters::LevelFilter;

use config::{Arguments, Config};

/// Exit code of a configuration that cannot be used (`EX_CONFIG`).
const EXIT_CONFIG: u8 = 78;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list_settings {
        print!("{}", config::settings_page());
        return ExitCode::SUCCESS;
    }
    let config = match Config::load(&arguments, &|name| std::env::var(name).ok().filter(|value| !value.is_empty())) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    start_log(&config);
    match run::run(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            eprintln!("warren: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start_log(config: &Config) {
    let level = match config.log_level.as_str() {
        _ if !config.log_console => LevelFilter::OFF,
        "none" => LevelFilter::OFF,
        "debug" => LevelFilter::DEBUG,
        "info" | "notice" => LevelFilter::INFO,
        "warning" => LevelFilter::WARN,
        _ => LevelFilter::ERROR,
    };
    tracing_subscriber::fmt().with_max_level(level).with_target(false).init();
}
