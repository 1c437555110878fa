//! The jobs of a simulation, and how they get to a control plane. What they are is drawn from its
//! seed, in `draw`.

mod draw;
mod sharing;

pub(super) use draw::Draw;

use super::checker::Checker;
use crate::{
    seams::{
        clock::{Clock, sleep},
        transport::{Transport, TransportError},
    },
    values::{
        id::{JobId, TenantId},
        job::JobSpec,
        opaque::Opaque,
        reply::{Acceptance, Answered, RefusalCode, Refused, Reply},
        request::{
            AnswerRequest, CancelRequest, CancelTarget, Request, RunSpec, SignalRequest, Submission,
            SubmitRequest,
        },
        sync::SignalOutcome,
    },
};
use std::time::Duration;

/// A job that is to be submitted.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) tenant: TenantId,
    pub(super) spec: JobSpec,
    pub(super) payload: Opaque,
    pub(super) run: Option<RunSpec>,
    /// After how long it is submitted, counted from the start.
    pub(super) at: Duration,
    /// After how long it is submitted again.
    pub(super) again: Option<Duration>,
    /// How long after its submit it is cancelled.
    pub(super) cancel: Option<(Duration, CancelTarget)>,
}

/// How long a submitter waits before it tries again.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Gets jobs to a control plane, however often it takes.
#[derive(Clone, Debug)]
pub(super) struct Submitter<T, C> {
    pub(super) transport: T,
    pub(super) clock: C,
    pub(super) checker: Checker,
}

impl<T: Transport, C: Clock> Submitter<T, C> {
    /// Submits a job until it is accepted. Another job, if that is the same one by its unique key.
    pub(super) async fn submit(&self, job: &Planned) -> Option<JobId> {
        let spec = Opaque::from(serde_json::to_vec(&job.spec).expect("a specification is plain data"));
        let payload = Some(job.payload.clone());
        let submission = Submission { spec, signature: None, payload, payload_artifact: None };
        let request = Request::Submit(SubmitRequest { jobs: vec![submission], run: job.run.clone() });
        loop {
            let reply = self.ask(request.clone()).await;
            let acceptance = match reply {
                Reply::Submitted(mut submitted) => submitted.jobs.pop(),
                _ => None,
            };
            match acceptance {
                Some(Acceptance::Accepted(taken) | Acceptance::Repeated(taken)) => {
                    return (taken != job.spec.job).then_some(taken);
                }
                Some(Acceptance::Refused(Refused { code: RefusalCode::Invalid, detail }))
                    if detail.starts_with("spec.after") =>
                {
                    // What it waits for is on its way.
                    sleep(&self.clock, AGAIN_AFTER).await;
                }
                Some(Acceptance::Refused(Refused { code: RefusalCode::Conflict, detail }))
                    if detail.starts_with("spec.unique") =>
                {
                    self.checker.count(|count| count.unique_refused += 1);
                    sleep(&self.clock, AGAIN_AFTER * 4).await;
                }
                other => {
                    let detail = format!("{} was answered {other:?}", job.spec.job);
                    self.checker.violate("a well-formed job is accepted", Some(job.spec.job), detail);
                    return None;
                }
            }
        }
    }

    pub(super) async fn cancel(&self, target: CancelTarget) {
        self.checker.trace(None, format_args!("{target:?} is cancelled"));
        self.ask(Request::Cancel(CancelRequest { target })).await;
    }

    /// Sends a signal, maybe twice, and asks for its answer until it is known and once more: it never
    /// has another.
    pub(super) async fn signal(&self, request: SignalRequest, twice: bool) {
        let signal = request.id;
        for _ in 0..=u32::from(twice) {
            match self.ask(Request::Signal(request.clone())).await {
                Reply::Signalled(_) => {}
                Reply::Refused(refused) => {
                    return self.checker.trace(None, format_args!("{signal} is refused: {refused}"));
                }
                other => {
                    return self.checker.violate("a signal is taken or refused", None, format!("{other:?}"));
                }
            }
        }
        self.checker.count(|count| count.signals += 1);
        let mut first = None;
        loop {
            let ask = AnswerRequest { signal, park_for: Duration::from_secs(20) };
            match self.ask(Request::Answer(ask)).await {
                Reply::Answered(Answered::Waiting) => {}
                Reply::Answered(answered) if first.is_none() => {
                    self.checker.trace(None, format_args!("{signal} is answered {answered:?}"));
                    self.checker.count(|count| match answered {
                        Answered::Outcome(SignalOutcome::Result(_)) => count.signals_answered += 1,
                        Answered::Outcome(SignalOutcome::Fault(_)) => count.signals_faulted += 1,
                        _ => count.signals_expired += 1,
                    });
                    first = Some(answered);
                    sleep(&self.clock, AGAIN_AFTER * 10).await;
                }
                Reply::Answered(answered) if first.as_ref() == Some(&answered) => return,
                other => {
                    let detail = format!("{signal} was answered {first:?}, and again {other:?}");
                    return self.checker.violate("a signal is answered once", None, detail);
                }
            }
        }
    }

    async fn ask(&self, request: Request) -> Reply {
        let _doing = self.checker.doing(format!("{request:?}"));
        loop {
            let reply = self.transport.call(request.clone()).await;
            match reply {
                Ok(reply) => return reply,
                Err(TransportError::Rejected { code, detail }) => {
                    self.checker.violate("a well-formed request is taken", None, format!("{code}: {detail}"));
                    std::future::pending::<()>().await;
                }
                Err(_) => sleep(&self.clock, AGAIN_AFTER).await,
            }
        }
    }
}
