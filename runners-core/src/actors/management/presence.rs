//! Presence: which runners are there, as far as they have spoken to this control plane.

use super::Management;
use crate::{
    actors::{
        control_plane::{Plane, lock},
        error::Error,
    },
    values::{fleet::presence::Presence, id::RunnerId, principal::Scope},
};

impl Management {
    /// How each of these runners of the tenant is. One that is not of the tenant is not there.
    ///
    /// Presence is kept in memory only, and is told again by the next sync of a runner: after a
    /// restart of the control plane, every runner is absent for as long as a sync takes.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn presence(&self, runners: &[RunnerId]) -> Result<Vec<Presence>, Error> {
        let tenant = self.with(Scope::Read)?;
        let mut found = Vec::with_capacity(runners.len());
        for runner in runners {
            let session = lock(&self.plane.sessions).get(runner).cloned();
            found.push(match session.filter(|session| session.who.tenant == tenant) {
                Some(session) => self.plane.presence_of(&session).await,
                None => Presence::default(),
            });
        }
        Ok(found)
    }
}

impl Plane {
    async fn presence_of(&self, session: &crate::actors::control_plane::Session) -> Presence {
        let live = session.live.lock().await;
        let removed = live.runner.as_ref().is_none_or(|runner| runner.record.removed);
        let silent = live.heard_at.map(|at| self.clock.boot().since(at));
        let recent = silent.is_some_and(|silent| silent <= self.spans.term / 3);
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let busy = live.mine.len();
        let running = live.mine.values().filter(|mine| !mine.is_offered()).count();
        let slots = (running as u64 + u64::from(live.free)).try_into().unwrap_or(u32::MAX);
        Presence {
            online: (live.parked || recent) && live.last.is_some() && !removed,
            synced_at: silent.map(|silent| self.now() - silent),
            mode: live.mode(),
            slots: live.slots_limit().map_or(slots, |limit| limit.min(slots)),
            busy: count(busy),
            free: count(live.room(running)),
        }
    }
}
