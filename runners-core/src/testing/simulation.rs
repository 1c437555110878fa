//! A whole fleet in one process, in simulated time, with faults that a seed draws, and an oracle
//! that knows what must never happen.
//!
//! ```
//! use runners_core::{prelude::*, testing::simulation::{Chaos, Simulation}};
//! use std::time::Duration;
//!
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct Visit(u32);
//!
//! impl Command for Visit {
//!     const KIND: &'static str = "visit";
//!     type Result = u32;
//! }
//!
//! let report = Simulation::new(7)
//!     .runners(3)
//!     .chaos(Chaos::wild(Duration::from_secs(60)))
//!     .executor(|_machine| async |Visit(number), _: Attempt| Ok(number))
//!     .jobs((0..5).map(Visit))
//!     .run()
//!     .unwrap();
//! assert_eq!(report.conclusions.len(), 5);
//! ```

mod audit;
mod chaos;
mod checker;
mod explained;
mod fleet;
mod gone;
mod guests;
mod machine;
mod pairs;
mod planes;
mod reader;
mod statistics;
mod work;
mod workload;
mod world;

pub use chaos::Chaos;
pub use checker::Violation;
pub use machine::Machine;
pub use statistics::Statistics;

use super::random::SeededRandom;
use crate::{
    seams::{
        clock::Clock as _,
        executor::{ErasedExecutor, Executor, Executors},
        store::{MemoryStore, Store},
    },
    values::{
        command::Command,
        digest::Digest,
        id::{JobId, TenantId},
        job::{Job, JobOptions, JobSpec},
        opaque::Opaque,
        outcome::Conclusion,
    },
};
use checker::Checker;
use fleet::Member;
use planes::Spans;
use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};
use work::Simulated;
use workload::{Draw, Planned};
use world::{Plan, World};

type MakeStore = Arc<dyn Fn() -> Arc<dyn Store> + Send + Sync>;
type MakeExecutor = Arc<dyn Fn(&Machine) -> Arc<dyn ErasedExecutor> + Send + Sync>;

/// A fleet that is simulated: runners, control planes on one store, users, and everything that
/// goes wrong between them.
///
/// The same seed and settings do the same, to the millisecond.
#[derive(Clone)]
#[must_use = "nothing happens until it is run"]
pub struct Simulation {
    seed: u64,
    runners: u8,
    spare: u8,
    hosted: u8,
    slots: u32,
    planes: usize,
    kept_for: Option<Duration>,
    chaos: Chaos,
    store: MakeStore,
    executors: BTreeMap<String, MakeExecutor>,
    commands: Vec<(String, Vec<u8>, JobOptions)>,
    random_jobs: usize,
    spans: Spans,
}

/// How long a lease is good for in a simulation.
const TERM: Duration = Duration::from_secs(60);
/// How far the clocks of control planes are apart in some: a bit less than runners end their trust in an offer early.
const APART: Duration = Duration::from_millis(1900);

/// What came of a simulation that broke no rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// How each job ended.
    pub conclusions: BTreeMap<JobId, Conclusion>,
    /// What happened, in numbers.
    pub statistics: Statistics,
    /// The SHA-256 of everything that happened. The same seed and settings give the same.
    pub trace: Digest,
    /// Everything that happened, line by line.
    pub lines: Vec<String>,
}

impl Simulation {
    /// A fleet of four runners with two slots each and one control plane, in which nothing goes
    /// wrong for a minute.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            runners: 4,
            spare: 0,
            hosted: 0,
            slots: 2,
            planes: 1,
            kept_for: None,
            chaos: Chaos::none(Duration::from_secs(60)),
            store: Arc::new(|| Arc::new(MemoryStore::default())),
            executors: BTreeMap::new(),
            commands: Vec::new(),
            random_jobs: 0,
            spans: Spans {
                term: TERM,
                start_within: Duration::from_secs(15),
                park: Duration::from_secs(20),
                apart: Duration::ZERO,
            },
        }
    }

    /// The world of a seed, with jobs that it draws: its size and its troubles differ from seed to
    /// seed. Over many of them, everything happens that can.
    pub fn varied(seed: u64) -> Self {
        let wild = Chaos::wild(Duration::from_secs(200));
        let chaos = match seed % 8 {
            0 => Chaos::none(Duration::from_secs(120)),
            1 => Chaos { strokes: None, ..wild },
            2 => Chaos { network: Chaos::none(Duration::ZERO).network, ..wild },
            3 => Chaos { store: Chaos::none(Duration::ZERO).store, ..wild },
            _ => wild,
        };
        let simulation = Self::new(seed);
        let simulation =
            if seed % 5 == 1 { simulation.kept_for(Duration::from_secs(180)) } else { simulation };
        simulation
            .spare_runners((seed / 2 % 2) as u8)
            .hosted_runners(u8::from(seed % 7 < 3))
            .slots(1 + (seed % 2) as u32)
            .control_planes(if seed.is_multiple_of(3) { 2 } else { 1 })
            .clocks_apart(if seed % 12 == 9 { APART } else { Duration::ZERO })
            .chaos(chaos)
            .random_jobs(20)
    }

    /// How many runners there are.
    ///
    /// # Panics
    /// When there are none.
    pub fn runners(mut self, runners: u8) -> Self {
        assert!(runners > 0, "runners: there must be one at least");
        self.runners = runners;
        self
    }

    /// How many of the runners are in a pool of their own, `spare`, to which jobs of
    /// [`random_jobs`](Self::random_jobs) fall back, or which they prefer. None unless said otherwise.
    pub fn spare_runners(mut self, spare: u8) -> Self {
        self.spare = spare;
        self
    }

    /// How many of the runners are the operator's, in a pool that guests share: tenants whose jobs of
    /// [`random_jobs`](Self::random_jobs) are hosted. None unless said otherwise.
    pub fn hosted_runners(mut self, hosted: u8) -> Self {
        self.hosted = hosted;
        self
    }

    /// How many jobs each runner executes at once.
    pub fn slots(mut self, slots: u32) -> Self {
        self.slots = slots;
        self
    }

    /// How many control planes there are, all on one store.
    ///
    /// # Panics
    /// When there are none.
    pub fn control_planes(mut self, planes: usize) -> Self {
        assert!(planes > 0, "control planes: there must be one at least");
        self.planes = planes;
        self
    }

    /// How far from each other several control planes know the time of their store at most, by what each draws when
    /// it starts. Not at all unless said otherwise. Runners end their trust in an offer
    /// [two seconds](crate::Trust::OFFER_MARGIN) early, so all rules hold up to that.
    pub fn clocks_apart(mut self, span: Duration) -> Self {
        self.spans.apart = span;
        self
    }

    /// How long ended jobs are kept: longer than a submit may be repeated, or it makes its job anew.
    /// For ever unless said otherwise.
    pub fn kept_for(mut self, span: Duration) -> Self {
        self.kept_for = Some(span);
        self
    }

    /// What goes wrong.
    pub fn chaos(mut self, chaos: Chaos) -> Self {
        self.chaos = chaos;
        self
    }

    /// What the control planes keep their records in, behind the faults: an empty store for each time that
    /// the simulation is run. In memory unless said otherwise.
    ///
    /// No simulated time passes while a call is answered by a store that blocks its thread, and none but
    /// such a store does the same every time. It has no clock of its own.
    pub fn store(mut self, make: impl Fn() -> Arc<dyn Store> + Send + Sync + 'static) -> Self {
        self.store = Arc::new(make);
        self
    }

    /// Adds an executor under test. It is made anew for every start of a runner, with the clock of
    /// the machine that the runner is on: what sleeps by it is suspended with the machine.
    ///
    /// # Panics
    /// When there is one for that kind already.
    pub fn executor<C: Command, E: Executor<C>>(
        mut self,
        make: impl Fn(&Machine) -> E + Send + Sync + 'static,
    ) -> Self {
        let make = move |machine: &Machine| {
            let executors = Executors::default().with(make(machine));
            executors.get(C::KIND).expect("it was just added")
        };
        let prior = self.executors.insert(C::KIND.to_owned(), Arc::new(make));
        assert!(prior.is_none(), "two executors for the kind {:?}", C::KIND);
        self
    }

    /// Adds a job, which is submitted at a moment that the seed draws.
    ///
    /// # Panics
    /// When the command cannot be serialised.
    pub fn job<J: Job>(mut self, job: &J) -> Self {
        let payload = serde_json::to_vec(job.command()).expect("a command can be serialised");
        self.commands.push((J::Command::KIND.to_owned(), payload, job.options()));
        self
    }

    /// Adds jobs, each submitted at a moment that the seed draws.
    ///
    /// # Panics
    /// When a command cannot be serialised.
    pub fn jobs<J: Job>(self, jobs: impl IntoIterator<Item = J>) -> Self {
        jobs.into_iter().fold(self, |simulation, job| simulation.job(&job))
    }

    /// Adds jobs that the seed draws, with an executor of the simulation's own: of all lengths and
    /// outcomes, with timeouts, retries, labels, runs, cancels and what else there is.
    pub fn random_jobs(mut self, count: usize) -> Self {
        self.random_jobs = count;
        self
    }

    /// Plays it from the first to the last moment, on a runtime of its own.
    ///
    /// # Errors
    /// The first rule that was broken.
    ///
    /// # Panics
    /// Within a tokio runtime, and when the system gives no thread.
    pub fn run(&self) -> Result<Report, Violation> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("the system gives a timer");
        runtime.block_on(self.play())
    }

    async fn play(&self) -> Result<Report, Violation> {
        let clock = Machine::new();
        let random = SeededRandom::new(self.seed);
        let checker = Checker::new(self.seed, clock.clone());
        let plan = Plan {
            planes: self.planes,
            members: Member::all(self.runners, self.spare, self.hosted),
            slots: self.slots,
            spans: self.spans,
            kept_for: self.kept_for,
            chaos: self.chaos.clone(),
            store: (self.store)(),
            executors: self.all_executors(),
            jobs: self.planned(&clock, &random.fork()),
        };
        let world = World::new(plan, checker.clone(), clock, &random);
        let strokes = random.fork();
        let conclusions = tokio::select! {
            biased;
            violation = checker.violated() => return Err(violation),
            conclusions = world.live(&self.chaos, &strokes) => conclusions,
        };
        world.tally();
        match checker.violation() {
            Some(violation) => Err(violation),
            None => Ok(Report {
                conclusions,
                statistics: checker.statistics(),
                trace: checker.trace_digest(),
                lines: checker.trace_lines(),
            }),
        }
    }

    fn all_executors(&self) -> fleet::Executors {
        let makers = self.executors.clone();
        let own = self.random_jobs > 0;
        Arc::new(move |machine, checker| {
            let mut executors: BTreeMap<String, Arc<dyn ErasedExecutor>> =
                makers.iter().map(|(kind, make)| (kind.clone(), make(machine))).collect();
            if own {
                let simulated = Simulated { checker: checker.clone(), machine: machine.clone() };
                executors.insert(work::KIND.to_owned(), Arc::new(simulated));
            }
            executors
        })
    }

    /// Every job, with the moment of its submit.
    fn planned(&self, clock: &Machine, random: &SeededRandom) -> Vec<Planned> {
        let runners = Member::all(self.runners, self.spare, self.hosted);
        let wall = clock.wall();
        // Some are submitted when all is well again, to see how soon they are granted.
        let within = self.chaos.lasts.mul_f64(1.4) + CALM_SUBMITS;
        let draw = Draw { random, wall, within, runners: &runners, term: self.spans.term };
        let mut jobs = draw.jobs(self.random_jobs);
        for (kind, payload, options) in self.commands.clone() {
            let mut bytes = [0; 10];
            bytes[..8].copy_from_slice(&random.number().to_be_bytes());
            let spec = JobSpec::new(JobId::new(wall, bytes), kind, &payload, options);
            let at = within.mul_f64(random.unit());
            let payload = Opaque::from(payload);
            let tenant = TenantId::DEFAULT;
            jobs.push(Planned { tenant, spec, payload, run: None, at, again: None, cancel: None });
        }
        jobs
    }
}

/// How long jobs are still submitted after all is well again.
const CALM_SUBMITS: Duration = Duration::from_secs(60);

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation")
            .field("seed", &self.seed)
            .field("runners", &self.runners)
            .field("spare_runners", &self.spare)
            .field("hosted_runners", &self.hosted)
            .field("slots", &self.slots)
            .field("control_planes", &self.planes)
            .field("kept_for", &self.kept_for)
            .field("chaos", &self.chaos)
            .finish_non_exhaustive()
    }
}
