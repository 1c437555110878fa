//! What is removed: only what has ended, and then whole.

use super::{Audit, ROWS_MAX};
use crate::{
    actors::records::Versioned,
    rules::{job::JobRecord, keys, record::PayloadRecord},
    seams::{
        artifact::{ArtifactKey, ArtifactStore as _},
        store::{Page, Query, Store as _},
    },
    values::{id::JobId, key::Index, lease::FencingToken},
};
use std::{
    collections::BTreeMap,
    sync::{MutexGuard, PoisonError},
};

impl Audit {
    /// Takes note of how jobs are. One that is gone had ended when it was there.
    pub(super) fn see(&self, jobs: &[Option<Versioned<JobRecord>>]) {
        let mut seen = self.seen();
        for (job, found) in self.jobs.iter().zip(jobs) {
            match (found, seen.get(job)) {
                (Some(found), _) => {
                    seen.insert(*job, found.record.clone());
                }
                (None, Some(before)) if before.conclusion().is_none() => {
                    let detail = format!("{job} is gone, and was {:?}", before.state);
                    self.checker.violate("what has not ended is never removed", Some(*job), detail);
                }
                _ => {}
            }
        }
    }

    pub(in super::super) fn was_seen(&self, job: JobId) -> bool {
        self.seen().contains_key(&job)
    }

    /// The jobs that were seen and are not among those that are there, as they were seen last.
    pub(super) fn pruned(&self, there: &[JobRecord]) -> Vec<JobRecord> {
        let is_gone = |job: &&JobRecord| !there.iter().any(|other| other.id == job.id);
        self.seen().values().filter(is_gone).cloned().collect()
    }

    /// Nothing is left of a job that was removed.
    pub(super) async fn check_pruned(&self, job: &JobRecord) {
        self.checker.count(|count| count.pruned += 1);
        let payload = PayloadRecord::key_of(job.tenant, job.id);
        let has_payload = self.store.load(vec![payload]).await.is_ok_and(|found| found[0].is_some());
        let prefix = keys::parent_prefix(job.tenant, &keys::artifacts_of(job.id));
        let named = match self.store.scan(Query::range(Index::Parent, prefix, ROWS_MAX)).await {
            Ok(Page::Rows { rows, .. }) => rows.len(),
            _ => 0,
        };
        let mut streams = vec![keys::events(job.tenant, job.id)];
        streams
            .extend((1..=job.grant).map(|grant| keys::log(job.tenant, FencingToken { job: job.id, grant })));
        let mut chunks = 0;
        for stream in streams {
            chunks += self.stream(stream).await.len();
        }
        if has_payload || named > 0 || chunks > 0 {
            let detail =
                format!("{} left a payload: {has_payload}, {named} artifacts, {chunks} chunks", job.id);
            self.checker.violate("what is removed is removed whole", Some(job.id), detail);
        }
        for digest in job.logs.iter().filter_map(|log| log.sealed).map(|sealed| sealed.digest) {
            let key = ArtifactKey { tenant: job.tenant, digest };
            let collected = self.artifacts.get(key, None).await.is_err();
            self.checker.count(|count| count.collected += u64::from(collected));
        }
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<JobId, JobRecord>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
