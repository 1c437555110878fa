//! A session in a browser that is kept: it sees the pages of its own context only, and its browser goes
//! back when it is closed.

use super::{CONTEXT_TIMEOUT, Lent, Starting, WarmBrowser, context::Context};
use crate::{
    browser::{BrowserError, Call, Method, Session, SideChannel},
    within::within,
};
use async_trait::async_trait;
use runners_core::Clock;
use serde_json::{Map, Value, json};
use std::{
    mem,
    sync::{Arc, PoisonError},
    time::Duration,
};
use tokio::sync::Mutex;

/// How long a browser whose session closes may take to say that it is there. One that hangs takes no longer.
const THERE_TIMEOUT: Duration = Duration::from_secs(10);

/// A session with a context of its own. Dropping it ends the browser.
#[derive(Debug)]
pub(super) struct WarmSession {
    session: Arc<dyn Session>,
    context: Context,
    /// Taken when it is closed. Held by a call that is about the pages of the context.
    browser: Mutex<Option<WarmBrowser>>,
    lent: std::sync::Mutex<Option<Lent>>,
}

impl WarmSession {
    pub(super) fn new(browser: WarmBrowser, context: Context, lent: Lent) -> Self {
        let session = Arc::clone(&browser.session);
        Self { session, context, browser: Mutex::new(Some(browser)), lent: std::sync::Mutex::new(Some(lent)) }
    }

    /// The handles of the pages of this context, out of those of the browser.
    async fn own(&self, handles: Value) -> Value {
        let browser = self.browser.lock().await;
        let keeper = browser.as_ref().and_then(|browser| browser.contexts.keeper());
        let handles = handles.as_array().cloned().unwrap_or_default();
        handles.into_iter().filter(|handle| handle.as_str() != keeper).collect()
    }

    /// Ends the context; says whether nothing of it is left in the browser, and it can have another.
    async fn left(&self, browser: &WarmBrowser, clock: &dyn Clock) -> bool {
        let there = within(clock, THERE_TIMEOUT, browser.contexts.answer(&*browser.session)).await;
        let leaving = browser.contexts.leave(&*browser.session, &self.context);
        let left = match there {
            Some(Ok(())) => within(clock, CONTEXT_TIMEOUT, leaving).await,
            other => other,
        };
        match left {
            Some(Ok(())) => return browser.contexts.are_many(),
            Some(Err(error)) => tracing::info!(%error, "a browser is replaced: its session left something"),
            None => tracing::info!("a browser is replaced: it did not end its session in time"),
        }
        false
    }

    async fn open_page(&self) -> Result<Value, BrowserError> {
        let browser = self.browser.lock().await;
        let Some(browser) = browser.as_ref() else {
            return Err(BrowserError::Gone { source: "the session is closed".into() });
        };
        let handle = browser.contexts.open_page(&*self.session, &self.context, true).await?;
        Ok(json!({ "handle": handle, "type": "tab" }))
    }
}

#[async_trait]
impl Session for WarmSession {
    fn capabilities(&self) -> &Map<String, Value> {
        self.session.capabilities()
    }

    async fn call(&self, call: Call) -> Result<Value, BrowserError> {
        match (call.method, &*call.path) {
            (Method::Get, "window/handles") | (Method::Delete, "window") => {
                let handles = self.session.call(call).await?;
                Ok(self.own(handles).await)
            }
            (Method::Post, "window/new") => self.open_page().await,
            _ => self.session.call(call).await,
        }
    }

    fn devtools(&self) -> Option<SideChannel> {
        self.session.devtools()
    }

    async fn changed(&self) -> Result<(), BrowserError> {
        self.session.changed().await
    }

    fn check_page(&self, url: &str) -> Result<(), BrowserError> {
        self.session.check_page(url)
    }

    fn unreached(&self, url: &str) -> Option<String> {
        self.session.unreached(url)
    }

    async fn close(&self) {
        let Some(browser) = self.browser.lock().await.take() else { return };
        let lent = mem::take(&mut *self.lent.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(lent) = lent else { return };
        let pool = Arc::clone(&lent.pool);
        // Whoever opens a session meanwhile waits for this browser instead of starting another.
        let back = Starting::of(&pool);
        drop(lent);
        if self.left(&browser, &*pool.clock).await && pool.is_fit(&browser) {
            pool.take_back(browser, back);
        } else {
            drop(back);
            browser.session.close().await;
        }
        pool.fill();
    }
}
