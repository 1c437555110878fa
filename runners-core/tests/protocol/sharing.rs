//! How jobs share runners: limits on how many run at once, turns, and further pools. Time is
//! tokio's, paused.

use super::hand::{Hand, inspect, submit_with, user};
use futures::poll;
use runners_core::{
    Caller, Clock as _, Concurrency, ControlPlane, Fairness, Fallback, JobId, JobOptions, Key, Kind,
    MemoryStore, Outcome, TenantId, Transport as _,
    protocol::{Acceptance, CancelRequest, CancelTarget, RefusalCode, Request, StateView},
    sleep,
    store::{Page, Query, Store as _},
    testing::{clock::SimClock, random::SeededRandom},
};
use std::{pin::pin, time::Duration};

const LONG: Duration = Duration::from_secs(20);

struct World {
    clock: SimClock,
    store: MemoryStore,
    control: ControlPlane,
    user: Caller,
}

impl World {
    async fn new() -> Self {
        let (clock, store) = (SimClock::new(), MemoryStore::default());
        let control = start(&clock, &store).await;
        Self { user: user(&control), clock, store, control }
    }

    /// What every counter stands at that is not nothing.
    async fn counters(&self) -> Vec<i64> {
        let prefix = Key::new(TenantId::DEFAULT, Kind::Limit, Vec::new());
        match self.store.scan(Query::Counters { prefix, limit: 100 }).await.unwrap() {
            Page::Counters(counters) => counters.into_iter().map(|(_, count)| count).collect(),
            other => panic!("expected counters, got {other:?}"),
        }
    }

    async fn submit(&self, number: u8, options: JobOptions) {
        let acceptance = submit_with(&self.user, number, options).await;
        assert_eq!(acceptance, Acceptance::Accepted(job(number)));
        sleep(&self.clock, Duration::from_millis(1)).await;
    }
}

async fn start(clock: &SimClock, store: &MemoryStore) -> ControlPlane {
    let builder = ControlPlane::builder(store.clone()).clock(clock.clone()).random(SeededRandom::new(7));
    builder.start().await.unwrap()
}

fn job(number: u8) -> JobId {
    JobId::from_bytes([number; 16])
}

fn site(max: u32) -> JobOptions {
    JobOptions { concurrency: vec![Concurrency::new("site", max)], ..JobOptions::default() }
}

#[tokio::test(start_paused = true)]
async fn a_concurrency_limit_holds_over_runners_and_blocks_no_other_job() {
    let world = World::new().await;
    let (mut one, mut two) = (Hand::new(&world.control, 1), Hand::new(&world.control, 2));
    one.next.park_for = LONG;
    world.submit(1, site(1)).await;
    world.submit(2, site(1)).await;
    world.submit(3, JobOptions { priority: 1, ..JobOptions::default() }).await;
    let first = one.sync().await;
    let tokens = one.hold(&first);
    let mut granted: Vec<JobId> = tokens.iter().map(|token| token.job).collect();
    if granted.len() == 1 {
        let second = one.sync().await;
        granted.extend(one.hold(&second).iter().map(|token| token.job));
    }
    granted.sort();
    assert_eq!(granted, [job(1), job(3)], "the second of the site waits, the one behind it does not");
    assert_eq!(world.counters().await, [1]);
    two.next.park_for = LONG;
    let mut parked = pin!(two.sync());
    assert!(poll!(&mut parked).is_pending());
    let token = one.next.held.iter().find(|held| held.token.job == job(1)).unwrap().token;
    one.finish(token, Outcome::Passed, None);
    one.next.free = 0;
    one.sync().await;
    assert_eq!(parked.await.offers[0].token.job, job(2), "it was woken, and did not poll");
    assert_eq!(world.counters().await, [1]);
}

#[tokio::test(start_paused = true)]
async fn a_limit_is_given_back_by_whatever_ends_a_grant() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.control, 1);
    hand.next.park_for = Duration::from_secs(5);
    world.submit(1, site(1)).await;
    let token = hand.sync().await.offers[0].token;
    hand.next.declined = vec![runners_core::protocol::Declined { token, why: "busy".to_owned() }];
    hand.next.free = 0;
    hand.sync().await;
    assert_eq!(world.counters().await, [0i64; 0], "declined");

    hand.next.declined.clear();
    hand.next.free = 1;
    let answer = hand.sync().await;
    hand.hold(&answer);
    hand.sync().await;
    assert_eq!(world.counters().await, [1]);
    hand.next.held.clear();
    hand.next.free = 0;
    hand.sync().await;
    assert_eq!(world.counters().await, [0i64; 0], "lost");

    hand.next.free = 1;
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.finish(token, Outcome::Passed, None);
    hand.next.free = 0;
    hand.sync().await;
    assert_eq!(world.counters().await, [0i64; 0], "finished");

    world.submit(2, site(1)).await;
    hand.next.finishes.clear();
    hand.next.free = 1;
    assert_eq!(hand.sync().await.offers.len(), 1);
    let target = CancelTarget::Job(job(2));
    world.user.call(Request::Cancel(CancelRequest { target })).await.unwrap();
    assert_eq!(world.counters().await, [0i64; 0], "cancelled");
}

#[tokio::test(start_paused = true)]
async fn a_limit_holds_after_a_restart_and_on_another_control_plane() {
    let world = World::new().await;
    let mut one = Hand::new(&world.control, 1);
    one.next.park_for = Duration::from_secs(1);
    world.submit(1, site(1)).await;
    world.submit(2, site(1)).await;
    let answer = one.sync().await;
    assert_eq!(one.hold(&answer).len(), 1);
    one.sync().await;
    let other = start(&world.clock, &world.store).await;
    let mut two = Hand::new(&other, 2);
    two.next.park_for = LONG;
    let mut parked = pin!(two.sync());
    assert!(poll!(&mut parked).is_pending());
    let token = one.next.held[0].token;
    one.finish(token, Outcome::Passed, None);
    one.next.free = 0;
    one.sync().await;
    assert_eq!(parked.await.offers[0].token.job, job(2));
}

#[tokio::test(start_paused = true)]
async fn keys_take_turns_by_what_they_have_running() {
    let world = World::new().await;
    let fair = |key: &str| JobOptions { fairness: Some(Fairness::new(key)), ..JobOptions::default() };
    let mut hand = Hand::new(&world.control, 1);
    hand.next.free = 1;
    for number in 1..=3 {
        world.submit(number, fair("one")).await;
    }
    world.submit(9, fair("two")).await;
    let mut granted = Vec::new();
    for _ in 0..3 {
        hand.next.free = 1;
        let answer = hand.sync().await;
        granted.extend(hand.hold(&answer).iter().map(|token| token.job));
    }
    assert_eq!(granted, [job(1), job(9), job(2)]);
    let mut counters = world.counters().await;
    counters.sort_unstable();
    assert_eq!(counters, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_job_falls_back_to_the_next_pool_once_it_has_waited() {
    let world = World::new().await;
    let other = world.control.create_pool(TenantId::DEFAULT, "other").await.unwrap();
    let mut late = Hand::in_pool(&world.control, 2, other);
    late.next.park_for = LONG;
    let fallbacks = vec![Fallback::new("other", Duration::from_secs(7))];
    let options = JobOptions { fallbacks, fairness: Some(Fairness::new("one")), ..JobOptions::default() };
    let from = world.clock.wall();
    let answer = {
        let mut parked = pin!(late.sync());
        assert!(poll!(&mut parked).is_pending());
        world.submit(1, options.clone()).await;
        assert!(poll!(&mut parked).is_pending(), "the first pool is waited for");
        parked.await
    };
    assert_eq!(answer.offers.len(), 1);
    let waited = world.clock.wall().since(from);
    assert!(waited >= Duration::from_secs(7) && waited < Duration::from_millis(7_200), "{waited:?}");
    let token = late.hold(&answer)[0];
    late.sync().await;
    late.finish(token, Outcome::Passed, None);
    late.next.free = 0;
    late.sync().await;
    assert_eq!(world.counters().await, [0i64; 0], "what it counted in was that of the other pool");

    world.submit(2, options).await;
    let mut first = Hand::new(&world.control, 1);
    assert_eq!(first.sync().await.offers.len(), 1, "its own pool takes it at once");
}

#[tokio::test(start_paused = true)]
async fn both_pools_may_take_what_has_fallen_back_and_a_restart_forgets_nothing() {
    let world = World::new().await;
    let _ = world.control.create_pool(TenantId::DEFAULT, "other").await.unwrap();
    let fallbacks = vec![Fallback::new("other", Duration::from_secs(7))];
    world.submit(1, JobOptions { fallbacks, ..JobOptions::default() }).await;
    sleep(&world.clock, Duration::from_secs(8)).await;
    world.control.stop().await.unwrap();
    let again = start(&world.clock, &world.store).await;
    let mut first = Hand::new(&again, 1);
    first.next.park_for = LONG;
    assert_eq!(first.sync().await.offers.len(), 1);
    let StateView::Offered { .. } = inspect(&user(&again), job(1)).await.state else {
        panic!("it is offered")
    };
}

#[tokio::test(start_paused = true)]
async fn a_pool_to_fall_back_to_must_be_there() {
    let world = World::new().await;
    let fallbacks = vec![Fallback::new("nowhere", Duration::ZERO)];
    let options = JobOptions { fallbacks, ..JobOptions::default() };
    let Acceptance::Refused(refused) = submit_with(&world.user, 1, options).await else {
        panic!("there is no such pool")
    };
    assert_eq!(refused.code, RefusalCode::NotFound);
    assert!(refused.detail.starts_with("spec.fallbacks[0].pool"), "{}", refused.detail);
}
