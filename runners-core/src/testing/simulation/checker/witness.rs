//! What runners and control planes tell their hosts, as the checker takes note of it.

use super::Checker;
use crate::{
    seams::observer::{Notice, Observer},
    values::{id::RunnerId, runner::Mode},
};
use std::sync::{Mutex, PoisonError};

/// What a runner tells its host.
#[derive(Debug)]
pub(in super::super) struct RunnerWitness {
    pub(in super::super) checker: Checker,
    pub(in super::super) runner: RunnerId,
    pub(in super::super) drained: Mutex<bool>,
}

impl Observer for RunnerWitness {
    fn observe(&self, notice: &Notice) {
        let runner = self.runner;
        let mut drained = self.drained.lock().unwrap_or_else(PoisonError::into_inner);
        match notice {
            Notice::AttemptStarted { token, .. } => {
                self.checker.trace(Some(token.job), format_args!("{token} is started by {runner}"));
                if *drained {
                    let detail = format!("{runner} started {token} after no_more");
                    self.checker.violate("after no_more nothing is started", Some(token.job), detail);
                }
            }
            Notice::AttemptEnded { token, outcome } => {
                let line = format_args!("{token} ended at {runner}: {outcome:?}");
                self.checker.trace(Some(token.job), line);
            }
            Notice::Drained => {
                *drained = true;
                self.checker.trace(None, format_args!("{runner} is drained"));
                self.checker.count(|count| count.drained += 1);
            }
            Notice::DesiredChanged { mode: Mode::Serve, .. } => *drained = false,
            Notice::Disconnected { .. } => self.checker.count(|count| count.disconnects += 1),
            _ => {}
        }
    }
}

impl RunnerWitness {
    /// The host lets the runner take jobs again.
    pub(in super::super) fn resumed(&self) {
        *self.drained.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }
}

/// What a control plane tells its host.
#[derive(Debug)]
pub(in super::super) struct PlaneWitness {
    pub(in super::super) checker: Checker,
    pub(in super::super) plane: usize,
}

impl Observer for PlaneWitness {
    fn observe(&self, notice: &Notice) {
        let (checker, plane) = (&self.checker, self.plane);
        match notice {
            Notice::JobAccepted { job } => {
                checker.trace(Some(*job), format_args!("{job} is accepted by plane {plane}"));
                checker.is_accepted(*job);
            }
            Notice::JobOffered { token, runner } => {
                checker
                    .trace(Some(token.job), format_args!("{token} is granted to {runner} by plane {plane}"));
                checker.is_accepted(token.job);
                checker.count(|count| count.grants += 1);
            }
            Notice::JobRunning { token, .. } => {
                checker.trace(Some(token.job), format_args!("{token} is confirmed at plane {plane}"));
            }
            Notice::JobRequeued { token, outcome } => {
                let line = format_args!("{token} goes back at plane {plane}: {outcome:?}");
                checker.trace(Some(token.job), line);
                checker.count(|count| count.offers_lapsed += u64::from(outcome.is_none()));
            }
            Notice::JobConcluded { job, conclusion } => {
                checker.trace(Some(*job), format_args!("{job} is concluded {conclusion} by plane {plane}"));
                let before = checker.state().concluded.insert(*job, *conclusion);
                if let Some(before) = before {
                    let detail = format!("{job} was concluded {before}, and again {conclusion}");
                    checker.violate("a job has exactly one conclusion", Some(*job), detail);
                }
            }
            Notice::RunnerArrived { runner } => {
                checker.trace(None, format_args!("{runner} arrives at plane {plane}"));
            }
            Notice::RunnerLost { runner } => {
                checker.trace(None, format_args!("{runner} is given up by plane {plane}"));
                checker.count(|count| count.reaped += 1);
            }
            _ => {}
        }
    }
}
