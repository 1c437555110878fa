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
    use crate::{
        rules::{
            log::SealedLog,
            record::{LaneRecord, Preference},
        },
        values::{
            digest::Digest,
            id::{JobId, PoolId, TenantId},
            job::{JobOptions, JobSpec},
            outcome::Conclusion,
        },
    };

    const ENDED: Timestamp = Timestamp::from_millis(1_000_000);

    /// A job that has ended, and whose attempt has left a log.
    fn logged() -> JobRecord {
        let spec = JobSpec::new(JobId::from_bytes([9; 16]), "visit", b"{}", JobOptions::default());
        let pools = vec![(PoolId::from_bytes([5; 16]), Duration::ZERO)];
        let lanes = LaneRecord::of(TenantId::DEFAULT, &Preference { owner: TenantId::DEFAULT, pools }, &spec);
        let mut job = JobRecord::submitted(&lanes, &spec, ENDED);
        job.log_tail(job.token(), 0, 3);
        job.state = State::Concluded { conclusion: Conclusion::Passed, at: ENDED };
        job
    }

    #[test]
    fn a_job_stays_while_its_log_is_on_its_way() {
        let mut job = logged();
        assert!(!is_prunable(&job, true), "its log is to be sealed");
        assert!(is_prunable(&job, false), "where logs stay in the store, they go with their job");
        let sealed = |dropped| Some(SealedLog { digest: Digest::of(b"log"), length: 3, dropped });
        job.logs[0].sealed = sealed(false);
        assert!(!is_prunable(&job, true), "its chunks are not dropped yet");
        job.logs[0].sealed = sealed(true);
        assert!(is_prunable(&job, true));
    }

    #[test]
    fn a_job_stays_while_another_waits_for_it() {
        let job = JobRecord { awaited: true, ..logged() };
        assert!(!is_prunable(&job, false));
    }

    #[test]
    fn a_span_that_is_too_short_is_refused_by_name() {
        let short = Retention { artifacts_for: Some(Duration::from_secs(59)), ..Retention::default() };
        let refused = check(&short).unwrap_err();
        assert!(refused.detail.contains("artifacts_for") && refused.detail.contains("60 seconds"));
        assert_eq!(check(&Retention::default()), Ok(()));
        assert_eq!(check(&Retention::FOREVER), Ok(()));
    }
}
