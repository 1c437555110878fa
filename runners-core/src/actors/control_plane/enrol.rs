//! Who may speak: registration tokens, runner credentials and API credentials. Only the SHA-256
//! of a secret is ever seen or kept here.

use super::{ControlPlane, Plane};
use crate::{
    actors::{error::Error, records::Batch},
    rules::{
        record::{
            CredentialRecord, PoolRecord, Record as _, RegistrationRecord, RunnerRecord, Subject, Unknown,
        },
        submission,
    },
    seams::{
        authenticate::{Authenticate, AuthenticateError},
        random,
        store::StoreError,
    },
    values::{
        digest::Digest,
        id::{PoolId, RunnerId, TenantId},
        key::Kind,
        principal::{Principal, Scope},
        reply::{Enrolled, RefusalCode, Refused, Reply},
        request::EnrolRequest,
        time::Timestamp,
        token::TokenKind,
    },
};
use async_trait::async_trait;
use std::{collections::BTreeSet, sync::Arc, time::Duration};

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
    /// Takes note of a registration token by the SHA-256 of its text. A repeat changes nothing.
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
            unknown: Unknown::new(),
        };
        self.plane.create(&record).await.map_err(Error::Store)
    }

    /// Takes note of an API credential by the SHA-256 of its text. A repeat changes nothing.
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
        let made_at = self.plane.now();
        let record = credential_record(credential, tenant, subject, made_at, None);
        self.plane.create(&record).await.map_err(Error::Store)
    }

    /// Tells for whom a token speaks, by this control plane's own records.
    #[must_use]
    pub fn authenticator(&self) -> RecordsAuthenticator {
        RecordsAuthenticator { plane: Arc::clone(&self.plane) }
    }
}

const fn credential_record(
    digest: Digest,
    tenant: TenantId,
    subject: Subject,
    made_at: Timestamp,
    registration: Option<Digest>,
) -> CredentialRecord {
    CredentialRecord {
        digest,
        tenant,
        subject,
        made_at,
        revoked: false,
        registration,
        unknown: Unknown::new(),
    }
}

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
        let expired =
            || Reply::Refused(Refused::new(RefusalCode::Expired, "the registration token is no longer good"));
        if let Err(refused) = submission::name("name", &request.name) {
            return Ok(Reply::Refused(refused));
        }
        let now = self.now();
        let key = RegistrationRecord::key_of(registration);
        let Some(found) = self.records.load::<RegistrationRecord>(key).await? else { return Ok(expired()) };
        if found.record.tenant != tenant {
            return Ok(expired());
        }
        let pool = found.record.pool;
        *admits_to = Some(pool);
        if let Some(reply) = self.enrolled_before(&request, registration, tenant).await? {
            return Ok(reply);
        }
        if !found.record.is_good(now) {
            return Ok(expired());
        }
        let runner = random::id(&*self.random, now, RunnerId::new);
        let subject = Subject::Runner { pool, runner };
        let mut batch = Batch::new();
        batch.expect(found.record.key(), found.version);
        batch.put(0, &RunnerRecord::new(tenant, runner, pool, &request.name, now));
        batch.put(0, &credential_record(request.credential, tenant, subject, now, Some(registration)));
        if let Some(uses_max) = found.record.uses_max {
            batch.add(found.record.uses(), 1, Some(i64::from(uses_max)));
        }
        match self.records.commit(batch).await {
            Ok(_) => self.enrolled(tenant, pool, runner).await,
            Err(StoreError::Exhausted(_)) => {
                let problem = "the registration token was used as often as it may be: ask for another";
                Ok(Reply::Refused(Refused::new(RefusalCode::Exhausted, problem)))
            }
            // The same request, twice at once.
            Err(StoreError::Conflict(key)) if key.kind == Kind::Credential => {
                let reply = self.enrolled_before(&request, registration, tenant).await?;
                Ok(reply.unwrap_or_else(expired))
            }
            Err(error) => Err(error),
        }
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
            Subject::Runner { pool, runner } if found.record.registration == Some(registration) => {
                self.enrolled(tenant, pool, runner).await.map(Some)
            }
            _ => {
                let problem = "credential: is in use: draw a new one";
                Ok(Some(Reply::Refused(Refused::new(RefusalCode::Conflict, problem))))
            }
        }
    }

    async fn enrolled(&self, tenant: TenantId, pool: PoolId, runner: RunnerId) -> Result<Reply, StoreError> {
        let found = self.records.load::<PoolRecord>(PoolRecord::key_of(tenant, pool)).await?;
        let pool_name = found.map_or_else(String::new, |found| found.record.spec.name);
        Ok(Reply::Enrolled(Enrolled { runner, tenant, pool, pool_name }))
    }
}

/// Tells for whom a token speaks, by a control plane's own records.
#[derive(Clone, Debug)]
pub struct RecordsAuthenticator {
    plane: Arc<Plane>,
}

#[async_trait]
impl Authenticate for RecordsAuthenticator {
    async fn authenticate(&self, token: &str) -> Result<Principal, AuthenticateError> {
        // What is looked up is a digest, so the time a lookup takes tells nothing of the token.
        let digest = Digest::of(token.as_bytes());
        let unavailable = |error: StoreError| AuthenticateError::Unavailable(Box::new(error));
        let records = &self.plane.records;
        let credential = records.load::<CredentialRecord>(CredentialRecord::key_of(digest)).await;
        if let Some(found) = credential.map_err(unavailable)?.filter(|found| !found.record.revoked) {
            let tenant = found.record.tenant;
            return Ok(match found.record.subject {
                Subject::Runner { pool, runner } => Principal::Runner { tenant, pool, runner },
                Subject::Api { scopes } => Principal::Api { tenant, scopes },
            });
        }
        let registration = records.load::<RegistrationRecord>(RegistrationRecord::key_of(digest)).await;
        let (found, now) = (registration.map_err(unavailable)?, self.plane.now());
        match &found {
            Some(found) if found.record.is_good(now) => {
                return Ok(Principal::Registrant { tenant: found.record.tenant, registration: digest });
            }
            None if TokenKind::of(token) != Some(TokenKind::Registration) => {}
            _ => self.plane.measures.registration_failed(found.map(|found| found.record.pool), now),
        }
        Err(AuthenticateError::Unknown)
    }
}
