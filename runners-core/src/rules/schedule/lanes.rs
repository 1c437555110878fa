//! The lanes of the schedule: what is known of each, and which of their ready jobs are read.

use super::{
    LANE_WINDOW_MIN, PageWanted, ReadyJob, Schedule, WINDOW_MAX,
    counters::Counters,
    order::{Head, ShareId},
};
use crate::{
    rules::{eligibility::Needs, keys, record::LaneRecord, window::Window},
    values::{
        fleet::pool::Placement,
        id::{LaneId, PoolId, RunnerId, TenantId},
        key::Key,
        preference::Concurrency,
        time::Timestamp,
    },
};
use bytes::Bytes;
use std::{collections::BTreeSet, sync::Arc};

/// What is known of a lane.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) needs: Arc<Needs>,
    /// Whose jobs are in it, if it is hosted.
    of: Option<TenantId>,
    /// That tenant is granted nothing.
    suspended: bool,
    /// The pools it is in, by its preference.
    pub(super) places: Vec<Place>,
    /// The counters that hold it back, with its limits.
    pub(super) limits: Vec<(Key, i64)>,
    pub(super) window: Window<ReadyJob>,
    /// Where it stands in the order of its pools, if its first job might be granted.
    pub(super) head: Option<Head>,
    /// When other control planes were last heard of granting its jobs.
    pub(super) others_at: Timestamp,
    /// Since when there was no job of this control plane's own for a runner that would take one.
    pub(super) wanting_since: Option<Timestamp>,
}

/// A lane in one of its pools.
#[derive(Debug)]
pub(super) struct Place {
    rank: u32,
    pub(super) pool: PoolId,
    pub(super) share: Option<ShareId>,
    /// Whoever makes a job ready in it wakes it first, as of this version of its record.
    idle: (u64, bool),
}

impl Lane {
    fn new(record: &LaneRecord, window: Window<ReadyJob>) -> Self {
        let of = record.owner_of_jobs();
        let limit = |one: &Concurrency| (keys::granted(of, &one.key), i64::from(one.max));
        let limits = record.concurrency.iter().map(limit).collect();
        Self {
            needs: Arc::new(record.needs()),
            of: record.of,
            suspended: false,
            places: Vec::new(),
            limits,
            window,
            head: None,
            others_at: Timestamp::default(),
            wanting_since: None,
        }
    }

    /// Whether a counter holds it back, or the suspension of its tenant.
    pub(super) fn is_held_back(&self, counters: &Counters) -> bool {
        self.suspended || self.limits.iter().any(|(key, limit)| counters.is_full(key, *limit))
    }

    /// The place of its job with this key of the ready index. Where tenants share a pool, the
    /// priorities that they give to their own jobs put none before another.
    pub(super) fn head_of(&self, key: &[u8], id: LaneId) -> Option<Head> {
        let class = if self.of.is_some() { HOSTED_CLASS } else { *key.get(16)? };
        let at = u64::from_be_bytes(key.get(17..25)?.try_into().ok()?);
        Some((class, at, id))
    }

    /// Its fairness key in `pool`.
    pub(super) fn share_in(&self, pool: PoolId) -> Option<&ShareId> {
        self.places.iter().find(|place| place.pool == pool).and_then(|place| place.share.as_ref())
    }

    /// The counters that a job of it counts in when it is granted in `pool`.
    pub(super) fn counters_in(&self, pool: PoolId) -> Vec<Key> {
        let limits = self.limits.iter().map(|(key, _)| key.clone());
        limits.chain(self.share_in(pool).map(|(key, _)| key.clone())).collect()
    }
}

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

    /// How a pool of a tenant whose lanes were read places jobs, as of this version of it.
    pub(crate) fn place(&mut self, tenant: TenantId, pool: PoolId, version: u64, placement: Placement) {
        if let Some(found) = self.pools.get_mut(&pool).filter(|pool| pool.version <= version) {
            (found.owner, found.version, found.placement) = (Some(tenant), version, placement);
        }
    }

    /// Every pool of which it is known how it places jobs, and whose it is.
    pub(crate) fn placed_pools(&self) -> Vec<(TenantId, PoolId)> {
        self.pools.iter().filter_map(|(pool, known)| Some((known.owner?, *pool))).collect()
    }

    /// Takes the lanes of a pool, of whose jobs nothing is known. Which pages are to be read.
    pub(crate) fn add_pool(&mut self, pool: PoolId, lanes: Vec<LaneRecord>) -> Vec<PageWanted> {
        self.pools.entry(pool).or_default();
        let ids: Vec<LaneId> = lanes.iter().map(|lane| lane.id).collect();
        for lane in lanes {
            self.add_lane(&lane, Window::unread());
        }
        ids.into_iter().filter_map(|lane| self.page_wanted(lane)).collect()
    }

    /// Whether a lane is known as one of `pool`. The lanes of the pool must have been read.
    pub(crate) fn knows_lane(&self, lane: LaneId, pool: PoolId) -> bool {
        self.lanes.get(&lane).is_some_and(|lane| lane.places.iter().any(|place| place.pool == pool))
    }

    /// Whether a lane is known as one of `pool` in which jobs may be made ready as they are.
    pub(crate) fn is_awake(&self, lane: LaneId, pool: PoolId) -> bool {
        let places = self.lanes.get(&lane).into_iter().flat_map(|lane| &lane.places);
        places.into_iter().any(|place| place.pool == pool && !place.idle.1)
    }

    /// Takes note of whether a lane is idle, as of a version of its record.
    pub(crate) fn note_lane(&mut self, lane: LaneId, pool: PoolId, version: u64, idle: bool) {
        let places = self.lanes.get_mut(&lane).into_iter().flat_map(|lane| &mut lane.places);
        for place in places.filter(|place| place.pool == pool && place.idle.0 <= version) {
            place.idle = (version, idle);
        }
    }

    /// Forgets a lane of `pool` that is deleted.
    pub(crate) fn remove_lane(&mut self, id: LaneId, pool: PoolId) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let Some(at) = lane.places.iter().position(|place| place.pool == pool) else { return };
        let place = lane.places.remove(at);
        if let Some(found) = self.pools.get_mut(&pool) {
            if let Some(head) = lane.head {
                found.order.remove(&lane.needs, head, place.share.as_ref());
            }
            found.lanes.remove(&id);
            found.busy.remove(&id);
        }
        if let Some((key, _)) = &place.share
            && let Some((_, lanes)) = self.shares.get_mut(key)
        {
            *lanes -= 1;
            if *lanes == 0 {
                self.shares.remove(key);
                self.counters.remove(key, None);
            }
        }
        if lane.places.is_empty() {
            lane.limits.iter().for_each(|(key, limit)| self.counters.remove(key, Some((*limit, id))));
            self.lanes.remove(&id);
        }
    }

    /// How many lanes a pool has.
    pub(crate) fn lanes_of(&self, pool: PoolId) -> usize {
        self.pools.get(&pool).map_or(0, |pool| pool.lanes.len())
    }

    /// How many hosted lanes of `tenant` a pool has.
    pub(crate) fn hosted_lanes_of(&self, pool: PoolId, tenant: TenantId) -> usize {
        let lanes = self.pools.get(&pool).into_iter().flat_map(|pool| &pool.lanes);
        lanes.filter(|lane| self.lanes[lane].of == Some(tenant)).count()
    }

    /// Grants nothing hosted to these tenants, and to all others again. Which waiting runners are to
    /// seek.
    pub(crate) fn suspend(&mut self, tenants: BTreeSet<TenantId>) -> Vec<RunnerId> {
        self.suspended = tenants;
        let mut wake = Vec::new();
        let hosted = self.lanes.iter().filter_map(|(id, lane)| Some((*id, lane.of?, lane.suspended)));
        let turned = hosted.filter(|(_, of, was)| self.suspended.contains(of) != *was);
        let turned: Vec<(LaneId, bool)> = turned.map(|(id, _, was)| (id, was)).collect();
        for (id, was) in turned {
            let Some(lane) = self.lanes.get_mut(&id) else { continue };
            lane.suspended = !was;
            let ready = lane.window.len();
            self.refresh(id);
            wake.extend((0..ready).map_while(|_| self.waiter_for(id)));
        }
        wake
    }

    /// Takes a lane that was just made in its pool. If it is in no other, it has no jobs.
    pub(crate) fn add_new_lane(&mut self, lane: &LaneRecord) {
        self.add_lane(lane, Window::empty());
    }

    fn add_lane(&mut self, record: &LaneRecord, window: Window<ReadyJob>) {
        let id = record.id;
        if self.knows_lane(id, record.pool) {
            return;
        }
        let pool = self.pools.entry(record.pool).or_default();
        pool.lanes.insert(id);
        let lane = self.lanes.entry(id).or_insert_with(|| Lane::new(record, window));
        lane.suspended = record.of.is_some_and(|tenant| self.suspended.contains(&tenant));
        let share = record.share();
        for (key, limit) in &lane.limits {
            self.counters.add(key, Some(*limit), id);
        }
        if let Some((key, weight)) = &share {
            self.counters.add(key, None, id);
            self.shares.entry(key.clone()).or_insert((record.pool, 0)).1 += 1;
            if let Some(head) = lane.head {
                let running = self.counters.count(key);
                pool.order.insert(&lane.needs, head, Some(((key.clone(), *weight), running)));
            }
        } else if let Some(head) = lane.head {
            pool.order.insert(&lane.needs, head, None);
        }
        lane.places.push(Place { rank: record.rank, pool: record.pool, share, idle: (0, record.idle) });
        lane.places.sort_by_key(|place| place.rank);
        self.refresh(id);
    }

    /// What is known of the ready jobs of a lane may not be so: they are to be read again.
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

    /// A page could not be read: it is asked for again when somebody seeks, unless a counter holds the
    /// lane back. One that was never read does, and nothing but a ready job would have it read.
    pub(crate) fn page_failed(&mut self, lane: LaneId) {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.window.page_failed();
            lane.limits.iter().for_each(|(key, _)| self.counters.doubt(key));
        }
    }

    /// The pages of a pool's lanes that are wanted and not being read.
    pub(crate) fn pages_wanted(&mut self, pool: PoolId) -> Vec<PageWanted> {
        let Some(found) = self.pools.get(&pool) else { return Vec::new() };
        let busy: Vec<LaneId> = found.busy.iter().copied().collect();
        busy.into_iter().filter_map(|lane| self.page_wanted(lane)).collect()
    }

    pub(super) fn page_wanted(&mut self, lane: LaneId) -> Option<PageWanted> {
        let size = self.page_size(lane);
        let after = self.lanes.get_mut(&lane)?.window.begin_reading(size)?;
        Some(PageWanted { lane, after })
    }

    /// How many jobs a lane of `pool` keeps in memory.
    fn window_size(&self, pool: PoolId) -> usize {
        let lanes = self.lanes_of(pool).max(1);
        (WINDOW_MAX / lanes).max(LANE_WINDOW_MIN)
    }

    /// How many jobs `lane` keeps in memory, and so how many a page of it has.
    pub(crate) fn page_size(&self, lane: LaneId) -> usize {
        let pools = self.lanes.get(&lane).into_iter().flat_map(|lane| &lane.places);
        pools.map(|place| self.window_size(place.pool)).min().unwrap_or(LANE_WINDOW_MIN)
    }
}

/// The class of every hosted job: that of the priority that is given unless said otherwise.
const HOSTED_CLASS: u8 = 255 - 100;
