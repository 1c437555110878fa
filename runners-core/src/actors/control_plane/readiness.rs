//! Whether a control plane can serve now, for probes.

use super::ControlPlane;
use crate::{
    actors::error::Error,
    rules::record::{Record as _, TenantRecord},
    seams::store::StoreError,
    values::id::TenantId,
};

impl ControlPlane {
    /// Checks that the store answers and that this control plane is not stopping.
    ///
    /// # Errors
    /// [`Error::Store`]: what it says is why it cannot serve now.
    pub async fn check_ready(&self) -> Result<(), Error> {
        let plane = &self.plane;
        if plane.stopping.is_cancelled() {
            return Err(Error::Store(StoreError::Unavailable("the control plane is stopping".into())));
        }
        let anybody = TenantRecord::new(TenantId::DEFAULT, "").key();
        plane.records.load::<TenantRecord>(anybody).await.map(drop).map_err(Error::Store)
    }
}
