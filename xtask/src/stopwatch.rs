//! How long a step took, for people to read. Nothing is decided by it.

use std::{
    fmt,
    time::{Duration, Instant},
};

/// Runs from its start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "it is only shown, and there is no Clock outside the fleet"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Elapsed {
        Elapsed(self.0.elapsed())
    }
}

/// A span as `2 min 05 s` or `3.4 s`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elapsed(Duration);

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
}
