//! Much that is told at once fits, however long the histories of the jobs are.

use super::{
    control,
    hand::{Hand, inspect, user},
};
use runners_core::{
    Fault, JobId, JobOptions, JobSpec, Outcome, Transport as _,
    protocol::{Declined, Reply, Request, Submission, SubmitRequest},
};

const MANY: u8 = 120;

fn submission(number: u8) -> Submission {
    let spec = JobSpec::new(JobId::from_bytes([number; 16]), "visit", b"{}", JobOptions::default());
    let spec = serde_json::to_vec(&spec).unwrap().into();
    Submission { spec, signature: None, payload: Some(b"{}".to_vec().into()), payload_artifact: None }
}

/// Takes up everything that is offered, however many answers that takes.
async fn take_all(hand: &mut Hand) {
    while hand.next.held.len() < usize::from(MANY) {
        let answer = hand.sync().await;
        hand.next.declined.clear();
        hand.hold(&answer);
    }
}

#[tokio::test]
async fn many_finishes_that_leave_no_room_in_their_histories_are_recorded_at_once() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let mut facts = hand.next.facts.take().unwrap();
    facts.slots = u32::from(MANY);
    (hand.next.facts_digest, hand.next.free) = (facts.digest(), facts.slots);
    hand.next.facts = Some(facts);
    let jobs = (0..MANY).map(submission).collect();
    let reply = user.call(Request::Submit(SubmitRequest { jobs, run: None })).await.unwrap();
    assert!(matches!(reply, Reply::Submitted(_)));
    // Each is declined a few times, so that its history is long.
    for _ in 0..4 {
        take_all(&mut hand).await;
        for held in std::mem::take(&mut hand.next.held) {
            hand.next.free += 1;
            hand.next.declined.push(Declined { token: held.token, why: "busy".to_owned() });
        }
    }
    take_all(&mut hand).await;
    for held in hand.next.held.clone() {
        let fault = Fault::retryable("broken", "x".repeat(3000));
        hand.finish(held.token, Outcome::Errored(fault), None);
    }
    assert_eq!(hand.sync().await.recorded.len(), usize::from(MANY));
    let view = inspect(&user, JobId::from_bytes([MANY - 1; 16])).await;
    assert_eq!(view.attempts.len(), 1);
}
