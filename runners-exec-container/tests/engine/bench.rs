//! A control plane, a runner with containers, and a client, in one process.

use crate::daemon::{Daemon, IMAGE};
use futures::TryStreamExt as _;
use runners_core::{
    ArtifactKey, ArtifactStore as _, Client, Conclusion, ControlPlane, EnvironmentSecrets, Fault, Followed,
    JobHandle, JobOptions, MemoryArtifacts, MemoryStore, RetryPolicy, Runner, TenantId, protocol::JobView,
};
use runners_exec_container::{
    ContainerExecutor, ContainerExecutorBuilder, ContainerJob, ContainerResult, EngineAddress, Policy,
};
use std::{sync::Arc, time::Duration};

pub(crate) struct Bench {
    pub(crate) daemon: Arc<Daemon>,
    pub(crate) client: Client,
    pub(crate) executor: ContainerExecutor,
    pub(crate) owner: String,
    artifacts: Arc<MemoryArtifacts>,
    control: ControlPlane,
    runner: Runner,
}

/// How a job ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) view: JobView,
    pub(crate) log: String,
    pub(crate) result: Option<ContainerResult>,
}

impl Bench {
    /// With the policy as it is; `None` where there is no engine.
    pub(crate) async fn start(owner: &str) -> Option<Self> {
        Self::with(owner, |builder| builder).await
    }

    pub(crate) async fn with_policy(owner: &str, change: impl FnOnce(&mut Policy)) -> Option<Self> {
        let mut policy = Policy::default();
        change(&mut policy);
        Self::with(owner, |builder| builder.policy(policy)).await
    }

    pub(crate) async fn with(
        owner: &str,
        build: impl FnOnce(ContainerExecutorBuilder) -> ContainerExecutorBuilder,
    ) -> Option<Self> {
        let daemon = Daemon::get()?;
        let builder = ContainerExecutor::builder(owner).engine(EngineAddress::Socket(daemon.socket()));
        let executor = build(builder).connect().await.unwrap();
        let artifacts = Arc::new(MemoryArtifacts::default());
        let control = ControlPlane::builder(MemoryStore::default()).artifacts(artifacts.clone());
        let control = control.default_image(IMAGE).start().await.unwrap();
        let runner = control
            .local_runner("default")
            .slots(4)
            .labels(executor.labels())
            .secrets(EnvironmentSecrets::prefixed("CARGO_PKG_"))
            .executor(executor.clone())
            .start();
        let client = control.local_client();
        Some(Self { daemon, client, executor, owner: owner.to_owned(), artifacts, control, runner })
    }

    /// Runs a script of the shell to its end.
    pub(crate) async fn shell(&self, script: &str) -> Ended {
        self.run(shell(script)).await
    }

    pub(crate) async fn run(&self, job: ContainerJob) -> Ended {
        let handle = self.submit(job, JobOptions::default()).await;
        self.ended(handle).await
    }

    pub(crate) async fn submit(&self, job: ContainerJob, options: JobOptions) -> JobHandle<ContainerResult> {
        self.submit_again(job, JobOptions { retry: RetryPolicy::never(), ..options }).await
    }

    /// The same, tried again as the options say.
    pub(crate) async fn submit_again(
        &self,
        job: ContainerJob,
        options: JobOptions,
    ) -> JobHandle<ContainerResult> {
        let secrets = job.secret_names();
        let options = JobOptions { secrets, timeout: Duration::from_secs(300), ..options };
        self.client.submit(&(job, options)).await.unwrap()
    }

    pub(crate) async fn ended(&self, handle: JobHandle<ContainerResult>) -> Ended {
        let mut log = Vec::new();
        let mut events = std::pin::pin!(handle.follow());
        while let Some(event) = events.try_next().await.unwrap() {
            if let Followed::Log { bytes, .. } = event {
                log.extend_from_slice(bytes.as_bytes());
            }
        }
        let view = handle.wait().await.unwrap();
        let log = String::from_utf8_lossy(&log).into_owned();
        Ended { view, log, result: handle.result().await.ok() }
    }

    /// The bytes of an artifact.
    pub(crate) async fn artifact(&self, ended: &Ended, name: &str) -> String {
        let found = ended.view.artifacts.iter().find(|artifact| artifact.name == name);
        let found = found.unwrap_or_else(|| panic!("{name} in {:?}", ended.view.artifacts));
        let key = ArtifactKey { tenant: TenantId::DEFAULT, digest: found.digest };
        let read = self.artifacts.get(key, None).await.unwrap();
        let pieces: Vec<_> = read.try_collect().await.unwrap();
        String::from_utf8(pieces.concat()).unwrap()
    }

    /// Sees that nothing is left, and that the runner goes on.
    pub(crate) async fn close(self) {
        let after = self.shell("echo goes on").await;
        assert_eq!(after.conclusion(), Conclusion::Passed, "{after:?}");
        self.runner.drain().await.unwrap();
        self.executor.settle().await;
        assert_eq!(self.daemon.containers_of(&self.owner), 0);
        assert_eq!(self.daemon.networks_of(&self.owner), 0);
        self.control.stop().await.unwrap();
    }
}

impl Ended {
    pub(crate) fn conclusion(&self) -> Conclusion {
        self.view.conclusion().unwrap()
    }

    pub(crate) fn fault(&self) -> &Fault {
        self.view.fault().unwrap_or_else(|| panic!("{self:?} has no fault"))
    }

    pub(crate) fn result(&self) -> &ContainerResult {
        self.result.as_ref().unwrap_or_else(|| panic!("{self:?} has no result"))
    }
}

/// A script of the shell, in the image of the control plane.
pub(crate) fn shell(script: &str) -> ContainerJob {
    let command = ["bash", "-c", script].map(str::to_owned).to_vec();
    ContainerJob { command, ..ContainerJob::default() }
}
