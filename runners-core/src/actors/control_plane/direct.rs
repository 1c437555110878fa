//! The direct grant: a runner is parked and nothing waits, so the commit that makes a job offers
//! it too.

use super::{Plane, effects::Change, lock, session::Identity, submit::Prepared};
use crate::{
    actors::records::Batch,
    rules::job::State,
    seams::store::StoreError,
    values::{key::Kind, runner::Mode, time::Timestamp},
};
use std::{mem, sync::Arc};

impl Plane {
    /// Makes a job already offered to a parked runner. `None` if there is no such runner, or
    /// another job or limit was in the way: then it is made ready as any other.
    pub(super) async fn submit_direct(
        self: &Arc<Self>,
        prepared: &Prepared,
        now: Timestamp,
    ) -> Option<Result<(), StoreError>> {
        if !matches!(prepared.change.after.state, State::Ready { .. }) {
            return None;
        }
        let (pool, runner) = lock(&self.schedule).direct(prepared.change.after.lane())?;
        let session = self.sessions.find_in(pool, runner)?;
        // It was taken off the list of those who wait; when it looks again, it is put back.
        let _wake = WakeOnDrop { session: &session };
        let mut live = session.live.try_lock().ok()?;
        let me = Identity { runner, ..session.who };
        let home = live.session.as_ref().is_some_and(|session| session.record.home == self.me);
        let takes = live.loaded && live.parked && home && live.mode() == Mode::Serve && me == session.who;
        let held = live.mine.len();
        let confused = live.confuses(&prepared.change.after);
        if !takes || confused || live.room(held, self.now()) == 0 {
            return None;
        }
        let mut after = prepared.change.after.clone();
        after.offer_in(pool, live.reference()?, now, self.spans.start_within).ok()?;
        let mut batch = Batch::new();
        prepared.add_to(&mut batch, &mut Vec::new());
        let held = self.hold_session(&live, &mut batch, now);
        let mut change = Change { before: None, after, payload: prepared.change.payload.clone() };
        let loaded = mem::replace(&mut live.loaded, false);
        match self.commit(batch, std::slice::from_mut(&mut change), now).await {
            Ok(_) => {
                live.session = held;
                live.loaded = loaded;
                self.keep(&mut live, std::slice::from_ref(&change));
                Some(Ok(()))
            }
            Err(StoreError::Conflict(key)) if key.kind == Kind::Session => None,
            Err(StoreError::Exhausted(_)) => {
                live.loaded = loaded;
                None
            }
            Err(error) => {
                if matches!(&error, StoreError::Conflict(key) if matches!(key.kind, Kind::Job | Kind::Unique))
                {
                    live.loaded = loaded;
                }
                Some(Err(error))
            }
        }
    }
}

struct WakeOnDrop<'a> {
    session: &'a super::session::Session,
}

impl Drop for WakeOnDrop<'_> {
    fn drop(&mut self) {
        self.session.wake();
    }
}
