//! The control plane: a durable queue, and the rules by which runners are granted its jobs.
//!
//! Truth is in the store; what is in memory is rebuilt from it and from what the runners tell.

mod answer;
mod apply;
mod authenticate;
mod author;
mod beside;
mod builder;
mod caller;
mod client;
mod collect;
mod company;
mod counted;
mod counts;
mod defaults;
mod dependants;
mod deregister;
mod direct;
mod disuse;
mod drain;
mod due;
mod effects;
pub(crate) mod enrol;
mod events;
mod explain;
mod facts;
mod feed;
mod fleet;
mod gauges;
mod gone;
mod grant;
mod hosting;
mod lanes;
mod listings;
mod live;
mod logs;
mod measured;
mod measures;
mod parked;
mod pins;
mod pools;
mod readiness;
mod reaping;
mod retention;
mod route;
mod runs;
mod session;
mod sessions;
mod signals;
mod spans;
mod stage;
mod subjects;
mod submit;
mod sync;
mod timeouts;
mod unheeded;
mod upkeep;
mod watch;
mod webhooks;

pub use authenticate::RecordsAuthenticator;
pub(crate) use author::{Deed, Signature};
pub use builder::ControlPlaneBuilder;
pub use caller::Caller;
pub(crate) use client::state_view;
pub use enrol::Registration;
pub(crate) use live::LiveOpening;
pub use live::{AdmittedSource, LiveHub, LocalRelay, Passage, Viewer};
pub use stage::StagedJob;

use crate::{
    actors::records::Records,
    rules::schedule::Schedule,
    seams::{
        artifact::ArtifactStore, clock::Clock, flows::FlowReader, observer::Observer, random::Random,
        store::Store, traces::Traces,
    },
    values::{
        fleet::{retention::Retention, tenant::Rollout},
        id::{MemberId, RunnerId, TenantId},
        time::Timestamp,
    },
};
use beside::Beside;
use collect::Unnamed;
use company::Company;
pub(crate) use counted::CountedArtifacts;
use due::DueSignal;
use feed::Feed;
use hosting::Hosting;
use listings::Listings;
use live::Streams;
use measures::Measures;
#[cfg(feature = "orchestrator")]
pub(crate) use measures::name_of;
use pools::Pools;
use runs::Runs;
pub(crate) use session::Session;
use sessions::Sessions;
use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32},
    },
    time::Duration,
};
pub(crate) use subjects::Subjects;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
pub(crate) use unheeded::Unheeded;
use upkeep::Upkeep;
use watch::Written;
use webhooks::Webhooks;

/// A control plane. Clones are the same one.
///
/// It serves until [`stop`](Self::stop); dropping every clone without it leaves its duties
/// running until the runtime ends.
#[derive(Clone)]
pub struct ControlPlane {
    pub(crate) plane: Arc<Plane>,
}

impl ControlPlane {
    /// Sets up a control plane on a store.
    pub fn builder(store: impl Store) -> ControlPlaneBuilder {
        ControlPlaneBuilder::new(Arc::new(store))
    }
}

impl fmt::Debug for ControlPlane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlPlane").field("member", &self.plane.me).finish_non_exhaustive()
    }
}

/// How long things last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spans {
    /// How long a lease is good for.
    pub(crate) term: Duration,
    /// The longest park.
    pub(crate) park_max: Duration,
    /// How long an offer stands.
    pub(crate) start_within: Duration,
    /// Over how long runners spread their reconnects.
    pub(crate) spread: Duration,
    /// How long a runner's credential is good for.
    pub(crate) credential_life: Duration,
}

impl Spans {
    /// The longest park of a runner, which renews its leases by what it sends between two.
    fn sync_park_max(&self) -> Duration {
        self.park_max.min(self.term / 3)
    }
}

/// What every part of a control plane shares.
#[derive(Debug)]
pub(crate) struct Plane {
    pub(crate) me: MemberId,
    pub(crate) records: Records,
    pub(crate) clock: Arc<dyn Clock>,
    /// The clock whose wall time is stored: the store's, if it has one.
    pub(crate) wall: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) measures: Measures,
    pub(crate) traces: Arc<dyn Traces>,
    pub(crate) artifacts: Arc<dyn ArtifactStore>,
    /// The same store, with what is counted against quotas.
    pub(crate) counted: CountedArtifacts,
    pub(crate) spans: Spans,
    pub(crate) schedule: Mutex<Schedule>,
    pub(crate) sessions: Sessions,
    pub(crate) pools: Pools,
    pub(crate) listings: Listings,
    /// Suspended tenants: their calls are refused, and their jobs not granted.
    pub(crate) suspended: Mutex<BTreeSet<TenantId>>,
    /// Held by whoever reads what the operator has said, of tenants or of the roll-out, until it is taken over:
    /// what was read before never takes the place of what was read after it.
    pub(crate) reading: tokio::sync::Mutex<()>,
    /// What is rolled out, as this control plane was built.
    pub(crate) rollout_built: Rollout,
    /// What is rolled out now: the same, unless the operator has changed it.
    pub(crate) rollout: Mutex<Rollout>,
    pub(crate) hosting: Hosting,
    /// Reads the flows of libraries, if somebody can.
    pub(crate) flows: Option<Arc<dyn FlowReader>>,
    pub(crate) subjects: Subjects,
    pub(crate) due: DueSignal,
    /// Long work that is due.
    pub(crate) beside: Beside,
    pub(crate) feed: Feed,
    pub(crate) webhooks: Webhooks,
    /// Wakes the upkeep: there is something to do for it.
    pub(crate) upkeep: Upkeep,
    /// Whether logs of ended attempts move into the artifact store, which has to outlive this process then.
    pub(crate) seals: bool,
    /// How long things are kept for tenants that have not set it themselves.
    pub(crate) retention: Retention,
    pub(crate) unnamed: Unnamed,
    /// The image of container jobs that name none, in pools that have none.
    pub(crate) default_image: Option<Arc<str>>,
    /// Other control planes may have made lanes that are not known here: list them again.
    pub(crate) lanes_doubted: AtomicBool,
    /// What this control plane wrote itself, so that hints of it are not taken for others' writes.
    pub(crate) written: Written,
    /// When other control planes on the same store were heard of.
    pub(crate) company: Company,
    pub(crate) runs: Runs,
    /// Live views that are open here.
    pub(crate) live: Streams,
    /// How many entries of the audit were written here, which numbers them.
    pub(crate) changes: AtomicU32,
    pub(crate) stopping: CancellationToken,
    pub(crate) duties: TaskTracker,
}

impl Plane {
    /// The time that is stored.
    pub(crate) fn now(&self) -> Timestamp {
        self.wall.wall()
    }

    /// A number from 0 up to 1, for jitter.
    pub(crate) fn chance(&self) -> f64 {
        crate::seams::random::unit(&*self.random)
    }

    /// Wakes the parked call of a runner, which then looks whether there is something to answer.
    pub(crate) fn wake(&self, runner: RunnerId) {
        self.sessions.of_runner(runner).iter().for_each(|session| session.wake());
    }

    pub(crate) fn wake_all(&self, runners: impl IntoIterator<Item = RunnerId>) {
        runners.into_iter().for_each(|runner| self.wake(runner));
    }
}

/// Locks, whether or not somebody panicked while holding it: what it guards is consistent after
/// every statement.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
