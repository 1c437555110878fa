//! Metrics that remember every measurement, for tests that ask what was measured.

use crate::seams::metrics::{Attribute, Instrument, Metrics};
use std::sync::{Arc, Mutex, PoisonError};

/// Remembers every measurement. Clones share what they remember.
#[derive(Clone, Debug, Default)]
pub struct RecordedMetrics {
    taken: Arc<Mutex<Vec<Measurement>>>,
}

/// One measurement that was taken.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Measurement {
    /// Of what.
    pub instrument: &'static Instrument,
    /// How much.
    pub value: f64,
    /// The names and values that came with it.
    pub attributes: Vec<(&'static str, String)>,
}

impl Measurement {
    /// The value of an attribute.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

impl RecordedMetrics {
    /// Every measurement of `instrument` so far, oldest first.
    #[must_use]
    pub fn of(&self, instrument: &'static Instrument) -> Vec<Measurement> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.iter().filter(|one| std::ptr::eq(one.instrument, instrument)).cloned().collect()
    }

    /// The sum of every measurement of `instrument` so far.
    #[must_use]
    pub fn sum(&self, instrument: &'static Instrument) -> f64 {
        self.of(instrument).iter().map(|one| one.value).sum()
    }

    /// The newest measurement of `instrument`.
    #[must_use]
    pub fn last(&self, instrument: &'static Instrument) -> Option<f64> {
        self.of(instrument).last().map(|one| one.value)
    }
}

impl Metrics for RecordedMetrics {
    fn record(&self, instrument: &'static Instrument, value: f64, attributes: &[Attribute<'_>]) {
        let attributes = attributes.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let one = Measurement { instrument, value, attributes };
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).push(one);
    }
}
