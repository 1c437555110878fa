//! Setting up a control plane, starting its duties, and stopping it.

use super::{
    ControlPlane, CountedArtifacts, Plane, Spans,
    beside::Beside,
    collect::Unnamed,
    company::Company,
    due::DueSignal,
    feed::Feed,
    hosting::Hosting,
    listings::Listings,
    live::{Neighbourhood, Streams},
    measured::Measured,
    measures::Measures,
    pools::Pools,
    runs::Runs,
    sessions::Sessions,
    subjects::Subjects,
    upkeep::Upkeep,
    watch::Written,
    webhooks::Webhooks,
};
use crate::{
    actors::{error::Error, records::Records},
    rules::schedule::Schedule,
    seams::{
        artifact::{ArtifactStore, memory::MemoryArtifacts},
        clock::{Clock, SystemClock},
        flows::FlowReader,
        hosted::{HostedExecution, SharedPools},
        metrics::{Metrics, NoMetrics},
        observer::{NoObserver, Observer},
        random::{self, Random, SystemRandom},
        relay::Neighbours,
        store::Store,
        traces::{NoTraces, Traces},
        webhook::WebhookSender,
    },
    values::{
        fleet::{retention::Retention, tenant::Rollout},
        id::MemberId,
        view::LiveOptions,
    },
};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32},
    },
    time::Duration,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Sets up a [`ControlPlane`].
#[derive(Debug)]
#[must_use = "nothing runs until `start`"]
pub struct ControlPlaneBuilder {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    observer: Arc<dyn Observer>,
    metrics: Arc<dyn Metrics>,
    traces: Arc<dyn Traces>,
    artifacts: Option<Arc<dyn ArtifactStore>>,
    spans: Spans,
    rollout: Rollout,
    retention: Retention,
    artifact_grace: Duration,
    artifact_quota: Option<u64>,
    webhooks: Option<Arc<dyn WebhookSender>>,
    hosted: Arc<dyn HostedExecution>,
    live: LiveOptions,
    neighbours: Option<Neighbourhood>,
    flows: Option<Arc<dyn FlowReader>>,
    default_image: Option<Arc<str>>,
}

impl ControlPlaneBuilder {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        let spans = Spans {
            term: Duration::from_secs(180),
            park_max: Duration::from_secs(20),
            start_within: Duration::from_secs(15),
            spread: Duration::from_secs(2),
            credential_life: Duration::from_secs(90 * 24 * 3600),
        };
        Self {
            store,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            observer: Arc::new(NoObserver),
            metrics: Arc::new(NoMetrics),
            traces: Arc::new(NoTraces),
            artifacts: None,
            spans,
            rollout: Rollout::default(),
            retention: Retention::default(),
            artifact_grace: Duration::from_secs(6 * 60 * 60),
            artifact_quota: None,
            webhooks: None,
            hosted: Arc::new(SharedPools),
            live: LiveOptions::default(),
            neighbours: None,
            flows: None,
            default_image: None,
        }
    }

    /// What is kept of tenants that have not said so themselves. Ended jobs are kept for thirty
    /// days unless said otherwise; [`Retention::FOREVER`] keeps all.
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// How long an artifact that no record names is kept: whoever puts one has that long to attach it to a
    /// job. Six hours unless said otherwise, and never less than a second.
    ///
    /// Only artifacts of a store that was [given](Self::artifacts) are removed.
    pub fn artifact_grace(mut self, grace: Duration) -> Self {
        self.artifact_grace = grace.max(Duration::from_secs(1));
        self
    }

    /// How many bytes the artifacts of each tenant may have in all, unless the operator has
    /// [set another quota](crate::Management::set_artifact_quota) for it. Unlimited unless said otherwise.
    ///
    /// The announced length of an upload is counted before a byte of it is taken. An upload that does not fit
    /// is refused with [`ArtifactError::OverQuota`](crate::ArtifactError::OverQuota), and its job ends as it would
    /// have otherwise, with the artifact listed as missing. Logs count too, and are never refused.
    pub fn artifact_quota(mut self, bytes: u64) -> Self {
        self.artifact_quota = Some(bytes);
        self
    }

    /// Calls webhooks with `sender`. Without one, tenants can make no webhooks.
    pub fn webhooks(mut self, sender: impl WebhookSender) -> Self {
        self.webhooks = Some(Arc::new(sender));
        self
    }

    /// Lets `hosted` choose the operator's pools for jobs of tenants whose environment leads to
    /// [`Route::Hosted`](crate::Route::Hosted). [`SharedPools`] unless said otherwise.
    pub fn hosted_execution(mut self, hosted: impl HostedExecution) -> Self {
        self.hosted = Arc::new(hosted);
        self
    }

    /// Whether there are live views, and their limits. [`LiveOptions::default`] unless said otherwise.
    pub fn live(mut self, options: LiveOptions) -> Self {
        self.live = options;
        self
    }

    /// Joins the live views of several control planes on one store, so that a viewer and a runner find each
    /// other whichever of them each connects to. This one tells the others to reach it at `address`, and reaches
    /// them by `neighbours`. Whatever serves `address` gives the connections of the others to [`LiveHub::pass`].
    /// Without it, a viewer has to come to the control plane that the runner connects to.
    ///
    /// If the others cannot reach `address`, each look there waits a few seconds in vain first.
    ///
    /// [`LiveHub::pass`]: crate::live::LiveHub::pass
    pub fn neighbours(mut self, address: impl Into<String>, neighbours: impl Neighbours) -> Self {
        self.neighbours = Some(Neighbourhood { address: address.into(), way: Arc::new(neighbours) });
        self
    }

    /// Checks the documents of tenants' flow libraries with `reader`: one that it refuses is not kept, and the
    /// outline that it answers is shown. Without a reader every document is kept as it is.
    pub fn flow_reader(mut self, reader: impl FlowReader) -> Self {
        self.flows = Some(Arc::new(reader));
        self
    }

    /// The image of container jobs that name none, in pools that have none. Unless one is given, such jobs
    /// end with a fault.
    pub fn default_image(mut self, image: impl Into<String>) -> Self {
        self.default_image = Some(image.into().into());
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

    /// Adds spans to the traces that jobs carry. None are carried unless said otherwise.
    pub fn traces(mut self, traces: impl Traces) -> Self {
        self.traces = Arc::new(traces);
        self
    }

    /// Measures to `metrics`. Nothing is measured unless said otherwise.
    pub fn metrics(mut self, metrics: impl Metrics) -> Self {
        self.metrics = Arc::new(metrics);
        self
    }

    /// Keeps artifacts, and the logs of ended attempts, in this store. It has to last as long as the records
    /// do. Serve remote runners with what [`ControlPlane::artifacts`] answers, not with this store itself, so
    /// that what they put counts against quotas.
    ///
    /// Unless one is given, local runners and clients share one in memory, and logs stay among the records.
    pub fn artifacts(mut self, artifacts: impl ArtifactStore) -> Self {
        self.artifacts = Some(Arc::new(artifacts));
        self
    }

    /// How long a lease is good for without a word from its runner: the *term*. Three minutes unless said
    /// otherwise, at least one second. With a shorter term lost work is tried again sooner, and running
    /// work survives only shorter outages.
    pub fn term(mut self, term: Duration) -> Self {
        self.spans.term = term.max(Duration::from_secs(1));
        self
    }

    /// How long a call may be held back while there is nothing to say. Twenty seconds unless said
    /// otherwise; never more than a third of the term.
    pub fn park_max(mut self, park_max: Duration) -> Self {
        self.spans.park_max = park_max;
        self
    }

    /// How long a runner has to confirm an offer before it goes to another. Fifteen seconds unless said
    /// otherwise; never more than two thirds of the term, which is what the runner's session has left at
    /// least.
    pub fn start_within(mut self, start_within: Duration) -> Self {
        self.spans.start_within = start_within;
        self
    }

    /// The span over which runners spread their reconnects, so that they do not all come back at once. Two
    /// seconds unless said otherwise.
    pub fn spread(mut self, spread: Duration) -> Self {
        self.spans.spread = spread;
        self
    }

    /// What is rolled out, and to whom. Everything to everybody unless said otherwise.
    pub fn rollout(mut self, rollout: Rollout) -> Self {
        self.rollout = rollout;
        self
    }

    /// How long the credential of a runner is good for. 90 days unless said otherwise, at least ten
    /// minutes. A runner replaces it in time by itself; one that was off for longer must be
    /// registered again.
    pub fn credential_life(mut self, life: Duration) -> Self {
        self.spans.credential_life = life.max(Duration::from_secs(600));
        self
    }

    /// Makes the tenant and the pool `default` if they are not there, and begins to serve on the current
    /// tokio runtime.
    ///
    /// # Errors
    /// [`Error::Store`] when the store cannot be used.
    pub async fn start(self) -> Result<ControlPlane, Error> {
        let shared = self.store.clock().is_some();
        let measures = Measures::new(Arc::clone(&self.metrics));
        let store = if measures.are_wanted() { self.measured_store() } else { Arc::clone(&self.store) };
        let wall = self.store.clock().unwrap_or_else(|| Arc::clone(&self.clock));
        let me = random::id(&*self.random, wall.wall(), MemberId::new);
        let seals = self.artifacts.is_some();
        let (records, duties) = (Records::new(store), TaskTracker::new());
        let counted = self.counted(&records, &wall, &duties);
        let feed = Feed::start(&records, me.as_bytes(), shared, Arc::clone(&self.clock))
            .await
            .map_err(Error::Store)?;
        let plane = Arc::new(Plane {
            me,
            feed,
            records,
            clock: self.clock,
            wall,
            random: self.random,
            observer: self.observer,
            measures,
            traces: self.traces,
            artifacts: Arc::new(counted.clone()),
            counted,
            spans: Spans { start_within: self.spans.start_within.min(self.spans.term * 2 / 3), ..self.spans },
            schedule: Mutex::new(Schedule::default()),
            sessions: Sessions::default(),
            pools: Pools::default(),
            listings: Listings::default(),
            suspended: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
            rollout: Mutex::new(self.rollout.clone()),
            rollout_built: self.rollout,
            hosting: Hosting::new(self.hosted),
            flows: self.flows,
            subjects: Subjects::default(),
            due: DueSignal::default(),
            beside: Beside::default(),
            webhooks: Webhooks::new(self.webhooks),
            retention: self.retention,
            unnamed: Unnamed::new(self.artifact_grace),
            default_image: self.default_image,
            upkeep: Upkeep::default(),
            seals,
            lanes_doubted: AtomicBool::new(false),
            written: Written::default(),
            company: Company::default(),
            runs: Runs::default(),
            live: Streams::new(self.live, self.neighbours),
            changes: AtomicU32::new(0),
            stopping: CancellationToken::new(),
            duties,
        });
        plane.ensure_default().await.map_err(Error::Store)?;
        plane.read_suspended().await.map_err(Error::Store)?;
        plane.read_rollout().await.map_err(Error::Store)?;
        plane.find_ends().await.map_err(Error::Store)?;
        // What is written from here on is heard of; everything before is read when it is needed.
        let hints = plane.records.watch();
        plane.duties.spawn(Arc::clone(&plane).serve_hints(hints));
        plane.duties.spawn(Arc::clone(&plane).serve_company());
        plane.duties.spawn(Arc::clone(&plane).serve_due());
        if plane.measures.are_wanted() {
            plane.duties.spawn(Arc::clone(&plane).serve_gauges());
        }
        plane.duties.spawn(Arc::clone(&plane).serve_upkeep());
        plane.duties.spawn(Arc::clone(&plane).serve_webhooks());
        plane.duties.spawn(Arc::clone(&plane).serve_runs());
        Ok(ControlPlane { plane })
    }
}

impl ControlPlaneBuilder {
    fn counted(&self, records: &Records, wall: &Arc<dyn Clock>, duties: &TaskTracker) -> CountedArtifacts {
        CountedArtifacts {
            inner: self.artifacts.clone().unwrap_or_else(|| Arc::new(MemoryArtifacts::default())),
            records: records.clone(),
            wall: Arc::clone(wall),
            random: Arc::clone(&self.random),
            quota: self.artifact_quota,
            duties: duties.clone(),
            looks: Arc::default(),
        }
    }

    fn measured_store(&self) -> Arc<dyn Store> {
        Arc::new(Measured {
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            metrics: Arc::clone(&self.metrics),
        })
    }
}

impl ControlPlane {
    /// Answers every call that is held back, and ends. Runners go on with what they hold, and find
    /// another or the restarted control plane within their term. Calls that are under way go on and may still write:
    /// await them before another control plane starts on a store that has one owner, since it would not hear of that.
    ///
    /// # Errors
    /// None at present.
    ///
    /// # Cancel safety
    /// Dropping the future lets the duties end by themselves.
    pub async fn stop(&self) -> Result<(), Error> {
        self.plane.stopping.cancel();
        self.plane.duties.close();
        self.plane.duties.wait().await;
        Ok(())
    }
}
