//! The terms of a job: what the rules need of its specification, for as long as it lives.

use crate::{
    rules::record::LaneRecord,
    values::{
        id::{JobId, LaneId, PoolId, RunId, RunnerId},
        job::JobSpec,
        preference::{Concurrency, Fallback},
        retry::RetryPolicy,
        time::{Timestamp, millis},
        trace::TraceParent,
    },
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What the rules need of a job's specification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terms {
    pub(crate) kind: String,
    pub(crate) pool: PoolId,
    pub(crate) pool_name: String,
    /// Its pools belong to the operator, who is not its owner.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) hosted: bool,
    pub(crate) lane: LaneId,
    /// Where it goes while it waits, in that order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) fallbacks: Vec<Opening>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fairness: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) concurrency: Vec<Concurrency>,
    pub(crate) priority: u8,
    #[serde(rename = "timeout_ms", with = "millis")]
    pub(crate) timeout: Duration,
    #[serde(rename = "grace_ms", with = "millis")]
    pub(crate) grace: Duration,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) retry: RetryPolicy,
    /// Until when it may wait for its first start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) queue_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<RunId>,
    /// The job that this one is another try of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retry_of: Option<JobId>,
    /// The trace it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trace: Option<TraceParent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unique: Option<String>,
    /// What it is called, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
    /// The only runner that may take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) runner: Option<RunnerId>,
}

/// A further pool that opens to a job once it has been ready for some time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Opening {
    pub(crate) pool: PoolId,
    /// The lane that it is in from then on.
    pub(crate) lane: LaneId,
    #[serde(rename = "after_ms", with = "millis")]
    pub(crate) after: Duration,
}

/// Left out of records: most jobs have the policy that is there unless said otherwise.
fn is_default(retry: &RetryPolicy) -> bool {
    *retry == RetryPolicy::default()
}

impl Terms {
    /// To how many further pools the job is open as soon as it is ready.
    pub(crate) fn open_at_once(&self) -> usize {
        self.fallbacks.iter().take_while(|opening| opening.after.is_zero()).count()
    }

    /// The terms of a job that is submitted now, with the lanes that it goes through.
    pub(super) fn of(lanes: &[Vec<LaneRecord>], spec: &JobSpec, now: Timestamp) -> Self {
        let first = lanes.first().and_then(|lane| lane.first());
        let lane = first.expect("a job has a lane, and a lane a pool");
        Self {
            kind: spec.kind.clone(),
            pool: lane.pool,
            pool_name: spec.pool.clone(),
            hosted: lane.of.is_some(),
            lane: lane.id,
            fallbacks: openings(lanes, spec),
            fairness: spec.fairness.as_ref().map(|fairness| fairness.key.clone()),
            concurrency: spec.concurrency.clone(),
            priority: spec.priority,
            timeout: spec.timeout,
            grace: spec.grace,
            retry: spec.retry,
            queue_until: spec.queue_ttl.map(|ttl| now + ttl),
            run: spec.run,
            retry_of: spec.retry_of,
            trace: spec.trace,
            unique: spec.unique.clone(),
            title: spec.title.clone(),
            runner: spec.runner,
        }
    }
}

/// The further pools of a job, and the lane that it is in once each is open to it.
fn openings(lanes: &[Vec<LaneRecord>], spec: &JobSpec) -> Vec<Opening> {
    let opening = |(fallback, rank): (&Fallback, usize)| {
        let lane = lanes.iter().find(|lane| lane.len() > rank)?;
        Some(Opening { pool: lane[rank].pool, lane: lane[0].id, after: fallback.after })
    };
    spec.fallbacks.iter().zip(1..).filter_map(opening).collect()
}
