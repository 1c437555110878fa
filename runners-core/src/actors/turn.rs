//! Tells many that something has changed, in the order in which they began to wait.
//!
//! Tokio's `watch` wakes its receivers in an order that it draws at random, so a simulation could
//! not repeat itself.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::Notify;

/// Counts changes, and wakes those who wait for one.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    count: AtomicU64,
    changed: Notify,
}

/// Waits for changes. It sees every one after it was made.
#[derive(Debug)]
pub(crate) struct Turns {
    inner: Arc<Inner>,
    seen: u64,
}

impl Turn {
    /// Something has changed.
    pub(crate) fn next(&self) {
        self.inner.count.fetch_add(1, Ordering::AcqRel);
        self.inner.changed.notify_waiters();
    }

    /// Sees every change after this call.
    pub(crate) fn subscribe(&self) -> Turns {
        Turns { inner: self.inner.clone(), seen: self.inner.count.load(Ordering::Acquire) }
    }
}

impl Turns {
    /// Completes when something has changed since the last time it completed.
    pub(crate) async fn changed(&mut self) {
        loop {
            // It is told of every change from here on, so none falls between the two lines.
            let changed = self.inner.changed.notified();
            let count = self.inner.count.load(Ordering::Acquire);
            if std::mem::replace(&mut self.seen, count) != count {
                return;
            }
            changed.await;
        }
    }
}
