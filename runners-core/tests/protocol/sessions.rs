//! What a control plane remembers of runners, and for how long.

use crate::hand::{Hand, operator, submit, submit_with, user};
use futures::poll;
use runners_core::{
    Clock as _, ControlPlane, JobOptions, MemoryStore, PoolId, Principal, RunnerId, TenantId, Timestamp,
    metrics::control_plane as at,
    protocol::Reply,
    sleep,
    testing::{clock::SimClock, metrics::RecordedMetrics},
};
use std::{pin::pin, time::Duration};

const TERM: Duration = Duration::from_secs(60);
/// Longer than it takes until gauges are looked at again.
const A_LOOK: Duration = Duration::from_secs(11);
/// How many runners come and go.
const RUNNERS: u32 = 10_000;
/// By when all of them have been looked at: some hundred every ten seconds.
const A_WHILE: Duration = Duration::from_secs(600);

struct World {
    clock: SimClock,
    metrics: RecordedMetrics,
    control: ControlPlane,
}

impl World {
    async fn new() -> Self {
        let (clock, metrics) = (SimClock::new(), RecordedMetrics::default());
        let builder = ControlPlane::builder(MemoryStore::default()).clock(clock.clone());
        let control = builder.term(TERM).metrics(metrics.clone()).start().await.unwrap();
        Self { clock, metrics, control }
    }

    /// How many sessions the control plane keeps for the default pool.
    async fn kept(&self) -> f64 {
        sleep(&self.clock, A_LOOK).await;
        let pool = PoolId::DEFAULT.to_string();
        let taken = self.metrics.of(&at::SESSIONS_KEPT);
        taken.iter().rfind(|one| one.attribute("pool") == Some(&pool)).expect("it was looked at").value
    }
}

fn numbered(control: &ControlPlane, number: u32) -> Hand {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    let mut hand = Hand::new(control, 1);
    hand.caller = control.caller(crate::hand::runner_principal(RunnerId::from_bytes(id)));
    hand
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_runners_that_are_gone_leave_nothing_in_memory() {
    let world = World::new().await;
    for number in 1..=RUNNERS {
        numbered(&world.control, number).sync().await;
    }
    assert_eq!(world.kept().await, f64::from(RUNNERS));
    sleep(&world.clock, TERM + A_WHILE).await;
    assert_eq!(world.kept().await, 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_session_is_kept_while_a_call_is_held_back_or_a_job_is_held() {
    let world = World::new().await;
    let mut parked = Hand::new(&world.control, 1);
    let mut holds = Hand::new(&world.control, 2);
    submit(&user(&world.control), 1).await;
    let answer = holds.sync().await;
    holds.hold(&answer);
    holds.sync().await;
    let mut gone = Hand::new(&world.control, 3);
    gone.sync().await;
    for _ in 0..12 {
        parked.next.park_for = TERM / 3;
        parked.sync().await;
        holds.sync().await;
    }
    assert_eq!(world.kept().await, 2.0);
    holds.next.free = 2;
    assert_eq!(holds.sync().await.lost, [], "nothing of what it holds was forgotten");
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_comes_back_is_known_by_what_is_stored() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.control, 1);
    hand.sync().await;
    operator(&world.control).set_slots(RunnerId::from_bytes([1; 16]), Some(1)).await.unwrap();
    sleep(&world.clock, TERM + A_WHILE).await;
    assert_eq!(world.kept().await, 0.0);
    let last = operator(&world.control).presence(&[RunnerId::from_bytes([1; 16])]).await.unwrap()[0];
    assert!(!last.online && last.synced_at.is_some_and(|at| at > Timestamp::default()));
    submit(&user(&world.control), 1).await;
    submit(&user(&world.control), 2).await;
    assert_eq!(hand.sync().await.offers.len(), 1, "its limit still holds");
}

#[tokio::test]
async fn runners_of_two_tenants_with_one_id_have_nothing_to_do_with_each_other() {
    let control = super::control().await;
    let operator = control.management(Principal::Operator);
    let other = operator.create_tenant("other").await.unwrap().id;
    let pool = operator.within(other).unwrap().create_pool(runners_core::PoolSpec::new("theirs")).await;
    let pool = pool.unwrap().id;
    let mut mine = Hand::new(&control, 1);
    let mut theirs = Hand::in_pool(&control, 1, pool);
    let runner = RunnerId::from_bytes([1; 16]);
    theirs.caller = control.caller(Principal::Runner { tenant: other, pool, runner });
    theirs.next.free = 0;
    mine.sync().await;
    theirs.sync().await;
    submit(&user(&control), 1).await;
    let answer = mine.sync().await;
    assert_eq!(mine.hold(&answer).len(), 1);
    theirs.next.incarnation.boots += 1;
    theirs.next.seq = 1;
    theirs.sync().await;
    assert!(matches!(mine.send().await, Reply::Answer(answer) if answer.lost.is_empty()));
    let presence = operator.within(TenantId::DEFAULT).unwrap().presence(&[runner]).await.unwrap();
    assert_eq!(presence[0].busy, 1);
}

#[tokio::test(start_paused = true)]
async fn a_runner_whose_call_was_cut_is_soon_offline_and_is_let_go_of() {
    let world = World::new().await;
    let (mut hand, runner) = (Hand::new(&world.control, 1), RunnerId::from_bytes([1; 16]));
    hand.next.park_for = TERM;
    {
        let mut parked = pin!(hand.sync());
        assert!(poll!(&mut parked).is_pending());
        let seen = operator(&world.control).presence(&[runner]).await.unwrap()[0];
        assert!(seen.online && seen.free > 0, "{seen:?}");
    }
    sleep(&world.clock, TERM / 3 + Duration::from_secs(1)).await;
    let seen = operator(&world.control).presence(&[runner]).await.unwrap()[0];
    assert!(!seen.online, "{seen:?}");
    assert_eq!(operator(&world.control).fleet_summary().await.unwrap().pools[0].online, 0);
    sleep(&world.clock, TERM + A_WHILE).await;
    assert_eq!(world.kept().await, 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_is_removed_or_revoked_while_its_call_is_held_back_is_let_go_of() {
    let world = World::new().await;
    let operator = operator(&world.control);
    let mut hands = [Hand::new(&world.control, 1), Hand::new(&world.control, 2)];
    hands.iter_mut().for_each(|hand| hand.next.park_for = TERM / 3);
    {
        let [removed, revoked] = &mut hands;
        let (mut removed, mut revoked) = (pin!(removed.send()), pin!(revoked.send()));
        assert!(poll!(&mut removed).is_pending() && poll!(&mut revoked).is_pending());
        operator.remove_runner(RunnerId::from_bytes([1; 16])).await.unwrap();
        operator.revoke_runner_credentials(RunnerId::from_bytes([2; 16])).await.unwrap();
        assert!(matches!(removed.await, Reply::Refused(_)));
        assert!(matches!(revoked.await, Reply::Superseded(_)));
    }
    assert_eq!(operator.fleet_summary().await.unwrap().pools[0].online, 0);
    sleep(&world.clock, TERM + A_WHILE).await;
    assert_eq!(world.kept().await, 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_job_wakes_nobody_whose_credentials_were_revoked() {
    let world = World::new().await;
    let user = user(&world.control);
    let (mut revoked, mut other) = (Hand::new(&world.control, 1), Hand::new(&world.control, 2));
    (revoked.next.park_for, other.next.park_for) = (TERM / 3, TERM / 3);
    let mut waits = pin!(other.sync());
    {
        let mut parked = pin!(revoked.send());
        assert!(poll!(&mut parked).is_pending() && poll!(&mut waits).is_pending());
        let operator = operator(&world.control);
        operator.revoke_runner_credentials(RunnerId::from_bytes([1; 16])).await.unwrap();
        assert!(matches!(parked.await, Reply::Superseded(_)));
    }
    let start_at = Some(world.clock.wall() + Duration::from_secs(2));
    submit_with(&user, 1, JobOptions { start_at, ..JobOptions::default() }).await;
    tokio::select! {
        answer = waits => assert_eq!(answer.offers.len(), 1),
        () = sleep(&world.clock, Duration::from_secs(4)) => panic!("nobody was woken for it"),
    }
}
