//! Logs: what a reader is given of them, and how they move into the artifact store once their job
//! has ended.
//!
//! A log is sealed in steps, each of which may be the last for a while: the artifact is put, the
//! job's record names it, and then the chunks are dropped. Until the record names the artifact the
//! chunks are read, and from then on the artifact is.

use super::{Plane, client::no_job, effects::Change, effects::log_subject};
use crate::{
    actors::records::{Batch, Versioned},
    rules::{
        job::JobRecord,
        keys,
        log::{AttemptLog, SealedLog},
        record::{ArtifactRecord, Role},
    },
    seams::{
        artifact::{ArtifactError, ArtifactKey},
        store::{StoreError, Write},
    },
    values::{
        digest::Digest,
        id::TenantId,
        lease::FencingToken,
        reply::{LogChunk, LogGap, LogPage, Reply},
        request::ReadLogRequest,
    },
};
use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use std::{pin::pin, sync::Arc};

/// How many bytes of a log are read at once.
const LOG_PAGE_BYTES: u32 = 256 << 10;

impl Plane {
    pub(super) async fn read_log(
        &self,
        tenant: TenantId,
        request: ReadLogRequest,
    ) -> Result<Reply, StoreError> {
        let until = self.clock.boot() + request.park_for.min(self.spans.park_max);
        let subject = self.subjects.wait_for(log_subject(tenant, request.job));
        loop {
            let mut changed = pin!(subject.notified());
            changed.as_mut().enable();
            let Some(page) = self.log_page(tenant, &request).await? else {
                return Ok(no_job(request.job));
            };
            let over = self.clock.boot() >= until || self.stopping.is_cancelled();
            if page.next > request.from || page.ended || over {
                return Ok(Reply::Log(page));
            }
            tokio::select! {
                biased;
                () = changed => {}
                () = self.stopping.cancelled() => {}
                () = self.clock.sleep_until(until) => {}
            }
        }
    }

    /// What there is of the log that is asked for. `None` if there is no such job any more.
    async fn log_page(
        &self,
        tenant: TenantId,
        request: &ReadLogRequest,
    ) -> Result<Option<LogPage>, StoreError> {
        let (named, from) = (request.grant, request.from);
        let grant = match named {
            Some(grant) => grant,
            None => match self.job(tenant, request.job).await? {
                Some(found) => found.record.grant,
                None => return Ok(None),
            },
        };
        let token = FencingToken { job: request.job, grant };
        // The job is read after the chunks: if it does not name an artifact yet, none was dropped.
        let stored = self.records.chunks(keys::log(tenant, token), from, LOG_PAGE_BYTES).await?;
        let Some(found) = self.job(tenant, token.job).await? else { return Ok(None) };
        let job = found.record;
        let log = job.log_of(token.grant);
        let chunks = match log {
            Some(log @ AttemptLog { sealed: Some(sealed), .. }) => {
                match self.sealed_chunks(tenant, log, *sealed, from).await? {
                    Some(chunks) => chunks,
                    // Whoever waited for it would wait for ever.
                    None => return Ok(Some(missing_page(token.grant, log, from))),
                }
            }
            _ => stored.0.into_iter().filter_map(|chunk| part_from(chunk, from)).collect(),
        };
        let mut next = chunks.last().map_or(from, |chunk| chunk.offset + chunk.bytes.len() as u64);
        for gap in log.iter().flat_map(|log| &log.gaps) {
            if (gap.offset..gap.offset + gap.bytes).contains(&next) {
                next = gap.offset + gap.bytes;
            }
        }
        let gaps = log.map(|log| log.gaps_in(from, next)).unwrap_or_default();
        // Unless an attempt is named, one that logged nothing may be followed by another one.
        let is_over = match job.conclusion() {
            None if named.is_none() && next == 0 => false,
            None => job.holder().is_none() || token.grant != job.grant,
            Some(_) => true,
        };
        let is_read = log.map_or(!stored.1, |log| next >= log.end);
        Ok(Some(LogPage { grant: token.grant, chunks, gaps, next, ended: is_over && is_read }))
    }

    /// What there is of a sealed log from `from` on. `None` if its bytes are not among the artifacts: they were
    /// removed, or are kept where only another control plane finds them.
    async fn sealed_chunks(
        &self,
        tenant: TenantId,
        log: &AttemptLog,
        sealed: SealedLog,
        from: u64,
    ) -> Result<Option<Vec<LogChunk>>, StoreError> {
        let key = ArtifactKey { tenant, digest: sealed.digest };
        let mut chunks = Vec::new();
        let mut room = u64::from(LOG_PAGE_BYTES);
        for (offset, piece) in log.pieces(from) {
            let range = piece.start..piece.end.min(piece.start + room);
            if range.is_empty() {
                break;
            }
            room -= range.end - range.start;
            let read = match self.artifacts.get(key, Some(range)).await {
                Err(ArtifactError::Missing(_)) => return Ok(None),
                read => read.map_err(unreadable)?,
            };
            let bytes = read
                .try_fold(BytesMut::new(), |mut whole, piece| async move {
                    whole.extend_from_slice(&piece);
                    Ok(whole)
                })
                .await
                .map_err(StoreError::Unavailable)?;
            chunks.push(LogChunk { offset, bytes: bytes.freeze().into() });
        }
        Ok(Some(chunks))
    }

    /// Seals every log of a job that has ended, from wherever an earlier try has stopped.
    pub(super) async fn seal(self: &Arc<Self>, mut job: Versioned<JobRecord>) -> Result<(), StoreError> {
        for at in 0..job.record.logs.len() {
            let token = FencingToken { job: job.record.id, grant: job.record.logs[at].grant };
            match job.record.logs[at].sealed {
                Some(SealedLog { dropped: true, .. }) => continue,
                Some(_) => {}
                None => self.name_log(&mut job, at, token).await?,
            }
            self.drop_stream(keys::log(job.record.tenant, token), Write::OFFSET_MAX).await?;
            let mut after = job.record.clone();
            if let Some(sealed) = &mut after.logs[at].sealed {
                sealed.dropped = true;
            }
            job = self.replace(&job, after, Batch::new()).await?;
        }
        Ok(())
    }

    /// Puts a log as an artifact, and names it in the job's record.
    async fn name_log(
        self: &Arc<Self>,
        job: &mut Versioned<JobRecord>,
        at: usize,
        token: FencingToken,
    ) -> Result<(), StoreError> {
        let tenant = job.record.tenant;
        let (chunks, digest, length) = self.whole_log(tenant, token).await?;
        let key = ArtifactKey { tenant, digest };
        let pieces = stream::iter(chunks.into_iter().map(Ok)).boxed();
        self.counted.put_anyway(key, length, pieces).await.map_err(unreadable)?;
        let mut after = job.record.clone();
        after.logs[at].sealed = Some(SealedLog { digest, length, dropped: false });
        let mut batch = Batch::new();
        let mut named = ArtifactRecord::of_role(tenant, token, Role::Log, digest, length);
        named.attached_at = self.now();
        batch.put(0, &named);
        *job = self.replace(job, after, batch).await?;
        Ok(())
    }

    async fn whole_log(
        &self,
        tenant: TenantId,
        token: FencingToken,
    ) -> Result<(Vec<Bytes>, Digest, u64), StoreError> {
        let stream = keys::log(tenant, token);
        let (mut whole, mut digest, mut length, mut from) = (Vec::new(), Digest::stream(), 0, 0);
        loop {
            let (chunks, more) = self.records.chunks(stream.clone(), from, LOG_PAGE_BYTES).await?;
            for (offset, bytes) in chunks {
                from = offset + bytes.len() as u64;
                length += bytes.len() as u64;
                digest.update(&bytes);
                whole.push(bytes);
            }
            if !more {
                return Ok((whole, digest.finish(), length));
            }
        }
    }

    /// Replaces a job that has ended.
    async fn replace(
        self: &Arc<Self>,
        before: &Versioned<JobRecord>,
        after: JobRecord,
        batch: Batch,
    ) -> Result<Versioned<JobRecord>, StoreError> {
        let mut change = Change::of(before, after);
        self.commit(batch, std::slice::from_mut(&mut change), self.now()).await?;
        Ok(Versioned { version: before.version + 1, record: change.after })
    }
}

/// The part of a chunk that begins at or after `from`.
fn part_from((offset, bytes): (u64, Bytes), from: u64) -> Option<LogChunk> {
    let skip = usize::try_from(from.saturating_sub(offset)).ok()?;
    let rest = (skip < bytes.len()).then(|| bytes.slice(skip..))?;
    Some(LogChunk { offset: offset.max(from), bytes: rest.into() })
}

/// The rest of a log whose bytes are gone: all of it is missing.
fn missing_page(grant: u64, log: &AttemptLog, from: u64) -> LogPage {
    let gap = LogGap { offset: from, bytes: log.end.saturating_sub(from) };
    let gaps = if gap.bytes == 0 { Vec::new() } else { vec![gap] };
    LogPage { grant, chunks: Vec::new(), gaps, next: log.end.max(from), ended: true }
}

fn unreadable(error: ArtifactError) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}
