//! Jobs that wait for others of their run.

use super::{Plane, effects::Change, submit::Prepared, sync::RELEASES_PER_BATCH};
use crate::{
    actors::records::{Batch, Pages, Versioned, read},
    rules::{
        job::{JobRecord, State},
        keys,
        record::{DependencyRecord, Record as _},
    },
    seams::store::{StoreError, Stored},
    values::{
        id::JobId,
        key::{Index, Key, Kind},
        reply::{RefusalCode, Refused},
        time::Timestamp,
    },
};
use bytes::Bytes;
use std::sync::Arc;

/// How many jobs are released in one batch: each is up to thirteen writes.
const EDGES_PER_BATCH: u32 = RELEASES_PER_BATCH as u32;

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

    /// Releases the jobs that wait for one that has ended: a few at once, more of them beside everything else.
    pub(super) async fn release_dependants(
        self: &Arc<Self>,
        ended: Versioned<JobRecord>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut pages = edges_of(&ended.record);
        let edges = edges_in(pages.next(&self.records).await?)?;
        if pages.has_ended() {
            match self.release_all(&ended, &edges, true, now).await {
                // Somebody was faster with one of them, or one cannot be read.
                Err(StoreError::Conflict(_) | StoreError::Broken(_)) => {}
                done => return done,
            }
        }
        let key = ended.record.key();
        self.do_beside(key.clone(), |plane| async move { plane.release_each(key).await });
        Ok(())
    }

    /// Releases the jobs that wait for one that has ended, page by page.
    async fn release_each(self: &Arc<Self>, ended: Key) -> Result<(), StoreError> {
        let Some(ended) = self.records.load::<JobRecord>(ended).await? else { return Ok(()) };
        let mut pages = edges_of(&ended.record);
        let mut failed = None;
        while !pages.has_ended() {
            let turn = self.beside.turn().await;
            let edges = edges_in(pages.next(&self.records).await?)?;
            let (all, now) = (pages.has_ended() && failed.is_none(), self.now());
            match self.release_all(&ended, &edges, all, now).await {
                // Somebody was faster with one of them, or one cannot be read: the others are released.
                Err(error @ (StoreError::Conflict(_) | StoreError::Broken(_))) => {
                    failed.get_or_insert(error);
                    for edge in edges.chunks(1) {
                        match self.release_all(&ended, edge, false, now).await {
                            Err(error @ (StoreError::Conflict(_) | StoreError::Broken(_))) => {
                                failed = Some(error);
                            }
                            done => done?,
                        }
                    }
                }
                done => done?,
            }
            drop(turn);
        }
        failed.map_or(Ok(()), Err)
    }

    /// Releases jobs in one batch. With `all`, nobody waits for the one that has ended any more.
    async fn release_all(
        self: &Arc<Self>,
        ended: &Versioned<JobRecord>,
        edges: &[Versioned<DependencyRecord>],
        all: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let job = &ended.record;
        let Some(conclusion) = job.conclusion() else { return Ok(()) };
        let waiting = edges.iter().map(|edge| JobRecord::key_of(job.tenant, edge.record.after)).collect();
        let waiting = self.records.load_all::<JobRecord>(waiting).await?;
        let (mut batch, mut changes) = (Batch::new(), Vec::new());
        for (edge, waiting) in edges.iter().zip(waiting) {
            batch.delete(edge.record.key(), edge.version);
            let blocked = waiting.filter(|job| matches!(job.record.state, State::Blocked { .. }));
            changes.extend(blocked.map(|waiting| {
                let mut released = waiting.record.clone();
                released.release(conclusion.is_passed(), now);
                Change::of(&waiting, released)
            }));
        }
        if all {
            let mut released = job.clone();
            released.awaited = false;
            changes.push(Change::of(ended, released));
        }
        self.commit(batch, &mut changes, now).await.map(drop)
    }
}

/// What leads to the jobs that wait for one.
fn edges_of(job: &JobRecord) -> Pages {
    let prefix = keys::parent_kind_prefix(job.tenant, job.id.as_bytes(), Kind::Dependency);
    Pages::of(Index::Parent, prefix).rows(EDGES_PER_BATCH)
}

fn edges_in(rows: Option<Vec<(Bytes, Stored)>>) -> Result<Vec<Versioned<DependencyRecord>>, StoreError> {
    rows.unwrap_or_default().iter().map(|(_, row)| read(row)).collect()
}

fn refused(job: JobId, problem: &str) -> Refused {
    Refused::new(RefusalCode::Invalid, format!("spec.after: {job} {problem}"))
}
