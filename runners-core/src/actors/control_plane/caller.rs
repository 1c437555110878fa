//! The in-process transport: requests of one principal, checked and passed on.

use super::{
    ControlPlane, Plane,
    author::{Deed, Signature},
    session::Identity,
};
use crate::{
    actors::{error::Error, management::Management, records::Batch},
    seams::{
        store::StoreError,
        transport::{Transport, TransportError, WithinError},
    },
    values::{
        fleet::audit::Author,
        id::{RunnerId, TenantId},
        principal::{Principal, Scope},
        reply::{RefusalCode, Refused, Reply},
        request::{CancelRequest, CancelTarget, Request},
    },
};
use async_trait::async_trait;
use futures::future::{BoxFuture, FutureExt as _, TryFutureExt as _};
use std::{sync::Arc, time::Duration};

/// Speaks to a control plane in the same process, for one principal.
#[derive(Clone, Debug)]
pub struct Caller {
    plane: Arc<Plane>,
    principal: Principal,
    /// For which tenant the operator speaks.
    within: TenantId,
    /// As whom what it cancels and signals is noted; not at all if nobody is known.
    signature: Signature,
}

impl ControlPlane {
    /// A transport that speaks for `principal`, whoever calls it.
    #[must_use]
    pub fn caller(&self, principal: Principal) -> Caller {
        Caller::new(&self.plane, principal, TenantId::OPERATOR)
    }
}

impl Caller {
    /// Speaks for `principal`, and for the tenant `within` if that is the operator.
    pub(crate) fn new(plane: &Arc<Plane>, principal: Principal, within: TenantId) -> Self {
        Self { plane: Arc::clone(plane), principal, within, signature: Signature::Nobody }
    }

    /// The same, whose deeds are noted as those of somebody.
    pub(crate) fn signed(self, signature: Signature) -> Self {
        Self { signature, ..self }
    }

    /// The tenant it speaks for with a scope, if it may.
    fn api(&self, needed: Scope) -> Option<TenantId> {
        match &self.principal {
            Principal::Api { tenant, scopes } if scopes.contains(&needed) => Some(*tenant),
            Principal::Operator => Some(self.within),
            _ => None,
        }
    }

    /// Each call in a box of its own, since most runners are parked in one: it is as large as that
    /// call, not as the largest of all.
    fn pass_on(&self, request: Request) -> BoxFuture<'_, Result<Reply, TransportError>> {
        let plane = &self.plane;
        if let Principal::Api { tenant, .. } = &self.principal
            && let Err(refused) = plane.may_ask(*tenant)
        {
            return answered(Reply::Refused(refused));
        }
        match (request, &self.principal) {
            (Request::Sync(request), Principal::Runner { tenant, pool, runner }) => {
                let who = Identity { tenant: *tenant, pool: *pool, runner: *runner };
                passed_on(plane.sync(who, request))
            }
            (Request::Enrol(request), Principal::Registrant { tenant, registration }) => {
                passed_on(plane.enrol(*tenant, *registration, request))
            }
            (Request::Deregister(_), Principal::Runner { tenant, runner, .. }) => {
                passed_on(plane.deregister(*tenant, *runner))
            }
            (Request::Enrol(request), Principal::Runner { tenant, pool, runner }) => {
                let who = Identity { tenant: *tenant, pool: *pool, runner: *runner };
                passed_on(async move { plane.identify(who, &request).await })
            }
            (Request::Rotate(request), Principal::Runner { tenant, pool, runner }) => {
                let who = Identity { tenant: *tenant, pool: *pool, runner: *runner };
                passed_on(plane.rotate(who, request))
            }
            (Request::Submit(request), _) => match self.api(Scope::Submit) {
                Some(tenant) => passed_on(plane.submit(tenant, request)),
                None => answered(forbidden("submit")),
            },
            (Request::Cancel(request), _) => match self.api(Scope::Submit) {
                Some(tenant) => passed_on(self.cancel(tenant, request)),
                None => answered(forbidden("submit")),
            },
            (Request::Signal(request), _) => match self.api(Scope::Submit) {
                Some(tenant) => {
                    passed_on(async move { plane.signal(tenant, request, self.author().await).await })
                }
                None => answered(forbidden("submit")),
            },
            (request, _) => match self.api(Scope::Read) {
                Some(tenant) => self.read(tenant, request),
                None => answered(forbidden("read")),
            },
        }
    }

    /// Who it is, if that is known.
    async fn author(&self) -> Option<Author> {
        match &self.signature {
            Signature::Nobody => None,
            known => Some(self.plane.author(self.principal == Principal::Operator, known).await),
        }
    }

    /// Has jobs stopped, and notes it once that is done.
    async fn cancel(&self, tenant: TenantId, request: CancelRequest) -> Result<Reply, StoreError> {
        let (subject, of) = match &request.target {
            CancelTarget::Job(job) => ("job", job.to_string()),
            CancelTarget::Run(run) => ("run", run.to_string()),
        };
        let reply = self.plane.cancel(tenant, request).await?;
        if let Reply::Cancelled(cancelled) = &reply
            && cancelled.jobs > 0
            && let Some(author) = self.author().await
        {
            let mut batch = Batch::new();
            batch.put(0, &self.plane.audit_record(tenant, author, Deed::new("cancelled", subject), of));
            self.plane.records.commit(batch).await?;
        }
        Ok(reply)
    }

    fn read(&self, tenant: TenantId, request: Request) -> BoxFuture<'_, Result<Reply, TransportError>> {
        let plane = &self.plane;
        match request {
            Request::Inspect(request) => passed_on(plane.inspect(tenant, request.job)),
            Request::Explain(request) => passed_on(plane.explain(tenant, request)),
            Request::Wait(request) => passed_on(plane.wait(tenant, request.job, request.park_for)),
            Request::Answer(request) => {
                passed_on(plane.await_answer(tenant, request.signal, request.park_for))
            }
            Request::ReadLog(request) => passed_on(plane.read_log(tenant, request)),
            Request::Enrol(_) => {
                answered(forbidden_to("only a registration token can be exchanged for a credential"))
            }
            Request::Deregister(_) => answered(forbidden_to("a runner deregisters by its own credential")),
            Request::Rotate(_) => answered(forbidden_to("only a runner replaces its own credential")),
            _ => answered(forbidden_to("only a runner, with its credential, syncs")),
        }
    }
}

fn answered(reply: Reply) -> BoxFuture<'static, Result<Reply, TransportError>> {
    std::future::ready(Ok(reply)).boxed()
}

fn passed_on<'a>(
    call: impl Future<Output = Result<Reply, StoreError>> + Send + 'a,
) -> BoxFuture<'a, Result<Reply, TransportError>> {
    call.map_err(unreachable).boxed()
}

fn unreachable(error: StoreError) -> TransportError {
    TransportError::Unreachable(Box::new(error))
}

#[async_trait]
impl Transport for Caller {
    // What `async fn` stands for, written out: that would put one more box around each call.
    fn call<'caller, 'async_trait>(
        &'caller self,
        request: Request,
    ) -> BoxFuture<'async_trait, Result<Reply, TransportError>>
    where
        'caller: 'async_trait,
        Self: 'async_trait,
    {
        if self.plane.stopping.is_cancelled() {
            return std::future::ready(Err(TransportError::Busy { retry_after: RETRY_AFTER })).boxed();
        }
        self.pass_on(request)
    }

    fn made_with(&self, token: &str) -> Option<Arc<dyn Transport>> {
        Some(Arc::new(self.clone().signed(Signature::of_token(token))))
    }

    async fn hosts(&self, tenant: TenantId) -> Result<bool, TransportError> {
        let Principal::Runner { tenant: TenantId::OPERATOR, runner, .. } = self.principal else {
            return Ok(false);
        };
        let hosts = self.plane.hosts_for(tenant, runner).await;
        hosts.map_err(unreachable)
    }

    async fn within(&self, named: &str) -> Result<(TenantId, Arc<dyn Transport>), WithinError> {
        let own = Management::of(&self.plane, self.principal.clone());
        match own.within_named(named).await {
            Ok(within) => {
                let caller = within.caller().signed(self.signature.clone());
                Ok((within.tenant(), Arc::new(caller)))
            }
            Err(Error::Refused(refused)) => Err(WithinError::Refused(refused)),
            Err(error) => Err(WithinError::Unreachable(error.into())),
        }
    }
}

/// Speaks for a runner in the same process, whose pool is known by its name.
#[derive(Debug)]
pub(super) struct LocalRunnerCaller {
    plane: Arc<Plane>,
    tenant: TenantId,
    pool: String,
    runner: RunnerId,
}

impl LocalRunnerCaller {
    pub(super) fn new(plane: Arc<Plane>, tenant: TenantId, pool: &str, runner: RunnerId) -> Self {
        Self { plane, tenant, pool: pool.to_owned(), runner }
    }
}

#[async_trait]
impl Transport for LocalRunnerCaller {
    async fn call(&self, request: Request) -> Result<Reply, TransportError> {
        let Some(pool) = self.plane.pool_by_name(self.tenant, &self.pool).await.map_err(unreachable)? else {
            let detail = format!("pool: there is no pool {:?}: create it first", self.pool);
            return Ok(Reply::Refused(Refused::new(RefusalCode::NotFound, detail)));
        };
        let principal = Principal::Runner { tenant: self.tenant, pool, runner: self.runner };
        Caller::new(&self.plane, principal, self.tenant).call(request).await
    }
}

/// How long a caller waits when the control plane is stopping.
const RETRY_AFTER: Duration = Duration::from_secs(1);

fn forbidden(scope: &str) -> Reply {
    forbidden_to(&format!("this takes an API credential with the scope {scope:?}"))
}

fn forbidden_to(detail: &str) -> Reply {
    Reply::Refused(Refused::new(RefusalCode::Forbidden, detail))
}
