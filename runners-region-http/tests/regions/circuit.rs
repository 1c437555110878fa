//! A region that fails again and again is left alone, until it says that it is back.

use crate::stage::{HandClock, Script, Scripted, call, reply};
use runners_core::orchestration::{Region as _, RegionError};
use runners_region_http::HttpRegion;
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

/// A region that was called in vain five times, and was left alone for as long as that takes.
async fn left_alone(server: &mut Scripted, clock: &HandClock) -> HttpRegion {
    let region = server.region().clock(clock.clone()).build().unwrap();
    for _ in 0..5 {
        region.execute(call()).await.unwrap_err();
        server.request().await;
    }
    clock.advance(Duration::from_secs(5));
    region
}

#[tokio::test]
async fn calls_that_come_while_it_is_found_out_whether_a_region_is_back_wait_and_are_made() {
    let answers = (0..3).map(|_| reply("200 OK", "", r#"{"results":[]}"#));
    let scripts = (0..5).map(|_| Script::Close).chain([reply("200 OK", "", "{}")]).chain(answers);
    let (mut server, clock) = (Scripted::start(scripts).await, HandClock::new());
    let region = left_alone(&mut server, &clock).await;
    let [first, second, third] = [(); 3].map(|()| region.execute(call()));
    let (first, second, third) = tokio::join!(first, second, third);
    assert!(
        [&first, &second, &third].iter().all(|answered| answered.is_ok()),
        "{first:?} {second:?} {third:?}"
    );
    assert!(server.request().await.line.starts_with("GET"));
    for _ in 0..3 {
        assert!(server.request().await.line.starts_with("POST"));
    }
}

#[tokio::test]
async fn a_region_that_is_long_in_telling_how_it_is_puts_off_who_asked_and_who_waited() {
    let scripts = (0..5).map(|_| Script::Close).chain([Script::Hang(Vec::new())]);
    let (mut server, clock) = (Scripted::start(scripts).await, HandClock::new());
    let region = left_alone(&mut server, &clock).await;
    let goes_on = async {
        assert!(server.request().await.line.starts_with("GET"));
        clock.advance(Duration::from_secs(5));
    };
    let (asked, waited, ()) = tokio::join!(region.execute(call()), region.execute(call()), goes_on);
    for put_off in [asked, waited] {
        assert!(matches!(put_off, Err(RegionError::RetryLater { after: Some(_), .. })), "{put_off:?}");
    }
}

#[tokio::test]
async fn whatever_a_region_answers_that_is_up_tells_that_it_is_back() {
    for code in ["302 Found", "401 Unauthorized", "404 Not Found"] {
        let scripts = (0..5).map(|_| Script::Close).chain([
            reply(code, "location: /elsewhere\r\n", "no page"),
            reply("200 OK", "", r#"{"results":[]}"#),
        ]);
        let (mut server, clock) = (Scripted::start(scripts).await, HandClock::new());
        let region = left_alone(&mut server, &clock).await;
        region.execute(call()).await.unwrap_or_else(|error| panic!("{code}: {error}"));
    }
}
