//! Why a job is where it is, as the scheduler itself sees it.

use super::WireState;
use crate::{
    management::caller::Caller,
    wire::{
        json::Json,
        path::{Path, Query},
        problem::Problem,
        text, time,
    },
};
use runners_core::{
    JobId, PoolId, RunnerId, Timestamp,
    protocol::{Explanation, JobObstacle, Obstacle, PoolExplanation, PoolObstacle, RunnerExplanation},
};
use serde::{Deserialize, Serialize};

/// From which runner on it is explained.
#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExplainQuery {
    /// Only runners with greater ids are told of: the last one of an answer that has more.
    #[param(value_type = Option<text::Runner>)]
    runners_after: Option<RunnerId>,
}

/// Why a job is where it is.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobExplanation {
    #[schema(value_type = text::Job)]
    job_id: JobId,
    state: WireState,
    /// What would start it now, in one sentence.
    advice: String,
    /// What keeps it from every runner, if something does.
    obstacle: Option<WireJobObstacle>,
    /// The pools whose runners may take it, now or later, in the order in which it prefers them.
    pools: Vec<ExplainedPool>,
}

/// What keeps a job from every runner.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
#[schema(as = JobObstacle)]
pub(crate) enum WireJobObstacle {
    /// It has ended.
    Concluded,
    /// A runner has it already.
    Granted,
    /// It is pinned to a runner that was removed. It ends with that fault as soon as it is ready.
    RunnerRemoved {
        #[serde(rename = "runnerId")]
        #[schema(value_type = text::Runner)]
        runner: RunnerId,
    },
    /// It is pinned to a runner that is registered in none of its pools, and was not removed either.
    RunnerNotInPools {
        #[serde(rename = "runnerId")]
        #[schema(value_type = text::Runner)]
        runner: RunnerId,
    },
    /// Its tenant is suspended.
    Suspended,
    /// It is not due yet.
    NotDue {
        /// When it will be.
        #[serde(rename = "readyAtUtc", with = "time")]
        #[schema(value_type = text::Time)]
        ready_at: Timestamp,
    },
    /// It waits for other jobs.
    Blocked {
        /// For how many.
        on: u32,
    },
    /// It waits for a runner of the operator. Which ones there are is not told.
    Hosted {
        /// Whether one is there that may take it, when it is its turn.
        #[serde(rename = "isSuited")]
        suited: bool,
    },
    /// As many jobs of a concurrency key are granted as may be.
    Concurrency {
        key: String,
        /// How many may be.
        max: u32,
    },
    /// Something that this release has no word for.
    Other,
}

/// How a job stands in one of its pools.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExplainedPool {
    #[schema(value_type = text::Pool)]
    pool_id: PoolId,
    /// When its runners may take the job, if they may not yet.
    #[serde(rename = "opensAtUtc", with = "time::optional")]
    #[schema(value_type = Option<text::Time>)]
    opens_at: Option<Timestamp>,
    /// What keeps the job from every runner of the pool, if something does.
    obstacle: Option<WirePoolObstacle>,
    /// How many jobs go before it, if it could be granted there.
    jobs_ahead: Option<u32>,
    /// Whether it is that many, and not at least that many.
    is_exact: Option<bool>,
    /// The runners of the pool, by their ids.
    #[schema(max_items = 100)]
    runners: Vec<ExplainedRunner>,
    /// Whether there are more runners after these.
    has_more: bool,
}

/// What keeps a job from every runner of a pool.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
#[schema(as = PoolObstacle)]
pub(crate) enum WirePoolObstacle {
    /// The pool is not active.
    Inactive,
    /// No runner is registered in it.
    Empty,
    /// Every runner of it drains or leaves.
    Draining,
    /// Something that this release has no word for.
    Other,
}

/// How a job stands with one runner.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExplainedRunner {
    #[schema(value_type = text::Runner)]
    runner_id: RunnerId,
    name: String,
    /// The first thing that keeps the job from it. If there is none, it is granted when it is its
    /// turn.
    obstacle: Option<WireObstacle>,
}

/// What keeps a job from a runner.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
#[schema(as = Obstacle)]
pub(crate) enum WireObstacle {
    /// The job is pinned to another runner.
    Pinned {
        #[serde(rename = "runnerId")]
        #[schema(value_type = text::Runner)]
        to: RunnerId,
    },
    /// Nothing was heard of the runner for a term.
    Absent,
    /// Another control plane serves the runner, and knows more.
    Elsewhere,
    /// The runner cannot execute the kind.
    Kind,
    /// It lacks a label that is wanted.
    Wanted { label: String },
    /// It has a label that is refused.
    Refused { label: String },
    /// The owner of its pool is suspended.
    Suspended,
    /// Its pool is not active.
    Inactive,
    /// It drains or leaves.
    Draining,
    /// It has not confirmed an offer in time, and has not spoken since.
    Suspect,
    /// It was started again and again, and is held back.
    CrashLoop {
        /// Until when.
        #[serde(rename = "untilUtc", with = "time")]
        #[schema(value_type = text::Time)]
        until: Timestamp,
    },
    /// It has no free slot, by its own limit, the operator's or the pool's.
    Full,
    /// Something that this release has no word for.
    Other,
}

/// Explains why a job is where it is.
///
/// It is what the scheduler goes by at that moment: what keeps the job from every runner, or the
/// first thing that keeps it from each.
#[utoipa::path(get, path = "/jobs/{id}/explain", tag = "Jobs",
    params(("id" = inline(text::Job), Path, description = "The job."), ExplainQuery),
    responses((status = 200, description = "Why it is where it is.", body = JobExplanation)))]
pub(crate) async fn explain_job(
    caller: Caller,
    Path(job): Path<JobId>,
    Query(query): Query<ExplainQuery>,
) -> Result<Json<JobExplanation>, Problem> {
    Ok(Json(caller.management.explain(job, query.runners_after).await?.into()))
}

impl From<Explanation> for JobExplanation {
    fn from(explanation: Explanation) -> Self {
        Self {
            advice: explanation.advice(),
            job_id: explanation.job,
            state: WireState::of(&explanation.state),
            obstacle: explanation.obstacle.map(WireJobObstacle::from),
            pools: explanation.pools.into_iter().map(ExplainedPool::from).collect(),
        }
    }
}

impl From<JobObstacle> for WireJobObstacle {
    fn from(obstacle: JobObstacle) -> Self {
        match obstacle {
            JobObstacle::Concluded => Self::Concluded,
            JobObstacle::Granted => Self::Granted,
            JobObstacle::RunnerRemoved { runner } => Self::RunnerRemoved { runner },
            JobObstacle::RunnerNotInPools { runner } => Self::RunnerNotInPools { runner },
            JobObstacle::Suspended => Self::Suspended,
            JobObstacle::NotDue { ready_at } => Self::NotDue { ready_at },
            JobObstacle::Blocked { on } => Self::Blocked { on },
            JobObstacle::Hosted { suited } => Self::Hosted { suited },
            JobObstacle::Concurrency { key, max } => Self::Concurrency { key, max },
            _ => Self::Other,
        }
    }
}

impl From<PoolExplanation> for ExplainedPool {
    fn from(pool: PoolExplanation) -> Self {
        Self {
            pool_id: pool.pool,
            opens_at: pool.opens_at,
            obstacle: pool.obstacle.map(WirePoolObstacle::from),
            jobs_ahead: pool.position.map(|position| position.ahead),
            is_exact: pool.position.map(|position| position.exact),
            runners: pool.runners.into_iter().map(ExplainedRunner::from).collect(),
            has_more: pool.more,
        }
    }
}

impl From<PoolObstacle> for WirePoolObstacle {
    fn from(obstacle: PoolObstacle) -> Self {
        match obstacle {
            PoolObstacle::Inactive => Self::Inactive,
            PoolObstacle::Empty => Self::Empty,
            PoolObstacle::Draining => Self::Draining,
            _ => Self::Other,
        }
    }
}

impl From<RunnerExplanation> for ExplainedRunner {
    fn from(runner: RunnerExplanation) -> Self {
        let RunnerExplanation { runner: runner_id, name, obstacle } = runner;
        Self { runner_id, name, obstacle: obstacle.map(WireObstacle::from) }
    }
}

impl From<Obstacle> for WireObstacle {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::Pinned { to } => Self::Pinned { to },
            Obstacle::Absent => Self::Absent,
            Obstacle::Elsewhere => Self::Elsewhere,
            Obstacle::Kind => Self::Kind,
            Obstacle::Wanted { label } => Self::Wanted { label },
            Obstacle::Refused { label } => Self::Refused { label },
            Obstacle::Suspended => Self::Suspended,
            Obstacle::Inactive => Self::Inactive,
            Obstacle::Draining => Self::Draining,
            Obstacle::Suspect => Self::Suspect,
            Obstacle::CrashLoop { until } => Self::CrashLoop { until },
            Obstacle::Full => Self::Full,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runners_core::{protocol::Reply, testing::samples};

    #[test]
    fn every_obstacle_has_a_name_of_its_own() {
        let explained = samples::replies().into_iter().filter_map(|(_, reply)| match reply {
            Reply::Explained(explanation) => Some(JobExplanation::from(*explanation)),
            _ => None,
        });
        let told: Vec<String> =
            explained.map(|told| serde_json::to_string(&told).expect("it is plain data")).collect();
        assert!(told.len() >= 5 && !told.iter().any(|told| told.contains("other")), "{told:#?}");
    }
}
