//! A network that drops, delays and cuts, and things in between that answer in the place of the
//! control plane: a call ends in the right reply or in an error that says to try again, never in a
//! wrong one.

use crate::{
    proxy::{Fate, Proxy},
    support::{HandClock, Running, answer_to, answering, face, idle, of_the_host, scripted, seq_of},
};
use runners_core::{
    Retrying, Transport, TransportError,
    protocol::{CancelRequest, CancelTarget, Cancelled, Reply, Request},
};
use runners_transport_http::HttpTransport;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// How the connections of a bad network fare, in turn.
fn fate(number: usize) -> Fate {
    match number % 7 {
        0 => Fate::Dropped,
        1 => Fate::CutAfterRequest(40),
        2 => Fate::CutAfterReply(0),
        3 => Fate::CutAfterReply(60),
        4 => Fate::CutAfterReply(700),
        5 => Fate::Delayed,
        _ => Fate::CutAfterRequest(1700),
    }
}

fn cancel(job: u8) -> Request {
    Request::Cancel(CancelRequest { target: CancelTarget::Job(runners_core::JobId::from_bytes([job; 16])) })
}

/// A transport that makes a new connection for every call, so that each meets its own fate.
fn unpooled(proxy: &Proxy) -> HttpTransport {
    let client = reqwest::Client::builder().pool_max_idle_per_host(0).no_proxy().build().unwrap();
    proxy.builder().client(client).token(of_the_host()).build().unwrap()
}

#[tokio::test]
async fn on_a_bad_network_a_call_ends_right_or_unreachable() {
    let running = Running::start(face(answering())).await;
    let proxy = Proxy::start(running.address, fate).await;
    let transport = unpooled(&proxy);
    let (mut right, mut unreachable) = (0, 0);
    for seq in 1..=100 {
        match transport.call(idle(seq)).await {
            Ok(reply) => {
                assert_eq!(reply, answer_to(&idle(seq)));
                right += 1;
            }
            Err(TransportError::Unreachable(_)) => unreachable += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(right > 10 && unreachable > 10, "{right} right, {unreachable} unreachable");
}

#[tokio::test]
async fn on_a_bad_network_every_repeated_call_arrives() {
    let far = scripted(|request| async move {
        match request {
            Request::Cancel(CancelRequest { target: CancelTarget::Job(job) }) => {
                Ok(Reply::Cancelled(Cancelled { jobs: u32::from(job.as_bytes()[0]) }))
            }
            other => panic!("{other:?}"),
        }
    });
    let running = Running::start(face(far)).await;
    let proxy = Proxy::start(running.address, fate).await;
    let quick = Duration::from_millis(1);
    let retrying = Retrying::new(unpooled(&proxy)).attempts_max(8).backoff(quick, quick);
    for job in 1..=100 {
        let reply = retrying.call(cancel(job)).await.unwrap();
        assert_eq!(reply, Reply::Cancelled(Cancelled { jobs: u32::from(job) }));
    }
}

#[tokio::test]
async fn a_sync_is_never_repeated_under_its_number() {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = calls.clone();
    let far = scripted(move |request| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move { Ok(answer_to(&request)) }
    });
    let running = Running::start(face(far)).await;
    let proxy = Proxy::start(running.address, |_| Fate::CutAfterReply(10)).await;
    let told = Retrying::new(proxy.transport(of_the_host())).call(idle(1)).await.unwrap_err();
    assert!(matches!(told, TransportError::Unreachable(_)), "{told:?}");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let address = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let transport = HttpTransport::builder(format!("http://{address}"));
    let told = transport.token(of_the_host()).build().unwrap().call(idle(1)).await.unwrap_err();
    assert!(matches!(told, TransportError::Unreachable(_)), "{told:?}");
}

async fn told_by(answer: &'static str) -> TransportError {
    let running = Running::start(face(answering())).await;
    let proxy = Proxy::start(running.address, move |_| Fate::Answered(answer)).await;
    proxy.transport(of_the_host()).call(idle(1)).await.unwrap_err()
}

/// What stands in between may say what it likes: none of it ends a runner.
#[tokio::test]
async fn what_a_proxy_answers_is_an_outage() {
    let foreign = [
        "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Basic\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 403 Forbidden\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>",
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 503 Unavailable\r\ncontent-length: 0\r\n\r\n",
        // A redirect is not followed, so the token goes nowhere else.
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        // A captive portal.
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>",
        // The right words, but from somebody else.
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n\"displaced\"",
        "HTTP/1.1 401 No\r\ncontent-type: application/problem+json\r\ncontent-length: 68\r\n\r\n\
         {\"type\":\"about:blank\",\"title\":\"\",\"status\":401,\"code\":\"\",\"detail\":\"\"}  ",
        // Ours, but not whole, or nothing of ours.
        "HTTP/1.1 200 OK\r\nrunners-protocol: 1\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{",
        "HTTP/1.1 200 OK\r\nrunners-protocol: 1\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nrunners-protocol: 1\r\ncontent-type: application/json\r\n\r\n{\"answer\":",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "",
    ];
    for answer in foreign {
        let told = told_by(answer).await;
        assert!(matches!(told, TransportError::Unreachable(_)), "{answer:?}: {told:?}");
    }
}

#[tokio::test]
async fn a_proxy_that_asks_to_wait_is_given_its_time_within_bounds() {
    let told = told_by("HTTP/1.1 429 Slow\r\nretry-after: 9\r\ncontent-length: 0\r\n\r\n").await;
    assert!(matches!(told, TransportError::Busy { retry_after } if retry_after.as_secs() == 9), "{told:?}");
    let told = told_by("HTTP/1.1 503 Away\r\nretry-after: 99999\r\ncontent-length: 0\r\n\r\n").await;
    assert!(matches!(told, TransportError::Busy { retry_after } if retry_after.as_secs() == 60), "{told:?}");
    let dated =
        "HTTP/1.1 503 Away\r\nretry-after: Fri, 31 Dec 1999 23:59:59 GMT\r\ncontent-length: 0\r\n\r\n";
    assert!(told_by(dated).await.is_transient());
}

#[tokio::test]
async fn a_call_is_given_up_ten_seconds_after_its_park() {
    let running = Running::start(face(scripted(|_| futures::future::pending()))).await;
    let proxy = Proxy::start(running.address, |_| Fate::Carried).await;
    let clock = HandClock::new();
    let transport = proxy.builder().clock(clock.clone()).token(of_the_host()).build().unwrap();
    let (told, ()) = futures::join!(transport.call(idle(1)), clock.pass(Duration::from_secs(30)));
    assert!(matches!(&told, Err(TransportError::Unreachable(_))), "{told:?}");
    let (told, ()) = futures::join!(transport.call(cancel(1)), clock.pass(Duration::from_secs(10)));
    assert!(matches!(&told, Err(TransportError::Unreachable(_))), "{told:?}");
}

#[tokio::test]
async fn an_error_tells_the_id_of_the_request() {
    let told = told_by("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n").await;
    let source = std::error::Error::source(&told).unwrap().to_string();
    let id = source.strip_prefix("request ").unwrap().split(' ').next().unwrap();
    assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{source}");
    assert!(source.contains("502"), "{source}");
    assert_eq!(seq_of(&idle(3)), 3);
}
