//! The jobs of a simulation, and how they get to a control plane. What they are is drawn from its
//! seed, in `draw`.

mod draw;
mod sharing;

pub(super) use draw::Draw;

use super::{checker::Checker, machine::Machine, world::World};
use crate::{
    seams::{
        clock::{Clock, sleep},
        transport::{Transport, TransportError},
    },
    testing::transport::FaultyTransport,
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
        time::BootTime,
    },
};
use std::{sync::Arc, time::Duration};

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

/// How long a control plane may take with a request that has arrived, suspended or without its store.
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);

/// Gets jobs to a control plane, however often it takes.
#[derive(Clone, Debug)]
pub(super) struct Submitter<T, C> {
    pub(super) transport: T,
    pub(super) clock: C,
    pub(super) checker: Checker,
    /// How long ended jobs are kept; for ever unless given.
    pub(super) kept_for: Option<Duration>,
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
                    if taken == job.spec.job {
                        self.checker.is_accepted(taken);
                        return None;
                    }
                    return Some(taken);
                }
                Some(Acceptance::Refused(Refused { code: RefusalCode::Invalid, detail }))
                    if detail.starts_with("spec.after") =>
                {
                    if self.waits_for_what_is_gone(job) {
                        self.checker.gives_up(job.spec.job);
                        return None;
                    }
                    // What it waits for is on its way.
                    let _doing = self.checker.doing(format!("{} again, after {detail}", job.spec.job));
                    sleep(&self.clock, AGAIN_AFTER).await;
                }
                Some(Acceptance::Refused(Refused { code: RefusalCode::Conflict, detail }))
                    if detail.starts_with("spec.unique") =>
                {
                    self.checker.count(|count| count.unique_refused += 1);
                    let _doing = self.checker.doing(format!("{} again, after {detail}", job.spec.job));
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

    /// Whether one that a job waits for may have ended, and been removed, before it could be submitted, or
    /// never was submitted for the same reason.
    fn waits_for_what_is_gone(&self, job: &Planned) -> bool {
        let Some(kept_for) = self.kept_for else { return false };
        let is_over = |at: BootTime| self.clock.boot() >= at + kept_for;
        job.spec.after.iter().any(|before| {
            self.checker.is_given_up(*before) || self.checker.accepted(*before).is_some_and(is_over)
        })
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

impl World {
    /// Submits a job, which may be another one by its unique key.
    async fn submit(&self, submitter: &Submitter<FaultyTransport, Machine>, job: &Planned) {
        let submitted = tokio::select! {
            biased;
            other = submitter.submit(job) => other,
            () = self.kept_no_longer(job.spec.job) => None,
        };
        let Some(other) = submitted else { return };
        let known = self.jobs.iter().find(|planned| planned.spec.job == other);
        let is_same = known.is_some_and(|known| {
            let spec = JobSpec { job: job.spec.job, ..known.spec.clone() };
            spec.unique.is_some() && spec == job.spec && known.tenant == job.tenant
        });
        if !is_same {
            let detail = format!("{} was answered {other}, which asks for something else", job.spec.job);
            self.checker.violate("the same under a unique key is the same job", Some(job.spec.job), detail);
        }
        self.checker.is_another(job.spec.job, other);
    }

    /// Completes when a job that was accepted may be gone before a request that is sent now arrives.
    /// Whoever submits it then submits a new job, or one that waits for what is gone.
    async fn kept_no_longer(&self, job: JobId) {
        let Some(kept_for) = self.kept_for else { return std::future::pending().await };
        let asked_for = kept_for.saturating_sub(self.delay_max + ARRIVES_WITHIN);
        loop {
            let now = self.clock.boot();
            if self.audit.was_seen(job) {
                // It was accepted, and nobody was told.
                self.checker.is_accepted(job);
            }
            match self.checker.accepted(job) {
                Some(at) if now >= at + asked_for => return,
                Some(at) => self.clock.sleep_until(at + asked_for).await,
                None => sleep(&self.clock, AGAIN_AFTER).await,
            }
        }
    }

    /// Submits every job in its time, and whatever else its user does.
    pub(super) fn submit_all(self: &Arc<Self>) {
        for job in self.jobs.clone() {
            let world = Arc::clone(self);
            let submitter = self.submitter(job.tenant);
            let clock = self.clock.clone();
            self.duties.spawn(async move {
                sleep(&clock, job.at).await;
                world.submit(&submitter, &job).await;
                let again = async {
                    if let Some(after) = job.again {
                        sleep(&clock, after).await;
                        world.submit(&submitter, &job).await;
                    }
                };
                let cancel = async {
                    if let Some((after, target)) = job.cancel {
                        sleep(&clock, after).await;
                        submitter.cancel(target).await;
                    }
                };
                tokio::join!(again, cancel);
            });
        }
    }
}
