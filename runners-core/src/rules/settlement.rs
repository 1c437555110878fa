//! The policy at the end of an attempt: conclude the job, or try again, and after how long.

use crate::{
    rules::job::{EndedAttempt, StopReason},
    values::{
        outcome::{Conclusion, Outcome},
        retry::RetryPolicy,
    },
};
use std::time::Duration;

/// What becomes of a job whose attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settlement {
    /// The job is over.
    Conclude(Conclusion),
    /// It is tried again, after this long.
    Again(Duration),
}

/// Decides what becomes of a job whose newest attempt is the last of `attempts`. `chance` is
/// between 0 and 1.
pub(crate) fn settle(policy: &RetryPolicy, attempts: &[EndedAttempt], chance: f64) -> Settlement {
    let Some(newest) = attempts.last() else { return Settlement::Again(Duration::ZERO) };
    if let Some(reason @ (StopReason::Requested | StopReason::RunDeadline)) = newest.stop {
        return Settlement::Conclude(reason.conclusion());
    }
    if is_taken_back(newest) {
        return Settlement::Again(Duration::ZERO);
    }
    let lost = count(attempts, is_lost);
    let counted = u32::try_from(attempts.len()).unwrap_or(u32::MAX) - lost - count(attempts, is_taken_back);
    let again = Settlement::Again(policy.wait(counted.max(1), chance));
    let tries_left = counted < policy.attempts_max;
    match &newest.outcome {
        Outcome::Passed if count(attempts, |attempt| attempt.outcome == Outcome::Failed) > 0 => {
            Settlement::Conclude(Conclusion::Flaky)
        }
        Outcome::Passed => Settlement::Conclude(Conclusion::Passed),
        Outcome::Failed if policy.failed && tries_left => again,
        Outcome::Failed => Settlement::Conclude(Conclusion::Failed),
        Outcome::Errored(fault) if fault.retryable && tries_left => again,
        Outcome::Errored(_) => Settlement::Conclude(Conclusion::Errored),
        Outcome::Cancelled | Outcome::Lapsed | Outcome::Lost if is_lost(newest) => {
            if lost < policy.losses_max {
                Settlement::Again(policy.wait(lost.max(1), chance))
            } else {
                Settlement::Conclude(Conclusion::Errored)
            }
        }
        // It took too long, and stopped in time when it was told to.
        Outcome::TimedOut | Outcome::Cancelled | Outcome::Lapsed | Outcome::Lost if tries_left => again,
        Outcome::TimedOut | Outcome::Cancelled | Outcome::Lapsed | Outcome::Lost => {
            Settlement::Conclude(Conclusion::TimedOut)
        }
    }
}

fn count(attempts: &[EndedAttempt], which: impl Fn(&EndedAttempt) -> bool) -> u32 {
    let count = attempts.iter().filter(|attempt| which(attempt)).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Whether nothing came of an attempt by no doing of its own. One that stopped and was not told to
/// is lost as well: its runner stopped.
fn is_lost(attempt: &EndedAttempt) -> bool {
    match attempt.outcome {
        _ if is_taken_back(attempt) => false,
        Outcome::Lost | Outcome::Lapsed => true,
        Outcome::Cancelled => attempt.stop != Some(StopReason::Deadline),
        _ => false,
    }
}

/// Whether an attempt was taken from a runner that drains before there was a verdict: that is the
/// operator's doing, and costs the job nothing.
pub(crate) fn is_taken_back(attempt: &EndedAttempt) -> bool {
    attempt.stop == Some(StopReason::Drained) && !matches!(attempt.outcome, Outcome::Passed | Outcome::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        rules::record::SessionRef,
        values::{id::RunnerId, result::Fault, runner::Incarnation, time::Timestamp},
    };

    #[test]
    fn what_is_taken_from_a_draining_runner_costs_nothing_unless_it_has_a_verdict() {
        let drained = |mut ended: Vec<EndedAttempt>| {
            ended.iter_mut().for_each(|attempt| attempt.stop = Some(StopReason::Drained));
            ended
        };
        let policy = RetryPolicy { attempts_max: 1, losses_max: 0, ..RetryPolicy::default() };
        for outcome in [Outcome::Lapsed, Outcome::Cancelled, Outcome::Lost] {
            let ended = drained(attempts(&[outcome.clone(), outcome]));
            assert_eq!(settle(&policy, &ended, 0.5), Settlement::Again(Duration::ZERO));
        }
        let passed = drained(attempts(&[Outcome::Lapsed, Outcome::Passed]));
        assert_eq!(settle(&policy, &passed, 0.5), Settlement::Conclude(Conclusion::Passed));
        let failed = drained(attempts(&[Outcome::Lapsed, Outcome::Failed]));
        assert_eq!(settle(&policy, &failed, 0.5), Settlement::Conclude(Conclusion::Failed));
    }

    fn attempts(outcomes: &[Outcome]) -> Vec<EndedAttempt> {
        let by = SessionRef {
            runner: RunnerId::from_bytes([1; 16]),
            incarnation: Incarnation { boots: 1, random: 1 },
        };
        (1..)
            .zip(outcomes)
            .map(|(number, outcome)| EndedAttempt {
                number,
                grant: u64::from(number),
                by,
                outcome: outcome.clone(),
                result_digest: None,
                stop: None,
                started_at: Timestamp::default(),
                ended_at: Timestamp::default(),
                missing: Vec::new(),
            })
            .collect()
    }

    fn concluded(outcomes: &[Outcome], policy: RetryPolicy) -> Option<Conclusion> {
        match settle(&policy, &attempts(outcomes), 0.5) {
            Settlement::Conclude(conclusion) => Some(conclusion),
            Settlement::Again(_) => None,
        }
    }

    fn fault() -> Outcome {
        Outcome::Errored(Fault::retryable("x", "x"))
    }

    #[test]
    fn a_pass_after_a_failed_verdict_is_flaky_but_after_a_fault_it_is_passed() {
        let policy = RetryPolicy { failed: true, ..RetryPolicy::default() };
        assert_eq!(concluded(&[Outcome::Failed, Outcome::Passed], policy), Some(Conclusion::Flaky));
        assert_eq!(concluded(&[fault(), Outcome::Passed], policy), Some(Conclusion::Passed));
    }

    #[test]
    fn a_failed_verdict_is_tried_again_only_if_asked() {
        assert_eq!(concluded(&[Outcome::Failed], RetryPolicy::default()), Some(Conclusion::Failed));
        let asked = RetryPolicy { failed: true, ..RetryPolicy::default() };
        assert_eq!(concluded(&[Outcome::Failed], asked), None);
        assert_eq!(
            concluded(&[Outcome::Failed, Outcome::Failed, Outcome::Failed], asked),
            Some(Conclusion::Failed)
        );
    }

    #[test]
    fn faults_are_tried_again_up_to_the_limit_unless_permanent() {
        let policy = RetryPolicy::default();
        assert_eq!(concluded(&[fault(), fault()], policy), None);
        assert_eq!(concluded(&[fault(), fault(), fault()], policy), Some(Conclusion::Errored));
        let permanent = Outcome::Errored(Fault::permanent("x", "x"));
        assert_eq!(concluded(&[permanent], policy), Some(Conclusion::Errored));
    }

    #[test]
    fn losses_have_a_limit_of_their_own() {
        let policy = RetryPolicy { attempts_max: 1, losses_max: 3, ..RetryPolicy::default() };
        assert_eq!(concluded(&[Outcome::Lost, Outcome::Lapsed], policy), None);
        assert_eq!(
            concluded(&[Outcome::Lost, Outcome::Lost, Outcome::Passed], policy),
            Some(Conclusion::Passed)
        );
        assert_eq!(
            concluded(&[Outcome::Lost, Outcome::Lost, Outcome::Lost], policy),
            Some(Conclusion::Errored)
        );
        assert_eq!(concluded(&[Outcome::Lost, fault()], policy), Some(Conclusion::Errored));
    }

    #[test]
    fn losses_do_not_count_as_attempts() {
        let policy = RetryPolicy { attempts_max: 2, ..RetryPolicy::default() };
        assert_eq!(concluded(&[Outcome::Lost, fault()], policy), None);
        assert_eq!(concluded(&[Outcome::Lost, fault(), fault()], policy), Some(Conclusion::Errored));
    }

    #[test]
    fn a_requested_stop_concludes_cancelled_whatever_came_of_the_attempt() {
        for outcome in [Outcome::Passed, Outcome::Failed, Outcome::Cancelled, Outcome::Lost] {
            let mut attempts = attempts(&[outcome]);
            attempts[0].stop = Some(StopReason::Requested);
            let settled = settle(&RetryPolicy::default(), &attempts, 0.0);
            assert_eq!(settled, Settlement::Conclude(Conclusion::Cancelled));
        }
    }

    #[test]
    fn the_last_timeout_concludes_timed_out() {
        let policy = RetryPolicy { attempts_max: 2, ..RetryPolicy::default() };
        assert_eq!(concluded(&[Outcome::TimedOut], policy), None);
        assert_eq!(concluded(&[Outcome::TimedOut, Outcome::TimedOut], policy), Some(Conclusion::TimedOut));
    }
}
