//! Browsers that are kept started. Each session has a context of its own in one of them, which leaves
//! nothing behind; how contexts are made is in `context`, what a session may see of its browser in
//! `session`, when a browser is too large in `memory`.

mod context;
mod memory;
mod session;

use crate::{
    browser::{Browser, OpenError, Session, page::Page},
    driver::Driver,
    engine::Engine,
    within::within,
};
use async_trait::async_trait;
use context::{Context, Contexts};
use runners_core::{Clock, Egress, SystemClock};
use serde_json::Value;
use session::WarmSession;
use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, task::JoinSet};

/// How long a browser that is kept may take to make a context, or to end one. One that does not is replaced.
const CONTEXT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a browser that has waited may take to say that it is there. One that does not is replaced, which
/// whoever opens a session waits for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Keeps browsers started, so that opening a session takes milliseconds instead of a second. Clones
/// share them.
///
/// In Chromium and Firefox each session is a fresh context of a running browser, made before somebody
/// asks for it: cookies, storage, scripts in the background, permissions, caches and downloads of one are
/// not there in the next. One browser has one session at a time. Those of a WebDriver
/// at a URL are out of reach: there a session that was started ahead is used once. WebKit is not kept,
/// and opening a session says so: it has no contexts, and a browser of it that has waited was seen to
/// answer no more.
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
        let (kept, changed, starting) = (Mutex::default(), Notify::new(), Mutex::default());
        Self { pool: Arc::new(Pool { driver, options, clock, kept, changed, starting }) }
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
        for (browser, _) in idle {
            browser.session.close().await;
        }
        self.pool.driver.stop().await;
    }
}

#[async_trait]
impl Browser for WarmBrowsers {
    async fn open(&self) -> Result<Box<dyn Session>, OpenError> {
        let pool = &self.pool;
        if pool.driver.engine() == Some(Engine::Webkit) {
            let message = "webkit is not kept started: use its driver as it is".to_owned();
            return Err(OpenError::Misconfigured { message });
        }
        let lent = Lent::of(pool);
        loop {
            let (mut browser, context) = match pool.ready().await {
                Some(ready) if pool.answers(&ready.0).await => ready,
                Some((gone, _)) => {
                    tracing::info!("a browser that was kept does not answer; it is replaced");
                    gone.session.close().await;
                    continue;
                }
                None => pool.prepared(pool.open().await?).await?,
            };
            browser.jobs += 1;
            pool.fill();
            return Ok(Box::new(WarmSession::new(browser, context, lent)));
        }
    }

    fn engine(&self) -> Option<Engine> {
        self.pool.driver.engine()
    }

    fn egress(&self) -> Option<Arc<Egress>> {
        self.pool.driver.egress()
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
    /// Something that was starting is there, or failed.
    changed: Notify,
    starting: Mutex<JoinSet<()>>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Each with the context of its next session.
    idle: Vec<(WarmBrowser, Context)>,
    /// How many sessions are open in browsers that come back.
    lent: usize,
    /// How many are started, or get the context of their next session.
    starting: usize,
    /// How many sessions wait for one of those.
    waiting: usize,
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
            let missing = match kept.is_stopped || self.driver.engine() == Some(Engine::Webkit) {
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
                    Ok(browser) => start.keep(browser).await,
                    // Whoever opens a session is told.
                    Err(error) => tracing::debug!(%error, "no browser was started ahead"),
                }
            });
        }
    }

    /// Takes a browser back, and makes the context of its next session in the background.
    fn take_back(&self, browser: WarmBrowser, start: Starting) {
        self.starting().spawn(async move { start.keep(browser).await });
    }

    /// A browser that is ready, or will be in a moment; none if one has to be started.
    async fn ready(self: &Arc<Self>) -> Option<(WarmBrowser, Context)> {
        loop {
            let changed = self.changed.notified();
            let waiting = {
                let mut kept = self.kept();
                if let Some(ready) = kept.idle.pop() {
                    return Some(ready);
                }
                if kept.starting <= kept.waiting {
                    return None;
                }
                kept.waiting += 1;
                Waiting { pool: Arc::clone(self) }
            };
            changed.await;
            drop(waiting);
        }
    }

    /// Whether a browser that has waited is still there, and its page: a driver answers for both what it knows.
    async fn answers(&self, browser: &WarmBrowser) -> bool {
        let page = Page::new(&*browser.session);
        let asked = page.ask::<Value>("arguments[1]({});", &Value::Null);
        matches!(within(&*self.clock, ANSWER_TIMEOUT, asked).await, Some(Ok(_)))
    }

    /// A browser with the context of its next session. One that does not make it is closed.
    async fn prepared(&self, browser: WarmBrowser) -> Result<(WarmBrowser, Context), OpenError> {
        let entering = browser.contexts.enter(&*browser.session);
        let why = match within(&*self.clock, CONTEXT_TIMEOUT, entering).await {
            Some(Ok(context)) => return Ok((browser, context)),
            Some(Err(error)) => format!("no context: {error}"),
            None => format!("no context within {} s", CONTEXT_TIMEOUT.as_secs()),
        };
        browser.session.close().await;
        Err(OpenError::NotStarted { message: why })
    }

    /// Whether there may be contexts: of browsers of this machine.
    fn has_contexts(&self) -> bool {
        self.driver.engine().is_some()
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

/// One browser that is started or prepared, counted until that ends.
struct Starting {
    pool: Arc<Pool>,
}

impl Starting {
    fn of(pool: &Arc<Pool>) -> Self {
        pool.kept().starting += 1;
        Self { pool: Arc::clone(pool) }
    }

    /// Keeps a browser for its next session, unless there are enough.
    async fn keep(&self, browser: WarmBrowser) {
        let ready = match self.pool.prepared(browser).await {
            Ok(ready) => ready,
            Err(error) => {
                tracing::info!(%error, "a browser is replaced");
                return;
            }
        };
        let left = {
            let mut kept = self.pool.kept();
            if kept.is_stopped || kept.idle.len() >= self.pool.options.browsers {
                Some(ready)
            } else {
                kept.idle.push(ready);
                None
            }
        };
        if let Some((browser, _)) = left {
            browser.session.close().await;
        }
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        self.pool.kept().starting -= 1;
        self.pool.changed.notify_waiters();
    }
}

/// One session that waits for a start, counted until it has looked again.
struct Waiting {
    pool: Arc<Pool>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.pool.kept().waiting -= 1;
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
