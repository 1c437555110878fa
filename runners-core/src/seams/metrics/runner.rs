//! What is measured at a runner.
//!
//! Attributes are named in each description.

use super::{Instrument, LONG_SPANS, Measure, Meter, SPANS};

/// Counts registrations that did not succeed. Whoever registers the runner records it.
pub static REGISTRATION_FAILURES: Instrument = Instrument::new(
    Meter::Runner,
    Measure::Counter,
    "self_hosted.runner.registration.failures",
    "{request}",
    "Counts registrations that did not succeed. Whoever registers the runner records it.",
);
/// Counts syncs that were refused or not answered, by `reason`: `refused`, `timeout` or `transport`.
pub static SYNC_FAILURES: Instrument = Instrument::new(
    Meter::Runner,
    Measure::Counter,
    "self_hosted.runner.sync.failures",
    "{request}",
    "Counts syncs that were refused or not answered, by `reason`: `refused`, `timeout` or `transport`.",
);
/// Measures how long syncs took, the time included for which they were held back for want of anything to say.
pub static SYNC_DURATION: Instrument = Instrument::new(
    Meter::Runner,
    Measure::Histogram(SPANS),
    "self_hosted.runner.sync.duration",
    "s",
    "Measures how long syncs took, the time included for which they were held back for want of anything to say.",
);
/// Counts connections to the relay that failed.
pub static RELAY_FAILURES: Instrument = Instrument::new(
    Meter::Runner,
    Measure::Counter,
    "self_hosted.runner.relay.failures",
    "{connection}",
    "Counts connections to the relay that failed.",
);
/// Measures how long attempts took, by `outcome`.
pub static ATTEMPT_DURATION: Instrument = Instrument::new(
    Meter::Runner,
    Measure::Histogram(LONG_SPANS),
    "self_hosted.runner.attempt.duration",
    "s",
    "Measures how long attempts took, by `outcome`.",
);
/// Tells how many attempts are under way.
pub static SLOTS_BUSY: Instrument = Instrument::new(
    Meter::Runner,
    Measure::Gauge,
    "self_hosted.runner.slots.busy",
    "{slot}",
    "Tells how many attempts are under way.",
);

/// All of them.
pub static ALL: &[&Instrument] = &[
    &REGISTRATION_FAILURES,
    &SYNC_FAILURES,
    &SYNC_DURATION,
    &RELAY_FAILURES,
    &ATTEMPT_DURATION,
    &SLOTS_BUSY,
];
