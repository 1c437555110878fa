//! `runners start`, `stop`, `restart` and `status`: a runner in the background.

mod account;
mod signals;
mod starting;

use crate::{
    args::{RunArgs, StartArgs, StatusArgs, StopArgs},
    connection::TokenSource,
    daemon::{Home, Record, Saved},
    exit::Exit,
    interrupts::Interrupts,
    terminal,
};
use anyhow::{Result, bail};
use runners_core::{SystemClock, Token, TokenKind, sleep};
use starting::Starting;
use std::time::Duration;

/// How long a runner may take to end once it has been told to end now.
const STOP_MAX: Duration = Duration::from_secs(20);

pub(super) async fn start(arguments: StartArgs) -> Result<Exit> {
    let home = Home::at(arguments.home.home.as_deref())?;
    if let Some(process) = home.running()? {
        bail!("a runner runs already, as process {process}: `runners restart` starts it anew");
    }
    start_in(&home, arguments).await
}

/// Waits for what runs, as `runners stop` does unless it is told otherwise.
pub(super) async fn restart(arguments: StartArgs) -> Result<Exit> {
    let home = Home::at(arguments.home.home.as_deref())?;
    let stop = StopArgs { home: arguments.home.clone(), now: false, within: StopArgs::WITHIN };
    if home.running()?.is_some() {
        self::stop(stop).await?;
    }
    start_in(&home, arguments).await
}

async fn start_in(home: &Home, arguments: StartArgs) -> Result<Exit> {
    let mut interrupts = Interrupts::listen()?;
    let settings = arguments.given.over(Saved::read(home)?);
    let clock = SystemClock::default();
    let token = token(&settings, arguments.run.token.as_deref())?;
    let mut starting = Starting::spawn(home, &settings, token.as_ref())?;
    let connected = tokio::select! {
        connected = starting.connected() => connected,
        () = sleep(&clock, arguments.within) => {
            let within = terminal::span(arguments.within);
            Err(starting.trouble(&format!("the runner was not connected within {within} and is not left running")))
        }
        () = interrupts.next() => Err(starting.trouble("interrupted: the runner is not left running")),
    };
    if let Err(error) = connected {
        starting.end().await;
        return Err(error);
    }
    settings.write(home)?;
    let record = Record::read(home)?;
    if let Some(record) = record {
        let Record { name, runner, pool, server, pid, .. } = &record;
        terminal::print(format!(
            "{name} is {runner} in the pool {pool}, connected to {server}, as process {pid}"
        ));
    }
    terminal::print(format!("its log: {}", home.log().display()));
    Ok(Exit::Passed)
}

/// The token that was given, or that a server has left in this directory. A file that was named is
/// read by the runner itself.
fn token(settings: &Saved, given: Option<&str>) -> Result<Option<Token>> {
    if given.is_none() && settings.text("token-file").is_some() {
        return Ok(None);
    }
    let kinds = &[TokenKind::Registration, TokenKind::Runner];
    let server = settings.text("server").unwrap_or(RunArgs::SERVER);
    TokenSource { kinds, text: given, file: None, server }.find()
}

pub(super) async fn stop(arguments: StopArgs) -> Result<Exit> {
    let mut interrupts = Interrupts::listen()?;
    let home = Home::at(arguments.home.home.as_deref())?;
    let clock = SystemClock::default();
    let Some(process) = home.running()? else {
        terminal::note("no runner runs in the background");
        return Ok(Exit::Passed);
    };
    signals::drain(process)?;
    if !arguments.now {
        if let Some(running) = Record::read(&home)?.map(|record| record.jobs.len()).filter(|count| *count > 0)
        {
            let jobs = terminal::count(running, "job");
            terminal::note(format!("waiting for {jobs} to finish; Ctrl-C stops the runner now"));
        }
        let drained = tokio::select! {
            free = home.free() => { free?; true }
            () = sleep(&clock, arguments.within) => false,
            () = interrupts.next() => false,
        };
        if drained {
            terminal::print("stopped");
            return Ok(Exit::Passed);
        }
    }
    signals::stop(process)?;
    tokio::select! {
        free = home.free() => free?,
        () = sleep(&clock, STOP_MAX) => {
            bail!("process {process} does not end: look at its log, {}", home.log().display())
        }
    }
    terminal::print("stopped; what ran is tried elsewhere");
    Ok(Exit::Passed)
}

pub(super) async fn status(arguments: StatusArgs) -> Result<Exit> {
    let home = Home::at(arguments.home.home.as_deref())?;
    let process = home.running()?;
    let record = Record::read(&home)?;
    let Some((process, record)) = process.zip(record.clone()) else {
        account::print_absent(&home, record.as_ref(), arguments.json);
        return Ok(Exit::NotRunning);
    };
    let settings = Saved::read(&home)?;
    let server = account::ask_server(&record.server, settings.text("ca-file")).await;
    account::print(&home, process, &record, server.as_deref(), arguments.json);
    Ok(if record.connected_since.is_some() { Exit::Passed } else { Exit::CouldNotRun })
}
