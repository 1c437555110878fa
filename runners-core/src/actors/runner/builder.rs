//! How a runner is described and started.

use super::{
    ExitReason, Runner,
    diagnostics::{NoticeLog, built_in},
    pacing::{PARK, Pacing},
    serve::{Parts, Serving, Shared},
    session::Session,
};
use crate::{
    actors::{artifacts::TenantArtifacts, error::Error, spool::Spool},
    seams::{
        artifact::ArtifactStore,
        clock::{Clock, SystemClock},
        executor::{ErasedExecutor, Executor, Executors},
        facts::{FactsSource, SystemFacts},
        observer::{NoObserver, Observer},
        random::{Random, SystemRandom, number},
        responder::{ErasedResponder, Responder, Responders},
        transport::Transport,
    },
    values::{
        command::Command,
        id::TenantId,
        runner::{Facts, Incarnation},
    },
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Describes a runner before it is started.
#[derive(Debug)]
#[must_use = "a runner does nothing until it is started"]
pub struct RunnerBuilder {
    transport: Arc<dyn Transport>,
    name: String,
    slots: u32,
    labels: BTreeSet<String>,
    program: String,
    executors: Executors,
    responders: Responders,
    facts: Arc<dyn FactsSource>,
    spool: Spool,
    artifacts: Option<TenantArtifacts>,
    park: Duration,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    observer: Arc<dyn Observer>,
}

impl RunnerBuilder {
    pub(super) fn new(transport: Arc<dyn Transport>) -> Self {
        Self {
            transport,
            name: "runner".to_owned(),
            slots: 1,
            labels: BTreeSet::new(),
            program: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned(),
            executors: Executors::default(),
            responders: Responders::default(),
            facts: Arc::new(SystemFacts),
            spool: Spool::memory(),
            artifacts: None,
            park: PARK,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            observer: Arc::new(NoObserver),
        }
    }

    /// What it is called, for people. `runner` unless said otherwise.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// How many jobs it executes at once. One unless said otherwise.
    ///
    /// # Panics
    /// When it is zero or more than [`Runner::SLOTS_MAX`].
    pub fn slots(mut self, slots: u32) -> Self {
        assert!((1..=Runner::SLOTS_MAX).contains(&slots), "slots: {slots} is not 1 to {}", Runner::SLOTS_MAX);
        self.slots = slots;
        self
    }

    /// Adds a label, which jobs may want or refuse.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.labels.insert(label.into());
        self
    }

    /// Adds labels.
    pub fn labels<L: Into<String>>(mut self, labels: impl IntoIterator<Item = L>) -> Self {
        self.labels.extend(labels.into_iter().map(Into::into));
        self
    }

    /// Adds an executor for one type of command.
    ///
    /// # Panics
    /// When there is one for that kind already.
    pub fn executor<C: Command>(mut self, executor: impl Executor<C>) -> Self {
        self.executors = self.executors.with(executor);
        self
    }

    /// Adds an executor for a kind that is known only at run time.
    ///
    /// # Panics
    /// When there is one for that kind already.
    pub fn named(mut self, kind: impl Into<String>, executor: impl ErasedExecutor) -> Self {
        self.executors = self.executors.named(kind, executor);
        self
    }

    /// Adds a responder to one type of command that is sent to the runner as a signal.
    ///
    /// # Panics
    /// When there is one for that kind already: [`Ping`](crate::Ping) and
    /// [`CollectDiagnostics`](crate::CollectDiagnostics) are answered by every runner, and are found
    /// to be taken when it starts.
    pub fn responder<C: Command>(mut self, responder: impl Responder<C>) -> Self {
        self.responders = self.responders.with(responder);
        self
    }

    /// Adds a responder to a kind that is known only at run time.
    ///
    /// # Panics
    /// As [`responder`](Self::responder).
    pub fn named_responder(mut self, kind: impl Into<String>, responder: impl ErasedResponder) -> Self {
        self.responders = self.responders.named(kind, responder);
        self
    }

    /// Name and version of the program that it is part of. This library's unless said otherwise.
    pub fn program(mut self, program: impl Into<String>) -> Self {
        self.program = program.into();
        self
    }

    /// Who tells what machine it is on. [`SystemFacts`] unless said otherwise.
    pub fn facts(mut self, facts: impl FactsSource) -> Self {
        self.facts = Arc::new(facts);
        self
    }

    /// Where it keeps what is not recorded yet. In memory unless said otherwise.
    pub fn spool(mut self, spool: Spool) -> Self {
        self.spool = spool;
        self
    }

    /// Where artifacts go, and whose they are. Nowhere unless said otherwise: attaching then fails.
    pub fn artifacts(mut self, tenant: TenantId, store: impl ArtifactStore) -> Self {
        self.artifacts = Some(TenantArtifacts { tenant, store: Arc::new(store) });
        self
    }

    /// How long its requests may be held back while there is nothing to say. 20 seconds unless
    /// said otherwise, at most [`SyncRequest::PARK_MAX`](crate::protocol::SyncRequest::PARK_MAX).
    pub fn park_for(mut self, park: Duration) -> Self {
        self.park = park;
        self
    }

    /// Where it takes the time from. The machine unless said otherwise.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Where it takes chance from. The operating system unless said otherwise.
    pub fn random(mut self, random: impl Random) -> Self {
        self.random = Arc::new(random);
        self
    }

    /// Who is told what happens.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// Starts it on the current tokio runtime. What is in the way of a start is told by
    /// [`Runner::stopped`]. Waits for the disk if the spool is a directory.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(self) -> Runner {
        let (runner, serving) = self.build();
        runner.tracker.spawn(serving.serve());
        runner.tracker.close();
        runner
    }

    /// Starts it on a thread and runtime of its own, so that a host whose runtime is busy or blocked
    /// cannot starve it of the syncs that keep its leases. Executors run on that thread too.
    ///
    /// # Errors
    /// [`Error::Thread`] when the system gives no thread or no timer.
    pub fn start_on_own_thread(self) -> Result<Runner, Error> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Thread)?;
        let (runner, serving) = self.build();
        let served = runner.tracker.track_future(serving.serve());
        runner.tracker.close();
        let name = "runner".to_owned();
        let thread = std::thread::Builder::new().name(name).spawn(move || runtime.block_on(served));
        thread.map_err(Error::Thread)?;
        Ok(runner)
    }

    fn build(self) -> (Runner, Serving) {
        let mut facts = Facts {
            name: self.name,
            kinds: self.executors.kinds().map(str::to_owned).collect(),
            labels: self.labels,
            slots: self.slots,
            program: self.program,
            protocol: Facts::PROTOCOL,
            ..Facts::default()
        };
        self.facts.describe(&mut facts);
        let booted = self.spool.boot();
        let incarnation =
            Incarnation { boots: *booted.as_ref().unwrap_or(&0), random: number(&*self.random) };
        let pacing = Pacing::new(self.park);
        let mut session = Session::new(incarnation, facts, pacing, self.spool.finishes());
        if let Err(error) = booted {
            session.end(ExitReason::Unstarted { problem: Error::from(error).with_causes() });
        }
        let notices = Arc::new(NoticeLog::new(self.observer, self.clock.clone()));
        let shared = Arc::new(Shared::new(session, self.clock));
        let responders = built_in(self.responders, &shared, self.facts, notices.clone());
        let (exit, exited) = watch::channel(None);
        let kill = CancellationToken::new();
        let serving = Serving::new(Parts {
            shared: shared.clone(),
            transport: self.transport,
            executors: self.executors,
            responders,
            artifacts: self.artifacts,
            spool: self.spool,
            random: self.random,
            observer: notices,
            kill: kill.clone(),
            exit,
        });
        (Runner { shared, exit: exited, kill, tracker: TaskTracker::new() }, serving)
    }
}
