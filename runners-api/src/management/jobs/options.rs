//! How a job is scheduled, on the wire: what it shares with others, and what was asked for when it was
//! submitted.

use crate::wire::{text, time};
use runners_core::traces::TraceParent;
use runners_core::{Concurrency, DisconnectPolicy, Fairness, Fallback, JobId, JobSpec, RunnerId, Timestamp};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, time::Duration};

/// A further pool whose runners may take a job that has waited.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Fallback)]
pub(crate) struct WireFallback {
    /// The name of the pool. Those before it may still take the job too.
    #[schema(value_type = text::Name)]
    pool: String,
    /// How long the job must have been ready. Not shorter than that of the pool before this one.
    #[schema(maximum = 604_800_000)]
    wait_ms: u64,
}

/// The key by which a job shares runners fairly with jobs of other keys and of the same priority.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Fairness)]
pub(crate) struct WireFairness {
    /// Such as the customer whom the job is for.
    #[schema(value_type = text::Name)]
    key: String,
    /// How large its share of the slots is, as a multiple of that of a key of weight 1: 1 unless said otherwise.
    /// Where there are too few slots to share so, keys take turns.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 100)]
    weight: u32,
}

const fn one() -> u32 {
    1
}

/// How many jobs that name the same key are granted at once, in all pools together.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Concurrency)]
pub(crate) struct WireConcurrency {
    /// Such as the site that is tested.
    #[schema(value_type = text::Name)]
    key: String,
    /// The job is granted only while fewer than this many are.
    #[schema(minimum = 1)]
    limit: u32,
}

/// What an attempt does that has lost its server for so long that another runner may be granted the job.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OnDisconnect {
    /// It goes on for this long at most, and may run beside another attempt: for work that may be done twice.
    go_on_for_ms: u64,
}

/// What was asked for when a job was submitted, beside what the job says itself.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = JobOptions)]
pub(crate) struct WireOptions {
    /// The environment whose route told where it goes.
    environment: Option<String>,
    /// Further pools whose runners may take it once it has waited, in that order.
    fallbacks: Vec<WireFallback>,
    /// Labels that a runner must have.
    wanted: BTreeSet<String>,
    /// Labels that a runner must not have.
    refused: BTreeSet<String>,
    /// The one runner that may take it.
    #[schema(value_type = Option<text::Runner>)]
    runner_id: Option<RunnerId>,
    fairness: Option<WireFairness>,
    concurrency: Vec<WireConcurrency>,
    /// What no other job of the tenant can have until it has ended.
    unique: Option<String>,
    /// How long one attempt may take.
    timeout_ms: u64,
    /// How long an attempt may still take after it was told to stop.
    grace_ms: u64,
    /// How many attempts it may have whose trouble prevented a verdict.
    attempts_max: u32,
    /// How many attempts may be lost with their runner.
    losses_max: u32,
    /// Whether a failed verdict is tried again too.
    retry_failed: bool,
    /// The wait before the second attempt, which doubles with each one after.
    backoff_ms: u64,
    /// The longest wait before another attempt.
    backoff_max_ms: u64,
    /// How long it may wait for its first start before it expires, counted from its submit: a wait for
    /// `startAtUtc`, which must not be longer, or for other jobs is part of it.
    queue_ttl_ms: Option<u64>,
    /// Not before this time.
    #[serde(rename = "startAtUtc", with = "time::optional")]
    #[schema(value_type = Option<text::Time>)]
    start_at: Option<Timestamp>,
    /// What it does when its lease is no longer trusted. It stops unless this is there.
    on_disconnect: Option<OnDisconnect>,
    /// Jobs of the same run that must have passed before.
    #[schema(value_type = Vec<text::Job>)]
    after: Vec<JobId>,
    /// The names of secrets that its runner gives to it.
    secrets: BTreeSet<String>,
    /// If it is signed: the pools and environments whose runners may accept the signature.
    audience: BTreeSet<String>,
    /// If it is signed: until when the signature is good.
    #[serde(rename = "notAfterUtc", with = "time::optional")]
    #[schema(value_type = Option<text::Time>)]
    not_after: Option<Timestamp>,
    /// What is kept beside what is kept anyway.
    capture: BTreeSet<String>,
    /// The trace that it belongs to.
    #[schema(value_type = Option<text::Trace>)]
    traceparent: Option<TraceParent>,
}

/// Makes a type that asks for a job, of members of its own and of all that any job can be asked for. They are
/// written out in each: members that are flattened lose the place at which they are wrong.
macro_rules! scheduled {
    ($(#[$about:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$about])*
        #[derive(Debug, serde::Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub(crate) struct $name {
            $($own)*
            /// What it is called where jobs are listed, on one line.
            #[schema(min_length = 1, max_length = 200)]
            title: Option<String>,
            /// The name of the pool whose runners may take it: `default` unless said otherwise.
            #[schema(value_type = Option<crate::wire::text::Name>)]
            pool: Option<String>,
            /// The name of the environment whose route tells where it goes. The pool is then not looked at.
            #[schema(min_length = 1, max_length = 100)]
            environment: Option<String>,
            /// Further pools whose runners may take it once it has waited, in that order.
            #[serde(default)]
            #[schema(max_items = 8)]
            fallbacks: Vec<$crate::management::jobs::options::WireFallback>,
            /// The key by which it shares runners fairly with jobs of other keys and of the same priority.
            fairness: Option<$crate::management::jobs::options::WireFairness>,
            /// Limits on how many jobs with the same key are granted at once; each key stands once.
            #[serde(default)]
            #[schema(max_items = 8)]
            concurrency: Vec<$crate::management::jobs::options::WireConcurrency>,
            /// What no other job of the tenant can have until it has ended: the same job is answered as a repeat, and
            /// another one is refused.
            #[schema(value_type = Option<crate::wire::text::Name>)]
            unique: Option<String>,
            /// Higher goes first: 100 unless said otherwise.
            #[schema(maximum = 255)]
            priority: Option<u8>,
            /// Labels that a runner must have.
            #[serde(default)]
            wanted: std::collections::BTreeSet<String>,
            /// Labels that a runner must not have.
            #[serde(default)]
            refused: std::collections::BTreeSet<String>,
            /// The one runner that may take it. One that was removed is refused; one that nobody has heard of is waited
            /// for, since it may yet come.
            #[schema(value_type = Option<crate::wire::text::Runner>)]
            runner_id: Option<runners_core::RunnerId>,
            /// How long one attempt may take: five minutes unless said otherwise.
            #[schema(minimum = 1, maximum = 604_800_000)]
            timeout_ms: Option<u64>,
            /// How long an attempt may still take after it was told to stop: ten seconds unless said otherwise.
            #[schema(maximum = 600_000)]
            grace_ms: Option<u64>,
            /// How many attempts it may have whose trouble prevented a verdict: three unless said otherwise.
            #[schema(minimum = 1, maximum = 100)]
            attempts_max: Option<u32>,
            /// How many attempts may be lost with their runner beside those: three unless said otherwise.
            #[schema(maximum = 100)]
            losses_max: Option<u32>,
            /// Whether a failed verdict is tried again too.
            #[serde(default)]
            retry_failed: bool,
            /// The wait before the second attempt, which doubles with each one after: a second unless said otherwise.
            #[schema(maximum = 604_800_000)]
            backoff_ms: Option<u64>,
            /// The longest wait before another attempt: five minutes unless said otherwise.
            #[schema(maximum = 604_800_000)]
            backoff_max_ms: Option<u64>,
            /// How long it may wait for its first start before it expires, counted from its submit: a wait for
            /// `startAtUtc`, which must not be longer, or for other jobs is part of it. For ever unless given.
            queue_ttl_ms: Option<u64>,
            /// Not before this time.
            #[serde(default, rename = "startAtUtc", with = "crate::wire::time::optional")]
            #[schema(value_type = Option<crate::wire::text::Time>)]
            start_at: Option<runners_core::Timestamp>,
            /// What an attempt does when its lease is no longer trusted: it stops unless said otherwise.
            on_disconnect: Option<$crate::management::jobs::options::OnDisconnect>,
            /// Jobs of the same run that must have passed before.
            #[serde(default)]
            #[schema(value_type = Vec<crate::wire::text::Job>, max_items = 64)]
            after: Vec<runners_core::JobId>,
            /// What is to be kept beside what is kept anyway. Runners with a browser know `frames` (what the screen showed),
            /// `bodies` (of requests and responses) and `video`.
            #[serde(default)]
            #[schema(max_items = 8)]
            capture: std::collections::BTreeSet<String>,
            /// The names of secrets that its runner gives to it.
            #[serde(default)]
            #[schema(max_items = 16)]
            secrets: std::collections::BTreeSet<String>,
            /// The trace that it belongs to.
            #[schema(value_type = Option<crate::wire::text::Trace>)]
            traceparent: Option<runners_core::traces::TraceParent>,
        }

        impl $name {
            /// How the job is scheduled, which is taken out of what was asked for.
            fn options(&mut self, run: Option<runners_core::RunId>) -> runners_core::JobOptions {
                use std::mem::take;
                let usual = runners_core::JobOptions::default();
                let mut retry = usual.retry;
                retry.attempts_max = self.attempts_max.unwrap_or(retry.attempts_max);
                retry.losses_max = self.losses_max.unwrap_or(retry.losses_max);
                retry.failed = self.retry_failed;
                retry.backoff = self.backoff_ms.map_or(retry.backoff, std::time::Duration::from_millis);
                retry.backoff_max = self.backoff_max_ms.map_or(retry.backoff_max, std::time::Duration::from_millis);
                runners_core::JobOptions {
                    pool: self.pool.take().unwrap_or(usual.pool),
                    fallbacks: take(&mut self.fallbacks).into_iter().map(runners_core::Fallback::from).collect(),
                    fairness: self.fairness.take().map(runners_core::Fairness::from),
                    concurrency: take(&mut self.concurrency).into_iter().map(runners_core::Concurrency::from).collect(),
                    environment: self.environment.take(),
                    priority: self.priority.unwrap_or(usual.priority),
                    wanted: take(&mut self.wanted),
                    refused: take(&mut self.refused),
                    runner: self.runner_id,
                    timeout: self.timeout_ms.map_or(usual.timeout, std::time::Duration::from_millis),
                    grace: self.grace_ms.map_or(usual.grace, std::time::Duration::from_millis),
                    retry,
                    start_at: self.start_at,
                    queue_ttl: self.queue_ttl_ms.map(std::time::Duration::from_millis),
                    on_disconnect: self.on_disconnect.map_or(usual.on_disconnect, runners_core::DisconnectPolicy::from),
                    after: take(&mut self.after),
                    run,
                    trace: self.traceparent,
                    secrets: take(&mut self.secrets),
                    unique: self.unique.take(),
                    title: self.title.take(),
                    capture: take(&mut self.capture),
                    // What is not signed is for nobody in particular.
                    audience: usual.audience,
                    not_after: None,
                }
            }
        }
    };
}

pub(in crate::management) use scheduled;

impl From<JobSpec> for WireOptions {
    fn from(spec: JobSpec) -> Self {
        Self {
            environment: spec.environment,
            fallbacks: spec.fallbacks.into_iter().map(WireFallback::from).collect(),
            wanted: spec.wanted,
            refused: spec.refused,
            runner_id: spec.runner,
            fairness: spec.fairness.map(WireFairness::from),
            concurrency: spec.concurrency.into_iter().map(WireConcurrency::from).collect(),
            unique: spec.unique,
            timeout_ms: in_millis(spec.timeout),
            grace_ms: in_millis(spec.grace),
            attempts_max: spec.retry.attempts_max,
            losses_max: spec.retry.losses_max,
            retry_failed: spec.retry.failed,
            backoff_ms: in_millis(spec.retry.backoff),
            backoff_max_ms: in_millis(spec.retry.backoff_max),
            queue_ttl_ms: spec.queue_ttl.map(in_millis),
            start_at: spec.start_at,
            on_disconnect: OnDisconnect::of(spec.on_disconnect),
            after: spec.after,
            secrets: spec.secrets,
            audience: spec.audience,
            not_after: spec.not_after,
            capture: spec.capture,
            traceparent: spec.trace,
        }
    }
}

impl OnDisconnect {
    fn of(policy: DisconnectPolicy) -> Option<Self> {
        match policy {
            DisconnectPolicy::GoOn { for_ } => Some(Self { go_on_for_ms: in_millis(for_) }),
            _ => None,
        }
    }
}

impl From<OnDisconnect> for DisconnectPolicy {
    fn from(OnDisconnect { go_on_for_ms }: OnDisconnect) -> Self {
        Self::GoOn { for_: Duration::from_millis(go_on_for_ms) }
    }
}

impl From<Fallback> for WireFallback {
    fn from(Fallback { pool, after }: Fallback) -> Self {
        Self { pool, wait_ms: in_millis(after) }
    }
}

impl From<WireFallback> for Fallback {
    fn from(WireFallback { pool, wait_ms }: WireFallback) -> Self {
        Self { pool, after: Duration::from_millis(wait_ms) }
    }
}

impl From<Fairness> for WireFairness {
    fn from(Fairness { key, weight }: Fairness) -> Self {
        Self { key, weight }
    }
}

impl From<WireFairness> for Fairness {
    fn from(WireFairness { key, weight }: WireFairness) -> Self {
        Self { key, weight }
    }
}

impl From<Concurrency> for WireConcurrency {
    fn from(Concurrency { key, max }: Concurrency) -> Self {
        Self { key, limit: max }
    }
}

impl From<WireConcurrency> for Concurrency {
    fn from(WireConcurrency { key, limit }: WireConcurrency) -> Self {
        Self { key, max: limit }
    }
}

fn in_millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
