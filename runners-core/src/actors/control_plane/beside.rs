//! Long work that is due. It is done beside the loop that finds it, and a page at a time, so that nothing
//! else that is due waits for it; its record stays due until all of it is done.

use super::{Plane, lock};
use crate::{
    seams::{clock::sleep, store::StoreError},
    values::key::Key,
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::{Semaphore, SemaphorePermit};

/// How much long work is begun at once. What is beyond stays due.
const BEGUN_MAX: usize = 1024;
/// How much of it has its turn at once: each for one page, then the next.
const TURNS_MAX: usize = 8;
/// How long work is left alone that somebody else was faster with.
const CONFLICT_WAIT: Duration = Duration::from_secs(1);
/// The same for work that failed.
const ERROR_WAIT: Duration = Duration::from_secs(10);

/// What is worked on beside the loop.
#[derive(Debug)]
pub(crate) struct Beside {
    begun: Mutex<Begun>,
    turns: Semaphore,
}

#[derive(Debug, Default)]
struct Begun {
    records: BTreeSet<Key>,
    /// More is due, and found no room.
    is_short: bool,
}

impl Default for Beside {
    fn default() -> Self {
        Self { begun: Mutex::default(), turns: Semaphore::new(TURNS_MAX) }
    }
}

impl Beside {
    /// Whether work begins that is not under way.
    fn begin(&self, record: &Key) -> bool {
        let mut begun = lock(&self.begun);
        if begun.records.contains(record) {
            return false;
        }
        if begun.records.len() >= BEGUN_MAX {
            begun.is_short = true;
            return false;
        }
        begun.records.insert(record.clone())
    }

    /// Whether it is time to look for what found no room.
    fn end(&self, record: &Key) -> bool {
        let mut begun = lock(&self.begun);
        begun.records.remove(record);
        let has_room = begun.records.len() <= BEGUN_MAX / 2;
        has_room && std::mem::take(&mut begun.is_short)
    }

    /// Waits for a turn at one page. Turns go round.
    pub(super) async fn turn(&self) -> SemaphorePermit<'_> {
        self.turns.acquire().await.expect("invariant: it is never closed")
    }
}

impl Plane {
    /// Does what is due of a record beside everything else, unless that is under way, or there is no room: then
    /// a later round does.
    pub(super) fn do_beside<F>(self: &Arc<Self>, record: Key, work: impl FnOnce(Arc<Self>) -> F)
    where
        F: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        if !self.beside.begin(&record) {
            return;
        }
        let (plane, working) = (Arc::clone(self), work(Arc::clone(self)));
        self.duties.spawn(async move {
            let done = tokio::select! {
                biased;
                () = plane.stopping.cancelled() => return,
                done = working => done,
            };
            let wait = done.err().map(|error| match error {
                StoreError::Conflict(_) => CONFLICT_WAIT,
                error => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "due work was not done");
                    ERROR_WAIT
                }
            });
            if let Some(wait) = wait {
                tokio::select! {
                    biased;
                    () = plane.stopping.cancelled() => return,
                    () = sleep(&*plane.clock, wait) => {}
                }
            }
            if plane.beside.end(&record) || wait.is_some() {
                plane.due.hint(plane.now());
            }
        });
    }
}
