//! Jobs: submitted, listed newest first, explained, and tried again by somebody's wish.

use super::{Management, audit::Deed, not_found, refused};
use crate::{
    actors::{
        control_plane::state_view,
        error::Error,
        records::{Versioned, read},
    },
    rules::{
        job::{JobRecord, State},
        keys,
        record::{PayloadRecord, PoolRecord, RunRecord},
    },
    seams::store::{Query, Stored},
    values::{
        explanation::Explanation,
        fleet::{
            job::{JobFilter, JobLine, JobState},
            listing::{Cursor, Listing, Paging},
        },
        id::{JobId, PoolId, RunnerId, TenantId},
        job::JobSpec,
        key::{Index, Kind},
        principal::Scope,
        reply::{Acceptance, RefusalCode, Reply, Submitted},
        request::{Submission, SubmitRequest},
    },
};
use bytes::Bytes;

/// How many rows one page looks at before it is given with fewer items than were asked for.
const SCANNED_MAX: usize = 4096;

/// The newest jobs below a place.
struct Newest {
    /// Each, and its place: the time and the id that its key ends in.
    rows: Vec<(Bytes, Stored)>,
    /// Down to where all was read, if there is more below.
    read_to: Option<Bytes>,
}

impl Management {
    /// Queues jobs, as [`Client::submit`](crate::Client::submit) does. This takes [`Scope::Submit`].
    ///
    /// # Errors
    /// As [`Management`] says. Each job is accepted or refused by itself.
    pub async fn submit(&self, request: SubmitRequest) -> Result<Submitted, Error> {
        let tenant = self.with(Scope::Submit)?;
        // One that is refused as a whole leaves its key to be used again.
        if (1..=SubmitRequest::JOBS_MAX).contains(&request.jobs.len()) {
            self.begin_submit(tenant).await?;
        }
        match self.plane.submit(tenant, request).await.map_err(Error::Store)? {
            Reply::Submitted(submitted) => Ok(submitted),
            Reply::Refused(refused) => Err(Error::Refused(refused)),
            _ => Err(Error::Unexpected("submit")),
        }
    }

    /// Lists jobs, newest first: by when they ended if they have, or else by when they were
    /// submitted; those of a run always by the latter.
    ///
    /// State and run are looked up in an index; the rest of the filter is applied to what is found there. So a
    /// page may have fewer items than were asked for, or none, and still be followed by another: go on while
    /// there is a `next`. A job that changes its state between two pages may be in both.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn jobs(&self, filter: &JobFilter, paging: &Paging) -> Result<Listing<JobLine>, Error> {
        let tenant = self.with(Scope::Read)?;
        let limit = paging.checked()? as usize;
        let parts = parts(filter, tenant);
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let mut below = paging.place(&parts)?;
        let (index, prefixes) = prefixes(filter, tenant);
        let pool = match &filter.pool {
            Some(name) => self.plane.pool_by_name(tenant, name).await.map_err(Error::Store)?,
            None => None,
        };
        let (mut items, mut scanned) = (Vec::new(), 0);
        loop {
            let Newest { rows, read_to } =
                self.newest(index, &prefixes, below.as_ref(), paging.limit).await?;
            for (place, row) in rows {
                scanned += 1;
                let job: Versioned<JobRecord> = read(&row).map_err(Error::Store)?;
                items.extend(matches(filter, pool, &job.record).then(|| line(&job.record)));
                if items.len() == limit {
                    return Ok(Listing { items, next: Some(Cursor::new(&parts, place)) });
                }
            }
            match read_to {
                Some(place) if scanned < SCANNED_MAX => below = Some(place),
                place => return Ok(Listing { items, next: place.map(|place| Cursor::new(&parts, place)) }),
            }
        }
    }

    /// One job of the tenant, as it is listed.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn job(&self, job: JobId) -> Result<JobLine, Error> {
        let tenant = self.with(Scope::Read)?;
        self.job_line(tenant, job).await
    }

    /// What was asked for when a job of the tenant was submitted. `None` if that is not kept any more.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn job_spec(&self, job: JobId) -> Result<Option<JobSpec>, Error> {
        let tenant = self.with(Scope::Read)?;
        self.job_record(tenant, job).await?;
        let payload = self.plane.records.load::<PayloadRecord>(PayloadRecord::key_of(tenant, job)).await;
        let payload = payload.map_err(Error::Store)?;
        payload.map(|found| spec_of(&found.record)).transpose()
    }

    pub(super) async fn job_line(&self, tenant: TenantId, job: JobId) -> Result<JobLine, Error> {
        self.job_record(tenant, job).await.map(|record| line(&record))
    }

    /// Explains why a job is not running: what keeps it from all runners, or from each. Lists at most
    /// [`PoolExplanation::RUNNERS_MAX`](crate::protocol::PoolExplanation::RUNNERS_MAX) runners of each pool,
    /// those after `runners_after`.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn explain(&self, job: JobId, runners_after: Option<RunnerId>) -> Result<Explanation, Error> {
        let tenant = self.with(Scope::Read)?;
        let explained = self.plane.explanation(tenant, job, runners_after).await.map_err(Error::Store)?;
        explained.ok_or_else(|| not_found("job", job))
    }

    /// Queues an ended job again: as a new job with the id `again` and the same command and options, which
    /// names the old one. It does not wait for other jobs, nor for a start time. This takes
    /// [`Scope::Submit`].
    ///
    /// # Errors
    /// [`Error::Refused`] (`conflict`) if the job has not ended, if it is signed (only its author can sign it
    /// again), or if `again` is the id of another job; or as [`Management`] says.
    pub async fn retry_job(&self, job: JobId, again: JobId) -> Result<JobLine, Error> {
        let tenant = self.with(Scope::Submit)?;
        let record = self.job_record(tenant, job).await?;
        if record.conclusion().is_none() {
            return Err(refused(RefusalCode::Conflict, "job: has not ended: wait for it, or cancel it"));
        }
        let records = &self.plane.records;
        let payload = records.load::<PayloadRecord>(PayloadRecord::key_of(tenant, job)).await;
        let Some(Versioned { record: payload, .. }) = payload.map_err(Error::Store)? else {
            return Err(refused(RefusalCode::NotFound, "job: its payload is not kept any more"));
        };
        if payload.signature.is_some() {
            return Err(refused(RefusalCode::Conflict, "job: is signed: its author submits it again"));
        }
        let mut spec = spec_of(&payload)?;
        if let Some(run) = spec.run {
            let found = records.load::<RunRecord>(RunRecord::key_of(tenant, run)).await;
            spec.run = found.map_err(Error::Store)?.map(|_| run);
        }
        self.name_pools(tenant, &record, &mut spec).await?;
        spec.job = again;
        spec.retry_of = Some(job);
        spec.after.clear();
        spec.start_at = None;
        let spec = serde_json::to_vec(&spec).expect("specifications are plain data").into();
        let submission = Submission {
            spec,
            signature: None,
            payload: payload.payload,
            payload_artifact: payload.payload_artifact,
        };
        let submitted = self.submit(SubmitRequest { jobs: vec![submission], run: None }).await?;
        match submitted.jobs.into_iter().next() {
            Some(Acceptance::Accepted(again)) => {
                let deed = Deed::new("ran again", "job");
                self.note_alone(tenant, deed.called(&again.to_string()), job).await?;
                self.job_line(tenant, again).await
            }
            Some(Acceptance::Repeated(again)) => self.job_line(tenant, again).await,
            Some(Acceptance::Refused(refused)) => Err(Error::Refused(refused)),
            None => Err(Error::Unexpected("submit")),
        }
    }

    /// Calls the pools of a job as they are called now; those that are no more keep their names.
    async fn name_pools(&self, tenant: TenantId, job: &JobRecord, spec: &mut JobSpec) -> Result<(), Error> {
        // The route of an environment decides anew.
        if spec.environment.is_some() {
            return Ok(());
        }
        let fallbacks = spec.fallbacks.iter_mut().map(|fallback| &mut fallback.pool);
        let opened = job.terms.fallbacks.iter().map(|opening| opening.pool);
        let ids = std::iter::once(job.terms.pool).chain(opened);
        for (id, name) in ids.zip(std::iter::once(&mut spec.pool).chain(fallbacks)) {
            let found = self.plane.records.load::<PoolRecord>(PoolRecord::key_of(tenant, id)).await;
            if let Some(found) = found.map_err(Error::Store)? {
                *name = found.record.spec.name;
            }
        }
        Ok(())
    }

    pub(super) async fn job_record(&self, tenant: TenantId, job: JobId) -> Result<JobRecord, Error> {
        let found = self.plane.records.load::<JobRecord>(JobRecord::key_of(tenant, job)).await;
        found.map_err(Error::Store)?.map(|found| found.record).ok_or_else(|| not_found("job", job))
    }

    /// The newest jobs below a place, over several parts of an index.
    async fn newest(
        &self,
        index: Index,
        prefixes: &[Bytes],
        below: Option<&Bytes>,
        limit: u32,
    ) -> Result<Newest, Error> {
        let (mut found, mut read_to): (Vec<(Bytes, Stored)>, Option<Bytes>) = (Vec::new(), None);
        for prefix in prefixes {
            let after = below.map(|place| [&prefix[..], place].concat().into());
            let query =
                Query::Range { index, prefix: prefix.clone(), after, until: None, newest_first: true, limit };
            let (rows, more) = self.plane.records.page(query).await.map_err(Error::Store)?;
            let place = |key: &Bytes| key.slice(prefix.len()..);
            if let Some((last, _)) = rows.last().filter(|_| more) {
                read_to = read_to.max(Some(place(last)));
            }
            let jobs = rows.into_iter().filter(|(_, row)| row.key.kind == Kind::Job);
            found.extend(jobs.map(|(key, row)| (place(&key), row)));
        }
        // What is below the end of a page that was cut may have others before it.
        found.retain(|(place, _)| read_to.as_ref().is_none_or(|end| place >= end));
        found.sort_by(|(left, _), (right, _)| right.cmp(left));
        Ok(Newest { rows: found, read_to })
    }
}

fn spec_of(payload: &PayloadRecord) -> Result<JobSpec, Error> {
    serde_json::from_slice(payload.spec.as_bytes())
        .map_err(|source| Error::Malformed { what: "specification", source: source.into() })
}

/// What names a listing, so that its cursors are good for no other.
fn parts(filter: &JobFilter, tenant: TenantId) -> Vec<String> {
    let JobFilter { state, conclusion, pool, kind, run } = filter;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    vec![
        "jobs".to_owned(),
        format!("{state:?} {conclusion:?} {run:?}"),
        text(pool),
        text(kind),
        tenant.to_string(),
    ]
}

/// The parts of an index in which such jobs stand.
fn prefixes(filter: &JobFilter, tenant: TenantId) -> (Index, Vec<Bytes>) {
    if let Some(run) = filter.run {
        return (Index::Parent, vec![keys::parent_prefix(tenant, &keys::jobs_of(run))]);
    }
    let state = filter.state.or(filter.conclusion.map(|_| JobState::Concluded));
    let states = state.map_or(JobState::ALL.to_vec(), |state| vec![state]);
    let prefix = |state| keys::listed_prefix(tenant, Kind::Job, Some(number(state)));
    (Index::Listed, states.into_iter().map(prefix).collect())
}

const fn number(state: JobState) -> u8 {
    match state {
        JobState::Scheduled => State::SCHEDULED,
        JobState::Blocked => State::BLOCKED,
        JobState::Ready => State::READY,
        JobState::Offered => State::OFFERED,
        JobState::Running => State::RUNNING,
        JobState::Concluded => State::CONCLUDED,
    }
}

/// Whether a job is among those that are listed; `called` is the pool that has the name of the filter now.
fn matches(filter: &JobFilter, called: Option<PoolId>, job: &JobRecord) -> bool {
    let JobFilter { state, conclusion, pool, kind, run } = filter;
    state.is_none_or(|state| job.listed_as().0 == number(state))
        && conclusion.is_none_or(|conclusion| job.conclusion() == Some(conclusion))
        && pool.as_ref().is_none_or(|name| is_in(name, called, job))
        && kind.as_ref().is_none_or(|kind| *kind == job.terms.kind)
        && run.is_none_or(|run| job.terms.run == Some(run))
}

/// Whether a job is in the pool that has the name now. Where none has it, or whose pool is the operator's
/// business, by the name that it was submitted to.
fn is_in(name: &str, called: Option<PoolId>, job: &JobRecord) -> bool {
    match called.filter(|_| !job.terms.hosted) {
        Some(pool) => job.terms.pool == pool,
        None => job.terms.pool_name == name,
    }
}

fn line(job: &JobRecord) -> JobLine {
    JobLine {
        job: job.id,
        kind: job.terms.kind.clone(),
        title: job.terms.title.clone(),
        pool: job.terms.pool_name.clone(),
        run: job.terms.run,
        retry_of: job.terms.retry_of,
        state: state_view(job),
        submitted_at: job.submitted_at,
        priority: job.terms.priority,
        attempts: u32::try_from(job.attempts.len()).unwrap_or(u32::MAX),
    }
}
