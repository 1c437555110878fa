//! Containers of a runner: what its operator allows of them, the connection to the engine, and what an
//! earlier start has left.

use super::background::Watched;
use crate::{
    args::{ContainerArgs, RunArgs},
    local::LocalBrowser,
};
use anyhow::{Context as _, Result};
use futures::future::pending;
use runners_core::Runner;
use runners_exec_container::{
    AllowedMount, ContainerExecutor, OfferedBrowser, OfferedNetwork, Policy, RegistryCredentials, Warned,
};
use serde_json::json;
use std::{collections::BTreeMap, fs, sync::Arc};

/// The label of a runner that has run an image of another release line.
const OTHER_LINE: &str = "container-image=other-release";

/// What a mount ends with that may be written to.
const WRITABLE: &str = ":rw";

impl Warned for Watched {
    fn warned(&self, text: &str) {
        self.narrator.say(&format!("warning: {text}"), json!({ "event": "warned", "text": text }));
        if let Some(account) = &self.account {
            account.warn(text);
        }
        self.other_line.send_replace(true);
    }
}

/// The browser of this machine; none where there is none, if containers were asked for: whoever runs
/// containers alone needs no browser.
pub(super) fn browser_beside(arguments: &RunArgs) -> Result<Option<LocalBrowser>> {
    match LocalBrowser::new(&arguments.browser) {
        Err(error) if arguments.container.containers => {
            tracing::info!(error = &*error as &dyn std::error::Error, "no flows are replayed here");
            Ok(None)
        }
        browser => browser.map(Some),
    }
}

/// Has the runner say, once it is so, that an image was of another release line: whoever looks at the fleet
/// sees its labels. Never ends.
pub(super) async fn label(watched: &Watched, runner: &Runner) {
    let mut other_line = watched.other_line.subscribe();
    if other_line.wait_for(|is_so| *is_so).await.is_ok() {
        runner.change_facts(|facts| {
            facts.labels.insert(OTHER_LINE.to_owned());
        });
    }
    pending::<()>().await;
}

/// Connects to the engine, if containers were asked for, and removes what `owner` has left there.
pub(super) async fn open(
    arguments: &ContainerArgs,
    owner: impl ToString,
    watched: &Arc<Watched>,
) -> Result<Option<ContainerExecutor>> {
    if !arguments.containers {
        return Ok(None);
    }
    let executor = connect(arguments, owner, Some(watched.clone())).await?;
    let left = executor.sweep().await.context("containers of an earlier start could not be removed")?;
    let engine = executor.engine();
    let text = format!("containers by {} {}", engine.name, engine.version);
    let event = json!({
        "event": "containers", "engine": engine.name, "version": engine.version, "removed": left,
    });
    watched.narrator.say(&text, event);
    if left > 0 {
        let text = format!("removed {left} containers that an earlier start has left");
        watched.narrator.say(&text, json!({ "event": "swept", "containers": left }));
    }
    Ok(Some(executor))
}

/// Connects to the engine.
pub(in crate::command) async fn connect(
    arguments: &ContainerArgs,
    owner: impl ToString,
    warned: Option<Arc<dyn Warned>>,
) -> Result<ContainerExecutor> {
    let mut builder = ContainerExecutor::builder(owner.to_string())
        .engine(arguments.container_engine.clone())
        .policy(policy(arguments));
    if let Some(file) = &arguments.container_auth {
        let told = || format!("--container-auth {}", file.display());
        let read = RegistryCredentials::read(&fs::read(file).with_context(told)?).with_context(told)?;
        builder = builder.credentials(read);
    }
    if let Some(warned) = warned {
        builder = builder.warned(warned);
    }
    builder.connect().await.context("containers were asked for: is --container-engine right?")
}

fn policy(arguments: &ContainerArgs) -> Policy {
    let mut policy = Policy::default();
    policy.pull = arguments.container_pull.into();
    policy.demand_digests = arguments.container_digests;
    policy.allow_root = arguments.container_root;
    policy.mounts = arguments.container_mount.iter().map(|text| allowed(text)).collect();
    let mut environment = BTreeMap::new();
    if let Some(proxy) = &arguments.container_proxy {
        let names = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];
        environment.extend(names.map(|name| (name.to_owned(), proxy.clone())));
    }
    let offered = |name: &String| OfferedNetwork { name: name.clone(), environment: environment.clone() };
    policy.networks = arguments.container_network.iter().map(offered).collect();
    let browser = arguments.container_browser.as_ref().zip(arguments.container_network.first());
    policy.browser =
        browser.map(|(url, network)| OfferedBrowser { url: url.clone(), network: network.clone() });
    policy.maxima.memory_bytes = arguments.container_memory_max;
    policy.maxima.cpu_millis = arguments.container_cpus_max;
    policy.maxima.processes = arguments.container_processes_max;
    policy
}

fn allowed(text: &str) -> AllowedMount {
    match text.strip_suffix(WRITABLE) {
        Some(path) => AllowedMount { path: path.into(), writable: true },
        None => AllowedMount { path: text.into(), writable: false },
    }
}
