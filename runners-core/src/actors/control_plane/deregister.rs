//! Runners that take themselves off the register.

use super::{ControlPlane, Plane};
use crate::{
    actors::{error::Error, management::Management},
    seams::store::StoreError,
    values::{
        id::{RunnerId, TenantId},
        principal::Principal,
        reply::{RefusalCode, Refused, Reply},
    },
};
use std::sync::Arc;

/// In this order: whose credential is gone cannot ask again for what was left undone.
async fn remove(management: &Management, runner: RunnerId) -> Result<(), Error> {
    management.remove_runner(runner).await?;
    management.revoke_runner_credentials(runner).await
}

impl Plane {
    /// Removes the runner that asks, as an operator would. One that is not there is removed already.
    pub(super) async fn deregister(
        self: &Arc<Self>,
        tenant: TenantId,
        runner: RunnerId,
    ) -> Result<Reply, StoreError> {
        let operator = ControlPlane { plane: Arc::clone(self) }.management(Principal::Operator);
        let removed = match operator.within(tenant) {
            Ok(management) => remove(&management, runner).await,
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
