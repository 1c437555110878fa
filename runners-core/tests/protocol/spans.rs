//! What a control plane promises of time, driven by hand.

use crate::hand::{Hand, inspect, submit, submit_with, user};
use runners_core::{
    Clock as _, ControlPlane, JobOptions, MemoryStore,
    protocol::{Acceptance, StateView},
    testing::clock::SimClock,
};
use std::time::Duration;

const TERM: Duration = Duration::from_secs(180);

async fn control(store: &MemoryStore, clock: &SimClock) -> ControlPlane {
    ControlPlane::builder(store.clone()).clock(clock.clone()).term(TERM).start().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_term_is_what_is_stored_and_no_more() {
    let (store, clock) = (MemoryStore::default(), SimClock::new());
    let control = control(&store, &clock).await;
    let mut hand = Hand::new(&control, 1);
    submit(&user(&control), 7).await;
    let answer = hand.sync().await;
    hand.hold(&answer);
    assert_eq!(hand.sync().await.term, Some(TERM));
    clock.sleep_until(clock.boot() + TERM / 4).await;
    assert_eq!(hand.sync().await.term, Some(TERM * 3 / 4), "it is not worth a write yet");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_given_up_until_a_control_plane_was_up_for_a_term() {
    let (store, clock) = (MemoryStore::default(), SimClock::new());
    let first = control(&store, &clock).await;
    let mut hand = Hand::new(&first, 1);
    let options = JobOptions { timeout: TERM * 100, ..JobOptions::default() };
    let Acceptance::Accepted(job) = submit_with(&user(&first), 7, options).await else {
        panic!("expected a job")
    };
    let answer = hand.sync().await;
    hand.hold(&answer);
    hand.sync().await;
    first.stop().await.unwrap();
    clock.suspend(TERM * 2);

    let second = control(&store, &clock).await;
    hand.caller = Hand::new(&second, 1).caller;
    clock.sleep_until(clock.boot() + TERM / 2).await;
    assert!(matches!(inspect(&user(&second), job).await.state, StateView::Running { .. }));
    assert!(hand.sync().await.lost.is_empty(), "it was away because the control plane was");
    runners_core::Clock::sleep_until(
        &clock,
        runners_core::Clock::boot(&clock) + TERM + Duration::from_secs(11),
    )
    .await;
    let attempts = inspect(&user(&second), job).await.attempts;
    assert_eq!(attempts.len(), 1, "and is given up when it says nothing for a term");
}

#[tokio::test(start_paused = true)]
async fn an_offer_stands_no_longer_than_the_session_that_it_is_made_to() {
    let (store, clock) = (MemoryStore::default(), SimClock::new());
    let term = Duration::from_secs(6);
    let builder = ControlPlane::builder(store).clock(clock.clone()).term(term);
    let control = builder.start_within(term * 3).start().await.unwrap();
    let mut hand = Hand::new(&control, 1);
    submit(&user(&control), 7).await;
    let answer = hand.sync().await;
    hand.hold(&answer);
    // Its confirmation stays unanswered. What it was offered is trusted until it is given away.
    let trusted = answer.offers[0].start_within;
    assert!(trusted <= term * 2 / 3, "{trusted:?}");
    submit(&user(&control), 8).await;
    clock.sleep_until(clock.boot() + term / 2).await;
    let later = hand.sync().await.offers;
    assert!(later.iter().all(|offer| offer.start_within <= term * 2 / 3), "{later:?}");
}
