//! Roll-out: what a tenant has of what is rolled out, and what the operator says of it while the
//! control plane runs.

use super::{Management, ROUNDS_MAX, audit::Deed, refused};
use crate::{
    actors::{
        control_plane::{Plane, Unheeded, lock},
        error::Error,
        records::Batch,
    },
    rules::record::RolloutRecord,
    seams::store::StoreError,
    values::{
        fleet::tenant::{Feature, Rollout, RolloutSpec, RolloutView},
        id::TenantId,
        principal::Scope,
        reply::{RefusalCode, Refused},
    },
};

impl Management {
    /// What the tenant has of what is rolled out.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub fn rollout(&self) -> Result<RolloutView, Error> {
        let tenant = self.with(Scope::Read)?;
        Ok(lock(&self.plane.rollout).of(tenant))
    }

    /// What the operator has said of the roll-out, and what counts: that, over what the control plane
    /// was built with.
    ///
    /// # Errors
    /// [`Error::Refused`] (`forbidden`) for everybody but the operator, or as [`Management`] says.
    pub async fn rollout_spec(&self) -> Result<(RolloutSpec, Rollout), Error> {
        self.operates()?;
        let found = self.plane.records.load::<RolloutRecord>(RolloutRecord::KEY).await;
        let spec = found.map_err(Error::Store)?.map(|found| found.record.spec).unwrap_or_default();
        let counts = spec.over(&self.plane.rollout_built);
        Ok((spec, counts))
    }

    /// Says what is rolled out from now on, and to whom: here, on every other control plane of the
    /// store, and after any restart. What is not said is as the control plane was built. Pools and
    /// runners that are there stay.
    ///
    /// # Errors
    /// [`Error::Refused`] (`forbidden`) for everybody but the operator, (`invalid`) if more than
    /// [`Feature::TENANTS_MAX`] tenants are named, or any of what is off, or as [`Management`] says.
    pub async fn set_rollout(&self, spec: RolloutSpec) -> Result<(), Error> {
        self.operates()?;
        for (field, feature) in [("self_hosted", &spec.self_hosted), ("relay", &spec.relay)] {
            let named = feature.as_ref().map_or(0, |feature| feature.tenants.len());
            if named > 0 && feature.as_ref().is_some_and(|feature| !feature.enabled) {
                let problem = "is off, and names tenants: switch it on for some, or off for everybody";
                return Err(refused(RefusalCode::Invalid, format!("{field}: {problem}")));
            }
            if named > Feature::TENANTS_MAX {
                let limit = Feature::TENANTS_MAX;
                let problem = format!("{field}: names {named} tenants, and the limit is {limit}: name fewer");
                return Err(refused(RefusalCode::Invalid, problem));
            }
        }
        let plane = &self.plane;
        for _ in 0..ROUNDS_MAX {
            let found =
                plane.records.load::<RolloutRecord>(RolloutRecord::KEY).await.map_err(Error::Store)?;
            let version = found.as_ref().map_or(0, |found| found.version);
            let mut record = found.map(|found| found.record).unwrap_or_default();
            record.spec = spec.clone();
            let mut batch = Batch::new();
            batch.put(version, &record);
            self.note(&mut batch, TenantId::OPERATOR, Deed::new("changed", "rollout"), "").await;
            let mut changed = Unheeded::new(plane, RolloutRecord::KEY);
            match changed.commit(batch).await {
                Ok(_) => {
                    plane.read_rollout().await.map_err(Error::Store)?;
                    changed.heeded();
                    return Ok(());
                }
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(Error::Store(error)),
            }
        }
        Err(Error::Store(StoreError::Unavailable("the roll-out changes faster than it can be set".into())))
    }

    /// Refuses a tenant to which its own pools and runners are not rolled out.
    pub(super) fn may_host_itself(&self) -> Result<(), Error> {
        self.plane.may_host_itself(self.tenant).map_err(Error::Refused)
    }
}

impl Plane {
    /// Reads what the operator has said of the roll-out, and goes by it.
    pub(crate) async fn read_rollout(&self) -> Result<(), StoreError> {
        let _reading = self.reading.lock().await;
        let found = self.records.load::<RolloutRecord>(RolloutRecord::KEY).await?;
        let spec = found.map(|found| found.record.spec).unwrap_or_default();
        *lock(&self.rollout) = spec.over(&self.rollout_built);
        Ok(())
    }

    /// Refuses a tenant to which its own pools and runners are not rolled out.
    pub(crate) fn may_host_itself(&self, tenant: TenantId) -> Result<(), Refused> {
        if lock(&self.rollout).of(tenant).self_hosted {
            return Ok(());
        }
        let problem = "self-hosted execution is not switched on for this tenant: ask the operator";
        Err(Refused::new(RefusalCode::Forbidden, problem))
    }
}
