//! What is measured at the control plane.
//!
//! Attributes are named in each description.

use super::{COUNTS, Instrument, LONG_SPANS, Measure, Meter, SIZES, SPANS};

/// Counts syncs of runners as they arrive, by `pool`.
pub static SYNC_REQUESTS: Instrument = Instrument::new(
    Meter::ControlPlane,
    Measure::Counter,
    "self_hosted.runner.sync.requests",
    "{request}",
    "Counts syncs of runners as they arrive, by `pool`.",
);
/// Counts syncs that were not answered as they should be, by `pool` and `reason`: `refused` or `store`.
pub static SYNC_FAILURES: Instrument = Instrument::new(
    Meter::ControlPlane,
    Measure::Counter,
    "self_hosted.runner.sync.failures",
    "{request}",
    "Counts syncs that were not answered as they should be, by `pool` and `reason`: `refused` or `store`.",
);
/// Measures how long a sync took until it was answered or held back for want of anything to say, by `pool`.
pub static SYNC_DURATION: Instrument = Instrument::new(
    Meter::ControlPlane,
    Measure::Histogram(SPANS),
    "self_hosted.runner.sync.duration",
    "s",
    "Measures how long a sync took until it was answered or held back for want of anything to say, by `pool`.",
);
/// Counts attempts to connect a live view through the relay.
pub static RELAY_CONNECTIONS: Instrument = Instrument::new(
    Meter::ControlPlane,
    Measure::Counter,
    "self_hosted.relay.connections",
    "{connection}",
    "Counts attempts to connect a live view through the relay.",
);
/// Counts attempts to connect a live view to which one side did not come in time.
pub static RELAY_TIMEOUTS: Instrument = Instrument::new(
    Meter::ControlPlane,
    Measure::Counter,
    "self_hosted.relay.connections.timeouts",
    "{connection}",
    "Counts attempts to connect a live view to which one side did not come in time.",
);
/// Counts leases that ran out because nothing was heard of their runner for a whole term, by `pool`.
pub static LEASES_EXPIRED: Instrument = Instrument::new(
    Meter::ControlPlane,
    Measure::Counter,
    "self_hosted.cleanup.leases.expired",
    "{lease}",
    "Counts leases that ran out because nothing was heard of their runner for a whole term, by `pool`.",
);
/// Counts attempts that were given up as lost, whatever the reason, by `pool`.
pub static LEASES_LOST: Instrument = Instrument::new(
    Meter::ControlPlane,
    Measure::Counter,
    "self_hosted.leases.lost",
    "{lease}",
    "Counts attempts that were given up as lost, whatever the reason, by `pool`.",
);
/// Counts registrations that were refused, by `pool` and `pool_age`: `new` for a pool made within a day, else `established`; both are `unknown` when the token is.
pub static REGISTRATION_FAILURES: Instrument = Instrument::new(
    Meter::ControlPlane,
    Measure::Counter,
    "self_hosted.registration.failures",
    "{request}",
    "Counts registrations that were refused, by `pool` and `pool_age`: `new` for a pool made within a day, else `established`; both are `unknown` when the token is.",
);
/// Counts jobs that were accepted, by `pool`.
pub static JOBS_SUBMITTED: Instrument = Instrument::new(
    Meter::ControlPlane,
    Measure::Counter,
    "self_hosted.jobs.submitted",
    "{job}",
    "Counts jobs that were accepted, by `pool`.",
);
/// Counts jobs that ended, by `pool` and `conclusion`.
pub static JOBS_CONCLUDED: Instrument = Instrument::new(
    Meter::ControlPlane,
    Measure::Counter,
    "self_hosted.jobs.concluded",
    "{job}",
    "Counts jobs that ended, by `pool` and `conclusion`.",
);
/// Measures how long a job was ready until it was granted to a runner, by `pool`.
pub static GRANT_LATENCY: Instrument = Instrument::new(
    Meter::ControlPlane,
    Measure::Histogram(LONG_SPANS),
    "self_hosted.grant.latency",
    "s",
    "Measures how long a job was ready until it was granted to a runner, by `pool`.",
);
/// Measures the time from the wish to stop a running job until its runner has told that it ended, by `pool`.
pub static CANCEL_LATENCY: Instrument = Instrument::new(
    Meter::ControlPlane,
    Measure::Histogram(LONG_SPANS),
    "self_hosted.cancel.latency",
    "s",
    "Measures the time from the wish to stop a running job until its runner has told that it ended, by `pool`.",
);
/// Tells how many ready jobs are known to wait, by `pool`: all of them up to about a thousand, and at least as many beyond.
pub static QUEUE_DEPTH: Instrument = Instrument::new(
    Meter::ControlPlane,
    Measure::Gauge,
    "self_hosted.queue.depth",
    "{job}",
    "Tells how many ready jobs are known to wait, by `pool`: all of them up to about a thousand, and at least as many beyond.",
);
/// Tells how long the oldest ready job that is known has waited, by `pool`.
pub static QUEUE_AGE: Instrument = Instrument::new(
    Meter::ControlPlane,
    Measure::Gauge,
    "self_hosted.queue.age",
    "s",
    "Tells how long the oldest ready job that is known has waited, by `pool`.",
);
/// Tells how many runners were heard of lately, by `pool`.
pub static RUNNERS_ONLINE: Instrument = Instrument::new(
    Meter::ControlPlane,
    Measure::Gauge,
    "self_hosted.runners.online",
    "{runner}",
    "Tells how many runners were heard of lately, by `pool`.",
);
/// Tells of how many runners this control plane keeps something in memory, by `pool`: those that are online, and those that were until a while ago.
pub static SESSIONS_KEPT: Instrument = Instrument::new(
    Meter::ControlPlane,
    Measure::Gauge,
    "self_hosted.sessions.kept",
    "{session}",
    "Tells of how many runners this control plane keeps something in memory, by `pool`: those that are online, and those that were until a while ago.",
);
/// Tells how many more jobs the runners that are online would take, by `pool`.
pub static SLOTS_FREE: Instrument = Instrument::new(
    Meter::ControlPlane,
    Measure::Gauge,
    "self_hosted.slots.free",
    "{slot}",
    "Tells how many more jobs the runners that are online would take, by `pool`.",
);
/// Tells how many jobs are granted to runners, by `pool`.
pub static SLOTS_BUSY: Instrument = Instrument::new(
    Meter::ControlPlane,
    Measure::Gauge,
    "self_hosted.slots.busy",
    "{slot}",
    "Tells how many jobs are granted to runners, by `pool`.",
);
/// Tells for how long a ready job and a waiting runner that may take it have stood side by side, by `pool`: 0 when all is well.
pub static ELIGIBLE_AND_FREE: Instrument = Instrument::new(
    Meter::ControlPlane,
    Measure::Gauge,
    "self_hosted.eligible_and_free.age",
    "s",
    "Tells for how long a ready job and a waiting runner that may take it have stood side by side, by `pool`: 0 when all is well.",
);
/// Measures how long the store took to commit a batch.
pub static COMMIT_DURATION: Instrument = Instrument::new(
    Meter::ControlPlane,
    Measure::Histogram(SPANS),
    "self_hosted.store.commit.duration",
    "s",
    "Measures how long the store took to commit a batch.",
);
/// Measures how many writes a batch had.
pub static COMMIT_WRITES: Instrument = Instrument::new(
    Meter::ControlPlane,
    Measure::Histogram(COUNTS),
    "self_hosted.store.commit.writes",
    "{write}",
    "Measures how many writes a batch had.",
);
/// Measures how many bytes the bodies of a batch had.
pub static COMMIT_SIZE: Instrument = Instrument::new(
    Meter::ControlPlane,
    Measure::Histogram(SIZES),
    "self_hosted.store.commit.size",
    "By",
    "Measures how many bytes the bodies of a batch had.",
);
/// Counts batches that were refused because somebody else was faster, or a limit was met.
pub static STORE_CONFLICTS: Instrument = Instrument::new(
    Meter::ControlPlane,
    Measure::Counter,
    "self_hosted.store.conflicts",
    "{commit}",
    "Counts batches that were refused because somebody else was faster, or a limit was met.",
);
/// Counts calls of the store that failed, by `reason`: `broken`, `full`, `unavailable` or `unknown`.
pub static STORE_FAILURES: Instrument = Instrument::new(
    Meter::ControlPlane,
    Measure::Counter,
    "self_hosted.store.failures",
    "{call}",
    "Counts calls of the store that failed, by `reason`: `broken`, `full`, `unavailable` or `unknown`.",
);

/// All of them.
pub static ALL: &[&Instrument] = &[
    &SYNC_REQUESTS,
    &SYNC_FAILURES,
    &SYNC_DURATION,
    &RELAY_CONNECTIONS,
    &RELAY_TIMEOUTS,
    &LEASES_EXPIRED,
    &LEASES_LOST,
    &REGISTRATION_FAILURES,
    &JOBS_SUBMITTED,
    &JOBS_CONCLUDED,
    &GRANT_LATENCY,
    &CANCEL_LATENCY,
    &QUEUE_DEPTH,
    &QUEUE_AGE,
    &RUNNERS_ONLINE,
    &SESSIONS_KEPT,
    &SLOTS_FREE,
    &SLOTS_BUSY,
    &ELIGIBLE_AND_FREE,
    &COMMIT_DURATION,
    &COMMIT_WRITES,
    &COMMIT_SIZE,
    &STORE_CONFLICTS,
    &STORE_FAILURES,
];
