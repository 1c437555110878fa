//! Eligible ready jobs beside free slots, which must not coexist; and what explains why a job is
//! where it is, which must agree with what is granted.

use super::{fleet::RunnerNode, world::World};
use crate::{
    rules::{
        eligibility::{Needs, eligible},
        job::JobRecord,
    },
    seams::clock::{Clock as _, sleep},
    testing::random::SeededRandom,
    values::{
        explanation::{Explanation, Obstacle},
        id::{JobId, RunnerId, TenantId},
        runner::Facts,
        time::BootTime,
    },
};
use std::{collections::BTreeMap, time::Duration};

/// How long an eligible ready job and a free slot may coexist.
const PAIR_MAX: Duration = Duration::from_millis(100);
/// How often it is asked why a job is where it is.
const ASK_EVERY: Duration = Duration::from_secs(4);

/// Ready jobs and runners with a free slot that could have them, each pair since when.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    since: BTreeMap<(JobId, RunnerId), BootTime>,
}

impl Pairs {
    /// No pair is there for longer than a wake-up takes.
    pub(super) async fn check(&mut self, world: &World, now: BootTime) {
        let parked = world.checker.parked();
        if parked.values().all(|parked| parked.free == 0) {
            return self.since.clear();
        }
        let ready = world.audit.ready().await;
        if ready.is_empty() {
            return self.since.clear();
        }
        let mut present = BTreeMap::new();
        for node in &world.runners {
            let free = parked.get(&node.id).is_some_and(|parked| parked.free > 0)
                && !world.audit.is_held_back(node.id, world.wall().wall()).await;
            for job in ready.iter().filter(|_| free) {
                if world.may_take(node, job) {
                    let pair = (job.id, node.id);
                    present.insert(pair, self.since.get(&pair).copied().unwrap_or(now));
                }
            }
        }
        let late = present.iter().find(|(_, since)| now.since(**since) > PAIR_MAX);
        if let Some(((job, runner), _)) = late {
            let why = world.why(*job).await;
            let detail = format!("{job} is ready, and {runner} is parked with a free slot: {why:?}");
            // It may be about any job of the runner.
            world.checker.violate("a ready job and a free slot do not coexist", None, detail);
        }
        self.since = present;
    }
}

impl World {
    /// Whether a runner may take a ready job that no limit holds back, by what is stored of it.
    fn may_take(&self, node: &RunnerNode, job: &JobRecord) -> bool {
        let further = job.terms.fallbacks.iter().take(job.fallen).map(|opening| opening.pool);
        let in_pool = std::iter::once(job.terms.pool).chain(further).any(|pool| pool == node.member.pool);
        let Some(planned) = self.jobs.iter().find(|planned| planned.spec.job == job.id) else { return false };
        let facts = Facts {
            kinds: self.kinds.iter().cloned().collect(),
            labels: node.member.labels.clone(),
            ..Facts::default()
        };
        in_pool && eligible(&Needs::of(&planned.spec), node.id, &facts).is_ok()
    }

    /// Asks again and again why one of the jobs is where it is.
    pub(super) async fn ask_why(&self, random: &SeededRandom) {
        loop {
            sleep(&self.clock, ASK_EVERY.mul_f64(2.0 * random.unit())).await;
            let Some(job) = self.any_job(random) else { continue };
            if let Some(explanation) = self.why(job).await {
                self.checker.count(|count| count.explained += 1);
                for runner in explanation.pools.iter().flat_map(|pool| &pool.runners) {
                    if runner.obstacle.as_ref().is_some_and(is_for_good) {
                        self.checker.rule_out(job, runner.runner);
                    }
                }
            }
        }
    }

    async fn why(&self, job: JobId) -> Option<Explanation> {
        let control = self.planes.any()?;
        control.plane.explanation(TenantId::DEFAULT, job, None).await.ok().flatten()
    }
}

/// Whether what keeps a job from a runner does so for ever: here, runners stay as they are.
const fn is_for_good(obstacle: &Obstacle) -> bool {
    matches!(
        obstacle,
        Obstacle::Pinned { .. } | Obstacle::Kind | Obstacle::Wanted { .. } | Obstacle::Refused { .. }
    )
}
