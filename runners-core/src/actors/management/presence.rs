//! Presence: which runners are there, as far as they have spoken to this control plane.

use super::Management;
use crate::{
    actors::{control_plane::Plane, error::Error, records::Versioned},
    rules::record::{RunnerRecord, SessionRecord},
    seams::store::StoreError,
    values::{
        fleet::presence::Presence,
        id::{RunnerId, TenantId},
        principal::Scope,
        runner::{Facts, Mode},
        time::Timestamp,
    },
};

impl Management {
    /// How each of these runners of the tenant is. One that is not of the tenant is not there.
    ///
    /// Presence is kept in memory, and is told again by the next sync of a runner: after a restart of
    /// the control plane, every runner is offline for as long as a sync takes. Nothing is written
    /// for it alone. One that speaks to another control plane is not known to be online here.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn presence(&self, runners: &[RunnerId]) -> Result<Vec<Presence>, Error> {
        let tenant = self.with(Scope::Read)?;
        let mut found = Vec::with_capacity(runners.len());
        for runner in runners {
            let session = self.plane.sessions.find(tenant, *runner);
            found.push(match session {
                Some(session) => self.plane.presence_of(&session).await,
                None => self.plane.absence_of(tenant, *runner).await.map_err(Error::Store)?,
            });
        }
        Ok(found)
    }
}

impl Plane {
    /// What is stored of a runner that has not spoken here.
    async fn absence_of(&self, tenant: TenantId, runner: RunnerId) -> Result<Presence, StoreError> {
        let found = self.records.load::<SessionRecord>(SessionRecord::key_of(tenant, runner)).await?;
        let Some(Versioned { record, .. }) = found else { return Ok(Presence::default()) };
        let found = self.records.load::<RunnerRecord>(RunnerRecord::key_of(tenant, runner)).await?;
        let mut slots = 0;
        let mut desired = Mode::Serve;
        if let Some(Versioned { record: runner, .. }) = found {
            let allowed = self.allowance(tenant, runner.pool).await?.slots;
            slots = size(stated(&runner), runner.desired.slots.into_iter().chain(allowed));
            desired = runner.desired.mode;
        }
        Ok(Presence {
            synced_at: Some(record.synced_at).filter(|at| *at > Timestamp::default()),
            slots,
            held_back_until: record.starts.held_back(self.now()),
            incarnation: Some(record.incarnation),
            drained: record.drained && desired != Mode::Serve,
            ..Presence::default()
        })
    }

    async fn presence_of(&self, session: &crate::actors::control_plane::Session) -> Presence {
        let live = session.live.lock().await;
        let now = self.now();
        let stored = live.session.as_ref().map(|session| &session.record);
        let removed = live.runner.as_ref().is_none_or(|runner| runner.record.removed);
        let silent = live.heard_at.map(|at| self.clock.boot().since(at));
        let recent = silent.is_some_and(|silent| silent <= self.spans.term / 3);
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let busy = live.mine.len();
        let running = live.mine.values().filter(|mine| !mine.is_offered()).count();
        // One that does not say how many it executes has as many as it uses and offers.
        let stated = live.runner.as_ref().map_or(0, |runner| stated(&runner.record));
        let stated = if stated > 0 { stated } else { count(running).saturating_add(live.free) };
        Presence {
            online: (live.parked || recent) && live.last.is_some() && !live.has_left() && !removed,
            synced_at: silent
                .map(|silent| now - silent)
                .or(stored.map(|session| session.synced_at))
                .filter(|at| *at > Timestamp::default()),
            mode: live.mode(),
            slots: size(stated, live.limits()),
            busy: count(busy),
            free: count(live.room(running, now)),
            held_back_until: live.held_back(now),
            incarnation: stored.map(|session| session.incarnation),
            seen_generation: live.seen_generation,
            drained: stored.is_some_and(|session| session.drained) && live.mode() != Mode::Serve,
        }
    }
}

/// How many jobs a runner says that it executes at once; 0 if it does not.
fn stated(runner: &RunnerRecord) -> u32 {
    // An earlier release kept whatever was said.
    runner.facts.as_ref().map_or(0, |(_, facts)| facts.slots.min(Facts::SLOTS_MAX))
}

/// How many jobs a runner executes at once, within limits.
fn size(stated: u32, limits: impl Iterator<Item = u32>) -> u32 {
    limits.min().map_or(stated, |limit| limit.min(stated))
}
