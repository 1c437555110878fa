//! Every bad reply is its own error, which says what was wrong and where.

use crate::stage::{HandClock, Script, Scripted, Seen, call, reply};
use runners_core::orchestration::{Region as _, RegionError};
use runners_region_http::HttpRegion;
use std::time::Duration;
use tokio::net::TcpListener;

async fn broken(script: Script) -> String {
    match Scripted::answers(script).await {
        Err(RegionError::Broken { problem }) => problem,
        other => panic!("{other:?}"),
    }
}

fn has(text: &str, part: &str) {
    assert!(text.contains(part), "{part:?} is missing in {text:?}");
}

#[tokio::test]
async fn what_is_no_answer_is_told_as_what_it_is() {
    let html = broken(reply("200 OK", "content-type: text/html; charset=utf-8\r\n", "<html>sign in")).await;
    has(&html, "it is HTML and no JSON");
    has(&broken(reply("200 OK", "", r#"{"results":[{"na"#)).await, "it ends in the middle, after 16 bytes");
    has(&broken(reply("200 OK", "", "")).await, "it is empty");
    has(&broken(reply("200 OK", "", "null")).await, "it is null");
    has(&broken(reply("200 OK", "", r#"{"results":"all"}"#)).await, "results: expected a list");
    has(&broken(reply("200 OK", "", "{}")).await, "results: missing");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let mut elsewhere = Scripted::start([reply("200 OK", "", r#"{"results":[]}"#)]).await;
    let header = format!("location: {}?token=hunter2\r\n", elsewhere.url());
    for code in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let problem = broken(reply(code, &header, "")).await;
        has(&problem, code);
        has(&problem, &elsewhere.url());
        assert!(!problem.contains("hunter2"), "{problem}");
    }
    assert!(elsewhere.seen.try_recv().is_err());
}

#[tokio::test]
async fn fifty_megabytes_are_refused_before_they_are_read() {
    // Only the head is sent: whoever reads on waits for ever.
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 52428800\r\n\r\n";
    has(&broken(Script::Hang(head.into())).await, "over the limit of 16777216 bytes");
    // Who does not say how much there is, is stopped at the limit.
    let chunked =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n20\r\n0123456789abcdef0123456789abcdef\r\n";
    let server = Scripted::start([Script::Hang(chunked.into())]).await;
    let region = server.region().reply_bytes_max(31).build().unwrap();
    has(&region.execute(call()).await.unwrap_err().to_string(), "over the limit of 31 bytes");
}

#[tokio::test]
async fn a_region_that_dies_in_the_middle_or_at_once_did_not_answer() {
    let cut = |bytes: &str| Scripted::answers(Script::Write(bytes.into()));
    for (ended, part) in [
        (cut("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"resu").await, "cut off after 6 bytes"),
        (cut("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"res").await, "cut off after"),
        (cut("HTTP/1.1 2").await, "broke before it answered"),
        (Scripted::answers(Script::Close).await, "broke before it answered"),
        (cut("SSH-2.0-OpenSSH_9.6\r\n").await, "broke before it answered"),
    ] {
        let Err(RegionError::Unreachable { problem, .. }) = ended else { panic!("{part}: {ended:?}") };
        has(&problem, part);
    }
}

#[tokio::test]
async fn a_region_that_is_down_cannot_be_connected_to() {
    // A listener that was closed keeps nobody else from its port, but what listens there then is no
    // region either.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let region = HttpRegion::builder("eu", url).egress(crate::stage::loopback()).build().unwrap();
    assert!(region.execute(call()).await.is_err());
    let nowhere = HttpRegion::builder("eu", "http://region.invalid/").build().unwrap();
    let Err(RegionError::Unreachable { problem, .. }) = nowhere.execute(call()).await else {
        panic!("it was reached")
    };
    has(&problem, "it cannot be connected to");
    assert!(!problem.contains("region.invalid"), "{problem}");
}

#[tokio::test]
async fn a_region_that_hangs_is_given_up_in_time_and_told() {
    for begun in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"] {
        let mut server = Scripted::start([Script::Hang(begun.into())]).await;
        let clock = HandClock::new();
        let region =
            server.region().clock(clock.clone()).answer_within(Duration::from_secs(90)).build().unwrap();
        let (ended, ()) = tokio::join!(region.execute(call()), async {
            server.request().await;
            clock.advance(Duration::from_secs(90));
        });
        assert!(
            matches!(ended, Err(RegionError::TimedOut { after }) if after == Duration::from_secs(90)),
            "{ended:?}"
        );
        assert!(matches!(server.seen.recv().await, Some(Seen::HungUp)));
    }
}

#[tokio::test]
async fn what_the_region_says_of_an_error_is_told() {
    let error = r#"{"defined":true,"code":"RUNNER_NOT_FOUND","status":500,"message":"no such runner","data":{"missingRunners":["a"],"availableRunners":["c"]}}"#;
    for body in [error.to_owned(), format!(r#"{{"json":{error}}}"#)] {
        let Err(RegionError::Refused { problem }) = Scripted::answers(reply("500 Oops", "", &body)).await
        else {
            panic!("{body}")
        };
        assert_eq!(problem, "no such runner; missing: a; there are: c");
    }
    let Err(RegionError::Refused { problem }) =
        Scripted::answers(reply("401 Unauthorized", "", "<html>")).await
    else {
        panic!("it was let in")
    };
    assert_eq!(problem, "401 Unauthorized");
}

#[tokio::test]
async fn a_region_that_is_busy_says_for_how_long() {
    for code in ["429 Too Many Requests", "503 Service Unavailable", "502 Bad Gateway", "504 Gateway Timeout"]
    {
        let ended = Scripted::answers(reply(code, "retry-after: 7\r\n", "<html>")).await;
        let Err(RegionError::RetryLater { after, problem }) = ended else { panic!("{code}: {ended:?}") };
        assert_eq!((after, problem.as_str()), (Some(Duration::from_secs(7)), code));
    }
}
