//! Reading an index to its end, page after page.

use super::{PAGE_ROWS, Records};
use crate::{
    seams::store::{Query, StoreError, Stored},
    values::key::Index,
};
use bytes::Bytes;

/// The rows of an index below a prefix, in ascending order. Each page begins behind the one before it, so
/// a row that is written meanwhile may be met or not.
#[derive(Debug)]
pub(crate) struct Pages {
    index: Index,
    prefix: Bytes,
    rows: u32,
    after: Option<Bytes>,
    has_ended: bool,
}

impl Pages {
    /// [`PAGE_ROWS`] rows a page.
    pub(crate) const fn of(index: Index, prefix: Bytes) -> Self {
        Self { index, prefix, rows: PAGE_ROWS, after: None, has_ended: false }
    }

    /// So many rows a page at most.
    pub(crate) fn rows(self, rows: u32) -> Self {
        Self { rows, ..self }
    }

    /// Whether the last page was read.
    pub(crate) const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// The next page, each row with its index key. `None` once there is no other.
    ///
    /// A page that could not be read, or whose future was dropped, is read by the next call.
    pub(crate) async fn next(
        &mut self,
        records: &Records,
    ) -> Result<Option<Vec<(Bytes, Stored)>>, StoreError> {
        if self.has_ended {
            return Ok(None);
        }
        let query = Query::Range {
            index: self.index,
            prefix: self.prefix.clone(),
            after: self.after.clone(),
            until: None,
            newest_first: false,
            limit: self.rows,
        };
        let (rows, more) = records.page(query).await?;
        self.after = rows.last().map(|(key, _)| key.clone());
        self.has_ended = !more || rows.is_empty();
        Ok((!rows.is_empty()).then_some(rows))
    }
}
