//! Executes container jobs: what is asked is judged, the image provided, and one container run and removed,
//! whatever comes.

use crate::{
    command::ContainerJob,
    container::Container,
    course::Course,
    credentials::RegistryCredentials,
    engine::{Engine, EngineAddress, EngineVersion},
    error::EngineError,
    paths,
    plan::{self, Occasion},
    policy::{Admitted, OfferedNetwork, Policy},
    provide::{Provided, provide},
    removal::{Removals, sweep},
    result::ContainerResult,
    tarball,
};
use bollard::query_parameters::InspectNetworkOptions;
use runners_core::{Attempt, Clock, Executor, Fault, SystemClock};
use std::{fmt::Debug, sync::Arc};

/// Runs each job in a container of its own. Clones share the engine.
#[derive(Clone, Debug)]
pub struct ContainerExecutor {
    engine: Engine,
    policy: Arc<Policy>,
    credentials: RegistryCredentials,
    owner: String,
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
    warned: Option<Arc<dyn Warned>>,
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
            warned: None,
        }
    }

    /// Which engine it is.
    #[must_use]
    pub const fn engine(&self) -> &EngineVersion {
        &self.engine.version
    }

    /// What a runner with this executor is labelled with: `container`, the engine as `container=docker` and
    /// its version as `container=docker-28`; `container-browser` if jobs may ask for one.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        let EngineVersion { name, version } = self.engine();
        let line = version.split('.').next().unwrap_or_default();
        let mut labels = vec!["container".to_owned(), format!("container={name}")];
        labels.push(format!("container={name}-{line}"));
        labels.extend(self.policy.browser.iter().map(|_| "container-browser".to_owned()));
        labels
    }

    /// Removes the containers that an earlier start of the same runner has left, and tells how many there
    /// were. Call it before the runner starts, and never while another one of that name executes.
    ///
    /// # Errors
    /// [`EngineError`].
    ///
    /// # Cancel safety
    /// Dropping the future leaves some of them.
    pub async fn sweep(&self) -> Result<usize, EngineError> {
        sweep(&self.engine, &self.owner).await
    }

    /// Waits until the containers of attempts that were dropped are removed. Call it after the runner has
    /// ended.
    ///
    /// # Cancel safety
    /// Dropping the future leaves some of them to the next sweep.
    pub async fn settle(&self) {
        self.removals.settle().await;
    }

    /// What is asked, if it may be.
    fn admit(&self, job: &ContainerJob, attempt: &Attempt) -> Result<Admitted, Fault> {
        let sockets: Vec<_> = self.engine.socket().into_iter().collect();
        let admitted = self.policy.admit(job, attempt.image(), &sockets);
        admitted.map_err(|problems| Fault::permanent("invalid", problems.to_string()))
    }

    /// Everything up to the start: the network is what it should be, and the image is there.
    async fn prepare(&self, admitted: &Admitted, attempt: &Attempt) -> Result<Provided, Fault> {
        if let Some(network) = &admitted.network {
            self.check_network(network).await?;
        }
        let (engine, policy) = (&self.engine, &*self.policy);
        let provided = provide(engine, policy, &self.credentials, &admitted.image, attempt).await?;
        if let Some(warning) = &provided.warning {
            attempt.log(format!("{warning}\n"));
            tracing::warn!(image = %admitted.image, "{warning}");
            self.warned.iter().for_each(|warned| warned.warned(warning));
        }
        Ok(provided)
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
        provided: &Provided,
        attempt: &Attempt,
    ) -> Result<ContainerResult, Fault> {
        let occasion = Occasion::of(attempt, job, &self.owner).map_err(|name| {
            let message =
                format!("/secrets/{name}: the options of the job do not name it: name it there too");
            Fault::permanent("invalid", message)
        })?;
        let body = plan::container(job, admitted, &self.policy, &occasion, &provided.id);
        let container = Container::create(&self.engine, &self.removals, body).await?;
        let wrong = |error: std::io::Error| Fault::permanent("invalid", format!("/input: {error}"));
        let course = async {
            container.put(paths::HOME, tarball::home(job, &occasion).map_err(wrong)?).await?;
            if let Some(output) = &job.output {
                container.put(output, tarball::open_folder().map_err(wrong)?).await?;
            }
            let (engine, policy) = (&self.engine, &*self.policy);
            Course { engine, policy, job, admitted, attempt }.run(&container).await
        };
        let ended = course.await;
        if let Err(error) = container.remove().await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "a container could not be removed: the next start of this runner does");
        }
        let result = ended?;
        Ok(ContainerResult { image: admitted.image.to_string(), image_id: provided.id.clone(), ..result })
    }
}

impl Executor<ContainerJob> for ContainerExecutor {
    async fn execute(&self, job: ContainerJob, attempt: Attempt) -> Result<ContainerResult, Fault> {
        let admitted = self.admit(&job, &attempt)?;
        let provided = tokio::select! {
            biased;
            () = attempt.cancelled() => {
                return Err(Fault::permanent("cancelled", "cancelled before the container started"));
            }
            provided = self.prepare(&admitted, &attempt) => provided?,
        };
        attempt.progress(format!("running {}", admitted.image));
        self.run(&job, &admitted, &provided, &attempt).await
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
        let Self { address, policy, credentials, owner, clock, warned } = self;
        let engine = Engine::connect(address, clock).await?;
        let (policy, removals) = (Arc::new(policy), Removals::default());
        Ok(ContainerExecutor { engine, policy, credentials, owner, removals, warned })
    }
}
