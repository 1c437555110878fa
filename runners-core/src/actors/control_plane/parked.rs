//! A call that is parked, and what becomes of its runner if nobody waits for the answer any more.

use super::{
    Plane, lock,
    session::{Identity, Live, Session},
};
use crate::values::runner::Incarnation;
use std::{mem, sync::Arc};
use tokio::runtime::Handle;

/// A call that is parked, or about to be. If its future is dropped meanwhile, nobody is there any more who could
/// be answered, and another waiter is woken for the job that this one may have been woken for.
pub(super) struct Parked<'a> {
    pub(super) plane: &'a Arc<Plane>,
    pub(super) session: &'a Arc<Session>,
    pub(super) newest: (Incarnation, u64),
    pub(super) done: bool,
}

impl Plane {
    /// Ends the park, and takes the runner off the list of waiters. If it had been woken for a job (so was off
    /// the list already) and did not take it, another waiter is woken.
    pub(super) fn wait_no_more(&self, who: Identity, live: &mut Live, took: bool) {
        live.parked = false;
        if mem::take(&mut live.waiting) && !lock(&self.schedule).forget(who.pool, who.runner) && !took {
            let woken = lock(&self.schedule).kick(who.pool);
            self.wake_all(woken);
        }
    }

    /// Has a runner that nobody speaks for any more wait for nothing. Its call, if one is parked, is told so
    /// once it is woken, and finds everything done: from here on, no job is kept for it.
    pub(crate) fn dismiss(&self, who: Identity, live: &mut Live) {
        (live.loaded, live.last) = (false, None);
        self.wait_no_more(who, live, false);
    }
}

impl Parked<'_> {
    pub(super) fn done(mut self) {
        self.done = true;
    }

    /// Has the session say that nothing is parked, unless there is a newer call.
    fn leave(&self) {
        let (session, newest) = (Arc::clone(self.session), self.newest);
        let leave = move |live: &mut Live| {
            if live.last == Some(newest) {
                (live.parked, live.waiting) = (false, false);
            }
        };
        if let Ok(mut live) = self.session.live.try_lock() {
            leave(&mut live);
        } else if Handle::try_current().is_ok() {
            // Whoever has it may be this very call.
            self.plane.duties.spawn(async move { leave(&mut *session.live.lock().await) });
        }
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        if !self.done {
            let who = self.session.who;
            // A newer call of the same runner registers itself again when it is woken.
            lock(&self.plane.schedule).forget(who.pool, who.runner);
            let woken = lock(&self.plane.schedule).kick(who.pool);
            self.plane.wake_all(woken);
            self.plane.wake(who.runner);
            self.leave();
        }
    }
}
