//! Runners that are taken off the register, by themselves or by an operator: what becomes of their
//! credentials. What they hold is left to `drain`.

use super::{ControlPlane, Plane};
use crate::{
    actors::{
        error::Error,
        management::Management,
        records::{Batch, Versioned},
    },
    rules::record::{CredentialRecord, Record as _},
    seams::store::StoreError,
    values::{
        id::{RunnerId, TenantId},
        principal::Principal,
        reply::{RefusalCode, Refused, Reply},
        time::Timestamp,
    },
};
use std::sync::Arc;

/// How often a change that others are faster with is tried.
const ROUNDS_MAX: usize = 16;

/// In this order: whose credential is gone cannot ask again for what was left undone.
async fn remove(management: &Management, runner: RunnerId) -> Result<(), Error> {
    management.remove_runner(runner).await?;
    management.revoke_runner_credentials(runner).await
}

impl Plane {
    /// The credentials of a removed runner are good for nothing any more but to be told so; those that
    /// were not good for anything are deleted.
    pub(super) async fn remove_credentials(
        &self,
        tenant: TenantId,
        runner: RunnerId,
    ) -> Result<(), StoreError> {
        for _ in 0..ROUNDS_MAX {
            match self.remove_credentials_once(tenant, runner).await {
                // Somebody else removes the runner, or the runner replaces its credential.
                Err(StoreError::Conflict(_)) => {}
                done => return done,
            }
        }
        Err(StoreError::Unavailable("the credentials change faster than they can be removed".into()))
    }

    async fn remove_credentials_once(&self, tenant: TenantId, runner: RunnerId) -> Result<(), StoreError> {
        for Versioned { version, mut record } in self.credentials_of(tenant, runner).await? {
            if record.removed_at.is_some() {
                continue;
            }
            let mut batch = Batch::new();
            if record.remove(self.now()) {
                batch.put(version, &record);
            } else {
                batch.delete(record.key(), version);
            }
            self.records.commit(batch).await?;
            record.forgotten_at().into_iter().for_each(|at| self.due.hint(at));
        }
        Ok(())
    }

    /// Deletes what is left of a removed runner's credential, once the runner was told for long enough.
    pub(super) async fn forget_credential(
        &self,
        found: &Versioned<CredentialRecord>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if found.record.forgotten_at().is_none_or(|at| at > now) {
            return Ok(());
        }
        let mut batch = Batch::new();
        batch.delete(found.record.key(), found.version);
        self.records.commit(batch).await.map(drop)
    }

    /// Removes the runner that asks, as an operator would. One that is not there is removed already.
    pub(super) async fn deregister(
        self: &Arc<Self>,
        tenant: TenantId,
        runner: RunnerId,
    ) -> Result<Reply, StoreError> {
        let operator = ControlPlane { plane: Arc::clone(self) }.management(Principal::Operator);
        let removed = match operator.within(tenant) {
            Ok(management) => remove(&management.made_by("the runner itself"), runner).await,
            Err(error) => Err(error),
        };
        match removed {
            Ok(()) | Err(Error::Refused(Refused { code: RefusalCode::NotFound, .. })) => {
                Ok(Reply::Deregistered)
            }
            Err(Error::Refused(refused)) => Ok(Reply::Refused(refused)),
            Err(Error::Store(error)) => Err(error),
            Err(error) => Err(StoreError::Broken(Box::new(error))),
        }
    }
}
