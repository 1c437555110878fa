//! Artifacts: ranges and other headers, limits and rights, and that nothing is held whole.

use crate::support::{OTHER_TENANT, Running, answering, face, good, of_the_host, raw};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use runners_core::{
    ArtifactError, ArtifactIntake, ArtifactKey, ArtifactSource, ArtifactStore, ByteStream, Digest,
    MemoryArtifacts, Token, TokenKind, testing::artifact_suite::TENANT,
};
use runners_transport_http::HttpArtifacts;
use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

fn key(bytes: &[u8]) -> ArtifactKey {
    ArtifactKey { tenant: TENANT, digest: Digest::of(bytes) }
}

fn once(bytes: &'static [u8]) -> ByteStream {
    stream::iter([Ok(Bytes::from_static(bytes))]).boxed()
}

async fn start(store: impl ArtifactStore) -> Running {
    Running::start(face(answering()).artifacts(store)).await
}

/// Keeps nothing, and counts: how much has passed, and how much was ever under way at once.
#[derive(Clone, Debug, Default)]
struct Counting {
    sent: Arc<AtomicU64>,
    passed: Arc<AtomicU64>,
    ahead_max: Arc<AtomicU64>,
}

const PIECE: usize = 64 << 10;
const PIECES: u64 = 800;
/// 50 MB, as they come: nobody has them in memory.
const LENGTH: u64 = PIECES * PIECE as u64;

impl Counting {
    /// The bytes themselves, counted when they are asked for.
    fn bytes(&self) -> ByteStream {
        let sent = self.sent.clone();
        stream::iter(0..PIECES)
            .map(move |number| {
                sent.fetch_add(PIECE as u64, Ordering::SeqCst);
                Ok(piece(number))
            })
            .boxed()
    }

    fn pass(&self, piece: &Bytes) {
        let passed = self.passed.fetch_add(piece.len() as u64, Ordering::SeqCst) + piece.len() as u64;
        let ahead = self.sent.load(Ordering::SeqCst).saturating_sub(passed);
        self.ahead_max.fetch_max(ahead, Ordering::SeqCst);
    }

    fn assert_never_whole(&self) {
        let ahead = self.ahead_max.load(Ordering::SeqCst);
        assert_eq!(self.passed.load(Ordering::SeqCst), LENGTH);
        // Sockets and buffers hold some mebibytes on their way; the whole is fifty.
        assert!(ahead < LENGTH / 4, "{ahead} bytes were under way at once");
    }
}

fn piece(number: u64) -> Bytes {
    Bytes::from(vec![u8::try_from(number % 251).unwrap(); PIECE])
}

fn digest() -> Digest {
    let mut digest = Digest::stream();
    (0..PIECES).for_each(|number| digest.update(&piece(number)));
    digest.finish()
}

#[async_trait]
impl ArtifactStore for Counting {
    async fn put(&self, key: ArtifactKey, length: u64, mut bytes: ByteStream) -> Result<(), ArtifactError> {
        let mut intake = ArtifactIntake::new(key, length, u64::MAX)?;
        while let Some(piece) = bytes.try_next().await.map_err(ArtifactError::Unavailable)? {
            intake.take(&piece)?;
            self.pass(&piece);
        }
        intake.finish()
    }
    async fn get(&self, _key: ArtifactKey, _range: Option<Range<u64>>) -> Result<ByteStream, ArtifactError> {
        Ok(self.bytes())
    }
    async fn head(&self, _key: ArtifactKey) -> Result<Option<u64>, ArtifactError> {
        // A put asks whether it is there already; a get, once it is.
        Ok((self.passed.load(Ordering::SeqCst) == 0 && self.sent.load(Ordering::SeqCst) == 1)
            .then_some(LENGTH))
    }
    async fn delete(&self, _key: ArtifactKey) -> Result<(), ArtifactError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_large_artifact_is_put_without_being_held_whole() {
    let store = Counting::default();
    let running = start(store.clone()).await;
    let artifacts = HttpArtifacts::new(&running.transport(of_the_host()));
    let key = ArtifactKey { tenant: TENANT, digest: digest() };
    artifacts.put(key, LENGTH, store.bytes()).await.unwrap();
    store.assert_never_whole();
}

#[tokio::test]
async fn a_large_artifact_is_read_without_being_held_whole() {
    let store = Counting::default();
    store.sent.store(1, Ordering::SeqCst);
    let running = start(store.clone()).await;
    let artifacts = HttpArtifacts::new(&running.transport(of_the_host()));
    let key = ArtifactKey { tenant: TENANT, digest: digest() };
    let mut bytes = artifacts.get(key, None).await.unwrap();
    while let Some(piece) = bytes.try_next().await.unwrap() {
        store.pass(&piece);
    }
    store.assert_never_whole();
}

#[tokio::test]
async fn too_much_is_refused_before_the_first_byte_at_both_ends() {
    let running =
        Running::start(face(answering()).artifacts(MemoryArtifacts::default()).artifact_bytes_max(2)).await;
    let never = || -> ByteStream { stream::poll_fn(|_| panic!("a byte was asked for")).boxed() };
    let too_large = |put: Result<(), ArtifactError>| {
        assert!(matches!(put, Err(ArtifactError::TooLarge { length: 3, limit: 2 })), "{put:?}");
    };
    let learning = HttpArtifacts::new(&running.transport(of_the_host()));
    too_large(learning.put(key(b"abc"), 3, never()).await);
    let told = HttpArtifacts::new(&running.transport(of_the_host())).bytes_max(2);
    too_large(told.put(key(b"abc"), 3, never()).await);
    // A client that has the limit wrong sends, and is told.
    let wrong = HttpArtifacts::new(&running.transport(of_the_host())).bytes_max(99);
    too_large(wrong.put(key(b"abc"), 3, once(b"abc")).await);
}

async fn asked(running: &Running, method: &str, digest: Digest, headers: &str) -> String {
    let token = of_the_host();
    let request = format!(
        "{method} /v1/artifacts/{digest} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
         authorization: Bearer {}\r\nrunners-protocol: 1\r\n{headers}\r\n",
        token.expose()
    );
    raw(running.address, request.as_bytes(), "\0").await
}

#[tokio::test]
async fn a_put_needs_a_length_and_one_over_the_limit_is_refused_unread() {
    let store = MemoryArtifacts::default();
    let running = Running::start(face(answering()).artifacts(store).artifact_bytes_max(2)).await;
    let digest = Digest::of(b"abc");
    let chunked = asked(&running, "PUT", digest, "transfer-encoding: chunked\r\n").await;
    assert!(chunked.starts_with("HTTP/1.1 411 ") && chunked.contains("length_required"), "{chunked}");
    // Nothing of the body is sent, and the answer comes all the same.
    let over = asked(&running, "PUT", digest, "content-length: 3\r\n").await;
    assert!(over.starts_with("HTTP/1.1 413 ") && over.contains("\"limit\":2"), "{over}");
    assert!(over.contains("runners-artifact-bytes-max: 2"), "{over}");
}

#[tokio::test]
async fn other_bytes_are_a_mismatch() {
    let running = start(MemoryArtifacts::default()).await;
    let sent = "content-length: 3\r\n\r\nxyz";
    let told = asked(&running, "PUT", Digest::of(b"abc"), sent).await;
    assert!(told.starts_with("HTTP/1.1 422 ") && told.contains("\"mismatch\""), "{told}");
}

#[tokio::test]
async fn parts_are_read_as_the_standard_says() {
    let store = MemoryArtifacts::default();
    let whole = b"0123456789";
    store.put(key(whole), 10, once(whole)).await.unwrap();
    let running = start(store).await;
    let digest = Digest::of(whole);
    let get = async |headers: String| asked(&running, "GET", digest, &headers).await;
    let told = get(String::new()).await;
    assert!(told.starts_with("HTTP/1.1 200 ") && told.ends_with("\r\n\r\n0123456789"), "{told}");
    assert!(told.contains("accept-ranges: bytes") && told.contains("content-length: 10"), "{told}");
    assert!(told.contains("content-type: application/octet-stream") && told.contains("nosniff"), "{told}");
    let told = get("range: bytes=2-4\r\n".into()).await;
    assert!(told.starts_with("HTTP/1.1 206 ") && told.ends_with("\r\n\r\n234"), "{told}");
    assert!(told.contains("content-range: bytes 2-4/10") && told.contains("content-length: 3"), "{told}");
    let told = get("range: bytes=10-\r\n".into()).await;
    assert!(told.starts_with("HTTP/1.1 416 ") && told.contains("content-range: bytes */10"), "{told}");
    let told = get(format!("if-none-match: \"{digest}\"\r\n")).await;
    assert!(told.starts_with("HTTP/1.1 304 ") && told.ends_with("\r\n\r\n"), "{told}");
    let told = get("range: bytes=2-4\r\nif-range: \"of-another\"\r\n".into()).await;
    assert!(told.starts_with("HTTP/1.1 200 "), "{told}");
    let told = asked(&running, "HEAD", digest, "range: bytes=2-4\r\n").await;
    assert!(told.starts_with("HTTP/1.1 200 ") && told.contains("content-length: 10"), "{told}");
    assert!(told.ends_with("\r\n\r\n"), "{told}");
}

/// What each token may do with artifacts: put, read, delete.
#[tokio::test]
async fn rights_are_those_of_the_principal() {
    let store = MemoryArtifacts::default();
    store.put(key(b"abc"), 3, once(b"abc")).await.unwrap();
    let running = start(store).await;
    let rights = [
        (good(TokenKind::Runner), [true, true, false]),
        (good(TokenKind::Api), [true, true, false]),
        (Token::from_text("of-a-reader"), [false, true, false]),
        (Token::from_text("of-the-operator"), [false, false, false]),
        (good(TokenKind::Registration), [false, false, false]),
        (of_the_host(), [true, true, true]),
    ];
    for (token, rights) in rights {
        let artifacts = HttpArtifacts::new(&running.transport(token.clone())).bytes_max(99);
        let done = [
            artifacts.put(key(b"xyz"), 3, once(b"xyz")).await.is_ok(),
            artifacts.get(key(b"abc"), None).await.is_ok(),
            artifacts.delete(key(b"abc")).await.is_ok(),
        ];
        assert_eq!(done, rights, "{token:?}");
    }
}

#[tokio::test]
async fn the_tenant_is_that_of_the_token_whatever_the_key_says() {
    let store = MemoryArtifacts::default();
    let running = start(store.clone()).await;
    let artifacts = HttpArtifacts::new(&running.transport(of_the_host()));
    let elsewhere = ArtifactKey { tenant: OTHER_TENANT, ..key(b"abc") };
    artifacts.put(elsewhere, 3, once(b"abc")).await.unwrap();
    assert_eq!(store.head(elsewhere).await.unwrap(), None);
    assert_eq!(store.head(key(b"abc")).await.unwrap(), Some(3));
}

/// Answers with other bytes than it has told.
#[derive(Debug)]
struct Lying;

#[async_trait]
impl ArtifactStore for Lying {
    async fn put(&self, _key: ArtifactKey, _length: u64, _bytes: ByteStream) -> Result<(), ArtifactError> {
        Err(ArtifactError::Full(ArtifactSource::from("no space left")))
    }
    async fn get(&self, _key: ArtifactKey, _range: Option<Range<u64>>) -> Result<ByteStream, ArtifactError> {
        Ok(once(b"xyz"))
    }
    async fn head(&self, _key: ArtifactKey) -> Result<Option<u64>, ArtifactError> {
        Ok(Some(3))
    }
    async fn delete(&self, _key: ArtifactKey) -> Result<(), ArtifactError> {
        Err(ArtifactError::Unavailable("away".into()))
    }
}

#[tokio::test]
async fn what_is_read_is_checked_by_the_reader() {
    let running = start(Lying).await;
    let artifacts = HttpArtifacts::new(&running.transport(of_the_host()));
    let bytes = artifacts.get(key(b"abc"), None).await.unwrap();
    assert!(bytes.try_collect::<Vec<_>>().await.is_err(), "other bytes were given as if they were right");
}

#[tokio::test]
async fn trouble_of_the_store_keeps_its_class() {
    let running = start(Lying).await;
    let artifacts = HttpArtifacts::new(&running.transport(of_the_host())).bytes_max(99);
    let full = artifacts.put(key(b"abc"), 3, once(b"abc")).await;
    assert!(matches!(full, Err(ArtifactError::Full(_))), "{full:?}");
    let away = artifacts.delete(key(b"abc")).await;
    assert!(matches!(away, Err(ArtifactError::Unavailable(_))), "{away:?}");
    let none = Running::start(face(answering())).await;
    let artifacts = HttpArtifacts::new(&none.transport(of_the_host())).bytes_max(99);
    let put = artifacts.put(key(b"abc"), 3, once(b"abc")).await;
    assert!(matches!(put, Err(ArtifactError::Unavailable(_))), "{put:?}");
}
