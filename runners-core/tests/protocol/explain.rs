//! Why a job is where it is, as a client is told.

use super::{
    control,
    hand::{Hand, inspect, operator, submit, submit_with, user},
};
use futures::poll;
use runners_core::{
    Caller, Client, Clock as _, Conclusion, Concurrency, ControlPlane, Fallback, JobId, JobOptions,
    MemoryStore, Outcome, PoolId, PoolSpec, Principal, RunnerId, TenantId, Timestamp, Transport as _,
    protocol::{
        Acceptance, Explanation, JobObstacle, Obstacle, PoolObstacle, Position, RefusalCode, Reply, Request,
        WaitRequest,
    },
    testing::clock::SimClock,
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

fn errored(view: &runners_core::protocol::JobView) -> Option<&str> {
    assert_eq!(view.conclusion(), Some(Conclusion::Errored), "{view:?}");
    view.fault().map(|fault| fault.code.as_str())
}

#[tokio::test]
async fn a_job_that_is_pinned_to_a_runner_ends_when_the_runner_is_removed_and_no_other_is_accepted() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    hand.next.free = 0;
    hand.sync().await;
    let pinned = || JobOptions { runner: Some(runner(1)), ..JobOptions::default() };
    let later = Timestamp::from_millis(u64::MAX / 4);
    submit_with(&user, 1, pinned()).await;
    submit(&user, 2).await;
    submit_with(&user, 3, JobOptions { start_at: Some(later), ..pinned() }).await;
    operator(&control).remove_runner(runner(1)).await.unwrap();
    let view = inspect(&user, job(1)).await;
    assert_eq!(errored(&view), Some("runner_removed"));
    assert!(view.attempts.is_empty() && view.fault().unwrap().message.contains(&runner(1).to_string()));
    assert_eq!(inspect(&user, job(2)).await.conclusion(), None, "anybody may take that one");

    let waits = operator(&control).explain(job(3), None).await.unwrap();
    assert_eq!(waits.obstacle, Some(JobObstacle::RunnerRemoved { runner: runner(1) }));
    assert!(waits.advice().contains("submit it without the pin"), "{}", waits.advice());
    match submit_with(&user, 4, pinned()).await {
        Acceptance::Refused(refused) => {
            assert_eq!(refused.code, RefusalCode::NotFound);
            assert!(refused.detail.starts_with("spec.runner: "), "{refused:?}");
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
    let other = JobOptions { runner: Some(runner(9)), ..JobOptions::default() };
    assert!(matches!(submit_with(&user, 5, other).await, Acceptance::Accepted(_)), "it may yet come");
}

#[tokio::test]
async fn a_job_that_is_pinned_to_a_runner_of_no_pool_of_it_is_told_so() {
    let control = control().await;
    let (user, operator) = (user(&control), operator(&control));
    let lab = operator.create_pool(PoolSpec::new("lab")).await.unwrap().id;
    let elsewhere = operator.register_runner(lab, "elsewhere").await.unwrap().view.id;
    let pinned = |runner| JobOptions { runner: Some(runner), ..JobOptions::default() };
    let nowhere = |explanation: &Explanation| match &explanation.obstacle {
        Some(JobObstacle::RunnerNotInPools { runner }) => Some(*runner),
        _ => None,
    };
    for (number, runner) in [(1, runner(1)), (2, elsewhere)] {
        submit_with(&user, number, pinned(runner)).await;
        let explained = operator.explain(job(number), None).await.unwrap();
        assert_eq!(nowhere(&explained), Some(runner), "{explained:?}");
        let advice = explained.advice();
        assert!(advice.contains(&runner.to_string()) && advice.contains("without the pin"), "{advice}");
    }
    Hand::new(&control, 1).sync().await;
    let came = operator.explain(job(1), None).await.unwrap();
    assert_eq!(nowhere(&came), None, "{came:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pinned_job_that_becomes_ready_after_its_runner_was_removed_ends_then() {
    let clock = SimClock::new();
    let control = ControlPlane::builder(MemoryStore::default()).clock(clock.clone()).start().await.unwrap();
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let start_at = clock.wall() + Duration::from_secs(3600);
    let pinned = JobOptions { runner: Some(runner(1)), ..JobOptions::default() };
    submit_with(&user, 1, pinned.clone()).await;
    submit_with(&user, 2, JobOptions { start_at: Some(start_at), ..pinned }).await;
    let answer = hand.sync().await;
    hand.hold(&answer);
    hand.sync().await;
    operator(&control).remove_runner(runner(1)).await.unwrap();
    for number in [1, 2] {
        let request = WaitRequest { job: job(number), park_for: Duration::from_secs(20) };
        let mut view = inspect(&user, job(number)).await;
        while view.conclusion().is_none() {
            assert!(clock.wall() < start_at + Duration::from_secs(60), "it still waits: {view:?}");
            let Reply::Job(now) = user.call(Request::Wait(request.clone())).await.unwrap() else {
                panic!("expected a job")
            };
            view = *now;
        }
        assert_eq!(errored(&view), Some("runner_removed"));
    }
    assert_eq!(inspect(&user, job(1)).await.attempts.len(), 1, "one attempt was lost with the runner");
}

#[tokio::test]
async fn a_pool_or_a_tenant_that_is_granted_nothing_is_named() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let operator = operator(&control);
    let pool_obstacle = |explanation: &Explanation| explanation.pools[0].obstacle.clone();
    submit(&user, 1).await;
    assert_eq!(pool_obstacle(&explain(&user, 1).await), Some(PoolObstacle::Empty));
    hand.next.intent = runners_core::Mode::Drain;
    hand.sync().await;
    assert_eq!(pool_obstacle(&explain(&user, 1).await), Some(PoolObstacle::Draining));
    hand.next.intent = runners_core::Mode::Serve;

    operator.update_pool(PoolId::DEFAULT, |spec| spec.active = false).await.unwrap();
    assert!(hand.sync().await.offers.is_empty());
    let inactive = explain(&user, 1).await;
    assert_eq!(pool_obstacle(&inactive), Some(PoolObstacle::Inactive));
    assert_eq!(obstacles(&user, 1).await, [Some(Obstacle::Inactive)]);
    assert_eq!(inactive.advice(), "its pool is not active: activate it");
    operator.update_pool(PoolId::DEFAULT, |spec| spec.active = true).await.unwrap();

    let all = control.management(Principal::Operator);
    all.suspend_tenant(TenantId::DEFAULT, true).await.unwrap();
    assert!(hand.sync().await.offers.is_empty());
    let suspended = operator.explain(job(1), None).await.unwrap();
    assert_eq!(suspended.obstacle, Some(JobObstacle::Suspended));
    assert_eq!(suspended.pools[0].runners[0].obstacle, Some(Obstacle::Suspended));
    all.suspend_tenant(TenantId::DEFAULT, false).await.unwrap();
    assert_eq!(hand.sync().await.offers.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_is_held_back_is_named_and_until_when() {
    let clock = SimClock::new();
    let control = ControlPlane::builder(MemoryStore::default()).clock(clock.clone()).start().await.unwrap();
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    hand.sync().await;
    for _ in 0..2 {
        hand = hand.restarted();
        hand.sync().await;
    }
    submit(&user, 1).await;
    assert!(hand.sync().await.offers.is_empty());
    let held = explain(&user, 1).await;
    assert!(matches!(held.pools[0].runners[0].obstacle, Some(Obstacle::CrashLoop { .. })), "{held:?}");
    assert!(held.advice().contains("held back until"), "{}", held.advice());
}
