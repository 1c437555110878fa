//! The browser of this machine, as the arguments describe it.

use crate::{
    args::{BrowserArgs, Captured},
    display,
};
use anyhow::{Context as _, Result, bail};
use runners_core::{Egress, SystemClock};
use runners_exec_container::ContainerBrowser;
use runners_exec_webdriver::{
    BaselineMode, DirectoryBaselines, Driver, DriverOptions, Engine, FlowExecutor, FlowRecorder, Probe,
    ProbeError, ReplayOptions, WarmBrowsers, WarmOptions,
};
use serde_json::{Map, Value};
use std::path::Path;

/// The variable whose value is sent to a WebDriver at a URL as its `Authorization` header.
const AUTHORIZATION: &str = "RUNNERS_WEBDRIVER_AUTHORIZATION";

/// Replays flows in browsers of this machine.
#[derive(Debug)]
pub(crate) struct LocalBrowser {
    pub(crate) executor: FlowExecutor,
    driver: Driver,
    /// Those that are kept started.
    warm: Option<WarmBrowsers>,
    /// How it is started, if it is this process that does.
    options: Option<DriverOptions>,
}

impl LocalBrowser {
    /// Looks whether there is a browser for what others ask for, which never goes to link-local addresses
    /// and a cloud's metadata, nor to hosts that are not listed if any is. None is started yet.
    pub(crate) fn new(arguments: &BrowserArgs) -> Result<Self> {
        Self::going_to(arguments, Egress::browsing())
    }

    /// The same, by a list of what may be looked at, and what is in the pages.
    pub(crate) fn going_to(arguments: &BrowserArgs, allowed: Egress) -> Result<Self> {
        Self::held_to(arguments, Some(arguments.browse.iter().fold(allowed, Egress::allow_host)))
    }

    /// The same for what the user of this machine has here: such flows go everywhere, also to files, unless
    /// hosts are listed.
    pub(crate) fn for_own_flows(arguments: &BrowserArgs) -> Result<Self> {
        if arguments.browse.is_empty() { Self::held_to(arguments, None) } else { Self::new(arguments) }
    }

    fn held_to(arguments: &BrowserArgs, egress: Option<Egress>) -> Result<Self> {
        if arguments.warm == 0 && (arguments.warm_jobs.is_some() || arguments.warm_memory.is_some()) {
            bail!("--warm-jobs and --warm-memory say when a browser of --warm is replaced: give --warm too");
        }
        let (driver, managed) = match &arguments.webdriver {
            Some(url) => (remote(url, arguments.webdriver_capabilities.as_deref())?, None),
            None => {
                let mut options = DriverOptions::of(arguments.engine);
                options.headless = !arguments.headed;
                options.gpu = arguments.gpu;
                if arguments.warm > 0 && arguments.engine == Engine::Webkit {
                    bail!("--warm is for chromium and firefox: a session of webkit has a browser of its own");
                }
                if arguments.headed {
                    display::check(true, "leave it out, and look on from the dashboard")?;
                }
                options.check().context("this machine cannot replay flows")?;
                (Driver::new(options.clone()), Some(options))
            }
        };
        Ok(Self::of(arguments, driver.with_egress(egress), managed))
    }

    /// Replays flows in a browser that was started in a container, whose only way out is this process.
    pub(crate) fn in_container(arguments: &BrowserArgs, browser: &ContainerBrowser) -> Self {
        let egress = arguments.browse.iter().fold(Egress::browsing(), Egress::allow_host);
        let driver = Driver::at(browser.url(), Map::new()).with_gate_at(browser.machine());
        Self::of(arguments, driver.with_egress(egress), None)
    }

    fn of(arguments: &BrowserArgs, driver: Driver, managed: Option<DriverOptions>) -> Self {
        let mut options = ReplayOptions::default();
        options.screenshots = arguments.screenshots.into();
        let asks = |what| arguments.capture.contains(&what);
        options.capture.bodies = asks(Captured::Bodies);
        options.capture.frames = asks(Captured::Frames);
        options.capture.video = asks(Captured::Video);
        let mode = if arguments.update_baselines { BaselineMode::Update } else { BaselineMode::Compare };
        let baselines = DirectoryBaselines::new(&arguments.baselines);
        let warm = warm(arguments).map(|options| WarmBrowsers::new(driver.clone(), options));
        let executor = match &warm {
            Some(warm) => FlowExecutor::new(warm.clone()),
            None => FlowExecutor::new(driver.clone()),
        };
        let executor = executor.with_options(options).with_baselines(baselines, mode);
        Self { executor, driver, warm, options: managed }
    }

    /// What records flows in the same browsers, where that can be done.
    pub(crate) fn recorder(&self) -> Option<FlowRecorder> {
        if let Some(reason) = FlowRecorder::unsupported(&self.driver) {
            tracing::info!(reason, "this runner records no flows");
            return None;
        }
        Some(match &self.warm {
            Some(warm) => FlowRecorder::new(warm.clone()),
            None => FlowRecorder::new(self.driver.clone()),
        })
    }

    /// Name and version of the browser, if it is one of this machine and says so.
    pub(crate) async fn version(&self) -> Option<(String, String)> {
        self.options.as_ref()?.browser_version().await
    }

    /// Starts the browsers that are kept, and finds out what one can do.
    pub(crate) async fn probe(&self) -> Result<Probe, ProbeError> {
        if let Some(warm) = &self.warm {
            warm.start();
        }
        Probe::of(&self.driver, &SystemClock::default()).await
    }

    /// Ends the driver and all its browsers.
    pub(crate) async fn stop(&self) {
        self.executor.settle().await;
        match &self.warm {
            Some(warm) => warm.stop().await,
            None => self.driver.stop().await,
        }
    }
}

/// How browsers are kept started, if any is.
fn warm(arguments: &BrowserArgs) -> Option<WarmOptions> {
    let mut options = WarmOptions::default();
    options.browsers = usize::from(arguments.warm);
    options.jobs_max = arguments.warm_jobs.unwrap_or(options.jobs_max);
    options.bytes_max = arguments.warm_memory.map_or(options.bytes_max, |mib| u64::from(mib) << 20);
    (arguments.warm > 0).then_some(options)
}

fn remote(url: &str, capabilities: Option<&Path>) -> Result<Driver> {
    let capabilities = capabilities.map_or_else(|| Ok(Map::new()), read)?;
    let driver = Driver::at(url, capabilities);
    match std::env::var(AUTHORIZATION) {
        Ok(value) => driver.with_header("Authorization", &value).context(AUTHORIZATION),
        Err(_) => Ok(driver),
    }
}

fn read(path: &Path) -> Result<Map<String, Value>> {
    let told = || format!("the capabilities in {} cannot be used", path.display());
    let text = std::fs::read(path).with_context(told)?;
    serde_json::from_slice(&text).with_context(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args as _, Command, FromArgMatches as _};

    fn given(arguments: &[&str]) -> BrowserArgs {
        let command = BrowserArgs::augment_args(Command::new("browser").no_binary_name(true));
        BrowserArgs::from_arg_matches(&command.get_matches_from(arguments)).unwrap()
    }

    #[test]
    fn when_a_browser_is_replaced_that_is_kept_is_a_setting() {
        let told = |arguments: &[&str]| {
            warm(&given(arguments)).map(|options| (options.browsers, options.jobs_max, options.bytes_max))
        };
        assert_eq!(told(&["--warm=0"]), None);
        assert_eq!(told(&["--warm=2"]), Some((2, 100, 1 << 30)));
        assert_eq!(told(&["--warm=2", "--warm-jobs=7", "--warm-memory=1536"]), Some((2, 7, 1536 << 20)));
    }

    #[test]
    fn when_a_browser_is_replaced_is_not_said_of_one_that_is_not_kept() {
        for alone in ["--warm-jobs=7", "--warm-memory=512"] {
            let told = LocalBrowser::new(&given(&["--warm=0", alone])).unwrap_err().to_string();
            assert!(told.ends_with("give --warm too"), "{told}");
        }
    }
}
