//! Presence: which runners are there, as far as they have spoken to this control plane.

use super::Management;
use crate::{
    actors::{control_plane::Plane, error::Error, records::Versioned},
    rules::record::SessionRecord,
    seams::store::StoreError,
    values::{
        fleet::presence::Presence,
        id::{RunnerId, TenantId},
        principal::Scope,
        runner::Facts,
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
        Ok(Presence {
            synced_at: Some(record.synced_at).filter(|at| *at > Timestamp::default()),
            held_back_until: record.starts.held_back(self.now()),
            incarnation: Some(record.incarnation),
            drained: record.drained,
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
        let slots = count(running).saturating_add(live.free).min(Facts::SLOTS_MAX);
        Presence {
            online: (live.parked || recent) && live.last.is_some() && !removed,
            synced_at: silent
                .map(|silent| now - silent)
                .or(stored.map(|session| session.synced_at))
                .filter(|at| *at > Timestamp::default()),
            mode: live.mode(),
            slots: live.slots_limit().map_or(slots, |limit| limit.min(slots)),
            busy: count(busy),
            free: count(live.room(running, now)),
            held_back_until: live.held_back(now),
            incarnation: stored.map(|session| session.incarnation),
            seen_generation: live.seen_generation,
            drained: stored.is_some_and(|session| session.drained),
        }
    }
}
