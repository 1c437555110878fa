//! Browsers that are kept started. Each session has a context of its own in one of them, which leaves
//! nothing behind; how contexts are made is in `context`, what a session may see of its browser in
//! `session`, when a browser is too large in `memory`.

mod context;
mod memory;
mod session;

use crate::{
    browser::{Browser, OpenError, Session},
    driver::Driver,
    engine::Engine,
    within::within,
};
use async_trait::async_trait;
use context::Contexts;
use runners_core::{Clock, SystemClock};
use session::WarmSession;
use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::task::JoinSet;

/// How long a browser that is kept may take to make a context. One that does not is replaced.
const CONTEXT_TIMEOUT: Duration = Duration::from_secs(5);

/// Keeps browsers started, so that opening a session takes milliseconds instead of a second. Clones
/// share them.
///
/// In Chromium and Firefox each session is a fresh context of a running browser: cookies, storage,
/// scripts in the background, permissions and caches of one are not there in the next, nor are downloads
/// of Chromium. One browser has one session at a time. WebKit has no contexts, and those of a WebDriver
/// at a URL are out of reach: there a session that was started ahead is used once.
///
/// A browser is replaced after [`jobs_max`](WarmOptions::jobs_max) sessions, when it has grown beyond
/// [`bytes_max`](WarmOptions::bytes_max), when it does not answer, and when its session was dropped
/// instead of closed. It needs a Tokio runtime with I/O and time.
#[derive(Clone, Debug)]
pub struct WarmBrowsers {
    pool: Arc<Pool>,
}

/// How browsers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WarmOptions {
    /// How many are kept started: as many as there are sessions at once. 1 by default. More sessions than
    /// that each start a browser.
    pub browsers: usize,
    /// After how many sessions a browser is replaced. 100 by default.
    pub jobs_max: u32,
    /// The memory that a browser may have of its own between two sessions, in bytes; where processes can
    /// be looked at, which is Linux. 1 GiB by default.
    pub bytes_max: u64,
}

impl Default for WarmOptions {
    fn default() -> Self {
        Self { browsers: 1, jobs_max: 100, bytes_max: 1 << 30 }
    }
}

impl WarmBrowsers {
    /// Keeps browsers of a driver. None is started yet.
    #[must_use]
    pub fn new(driver: Driver, options: WarmOptions) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let (kept, starting) = (Mutex::default(), Mutex::default());
        Self { pool: Arc::new(Pool { driver, options, clock, kept, starting }) }
    }

    /// Starts what is missing in the background. Opening a session does so too.
    pub fn start(&self) {
        self.pool.fill();
    }

    /// Starts what is missing, and waits until nothing more is starting. Trouble with that is told when a
    /// session is opened.
    ///
    /// # Cancel safety
    /// Dropping the future ends the starts it waits for.
    pub async fn warm_up(&self) {
        self.pool.fill();
        let mut starting = mem::take(&mut *self.pool.starting());
        while starting.join_next().await.is_some() {}
    }

    /// How many browsers are started and have no session now.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.pool.kept().idle.len()
    }

    /// Ends all browsers that have no session, those with one when it closes, and the driver.
    ///
    /// # Cancel safety
    /// Dropping the future leaves some of them until this and its clones are dropped.
    pub async fn stop(&self) {
        self.pool.kept().is_stopped = true;
        let mut starting = mem::take(&mut *self.pool.starting());
        starting.shutdown().await;
        let idle = mem::take(&mut self.pool.kept().idle);
        for browser in idle {
            browser.session.close().await;
        }
        self.pool.driver.stop().await;
    }
}

#[async_trait]
impl Browser for WarmBrowsers {
    async fn open(&self) -> Result<Box<dyn Session>, OpenError> {
        let lent = Lent::of(&self.pool);
        loop {
            let idle = self.pool.kept().idle.pop();
            let is_kept = idle.is_some();
            let mut browser = match idle {
                Some(browser) => browser,
                None => self.pool.open().await?,
            };
            let pool = &self.pool;
            let entered =
                within(&*pool.clock, CONTEXT_TIMEOUT, browser.contexts.enter(&*browser.session)).await;
            match entered {
                Some(Ok(context)) => {
                    browser.jobs += 1;
                    pool.fill();
                    return Ok(Box::new(WarmSession::new(browser, context, lent)));
                }
                Some(Err(error)) if !is_kept => {
                    browser.session.close().await;
                    return Err(OpenError::NotStarted { message: format!("no context: {error}") });
                }
                None if !is_kept => {
                    browser.session.close().await;
                    let limit = CONTEXT_TIMEOUT.as_secs();
                    return Err(OpenError::NotStarted { message: format!("no context within {limit} s") });
                }
                _ => {
                    tracing::info!("a browser that was kept does not answer; it is replaced");
                    browser.session.close().await;
                }
            }
        }
    }

    fn engine(&self) -> Option<Engine> {
        self.pool.driver.engine()
    }
}

/// A browser that is kept, between its sessions.
#[derive(Debug)]
struct WarmBrowser {
    session: Arc<dyn Session>,
    contexts: Contexts,
    jobs: u32,
}

#[derive(Debug)]
struct Pool {
    driver: Driver,
    options: WarmOptions,
    clock: Arc<dyn Clock>,
    kept: Mutex<Kept>,
    starting: Mutex<JoinSet<()>>,
}

#[derive(Debug, Default)]
struct Kept {
    idle: Vec<WarmBrowser>,
    /// How many sessions are open in browsers that come back.
    lent: usize,
    starting: usize,
    is_stopped: bool,
}

impl Pool {
    async fn open(&self) -> Result<WarmBrowser, OpenError> {
        let session: Arc<dyn Session> = self.driver.open().await?.into();
        if !self.has_contexts() {
            return Ok(WarmBrowser { session, contexts: Contexts::None, jobs: 0 });
        }
        match Contexts::of(&*session).await {
            Ok(contexts) => Ok(WarmBrowser { session, contexts, jobs: 0 }),
            Err(error) => {
                session.close().await;
                Err(OpenError::NotStarted { message: format!("no contexts in this browser: {error}") })
            }
        }
    }

    /// Starts what is missing in the background.
    fn fill(self: &Arc<Self>) {
        let missing = {
            let mut kept = self.kept();
            // A session that is used once does not come back.
            let lent = if self.has_contexts() { kept.lent } else { 0 };
            let missing = match kept.is_stopped {
                true => 0,
                false => self.options.browsers.saturating_sub(kept.idle.len() + kept.starting + lent),
            };
            kept.starting += missing;
            missing
        };
        let mut starting = self.starting();
        while starting.try_join_next().is_some() {}
        for _ in 0..missing {
            let start = Starting { pool: Arc::clone(self) };
            starting.spawn(async move {
                match start.pool.open().await {
                    Ok(browser) => start.pool.keep(browser).await,
                    // Whoever opens a session is told.
                    Err(error) => tracing::debug!(%error, "no browser was started ahead"),
                }
            });
        }
    }

    /// Takes a browser that has no session, unless there are enough.
    async fn keep(&self, browser: WarmBrowser) {
        let left = {
            let mut kept = self.kept();
            if kept.is_stopped || kept.idle.len() >= self.options.browsers {
                Some(browser)
            } else {
                kept.idle.push(browser);
                None
            }
        };
        if let Some(browser) = left {
            browser.session.close().await;
        }
    }

    /// Whether there may be contexts: of browsers of this machine, and not of WebKit.
    fn has_contexts(&self) -> bool {
        self.driver.engine().is_some_and(|engine| engine != Engine::Webkit)
    }

    /// Whether a browser is fit for one more session.
    fn is_fit(&self, browser: &WarmBrowser) -> bool {
        browser.jobs < self.options.jobs_max
            && memory::of_browser(browser.session.capabilities())
                .is_none_or(|bytes| bytes <= self.options.bytes_max)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn starting(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.starting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One start under way, counted until it ends.
struct Starting {
    pool: Arc<Pool>,
}

impl Drop for Starting {
    fn drop(&mut self) {
        self.pool.kept().starting -= 1;
    }
}

/// One session that is open, counted until it is gone.
#[derive(Debug)]
struct Lent {
    pool: Arc<Pool>,
}

impl Lent {
    fn of(pool: &Arc<Pool>) -> Self {
        pool.kept().lent += 1;
        Self { pool: Arc::clone(pool) }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.pool.kept().lent -= 1;
    }
}
