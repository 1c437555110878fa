//! A whole fleet in one process, for a test suite: a control plane in memory, a runner, and a browser.

use super::CheckExecutor;
use crate::{
    browser::OpenError,
    driver::{Driver, DriverOptions},
    page::Page,
};
use runners_core::{
    CheckInputError, CheckResult, Checks, Client, ControlPlane, Error, JobHandle, MemoryStore, RunCheck,
    Runner,
};
use serde::Serialize;

/// A control plane, a runner and a browser's driver in this process, to carry out checks as jobs.
///
/// ```no_run
/// use runners_core::{CheckError, CheckState, Checks};
/// use runners_exec_webdriver::{CheckFleet, Page, expect};
///
/// async fn shop_opens(page: Page, (): ()) -> Result<(), CheckError> {
///     page.goto("https://shop.example/").await?;
///     expect(&page).to_have_title("Shop").await?;
///     Ok(())
/// }
///
/// #[tokio::test]
/// async fn the_shop_opens() -> Result<(), Box<dyn std::error::Error>> {
///     let fleet = CheckFleet::start(Checks::new().with("shop_opens", shop_opens)).await?;
///     let result = fleet.run("shop_opens", &()).await?;
///     assert_eq!(result.state, CheckState::Passed, "{result}");
///     fleet.stop().await?;
///     Ok(())
/// }
/// # fn main() {}
/// ```
#[derive(Debug)]
pub struct CheckFleet {
    control: ControlPlane,
    runner: Runner,
    driver: Driver,
    client: Client,
}

/// How a fleet for checks is set up.
#[derive(Debug)]
#[must_use]
pub struct CheckFleetBuilder {
    checks: Checks<Page>,
    driver: Option<Driver>,
    slots: u32,
}

/// Why a fleet did not start, or a check was not carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FleetError {
    /// Install a browser, or skip the test: there is none.
    #[error("there is no browser to test with")]
    NoBrowser(#[source] OpenError),
    /// Mend the test: the input is no object.
    #[error(transparent)]
    Input(#[from] CheckInputError),
    /// The job ended without a result, or the fleet is gone.
    #[error(transparent)]
    Fleet(#[from] Error),
}

impl CheckFleet {
    /// Starts a fleet with the ChromeDriver and the browser of this machine, and one slot.
    ///
    /// # Errors
    /// [`FleetError::NoBrowser`] if either is missing, and as [`CheckFleetBuilder::start`].
    pub async fn start(checks: Checks<Page>) -> Result<Self, FleetError> {
        Self::builder(checks).start().await
    }

    /// A fleet to be set up.
    pub const fn builder(checks: Checks<Page>) -> CheckFleetBuilder {
        CheckFleetBuilder { checks, driver: None, slots: 1 }
    }

    /// Queues a check, waits for its end and answers its result, which may be any.
    ///
    /// # Errors
    /// [`FleetError::Fleet`] if it has none: there is no such check, its input does not fit, or the
    /// browser was lost again and again.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the check queued or running.
    pub async fn run(&self, check: &str, input: &(impl Serialize + Sync)) -> Result<CheckResult, FleetError> {
        self.run_command(&RunCheck::new(check, input)?).await
    }

    /// As [`run`](Self::run), for a command that says more.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    ///
    /// # Cancel safety
    /// As [`run`](Self::run).
    pub async fn run_command(&self, command: &RunCheck) -> Result<CheckResult, FleetError> {
        Ok(self.submit(command).await?.result().await?)
    }

    /// Queues a check.
    ///
    /// # Errors
    /// [`FleetError::Fleet`].
    ///
    /// # Cancel safety
    /// Dropping the future leaves the check queued or not.
    pub async fn submit(&self, command: &RunCheck) -> Result<JobHandle<CheckResult>, FleetError> {
        Ok(self.client.submit(command).await?)
    }

    /// The control plane, for whatever else a test wants of it.
    #[must_use]
    pub const fn control(&self) -> &ControlPlane {
        &self.control
    }

    /// Finishes what runs, and ends all of it.
    ///
    /// # Errors
    /// [`FleetError::Fleet`] if something did not end as it should; the driver has ended even so.
    ///
    /// # Cancel safety
    /// Dropping the future leaves some of it running until this is dropped.
    pub async fn stop(self) -> Result<(), FleetError> {
        let drained = self.runner.drain().await;
        self.driver.stop().await;
        let stopped = self.control.stop().await;
        drained?;
        Ok(stopped?)
    }
}

impl CheckFleetBuilder {
    /// Takes browsers from this driver instead of one of its own. It is stopped with the fleet.
    pub fn driver(mut self, driver: Driver) -> Self {
        self.driver = Some(driver);
        self
    }

    /// Carries out so many checks at once.
    pub const fn slots(mut self, slots: u32) -> Self {
        self.slots = slots;
        self
    }

    /// Starts the fleet.
    ///
    /// # Errors
    /// [`FleetError::NoBrowser`] if no driver was given and there is none on this machine, and
    /// [`FleetError::Fleet`].
    pub async fn start(self) -> Result<CheckFleet, FleetError> {
        let driver = match self.driver {
            Some(driver) => driver,
            None => {
                let options = DriverOptions::default();
                options.check().map_err(FleetError::NoBrowser)?;
                Driver::new(options)
            }
        };
        let control = ControlPlane::builder(MemoryStore::default()).start().await?;
        let executor = CheckExecutor::new(driver.clone(), self.checks);
        let runner = control.local_runner("default").slots(self.slots).executor(executor).start();
        let client = control.local_client();
        Ok(CheckFleet { control, runner, driver, client })
    }
}
