//! What is looked at from time to time: queues, runners, slots, and whether a ready job and a
//! runner that may take it stand side by side.

use super::{Plane, lock, session::Session};
use crate::{
    actors::records::read,
    rules::job::JobRecord,
    seams::{
        metrics::control_plane as instruments,
        store::{Query, StoreError},
    },
    values::{
        id::PoolId,
        key::Index,
        time::{BootTime, Timestamp},
    },
};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How long one look may wait for sessions that are busy; the rest is left out of it.
const LOOK_WITHIN: Duration = Duration::from_secs(1);

/// How many lanes are read at the start, to find pools with ready jobs.
const LANES_READ_MAX: usize = 1000;

/// What was seen of the pools under one label.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    depth: usize,
    oldest: Option<Timestamp>,
    online: u32,
    free: usize,
    busy: usize,
    beside: Duration,
    sessions: usize,
}

/// What was seen of one session.
struct Glance {
    online: bool,
    free: usize,
    busy: usize,
    /// A ready job waits that it may take.
    beside: bool,
}

impl Plane {
    /// Measures what is looked at, until the control plane stops.
    pub(super) async fn serve_gauges(self: Arc<Self>) {
        let mut beside_since: BTreeMap<PoolId, BootTime> = BTreeMap::new();
        if let Err(error) = self.know_pools_with_jobs().await {
            // They are known once somebody submits to them, or syncs from them.
            tracing::warn!(error = &error as &dyn std::error::Error, "queues are not all measured yet");
        }
        while !self.stopping.is_cancelled() {
            let next = self.clock.boot() + LOOK_EVERY;
            self.look(&mut beside_since).await;
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => {}
                () = self.clock.sleep_until(next) => {}
            }
        }
    }

    /// Reads the pools in which jobs were ready before this control plane was started, which nobody
    /// may ask for: that is worth knowing.
    async fn know_pools_with_jobs(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut after = None;
        for _ in 0..LANES_READ_MAX {
            let query = Query::Range {
                index: Index::Ready,
                prefix: Bytes::new(),
                after: after.take(),
                until: None,
                newest_first: false,
                limit: 1,
            };
            let (rows, _) = self.records.page(query).await?;
            let Some((_, row)) = rows.first() else { break };
            let job = read::<JobRecord>(row)?.record;
            self.ensure_pool(job.host(), job.terms.pool).await?;
            // The next lane: no key of this one is greater.
            after = Some([job.terms.lane.as_bytes().as_slice(), &[u8::MAX; 64]].concat().into());
        }
        Ok(())
    }

    async fn look(&self, beside_since: &mut BTreeMap<PoolId, BootTime>) {
        let mut seen: BTreeMap<Arc<str>, Seen> = BTreeMap::new();
        for (pool, depth, oldest) in lock(&self.schedule).depths() {
            let seen = seen.entry(self.measures.label(pool)).or_default();
            seen.depth += depth;
            seen.oldest = oldest.into_iter().chain(seen.oldest).min();
        }
        let until = self.clock.boot() + LOOK_WITHIN;
        let sessions: Vec<Arc<Session>> = self.sessions.all();
        let mut beside = BTreeSet::new();
        for session in sessions {
            seen.entry(self.measures.label(session.who.pool)).or_default().sessions += 1;
            let Some(glance) = self.glance(&session, until).await else { continue };
            let seen = seen.entry(self.measures.label(session.who.pool)).or_default();
            seen.online += u32::from(glance.online);
            seen.free += glance.free;
            seen.busy += glance.busy;
            if glance.beside {
                beside.insert(session.who.pool);
            }
        }
        let now = self.clock.boot();
        beside_since.retain(|pool, _| beside.contains(pool));
        for pool in beside {
            let since = *beside_since.entry(pool).or_insert(now);
            let seen = seen.entry(self.measures.label(pool)).or_default();
            seen.beside = seen.beside.max(now.since(since));
        }
        seen.iter().for_each(|(label, seen)| self.tell(label, seen));
    }

    async fn glance(&self, session: &Session, until: BootTime) -> Option<Glance> {
        let live = tokio::select! {
            biased;
            live = session.live.lock() => live,
            () = self.clock.sleep_until(until) => return None,
        };
        let silent = live.heard_at.is_none_or(|at| self.clock.boot().since(at) > self.spans.term);
        let online = (live.parked || !silent) && !live.has_left();
        let free = if online { live.room(live.mine.len(), self.now()) } else { 0 };
        let waits = live.parked && free > 0;
        let seeker = live.seeker.as_ref().filter(|_| waits);
        let beside = seeker.is_some_and(|seeker| lock(&self.schedule).has_for(session.who.pool, seeker));
        Some(Glance { online, free, busy: live.mine.len(), beside })
    }

    #[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^53 jobs and slots")]
    fn tell(&self, label: &str, seen: &Seen) {
        let age = seen.oldest.map_or(Duration::ZERO, |oldest| self.now().since(oldest));
        for (instrument, value) in [
            (&instruments::QUEUE_DEPTH, seen.depth as f64),
            (&instruments::QUEUE_AGE, age.as_secs_f64()),
            (&instruments::SESSIONS_KEPT, seen.sessions as f64),
            (&instruments::RUNNERS_ONLINE, f64::from(seen.online)),
            (&instruments::SLOTS_FREE, seen.free as f64),
            (&instruments::SLOTS_BUSY, seen.busy as f64),
            (&instruments::ELIGIBLE_AND_FREE, seen.beside.as_secs_f64()),
        ] {
            self.measures.record_for(instrument, value, label, None);
        }
    }
}
