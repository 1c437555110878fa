//! Stops: a cancel in every state, deadlines, and who wins when both come.

use super::*;

fn stop_of(job: &JobRecord) -> Option<Stop> {
    match job.state {
        State::Running { stop, .. } => stop,
        _ => None,
    }
}

/// When an attempt is given up that was told at `seconds` to stop.
fn given_up(seconds: u64) -> Timestamp {
    at(seconds) + GRACE + SLACK
}

#[test]
fn a_cancel_concludes_a_job_that_is_not_running() {
    let blocked = JobOptions { after: vec![JobId::from_bytes([8; 16])], ..JobOptions::default() };
    let scheduled = JobOptions { start_at: Some(at(60)), ..JobOptions::default() };
    for mut job in [submitted(blocked), submitted(scheduled), ready(), offered()] {
        assert!(job.stop(StopReason::Requested, at(5), SLACK));
        assert_eq!(job.state, State::Concluded { conclusion: Conclusion::Cancelled, at: at(5) });
        assert_eq!(job.holder(), None);
    }
}

#[test]
fn a_cancel_lets_a_running_job_stop_within_its_grace() {
    let mut job = running();
    assert!(job.stop(StopReason::Requested, at(5), SLACK));
    assert_eq!(stop_of(&job), Some(Stop { reason: StopReason::Requested, until: given_up(5) }));
    assert_eq!(job.due_at(), Some(given_up(5)));
    job.finish(&finish(&job, Outcome::Cancelled), MINE, at(6), CHANCE).unwrap();
    assert_eq!(job.conclusion(), Some(Conclusion::Cancelled));
}

#[test]
fn a_cancelled_job_is_not_tried_again_whatever_its_attempt_came_to() {
    for outcome in [Outcome::Passed, Outcome::Failed, Outcome::TimedOut, Outcome::Lapsed] {
        let mut job = running();
        job.stop(StopReason::Requested, at(5), SLACK);
        job.finish(&finish(&job, outcome), MINE, at(6), CHANCE).unwrap();
        assert_eq!(job.conclusion(), Some(Conclusion::Cancelled));
    }
}

#[test]
fn a_cancelled_job_whose_runner_stays_silent_is_given_up_after_its_grace() {
    let mut job = running();
    job.stop(StopReason::Requested, at(5), SLACK);
    let before = Timestamp::from_millis(given_up(5).as_millis() - 1);
    assert_eq!(job.due(before, SLACK, CHANCE), Due::Nothing);
    assert_eq!(job.due(given_up(5), SLACK, CHANCE), Due::Changed);
    assert_eq!(job.conclusion(), Some(Conclusion::Cancelled));
    assert_eq!(job.attempts[0].outcome, Outcome::Lost);
}

#[test]
fn a_repeated_cancel_does_not_prolong_the_grace() {
    let mut job = running();
    job.stop(StopReason::Requested, at(5), SLACK);
    assert!(!job.stop(StopReason::Requested, at(8), SLACK));
    assert!(!job.stop(StopReason::RunDeadline, at(8), SLACK));
    assert_eq!(stop_of(&job).unwrap().until, given_up(5));
}

#[test]
fn a_concluded_job_stays_as_it_is() {
    let mut job = concluded();
    assert!(!job.stop(StopReason::Requested, at(5), SLACK));
    assert_eq!(job.conclusion(), Some(Conclusion::Passed));
}

#[test]
fn a_finish_of_an_offer_that_was_cancelled_is_fenced() {
    let mut job = offered();
    let finish = finish(&job, Outcome::Passed);
    job.stop(StopReason::Requested, at(5), SLACK);
    assert_fenced(&mut job, |job| job.finish(&finish, MINE, at(6), CHANCE));
}

#[test]
fn an_attempt_past_its_deadline_is_told_to_stop() {
    let mut job = running();
    let deadline = at(2) + TIMEOUT + START_WITHIN;
    assert_eq!(job.due_at(), Some(deadline));
    assert_eq!(job.due(deadline, SLACK, CHANCE), Due::Changed);
    let until = deadline + GRACE + SLACK;
    assert_eq!(stop_of(&job), Some(Stop { reason: StopReason::Deadline, until }));
    assert_eq!(job.holder(), Some(MINE), "it is still its session's until it is given up");
}

#[test]
fn an_attempt_stopped_for_its_deadline_is_tried_again() {
    let mut job = running();
    job.stop(StopReason::Deadline, at(5), SLACK);
    job.finish(&finish(&job, Outcome::Cancelled), MINE, at(6), CHANCE).unwrap();
    assert!(matches!(job.state, State::Scheduled { .. }));
}

#[test]
fn the_last_attempt_stopped_for_its_deadline_concludes_timed_out() {
    for outcome in [Outcome::TimedOut, Outcome::Cancelled] {
        let mut job = retried(RetryPolicy::never());
        job.stop(StopReason::Deadline, at(5), SLACK);
        job.finish(&finish(&job, outcome), MINE, at(6), CHANCE).unwrap();
        assert_eq!(job.conclusion(), Some(Conclusion::TimedOut));
    }
}

#[test]
fn attempts_stopped_for_their_deadline_are_counted() {
    let retry = RetryPolicy { attempts_max: 2, backoff: Duration::ZERO, ..RetryPolicy::default() };
    let mut job = submitted(JobOptions { retry, ..JobOptions::default() });
    for _ in 0..2 {
        job = running_of(job);
        job.stop(StopReason::Deadline, at(5), SLACK);
        job.finish(&finish(&job, Outcome::Cancelled), MINE, at(6), CHANCE).unwrap();
    }
    assert_eq!(job.conclusion(), Some(Conclusion::TimedOut));
}

#[test]
fn a_cancel_takes_precedence_over_a_deadline() {
    let mut job = running();
    job.stop(StopReason::Deadline, at(5), SLACK);
    assert!(job.stop(StopReason::Requested, at(8), SLACK));
    assert_eq!(stop_of(&job), Some(Stop { reason: StopReason::Requested, until: given_up(8) }));
    assert!(!job.stop(StopReason::Deadline, at(9), SLACK), "and not the reverse");
}

#[test]
fn the_deadline_of_a_run_concludes_its_jobs_timed_out() {
    let mut waiting = ready();
    assert!(waiting.stop(StopReason::RunDeadline, at(5), SLACK));
    assert_eq!(waiting.conclusion(), Some(Conclusion::TimedOut));
    let mut job = running();
    job.stop(StopReason::RunDeadline, at(5), SLACK);
    job.finish(&finish(&job, Outcome::Cancelled), MINE, at(6), CHANCE).unwrap();
    assert_eq!(job.conclusion(), Some(Conclusion::TimedOut), "and none is tried again");
}
