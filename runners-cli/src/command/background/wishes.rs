//! `runners drain` and `resume` of the runner of this machine, which needs no server and no credential.

use super::signals;
use crate::{
    args::{DrainArgs, HomeArgs},
    daemon::{Home, Record, Wish},
    exit::Exit,
    terminal,
};
use anyhow::{Context as _, Result, bail};
use runners_core::{Clock as _, Mode, SystemClock, sleep};
use serde_json::json;
use std::time::Duration;

/// How long a runner may take to hear what is wanted, and how often that is looked at.
const HEARD_MAX: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Has it take nothing new.
pub(in crate::command) async fn drain(arguments: &DrainArgs, as_json: bool) -> Result<Exit> {
    let by = arguments.within.map(|span| SystemClock::default().wall() + span.0);
    let record = wish(&arguments.home, Mode::Drain, arguments.note.clone(), by).await?;
    let running = record.jobs.len();
    if as_json {
        terminal::print_json(&json!({ "draining": record.runner, "running": running, "by": by }));
        return Ok(Exit::Passed);
    }
    let left = match (running, by) {
        (0, _) => "nothing runs".to_owned(),
        (_, None) => format!("{} to finish", terminal::count(running, "job")),
        (_, Some(by)) => format!("{} to finish, until {by} at most", terminal::count(running, "job")),
    };
    terminal::print(format!(
        "{} takes nothing new: {left}. `runners resume` has it serve again",
        record.name
    ));
    if arguments.note.is_some() {
        let name = &record.name;
        terminal::note(format!(
            "the note stays here: `runners drain {name} --note …` tells it to others too"
        ));
    }
    Ok(Exit::Passed)
}

/// Has it serve again.
pub(in crate::command) async fn resume(home: &HomeArgs, as_json: bool) -> Result<Exit> {
    let record = wish(home, Mode::Serve, None, None).await?;
    if as_json {
        terminal::print_json(&json!({ "resumed": record.runner, "draining": record.draining }));
    } else if record.draining {
        terminal::print(format!("{} would serve again, but its operator has it drain", record.name));
    } else {
        terminal::print(format!("{} serves again", record.name));
    }
    Ok(Exit::Passed)
}

/// Tells the runner of a home what is wanted, and waits until it has heard.
async fn wish(
    home: &HomeArgs,
    mode: Mode,
    note: Option<String>,
    by: Option<runners_core::Timestamp>,
) -> Result<Record> {
    let home = Home::at(home.home.as_deref())?;
    let Some(pid) = home.running()? else {
        bail!(
            "no runner runs in {}: name one that the server knows, or `runners start`",
            home.directory().display()
        )
    };
    let record = Record::read(&home)?.filter(|record| record.pid == pid);
    let Some(record) = record else { bail!("the runner is only just starting: try again in a moment") };
    if !record.hears_wishes {
        bail!("the runner that runs is of an earlier version: `runners restart` it first");
    }
    let clock = SystemClock::default();
    let asked_at = clock.wall();
    Wish { pid, mode, note: note.clone(), by }.write(&home)?;
    signals::nudge(pid)?;
    let give_up_at = clock.boot() + HEARD_MAX;
    loop {
        let record =
            Record::read(&home)?.context("the file in which the runner says how it is was removed")?;
        let heard = match (&record.paused, mode) {
            (None, Mode::Serve) => true,
            // A time that is over is no longer told.
            (Some(paused), Mode::Drain) => {
                let is_over = paused.by.is_none() && paused.since >= asked_at;
                paused.note == note && (paused.by == by || is_over)
            }
            _ => false,
        };
        if heard {
            return Ok(record);
        }
        if clock.boot() >= give_up_at || home.running()? != Some(pid) {
            bail!("the runner does not react: `runners log` may say why");
        }
        sleep(&clock, LOOK_EVERY).await;
    }
}
