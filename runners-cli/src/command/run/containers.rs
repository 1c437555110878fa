//! Containers of a runner: what its operator allows of them, the connection to the engine, and what an
//! earlier start has left.

use super::background::Watched;
use crate::{
    args::{BrowserArgs, ContainerArgs},
    local::LocalBrowser,
    narrator::Narrator,
    terminal::{self, count},
};
use anyhow::{Context as _, Result, anyhow};
use futures::future::pending;
use runners_core::Runner;
use runners_exec_container::{
    AllowedMount, BrowserImage, BrowserSource, ContainerBrowser, ContainerExecutor, OfferedBrowser,
    OfferedNetwork, Policy, RegistryCredentials, Warned,
};
use serde_json::json;
use std::{collections::BTreeMap, fs, sync::Arc};

/// The label of a runner that has run an image of another release line.
const OTHER_LINE: &str = "container-image=other-release";

/// What a mount ends with that may be written to.
const WRITABLE: &str = ":rw";

impl Warned for Narrator {
    fn warned(&self, text: &str) {
        self.say(&format!("warning: {text}"), json!({ "event": "warned", "text": text }));
    }
}

impl Warned for Watched {
    fn warned(&self, text: &str) {
        self.narrator.warned(text);
        if let Some(account) = &self.account {
            account.warn(text);
        }
        self.other_line.send_replace(true);
    }
}

/// The browser of this machine; none where there is none, if containers were asked for: whoever runs
/// containers alone needs no browser. Nor if it is to be in a container.
pub(in crate::command) fn browser_beside(
    arguments: &BrowserArgs,
    container: &ContainerArgs,
) -> Result<Option<LocalBrowser>> {
    if container.browser_image.is_some() {
        return Ok(None);
    }
    match LocalBrowser::new(arguments) {
        Err(error) if container.containers => {
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

/// Removes what earlier starts have left, once the control plane has answered: whatever other process was
/// this runner is then displaced. Never ends.
pub(super) async fn sweep(watched: &Watched, containers: Option<&ContainerExecutor>) {
    let mut connected = watched.connected.subscribe();
    if let Some(containers) = containers
        && connected.wait_for(|is_so| *is_so).await.is_ok()
    {
        sweep_now(containers, &watched.narrator).await;
    }
    pending::<()>().await;
}

/// Removes what earlier starts have left, where no other process can be this runner.
pub(in crate::command) async fn sweep_now(containers: &ContainerExecutor, narrator: &Narrator) {
    match containers.sweep().await {
        Ok(0) => {}
        Ok(left) => {
            let text = format!("removed {} that an earlier start has left", count(left, "container"));
            narrator.say(&text, json!({ "event": "swept", "containers": left }));
        }
        Err(error) => {
            let why = terminal::chain(&error.into());
            let text = format!("warning: containers of an earlier start could not be removed: {why}");
            narrator.say(&text, json!({ "event": "warned", "text": text }));
        }
    }
}

/// Starts the browser of flows, if it is to be in a container.
pub(in crate::command) async fn start_browser(
    arguments: &ContainerArgs,
    containers: Option<&ContainerExecutor>,
    narrator: &Narrator,
) -> Result<Option<ContainerBrowser>> {
    let Some((image, containers)) = arguments.browser_image.as_ref().zip(containers) else { return Ok(None) };
    let told = |line: String| {
        let line = line.trim_end();
        narrator.say(line, json!({ "event": "pulling", "text": line }));
    };
    let started = containers.start_browser(&BrowserImage::of(image), &told).await;
    let browser = started.map_err(|fault| anyhow!("--browser-image: {}", fault.message))?;
    let text = format!("flows are replayed in a container of {image}");
    narrator.say(&text, json!({ "event": "browser_started", "image": image }));
    Ok(Some(browser))
}

/// Ends the browser of flows.
pub(in crate::command) async fn stop_browser(browser: ContainerBrowser) {
    if let Err(error) = browser.stop().await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, "the browser is not removed yet, which is tried again");
    }
}

/// Connects to the engine, if containers were asked for.
pub(in crate::command) async fn open(
    arguments: &ContainerArgs,
    owner: impl ToString,
    narrator: &Narrator,
    warned: Arc<dyn Warned>,
) -> Result<Option<ContainerExecutor>> {
    if !arguments.containers && arguments.browser_image.is_none() {
        return Ok(None);
    }
    let executor = connect(arguments, owner, Some(warned)).await?;
    let engine = executor.engine();
    let text = format!("containers by {} {}", engine.name, engine.version);
    let event = json!({ "event": "containers", "engine": engine.name, "version": engine.version });
    narrator.say(&text, event);
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
    policy.browsers.clone_from(&arguments.container_browser_image);
    let running = arguments.container_browser.as_ref().zip(arguments.container_network.first());
    policy.browsers.extend(running.map(|(text, network)| running_browser(text, network)));
    policy.output_in_memory.clone_from(&arguments.container_output_in_memory);
    policy.maxima.memory_bytes = arguments.container_memory_max;
    policy.maxima.cpu_millis = arguments.container_cpus_max;
    policy.maxima.processes = arguments.container_processes_max;
    policy
}

/// Reads `URL` or `NAME=URL`.
fn running_browser(text: &str, network: &str) -> OfferedBrowser {
    let named = text.split_once('=').filter(|(name, _)| !name.contains("://"));
    let (name, url) = named.unwrap_or(("browser", text));
    let source = BrowserSource::Running { url: url.to_owned(), network: network.to_owned() };
    OfferedBrowser { name: name.to_owned(), source }
}

fn allowed(text: &str) -> AllowedMount {
    match text.strip_suffix(WRITABLE) {
        Some(path) => AllowedMount { path: path.into(), writable: true },
        None => AllowedMount { path: text.into(), writable: false },
    }
}
