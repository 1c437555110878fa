//! Pages that open beside the one that a flow is at, and the dialogs that they show while they load. A
//! ChromeDriver looks at a page only once it is asked for pages; by then a dialog may keep the page from
//! answering it, and with that the session. So such pages are held until they are listened to, and what
//! their dialogs say, and how they are answered, goes past the driver, which is not asked for pages while
//! one of them loads.

use super::trouble::Trouble;
use crate::{
    browser::Session,
    evidence::wire::{Debugger, Said, Wire, WireError},
    flow::{Action, Extension, Flow},
    within::within,
};
use runners_core::Clock;
use serde_json::json;
use std::{
    collections::BTreeSet,
    convert::Infallible,
    future::pending,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// How long a browser may take to say that it will hold pages.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a driver is kept from pages that load.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(10);
/// The most dialogs that are known at once; there is one for a page.
const DIALOGS_MAX: usize = 100;

/// Listens to pages that open, where that helps.
#[derive(Debug, Default)]
pub(super) struct Popups {
    wire: Option<Wire>,
    open: Mutex<Vec<PopupDialog>>,
    loading: Mutex<Loading>,
    changed: Notify,
}

/// How far pages that have opened are.
#[derive(Debug, Default)]
struct Loading {
    /// Those that have not loaded, as this connection calls them.
    pages: BTreeSet<String>,
    /// The newest command that was answered: whatever was said before its answer is heard.
    answered: u64,
}

/// A dialog that a page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PopupDialog {
    /// The page, as this connection calls it.
    page: String,
    url: String,
    pub(super) says: String,
}

impl Popups {
    /// Begins to listen, if a flow answers dialogs of other pages and the browser can be listened to. One
    /// that cannot leaves it to the driver.
    pub(super) async fn of(session: &dyn Session, flow: &Flow, clock: &dyn Clock) -> Self {
        let is_theirs = |action: &Action, target: Option<&str>| {
            matches!(action, Action::Extension(Extension::Dialog { .. }))
                && target.is_some_and(|target| target != "main")
        };
        if !flow.steps.iter().any(|step| is_theirs(&step.action, step.target.as_deref())) {
            return Self::default();
        }
        let Some(debugger) = Debugger::of(session.capabilities()) else { return Self::default() };
        let wire = match within(clock, OPEN_TIMEOUT, listen(&debugger)).await {
            Some(Ok(wire)) => Some(wire),
            Some(Err(error)) => {
                tracing::debug!(%error, "dialogs of popups are left to the driver");
                None
            }
            None => None,
        };
        Self { wire, ..Self::default() }
    }

    /// Hears what the browser says, as long as it does.
    pub(super) async fn run(&self) -> Infallible {
        if let Some(wire) = &self.wire {
            while let Ok(said) = wire.next().await {
                if let Err(error) = self.hear(wire, said).await {
                    tracing::debug!(%error, "dialogs of popups are heard no more");
                    break;
                }
            }
        }
        pending().await
    }

    async fn hear(&self, wire: &Wire, said: Said) -> Result<(), WireError> {
        let Said { id, method, session, params, .. } = said;
        if let Some(id) = id {
            let mut loading = self.loading();
            loading.answered = loading.answered.max(id);
        }
        match &*method {
            "" => {}
            "Target.attachedToTarget" => {
                let page = params["sessionId"].as_str().unwrap_or_default();
                if params["waitingForDebugger"] == true {
                    self.loading().pages.insert(page.to_owned());
                    wire.send(page, "Page.enable", json!({})).await?;
                    wire.send(page, "Runtime.runIfWaitingForDebugger", json!({})).await?;
                } else {
                    // It was there before.
                    wire.send("", "Target.detachFromTarget", json!({ "sessionId": page })).await?;
                }
            }
            "Page.javascriptDialogOpening" => {
                let text = |name: &str| params[name].as_str().unwrap_or_default().to_owned();
                let mut open = self.open();
                open.truncate(DIALOGS_MAX - 1);
                open.push(PopupDialog { page: session, url: text("url"), says: text("message") });
            }
            "Page.loadEventFired" => drop(self.loading().pages.remove(&session)),
            "Page.javascriptDialogClosed" => self.open().retain(|dialog| dialog.page != session),
            "Target.detachedFromTarget" => {
                let page = params["sessionId"].as_str().unwrap_or_default();
                self.loading().pages.remove(page);
                self.open().retain(|dialog| dialog.page != page);
            }
            _ => return Ok(()),
        }
        self.changed.notify_waiters();
        Ok(())
    }

    /// Waits until every page that has opened has loaded, or a moment longer than that should take: a driver
    /// that is asked for pages before would come between a page and its dialog.
    pub(super) async fn settled(&self, clock: &dyn Clock) {
        let Some(wire) = &self.wire else { return };
        // What has opened until now is told of before this is answered.
        let Ok(asked) = wire.send("", "Target.getTargets", json!({})).await else { return };
        let settled = async {
            loop {
                let changed = self.changed.notified();
                {
                    let loading = self.loading();
                    if loading.answered >= asked && loading.pages.is_empty() {
                        return;
                    }
                }
                changed.await;
            }
        };
        within(clock, SETTLE_TIMEOUT, settled).await;
    }

    /// Waits until a page at this address shows a dialog.
    pub(super) async fn dialog_at(&self, url: &str) -> PopupDialog {
        loop {
            let changed = self.changed.notified();
            if let Some(dialog) = self.open().iter().find(|dialog| dialog.url == url) {
                return dialog.clone();
            }
            changed.await;
        }
    }

    /// Answers a dialog, and waits until it is closed.
    pub(super) async fn answer(
        &self,
        dialog: &PopupDialog,
        accept: bool,
        value: Option<&str>,
    ) -> Result<(), Trouble> {
        let wire = self.wire.as_ref().expect("invariant: who has heard of a dialog has a connection");
        let mut answer = json!({ "accept": accept });
        if let Some(value) = value {
            answer["promptText"] = json!(value);
        }
        wire.send(&dialog.page, "Page.handleJavaScriptDialog", answer).await.map_err(Trouble::Lost)?;
        loop {
            let changed = self.changed.notified();
            if !self.open().contains(dialog) {
                return Ok(());
            }
            changed.await;
        }
    }

    fn loading(&self) -> MutexGuard<'_, Loading> {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> MutexGuard<'_, Vec<PopupDialog>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has a browser hold pages that open until they are listened to. Those that are there are told of, too.
async fn listen(debugger: &Debugger) -> Result<Wire, WireError> {
    let wire = Wire::open(debugger).await?;
    let wanted = json!({
        "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true, "filter": [{ "type": "page" }],
    });
    // What is said before the answer is of pages that are there.
    wire.ask("", "Target.setAutoAttach", wanted).await?.map_err(WireError::from)?;
    Ok(wire)
}
