//! The control plane's side of the sync protocol, driven by hand over the in-process transport.
#![expect(clippy::unwrap_used, reason = "a test that fails to set up fails")]

mod access;
mod along;
mod apart;
mod audit;
mod bulk;
#[cfg(feature = "testing")]
mod conflicts;
mod crashing;
mod cut;
mod deregister;
mod drains;
mod events;
mod explain;
mod fleet;
mod followed;
#[cfg(feature = "testing")]
mod free;
mod hand;
mod heard;
mod hosted;
mod images;
mod jobs;
#[cfg(feature = "testing")]
mod lanes;
mod late;
mod library;
#[cfg(feature = "testing")]
mod live;
mod logs;
mod management;
#[cfg(feature = "testing")]
mod measures;
mod moves;
mod parked;
mod planes;
mod pools;
mod quota;
#[cfg(feature = "testing")]
mod readiness;
mod reaped;
mod recorded;
mod repeats;
mod retention;
#[cfg(feature = "testing")]
mod run_feed;
mod runs;
#[cfg(feature = "testing")]
mod sessions;
#[cfg(feature = "testing")]
mod sharing;
mod signals;
#[cfg(feature = "testing")]
mod spans;
mod starts;
mod tenants;
mod time;
mod timeouts;
mod tokens;
mod troubled;
mod twice;
mod unheard;
mod unique;
mod unreadable;
mod upkeep;
mod webhook_lines;
mod webhooks;
mod wishes;

use hand::{Hand, inspect, submit, submit_with, user};
use runners_core::{
    Conclusion, ControlPlane, JobOptions, MemoryStore, Outcome,
    protocol::{Acceptance, Reply, StateView},
};

async fn control() -> ControlPlane {
    ControlPlane::builder(MemoryStore::default()).start().await.unwrap()
}

#[tokio::test]
async fn a_job_travels_from_submit_to_its_conclusion() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let job = submit(&user, 7).await;
    let answer = hand.sync().await;
    let token = hand.hold(&answer)[0];
    assert_eq!((token.job, token.grant, answer.offers[0].attempt), (job, 1, 1));
    assert!(matches!(inspect(&user, job).await.state, StateView::Offered { .. }));

    let confirmed = hand.sync().await;
    assert!(confirmed.term.is_some());
    assert!(matches!(inspect(&user, job).await.state, StateView::Running { attempt: 1, .. }));

    hand.finish(token, Outcome::Passed, Some("42"));
    assert_eq!(hand.sync().await.recorded, [token]);
    let view = inspect(&user, job).await;
    assert_eq!(view.conclusion(), Some(Conclusion::Passed));
    assert_eq!(view.result.unwrap().as_bytes().as_ref(), b"42");
    control.stop().await.unwrap();
}

#[tokio::test]
async fn a_repeated_submit_is_the_same_job_and_another_body_is_told() {
    let control = control().await;
    let user = user(&control);
    let job = submit(&user, 7).await;
    assert_eq!(submit_with(&user, 7, JobOptions::default()).await, Acceptance::Repeated(job));
    let other = JobOptions { priority: 7, ..JobOptions::default() };
    assert!(matches!(submit_with(&user, 7, other).await, Acceptance::Refused(_)));
}

#[tokio::test]
async fn a_larger_incarnation_displaces_the_smaller_and_releases_what_it_held() {
    let control = control().await;
    let (user, mut old) = (user(&control), Hand::new(&control, 1));
    let job = submit(&user, 7).await;
    let answer = old.sync().await;
    let token = old.hold(&answer)[0];
    old.sync().await;

    let mut new = old.restarted();
    new.next.free = 2;
    new.sync().await;
    let view = inspect(&user, job).await;
    assert_eq!(view.attempts[0].outcome, Outcome::Lost);
    old.finish(token, Outcome::Passed, None);
    assert_eq!(old.send().await, Reply::Displaced);
}

#[tokio::test]
async fn a_finish_left_in_the_spool_is_applied_before_the_leases_are_released() {
    let control = control().await;
    let (user, mut old) = (user(&control), Hand::new(&control, 1));
    let job = submit(&user, 7).await;
    let answer = old.sync().await;
    let token = old.hold(&answer)[0];
    old.sync().await;

    let mut new = old.restarted();
    new.finish(token, Outcome::Passed, Some("1"));
    new.next.free = 2;
    assert_eq!(new.sync().await.recorded, [token]);
    let view = inspect(&user, job).await;
    assert_eq!((view.conclusion(), view.attempts.len()), (Some(Conclusion::Passed), 1));
}

#[tokio::test]
async fn a_running_job_that_is_no_longer_listed_is_lost_at_once() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    let job = submit(&user, 7).await;
    let answer = hand.sync().await;
    hand.hold(&answer);
    hand.sync().await;
    hand.next.held.clear();
    hand.sync().await;
    assert_eq!(inspect(&user, job).await.attempts[0].outcome, Outcome::Lost);
}

#[tokio::test]
async fn an_offer_that_was_not_heard_of_is_made_again_under_the_same_grant() {
    let control = control().await;
    let (user, mut hand) = (user(&control), Hand::new(&control, 1));
    submit(&user, 7).await;
    let first = hand.sync().await.offers[0].token;
    let again = hand.sync().await.offers[0].token;
    assert_eq!(first, again);
}
