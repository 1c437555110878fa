//! The server's clock, read over ways that take their time: all control planes agree on it however long it
//! takes to ask, or they would take leases from each other's runners too early.

use crate::stage::{pause, shared, within};
use runners_core::{Clock as _, SystemClock, store::Store as _};
use runners_store_postgres::{OpenError, PostgresOptions, testing::TestServer};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UnixStream},
    task::JoinSet,
};

/// How long a question waits on its way, and how far the clock may be off then.
const LATE_MILLIS: u64 = 800;
const OFF_MILLIS_MAX: u64 = 200;

/// A way to a server on which the first questions for its time are late.
struct Way {
    port: u16,
    _carrying: JoinSet<()>,
}

impl Way {
    async fn to(socket: PathBuf, late: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let late = Arc::new(AtomicUsize::new(late));
        let mut carrying = JoinSet::new();
        carrying.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let far = UnixStream::connect(&socket).await.unwrap();
                connections.spawn(carry(near, far, Arc::clone(&late)));
            }
        });
        Self { port, _carrying: carrying }
    }

    fn options(&self, server: &TestServer) -> PostgresOptions {
        let url = format!("postgres://postgres@127.0.0.1:{}/postgres", self.port);
        PostgresOptions::new(url).schema(server.fresh_schema())
    }
}

async fn carry(near: TcpStream, far: UnixStream, late: Arc<AtomicUsize>) {
    let ((mut from_near, mut to_near), (mut from_far, mut to_far)) = (near.into_split(), far.into_split());
    let asking = async {
        let mut said = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from_near.read(&mut said).await {
            let is_late = said[..length].windows(15).any(|part| part == b"clock_timestamp")
                && late.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            if is_late {
                pause(LATE_MILLIS).await;
            }
            if to_far.write_all(&said[..length]).await.is_err() {
                break;
            }
        }
    };
    let answering = tokio::io::copy(&mut from_far, &mut to_near);
    tokio::join!(asking, answering).1.ok();
}

#[tokio::test]
async fn a_clock_that_was_asked_late_is_asked_again_and_not_off() {
    let Some(server) = shared() else { return };
    let way = Way::to(server.socket(), 2).await;
    let store = within("a store", way.options(server).open()).await.unwrap();
    // It is the clock of the same machine.
    let (here, there) = (SystemClock::default().wall(), store.clock().unwrap().wall());
    let off = here.as_millis().abs_diff(there.as_millis());
    assert!(off < OFF_MILLIS_MAX, "it is off by {off} ms");
    store.close().await;
}

#[tokio::test]
async fn a_server_whose_time_cannot_be_known_is_not_opened() {
    let Some(server) = shared() else { return };
    let way = Way::to(server.socket(), usize::MAX).await;
    let refused = within("a refusal", way.options(server).open()).await.unwrap_err();
    let OpenError::Unavailable { source, .. } = refused else { panic!("{refused:?}") };
    let why = source.source().unwrap().to_string();
    assert!(why.contains("ms to tell its time, at most 500 will do"), "{why}");
}
