//! The program `runners`: control plane, runner and browser flows from the command line.
//!
//! Nothing is decided here. What may be asked is in `args`, what is done in `command`; the rest is
//! how it looks (`terminal`, `progress`, `table`) and what it leaves (`report`, `output`), and who else may look on (`telemetry`).

mod accounts;
mod args;
mod command;
mod connection;
mod documents;
mod exit;
mod faces;
mod host;
mod identity;
mod interrupts;
mod keys;
mod local;
mod machine;
mod management;
mod narrator;
mod output;
mod probe;
mod progress;
mod report;
mod rollout;
mod settings;
mod span;
mod table;
mod telemetry;
mod terminal;
mod tokens;

use anyhow::Context as _;
use exit::Exit;
use runners_otel::Telemetry;
use std::{env, ffi::OsString, process::ExitCode, time::Duration};
use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// A control plane takes and gives back memory on many threads, which the allocators of most
/// systems serve at half the speed.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long what waits for the disk may still take when everything else has ended.
const SHUTDOWN_MAX: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    // A variable that is not Unicode is none of these.
    let unicode = |(name, value): (OsString, OsString)| name.into_string().ok().zip(value.into_string().ok());
    let arguments = args::Arguments::read(env::vars_os().filter_map(unicode));
    match arguments.and_then(|arguments| execute(arguments.command)) {
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
    // What is exported is sent on the runtime.
    let telemetry = runtime.block_on(async { telemetry::open(&command) })?;
    install_log(&telemetry);
    let exit = runtime.block_on(async {
        let exit = command::execute(command, &telemetry).await;
        telemetry::close(telemetry).await;
        exit
    });
    runtime.shutdown_timeout(SHUTDOWN_MAX);
    exit
}

/// The log of the libraries, for those who look for trouble: `RUST_LOG` says how much.
fn install_log(telemetry: &Telemetry) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    let log = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(console::colors_enabled_stderr())
        .with_filter(filter);
    // Traces are exported whole, however little is logged.
    let spans = telemetry.layer().map(|layer| layer.with_filter(telemetry::spans()));
    tracing_subscriber::registry().with(log).with(spans).init();
}
