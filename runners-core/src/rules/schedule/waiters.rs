//! The runners of a pool that wait for a job, grouped by their facts so that a lane is matched
//! once for all that are alike.

use crate::{
    rules::eligibility::{Needs, suits},
    values::{digest::Digest, fleet::pool::Placement, id::RunnerId, runner::Facts},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A runner that seeks work.
#[derive(Clone, Debug)]
pub(crate) struct Seeker {
    pub(crate) runner: RunnerId,
    pub(crate) facts: Arc<Facts>,
    pub(crate) facts_digest: Digest,
}

/// Those that wait, in the order in which they are given jobs: by what they hold, then by when
/// they came.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    groups: BTreeMap<Digest, Group>,
    places: BTreeMap<RunnerId, (Digest, Rank)>,
    came: u64,
    /// Those that were told to seek and have not done so.
    told: BTreeSet<RunnerId>,
}

type Rank = (usize, u64);

#[derive(Debug)]
struct Group {
    facts: Arc<Facts>,
    queue: BTreeMap<Rank, RunnerId>,
}

impl Waiters {
    /// Adds a runner that holds this many jobs.
    pub(super) fn add(&mut self, seeker: Seeker, placement: Placement, held: usize) {
        self.remove(seeker.runner);
        self.came += 1;
        let rank = match placement {
            Placement::Spread => (held, self.came),
            Placement::Pack => (usize::MAX - held, self.came),
        };
        self.places.insert(seeker.runner, (seeker.facts_digest, rank));
        let group = self.groups.entry(seeker.facts_digest);
        let group = group.or_insert_with(|| Group { facts: seeker.facts, queue: BTreeMap::new() });
        group.queue.insert(rank, seeker.runner);
    }

    /// Whether the runner waited.
    pub(super) fn remove(&mut self, runner: RunnerId) -> bool {
        self.told.remove(&runner);
        let Some((digest, rank)) = self.places.remove(&runner) else { return false };
        if let Some(group) = self.groups.get_mut(&digest) {
            group.queue.remove(&rank);
            if group.queue.is_empty() {
                self.groups.remove(&digest);
            }
        }
        true
    }

    /// Takes out the runner that is to be given a job with these needs.
    pub(super) fn pop(&mut self, needs: &Needs) -> Option<RunnerId> {
        let runner = match needs.runner {
            Some(pinned) => {
                let (digest, _) = self.places.get(&pinned)?;
                suits(needs, &self.groups[digest].facts).is_ok().then_some(pinned)?
            }
            None => {
                let suited = self.groups.values().filter(|group| suits(needs, &group.facts).is_ok());
                let first = suited.filter_map(|group| group.queue.first_key_value());
                *first.min_by_key(|(rank, _)| **rank)?.1
            }
        };
        self.remove(runner);
        Some(runner)
    }

    /// As [`pop`](Self::pop), and remembers that the runner is told to seek.
    pub(super) fn tell(&mut self, needs: &Needs) -> Option<RunnerId> {
        let runner = self.pop(needs)?;
        self.told.insert(runner);
        Some(runner)
    }

    /// How many were told to seek and have not done so.
    pub(super) fn told(&self) -> usize {
        self.told.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}
