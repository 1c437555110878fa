//! How busy the fleet is: one answer for autoscalers, which a bad record does not spoil.

use super::Management;
use crate::{
    actors::{
        control_plane::lock,
        error::Error,
        records::{Pages, Versioned, read},
    },
    rules::{
        capacity::runners_desired,
        keys,
        record::{PoolRecord, Record as _, RunnerRecord},
    },
    seams::store::Stored,
    values::{
        fleet::{
            presence::Presence,
            summary::{FleetSummary, PoolSummary},
        },
        id::{PoolId, RunnerId, TenantId},
        key::{Index, Kind},
        principal::Scope,
        runner::Mode,
        time::Timestamp,
    },
};
use bytes::Bytes;
use std::collections::BTreeMap;

/// How many pools, and how many runners of a pool, are looked at.
const LOOKED_AT_MAX: usize = 10_000;

/// How many jobs of a pool are ready, and since when the oldest of them is.
type Depths = BTreeMap<PoolId, (usize, Option<Timestamp>)>;

impl Management {
    /// How busy every pool of the tenant is. A record that cannot be read is counted and left out.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn fleet_summary(&self) -> Result<FleetSummary, Error> {
        let tenant = self.with(Scope::Read)?;
        let pools = self.rows(Index::Listed, keys::listed_prefix(tenant, Kind::Pool, None)).await?;
        let depths = lock(&self.plane.schedule).depths();
        let depths: Depths =
            depths.into_iter().map(|(pool, depth, oldest)| (pool, (depth, oldest))).collect();
        let mut summary = FleetSummary::default();
        for row in &pools {
            match read::<PoolRecord>(row) {
                Ok(Versioned { record, .. }) => {
                    let pool = self.pool_summary(tenant, record, &depths).await?;
                    summary.pools.push(pool);
                }
                Err(error) => {
                    tracing::warn!(key = ?row.key, error = &error as &dyn std::error::Error, "pool is unreadable");
                    summary.unreadable += 1;
                }
            }
        }
        Ok(summary)
    }

    async fn pool_summary(
        &self,
        tenant: TenantId,
        pool: PoolRecord,
        depths: &Depths,
    ) -> Result<PoolSummary, Error> {
        // Its lanes may not have been read since the start.
        if let Err(error) = self.plane.ensure_pool(tenant, pool.id).await {
            tracing::warn!(pool = %pool.id, error = &error as &dyn std::error::Error, "lanes are unreadable");
        }
        let prefix = keys::parent_kind_prefix(tenant, pool.id.as_bytes(), RunnerRecord::KIND);
        let rows = self.rows(Index::Parent, prefix).await?;
        let ids = rows.iter().filter_map(|row| row.key.id.as_ref().try_into().ok());
        let runners: Vec<RunnerId> = ids.map(RunnerId::from_bytes).collect();
        let (queued, oldest_queued_at) = depths.get(&pool.id).copied().unwrap_or_default();
        let mut summary = PoolSummary {
            pool: pool.id,
            name: pool.spec.name.clone(),
            scale_set: pool.spec.scale_set.clone(),
            active: pool.spec.active,
            desired: 0,
            runners_min: pool.spec.runners_min,
            runners_max: pool.spec.runners_max,
            registered: u32::try_from(runners.len()).unwrap_or(u32::MAX),
            online: 0,
            busy: 0,
            idle: 0,
            draining: 0,
            slots_busy: 0,
            slots_free: 0,
            queued: u32::try_from(queued).unwrap_or(u32::MAX),
            oldest_queued_at,
        };
        let mut sizes = Sizes::default();
        for presence in self.presence(&runners).await? {
            summary.slots_busy = summary.slots_busy.saturating_add(presence.busy);
            if !presence.online {
                continue;
            }
            sizes.add(&presence);
            summary.online += 1;
            summary.busy += u32::from(presence.busy > 0);
            summary.slots_free = summary.slots_free.saturating_add(presence.free);
            summary.idle += u32::from(presence.busy == 0 && presence.free > 0);
            summary.draining += u32::from(presence.mode != Mode::Serve);
        }
        let usual = sizes.usual();
        summary.desired = runners_desired(&pool.spec, summary.slots_busy, summary.queued, usual);
        Ok(summary)
    }

    /// The rows below a prefix, as they are stored.
    async fn rows(&self, index: Index, prefix: Bytes) -> Result<Vec<Stored>, Error> {
        let mut found = Vec::new();
        let mut pages = Pages::of(index, prefix);
        while let Some(rows) = pages.next(&self.plane.records).await.map_err(Error::Store)? {
            found.extend(rows.into_iter().map(|(_, row)| row));
            if found.len() >= LOOKED_AT_MAX {
                break;
            }
        }
        Ok(found)
    }
}

/// How many jobs the runners of a pool execute at once.
#[derive(Debug, Default)]
struct Sizes {
    serving: Vec<u32>,
    draining: Vec<u32>,
}

impl Sizes {
    /// One that may execute nothing tells nothing of what another one would.
    fn add(&mut self, presence: &Presence) {
        let like = if presence.mode == Mode::Serve { &mut self.serving } else { &mut self.draining };
        like.extend(Some(presence.slots).filter(|slots| *slots > 0));
    }

    /// What is usual: of those that serve, or else of those that drain.
    fn usual(&self) -> Option<u32> {
        let known = if self.serving.is_empty() { &self.draining } else { &self.serving };
        let slots: u64 = known.iter().copied().map(u64::from).sum();
        u32::try_from(slots.checked_div(known.len() as u64)?).ok()
    }
}
