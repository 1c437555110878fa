//! A job as it is stored: its terms, its state, and how its attempts ended.

mod terms;

pub(crate) use crate::values::event::StopReason;
pub(crate) use terms::{Opening, Terms};

use crate::{
    rules::{
        history::Recent,
        keys,
        log::AttemptLog,
        record::{LaneRecord, Record, SessionRef, Unknown, id_bytes},
    },
    values::{
        digest::Digest,
        id::{JobId, LaneId, PoolId, TenantId},
        job::JobSpec,
        key::{Index, Key, Kind},
        lease::FencingToken,
        opaque::Opaque,
        outcome::{Conclusion, Outcome},
        result::Fault,
        time::Timestamp,
    },
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A job as it is stored. Its payload is a record of its own, written once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JobRecord {
    #[serde(skip, default = "no_tenant")]
    pub(crate) tenant: TenantId,
    #[serde(skip, default = "no_job")]
    pub(crate) id: JobId,
    pub(crate) terms: Terms,
    pub(crate) submitted_at: Timestamp,
    pub(crate) state: State,
    /// The number of the newest grant; 0 before the first.
    #[serde(default)]
    pub(crate) grant: u64,
    /// Attempts that ended, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) attempts: Vec<EndedAttempt>,
    /// The result of the newest attempt that left one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) result: Option<ResultPlace>,
    /// The pool of the runner that holds it, if it is not the first that it prefers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) granted_in: Option<PoolId>,
    /// To how many further pools it has fallen back since it became ready.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) fallen: usize,
    /// What its attempts have logged, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) logs: Vec<AttemptLog>,
    /// Other jobs wait for this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) awaited: bool,
    /// Why it ended, if none of its attempts tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fault: Option<Fault>,
    /// The newest lines of its history.
    #[serde(default, skip_serializing_if = "Recent::is_empty")]
    pub(crate) history: Recent,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

const fn no_tenant() -> TenantId {
    TenantId::OPERATOR
}

const fn no_job() -> JobId {
    JobId::from_bytes([0; 16])
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// How a job is. There are no other states, here or on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Not yet due, a wait before another attempt included.
    Scheduled { ready_at: Timestamp },
    /// Waiting for other jobs.
    Blocked { on: u32, ready_at: Timestamp },
    /// Waiting for a runner.
    Ready { ready_at: Timestamp },
    /// Granted to a session that has not started it.
    Offered { to: SessionRef, start_by: Timestamp, ready_at: Timestamp },
    /// Being executed.
    Running { by: SessionRef, attempt: u32, started_at: Timestamp, deadline: Timestamp, stop: Option<Stop> },
    /// Ended.
    Concluded { conclusion: Conclusion, at: Timestamp },
}

impl State {
    /// The numbers of the states in listings. They never change.
    pub(crate) const SCHEDULED: u8 = 1;
    pub(crate) const BLOCKED: u8 = 2;
    pub(crate) const READY: u8 = 3;
    pub(crate) const OFFERED: u8 = 4;
    pub(crate) const RUNNING: u8 = 5;
    pub(crate) const CONCLUDED: u8 = 6;
}

/// Why and until when a running job is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stop {
    pub(crate) reason: StopReason,
    /// When it is given up if nothing is heard.
    pub(crate) until: Timestamp,
}

impl StopReason {
    /// Whether a job that is to stop for this reason may be told to stop for `other` instead: what
    /// ends the job goes before what only ends the attempt.
    pub(crate) const fn yields_to(self, other: Self) -> bool {
        matches!((self, other), (Self::Deadline | Self::Drained, Self::Requested | Self::RunDeadline))
    }

    /// How a job ends that is stopped for good for this reason.
    pub(crate) const fn conclusion(self) -> Conclusion {
        match self {
            Self::Requested | Self::Drained => Conclusion::Cancelled,
            Self::Deadline | Self::RunDeadline => Conclusion::TimedOut,
        }
    }
}

/// An attempt that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EndedAttempt {
    pub(crate) number: u32,
    pub(crate) grant: u64,
    pub(crate) by: SessionRef,
    pub(crate) outcome: Outcome,
    /// The digest of its result, so that a repeated finish is told from another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) result_digest: Option<Digest>,
    /// Why it was to stop, if it was: one that stopped for its deadline was not lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stop: Option<StopReason>,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Timestamp,
    /// Names of artifacts that could not be put.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) missing: Vec<String>,
}

/// Where a result is kept, by its size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ResultPlace {
    /// Here.
    Inline(Opaque),
    /// In a record of its own, under this grant.
    Record(u64),
    /// In the artifact store.
    Artifact(Digest),
}

impl ResultPlace {
    /// The largest result that is kept in the job's state: 1 KiB.
    pub(crate) const INLINE_BYTES_MAX: usize = 1 << 10;
}

impl JobRecord {
    /// A job as it is at its submit, with the lanes that it goes through.
    pub(crate) fn submitted(lanes: &[Vec<LaneRecord>], spec: &JobSpec, now: Timestamp) -> Self {
        let first = lanes.first().and_then(|lane| lane.first());
        let lane = first.expect("a job has a lane, and a lane a pool");
        let ready_at = spec.start_at.map_or(now, |at| at.max(now));
        let state = if !spec.after.is_empty() {
            let on = u32::try_from(spec.after.len()).expect("the number of jobs waited for is limited");
            State::Blocked { on, ready_at }
        } else if ready_at > now {
            State::Scheduled { ready_at }
        } else {
            State::Ready { ready_at }
        };
        let terms = Terms::of(lanes, spec, now);
        Self {
            tenant: lane.owner_of_jobs(),
            id: spec.job,
            fallen: terms.open_at_once(),
            terms,
            submitted_at: now,
            state,
            grant: 0,
            attempts: Vec::new(),
            result: None,
            granted_in: None,
            logs: Vec::new(),
            awaited: false,
            fault: None,
            history: Recent::default(),
            unknown: Unknown::new(),
        }
    }

    pub(crate) fn key_of(tenant: TenantId, job: JobId) -> Key {
        Key::new(tenant, Kind::Job, Bytes::copy_from_slice(job.as_bytes()))
    }

    /// The newest grant.
    pub(crate) const fn token(&self) -> FencingToken {
        FencingToken { job: self.id, grant: self.grant }
    }

    /// The pools that are open to it, in the order in which it prefers them.
    pub(crate) fn open_pools(&self) -> impl Iterator<Item = PoolId> + '_ {
        let further = self.terms.fallbacks.iter().take(self.fallen).map(|opening| opening.pool);
        std::iter::once(self.terms.pool).chain(further)
    }

    /// The session that the newest grant is held by, while it is live.
    pub(crate) const fn holder(&self) -> Option<SessionRef> {
        match self.state {
            State::Offered { to: session, .. } | State::Running { by: session, .. } => Some(session),
            _ => None,
        }
    }

    /// The pool of the runner that holds it, or else the one that it prefers.
    pub(crate) fn pool(&self) -> PoolId {
        self.granted_in.unwrap_or(self.terms.pool)
    }

    /// The owner of its pools, and of the runners that execute it.
    pub(crate) const fn host(&self) -> TenantId {
        if self.terms.hosted { TenantId::OPERATOR } else { self.tenant }
    }

    /// The lane that it is in now.
    pub(crate) fn lane(&self) -> LaneId {
        match self.fallen.checked_sub(1).and_then(|at| self.terms.fallbacks.get(at)) {
            Some(opening) => opening.lane,
            None => self.terms.lane,
        }
    }

    /// The counters that it counts in while it is granted, each with its limit.
    pub(crate) fn counters(&self) -> Vec<(Key, Option<i64>)> {
        let mut counters = Vec::new();
        for one in &self.terms.concurrency {
            counters.push((keys::granted(self.tenant, &one.key), Some(i64::from(one.max))));
        }
        counters.extend(self.share().map(|share| (share, None)));
        counters
    }

    /// How many counters it counts in while it is granted.
    pub(crate) fn counters_count(&self) -> usize {
        self.terms.concurrency.len() + usize::from(self.terms.hosted || self.terms.fairness.is_some())
    }

    /// The counter of whom it takes turns with in the pool of the runner that holds it.
    pub(crate) fn share(&self) -> Option<Key> {
        if self.terms.hosted {
            return Some(keys::tenant_share(self.tenant, self.pool()));
        }
        self.terms.fairness.as_ref().map(|key| keys::share(self.tenant, self.pool(), key))
    }

    /// How it ended, once it has.
    pub(crate) const fn conclusion(&self) -> Option<Conclusion> {
        match self.state {
            State::Concluded { conclusion, .. } => Some(conclusion),
            _ => None,
        }
    }

    /// The number that the next attempt to be confirmed has.
    pub(crate) fn next_attempt(&self) -> u32 {
        self.attempts.last().map_or(1, |attempt| attempt.number + 1)
    }

    /// Where it stands among ready jobs, while it is one.
    pub(crate) fn ready_key(&self) -> Option<Bytes> {
        match self.state {
            State::Ready { ready_at } => {
                Some(keys::ready(self.lane(), self.terms.priority, ready_at, self.tenant, self.id))
            }
            _ => None,
        }
    }

    /// The number of its state in listings, and the time by which it is listed: of its conclusion,
    /// or of its submit.
    pub(crate) const fn listed_as(&self) -> (u8, Timestamp) {
        match self.state {
            State::Scheduled { .. } => (State::SCHEDULED, self.submitted_at),
            State::Blocked { .. } => (State::BLOCKED, self.submitted_at),
            State::Ready { .. } => (State::READY, self.submitted_at),
            State::Offered { .. } => (State::OFFERED, self.submitted_at),
            State::Running { .. } => (State::RUNNING, self.submitted_at),
            State::Concluded { at, .. } => (State::CONCLUDED, at),
        }
    }

    /// When it next needs attention by itself.
    pub(crate) fn due_at(&self) -> Option<Timestamp> {
        let queue_until = self.terms.queue_until.filter(|_| self.attempts.is_empty());
        match &self.state {
            State::Scheduled { ready_at } => {
                Some(queue_until.map_or(*ready_at, |until| until.min(*ready_at)))
            }
            State::Blocked { .. } => queue_until,
            State::Ready { ready_at } => {
                let opens_at = self.terms.fallbacks.get(self.fallen).map(|next| *ready_at + next.after);
                queue_until.into_iter().chain(opens_at).min()
            }
            State::Offered { start_by, .. } => Some(*start_by),
            State::Running { deadline, stop, .. } => Some(stop.map_or(*deadline, |stop| stop.until)),
            State::Concluded { at, .. } => self.awaited.then_some(*at),
        }
    }
}

impl Record for JobRecord {
    const KIND: Kind = Kind::Job;

    fn key(&self) -> Key {
        Self::key_of(self.tenant, self.id)
    }

    fn with_key(mut self, key: &Key) -> Option<Self> {
        self.tenant = key.tenant;
        self.id = JobId::from_bytes(id_bytes(key)?);
        Some(self)
    }

    fn indexes(&self) -> Vec<(Index, Bytes)> {
        let key = self.key();
        let mut indexes = Vec::with_capacity(5);
        indexes.extend(self.ready_key().map(|ready| (Index::Ready, ready)));
        indexes.extend(self.due_at().map(|at| (Index::Due, keys::due(at, &key))));
        let owner = match self.holder() {
            Some(session) => Some(session.runner),
            None => self.awaits_sealing().then_some(keys::UPKEEP),
        };
        indexes.extend(owner.map(|owner| (Index::Owner, keys::owner(owner, &key))));
        let (state, at) = self.listed_as();
        indexes.push((Index::Listed, keys::listed(&key, state, at)));
        if let Some(run) = self.terms.run {
            let submitted = self.submitted_at.as_millis();
            let parent = keys::parent(self.tenant, &keys::jobs_of(run), submitted, self.id.as_bytes());
            indexes.push((Index::Parent, parent));
        }
        indexes
    }
}
