//! `runners start`, `stop`, `restart` and `status`: a runner in the background.

mod account;
mod signals;
mod starting;
mod wishes;

pub(super) use wishes::{drain, resume};

use super::run;
use crate::{
    args::{StartArgs, StatusArgs, StopArgs},
    daemon::{Home, Record, Saved, Wish},
    exit::Exit,
    identity::{self, Identity},
    interrupts::Interrupts,
    terminal,
};
use anyhow::{Result, bail};
use runners_core::{Clock as _, Mode, SystemClock, Token, sleep};
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
    let kept = Saved::read(home)?.beside_token(arguments.run.token.as_deref());
    let settings = arguments.given.clone().over(kept);
    let token = token(home, &settings, &arguments).await?;
    if arguments.foreground {
        home.make()?;
        settings.write(home)?;
        return Err(starting::become_runner(home, &settings, token.as_ref()));
    }
    let mut interrupts = Interrupts::listen()?;
    let clock = SystemClock::default();
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
        terminal::print(format!("{name} is {runner} in the pool {pool}"));
        terminal::print(format!("connected to {server}, as process {pid}"));
    }
    terminal::print(format!("its log: {}", home.log().display()));
    Ok(Exit::Passed)
}

/// The token that was given, that a server has left in this directory, or that somebody at the
/// terminal says, where one is needed. A file that was named is read by the runner itself.
async fn token(home: &Home, settings: &Saved, arguments: &StartArgs) -> Result<Option<Token>> {
    let mut run = settings.run_arguments()?;
    run.token.clone_from(&arguments.run.token);
    run.home = Some(home.directory().to_owned());
    let name = run.name.clone().unwrap_or_else(identity::machine_name);
    let state = identity::state_of(&run, &name)?;
    let is_enrolled =
        state.is_dir() && Identity::kept(&identity::open_spool(&state)?, &run.server)?.is_some();
    if !is_enrolled {
        identity::tell_of_others(&run, &name)?;
    }
    if arguments.run.token.is_none() && settings.text("token-file").is_some() {
        return Ok(None);
    }
    run::token_of(&run, is_enrolled).await
}

pub(super) async fn stop(arguments: StopArgs) -> Result<Exit> {
    let mut interrupts = Interrupts::listen()?;
    let home = Home::at(arguments.home.home.as_deref())?;
    let clock = SystemClock::default();
    let Some(process) = home.running()? else {
        terminal::note("no runner runs in the background");
        return Ok(Exit::Passed);
    };
    // It has a time of its own for those who do not say how long it may take. This one is for the case
    // that nobody is left here to stop it.
    let by = Some(clock.wall() + arguments.within + STOP_MAX);
    Wish { pid: process, mode: Mode::Leave, note: None, by }.write(&home)?;
    let running = Record::read(&home)?.map_or(0, |record| record.jobs.len());
    signals::drain(process)?;
    if !arguments.now {
        if running > 0 {
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
    let left = if running > 0 { "what ran is tried elsewhere" } else { "the server was not told" };
    terminal::print(format!("stopped; {left}"));
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
    let asked = account::ask_server(arguments.home.home.as_deref(), &record, &settings).await;
    account::print(&home, process, &record, &asked, arguments.json);
    Ok(if record.connected_since.is_some() { Exit::Passed } else { Exit::CouldNotRun })
}
