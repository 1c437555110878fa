//! The metrics seam: what is counted and measured, told to whoever keeps numbers.
//!
//! It knows no system of metrics. Which instruments there are stands in `control_plane`, `runner` and
//! `orchestrator`; where they are recorded is the actors' business, and what becomes of them a host's.

pub mod control_plane;
pub mod orchestrator;
pub mod runner;

use std::{fmt::Debug, sync::Arc};

/// Takes measurements. Nothing waits for it and nothing depends on it.
pub trait Metrics: Debug + Send + Sync + 'static {
    /// Takes one measurement. Must return at once.
    ///
    /// A counter is added to, a gauge takes the value, a histogram takes it as one more. The same
    /// instrument always comes with the same attribute names, and each has a bounded set of values.
    fn record(&self, instrument: &'static Instrument, value: f64, attributes: &[Attribute<'_>]);

    /// Whether anybody wants measurements. It is asked once, before the first one; if not, none is
    /// made. They are wanted unless said otherwise.
    fn is_wanted(&self) -> bool {
        true
    }
}

impl<M: Metrics + ?Sized> Metrics for Arc<M> {
    fn record(&self, instrument: &'static Instrument, value: f64, attributes: &[Attribute<'_>]) {
        (**self).record(instrument, value, attributes);
    }
    fn is_wanted(&self) -> bool {
        (**self).is_wanted()
    }
}

/// Takes no measurements.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct NoMetrics;

impl Metrics for NoMetrics {
    fn record(&self, _instrument: &'static Instrument, _value: f64, _attributes: &[Attribute<'_>]) {}
    fn is_wanted(&self) -> bool {
        false
    }
}

/// The name and the value of something that tells measurements of one instrument apart.
pub type Attribute<'a> = (&'static str, &'a str);

/// What is measured: described once, in a `static`.
#[derive(Debug)]
#[non_exhaustive]
pub struct Instrument {
    /// What it belongs to.
    pub meter: Meter,
    /// Its name in the style of OpenTelemetry, such as `self_hosted.queue.depth`.
    pub name: &'static str,
    /// What becomes of its measurements.
    pub measure: Measure,
    /// The unit, as UCUM writes it: `s`, `By`, or a noun in braces.
    pub unit: &'static str,
    /// What it tells, as a sentence for people.
    pub description: &'static str,
}

impl Instrument {
    const fn new(
        meter: Meter,
        measure: Measure,
        name: &'static str,
        unit: &'static str,
        description: &'static str,
    ) -> Self {
        Self { meter, name, measure, unit, description }
    }

    /// Every instrument that this crate records.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        control_plane::ALL.iter().chain(runner::ALL).chain(orchestrator::ALL).copied()
    }
}

/// What an instrument belongs to. Two instruments of different meters may share a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "whoever records has a meter for each")]
pub enum Meter {
    /// The control plane.
    ControlPlane,
    /// The runner.
    Runner,
    /// The orchestrator.
    Orchestrator,
}

impl Meter {
    /// What a name of a meter begins with, unless a host says otherwise.
    pub const PREFIX: &'static str = "runners";

    /// The name of the meter after its prefix.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::ControlPlane => "self_hosted.control_plane",
            Self::Runner => "self_hosted.runner_daemon",
            Self::Orchestrator => "self_hosted.orchestrator",
        }
    }
}

/// What becomes of measurements.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Measure {
    /// They are added up. None is negative.
    Counter,
    /// The newest one counts.
    Gauge,
    /// They are sorted into buckets with these upper bounds, in ascending order.
    Histogram(&'static [f64]),
}

/// Buckets for what takes from a tenth of a millisecond to a minute, in seconds.
const SPANS: &[f64] = &[
    0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];
/// Buckets for what takes from a tenth of a second to an hour, in seconds.
const LONG_SPANS: &[f64] =
    &[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0];
/// Buckets for numbers of things.
const COUNTS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];
/// Buckets for sizes, in bytes.
const SIZES: &[f64] = &[256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262_144.0, 1_048_576.0, 4_194_304.0];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn an_instrument_is_one_of_its_meter_and_has_a_unit_and_a_sentence() {
        let mut seen = BTreeSet::new();
        for instrument in Instrument::all() {
            assert!(seen.insert((instrument.meter.suffix(), instrument.name)), "{}", instrument.name);
            assert!(instrument.name.starts_with("self_hosted."), "{}", instrument.name);
            assert!(
                instrument.description.ends_with('.') && !instrument.unit.is_empty(),
                "{}",
                instrument.name
            );
            if let Measure::Histogram(bounds) = instrument.measure {
                assert!(bounds.is_sorted() && bounds.len() <= 20, "{}", instrument.name);
            }
        }
    }

    #[test]
    fn the_names_that_others_rely_on_stand() {
        let named = |meter, name| Instrument::all().any(|i| i.meter == meter && i.name == name);
        for name in [
            "self_hosted.runner.sync.requests",
            "self_hosted.runner.sync.failures",
            "self_hosted.runner.sync.duration",
            "self_hosted.relay.connections.timeouts",
            "self_hosted.cleanup.leases.expired",
        ] {
            assert!(named(Meter::ControlPlane, name), "{name}");
        }
        for name in [
            "self_hosted.runner.registration.failures",
            "self_hosted.runner.sync.failures",
            "self_hosted.runner.sync.duration",
            "self_hosted.runner.relay.failures",
        ] {
            assert!(named(Meter::Runner, name), "{name}");
        }
    }
}
