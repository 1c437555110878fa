//! Numbers that come of several measurements: a median with its spread, and percentiles.

use std::{fmt, time::Duration};

/// A median, with the smallest and the largest value it stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Spread {
    /// Half of the values are at most this.
    pub median: f64,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
}

impl Spread {
    /// Of some values.
    ///
    /// # Panics
    /// If there are none.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let [min, .., max] = values[..] else {
            let only = *values.first().expect("a spread is of one value at least");
            return Self { median: only, min: only, max: only };
        };
        let middle = values.len() / 2;
        let even = values.len().is_multiple_of(2);
        let median = if even { f64::midpoint(values[middle - 1], values[middle]) } else { values[middle] };
        Self { median, min, max }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = if self.median.abs() < 100.0 { 2 } else { 0 };
        write!(f, "{:.places$} ({:.places$}–{:.places$})", self.median, self.min, self.max)
    }
}

/// The value that `share` of all are at most, from 0 to 1; zero if there are none.
#[must_use]
pub fn percentile(values: &mut [Duration], share: f64) -> Duration {
    values.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in a list that fits into memory"
    )]
    let place = (values.len().saturating_sub(1) as f64 * share.clamp(0.0, 1.0)).round() as usize;
    values.get(place).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_between_the_two_in_the_middle() {
        let spread = Spread::of([4.0, 1.0, 2.0, 3.0]);
        assert_eq!((spread.median, spread.min, spread.max), (2.5, 1.0, 4.0));
        assert_eq!(Spread::of([7.0]).to_string(), "7.00 (7.00–7.00)");
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let mut values: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(percentile(&mut values, 1.0), Duration::from_millis(100));
        assert_eq!(percentile(&mut values, 0.0), Duration::from_millis(1));
        assert_eq!(percentile(&mut [], 0.5), Duration::ZERO);
    }
}
