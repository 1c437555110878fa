//! Tenants: made, listed, renamed and suspended by the operator. Hosts whose tenants are their own
//! accounts need none of this: a tenant that is not recorded is one that is not suspended.

use super::{Management, ROUNDS_MAX, audit::Deed, not_found, refused, repeat::Begun};
use crate::{
    actors::{
        control_plane::{Plane, Unheeded, lock},
        error::Error,
        records::{Batch, Pages, Versioned, read},
    },
    rules::{
        eligibility::{Allowance, Closed},
        keys,
        record::{PoolRecord, Record as _, TenantRecord, UniqueRecord},
        submission,
    },
    seams::{random, store::StoreError},
    values::{
        fleet::{
            listing::{Listing, Paging},
            tenant::{ArtifactUse, TenantView},
        },
        id::{PoolId, TenantId},
        key::{Index, Kind},
        principal::{Principal, Scope},
        reply::{RefusalCode, Refused},
    },
};
use std::{collections::BTreeSet, sync::Arc};

/// The state under which suspended tenants are listed.
const SUSPENDED: u8 = 1;

impl Management {
    /// Makes a tenant.
    ///
    /// # Errors
    /// [`Error::Refused`] (`conflict`) if there is one of that name, (`forbidden`) for everybody but the
    /// operator, or as [`Management`] says.
    pub async fn create_tenant(&self, name: &str) -> Result<TenantView, Error> {
        self.operates()?;
        submission::name("name", name)?;
        let mut once = match self.begin(self.tenant).await? {
            Begun::Before(record) => return self.seen(record).await,
            Begun::Now(once) => once,
        };
        self.check_name(TenantId::OPERATOR, name).await?;
        let plane = &self.plane;
        let now = plane.now();
        let record = TenantRecord::new(random::id(&*plane.random, now, TenantId::new), name, now);
        let mut batch = Batch::new();
        once.note(&mut batch, &record);
        batch.put(0, &record);
        batch.put(0, &UniqueRecord::of_tenant(&record));
        let deed = Deed::new("created", "tenant").called(name);
        self.note(&mut batch, TenantId::OPERATOR, deed, record.id).await;
        match plane.records.commit(batch).await {
            Ok(_) => self.seen(record).await,
            Err(error) => Err(once.refusal(&error).unwrap_or_else(|| match error {
                StoreError::Conflict(_) => name_taken(),
                error => Error::Store(error),
            })),
        }
    }

    /// Lists every tenant: those that are not suspended first, each oldest first.
    ///
    /// # Errors
    /// [`Error::Refused`] (`forbidden`) for everybody but the operator, or as [`Management`] says.
    pub async fn tenants(&self, paging: &Paging) -> Result<Listing<TenantView>, Error> {
        self.operates()?;
        let prefix = keys::listed_prefix(TenantId::OPERATOR, Kind::Tenant, None);
        let page = self.list::<TenantRecord>(Index::Listed, prefix, &["tenants"], paging).await?;
        let mut items = Vec::with_capacity(page.items.len());
        for tenant in page.items {
            items.push(self.seen(tenant.record).await?);
        }
        Ok(Listing { items, next: page.next })
    }

    /// The tenant that is managed: one's own, or the one that the operator works
    /// [within](Management::within).
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn own_tenant(&self) -> Result<TenantView, Error> {
        let tenant = self.with(Scope::Read)?;
        self.seen(self.tenant_record(tenant).await?.record).await
    }

    /// Renames a tenant.
    ///
    /// # Errors
    /// [`Error::Refused`] (`conflict`) if there is another one of that name, (`forbidden`) for everybody but
    /// the operator, or as [`Management`] says.
    pub async fn rename_tenant(&self, tenant: TenantId, name: &str) -> Result<TenantView, Error> {
        submission::name("name", name)?;
        self.change_tenant(tenant, |record| name.clone_into(&mut record.name)).await
    }

    /// Suspends a tenant, or lets it go on. While it is suspended it may ask for nothing, and
    /// nothing that waits is granted; what runs goes on.
    ///
    /// # Errors
    /// [`Error::Refused`] (`forbidden`) for everybody but the operator, or as [`Management`] says.
    pub async fn suspend_tenant(&self, tenant: TenantId, suspended: bool) -> Result<TenantView, Error> {
        self.change_tenant(tenant, |record| record.suspended = suspended).await
    }

    /// Says how many bytes the artifacts of a tenant may have, from now on and after any restart; with
    /// `None` it has the [quota of all](crate::ControlPlaneBuilder::artifact_quota) again. What is kept
    /// already stays, and so does what is on its way.
    ///
    /// # Errors
    /// [`Error::Refused`] (`invalid`) for more than [`QUOTA_MAX`](ArtifactUse::QUOTA_MAX), (`forbidden`) for
    /// everybody but the operator, or as [`Management`] says.
    pub async fn set_artifact_quota(
        &self,
        tenant: TenantId,
        bytes: Option<u64>,
    ) -> Result<TenantView, Error> {
        if bytes.is_some_and(|bytes| bytes > ArtifactUse::QUOTA_MAX) {
            let problem = format!("artifactQuotaBytes: at most {} may be given", ArtifactUse::QUOTA_MAX);
            return Err(refused(RefusalCode::Invalid, problem));
        }
        self.change_tenant(tenant, |record| record.artifact_quota = bytes).await
    }

    /// What the tenant that is managed keeps as artifacts, and how much it may. It need not be recorded.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn artifact_use(&self) -> Result<ArtifactUse, Error> {
        let tenant = self.with(Scope::Read)?;
        let found = self.plane.records.load::<TenantRecord>(TenantRecord::key_of(tenant)).await;
        let own = found.map_err(Error::Store)?.and_then(|found| found.record.artifact_quota);
        self.plane.counted.used(tenant, own).await.map_err(Error::Store)
    }

    async fn seen(&self, record: TenantRecord) -> Result<TenantView, Error> {
        let TenantRecord { id, name, suspended, made_at, artifact_quota, .. } = record;
        let artifacts = self.plane.counted.used(id, artifact_quota).await.map_err(Error::Store)?;
        Ok(TenantView { id, name, suspended, made_at, artifacts })
    }

    /// The same view of the tenant that `text` names, by its id or by a name that no other has.
    /// Only the operator works for others: whoever else names one, even one that is there, is
    /// answered as if there were none; their own is found by its id.
    ///
    /// An id is taken as it is, as [`Management::within`] does: hosts keep tenants of their own.
    ///
    /// # Errors
    /// [`Error::Refused`] (`not_found`) if there is no such tenant, (`conflict`) if several have the
    /// name, or as [`Management`] says.
    pub async fn within_named(&self, text: &str) -> Result<Self, Error> {
        let nobody = || not_found("tenant", text);
        if let Ok(id) = text.parse::<TenantId>() {
            return self.within(id).map_err(|_| nobody());
        }
        if self.principal != Principal::Operator {
            return Err(nobody());
        }
        match self.named(text).await?.as_slice() {
            [] => Err(nobody()),
            [one] => self.within(*one),
            // They were made before names were unique.
            _ => {
                let problem = format!("tenant: several are called {text:?}: name one by its id");
                Err(refused(RefusalCode::Conflict, problem))
            }
        }
    }

    /// The tenants of a name: one at most, but for those that were made before names were unique. Two
    /// are as good as more.
    async fn named(&self, name: &str) -> Result<Vec<TenantId>, Error> {
        let prefix = keys::listed_prefix(TenantId::OPERATOR, Kind::Tenant, None);
        let (mut named, mut pages) = (Vec::new(), Pages::of(Index::Listed, prefix));
        while named.len() < 2
            && let Some(rows) = pages.next(&self.plane.records).await.map_err(Error::Store)?
        {
            for (_, row) in &rows {
                let tenant = read::<TenantRecord>(row).map_err(Error::Store)?.record;
                named.extend((tenant.name == name).then_some(tenant.id));
            }
        }
        Ok(named)
    }

    /// Refuses a name that another tenant has. A tenant that was made before names were unique has not
    /// taken its own.
    async fn check_name(&self, tenant: TenantId, name: &str) -> Result<(), Error> {
        let taken = self.named(name).await?.iter().any(|other| *other != tenant);
        if taken { Err(name_taken()) } else { Ok(()) }
    }

    /// Has a tenant give its name up, and take the new one.
    async fn rename_in(&self, batch: &mut Batch, old: &str, tenant: &TenantRecord) -> Result<(), Error> {
        self.check_name(tenant.id, &tenant.name).await?;
        let old = UniqueRecord::tenant_name(old);
        let found = self.plane.records.load::<UniqueRecord>(old.clone()).await.map_err(Error::Store)?;
        let its_own = found.filter(|found| found.record.taken_by == tenant.id.to_string());
        its_own.iter().for_each(|found| batch.delete(old.clone(), found.version));
        batch.put(0, &UniqueRecord::of_tenant(tenant));
        Ok(())
    }

    async fn change_tenant(
        &self,
        tenant: TenantId,
        change: impl Fn(&mut TenantRecord),
    ) -> Result<TenantView, Error> {
        self.operates()?;
        for _ in 0..ROUNDS_MAX {
            let Versioned { version, mut record } = self.tenant_record(tenant).await?;
            let old_name = record.name.clone();
            change(&mut record);
            let mut batch = Batch::new();
            batch.put(version, &record);
            if record.name != old_name {
                self.rename_in(&mut batch, &old_name, &record).await?;
            }
            let deed = Deed::new("changed", "tenant").called(&record.name);
            self.note(&mut batch, TenantId::OPERATOR, deed, tenant).await;
            let mut changed = Unheeded::new(&self.plane, record.key());
            match changed.commit(batch).await {
                Ok(_) => {
                    self.plane.read_suspended().await.map_err(Error::Store)?;
                    changed.heeded();
                    return self.seen(record).await;
                }
                // Whoever else has the name by now is found in the next round.
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(Error::Store(error)),
            }
        }
        Err(Error::Store(StoreError::Unavailable("the tenant changes faster than it can be told".into())))
    }

    async fn tenant_record(&self, tenant: TenantId) -> Result<Versioned<TenantRecord>, Error> {
        let found = self.plane.records.load(TenantRecord::key_of(tenant)).await;
        found.map_err(Error::Store)?.ok_or_else(|| not_found("tenant", tenant))
    }

    pub(super) fn operates(&self) -> Result<(), Error> {
        match self.principal {
            Principal::Operator => Ok(()),
            _ => Err(refused(RefusalCode::Forbidden, "only the operator may do this")),
        }
    }
}

fn name_taken() -> Error {
    refused(RefusalCode::Conflict, "name: there is a tenant of that name: choose another")
}

impl Plane {
    /// Refuses whatever a suspended tenant asks for.
    pub(crate) fn may_ask(&self, tenant: TenantId) -> Result<(), Refused> {
        if lock(&self.suspended).contains(&tenant) {
            let problem = "the tenant is suspended: ask the operator";
            return Err(Refused::new(RefusalCode::Forbidden, problem));
        }
        Ok(())
    }

    /// Reads which tenants are suspended, and has their runners go by it.
    pub(crate) async fn read_suspended(self: &Arc<Self>) -> Result<(), StoreError> {
        let _reading = self.reading.lock().await;
        let mut suspended = BTreeSet::new();
        let prefix = keys::listed_prefix(TenantId::OPERATOR, Kind::Tenant, Some(SUSPENDED));
        let mut pages = Pages::of(Index::Listed, prefix);
        while let Some(rows) = pages.next(&self.records).await? {
            for (_, row) in &rows {
                suspended.insert(read::<TenantRecord>(row)?.record.id);
            }
        }
        let before = std::mem::replace(&mut *lock(&self.suspended), suspended.clone());
        self.rescheduled(|schedule| schedule.suspend(suspended.clone()));
        self.doubt_sessions(|tenant, _| before.contains(&tenant) != suspended.contains(&tenant));
        Ok(())
    }

    /// Has everything of some runners read again before it is used.
    pub(crate) fn doubt_sessions(&self, of: impl Fn(TenantId, PoolId) -> bool) {
        let all = self.sessions.all();
        for session in all.iter().filter(|session| of(session.who.tenant, session.who.pool)) {
            session.doubt();
            session.wake();
        }
    }

    /// How many jobs each runner of a pool may be granted: none while the pool is not active or its
    /// owner is suspended.
    pub(crate) async fn allowance(&self, tenant: TenantId, pool: PoolId) -> Result<Allowance, StoreError> {
        self.pool_terms(tenant, pool).await.map(|(allowance, _)| allowance)
    }

    /// The same, with the image of container jobs that name none.
    pub(crate) async fn pool_terms(
        &self,
        tenant: TenantId,
        pool: PoolId,
    ) -> Result<(Allowance, Option<Arc<String>>), StoreError> {
        if lock(&self.suspended).contains(&tenant) {
            return Ok((Allowance { slots: None, closed: Some(Closed::Suspended) }, None));
        }
        let found = self.records.load::<PoolRecord>(PoolRecord::key_of(tenant, pool)).await?;
        let Some(found) = found else { return Ok((Allowance::default(), None)) };
        Ok((found.record.allowance(), found.record.spec.image.map(Arc::new)))
    }
}
