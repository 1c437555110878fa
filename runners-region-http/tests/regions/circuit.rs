//! A region that fails again and again is left alone, until it says that it is back.

use crate::stage::{HandClock, Script, Scripted, call, reply};
use runners_core::orchestration::{Region as _, RegionError};
use std::time::Duration;

#[tokio::test]
async fn a_region_that_fails_again_and_again_is_left_alone_until_it_is_back() {
    let busy = || reply("503 Service Unavailable", "", "");
    let scripts = (0..5)
        .map(|_| busy())
        .chain([busy()])
        .chain([reply("200 OK", "", r#"{"runners":[]}"#), reply("200 OK", "", r#"{"results":[]}"#)]);
    let mut server = Scripted::start(scripts).await;
    let clock = HandClock::new();
    let region = server.region().clock(clock.clone()).build().unwrap();
    for _ in 0..5 {
        region.execute(call()).await.unwrap_err();
        assert!(server.request().await.line.starts_with("POST"));
    }
    let Err(RegionError::RetryLater { after: Some(left), .. }) = region.execute(call()).await else {
        panic!("it was called")
    };
    assert!(server.seen.try_recv().is_err());
    // Once that is over it is asked how it is, and not called before it answers.
    clock.advance(left);
    region.execute(call()).await.unwrap_err();
    assert!(server.request().await.line.starts_with("GET /api/runner/info"));
    let Err(RegionError::RetryLater { after: Some(longer), .. }) = region.execute(call()).await else {
        panic!("it was called")
    };
    assert_eq!(longer, left * 2);
    clock.advance(longer);
    region.execute(call()).await.unwrap();
    assert!(server.request().await.line.starts_with("GET /api/runner/info"));
    assert!(server.request().await.line.starts_with("POST"));
}

#[tokio::test]
async fn what_the_region_answers_in_order_is_no_failure_of_the_region() {
    let scripts = (0..7).map(|_| reply("400 Bad Request", "", "")).chain([Script::Close]);
    let mut server = Scripted::start(scripts).await;
    let region = server.region().build().unwrap();
    for _ in 0..7 {
        assert!(matches!(region.execute(call()).await, Err(RegionError::Refused { .. })));
        server.request().await;
    }
    assert!(matches!(region.execute(call()).await, Err(RegionError::Unreachable { .. })));
}

#[tokio::test]
async fn a_probe_that_is_dropped_makes_room_for_another() {
    let scripts = (0..5).map(|_| Script::Close).chain([
        Script::Hang(Vec::new()),
        reply("200 OK", "", "{}"),
        reply("200 OK", "", r#"{"results":[]}"#),
    ]);
    let mut server = Scripted::start(scripts).await;
    let clock = HandClock::new();
    let region = server.region().clock(clock.clone()).build().unwrap();
    for _ in 0..5 {
        region.execute(call()).await.unwrap_err();
        server.request().await;
    }
    clock.advance(Duration::from_secs(60));
    tokio::select! {
        ended = region.execute(call()) => panic!("{ended:?}"),
        arrived = server.request() => assert!(arrived.line.starts_with("GET")),
    }
    region.execute(call()).await.unwrap();
}
