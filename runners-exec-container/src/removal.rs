//! Removing what was made of an engine: always, also when whoever uses it is dropped, and what a runner left
//! that died.

use crate::{
    engine::Engine,
    error::EngineError,
    plan::{LEASE_LABEL, OWNER_LABEL, Owner, START_LABEL},
    within::within,
};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, RemoveContainerOptionsBuilder,
};
use runners_core::{Clock, sleep};
use std::{
    collections::HashMap,
    error::Error,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{runtime::Handle, task::JoinSet};

/// How often the removal of a container is tried at once.
const TRIES_MAX: usize = 3;
/// How often that of a network is: its containers may just be on their way out.
const NETWORK_TRIES_MAX: usize = 40;
/// How long until the next try.
const AGAIN_AFTER: Duration = Duration::from_millis(250);
/// How long, in the background, until what could not be removed is tried again; it doubles with each time.
const PAUSE: Duration = Duration::from_secs(1);
/// How long at most.
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// How long those that go on are waited for once the executor has nothing else to do.
const SETTLE_WITHIN: Duration = Duration::from_secs(60);

/// What was made of an engine.
#[derive(Clone, Debug)]
pub(crate) enum Made {
    /// A container, by its id.
    Container(String),
    /// A network, by its id.
    Network(String),
}

impl Made {
    /// What the engine knows it by.
    pub(crate) fn id(&self) -> &str {
        let (Self::Container(id) | Self::Network(id)) = self;
        id
    }
}

/// Removals that go on behind, and what has yet to be made and may have to be removed. Clones share them;
/// dropping the last one drops what has not been done, and the next start sweeps it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Removals {
    under_way: Arc<Mutex<JoinSet<()>>>,
}

impl Removals {
    /// Removes it in the background, however long its engine is away: for as long as there is an executor, no
    /// sweep takes what this start of it has made.
    pub(crate) fn begin(&self, engine: Engine, made: Made) {
        self.spawn(async move {
            let mut pause = PAUSE;
            while let Err(error) = remove(&engine, &made).await {
                tracing::warn!(?made, error = &error as &dyn Error, "not removed yet, which is tried again");
                sleep(&*engine.clock, pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        });
    }

    /// Goes on with something in the background, if there is a runtime that can.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let Ok(runtime) = Handle::try_current() else { return };
        let mut under_way = self.under_way();
        while under_way.try_join_next().is_some() {}
        under_way.spawn_on(work, &runtime);
    }

    /// Waits until all that have begun are done, for a minute at most: the engine may be away for good.
    pub(crate) async fn settle(&self, clock: &dyn Clock) {
        let settled = within(clock, SETTLE_WITHIN, async {
            loop {
                // What is made last is removed by one more.
                let mut under_way = mem::take(&mut *self.under_way());
                if under_way.is_empty() {
                    return;
                }
                while under_way.join_next().await.is_some() {}
            }
        });
        if settled.await.is_none() {
            tracing::warn!("not everything could be removed: the next start of this runner does");
        }
    }

    fn under_way(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells that something is not removed yet.
pub(crate) fn told(removed: Result<(), EngineError>) {
    if let Err(error) = removed {
        tracing::warn!(error = &error as &dyn Error, "not removed yet, which is tried again");
    }
}

/// Removes it; a container is killed, and goes with what it has written. What is gone is no error.
pub(crate) async fn remove(engine: &Engine, made: &Made) -> Result<(), EngineError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let (removed, tries_max) = match made {
            Made::Container(id) => {
                let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
                let removed = engine.docker.remove_container(id, Some(options));
                (engine.call("remove a container", removed).await, TRIES_MAX)
            }
            Made::Network(id) => {
                let removed = engine.docker.remove_network(id);
                (engine.call("remove a network", removed).await, NETWORK_TRIES_MAX)
            }
        };
        match removed {
            Ok(()) => return Ok(()),
            Err(error) if error.is_missing() => return Ok(()),
            Err(error) if tries == tries_max => return Err(error),
            // Another removal may be under way, or that of a container in the network.
            Err(_) => sleep(&*engine.clock, AGAIN_AFTER).await,
        }
    }
}

/// Removes everything that other starts of a runner have left, and tells how many containers there were. The
/// first error is told once all was tried.
pub(crate) async fn sweep(engine: &Engine, owner: &Owner) -> Result<usize, EngineError> {
    let label = vec![format!("{OWNER_LABEL}={}", owner.runner), LEASE_LABEL.to_owned()];
    let filters = HashMap::from([("label", label)]);
    let is_left = |labels: Option<HashMap<String, String>>| {
        labels.is_none_or(|labels| labels.get(START_LABEL) != Some(&owner.start))
    };
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let listed = engine.docker.list_containers(Some(options));
    let containers = engine.call("list containers", listed).await?;
    let left = containers.into_iter().filter_map(|found| found.id.filter(|_| is_left(found.labels)));
    let left: Vec<Made> = left.map(Made::Container).collect();
    let options = ListNetworksOptionsBuilder::new().filters(&filters).build();
    let listed = engine.docker.list_networks(Some(options));
    let networks = engine.call("list networks", listed).await?;
    let networks = networks.into_iter().filter_map(|found| found.id.filter(|_| is_left(found.labels)));
    let networks: Vec<Made> = networks.map(Made::Network).collect();
    // What cannot be removed keeps nothing else from it.
    let mut first = None;
    for made in left.iter().chain(&networks) {
        if let Err(error) = remove(engine, made).await {
            tracing::warn!(
                ?made,
                error = &error as &dyn Error,
                "what another start left could not be removed"
            );
            first.get_or_insert(error);
        }
    }
    first.map_or(Ok(left.len()), Err)
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
