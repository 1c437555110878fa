//! A control plane collects what nothing names, and nothing else, from a storage.

use crate::support::{key, opened, put};
use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt as _;
use http::Method;
use runners_artifacts_s3::testing::TestStorage;
use runners_core::{
    ArtifactStore as _, Attempt, BootTime, Clock, Command, ControlPlane, Fault, MemoryStore, SystemClock,
    TenantId, Timestamp,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;

/// A minute of it is a second.
#[derive(Clone, Debug)]
struct FastClock {
    boot: BootTime,
    wall: Timestamp,
}

const TIMES: u32 = 60;

impl FastClock {
    fn new() -> Self {
        let clock = SystemClock::default();
        Self { boot: clock.boot(), wall: clock.wall() }
    }

    fn passed(&self) -> Duration {
        SystemClock::default().boot().since(self.boot) * TIMES
    }
}

#[async_trait]
impl Clock for FastClock {
    fn wall(&self) -> Timestamp {
        self.wall + self.passed()
    }

    fn boot(&self) -> BootTime {
        self.boot + self.passed()
    }

    async fn sleep_until(&self, deadline: BootTime) {
        let left = deadline.since(self.boot()) / TIMES;
        let clock = SystemClock::default();
        clock.sleep_until(clock.boot() + left).await;
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Leave;

impl Command for Leave {
    const KIND: &'static str = "leave";
    type Result = i64;
}

const NAMED: &[u8] = b"abc";
/// Its digest comes after that of the other, which is looked at first, in every round.
const UNNAMED: &[u8] = b"unnamed";

#[tokio::test]
async fn what_a_record_names_stays_and_what_nothing_names_goes() {
    assert!(key(NAMED).digest < key(UNNAMED).digest);
    let storage = TestStorage::start().await.unwrap();
    let artifacts = opened(&storage).await;
    let store = MemoryStore::default();
    let control = ControlPlane::builder(store.clone()).artifacts(artifacts.clone()).start().await.unwrap();
    let runner = control
        .local_runner("default")
        .artifacts(TenantId::DEFAULT, artifacts.clone())
        .executor(async |Leave, attempt: Attempt| {
            let left = attempt.attach("left.txt", "text/plain", Bytes::from_static(NAMED)).await;
            left.map(|_| 1_i64).map_err(|error| Fault::permanent("attach", error.to_string()))
        })
        .start();
    control.local_client().submit(&Leave).await.unwrap().result().await.unwrap();
    runner.drain().await.unwrap();
    control.stop().await.unwrap();

    put(&artifacts, UNNAMED).await.unwrap();
    let removed = Arc::new(Notify::new());
    let (noted, name) = (removed.clone(), key(UNNAMED).digest.to_string());
    storage.intercept(move |request| {
        if request.method == Method::DELETE && request.uri.path().ends_with(&name) {
            noted.notify_one();
        }
        async { None }.boxed()
    });
    let later = ControlPlane::builder(store)
        .artifacts(artifacts.clone())
        .artifact_grace(Duration::from_secs(120))
        .clock(FastClock::new())
        .start()
        .await
        .unwrap();
    removed.notified().await;
    later.stop().await.unwrap();
    assert_eq!(artifacts.head(key(NAMED)).await.unwrap(), Some(3), "a record names it");
}
