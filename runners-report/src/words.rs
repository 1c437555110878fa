//! Words and figures for people, which the reports share.

use runners_core::Outcome;
use std::time::Duration;

/// How an attempt ended, in a few words, and the message of the fault if there was one.
pub(crate) fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Passed => "passed".to_owned(),
        Outcome::Failed => "failed".to_owned(),
        Outcome::Errored(fault) => format!("errored: {}", fault.message),
        Outcome::TimedOut => "timed out".to_owned(),
        Outcome::Cancelled => "cancelled".to_owned(),
        _ => "lost".to_owned(),
    }
}

/// A span as people say it: `310 ms`, `5.1 s`, `2 min 03 s`.
pub(crate) fn span(span: Duration) -> String {
    let (millis, seconds) = (span.as_millis(), span.as_secs());
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{:.1} s", span.as_secs_f64()),
        _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

/// A number of bytes as people say it: `20 kB`.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_in_the_unit_that_fits() {
        let told = |millis| span(Duration::from_millis(millis));
        assert_eq!([told(310), told(5_120), told(123_000)], ["310 ms", "5.1 s", "2 min 03 s"]);
        assert_eq!([size(12), size(20_480), size(1_250_000)], ["12 bytes", "20 kB", "1.2 MB"]);
    }
}
