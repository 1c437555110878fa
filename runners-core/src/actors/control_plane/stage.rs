//! Jobs that are checked and not queued: the writes that queue one, for a store that carries them out
//! inside a transaction of its host.

use super::{ControlPlane, Plane, lock, submit::together};
use crate::{
    actors::{client::Client, error::Error},
    seams::{
        store::{StoreError, Write},
        transport::{Transport, TransportError},
    },
    values::{
        id::{JobId, TenantId},
        job::Job,
        reply::{Acceptance, RefusalCode, Refused, Reply, Submitted},
        request::{Request, SubmitRequest},
    },
};
use async_trait::async_trait;
use std::{
    mem,
    sync::{Arc, Mutex},
};

/// A job that was checked, and what queues it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StagedJob {
    /// The job that it will be.
    pub job: JobId,
    /// One batch. Whoever carries it out queues the job; whoever does not has done nothing.
    pub writes: Vec<Write>,
}

impl ControlPlane {
    /// Checks a job as [`Client::submit`] does, and leaves it to the caller to queue it: for a store
    /// that writes inside a transaction of the host's. Its lane is made at once, which harms nothing.
    ///
    /// Such a job is offered to nobody in the same commit, and the feed of its tenant begins with what
    /// happens to it next. It does not wait for other jobs; a run that it belongs to must be there.
    ///
    /// # Errors
    /// [`Error::Refused`] when it would not be accepted, or as [`Error`] says.
    pub async fn stage<J: Job>(&self, tenant: TenantId, job: &J) -> Result<StagedJob, Error> {
        let plane = &self.plane;
        let staging = Arc::new(Staging { plane: Arc::clone(plane), tenant, writes: Mutex::default() });
        let client = Client::builder(Arc::clone(&staging))
            .artifacts(tenant, Arc::clone(&plane.artifacts))
            .clock(Arc::clone(&plane.clock))
            .random(Arc::clone(&plane.random))
            .build();
        let job = client.submit(job).await?.id();
        let writes = mem::take(&mut *lock(&staging.writes));
        Ok(StagedJob { job, writes })
    }
}

/// Stands for a control plane before a client, and keeps what it would have written.
#[derive(Debug)]
struct Staging {
    plane: Arc<Plane>,
    tenant: TenantId,
    writes: Mutex<Vec<Write>>,
}

#[async_trait]
impl Transport for Staging {
    async fn call(&self, request: Request) -> Result<Reply, TransportError> {
        let Request::Submit(request) = request else {
            unreachable!("invariant: a client that submits asks for nothing else")
        };
        let staged = self.plane.stage(self.tenant, request).await;
        let (acceptance, writes) = staged.map_err(|error| TransportError::Unreachable(Box::new(error)))?;
        *lock(&self.writes) = writes;
        Ok(Reply::Submitted(Submitted { jobs: vec![acceptance] }))
    }
}

impl Plane {
    async fn stage(
        self: &Arc<Self>,
        tenant: TenantId,
        request: SubmitRequest,
    ) -> Result<(Acceptance, Vec<Write>), StoreError> {
        if let Err(refused) = self.may_ask(tenant) {
            return Ok((Acceptance::Refused(refused), Vec::new()));
        }
        let Ok([job]) = <[_; 1]>::try_from(request.jobs) else {
            unreachable!("invariant: one job is staged at a time")
        };
        let prepared = match self.prepare(tenant, job, None).await? {
            Ok(prepared) => prepared,
            Err(refused) => return Ok((Acceptance::Refused(refused), Vec::new())),
        };
        if !prepared.after.is_empty() {
            let problem = "spec.after: a job that waits for others is not queued inside a transaction: \
                           submit it after that";
            let refused = Refused::new(RefusalCode::Invalid, problem);
            return Ok((Acceptance::Refused(refused), Vec::new()));
        }
        let (mut batch, mut changes) = together([&prepared]);
        self.wake_lanes(&changes).await?;
        for change in &mut changes {
            change.tell(&mut batch, self.now());
            change.write(&mut batch);
        }
        Ok((Acceptance::Accepted(prepared.change.after.id), batch.into_writes()))
    }
}
