//! Whoever works on a job is given up by itself if nothing more is heard of it.

use super::Audit;
use crate::{
    actors::records::Versioned,
    rules::{
        job::{JobRecord, State},
        record::{Record as _, SessionRecord},
    },
    values::key::Index,
};

impl Audit {
    /// The session of each job that runs is due, so that a loss is found after its term and not at the
    /// deadline of the job.
    pub(super) async fn check_held(&self, jobs: &[Option<Versioned<JobRecord>>]) {
        let running: Vec<&JobRecord> = jobs.iter().flatten().map(|job| &job.record).collect();
        for job in running.into_iter().filter(|job| matches!(job.state, State::Running { .. })) {
            let Some(holder) = job.holder() else { continue };
            let key = SessionRecord::key_of(job.host(), holder.runner);
            let found = self.records.load::<SessionRecord>(key).await;
            let session = found.expect("the store behind the faults answers").map(|found| found.record);
            let due =
                |session: &SessionRecord| session.indexes().iter().any(|(index, _)| *index == Index::Due);
            if !session.as_ref().is_some_and(due) {
                let detail = format!("{} runs in a session that never expires: {session:?}", job.token());
                self.checker.violate("a session that holds a job expires by itself", Some(job.id), detail);
            }
        }
    }
}
