//! Why a job is where it is, and what would start it now.

use crate::values::{
    id::{JobId, PoolId, RunnerId},
    reply::StateView,
    time::{Timestamp, rfc3339},
};
use serde::{Deserialize, Serialize};

/// Why a job is where it is. It is what the scheduler itself goes by, at that moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports read it")]
pub struct Explanation {
    /// The job.
    pub job: JobId,
    /// How it is now.
    pub state: StateView,
    /// What keeps it from every runner, if something does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<JobObstacle>,
    /// The pools whose runners may take it, now or later, in the order in which it prefers them. None
    /// are told of a job that is hosted.
    pub pools: Vec<PoolExplanation>,
}

/// What keeps a job from every runner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JobObstacle {
    /// It has ended.
    Concluded,
    /// A runner has it already.
    Granted,
    /// It is pinned to a runner that was removed. It ends with that fault as soon as it is ready.
    RunnerRemoved {
        /// Which one.
        runner: RunnerId,
    },
    /// It is pinned to a runner that is registered in none of its pools, and was not removed either.
    RunnerNotInPools {
        /// Which one.
        runner: RunnerId,
    },
    /// Its tenant is suspended.
    Suspended,
    /// It is not due yet.
    NotDue {
        /// When it will be.
        #[serde(with = "rfc3339")]
        #[cfg_attr(feature = "schema", schemars(with = "crate::values::schema::Time"))]
        ready_at: Timestamp,
    },
    /// It waits for other jobs.
    Blocked {
        /// How many.
        on: u32,
    },
    /// It waits for a runner of the operator. Which ones there are is not told.
    Hosted {
        /// Whether one is there that may take it, when it is its turn.
        suited: bool,
    },
    /// As many jobs of a concurrency key are granted as may be.
    Concurrency {
        /// The key.
        key: String,
        /// How many may be.
        max: u32,
    },
}

/// How a job stands in one of its pools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports read it")]
pub struct PoolExplanation {
    /// The pool.
    pub pool: PoolId,
    /// When its runners may take the job, if they may not yet.
    #[serde(
        with = "crate::values::time::optional_rfc3339",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::values::schema::Time>"))]
    pub opens_at: Option<Timestamp>,
    /// What keeps the job from every runner of the pool, if something does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<PoolObstacle>,
    /// How many jobs go before it in the pool, if it could be granted there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// The runners of the pool, by their ids: at most [`PoolExplanation::RUNNERS_MAX`].
    pub runners: Vec<RunnerExplanation>,
    /// Whether there are more runners after these.
    pub more: bool,
}

/// What keeps a job from every runner of a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PoolObstacle {
    /// The pool is not active.
    Inactive,
    /// No runner is registered in it.
    Empty,
    /// Every runner of it drains or leaves.
    Draining,
}

impl PoolExplanation {
    /// How many runners of a pool are explained in one answer at most.
    pub const RUNNERS_MAX: u32 = 100;
}

/// How many jobs go before a job, if one runner after the other could take any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports read it")]
pub struct Position {
    /// How many.
    pub ahead: u32,
    /// Whether it is that many, and not at least that many.
    pub exact: bool,
}

/// How a job stands with one runner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::exhaustive_structs, reason = "clients of other transports read it")]
pub struct RunnerExplanation {
    /// The runner.
    pub runner: RunnerId,
    /// What it is called.
    pub name: String,
    /// The first thing that keeps the job from it. If there is none, the job is granted to it as
    /// soon as it is its turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<Obstacle>,
}

/// The first thing that keeps a job from a runner, in the order in which they are looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Obstacle {
    /// The job is pinned to another runner.
    Pinned {
        /// Which one.
        to: RunnerId,
    },
    /// Nothing was heard of the runner for a term.
    Absent,
    /// Another control plane serves the runner, and knows more.
    Elsewhere,
    /// The runner cannot execute the kind.
    Kind,
    /// It lacks a label that is wanted.
    Wanted {
        /// The label.
        label: String,
    },
    /// It has a label that is refused.
    Refused {
        /// The label.
        label: String,
    },
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
        #[serde(with = "rfc3339")]
        #[cfg_attr(feature = "schema", schemars(with = "crate::values::schema::Time"))]
        until: Timestamp,
    },
    /// It has no free slot, by its own limit, the operator's or the pool's.
    Full,
}

impl Explanation {
    /// Whether runners are there in each of its pools, and none of them can execute its kind. Waiting
    /// helps only if one comes that can.
    #[must_use]
    pub fn no_runner_can(&self) -> bool {
        let nobody = |pool: &PoolExplanation| {
            let absent = |obstacle: &&Obstacle| matches!(obstacle, Obstacle::Absent | Obstacle::Elsewhere);
            let mut there = pool
                .runners
                .iter()
                .filter(|runner| !runner.obstacle.as_ref().is_some_and(|one| absent(&one)));
            let first = there.next();
            let is_of_kind = |runner: &RunnerExplanation| runner.obstacle != Some(Obstacle::Kind);
            !pool.more && first.is_some_and(|first| !is_of_kind(first)) && !there.any(is_of_kind)
        };
        self.obstacle.is_none() && !self.pools.is_empty() && self.pools.iter().all(nobody)
    }

    /// What would start the job now, in one sentence.
    #[must_use]
    pub fn advice(&self) -> String {
        match &self.obstacle {
            Some(JobObstacle::Concluded) if self.has_passed() => "it has ended".into(),
            Some(JobObstacle::Concluded) => "it has ended: submit it again".into(),
            Some(JobObstacle::Granted) => "a runner has it".into(),
            Some(JobObstacle::RunnerRemoved { runner }) => {
                format!("nothing: {runner}, to which it is pinned, was removed: submit it without the pin")
            }
            Some(JobObstacle::RunnerNotInPools { runner }) => format!(
                "no pool of it has {runner}, to which it is pinned: start that runner, or submit it without the pin"
            ),
            Some(JobObstacle::Suspended) => "its tenant is suspended: the operator resumes it".into(),
            Some(JobObstacle::NotDue { ready_at }) => format!("it starts from {ready_at} on"),
            Some(JobObstacle::Blocked { on }) => format!("{on} jobs that it waits for must pass first"),
            Some(JobObstacle::Concurrency { key, max }) => {
                format!("one of the {max} jobs of {key:?} that are granted must end first")
            }
            Some(JobObstacle::Hosted { suited: true }) => {
                "it waits for its turn on the operator's runners".into()
            }
            Some(JobObstacle::Hosted { suited: false }) => {
                "the operator has no runner here that may take it: ask for one with its kind and labels"
                    .into()
            }
            None => self.advice_on_runners(),
        }
    }

    const fn has_passed(&self) -> bool {
        matches!(self.state, StateView::Concluded { conclusion, .. } if conclusion.is_passed())
    }

    fn advice_on_runners(&self) -> String {
        let open = || self.pools.iter().filter(|pool| pool.opens_at.is_none());
        let obstacles: Vec<Option<&Obstacle>> =
            open().flat_map(|pool| &pool.runners).map(|runner| runner.obstacle.as_ref()).collect();
        if obstacles.is_empty() || obstacles.contains(&Some(&Obstacle::Inactive)) {
            let inactive = open().any(|pool| pool.obstacle == Some(PoolObstacle::Inactive));
            let advice = if inactive {
                "its pool is not active: activate it"
            } else {
                "its pool has no runner: start one"
            };
            return advice.into();
        }
        if obstacles.contains(&None) {
            let ahead = open().filter_map(|pool| pool.position).map(|position| position.ahead).min();
            return format!("it is its turn after {} others", ahead.unwrap_or(0));
        }
        if obstacles.contains(&Some(&Obstacle::Full)) {
            return "a runner that may take it must end a job first, or be given more slots".into();
        }
        let held_back = obstacles.iter().find_map(|obstacle| match obstacle {
            Some(Obstacle::CrashLoop { until }) => Some(until),
            _ => None,
        });
        if let Some(until) = held_back {
            return format!(
                "a runner that may take it starts again and again: it is held back until {until}"
            );
        }
        if obstacles.contains(&Some(&Obstacle::Draining)) {
            return "a runner that may take it drains: resume it".into();
        }
        if obstacles.iter().any(|obstacle| matches!(obstacle, Some(Obstacle::Absent | Obstacle::Elsewhere))) {
            return "a runner that is not here may take it: start it".into();
        }
        "no runner of its pool may take it: start one with its kind and labels".into()
    }
}
