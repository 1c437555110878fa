//! The browser of this machine, as the arguments describe it.

use crate::args::{BrowserArgs, Captured};
use anyhow::{Context as _, Result};
use runners_exec_webdriver::{
    BaselineMode, DirectoryBaselines, Driver, DriverOptions, FlowExecutor, ReplayOptions,
};
use serde_json::Map;

/// Replays flows in browsers of this machine.
#[derive(Debug)]
pub(crate) struct LocalBrowser {
    pub(crate) executor: FlowExecutor,
    driver: Driver,
    /// How it is started, if it is this process that does.
    options: Option<DriverOptions>,
}

impl LocalBrowser {
    /// Looks whether there is a browser. None is started yet.
    pub(crate) fn new(arguments: &BrowserArgs) -> Result<Self> {
        let (driver, managed) = match &arguments.webdriver {
            Some(url) => (Driver::at(url, Map::new()), None),
            None => {
                let mut options = DriverOptions::default();
                options.headless = !arguments.headed;
                options.check().context("this machine cannot replay flows")?;
                (Driver::new(options.clone()), Some(options))
            }
        };
        let mut options = ReplayOptions::default();
        options.screenshots = arguments.screenshots.into();
        let asks = |what| arguments.capture.contains(&what);
        options.capture.bodies = asks(Captured::Bodies);
        options.capture.frames = asks(Captured::Frames);
        options.capture.video = asks(Captured::Video);
        let mode = if arguments.update_baselines { BaselineMode::Update } else { BaselineMode::Compare };
        let baselines = DirectoryBaselines::new(&arguments.baselines);
        let executor =
            FlowExecutor::new(driver.clone()).with_options(options).with_baselines(baselines, mode);
        Ok(Self { executor, driver, options: managed })
    }

    /// Name and version of the browser, if it is one of this machine and says so.
    pub(crate) async fn version(&self) -> Option<(String, String)> {
        self.options.as_ref()?.browser_version().await
    }

    /// Ends the driver and all its browsers.
    pub(crate) async fn stop(&self) {
        self.driver.stop().await;
    }
}
