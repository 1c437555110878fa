//! What may be removed, and what a retention must keep to.

use crate::{
    rules::job::{JobRecord, State},
    values::{
        fleet::retention::Retention,
        reply::{RefusalCode, Refused},
        time::Timestamp,
    },
};
use std::time::Duration;

/// Checks what somebody wants to keep.
pub(crate) fn check(retention: &Retention) -> Result<(), Refused> {
    let spans = [
        ("concluded_for", retention.concluded_for),
        ("artifacts_for", retention.artifacts_for),
        ("events_for", Some(retention.events_for)),
    ];
    for (field, span) in spans {
        if span.is_some_and(|span| span < Retention::SPAN_MIN) {
            let minimum = Retention::SPAN_MIN.as_secs();
            let problem = format!("{field}: must be at least {minimum} seconds: lengthen it");
            return Err(Refused::new(RefusalCode::Invalid, problem));
        }
    }
    Ok(())
}

/// Whether a job may be removed: it has ended, nobody waits for it any more, and none of its logs
/// is on its way.
pub(crate) fn is_prunable(job: &JobRecord, seals: bool) -> bool {
    matches!(job.state, State::Concluded { .. }) && !job.awaited && !(seals && job.awaits_sealing())
}

/// The time before which things are too old, if any can be.
pub(crate) fn cutoff(now: Timestamp, kept_for: Option<Duration>) -> Option<Timestamp> {
    kept_for.map(|span| now - span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_that_is_too_short_is_refused_by_name() {
        let short = Retention { artifacts_for: Some(Duration::from_secs(59)), ..Retention::default() };
        let refused = check(&short).unwrap_err();
        assert!(refused.detail.contains("artifacts_for") && refused.detail.contains("60 seconds"));
        assert_eq!(check(&Retention::default()), Ok(()));
        assert_eq!(check(&Retention::FOREVER), Ok(()));
    }
}
