//! Who is there and how many there should be, as autoscalers and people are told.

use super::hand::{Hand, operator, submit, user};
use runners_core::{
    Caller, ControlPlane, Facts, MemoryStore, PoolSummary, Presence, RunnerId, testing::clock::SimClock,
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
