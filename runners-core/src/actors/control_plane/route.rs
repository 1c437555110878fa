//! Where a job goes: the environment that it names becomes a pool, once, at its submit.

use super::Plane;
use crate::{
    rules::record::{EnvironmentRecord, PoolRecord, Preference},
    seams::store::StoreError,
    values::{
        fleet::environment::Route,
        id::TenantId,
        job::JobSpec,
        reply::{RefusalCode, Refused},
    },
};

impl Plane {
    /// Has a job that names an environment target the pool that the environment leads to. If it is
    /// hosted, that is one of those that are answered.
    pub(super) async fn route(
        &self,
        tenant: TenantId,
        spec: &mut JobSpec,
    ) -> Result<Result<Option<Preference>, Refused>, StoreError> {
        let Some(name) = spec.environment.clone() else {
            return Ok(self.may_host_itself(tenant).map(|()| None));
        };
        let refused = |code, problem: &str| {
            let detail = format!("spec.environment: {name:?} {problem}");
            Ok(Err(Refused::new(code, detail)))
        };
        let key = EnvironmentRecord::key_of(tenant, &name);
        let Some(found) = self.records.load::<EnvironmentRecord>(key).await? else {
            return refused(RefusalCode::NotFound, "does not exist: make it, or name a pool");
        };
        let pool = match found.record.route {
            Route::Pool(pool) => pool,
            Route::Hosted => return Ok(self.host(tenant, &name, spec).await?.map(Some)),
        };
        if let Err(refused) = self.may_host_itself(tenant) {
            return Ok(Err(refused));
        }
        match self.records.load::<PoolRecord>(PoolRecord::key_of(tenant, pool)).await? {
            Some(found) => {
                spec.pool = found.record.spec.name;
                Ok(Ok(None))
            }
            None => refused(RefusalCode::NotFound, "leads to a pool that was deleted: route it elsewhere"),
        }
    }
}
