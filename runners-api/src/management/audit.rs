//! The audit: who changed what.

use super::{
    caller::Caller,
    flows::By,
    page::{Page, PageQuery, Paged},
};
use crate::wire::{json::Json, problem::Problem, text, time};
use runners_core::{AuditEntry, Timestamp};
use serde::Serialize;

/// One change.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Change {
    #[serde(rename = "atUtc", with = "time")]
    #[schema(value_type = text::Time)]
    at: Timestamp,
    author: By,
    /// What was done, such as `created` or `deleted`.
    deed: String,
    /// What kind of thing it was done to, such as `pool` or `runner`.
    subject: String,
    /// Which one: its id, or its name if it has no other. Empty where there is one alone.
    subject_id: String,
    /// What else there is to say, such as what it is called.
    note: Option<String>,
}

/// Lists what was changed, newest first: who did what to what, and when.
///
/// Jobs that are submitted are not told of here, since each tells by itself. The newest 10,000 changes
/// are kept, for 400 days.
#[utoipa::path(get, path = "/audit", tag = "Audit", params(PageQuery),
    responses((status = 200, description = "A page of changes.", body = Page<Change>)))]
pub(super) async fn list_changes(
    caller: Caller,
    Paged(paging): Paged,
) -> Result<Json<Page<Change>>, Problem> {
    Ok(caller.management.audit(&paging).await?.into())
}

impl From<AuditEntry> for Change {
    fn from(entry: AuditEntry) -> Self {
        Self {
            at: entry.at,
            author: entry.author.into(),
            deed: entry.deed,
            subject: entry.subject,
            subject_id: entry.id,
            note: entry.note,
        }
    }
}
