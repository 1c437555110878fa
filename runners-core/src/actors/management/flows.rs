//! The library of flows: put, listed, read, run and deleted.

use super::{Management, ROUNDS_MAX, audit::Deed, not_found, refused};
use crate::{
    actors::{
        artifacts::TenantArtifacts,
        error::Error,
        records::{Batch, PAGE_ROWS, Versioned, read},
    },
    rules::{
        flow::{self, Asked, Next},
        keys,
        record::{FlowRecord, FlowVersionRecord, Kept, Record as _},
    },
    seams::{
        flows::FlowOutline,
        store::{Query, StoreError},
    },
    values::{
        fleet::{
            flow::{FlowDocument, FlowFilter, FlowSpec, FlowVersion, FlowView},
            job::JobLine,
            listing::{Cursor, Listing, Paging},
        },
        id::{JobId, TenantId},
        job::{JobOptions, JobSpec},
        key::{Index, Kind},
        opaque::Opaque,
        principal::Scope,
        reply::{Acceptance, RefusalCode},
        request::{RunSpec, Submission, SubmitRequest},
    },
};
use std::sync::Arc;

/// How many rows one page looks at before it is given with fewer items than were asked for.
const SCANNED_MAX: usize = 4096;

impl Management {
    /// Lists the flows of the tenant, those that were changed last first.
    ///
    /// They are sifted: where little of much matches, a page has fewer items than were asked for, or
    /// none, and still leads to the next.
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn flows(&self, filter: &FlowFilter, paging: &Paging) -> Result<Listing<FlowView>, Error> {
        let tenant = self.with(Scope::Read)?;
        let limit = paging.checked()? as usize;
        let named = format!("{:?} {:?} {tenant}", filter.text, filter.tag);
        let parts = ["flows", named.as_str()];
        let mut after = paging.place(&parts)?;
        let (mut items, mut scanned) = (Vec::new(), 0);
        loop {
            let query = Query::Range {
                index: Index::Listed,
                prefix: keys::listed_prefix(tenant, Kind::Flow, None),
                after: after.take(),
                until: None,
                newest_first: true,
                limit: PAGE_ROWS,
            };
            let (rows, more) = self.plane.records.page(query).await.map_err(Error::Store)?;
            let count = rows.len();
            for (at, (place, row)) in rows.into_iter().enumerate() {
                scanned += 1;
                let found: Versioned<FlowRecord> = read(&row).map_err(Error::Store)?;
                items.extend(flow::is_found(&found.record, filter).then(|| found.record.view()));
                let is_last = at + 1 == count && !more;
                if items.len() == limit || is_last {
                    return Ok(Listing { items, next: (!is_last).then(|| Cursor::new(&parts, place)) });
                }
                after = Some(place);
            }
            match after.clone() {
                Some(_) if more && scanned < SCANNED_MAX => {}
                place => {
                    let next = place.filter(|_| more).map(|place| Cursor::new(&parts, place));
                    return Ok(Listing { items, next });
                }
            }
        }
    }

    /// A flow with the document of a version, of the newest unless said otherwise.
    ///
    /// # Errors
    /// As [`Management`] says; a version that is not kept any more is `not_found`.
    pub async fn flow(&self, name: &str, version: Option<u32>) -> Result<FlowDocument, Error> {
        let tenant = self.with(Scope::Read)?;
        let (found, record) = self.flow_version(tenant, name, version).await?;
        let version = found.versions().find(|one| version.is_none_or(|version| one.version == version));
        let version = version.cloned().unwrap_or_else(|| found.newest.clone());
        // One that an earlier release of the host could read is shown all the same.
        let document = self.document(tenant, &record).await?;
        let outline = self.outline(&record.kind, document.as_bytes()).unwrap_or_default();
        Ok(FlowDocument { flow: found.view(), version, steps: outline.steps, document })
    }

    /// The versions of a flow that are kept, newest first: at most [`FlowSpec::VERSIONS_MAX`].
    ///
    /// # Errors
    /// As [`Management`] says.
    pub async fn flow_versions(&self, name: &str) -> Result<Vec<FlowVersion>, Error> {
        let tenant = self.with(Scope::Read)?;
        let found = self.flow_record(tenant, name).await?;
        Ok(found.record.versions().cloned().collect())
    }

    /// Puts a version of a flow into the library, and makes the flow if there is none of that name.
    /// `expected` is the version that it is put over: 0 for none, any unless given. What the newest
    /// version is already is not put again. This takes [`Scope::Submit`].
    ///
    /// # Errors
    /// [`Error::Refused`] (`conflict`) over another version than the expected one, (`invalid`) for
    /// what is over a limit or the host cannot read, (`exhausted`) if the tenant has
    /// [`FlowSpec::COUNT_MAX`] flows, or as [`Management`] says.
    pub async fn put_flow(
        &self,
        name: &str,
        spec: &FlowSpec,
        expected: Option<u32>,
    ) -> Result<FlowView, Error> {
        let tenant = self.with(Scope::Submit)?;
        flow::check(name, spec)?;
        let FlowOutline { title, steps, .. } = self.outline(&spec.kind, spec.document.as_bytes())?;
        let title = title.as_deref().and_then(JobOptions::title_of);
        let steps = self.plane.flows.as_ref().and_then(|_| u32::try_from(steps.len()).ok());
        let asked = Asked { name, spec, title, steps, expected };
        let author = self.author().await;
        let document = self.keep_document(tenant, &spec.document).await?;
        let records = &self.plane.records;
        for _ in 0..ROUNDS_MAX {
            let found = records.load::<FlowRecord>(FlowRecord::key_of(tenant, name)).await;
            let found = found.map_err(Error::Store)?;
            let version = found.as_ref().map_or(0, |found| found.version);
            let before = found.map(|found| found.record);
            let known = before.as_ref().map(FlowRecord::view);
            let next = flow::put(before, &asked, tenant, author.clone(), self.plane.now())?;
            let (record, dropped) = match (next, known) {
                (Next::Written(record, dropped), _) => (record, dropped),
                (Next::Same, Some(view)) => return Ok(view),
                (Next::Same, None) => return Err(Error::Unexpected("put_flow")),
            };
            let mut batch = Batch::new();
            batch.put(version, &*record);
            let key = FlowVersionRecord::key_of(tenant, name, record.newest.version);
            batch.put(0, &FlowVersionRecord::new(key, &spec.kind, document.clone()));
            self.drop_versions(&mut batch, tenant, name, dropped).await?;
            if version == 0 {
                batch.add(FlowRecord::count(tenant), 1, Some(i64::from(FlowSpec::COUNT_MAX)));
            }
            let note = format!("version {}", record.newest.version);
            let deed = Deed::new(if version == 0 { "created" } else { "changed" }, "flow");
            self.note_as(&mut batch, tenant, author.clone(), deed.called(&note), name.to_owned());
            match records.commit(batch).await {
                Ok(_) => return Ok(record.view()),
                Err(StoreError::Conflict(_)) => {}
                Err(StoreError::Exhausted(_)) => {
                    let problem = format!("flows: a tenant has at most {}: delete one", FlowSpec::COUNT_MAX);
                    return Err(refused(RefusalCode::Exhausted, problem));
                }
                Err(error) => return Err(Error::Store(error)),
            }
        }
        Err(Error::Store(StoreError::Unavailable("the flow changes faster than it can be put".into())))
    }

    /// Deletes a flow with all its versions. Jobs that were made of it have their own copy. This
    /// takes [`Scope::Submit`].
    ///
    /// # Errors
    /// [`Error::Refused`] (`conflict`) if it is at another version than `expected`, or as
    /// [`Management`] says.
    pub async fn delete_flow(&self, name: &str, expected: Option<u32>) -> Result<(), Error> {
        let tenant = self.with(Scope::Submit)?;
        for _ in 0..ROUNDS_MAX {
            let Versioned { version, record } = self.flow_record(tenant, name).await?;
            flow::expect(name, record.newest.version, expected)?;
            let mut batch = Batch::new();
            batch.delete(record.key(), version);
            let versions = record.versions().map(|version| version.version).collect();
            self.drop_versions(&mut batch, tenant, name, versions).await?;
            batch.add(FlowRecord::count(tenant), -1, None);
            self.note(&mut batch, tenant, Deed::new("deleted", "flow"), name).await;
            match self.plane.records.commit(batch).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(Error::Store(error)),
            }
        }
        Err(Error::Store(StoreError::Unavailable("the flow changes faster than it can be deleted".into())))
    }

    /// Queues a flow of the library as the job of this id: a version of it, the newest unless said
    /// otherwise. It is called what the flow is called, unless `options` say more, and has the secrets
    /// that its document names beside those of `options`. The run of `options` is opened if it is
    /// not. This takes [`Scope::Submit`].
    ///
    /// # Errors
    /// [`Error::Refused`] if the job is not accepted, or as [`Management`] says.
    pub async fn run_flow(
        &self,
        name: &str,
        version: Option<u32>,
        job: JobId,
        mut options: JobOptions,
    ) -> Result<JobLine, Error> {
        let tenant = self.with(Scope::Submit)?;
        let (flow, record) = self.flow_version(tenant, name, version).await?;
        let document = self.document(tenant, &record).await?;
        let payload = document.as_bytes();
        let outline = self.outline(&record.kind, payload)?;
        options.secrets.extend(outline.secrets);
        let title = outline.title.as_deref().and_then(JobOptions::title_of);
        options.title = options.title.or(title).or_else(|| JobOptions::title_of(&flow.name));
        let run = options.run.map(|run| RunSpec { run, timeout: None });
        let spec = JobSpec::new(job, record.kind.as_str(), payload, options);
        let spec = serde_json::to_vec(&spec).expect("specifications are plain data").into();
        let payload = record.document_artifact.is_none().then_some(document);
        let payload_artifact = record.document_artifact;
        let submission = Submission { spec, signature: None, payload, payload_artifact };
        let submitted = self.submit(SubmitRequest { jobs: vec![submission], run }).await?;
        match submitted.jobs.into_iter().next() {
            Some(Acceptance::Accepted(job)) => {
                self.note_alone(tenant, Deed::new("ran", "flow").called(&job.to_string()), name).await?;
                self.job_line(tenant, job).await
            }
            Some(Acceptance::Repeated(job)) => self.job_line(tenant, job).await,
            Some(Acceptance::Refused(refused)) => Err(Error::Refused(refused)),
            None => Err(Error::Unexpected("submit")),
        }
    }

    /// What the host reads in a document.
    fn outline(&self, kind: &str, document: &[u8]) -> Result<FlowOutline, Error> {
        let Some(reader) = &self.plane.flows else { return Ok(FlowOutline::default()) };
        let outline = reader.read(kind, document);
        outline.map_err(|problem| refused(RefusalCode::Invalid, format!("document: {problem}")))
    }

    /// Where a document is kept: in its record, or as an artifact, which is put now.
    async fn keep_document(&self, tenant: TenantId, document: &Opaque) -> Result<Kept, Error> {
        if document.len() <= SubmitRequest::PAYLOAD_BYTES_MAX {
            return Ok(Kept::Here(document.clone()));
        }
        let put = self.artifacts(tenant).put(document.as_bytes(), &*self.plane.clock).await;
        put.map(Kept::Artifact).map_err(Error::Artifact)
    }

    /// The bytes of a version, wherever they are kept.
    async fn document(&self, tenant: TenantId, record: &FlowVersionRecord) -> Result<Opaque, Error> {
        match (&record.document, record.document_artifact) {
            (Some(document), _) => Ok(document.clone()),
            (None, Some(digest)) => {
                let gotten = self.artifacts(tenant).get(digest, &*self.plane.clock).await;
                gotten.map(Opaque::from).map_err(Error::Artifact)
            }
            (None, None) => Ok(Opaque::default()),
        }
    }

    fn artifacts(&self, tenant: TenantId) -> TenantArtifacts {
        TenantArtifacts { tenant, store: Arc::clone(&self.plane.artifacts) }
    }

    async fn flow_record(&self, tenant: TenantId, name: &str) -> Result<Versioned<FlowRecord>, Error> {
        let found = self.plane.records.load(FlowRecord::key_of(tenant, name)).await;
        found.map_err(Error::Store)?.ok_or_else(|| not_found("flow", format_args!("{name:?}")))
    }

    async fn flow_version(
        &self,
        tenant: TenantId,
        name: &str,
        version: Option<u32>,
    ) -> Result<(FlowRecord, FlowVersionRecord), Error> {
        let Versioned { record: flow, .. } = self.flow_record(tenant, name).await?;
        let wanted = version.unwrap_or(flow.newest.version);
        let key = FlowVersionRecord::key_of(tenant, name, wanted);
        let found = self.plane.records.load::<FlowVersionRecord>(key).await.map_err(Error::Store)?;
        let gone = || not_found("version", format_args!("{wanted} of {name:?}"));
        Ok((flow, found.ok_or_else(gone)?.record))
    }

    /// Adds to a batch what deletes the documents of versions.
    async fn drop_versions(
        &self,
        batch: &mut Batch,
        tenant: TenantId,
        name: &str,
        versions: Vec<u32>,
    ) -> Result<(), Error> {
        let keys = versions.into_iter().map(|version| FlowVersionRecord::key_of(tenant, name, version));
        let found = self.plane.records.load_all::<FlowVersionRecord>(keys.collect()).await;
        for found in found.map_err(Error::Store)?.into_iter().flatten() {
            batch.delete(found.record.key(), found.version);
        }
        Ok(())
    }
}
