//! How runs stand in the store: written with their jobs in one commit, read back with everything that
//! their journal tells, and removed.

use super::Shared;
use crate::{
    actors::records::{Batch, PAGE_ROWS, Versioned, read},
    rules::{
        orchestration::{course::Course, fan_out::PlannedJob},
        record::{OrchestratedJobsRecord, OrchestrationRecord, Record as _},
    },
    seams::store::{Query, StoreError},
    values::{
        id::TenantId,
        key::{Index, Key},
        orchestration::{RunEvent, RunSummary},
        time::whole_millis,
    },
};
use bytes::Bytes;
use std::sync::Arc;

/// How many bytes of a journal are read at once.
const JOURNAL_PAGE_BYTES: u32 = 1 << 20;
/// How many chunks of a journal are removed at once.
const DROPS_PER_BATCH: usize = 256;

impl Shared {
    /// A run, by its name.
    pub(super) async fn find(
        &self,
        tenant: TenantId,
        run: &str,
    ) -> Result<Option<Versioned<OrchestrationRecord>>, StoreError> {
        self.records.load(OrchestrationRecord::key_of(tenant, run)).await
    }

    /// Writes a run that has not begun.
    pub(super) async fn create(
        &self,
        record: &OrchestrationRecord,
        pieces: &[OrchestratedJobsRecord],
    ) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        batch.put(0, record);
        pieces.iter().for_each(|piece| batch.put(0, piece));
        self.expect_tenure(&mut batch);
        let open_runs = OrchestrationRecord::open_runs(record.tenant);
        batch.add(open_runs, 1, Some(i64::from(self.open_runs_max)));
        self.records.commit(batch).await.map(drop)
    }

    /// The jobs of a run, as they were asked for.
    pub(super) async fn plan(&self, record: &OrchestrationRecord) -> Result<Arc<[PlannedJob]>, StoreError> {
        let key = |piece| OrchestratedJobsRecord::key_of(record.tenant, record.seed, piece);
        let keys = (0..record.pieces).map(key).collect();
        let pieces = self.records.load_all::<OrchestratedJobsRecord>(keys).await?;
        let plan: Vec<PlannedJob> =
            pieces.into_iter().flatten().flat_map(|piece| piece.record.jobs).collect();
        if plan.len() as u64 != record.jobs {
            return Err(StoreError::Broken("jobs of a run are missing".into()));
        }
        Ok(plan.into())
    }

    /// A run with everything that its journal tells.
    pub(super) async fn course(&self, record: &OrchestrationRecord) -> Result<Course, StoreError> {
        let mut course = Course::new(self.plan(record).await?, record.options.clone());
        let mut from = 0;
        loop {
            let (chunks, more) = self.records.chunks(record.journal(), from, JOURNAL_PAGE_BYTES).await?;
            for (begin, chunk) in &chunks {
                events_in(*begin, chunk).for_each(|(_, event)| course.apply(event.at, event.what));
                from = begin + chunk.len() as u64;
            }
            if !more || chunks.is_empty() {
                return Ok(course);
            }
        }
    }

    /// What became of a run so far.
    pub(super) async fn summary(&self, record: &OrchestrationRecord) -> Result<RunSummary, StoreError> {
        let course = self.course(record).await?;
        let (created_at, completed_at) = (record.created_at, record.completed_at);
        Ok(RunSummary {
            run_id: record.run.clone(),
            state: record.state,
            jobs: course.jobs(*record.seed.as_bytes(), created_at),
            summary: course.summary(),
            created_at,
            completed_at,
            duration_ms: completed_at.map(|at| whole_millis(at.since(created_at))),
            conclusion: record.conclusion,
            tags: record.tags.clone(),
        })
    }

    /// Goes on with every run that had not ended.
    pub(super) async fn take_up(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let (open, next) = self.marked(false, after.take(), None).await?;
            for found in open {
                let Some(driving) = self.claim(found.record.journal()) else { continue };
                let mut course = self.course(&found.record).await?;
                course.forget_what_is_under_way();
                self.launch(driving, found, course);
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// A page of all tenants' runs that have ended, or of those that have not, oldest first.
    pub(super) async fn marked(
        &self,
        ended: bool,
        after: Option<Bytes>,
        until: Option<Bytes>,
    ) -> Result<(Vec<Versioned<OrchestrationRecord>>, Option<Bytes>), StoreError> {
        let prefix = OrchestrationRecord::marked_prefix(ended);
        let query =
            Query::Range { index: Index::Mark, prefix, after, until, newest_first: false, limit: PAGE_ROWS };
        let (rows, more) = self.records.page(query).await?;
        let next = rows.last().filter(|_| more).map(|(at, _)| at.clone());
        Ok((rows.iter().map(|(_, row)| read(row)).collect::<Result<_, _>>()?, next))
    }

    /// Removes a run that has ended, the run itself last.
    pub(super) async fn remove(&self, found: &Versioned<OrchestrationRecord>) -> Result<(), StoreError> {
        let record = &found.record;
        self.unname_artifacts(record).await?;
        self.drop_journal(record.journal()).await?;
        let key = |piece| OrchestratedJobsRecord::key_of(record.tenant, record.seed, piece);
        let keys: Vec<Key> = (0..record.pieces).map(key).collect();
        let pieces = self.records.load_all::<OrchestratedJobsRecord>(keys).await?;
        let mut batch = Batch::new();
        pieces.iter().flatten().for_each(|piece| batch.delete(piece.record.key(), piece.version));
        batch.delete(record.key(), found.version);
        match self.records.commit(batch).await {
            // Somebody else removed it.
            Err(StoreError::Conflict(_)) => Ok(()),
            done => done.map(drop),
        }
    }

    async fn drop_journal(&self, journal: Key) -> Result<(), StoreError> {
        loop {
            let (chunks, more) = self.records.chunks(journal.clone(), 0, JOURNAL_PAGE_BYTES).await?;
            let Some((last, _)) = chunks.iter().take(DROPS_PER_BATCH).next_back() else { return Ok(()) };
            let mut batch = Batch::new();
            batch.drop_chunks(journal.clone(), last + 1);
            self.records.commit(batch).await?;
            if !more && chunks.len() <= DROPS_PER_BATCH {
                return Ok(());
            }
        }
    }
}

/// The line that stands for an event.
pub(super) fn line(event: &RunEvent) -> Vec<u8> {
    let mut line = serde_json::to_vec(event).expect("an event is plain data");
    line.push(b'\n');
    line
}

/// The events of a chunk that begins at byte `begin` of a journal, each with where its line ends. A
/// line that this release cannot read is passed over.
pub(super) fn events_in(begin: u64, chunk: &[u8]) -> impl Iterator<Item = (u64, RunEvent)> {
    let mut end = begin;
    let lines = chunk.split_inclusive(|byte| *byte == b'\n');
    lines.filter_map(move |line| {
        end += line.len() as u64;
        Some((end, serde_json::from_slice(line).ok()?))
    })
}
