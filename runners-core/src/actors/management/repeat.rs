//! Repeats: a request under a key is carried out once, and its repeats are answered by what it
//! made.
//!
//! What is remembered is written in the commit that carries the request out. A crash therefore
//! leaves both or neither, and a repeat is answered, or carries the request out.

use super::Management;
use crate::{
    actors::{
        control_plane::Plane,
        error::Error,
        records::{Batch, Versioned},
    },
    rules::{
        keys,
        record::{Record, RepeatRecord},
        repeat::{COUNT_MAX, is_repeat, too_many, under_way},
    },
    seams::store::StoreError,
    values::{digest::Digest, id::TenantId, idempotency::IdempotencyKey},
};

/// Under which key a request comes, and which it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named {
    key: [u8; 16],
    request: Digest,
}

/// How a request begins.
#[derive(Debug)]
pub(super) enum Begun<R> {
    /// It was carried out before, and made this.
    Before(R),
    /// It is to be carried out.
    Now(Once),
}

/// A request that is to be carried out, and to be remembered if it has a key.
#[derive(Debug)]
pub(super) struct Once(Option<Slot>);

/// Where a request is remembered.
#[derive(Debug)]
struct Slot {
    version: u64,
    record: RepeatRecord,
}

/// How often the key of a submit is looked at that others write meanwhile.
const ROUNDS_MAX: usize = 4;

impl Management {
    /// The same view, for one request that may come again under `key`; `request` is the digest of
    /// all that it asks for.
    ///
    /// What makes something, and what draws a secret, is then done once: a repeat within 24 hours is
    /// answered as the first was, by what was made as it was then, but without the secret, which is
    /// not kept. Everything else can be repeated without a key.
    ///
    /// Besides what else they may answer, these methods then answer [`Error::Refused`] with
    /// `idempotency_key_reused` if another request was made under the key, with `conflict` while one
    /// is under way, and with `exhausted` when the tenant has too many that are remembered.
    #[must_use]
    pub fn repeatable(&self, key: &IdempotencyKey, request: Digest) -> Self {
        let named = Named { key: keys::text(&["repeat", key.as_str()]), request };
        Self { named: Some(named), ..self.clone() }
    }

    /// Begins a request that makes an `R`.
    pub(super) async fn begin<R: Record>(&self, tenant: TenantId) -> Result<Begun<R>, Error> {
        let Some(Named { key, request }) = self.named else { return Ok(Begun::Now(Once(None))) };
        let now = self.plane.now();
        let found = self.plane.records.load::<RepeatRecord>(RepeatRecord::key_of(tenant, key)).await;
        let (mut version, mut uncounted) = (0, false);
        if let Some(found) = found.map_err(Error::Store)? {
            if is_repeat(&found.record, request, now)? {
                let broken = |error| Error::Store(StoreError::Broken(Box::new(error)));
                return found.record.made().map(Begun::Before).map_err(broken);
            }
            (version, uncounted) = (found.version, found.record.uncounted);
        }
        let record = RepeatRecord { uncounted, ..RepeatRecord::new(tenant, key, request, now) };
        Ok(Begun::Now(Once(Some(Slot { version, record }))))
    }

    /// Remembers which request comes under the key, before it queues jobs. Their ids are the same in a
    /// repeat, so that it may be carried out again, and nothing but the request is to be known of it.
    ///
    /// # Errors
    /// [`Error::Refused`] (`idempotency_key_reused`) if another request was made under the key.
    pub(super) async fn begin_submit(&self, tenant: TenantId) -> Result<(), Error> {
        let Some(Named { key, request }) = self.named else { return Ok(()) };
        for _ in 0..ROUNDS_MAX {
            let now = self.plane.now();
            let found = self.plane.records.load::<RepeatRecord>(RepeatRecord::key_of(tenant, key)).await;
            let (mut version, mut uncounted) = (0, true);
            if let Some(found) = found.map_err(Error::Store)? {
                if is_repeat(&found.record, request, now)? {
                    return Ok(());
                }
                (version, uncounted) = (found.version, found.record.uncounted);
            }
            let record = RepeatRecord { uncounted, ..RepeatRecord::new(tenant, key, request, now) };
            let mut batch = Batch::new();
            batch.put(version, &record);
            match self.plane.records.commit(batch).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(Error::Store(error)),
            }
        }
        Err(Error::Refused(under_way()))
    }
}

impl Once {
    /// Adds to the batch that carries the request out that it was, and what it makes.
    pub(super) fn note<R: Record>(&mut self, batch: &mut Batch, made: &R) {
        let Some(Slot { version, record }) = &mut self.0 else { return };
        record.note(made);
        batch.put(*version, record);
        if *version == 0 {
            batch.add(RepeatRecord::count(record.tenant), 1, Some(i64::from(COUNT_MAX)));
        }
    }

    /// What a commit that failed is answered with, if it failed for the sake of the key.
    pub(super) fn refusal(&self, error: &StoreError) -> Option<Error> {
        let Slot { record, .. } = self.0.as_ref()?;
        match error {
            StoreError::Conflict(key) if *key == record.key() => Some(Error::Refused(under_way())),
            StoreError::Exhausted(key) if *key == RepeatRecord::count(record.tenant) => {
                Some(Error::Refused(too_many()))
            }
            _ => None,
        }
    }
}

impl Plane {
    /// Forgets a request whose time is over.
    pub(crate) async fn forget_repeat(&self, found: Versioned<RepeatRecord>) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        batch.delete(found.record.key(), found.version);
        if !found.record.uncounted {
            batch.add(RepeatRecord::count(found.record.tenant), -1, None);
        }
        self.records.commit(batch).await.map(drop)
    }
}
