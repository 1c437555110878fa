//! Registration tokens of a pool: made, listed, revoked; and runners that are registered in
//! advance. The text of a token is drawn here, given once, and forgotten.

use super::{Management, audit::Deed, not_found, refused, repeat::Begun};
use crate::{
    actors::{
        control_plane::{Plane, enrol::pool_full},
        error::Error,
        records::{Batch, Versioned, read},
    },
    rules::{
        keys,
        record::{CredentialRecord, Record as _, RegistrationRecord, RunnerRecord, Subject, Unknown},
        submission,
    },
    seams::{
        random,
        store::{Query, StoreError},
    },
    values::{
        fleet::{
            access::{Issued, RegistrationSpec, RegistrationView},
            listing::{Listing, Paging},
            runner::RunnerView,
        },
        id::{PoolId, RunnerId, TokenId},
        key::Index,
        principal::Scope,
        reply::RefusalCode,
        token::{Token, TokenKind},
    },
};
use bytes::{BufMut as _, Bytes, BytesMut};

/// How often a change that others are faster with is tried.
const ROUNDS_MAX: usize = 16;

impl Management {
    /// Makes a registration token of a pool.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn create_registration(
        &self,
        pool: PoolId,
        spec: RegistrationSpec,
    ) -> Result<Issued<RegistrationView>, Error> {
        let tenant = self.with(Scope::Admin)?;
        self.may_host_itself()?;
        submission::text("name", &spec.name, submission::NAME_BYTES_MAX)?;
        submission::life("expires_in", spec.expires_in, RegistrationSpec::EXPIRES_IN_MAX)?;
        if spec.uses_max == Some(0) {
            return Err(refused(RefusalCode::Invalid, "uses_max: must be at least 1"));
        }
        let mut once = match self.begin(tenant).await? {
            Begun::Before(record) => return Ok(Issued { token: None, view: view(record, 0) }),
            Begun::Now(once) => once,
        };
        let in_pool = self.pool_record(tenant, pool).await?;
        let token = self.plane.draw(TokenKind::Registration);
        let now = self.plane.now();
        let record = RegistrationRecord {
            digest: token.digest(),
            tenant,
            pool,
            uses_max: spec.uses_max,
            expires_at: Some(now + spec.expires_in),
            revoked: false,
            name: spec.name,
            made_at: now,
            unknown: Unknown::new(),
        };
        let mut batch = Batch::new();
        once.note(&mut batch, &record);
        batch.expect(in_pool.record.key(), in_pool.version);
        batch.put(0, &record);
        let id = TokenId::from_bytes(record.digest.short());
        let deed = Deed::new("created", "registration token").called(&in_pool.record.spec.name);
        self.note(&mut batch, tenant, deed, id).await;
        match self.plane.records.commit(batch).await {
            Ok(_) => Ok(Issued { token: Some(token), view: view(record, 0) }),
            Err(error) => Err(once.refusal(&error).unwrap_or(Error::Store(error))),
        }
    }

    /// Lists the registration tokens of a pool, in no particular order.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn registrations(
        &self,
        pool: PoolId,
        paging: &Paging,
    ) -> Result<Listing<RegistrationView>, Error> {
        let tenant = self.with(Scope::Admin)?;
        self.pool_record(tenant, pool).await?;
        let prefix = keys::parent_kind_prefix(tenant, pool.as_bytes(), RegistrationRecord::KIND);
        let parts = ["registrations", &pool.to_string()];
        let page = self.list::<RegistrationRecord>(Index::Parent, prefix, &parts, paging).await?;
        let mut items = Vec::with_capacity(page.items.len());
        for Versioned { record, .. } in page.items {
            let uses = self.plane.records.counter(record.uses()).await.map_err(Error::Store)?;
            items.push(view(record, uses));
        }
        Ok(Listing { items, next: page.next })
    }

    /// Revokes a registration token: nobody registers with it from now on. Runners that have done
    /// so stay.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn revoke_registration(&self, pool: PoolId, token: TokenId) -> Result<(), Error> {
        let tenant = self.with(Scope::Admin)?;
        let prefix = keys::parent_kind_prefix(tenant, pool.as_bytes(), RegistrationRecord::KIND);
        for _ in 0..ROUNDS_MAX {
            let found = self.plane.secret::<RegistrationRecord>(prefix.clone(), token).await;
            let found = found.map_err(Error::Store)?.ok_or_else(|| not_found("token", token))?;
            let Versioned { version, mut record } = found;
            if std::mem::replace(&mut record.revoked, true) {
                return Ok(());
            }
            let mut batch = Batch::new();
            batch.put(version, &record);
            let deed = Deed::new("revoked", "registration token").called(&record.name);
            self.note(&mut batch, tenant, deed, token).await;
            match self.plane.records.commit(batch).await {
                Err(StoreError::Conflict(_)) => {}
                done => return done.map(drop).map_err(Error::Store),
            }
        }
        let problem = "the token changes faster than it can be revoked";
        Err(Error::Store(StoreError::Unavailable(problem.into())))
    }

    /// Registers a runner in advance. Its token is its credential until it replaces it, which it
    /// does by itself: start it with that token and no other.
    ///
    /// # Errors
    /// [`Error::Refused`] (`exhausted`) if the pool has as many runners as it may, (`conflict`) if another
    /// runner of the tenant has the name, or as [`Management`] says.
    pub async fn register_runner(&self, pool: PoolId, name: &str) -> Result<Issued<RunnerView>, Error> {
        let tenant = self.with(Scope::Admin)?;
        self.may_host_itself()?;
        submission::name("name", name)?;
        let mut once = match self.begin(tenant).await? {
            Begun::Before(record) => return Ok(Issued { token: None, view: super::runners::view(record) }),
            Begun::Now(once) => once,
        };
        let in_pool = self.pool_record(tenant, pool).await?;
        self.no_other_runner_has(tenant, name, None).await?;
        let plane = &self.plane;
        let now = plane.now();
        let runner = random::id(&*plane.random, now, RunnerId::new);
        let token = plane.draw(TokenKind::Runner);
        let mut record = RunnerRecord::new(tenant, runner, pool, name, now);
        let subject = Subject::Runner { pool, runner };
        let mut credential = CredentialRecord::new(token.digest(), tenant, subject, now);
        credential.expires_at = Some(now + plane.spans.credential_life);
        let mut batch = Batch::new();
        plane.add_runner(&mut batch, &mut record, &in_pool);
        once.note(&mut batch, &record);
        batch.put(0, &credential);
        self.note(&mut batch, tenant, Deed::new("registered", "runner").called(name), runner).await;
        match plane.records.commit(batch).await {
            Ok(_) => Ok(Issued { token: Some(token), view: super::runners::view(record) }),
            Err(error) => Err(once.refusal(&error).unwrap_or_else(|| match error {
                StoreError::Exhausted(_) => Error::Refused(pool_full(&in_pool.record)),
                error => Error::Store(error),
            })),
        }
    }
}

impl Plane {
    /// Draws a secret.
    pub(super) fn draw(&self, kind: TokenKind) -> Token {
        let mut bytes = [0; Token::RANDOM_BYTES];
        self.random.fill(&mut bytes);
        Token::new(kind, bytes)
    }

    /// The token or credential of an id, below a prefix of the parents' index.
    pub(super) async fn secret<R: crate::rules::record::Record>(
        &self,
        prefix: Bytes,
        id: TokenId,
    ) -> Result<Option<Versioned<R>>, StoreError> {
        let mut exact = BytesMut::from(&prefix[..]);
        exact.put_slice(id.as_bytes());
        let query = Query::Range {
            index: Index::Parent,
            prefix: exact.freeze(),
            after: None,
            until: None,
            newest_first: false,
            limit: 1,
        };
        let (rows, _) = self.records.page(query).await?;
        rows.first().map(|(_, row)| read(row)).transpose()
    }
}

fn view(record: RegistrationRecord, uses: i64) -> RegistrationView {
    RegistrationView {
        id: TokenId::from_bytes(record.digest.short()),
        pool: record.pool,
        name: record.name,
        uses: u32::try_from(uses).unwrap_or(u32::MAX),
        uses_max: record.uses_max,
        made_at: record.made_at,
        expires_at: record.expires_at,
        revoked: record.revoked,
    }
}
