//! What a simulation's store must hold: read past every fault, and compared with what was seen.
//! How jobs share runners is left to `sharing`, what they tell to `history`.

mod held;
mod history;
mod pruning;
mod sharing;
mod turns;

use super::{checker::Checker, fleet::Member, workload::Planned};
use crate::{
    actors::records::{Records, Versioned},
    rules::{
        job::{EndedAttempt, JobRecord, ResultPlace},
        keys,
        log::AttemptLog,
        record::{OutcomeRecord, SessionRecord},
        settlement::is_taken_back,
    },
    seams::{
        artifact::{ArtifactKey, ArtifactStore as _, memory::MemoryArtifacts},
        store::{Page, Query, Store},
    },
    values::{
        digest::Digest,
        id::{JobId, PoolId, TenantId},
        key::{Index, Key},
        lease::FencingToken,
        outcome::{Conclusion, Outcome},
        preference::Fallback,
        result::Verdict,
        time::Timestamp,
    },
};
use bytes::Bytes;
use futures::TryStreamExt as _;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Compares what a store holds with what was seen.
#[derive(Debug)]
pub(super) struct Audit {
    store: Arc<dyn Store>,
    artifacts: MemoryArtifacts,
    pub(super) records: Records,
    checker: Checker,
    jobs: Vec<JobId>,
    tenants: BTreeMap<JobId, TenantId>,
    /// How long each job waits before it falls back to a pool, as it was asked for.
    waits: BTreeMap<(JobId, PoolId), Duration>,
    members: Vec<Member>,
    /// How far from each other the clocks are.
    apart: Duration,
    /// Every job as it was seen last.
    seen: Mutex<BTreeMap<JobId, JobRecord>>,
}

/// How many rows are read of an index: more than a simulation has.
const ROWS_MAX: u32 = 10_000;

impl Audit {
    pub(super) fn new(
        store: Arc<dyn Store>,
        artifacts: MemoryArtifacts,
        checker: Checker,
        planned: &[Planned],
        members: &[Member],
        apart: Duration,
    ) -> Self {
        let jobs = planned.iter().map(|job| job.spec.job).collect();
        let tenants = planned.iter().map(|job| (job.spec.job, job.tenant)).collect();
        let records = Records::new(Arc::clone(&store));
        let waits = waits_of(planned, members);
        let members = members.to_vec();
        let seen = Mutex::default();
        Self { records, store, artifacts, checker, jobs, tenants, waits, members, apart, seen }
    }

    /// Whose a job is.
    pub(super) fn tenant_of(&self, job: JobId) -> TenantId {
        self.tenants.get(&job).copied().unwrap_or(TenantId::DEFAULT)
    }

    fn key_of(&self, job: JobId) -> Key {
        JobRecord::key_of(self.tenant_of(job), job)
    }

    /// Every job that was planned, as it is stored now.
    async fn jobs(&self) -> Vec<Option<Versioned<JobRecord>>> {
        let keys = self.jobs.iter().map(|job| self.key_of(*job)).collect();
        let jobs = self.records.load_all(keys).await.expect("the store behind the faults answers");
        self.see(&jobs);
        self.check_held(&jobs).await;
        jobs
    }

    /// The jobs that have not ended, or are not there yet.
    pub(super) async fn open(&self) -> Vec<JobId> {
        let stored = self.jobs().await;
        let open = |job: JobId, stored: &Option<Versioned<JobRecord>>| match stored {
            Some(stored) => stored.record.conclusion().is_none(),
            None => {
                let is_none = self.checker.is_another_one(job) || self.checker.is_given_up(job);
                !is_none && !self.was_seen(job)
            }
        };
        self.jobs
            .iter()
            .zip(&stored)
            .filter(|(job, stored)| open(**job, stored))
            .map(|(job, _)| *job)
            .collect()
    }

    /// How a job stands in the store, for people.
    pub(super) async fn describe(&self, job: JobId) -> String {
        let found = self.records.load::<JobRecord>(self.key_of(job)).await;
        format!("{:?}", found.expect("the store behind the faults answers").map(|found| found.record))
    }

    /// Whether a runner is offered nothing because it was started again and again.
    pub(super) async fn is_held_back(&self, member: &Member, now: Timestamp) -> bool {
        let found = self.records.load::<SessionRecord>(SessionRecord::key_of(member.tenant, member.id)).await;
        let session = found.expect("the store behind the faults answers");
        session.is_some_and(|session| session.record.starts.held_back(now).is_some())
    }

    /// Nothing is owned or due any more, and every job ended as its attempts say.
    pub(super) async fn check_end(&self) -> BTreeMap<JobId, Conclusion> {
        let mut conclusions = BTreeMap::new();
        for index in [Index::Ready, Index::Due, Index::Owner] {
            self.check_empty(index).await;
        }
        let there: Vec<_> = self.jobs().await.into_iter().flatten().map(|job| job.record).collect();
        let pruned = self.pruned(&there);
        for job in there.iter().chain(&pruned) {
            if let Some(conclusion) = job.conclusion() {
                conclusions.insert(job.id, conclusion);
                self.count(job, conclusion);
            }
            self.check_attempts(job);
            if pruned.contains(job) {
                self.check_pruned(job).await;
                continue;
            }
            self.check_result(job).await;
            self.check_history(job).await;
            for grant in 1..=job.grant {
                self.check_log(job, FencingToken { job: job.id, grant }).await;
            }
        }
        conclusions
    }

    async fn check_empty(&self, index: Index) {
        let page = self.store.scan(Query::range(index, Bytes::new(), ROWS_MAX)).await;
        let Ok(Page::Rows { rows, .. }) = page else { return };
        for (_, row) in rows {
            if let Some(job) = job_of(&row.key) {
                let detail = format!("{job} has ended and still stands in {index:?}");
                self.checker.violate("what has ended is nobody's and never due", Some(job), detail);
            }
        }
    }

    fn count(&self, job: &JobRecord, conclusion: Conclusion) {
        self.checker.count(|count| {
            for ended in &job.attempts {
                count.taken_back += u64::from(is_taken_back(ended));
                match ended.outcome {
                    Outcome::Lost => count.losses += 1,
                    Outcome::Lapsed => count.lapses += 1,
                    Outcome::TimedOut => count.timeouts += 1,
                    _ => {}
                }
            }
            match conclusion {
                Conclusion::Passed | Conclusion::Flaky => count.passed += 1,
                Conclusion::Failed => count.failed += 1,
                Conclusion::Errored => count.errored += 1,
                Conclusion::TimedOut => count.timed_out += 1,
                Conclusion::Cancelled => count.cancelled += 1,
                Conclusion::Expired => count.expired += 1,
            }
        });
    }

    /// Attempts are numbered without gaps, in the order of their grants, within their limits, and
    /// each was really executed.
    fn check_attempts(&self, job: &JobRecord) {
        let id = Some(job.id);
        let mut grant = 0;
        for (ended, number) in job.attempts.iter().zip(1..) {
            let token = FencingToken { job: job.id, grant: ended.grant };
            if ended.number != number || ended.grant <= grant || ended.grant > job.grant {
                let detail = format!("{token} is attempt {} and stands as the {number}th", ended.number);
                self.checker.violate("an offer that is not confirmed costs no attempt", id, detail);
            }
            grant = ended.grant;
            if !matches!(ended.outcome, Outcome::Lost) && !self.checker.has_begun(token) {
                let detail = format!("{token} ended {:?} and never began", ended.outcome);
                self.checker.violate("an attempt that ended was executed", id, detail);
            }
            self.check_outcome(token, ended);
        }
        let is_loss = |ended: &&EndedAttempt| {
            matches!(ended.outcome, Outcome::Lost | Outcome::Lapsed | Outcome::Cancelled)
                && !is_taken_back(ended)
        };
        let lost = job.attempts.iter().filter(is_loss).count();
        let free = job.attempts.iter().filter(|ended| is_taken_back(ended)).count();
        let counted = job.attempts.len() - lost - free;
        let retry = job.terms.retry;
        if counted > retry.attempts_max as usize || lost > retry.losses_max as usize + 1 {
            let detail = format!("{} has {counted} attempts and {lost} losses", job.id);
            self.checker.violate("attempts and losses keep to their limits", id, detail);
        }
    }

    /// The recorded outcome and result are those of that very attempt.
    fn check_outcome(&self, token: FencingToken, ended: &EndedAttempt) {
        let product = self.checker.product(token);
        let verdict = product.as_ref().map(|product| product.verdict);
        let digest = product.map(|product| Digest::of(product.result.as_bytes()));
        let right = match ended.outcome {
            Outcome::Passed => verdict == Some(Verdict::Passed) && ended.result_digest == digest,
            Outcome::Failed => verdict == Some(Verdict::Failed) && ended.result_digest == digest,
            Outcome::TimedOut | Outcome::Cancelled => {
                ended.result_digest.is_none() || ended.result_digest == digest
            }
            _ => ended.result_digest.is_none(),
        };
        if !right {
            let detail = format!("{token} is recorded {:?}, and came to {verdict:?}", ended.outcome);
            self.checker.violate("a result is of the attempt that produced it", Some(token.job), detail);
        }
    }

    async fn check_result(&self, job: &JobRecord) {
        let last = job.attempts.iter().rev().find(|ended| ended.outcome != Outcome::Lost);
        let expected = last.and_then(|ended| ended.result_digest);
        let found = match &job.result {
            Some(ResultPlace::Inline(result)) => Some(Digest::of(result.as_bytes())),
            Some(ResultPlace::Record(grant)) => {
                let key = OutcomeRecord::key_of(job.tenant, FencingToken { job: job.id, grant: *grant });
                let stored = self.records.load::<OutcomeRecord>(key).await.ok().flatten();
                stored.map(|stored| Digest::of(stored.record.result.as_bytes()))
            }
            Some(ResultPlace::Artifact(digest)) => Some(*digest),
            None => None,
        };
        if found != expected {
            let detail = format!("{} keeps another result than its last attempt left", job.id);
            self.checker.violate("a job's result is of its last attempt", Some(job.id), detail);
        }
    }

    /// A log is what was sent: each piece stands where it belongs, and is what was logged there.
    async fn check_log(&self, job: &JobRecord, token: FencingToken) {
        let Some(logged) = self.checker.log(token) else { return };
        let chunks = match job.log_of(token.grant).and_then(|log| Some((log, log.sealed?))) {
            Some((log, sealed)) => self.sealed(job.tenant, log, sealed.digest).await,
            None => self.stream(keys::log(job.tenant, token)).await,
        };
        let mut end = 0;
        for (offset, bytes) in &chunks {
            let at = usize::try_from(*offset).unwrap_or(usize::MAX);
            let sent = logged.as_bytes().get(at..at + bytes.len());
            if sent != Some(bytes.as_ref()) || at != end {
                let detail = format!("{token} has other bytes at {offset} than were logged");
                self.checker.violate("log bytes are kept as sent", Some(job.id), detail);
            }
            end = at + bytes.len();
        }
        let ended = job.attempts.iter().find(|ended| ended.grant == token.grant);
        let by_itself =
            ended.is_some_and(|ended| matches!(ended.outcome, Outcome::Passed | Outcome::Failed) && end > 0);
        if by_itself && self.checker.is_recorded_soon(token) && end != logged.len() {
            let detail = format!("{token} logged {} bytes, and {end} are kept", logged.len());
            self.checker.violate("a finish carries the rest of its log", Some(job.id), detail);
        }
    }

    /// The pieces of a sealed log.
    async fn sealed(&self, tenant: TenantId, log: &AttemptLog, digest: Digest) -> Vec<(u64, Bytes)> {
        let key = ArtifactKey { tenant, digest };
        let Ok(whole) = self.artifacts.get(key, None).await else {
            self.checker.violate("what a record names is kept", None, format!("{digest} is gone"));
            return Vec::new();
        };
        let whole: Vec<Bytes> = whole.try_collect().await.unwrap_or_default();
        let whole = Bytes::from(whole.concat());
        let piece = |range: std::ops::Range<u64>| {
            let at = |offset| usize::try_from(offset).unwrap_or(usize::MAX).min(whole.len());
            whole.slice(at(range.start)..at(range.end))
        };
        log.pieces(0).into_iter().map(|(offset, range)| (offset, piece(range))).collect()
    }

    /// Whether the log of every job that has ended is sealed.
    pub(super) async fn is_sealed(&self) -> bool {
        self.jobs().await.into_iter().flatten().all(|job| !job.record.awaits_sealing())
    }

    async fn stream(&self, stream: Key) -> Vec<(u64, Bytes)> {
        let page = self.store.scan(Query::Stream { stream, from: 0, bytes_max: u32::MAX }).await;
        match page.expect("the store behind the faults answers") {
            Page::Chunks { chunks, .. } => chunks,
            _ => Vec::new(),
        }
    }
}

/// How long jobs wait for the pools that they fall back to.
fn waits_of(planned: &[Planned], members: &[Member]) -> BTreeMap<(JobId, PoolId), Duration> {
    let further = planned.iter().flat_map(|job| job.spec.fallbacks.iter().map(|one| (job.spec.job, one)));
    let of_members = |(job, one): (JobId, &Fallback)| {
        let member = members.iter().find(|member| member.pool_name == one.pool)?;
        Some(((job, member.pool), one.after))
    };
    further.filter_map(of_members).collect()
}

fn job_of(key: &Key) -> Option<JobId> {
    let id: [u8; 16] = key.id.as_ref().try_into().ok()?;
    (key.kind == crate::values::key::Kind::Job).then(|| JobId::from_bytes(id))
}
