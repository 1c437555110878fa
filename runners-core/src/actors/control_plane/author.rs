//! As whom something is noted in the audit, and the record of it. What is noted, and in which commit, is
//! left to those who carry it out.

use super::Plane;
use crate::{
    rules::record::{AuditRecord, CredentialRecord, Unknown},
    values::{
        digest::Digest,
        fleet::audit::Author,
        id::{TenantId, TokenId},
        time::Timestamp,
    },
};
use std::sync::atomic::Ordering;

/// As whom changes are noted.
#[derive(Clone, Debug, Default)]
pub(crate) enum Signature {
    /// As the host, or the operator.
    #[default]
    Nobody,
    /// As whom the credential of this digest speaks for.
    Credential(Digest),
    /// As whom the host knows by this name.
    Person(String),
}

impl Signature {
    /// That of a credential. Nothing of its text is kept.
    pub(crate) fn of_token(token: &str) -> Self {
        Self::Credential(Digest::of(token.as_bytes()))
    }
}

/// What was done, to what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deed<'a> {
    /// `created`, `deleted`.
    pub(crate) deed: &'static str,
    /// `pool`, `runner`.
    pub(crate) subject: &'static str,
    /// What else there is to say.
    pub(crate) note: Option<&'a str>,
}

impl Deed<'_> {
    pub(crate) const fn new(deed: &'static str, subject: &'static str) -> Self {
        Self { deed, subject, note: None }
    }
}

impl<'a> Deed<'a> {
    pub(crate) const fn called(self, note: &'a str) -> Deed<'a> {
        Deed { deed: self.deed, subject: self.subject, note: Some(note) }
    }
}

impl Plane {
    /// Who it is that changes something now.
    pub(crate) async fn author(&self, is_operator: bool, signature: &Signature) -> Author {
        let mut author = Author { is_operator, ..Author::default() };
        match signature {
            Signature::Nobody => {}
            Signature::Person(name) => author.name = Some(name.clone()),
            Signature::Credential(digest) => {
                author.credential = Some(TokenId::from_bytes(digest.short()));
                // One that is not known here, or cannot be read now, has its number all the same.
                let key = CredentialRecord::key_of(*digest);
                let found = self.records.load::<CredentialRecord>(key).await;
                let name = found.ok().flatten().map(|found| found.record.name);
                author.name = name.filter(|name| !name.is_empty());
            }
        }
        author
    }

    /// The record of a change that is made now.
    pub(crate) fn audit_record(
        &self,
        tenant: TenantId,
        author: Author,
        Deed { deed, subject, note }: Deed<'_>,
        of: String,
    ) -> AuditRecord {
        let at = self.now();
        AuditRecord {
            tenant,
            id: self.audit_id(at),
            at,
            author,
            deed: deed.to_owned(),
            subject: subject.to_owned(),
            of,
            note: note.map(str::to_owned),
            unknown: Unknown::new(),
        }
    }

    /// An id that sorts by time, and within a millisecond by the order in which changes were made here.
    fn audit_id(&self, at: Timestamp) -> [u8; 16] {
        let mut id = [0; 16];
        self.random.fill(&mut id[12..]);
        id[..8].copy_from_slice(&at.as_millis().to_be_bytes());
        id[8..12].copy_from_slice(&self.changes.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        id
    }
}
