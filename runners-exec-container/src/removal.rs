//! Removing containers: always, also when whoever runs one is dropped, and what a runner left that died.

use crate::{
    engine::Engine,
    error::EngineError,
    plan::{LEASE_LABEL, OWNER_LABEL},
};
use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};
use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{runtime::Handle, task::JoinSet};

/// How often a removal is tried.
const TRIES_MAX: usize = 3;

/// Removals that go on behind. Clones share them; dropping the last one drops what has not been done, and
/// the next start sweeps it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Removals {
    under_way: Arc<Mutex<JoinSet<()>>>,
}

impl Removals {
    /// Removes a container in the background, if there is a runtime that can.
    pub(crate) fn begin(&self, engine: Engine, id: String) {
        let Ok(runtime) = Handle::try_current() else { return };
        let mut under_way = self.under_way();
        while under_way.try_join_next().is_some() {}
        let removal = async move {
            if let Err(error) = remove(&engine, &id).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(container = id, error, "a container could not be removed");
            }
        };
        under_way.spawn_on(removal, &runtime);
    }

    /// Waits until all that have begun are done.
    pub(crate) async fn settle(&self) {
        let mut under_way = mem::take(&mut *self.under_way());
        while under_way.join_next().await.is_some() {}
    }

    fn under_way(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Kills a container and removes it with what it has written. One that is gone is no error.
pub(crate) async fn remove(engine: &Engine, id: &str) -> Result<(), EngineError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        let removed = engine.docker.remove_container(id, Some(options));
        match engine.call("remove a container", removed).await {
            Ok(()) => return Ok(()),
            Err(error) if error.is_missing() => return Ok(()),
            Err(error) if tries == TRIES_MAX => return Err(error),
            // It may be that another removal is under way.
            Err(_) => {}
        }
    }
}

/// Removes every container of `owner`, and tells how many there were.
pub(crate) async fn sweep(engine: &Engine, owner: &str) -> Result<usize, EngineError> {
    let filters = HashMap::from([("label", vec![format!("{OWNER_LABEL}={owner}"), LEASE_LABEL.to_owned()])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let listed = engine.docker.list_containers(Some(options));
    let left = engine.call("list containers", listed).await?;
    let ids: Vec<String> = left.into_iter().filter_map(|container| container.id).collect();
    for id in &ids {
        remove(engine, id).await?;
    }
    Ok(ids.len())
}
