//! Every session that this control plane keeps in memory, by the tenant and the id of its runner.
//!
//! All of a session can be read again, so one of a runner that was not heard of for a term is let go:
//! memory follows the runners that are there, not those that ever were.

use super::{
    lock,
    session::{Identity, Session},
};
use crate::values::{
    id::{PoolId, RunnerId, TenantId},
    time::BootTime,
};
use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Mutex},
    time::Duration,
};

/// The sessions that are kept in memory.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    kept: Mutex<BTreeMap<Place, Arc<Session>>>,
}

/// By the runner first, since the schedule knows waiting runners by nothing else.
type Place = (RunnerId, TenantId);

impl Sessions {
    /// The session of a runner, made when there is none.
    pub(crate) fn of(&self, who: Identity) -> Arc<Session> {
        let mut kept = lock(&self.kept);
        kept.entry((who.runner, who.tenant)).or_insert_with(|| Arc::new(Session::new(who))).clone()
    }

    /// The session of a tenant's runner, if there is one.
    pub(crate) fn find(&self, tenant: TenantId, runner: RunnerId) -> Option<Arc<Session>> {
        lock(&self.kept).get(&(runner, tenant)).cloned()
    }

    /// The session of a runner of a pool, if there is one.
    pub(crate) fn find_in(&self, pool: PoolId, runner: RunnerId) -> Option<Arc<Session>> {
        self.of_runner(runner).into_iter().find(|session| session.who.pool == pool)
    }

    /// Those of every runner with this id: of one, unless two tenants have chosen the same.
    pub(crate) fn of_runner(&self, runner: RunnerId) -> Vec<Arc<Session>> {
        let (first, last) = (TenantId::from_bytes([0; 16]), TenantId::from_bytes([u8::MAX; 16]));
        let kept = lock(&self.kept);
        kept.range((runner, first)..=(runner, last)).map(|(_, session)| Arc::clone(session)).collect()
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        lock(&self.kept).values().cloned().collect()
    }

    /// Lets go of sessions that nobody needs, among the next few. Whoever is about to use one has it
    /// in hand, and so keeps it.
    pub(super) fn sweep(&self, sweep: &mut Sweep, now: BootTime, term: Duration) {
        if now < sweep.next_at {
            return;
        }
        sweep.next_at = now + SWEEP_EVERY;
        let mut kept = lock(&self.kept);
        let from = sweep.seen.map_or(Bound::Unbounded, Bound::Excluded);
        let seen: Vec<Place> =
            kept.range((from, Bound::Unbounded)).take(SWEPT_MAX).map(|(place, _)| *place).collect();
        sweep.seen = seen.last().filter(|_| seen.len() == SWEPT_MAX).copied();
        for place in seen {
            let is_gone =
                |session: &Arc<Session>| Arc::strong_count(session) == 1 && session.is_gone(now, term);
            if kept.get(&place).is_some_and(is_gone) {
                kept.remove(&place);
            }
        }
    }
}

/// How often it is looked for sessions that nobody needs.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// How many are looked at then.
const SWEPT_MAX: usize = 512;

/// How far the sessions were looked through.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    next_at: BootTime,
    seen: Option<Place>,
}
