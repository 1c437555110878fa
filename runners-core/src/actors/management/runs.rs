//! Runs of the queue: listed newest first, with what became of their jobs, and cancelled.

use super::{Management, audit::Deed};
use crate::{
    actors::{
        control_plane::state_view,
        error::Error,
        records::{PAGE_ROWS, Versioned, read},
    },
    rules::{job::JobRecord, keys, record::RunRecord},
    seams::store::Query,
    values::{
        fleet::{
            job::JobState,
            listing::{Listing, Paging},
            run::RunLine,
        },
        id::RunId,
        key::{Index, Kind},
        principal::Scope,
        reply::{Reply, StateView},
        request::{CancelRequest, CancelTarget},
    },
};
use std::collections::BTreeMap;

impl Management {
    /// Lists the runs of the tenant, newest first, with how many of their jobs are how: of each run
    /// the oldest [`RunLine::COUNTED_MAX`] are counted. Runs of a release before this one are listed
    /// once their jobs have changed.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn runs(&self, paging: &Paging) -> Result<Listing<RunLine>, Error> {
        let tenant = self.with(Scope::Read)?;
        let prefix = keys::listed_prefix(tenant, Kind::Run, None);
        let page = self.list_newest::<RunRecord>(Index::Listed, prefix, &["runs"], paging).await?;
        let mut items = Vec::with_capacity(page.items.len());
        for found in page.items {
            items.push(self.run_line(found.record).await?);
        }
        Ok(Listing { items, next: page.next })
    }

    /// One run of the tenant, as it is listed.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn run(&self, run: RunId) -> Result<RunLine, Error> {
        let tenant = self.with(Scope::Read)?;
        let found = self.plane.records.load::<RunRecord>(RunRecord::key_of(tenant, run)).await;
        let found = found.map_err(Error::Store)?.ok_or_else(|| super::not_found("run", run))?;
        self.run_line(found.record).await
    }

    /// Has a job stopped, or every job of a run that has not ended, and answers how many those were.
    /// What runs is told to stop, and ends when its runner says so or its grace is over. This takes
    /// [`Scope::Submit`].
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn cancel(&self, target: CancelTarget) -> Result<u32, Error> {
        let tenant = self.with(Scope::Submit)?;
        let (subject, id) = match target {
            CancelTarget::Job(job) => ("job", job.to_string()),
            CancelTarget::Run(run) => ("run", run.to_string()),
        };
        match self.plane.cancel(tenant, CancelRequest { target }).await.map_err(Error::Store)? {
            Reply::Cancelled(cancelled) => {
                if cancelled.jobs > 0 {
                    self.note_alone(tenant, Deed::new("cancelled", subject), id).await?;
                }
                Ok(cancelled.jobs)
            }
            Reply::Refused(refused) => Err(Error::Refused(refused)),
            _ => Err(Error::Unexpected("cancel")),
        }
    }

    async fn run_line(&self, run: RunRecord) -> Result<RunLine, Error> {
        let mut line = RunLine {
            run: run.id,
            submitted_at: run.submitted_at,
            deadline: run.deadline,
            title: None,
            jobs: 0,
            has_more: false,
            states: BTreeMap::new(),
            conclusions: BTreeMap::new(),
        };
        let mut after = None;
        loop {
            let query = Query::Range {
                index: Index::Parent,
                prefix: keys::parent_prefix(run.tenant, &keys::jobs_of(run.id)),
                after: after.take(),
                until: None,
                newest_first: false,
                limit: PAGE_ROWS.min(RunLine::COUNTED_MAX - line.jobs),
            };
            let (rows, more) = self.plane.records.page(query).await.map_err(Error::Store)?;
            for (_, row) in rows.iter().filter(|(_, row)| row.key.kind == Kind::Job) {
                let job: Versioned<JobRecord> = read(row).map_err(Error::Store)?;
                line.add(&job.record);
            }
            line.has_more = more;
            match rows.last() {
                Some((last, _)) if more && line.jobs < RunLine::COUNTED_MAX => after = Some(last.clone()),
                _ => return Ok(line),
            }
        }
    }
}

impl RunLine {
    fn add(&mut self, job: &JobRecord) {
        if self.jobs == 0 {
            self.title = Some(job.terms.title.clone().unwrap_or_else(|| job.terms.kind.clone()));
        }
        self.jobs += 1;
        let state = match state_view(job) {
            StateView::Scheduled { .. } => JobState::Scheduled,
            StateView::Blocked { .. } => JobState::Blocked,
            StateView::Ready { .. } => JobState::Ready,
            StateView::Offered { .. } => JobState::Offered,
            StateView::Running { .. } => JobState::Running,
            StateView::Concluded { .. } => JobState::Concluded,
        };
        *self.states.entry(state).or_default() += 1;
        if let Some(conclusion) = job.conclusion() {
            *self.conclusions.entry(conclusion).or_default() += 1;
        }
    }
}
