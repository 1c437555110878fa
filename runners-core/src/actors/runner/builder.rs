//! How a runner is described and started.

use super::{
    ExitReason, Runner,
    diagnostics::{NoticeLog, built_in},
    execution::Outfit,
    hooks::Hooks,
    measures::Measures,
    pacing::{PARK, Pacing},
    serve::{Parts, Serving, Shared},
    session::{Session, Tenure},
    show::Shows,
};
#[cfg(feature = "checks")]
use crate::seams::checks::CheckCommands;
use crate::{
    actors::{artifacts::TenantArtifacts, error::Error, spool::Spool},
    rules::signature::SignaturePolicy,
    seams::{
        artifact::ArtifactStore,
        clock::{Clock, SystemClock},
        executor::{ErasedExecutor, Executor, Executors},
        facts::{FactsSource, SystemFacts},
        metrics::{Metrics, NoMetrics},
        observer::{NoObserver, Observer},
        random::{Random, SystemRandom, number},
        relay::Relay,
        responder::{ErasedResponder, Responder, Responders},
        secrets::SecretSource,
        traces::{NoTraces, Traces},
        transport::Transport,
    },
    values::{
        command::Command,
        id::TenantId,
        runner::{Facts, Incarnation},
        signature::VerifyingKey,
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
    relay: Option<Arc<dyn Relay>>,
    signatures: SignaturePolicy,
    secrets: Vec<Arc<dyn SecretSource>>,
    #[cfg(feature = "checks")]
    checks: Option<Arc<dyn CheckCommands>>,
    pub(super) hooks: Hooks,
    single_use: bool,
    idle_exit: Option<Duration>,
    park: Duration,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    observer: Arc<dyn Observer>,
    metrics: Arc<dyn Metrics>,
    traces: Arc<dyn Traces>,
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
            relay: None,
            signatures: SignaturePolicy::default(),
            secrets: Vec::new(),
            #[cfg(feature = "checks")]
            checks: None,
            hooks: Hooks::default(),
            single_use: false,
            idle_exit: None,
            park: PARK,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            observer: Arc::new(NoObserver),
            metrics: Arc::new(NoMetrics),
            traces: Arc::new(NoTraces),
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

    /// The source of facts on its machine. [`SystemFacts`] unless said otherwise.
    pub fn facts(mut self, facts: impl FactsSource) -> Self {
        self.facts = Arc::new(facts);
        self
    }

    /// Where it keeps results until the control plane has recorded them. In memory unless said otherwise: a
    /// crash then loses them, and their jobs are tried again.
    pub fn spool(mut self, spool: Spool) -> Self {
        self.spool = spool;
        self
    }

    /// Where artifacts go, and whose they are. Nowhere unless said otherwise: attaching then fails.
    pub fn artifacts(mut self, tenant: TenantId, store: impl ArtifactStore) -> Self {
        self.artifacts = Some(TenantArtifacts { tenant, store: Arc::new(store) });
        self
    }

    /// The way to the relay, over which attempts [show](crate::Attempt::show) what they do. None unless said
    /// otherwise: nobody can look then.
    pub fn relay(mut self, relay: impl Relay) -> Self {
        self.relay = Some(Arc::new(relay));
        self
    }

    /// Trusts keys, each to sign jobs for one tenant. Once it trusts any, a job that bears a signature
    /// must bear a good one.
    pub fn trust(mut self, keys: impl IntoIterator<Item = (TenantId, VerifyingKey)>) -> Self {
        self.signatures.keys.extend(keys);
        self
    }

    /// Adds names of pools and environments for which it accepts signed jobs: a job that is signed for none of
    /// them is refused. There are none at first, so a runner that [trusts](Self::trust) a key needs at least
    /// the name of its pool.
    pub fn audience<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.signatures.audience.extend(names.into_iter().map(Into::into));
        self
    }

    /// Executes nothing but jobs that are signed by a key it [trusts](Self::trust) for their tenant,
    /// meant for its [audience](Self::audience), and within their time. Any other job errs with the
    /// fault `signature`, which is not tried again.
    ///
    /// So neither the operator of the control plane, nor anybody who can write to its store, can make this
    /// runner execute what the tenant did not submit, change a job's payload or options, or use it for another
    /// audience. They can still withhold a job, or repeat it until it expires: work that must not be done
    /// twice has to check that itself. They see payloads, logs, results and the names of secrets, and can
    /// report false results to others.
    pub const fn demand_signatures(mut self) -> Self {
        self.signatures.demanded = true;
        self
    }

    /// Adds a source of the secrets that jobs name. Sources are asked in the order in which they were added,
    /// until one knows the secret. Without any, a job that names a secret ends with a fault.
    ///
    /// Values are redacted in logs, progress and faults before these leave the runner: in plain, JSON,
    /// percent-encoded and base64 form. They are not redacted in results and artifacts, which are the
    /// executor's, nor in other encodings, nor where an executor puts text of its own between their parts.
    /// Unless signatures are [demanded](Self::demand_signatures), the operator of the control plane can make
    /// up a job that names any secret.
    pub fn secrets(mut self, source: impl SecretSource) -> Self {
        self.secrets.push(Arc::new(source));
        self
    }

    /// Resolves, for a job that asks for a check by its name, also the [secrets](Self::secrets) that this check
    /// needs according to `checks`: the submitter need not name them, since the check is this runner's own.
    /// Mind that the submitter chooses the page that such a check looks at.
    #[cfg(feature = "checks")]
    pub fn check_secrets(mut self, checks: impl CheckCommands) -> Self {
        self.checks = Some(Arc::new(checks));
        self
    }

    /// Lets it take one job in its life: it executes and reports the job, deregisters itself, which revokes
    /// its credential, and ends with [`ExitReason::Deregistered`]. It has one slot, whatever
    /// [`slots`](Self::slots) says. The job counts once it is taken, however it ends; with a spool in a
    /// directory, also over a crash. A runner that leaves without having had a job deregisters itself too.
    pub const fn single_use(mut self) -> Self {
        self.single_use = true;
        self
    }

    /// Lets it leave once it has had nothing to do for `span` while it was serving, and the control plane has
    /// acknowledged that. It stays registered, unless it is for a [single use](Self::single_use).
    pub const fn idle_exit(mut self, span: Duration) -> Self {
        self.idle_exit = Some(span);
        self
    }

    /// How long its requests may be held back while there is nothing to say. 20 seconds unless
    /// said otherwise, at most [`SyncRequest::PARK_MAX`](crate::protocol::SyncRequest::PARK_MAX).
    pub fn park_for(mut self, park: Duration) -> Self {
        self.park = park;
        self
    }

    /// Takes time from `clock`. The machine's unless said otherwise.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Takes chance from `random`. The operating system's unless said otherwise.
    pub fn random(mut self, random: impl Random) -> Self {
        self.random = Arc::new(random);
        self
    }

    /// Tells `observer` what happens.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// Joins attempts with the traces that their jobs carry. None are carried unless said
    /// otherwise.
    pub fn traces(mut self, traces: impl Traces) -> Self {
        self.traces = Arc::new(traces);
        self
    }

    /// Measures to `metrics`. Nothing is measured unless said otherwise.
    pub fn metrics(mut self, metrics: impl Metrics) -> Self {
        self.metrics = Arc::new(metrics);
        self
    }

    /// Starts it on the current tokio runtime. If it cannot start, [`Runner::stopped`] says why. Waits for the
    /// disk if the spool is a directory.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(self) -> Runner {
        self.spawn(|_| {})
    }

    /// Starts as [`start`](Self::start) does, and takes nothing until [`Runner::resume`].
    pub fn start_paused(self) -> Runner {
        self.spawn(Runner::pause)
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
        let thread = std::thread::Builder::new().name("runner".to_owned());
        thread.spawn(move || runtime.block_on(served)).map_err(Error::Thread)?;
        Ok(runner)
    }

    fn spawn(self, before: impl FnOnce(&Runner)) -> Runner {
        let (runner, serving) = self.build();
        before(&runner);
        runner.tracker.spawn(serving.serve());
        runner.tracker.close();
        runner
    }

    fn build(self) -> (Runner, Serving) {
        let mut facts = Facts {
            name: self.name,
            kinds: self.executors.kinds().map(str::to_owned).collect(),
            labels: self.labels,
            slots: if self.single_use { 1 } else { self.slots },
            program: self.program,
            protocol: Facts::PROTOCOL,
            ..Facts::default()
        };
        self.facts.describe(&mut facts);
        let booted = self.spool.boot();
        let incarnation =
            Incarnation { boots: *booted.as_ref().unwrap_or(&0), random: number(&*self.random) };
        let pacing = Pacing::new(self.park);
        let tenure = Tenure::new(self.single_use, self.idle_exit, self.spool.was_used());
        let mut session = Session::new(incarnation, facts, pacing, self.spool.finishes()).with_tenure(tenure);
        if let Err(error) = booted {
            session.end(ExitReason::Unstarted { problem: Error::from(error).with_causes() });
        }
        let notices = Arc::new(NoticeLog::new(self.observer, self.clock.clone()));
        let measures = Measures::new(self.metrics, self.traces);
        let shows = Shows::new(self.relay, self.clock.clone(), self.random.clone(), measures.clone());
        let shared = Arc::new(Shared::new(session, self.clock, shows));
        let responders = built_in(self.responders, &shared, self.facts, notices.clone());
        let (exit, exited) = watch::channel(None);
        let kill = CancellationToken::new();
        let serving = Serving::new(Parts {
            shared: shared.clone(),
            transport: self.transport,
            executors: self.executors,
            responders,
            observer: notices,
            outfit: Outfit {
                artifacts: self.artifacts,
                signatures: self.signatures,
                secrets: self.secrets,
                #[cfg(feature = "checks")]
                checks: self.checks,
                hooks: self.hooks,
                single_use: self.single_use.then(|| self.spool.clone()),
            },
            spool: self.spool,
            random: self.random,
            measures,
            kill: kill.clone(),
            exit,
        });
        (Runner { shared, exit: exited, kill, tracker: TaskTracker::new() }, serving)
    }
}
