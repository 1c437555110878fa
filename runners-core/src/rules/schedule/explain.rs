//! How a ready job stands in the schedule: held back, or behind so many others. It plays the order
//! of the pool through, by the very rules that grants go by.

use super::{
    Schedule,
    lanes::Lane,
    order::{Head, Order},
};
use crate::values::{
    explanation::Position,
    id::{LaneId, PoolId},
    key::Key,
};
use bytes::Bytes;
use std::collections::BTreeMap;

/// How many grants are played through at most.
const AHEAD_MAX: u32 = 1024;

impl Schedule {
    /// The counter that holds a lane back, if one does.
    pub(crate) fn held_back_by(&self, lane: LaneId) -> Option<Key> {
        let limits = &self.lanes.get(&lane)?.limits;
        limits.iter().find(|(key, limit)| self.counters.is_full(key, *limit)).map(|(key, _)| key.clone())
    }

    /// How many ready jobs go before the one with this key of the ready index, if one runner after
    /// the other could take any.
    pub(crate) fn position(&self, pool: PoolId, lane: LaneId, key: &Bytes) -> Option<Position> {
        let order = self.pools.get(&pool)?.order.clone();
        let rehearsal =
            Rehearsal { schedule: self, pool, order, taken: BTreeMap::new(), granted: BTreeMap::new() };
        rehearsal.play(lane, key)
    }
}

/// Grants in a pool that are only thought of.
struct Rehearsal<'a> {
    schedule: &'a Schedule,
    pool: PoolId,
    order: Order,
    /// How many jobs of each lane were taken.
    taken: BTreeMap<LaneId, usize>,
    /// How many more are counted by each counter.
    granted: BTreeMap<Key, i64>,
}

impl Rehearsal<'_> {
    fn play(mut self, target: LaneId, key: &Bytes) -> Option<Position> {
        let lanes = &self.schedule.lanes;
        let mut exact = self.schedule.pools[&self.pool].busy.iter().all(|lane| lanes[lane].window.len() > 0);
        if !lanes.get(&target)?.window.contains(key) {
            let known = u32::try_from(lanes[&target].window.len()).unwrap_or(u32::MAX);
            return Some(Position { ahead: known, exact: false });
        }
        let mut ahead = 0;
        while ahead < AHEAD_MAX {
            let id = self.order.first()?;
            let lane = &lanes[&id];
            let at = self.taken.get(&id).copied().unwrap_or(0);
            let (first, head) = self.head(lane, id, at)?;
            if id == target && first == *key {
                return Some(Position { ahead, exact });
            }
            self.grant(lane, id, head, at);
            exact &= at + 1 < lane.window.len() || lane.window.is_complete();
            ahead += 1;
        }
        Some(Position { ahead, exact: false })
    }

    /// The key and the place of a lane's first job that is left.
    fn head(&self, lane: &Lane, id: LaneId, at: usize) -> Option<(Bytes, Head)> {
        let key = lane.window.iter().nth(at)?.0.clone();
        let head = lane.head_of(&key, id)?;
        Some((key, head))
    }

    fn grant(&mut self, lane: &Lane, id: LaneId, head: Head, at: usize) {
        let share = lane.share_in(self.pool);
        self.order.granted(&lane.needs, head.0, share);
        for key in lane.counters_in(self.pool) {
            *self.granted.entry(key).or_default() += 1;
        }
        if let Some((key, _)) = share {
            self.order.set_share(key, self.count(key));
        }
        self.taken.insert(id, at + 1);
        if let Some((_, next)) = self.head(lane, id, at + 1).filter(|_| !self.is_full(lane)) {
            let share = share.map(|share| (share.clone(), self.count(&share.0)));
            self.order.insert(&lane.needs, next, share);
        }
        self.order.remove(&lane.needs, head, share);
        lane.limits.iter().for_each(|(key, _)| self.hold_back(key));
    }

    /// Takes the lanes out that a counter holds back now: one that waited would stand for its
    /// fairness key where the next of that key is to.
    fn hold_back(&mut self, key: &Key) {
        for id in self.schedule.counters.ready(key) {
            let lane = &self.schedule.lanes[&id];
            let at = self.taken.get(&id).copied().unwrap_or(0);
            if let Some((_, head)) = self.head(lane, id, at).filter(|_| self.is_full(lane)) {
                self.order.remove(&lane.needs, head, lane.share_in(self.pool));
            }
        }
    }

    fn count(&self, key: &Key) -> i64 {
        self.schedule.counters.count(key) + self.granted.get(key).copied().unwrap_or(0)
    }

    fn is_full(&self, lane: &Lane) -> bool {
        lane.limits.iter().any(|(key, limit)| self.count(key) >= *limit)
    }
}
