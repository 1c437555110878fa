//! What a control plane was told of and could not read: it reads everything again until it has. What it reads
//! late undoes nothing.

use super::{
    hand::{Hand, operator, submit, user},
    management::{admin, refusal},
};
use async_trait::async_trait;
use futures::{poll, stream::BoxStream};
use runners_core::{
    ControlPlane, Feature, Index, JobId, Key, Kind, MemoryStore, Placement, PoolId, PoolSpec, RolloutSpec,
    TenantId, Transport as _,
    protocol::{InspectRequest, RefusalCode, Reply, Request},
    sleep,
    store::{Committed, Hint, Page, Query, Store, StoreError, Stored, Write},
    testing::{
        clock::SimClock,
        random::SeededRandom,
        store::{FaultyStore, StoreFaults},
    },
};
use std::{
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::Notify;

/// For how long the store cannot be read at one of two control planes.
const OUTAGE: Duration = Duration::from_secs(5);

struct World {
    clock: SimClock,
    here: ControlPlane,
    there: ControlPlane,
    /// The store as it is there.
    store: FaultyStore,
}

impl World {
    async fn new() -> Self {
        let (clock, store) = (SimClock::new(), MemoryStore::default());
        let faulty =
            FaultyStore::new(store.clone(), clock.clone(), SeededRandom::new(3), StoreFaults::none());
        let here = ControlPlane::builder(store).clock(clock.clone()).start().await.unwrap();
        let there = ControlPlane::builder(faulty.clone()).clock(clock.clone()).start().await.unwrap();
        Self { clock, here, there, store: faulty }
    }

    /// Has something happen here that the other is told of and cannot read, and waits until it can.
    async fn missed_there(&self, happens: impl Future<Output = ()>) {
        self.store.outage(OUTAGE);
        happens.await;
        sleep(&self.clock, 3 * OUTAGE).await;
    }
}

pub(crate) async fn is_suspended(control: &ControlPlane) -> bool {
    let request = Request::Inspect(InspectRequest { job: JobId::from_bytes([1; 16]) });
    let reply = user(control).call(request).await.unwrap();
    matches!(reply, Reply::Refused(refused) if refused.detail.contains("is suspended"))
}

#[tokio::test(start_paused = true)]
async fn a_suspension_that_could_not_be_read_when_it_was_told_of_is_read_later() {
    let world = World::new().await;
    for suspended in [true, false] {
        let operator = operator(&world.here);
        let suspend = operator.suspend_tenant(TenantId::DEFAULT, suspended);
        world.missed_there(async { drop(suspend.await.unwrap()) }).await;
        assert_eq!(is_suspended(&world.there).await, suspended);
    }
}

#[tokio::test(start_paused = true)]
async fn a_roll_out_that_could_not_be_read_when_it_was_told_of_is_read_later() {
    let world = World::new().await;
    let spec = RolloutSpec { self_hosted: Some(Feature::OFF), ..RolloutSpec::default() };
    world.missed_there(async { operator(&world.here).set_rollout(spec).await.unwrap() }).await;
    let refused = refusal(admin(&world.there).create_pool(PoolSpec::new("mine")).await);
    assert_eq!(refused.code, RefusalCode::Forbidden);
}

/// Which of two runners is offered a job, of which one holds another already.
async fn offered_to(control: &ControlPlane, clock: &SimClock, number: u8) -> usize {
    let mut hands = [Hand::new(control, number), Hand::new(control, number + 1)];
    submit(&user(control), number).await;
    let answer = hands[0].sync().await;
    hands[0].hold(&answer);
    // What is new is answered at once: only after that does a call park.
    for hand in &mut hands {
        hand.sync().await;
    }
    hands.iter_mut().for_each(|hand| hand.next.park_for = Duration::from_secs(20));
    let (who, answer) = {
        let [busy, idle] = &mut hands;
        let (mut busy, mut idle) = (pin!(busy.sync()), pin!(idle.sync()));
        tokio::select! {
            answer = &mut busy => panic!("{answer:?}"),
            answer = &mut idle => panic!("{answer:?}"),
            () = sleep(clock, Duration::from_secs(1)) => {}
        }
        submit(&user(control), number + 1).await;
        tokio::select! {
            answer = busy => (0, answer),
            answer = idle => (1, answer),
        }
    };
    // So that nobody else is offered it later.
    assert_eq!(hands[who].hold(&answer).len(), 1);
    hands[who].sync().await;
    who
}

#[tokio::test(start_paused = true)]
async fn how_a_pool_places_jobs_is_read_later_if_it_could_not_be_read_when_it_was_told_of() {
    let world = World::new().await;
    assert_eq!(offered_to(&world.there, &world.clock, 10).await, 1, "jobs are spread");
    let operator = operator(&world.here);
    let packed = operator.update_pool(PoolId::DEFAULT, |spec| spec.placement = Placement::Pack);
    world.missed_there(async { drop(packed.await.unwrap()) }).await;
    assert_eq!(offered_to(&world.there, &world.clock, 20).await, 0, "jobs are packed");
}

/// A store that holds back the answer to one listing of tenants.
#[derive(Clone, Debug, Default)]
struct Held {
    inner: MemoryStore,
    next: Arc<Mutex<Option<Arc<Notify>>>>,
}

#[async_trait]
impl Store for Held {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        self.inner.load(keys).await
    }

    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        let kind = Kind::Tenant.number().to_be_bytes();
        let lists_tenants = matches!(&query, Query::Range { index: Index::Listed, prefix, .. }
            if prefix.get(16..18) == Some(&kind[..]));
        let held = if lists_tenants { self.next.lock().unwrap().take() } else { None };
        let answer = self.inner.scan(query).await;
        if let Some(until) = held {
            until.notified().await;
        }
        answer
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        self.inner.commit(writes).await
    }

    fn watch(&self) -> BoxStream<'static, Hint> {
        futures::StreamExt::boxed(futures::stream::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_suspended_is_not_undone_by_what_was_read_before() {
    let store = Held::default();
    let control = ControlPlane::builder(store.clone()).clock(SimClock::new()).start().await.unwrap();
    let operator = operator(&control);
    let until = Arc::new(Notify::new());
    *store.next.lock().unwrap() = Some(Arc::clone(&until));
    let mut suspending = pin!(operator.suspend_tenant(TenantId::DEFAULT, true));
    while store.next.lock().unwrap().is_some() {
        assert!(poll!(&mut suspending).is_pending());
    }
    let releasing = operator.suspend_tenant(TenantId::DEFAULT, false);
    let release = async {
        tokio::task::yield_now().await;
        until.notify_one();
    };
    let (suspended, released, ()) = tokio::join!(suspending, releasing, release);
    suspended.unwrap();
    released.unwrap();
    assert!(!is_suspended(&control).await);
}
