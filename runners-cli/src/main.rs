//! The program `runners`: control plane, runner and browser flows from the command line.
//!
//! Nothing is decided here. What may be asked is in `args`, what is done in `command`; the rest is
//! how it looks (`terminal`, `progress`, `table`) and what it leaves (`report`, `output`).

mod args;
mod command;
mod connection;
mod documents;
mod exit;
mod host;
mod identity;
mod interrupts;
mod keys;
mod local;
mod narrator;
mod output;
mod progress;
mod report;
mod rollout;
mod table;
mod terminal;
mod tokens;

use anyhow::Context as _;
use clap::Parser as _;
use exit::Exit;
use std::{process::ExitCode, time::Duration};
use tracing_subscriber::EnvFilter;

/// A control plane takes and gives back memory on many threads, which the allocators of most
/// systems serve at half the speed.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long what waits for the disk may still take when everything else has ended.
const SHUTDOWN_MAX: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let arguments = args::Arguments::parse();
    install_log();
    match execute(arguments.command) {
        Ok(exit) => exit.into(),
        Err(error) => {
            terminal::print_error(&error);
            Exit::CouldNotRun.into()
        }
    }
}

fn execute(command: args::Command) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the system gives no thread or timer to run on")?;
    let exit = runtime.block_on(command::execute(command));
    runtime.shutdown_timeout(SHUTDOWN_MAX);
    exit
}

/// The log of the libraries, for those who look for trouble: `RUST_LOG` says how much.
fn install_log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(console::colors_enabled_stderr())
        .init();
}
