//! Setting up an orchestrator, and taking up the runs that were under way.

use super::{Orchestrator, Shared, finder::Finder, measures::Measures, placed::Placed};
use crate::{
    actors::{control_plane::Subjects, error::Error, records::Records},
    seams::{
        artifact::ArtifactStore,
        clock::{Clock, SystemClock},
        metrics::{Metrics, NoMetrics},
        random::{Random, SystemRandom},
        region::Region,
        store::Store,
    },
    values::id::TenantId,
};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64},
    },
    time::Duration,
};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Sets up an [`Orchestrator`].
#[derive(Debug)]
#[must_use = "nothing is called until `start`"]
pub struct OrchestratorBuilder {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    regions: Placed,
    finder: Option<Finder>,
    local: Option<Arc<dyn Region>>,
    artifacts: Option<Arc<dyn ArtifactStore>>,
    calls_max: usize,
    open_runs_max: u32,
    retention: Option<Duration>,
    metrics: Arc<dyn Metrics>,
}

impl OrchestratorBuilder {
    /// The largest number of calls at once that can be asked for.
    pub const CALLS_LIMIT: usize = 65_536;

    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            regions: Placed::default(),
            finder: None,
            local: None,
            artifacts: None,
            calls_max: 1024,
            open_runs_max: 1000,
            retention: Some(Duration::from_secs(30 * 24 * 3600)),
            metrics: Arc::new(NoMetrics),
        }
    }

    /// Adds a region under the name by which requests ask for it.
    ///
    /// # Panics
    /// When there is one of that name already: it is a mistake in the program.
    pub fn region(mut self, name: impl Into<String>, region: impl Region) -> Self {
        self.regions.add(name.into(), Arc::new(region), None);
        self
    }

    /// Adds a region for requests of these tenants alone. To others it does not exist: they may have a
    /// region of that name that is [found](Self::find_regions).
    ///
    /// # Panics
    /// As [`region`](Self::region).
    pub fn region_of(
        mut self,
        tenants: impl IntoIterator<Item = TenantId>,
        name: impl Into<String>,
        region: impl Region,
    ) -> Self {
        self.regions.add(name.into(), Arc::new(region), Some(tenants.into_iter().collect()));
        self
    }

    /// Asks `find` for a region that is asked for and was not added by its name, such as a pool: whose
    /// request it is says which one is meant. It is asked for each call, so it answers at once.
    pub fn find_regions(
        mut self,
        find: impl Fn(TenantId, &str) -> Option<Arc<dyn Region>> + Send + Sync + 'static,
    ) -> Self {
        self.finder = Some(Finder::new(find));
        self
    }

    /// Has requests in local mode carried out by `region`. They are refused unless one is given.
    pub fn local(mut self, region: impl Region) -> Self {
        self.local = Some(Arc::new(region));
        self
    }

    /// Where the artifacts are that results name: the store of the control plane that is on the same
    /// records. With it they can be read by their run, and are kept as long as the run is, or as the
    /// tenant keeps artifacts. Unless this is said, nobody reads them here, and they are kept as
    /// whoever left them says.
    pub fn artifacts(mut self, store: impl ArtifactStore) -> Self {
        self.artifacts = Some(Arc::new(store));
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

    /// How many calls may be under way at once, over all runs. 1,024 unless said otherwise, at least
    /// one, and at most [`CALLS_LIMIT`](Self::CALLS_LIMIT).
    pub fn calls_max(mut self, calls_max: usize) -> Self {
        self.calls_max = calls_max.clamp(1, Self::CALLS_LIMIT);
        self
    }

    /// How many runs of one tenant may be under way at once. 1,000 unless said otherwise; what goes
    /// beyond is refused.
    pub fn open_runs_max(mut self, open_runs_max: u32) -> Self {
        self.open_runs_max = open_runs_max;
        self
    }

    /// How long a run is kept after it ended; for ever if `None`. Thirty days unless said otherwise,
    /// and never less than a minute.
    pub fn retention(mut self, kept_for: Option<Duration>) -> Self {
        self.retention = kept_for.map(|span| span.max(Duration::from_secs(60)));
        self
    }

    /// Tells `metrics` what is [measured](crate::metrics::orchestrator). Nobody unless said otherwise.
    pub fn metrics(mut self, metrics: impl Metrics) -> Self {
        self.metrics = Arc::new(metrics);
        self
    }

    /// Takes up the runs that were under way, and begins to serve on the current tokio runtime. An
    /// orchestrator that serves on the same store is displaced.
    ///
    /// # Errors
    /// [`Error::Store`] when the store cannot be used.
    pub async fn start(self) -> Result<Orchestrator, Error> {
        let wall = self.store.clock().unwrap_or_else(|| Arc::clone(&self.clock));
        let measures = Measures::new(self.metrics, self.regions.names());
        let shared = Arc::new(Shared {
            records: Records::new(self.store),
            clock: self.clock,
            wall,
            random: self.random,
            regions: self.regions,
            finder: self.finder,
            local: self.local,
            artifacts: self.artifacts,
            calls: Arc::new(Semaphore::new(self.calls_max)),
            calls_max: self.calls_max,
            measures,
            open_runs_max: self.open_runs_max,
            retention: self.retention,
            live: Mutex::new(HashMap::new()),
            subjects: Subjects::default(),
            tenure: AtomicU64::new(0),
            displaced: AtomicBool::new(false),
            stopping: CancellationToken::new(),
            duties: TaskTracker::new(),
        });
        shared.begin_tenure().await.map_err(Error::Store)?;
        shared.take_up().await.map_err(Error::Store)?;
        shared.duties.spawn(Arc::clone(&shared).serve_tenure());
        shared.duties.spawn(Arc::clone(&shared).serve_retention());
        if shared.measures.are_wanted() {
            shared.duties.spawn(Arc::clone(&shared).serve_gauges());
        }
        Ok(Orchestrator { shared })
    }
}
