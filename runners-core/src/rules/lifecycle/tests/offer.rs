//! Offers: who is granted a job, who may confirm or decline it, and what it costs if nobody does.

use super::*;

#[test]
fn the_grant_number_grows_with_every_offer() {
    let mut job = ready();
    let first = job.offer(MINE, at(1), START_WITHIN).unwrap();
    assert_eq!(first, FencingToken { job: job.id, grant: 1 });
    job.decline(first, MINE).unwrap();
    assert_eq!(job.offer(OTHER, at(2), START_WITHIN).unwrap().grant, 2);
    assert_eq!(job.due(at(60), SLACK, CHANCE), Due::Lapsed(OTHER));
    assert_eq!(job.offer(OTHER, at(61), START_WITHIN).unwrap().grant, 3);
}

#[test]
fn only_a_ready_job_is_offered() {
    let blocked = JobOptions { after: vec![JobId::from_bytes([8; 16])], ..JobOptions::default() };
    let scheduled = JobOptions { start_at: Some(at(60)), ..JobOptions::default() };
    for mut job in [submitted(blocked), submitted(scheduled), offered(), running(), concluded()] {
        assert_fenced(&mut job, |job| job.offer(OTHER, at(5), START_WITHIN));
    }
}

#[test]
fn an_offer_is_held_by_its_session_until_it_must_have_started() {
    let job = offered();
    assert_eq!(job.state, State::Offered { to: MINE, start_by: at(16), ready_at: START });
    assert_eq!(job.holder(), Some(MINE));
    assert_eq!(job.due_at(), Some(at(16)));
}

#[test]
fn an_offer_not_confirmed_in_time_goes_back_without_costing_an_attempt() {
    let mut job = offered();
    assert_eq!(job.due(at(15), SLACK, CHANCE), Due::Nothing);
    assert_eq!(job.due(at(16), SLACK, CHANCE), Due::Lapsed(MINE));
    assert_eq!(job.state, State::Ready { ready_at: START }, "it keeps its place in the queue");
    assert!(job.attempts.is_empty());
    assert_eq!(job.next_attempt(), 1);
}

#[test]
fn an_offer_that_was_not_heard_is_restated_with_a_new_start_and_the_same_grant() {
    let mut job = offered();
    job.offer_again(at(10), START_WITHIN);
    assert_eq!(job.state, State::Offered { to: MINE, start_by: at(25), ready_at: START });
    assert_eq!(job.grant, 1);
}

#[test]
fn only_an_offer_is_restated() {
    for mut job in [ready(), running(), concluded()] {
        let before = job.state.clone();
        job.offer_again(at(10), START_WITHIN);
        assert_eq!(job.state, before);
    }
}

#[test]
fn a_confirmed_offer_runs_as_the_next_attempt() {
    let mut job = offered();
    job.confirm(job.token(), MINE, at(12), START_WITHIN).unwrap();
    let deadline = at(12) + TIMEOUT + START_WITHIN;
    assert_eq!(
        job.state,
        State::Running { by: MINE, attempt: 1, started_at: at(12), deadline, stop: None },
        "the run clock starts at the start, not at the offer"
    );
}

#[test]
fn a_confirmation_from_another_session_is_fenced() {
    let mut job = offered();
    for session in [OTHER, session(1, 2)] {
        assert_fenced(&mut job, |job| job.confirm(job.token(), session, at(2), START_WITHIN));
    }
}

#[test]
fn a_confirmation_of_an_earlier_grant_is_fenced() {
    let mut job = offered();
    let earlier = job.token();
    job.decline(earlier, MINE).unwrap();
    job.offer(MINE, at(2), START_WITHIN).unwrap();
    assert_fenced(&mut job, |job| job.confirm(earlier, MINE, at(3), START_WITHIN));
}

#[test]
fn a_confirmation_of_what_is_not_offered_is_fenced() {
    for mut job in [ready(), running(), concluded()] {
        assert_fenced(&mut job, |job| job.confirm(job.token(), MINE, at(5), START_WITHIN));
    }
}

#[test]
fn a_declined_offer_goes_back_without_costing_an_attempt() {
    let mut job = offered();
    job.decline(job.token(), MINE).unwrap();
    assert_eq!(job.state, State::Ready { ready_at: START });
    assert!(job.attempts.is_empty());
}

#[test]
fn a_decline_by_another_session_or_of_an_earlier_grant_is_fenced() {
    let mut job = offered();
    let earlier = job.token();
    assert_fenced(&mut job, |job| job.decline(earlier, OTHER));
    job.decline(earlier, MINE).unwrap();
    job.offer(MINE, at(2), START_WITHIN).unwrap();
    assert_fenced(&mut job, |job| job.decline(earlier, MINE));
}

#[test]
fn a_running_job_cannot_be_declined() {
    assert_fenced(&mut running(), |job| job.decline(job.token(), MINE));
}
