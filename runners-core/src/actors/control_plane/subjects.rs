//! Calls that are held back until something happens to one thing: a job ends, a log grows, a
//! signal is answered.

use super::lock;
use crate::values::key::Key;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, Weak},
};
use tokio::sync::Notify;

/// Who waits for what.
#[derive(Debug, Default)]
pub(crate) struct Subjects {
    waiting: Mutex<BTreeMap<Key, Weak<Notify>>>,
}

impl Subjects {
    /// Begins to wait for `subject`. Whatever happens to it after this call is not missed.
    pub(crate) fn wait_for(&self, subject: Key) -> Arc<Notify> {
        let mut waiting = lock(&self.waiting);
        if let Some(notify) = waiting.get(&subject).and_then(Weak::upgrade) {
            return notify;
        }
        // Those that nobody waits for any more are swept before the map can double.
        if waiting.len().is_power_of_two() {
            waiting.retain(|_, notify| notify.strong_count() > 0);
        }
        let notify = Arc::new(Notify::new());
        waiting.insert(subject, Arc::downgrade(&notify));
        notify
    }

    /// Something may have happened to anything.
    pub(crate) fn all_changed(&self) {
        let waiting: Vec<_> = lock(&self.waiting).values().filter_map(Weak::upgrade).collect();
        waiting.into_iter().for_each(|notify| notify.notify_waiters());
    }

    /// Something has happened to `subject`.
    pub(crate) fn changed(&self, subject: &Key) {
        let notify = lock(&self.waiting).get(subject).and_then(Weak::upgrade);
        if let Some(notify) = notify {
            notify.notify_waiters();
        }
    }
}
