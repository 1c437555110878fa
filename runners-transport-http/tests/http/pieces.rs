//! Uploads in pieces over a network that cuts, and reads from where artifacts are kept.

use crate::{
    proxy::{Fate, Proxy},
    support::{Running, answering, face, of_the_host, raw},
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use runners_core::{
    ArtifactError, ArtifactKey, ArtifactStore, ByteStream, Digest, MemoryArtifacts,
    protocol::{ReadAs, ReadGrant},
    testing::artifact_suite::TENANT,
};
use runners_transport_http::HttpArtifacts;
use std::{
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
};

const LENGTH: usize = 4 << 20;
/// Each connection is cut after so many bytes of requests.
const CUT_AFTER: usize = 600 << 10;
/// More often than it is cut, if nothing is sent twice.
const TRIES_MAX: usize = 20;

fn large() -> Bytes {
    (0..LENGTH).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect::<Vec<u8>>().into()
}

fn key() -> ArtifactKey {
    ArtifactKey { tenant: TENANT, digest: Digest::of(&large()) }
}

fn pieces() -> ByteStream {
    let pieces: Vec<_> = large().chunks(64 << 10).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces).boxed()
}

/// Counts what comes, and sends readers elsewhere.
#[derive(Clone, Debug, Default)]
struct Counting {
    kept: MemoryArtifacts,
    appended: Arc<AtomicUsize>,
    put: Arc<AtomicUsize>,
    elsewhere: Arc<Mutex<Option<String>>>,
}

#[async_trait]
impl ArtifactStore for Counting {
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
    async fn upload_offset(&self, key: ArtifactKey, length: u64) -> Result<Option<u64>, ArtifactError> {
        self.kept.upload_offset(key, length).await
    }
    async fn append(
        &self,
        key: ArtifactKey,
        length: u64,
        offset: u64,
        bytes: ByteStream,
    ) -> Result<u64, ArtifactError> {
        let appended = self.appended.clone();
        let counted = bytes.inspect_ok(move |piece| {
            appended.fetch_add(piece.len(), Ordering::SeqCst);
        });
        self.kept.append(key, length, offset, counted.boxed()).await
    }
    async fn grant_read(&self, _: ArtifactKey, _: &ReadAs) -> Result<Option<ReadGrant>, ArtifactError> {
        let url = self.elsewhere.lock().unwrap().clone();
        Ok(url.map(|url| ReadGrant { url, expires_in: ReadGrant::EXPIRES_IN }))
    }
}

#[tokio::test]
async fn an_upload_that_is_cut_again_and_again_goes_on_where_it_was_cut() {
    let store = Counting::default();
    let running = Running::start(face(answering()).artifacts(store.clone())).await;
    let proxy = Proxy::start(running.address, |_| Fate::CutAfterRequest(CUT_AFTER)).await;
    let artifacts = HttpArtifacts::new(&proxy.transport(of_the_host()));
    let mut tries = 0;
    loop {
        tries += 1;
        match artifacts.put(key(), LENGTH as u64, pieces()).await {
            Ok(()) => break,
            Err(error) => assert!(tries < TRIES_MAX, "after {tries} tries: {error:?}"),
        }
    }
    assert!(tries > LENGTH / CUT_AFTER, "it was cut: {tries}");
    let bytes: Vec<Bytes> = store.kept.get(key(), None).await.unwrap().try_collect().await.unwrap();
    assert!(bytes.concat() == large(), "other bytes arrived");
    assert_eq!(store.put.load(Ordering::SeqCst), 0, "nothing was sent whole");
    // What a late piece of a cut connection brings does not follow, and is not kept.
    let appended = store.appended.load(Ordering::SeqCst);
    assert!(appended < LENGTH + LENGTH / 4, "{appended} bytes were sent of {LENGTH}");
}

#[tokio::test]
async fn wrong_bytes_do_not_go_on_with_the_right_ones() {
    let store = Counting::default();
    let running = Running::start(face(answering()).artifacts(store.clone())).await;
    let artifacts = HttpArtifacts::new(&running.transport(of_the_host()));
    let first = stream::iter([Ok(large().slice(..LENGTH / 2))]).boxed();
    assert_eq!(artifacts.append(key(), LENGTH as u64, 0, first).await.unwrap(), LENGTH as u64 / 2);
    let wrong = stream::iter([Ok(Bytes::from(vec![7; LENGTH]))]).boxed();
    let put = artifacts.put(key(), LENGTH as u64, wrong).await;
    assert!(matches!(put, Err(ArtifactError::Mismatch(_))), "{put:?}");
    assert_eq!(store.kept.head(key()).await.unwrap(), None);
}

#[tokio::test]
async fn a_piece_says_what_is_wrong_with_it() {
    let store = Counting::default();
    let running = Running::start(face(answering()).artifacts(store).artifact_bytes_max(100)).await;
    let asked = async |headers: &str| {
        let request = format!(
            "PATCH /v1/artifacts/{} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
             runners-protocol: 1\r\n{headers}content-length: 3\r\n\r\nabc",
            key().digest,
            of_the_host().expose(),
        );
        raw(running.address, request.as_bytes(), "\0").await
    };
    let piece = "content-type: application/partial-upload\r\n";
    let told = asked(&format!("{piece}upload-offset: 0\r\nupload-length: 10\r\n")).await;
    assert!(told.starts_with("HTTP/1.1 204 ") && told.contains("upload-offset: 3"), "{told}");
    let told = asked(&format!("{piece}upload-offset: 7\r\nupload-length: 10\r\n")).await;
    assert!(told.starts_with("HTTP/1.1 409 ") && told.contains("upload-offset: 3"), "{told}");
    let told = asked(&format!("{piece}upload-offset: 3\r\nupload-length: 101\r\n")).await;
    assert!(told.starts_with("HTTP/1.1 413 ") && told.contains("\"code\":\"too_large\""), "{told}");
    assert!(told.contains("\"limit\":100") && told.contains("\"path\":\"upload-length\""), "{told}");
    let told = asked(&format!("{piece}upload-offset: x\r\nupload-length: 10\r\n")).await;
    assert!(told.starts_with("HTTP/1.1 400 ") && told.contains("\"path\":\"upload-offset\""), "{told}");
    let told = asked("upload-offset: 3\r\nupload-length: 10\r\n").await;
    assert!(told.starts_with("HTTP/1.1 415 "), "{told}");
}

#[tokio::test]
async fn a_piece_of_what_is_too_large_is_refused_as_the_whole_would_be() {
    let store = Counting::default();
    let running = Running::start(face(answering()).artifacts(store).artifact_bytes_max(100)).await;
    let artifacts = HttpArtifacts::new(&running.transport(of_the_host()));
    let piece = stream::iter([Ok(large().slice(..50))]).boxed();
    let told = artifacts.append(key(), 101, 0, piece).await;
    assert!(matches!(told, Err(ArtifactError::TooLarge { length: 101, limit: 100 })), "{told:?}");
}

/// Answers every GET with `answer`, and notes what was asked.
async fn storage(answer: String) -> (String, Arc<Mutex<Vec<String>>>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/bucket/key?signature=hush", listener.local_addr().unwrap());
    let (asked, mut serving) = (Arc::<Mutex<Vec<String>>>::default(), JoinSet::new());
    let noted = asked.clone();
    serving.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut read, mut piece) = (Vec::new(), [0; 4096]);
            while !read.windows(4).any(|four| four == b"\r\n\r\n") {
                let length = stream.read(&mut piece).await.unwrap();
                read.extend_from_slice(&piece[..length]);
            }
            noted.lock().unwrap().push(String::from_utf8_lossy(&read).to_lowercase());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, asked, serving)
}

async fn read(artifacts: &HttpArtifacts, key: ArtifactKey, range: Option<Range<u64>>) -> Vec<u8> {
    let pieces: Vec<Bytes> = artifacts.get(key, range).await.unwrap().try_collect().await.unwrap();
    pieces.concat()
}

#[tokio::test]
async fn whoever_says_so_is_led_to_where_an_artifact_is_kept_and_shows_no_token_there() {
    let store = Counting::default();
    let of = ArtifactKey { tenant: TENANT, digest: Digest::of(b"abc") };
    store.kept.put(of, 3, stream::iter([Ok(Bytes::from_static(b"abc"))]).boxed()).await.unwrap();
    let answer = "HTTP/1.1 206 Partial Content\r\ncontent-length: 2\r\nconnection: close\r\n\r\nxy";
    let (url, asked, _storage) = storage(answer.to_owned()).await;
    *store.elsewhere.lock().unwrap() = Some(url);
    let running = Running::start(face(answering()).artifacts(store.clone())).await;
    let artifacts = HttpArtifacts::new(&running.transport(of_the_host()));
    assert_eq!(read(&artifacts, of, Some(1..3)).await, b"xy", "it came from there");
    let head = asked.lock().unwrap().pop().unwrap();
    assert!(
        head.starts_with("get /bucket/key?signature=hush ") && head.contains("range: bytes=1-2"),
        "{head}"
    );
    assert!(
        !head.contains("authorization")
            && !head.contains("runners-protocol")
            && !head.contains("runners-tenant"),
        "{head}"
    );
    // What is not as it was asked for is read here.
    assert_eq!(read(&artifacts, of, None).await, b"abc");
    assert_eq!(read(&artifacts, of, None).await, b"abc");
    assert_eq!(asked.lock().unwrap().len(), 1, "it is not tried again soon");
    // A client that does not say that it goes elsewhere is not sent there.
    let request = format!(
        "GET /v1/artifacts/{} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
         runners-protocol: 1\r\n\r\n",
        of.digest,
        of_the_host().expose(),
    );
    let told = raw(running.address, request.as_bytes(), "\0").await;
    assert!(told.starts_with("HTTP/1.1 200 ") && told.ends_with("abc"), "{told}");
}

#[tokio::test]
async fn from_where_the_storage_cannot_be_reached_artifacts_are_read_through_the_control_plane() {
    let store = Counting::default();
    let of = ArtifactKey { tenant: TENANT, digest: Digest::of(b"abc") };
    store.kept.put(of, 3, stream::iter([Ok(Bytes::from_static(b"abc"))]).boxed()).await.unwrap();
    // Nothing can listen at port 0.
    *store.elsewhere.lock().unwrap() = Some("http://127.0.0.1:0/bucket".to_owned());
    let running = Running::start(face(answering()).artifacts(store)).await;
    let artifacts = HttpArtifacts::new(&running.transport(of_the_host()));
    assert_eq!(read(&artifacts, of, None).await, b"abc");
}
