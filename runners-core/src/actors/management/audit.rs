//! The audit: who changed what. Every change is noted in the commit that makes it; a note that
//! stands by itself goes with what is carried out in several commits.

use super::Management;
use crate::{
    actors::{control_plane::Plane, error::Error, records::Batch},
    rules::{
        keys,
        record::{AuditRecord, CredentialRecord, Unknown},
    },
    values::{
        digest::Digest,
        fleet::{
            audit::{AuditEntry, Author},
            listing::{Listing, Paging},
        },
        id::{TenantId, TokenId},
        job::JobOptions,
        key::{Index, Kind},
        principal::{Principal, Scope},
        time::Timestamp,
    },
};
use std::{fmt::Display, sync::atomic::Ordering};

/// As whom changes are noted.
#[derive(Clone, Debug, Default)]
pub(super) enum Signature {
    /// As the host, or the operator.
    #[default]
    Nobody,
    /// As whom the credential of this digest speaks for.
    Credential(Digest),
    /// As whom the host knows by this name.
    Person(String),
}

/// What was done, to what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deed<'a> {
    /// `created`, `deleted`.
    pub(super) deed: &'static str,
    /// `pool`, `runner`.
    pub(super) subject: &'static str,
    /// What else there is to say.
    pub(super) note: Option<&'a str>,
}

impl Deed<'_> {
    pub(super) const fn new(deed: &'static str, subject: &'static str) -> Self {
        Self { deed, subject, note: None }
    }
}

impl<'a> Deed<'a> {
    pub(super) const fn called(self, note: &'a str) -> Deed<'a> {
        Deed { deed: self.deed, subject: self.subject, note: Some(note) }
    }
}

impl Management {
    /// The same view, whose changes are noted as made with the credential of this text. Nothing of
    /// the text is kept.
    #[must_use]
    pub fn made_with(&self, token: &str) -> Self {
        Self { signature: Signature::Credential(Digest::of(token.as_bytes())), ..self.clone() }
    }

    /// The same view, whose changes are noted as made by whom the host calls this.
    #[must_use]
    pub fn made_by(&self, name: &str) -> Self {
        let signature = JobOptions::title_of(name).map_or(Signature::Nobody, Signature::Person);
        Self { signature, ..self.clone() }
    }

    /// Lists what was changed of the tenant, newest first: who did what to what, and when. Jobs that
    /// are submitted are not told of here, since each tells by itself; everything else is that a
    /// `Management` changes. The newest [`AuditEntry::COUNT_MAX`] changes are kept, for
    /// [`AuditEntry::KEPT_FOR`]. This takes [`Scope::Admin`].
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn audit(&self, paging: &Paging) -> Result<Listing<AuditEntry>, Error> {
        let tenant = self.with(Scope::Admin)?;
        let prefix = keys::listed_prefix(tenant, Kind::Audit, None);
        let page = self.list_newest::<AuditRecord>(Index::Listed, prefix, &["audit"], paging).await?;
        Ok(page.map(|found| found.record.entry()))
    }

    /// Who changes something now.
    pub(super) async fn author(&self) -> Author {
        let mut author = Author { is_operator: self.principal == Principal::Operator, ..Author::default() };
        match &self.signature {
            Signature::Nobody => {}
            Signature::Person(name) => author.name = Some(name.clone()),
            Signature::Credential(digest) => {
                author.credential = Some(TokenId::from_bytes(digest.short()));
                // One that is not known here, or cannot be read now, has its number all the same.
                let key = CredentialRecord::key_of(*digest);
                let found = self.plane.records.load::<CredentialRecord>(key).await;
                let name = found.ok().flatten().map(|found| found.record.name);
                author.name = name.filter(|name| !name.is_empty());
            }
        }
        author
    }

    /// Adds to a batch that makes a change who makes it.
    pub(super) async fn note(&self, batch: &mut Batch, tenant: TenantId, deed: Deed<'_>, of: impl Display) {
        let of = of.to_string();
        let author = self.author().await;
        self.note_as(batch, tenant, author, deed, of);
    }

    /// The same, where it is known who it is.
    pub(super) fn note_as(
        &self,
        batch: &mut Batch,
        tenant: TenantId,
        author: Author,
        Deed { deed, subject, note }: Deed<'_>,
        of: String,
    ) {
        let at = self.plane.now();
        let record = AuditRecord {
            tenant,
            id: self.plane.audit_id(at),
            at,
            author,
            deed: deed.to_owned(),
            subject: subject.to_owned(),
            of,
            note: note.map(str::to_owned),
            unknown: Unknown::new(),
        };
        batch.put(0, &record);
    }

    /// Notes what is carried out in several commits, after the last of them.
    pub(super) async fn note_alone(
        &self,
        tenant: TenantId,
        deed: Deed<'_>,
        of: impl Display,
    ) -> Result<(), Error> {
        let mut batch = Batch::new();
        self.note(&mut batch, tenant, deed, of).await;
        self.plane.records.commit(batch).await.map(drop).map_err(Error::Store)
    }
}

impl Plane {
    /// An id that sorts by time, and within a millisecond by the order in which changes were made here.
    fn audit_id(&self, at: Timestamp) -> [u8; 16] {
        let mut id = [0; 16];
        self.random.fill(&mut id[12..]);
        id[..8].copy_from_slice(&at.as_millis().to_be_bytes());
        id[8..12].copy_from_slice(&self.changes.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        id
    }
}
