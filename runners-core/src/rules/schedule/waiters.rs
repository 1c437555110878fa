//! The runners of a pool that wait for a job, grouped by what jobs ask of them so that a lane is
//! matched once for all that are alike.

use crate::{
    rules::eligibility::{Needs, alike, suits},
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
    /// The same for all that suit the same jobs.
    alike: Digest,
}

impl Seeker {
    pub(crate) fn new(runner: RunnerId, facts: Arc<Facts>) -> Self {
        let alike = alike(&facts);
        Self { runner, facts, alike }
    }
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
        self.places.insert(seeker.runner, (seeker.alike, rank));
        let group = self.groups.entry(seeker.alike);
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

    /// Whether a runner was told to seek and has not done so.
    pub(super) fn was_told(&self, runner: RunnerId) -> bool {
        self.told.contains(&runner)
    }

    /// How many were told to seek and have not done so.
    pub(super) fn told(&self) -> usize {
        self.told.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seeker(number: u16, labels: &[&str]) -> Seeker {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&number.to_be_bytes());
        let facts = Facts {
            name: format!("machine {number}"),
            kinds: ["visit".to_owned()].into(),
            labels: labels.iter().map(ToString::to_string).collect(),
            kernel: format!("6.{number}"),
            ..Facts::default()
        };
        Seeker::new(RunnerId::from_bytes(id), Arc::new(facts))
    }

    #[test]
    fn runners_that_differ_in_nothing_that_jobs_ask_for_are_looked_at_as_one() {
        let mut waiters = Waiters::default();
        for number in 0..1000 {
            let labels: &[&str] = if number % 2 == 0 { &["even"] } else { &[] };
            waiters.add(seeker(number, labels), Placement::Spread, 0);
        }
        assert_eq!(waiters.groups.len(), 2);
        let needs = Needs {
            runner: None,
            kind: "visit".into(),
            wanted: BTreeSet::new(),
            refused: ["even".to_owned()].into(),
        };
        assert_eq!(waiters.pop(&needs), Some(seeker(1, &[]).runner), "the one that has waited longest");
    }
}
