//! What explains why a job is where it is, which must agree with what is granted: whom it rules out
//! gets nothing, and what it calls free does not stay so.

use super::world::World;
use crate::{
    seams::clock::sleep,
    testing::random::SeededRandom,
    values::{
        explanation::{Explanation, Obstacle, PoolExplanation},
        id::{JobId, RunnerId, TenantId},
        time::BootTime,
    },
};
use std::{collections::BTreeMap, time::Duration};

/// How often it is asked why a job is where it is.
const ASK_EVERY: Duration = Duration::from_secs(4);
/// How long a ready job that is the next may stay so while nothing keeps it from a runner: until that
/// runner has asked again.
const FREE_MAX: Duration = Duration::from_secs(1);
/// Of how many it is asked then.
const ASKED_MAX: usize = 12;

/// Ready jobs that nothing keeps from a runner, by what is explained, each pair since when.
#[derive(Debug, Default)]
pub(super) struct Free {
    since: BTreeMap<(JobId, RunnerId), BootTime>,
}

impl Free {
    /// No job stays what it is called: free to go to a runner.
    pub(super) async fn check(&mut self, world: &World, now: BootTime) {
        let mut present = BTreeMap::new();
        let ready = world.audit.ready().await;
        let step = ready.len() / ASKED_MAX + 1;
        let asked = ready.iter().enumerate().filter(|(at, job)| at % step == 0 || self.knows(job.id));
        for (_, job) in asked {
            world.checker.count(|count| count.explained_ready += 1);
            for runner in world.free_for(job.tenant, job.id).await {
                world.checker.count(|count| count.explained_free += 1);
                let pair = (job.id, runner);
                present.insert(pair, self.since.get(&pair).copied().unwrap_or(now));
            }
        }
        let late = present.iter().find(|(_, since)| now.since(**since) > FREE_MAX + world.spans.apart);
        if let Some(((job, runner), since)) = late {
            let detail = format!("nothing keeps {job} from {runner} since {since:?}, and it is ready still");
            world.checker.violate("what is explained as free is granted", None, detail);
        }
        self.since = present;
    }

    fn knows(&self, job: JobId) -> bool {
        self.since.keys().any(|(known, _)| *known == job)
    }
}

impl World {
    /// Asks again and again why one of the jobs is where it is.
    pub(super) async fn ask_why(&self, random: &SeededRandom) {
        loop {
            sleep(&self.clock, ASK_EVERY.mul_f64(2.0 * random.unit())).await;
            let Some(planned) = self.any_job(random) else { continue };
            let job = planned.spec.job;
            if let Some(explanation) = self.why(planned.tenant, job).await {
                self.checker.count(|count| count.explained += 1);
                for runner in explanation.pools.iter().flat_map(|pool| &pool.runners) {
                    if runner.obstacle.as_ref().is_some_and(is_for_good) {
                        self.checker.rule_out(job, runner.runner);
                    }
                }
            }
        }
    }

    pub(super) async fn why(&self, tenant: TenantId, job: JobId) -> Option<Explanation> {
        let control = self.planes.any()?;
        control.plane.explanation(tenant, job, None).await.ok().flatten()
    }

    /// The runners that nothing keeps a ready job from that is the next, as any control plane explains.
    async fn free_for(&self, tenant: TenantId, job: JobId) -> Vec<RunnerId> {
        let mut free = Vec::new();
        for plane in (0..self.planes.len()).filter(|plane| !self.planes.machine(*plane).is_suspended()) {
            let Some(control) = self.planes.control(plane) else { continue };
            let Ok(Some(explanation)) = control.plane.explanation(tenant, job, None).await else { continue };
            if explanation.obstacle.is_some() {
                continue;
            }
            let open = explanation.pools.iter().filter(|pool| is_next(pool));
            let runners = open.flat_map(|pool| &pool.runners).filter(|runner| runner.obstacle.is_none());
            free.extend(runners.map(|runner| runner.runner).filter(|runner| self.is_awake(*runner)));
        }
        free
    }

    /// Whether the machine of a runner is not suspended, so that it asks again soon.
    fn is_awake(&self, runner: RunnerId) -> bool {
        self.runners.iter().any(|node| node.id == runner && !node.machine.is_suspended())
    }
}

/// Whether a job is open to a pool, and goes before all others there.
fn is_next(pool: &PoolExplanation) -> bool {
    let is_first = pool.position.as_ref().is_some_and(|position| position.exact && position.ahead == 0);
    pool.opens_at.is_none() && pool.obstacle.is_none() && is_first
}

/// Whether what keeps a job from a runner does so for ever: here, runners stay as they are.
const fn is_for_good(obstacle: &Obstacle) -> bool {
    matches!(
        obstacle,
        Obstacle::Pinned { .. } | Obstacle::Kind | Obstacle::Wanted { .. } | Obstacle::Refused { .. }
    )
}
