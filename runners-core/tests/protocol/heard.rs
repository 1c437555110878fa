//! What a control plane does about jobs that it hears of from another on its store.

use super::hand::{Hand, inspect, submit, submit_with, user};
use async_trait::async_trait;
use futures::{poll, stream::BoxStream};
use runners_core::{
    Clock as _, Concurrency, ControlPlane, JobId, JobOptions, Key, Kind, MemoryStore, Outcome,
    protocol::StateView,
    sleep,
    store::{Committed, Hint, Page, Query, Store, StoreError, Stored, Write},
    testing::{clock::SimClock, random::SeededRandom},
};
use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

const LONG: Duration = Duration::from_secs(20);

/// A store that counts the jobs that are read by their keys.
#[derive(Clone, Debug, Default)]
struct Reads {
    inner: MemoryStore,
    jobs: Arc<AtomicUsize>,
}

impl Reads {
    fn take(&self) -> usize {
        self.jobs.swap(0, Ordering::SeqCst)
    }
}

#[async_trait]
impl Store for Reads {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        let jobs = keys.iter().filter(|key| key.kind == Kind::Job).count();
        self.jobs.fetch_add(jobs, Ordering::SeqCst);
        self.inner.load(keys).await
    }

    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        self.inner.scan(query).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        self.inner.commit(writes).await
    }

    fn watch(&self) -> BoxStream<'static, Hint> {
        self.inner.watch()
    }
}

struct World {
    clock: SimClock,
    here: ControlPlane,
    there: ControlPlane,
    /// What is read there.
    reads: Reads,
}

impl World {
    /// Two control planes that know of each other, and of the one lane that there is.
    async fn new() -> Self {
        let (clock, reads) = (SimClock::new(), Reads::default());
        let start = |store: Arc<dyn Store>, seed| {
            ControlPlane::builder(store).clock(clock.clone()).random(SeededRandom::new(seed)).start()
        };
        let here = start(Arc::new(reads.inner.clone()), 1).await.unwrap();
        let there = start(Arc::new(reads.clone()), 2).await.unwrap();
        let world = Self { clock, here, there, reads };
        for (runner, control) in [(1, &world.here), (2, &world.there)] {
            world.travel(control, runner, runner).await;
            world.pass(LONG).await;
        }
        world.reads.take();
        world
    }

    async fn pass(&self, span: Duration) {
        sleep(&self.clock, span).await;
    }

    /// Has a runner take a job that was submitted where it is, and end it.
    async fn travel(&self, control: &ControlPlane, runner: u8, job: u8) {
        submit(&user(control), job).await;
        let mut hand = Hand::new(control, runner);
        hand.next.park_for = LONG;
        let answer = hand.sync().await;
        let token = hand.hold(&answer)[0];
        hand.finish(token, Outcome::Passed, None);
        hand.next.park_for = Duration::ZERO;
        hand.next.free = 0;
        hand.sync().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_control_plane_grants_itself_is_read_by_no_other() {
    let world = World::new().await;
    for number in 10..20 {
        world.travel(&world.here, number, number).await;
    }
    world.pass(LONG).await;
    assert_eq!(world.reads.take(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_granted_where_it_became_ready_is_granted_by_another_within_moments() {
    let world = World::new().await;
    for job in 10..20 {
        let mut hand = Hand::new(&world.there, job);
        hand.next.park_for = LONG;
        let before = world.clock.boot();
        let answer = {
            let mut parked = pin!(hand.sync());
            assert!(poll!(&mut parked).is_pending());
            submit(&user(&world.here), job).await;
            parked.await
        };
        assert_eq!(answer.offers.len(), 1, "job {job}");
        let waited = world.clock.boot().since(before);
        assert!(waited <= Duration::from_millis(150), "job {job} has waited for {waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_has_granted_and_given_back_is_ready_here_again() {
    let world = World::new().await;
    let job = submit(&user(&world.here), 10).await;
    world.pass(Duration::from_secs(1)).await;
    let mut silent = Hand::new(&world.here, 3);
    silent.next.park_for = LONG;
    assert_eq!(silent.sync().await.offers.len(), 1);
    let mut hand = Hand::new(&world.there, 4);
    assert!(hand.sync().await.offers.is_empty(), "it is not ready");
    world.pass(Duration::from_secs(20)).await;
    assert!(matches!(inspect(&user(&world.here), job).await.state, StateView::Ready { .. }));
    hand.next.park_for = LONG;
    assert_eq!(hand.sync().await.offers.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_place_under_a_limit_is_heard_of_when_it_is_taken_and_when_it_is_free_again() {
    let world = World::new().await;
    let one_at_once =
        || JobOptions { concurrency: vec![Concurrency::new("site", 1)], ..JobOptions::default() };
    let (here, there) = (user(&world.here), user(&world.there));
    for round in 0..5 {
        let (first, second) = (10 + 2 * round, 11 + 2 * round);
        submit_with(&here, first, one_at_once()).await;
        let mut hand = Hand::new(&world.here, first);
        hand.next.park_for = LONG;
        let answer = hand.sync().await;
        let token = hand.hold(&answer)[0];
        hand.next.park_for = Duration::ZERO;
        hand.sync().await;
        submit_with(&there, second, one_at_once()).await;
        let mut other = Hand::new(&world.there, second);
        other.next.park_for = LONG;
        assert!(other.sync().await.offers.is_empty(), "round {round}: the place is taken");
        hand.finish(token, Outcome::Passed, None);
        hand.next.free = 0;
        let before = world.clock.boot();
        let answer = {
            let mut parked = pin!(other.sync());
            assert!(poll!(&mut parked).is_pending());
            futures::join!(hand.sync(), parked).1
        };
        assert_eq!(answer.offers.len(), 1, "round {round}");
        let waited = world.clock.boot().since(before);
        assert!(waited <= Duration::from_millis(150), "round {round}: {waited:?}");
        let token = other.hold(&answer)[0];
        other.finish(token, Outcome::Passed, None);
        (other.next.park_for, other.next.free) = (Duration::ZERO, 0);
        other.sync().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_due_of_a_control_plane_that_is_gone_is_seen_to_by_another_within_seconds() {
    // Whenever it was that the other has looked last.
    for passed in 0..10 {
        let world = World::new().await;
        world.pass(Duration::from_secs(passed)).await;
        let start_at = Some(world.clock.wall() + Duration::from_secs(1));
        submit_with(&user(&world.here), 10, JobOptions { start_at, ..JobOptions::default() }).await;
        world.here.stop().await.unwrap();
        world.pass(Duration::from_secs(4)).await;
        let job = inspect(&user(&world.there), JobId::from_bytes([10; 16])).await;
        assert!(matches!(job.state, StateView::Ready { .. }), "after {passed} s: {:?}", job.state);
    }
}
