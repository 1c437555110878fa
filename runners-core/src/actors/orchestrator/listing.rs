//! Runs as they are listed: newest first, sifted, page by page.

use super::local::LocalTransport;
use crate::{
    actors::records::{PAGE_ROWS, Versioned, read},
    rules::record::OrchestrationRecord,
    seams::{orchestration::OrchestratorError, store::Query},
    values::{
        fleet::listing::{Cursor, Listing, Paging},
        key::Index,
        orchestration::{RunFilter, RunLine},
    },
};
use bytes::Bytes;

/// How many runs one page looks at before it is given with fewer than were asked for.
const SCANNED_MAX: usize = 4096;

impl LocalTransport {
    /// Lists runs, newest first. Time is looked up, state and tags are sifted: where little of much
    /// matches, a page has fewer runs than were asked for, or none, and still leads to the next.
    pub(super) async fn list(
        &self,
        filter: &RunFilter,
        paging: &Paging,
    ) -> Result<Listing<RunLine>, OrchestratorError> {
        let limit = paging.checked().map_err(OrchestratorError::Refused)? as usize;
        let RunFilter { state, tags, since, until } = filter;
        let tenant = self.tenant.to_string();
        let parts =
            ["runs over regions", &tenant, &format!("{state:?} {since:?} {until:?}"), &tags.join("\n")];
        let prefix = OrchestrationRecord::listed_prefix(self.tenant);
        let at = |millis: u64| Bytes::from([&prefix[..], &millis.to_be_bytes()].concat());
        let place = paging.place(&parts).map_err(OrchestratorError::Refused)?;
        // Both ends are passed over; no key is as short as these.
        let mut after = place.or_else(|| until.map(|until| at(until.as_millis())));
        let before = since.map(|since| at(since.as_millis()));
        let (mut items, mut scanned) = (Vec::new(), 0);
        loop {
            let query = Query::Range {
                index: Index::Listed,
                prefix: prefix.clone(),
                after: after.take(),
                until: before.clone(),
                newest_first: true,
                limit: PAGE_ROWS,
            };
            let (rows, more) = self.shared.records.page(query).await.map_err(OrchestratorError::Store)?;
            let count = rows.len();
            for (number, (place, row)) in rows.into_iter().enumerate() {
                scanned += 1;
                let run: Versioned<OrchestrationRecord> = read(&row).map_err(OrchestratorError::Store)?;
                items.extend(matches(filter, &run.record).then(|| run.record.line()));
                let is_last = number + 1 == count && !more;
                if items.len() == limit || scanned >= SCANNED_MAX || is_last {
                    let next = (!is_last).then(|| Cursor::new(&parts, place));
                    return Ok(Listing { items, next });
                }
                after = Some(place);
            }
            if count == 0 {
                return Ok(Listing { items, next: None });
            }
        }
    }
}

fn matches(filter: &RunFilter, run: &OrchestrationRecord) -> bool {
    filter.state.is_none_or(|state| run.state == state)
        && filter.tags.iter().all(|tag| run.tags.contains(tag))
}
