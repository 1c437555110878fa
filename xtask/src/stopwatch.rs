//! How long a step took, for people to read. All that is decided by it is whether that is as long as
//! was promised.

use std::{
    fmt,
    iter::Sum,
    time::{Duration, Instant},
};

/// Runs from its start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "real time is what was promised, and there is no Clock outside the fleet"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Elapsed {
        Elapsed(self.0.elapsed())
    }

    /// How much is left of a span that began with it.
    pub(crate) fn left_of(self, bound: Duration) -> Duration {
        bound.saturating_sub(self.0.elapsed())
    }
}

/// A span as `2 min 05 s` or `3.4 s`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elapsed(Duration);

impl Elapsed {
    /// Whether it is less than what was promised.
    pub(crate) fn is_below(self, bound: Duration) -> bool {
        self.0 < bound
    }
}

impl Sum for Elapsed {
    fn sum<I: Iterator<Item = Self>>(spans: I) -> Self {
        Self(spans.map(|span| span.0).sum())
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        if seconds < 60 {
            f.pad(&format!("{:.1} s", self.0.as_secs_f64()))
        } else {
            f.pad(&format!("{} min {:02} s", seconds / 60, seconds % 60))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_the_units_people_use() {
        assert_eq!(Elapsed(Duration::from_millis(3400)).to_string(), "3.4 s");
        assert_eq!(Elapsed(Duration::from_secs(125)).to_string(), "2 min 05 s");
    }

    #[test]
    fn spans_add_up() {
        let spans = [Duration::from_secs(50), Duration::from_secs(75)].map(Elapsed);
        assert_eq!(spans.into_iter().sum::<Elapsed>().to_string(), "2 min 05 s");
    }

    #[test]
    fn a_promise_of_a_minute_is_broken_by_a_whole_one() {
        let minute = Duration::from_secs(60);
        assert!(Elapsed(Duration::from_millis(59_999)).is_below(minute));
        assert!(!Elapsed(minute).is_below(minute));
    }
}
