//! The lanes of pools, listed when a pool is first needed here: once, however many need it, and again where one was
//! heard of meanwhile. Lanes that come and go after that are heard of.

use super::{Plane, Unheeded, lock};
use crate::{
    rules::{
        keys,
        record::{LaneRecord, PoolRecord},
    },
    seams::store::StoreError,
    values::{
        id::{PoolId, TenantId},
        key::Index,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// The pools that are being listed for the first time.
#[derive(Debug, Default)]
pub(crate) struct Listings {
    under_way: Mutex<BTreeMap<PoolId, Arc<Listing>>>,
}

/// A pool that is being listed.
#[derive(Debug, Default)]
struct Listing {
    /// Whose turn it is to list it. If their call is cut, it is the next one's.
    turn: tokio::sync::Mutex<()>,
    /// How often that failed.
    failures: AtomicU64,
    /// Something of it was heard of meanwhile.
    heard: AtomicBool,
}

impl Listings {
    /// Something of a pool was heard of. Whoever asks the schedule whether the pool is known does so after this:
    /// either it is known by then, or it is listed again once it is.
    pub(super) fn heard(&self, pool: PoolId) {
        if let Some(listing) = lock(&self.under_way).get(&pool) {
            listing.heard.store(true, Ordering::SeqCst);
        }
    }

    fn of(&self, pool: PoolId) -> Needed<'_> {
        let listing = Arc::clone(lock(&self.under_way).entry(pool).or_default());
        Needed { listings: self, pool, listing }
    }
}

/// Keeps a listing as long as somebody needs it.
struct Needed<'a> {
    listings: &'a Listings,
    pool: PoolId,
    listing: Arc<Listing>,
}

impl Drop for Needed<'_> {
    fn drop(&mut self) {
        let mut under_way = lock(&self.listings.under_way);
        drop(mem::take(&mut self.listing));
        if under_way.get(&self.pool).is_some_and(|listing| Arc::strong_count(listing) == 1) {
            under_way.remove(&self.pool);
        }
    }
}

impl Plane {
    /// Lists the lanes of a pool, if that was not done yet. Whoever waits for somebody else's listing fails with it,
    /// so that a store in trouble is not asked by each in turn.
    pub(crate) async fn ensure_pool(
        self: &Arc<Self>,
        tenant: TenantId,
        pool: PoolId,
    ) -> Result<(), StoreError> {
        if lock(&self.schedule).knows_pool(pool) {
            return Ok(());
        }
        let Needed { listing, .. } = &self.listings.of(pool);
        let failures = listing.failures.load(Ordering::SeqCst);
        let _turn = listing.turn.lock().await;
        if lock(&self.schedule).knows_pool(pool) {
            return Ok(());
        }
        if listing.failures.load(Ordering::SeqCst) != failures {
            return Err(StoreError::Unavailable("the lanes of the pool could not be read".into()));
        }
        let listed = self.list_first(tenant, pool, listing).await;
        if listed.is_err() {
            listing.failures.fetch_add(1, Ordering::SeqCst);
        }
        listed
    }

    async fn list_first(
        self: &Arc<Self>,
        tenant: TenantId,
        pool: PoolId,
        listing: &Listing,
    ) -> Result<(), StoreError> {
        listing.heard.store(false, Ordering::SeqCst);
        let lanes = self.lanes_of(tenant, pool).await?;
        let found = self.records.load::<PoolRecord>(PoolRecord::key_of(tenant, pool)).await?;
        if lanes.iter().any(|lane| lane.look_at.is_none()) {
            self.date_lanes_of(tenant, pool);
        }
        // From here on nothing is awaited: it is known with all that was read of it.
        let pages = self.scheduled(|schedule| {
            let pages = schedule.add_pool(pool, lanes);
            if let Some(found) = found {
                schedule.place(tenant, pool, found.version, found.record.spec.placement);
            }
            pages
        });
        self.read_pages(pages);
        if listing.heard.load(Ordering::SeqCst) {
            self.list_again(tenant, pool);
        }
        Ok(())
    }

    fn date_lanes_of(self: &Arc<Self>, tenant: TenantId, pool: PoolId) {
        let plane = Arc::clone(self);
        self.duties.spawn(async move {
            if let Err(error) = plane.date_lanes(tenant, pool).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(%pool, error, "lanes of an earlier release are not looked at yet");
            }
        });
    }

    /// Lists a pool again of which something was heard while it was listed.
    fn list_again(self: &Arc<Self>, tenant: TenantId, pool: PoolId) {
        let plane = Arc::clone(self);
        self.duties.spawn(async move {
            let listed = plane.list_missing(tenant, pool).await;
            if let Err(error) = listed.and(plane.read_pool(tenant, pool).await) {
                tracing::warn!(%pool, error = &error as &dyn std::error::Error, "lanes could not be listed again");
                plane.lanes_doubted.store(true, Ordering::Release);
                drop(Unheeded::new(&plane, PoolRecord::key_of(tenant, pool)));
            }
        });
    }

    async fn list_missing(self: &Arc<Self>, tenant: TenantId, pool: PoolId) -> Result<(), StoreError> {
        let mut lanes = self.lanes_of(tenant, pool).await?;
        let pages = self.scheduled(|schedule| {
            lanes.retain(|lane| !schedule.knows_lane(lane.id, pool));
            schedule.add_pool(pool, lanes)
        });
        self.read_pages(pages);
        Ok(())
    }

    /// Lists the lanes again of every pool that a runner here belongs to, if any may be missing.
    pub(super) async fn list_doubted_lanes(self: &Arc<Self>) -> Result<(), StoreError> {
        if !self.lanes_doubted.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let pools: BTreeSet<(TenantId, PoolId)> =
            self.sessions.all().iter().map(|session| (session.who.tenant, session.who.pool)).collect();
        for (tenant, pool) in pools {
            let listed = self.list_missing(tenant, pool).await;
            listed.inspect_err(|_| self.lanes_doubted.store(true, Ordering::Release))?;
        }
        Ok(())
    }

    /// Every lane that a pool lists.
    pub(crate) async fn lanes_of(
        &self,
        tenant: TenantId,
        pool: PoolId,
    ) -> Result<Vec<LaneRecord>, StoreError> {
        let prefix = keys::parent_prefix(tenant, &keys::lanes_of(pool));
        let lanes = self.records.tenant(tenant).all(Index::Parent, prefix).await?;
        Ok(lanes.into_iter().map(|lane| lane.record).collect())
    }
}
