//! Jobs that wait for others of their run.

use super::{Plane, effects::Change, submit::Prepared};
use crate::{
    actors::records::{Batch, Pages, Versioned, read},
    rules::{
        job::{JobRecord, State},
        keys,
        record::{DependencyRecord, Record as _},
    },
    seams::store::StoreError,
    values::{
        id::{JobId, TenantId},
        key::{Index, Kind},
        reply::{RefusalCode, Refused},
        time::Timestamp,
    },
};
use std::sync::Arc;

impl Plane {
    /// Makes a job that waits for others, together with the edges that lead to it.
    pub(super) async fn submit_dependant(
        self: &Arc<Self>,
        mut prepared: Prepared,
        now: Timestamp,
    ) -> Result<Result<(), Refused>, StoreError> {
        let tenant = prepared.change.after.tenant;
        let mut batch = Batch::new();
        let mut changes = Vec::new();
        for (at, id) in prepared.after.iter().enumerate() {
            if prepared.after[..at].contains(id) {
                return Ok(Err(refused(*id, "is named twice")));
            }
            let found = self.records.load::<JobRecord>(JobRecord::key_of(tenant, *id)).await?;
            let Some(before) = found.filter(|job| job.record.terms.run == prepared.change.after.terms.run)
            else {
                return Ok(Err(refused(*id, "is no job of this run: submit it first")));
            };
            if let Some(conclusion) = before.record.conclusion() {
                prepared.change.after.release(conclusion.is_passed(), now);
                batch.expect(before.record.key(), before.version);
                continue;
            }
            batch.put(0, &DependencyRecord::new(tenant, *id, prepared.change.after.id));
            if before.record.awaited {
                batch.expect(before.record.key(), before.version);
            } else {
                let mut awaited = before.record.clone();
                awaited.awaited = true;
                changes.push(Change::of(&before, awaited));
            }
        }
        prepared.add_to(&mut batch, &mut Vec::new());
        changes.push(prepared.change.clone());
        self.commit(batch, &mut changes, now).await?;
        Ok(Ok(()))
    }

    /// Releases the jobs that wait for one that has ended, page by page.
    pub(super) async fn release_dependants(
        self: &Arc<Self>,
        ended: Versioned<JobRecord>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let job = &ended.record;
        let Some(conclusion) = job.conclusion() else { return Ok(()) };
        let prefix = keys::parent_prefix(job.tenant, job.id.as_bytes());
        let mut pages = Pages::of(Index::Parent, prefix);
        while let Some(rows) = pages.next(&self.records).await? {
            for (_, row) in rows.iter().filter(|(_, row)| row.key.kind == Kind::Dependency) {
                let edge: Versioned<DependencyRecord> = read(row)?;
                self.release_one(job.tenant, &edge, conclusion.is_passed(), now).await?;
            }
        }
        let mut released = ended.record.clone();
        released.awaited = false;
        self.commit(Batch::new(), &mut [Change::of(&ended, released)], now).await.map(drop)
    }

    async fn release_one(
        self: &Arc<Self>,
        tenant: TenantId,
        edge: &Versioned<DependencyRecord>,
        passed: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let found = self.records.load::<JobRecord>(JobRecord::key_of(tenant, edge.record.after)).await?;
        let mut batch = Batch::new();
        batch.delete(edge.record.key(), edge.version);
        let Some(waiting) = found.filter(|job| matches!(job.record.state, State::Blocked { .. })) else {
            return self.records.commit(batch).await.map(drop);
        };
        let mut released = waiting.record.clone();
        released.release(passed, now);
        self.commit(batch, &mut [Change::of(&waiting, released)], now).await.map(drop)
    }
}

fn refused(job: JobId, problem: &str) -> Refused {
    Refused::new(RefusalCode::Invalid, format!("spec.after: {job} {problem}"))
}
