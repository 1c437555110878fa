//! Goes through the steps of a flow, one after the other, until one fails or all are done.

use super::{
    Replay, STEP_TIMEOUT, Screenshots, TITLE_CHARACTERS_MAX,
    clicks::Clicks,
    comparison::Visual,
    evidence::Keeper,
    observer::FlowObserver,
    place::Place,
    popups::Popups,
    progress::{Progress, millis},
    scope::Scope,
    trouble::Trouble,
    viewport::Emulated,
};
use crate::{
    browser::page::Page,
    evidence::{Filming, Watch},
    flow::{Action, Flow, Step, one_line},
    result::{FlowResult, StepResult, StepState},
};
use runners_core::{Fault, Redactor, Verdict};
use std::time::Duration;

/// One run through the steps.
pub(super) struct Run<'r> {
    pub(super) replay: &'r Replay,
    pub(super) flow: &'r Flow,
    pub(super) page: Page<'r>,
    pub(super) observer: &'r dyn FlowObserver,
    pub(super) emulated: Emulated,
    pub(super) place: Place,
    pub(super) clicks: Clicks,
    pub(super) popups: &'r Popups,
    pub(super) watch: &'r Watch,
    pub(super) filming: &'r Filming,
    pub(super) redactor: &'r Redactor,
    pub(super) visual: Visual,
}

impl Run<'_> {
    pub(super) async fn steps(&self, progress: &Progress) -> Result<FlowResult, Fault> {
        let clock = &*self.replay.clock;
        let mut verdict = Verdict::Passed;
        for (index, step) in self.flow.steps.iter().enumerate() {
            let mut result = progress.begin(index, clock);
            self.watch.step(result.index, clock);
            self.filming.step(result.index, &result.description, clock);
            self.observer.step_started(result.index, self.flow.steps.len(), step);
            self.step(step, &mut result).await?;
            self.observer.step_ended(&result);
            let is_failed = result.state == StepState::Failed;
            progress.end(result);
            if is_failed {
                verdict = Verdict::Failed;
                break;
            }
        }
        let (mut artifacts, mut page_errors) = (Vec::new(), Vec::new());
        if verdict == Verdict::Passed {
            page_errors = self.keeper().dismissed().await;
        }
        if verdict == Verdict::Passed && self.replay.options.screenshots != Screenshots::OfFailures {
            artifacts.extend(self.keeper().picture("final.png").await);
        }
        let duration_ms = progress.took(clock);
        self.place.leave(self.page, clock).await;
        self.watch.settle(clock).await;
        self.filming.rest(clock).await;
        Ok(FlowResult {
            title: one_line(&self.flow.title, TITLE_CHARACTERS_MAX),
            verdict,
            duration_ms,
            steps: progress.take(),
            artifacts,
            page_errors,
            engine: self.page.engine_name(),
        })
    }

    async fn step(&self, step: &Step, result: &mut StepResult) -> Result<(), Fault> {
        if let Action::CustomStep { name, .. } = &step.action {
            result.state = StepState::Skipped;
            result.reason = Some(format!("nothing here understands the custom step {name:?}"));
            return Ok(());
        }
        if let Some((_, reason)) = step.beyond(self.page.abilities(), None) {
            // One that is not optional was refused before the first.
            (result.state, result.reason) = (StepState::Excused, Some(reason));
            return Ok(());
        }
        let clock = &*self.replay.clock;
        let began = clock.boot();
        let limit = self.limit(step);
        let ended = loop {
            let Self { page, emulated, place, clicks, visual, .. } = self;
            let scope = Scope::new(*page, clock, emulated, place, clicks, visual, self.flow.mode);
            let next = self.flow.steps.get(result.index + 1);
            let is_before_dialog = next.is_some_and(|next| next.answers_dialog_of(step));
            let scope = scope.hearing(self.popups).hiding(self.redactor).before_dialog(is_before_dialog);
            let ended = match scope.perform_within(limit, step).await {
                Ok(()) => self.keeper().wanted(step).await,
                Err(trouble) => Err(trouble),
            };
            match ended {
                Err(Trouble::Failed(_)) if result.retries < step.retries => result.retries += 1,
                ended => break ended,
            }
        };
        result.duration_ms = millis(clock.boot().since(began));
        match ended {
            Ok(kept) => {
                result.artifacts.extend(kept);
                self.passed(step, result).await;
            }
            Err(trouble) => self.failed(result, trouble).await?,
        }
        let kept = self.visual.keep(self.keeper()).await;
        result.baseline = kept.baseline;
        result.artifacts.extend(kept.pictures);
        if let Some(note) = kept.note {
            let place = || format!("step {} ({})", result.index + 1, result.description);
            let before =
                result.reason.take().map_or_else(|| format!("{}: ", place()), |reason| reason + "; ");
            result.reason = Some(self.redactor.redact(&format!("{before}{note}")));
        }
        if result.state == StepState::Failed && step.optional {
            result.state = StepState::Excused;
        }
        Ok(())
    }

    async fn passed(&self, step: &Step, result: &mut StepResult) {
        result.state = StepState::Passed;
        if step.screenshot || self.replay.options.screenshots == Screenshots::OfEveryStep {
            let name = format!("steps/{:02}.png", result.index + 1);
            result.artifacts.extend(self.keeper().picture(&name).await);
        }
    }

    async fn failed(&self, result: &mut StepResult, trouble: Trouble) -> Result<(), Fault> {
        let place = format!("step {} ({})", result.index + 1, result.description);
        let reason = trouble.into_reason(&place)?;
        result.state = StepState::Failed;
        let left = match self.keeper().failure(result.index + 1).await {
            Ok(left) => left,
            // A verdict takes a browser that can still be asked.
            Err(lost) => return lost.into_reason(&place).map(drop),
        };
        let seen = left.seen.map(|seen| format!("; {seen}")).unwrap_or_default();
        result.reason = Some(self.redactor.redact(&format!("{place}: {reason}{seen}")));
        result.page_url = left.url;
        result.artifacts = left.artifacts;
        Ok(())
    }

    fn limit(&self, step: &Step) -> Duration {
        if matches!(step.action, Action::Navigate { .. }) && !step.asserts_navigation() {
            return self.replay.options.load_timeout;
        }
        step.timeout.or(self.flow.timeout).unwrap_or(STEP_TIMEOUT)
    }

    fn keeper(&self) -> Keeper<'_> {
        Keeper::new(self.page, &*self.replay.clock, self.observer, self.redactor)
    }
}
