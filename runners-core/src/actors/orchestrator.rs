//! The orchestrator: fans one request out over regions, and folds what they answer into one summary.
//!
//! Truth is in the store. What is in memory of a run that is under way is rebuilt from its journal, so
//! a restart goes on where the one before was: what a region answered is not asked for again.

mod builder;
mod call;
mod client;
mod drive;
mod driving;
mod finder;
mod follow;
mod history;
mod ledger;
mod listing;
mod local;
mod measures;
mod naming;
mod placed;
mod pool;
mod process;
mod retention;
mod tenure;

pub use builder::OrchestratorBuilder;
pub use client::OrchestratorClient;
pub use pool::PoolRegion;
pub use process::ProcessRegion;

use local::LocalTransport;

use crate::{
    actors::{control_plane::Subjects, records::Records},
    seams::{artifact::ArtifactStore, clock::Clock, random::Random, region::Region, store::Store},
    values::{id::TenantId, key::Key, time::Timestamp},
};
use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// An orchestrator. Clones are the same one.
///
/// It serves until [`stop`](Self::stop); dropping every clone without it leaves its runs going on
/// until the runtime ends. One orchestrator drives the runs of a store: the one that began last. One
/// that began before is [displaced](Self::is_displaced): it stops by itself, at the latest after five
/// seconds, and changes nothing about runs from the first moment on. So a restart never waits, whatever
/// became of the one before.
#[derive(Clone)]
pub struct Orchestrator {
    shared: Arc<Shared>,
}

impl Orchestrator {
    /// Sets up an orchestrator on a store. It may be the one that a control plane is on.
    pub fn builder(store: impl Store) -> OrchestratorBuilder {
        OrchestratorBuilder::new(Arc::new(store))
    }

    /// What one tenant may ask for. Who may speak for the tenant is the host's to decide.
    #[must_use]
    pub fn client(&self, tenant: TenantId) -> OrchestratorClient {
        OrchestratorClient::new(LocalTransport { shared: Arc::clone(&self.shared), tenant })
    }

    /// What the tenant `default` may ask for.
    #[must_use]
    pub fn local_client(&self) -> OrchestratorClient {
        self.client(TenantId::DEFAULT)
    }

    /// The names of its regions, in order.
    pub fn regions(&self) -> impl Iterator<Item = &str> {
        self.shared.regions.names()
    }

    /// The names of its regions that are for requests of `tenant`, in order: those of others are not.
    pub fn regions_of(&self, tenant: TenantId) -> impl Iterator<Item = &str> {
        self.shared.regions.names_of(tenant)
    }

    /// Whether requests in local mode are carried out.
    #[must_use]
    pub fn has_local_mode(&self) -> bool {
        self.shared.local.is_some()
    }

    /// Whether another orchestrator has begun on the store, and this one has stopped for it. Its clients
    /// are answered [`OrchestratorError::Stopping`](crate::orchestration::OrchestratorError::Stopping).
    #[must_use]
    pub fn is_displaced(&self) -> bool {
        self.shared.displaced.load(Ordering::SeqCst)
    }

    /// Completes once it does not serve any more, because it was stopped or displaced.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn stopped(&self) {
        self.shared.stopping.cancelled().await;
    }

    /// Stops. Calls that are under way are [given up](crate::orchestration::RegionCall::given_up), which takes
    /// up to a second; their runs go on at the next start.
    pub async fn stop(&self) {
        self.shared.stopping.cancel();
        self.shared.duties.close();
        self.shared.duties.wait().await;
    }
}

impl fmt::Debug for Orchestrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Orchestrator")
            .field("regions", &self.regions().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// What every part of an orchestrator shares.
#[derive(Debug)]
struct Shared {
    records: Records,
    clock: Arc<dyn Clock>,
    /// The clock whose wall time is stored: the store's, if it has one.
    wall: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    regions: placed::Placed,
    /// Finds those that are not named here.
    finder: Option<finder::Finder>,
    local: Option<Arc<dyn Region>>,
    artifacts: Option<Arc<dyn ArtifactStore>>,
    /// One permit for each call that may be under way, over all runs.
    calls: Arc<Semaphore>,
    calls_max: usize,
    measures: measures::Measures,
    open_runs_max: u32,
    retention: Option<Duration>,
    /// Runs that are seen to here, by their journal, each with what cancels it.
    live: Mutex<HashMap<Key, CancellationToken>>,
    /// Who waits for what a run tells, by its journal.
    subjects: Subjects,
    /// What this orchestrator is told apart by from those before and after it.
    tenure: AtomicU64,
    /// Another one has begun on the store.
    displaced: AtomicBool,
    stopping: CancellationToken,
    duties: TaskTracker,
}

impl Shared {
    /// The time that is stored.
    fn now(&self) -> Timestamp {
        self.wall.wall()
    }
}

#[cfg(test)]
mod tests;
