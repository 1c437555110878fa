//! Who gets which job: the ready jobs of each lane, and the runners that wait for one.
//!
//! Lanes are matched, not jobs. All of it can be rebuilt from the store; nothing here is the truth.
//! The order of a pool's lanes is left to [`order`], what limits them to [`counters`].

mod counters;
mod depth;
mod explain;
mod lanes;
mod order;
#[cfg(test)]
mod tests;
mod turns;
mod waiters;

pub(crate) use waiters::Seeker;

use crate::{
    rules::{job::JobRecord, precedence::Precedence, record::PayloadRecord},
    values::{
        fleet::pool::Placement,
        id::{JobId, LaneId, PoolId, RunnerId, TenantId},
        key::Key,
        time::Timestamp,
    },
};
use bytes::Bytes;
use counters::{Changed, Counters};
use lanes::Lane;
use order::Order;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use waiters::Waiters;

/// A ready job, as it was read or written.
#[derive(Clone, Debug)]
pub(crate) struct ReadyJob {
    pub(crate) version: u64,
    pub(crate) record: JobRecord,
    /// Its immutable bytes, if they are at hand.
    pub(crate) payload: Option<Arc<PayloadRecord>>,
}

/// A page of a lane that is to be read, from after a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageWanted {
    pub(crate) lane: LaneId,
    pub(crate) after: Option<Bytes>,
}

/// How a runner seeks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// How many jobs it takes at most.
    pub(crate) room: usize,
    /// How many it holds.
    pub(crate) held: usize,
    /// Whether it waits if there is none.
    pub(crate) waits: bool,
    /// The time, if it can wait until it is this control plane's turn.
    pub(crate) now: Option<Timestamp>,
}

/// What a runner that seeks work is given.
#[derive(Debug, Default)]
pub(crate) struct Sought {
    pub(crate) taken: Vec<ReadyJob>,
    pub(crate) pages: Vec<PageWanted>,
    /// Lanes whose jobs are other control planes' first, and when it is this one's turn.
    pub(crate) turns: Vec<(LaneId, Timestamp)>,
    /// Another who waits and is to seek, since this one was told of a job and takes none: somebody else has taken it,
    /// in place of one that this one may not take.
    pub(crate) instead: Option<RunnerId>,
}

/// The ready jobs of every pool, and the runners that wait.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    lanes: BTreeMap<LaneId, Lane>,
    pools: BTreeMap<PoolId, Pool>,
    counters: Counters,
    /// In which pool a counter is a share, and of how many lanes.
    shares: BTreeMap<Key, (PoolId, usize)>,
    /// Tenants that are granted nothing.
    suspended: BTreeSet<TenantId>,
    /// Who else grants.
    precedence: Precedence,
    /// When runners that wait are told again of lanes that are others' first.
    turns: BTreeMap<LaneId, Timestamp>,
}

#[derive(Debug, Default)]
struct Pool {
    lanes: BTreeSet<LaneId>,
    order: Order,
    /// Lanes that may have a ready job that may be granted.
    busy: BTreeSet<LaneId>,
    waiters: Waiters,
    /// Whose it is, if what is asked of it was read.
    owner: Option<TenantId>,
    /// Of what is asked of it.
    version: u64,
    placement: Placement,
}

/// How many ready jobs a pool keeps in memory, over all its lanes.
pub(crate) const WINDOW_MAX: usize = 1024;
/// How many ready jobs a lane keeps in memory, however many lanes there are.
const LANE_WINDOW_MIN: usize = 16;
/// The largest number of lanes of a pool.
pub(crate) const LANES_MAX: usize = 10_000;

impl Schedule {
    /// Gives up to `room` jobs to a runner; if there is none and it would wait, remembers it. Each
    /// that is given counts as granted until it is [`settled`](Self::settled).
    pub(crate) fn seek(&mut self, pool: PoolId, seeker: &Seeker, wish: Wish) -> Sought {
        let mut sought = Sought::default();
        let Some(found) = self.pools.get_mut(&pool) else { return sought };
        let was_told = found.waiters.was_told(seeker.runner);
        found.waiters.remove(seeker.runner);
        let room = self.room_beside(pool, wish.room);
        let mut closed = BTreeSet::new();
        while sought.taken.len() < room {
            let order = self.pools.get(&pool).map(|pool| &pool.order);
            let best = order.and_then(|order| order.best(seeker.runner, &seeker.facts, &closed));
            let Some(lane) = best else { break };
            match self.take(lane, pool, wish.now) {
                Ok(job) => sought.taken.push(job),
                Err(turn) => {
                    closed.insert(lane);
                    sought.turns.extend(self.note_turn(lane, turn));
                }
            }
            sought.pages.extend(self.page_wanted(lane));
        }
        if sought.taken.is_empty()
            && wish.waits
            && wish.room > 0
            && let Some(pool) = self.pools.get_mut(&pool)
        {
            pool.waiters.add(seeker.clone(), pool.placement, wish.held);
        }
        if was_told && sought.taken.is_empty() {
            sought.instead = self.tell_another(pool, &closed);
        }
        sought
    }

    /// The waiting runner that is to be told of some job that is not in one of these lanes. Where a turn is awaited,
    /// it is told once that has come.
    fn tell_another(&mut self, pool: PoolId, closed: &BTreeSet<LaneId>) -> Option<RunnerId> {
        let pool = self.pools.get(&pool).filter(|pool| !pool.waiters.is_empty())?;
        let open = |lane: &LaneId| !closed.contains(lane) && !self.turns.contains_key(lane);
        let lanes: Vec<LaneId> = pool.order.lanes().filter(open).collect();
        lanes.into_iter().find_map(|lane| self.waiter_for(lane))
    }

    /// How many jobs a runner may take, so that some are left to those that were told of them.
    fn room_beside(&self, pool: PoolId, room: usize) -> usize {
        let pool = &self.pools[&pool];
        let told = pool.waiters.told();
        if told == 0 || pool.placement == Placement::Pack {
            return room;
        }
        let mut ready = 0;
        for lane in pool.order.lanes() {
            ready += self.lanes[&lane].window.len();
            if ready >= room + told {
                break;
            }
        }
        room.min(ready.saturating_sub(told).max(1))
    }

    /// Takes the first job of a lane out, to be granted in `pool`. If its jobs are others' first:
    /// until when.
    fn take(
        &mut self,
        id: LaneId,
        pool: PoolId,
        now: Option<Timestamp>,
    ) -> Result<ReadyJob, Option<Timestamp>> {
        let lane = self.lanes.get_mut(&id).ok_or(None)?;
        let job = lane.pop(&self.precedence, now)?;
        let found = self.pools.get_mut(&pool).ok_or(None)?;
        if let Some((class, ..)) = lane.head {
            found.order.granted(&lane.needs, class, lane.share_in(pool));
        }
        for key in lane.counters_in(pool) {
            let changed = self.counters.under_way(&key, 1);
            self.turn(&key, &changed);
        }
        self.refresh(id);
        Ok(job)
    }

    /// A job that was taken has been granted, or was not. Which waiting runners are to seek.
    pub(crate) fn settled(&mut self, lane: LaneId, pool: PoolId) -> Vec<RunnerId> {
        let Some(found) = self.lanes.get(&lane) else { return Vec::new() };
        let mut wake = Vec::new();
        for key in found.counters_in(pool) {
            let changed = self.counters.under_way(&key, -1);
            wake.extend(self.turn(&key, &changed));
        }
        wake
    }

    /// Forgets a runner that waited. Whether it did.
    pub(crate) fn forget(&mut self, pool: PoolId, runner: RunnerId) -> bool {
        self.pools.get_mut(&pool).is_some_and(|pool| pool.waiters.remove(runner))
    }

    /// Takes note of a job that is ready now. Which waiting runner is to seek.
    pub(crate) fn ready(&mut self, job: ReadyJob) -> Option<RunnerId> {
        let id = job.record.lane();
        let size = self.page_size(id);
        let key = job.record.ready_key()?;
        let lane = self.lanes.get_mut(&id)?;
        let known = lane.window.insert(key, job, size);
        self.refresh(id);
        if known { self.waiter_for(id) } else { None }
    }

    /// Takes note of a job that is no longer ready.
    pub(crate) fn gone(&mut self, lane: LaneId, key: &Bytes) {
        if let Some(found) = self.lanes.get_mut(&lane) {
            found.window.remove(key);
            self.refresh(lane);
        }
    }

    /// Takes note of a job that is no longer ready, whatever its priority and age were.
    pub(crate) fn gone_whatever_its_key(&mut self, lane: LaneId, tenant: TenantId, job: JobId) {
        let ends_in = [*tenant.as_bytes(), *job.as_bytes()].concat();
        if let Some(found) = self.lanes.get_mut(&lane)
            && found.window.remove_where(|key| key.ends_with(&ends_in))
        {
            self.refresh(lane);
        }
    }

    /// Whether anything is counted, so that a change of a job may change what is granted next.
    pub(crate) fn counts(&self) -> bool {
        !self.counters.is_empty()
    }

    /// A runner that was told to seek did not: others are told instead.
    pub(crate) fn kick(&mut self, pool: PoolId) -> Vec<RunnerId> {
        let Some(found) = self.pools.get(&pool) else { return Vec::new() };
        // A lane may be in other pools, too.
        if self.nobody_waits() {
            return Vec::new();
        }
        let lanes: Vec<LaneId> = found.order.lanes().collect();
        let mut wake = Vec::new();
        for lane in lanes {
            let ready = self.lanes[&lane].window.len();
            wake.extend((0..ready).map_while(|_| self.waiter_for(lane)));
        }
        wake
    }

    /// The waiting runner that a new job of `lane` can be granted to in the very commit that
    /// makes it, and its pool: only if no ready job of the pool that might be granted is known or
    /// unread, so that none is passed over.
    pub(crate) fn direct(&mut self, lane: LaneId) -> Option<(PoolId, RunnerId)> {
        let found = self.lanes.get(&lane)?;
        if found.is_held_back(&self.counters) {
            return None;
        }
        found.places.iter().find_map(|place| {
            let pool = self.pools.get_mut(&place.pool).filter(|pool| pool.busy.is_empty())?;
            Some((place.pool, pool.waiters.pop(&found.needs)?))
        })
    }

    /// Commits left counters at these values. Which waiting runners are to seek.
    pub(crate) fn counted(&mut self, values: Vec<(Key, i64)>) -> Vec<RunnerId> {
        let mut wake = Vec::new();
        for (key, value) in values {
            let changed = self.counters.heard(&key, value);
            wake.extend(self.turn(&key, &changed));
        }
        wake
    }

    /// The store says that a counter is full. It is to be read.
    pub(crate) fn exhausted(&mut self, key: &Key) {
        let changed = self.counters.exhausted(key);
        self.turn(key, &changed);
    }

    /// Counters may not be as they are known. They are to be read.
    pub(crate) fn doubt_counters(&mut self, keys: &[Key]) {
        keys.iter().for_each(|key| self.counters.doubt(key));
    }

    /// What jobs of a lane count in may not be as it is known.
    pub(crate) fn doubt_counters_of(&mut self, lane: LaneId) {
        let Some(found) = self.lanes.get(&lane) else { return };
        let keys: Vec<Key> = found.places.iter().flat_map(|place| found.counters_in(place.pool)).collect();
        self.doubt_counters(&keys);
    }

    /// Any counter may not be as it is known.
    pub(crate) fn doubt_all_counters(&mut self) {
        self.counters.doubt_all();
    }

    /// Counters that are to be read, each of which is then [`counter_read`](Self::counter_read).
    pub(crate) fn counters_wanted(&mut self) -> Vec<Key> {
        self.counters.take_wanted()
    }

    /// A counter was read, or could not be. Which waiting runners are to seek.
    pub(crate) fn counter_read(&mut self, key: &Key, value: Option<i64>) -> Vec<RunnerId> {
        let changed = self.counters.was_read(key, value);
        self.turn(key, &changed)
    }

    /// Does what follows from a change of a counter. Which waiting runners are to seek.
    fn turn(&mut self, key: &Key, changed: &Changed) -> Vec<RunnerId> {
        if let Some(pool) = self.shares.get(key).and_then(|(pool, _)| self.pools.get_mut(pool)) {
            pool.order.set_share(key, self.counters.count(key));
        }
        changed.turned.iter().for_each(|lane| self.refresh(*lane));
        if changed.freed == 0 || self.nobody_waits() {
            return Vec::new();
        }
        let mut wake = Vec::new();
        for lane in self.counters.ready(key) {
            let ready = self.lanes.get(&lane).map_or(0, |lane| lane.window.len());
            while wake.len() < changed.freed.min(ready) {
                let Some(runner) = self.waiter_for(lane) else { break };
                wake.push(runner);
            }
        }
        wake
    }

    fn nobody_waits(&self) -> bool {
        self.pools.values().all(|pool| pool.waiters.is_empty())
    }

    /// The waiting runner that is to be told of a job of a lane, in the first of its pools that has
    /// one.
    fn waiter_for(&mut self, lane: LaneId) -> Option<RunnerId> {
        let lane = self.lanes.get(&lane).filter(|lane| lane.head.is_some())?;
        lane.places.iter().find_map(|place| self.pools.get_mut(&place.pool)?.waiters.tell(&lane.needs))
    }

    /// Puts a lane where its first job belongs, if that might be granted.
    fn refresh(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let first = lane.window.first().and_then(|key| lane.head_of(key, id));
        for (key, limit) in &lane.limits {
            self.counters.set_ready(key, *limit, id, first.is_some());
        }
        let held_back = lane.is_held_back(&self.counters);
        let head = first.filter(|_| !held_back);
        let busy = !held_back && !lane.window.is_surely_empty();
        for place in &lane.places {
            let Some(pool) = self.pools.get_mut(&place.pool) else { continue };
            if head != lane.head {
                // The new place is taken first, so that a group that stays does not lose its turn.
                if let Some(head) = head {
                    let share = place.share.clone().map(|share| {
                        let running = self.counters.count(&share.0);
                        (share, running)
                    });
                    pool.order.insert(&lane.needs, head, share);
                }
                if let Some(old) = lane.head {
                    pool.order.remove(&lane.needs, old, place.share.as_ref());
                }
            }
            if busy {
                pool.busy.insert(id);
            } else {
                pool.busy.remove(&id);
            }
        }
        lane.head = head;
    }
}
