//! The lease of an attempt: it has no call of its own, but asks the session for a sync.

use super::{
    serve::Shared,
    session::{Session, Settled},
};
use crate::{
    seams::lease::{Lease, LeaseError},
    values::{lease::FencingToken, time::BootTime},
};
use async_trait::async_trait;
use std::sync::Arc;

/// The right to execute one job, which lives with the session of its runner.
#[derive(Clone, Debug)]
pub(super) struct SessionLease {
    shared: Arc<Shared>,
    token: FencingToken,
}

impl SessionLease {
    pub(super) fn new(shared: Arc<Shared>, token: FencingToken) -> Self {
        Self { shared, token }
    }
}

#[async_trait]
impl Lease for SessionLease {
    fn token(&self) -> FencingToken {
        self.token
    }

    fn trusted_until(&self) -> BootTime {
        self.shared
            .look(|session| session.lease(self.token))
            .map_or(BootTime::default(), |view| view.trust.until)
    }

    async fn renew(&self) -> Result<BootTime, LeaseError> {
        let mut turns = self.shared.turns();
        let before = self.shared.with(Session::renew);
        loop {
            let view = self.shared.look(|session| session.lease(self.token)).ok_or(LeaseError::Lost)?;
            if view.renewed_by > before {
                return Ok(view.trust.until);
            }
            if view.trust.until <= self.shared.clock.boot() {
                return Err(LeaseError::Unreachable);
            }
            tokio::select! {
                biased;
                () = turns.changed() => {}
                () = self.shared.clock.sleep_until(view.trust.until) => {}
            }
        }
    }

    async fn release(&self) -> Result<(), LeaseError> {
        let mut turns = self.shared.turns();
        let until = self.trusted_until();
        if self.shared.with(|session, now| session.release(self.token, now)) == Settled::Closed {
            return Err(LeaseError::Lost);
        }
        loop {
            if self.shared.look(|session| session.settled(self.token)) == Settled::Closed {
                return Ok(());
            }
            if until <= self.shared.clock.boot() {
                return Err(LeaseError::Unreachable);
            }
            tokio::select! {
                biased;
                () = turns.changed() => {}
                () = self.shared.clock.sleep_until(until) => {}
            }
        }
    }
}
