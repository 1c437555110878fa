//! The audit: who changed what. Every change is noted in the commit that makes it; a note that
//! stands by itself goes with what is carried out in several commits.

use super::Management;
pub(super) use crate::actors::control_plane::{Deed, Signature};
use crate::{
    actors::{error::Error, records::Batch},
    rules::{keys, record::AuditRecord},
    values::{
        fleet::{
            audit::{AuditEntry, Author},
            listing::{Listing, Paging},
        },
        id::TenantId,
        job::JobOptions,
        key::{Index, Kind},
        principal::{Principal, Scope},
    },
};
use std::fmt::Display;

impl Management {
    /// The same view, whose changes are noted as made with the credential of this text. Nothing of
    /// the text is kept.
    #[must_use]
    pub fn made_with(&self, token: &str) -> Self {
        Self { signature: Signature::of_token(token), ..self.clone() }
    }

    /// The same view, whose changes are noted as made by whom the host calls this.
    #[must_use]
    pub fn made_by(&self, name: &str) -> Self {
        let signature = JobOptions::title_of(name).map_or(Signature::Nobody, Signature::Person);
        Self { signature, ..self.clone() }
    }

    /// Lists what was changed of the tenant, newest first: who did what to what, and when. Jobs that
    /// are submitted are not told of here, since each tells by itself; everything else is that a
    /// `Management` changes, and what is cancelled or signalled by whoever showed a credential for it. The
    /// newest [`AuditEntry::COUNT_MAX`] changes are kept, for [`AuditEntry::KEPT_FOR`]. This takes
    /// [`Scope::Admin`].
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
        self.plane.author(self.principal == Principal::Operator, &self.signature).await
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
        deed: Deed<'_>,
        of: String,
    ) {
        batch.put(0, &self.plane.audit_record(tenant, author, deed, of));
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
