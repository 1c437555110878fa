//! Looks at artifacts that are due. They are made beside everything else: an artifact store that is slow, or does not
//! answer, keeps no lease and no deadline waiting.

use super::super::{Plane, lock};
use crate::{
    actors::records::Versioned,
    rules::record::{HoldingRecord, Record as _},
    values::key::Key,
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

/// How many artifacts are looked at once.
const LOOKS_MAX: usize = 16;
/// How long one that could not be looked at is left alone.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// Which artifacts are looked at, or are left alone since that has failed.
#[derive(Debug, Default)]
pub(crate) struct Looks(Mutex<UnderWay>);

#[derive(Debug, Default)]
struct UnderWay {
    records: BTreeSet<Key>,
    /// Others are due, and found no room.
    is_short: bool,
}

impl Looks {
    /// Whether a look may begin that is not under way.
    fn begin(&self, record: &Key) -> bool {
        let mut under_way = lock(&self.0);
        if under_way.records.contains(record) {
            return false;
        }
        if under_way.records.len() >= LOOKS_MAX {
            under_way.is_short = true;
            return false;
        }
        under_way.records.insert(record.clone())
    }

    /// Whether others have waited for the room of this one.
    fn end(&self, record: &Key) -> bool {
        let mut under_way = lock(&self.0);
        under_way.records.remove(record);
        std::mem::take(&mut under_way.is_short)
    }
}

impl Plane {
    /// Begins to do what is due of an artifact, if there is room; else a later round does.
    pub(in super::super) fn due_holding(self: &Arc<Self>, due: Versioned<HoldingRecord>) {
        let record = due.record.key();
        if !self.counted.looks.begin(&record) {
            return;
        }
        let plane = Arc::clone(self);
        self.duties.spawn(async move {
            let looking = async {
                if let Err(error) = plane.counted.look(due).await {
                    // It stays due.
                    tracing::debug!(
                        error = &error as &dyn std::error::Error,
                        "an artifact could not be counted"
                    );
                    plane.clock.sleep_until(plane.clock.boot() + TRY_AGAIN).await;
                }
            };
            tokio::select! {
                biased;
                () = plane.stopping.cancelled() => return,
                () = looking => {}
            }
            if plane.counted.looks.end(&record) {
                plane.due.hint(plane.now());
            }
        });
    }
}
