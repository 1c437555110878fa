//! Who is there and how many there should be, as autoscalers and people are told.

use super::hand::{Hand, inspect, operator, submit, user};
use runners_core::{
    Caller, Client, ControlPlane, Drain, Facts, JobId, MemoryStore, Mode, Outcome, PoolSummary, Presence,
    RunnerId, RunnerState,
    protocol::{Obstacle, PoolObstacle},
    sleep,
    testing::clock::SimClock,
};
use std::time::Duration;

const TERM: Duration = Duration::from_secs(180);

struct World {
    clock: SimClock,
    control: ControlPlane,
    user: Caller,
}

impl World {
    async fn new() -> Self {
        let (clock, store) = (SimClock::new(), MemoryStore::default());
        let control = ControlPlane::builder(store).clock(clock.clone()).term(TERM).start().await.unwrap();
        Self { user: user(&control), clock, control }
    }

    /// A runner that says that it has so many slots.
    fn hand(&self, number: u8, slots: u32) -> Hand {
        let mut hand = Hand::new(&self.control, number);
        let facts = hand.next.facts.as_mut().unwrap();
        facts.slots = slots;
        hand.next.facts_digest = facts.digest();
        hand.next.free = slots;
        hand
    }

    async fn pool(&self) -> PoolSummary {
        operator(&self.control).fleet_summary().await.unwrap().pools.remove(0)
    }

    async fn presence(&self, number: u8) -> Presence {
        operator(&self.control).presence(&[runner(number)]).await.unwrap()[0]
    }

    async fn state(&self, number: u8) -> RunnerState {
        let desired = operator(&self.control).runner(runner(number)).await.unwrap().desired.mode;
        self.presence(number).await.state(desired)
    }
}

const fn runner(number: u8) -> RunnerId {
    RunnerId::from_bytes([number; 16])
}

#[tokio::test(start_paused = true)]
async fn what_a_runner_states_of_its_slots_is_bounded() {
    let world = World::new().await;
    for number in 1..=3 {
        let mut hand = world.hand(number, u32::MAX);
        hand.sync().await;
        submit(&world.user, number).await;
        let answer = hand.sync().await;
        hand.hold(&answer);
        hand.next.free = u32::MAX;
        hand.sync().await;
    }
    let pool = world.pool().await;
    assert_eq!((pool.online, pool.slots_busy, pool.desired), (3, 3, 1));
    assert_eq!(pool.slots_free, 3 * Facts::SLOTS_MAX);
    assert_eq!(world.presence(1).await.slots, Facts::SLOTS_MAX);
}

#[tokio::test(start_paused = true)]
async fn a_pool_is_sized_by_the_runners_that_serve() {
    let world = World::new().await;
    let (mut serves, mut drains) = (world.hand(1, 4), world.hand(2, 4));
    (drains.next.intent, drains.next.free) = (Mode::Drain, 0);
    serves.sync().await;
    drains.sync().await;
    let limited = runner(3);
    world.hand(3, 4).sync().await;
    operator(&world.control).set_slots(limited, Some(0)).await.unwrap();
    for number in 1..=8 {
        submit(&world.user, number).await;
    }
    let pool = world.pool().await;
    assert_eq!((pool.queued, pool.online, pool.desired), (8, 3, 2));
    assert_eq!((pool.idle, pool.draining), (1, 1), "one that may hold nothing would take nothing");
    assert_eq!((world.presence(2).await.slots, world.presence(3).await.slots), (4, 0));

    serves.next.intent = Mode::Drain;
    serves.next.free = 0;
    serves.sync().await;
    assert_eq!(world.pool().await.desired, 2, "that all drain makes them no smaller");
}

#[tokio::test(start_paused = true)]
async fn how_large_a_runner_is_is_told_while_it_is_away() {
    let world = World::new().await;
    world.hand(1, 4).sync().await;
    world.hand(2, 4).sync().await;
    operator(&world.control).set_slots(runner(2), Some(3)).await.unwrap();
    sleep(&world.clock, 2 * TERM).await;
    for (number, slots) in [(1, 4), (2, 3)] {
        let presence = world.presence(number).await;
        assert_eq!((presence.online, presence.slots, presence.free), (false, slots, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_is_resumed_has_not_drained() {
    let world = World::new().await;
    let mut hand = world.hand(1, 2);
    hand.sync().await;
    let operator = operator(&world.control);
    operator.drain_runner(runner(1), &Drain::default()).await.unwrap();
    hand.next.intent = Mode::Drain;
    hand.sync().await;
    assert!(world.presence(1).await.drained);
    operator.resume_runner(runner(1)).await.unwrap();
    hand.next.intent = Mode::Serve;
    hand.sync().await;
    assert!(!world.presence(1).await.drained);
    sleep(&world.clock, 2 * TERM).await;
    assert!(!world.presence(1).await.drained, "nor once it is away");
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_has_left_is_offline_at_once() {
    let world = World::new().await;
    let mut hand = world.hand(1, 1);
    submit(&world.user, 1).await;
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.next.intent = Mode::Leave;
    assert!(hand.sync().await.no_more);
    assert_eq!(world.state(1).await, RunnerState::Draining, "it holds a job");
    submit(&world.user, 2).await;

    // What it told last is recorded, and it was told that no more comes: it exits.
    hand.finish(token, Outcome::Passed, None);
    hand.next.free = 0;
    assert!(hand.sync().await.no_more);
    assert!(inspect(&world.user, token.job).await.conclusion().is_some());
    assert_eq!(world.state(1).await, RunnerState::Offline);
    let explained = Client::new(world.user.clone()).explain(JobId::from_bytes([2; 16]), None).await.unwrap();
    let pool = &explained.pools[0];
    assert_eq!((&pool.obstacle, &pool.runners[0].obstacle), (&None::<PoolObstacle>, &Some(Obstacle::Absent)));
    assert_eq!(explained.advice(), "a runner that is not here may take it: start it");

    hand.next.finishes.clear();
    hand.sync().await;
    (hand.next.intent, hand.next.free) = (Mode::Serve, 1);
    assert_eq!(hand.sync().await.offers.len(), 1);
    assert_eq!(world.state(1).await, RunnerState::Online, "it is there after all");
}
