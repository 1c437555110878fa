//! Where browsers come from: a ChromeDriver that this process starts and owns, or a WebDriver
//! that somebody else runs at a URL.

mod identity;
mod locate;
mod managed;
mod process;
mod profile;
mod record;
mod sweep;

use crate::{
    browser::{Browser, OpenError, Session, webdriver::WebDriverSession},
    within::within,
};
use async_trait::async_trait;
use managed::Managed;
use runners_core::{Clock, SystemClock};
use serde_json::{Map, Value};
use std::{path::PathBuf, process::Stdio, sync::Arc, time::Duration};

/// How long opening a session may take.
const OPEN_TIMEOUT: Duration = Duration::from_secs(60);

/// Opens browser sessions through a WebDriver. Clones share it.
///
/// A driver of our own is started with the first session, serves any number of them, and is
/// started again if it died. It ends with [`stop`](Self::stop) or when the last clone is dropped;
/// sessions that are open then are lost. It needs a Tokio runtime with I/O and time.
#[derive(Clone, Debug)]
pub struct Driver {
    source: Source,
    clock: Arc<dyn Clock>,
}

/// How a driver of our own starts browsers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DriverOptions {
    /// The ChromeDriver to start; looked for on the `PATH` and in the usual places if absent.
    pub driver: Option<PathBuf>,
    /// The browser to start; looked for on the `PATH` and in the usual places if absent.
    pub browser: Option<PathBuf>,
    /// Whether browsers have no window. Yes by default.
    pub headless: bool,
    /// More arguments for the browser, except `--user-data-dir`, which is each session's own.
    /// `--no-sandbox` is added for root and in a container only, where Chromium cannot make its
    /// sandbox.
    pub arguments: Vec<String>,
    /// Where a note of what was started is kept, so that the next start can end what outlived a
    /// killed process. A directory of the user's own by default.
    pub state: Option<PathBuf>,
}

impl Default for DriverOptions {
    fn default() -> Self {
        Self { driver: None, browser: None, headless: true, arguments: Vec::new(), state: None }
    }
}

impl DriverOptions {
    /// Says whether both programs are there, without starting either.
    ///
    /// # Errors
    /// [`OpenError::Missing`] names what to install.
    pub fn check(&self) -> Result<(), OpenError> {
        locate::driver(self.driver.as_deref())?;
        locate::browser(self.browser.as_deref()).map(drop)
    }

    /// Name and version of the browser, as it says itself, for a runner's facts. `None` when there is
    /// none, or it does not say so within [`VERSION_WITHIN`](Self::VERSION_WITHIN). It needs a Tokio
    /// runtime with I/O and time.
    ///
    /// # Cancel safety
    /// Dropping the future ends the program that was asked.
    pub async fn browser_version(&self) -> Option<(String, String)> {
        let program = locate::browser(self.browser.as_deref()).ok()?;
        let mut command = tokio::process::Command::new(program);
        command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let said = within(&SystemClock::default(), Self::VERSION_WITHIN, command.output()).await?.ok()?;
        name_and_version(&String::from_utf8_lossy(&said.stdout))
    }

    /// How long a browser may take to say which it is.
    pub const VERSION_WITHIN: Duration = Duration::from_secs(5);
}

/// What is before the first word that begins with a digit, and that word.
fn name_and_version(said: &str) -> Option<(String, String)> {
    let is_version = |word: &&str| word.starts_with(|first: char| first.is_ascii_digit());
    let name: Vec<&str> = said.split_whitespace().take_while(|word| !is_version(word)).collect();
    let version = said.split_whitespace().find(is_version)?;
    (!name.is_empty()).then(|| (name.join(" ").to_lowercase(), version.to_owned()))
}

impl Driver {
    /// A ChromeDriver that is started when it is first needed.
    #[must_use]
    pub fn new(options: DriverOptions) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        Self { source: Source::Managed(Arc::new(Managed::new(options))), clock }
    }

    /// A WebDriver that runs already, at a plain `http` URL. Its sessions are opened with the
    /// given capabilities; nothing of it is started or killed.
    #[must_use]
    pub fn at(url: impl Into<String>, capabilities: Map<String, Value>) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let mut url = url.into();
        if !url.ends_with('/') {
            url.push('/');
        }
        Self { source: Source::Given { url, capabilities }, clock }
    }

    /// Takes the time from another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Ends a driver of our own and all its browsers; the next session starts a new one. A driver
    /// at a URL is left alone.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the driver running or killed.
    pub async fn stop(&self) {
        if let Source::Managed(managed) = &self.source {
            managed.stop().await;
        }
    }

    /// The process id of a driver of our own, if it is running.
    pub async fn process_id(&self) -> Option<u32> {
        match &self.source {
            Source::Managed(managed) => managed.process_id().await,
            Source::Given { .. } => None,
        }
    }
}

#[async_trait]
impl Browser for Driver {
    async fn open(&self) -> Result<Box<dyn Session>, OpenError> {
        let opened = within(&*self.clock, OPEN_TIMEOUT, async {
            match &self.source {
                Source::Managed(managed) => managed.open(&self.clock).await,
                Source::Given { url, capabilities } => {
                    let session = WebDriverSession::open(url, capabilities.clone(), &self.clock).await?;
                    Ok(Box::new(session) as Box<dyn Session>)
                }
            }
        });
        opened.await.unwrap_or_else(|| {
            let message = format!("no session was opened within {} s", OPEN_TIMEOUT.as_secs());
            Err(OpenError::NotStarted { message })
        })
    }
}

#[derive(Clone, Debug)]
enum Source {
    Managed(Arc<Managed>),
    Given { url: String, capabilities: Map<String, Value> },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_told_from_its_version() {
        let said = |text| name_and_version(text).unwrap();
        let chromium = ("chromium".to_owned(), "131.0.6778.139".to_owned());
        assert_eq!(said("Chromium 131.0.6778.139 built on Debian GNU/Linux 12\n"), chromium);
        assert_eq!(said("Google Chrome 131.0.1 ").0, "google chrome");
        assert_eq!(name_and_version("no version"), None);
        assert_eq!(name_and_version("131.0"), None);
    }
}
