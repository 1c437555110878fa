//! Why a job is where it is: asked of the schedule and of the sessions, by the rules that grants go
//! by.

use super::{
    Plane,
    client::{no_job, state_view},
    lock,
};
use crate::{
    actors::records::{Versioned, read},
    rules::{
        eligibility::{Closed, Needs, first_obstacle},
        job::{JobRecord, State},
        keys,
        record::{PayloadRecord, Record as _, RunnerRecord},
    },
    seams::store::{Query, StoreError},
    values::{
        explanation::{Explanation, JobObstacle, Obstacle, PoolExplanation, PoolObstacle, RunnerExplanation},
        id::{JobId, PoolId, RunnerId, TenantId},
        job::JobSpec,
        key::Index,
        reply::Reply,
        request::ExplainRequest,
        time::Timestamp,
    },
};
use std::sync::Arc;

impl Plane {
    pub(super) async fn explain(
        self: &Arc<Self>,
        tenant: TenantId,
        request: ExplainRequest,
    ) -> Result<Reply, StoreError> {
        match self.explanation(tenant, request.job, request.runners_after).await? {
            Some(explanation) => Ok(Reply::Explained(Box::new(explanation))),
            None => Ok(no_job(request.job)),
        }
    }

    /// Why a job is where it is, with the runners after `after`. Nothing if there is no such job.
    pub(crate) async fn explanation(
        self: &Arc<Self>,
        tenant: TenantId,
        job: JobId,
        after: Option<RunnerId>,
    ) -> Result<Option<Explanation>, StoreError> {
        let key = JobRecord::key_of(tenant, job);
        let Some(Versioned { record, .. }) = self.records.tenant(tenant).load::<JobRecord>(key).await? else {
            return Ok(None);
        };
        let mut explanation =
            Explanation { job, state: state_view(&record), obstacle: None, pools: Vec::new() };
        let payload = self.records.load::<PayloadRecord>(PayloadRecord::key_of(tenant, job)).await?;
        let spec =
            payload.and_then(|found| serde_json::from_slice::<JobSpec>(found.record.spec.as_bytes()).ok());
        let Some(spec) = spec else { return Ok(None) };
        let waits = record.conclusion().is_none() && record.holder().is_none();
        if waits {
            let needs = Needs::of(&spec);
            for (at, pool) in pools(&record).into_iter().enumerate() {
                self.ensure_pool(record.host(), pool).await?;
                explanation.pools.push(self.explain_pool(&record, &needs, pool, at, after).await?);
            }
        }
        explanation.obstacle = self.job_obstacle(&record).await?;
        if record.terms.hosted {
            hide_the_host(&mut explanation);
        }
        Ok(Some(explanation))
    }

    /// The first thing that keeps a job from every runner: what nobody but the operator can change
    /// goes before what time changes.
    async fn job_obstacle(&self, job: &JobRecord) -> Result<Option<JobObstacle>, StoreError> {
        if job.conclusion().is_none() && job.holder().is_none() {
            let pin = self.pin_obstacle(job).await?;
            if pin.is_some() {
                return Ok(pin);
            }
            if lock(&self.suspended).contains(&job.tenant) {
                return Ok(Some(JobObstacle::Suspended));
            }
        }
        Ok(self.obstacle_of_state(job))
    }

    /// What is wrong with the runner to which a job is pinned.
    async fn pin_obstacle(&self, job: &JobRecord) -> Result<Option<JobObstacle>, StoreError> {
        let Some(runner) = job.terms.runner else { return Ok(None) };
        let key = RunnerRecord::key_of(job.host(), runner);
        let found = self.records.load::<RunnerRecord>(key).await?.map(|found| found.record);
        Ok(match found {
            Some(found) if found.removed => Some(JobObstacle::RunnerRemoved { runner }),
            Some(found) if pools(job).contains(&found.pool) => None,
            _ => Some(JobObstacle::RunnerNotInPools { runner }),
        })
    }

    fn obstacle_of_state(&self, job: &JobRecord) -> Option<JobObstacle> {
        match &job.state {
            State::Concluded { .. } => Some(JobObstacle::Concluded),
            State::Offered { .. } | State::Running { .. } => Some(JobObstacle::Granted),
            State::Scheduled { ready_at } => Some(JobObstacle::NotDue { ready_at: *ready_at }),
            State::Blocked { on, .. } => Some(JobObstacle::Blocked { on: *on }),
            State::Ready { .. } => {
                let full = lock(&self.schedule).held_back_by(job.lane())?;
                let mut limits = job.terms.concurrency.iter();
                let limit = limits.find(|one| keys::granted(job.tenant, &one.key) == full)?;
                Some(JobObstacle::Concurrency { key: limit.key.clone(), max: limit.max })
            }
        }
    }

    async fn explain_pool(
        self: &Arc<Self>,
        job: &JobRecord,
        needs: &Needs,
        pool: PoolId,
        at: usize,
        after: Option<RunnerId>,
    ) -> Result<PoolExplanation, StoreError> {
        let opens_at = opens_at(job, at);
        let position = job.ready_key().filter(|_| opens_at.is_none()).and_then(|key| {
            let schedule = lock(&self.schedule);
            let held_back = schedule.held_back_by(job.lane()).is_some();
            if held_back { None } else { schedule.position(pool, job.lane(), &key) }
        });
        let prefix = keys::parent_kind_prefix(job.host(), pool.as_bytes(), RunnerRecord::KIND);
        let first = after.is_none();
        let after = after.map(|runner| [&prefix[..], runner.as_bytes()].concat().into());
        let limit = PoolExplanation::RUNNERS_MAX;
        let query =
            Query::Range { index: Index::Parent, prefix, after, until: None, newest_first: false, limit };
        let (rows, more) = self.records.page(query).await?;
        let mut runners = Vec::with_capacity(rows.len());
        for (_, row) in &rows {
            let Versioned { record, .. }: Versioned<RunnerRecord> = read(row)?;
            let obstacle = self.obstacle(needs, &record).await?;
            runners.push(RunnerExplanation { runner: record.id, name: record.name, obstacle });
        }
        let closed = self.allowance(job.host(), pool).await?.closed;
        let obstacle = pool_obstacle(closed, &runners, first && !more);
        Ok(PoolExplanation { pool, opens_at, obstacle, position, runners, more })
    }

    /// What keeps jobs with these needs from a runner.
    async fn obstacle(
        self: &Arc<Self>,
        needs: &Needs,
        runner: &RunnerRecord,
    ) -> Result<Option<Obstacle>, StoreError> {
        if let Some(to) = needs.runner.filter(|to| *to != runner.id) {
            return Ok(Some(Obstacle::Pinned { to }));
        }
        let Some(session) = self.sessions.find(runner.tenant, runner.id) else {
            return Ok(Some(Obstacle::Absent));
        };
        let mut live = session.live.lock().await;
        // It may be at home at another control plane by now, and say nothing here that would tell.
        if session.take_doubt() || !live.loaded {
            self.load(session.who, &mut live).await?;
        }
        if live.session.as_ref().is_some_and(|session| session.record.home != self.me) {
            return Ok(Some(Obstacle::Elsewhere));
        }
        let heard = !live.has_left()
            && live.heard_at.is_some_and(|at| self.clock.boot().since(at) <= self.spans.term);
        let Some(seeker) = live.seeker.as_ref().filter(|_| heard) else {
            return Ok(Some(Obstacle::Absent));
        };
        let presence = live.presence(live.mine.len(), self.now());
        Ok(first_obstacle(needs, runner.id, &seeker.facts, &presence).err())
    }
}

/// What keeps a job from every runner of a pool, of which these are `all` or some.
fn pool_obstacle(closed: Option<Closed>, runners: &[RunnerExplanation], all: bool) -> Option<PoolObstacle> {
    let drains = |runner: &RunnerExplanation| runner.obstacle == Some(Obstacle::Draining);
    match closed {
        Some(Closed::Inactive) => Some(PoolObstacle::Inactive),
        _ if all && runners.is_empty() => Some(PoolObstacle::Empty),
        _ if all && runners.iter().all(drains) => Some(PoolObstacle::Draining),
        _ => None,
    }
}

/// Takes out what a tenant is not to know of the operator's pools: which there are, what runs in them
/// and how many others wait there.
fn hide_the_host(explanation: &mut Explanation) {
    let pools = std::mem::take(&mut explanation.pools);
    let unsuited = |obstacle: &Obstacle| {
        matches!(
            obstacle,
            Obstacle::Absent | Obstacle::Kind | Obstacle::Wanted { .. } | Obstacle::Refused { .. }
        )
    };
    let suited =
        pools.iter().flat_map(|pool| &pool.runners).any(|one| !one.obstacle.as_ref().is_some_and(unsuited));
    explanation.obstacle.get_or_insert(JobObstacle::Hosted { suited });
}

/// Every pool of a job, in the order in which it prefers them.
fn pools(job: &JobRecord) -> Vec<PoolId> {
    let further = job.terms.fallbacks.iter().map(|opening| opening.pool);
    std::iter::once(job.terms.pool).chain(further).collect()
}

/// When the pool that comes as the `at`th opens to a job, if it does not stand open.
fn opens_at(job: &JobRecord, at: usize) -> Option<Timestamp> {
    let opening = job.terms.fallbacks.get(at.checked_sub(1)?).filter(|_| at > job.fallen)?;
    match job.state {
        State::Ready { ready_at } | State::Scheduled { ready_at } | State::Blocked { ready_at, .. } => {
            Some(ready_at + opening.after)
        }
        _ => None,
    }
}
