//! Calls that are held back: who is woken, who is overtaken, and what a stop answers.

use super::{
    control,
    hand::{Hand, inspect, submit, user},
};
use futures::poll;
use runners_core::{
    Conclusion, Outcome, Transport as _,
    protocol::{CancelRequest, CancelTarget, InspectRequest, Reply, Request, StateView, WaitRequest},
};
use std::{pin::pin, time::Duration};

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_parked_runner_is_granted_a_job_as_it_is_submitted() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    hand.next.park_for = LONG;
    let mut parked = pin!(hand.sync());
    assert!(poll!(&mut parked).is_pending());
    let job = submit(&user, 7).await;
    assert!(matches!(inspect(&user, job).await.state, StateView::Offered { .. }), "in the very same commit");
    let answer = parked.await;
    assert_eq!((answer.offers[0].token.job, answer.offers[0].token.grant), (job, 1));
}

#[tokio::test]
async fn a_slot_whose_job_ended_before_its_offer_was_told_takes_the_next() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    (hand.next.park_for, hand.next.free) = (LONG, 1);
    let mut parked = pin!(hand.sync());
    assert!(poll!(&mut parked).is_pending());
    let first = submit(&user, 7).await;
    let cancel = CancelRequest { target: CancelTarget::Job(first) };
    user.call(Request::Cancel(cancel)).await.unwrap();
    assert_eq!(inspect(&user, first).await.conclusion(), Some(Conclusion::Cancelled));
    let second = submit(&user, 8).await;
    let answer = parked.await;
    let offered: Vec<_> = answer.offers.iter().map(|offer| offer.token.job).collect();
    assert_eq!(offered, [second]);
}

#[tokio::test]
async fn a_direct_grant_takes_one_slot_and_leaves_the_others() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    hand.next.park_for = LONG;
    let mut parked = pin!(hand.sync());
    assert!(poll!(&mut parked).is_pending());
    submit(&user, 7).await;
    submit(&user, 8).await;
    assert_eq!(parked.await.offers.len(), 2, "it has two slots");
}

#[tokio::test]
async fn one_job_wakes_one_runner() {
    let control = control().await;
    let user = user(&control);
    let (mut one, mut two) = (Hand::new(&control, 1), Hand::new(&control, 2));
    (one.next.park_for, two.next.park_for) = (LONG, LONG);
    let (mut first, mut second) = (pin!(one.sync()), pin!(two.sync()));
    assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
    submit(&user, 7).await;
    assert_eq!(first.await.offers.len(), 1);
    assert!(poll!(&mut second).is_pending());
}

#[tokio::test]
async fn a_job_whose_runner_has_hung_up_goes_to_the_next() {
    let control = control().await;
    let user = user(&control);
    let (mut one, mut two) = (Hand::new(&control, 1), Hand::new(&control, 2));
    (one.next.park_for, two.next.park_for) = (LONG, LONG);
    let mut second = pin!(two.sync());
    {
        let mut first = pin!(one.sync());
        assert!(poll!(&mut first).is_pending());
        assert!(poll!(&mut second).is_pending());
    }
    submit(&user, 7).await;
    assert_eq!(second.await.offers.len(), 1);
}

#[tokio::test]
async fn a_later_sync_overtakes_the_parked_one() {
    let control = control().await;
    let mut hand = Hand::new(&control, 1);
    hand.next.park_for = LONG;
    let mut later = hand.clone();
    let mut parked = pin!(hand.send());
    assert!(poll!(&mut parked).is_pending());
    later.next.seq = 2;
    later.next.park_for = Duration::ZERO;
    assert_eq!(later.sync().await.seq, 2);
    assert!(matches!(parked.await, Reply::Superseded(superseded) if superseded.seq == 1));
}

#[tokio::test]
async fn a_request_that_was_overtaken_applies_nothing() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let job = submit(&user, 7).await;
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.sync().await;
    let mut late = hand.clone();
    hand.sync().await;
    late.finish(token, Outcome::Failed, None);
    assert!(matches!(late.send().await, Reply::Superseded(_)));
    assert_eq!(inspect(&user, job).await.conclusion(), None);
}

#[tokio::test]
async fn who_waits_for_a_job_is_answered_when_it_ends() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let job = submit(&user, 7).await;
    let mut wait = pin!(user.call(Request::Wait(WaitRequest { job, park_for: LONG })));
    assert!(poll!(&mut wait).is_pending());
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.finish(token, Outcome::Passed, None);
    hand.sync().await;
    let Reply::Job(view) = wait.await.unwrap() else { panic!("expected a job") };
    assert_eq!(view.conclusion(), Some(Conclusion::Passed));
}

#[tokio::test]
async fn a_stop_answers_everybody_who_waits() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    hand.next.park_for = LONG;
    let job = submit(&user, 7).await;
    hand.next.free = 0;
    let mut parked = pin!(hand.sync());
    let mut wait = pin!(user.call(Request::Wait(WaitRequest { job, park_for: LONG })));
    assert!(poll!(&mut parked).is_pending() && poll!(&mut wait).is_pending());
    control.stop().await.unwrap();
    parked.await;
    wait.await.unwrap();
    assert!(user.call(Request::Inspect(InspectRequest { job })).await.is_err());
}
