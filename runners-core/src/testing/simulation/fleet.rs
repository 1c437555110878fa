//! The runners of a simulation: machines that are started, killed and started again, whose spool
//! survives.

use super::{
    checker::{Checker, RunnerWitness},
    machine::Machine,
    planes::{Planes, Route, Spans},
    work::{Echo, Watched},
};
use crate::{
    actors::{
        runner::{ExitReason, Runner},
        spool::Spool,
    },
    seams::{
        executor::ErasedExecutor,
        transport::{Transport, TransportError},
    },
    testing::{
        random::SeededRandom,
        transport::{Faults, FaultyTransport},
    },
    values::{
        id::{PoolId, RunnerId, TenantId},
        principal::Principal,
        reply::Reply,
        request::Request,
    },
};
use async_trait::async_trait;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A runner of a simulation, and what decides on its jobs.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) id: RunnerId,
    pub(super) tenant: TenantId,
    pub(super) labels: BTreeSet<String>,
    pub(super) pool: PoolId,
    pub(super) pool_name: &'static str,
}

/// The pool of most runners.
pub(super) const DEFAULT_POOL: &str = "default";
/// The pool of those that others fall back to.
pub(super) const SPARE_POOL: &str = "spare";
/// The id of [`SPARE_POOL`].
pub(super) const SPARE: PoolId = PoolId::from_bytes([0x5a; 16]);

/// The pool of the operator that guests share.
pub(super) const SHARED_POOL: &str = "shared";
/// The id of [`SHARED_POOL`].
pub(super) const SHARED: PoolId = PoolId::from_bytes([0x5b; 16]);

impl Member {
    /// Every runner, of which the last ones are the operator's, and those before them are spare.
    pub(super) fn all(runners: u8, spare: u8, hosted: u8) -> Vec<Self> {
        let own = runners.saturating_sub(hosted);
        let member = |number: u8| {
            let (tenant, pool, pool_name) = if number > own {
                (TenantId::OPERATOR, SHARED, SHARED_POOL)
            } else if number > own.saturating_sub(spare) {
                (TenantId::DEFAULT, SPARE, SPARE_POOL)
            } else {
                (TenantId::DEFAULT, PoolId::DEFAULT, DEFAULT_POOL)
            };
            let parity = if number.is_multiple_of(2) { "even" } else { "odd" };
            let labels = [parity.to_owned()].into();
            Self { id: RunnerId::from_bytes([number; 16]), tenant, labels, pool, pool_name }
        };
        (1..=runners).map(member).collect()
    }
}

/// Makes the executors of one start of a runner.
pub(super) type Executors =
    Arc<dyn Fn(&Machine, &Checker) -> BTreeMap<String, Arc<dyn ErasedExecutor>> + Send + Sync>;

/// A runner over all its starts.
pub(super) struct RunnerNode {
    pub(super) id: RunnerId,
    pub(super) member: Member,
    pub(super) machine: Machine,
    pub(super) network: FaultyTransport,
    /// Held by whoever starts, stops or kills it.
    pub(super) hands: tokio::sync::Mutex<()>,
    slots: u32,
    spool: Spool,
    random: SeededRandom,
    checker: Checker,
    executors: Executors,
    spans: Spans,
    up: Mutex<Option<(Runner, Arc<RunnerWitness>)>>,
}

/// What all runners of a simulation have in common.
pub(super) struct Common {
    pub(super) planes: Arc<Planes>,
    pub(super) world: Machine,
    pub(super) checker: Checker,
    pub(super) executors: Executors,
    pub(super) faults: Faults,
    pub(super) slots: u32,
    pub(super) spans: Spans,
}

impl RunnerNode {
    pub(super) fn new(member: Member, common: &Common, random: &SeededRandom) -> Self {
        let id = member.id;
        let caller = Principal::Runner { tenant: member.tenant, pool: member.pool, runner: id };
        let checker = common.checker.clone();
        let route = Route::new(common.planes.clone(), caller, checker.clone(), random.fork());
        let network = FaultyTransport::new(route, common.world.clone(), random.fork(), common.faults.clone())
            .with_term(common.spans.term);
        Self {
            id,
            member,
            machine: Machine::new(),
            network,
            hands: tokio::sync::Mutex::new(()),
            slots: common.slots,
            spool: used_spool(),
            random: random.fork(),
            checker,
            executors: common.executors.clone(),
            spans: common.spans,
            up: Mutex::new(None),
        }
    }

    /// The runner as it was last started.
    pub(super) fn runner(&self) -> Option<Runner> {
        self.up().as_ref().map(|(runner, _)| runner.clone())
    }

    pub(super) fn exit(&self) -> Option<ExitReason> {
        self.runner().and_then(|runner| runner.snapshot().exit)
    }

    /// Starts it, in the place of any earlier start.
    pub(super) fn start(&self) {
        self.checker.trace(None, format_args!("{} starts", self.id));
        let started = self.start_with(self.spool.clone(), &self.executors);
        *self.up() = Some(started);
    }

    /// Starts a copy of it that has lost its state: an earlier incarnation, to be displaced.
    pub(super) fn start_copy(&self) -> Runner {
        self.checker.trace(None, format_args!("a copy of {} starts", self.id));
        self.start_with(Spool::memory(), &self.executors).0
    }

    fn start_with(&self, spool: Spool, executors: &Executors) -> (Runner, Arc<RunnerWitness>) {
        let witness = Arc::new(RunnerWitness {
            checker: self.checker.clone(),
            runner: self.id,
            drained: Mutex::new(false),
        });
        let card = NetworkCard { network: self.network.clone(), machine: self.machine.clone() };
        let mut builder = Runner::builder(card)
            .name(self.id.to_string())
            .slots(self.slots)
            .labels(self.member.labels.iter().cloned())
            .spool(spool)
            .park_for(self.spans.park)
            .clock(self.machine.clone())
            .random(self.random.fork())
            .observer(witness.clone());
        let echoes = self.random.fork();
        builder = builder.responder(move |_: Echo| {
            let number = echoes.number();
            async move { Ok(number) }
        });
        for (kind, inner) in executors(&self.machine, &self.checker) {
            let (checker, machine) = (self.checker.clone(), self.machine.clone());
            builder = builder.named(kind, Watched { inner, checker, machine, runner: self.id });
        }
        (builder.start(), witness)
    }

    pub(super) async fn kill(&self) {
        if let Some(runner) = self.runner() {
            self.checker.trace(None, format_args!("{} is killed", self.id));
            runner.kill();
            runner.stopped().await;
        }
    }

    pub(super) fn pause(&self) {
        if let Some(runner) = self.runner() {
            self.checker.trace(None, format_args!("{} is paused", self.id));
            runner.pause();
        }
    }

    pub(super) fn resume(&self) {
        if let Some((runner, witness)) = &*self.up() {
            self.checker.trace(None, format_args!("{} is resumed", self.id));
            witness.resumed();
            runner.resume();
        }
    }

    fn up(&self) -> MutexGuard<'_, Option<(Runner, Arc<RunnerWitness>)>> {
        self.up.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for RunnerNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunnerNode").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The spool of a runner that was started before, so that a copy without its state is an earlier
/// start, and not a later one. A later start has whatever an earlier one holds released at once: it
/// says that the earlier one is dead.
fn used_spool() -> Spool {
    let spool = Spool::memory();
    spool.boot().expect("a spool in memory counts");
    spool
}

/// Nothing reaches a machine that is suspended.
#[derive(Debug)]
struct NetworkCard {
    network: FaultyTransport,
    machine: Machine,
}

#[async_trait]
impl Transport for NetworkCard {
    async fn call(&self, request: Request) -> Result<Reply, TransportError> {
        let reply = self.network.call(request).await;
        self.machine.awake().await;
        reply
    }
}
