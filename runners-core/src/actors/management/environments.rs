//! Environments of a tenant: listed, routed and deleted.

use super::{Management, ROUNDS_MAX, audit::Deed, not_found};
use crate::{
    actors::{
        error::Error,
        records::{Batch, Versioned},
    },
    rules::{
        keys,
        record::{EnvironmentRecord, Record as _, Unknown},
        submission,
    },
    seams::store::StoreError,
    values::{
        fleet::{
            environment::{EnvironmentView, Route},
            listing::{Listing, Paging},
        },
        id::TenantId,
        key::{Index, Kind},
        principal::Scope,
    },
};

impl Management {
    /// Lists the environments of the tenant, oldest first.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn environments(&self, paging: &Paging) -> Result<Listing<EnvironmentView>, Error> {
        let tenant = self.with(Scope::Read)?;
        let prefix = keys::listed_prefix(tenant, Kind::Environment, None);
        let page = self.list::<EnvironmentRecord>(Index::Listed, prefix, &["environments"], paging).await?;
        Ok(page.map(|environment| view(environment.record)))
    }

    /// One environment of the tenant.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn environment(&self, name: &str) -> Result<EnvironmentView, Error> {
        let tenant = self.with(Scope::Read)?;
        self.environment_record(tenant, name).await.map(|found| view(found.record))
    }

    /// Has an environment lead somewhere, and makes it if there is none of that name. Jobs that are
    /// submitted from now on go there; those submitted before stay where they are.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn route_environment(&self, name: &str, route: Route) -> Result<EnvironmentView, Error> {
        let tenant = self.with(Scope::Admin)?;
        submission::name("name", name)?;
        for _ in 0..ROUNDS_MAX {
            let mut batch = Batch::new();
            if let Route::Pool(pool) = route {
                self.may_host_itself()?;
                let pool = self.pool_record(tenant, pool).await?;
                batch.expect(pool.record.key(), pool.version);
            }
            let key = EnvironmentRecord::key_of(tenant, name);
            let found = self.plane.records.load::<EnvironmentRecord>(key).await.map_err(Error::Store)?;
            let version = found.as_ref().map_or(0, |found| found.version);
            let new = || EnvironmentRecord {
                tenant,
                name: name.to_owned(),
                route,
                made_at: self.plane.now(),
                unknown: Unknown::new(),
            };
            let mut record = found.map_or_else(new, |found| found.record);
            record.route = route;
            batch.put(version, &record);
            let to = match route {
                Route::Hosted => "to hosted execution".to_owned(),
                Route::Pool(pool) => format!("to {pool}"),
            };
            let deed = Deed::new("routed", "environment").called(&to);
            self.note(&mut batch, tenant, deed, name).await;
            match self.plane.records.commit(batch).await {
                Ok(_) => return Ok(view(record)),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(Error::Store(error)),
            }
        }
        let problem = "the environment changes faster than it can be routed";
        Err(Error::Store(StoreError::Unavailable(problem.into())))
    }

    /// Deletes an environment. Jobs that went through it stay where they are.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn delete_environment(&self, name: &str) -> Result<(), Error> {
        let tenant = self.with(Scope::Admin)?;
        let Versioned { version, record } = self.environment_record(tenant, name).await?;
        let mut batch = Batch::new();
        batch.delete(record.key(), version);
        self.note(&mut batch, tenant, Deed::new("deleted", "environment"), name).await;
        self.plane.records.commit(batch).await.map(drop).map_err(Error::Store)
    }

    async fn environment_record(
        &self,
        tenant: TenantId,
        name: &str,
    ) -> Result<Versioned<EnvironmentRecord>, Error> {
        let key = EnvironmentRecord::key_of(tenant, name);
        let found = self.plane.records.load(key).await.map_err(Error::Store)?;
        found.ok_or_else(|| not_found("environment", format_args!("{name:?}")))
    }
}

fn view(environment: EnvironmentRecord) -> EnvironmentView {
    let EnvironmentRecord { name, route, made_at, .. } = environment;
    EnvironmentView { name, route, made_at }
}
