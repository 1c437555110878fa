//! `runners dev`: a control plane and one runner in one process. The runner speaks to the control
//! plane without HTTP, but is enrolled like any other.

use super::run::containers;
use crate::{
    args::DevArgs,
    exit::Exit,
    host::Host,
    identity::{self, Identity},
    interrupts::Interrupts,
    local::LocalBrowser,
    machine::Machine,
    narrator::Narrator,
    opening,
    probe::{self, Found},
    version::PROGRAM,
};
use anyhow::{Context as _, Result};
use runners_core::{Authenticate as _, Egress, Principal, Runner, TenantId, TokenKind};
use runners_exec_container::{ContainerBrowser, ContainerExecutor};
use runners_otel::Telemetry;
use serde_json::json;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What the runner is called.
const NAME: &str = "dev";

/// The networks of this machine alone, whose pages may be looked at.
const HERE: [&str; 2] = ["127.0.0.0/8", "::1/128"];

pub(super) async fn execute(arguments: DevArgs, telemetry: &Telemetry) -> Result<Exit> {
    let mut interrupts = Interrupts::listen()?;
    let browser = containers::browser_beside(&arguments.browser, &arguments.container)?;
    // Everything is on this machine here.
    let egress = HERE.into_iter().fold(Egress::pushing(), |egress, network| {
        egress.allow_network(network.parse().expect("invariant: it is a network"))
    });
    let host = Host::open(&arguments.host, &arguments.browser, egress, telemetry).await?;
    let narrator = Arc::new(Narrator::new("the control plane in this process", arguments.host.json));
    host.announce("runners dev", &[("a flow", host.command_line("submit FLOW.json --wait", TokenKind::Api))]);
    let mut means = Means { browser, in_container: None, containers: None };
    let runner = tokio::select! {
        runner = start(&host, &arguments, &mut means, narrator.clone(), telemetry) => runner?,
        () = interrupts.next() => return Ok(Exit::Passed),
    };
    let page = host.dashboard_url().filter(|_| !arguments.no_open && !arguments.host.json);
    if let Some(url) = page.filter(|_| opening::is_possible()) {
        // The listener takes calls already; they are answered from here on.
        opening::open(&url);
    }
    let stop = CancellationToken::new();
    let mut serving = std::pin::pin!(host.serve(stop.clone()));
    tokio::select! {
        served = &mut serving => return served.map(|()| Exit::Passed),
        reason = runner.stopped() => anyhow::bail!("the runner ended: {reason}"),
        () = interrupts.next() => {}
    }
    narrator.say("stopping: finishing what runs; once more stops now", json!({ "event": "stopping" }));
    let ended = async {
        let drained = runner.drain().await;
        stop.cancel();
        drained.map_err(anyhow::Error::from)
    };
    tokio::select! {
        (served, drained) = async { tokio::join!(&mut serving, ended) } => served.and(drained)?,
        () = interrupts.next() => runner.kill(),
    }
    means.stop().await;
    narrator.say("stopped", json!({ "event": "stopped" }));
    Ok(Exit::Passed)
}

/// What the runner carries jobs out with.
struct Means {
    /// What replays flows, if anything does.
    browser: Option<LocalBrowser>,
    /// Where that is, if it is in a container.
    in_container: Option<ContainerBrowser>,
    /// What runs containers, if that was asked for.
    containers: Option<ContainerExecutor>,
}

impl Means {
    /// Waits until nothing is left of what it ran.
    async fn stop(self) {
        if let Some(browser) = self.browser {
            browser.stop().await;
        }
        if let Some(container) = self.in_container {
            containers::stop_browser(container).await;
        }
        if let Some(containers) = self.containers {
            containers.settle().await;
        }
    }

    /// Connects to the engine of containers, and starts what is to be in one.
    async fn open(
        &mut self,
        arguments: &DevArgs,
        identity: &Identity,
        narrator: &Arc<Narrator>,
    ) -> Result<()> {
        let (container, runner) = (&arguments.container, identity.enrolled.runner);
        self.containers = containers::open(container, runner, narrator, narrator.clone()).await?;
        if let Some(containers) = &self.containers {
            // The data directory is this process's, and so is the runner in it.
            containers::sweep_now(containers, narrator).await;
        }
        self.in_container = containers::start_browser(container, self.containers.as_ref(), narrator).await?;
        if let Some(container) = &self.in_container {
            self.browser = Some(LocalBrowser::in_container(&arguments.browser, container));
        }
        Ok(())
    }
}

async fn start(
    host: &Host,
    arguments: &DevArgs,
    means: &mut Means,
    narrator: Arc<Narrator>,
    telemetry: &Telemetry,
) -> Result<Runner> {
    let spool = identity::open_spool(&host.data.runner())?;
    let registration = host.registration.digest();
    let registrant = host.control.caller(Principal::Registrant { tenant: TenantId::DEFAULT, registration });
    let identity = Identity::enrol(&registrant, &spool, "dev", (NAME, None)).await?;
    means.open(arguments, &identity, &narrator).await?;
    let found = match &means.browser {
        Some(browser) => probe::find_out(browser, None).await,
        None => Found::default(),
    };
    let machine = Machine::new(&found, host.data.runner());
    for (text, event) in found.told {
        narrator.say(&text, event);
    }
    let principal = host.control.authenticator().authenticate(identity.credential.expose()).await;
    let runner = Runner::builder(host.control.caller(principal.context("the runner was not enrolled")?))
        .program(PROGRAM)
        .name(NAME)
        .facts(machine)
        .slots(arguments.slots)
        .labels(found.labels)
        .spool(spool)
        .artifacts(identity.enrolled.tenant, host.artifacts.clone())
        .relay(host.control.relay(identity.enrolled.tenant, identity.enrolled.runner))
        .observer(narrator)
        .metrics(telemetry.metrics())
        .traces(telemetry.traces());
    let runner = match means.containers.as_ref().filter(|_| arguments.container.containers) {
        Some(containers) => runner.labels(containers.labels()).executor(containers.clone()),
        None => runner,
    };
    let runner = match &means.browser {
        Some(browser) => runner.executor(browser.executor.clone()),
        None => runner,
    };
    let runner = match means.browser.as_ref().and_then(LocalBrowser::recorder) {
        Some(recorder) => runner.executor(recorder),
        None => runner,
    };
    Ok(runner.start())
}
