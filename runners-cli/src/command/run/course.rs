//! How a runner in this process fares until it ends: by itself, by interrupts, each more urgent than
//! the one before, or by what is wanted of it on this machine.

use super::{
    STOP_GRACE,
    background::{Background, Watched},
};
use crate::{daemon::Paused, interrupts::Interrupts, terminal};
use runners_core::{Clock as _, ExitReason, Mode, Runner, SystemClock, Timestamp, sleep};
use serde_json::json;
use std::{future::pending, time::Duration};

/// How long a server may take to hear that a runner ends which has nothing to tell.
const HEARD_WITHIN: Duration = Duration::from_secs(5);

/// What has ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The runner, for this reason.
    Over(ExitReason),
    /// What it ran when its time to drain was over. It goes on, as a new start that takes nothing.
    GivenUp,
}

/// What is wanted of a runner in this process.
#[derive(Debug)]
pub(super) struct Course<'a> {
    pub(super) interrupts: Interrupts,
    pub(super) background: Option<&'a Background>,
    pub(super) watched: &'a Watched,
    /// How long what runs may take once it is to end.
    pub(super) drain_within: Duration,
    /// Nothing new is taken, as was said here.
    pub(super) paused: Option<Paused>,
}

impl Course<'_> {
    /// Sees a start of the runner through.
    pub(super) async fn see_through(&mut self, runner: &Runner) -> Ended {
        loop {
            let give_up_at = self.paused.as_ref().and_then(|paused| paused.by);
            tokio::select! {
                reason = runner.stopped() => return Ended::Over(reason),
                () = self.interrupts.next() => return Ended::Over(self.end(runner).await),
                () = changed(self.background) => self.heed(runner),
                () = reached(give_up_at) => {
                    self.set_paused(self.paused.clone().map(|paused| Paused { by: None, ..paused }));
                    if !runner.snapshot().held.is_empty() {
                        let text = "its time to drain is over: what ran is tried elsewhere";
                        self.watched.narrator.say(text, json!({ "event": "given_up" }));
                        return match runner.stop(STOP_GRACE).await {
                            ExitReason::Stopped => Ended::GivenUp,
                            reason => Ended::Over(reason),
                        };
                    }
                }
            }
        }
    }

    /// Does what is wanted here.
    fn heed(&mut self, runner: &Runner) {
        let Some(wish) = self.background.and_then(Background::wish) else { return };
        match wish.mode {
            Mode::Serve => {
                self.set_paused(None);
                runner.resume();
                self.watched.narrator.say("serving again, as was said here", json!({ "event": "resumed" }));
            }
            Mode::Drain | Mode::Leave => {
                let note = wish.note.as_deref().map(|note| format!(": {note}")).unwrap_or_default();
                let now = SystemClock::default().wall();
                self.set_paused(Some(Paused { since: now, note: wish.note, by: wish.by }));
                runner.pause();
                let running = runner.snapshot().held.len();
                let text = format!("taking nothing new, as was said here{note}");
                self.watched.narrator.say(&text, json!({ "event": "paused", "running": running }));
            }
        }
    }

    fn set_paused(&mut self, paused: Option<Paused>) {
        self.paused.clone_from(&paused);
        self.watched.pause(paused);
    }

    /// Ends it: what runs may finish, for as long as it may take; another interrupt stops it now. Where there is
    /// nothing to finish or to tell, it does not wait for a server that is not there.
    async fn end(&mut self, runner: &Runner) -> ExitReason {
        self.watched.drain();
        let narrator = &self.watched.narrator;
        let snapshot = runner.snapshot();
        let running = snapshot.held.len();
        let is_idle = running == 0 && snapshot.unrecorded == 0;
        let within = self.background.and_then(Background::leaves_within).unwrap_or(self.drain_within);
        let within = if is_idle { within.min(HEARD_WITHIN) } else { within };
        let span = terminal::span(within);
        let text = match running {
            0 => "draining: nothing runs".to_owned(),
            _ => {
                let flows = terminal::count(running, "flow");
                format!("draining: {flows} to finish within {span}; once more stops now")
            }
        };
        narrator.say(&text, json!({ "event": "draining", "running": running }));
        let clock = SystemClock::default();
        tokio::select! {
            drained = runner.drain() => match drained {
                Ok(()) => return ExitReason::Left,
                Err(_) => return runner.stopped().await,
            },
            () = sleep(&clock, within) => {}
            () = self.interrupts.next() => {}
        }
        let text = match is_idle {
            true => "ending without a word to the server, which does not answer",
            false => "stopping now: what ran is tried elsewhere",
        };
        narrator.say(text, json!({ "event": "stopping" }));
        tokio::select! {
            reason = runner.stop(STOP_GRACE) => reason,
            () = self.interrupts.next() => {
                runner.kill();
                runner.stopped().await
            }
        }
    }
}

/// Completes when something else is wanted here.
async fn changed(background: Option<&Background>) {
    match background {
        Some(background) => background.told().await,
        None => pending().await,
    }
}

/// Completes at a time, if there is one.
async fn reached(at: Option<Timestamp>) {
    match at {
        Some(at) => {
            let clock = SystemClock::default();
            sleep(&clock, at.since(clock.wall())).await;
        }
        None => pending().await,
    }
}
