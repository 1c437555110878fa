//! Enrolment: registration tokens, and the credentials they are exchanged for. Only the SHA-256 of
//! a secret is ever seen or kept here; for whom one speaks is told by `authenticate`.

use super::{ControlPlane, Plane, session::Identity};
use crate::{
    actors::{
        error::Error,
        records::{Batch, Versioned},
    },
    rules::{
        keys,
        record::{
            CredentialRecord, PoolRecord, Record as _, RegistrationRecord, RunnerRecord, Subject, Unknown,
        },
        submission,
    },
    seams::{random, store::StoreError},
    values::{
        digest::Digest,
        id::{PoolId, RunnerId, TenantId},
        key::Kind,
        principal::Scope,
        reply::{Enrolled, RefusalCode, Refused, Reply},
        request::EnrolRequest,
    },
};
use std::{collections::BTreeSet, time::Duration};

/// What a registration token admits to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Registration {
    /// The owner of the pool.
    pub tenant: TenantId,
    /// The pool that its runners join.
    pub pool: PoolId,
    /// How often it may be used; any number of times unless given.
    pub uses_max: Option<u32>,
    /// How long it is good for; for ever unless given.
    pub expires_in: Option<Duration>,
}

impl Registration {
    /// A token for any number of runners of `pool`, for ever.
    #[must_use]
    pub const fn new(tenant: TenantId, pool: PoolId) -> Self {
        Self { tenant, pool, uses_max: None, expires_in: None }
    }

    /// Limits how often it may be used.
    #[must_use]
    pub const fn uses_max(mut self, uses: u32) -> Self {
        self.uses_max = Some(uses);
        self
    }

    /// Limits how long it is good for.
    #[must_use]
    pub const fn expires_in(mut self, span: Duration) -> Self {
        self.expires_in = Some(span);
        self
    }
}

impl ControlPlane {
    /// Takes note of a registration token by the SHA-256 of its text. A repeat changes nothing. In
    /// listings it is named `default`.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn admit_registration(&self, token: Digest, registration: Registration) -> Result<(), Error> {
        let record = RegistrationRecord {
            digest: token,
            tenant: registration.tenant,
            pool: registration.pool,
            uses_max: registration.uses_max,
            expires_at: registration.expires_in.map(|span| self.plane.now() + span),
            revoked: false,
            name: ADMITTED_NAME.to_owned(),
            made_at: self.plane.now(),
            unknown: Unknown::new(),
        };
        self.plane.create(&record).await.map_err(Error::Store)
    }

    /// Takes note of an API credential by the SHA-256 of its text. A repeat changes nothing. In
    /// listings it is named `default`.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn admit_api_credential(
        &self,
        credential: Digest,
        tenant: TenantId,
        scopes: impl IntoIterator<Item = Scope>,
    ) -> Result<(), Error> {
        let subject = Subject::Api { scopes: scopes.into_iter().collect::<BTreeSet<_>>() };
        let mut record = CredentialRecord::new(credential, tenant, subject, self.plane.now());
        record.name = ADMITTED_NAME.to_owned();
        self.plane.create(&record).await.map_err(Error::Store)
    }
}

/// The name of what the host itself has admitted, as of the tenant and the pool that are always there.
const ADMITTED_NAME: &str = "default";

/// What is said of a registration token that was revoked or has expired.
const NO_LONGER_GOOD: &str = "the registration token is no longer good";
/// What is said of one that has admitted as many runners as it may.
const USED_UP: &str = "the registration token was used as often as it may be: ask for another";

impl Plane {
    /// Creates a record, unless there is one already.
    pub(super) async fn create<R: crate::rules::record::Record>(&self, record: &R) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        batch.put(0, record);
        match self.records.commit(batch).await {
            Ok(_) | Err(StoreError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn enrol(
        &self,
        tenant: TenantId,
        registration: Digest,
        request: EnrolRequest,
    ) -> Result<Reply, StoreError> {
        let allowed = self.may_ask(tenant).and_then(|()| self.may_host_itself(tenant));
        if let (Ok(()), Err(refused)) = (allowed, submission::name("name", &request.name)) {
            return self.unnamed(tenant, registration, refused).await;
        }
        let mut pool = None;
        let reply = self.enrol_into(&mut pool, tenant, registration, request).await;
        if !matches!(reply, Ok(Reply::Enrolled(_))) {
            self.measures.registration_failed(pool, self.now());
        }
        reply
    }

    /// Answers a registration, and leaves behind to which pool its token admits.
    async fn enrol_into(
        &self,
        admits_to: &mut Option<PoolId>,
        tenant: TenantId,
        registration: Digest,
        request: EnrolRequest,
    ) -> Result<Reply, StoreError> {
        let expired = || Reply::Refused(Refused::new(RefusalCode::Expired, NO_LONGER_GOOD));
        let allowed = self.may_ask(tenant).and_then(|()| self.may_host_itself(tenant));
        if let Err(refused) = allowed {
            return Ok(Reply::Refused(refused));
        }
        let key = RegistrationRecord::key_of(registration);
        let Some(found) = self.records.load::<RegistrationRecord>(key).await? else { return Ok(expired()) };
        if found.record.tenant != tenant {
            return Ok(expired());
        }
        let pool = found.record.pool;
        *admits_to = Some(pool);
        if let Some(other) = self.other_pool(&request, tenant, pool).await? {
            return Ok(Reply::Refused(other));
        }
        if let Some(reply) = self.enrolled_before(&request, registration, tenant).await? {
            return Ok(reply);
        }
        let now = self.now();
        let in_pool = self.records.load::<PoolRecord>(PoolRecord::key_of(tenant, pool)).await?;
        let Some(in_pool) = in_pool.filter(|_| found.record.is_good(now)) else { return Ok(expired()) };
        let runner = random::id(&*self.random, now, RunnerId::new);
        let mut record = RunnerRecord::new(tenant, runner, pool, &request.name, now);
        let mut credential =
            CredentialRecord::new(request.credential, tenant, Subject::Runner { pool, runner }, now);
        credential.registration = Some(registration);
        credential.expires_at = Some(now + self.spans.credential_life);
        let mut batch = Batch::new();
        batch.expect(found.record.key(), found.version);
        self.add_runner(&mut batch, &mut record, &in_pool);
        batch.put(0, &credential);
        batch.add(found.record.uses(), 1, found.record.uses_max.map(i64::from));
        match self.records.commit(batch).await {
            Ok(_) => self.enrolled(&credential).await,
            Err(StoreError::Exhausted(key)) if key == found.record.uses() => {
                Ok(Reply::Refused(Refused::new(RefusalCode::Exhausted, USED_UP)))
            }
            Err(StoreError::Exhausted(_)) => Ok(Reply::Refused(pool_full(&in_pool.record))),
            // The same request, twice at once.
            Err(StoreError::Conflict(key)) if key.kind == Kind::Credential => {
                let reply = self.enrolled_before(&request, registration, tenant).await?;
                Ok(reply.unwrap_or_else(expired))
            }
            Err(error) => Err(error),
        }
    }

    /// Answers a request whose name is none: with what is wrong with its token, if that is no good either.
    /// It changes nothing, so whoever wants to know of a token can ask like this.
    async fn unnamed(
        &self,
        tenant: TenantId,
        registration: Digest,
        name: Refused,
    ) -> Result<Reply, StoreError> {
        let refused = |code, detail: &str| Ok(Reply::Refused(Refused::new(code, detail)));
        let found = self.records.load::<RegistrationRecord>(RegistrationRecord::key_of(registration)).await?;
        let now = self.now();
        let found = found.filter(|found| found.record.tenant == tenant && found.record.is_good(now));
        let Some(Versioned { record, .. }) = found else {
            return refused(RefusalCode::Expired, NO_LONGER_GOOD);
        };
        let in_pool = self.records.load::<PoolRecord>(PoolRecord::key_of(tenant, record.pool)).await?;
        let Some(Versioned { record: in_pool, .. }) = in_pool else {
            return refused(RefusalCode::Expired, NO_LONGER_GOOD);
        };
        if let Some(limit) = record.uses_max
            && self.records.counter(record.uses()).await? >= i64::from(limit)
        {
            return refused(RefusalCode::Exhausted, USED_UP);
        }
        if let Some(limit) = in_pool.spec.runners_max
            && self.records.counter(keys::runners_of(tenant, record.pool)).await? >= i64::from(limit)
        {
            return Ok(Reply::Refused(pool_full(&in_pool)));
        }
        Ok(Reply::Refused(name))
    }

    /// The answer that was given to the same request before.
    async fn enrolled_before(
        &self,
        request: &EnrolRequest,
        registration: Digest,
        tenant: TenantId,
    ) -> Result<Option<Reply>, StoreError> {
        let key = CredentialRecord::key_of(request.credential);
        let Some(found) = self.records.load::<CredentialRecord>(key).await? else { return Ok(None) };
        match found.record.subject {
            Subject::Runner { .. }
                if (found.record.registration, found.record.tenant) == (Some(registration), tenant) =>
            {
                self.enrolled(&found.record).await.map(Some)
            }
            _ => Ok(Some(Reply::Refused(in_use("credential")))),
        }
    }

    /// Answers a runner that has its credential already who it is.
    pub(super) async fn identify(&self, who: Identity, request: &EnrolRequest) -> Result<Reply, StoreError> {
        if let Some(other) = self.other_pool(request, who.tenant, who.pool).await? {
            return Ok(Reply::Refused(other));
        }
        let subject = Subject::Runner { pool: who.pool, runner: who.runner };
        let key = CredentialRecord::key_of(request.credential);
        match self.records.load::<CredentialRecord>(key).await? {
            Some(found) if found.record.subject != subject => Ok(Reply::Refused(in_use("credential"))),
            Some(found) => self.enrolled(&found.record).await,
            // The host knows its runners by credentials of its own.
            None => {
                let now = self.now();
                let credential = CredentialRecord::new(request.credential, who.tenant, subject, now);
                self.enrolled(&credential).await
            }
        }
    }

    /// Refuses a request that wants to be in another pool than this one, which is its token's.
    async fn other_pool(
        &self,
        request: &EnrolRequest,
        tenant: TenantId,
        pool: PoolId,
    ) -> Result<Option<Refused>, StoreError> {
        let Some(wanted) = &request.pool else { return Ok(None) };
        if let Err(refused) = submission::name("pool", wanted) {
            return Ok(Some(refused));
        }
        let found = self.records.load::<PoolRecord>(PoolRecord::key_of(tenant, pool)).await?;
        let name = found.map_or_else(String::new, |found| found.record.spec.name);
        let is_it = *wanted == name || *wanted == pool.to_string();
        let problem = || {
            format!(
                "pool: the token admits to {name:?} ({pool}), not to {wanted:?}: use a token of that pool"
            )
        };
        Ok((!is_it).then(|| Refused::new(RefusalCode::Conflict, problem())))
    }

    /// Adds a runner to its pool, which counts it.
    pub(crate) fn add_runner(
        &self,
        batch: &mut Batch,
        runner: &mut RunnerRecord,
        pool: &Versioned<PoolRecord>,
    ) {
        runner.counted = true;
        batch.expect(pool.record.key(), pool.version);
        batch.put(0, runner);
        let runners_max = pool.record.spec.runners_max.map(i64::from);
        batch.add(keys::runners_of(runner.tenant, runner.pool), 1, runners_max);
    }

    async fn enrolled(&self, credential: &CredentialRecord) -> Result<Reply, StoreError> {
        let Subject::Runner { pool, runner } = credential.subject else {
            return Ok(Reply::Refused(in_use("credential")));
        };
        let tenant = credential.tenant;
        let found = self.records.load::<PoolRecord>(PoolRecord::key_of(tenant, pool)).await?;
        let pool_name = found.map_or_else(String::new, |found| found.record.spec.name);
        let rotate_in = credential.rotate_in(self.now());
        Ok(Reply::Enrolled(Enrolled { runner, tenant, pool, pool_name, rotate_in }))
    }
}

pub(super) fn in_use(field: &str) -> Refused {
    Refused::new(RefusalCode::Conflict, format!("{field}: is in use: draw a new one"))
}

/// What is said when a pool has as many runners as it may.
pub(crate) fn pool_full(pool: &PoolRecord) -> Refused {
    let limit = pool.spec.runners_max.unwrap_or_default();
    let problem = format!("the pool has {limit} runners, which is its limit: remove one, or raise the limit");
    Refused::new(RefusalCode::Exhausted, problem)
}
