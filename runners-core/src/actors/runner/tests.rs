//! The runner against a control plane that a test plays, in simulated time.

mod artifacts;
mod attempts;
mod endings;
mod hooks;
mod images;
mod leases;
mod secrets;
mod signatures;
mod tenure;

use super::*;
use crate::{
    actors::spool::Spool,
    seams::{
        clock::{Clock as _, sleep},
        transport::TransportError,
    },
    testing::{
        clock::SimClock,
        executor::{Ending, OnCancel, Script, ScriptedExecutor},
        random::SeededRandom,
    },
    values::{
        id::JobId,
        job::{JobOptions, JobSpec},
        opaque::Opaque,
        outcome::Outcome,
        reply::Reply,
        request::Request,
        result::Verdict,
        sync::{Finish, Offer, SyncAnswer, SyncRequest},
    },
};
use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

pub(super) const TERM: Duration = Duration::from_secs(180);

/// Hands every request to the test.
#[derive(Debug)]
struct ToTest {
    calls: mpsc::UnboundedSender<Call>,
    farewells: mpsc::UnboundedSender<Farewell>,
}

/// A runner that deregisters itself waits for the test's reply. Dropped, it is an error.
pub(super) type Farewell = oneshot::Sender<Result<Reply, TransportError>>;

#[async_trait]
impl Transport for ToTest {
    async fn call(&self, request: Request) -> Result<Reply, TransportError> {
        let lost = || TransportError::Unreachable("the test has gone".into());
        let (reply_to, reply) = oneshot::channel();
        match request {
            Request::Sync(request) => {
                self.calls.send(Call { request: *request, reply_to }).map_err(|_| lost())?;
            }
            Request::Deregister(_) => self.farewells.send(reply_to).map_err(|_| lost())?,
            _ => return Err(lost()),
        }
        reply.await.unwrap_or_else(|_| Err(lost()))
    }
}

/// A request that waits for the test's reply. Dropped, it is an error.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) request: SyncRequest,
    reply_to: oneshot::Sender<Result<Reply, TransportError>>,
}

impl Call {
    pub(super) fn answer(self, change: impl FnOnce(&mut SyncAnswer)) {
        let mut answer = SyncAnswer {
            seq: self.request.seq,
            term: (!self.request.held.is_empty()).then_some(TERM),
            lost: Vec::new(),
            cancel: Vec::new(),
            recorded: Vec::new(),
            fenced: Vec::new(),
            heard: Vec::new(),
            logged: Vec::new(),
            attached: Vec::new(),
            offers: Vec::new(),
            signals: Vec::new(),
            desired: None,
            send_facts: false,
            no_more: false,
            spread: Duration::from_secs(1),
            park_max: SyncRequest::PARK_MAX,
        };
        change(&mut answer);
        self.reply(Reply::Answer(Box::new(answer)));
    }

    pub(super) fn reply(self, reply: Reply) {
        drop(self.reply_to.send(Ok(reply)));
    }
}

/// A runner, and the test as its control plane.
pub(super) struct Bench {
    pub(super) runner: Runner,
    pub(super) clock: SimClock,
    pub(super) executor: ScriptedExecutor,
    pub(super) spool: Spool,
    pub(super) calls: mpsc::UnboundedReceiver<Call>,
    pub(super) farewells: mpsc::UnboundedReceiver<Farewell>,
}

impl Bench {
    pub(super) fn new(script: Script) -> Self {
        Self::with(script, Spool::memory(), |builder| builder)
    }

    pub(super) fn with(
        script: Script,
        spool: Spool,
        with: impl FnOnce(RunnerBuilder) -> RunnerBuilder,
    ) -> Self {
        let clock = SimClock::new();
        let executor = ScriptedExecutor::new(clock.clone()).then(script);
        let (to_test, calls) = mpsc::unbounded_channel();
        let (to_say, farewells) = mpsc::unbounded_channel();
        let builder = Runner::builder(ToTest { calls: to_test, farewells: to_say })
            .named("scripted", executor.clone())
            .spool(spool.clone())
            .clock(clock.clone())
            .random(SeededRandom::new(1));
        Self { runner: with(builder).start(), clock, executor, spool, calls, farewells }
    }

    pub(super) async fn call(&mut self) -> Call {
        self.calls.recv().await.expect("the runner runs")
    }

    /// Answers nothing until a request says that it means to do that.
    pub(super) async fn call_with(&mut self, intent: crate::values::runner::Mode) -> Call {
        loop {
            let call = self.call().await;
            if call.request.intent == intent {
                return call;
            }
            // What is parked is answered when its park is over.
            let (clock, park_for) = (self.clock.clone(), call.request.park_for);
            tokio::select! {
                biased;
                next = self.calls.recv() => {
                    let next = next.expect("the runner runs");
                    if next.request.intent == intent {
                        return next;
                    }
                }
                () = sleep(&clock, park_for) => call.answer(|_| {}),
            }
        }
    }

    /// Offers a job, and answers the request that confirms it.
    pub(super) async fn start(&mut self, options: JobOptions) -> Call {
        let call = self.call().await;
        call.answer(|answer| answer.offers = vec![offer(options)]);
        let call = self.call().await;
        assert_eq!(call.request.held.len() + call.request.finishes.len(), 1);
        call
    }

    /// Answers whatever comes, with nothing but terms, until something finished is told.
    pub(super) async fn finished(&mut self) -> (Call, Finish) {
        loop {
            let call = self.call().await;
            if let Some(finish) = call.request.finishes.first().cloned() {
                return (call, finish);
            }
            call.answer(|_| {});
        }
    }

    pub(super) fn execution(&self) -> crate::testing::executor::Execution {
        self.executor.executions().remove(0)
    }
}

pub(super) fn token() -> FencingToken {
    FencingToken { job: JobId::from_bytes([1; 16]), grant: 1 }
}

pub(super) fn offer(options: JobOptions) -> Offer {
    let payload = &b"[1,2]"[..];
    let spec = JobSpec::new(token().job, "scripted", payload, options);
    Offer {
        token: token(),
        tenant: None,
        attempt: 1,
        start_within: Duration::from_secs(15),
        spec: serde_json::to_vec(&spec).unwrap().into(),
        signature: None,
        payload: Some(Opaque::new(payload)),
        payload_artifact: None,
        image: None,
    }
}

pub(super) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
