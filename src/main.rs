//! The server: arguments, configuration, log; then [`run::run`] until it is told to stop.

mod config;
mod control;
mod files;
mod log;
mod run;

use std::process::ExitCode;

use clap::Parser;
use config::{Arguments, Config};
use log::Log;

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
    let log = Log::start(&config.log_level, config.log_console);
    match run::run(&config, &log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            eprintln!("warren: {error:#}");
            ExitCode::FAILURE
        }
    }
}
