//! Who gets which job: the ready jobs of each lane, and the runners that wait for one.
//!
//! Lanes are matched, not jobs. Within a pool, priority goes first, then age. All of it can be
//! rebuilt from the store; nothing here is the truth.

mod depth;
mod waiters;

pub(crate) use waiters::Seeker;

use crate::{
    rules::{
        eligibility::eligible,
        job::JobRecord,
        record::{LaneRecord, PayloadRecord},
        window::Window,
    },
    values::id::{LaneId, PoolId, RunnerId},
};
use bytes::Bytes;
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

/// What a runner that seeks work is given.
#[derive(Debug, Default)]
pub(crate) struct Sought {
    pub(crate) taken: Vec<ReadyJob>,
    pub(crate) pages: Vec<PageWanted>,
}

/// The ready jobs of every pool, and the runners that wait.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    lanes: BTreeMap<LaneId, Lane>,
    pools: BTreeMap<PoolId, Pool>,
}

#[derive(Debug)]
struct Lane {
    record: Arc<LaneRecord>,
    window: Window<ReadyJob>,
    head: Option<Head>,
}

/// The place of a lane's first job in its pool: 255 − priority, ready at, lane.
type Head = (u8, u64, LaneId);

#[derive(Debug, Default)]
struct Pool {
    lanes: BTreeSet<LaneId>,
    heads: BTreeSet<Head>,
    /// Lanes of which it is not known that they have no ready job.
    busy: BTreeSet<LaneId>,
    waiters: Waiters,
}

/// How many ready jobs a pool keeps in memory, over all its lanes.
pub(crate) const WINDOW_MAX: usize = 1024;
/// How many ready jobs a lane keeps in memory, however many lanes there are.
const LANE_WINDOW_MIN: usize = 16;
/// The largest number of lanes of a pool.
pub(crate) const LANES_MAX: usize = 10_000;

impl Schedule {
    /// Every lane that is known.
    pub(crate) fn all_lanes(&self) -> Vec<LaneId> {
        self.lanes.keys().copied().collect()
    }

    /// Whether the lanes of `pool` were read.
    pub(crate) fn knows_pool(&self, pool: PoolId) -> bool {
        self.pools.contains_key(&pool)
    }

    /// Every pool whose lanes were read.
    pub(crate) fn pools(&self) -> Vec<PoolId> {
        self.pools.keys().copied().collect()
    }

    /// Takes the lanes of a pool, of whose jobs nothing is known. Which pages are to be read.
    pub(crate) fn add_pool(&mut self, pool: PoolId, lanes: Vec<LaneRecord>) -> Vec<PageWanted> {
        self.pools.entry(pool).or_default();
        let ids: Vec<LaneId> = lanes.iter().map(|lane| lane.id).collect();
        for lane in lanes {
            self.add_lane(lane, Window::unread());
        }
        ids.into_iter().filter_map(|lane| self.page_wanted(lane)).collect()
    }

    /// Whether a lane is known. The lanes of its pool must have been read.
    pub(crate) fn knows_lane(&self, lane: LaneId) -> bool {
        self.lanes.contains_key(&lane)
    }

    /// How many lanes a pool has.
    pub(crate) fn lanes_of(&self, pool: PoolId) -> usize {
        self.pools.get(&pool).map_or(0, |pool| pool.lanes.len())
    }

    /// Takes a lane that was just made, so that it has no jobs.
    pub(crate) fn add_new_lane(&mut self, lane: LaneRecord) {
        if !self.knows_lane(lane.id) {
            self.add_lane(lane, Window::empty());
        }
    }

    fn add_lane(&mut self, lane: LaneRecord, window: Window<ReadyJob>) {
        let id = lane.id;
        let pool = self.pools.entry(lane.pool).or_default();
        pool.lanes.insert(id);
        self.lanes.entry(id).or_insert_with(|| Lane { record: Arc::new(lane), window, head: None });
        self.refresh(id);
    }

    /// Gives up to `room` jobs to a runner; if there is none and it would wait, remembers it.
    pub(crate) fn seek(&mut self, pool: PoolId, seeker: &Seeker, room: usize, waits: bool) -> Sought {
        let mut sought = Sought::default();
        if let Some(pool) = self.pools.get_mut(&pool) {
            pool.waiters.remove(seeker.runner);
        }
        while sought.taken.len() < room {
            let Some(lane) = self.best_lane(pool, seeker) else { break };
            let taken = self.lanes.get_mut(&lane).and_then(|lane| lane.window.pop());
            sought.taken.extend(taken.map(|(_, job)| job));
            self.refresh(lane);
            sought.pages.extend(self.page_wanted(lane));
        }
        if sought.taken.is_empty() && waits && room > 0 {
            self.pools.entry(pool).or_default().waiters.add(seeker.clone());
        }
        sought
    }

    fn best_lane(&self, pool: PoolId, seeker: &Seeker) -> Option<LaneId> {
        let heads = self.pools.get(&pool)?.heads.iter();
        heads.map(|(_, _, lane)| *lane).find(|lane| {
            let lane = &self.lanes[lane].record;
            eligible(lane, seeker.runner, &seeker.facts).is_ok()
        })
    }

    /// Forgets a runner that waited. Whether it did.
    pub(crate) fn forget(&mut self, pool: PoolId, runner: RunnerId) -> bool {
        self.pools.get_mut(&pool).is_some_and(|pool| pool.waiters.remove(runner))
    }

    /// Takes note of a job that is ready now. Which waiting runner is to seek.
    pub(crate) fn ready(&mut self, job: ReadyJob) -> Option<RunnerId> {
        let lane_id = job.record.terms.lane;
        let size = self.window_size(job.record.terms.pool);
        let key = job.record.ready_key()?;
        let lane = self.lanes.get_mut(&lane_id)?;
        let known = lane.window.insert(key, job, size);
        self.refresh(lane_id);
        if known { self.waiter_for(lane_id) } else { None }
    }

    /// Takes note of a job that is no longer ready.
    pub(crate) fn gone(&mut self, lane: LaneId, key: &Bytes) {
        if let Some(found) = self.lanes.get_mut(&lane) {
            found.window.remove(key);
            self.refresh(lane);
        }
    }

    /// Whether the ready jobs of a lane are as they are known is not known any more: they are to be
    /// read again.
    pub(crate) fn doubt(&mut self, lane: LaneId) -> Option<PageWanted> {
        self.lanes.get_mut(&lane)?.window.doubt();
        self.refresh(lane);
        self.page_wanted(lane)
    }

    /// Merges a page that was read. Which waiting runners are to seek, and what to read next.
    pub(crate) fn page(
        &mut self,
        lane: LaneId,
        jobs: Vec<(Bytes, ReadyJob)>,
        more: bool,
    ) -> (Vec<RunnerId>, Option<PageWanted>) {
        let Some(found) = self.lanes.get_mut(&lane) else { return (Vec::new(), None) };
        found.window.page(jobs, more);
        let ready = found.window.len();
        self.refresh(lane);
        let wake = (0..ready).map_while(|_| self.waiter_for(lane)).collect();
        (wake, self.page_wanted(lane))
    }

    /// A page could not be read: it is asked for again when somebody seeks.
    pub(crate) fn page_failed(&mut self, lane: LaneId) {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.window.page_failed();
        }
    }

    /// The pages of a pool's lanes that are wanted and not being read.
    pub(crate) fn pages_wanted(&mut self, pool: PoolId) -> Vec<PageWanted> {
        let Some(found) = self.pools.get(&pool) else { return Vec::new() };
        let busy: Vec<LaneId> = found.busy.iter().copied().collect();
        busy.into_iter().filter_map(|lane| self.page_wanted(lane)).collect()
    }

    /// A runner that was told to seek did not: others are told instead.
    pub(crate) fn kick(&mut self, pool: PoolId) -> Vec<RunnerId> {
        let Some(found) = self.pools.get(&pool) else { return Vec::new() };
        let heads: Vec<LaneId> = found.heads.iter().map(|(_, _, lane)| *lane).collect();
        let mut wake = Vec::new();
        for lane in heads {
            let ready = self.lanes[&lane].window.len();
            wake.extend((0..ready).map_while(|_| self.waiter_for(lane)));
        }
        wake
    }

    /// The waiting runner that a new job of `lane` can be granted to in the very commit that
    /// makes it: only if no ready job of the pool is known or unread, so that none is passed over.
    pub(crate) fn direct(&mut self, lane: LaneId) -> Option<RunnerId> {
        let record = self.lanes.get(&lane)?.record.clone();
        let pool = self.pools.get_mut(&record.pool)?;
        if pool.busy.is_empty() { pool.waiters.pop(&record) } else { None }
    }

    fn waiter_for(&mut self, lane: LaneId) -> Option<RunnerId> {
        let record = self.lanes.get(&lane)?.record.clone();
        self.pools.get_mut(&record.pool)?.waiters.pop(&record)
    }

    fn page_wanted(&mut self, lane: LaneId) -> Option<PageWanted> {
        let size = self.window_size(self.lanes.get(&lane)?.record.pool);
        let found = self.lanes.get_mut(&lane)?;
        let after = found.window.begin_reading(size)?;
        Some(PageWanted { lane, after })
    }

    /// How many jobs a lane of `pool` keeps in memory, and so how many a page has.
    pub(crate) fn window_size(&self, pool: PoolId) -> usize {
        let lanes = self.lanes_of(pool).max(1);
        (WINDOW_MAX / lanes).max(LANE_WINDOW_MIN)
    }

    /// How many jobs a page of `lane` has.
    pub(crate) fn page_size(&self, lane: LaneId) -> usize {
        self.lanes.get(&lane).map_or(LANE_WINDOW_MIN, |lane| self.window_size(lane.record.pool))
    }

    /// Puts a lane where its first job belongs.
    fn refresh(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let Some(pool) = self.pools.get_mut(&lane.record.pool) else { return };
        let head = lane.window.first().and_then(|key| head_of(key, id));
        if head != lane.head {
            if let Some(old) = lane.head.take() {
                pool.heads.remove(&old);
            }
            pool.heads.extend(head);
            lane.head = head;
        }
        if lane.window.is_surely_empty() {
            pool.busy.remove(&id);
        } else {
            pool.busy.insert(id);
        }
    }
}

fn head_of(key: &[u8], lane: LaneId) -> Option<Head> {
    let priority = *key.get(16)?;
    let at = u64::from_be_bytes(key.get(17..25)?.try_into().ok()?);
    Some((priority, at, lane))
}

#[cfg(test)]
mod tests;
