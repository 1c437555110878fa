//! The core's metrics as instruments of OpenTelemetry.

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, Histogram, Meter as OtelMeter, MeterProvider},
};
use runners_core::metrics::{Attribute, Instrument, Measure, Meter, Metrics};
use std::{
    collections::HashMap,
    fmt,
    sync::{PoisonError, RwLock},
};

/// Records to instruments of a meter provider: that of [`Telemetry`](crate::Telemetry), or the
/// host's own.
pub struct OtelMetrics {
    control_plane: OtelMeter,
    runner: OtelMeter,
    orchestrator: OtelMeter,
    wanted: bool,
    made: RwLock<HashMap<(Meter, &'static str), Made>>,
}

#[derive(Clone)]
enum Made {
    Counter(Counter<f64>),
    Gauge(Gauge<f64>),
    Histogram(Histogram<f64>),
}

impl OtelMetrics {
    /// Makes instruments of `provider`, on meters named `prefix` and
    /// `.self_hosted.control_plane`, `.self_hosted.runner_daemon` or `.self_hosted.orchestrator`. The
    /// usual prefix is [`Meter::PREFIX`].
    #[must_use]
    pub fn new(provider: &impl MeterProvider, prefix: &str) -> Self {
        let name = |meter: Meter| -> &'static str {
            // A meter's name lives as long as the program; there are three for each provider.
            Box::leak(format!("{prefix}.{}", meter.suffix()).into_boxed_str())
        };
        Self {
            control_plane: provider.meter(name(Meter::ControlPlane)),
            runner: provider.meter(name(Meter::Runner)),
            orchestrator: provider.meter(name(Meter::Orchestrator)),
            wanted: true,
            made: RwLock::default(),
        }
    }

    /// Says whether anybody reads what is recorded.
    pub(crate) const fn wanted(mut self, wanted: bool) -> Self {
        self.wanted = wanted;
        self
    }

    /// The instrument, made at its first use: one that nothing is recorded to is not exported.
    fn made(&self, instrument: &'static Instrument) -> Made {
        let at = (instrument.meter, instrument.name);
        if let Some(made) = self.made.read().unwrap_or_else(PoisonError::into_inner).get(&at) {
            return made.clone();
        }
        let mut all = self.made.write().unwrap_or_else(PoisonError::into_inner);
        all.entry(at).or_insert_with(|| self.make(instrument)).clone()
    }

    fn make(&self, instrument: &'static Instrument) -> Made {
        let meter = match instrument.meter {
            Meter::ControlPlane => &self.control_plane,
            Meter::Runner => &self.runner,
            Meter::Orchestrator => &self.orchestrator,
        };
        let (name, unit, about) = (instrument.name, instrument.unit, instrument.description);
        match instrument.measure {
            Measure::Counter => {
                Made::Counter(meter.f64_counter(name).with_unit(unit).with_description(about).build())
            }
            Measure::Histogram(bounds) => {
                let histogram = meter.f64_histogram(name).with_unit(unit).with_description(about);
                Made::Histogram(histogram.with_boundaries(bounds.to_vec()).build())
            }
            _ => Made::Gauge(meter.f64_gauge(name).with_unit(unit).with_description(about).build()),
        }
    }
}

impl Metrics for OtelMetrics {
    fn record(&self, instrument: &'static Instrument, value: f64, attributes: &[Attribute<'_>]) {
        let attribute = |(name, value): &Attribute<'_>| KeyValue::new(*name, (*value).to_owned());
        let attributes: Vec<KeyValue> = attributes.iter().map(attribute).collect();
        match self.made(instrument) {
            Made::Counter(counter) => counter.add(value, &attributes),
            Made::Gauge(gauge) => gauge.record(value, &attributes),
            Made::Histogram(histogram) => histogram.record(value, &attributes),
        }
    }

    fn is_wanted(&self) -> bool {
        self.wanted
    }
}

impl fmt::Debug for OtelMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let made = self.made.read().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("OtelMetrics").field("instruments", &made).finish_non_exhaustive()
    }
}
