//! What is measured at an orchestrator.
//!
//! Attributes are named in each description. A region is called by its name if it was added under one;
//! one that is found by its name is called `other` until a check has reached a verdict there, so that
//! names which nobody has are none. Requests in local mode have the region `local mode`.

use super::{Instrument, LONG_SPANS, Measure, Meter};

/// Counts runs that were accepted.
pub static RUNS_SUBMITTED: Instrument = Instrument::new(
    Meter::Orchestrator,
    Measure::Counter,
    "self_hosted.orchestrator.runs.submitted",
    "{run}",
    "Counts runs that were accepted.",
);
/// Counts runs that ended, by `conclusion`.
pub static RUNS_ENDED: Instrument = Instrument::new(
    Meter::Orchestrator,
    Measure::Counter,
    "self_hosted.orchestrator.runs.ended",
    "{run}",
    "Counts runs that ended, by `conclusion`.",
);
/// Measures how long runs took from their submit to their end, by `conclusion`.
pub static RUN_DURATION: Instrument = Instrument::new(
    Meter::Orchestrator,
    Measure::Histogram(LONG_SPANS),
    "self_hosted.orchestrator.run.duration",
    "s",
    "Measures how long runs took from their submit to their end, by `conclusion`.",
);
/// Tells how many runs are under way.
pub static RUNS_ACTIVE: Instrument = Instrument::new(
    Meter::Orchestrator,
    Measure::Gauge,
    "self_hosted.orchestrator.runs.active",
    "{run}",
    "Tells how many runs are under way.",
);
/// Counts calls of regions that ended, repeats too, by `region` and `end`: `answered`, `put_off`, `refused`, `broken`, `unreachable`, `timed_out` or `cancelled`.
pub static CALLS_ENDED: Instrument = Instrument::new(
    Meter::Orchestrator,
    Measure::Counter,
    "self_hosted.orchestrator.calls.ended",
    "{call}",
    "Counts calls of regions that ended, repeats too, by `region` and `end`: `answered`, `put_off`, `refused`, `broken`, `unreachable`, `timed_out` or `cancelled`.",
);
/// Measures how long calls took that a region answered, by `region`.
pub static CALL_DURATION: Instrument = Instrument::new(
    Meter::Orchestrator,
    Measure::Histogram(LONG_SPANS),
    "self_hosted.orchestrator.call.duration",
    "s",
    "Measures how long calls took that a region answered, by `region`.",
);
/// Tells how many calls are under way, over all regions.
pub static CALLS_ACTIVE: Instrument = Instrument::new(
    Meter::Orchestrator,
    Measure::Gauge,
    "self_hosted.orchestrator.calls.active",
    "{call}",
    "Tells how many calls are under way, over all regions.",
);
/// Counts what checks came to, by `region` and `found`: `pass`, `fail` or `error`. Each try at a job counts.
pub static CHECKS_FOUND: Instrument = Instrument::new(
    Meter::Orchestrator,
    Measure::Counter,
    "self_hosted.orchestrator.checks.found",
    "{check}",
    "Counts what checks came to, by `region` and `found`: `pass`, `fail` or `error`. Each try at a job counts.",
);
/// Tells whether a region is left alone because it failed again and again, by `region`: 1 if it is, else 0.
pub static REGION_LEFT_ALONE: Instrument = Instrument::new(
    Meter::Orchestrator,
    Measure::Gauge,
    "self_hosted.orchestrator.region.left_alone",
    "{region}",
    "Tells whether a region is left alone because it failed again and again, by `region`: 1 if it is, else 0.",
);

/// All of them.
pub static ALL: &[&Instrument] = &[
    &RUNS_SUBMITTED,
    &RUNS_ENDED,
    &RUN_DURATION,
    &RUNS_ACTIVE,
    &CALLS_ENDED,
    &CALL_DURATION,
    &CALLS_ACTIVE,
    &CHECKS_FOUND,
    &REGION_LEFT_ALONE,
];
