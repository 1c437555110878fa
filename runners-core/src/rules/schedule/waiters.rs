//! The runners of a pool that wait for a job, in the order they came, grouped by their facts so
//! that a lane is matched once for all that are alike.

use crate::{
    rules::{eligibility::suits, record::LaneRecord},
    values::{digest::Digest, id::RunnerId, runner::Facts},
};
use std::{collections::BTreeMap, sync::Arc};

/// A runner that seeks work.
#[derive(Clone, Debug)]
pub(crate) struct Seeker {
    pub(crate) runner: RunnerId,
    pub(crate) facts: Arc<Facts>,
    pub(crate) facts_digest: Digest,
}

#[derive(Debug, Default)]
pub(crate) struct Waiters {
    groups: BTreeMap<Digest, Group>,
    places: BTreeMap<RunnerId, (Digest, u64)>,
    came: u64,
}

#[derive(Debug)]
struct Group {
    facts: Arc<Facts>,
    queue: BTreeMap<u64, RunnerId>,
}

impl Waiters {
    pub(super) fn add(&mut self, seeker: Seeker) {
        self.remove(seeker.runner);
        self.came += 1;
        self.places.insert(seeker.runner, (seeker.facts_digest, self.came));
        let group = self.groups.entry(seeker.facts_digest);
        let group = group.or_insert_with(|| Group { facts: seeker.facts, queue: BTreeMap::new() });
        group.queue.insert(self.came, seeker.runner);
    }

    /// Whether the runner waited.
    pub(super) fn remove(&mut self, runner: RunnerId) -> bool {
        let Some((digest, place)) = self.places.remove(&runner) else { return false };
        if let Some(group) = self.groups.get_mut(&digest) {
            group.queue.remove(&place);
            if group.queue.is_empty() {
                self.groups.remove(&digest);
            }
        }
        true
    }

    /// Takes out the runner that has waited longest of those that may take the jobs of `lane`.
    pub(super) fn pop(&mut self, lane: &LaneRecord) -> Option<RunnerId> {
        let runner = match lane.runner {
            Some(pinned) => {
                let (digest, _) = self.places.get(&pinned)?;
                suits(lane, &self.groups[digest].facts).is_ok().then_some(pinned)?
            }
            None => {
                let suited = self.groups.values().filter(|group| suits(lane, &group.facts).is_ok());
                let first = suited.filter_map(|group| group.queue.first_key_value());
                *first.min_by_key(|(place, _)| **place)?.1
            }
        };
        self.remove(runner);
        Some(runner)
    }
}
