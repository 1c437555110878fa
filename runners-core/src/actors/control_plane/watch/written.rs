//! Which versions of jobs this control plane wrote itself.

use crate::{
    actors::control_plane::lock,
    values::id::{JobId, TenantId},
};
use std::{collections::BTreeMap, mem, sync::Mutex};

/// How many jobs a generation has. To forget one costs a read, and nothing else.
const GENERATION_MAX: usize = 4096;

type Versions = BTreeMap<(TenantId, JobId), u64>;

/// Jobs and their versions as this control plane wrote them: a hint of those is no news. The last few
/// thousand are remembered, at least.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Those that were written lately, and those before them.
    generations: Mutex<(Versions, Versions)>,
}

impl Written {
    /// This control plane has written a job.
    pub(crate) fn note(&self, tenant: TenantId, job: JobId, version: u64) {
        let mut generations = lock(&self.generations);
        let (versions, before) = &mut *generations;
        if versions.len() >= GENERATION_MAX {
            *before = mem::take(versions);
        }
        let newest = versions.entry((tenant, job)).or_default();
        *newest = version.max(*newest);
    }

    /// Whether it has written a job lately.
    pub(super) fn knows(&self, tenant: TenantId, job: JobId) -> bool {
        self.newest(tenant, job).is_some()
    }

    /// Whether it has written this version of a job, or a later one.
    pub(super) fn is_own(&self, tenant: TenantId, job: JobId, version: u64) -> bool {
        self.newest(tenant, job).is_some_and(|newest| version <= newest)
    }

    fn newest(&self, tenant: TenantId, job: JobId) -> Option<u64> {
        let generations = lock(&self.generations);
        let (versions, before) = &*generations;
        versions.get(&(tenant, job)).or_else(|| before.get(&(tenant, job))).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: JobId = JobId::from_bytes([1; 16]);

    #[test]
    fn what_was_written_of_a_job_says_nothing_of_anothers_with_its_id() {
        let written = Written::default();
        written.note(TenantId::DEFAULT, JOB, 3);
        assert!(written.is_own(TenantId::DEFAULT, JOB, 3));
        assert!(!written.is_own(TenantId::DEFAULT, JOB, 4));
        assert!(!written.knows(TenantId::from_bytes([9; 16]), JOB));
    }

    #[test]
    fn a_job_is_remembered_while_a_few_thousand_others_are_written_and_no_longer_than_twice_that() {
        let written = Written::default();
        written.note(TenantId::DEFAULT, JOB, 3);
        let mut others = (2..).map(|number: u128| JobId::from_bytes(number.to_be_bytes()));
        others.by_ref().take(GENERATION_MAX).for_each(|job| written.note(TenantId::DEFAULT, job, 1));
        assert!(written.is_own(TenantId::DEFAULT, JOB, 3));
        others.take(GENERATION_MAX).for_each(|job| written.note(TenantId::DEFAULT, job, 1));
        assert!(!written.knows(TenantId::DEFAULT, JOB));
    }
}
