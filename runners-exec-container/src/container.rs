//! One container of the engine, from its making to its removal, which its guard sees to whatever comes.

use crate::{
    engine::Engine,
    error::EngineError,
    guard::Guard,
    removal::{Made, Removals},
};
use bollard::{
    body_full,
    container::LogOutput,
    errors::Error as Met,
    models::{
        ContainerCreateBody, ContainerInspectResponse, ContainerState, ContainerUpdateBody,
        NetworkConnectRequest, RestartPolicy, RestartPolicyNameEnum,
    },
    query_parameters::{
        AttachContainerOptionsBuilder, DownloadFromContainerOptionsBuilder, KillContainerOptionsBuilder,
        StatsOptionsBuilder, UploadToContainerOptionsBuilder, WaitContainerOptionsBuilder,
    },
};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream::BoxStream};
use std::{
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};

/// How often in a row the engine may not say how a container is, until its end is not waited for any more.
const WAITS_MAX: usize = 10;
/// How long after it broke off.
const WAIT_AGAIN_AFTER: Duration = Duration::from_secs(3);

/// A container that exists until this is dropped.
#[derive(Debug)]
pub(crate) struct Container {
    engine: Engine,
    guard: Guard,
}

impl Container {
    /// Makes one. Nothing runs yet.
    ///
    /// # Cancel safety
    /// Dropping the future removes what is made.
    pub(crate) async fn create(
        engine: &Engine,
        removals: &Removals,
        body: ContainerCreateBody,
    ) -> Result<Self, EngineError> {
        let docker = engine.docker.clone();
        let making = async move {
            let none = None::<bollard::query_parameters::CreateContainerOptions>;
            Ok(Made::Container(docker.create_container(none, body).await?.id))
        };
        let guard = Guard::make((engine, removals), "make a container", making).await?;
        Ok(Self { engine: engine.clone(), guard })
    }

    /// What the engine knows it by.
    pub(crate) fn id(&self) -> &str {
        self.guard.id()
    }

    /// Unpacks an archive in one of its folders.
    pub(crate) async fn put(&self, folder: &str, archive: Bytes) -> Result<(), EngineError> {
        let options = UploadToContainerOptionsBuilder::new().path(folder).build();
        let put = self.engine.docker.upload_to_container(self.id(), Some(options), body_full(archive));
        self.engine.call("put files into a container", put).await
    }

    /// Everything that it says from now on.
    pub(crate) async fn output(&self) -> Result<BoxStream<'static, Result<LogOutput, Met>>, EngineError> {
        let options = AttachContainerOptionsBuilder::new().stream(true).stdout(true).stderr(true).build();
        let attached = self.engine.docker.attach_container(self.id(), Some(options));
        Ok(self.engine.call("follow a container", attached).await?.output)
    }

    pub(crate) async fn start(&self) -> Result<(), EngineError> {
        let none = None::<bollard::query_parameters::StartContainerOptions>;
        self.engine.call("start a container", self.engine.docker.start_container(self.id(), none)).await
    }

    /// Has the engine start it again whenever it ends by itself.
    pub(crate) async fn restart(&self) -> Result<(), EngineError> {
        let policy = RestartPolicy { name: Some(RestartPolicyNameEnum::ALWAYS), maximum_retry_count: None };
        let body = ContainerUpdateBody { restart_policy: Some(policy), ..ContainerUpdateBody::default() };
        let updated = self.engine.docker.update_container(self.id(), body);
        self.engine.call("have a container started again", updated).await
    }

    /// Sends it a signal. One that has ended is no error.
    pub(crate) async fn signal(&self, signal: &str) -> Result<(), EngineError> {
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        let sent = self.engine.docker.kill_container(self.id(), Some(options));
        match self.engine.call("send a signal to a container", sent).await {
            // 409: it does not run any more.
            Err(EngineError::Refused { code: 404 | 409, .. }) => Ok(()),
            other => other,
        }
    }

    /// Waits until it has ended, over an engine that is started anew meanwhile.
    pub(crate) async fn ended(&self) -> Result<ContainerState, EngineError> {
        let mut broken = 0;
        loop {
            let options = WaitContainerOptionsBuilder::new().condition("not-running").build();
            // How it ended, and whether this was cut short, the next call tells.
            drop(pin!(self.engine.docker.wait_container(self.id(), Some(options))).next().await);
            match self.state().await {
                Ok(state) if !state.running.unwrap_or_default() => return Ok(state),
                // It runs, so there is something to wait for; how long, those who call bound.
                Ok(_) => broken = 0,
                Err(error) if error.is_missing() || broken == WAITS_MAX => return Err(error),
                Err(_) => broken += 1,
            }
            runners_core::sleep(&*self.engine.clock, WAIT_AGAIN_AFTER).await;
        }
    }

    /// How it is now.
    pub(crate) async fn state(&self) -> Result<ContainerState, EngineError> {
        Ok(self.inspect().await?.state.unwrap_or_default())
    }

    /// Its address in a network, while it runs.
    pub(crate) async fn address(&self, network: &str) -> Result<Option<String>, EngineError> {
        let mut networks =
            self.inspect().await?.network_settings.and_then(|found| found.networks).unwrap_or_default();
        Ok(networks.remove(network).and_then(|found| found.ip_address).filter(|text| !text.is_empty()))
    }

    /// Where a folder of it that is a volume is on the machine of the engine, if that is told.
    pub(crate) async fn place(&self, folder: &str) -> Option<PathBuf> {
        let mounts = self.inspect().await.ok()?.mounts?;
        let places = mounts.into_iter().filter_map(|mount| {
            let below = Path::new(folder).strip_prefix(mount.destination?).ok()?.to_owned();
            Some((Path::new(&mount.source?).join(&below), below))
        });
        // One volume may be in another.
        Some(places.min_by_key(|(_, below)| below.components().count())?.0)
    }

    /// Puts it into one more network.
    pub(crate) async fn connect(&self, network: &str) -> Result<(), EngineError> {
        let request = NetworkConnectRequest { container: self.id().to_owned(), endpoint_config: None };
        let connected = self.engine.docker.connect_network(network, request);
        self.engine.call("put a container into a network", connected).await
    }

    async fn inspect(&self) -> Result<ContainerInspectResponse, EngineError> {
        let none = None::<bollard::query_parameters::InspectContainerOptions>;
        let inspected = self.engine.docker.inspect_container(self.id(), none);
        self.engine.call("look at a container", inspected).await
    }

    /// How many processes it has, if the engine counts them.
    pub(crate) async fn processes(&self) -> Option<u64> {
        let options = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
        let mut stats = pin!(self.engine.docker.stats(self.id(), Some(options)));
        let first = async { stats.next().await.transpose() };
        let stats = self.engine.call("count processes", first).await.ok()??;
        stats.pids_stats?.current
    }

    /// The archive of one of its folders.
    pub(crate) fn archive(&self, folder: &str) -> impl Stream<Item = Result<Bytes, Met>> + Send + use<> {
        let options = DownloadFromContainerOptionsBuilder::new().path(folder).build();
        self.engine.docker.download_from_container(self.id(), Some(options))
    }

    /// How many bytes the archive of a folder has, as far as a little over `bytes_max`.
    pub(crate) async fn measure(&self, folder: &str, bytes_max: u64) -> Result<u64, EngineError> {
        let mut archive = pin!(self.archive(folder));
        let measured = async {
            let mut bytes = 0;
            while let Some(piece) = archive.next().await {
                bytes += piece?.len() as u64;
                if bytes > bytes_max {
                    break;
                }
            }
            Ok(bytes)
        };
        self.engine.call("read the output of a container", measured).await
    }

    /// Kills it if it runs, and removes it with what it has written. What fails goes on in the background.
    pub(crate) async fn remove(self) -> Result<(), EngineError> {
        self.guard.remove().await
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
