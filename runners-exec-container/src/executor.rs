//! Executes container jobs: what is asked is judged, the image provided, and one container run and removed,
//! whatever comes.

use crate::{
    anchor::Anchor,
    bridge::Reach,
    browser::{BrowserImage, BrowserSource, OfferedBrowser},
    command::ContainerJob,
    companion::Companion,
    container::Container,
    course::Course,
    credentials::RegistryCredentials,
    engine::{Engine, EngineAddress, EngineVersion},
    error::EngineError,
    image::ImageReference,
    paths,
    plan::{self, Beside, Mark, Occasion, Owner},
    policy::{Admitted, OfferedNetwork, Policy},
    provide::{Provided, provide},
    removal::{Removals, sweep, told},
    result::ContainerResult,
    tarball,
};
use bollard::query_parameters::InspectNetworkOptions;
use runners_core::{Attempt, Clock, Executor, Fault, Random, SystemClock, SystemRandom};
use std::{fmt::Debug, sync::Arc};

/// Runs each job in a container of its own. Clones share the engine.
#[derive(Clone, Debug)]
pub struct ContainerExecutor {
    engine: Engine,
    policy: Arc<Policy>,
    credentials: RegistryCredentials,
    owner: Owner,
    removals: Removals,
    warned: Option<Arc<dyn Warned>>,
}

/// Describes a [`ContainerExecutor`] before it is connected.
#[derive(Debug)]
#[must_use = "nothing is executed until it is connected"]
pub struct ContainerExecutorBuilder {
    address: EngineAddress,
    policy: Policy,
    credentials: RegistryCredentials,
    owner: String,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    warned: Option<Arc<dyn Warned>>,
}

/// Everything that the container of a job needs to be there.
#[derive(Debug)]
struct Prepared {
    image: Provided,
    companion: Option<Companion>,
    /// The image of what keeps its output in memory.
    anchor: Option<Provided>,
}

/// Is told what an operator should know of, such as an image of another release line.
pub trait Warned: Debug + Send + Sync + 'static {
    /// Something is worth knowing, in one line.
    fn warned(&self, text: &str);
}

impl ContainerExecutor {
    /// Begins to describe one. `owner` names the runner, the same at each of its starts and no other on the
    /// engine: its containers are known by it.
    pub fn builder(owner: impl Into<String>) -> ContainerExecutorBuilder {
        ContainerExecutorBuilder {
            address: EngineAddress::usual(),
            policy: Policy::default(),
            credentials: RegistryCredentials::default(),
            owner: owner.into(),
            clock: Arc::new(SystemClock::default()),
            random: Arc::new(SystemRandom::default()),
            warned: None,
        }
    }

    /// Which engine it is.
    #[must_use]
    pub const fn engine(&self) -> &EngineVersion {
        &self.engine.version
    }

    /// What a runner with this executor is labelled with: `container`, the engine as `container=docker` and
    /// its version as `container=docker-28`; `container-browser`, and that with each of their names as
    /// `container-browser=chromium`, if jobs may ask for one.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        let EngineVersion { name, version, .. } = self.engine();
        let line = version.split('.').next().unwrap_or_default();
        let mut labels = vec!["container".to_owned(), format!("container={name}")];
        labels.push(format!("container={name}-{line}"));
        let browsers = &self.policy.browsers;
        labels.extend(browsers.first().map(|_| "container-browser".to_owned()));
        labels.extend(browsers.iter().map(|browser| format!("container-browser={}", browser.name)));
        labels
    }

    /// Removes what other starts of the same runner have left, containers and their networks, and tells how
    /// many containers there were. Those of this start stay.
    ///
    /// Call it once the runner has [connected](runners_core::Notice::Connected): then whatever other process
    /// is this runner too has been displaced, and holds nothing any more. Before that, it may be the one that
    /// counts, and what it runs is not left over.
    ///
    /// # Errors
    /// [`EngineError`]; the first, once all that can be removed is.
    ///
    /// # Cancel safety
    /// Dropping the future leaves some of them.
    pub async fn sweep(&self) -> Result<usize, EngineError> {
        sweep(&self.engine, &self.owner).await
    }

    /// Waits until the containers of attempts that were dropped are removed, for a minute at most: what an
    /// engine that is away has kept is left to the next sweep. Call it after the runner has ended.
    ///
    /// # Cancel safety
    /// Dropping the future leaves some of them to the next sweep.
    pub async fn settle(&self) {
        self.removals.settle(&*self.engine.clock).await;
    }

    /// What is asked, if it may be.
    fn admit(&self, job: &ContainerJob, attempt: &Attempt) -> Result<Admitted, Fault> {
        let sockets: Vec<_> = self.engine.socket().into_iter().collect();
        let admitted = self.policy.admit(job, attempt.image(), &sockets);
        admitted.map_err(|problems| Fault::permanent("invalid", problems.to_string()))
    }

    /// Everything up to the start: the network is what it should be, the image is there, and so is a
    /// browser that is started for it.
    async fn prepare(
        &self,
        admitted: &Admitted,
        occasion: &Occasion<'_>,
        attempt: &Attempt,
    ) -> Result<Prepared, Fault> {
        if let Some(network) = &admitted.network {
            self.check_network(network).await?;
        }
        let told = |line| attempt.log(line);
        attempt.progress(format!("preparing {}", admitted.image));
        let image = self.provide(&admitted.image, &told).await?;
        let anchor = match &self.policy.output_in_memory {
            Some(image) => Some(self.provide(image, &told).await?),
            None => None,
        };
        let Some((browser, wanted)) = admitted.browser.as_ref().and_then(started) else {
            return Ok(Prepared { image, companion: None, anchor });
        };
        let wrong = |message| Fault::permanent("invalid", format!("/browser: {message}"));
        let reference = wanted.reference().map_err(wrong)?;
        let provided = self.provide(&reference, &told).await?;
        attempt.progress(format!("starting the browser {}", browser.name));
        let network = admitted.network.as_ref().map(|network| &*network.name);
        let of = (occasion.mark(), Reach::Itself);
        let companion = self.accompany(of, (wanted, &provided), network).await?;
        let known_as = provided.digest.as_ref().unwrap_or(&provided.id);
        attempt.log(format!("the browser {} is ready: {reference}, {known_as}\n", browser.name));
        Ok(Prepared { image, companion: Some(companion), anchor })
    }

    /// Sees to it that an image is there.
    pub(crate) async fn provide(
        &self,
        image: &ImageReference,
        told: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Provided, Fault> {
        let provided = provide(&self.engine, &self.policy, &self.credentials, image, told).await?;
        if let Some(warning) = &provided.warning {
            told(format!("{warning}\n"));
            tracing::warn!(%image, "{warning}");
            self.warned.iter().for_each(|warned| warned.warned(warning));
        }
        Ok(provided)
    }

    /// Starts a browser.
    pub(crate) async fn accompany(
        &self,
        of: (Mark, Reach),
        browser: (&BrowserImage, &Provided),
        network: Option<&str>,
    ) -> Result<Companion, Fault> {
        let by = (&self.engine, &self.removals, &*self.policy);
        Companion::start(by, of, browser, network).await
    }

    /// By what everything is known that is for this start, and for no attempt.
    pub(crate) fn mark(&self) -> Mark {
        self.owner.mark()
    }

    /// Whether this process reaches the networks of the engine.
    pub(crate) fn is_reached_from_here(&self) -> bool {
        cfg!(target_os = "linux") && self.engine.socket().is_some()
    }

    /// Whether nobody in a network reaches link-local addresses and metadata through it.
    async fn check_network(&self, network: &OfferedNetwork) -> Result<(), Fault> {
        let name = &network.name;
        let inspected = self.engine.docker.inspect_network(name, None::<InspectNetworkOptions>);
        let found = self.engine.call("look at a network", inspected).await?;
        let is_closed = found.internal.unwrap_or_default()
            && !found.enable_ipv6.unwrap_or_default()
            && found.driver.as_deref() == Some("bridge");
        if is_closed {
            return Ok(());
        }
        let message = format!(
            "the network {name} is not an internal bridge without IPv6, so link-local addresses and metadata \
             could be reached through it: its operator makes one by `docker network create --internal {name}`"
        );
        Err(Fault::permanent("network_not_closed", message))
    }

    async fn run(
        &self,
        job: &ContainerJob,
        admitted: &Admitted,
        occasion: &Occasion<'_>,
        prepared: &Prepared,
        attempt: &Attempt,
    ) -> Result<ContainerResult, Fault> {
        let Prepared { image, companion, .. } = prepared;
        let beside = companion.as_ref().map(Companion::beside).or_else(|| running(admitted));
        let body =
            plan::container(job, admitted, &self.policy, occasion, &image.id, (&self.engine.version, beside));
        let container = Container::create(&self.engine, &self.removals, body).await?;
        let wrong = |error: std::io::Error| Fault::permanent("invalid", format!("/input: {error}"));
        let course = async {
            if let Some((network, _)) = admitted.network.as_ref().zip(companion.as_ref()) {
                container.connect(&network.name).await?;
            }
            container.put(paths::HOME, tarball::home(job, occasion).map_err(wrong)?).await?;
            if let Some(output) = &job.output {
                container.put(output, tarball::open_folder().map_err(wrong)?).await?;
            }
            let anchor = self.anchor(occasion, prepared, &container).await?;
            let (engine, policy, companion) = (&self.engine, &*self.policy, companion.as_ref());
            let course =
                Course { engine, policy, job, admitted, attempt, companion, anchor: anchor.as_ref() };
            let ended = course.run(&container).await;
            if let Some(anchor) = anchor {
                told(anchor.remove().await);
            }
            ended
        };
        let ended = course.await;
        told(container.remove().await);
        let result = ended?;
        Ok(ContainerResult {
            image: admitted.image.to_string(),
            image_id: image.id.clone(),
            image_digest: image.digest.clone(),
            ..result
        })
    }
}

impl ContainerExecutor {
    /// Starts what keeps the output of a container in memory, if anything is to. What is in the container
    /// before it starts has to be there: the engine makes no folder in what it mounts read-only.
    async fn anchor(
        &self,
        occasion: &Occasion<'_>,
        prepared: &Prepared,
        container: &Container,
    ) -> Result<Option<Anchor>, Fault> {
        let Some(image) = self.policy.output_in_memory.as_ref().zip(prepared.anchor.as_ref()) else {
            return Ok(None);
        };
        let by = (&self.engine, &self.removals, &*self.policy);
        let anchor = Anchor::start(by, occasion.mark(), image, container).await?;
        match anchor.problem().await? {
            Some(problem) => Err(Fault::retryable("output_not_kept", problem)),
            None => Ok(Some(anchor)),
        }
    }
}

impl Executor<ContainerJob> for ContainerExecutor {
    async fn execute(&self, job: ContainerJob, attempt: Attempt) -> Result<ContainerResult, Fault> {
        let admitted = self.admit(&job, &attempt)?;
        let occasion = Occasion::of(&attempt, &job, &self.owner).map_err(|name| {
            let message =
                format!("/secrets/{name}: the options of the job do not name it: name it there too");
            Fault::permanent("invalid", message)
        })?;
        let prepared = tokio::select! {
            biased;
            () = attempt.cancelled() => {
                return Err(Fault::permanent("cancelled", "cancelled before the container started"));
            }
            prepared = self.prepare(&admitted, &occasion, &attempt) => prepared?,
        };
        attempt.progress(format!("running {}", admitted.image));
        let ended = self.run(&job, &admitted, &occasion, &prepared, &attempt).await;
        if let Some(companion) = prepared.companion {
            told(companion.remove().await);
        }
        ended
    }
}

/// The image of a browser that is started for each attempt, if it is one.
fn started(browser: &OfferedBrowser) -> Option<(&OfferedBrowser, &BrowserImage)> {
    match &browser.source {
        BrowserSource::Image(image) => Some((browser, image)),
        BrowserSource::Running { .. } => None,
    }
}

/// The browser that runs anyway, if a job is to have it.
fn running(admitted: &Admitted) -> Option<Beside<'_>> {
    match admitted.browser.as_ref().map(|browser| &browser.source) {
        Some(BrowserSource::Running { url, .. }) => Some(Beside { url, bridge: None }),
        _ => None,
    }
}

impl ContainerExecutorBuilder {
    /// Where the engine is. The usual socket of Docker unless said otherwise.
    pub fn engine(mut self, address: EngineAddress) -> Self {
        self.address = address;
        self
    }

    /// What jobs may ask for. [`Policy::default`] unless said otherwise.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// With what images are pulled. Without credentials unless said otherwise.
    pub fn credentials(mut self, credentials: RegistryCredentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// Takes the time from another clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Draws from another source of chance.
    pub fn random(mut self, random: impl Random) -> Self {
        self.random = Arc::new(random);
        self
    }

    /// Who is told what an operator should know of.
    pub fn warned(mut self, warned: Arc<dyn Warned>) -> Self {
        self.warned = Some(warned);
        self
    }

    /// Connects to the engine.
    ///
    /// # Errors
    /// [`EngineError::Unreachable`].
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn connect(self) -> Result<ContainerExecutor, EngineError> {
        let Self { address, policy, credentials, owner, clock, random, warned } = self;
        let mut start = [0; 8];
        random.fill(&mut start);
        let owner = Owner { runner: owner, start: format!("{:016x}", u64::from_be_bytes(start)) };
        let engine = Engine::connect(address, clock).await?;
        let (policy, removals) = (Arc::new(policy), Removals::default());
        Ok(ContainerExecutor { engine, policy, credentials, owner, removals, warned })
    }
}
