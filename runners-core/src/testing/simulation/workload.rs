//! The jobs of a simulation: drawn from its seed, and how they get to a control plane.

use super::{
    checker::Checker,
    work::{Bad, KIND, OnCancel, Plan},
};
use crate::{
    seams::{
        clock::{Clock, sleep},
        transport::{Transport, TransportError},
    },
    testing::random::SeededRandom,
    values::{
        id::{JobId, RunId, RunnerId},
        job::{DisconnectPolicy, JobOptions, JobSpec},
        opaque::Opaque,
        reply::{Acceptance, Answered, RefusalCode, Refused, Reply},
        request::{
            AnswerRequest, CancelRequest, CancelTarget, Request, RunSpec, SignalRequest, Submission,
            SubmitRequest,
        },
        retry::RetryPolicy,
        sync::SignalOutcome,
        time::Timestamp,
    },
};
use std::time::Duration;

/// A job that is to be submitted.
#[derive(Clone, Debug)]
pub(super) struct Planned {
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

/// Draws the jobs of a simulation.
pub(super) struct Draw<'a> {
    pub(super) random: &'a SeededRandom,
    pub(super) wall: Timestamp,
    pub(super) within: Duration,
    pub(super) runners: &'a [RunnerId],
    pub(super) term: Duration,
}

impl Draw<'_> {
    pub(super) fn jobs(&self, count: usize) -> Vec<Planned> {
        let mut jobs: Vec<Planned> = Vec::with_capacity(count);
        let mut run: Option<(RunSpec, Duration, Vec<JobId>)> = None;
        for _ in 0..count {
            if run.as_ref().is_some_and(|(_, _, jobs)| jobs.len() >= 4) || self.happens(0.2) {
                run = None;
            }
            if run.is_none() && self.happens(0.3) {
                let timeout = self.happens(0.2).then(|| self.span(self.term * 2));
                let spec = RunSpec { run: RunId::new(self.wall, self.bytes()), timeout };
                run = Some((spec, self.span(self.within), Vec::new()));
            }
            let at = run.as_ref().map_or_else(|| self.span(self.within), |(_, at, _)| *at);
            let mut options = self.options(at);
            if let Some((spec, _, earlier)) = &run {
                options.run = Some(spec.run);
                if self.happens(0.5) {
                    options.after = earlier.iter().rev().take(2).copied().collect();
                }
            }
            let payload = Opaque::from(serde_json::to_vec(&self.plan()).expect("a plan is plain data"));
            let job = JobId::new(self.wall, self.bytes());
            let spec = JobSpec::new(job, KIND, payload.as_bytes(), options);
            let target = match &run {
                Some((spec, ..)) if self.happens(0.3) => CancelTarget::Run(spec.run),
                _ => CancelTarget::Job(job),
            };
            let cancel = self.happens(0.12).then(|| (self.span(self.term), target));
            let again = self.happens(0.1).then(|| self.span(self.term));
            if let Some((_, _, jobs)) = &mut run {
                jobs.push(job);
            }
            let run = run.as_ref().map(|(spec, ..)| spec.clone());
            jobs.push(Planned { spec, payload, run, at, again, cancel });
        }
        jobs.sort_by_key(|job| job.at);
        jobs
    }

    fn options(&self, at: Duration) -> JobOptions {
        let retry = RetryPolicy {
            attempts_max: 1 + self.below(3),
            losses_max: if self.happens(0.3) { self.below(3) } else { 100 },
            failed: self.happens(0.5),
            backoff: self.span(Duration::from_secs(3)),
            backoff_max: Duration::from_secs(10),
        };
        let mut options = JobOptions {
            priority: [0, 100, 100, 100, 255][self.below(5) as usize],
            timeout: if self.happens(0.1) { self.term / 6 } else { self.term * 5 },
            grace: self.span(Duration::from_secs(10)),
            retry,
            ..JobOptions::default()
        };
        if self.happens(0.15) {
            let labels = if self.happens(0.5) { &mut options.wanted } else { &mut options.refused };
            labels.insert(if self.happens(0.5) { "even" } else { "odd" }.to_owned());
        } else if self.happens(0.05) {
            // Pinned and labelled, it might be for nobody.
            options.runner = self.runners.get(self.below(self.runners.len() as u32) as usize).copied();
        }
        if self.happens(0.1) {
            options.start_at = Some(self.wall + at + self.span(self.term * 2));
        }
        if self.happens(0.1) {
            options.queue_ttl = Some(self.span(self.term) + Duration::from_secs(1));
        }
        if self.happens(0.1) {
            options.on_disconnect = DisconnectPolicy::GoOn { for_: self.term };
        }
        options
    }

    fn plan(&self) -> Plan {
        let takes = [0, 0, 5, 300, 3_000, 20_000, 70_000, 150_000][self.below(8) as usize];
        let after_ms = u64::from(self.below(12_000));
        Plan {
            takes_ms: takes,
            bad_attempts: if self.happens(0.6) { 0 } else { 1 + self.below(3) },
            bad: [Bad::Failed, Bad::Fault, Bad::Fault, Bad::Permanent][self.below(4) as usize],
            on_cancel: match self.below(4) {
                0 => OnCancel::Finishes { after_ms },
                1 => OnCancel::GoesOn,
                _ => OnCancel::Returns { after_ms },
            },
            log_lines: self.below(4),
            result_bytes: if self.happens(0.1) { 3000 } else { 0 },
        }
    }

    fn happens(&self, chance: f64) -> bool {
        self.random.unit() < chance
    }

    fn below(&self, limit: u32) -> u32 {
        (self.random.number() % u64::from(limit)) as u32
    }

    fn span(&self, max: Duration) -> Duration {
        Duration::from_millis((max.as_millis() as f64 * self.random.unit()) as u64)
    }

    fn bytes(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&self.random.number().to_be_bytes());
        bytes
    }
}

/// Gets jobs to a control plane, however often it takes.
#[derive(Clone, Debug)]
pub(super) struct Submitter<T, C> {
    pub(super) transport: T,
    pub(super) clock: C,
    pub(super) checker: Checker,
}

impl<T: Transport, C: Clock> Submitter<T, C> {
    /// Submits a job until it is accepted.
    pub(super) async fn submit(&self, job: &Planned) {
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
                Some(Acceptance::Accepted(_) | Acceptance::Repeated(_)) => return,
                Some(Acceptance::Refused(Refused { code: RefusalCode::Invalid, detail }))
                    if detail.starts_with("spec.after") =>
                {
                    // What it waits for is on its way.
                    sleep(&self.clock, AGAIN_AFTER).await;
                }
                other => {
                    let detail = format!("{} was answered {other:?}", job.spec.job);
                    self.checker.violate("a well-formed job is accepted", Some(job.spec.job), detail);
                    return;
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
