//! Submitting: specifications become jobs, each accepted or refused by itself.

use super::{Plane, effects::Change};
use crate::{
    actors::records::{Batch, Versioned},
    rules::{
        job::{JobRecord, StopReason},
        keys,
        record::{ArtifactRecord, PayloadRecord, Record as _, Role, RunRecord, UniqueRecord},
        submission,
    },
    seams::store::StoreError,
    values::{
        id::{JobId, RunId, TenantId},
        key::Kind,
        lease::FencingToken,
        reply::{Acceptance, RefusalCode, Refused, Reply, Submitted},
        request::{Submission, SubmitRequest},
        time::Timestamp,
    },
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// A submission that was checked, ready to be committed.
#[derive(Clone)]
pub(super) struct Prepared {
    pub(super) change: Change,
    pub(super) payload: Arc<PayloadRecord>,
    pub(super) after: Vec<JobId>,
    /// The run it belongs to, as it was read; or as it is made with it.
    run: Option<Versioned<RunRecord>>,
    /// What keeps others from its unique key.
    unique: Option<UniqueRecord>,
}

/// How many jobs are made in one batch: each is up to seven writes.
const JOBS_PER_BATCH: usize = 128;
/// How often a job is tried to be made whose run, or what it waits for, others change meanwhile.
const ROUNDS_MAX: usize = 16;
/// The largest number of payload bytes of one batch.
const BYTES_PER_BATCH: usize = 2 << 20;

impl Plane {
    pub(crate) async fn submit(
        self: &Arc<Self>,
        tenant: TenantId,
        request: SubmitRequest,
    ) -> Result<Reply, StoreError> {
        let count = request.jobs.len();
        if count == 0 || count > SubmitRequest::JOBS_MAX {
            let problem =
                format!("jobs: must be from 1 to {}, and there are {count}", SubmitRequest::JOBS_MAX);
            return Ok(Reply::Refused(Refused::new(RefusalCode::Invalid, problem)));
        }
        let opened = request.run.as_ref().map(|run| RunRecord::new(tenant, run, self.now()));
        let jobs = self.accept_all(tenant, request.jobs, opened.as_ref()).await;
        opened.and_then(|run| run.deadline).into_iter().for_each(|at| self.due.hint(at));
        Ok(Reply::Submitted(Submitted { jobs: jobs? }))
    }

    /// Decides on each job. The first that is accepted makes the run that they `open`, if it is not there: a
    /// run whose jobs are all refused is none.
    async fn accept_all(
        self: &Arc<Self>,
        tenant: TenantId,
        jobs: Vec<Submission>,
        open: Option<&RunRecord>,
    ) -> Result<Vec<Acceptance>, StoreError> {
        let mut acceptances: Vec<Option<Acceptance>> = vec![None; jobs.len()];
        let mut batch: Vec<(usize, Prepared)> = Vec::new();
        let mut bytes = 0;
        for (at, job) in jobs.into_iter().enumerate() {
            bytes += job.payload.as_ref().map_or(0, crate::values::opaque::Opaque::len);
            match self.prepare(tenant, job, open).await? {
                Ok(prepared) => batch.push((at, prepared)),
                Err(refused) => acceptances[at] = Some(Acceptance::Refused(refused)),
            }
            if batch.len() >= JOBS_PER_BATCH || bytes >= BYTES_PER_BATCH {
                bytes = 0;
                self.accept(std::mem::take(&mut batch), &mut acceptances).await?;
            }
        }
        self.accept(batch, &mut acceptances).await?;
        let jobs = acceptances.into_iter().map(|acceptance| acceptance.expect("each job was decided on"));
        Ok(jobs.collect())
    }

    /// Checks a job, whose run is there or is the one that it may `open`.
    pub(super) async fn prepare(
        self: &Arc<Self>,
        tenant: TenantId,
        job: Submission,
        open: Option<&RunRecord>,
    ) -> Result<Result<Prepared, Refused>, StoreError> {
        let mut spec = match submission::check(&job, tenant, self.now()) {
            Ok(spec) => spec,
            Err(refused) => return Ok(Err(refused)),
        };
        if let Err(refused) = self.may_pin(tenant, &spec).await? {
            return Ok(Err(refused));
        }
        let body = spec.unique.is_some().then(|| submission::body_digest(&spec));
        let hosted = match self.route(tenant, &mut spec).await? {
            Ok(hosted) => hosted,
            Err(refused) => return Ok(Err(refused)),
        };
        let lanes = match self.lanes(tenant, &spec, hosted).await? {
            Ok(lanes) => lanes,
            Err(refused) => return Ok(Err(refused)),
        };
        let run = match spec.run {
            None => None,
            Some(run) => {
                let found = self.records.load::<RunRecord>(RunRecord::key_of(tenant, run)).await?;
                let new = || open.filter(|new| new.id == run).cloned();
                match found.or_else(|| new().map(|record| Versioned { version: 0, record })) {
                    Some(run) => Some(run),
                    None => return Ok(Err(no_run())),
                }
            }
        };
        let unique = spec
            .unique
            .as_ref()
            .zip(body)
            .map(|(unique, body)| UniqueRecord::of_job(tenant, unique, spec.job, body));
        let record = JobRecord::submitted(&lanes, &spec, self.now());
        let payload = Arc::new(PayloadRecord {
            tenant,
            job: spec.job,
            spec: job.spec,
            signature: job.signature,
            payload: job.payload,
            payload_artifact: job.payload_artifact,
        });
        let change = Change { before: None, after: record, payload: Some(Arc::clone(&payload)) };
        let mut prepared = Prepared { change, payload, after: spec.after, run, unique };
        prepared.end_with_run(self.now());
        Ok(Ok(prepared))
    }

    /// Commits what was prepared: together if it can be, else one by one.
    async fn accept(
        self: &Arc<Self>,
        mut prepared: Vec<(usize, Prepared)>,
        acceptances: &mut [Option<Acceptance>],
    ) -> Result<(), StoreError> {
        let plain = prepared.iter().all(|(_, prepared)| prepared.after.is_empty());
        if prepared.len() > 1 && plain && are_distinct(&prepared) {
            let now = self.now();
            let (batch, mut changes) = together(prepared.iter().map(|(_, prepared)| prepared));
            match self.commit(batch, &mut changes, now).await {
                Ok(_) => {
                    for (at, prepared) in prepared {
                        acceptances[at] = Some(Acceptance::Accepted(prepared.change.after.id));
                    }
                    return Ok(());
                }
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        for (at, prepared) in prepared.drain(..) {
            acceptances[at] = Some(self.accept_one(prepared).await?);
        }
        Ok(())
    }

    async fn accept_one(self: &Arc<Self>, mut prepared: Prepared) -> Result<Acceptance, StoreError> {
        let job = prepared.change.after.id;
        let tenant = prepared.change.after.tenant;
        for _ in 0..ROUNDS_MAX {
            match self.make(&prepared).await {
                Ok(Ok(())) => return Ok(Acceptance::Accepted(job)),
                Ok(Err(refused)) => return Ok(Acceptance::Refused(refused)),
                Err(StoreError::Conflict(key)) if key.kind == Kind::Run => {
                    match self.records.load::<RunRecord>(key).await? {
                        Some(found) => {
                            prepared.run = Some(found);
                            prepared.end_with_run(self.now());
                        }
                        None => return Ok(Acceptance::Refused(no_run())),
                    }
                }
                Err(StoreError::Conflict(key)) if key.kind == Kind::Unique => {
                    return self.taken(tenant, job, &prepared.payload, prepared.unique).await;
                }
                // What it waits for has changed meanwhile, and is read again.
                Err(StoreError::Conflict(key))
                    if key.kind == Kind::Job && key != prepared.change.after.key() => {}
                Err(StoreError::Conflict(_)) => return self.repeated(tenant, job, &prepared.payload).await,
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Unavailable(
            "its run, or what it waits for, changes faster than a job can be added".into(),
        ))
    }

    /// Makes one job, offered if a runner waits for it.
    async fn make(self: &Arc<Self>, prepared: &Prepared) -> Result<Result<(), Refused>, StoreError> {
        let now = self.now();
        if !prepared.after.is_empty() {
            return self.submit_dependant(prepared.clone(), now).await;
        }
        let committed = match self.submit_direct(prepared, now).await {
            Some(done) => done,
            None => {
                let (batch, mut changes) = together([prepared]);
                self.commit(batch, &mut changes, now).await.map(drop)
            }
        };
        committed.map(Ok)
    }

    /// What is answered to a job whose unique key another one has.
    async fn taken(
        &self,
        tenant: TenantId,
        job: JobId,
        submitted: &PayloadRecord,
        unique: Option<UniqueRecord>,
    ) -> Result<Acceptance, StoreError> {
        if self.records.load::<JobRecord>(JobRecord::key_of(tenant, job)).await?.is_some() {
            return self.repeated(tenant, job, submitted).await;
        }
        // What is freed at this very moment is had at the next try.
        let freed = || StoreError::Unavailable("the unique key is just being freed".into());
        let unique = unique.ok_or_else(freed)?;
        let found = self.records.load::<UniqueRecord>(unique.key()).await?.ok_or_else(freed)?.record;
        if found.body == unique.body
            && let Ok(holder) = found.taken_by.parse()
        {
            return Ok(Acceptance::Repeated(holder));
        }
        let problem = format!(
            "spec.unique: {} has this key and asks for something else: wait for its end, or cancel it",
            found.taken_by
        );
        Ok(Acceptance::Refused(Refused::new(RefusalCode::Conflict, problem)))
    }

    /// Whether a job that exists is the one that was submitted again.
    async fn repeated(
        &self,
        tenant: TenantId,
        job: JobId,
        submitted: &PayloadRecord,
    ) -> Result<Acceptance, StoreError> {
        match self.records.load::<PayloadRecord>(PayloadRecord::key_of(tenant, job)).await? {
            Some(Versioned { record, .. }) if record.spec == submitted.spec => Ok(Acceptance::Repeated(job)),
            Some(_) => {
                let problem = "spec.job: another job has this id: draw a new one";
                Ok(Acceptance::Refused(Refused::new(RefusalCode::Conflict, problem)))
            }
            // It was removed meanwhile: the submitter tries again.
            None => Err(StoreError::Unavailable("what it met is there no more".into())),
        }
    }
}

/// Whether no two of these have the same id or unique key: a batch writes each record once.
fn are_distinct(prepared: &[(usize, Prepared)]) -> bool {
    let mut seen = BTreeSet::new();
    prepared.iter().all(|(_, prepared)| {
        let unique = prepared.unique.as_ref().map(UniqueRecord::key);
        seen.insert(prepared.change.after.key()) && unique.is_none_or(|unique| seen.insert(unique))
    })
}

/// One batch that makes all of these jobs.
pub(super) fn together<'p>(prepared: impl IntoIterator<Item = &'p Prepared>) -> (Batch, Vec<Change>) {
    let mut batch = Batch::new();
    let mut runs = Vec::new();
    let mut changes = Vec::new();
    for prepared in prepared {
        prepared.add_to(&mut batch, &mut runs);
        changes.push(prepared.change.clone());
    }
    (batch, changes)
}

/// The answer to a job whose run is not there.
fn no_run() -> Refused {
    Refused::new(RefusalCode::NotFound, "spec.run: there is no such run: open it in the same submit")
}

impl Prepared {
    /// A job that is added to a run whose time is over ends with it.
    fn end_with_run(&mut self, now: Timestamp) {
        if self.run.as_ref().is_some_and(|run| run.record.is_over(now)) {
            self.change.after.stop(StopReason::RunDeadline, now, Duration::ZERO);
        }
    }

    /// Adds what making this job takes beside the job itself. `runs` are those that are seen to.
    pub(super) fn add_to(&self, batch: &mut Batch, runs: &mut Vec<RunId>) {
        batch.put(0, &*self.payload);
        if let Some(digest) = self.payload.payload_artifact {
            let PayloadRecord { tenant, job, .. } = *self.payload;
            let token = FencingToken { job, grant: 0 };
            batch.put(0, &ArtifactRecord::of_role(tenant, token, Role::Payload, digest, 0));
        }
        if let Some(unique) = self.unique.as_ref().filter(|_| self.change.after.conclusion().is_none()) {
            batch.put(0, unique);
        }
        let Some(Versioned { version, record }) = &self.run else { return };
        if !runs.contains(&record.id) {
            runs.push(record.id);
            if record.open {
                batch.expect(record.key(), *version);
            } else {
                batch.put(*version, &RunRecord { open: true, ..record.clone() });
            }
        }
        batch.add(keys::open_jobs(record.tenant, record.id), 1, None);
    }
}
