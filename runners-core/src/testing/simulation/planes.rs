//! The control planes of a simulation: started, crashed and stopped, and the way to them.

use super::{
    checker::{Checker, PlaneWitness},
    machine::Machine,
};
use crate::{
    actors::control_plane::ControlPlane,
    seams::{
        artifact::memory::MemoryArtifacts,
        clock::{Clock, sleep},
        store::Store as _,
        transport::{Transport, TransportError},
    },
    testing::{random::SeededRandom, store::FaultyStore},
    values::{
        fleet::retention::Retention,
        id::RunnerId,
        principal::Principal,
        reply::Reply,
        request::Request,
        sync::SyncRequest,
        time::{BootTime, Timestamp},
    },
};
use async_trait::async_trait;
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long things last in a simulation: short, so that a term is soon over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spans {
    pub(super) term: Duration,
    pub(super) start_within: Duration,
    pub(super) park: Duration,
    /// How far from each other control planes know the time of a store that has a clock.
    pub(super) apart: Duration,
}

/// The control planes of a simulation, on one store.
pub(super) struct Planes {
    nodes: Vec<Node>,
    store: FaultyStore,
    random: SeededRandom,
    checker: Checker,
    spans: Spans,
    retention: Retention,
    pub(super) artifacts: MemoryArtifacts,
    stopping: TaskTracker,
}

struct Node {
    machine: Machine,
    up: Mutex<Option<Up>>,
    /// Held by whoever starts it: there is one of it at a time.
    starting: tokio::sync::Mutex<()>,
}

/// A control plane that is up.
#[derive(Clone)]
struct Up {
    control: ControlPlane,
    store: FaultyStore,
    crashed: CancellationToken,
}

/// A shared clock as one control plane knows it.
#[derive(Clone, Debug)]
struct Apart {
    shared: Arc<dyn Clock>,
    millis: i64,
}

/// How far from it one is, by a chance from 0 to 1: half of what two may be apart, before it or after.
#[expect(clippy::cast_possible_truncation, reason = "it is a part of a term")]
fn apart_millis(chance: f64, apart: Duration) -> i64 {
    (apart.as_secs_f64() * 1_000.0 * (chance - 0.5)) as i64
}

#[async_trait]
impl Clock for Apart {
    fn wall(&self) -> Timestamp {
        Timestamp::from_millis(self.shared.wall().as_millis().saturating_add_signed(self.millis))
    }

    fn boot(&self) -> BootTime {
        self.shared.boot()
    }

    async fn sleep_until(&self, deadline: BootTime) {
        self.shared.sleep_until(deadline).await;
    }
}

/// How long an artifact is kept that nothing names.
const ARTIFACT_GRACE: Duration = Duration::from_secs(40);
/// How long a control plane that could not start waits.
const START_AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Planes {
    pub(super) fn new(
        count: usize,
        store: FaultyStore,
        random: SeededRandom,
        checker: Checker,
        spans: Spans,
        kept_for: Option<Duration>,
    ) -> Self {
        let retention = Retention { concluded_for: kept_for, ..Retention::FOREVER };
        let node =
            || Node { machine: Machine::new(), up: Mutex::new(None), starting: tokio::sync::Mutex::new(()) };
        let nodes = (0..count).map(|_| node()).collect();
        let artifacts = MemoryArtifacts::default();
        Self { nodes, store, random, checker, spans, retention, artifacts, stopping: TaskTracker::new() }
    }

    pub(super) const fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn machine(&self, plane: usize) -> &Machine {
        &self.nodes[plane].machine
    }

    pub(super) fn is_up(&self, plane: usize) -> bool {
        self.nodes[plane].up().is_some()
    }

    pub(super) fn control(&self, plane: usize) -> Option<ControlPlane> {
        self.nodes[plane].up().as_ref().map(|up| up.control.clone())
    }

    /// Any control plane that is up.
    pub(super) fn any(&self) -> Option<ControlPlane> {
        (0..self.len()).find_map(|plane| self.control(plane))
    }

    /// Starts a control plane that is down, as often as it takes.
    pub(super) async fn start(&self, plane: usize) {
        let node = &self.nodes[plane];
        let _starting = node.starting.lock().await;
        while node.up().is_none() {
            if self.len() == 1 {
                // A store with one owner has no other before the last one is gone, with all that was on its way.
                self.store.settled().await;
            }
            let mut store = self.store.handle();
            if let Some(shared) = store.clock().filter(|_| !self.spans.apart.is_zero()) {
                let millis = apart_millis(self.random.unit(), self.spans.apart);
                store = store.with_clock(Apart { shared, millis });
            }
            let control = ControlPlane::builder(store.clone())
                .clock(node.machine.clone())
                .random(self.random.fork())
                .artifacts(self.artifacts.clone())
                .artifact_grace(ARTIFACT_GRACE)
                .retention(self.retention)
                .observer(PlaneWitness { checker: self.checker.clone(), plane })
                .term(self.spans.term)
                .start_within(self.spans.start_within)
                .park_max(self.spans.park)
                .start()
                .await;
            match control {
                Ok(control) => {
                    self.checker.trace(None, format_args!("plane {plane} is up"));
                    *node.up() = Some(Up { control, store, crashed: CancellationToken::new() });
                }
                Err(_) => sleep(&node.machine, START_AGAIN_AFTER).await,
            }
        }
    }

    /// Crashes a control plane: what it was asked and what it asked of the store fails, and what
    /// is on its way to the store arrives or not.
    pub(super) fn crash(&self, plane: usize) {
        let Some(up) = self.nodes[plane].up().take() else { return };
        self.checker.trace(None, format_args!("plane {plane} crashes"));
        up.crashed.cancel();
        up.store.crash();
        self.stopping.spawn(async move { drop(up.control.stop().await) });
    }

    /// Stops a control plane in order, and ends its process, with the calls that are still under way in it.
    pub(super) async fn stop(&self, plane: usize) {
        let up = self.nodes[plane].up().clone();
        if let Some(up) = up {
            self.checker.trace(None, format_args!("plane {plane} stops"));
            drop(up.control.stop().await);
            self.nodes[plane].up().take();
            up.crashed.cancel();
            up.store.crash();
        }
    }

    /// Stops all that are up, and joins those that crashed.
    pub(super) async fn end(&self) {
        for plane in 0..self.len() {
            self.stop(plane).await;
        }
        self.stopping.close();
        self.stopping.wait().await;
    }

    async fn call(
        &self,
        plane: usize,
        caller: &Principal,
        request: Request,
    ) -> Result<Reply, TransportError> {
        let node = &self.nodes[plane];
        node.machine.awake().await;
        let up = node.up().clone();
        let Some(up) = up else { return Err(TransportError::Unreachable("it is down".into())) };
        let caller = up.control.caller(caller.clone());
        let reply = tokio::select! {
            biased;
            () = up.crashed.cancelled() => Err(TransportError::Unreachable("it crashed".into())),
            reply = caller.call(request) => reply,
        };
        node.machine.awake().await;
        reply
    }
}

impl fmt::Debug for Planes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Planes").field("count", &self.nodes.len()).finish_non_exhaustive()
    }
}

impl Node {
    fn up(&self) -> MutexGuard<'_, Option<Up>> {
        self.up.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way from one caller to the control planes: to the same one for as long as it answers.
#[derive(Clone, Debug)]
pub(super) struct Route {
    planes: Arc<Planes>,
    caller: Principal,
    checker: Checker,
    random: SeededRandom,
    home: Arc<Mutex<usize>>,
}

/// How often a caller takes another control plane for no reason.
const WANDERS: f64 = 0.02;

impl Route {
    pub(super) fn new(
        planes: Arc<Planes>,
        caller: Principal,
        checker: Checker,
        random: SeededRandom,
    ) -> Self {
        Self { planes, caller, checker, random, home: Arc::default() }
    }

    fn choose(&self) -> usize {
        let mut home = self.home.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.planes.is_up(*home) || self.random.unit() < WANDERS {
            *home = (*home + 1) % self.planes.len();
        }
        *home
    }

    const fn runner(&self) -> Option<RunnerId> {
        match self.caller {
            Principal::Runner { runner, .. } => Some(runner),
            _ => None,
        }
    }

    async fn sync(
        &self,
        plane: usize,
        runner: RunnerId,
        request: Box<SyncRequest>,
    ) -> Result<Reply, TransportError> {
        let before = self.checker.incarnation(runner);
        self.checker.arrives(runner, plane, &request);
        let _leaves = Leaves { checker: &self.checker, runner, seq: request.seq };
        let reply = self.planes.call(plane, &self.caller, Request::Sync(request.clone())).await;
        if let Ok(reply) = &reply {
            self.checker.replies(runner, before, &request, reply);
        }
        reply
    }
}

#[async_trait]
impl Transport for Route {
    async fn call(&self, request: Request) -> Result<Reply, TransportError> {
        let plane = self.choose();
        match (request, self.runner()) {
            (Request::Sync(request), Some(runner)) => self.sync(plane, runner, request).await,
            (request, _) => self.planes.call(plane, &self.caller, request).await,
        }
    }
}

/// Notes that a request is not parked any more, however it ends.
struct Leaves<'a> {
    checker: &'a Checker,
    runner: RunnerId,
    seq: u64,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.checker.leaves(self.runner, self.seq);
    }
}
