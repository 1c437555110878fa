//! Uploads straight to a storage: what is granted, where bytes go, and that they arrive whatever happens.

use crate::support::{Running, answering, face, of_the_host, raw};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use runners_core::{
    ArtifactError, ArtifactKey, ArtifactStore, ByteStream, Digest, MemoryArtifacts, UploadId,
    protocol::UploadGrant, testing::artifact_suite::TENANT,
};
use runners_transport_http::HttpArtifacts;
use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
};

const LENGTH: usize = 2 << 20;

fn large() -> Bytes {
    Bytes::from(vec![7; LENGTH])
}

fn key() -> ArtifactKey {
    ArtifactKey { tenant: TENANT, digest: Digest::of(&large()) }
}

fn pieces() -> ByteStream {
    let pieces: Vec<_> = large().chunks(64 << 10).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces).boxed()
}

/// Grants uploads to a URL, and takes over what came there.
#[derive(Clone, Debug, Default)]
struct Granting {
    kept: MemoryArtifacts,
    url: Arc<Mutex<String>>,
    uploaded: Arc<Mutex<Option<Bytes>>>,
    granted: Arc<AtomicUsize>,
    put: Arc<AtomicUsize>,
}

#[async_trait]
impl ArtifactStore for Granting {
    async fn put(&self, key: ArtifactKey, length: u64, bytes: ByteStream) -> Result<(), ArtifactError> {
        self.put.fetch_add(1, Ordering::SeqCst);
        self.kept.put(key, length, bytes).await
    }
    async fn get(&self, key: ArtifactKey, range: Option<Range<u64>>) -> Result<ByteStream, ArtifactError> {
        self.kept.get(key, range).await
    }
    async fn head(&self, key: ArtifactKey) -> Result<Option<u64>, ArtifactError> {
        self.kept.head(key).await
    }
    async fn delete(&self, key: ArtifactKey) -> Result<(), ArtifactError> {
        self.kept.delete(key).await
    }
    async fn grant_upload(
        &self,
        _key: ArtifactKey,
        _length: u64,
    ) -> Result<Option<UploadGrant>, ArtifactError> {
        self.granted.fetch_add(1, Ordering::SeqCst);
        let url = self.url.lock().unwrap().clone();
        let headers = BTreeMap::from([("x-amz-checksum-sha256".to_owned(), "of-them".to_owned())]);
        let grant = UploadGrant {
            upload: UploadId::from_bytes([5; 16]),
            url: format!("{url}/bucket/object?signature=hush"),
            headers,
            expires_in: Duration::from_secs(60),
        };
        Ok((!url.is_empty()).then_some(grant))
    }
    async fn take_upload(
        &self,
        key: ArtifactKey,
        length: u64,
        _upload: UploadId,
    ) -> Result<(), ArtifactError> {
        let bytes = self.uploaded.lock().unwrap().take().ok_or(ArtifactError::Missing(key.digest))?;
        self.kept.put(key, length, stream::iter([Ok(bytes)]).boxed()).await
    }
}

/// A storage that answers every request with `answer` once it has read it, and keeps the body.
async fn storage(store: &Granting, answer: &'static str) -> JoinSet<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    *store.url.lock().unwrap() = format!("http://{}", listener.local_addr().unwrap());
    let (uploaded, mut serving) = (store.uploaded.clone(), JoinSet::new());
    serving.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut read, mut piece) = (Vec::new(), vec![0; 64 << 10]);
            let body_at = |read: &[u8]| read.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
            while body_at(&read).is_none_or(|at| read.len() < at + LENGTH) {
                match stream.read(&mut piece).await {
                    Ok(0) | Err(_) => break,
                    Ok(length) => read.extend_from_slice(&piece[..length]),
                }
            }
            let at = body_at(&read).unwrap();
            let head = String::from_utf8_lossy(&read[..at]).to_lowercase();
            assert!(head.starts_with("put /bucket/object?signature=hush "), "{head}");
            assert!(
                head.contains("x-amz-checksum-sha256: of-them") && !head.contains("authorization"),
                "{head}"
            );
            assert!(head.contains(&format!("content-length: {LENGTH}")), "{head}");
            if answer.starts_with("200") {
                *uploaded.lock().unwrap() = Some(Bytes::from(read.split_off(at)));
            }
            let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    serving
}

struct Stage {
    store: Granting,
    artifacts: HttpArtifacts,
    _running: Running,
}

async fn stage() -> Stage {
    let store = Granting::default();
    let running = Running::start(face(answering()).artifacts(store.clone())).await;
    let artifacts = HttpArtifacts::new(&running.transport(of_the_host()));
    Stage { store, artifacts, _running: running }
}

impl Stage {
    async fn put(&self) -> Result<(), ArtifactError> {
        self.artifacts.put(key(), LENGTH as u64, pieces()).await
    }

    async fn assert_kept(&self) {
        let bytes: Vec<Bytes> = self.store.kept.get(key(), None).await.unwrap().try_collect().await.unwrap();
        assert!(bytes.concat() == large(), "other bytes arrived");
    }

    /// How often an upload was granted, and how often bytes came through the control plane.
    fn ways(&self) -> (usize, usize) {
        (self.store.granted.load(Ordering::SeqCst), self.store.put.load(Ordering::SeqCst))
    }
}

#[tokio::test]
async fn what_is_large_goes_straight_to_the_storage_and_what_is_small_does_not() {
    let stage = stage().await;
    let _storage = storage(&stage.store, "200 OK").await;
    stage.put().await.unwrap();
    stage.assert_kept().await;
    assert_eq!(stage.ways(), (1, 0));
    let small = ArtifactKey { digest: Digest::of(b"abc"), ..key() };
    let bytes = stream::iter([Ok(Bytes::from_static(b"abc"))]).boxed();
    stage.artifacts.put(small, 3, bytes).await.unwrap();
    assert_eq!(stage.ways(), (1, 1));
}

#[tokio::test]
async fn from_where_the_storage_cannot_be_reached_bytes_go_through_the_control_plane() {
    let stage = stage().await;
    // Nothing can listen at port 0.
    *stage.store.url.lock().unwrap() = "http://127.0.0.1:0".to_owned();
    stage.put().await.unwrap();
    stage.assert_kept().await;
    assert_eq!(stage.ways(), (1, 1));
    stage.put().await.unwrap();
    assert_eq!(stage.ways(), (1, 2), "it is not asked again soon");
}

#[tokio::test]
async fn a_storage_that_refuses_costs_one_try_and_the_next_goes_through_the_control_plane() {
    let stage = stage().await;
    let _storage = storage(&stage.store, "403 Forbidden").await;
    let refused = stage.put().await;
    assert!(matches!(refused, Err(ArtifactError::Unavailable(_))), "{refused:?}");
    assert!(!format!("{refused:?}").contains("hush"), "{refused:?}");
    stage.put().await.unwrap();
    stage.assert_kept().await;
    assert_eq!(stage.ways(), (1, 1));
}

#[tokio::test]
async fn what_did_not_arrive_as_it_was_sent_is_not_taken_over() {
    let stage = stage().await;
    // It says that it has the bytes, and has none.
    let _storage = storage(&stage.store, "204 No Content").await;
    let missing = stage.put().await;
    assert!(matches!(missing, Err(ArtifactError::Unavailable(_))), "{missing:?}");
    assert_eq!(stage.store.kept.head(key()).await.unwrap(), None);
    stage.put().await.unwrap();
    stage.assert_kept().await;
}

#[tokio::test]
async fn a_server_without_grants_gets_the_bytes() {
    let stage = stage().await;
    stage.put().await.unwrap();
    stage.put().await.unwrap();
    stage.assert_kept().await;
    assert_eq!(stage.ways(), (1, 2));
}

#[tokio::test]
async fn wrong_bytes_are_a_mismatch_on_this_way_too() {
    let stage = stage().await;
    let _storage = storage(&stage.store, "200 OK").await;
    let other = ArtifactKey { digest: Digest::of(b"abc"), ..key() };
    let put = stage.artifacts.put(other, LENGTH as u64, pieces()).await;
    assert!(matches!(put, Err(ArtifactError::Mismatch(_))), "{put:?}");
}

#[tokio::test]
async fn too_much_is_refused_before_anything_is_granted() {
    let store = Granting::default();
    *store.url.lock().unwrap() = "http://127.0.0.1:0".to_owned();
    let running = Running::start(face(answering()).artifacts(store.clone()).artifact_bytes_max(2)).await;
    let asked = async |path: &str, body: &str| {
        let request = format!(
            "POST /v1/artifacts/{}{path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
             runners-protocol: 1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            key().digest,
            of_the_host().expose(),
            body.len()
        );
        raw(running.address, request.as_bytes(), "\0").await
    };
    let told = asked("/uploads", r#"{"length":3}"#).await;
    assert!(
        told.starts_with("HTTP/1.1 400 ")
            && told.contains("\"limit\":2")
            && told.contains("\"path\":\"length\""),
        "{told}"
    );
    assert_eq!(store.granted.load(Ordering::SeqCst), 0);
    let told = asked("/uploads", r#"{"length":2}"#).await;
    assert!(told.starts_with("HTTP/1.1 200 ") && told.contains("\"expires_in_ms\":60000"), "{told}");
    let told = asked("/uploads", "{}").await;
    assert!(told.starts_with("HTTP/1.1 400 ") && told.contains("length"), "{told}");
    let named = format!("/uploads/{}", UploadId::from_bytes([5; 16]));
    let told = asked(&named, r#"{"length":2}"#).await;
    assert!(told.starts_with("HTTP/1.1 404 ") && told.contains("no such upload"), "{told}");
    let told = asked("/elsewhere", r#"{"length":2}"#).await;
    assert!(told.starts_with("HTTP/1.1 404 "), "{told}");
}
