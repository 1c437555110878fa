//! The orchestrator of a process: its regions, and this process as one of them, where flows are carried
//! out as checks. What is served of it is in `host`.

use crate::{args::BrowserArgs, flow_directory, keys, local::LocalBrowser, settings::Settings, terminal};
use anyhow::Result;
use async_trait::async_trait;
use runners_core::{
    ArtifactStore, ControlPlane, DirectorySecrets, Egress, EnvironmentSecrets, JobOptions, SecretSource,
    TenantId,
    orchestration::{
        Orchestrator, OrchestratorBuilder, PoolRegion, ProcessRegion, Region, RegionCall, RegionError,
        RegionReply,
    },
    store::Store,
};
use runners_exec_webdriver::{FlowCheckExecutor, FlowChecks};
use runners_region_http::RegionTenants;
use std::{path::Path, sync::Arc, time::Duration};

/// This process as a region among others, by the name that requests in mode remote write.
pub(crate) const LOCAL: &str = "local";

/// How many checks are carried out here at once, over all calls, unless the settings say otherwise; each
/// has a browser. And the most that they may say.
pub(crate) const BROWSERS: usize = 4;
pub(crate) const BROWSERS_MAX: usize = 64;

/// How long a check of a pool may wait for a runner, in runs that may take for ever.
const QUEUE_TTL: Duration = Duration::from_secs(3600);

/// Flows as checks, and the browser of this machine that carries them out, if there is one.
#[derive(Debug)]
pub(crate) struct Checks {
    pub(crate) flows: FlowChecks,
    browser: Option<LocalBrowser>,
    /// This process as a region; it says why if it carries nothing out.
    pub(crate) region: Here,
}

/// This process as a region.
#[derive(Clone, Debug)]
pub(crate) enum Here {
    Serving(Serving),
    /// Nothing is carried out here, for this reason.
    Idle(String),
}

/// Carries checks out in browsers of this machine.
#[derive(Clone, Debug)]
pub(crate) struct Serving {
    region: ProcessRegion,
    /// Which pages are looked at.
    pages: Egress,
}

impl Checks {
    /// Reads the flows, and looks whether there is a browser for them, which is sent to `pages` alone.
    /// None is started yet. What they name as secrets is in the directory `secrets` or the environment,
    /// for requests of the tenant `default`. There are so many `browsers` at once.
    ///
    /// # Errors
    /// What is wrong with a flow.
    pub(crate) fn open(
        directory: Option<&Path>,
        secrets: Option<&Path>,
        (browser, browsers): (&BrowserArgs, usize),
        pages: Egress,
        artifacts: impl ArtifactStore,
    ) -> Result<Self> {
        let Some(directory) = directory else {
            let why = "there are no checks here: --flows DIR names a directory of recorded flows".to_owned();
            return Ok(Self { flows: FlowChecks::default(), browser: None, region: Here::Idle(why) });
        };
        let flows = flow_directory::read(directory)?;
        let (browser, region) = match LocalBrowser::going_to(browser, pages.clone()) {
            Ok(browser) => {
                let executor = FlowCheckExecutor::new(browser.executor.clone(), flows.clone());
                let region = ProcessRegion::new(executor).side_by_side(browsers).at_once(browsers);
                let region = region.artifacts(TenantId::DEFAULT, artifacts);
                let region = region.secrets(TenantId::DEFAULT, flows.clone(), sources(secrets));
                (Some(browser), Here::Serving(Serving { region, pages }))
            }
            Err(error) => (None, Here::Idle(terminal::chain(&error))),
        };
        Ok(Self { flows, browser, region })
    }

    /// An orchestrator of the regions that the settings name, with this process as one of them, and as its
    /// local mode.
    pub(crate) fn orchestrator(
        &self,
        store: impl Store,
        artifacts: impl ArtifactStore,
        settings: &Settings,
        egress: Egress,
    ) -> Result<OrchestratorBuilder> {
        let mut builder = Orchestrator::builder(store).artifacts(artifacts);
        let mut is_taken = false;
        for region in settings.regions(egress)? {
            is_taken |= region.name() == LOCAL;
            let name = region.name().to_owned();
            builder = match region.tenants().cloned() {
                Some(RegionTenants::All) => builder.region(name, region),
                Some(RegionTenants::Only(tenants)) => builder.region_of(tenants, name, region),
                // Its credential is the operator's, who says who else may use it.
                None => builder.region_of([TenantId::DEFAULT], name, region),
            };
        }
        if let Here::Serving(_) = &self.region {
            builder = builder.local(self.region.clone());
            if !is_taken {
                builder = builder.region(LOCAL, self.region.clone());
            }
        }
        Ok(builder)
    }

    /// Has every other region be the pool of that name of whoever asks.
    pub(crate) fn with_pools(
        &self,
        builder: OrchestratorBuilder,
        control: &ControlPlane,
    ) -> OrchestratorBuilder {
        let (control, flows) = (control.clone(), self.flows.clone());
        builder.find_regions(move |tenant, name| {
            let options =
                JobOptions { pool: name.to_owned(), queue_ttl: Some(QUEUE_TTL), ..JobOptions::default() };
            let pool = PoolRegion::with_options(control.client(tenant), options);
            Some(Arc::new(pool.with_commands(flows.clone())))
        })
    }

    /// Why nothing is carried out here, if nothing is.
    pub(crate) fn idle(&self) -> Option<&str> {
        match &self.region {
            Here::Serving(_) => None,
            Here::Idle(why) => Some(why),
        }
    }

    /// Ends the browser.
    pub(crate) async fn stop(&self) {
        if let Some(browser) = &self.browser {
            browser.stop().await;
        }
    }
}

/// Where secrets are, as those of `runners run` are.
fn sources(directory: Option<&Path>) -> Vec<Arc<dyn SecretSource>> {
    let directory = directory.map(|path| Arc::new(DirectorySecrets::new(path)) as Arc<dyn SecretSource>);
    let environment = EnvironmentSecrets::prefixed(keys::SECRETS_PREFIX);
    directory.into_iter().chain([Arc::new(environment) as Arc<dyn SecretSource>]).collect()
}

#[async_trait]
impl Region for Here {
    async fn execute(&self, call: RegionCall) -> Result<RegionReply, RegionError> {
        match self {
            Self::Serving(serving) => serving.execute(call).await,
            Self::Idle(why) => Err(RegionError::refused(why.clone())),
        }
    }
}

#[async_trait]
impl Region for Serving {
    async fn execute(&self, call: RegionCall) -> Result<RegionReply, RegionError> {
        // Without a page a flow begins where it was recorded, and its browser is held to the same list.
        if let (false, Err(error)) = (call.url.is_empty(), self.pages.check(&call.url)) {
            return Err(RegionError::refused(format!("{}: {error}", call.url)));
        }
        self.region.execute(call).await
    }
}
