//! The frame of a program: command line, log and exit code.

use core::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

/// Runs the program called `name` with what its command line said, and tells how it ended.
pub fn run_program<C, E: Display>(
    name: &str,
    config: Result<C, clap::Error>,
    run: impl FnOnce(&C) -> Result<(), E>,
) -> ExitCode {
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            // If it cannot be printed, the exit code still tells.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    start_log();
    match run(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start_log() {
    let filter =
        tracing_subscriber::EnvFilter::builder().with_default_directive(tracing::Level::INFO.into()).from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .init();
}
