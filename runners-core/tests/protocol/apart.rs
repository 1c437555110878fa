//! Control planes that share a store and its clock: what each tells is read by all.

use super::{
    hand::{submit, user},
    management::admin,
};
use runners_core::{
    ControlPlane, EventCursor, EventsOf, JobId, MemoryStore, sleep,
    testing::{
        clock::SimClock,
        random::SeededRandom,
        store::{FaultyStore, StoreFaults},
    },
};
use std::{collections::BTreeSet, time::Duration};

/// Longer than anything that is told stays unread because it may not be all.
const LONG: Duration = Duration::from_secs(30);

/// A store with a clock of its own, as a server has one.
fn shared(store: &MemoryStore, clock: &SimClock) -> FaultyStore {
    let faulty = FaultyStore::new(store.clone(), clock.clone(), SeededRandom::new(3), StoreFaults::none());
    faulty.with_clock(clock.clone())
}

/// Which jobs something was told of.
async fn told(control: &ControlPlane) -> BTreeSet<JobId> {
    let page = admin(control).events(EventsOf::Tenant, EventCursor::START, Duration::ZERO).await.unwrap();
    page.events.iter().filter_map(|(_, event)| event.job).collect()
}

#[tokio::test(start_paused = true)]
async fn control_planes_whose_ids_end_alike_tell_at_numbers_of_their_own() {
    let clock = SimClock::new();
    let store = shared(&MemoryStore::default(), &clock);
    let mut planes = Vec::new();
    for _ in 0..2 {
        let builder = ControlPlane::builder(store.clone()).clock(clock.clone());
        planes.push(builder.random(SeededRandom::new(7)).start().await.unwrap());
        // Ids begin with the time.
        sleep(&clock, Duration::from_millis(1)).await;
    }
    let mut jobs = BTreeSet::new();
    for (number, plane) in (1..).zip(&planes) {
        jobs.insert(submit(&user(plane), number).await);
    }
    sleep(&clock, LONG).await;
    for plane in &planes {
        assert_eq!(told(plane).await, jobs);
    }
}
