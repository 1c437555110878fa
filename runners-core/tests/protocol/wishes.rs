//! What is wanted of jobs and runners: cancel, drain, slots, signals.

use super::{
    control,
    hand::{Hand, inspect, operator, submit, submit_with, user},
};
use runners_core::{
    Caller, Conclusion, JobId, JobOptions, Mode, Opaque, Outcome, RunnerId, SignalId, Timestamp,
    Transport as _,
    protocol::{
        AnswerRequest, Answered, CancelRequest, CancelTarget, Phase, Reply, Request, SignalAnswer,
        SignalOutcome, SignalRequest, StateView,
    },
};
use std::time::Duration;

async fn cancel(user: &Caller, job: JobId) -> u32 {
    let request = CancelRequest { target: CancelTarget::Job(job) };
    match user.call(Request::Cancel(request)).await.unwrap() {
        Reply::Cancelled(cancelled) => cancelled.jobs,
        other => panic!("expected it to be cancelled, got {other:?}"),
    }
}

#[tokio::test]
async fn a_job_that_waits_is_cancelled_at_once() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let ready = submit(&user, 1).await;
    let later = JobOptions { start_at: Some(Timestamp::from_millis(u64::MAX / 2)), ..JobOptions::default() };
    submit_with(&user, 2, later).await;
    let scheduled = JobId::from_bytes([2; 16]);
    assert!(matches!(inspect(&user, scheduled).await.state, StateView::Scheduled { .. }));
    for job in [ready, scheduled] {
        assert_eq!(cancel(&user, job).await, 1);
        assert_eq!(inspect(&user, job).await.conclusion(), Some(Conclusion::Cancelled));
        assert_eq!(cancel(&user, job).await, 0, "a repeat changes nothing");
    }
    assert!(hand.sync().await.offers.is_empty());
}

#[tokio::test]
async fn a_cancelled_offer_is_lost_to_the_runner_that_starts_it() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let job = submit(&user, 1).await;
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    cancel(&user, job).await;
    assert_eq!(hand.sync().await.lost, [token]);
    assert_eq!(inspect(&user, job).await.conclusion(), Some(Conclusion::Cancelled));
}

#[tokio::test]
async fn a_running_job_is_told_to_stop_until_the_runner_says_it_has_heard() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let job = submit(&user, 1).await;
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.sync().await;
    cancel(&user, job).await;
    for _ in 0..2 {
        assert_eq!(hand.sync().await.cancel[0].token, token);
    }
    hand.next.held[0].phase = Phase::Cancelling;
    assert!(hand.sync().await.cancel.is_empty());
    hand.finish(token, Outcome::Passed, Some("1"));
    hand.sync().await;
    let view = inspect(&user, job).await;
    assert_eq!(view.conclusion(), Some(Conclusion::Cancelled));
    assert!(view.result.is_some(), "what it came to within the grace is kept");
}

#[tokio::test]
async fn a_draining_runner_is_offered_nothing_and_told_so() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    hand.next.intent = Mode::Drain;
    assert!(hand.sync().await.no_more);
    submit(&user, 1).await;
    let answer = hand.sync().await;
    assert!(answer.no_more && answer.offers.is_empty());
    hand.next.intent = Mode::Serve;
    let answer = hand.sync().await;
    assert!(!answer.no_more && answer.offers.len() == 1, "it can be resumed");
}

#[tokio::test]
async fn no_more_is_said_only_once_nothing_is_offered() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    submit(&user, 1).await;
    let answer = hand.sync().await;
    hand.next.intent = Mode::Leave;
    assert!(!hand.sync().await.no_more, "the offer has not been answered");
    hand.hold(&answer);
    assert!(hand.sync().await.no_more);
}

#[tokio::test]
async fn what_is_desired_is_restated_until_it_was_seen() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    hand.sync().await;
    let runner = RunnerId::from_bytes([1; 16]);
    operator(&control).set_slots(runner, Some(1)).await.unwrap();
    for _ in 0..2 {
        let desired = hand.sync().await.desired.unwrap();
        assert_eq!((desired.generation, desired.slots), (1, Some(1)));
    }
    hand.next.seen_generation = 1;
    assert_eq!(hand.sync().await.desired, None);
    submit(&user, 1).await;
    submit(&user, 2).await;
    assert_eq!(hand.sync().await.offers.len(), 1, "two are free, one is wanted");
}

#[tokio::test]
async fn a_removed_runner_is_told_so() {
    let control = control().await;
    let mut hand = Hand::new(&control, 1);
    hand.sync().await;
    operator(&control).remove_runner(RunnerId::from_bytes([1; 16])).await.unwrap();
    assert!(matches!(hand.send().await, Reply::Refused(refused) if refused.code.as_str() == "removed"));
}

#[tokio::test]
async fn a_signal_is_answered_once_and_its_repeat_is_the_same_signal() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    hand.sync().await;
    let request = SignalRequest {
        id: SignalId::from_bytes([8; 16]),
        to: RunnerId::from_bytes([1; 16]).into(),
        kind: "ping".into(),
        payload: Opaque::new(&b"{}"[..]),
        expires_in: Duration::from_secs(60),
    };
    for _ in 0..2 {
        let reply = user.call(Request::Signal(request.clone())).await.unwrap();
        assert!(matches!(reply, Reply::Signalled(_)));
    }
    let delivered = hand.sync().await.signals;
    assert_eq!(delivered.len(), 1);
    let answer = SignalOutcome::Result(Opaque::new(&b"1"[..]));
    hand.next.answers = vec![SignalAnswer { signal: delivered[0].id, answer: answer.clone() }];
    assert_eq!(hand.sync().await.heard, [delivered[0].id]);
    hand.next.answers =
        vec![SignalAnswer { signal: delivered[0].id, answer: SignalOutcome::Result(Opaque::new(&b"2"[..])) }];
    assert_eq!(hand.sync().await.heard, [delivered[0].id]);
    let ask = AnswerRequest { signal: delivered[0].id, park_for: Duration::ZERO };
    let reply = user.call(Request::Answer(ask)).await.unwrap();
    assert_eq!(reply, Reply::Answered(Answered::Outcome(answer)));
}
