//! What a probe is told: a store that can be read and takes nothing serves nobody.

use super::hand::{submission, submit, user};
use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use runners_core::{
    ControlPlane, Error, JobOptions, Key, MemoryStore, Transport as _,
    protocol::{Request, SubmitRequest},
    store::{Committed, Hint, Page, Query, Store, StoreError, Stored, Write},
    testing::clock::SimClock,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// A store whose disk can be full.
#[derive(Clone, Debug, Default)]
struct OnADisk {
    inner: MemoryStore,
    is_full: Arc<AtomicBool>,
}

#[async_trait]
impl Store for OnADisk {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        self.inner.load(keys).await
    }

    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        self.inner.scan(query).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        if self.is_full.load(Ordering::Relaxed) {
            return Err(StoreError::Full("no space is left".into()));
        }
        self.inner.commit(writes).await
    }

    fn watch(&self) -> BoxStream<'static, Hint> {
        stream::pending().boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_takes_nothing_is_not_ready_until_it_does_again() {
    let store = OnADisk::default();
    let control = ControlPlane::builder(store.clone()).clock(SimClock::new()).start().await.unwrap();
    submit(&user(&control), 1).await;
    control.check_ready().await.unwrap();
    store.is_full.store(true, Ordering::Relaxed);
    let jobs = vec![submission(2, JobOptions::default())];
    let refused = user(&control).call(Request::Submit(SubmitRequest { jobs, run: None })).await;
    refused.unwrap_err();
    for _ in 0..2 {
        let why = control.check_ready().await.unwrap_err();
        assert!(matches!(why, Error::Store(StoreError::Full(_))), "{why:?}");
    }
    store.is_full.store(false, Ordering::Relaxed);
    control.check_ready().await.unwrap();
}
