//! Credentials: of a tenant's users, made, listed and revoked; and of runners, revoked. A runner
//! makes its credential itself and replaces it by itself.

use super::{Management, audit::Deed, not_found, refused, repeat::Begun};
use crate::{
    actors::{
        error::Error,
        records::{Batch, Versioned},
    },
    rules::{
        keys,
        record::{CredentialRecord, Record as _, Subject},
        submission,
    },
    seams::store::StoreError,
    values::{
        fleet::{
            access::{ApiCredentialSpec, ApiCredentialView, Issued, RegistrationSpec},
            listing::{Listing, Paging},
        },
        id::{RunnerId, TokenId},
        key::Index,
        principal::Scope,
        reply::RefusalCode,
        token::TokenKind,
    },
};

/// How often a change that others are faster with is tried.
const ROUNDS_MAX: usize = 16;

impl Management {
    /// Makes an API credential of the tenant. Whoever makes one may give no scope that they do not
    /// have.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn create_api_credential(
        &self,
        spec: ApiCredentialSpec,
    ) -> Result<Issued<ApiCredentialView>, Error> {
        let tenant = self.with(Scope::Admin)?;
        submission::name("name", &spec.name)?;
        if spec.scopes.is_empty() {
            return Err(refused(RefusalCode::Invalid, "scopes: must hold at least one"));
        }
        spec.scopes.iter().try_for_each(|scope| self.with(*scope).map(drop))?;
        if let Some(expires_in) = spec.expires_in {
            submission::life("expires_in", expires_in, RegistrationSpec::EXPIRES_IN_MAX)?;
        }
        let mut once = match self.begin(tenant).await? {
            Begun::Before(record) => return Ok(Issued { token: None, view: view(record) }),
            Begun::Now(once) => once,
        };
        let token = self.plane.draw(TokenKind::Api);
        let now = self.plane.now();
        let subject = Subject::Api { scopes: spec.scopes };
        let mut record = CredentialRecord::new(token.digest(), tenant, subject, now);
        record.name = spec.name;
        record.expires_at = spec.expires_in.map(|span| now + span);
        let mut batch = Batch::new();
        once.note(&mut batch, &record);
        batch.put(0, &record);
        let id = TokenId::from_bytes(record.digest.short());
        self.note(&mut batch, tenant, Deed::new("created", "credential").called(&record.name), id).await;
        match self.plane.records.commit(batch).await {
            Ok(_) => Ok(Issued { token: Some(token), view: view(record) }),
            Err(error) => Err(once.refusal(&error).unwrap_or(Error::Store(error))),
        }
    }

    /// Lists the API credentials of the tenant, in no particular order.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn api_credentials(&self, paging: &Paging) -> Result<Listing<ApiCredentialView>, Error> {
        let tenant = self.with(Scope::Admin)?;
        let prefix = keys::parent_kind_prefix(tenant, &keys::api_credentials(), CredentialRecord::KIND);
        let page = self.list::<CredentialRecord>(Index::Parent, prefix, &["api credentials"], paging).await?;
        Ok(page.map(|credential| view(credential.record)))
    }

    /// Revokes an API credential. The next call with it is refused, and a call that is held back or
    /// a stream that goes on is ended at once.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn revoke_api_credential(&self, credential: TokenId) -> Result<(), Error> {
        let tenant = self.with(Scope::Admin)?;
        let prefix = keys::parent_kind_prefix(tenant, &keys::api_credentials(), CredentialRecord::KIND);
        let found = self.plane.secret::<CredentialRecord>(prefix, credential).await.map_err(Error::Store)?;
        let found = found.ok_or_else(|| not_found("credential", credential))?;
        self.revoke(found).await
    }

    /// Revokes every credential of a runner: its next call is refused, and a call that is held back
    /// is answered at once. What it holds is lost when its term ends, unless it is removed.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn revoke_runner_credentials(&self, runner: RunnerId) -> Result<(), Error> {
        let tenant = self.with(Scope::Admin)?;
        self.runner_record(tenant, runner).await?;
        for found in self.plane.credentials_of(tenant, runner).await.map_err(Error::Store)? {
            if !found.record.revoked {
                self.revoke(found).await?;
            }
        }
        let session = self.plane.sessions.find(tenant, runner);
        if let Some(session) = session {
            let mut live = session.live.lock().await;
            self.plane.dismiss(session.who, &mut live);
            drop(live);
            session.wake();
        }
        Ok(())
    }

    /// Revokes a credential. One that somebody else has revoked or removed meanwhile is revoked.
    async fn revoke(&self, found: Versioned<CredentialRecord>) -> Result<(), Error> {
        let key = found.record.key();
        let mut found = Some(found);
        for _ in 0..ROUNDS_MAX {
            let Some(good) = found else { return Ok(()) };
            match self.revoke_once(good).await {
                Err(Error::Store(StoreError::Conflict(_))) => {}
                done => return done,
            }
            let again = self.plane.records.load::<CredentialRecord>(key.clone()).await;
            found = again.map_err(Error::Store)?.filter(|found| !found.record.revoked);
        }
        let problem = "the credential changes faster than it can be revoked";
        Err(Error::Store(StoreError::Unavailable(problem.into())))
    }

    async fn revoke_once(&self, found: Versioned<CredentialRecord>) -> Result<(), Error> {
        let Versioned { version, mut record } = found;
        record.revoked = true;
        let mut batch = Batch::new();
        batch.put(version, &record);
        let id = TokenId::from_bytes(record.digest.short());
        let of = match &record.subject {
            Subject::Runner { runner, .. } => format!("of {runner}"),
            Subject::Api { .. } => record.name.clone(),
        };
        self.note(&mut batch, record.tenant, Deed::new("revoked", "credential").called(&of), id).await;
        self.plane.records.commit(batch).await.map_err(Error::Store)?;
        self.plane.subjects.changed(&record.key());
        Ok(())
    }
}

fn view(record: CredentialRecord) -> ApiCredentialView {
    let scopes = match record.subject {
        Subject::Api { scopes } => scopes,
        Subject::Runner { .. } => std::collections::BTreeSet::new(),
    };
    ApiCredentialView {
        id: TokenId::from_bytes(record.digest.short()),
        name: record.name,
        scopes,
        made_at: record.made_at,
        expires_at: record.expires_at,
        revoked: record.revoked,
    }
}
