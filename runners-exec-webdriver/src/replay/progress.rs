//! How far a flow has got, so that it can be told wherever it is cut short.

use crate::{
    flow::{Flow, Step},
    result::{StepResult, StepState},
};
use runners_core::{BootTime, Clock, Fault};
use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The code of the fault of a flow that was told to stop.
pub(super) const CANCELLED: &str = "cancelled";

/// The steps of a flow and how they went, as far as it has got.
#[derive(Debug)]
pub(super) struct Progress(Mutex<Reached>);

#[derive(Debug)]
struct Reached {
    steps: Vec<StepResult>,
    /// When the first step began.
    began: Option<BootTime>,
    /// The newest step, and when it began.
    at: Option<(usize, BootTime)>,
}

impl Progress {
    pub(super) fn new(flow: &Flow) -> Self {
        let steps = flow.steps.iter().enumerate().map(not_run).collect();
        Self(Mutex::new(Reached { steps, began: None, at: None }))
    }

    /// A step begins; answers what is filled in of it.
    pub(super) fn begin(&self, index: usize, clock: &dyn Clock) -> StepResult {
        let mut reached = self.reached();
        let now = clock.boot();
        reached.began.get_or_insert(now);
        reached.at = Some((index, now));
        reached.steps[index].clone()
    }

    /// A step has ended.
    pub(super) fn end(&self, result: StepResult) {
        let mut reached = self.reached();
        let index = result.index;
        reached.steps[index] = result;
    }

    /// All steps, at the end of the flow.
    pub(super) fn take(&self) -> Vec<StepResult> {
        mem::take(&mut self.reached().steps)
    }

    /// How long it has taken, in milliseconds.
    pub(super) fn took(&self, clock: &dyn Clock) -> u64 {
        self.reached().began.map_or(0, |began| millis(clock.boot().since(began)))
    }

    /// The fault of a flow that was told to stop where it is.
    pub(super) fn gave_up(&self) -> Fault {
        let reached = self.reached();
        let place = match reached.at {
            Some((index, _)) => {
                format!("during step {}: {}", index + 1, reached.steps[index].description)
            }
            None => "before the first step".to_owned(),
        };
        Fault::permanent(CANCELLED, format!("cancelled {place}"))
    }

    /// The steps of a flow that is cut short by a fault, and which of them was under way, if one was. That one says
    /// why it did not end. Nothing, if no step had begun.
    pub(super) fn cut_short(
        &self,
        fault: &Fault,
        clock: &dyn Clock,
    ) -> Option<(Vec<StepResult>, Option<usize>)> {
        let (index, began) = self.reached().at?;
        let mut steps = self.take();
        let step = &mut steps[index];
        if step.state != StepState::NotRun {
            return Some((steps, None));
        }
        step.state = StepState::CutShort;
        step.duration_ms = millis(clock.boot().since(began));
        let why = match &*fault.code {
            CANCELLED => {
                let (number, description) = (index + 1, &step.description);
                format!("step {number} ({description}): it was stopped after {} ms", step.duration_ms)
            }
            _ => fault.message.clone(),
        };
        step.reason = Some(why);
        Some((steps, Some(index)))
    }

    fn reached(&self) -> MutexGuard<'_, Reached> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_run((index, step): (usize, &Step)) -> StepResult {
    StepResult {
        index,
        id: step.id.clone(),
        retries: 0,
        kind: step.action.name().to_owned(),
        description: step.description(),
        state: StepState::NotRun,
        duration_ms: 0,
        reason: None,
        page_url: None,
        baseline: None,
        artifacts: Vec::new(),
    }
}

pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
