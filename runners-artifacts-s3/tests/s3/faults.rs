//! A storage that fails, refuses, says nothing or lies: what is tried again, and what is said of it.

use crate::support::{HandClock, key, once, opened, put, read};
use futures::{FutureExt as _, TryStreamExt as _, future::pending};
use http::{Method, Response};
use runners_artifacts_s3::{OpenError, S3Credentials, S3Options, testing::TestStorage};
use runners_core::{ArtifactError, ArtifactStore as _};
use s3s::{Body, HttpResponse};
use std::{
    error::Error,
    fs,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinSet};

pub(crate) fn answer(number: u16, code: &str, retry_after: Option<u32>) -> HttpResponse {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>m</Message></Error>");
    let mut builder = Response::builder().status(number);
    if let Some(seconds) = retry_after {
        builder = builder.header("retry-after", seconds);
    }
    builder.body(Body::from(body)).unwrap()
}

/// An error with everything beneath it.
fn chain(error: &dyn Error) -> String {
    let mut told = format!("{error} {error:?}");
    let mut next = error.source();
    while let Some(error) = next {
        told += &format!(": {error}");
        next = error.source();
    }
    told
}

fn assert_no_secret(told: &str) {
    for secret in [TestStorage::SECRET, "X-Amz-Signature", "hush"] {
        assert!(!told.contains(secret), "{secret} is in: {told}");
    }
}

#[tokio::test]
async fn a_storage_that_asks_to_slow_down_is_asked_again_when_it_wants_it() {
    let storage = TestStorage::start().await.unwrap();
    let clock = HandClock::default();
    let artifacts = storage.options().clock(clock.clone()).open().await.unwrap();
    put(&artifacts, b"abc").await.unwrap();
    let asked = Arc::new(AtomicU32::new(0));
    let counted = asked.clone();
    storage.intercept(move |_| {
        let spoilt = match counted.fetch_add(1, Ordering::SeqCst) {
            0 => Some(answer(503, "SlowDown", Some(3))),
            1 => Some(answer(500, "InternalError", None)),
            _ => None,
        };
        async move { spoilt }.boxed()
    });
    assert_eq!(artifacts.head(key(b"abc")).await.unwrap(), Some(3));
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    assert_eq!(clock.waits(), [Duration::from_secs(3), Duration::from_millis(400)]);
}

#[tokio::test]
async fn a_storage_that_stays_busy_is_given_up_and_one_that_refuses_is_not_asked_twice() {
    let storage = TestStorage::start().await.unwrap();
    let artifacts = storage.options().clock(HandClock::default()).open().await.unwrap();
    for (number, code, times) in [(503, "SlowDown", 4), (403, "AccessDenied", 1)] {
        let asked = Arc::new(AtomicU32::new(0));
        let counted = asked.clone();
        storage.intercept(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            async move { Some(answer(number, code, None)) }.boxed()
        });
        let failed = artifacts.get(key(b"abc"), None).await.map(drop).unwrap_err();
        assert!(matches!(failed, ArtifactError::Unavailable(_)), "{failed:?}");
        assert_eq!(asked.load(Ordering::SeqCst), times, "{code}");
    }
}

#[tokio::test]
async fn a_storage_that_says_nothing_is_given_up() {
    let storage = TestStorage::start().await.unwrap();
    storage.intercept(|_| pending().boxed());
    let late = storage.options().clock(HandClock::late()).open().await.unwrap_err();
    assert!(matches!(late, OpenError::Unreachable { .. }), "{late:?}");
    assert!(chain(&late).contains("has not answered in time"), "{late:?}");
}

#[tokio::test]
async fn a_connection_that_is_cut_is_told_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut cutting = JoinSet::new();
    cutting.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream);
        }
    });
    let options = S3Options::new("s3://artifacts")
        .endpoint(format!("http://{address}"))
        .credentials(S3Credentials::new("AK", "hush"))
        .clock(HandClock::default());
    let cut = options.open().await.unwrap_err();
    assert!(matches!(cut, OpenError::Unreachable { .. }), "{cut:?}");
    assert!(cut.to_string().contains("check it, and the way there"), "{cut}");
    assert_no_secret(&chain(&cut));
}

#[tokio::test]
async fn what_is_wrong_with_a_bucket_is_told_by_what_to_do() {
    let storage = TestStorage::start().await.unwrap();
    let at = |url: &str, key: &str, secret: &str| {
        S3Options::new(url).endpoint(storage.endpoint()).credentials(S3Credentials::new(key, secret))
    };
    let absent = at("s3://elsewhere", TestStorage::KEY, TestStorage::SECRET).open().await.unwrap_err();
    assert!(matches!(absent, OpenError::NoBucket { .. }), "{absent:?}");
    assert!(absent.to_string().contains("s3://elsewhere"), "{absent}");
    for (key, secret) in [(TestStorage::KEY, "hush"), ("STRANGER", "hush")] {
        let refused = at("s3://artifacts", key, secret).open().await.unwrap_err();
        assert!(matches!(refused, OpenError::Denied { .. }), "{refused:?}");
        assert!(refused.to_string().contains("correct the key"), "{refused}");
        assert_no_secret(&chain(&refused));
    }
    for (code, told) in [("ExpiredToken", "renew it"), ("RequestTimeTooSkewed", "set the clock")] {
        storage.intercept(move |_| async move { Some(answer(403, code, None)) }.boxed());
        let refused = storage.options().open().await.unwrap_err();
        assert!(refused.to_string().contains(told), "{refused}");
    }
    let nowhere = S3Credentials::from_file(storage.files().join("credentials"));
    let nowhere = storage.options().credentials(nowhere).open().await.unwrap_err();
    assert!(matches!(nowhere, OpenError::NoCredentials { .. }), "{nowhere:?}");
    assert!(nowhere.to_string().contains("cannot be read"), "{nowhere}");
}

#[tokio::test]
async fn a_clock_that_is_far_away_is_found_out_by_what_the_storage_says_of_its_own() {
    let storage = TestStorage::start().await.unwrap();
    let clock = HandClock::default();
    clock.advance(Duration::from_secs(24 * 3600));
    let refused = storage.options().clock(clock).open().await.unwrap_err();
    assert!(matches!(refused, OpenError::Skewed { .. }), "{refused:?}");
}

#[tokio::test]
async fn bytes_that_the_storage_refuses_are_a_mismatch_and_a_full_one_is_full() {
    let storage = TestStorage::start().await.unwrap();
    let artifacts = opened(&storage).await;
    storage.intercept(|_| async { Some(answer(400, "BadDigest", None)) }.boxed());
    let refused = put(&artifacts, b"abc").await;
    assert!(matches!(refused, Err(ArtifactError::Mismatch(_))), "{refused:?}");
    storage.intercept(|_| async { Some(answer(507, "XMinioStorageFull", None)) }.boxed());
    let refused = put(&artifacts, b"abc").await;
    assert!(matches!(refused, Err(ArtifactError::Full(_))), "{refused:?}");
    // A put finds nothing missing but the bucket itself.
    storage.intercept(|_| async { Some(answer(404, "Gone", None)) }.boxed());
    let refused = put(&artifacts, b"abc").await.unwrap_err();
    assert!(chain(&refused).contains("no such bucket"), "{refused:?}");
}

#[tokio::test]
async fn bytes_that_have_changed_where_they_lie_are_not_given_out_as_if_they_were_right() {
    let storage = TestStorage::start().await.unwrap();
    let artifacts = opened(&storage).await;
    put(&artifacts, b"abc").await.unwrap();
    let name = storage.names().pop().unwrap();
    fs::write(storage.files().join(name), b"abx").unwrap();
    let got = artifacts.get(key(b"abc"), None).await.unwrap();
    assert!(got.try_collect::<Vec<_>>().await.is_err(), "other bytes were given as if they were right");
}

#[tokio::test]
async fn a_put_tells_length_and_checksum_in_what_is_signed() {
    let storage = TestStorage::start().await.unwrap();
    let artifacts = opened(&storage).await;
    storage.intercept(|request| {
        let query = request.uri.query().unwrap_or_default();
        let signed = "X-Amz-SignedHeaders=content-length%3Bhost%3Bx-amz-checksum-sha256";
        let is_bad = request.method == Method::PUT && !query.contains(signed);
        async move { is_bad.then(|| answer(400, "NotSigned", None)) }.boxed()
    });
    artifacts.put(key(b"abc"), 3, once(b"abc")).await.unwrap();
    assert_eq!(read(&artifacts, key(b"abc")).await, b"abc");
    assert_no_secret(&format!("{artifacts:?} {:?}", storage.options()));
}

#[tokio::test]
async fn credentials_in_a_file_are_good_as_soon_as_they_were_renewed() {
    let storage = TestStorage::start().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("credentials");
    let write = |secret: &str| {
        let key = TestStorage::KEY;
        let text = format!("[default]\naws_access_key_id={key}\naws_secret_access_key={secret}\n");
        fs::write(&file, text).unwrap();
    };
    write(TestStorage::SECRET);
    let clock = HandClock::default();
    let credentials = S3Credentials::from_file(&file).profile("default");
    let artifacts = storage.options().credentials(credentials).clock(clock.clone()).open().await.unwrap();
    write("hush");
    clock.advance(Duration::from_secs(31));
    let refused = artifacts.head(key(b"abc")).await;
    assert!(matches!(refused, Err(ArtifactError::Unavailable(_))), "{refused:?}");
    write(TestStorage::SECRET);
    clock.advance(Duration::from_secs(31));
    assert_eq!(artifacts.head(key(b"abc")).await.unwrap(), None);
}
