//! Checks of a pool that nobody begins: why that is is told to the run, and those that no runner of the
//! pool can execute are given up, instead of waiting for a runner that may never come.

use super::PoolRegion;
use crate::{
    seams::region::RegionCall,
    values::{
        explanation::JobObstacle,
        id::JobId,
        orchestration::{RegionResult, ResultState},
        time::BootTime,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How long checks wait until it is looked why. It doubles with each look.
const LOOK_AFTER: Duration = Duration::from_secs(5);
/// How long it is at most from one look to the next.
const LOOK_AFTER_MAX: Duration = Duration::from_secs(60);

/// Watches the checks of one call.
pub(super) struct Watch<'r> {
    region: &'r PoolRegion,
    call: &'r RegionCall,
    /// Those that have not ended, each with its job and the kind of that.
    open: BTreeMap<usize, (JobId, &'r str)>,
    /// Why those were given up that were.
    given_up: BTreeMap<usize, String>,
    /// Whether it was told that they wait.
    waits: bool,
    look_at: BootTime,
    look_after: Duration,
}

impl<'r> Watch<'r> {
    pub(super) fn new(
        region: &'r PoolRegion,
        call: &'r RegionCall,
        open: BTreeMap<usize, (JobId, &'r str)>,
    ) -> Self {
        let look_at = region.client.clock().boot() + LOOK_AFTER;
        Self { region, call, open, given_up: BTreeMap::new(), waits: false, look_at, look_after: LOOK_AFTER }
    }

    /// A check has ended. One that was given up has its reason, unless it reached a verdict all the same.
    pub(super) fn ended(&mut self, at: usize, mut result: RegionResult) -> RegionResult {
        self.open.remove(&at);
        self.tell(None);
        if let Some(why) = self.given_up.remove(&at).filter(|_| result.state == ResultState::Error) {
            result.error_message = Some(why);
        }
        result
    }

    /// Waits until it is time to look, and looks. One that is dropped on its way looks again.
    pub(super) async fn look(&mut self) {
        let clock = self.region.client.clock();
        clock.sleep_until(self.look_at).await;
        let mut why = None;
        let mut seen = BTreeSet::new();
        for (job, kind) in self.open.clone().into_values() {
            // Jobs of one kind wait for the same.
            if !seen.insert(kind) {
                continue;
            }
            let Ok(explanation) = self.region.client.explain(job, None).await else { continue };
            if explanation.no_runner_can() {
                self.give_up(kind).await;
            } else if !matches!(explanation.obstacle, Some(JobObstacle::Granted | JobObstacle::Concluded)) {
                why.get_or_insert_with(|| explanation.advice());
            }
        }
        self.tell(why);
        self.look_after = (self.look_after * 2).min(LOOK_AFTER_MAX);
        self.look_at = clock.boot() + self.look_after;
    }

    fn tell(&mut self, why: Option<String>) {
        let waited = std::mem::replace(&mut self.waits, why.is_some());
        match why {
            Some(why) => self.call.waits(why),
            None if waited => self.call.proceeds(),
            None => {}
        }
    }

    /// Cancels the jobs of a kind. One that cannot be told so is told at the next look.
    async fn give_up(&mut self, kind: &str) {
        let theirs = self.open.iter().filter(|(_, (_, other))| *other == kind);
        let theirs: Vec<(usize, JobId)> = theirs.map(|(at, (job, _))| (*at, *job)).collect();
        for (at, job) in theirs {
            self.given_up.insert(at, self.region.unknown(&self.call.checks[at].name, kind));
            drop(self.region.client.cancel(job).await);
        }
    }
}
