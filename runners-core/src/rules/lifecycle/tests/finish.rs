//! Finishes and losses: what is recorded, what is fenced, and what it costs.

use super::*;

fn fault() -> Outcome {
    Outcome::Errored(Fault::retryable("crashed", "the browser crashed"))
}

/// A job whose attempt was lost with its session, and that was then granted to another one.
fn rescued() -> (JobRecord, FencingToken) {
    let mut job = running();
    let stale = job.token();
    job.lose(MINE, at(10), CHANCE).unwrap();
    job.due(at(20), SLACK, CHANCE);
    job.offer(OTHER, at(20), START_WITHIN).unwrap();
    (job, stale)
}

#[test]
fn a_finish_concludes_the_job_and_keeps_its_result() {
    let mut job = running();
    let done = job.finish(&finish(&job, Outcome::Passed), MINE, at(3), CHANCE);
    assert_eq!(done, Ok(Finished::Now { beside: None }));
    assert_eq!(job.state, State::Concluded { conclusion: Conclusion::Passed, at: at(3) });
    assert_eq!(job.result, Some(ResultPlace::Inline(Opaque::from(b"42".to_vec()))));
    let [ended] = &job.attempts[..] else { panic!("one attempt has ended") };
    assert_eq!((ended.number, ended.grant, ended.by), (1, 1, MINE));
    assert_eq!((ended.started_at, ended.ended_at), (at(2), at(3)));
    assert_eq!(ended.result_digest, Some(Digest::of(b"42")));
}

#[test]
fn a_finish_of_what_was_only_offered_confirms_it() {
    let mut job = offered();
    job.finish(&finish(&job, Outcome::Passed), MINE, at(3), CHANCE).unwrap();
    assert_eq!(job.conclusion(), Some(Conclusion::Passed));
    assert_eq!((job.attempts[0].number, job.attempts[0].started_at), (1, at(3)));
}

#[test]
fn a_repeated_finish_is_recorded() {
    let mut job = concluded();
    let before = serde_json::to_value(&job).unwrap();
    let again = job.finish(&finish(&job, Outcome::Passed), MINE, at(9), CHANCE);
    assert_eq!(again, Ok(Finished::Before));
    assert_eq!(serde_json::to_value(&job).unwrap(), before, "and changes nothing");
}

#[test]
fn a_finish_is_recorded_again_after_the_job_went_to_another_session() {
    let mut job = running();
    let failed = finish(&job, fault());
    job.finish(&failed, MINE, at(3), CHANCE).unwrap();
    job.due(at(60), SLACK, CHANCE);
    job.offer(OTHER, at(60), START_WITHIN).unwrap();
    assert_eq!(job.finish(&failed, MINE, at(61), CHANCE), Ok(Finished::Before));
    assert_eq!(job.holder(), Some(OTHER));
}

#[test]
fn a_different_finish_of_an_ended_attempt_is_fenced() {
    let mut job = concluded();
    let other_outcome = finish(&job, Outcome::Failed);
    let other_result = Finish { result: Some(Opaque::from(b"43".to_vec())), ..finish(&job, Outcome::Passed) };
    let no_result = Finish { result: None, ..finish(&job, Outcome::Passed) };
    for different in [other_outcome, other_result, no_result] {
        assert_fenced(&mut job, |job| job.finish(&different, MINE, at(9), CHANCE));
    }
    let same = finish(&job, Outcome::Passed);
    assert_fenced(&mut job, |job| job.finish(&same, OTHER, at(9), CHANCE));
}

#[test]
fn a_fault_that_says_too_much_is_cut_and_its_repeat_is_known() {
    let long = |bytes_max: usize| "x".repeat(bytes_max + 1);
    let (code, message) = (long(Fault::CODE_MAX), long(Fault::MESSAGE_MAX));
    let mut job = running();
    let told = finish(&job, Outcome::Errored(Fault { code, message, retryable: false }));
    job.finish(&told, MINE, at(3), CHANCE).unwrap();
    let Outcome::Errored(kept) = &job.attempts[0].outcome else { panic!("it had a fault") };
    assert_eq!((kept.code.len(), kept.message.len()), (Fault::CODE_MAX, Fault::MESSAGE_MAX));
    assert_eq!(job.finish(&told, MINE, at(4), CHANCE), Ok(Finished::Before));
}

#[test]
fn late_finish_is_fenced() {
    let (mut job, stale) = rescued();
    let late = Finish { token: stale, ..finish(&job, Outcome::Passed) };
    assert_fenced(&mut job, |job| job.finish(&late, MINE, at(21), CHANCE));
}

#[test]
fn a_late_finish_of_the_session_that_holds_the_job_again_is_fenced() {
    let mut job = offered();
    let lapsed = finish(&job, Outcome::Passed);
    job.due(at(16), SLACK, CHANCE);
    job.offer(MINE, at(17), START_WITHIN).unwrap();
    assert_fenced(&mut job, |job| job.finish(&lapsed, MINE, at(18), CHANCE));
}

#[test]
fn a_finish_from_another_session_is_fenced() {
    for mut job in [offered(), running()] {
        let stolen = finish(&job, Outcome::Passed);
        for session in [OTHER, session(1, 2)] {
            assert_fenced(&mut job, |job| job.finish(&stolen, session, at(5), CHANCE));
        }
    }
}

#[test]
fn a_finish_of_a_grant_that_was_never_made_is_fenced() {
    let mut job = running();
    let ahead = FencingToken { grant: job.grant + 1, ..job.token() };
    let finish = Finish { token: ahead, ..finish(&job, Outcome::Passed) };
    assert_fenced(&mut job, |job| job.finish(&finish, MINE, at(5), CHANCE));
}

#[test]
fn a_finish_of_another_job_is_fenced() {
    for mut job in [running(), concluded()] {
        let token = FencingToken { job: JobId::from_bytes([3; 16]), ..job.token() };
        let finish = Finish { token, ..finish(&job, Outcome::Passed) };
        assert_fenced(&mut job, |job| job.finish(&finish, MINE, at(5), CHANCE));
    }
}

#[test]
fn a_finish_of_what_nobody_holds_is_fenced() {
    let mut job = offered();
    let declined = finish(&job, Outcome::Passed);
    job.decline(job.token(), MINE).unwrap();
    assert_fenced(&mut job, |job| job.finish(&declined, MINE, at(5), CHANCE));
}

#[test]
fn a_finish_with_a_fault_waits_before_the_next_attempt() {
    let mut job = running();
    job.finish(&finish(&job, fault()), MINE, at(3), CHANCE).unwrap();
    assert_eq!(job.state, State::Scheduled { ready_at: at(4) });
    assert_eq!((job.holder(), job.next_attempt()), (None, 2));
}

#[test]
fn a_wait_of_nothing_makes_the_job_ready_at_once() {
    let mut job = retried(RetryPolicy { backoff: Duration::ZERO, ..RetryPolicy::default() });
    job.finish(&finish(&job, fault()), MINE, at(3), CHANCE).unwrap();
    assert_eq!(job.state, State::Ready { ready_at: at(3) });
}

#[test]
fn the_last_attempt_concludes_the_job() {
    let mut job = retried(RetryPolicy::never());
    job.finish(&finish(&job, fault()), MINE, at(3), CHANCE).unwrap();
    assert_eq!(job.conclusion(), Some(Conclusion::Errored));
}

#[test]
fn a_result_is_kept_where_its_size_belongs() {
    let limit = ResultPlace::INLINE_BYTES_MAX;
    for (length, inline) in [(limit, true), (limit + 1, false)] {
        let result = Opaque::from(vec![b'x'; length]);
        let mut job = running();
        let finish = Finish { result: Some(result.clone()), ..finish(&job, Outcome::Passed) };
        let done = job.finish(&finish, MINE, at(3), CHANCE);
        let beside = (!inline).then(|| result.clone());
        assert_eq!(done, Ok(Finished::Now { beside }));
        let place = if inline { ResultPlace::Inline(result) } else { ResultPlace::Record(1) };
        assert_eq!(job.result, Some(place));
    }
}

#[test]
fn a_result_that_is_an_artifact_is_named_and_repeats_as_itself() {
    let mut job = running();
    let artifact = Some(Digest::of(b"large"));
    let finish = Finish { result: None, result_artifact: artifact, ..finish(&job, Outcome::Passed) };
    assert_eq!(job.finish(&finish, MINE, at(3), CHANCE), Ok(Finished::Now { beside: None }));
    assert_eq!(job.result, artifact.map(ResultPlace::Artifact));
    assert_eq!(job.finish(&finish, MINE, at(4), CHANCE), Ok(Finished::Before));
}

#[test]
fn missing_artifacts_are_listed_and_change_no_verdict() {
    let mut job = running();
    let missing = vec!["video.webm".to_owned()];
    let finish = Finish { missing: missing.clone(), ..finish(&job, Outcome::Passed) };
    job.finish(&finish, MINE, at(3), CHANCE).unwrap();
    assert_eq!(job.conclusion(), Some(Conclusion::Passed));
    assert_eq!(job.attempts[0].missing, missing);
}

#[test]
fn a_lost_attempt_is_tried_again_and_is_remembered() {
    let mut job = running();
    job.lose(MINE, at(10), CHANCE).unwrap();
    assert_eq!(job.state, State::Scheduled { ready_at: at(11) });
    assert_eq!((job.attempts.len(), &job.attempts[0].outcome), (1, &Outcome::Lost));
    assert_eq!(job.next_attempt(), 2);
}

#[test]
fn a_lost_offer_goes_back_without_costing_an_attempt() {
    let mut job = offered();
    job.lose(MINE, at(10), CHANCE).unwrap();
    assert_eq!(job.state, State::Ready { ready_at: START });
    assert!(job.attempts.is_empty());
}

#[test]
fn a_session_loses_only_what_it_holds() {
    for mut job in [offered(), running()] {
        for session in [OTHER, session(1, 2)] {
            assert_fenced(&mut job, |job| job.lose(session, at(10), CHANCE));
        }
    }
    for mut job in [ready(), concluded()] {
        assert_fenced(&mut job, |job| job.lose(MINE, at(10), CHANCE));
    }
}
