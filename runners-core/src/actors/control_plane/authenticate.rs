//! For whom a token speaks, by the control plane's own records, and how a credential is replaced by
//! the next. How long each is good is told by `rules::credential`.

use super::{ControlPlane, Plane, enrol::in_use, session::Identity};
use crate::{
    actors::records::{Batch, Versioned},
    rules::{
        credential::Standing,
        keys,
        record::{CredentialRecord, Record as _, RegistrationRecord, RunnerRecord, Subject},
    },
    seams::{
        authenticate::{Authenticate, AuthenticateError},
        observer::Notice,
        store::StoreError,
    },
    values::{
        digest::Digest,
        id::{RunnerId, TenantId},
        key::Index,
        principal::Principal,
        reply::{RefusalCode, Refused, Reply, Rotated},
        request::RotateRequest,
        token::TokenKind,
    },
};
use async_trait::async_trait;
use futures::future::BoxFuture;
use std::{future::pending, pin::pin, sync::Arc, time::Duration};

/// How often a change that others are faster with is tried.
const ROUNDS_MAX: usize = 4;

/// How often it is looked whether a credential is still good, if nothing is heard of it.
const LOOK_EVERY: Duration = Duration::from_secs(60);

impl ControlPlane {
    /// Tells for whom a token speaks, by this control plane's own records.
    #[must_use]
    pub fn authenticator(&self) -> RecordsAuthenticator {
        RecordsAuthenticator { plane: Arc::clone(&self.plane) }
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
        match self.plane.speaker(digest).await.map_err(unavailable)? {
            Speaker::Somebody(principal) => return Ok(principal),
            Speaker::Removed => return Err(AuthenticateError::Removed),
            Speaker::Nobody => {}
        }
        let key = RegistrationRecord::key_of(digest);
        let registration = self.plane.records.load::<RegistrationRecord>(key).await.map_err(unavailable)?;
        let now = self.plane.now();
        match registration {
            Some(found) if found.record.is_good(now) => {
                return Ok(Principal::Registrant { tenant: found.record.tenant, registration: digest });
            }
            None if TokenKind::of(token) != Some(TokenKind::Registration) => {}
            found => self.plane.measures.registration_failed(found.map(|found| found.record.pool), now),
        }
        Err(AuthenticateError::Unknown)
    }

    fn ended(&self, token: &str) -> BoxFuture<'static, ()> {
        Box::pin(Arc::clone(&self.plane).ended(Digest::of(token.as_bytes())))
    }
}

/// For whom a credential speaks.
enum Speaker {
    Somebody(Principal),
    /// For a runner that was removed.
    Removed,
    Nobody,
}

impl Plane {
    /// For whom the credential of a digest speaks.
    async fn speaker(&self, digest: Digest) -> Result<Speaker, StoreError> {
        for _ in 0..ROUNDS_MAX {
            let key = CredentialRecord::key_of(digest);
            let Some(found) = self.records.load::<CredentialRecord>(key).await? else {
                return Ok(Speaker::Nobody);
            };
            match found.record.standing(self.now()) {
                Standing::Good => return Ok(Speaker::Somebody(principal(found.record))),
                Standing::First(old) => match self.promote(found.clone(), old).await {
                    Ok(()) => return Ok(Speaker::Somebody(principal(found.record))),
                    // Another request under it was faster: it is as that one has left it.
                    Err(StoreError::Conflict(_)) => {}
                    Err(error) => return Err(error),
                },
                Standing::Retired => {
                    self.alarm(&found.record);
                    return Ok(Speaker::Nobody);
                }
                Standing::Removed => return Ok(Speaker::Removed),
                Standing::Ended => return Ok(Speaker::Nobody),
            }
        }
        Err(StoreError::Unavailable("the credential changes faster than it can be read".into()))
    }

    /// Waits until a credential is good no longer. One that is not kept here is never seen to end.
    async fn ended(self: Arc<Self>, credential: Digest) {
        let key = CredentialRecord::key_of(credential);
        let subject = self.subjects.wait_for(key.clone());
        loop {
            let mut changed = pin!(subject.notified());
            changed.as_mut().enable();
            let now = self.now();
            let look_at = match self.records.load::<CredentialRecord>(key.clone()).await {
                Ok(None) => return pending().await,
                Ok(Some(Versioned { record, .. })) => match record.standing(now) {
                    Standing::Ended | Standing::Removed | Standing::Retired => return,
                    Standing::Good | Standing::First(_) => {
                        record.expires_at.into_iter().chain(record.retires_at).min()
                    }
                },
                Err(_) => None,
            };
            // A store that cannot be read is asked again, and so is one that tells of no change.
            let wait = look_at.map_or(LOOK_EVERY, |at| at.since(now).min(LOOK_EVERY));
            let deadline = self.clock.boot() + wait;
            tokio::select! {
                biased;
                () = changed => {}
                () = self.stopping.cancelled() => return pending().await,
                () = self.clock.sleep_until(deadline) => {}
            }
        }
    }

    /// A credential takes the place of the one before it.
    async fn promote(&self, next: Versioned<CredentialRecord>, old: Digest) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        let mut promoted = next.record;
        promoted.promote();
        batch.put(next.version, &promoted);
        if let Some(mut old) = self.records.load::<CredentialRecord>(CredentialRecord::key_of(old)).await? {
            old.record.retire(self.now());
            batch.put(old.version, &old.record);
        }
        self.records.commit(batch).await.map(drop)
    }

    /// Somebody has a credential that nobody should have any more: a copy was made of it.
    fn alarm(&self, credential: &CredentialRecord) {
        if let Subject::Runner { runner, .. } = credential.subject {
            tracing::warn!(%runner, "a credential was used that the runner has replaced: was it copied?");
            self.observer.observe(&Notice::RetiredCredentialUsed { runner });
        }
    }

    /// Takes note of the credential that takes the place of a runner's current one.
    pub(super) async fn rotate(&self, who: Identity, request: RotateRequest) -> Result<Reply, StoreError> {
        for _ in 0..ROUNDS_MAX {
            match self.rotate_once(who, request).await {
                Err(StoreError::Conflict(_)) => {}
                done => return done,
            }
        }
        Err(StoreError::Unavailable("the credential changes faster than it can be replaced".into()))
    }

    async fn rotate_once(&self, who: Identity, request: RotateRequest) -> Result<Reply, StoreError> {
        let now = self.now();
        let runner = RunnerRecord::key_of(who.tenant, who.runner);
        if self.records.load::<RunnerRecord>(runner).await?.is_some_and(|runner| runner.record.removed) {
            return Ok(Reply::Refused(Refused::removed()));
        }
        let credentials = self.credentials_of(who.tenant, who.runner).await?;
        let rotated = |credential: &CredentialRecord| {
            let rotate_in = credential.rotate_in(now).unwrap_or(self.spans.credential_life);
            Ok(Reply::Rotated(Rotated { rotate_in }))
        };
        let usable = |credential: &CredentialRecord| {
            matches!(credential.standing(now), Standing::Good | Standing::First(_))
                && credential.retires_at.is_none()
        };
        if let Some(known) = credentials.iter().find(|found| found.record.digest == request.next) {
            return if usable(&known.record) {
                rotated(&known.record)
            } else {
                Ok(Reply::Refused(in_use("next")))
            };
        }
        if self.records.load::<CredentialRecord>(CredentialRecord::key_of(request.next)).await?.is_some() {
            return Ok(Reply::Refused(in_use("next")));
        }
        let mut batch = Batch::new();
        let mut successor = None;
        for mut found in credentials.into_iter().filter(|found| usable(&found.record)) {
            if found.record.replaces.is_some() {
                // One that was announced and never used: its runner has lost it.
                found.record.revoked = true;
            } else {
                successor = Some(found.record.successor(request.next, now, self.spans.credential_life));
                found.record.next = Some(request.next);
            }
            batch.put(found.version, &found.record);
        }
        let Some(successor) = successor else {
            let problem = "the credential is not kept by this control plane: its host replaces it";
            return Ok(Reply::Refused(Refused::new(RefusalCode::Invalid, problem)));
        };
        batch.put(0, &successor);
        self.records.commit(batch).await?;
        rotated(&successor)
    }

    /// Every credential that speaks, or spoke, for a runner.
    pub(crate) async fn credentials_of(
        &self,
        tenant: TenantId,
        runner: RunnerId,
    ) -> Result<Vec<Versioned<CredentialRecord>>, StoreError> {
        let prefix = keys::parent_kind_prefix(tenant, runner.as_bytes(), CredentialRecord::KIND);
        self.records.operator().all(Index::Parent, prefix).await
    }
}

fn principal(credential: CredentialRecord) -> Principal {
    let tenant = credential.tenant;
    match credential.subject {
        Subject::Runner { pool, runner } => Principal::Runner { tenant, pool, runner },
        Subject::Api { scopes } => Principal::Api { tenant, scopes },
    }
}
