//! A simulated world: control planes on one store, runners, users, and the network between them.

use super::{
    audit::Audit,
    chaos::{Chaos, strike},
    checker::Checker,
    explained::Free,
    fleet::{Common, Executors, Member, RunnerNode},
    guests::{principal_of, tenants},
    machine::Machine,
    pairs::{PAIR_EVERY, Pairs},
    planes::{Planes, Route, Spans},
    reader::Readers,
    workload::{Planned, Submitter},
};
use crate::{
    ControlPlane, Management,
    seams::{
        clock::{Clock as _, sleep},
        store::Store,
    },
    testing::{
        random::SeededRandom,
        store::{FaultyStore, StoreFaults},
        transport::{Faults, FaultyTransport},
    },
    values::{
        id::{JobId, TenantId},
        principal::Principal,
        runner::Mode,
    },
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio_util::task::TaskTracker;

/// A simulated world.
pub(super) struct World {
    pub(super) clock: Machine,
    pub(super) checker: Checker,
    pub(super) store: FaultyStore,
    pub(super) planes: Arc<Planes>,
    pub(super) runners: Vec<RunnerNode>,
    pub(super) spans: Spans,
    /// How long ended jobs are kept; for ever unless given.
    pub(super) kept_for: Option<Duration>,
    /// How long the network keeps a request at most.
    pub(super) delay_max: Duration,
    /// Submitters and strokes.
    pub(super) duties: TaskTracker,
    shared_wall: Option<Machine>,
    pub(super) kinds: Vec<String>,
    /// How each tenant, and the operator, reaches the control planes.
    users: BTreeMap<TenantId, FaultyTransport>,
    pub(super) audit: Audit,
    pub(super) jobs: Vec<Planned>,
}

/// What a world is made of.
pub(super) struct Plan {
    pub(super) planes: usize,
    pub(super) members: Vec<Member>,
    pub(super) slots: u32,
    pub(super) spans: Spans,
    pub(super) kept_for: Option<Duration>,
    pub(super) chaos: Chaos,
    /// An empty store, which nothing goes wrong with.
    pub(super) store: Arc<dyn Store>,
    pub(super) executors: Executors,
    pub(super) jobs: Vec<Planned>,
}

/// How often the checker looks at what is live.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often it looks at the store.
const AUDIT_EVERY: u32 = 20;
/// How long after everything is well the time from ready to granted is measured.
const CALM_AFTER: Duration = Duration::from_secs(30);
/// Within which time every job has ended after everything is well.
const END_WITHIN: Duration = Duration::from_secs(1500);
/// How long it takes at most until everything that was told can be read: by the only control plane, which waits
/// for commits that it gave up, and by one of several, which refuses them.
const SETTLE: Duration = Duration::from_secs(12);
const SETTLE_SHARED: Duration = Duration::from_secs(3);
/// Within which time every runner has left.
const LEAVE_WITHIN: Duration = Duration::from_secs(60);

impl World {
    pub(super) fn new(plan: Plan, checker: Checker, clock: Machine, random: &SeededRandom) -> Arc<Self> {
        let whole = plan.store;
        let mut store =
            FaultyStore::new(Arc::clone(&whole), clock.clone(), random.fork(), plan.chaos.store.clone());
        // Several control planes must agree on the time that is stored.
        let shared_wall = (plan.planes > 1).then(Machine::new);
        store = match &shared_wall {
            Some(wall) => store.with_clock(wall.clone()),
            None => store.silent(),
        };
        let (spans, kept_for) = (plan.spans, plan.kept_for);
        let planes = Planes::new(plan.planes, store.clone(), random.fork(), checker.clone(), spans, kept_for);
        let planes = Arc::new(planes);
        let kinds = (plan.executors)(&clock, &checker).into_keys().collect();
        let common = Common {
            planes: planes.clone(),
            world: clock.clone(),
            checker: checker.clone(),
            executors: plan.executors,
            faults: plan.chaos.network.clone(),
            slots: plan.slots,
            spans,
        };
        let artifacts = planes.artifacts.clone();
        let audit = Audit::new(whole, artifacts, checker.clone(), &plan.jobs, &plan.members, spans.apart);
        let runners =
            plan.members.into_iter().map(|member| RunnerNode::new(member, &common, random)).collect();
        let user = |tenant: TenantId| {
            let route = Route::new(planes.clone(), principal_of(tenant), checker.clone(), random.fork());
            let faults = plan.chaos.network.clone();
            let network = FaultyTransport::new(route, clock.clone(), random.fork(), faults);
            (tenant, network.with_term(spans.term))
        };
        let users = tenants().chain([TenantId::OPERATOR]).map(user).collect();
        Arc::new(Self {
            clock,
            checker,
            store,
            planes,
            runners,
            spans,
            kept_for,
            delay_max: plan.chaos.network.delay_max,
            duties: TaskTracker::new(),
            shared_wall,
            kinds,
            users,
            audit,
            jobs: plan.jobs,
        })
    }

    /// The machine whose wall clock is stored.
    pub(super) fn wall(&self) -> &Machine {
        self.shared_wall.as_ref().unwrap_or_else(|| self.planes.machine(0))
    }

    /// Lives through the chaos, and until everything has come to its end.
    pub(super) async fn live(
        self: &Arc<Self>,
        chaos: &Chaos,
        random: &SeededRandom,
    ) -> BTreeMap<JobId, crate::Conclusion> {
        self.audit.make_pools(random.unit() < 0.5).await;
        self.audit.invite_guests().await;
        for plane in 0..self.planes.len() {
            self.planes.start(plane).await;
        }
        self.runners.iter().for_each(RunnerNode::start);
        self.submit_all();
        let readers = Readers::of(&self.jobs);
        let (asks, reads) = (random.fork(), random.fork());
        let all = async {
            tokio::select! {
                biased;
                () = strike(self, chaos, random) => {}
                () = self.look() => {}
                () = self.look_at_pairs(chaos) => {}
                () = self.ask_why(&asks) => {}
            }
            self.calm(chaos).await;
            self.end(chaos).await;
            self.leave().await;
            self.check_gone().await;
            let settle = if self.shared_wall.is_some() { SETTLE_SHARED } else { SETTLE };
            sleep(&self.clock, settle).await;
        };
        tokio::select! {
            biased;
            () = all => {}
            () = readers.follow(self, &reads) => {}
        }
        self.planes.end().await;
        self.audit.check_counters().await;
        self.audit.check_read(&readers, self.planes.len()).await;
        if self.is_orderly(chaos) {
            self.audit.check_turns(&readers, &self.jobs);
        }
        self.audit.check_end().await
    }

    pub(super) fn submitter(&self, tenant: TenantId) -> Submitter<FaultyTransport, Machine> {
        let transport = self.users[&tenant].clone();
        let (clock, checker) = (self.clock.clone(), self.checker.clone());
        Submitter { transport, clock, checker, kept_for: self.kept_for }
    }

    /// One of the jobs, drawn.
    pub(super) fn any_job(&self, random: &SeededRandom) -> Option<&Planned> {
        let at = (random.number() as usize).checked_rem(self.jobs.len())?;
        self.jobs.get(at)
    }

    /// Looks at what is live, and now and then at the store.
    async fn look(&self) {
        for round in 0u32.. {
            sleep(&self.clock, LOOK_EVERY).await;
            self.checker.check_live();
            self.check_broken();
            if round.is_multiple_of(AUDIT_EVERY) {
                self.audit.check_counters().await;
            }
        }
    }

    /// The control planes never ask the store for what is no batch.
    fn check_broken(&self) {
        if self.store.counts().broken > 0 {
            self.checker.violate("no batch is malformed", None, "the store refused one");
        }
    }

    /// Makes everything well again.
    async fn calm(&self, chaos: &Chaos) {
        self.checker.trace(None, "all is well from now on");
        self.store.set(StoreFaults::none());
        self.store.heal();
        for network in self.runners.iter().map(|runner| &runner.network).chain(self.users.values()) {
            network.set(Faults { delay: chaos.network.delay, ..Faults::none() });
            network.heal();
        }
        for plane in 0..self.planes.len() {
            self.planes.start(plane).await;
        }
        for at in 0..self.runners.len() {
            let node = &self.runners[at];
            let _hands = node.hands.lock().await;
            self.let_serve(at).await;
            node.resume();
            if node.exit().is_some() {
                node.start();
            }
        }
    }

    /// Takes back whatever an operator wanted of a runner, as often as it takes.
    pub(super) async fn let_serve(&self, at: usize) {
        let (runner, tenant) = (self.runners[at].id, self.runners[at].member.tenant);
        loop {
            if let Some(control) = self.planes.any() {
                let management = operator_of(&control, tenant);
                let mode = management.set_mode(runner, Mode::Serve).await;
                let slots = management.set_slots(runner, None).await;
                // A runner that never arrived is not known, and nothing is wanted of it.
                let done =
                    |done: &Result<(), crate::Error>| matches!(done, Ok(()) | Err(crate::Error::Refused(_)));
                if done(&mode) && done(&slots) {
                    return;
                }
            }
            sleep(&self.clock, Duration::from_secs(1)).await;
        }
    }

    /// Waits until every job has ended. Meanwhile an eligible job and a free slot do not coexist.
    async fn end(&self, chaos: &Chaos) {
        let from = self.clock.boot();
        let calm_from = from + chaos.network.delay_max + CALM_AFTER;
        let (mut pairs, mut free) = (Pairs::default(), Free::default());
        let mut are_open = true;
        for round in 0u32.. {
            sleep(&self.clock, PAIR_EVERY).await;
            let now = self.clock.boot();
            if are_open && now > calm_from {
                pairs.check(self, now).await;
                free.check(self, now).await;
            }
            if round.is_multiple_of(AUDIT_EVERY) {
                self.check_broken();
                self.checker.check_live();
            }
            if !round.is_multiple_of(AUDIT_EVERY * 10) {
                continue;
            }
            self.audit.check_counters().await;
            let open = self.audit.open().await;
            are_open = !open.is_empty();
            // A submit that the network has delayed may yet make a job.
            let settled = !self.may_come_late() || now > from + chaos.network.delay_max;
            let is_kept = self.audit.is_sealed().await && self.audit.is_counted().await;
            if settled && open.is_empty() && self.duties.is_empty() && is_kept {
                return;
            }
            if now > from + END_WITHIN {
                let Some(job) = open.first() else {
                    let (duties, sealed) = (self.duties.len(), self.audit.is_sealed().await);
                    let (doings, counted) = (self.checker.doings(), self.audit.is_counted().await);
                    let detail = format!(
                        "{doings:?} goes on, {duties} under way, logs sealed: {sealed}, artifacts counted: {counted}"
                    );
                    self.checker.violate("what a user or a stroke does comes to an end", None, detail);
                    return std::future::pending().await;
                };
                let stored = self.audit.describe(*job).await;
                let asked = self.jobs.iter().find(|planned| planned.spec.job == *job);
                let fleet: Vec<_> =
                    self.runners.iter().map(|node| node.runner().map(|runner| runner.snapshot())).collect();
                let parked = self.checker.parked();
                let detail =
                    format!("{job} has not ended: {stored}, {asked:?}, runners {fleet:?}, parked {parked:?}");
                self.checker.violate("a job that was accepted ends", Some(*job), detail);
                return std::future::pending().await;
            }
        }
    }

    /// Whether one control plane grants what it means to, from the first to the last moment.
    fn is_orderly(&self, chaos: &Chaos) -> bool {
        self.planes.len() == 1 && chaos.strokes.is_none() && chaos.store == StoreFaults::none()
    }

    /// Whether a repeated submit may make a job of what was another one before.
    fn may_come_late(&self) -> bool {
        self.jobs.iter().any(|planned| self.checker.is_another_one(planned.spec.job))
    }

    /// Every runner leaves when it is told to.
    async fn leave(&self) {
        for node in &self.runners {
            let Some(runner) = node.runner() else { continue };
            tokio::select! {
                biased;
                left = runner.drain() => if let Err(error) = left {
                    let detail = format!("{} did not leave: {error:?}", node.id);
                    self.checker.violate("a runner that is told to leave does", None, detail);
                },
                () = sleep(&self.clock, LEAVE_WITHIN) => {
                    let detail = format!("{} did not leave: {:?}", node.id, runner.snapshot());
                    self.checker.violate("a runner that is told to leave does", None, detail);
                }
            }
        }
    }

    /// Adds what the network and the store did to the statistics.
    pub(super) fn tally(&self) {
        let store = self.store.counts();
        self.checker.count(|count| {
            count.store_unknown += store.unknown_applied + store.unknown_dropped;
            count.store_late += store.late;
            for network in self.runners.iter().map(|runner| &runner.network).chain(self.users.values()) {
                let counts = network.counts();
                count.network_losses += counts.lost_requests + counts.lost_replies;
                count.duplicates += counts.duplicates;
                count.outlasted_terms += counts.outlasted_term;
            }
        });
    }
}

/// What the operator may do with a tenant.
pub(super) fn operator_of(control: &ControlPlane, tenant: TenantId) -> Management {
    let everything = Principal::Operator;
    control.management(everything).within(tenant).expect("the operator may manage every tenant")
}
