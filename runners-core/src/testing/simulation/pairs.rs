//! Eligible ready jobs beside free slots, which must not coexist. What is explained of them is left to
//! `explained`.

use super::{chaos::Chaos, checker::Parked, explained::Free, fleet::RunnerNode, world::World};
use crate::{
    rules::{
        eligibility::{Needs, eligible},
        job::JobRecord,
    },
    seams::clock::{Clock as _, sleep},
    values::{
        id::{JobId, RunnerId},
        runner::Facts,
        time::BootTime,
    },
};
use std::{collections::BTreeMap, time::Duration};

/// How long an eligible ready job and a free slot may coexist.
const PAIR_MAX: Duration = Duration::from_millis(100);

/// How often it looks for them.
pub(super) const PAIR_EVERY: Duration = Duration::from_millis(50);

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
            // A control plane whose machine is suspended grants nothing: the runner's time limit is what helps.
            let may_be_granted =
                |parked: &Parked| parked.free > 0 && !world.planes.machine(parked.plane).is_suspended();
            let free = parked.get(&node.id).is_some_and(may_be_granted)
                && !world.audit.is_held_back(&node.member, world.wall().wall()).await;
            for job in ready.iter().filter(|_| free) {
                if world.may_take(node, job) {
                    let pair = (job.id, node.id);
                    present.insert(pair, self.since.get(&pair).copied().unwrap_or(now));
                }
            }
        }
        // Who is behind leaves a job to others until it became ready by its own clock, too.
        let pair_max = PAIR_MAX + world.spans.apart;
        let late = present.iter().find(|(_, since)| now.since(**since) > pair_max);
        if let Some(((job, runner), _)) = late {
            let tenant = world.audit.tenant_of(*job);
            let why = world.why(tenant, *job).await;
            let detail = format!("{job} is ready, and {runner} is parked with a free slot: {why:?}");
            // It may be about any job of the runner.
            world.checker.violate("a ready job and a free slot do not coexist", None, detail);
        }
        self.since = present;
    }
}

impl World {
    /// Where nothing goes wrong, no pair is there for longer from the very beginning, when jobs come.
    pub(super) async fn look_at_pairs(&self, chaos: &Chaos) {
        if *chaos != Chaos::none(chaos.lasts) {
            return std::future::pending().await;
        }
        let (mut pairs, mut free) = (Pairs::default(), Free::default());
        loop {
            sleep(&self.clock, PAIR_EVERY).await;
            let now = self.clock.boot();
            pairs.check(self, now).await;
            free.check(self, now).await;
        }
    }

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
}
