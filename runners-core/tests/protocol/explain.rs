//! Why a job is where it is, as a client is told.

use super::{
    control,
    hand::{Hand, submit, submit_with, user},
};
use futures::poll;
use runners_core::{
    Caller, Client, Concurrency, ControlPlane, Fallback, JobId, JobOptions, Outcome, Principal, RunnerId,
    TenantId,
    protocol::{Explanation, JobObstacle, Obstacle, Position},
};
use std::{pin::pin, time::Duration};

fn job(number: u8) -> JobId {
    JobId::from_bytes([number; 16])
}

fn runner(number: u8) -> RunnerId {
    RunnerId::from_bytes([number; 16])
}

async fn explain(user: &Caller, number: u8) -> Explanation {
    Client::new(user.clone()).explain(job(number), None).await.unwrap()
}

/// What keeps the job from each runner of its first pool.
async fn obstacles(user: &Caller, number: u8) -> Vec<Option<Obstacle>> {
    let explanation = explain(user, number).await;
    explanation.pools[0].runners.iter().map(|runner| runner.obstacle.clone()).collect()
}

async fn wanting(user: &Caller, number: u8, label: &str) {
    let options = JobOptions { wanted: [label.to_owned()].into(), ..JobOptions::default() };
    submit_with(user, number, options).await;
}

#[tokio::test]
async fn the_first_thing_that_keeps_a_job_from_a_runner_is_told() {
    let control = control().await;
    let user = user(&control);
    wanting(&user, 1, "gpu").await;
    let none = explain(&user, 1).await;
    assert_eq!((none.pools[0].runners.len(), none.obstacle.clone()), (0, None));
    assert_eq!(none.advice(), "its pool has no runner: start one");

    let mut hand = Hand::new(&control, 1);
    hand.next.free = 0;
    hand.sync().await;
    assert_eq!(obstacles(&user, 1).await, [Some(Obstacle::Wanted { label: "gpu".into() })]);
    let pinned = JobOptions { runner: Some(runner(7)), ..JobOptions::default() };
    submit_with(&user, 2, pinned).await;
    assert_eq!(obstacles(&user, 2).await, [Some(Obstacle::Pinned { to: runner(7) })]);
    submit(&user, 3).await;
    assert_eq!(obstacles(&user, 3).await, [Some(Obstacle::Full)]);
    hand.next.intent = runners_core::Mode::Drain;
    hand.sync().await;
    assert_eq!(obstacles(&user, 3).await, [Some(Obstacle::Draining)]);
}

#[tokio::test]
async fn a_job_is_told_its_turn_and_then_that_it_is_granted() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    hand.next.free = 0;
    hand.sync().await;
    for number in 1..=3 {
        submit_with(&user, number, JobOptions { priority: 100 - number, ..JobOptions::default() }).await;
    }
    let last = explain(&user, 3).await;
    assert_eq!(last.pools[0].position, Some(Position { ahead: 2, exact: true }));
    hand.next.free = 1;
    let answer = hand.sync().await;
    assert_eq!(answer.offers[0].token.job, job(1), "the one with nobody ahead");
    let token = hand.hold(&answer)[0];
    assert_eq!(explain(&user, 1).await.obstacle, Some(JobObstacle::Granted));
    hand.finish(token, Outcome::Passed, None);
    hand.next.free = 0;
    hand.sync().await;
    assert_eq!(explain(&user, 1).await.obstacle, Some(JobObstacle::Concluded));
    assert_eq!(explain(&user, 3).await.pools[0].position, Some(Position { ahead: 1, exact: true }));
}

#[tokio::test]
async fn a_job_that_a_limit_holds_back_is_told_which() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    hand.next.park_for = Duration::from_secs(20);
    let site = || JobOptions { concurrency: vec![Concurrency::new("site", 1)], ..JobOptions::default() };
    {
        let mut parked = pin!(hand.sync());
        assert!(poll!(&mut parked).is_pending());
        submit_with(&user, 1, site()).await;
        assert_eq!(parked.await.offers.len(), 1);
    }
    submit_with(&user, 2, site()).await;
    let held = explain(&user, 2).await;
    assert_eq!(held.obstacle, Some(JobObstacle::Concurrency { key: "site".into(), max: 1 }));
    assert_eq!(held.pools[0].position, None);
    assert!(held.advice().contains("\"site\""), "{}", held.advice());
}

async fn with_two_pools() -> ControlPlane {
    let control = control().await;
    control.create_pool(TenantId::DEFAULT, "other").await.unwrap();
    control
}

#[tokio::test]
async fn a_job_is_told_when_its_next_pool_opens_and_which_runner_was_removed() {
    let control = with_two_pools().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    hand.sync().await;
    let fallbacks = vec![Fallback::new("other", Duration::from_secs(3600))];
    let options = JobOptions { fallbacks, runner: Some(runner(9)), ..JobOptions::default() };
    submit_with(&user, 1, options).await;
    let explanation = explain(&user, 1).await;
    assert_eq!(explanation.pools.len(), 2);
    assert!(explanation.pools[0].opens_at.is_none() && explanation.pools[1].opens_at.is_some());
    assert_eq!(obstacles(&user, 1).await, [Some(Obstacle::Pinned { to: runner(9) })]);
    let operator = control.management(Principal::Operator).within(TenantId::DEFAULT).unwrap();
    operator.remove_runner(runner(1)).await.unwrap();
    assert_eq!(obstacles(&user, 1).await, [], "one that was removed is not told of");
    assert!(Client::new(user.clone()).explain(job(8), None).await.is_err());
}
