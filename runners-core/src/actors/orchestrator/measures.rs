//! What an orchestrator measures: runs and calls where they end, and from time to time what is under
//! way. Nothing is measured unless somebody wants it.

use super::{Shared, call::Answer};
use crate::{
    actors::control_plane::{lock, name_of},
    rules::{
        orchestration::{course::EndedTry, fan_out::PlannedJob},
        record::OrchestrationRecord,
    },
    seams::{
        clock::sleep,
        metrics::{Metrics, orchestrator as instruments},
        region::{RegionError, RegionReply},
    },
    values::orchestration::ResultState,
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

/// How often it is looked what is under way.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// The largest number of regions that are told apart.
const REGIONS_MAX: usize = 200;
/// What all others are called.
const OTHER_REGIONS: &str = "other";
/// What this process is called where a request names no region.
const LOCAL_MODE: &str = "local mode";

/// Records what happens at one orchestrator.
#[derive(Debug)]
pub(super) struct Measures {
    metrics: Arc<dyn Metrics>,
    wanted: bool,
    /// The regions that are told apart: those that were added, and those found that have done something.
    known: Mutex<BTreeSet<String>>,
}

impl Measures {
    pub(super) fn new<'n>(metrics: Arc<dyn Metrics>, regions: impl Iterator<Item = &'n str>) -> Self {
        let wanted = metrics.is_wanted();
        Self { metrics, wanted, known: Mutex::new(regions.take(REGIONS_MAX).map(str::to_owned).collect()) }
    }

    /// Whether anybody wants to know.
    pub(super) const fn are_wanted(&self) -> bool {
        self.wanted
    }

    /// A run was accepted.
    pub(super) fn submitted(&self) {
        if self.wanted {
            self.metrics.record(&instruments::RUNS_SUBMITTED, 1.0, &[]);
        }
    }

    /// A run ended, and that is in the store.
    pub(super) fn ended(&self, run: &OrchestrationRecord) {
        let (true, Some(at), Some(conclusion)) = (self.wanted, run.completed_at, run.conclusion) else {
            return;
        };
        let conclusion = [("conclusion", name_of(conclusion))];
        let span = at.since(run.created_at).as_secs_f64();
        self.metrics.record(&instruments::RUNS_ENDED, 1.0, &conclusion);
        self.metrics.record(&instruments::RUN_DURATION, span, &conclusion);
    }

    /// A call of a region ended after `span`.
    pub(super) fn called(&self, planned: &PlannedJob, answer: &Answer, cancelled: bool, span: Duration) {
        if !self.wanted {
            return;
        }
        let verdict = answer.as_ref().is_ok_and(has_verdict);
        self.with_region(planned, verdict, |region| {
            let end = if cancelled { "cancelled" } else { end(answer) };
            self.metrics.record(&instruments::CALLS_ENDED, 1.0, &[region, ("end", end)]);
            if end == "answered" {
                self.metrics.record(&instruments::CALL_DURATION, span.as_secs_f64(), &[region]);
            }
        });
    }

    /// A try at a job ended.
    pub(super) fn found(&self, planned: &PlannedJob, ended: &EndedTry) {
        if !self.wanted {
            return;
        }
        self.with_region(planned, false, |region| {
            for state in [ResultState::Pass, ResultState::Fail, ResultState::Error] {
                let count = ended.results.iter().filter(|result| result.state == state).count();
                let count = u32::try_from(count).expect("the checks of a job are limited");
                if count > 0 {
                    let found = ("found", word(state));
                    self.metrics.record(&instruments::CHECKS_FOUND, count.into(), &[region, found]);
                }
            }
        });
    }

    /// Tells what a region is called here. One that has reached a verdict is called by its name from
    /// then on, as long as there are not too many.
    fn with_region(&self, planned: &PlannedJob, verdict: bool, tell: impl Fn((&'static str, &str))) {
        let Some(name) = &planned.region else { return tell(("region", LOCAL_MODE)) };
        let mut known = lock(&self.known);
        let is_known = known.contains(name);
        let is_new = !is_known && verdict && known.len() < REGIONS_MAX;
        if is_new {
            known.insert(name.clone());
        }
        drop(known);
        tell(("region", if is_known || is_new { name } else { OTHER_REGIONS }));
    }
}

impl Shared {
    /// Measures what is under way, until it is stopped.
    pub(super) async fn serve_gauges(self: Arc<Self>) {
        loop {
            self.look();
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                () = sleep(&*self.clock, LOOK_EVERY) => {}
            }
        }
    }

    fn look(&self) {
        let metrics = &self.measures.metrics;
        let count = |count: usize| u32::try_from(count).map_or(f64::MAX, f64::from);
        metrics.record(&instruments::RUNS_ACTIVE, count(lock(&self.live).len()), &[]);
        let free = self.calls.available_permits();
        metrics.record(&instruments::CALLS_ACTIVE, count(self.calls_max.saturating_sub(free)), &[]);
        for (name, region) in self.regions.all().take(REGIONS_MAX) {
            let left_alone = if region.is_left_alone() { 1.0 } else { 0.0 };
            metrics.record(&instruments::REGION_LEFT_ALONE, left_alone, &[("region", name)]);
        }
    }
}

/// Whether a check reached a verdict, so that the region is one.
fn has_verdict(reply: &RegionReply) -> bool {
    let states = reply.results.iter().filter_map(|result| result.get("status")?.as_str());
    states.into_iter().any(|state| state == "pass" || state == "fail")
}

const fn end(answer: &Answer) -> &'static str {
    match answer {
        Ok(_) => "answered",
        Err(RegionError::RetryLater { .. }) => "put_off",
        Err(RegionError::Refused { .. } | RegionError::Unknown { .. }) => "refused",
        Err(RegionError::Broken { .. }) => "broken",
        Err(RegionError::Unreachable { .. }) => "unreachable",
        Err(RegionError::TimedOut { .. }) => "timed_out",
    }
}

const fn word(state: ResultState) -> &'static str {
    match state {
        ResultState::Pass => "pass",
        ResultState::Fail => "fail",
        ResultState::Error => "error",
    }
}
