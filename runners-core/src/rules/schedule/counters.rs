//! The counters that decide what may be granted next: how many jobs of a concurrency key are
//! granted, and how many of a fairness key in a pool.
//!
//! The truth is in the store, which refuses what goes over a limit. What is believed here only
//! saves the asking: it may be too low, which costs a refused batch, and is never relied on when
//! it is too high, because a counter that holds jobs back is read again.

use crate::values::{id::LaneId, key::Key};
use std::collections::{BTreeMap, BTreeSet};

/// What is believed of every counter that a lane names.
#[derive(Debug, Default)]
pub(super) struct Counters {
    counters: BTreeMap<Key, Counter>,
    /// To be read now. None of them is being read.
    wanted: BTreeSet<Key>,
}

#[derive(Debug, Default)]
struct Counter {
    /// As last heard; nothing before it was read.
    stored: Option<i64>,
    /// Grants that are under way here.
    under_way: i64,
    /// What was heard last may be older than what was heard before.
    doubted: bool,
    reading: bool,
    /// To be read once more when that was read which is asked for.
    again: bool,
    /// Lanes that it limits, by their limit.
    limits: BTreeSet<(i64, LaneId)>,
    /// Those of them that have ready jobs.
    ready: BTreeSet<LaneId>,
}

/// What a change of a counter concerns.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    /// Lanes that were held back by it and are not any more, or the other way round.
    pub(super) turned: Vec<LaneId>,
    /// How many more jobs may be granted than before.
    pub(super) freed: usize,
}

impl Counters {
    /// A lane is limited by a counter, or only counts in it.
    pub(super) fn add(&mut self, key: &Key, limit: Option<i64>, lane: LaneId) {
        let counter = self.counters.entry(key.clone()).or_default();
        match limit {
            Some(limit) => {
                counter.limits.insert((limit, lane));
            }
            // A share is believed to be nothing until it is heard of, and orders no worse than that.
            None if counter.stored.is_none() => self.want(key),
            None => {}
        }
    }

    /// A lane that it limited is no more, or it is no share any more.
    pub(super) fn remove(&mut self, key: &Key, limited: Option<(i64, LaneId)>) {
        let Some(counter) = self.counters.get_mut(key) else { return };
        if let Some((limit, lane)) = limited {
            counter.limits.remove(&(limit, lane));
            counter.ready.remove(&lane);
        }
        if counter.limits.is_empty() {
            self.counters.remove(key);
            self.wanted.remove(key);
        }
    }

    /// Whether no lane names any.
    pub(super) fn is_empty(&self) -> bool {
        self.counters.is_empty()
    }

    /// How many are granted, those under way included.
    pub(super) fn count(&self, key: &Key) -> i64 {
        self.counters.get(key).map_or(0, |counter| counter.stored.unwrap_or(0) + counter.under_way)
    }

    /// Whether a lane with this limit is held back.
    pub(super) fn is_full(&self, key: &Key, limit: i64) -> bool {
        self.counters.get(key).is_none_or(|counter| counter.least() >= limit)
    }

    /// Takes note of whether a lane that a counter limits has ready jobs. If the counter holds it
    /// back and was not read since it changed, it is to be read.
    pub(super) fn set_ready(&mut self, key: &Key, limit: i64, lane: LaneId, ready: bool) {
        let Some(counter) = self.counters.get_mut(key) else { return };
        if !ready {
            counter.ready.remove(&lane);
            return;
        }
        counter.ready.insert(lane);
        let holds_back = counter.stored.is_none_or(|stored| stored >= limit);
        if holds_back && !counter.reading && (counter.doubted || counter.stored.is_none()) {
            self.want(key);
        }
    }

    /// The lanes with ready jobs that a counter limits.
    pub(super) fn ready(&self, key: &Key) -> Vec<LaneId> {
        self.counters.get(key).map_or_else(Vec::new, |counter| counter.ready.iter().copied().collect())
    }

    /// A grant that counts is under way (1), or has come to its end (-1).
    pub(super) fn under_way(&mut self, key: &Key, by: i64) -> Changed {
        self.change(key, |counter| counter.under_way += by)
    }

    /// A commit left the counter at `value`. Commits may be heard of out of their order.
    pub(super) fn heard(&mut self, key: &Key, value: i64) -> Changed {
        let changed = self.change(key, |counter| {
            counter.stored = Some(value);
            counter.doubted = true;
        });
        self.want_if_full(key);
        changed
    }

    /// The store says that the counter is full: it holds back everything until it was read.
    pub(super) fn exhausted(&mut self, key: &Key) -> Changed {
        let changed = self.change(key, |counter| counter.stored = None);
        self.doubt(key);
        changed
    }

    /// The counter may not be as it is believed to be.
    pub(super) fn doubt(&mut self, key: &Key) {
        if let Some(counter) = self.counters.get_mut(key) {
            counter.doubted = true;
            self.want(key);
        }
    }

    /// The counter was read after it was asked for.
    pub(super) fn was_read(&mut self, key: &Key, value: Option<i64>) -> Changed {
        let again = self.counters.get_mut(key).is_some_and(|counter| {
            counter.reading = false;
            std::mem::take(&mut counter.again)
        });
        if again || value.is_none() {
            self.want(key);
        }
        let Some(value) = value else { return Changed::default() };
        let changed = self.change(key, |counter| counter.stored = Some(value));
        self.want_if_full(key);
        changed
    }

    /// Counters that are to be read now. What is heard from here on makes them wanted again.
    pub(super) fn take_wanted(&mut self) -> Vec<Key> {
        let mut now = Vec::new();
        for key in std::mem::take(&mut self.wanted) {
            if let Some(counter) = self.counters.get_mut(&key) {
                (counter.reading, counter.doubted) = (true, false);
                now.push(key);
            }
        }
        now
    }

    /// Every counter, as all of them may have changed.
    pub(super) fn doubt_all(&mut self) {
        let keys: Vec<Key> = self.counters.keys().cloned().collect();
        keys.iter().for_each(|key| self.doubt(key));
    }

    /// Wants it read if it holds anything back by what may be old.
    fn want_if_full(&mut self, key: &Key) {
        let full = self.counters.get(key).is_some_and(|counter| {
            let least = counter.limits.first().map_or(i64::MAX, |(limit, _)| *limit);
            counter.doubted
                && !counter.ready.is_empty()
                && counter.stored.is_some_and(|stored| stored >= least)
        });
        if full {
            self.want(key);
        }
    }

    /// One that is being read is wanted after that, and does not lie among those that are looked through
    /// each time until then.
    fn want(&mut self, key: &Key) {
        match self.counters.get_mut(key) {
            Some(counter) if counter.reading => counter.again = true,
            Some(_) => drop(self.wanted.insert(key.clone())),
            None => {}
        }
    }

    fn change(&mut self, key: &Key, change: impl FnOnce(&mut Counter)) -> Changed {
        let Some(counter) = self.counters.get_mut(key) else { return Changed::default() };
        let before = counter.least();
        change(counter);
        let after = counter.least();
        let (low, high) = (before.min(after), before.max(after));
        if low == high {
            return Changed::default();
        }
        let first = (low.saturating_add(1), LaneId::from_bytes([0; 16]));
        let last = (high, LaneId::from_bytes([0xff; 16]));
        let turned = counter.limits.range(first..=last).map(|(_, lane)| *lane).collect();
        let freed = usize::try_from(before.saturating_sub(after)).unwrap_or(0);
        Changed { turned, freed }
    }
}

impl Counter {
    /// How many are granted at least; what was not read holds back everything.
    fn least(&self) -> i64 {
        self.stored.map_or(i64::MAX, |stored| stored + self.under_way)
    }
}
