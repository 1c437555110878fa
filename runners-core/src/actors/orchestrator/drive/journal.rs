//! What a run tells is written to its journal, together with how far the run is, however often that has
//! to be tried.

use super::Drive;
use crate::{
    actors::records::Batch,
    rules::record::{OrchestrationRecord, Record as _},
    seams::{clock::sleep, random::unit, store::StoreError},
    values::orchestration::RunState,
};
use bytes::{Bytes, BytesMut};
use std::{error::Error as _, time::Duration};

/// How many bytes are written to a journal at once, or one line more.
const BATCH_BYTES: usize = 1 << 20;
/// The longest wait before a commit is tried again; it doubles from a tenth of a second.
const COMMIT_BACKOFF_MAX: Duration = Duration::from_secs(10);

impl Drive {
    /// Writes what is to be written, and how far the run is by it.
    pub(super) async fn write(&mut self) -> Result<(), StoreError> {
        self.write_at = None;
        let left = std::mem::take(&mut self.left);
        let mut tries = 0;
        while let Err(error) = self.shared.name_artifacts(&self.record, &left).await {
            self.pause_after(error, &mut tries).await?;
        }
        let mut lines = std::mem::take(&mut self.lines).into_iter().peekable();
        while lines.peek().is_some() {
            let mut chunk = BytesMut::new();
            while let Some(line) = lines.next_if(|_| chunk.len() < BATCH_BYTES) {
                chunk.extend_from_slice(&line);
            }
            self.commit(chunk.freeze(), lines.peek().is_none()).await?;
        }
        Ok(())
    }

    /// Commits one chunk, however often that has to be tried.
    async fn commit(&mut self, chunk: Bytes, is_last: bool) -> Result<(), StoreError> {
        let (tally, now) = (self.course.tally(), self.shared.now());
        let mut record = self.record.clone();
        // What changed last is its end, at whatever time that is written.
        record.updated_at = record.completed_at.unwrap_or(now).max(record.updated_at);
        record.journal_bytes += chunk.len() as u64;
        (record.completed, record.failed) = (tally.completed, tally.failed + tally.timed_out);
        let ends = record.completed_at.is_some();
        if ends && !is_last {
            // It ends with its last line.
            (record.completed_at, record.conclusion) = (None, None);
        }
        if !ends || !is_last {
            record.state = RunState::Running;
        }
        let mut batch = Batch::new();
        self.shared.expect_tenure(&mut batch);
        batch.put(self.version, &record);
        batch.append(record.journal(), self.record.journal_bytes, chunk);
        if ends && is_last {
            batch.add(OrchestrationRecord::open_runs(record.tenant), -1, None);
        }
        let mut tries = 0;
        loop {
            let error = match self.shared.records.commit(batch.clone()).await {
                Ok(_) => break,
                Err(error) if self.shared.ends_tenure(&error) => return Err(error),
                Err(error) => error,
            };
            if self.stands_already(&record, &error).await? {
                break;
            }
            self.pause_after(error, &mut tries).await?;
        }
        self.version += 1;
        let (completed_at, conclusion, state) =
            (self.record.completed_at, self.record.conclusion, self.record.state);
        self.record = record;
        if ends {
            (self.record.completed_at, self.record.conclusion) = (completed_at, conclusion);
            self.record.state = state;
        }
        self.shared.subjects.changed(&self.record.journal());
        Ok(())
    }

    /// Waits before something is written again, if that may help.
    async fn pause_after(&self, error: StoreError, tries: &mut u32) -> Result<(), StoreError> {
        if matches!(error, StoreError::Broken(_) | StoreError::Exhausted(_)) {
            return Err(error);
        }
        tracing::warn!(
            run = self.record.run,
            error = &error as &dyn std::error::Error,
            cause = error.source().map(tracing::field::display),
            "a run could not be written, and is tried again"
        );
        let span = Duration::from_millis(100).saturating_mul(1 << (*tries).min(16)).min(COMMIT_BACKOFF_MAX);
        *tries += 1;
        tokio::select! {
            biased;
            () = self.shared.stopping.cancelled() => Err(error),
            () = sleep(&*self.shared.clock, span.mul_f64(0.5 + unit(&*self.shared.random) / 2.0)) => Ok(()),
        }
    }

    /// Whether what could not be committed, as far as is known, was.
    async fn stands_already(
        &self,
        record: &OrchestrationRecord,
        error: &StoreError,
    ) -> Result<bool, StoreError> {
        if !matches!(error, StoreError::Conflict(_) | StoreError::Unknown(_)) {
            return Ok(false);
        }
        let found = match self.shared.records.load::<OrchestrationRecord>(record.key()).await {
            Ok(found) => found,
            Err(error @ StoreError::Broken(_)) => return Err(error),
            Err(_) => return Ok(false),
        };
        match found {
            Some(found) if found.version == self.version => Ok(false),
            Some(found)
                if found.version == self.version + 1
                    && found.record.journal_bytes == record.journal_bytes =>
            {
                Ok(true)
            }
            _ => Err(StoreError::Broken("somebody else drives the run".into())),
        }
    }
}
