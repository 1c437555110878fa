//! Waiting: for a time, for other jobs, for a runner, and how long at most.

use super::*;

fn after(jobs: u8) -> JobOptions {
    let after = (0..jobs).map(|number| JobId::from_bytes([number; 16])).collect();
    JobOptions { after, ..JobOptions::default() }
}

fn expiring(options: JobOptions) -> JobRecord {
    submitted(JobOptions { queue_ttl: Some(Duration::from_secs(30)), ..options })
}

#[test]
fn a_job_is_ready_at_once_unless_it_is_to_wait() {
    assert_eq!(ready().state, State::Ready { ready_at: START });
    let past = Some(Timestamp::from_millis(START.as_millis() - 1));
    let overdue = submitted(JobOptions { start_at: past, ..JobOptions::default() });
    assert_eq!(overdue.state, State::Ready { ready_at: START });
}

#[test]
fn a_scheduled_job_becomes_ready_at_its_time_and_not_before() {
    let mut job = submitted(JobOptions { start_at: Some(at(60)), ..JobOptions::default() });
    assert_eq!(job.state, State::Scheduled { ready_at: at(60) });
    assert_eq!(job.due(at(59), SLACK, CHANCE), Due::Nothing);
    assert_eq!(job.due(at(60), SLACK, CHANCE), Due::Changed);
    assert_eq!(job.state, State::Ready { ready_at: at(60) });
}

#[test]
fn a_blocked_job_is_released_by_the_last_job_it_waits_for() {
    let mut job = submitted(after(2));
    assert_eq!(job.state, State::Blocked { on: 2, ready_at: START });
    assert!(job.release(true, at(5)));
    assert_eq!(job.state, State::Blocked { on: 1, ready_at: START });
    assert!(job.release(true, at(6)));
    assert_eq!(job.state, State::Ready { ready_at: at(6) });
}

#[test]
fn a_released_job_still_waits_for_its_time() {
    let mut job = submitted(JobOptions { start_at: Some(at(60)), ..after(1) });
    job.release(true, at(5));
    assert_eq!(job.state, State::Scheduled { ready_at: at(60) });
}

#[test]
fn a_blocked_job_is_cancelled_when_a_job_it_waits_for_did_not_pass() {
    let mut job = submitted(after(2));
    assert!(job.release(false, at(5)));
    assert_eq!(job.state, State::Concluded { conclusion: Conclusion::Cancelled, at: at(5) });
    assert!(!job.release(true, at(6)), "what comes later changes nothing");
}

#[test]
fn only_a_blocked_job_is_released() {
    for mut job in [ready(), offered(), running(), concluded()] {
        let before = job.state.clone();
        assert!(!job.release(true, at(5)));
        assert!(!job.release(false, at(5)));
        assert_eq!(job.state, before);
    }
}

#[test]
fn a_job_that_waited_too_long_for_its_first_start_expires() {
    let scheduled = JobOptions { start_at: Some(at(60)), ..JobOptions::default() };
    for options in [JobOptions::default(), scheduled, after(1)] {
        let mut job = expiring(options);
        assert_eq!(job.due_at(), Some(at(30)));
        assert_eq!(job.due(at(29), SLACK, CHANCE), Due::Nothing);
        assert_eq!(job.due(at(30), SLACK, CHANCE), Due::Changed);
        assert_eq!(job.state, State::Concluded { conclusion: Conclusion::Expired, at: at(30) });
    }
}

#[test]
fn a_job_that_has_started_once_does_not_expire() {
    let mut job = running_of(expiring(JobOptions::default()));
    job.lose(MINE, at(10), CHANCE).unwrap();
    assert_eq!(job.due(at(40), SLACK, CHANCE), Due::Changed);
    assert_eq!(job.state, State::Ready { ready_at: at(11) });
    assert_eq!(job.due_at(), None, "it waits for as long as it takes");
}

#[test]
fn an_offered_job_is_not_expired_from_under_its_runner() {
    let mut job = expiring(JobOptions::default());
    job.offer(MINE, at(29), START_WITHIN).unwrap();
    assert_eq!(job.due(at(31), SLACK, CHANCE), Due::Nothing);
    assert_eq!(job.due(at(44), SLACK, CHANCE), Due::Lapsed(MINE));
    assert_eq!(job.due(at(44), SLACK, CHANCE), Due::Changed);
    assert_eq!(job.conclusion(), Some(Conclusion::Expired));
}

#[test]
fn a_concluded_job_is_due_only_while_others_wait_for_it() {
    let mut job = concluded();
    assert_eq!(job.due(at(500), SLACK, CHANCE), Due::Nothing);
    job.awaited = true;
    assert_eq!(job.due(at(500), SLACK, CHANCE), Due::Release);
}
