//! The program `runners`: control plane, runner and browser flows from the command line.
//!
//! Nothing is decided here. What may be asked is in `args`, what is done in `command`; the rest is
//! how it looks (`terminal`, `progress`, `table`) and what it leaves (`report`, `output`), and who else may look on (`telemetry`).

mod accounts;
mod args;
#[cfg(unix)]
mod chaos;
mod command;
mod connection;
mod daemon;
mod display;
mod documents;
mod exit;
mod faces;
mod flow_directory;
mod health;
mod host;
mod identity;
mod interrupts;
mod keys;
mod local;
mod machine;
mod management;
mod narrator;
mod opening;
mod orchestration;
mod output;
mod probe;
mod profiles;
mod progress;
mod prompt;
mod report;
mod rollout;
mod service;
mod settings;
mod size;
mod span;
mod table;
mod telemetry;
mod terminal;
mod tokens;
mod version;

use anyhow::Context as _;
use daemon::{Home, Journal, JournalWriter};
use exit::Exit;
use narrator::Narrator;
use runners_otel::Telemetry;
use std::{env, ffi::OsString, process::ExitCode, sync::Arc, time::Duration};
use tracing_subscriber::{
    EnvFilter, Layer as _, fmt::writer::BoxMakeWriter, layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

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
    install_log(&telemetry, &command)?;
    let exit = runtime.block_on(async {
        let exit = command::execute(command, &telemetry).await;
        telemetry::close(telemetry).await;
        exit
    });
    runtime.shutdown_timeout(SHUTDOWN_MAX);
    exit
}

/// The log of the libraries, for those who look for trouble: `RUST_LOG` says how much. In the
/// background it is a file, with what the runner tells.
fn install_log(telemetry: &Telemetry, command: &args::Command) -> anyhow::Result<()> {
    let background = match command {
        args::Command::Run(run) => run.background.as_deref(),
        _ => None,
    };
    let usual = match background {
        Some(_) => format!("warn,{}=info", Narrator::TARGET),
        None => "warn".to_owned(),
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    let (writer, colours) = match background {
        Some(directory) => {
            let home = Home::at(Some(directory))?;
            home.make()?;
            (BoxMakeWriter::new(journal_at(&home)?), false)
        }
        None => (BoxMakeWriter::new(std::io::stderr), console::colors_enabled_stderr()),
    };
    let log = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colours).with_filter(filter);
    // Traces are exported whole, however little is logged.
    let spans = telemetry.layer().map(|layer| layer.with_filter(telemetry::spans()));
    tracing_subscriber::registry().with(log).with(spans).init();
    Ok(())
}

fn journal_at(home: &Home) -> anyhow::Result<impl Fn() -> JournalWriter + Send + Sync + 'static> {
    let journal = Arc::new(Journal::open(&home.log())?);
    Ok(move || JournalWriter(journal.clone()))
}
