//! What is known of a runner over its starts: crash loops, facts, and when it last spoke.

use super::hand::{Hand, operator, runner_principal_of, submit, user};
use runners_core::{Clock as _, ControlPlane, MemoryStore, RunnerId, sleep, testing::clock::SimClock};
use std::time::Duration;

const RUNNER: RunnerId = RunnerId::from_bytes([1; 16]);

async fn control(clock: &SimClock, store: &MemoryStore) -> ControlPlane {
    ControlPlane::builder(store.clone()).clock(clock.clone()).start().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_starts_again_and_again_is_held_back_for_a_while() {
    let (clock, store) = (SimClock::new(), MemoryStore::default());
    let control = control(&clock, &store).await;
    let mut hand = Hand::new(&control, 1);
    hand.sync().await;
    for _ in 0..2 {
        sleep(&clock, Duration::from_secs(5)).await;
        hand = hand.restarted();
        hand.sync().await;
    }
    submit(&user(&control), 1).await;
    assert!(hand.sync().await.offers.is_empty());
    let presence = operator(&control).presence(&[RUNNER]).await.unwrap()[0];
    let until = presence.held_back_until.unwrap();
    assert_eq!(until.since(clock.wall()), Duration::from_secs(30));
    assert_eq!(presence.free, 0);

    let mut other = Hand::new(&control, 2);
    submit(&user(&control), 2).await;
    assert_eq!(other.sync().await.offers.len(), 2, "others are not");

    submit(&user(&control), 3).await;
    for _ in 0..2 {
        hand.next.park_for = Duration::from_secs(20);
        if !hand.sync().await.offers.is_empty() {
            break;
        }
    }
    assert!(clock.wall() >= until, "it is lifted by itself");
    assert!(clock.wall().since(until) < Duration::from_millis(100), "and at once");
}

#[tokio::test(start_paused = true)]
async fn facts_are_kept_over_a_restart_and_are_not_asked_for_again() {
    let (clock, store) = (SimClock::new(), MemoryStore::default());
    let first = control(&clock, &store).await;
    let mut hand = Hand::new(&first, 1);
    let facts = hand.next.facts.as_mut().unwrap();
    facts.browsers.insert("chromium".into(), "131.0".into());
    facts.renderers.insert("chromium".into(), "llvmpipe".into());
    facts.clock_drift_ms = Some(-4000);
    facts.kernel = "6.1".into();
    hand.next.facts_digest = facts.digest();
    hand.sync().await;
    hand.next.facts = None;
    assert!(!hand.sync().await.send_facts);
    let seen_at = clock.wall();
    first.stop().await.unwrap();
    sleep(&clock, Duration::from_secs(60)).await;

    let second = control(&clock, &store).await;
    let admin = operator(&second);
    let kept = admin.runner(RUNNER).await.unwrap().facts.unwrap();
    assert_eq!((kept.kernel.as_str(), kept.browsers["chromium"].as_str()), ("6.1", "131.0"));
    assert_eq!((kept.renderers["chromium"].as_str(), kept.clock_drift_ms), ("llvmpipe", Some(-4000)));
    let presence = admin.presence(&[RUNNER]).await.unwrap()[0];
    assert_eq!((presence.online, presence.synced_at), (false, Some(seen_at)));
    assert_eq!(presence.incarnation, Some(hand.next.incarnation));
    hand.caller = second.caller(runner_principal_of(1));
    submit(&user(&second), 1).await;
    let answer = hand.sync().await;
    assert_eq!((answer.send_facts, answer.offers.len()), (false, 1));
    hand.next.facts_digest = runners_core::Digest::of(b"others");
    assert!(hand.sync().await.send_facts, "what is not known is asked for");
}
