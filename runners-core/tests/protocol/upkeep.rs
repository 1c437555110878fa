//! What may wait, and what it keeps waiting. Time is tokio's, paused.

use super::{
    crashing::World,
    hand::{Hand, submit, user},
};
use async_trait::async_trait;
use runners_core::{
    ArtifactStore as _, ControlPlane, Index, Key, Kind, MemoryStore, Outcome, TenantId,
    protocol::LogTail,
    sleep,
    store::{Committed, Page, Query, Store, StoreError, Stored, Write},
    testing::clock::SimClock,
};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

const SECOND: Duration = Duration::from_secs(1);

/// A store that tells how often it was looked for runs that may be removed, and takes as long for it as is said.
#[derive(Clone, Debug)]
struct Looked {
    inner: MemoryStore,
    clock: SimClock,
    times: Arc<AtomicUsize>,
    takes: Arc<Mutex<Duration>>,
}

#[async_trait]
impl Store for Looked {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        self.inner.load(keys).await
    }
    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        if let Query::Range { index: Index::Listed, prefix, .. } = &query
            && prefix.get(16..18) == Some(&Kind::Run.number().to_be_bytes()[..])
        {
            self.times.fetch_add(1, Ordering::SeqCst);
            let takes = *self.takes.lock().unwrap();
            sleep(&self.clock, takes).await;
        }
        self.inner.scan(query).await
    }
    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        self.inner.commit(writes).await
    }
}

impl Looked {
    fn new(world: &World) -> Self {
        let (inner, clock) = (world.store.clone(), world.clock.clone());
        Self { inner, clock, times: Arc::default(), takes: Arc::default() }
    }

    async fn control(&self, world: &World) -> ControlPlane {
        let builder = ControlPlane::builder(self.clone()).clock(world.clock.clone());
        builder.artifacts(world.artifacts.clone()).start().await.unwrap()
    }
}

/// Executes a job that logs.
async fn log(control: &ControlPlane, hand: &mut Hand, number: u8) {
    submit(&user(control), number).await;
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    hand.next.log_tails = vec![LogTail { token, offset: 0, bytes: vec![number; 3].into() }];
    hand.sync().await;
    hand.next.log_tails.clear();
    hand.finish(token, Outcome::Passed, None);
    hand.sync().await;
    hand.next.finishes.clear();
}

async fn sealed(world: &World) -> usize {
    world.artifacts.list(TenantId::DEFAULT, None, 100).await.unwrap().len()
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_sealed_has_nothing_looked_for_that_may_be_removed() {
    let world = World::new();
    let store = Looked::new(&world);
    let control = store.control(&world).await;
    let mut hand = Hand::new(&control, 1);
    for number in 1..=20 {
        log(&control, &mut hand, number).await;
        sleep(&world.clock, SECOND).await;
    }
    assert_eq!(sealed(&world).await, 20);
    let times = store.times.load(Ordering::SeqCst);
    assert!(times <= 2, "it was looked {times} times");
    sleep(&world.clock, SECOND * 180).await;
    assert!(store.times.load(Ordering::SeqCst) > times, "it is looked for now and then");
    control.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_log_does_not_wait_for_what_is_removed() {
    let world = World::new();
    let store = Looked::new(&world);
    let control = store.control(&world).await;
    let mut hand = Hand::new(&control, 1);
    log(&control, &mut hand, 1).await;
    *store.takes.lock().unwrap() = SECOND * 3600;
    // It is being looked for what may be removed now.
    sleep(&world.clock, SECOND * 100).await;
    log(&control, &mut hand, 2).await;
    sleep(&world.clock, SECOND).await;
    assert_eq!(sealed(&world).await, 2);
    control.stop().await.unwrap();
}
