//! Pages that open beside the one that a flow is at, and the dialogs that they show while they load. A
//! ChromeDriver looks at a page only once it is asked for pages; by then a dialog may keep the page from
//! answering it, and with that the session. So such pages are held until they are listened to, and what
//! their dialogs say, and how they are answered, goes past the driver, which is not asked for pages while
//! one of them loads. If a flow answers none of them, they are dismissed at once, and told.

use super::trouble::Trouble;
use crate::{
    browser::{Session, SideChannel},
    evidence::{
        told_line,
        wire::{Said, Wire, WireError, hold_new, is_page_or_frame},
    },
    flow::{Action, Extension, Flow},
    within::within,
};
use runners_core::{Clock, Redactor};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    future::pending,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// How long a browser may take to say that it will hold pages.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a driver is kept from pages that load, where a flow answers dialogs of such pages and where not.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(10);
const UNANSWERED_SETTLE_TIMEOUT: Duration = Duration::from_secs(2);
/// The most dialogs that are known at once; there is one for a page.
const DIALOGS_MAX: usize = 100;

/// The most dialogs that are told of after they were dismissed, and the most characters of each.
const TOLD_MAX: usize = 20;
const TOLD_CHARACTERS_MAX: usize = 400;

/// Listens to pages that open, where that helps.
#[derive(Debug, Default)]
pub(crate) struct Popups {
    wire: Option<Wire>,
    /// Whether the flow answers dialogs of such pages.
    are_answered: bool,
    dismissed: Mutex<Vec<PopupDialog>>,
    open: Mutex<Vec<PopupDialog>>,
    loading: Mutex<Loading>,
    changed: Notify,
    /// The browser has told something of its pages that nobody has waited for.
    told: Notify,
}

/// How far pages that have opened are.
#[derive(Debug, Default)]
struct Loading {
    /// Those that have not loaded, as this connection calls them, and whether they had the time to.
    pages: BTreeMap<String, bool>,
    /// Those that were there before this connection.
    first: BTreeSet<String>,
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
    /// Begins to listen for a flow, if the browser can be listened to. One that cannot leaves it to the driver.
    pub(super) async fn of(session: &dyn Session, flow: &Flow, clock: &dyn Clock) -> Self {
        let is_theirs = |action: &Action, target: Option<&str>| {
            matches!(action, Action::Extension(Extension::Dialog { .. }))
                && target.is_some_and(|target| target != "main")
        };
        let are_answered = flow.steps.iter().any(|step| is_theirs(&step.action, step.target.as_deref()));
        Self::listening(session, are_answered, clock).await
    }

    /// The same for what answers none of their dialogs.
    #[cfg(feature = "checks")]
    pub(crate) async fn unanswered(session: &dyn Session, clock: &dyn Clock) -> Self {
        Self::listening(session, false, clock).await
    }

    async fn listening(session: &dyn Session, are_answered: bool, clock: &dyn Clock) -> Self {
        let mut popups = Self { are_answered, ..Self::default() };
        let Some(devtools) = session.devtools() else { return popups };
        match within(clock, OPEN_TIMEOUT, popups.listen(&devtools)).await {
            Some(Ok(wire)) => popups.wire = Some(wire),
            Some(Err(error)) => tracing::debug!(%error, "dialogs of popups are left to the driver"),
            None => {}
        }
        popups
    }

    /// Has a browser hold pages that open until they are listened to, and tell of those that are there.
    async fn listen(&self, devtools: &SideChannel) -> Result<Wire, WireError> {
        let wire = Wire::open(devtools).await?;
        let asked = wire.send("", "Target.setAutoAttach", hold_new()).await?;
        loop {
            let said = wire.next().await?;
            if said.id == Some(asked) {
                return said.done().map(|_| wire).map_err(WireError::from);
            }
            self.hear(&wire, said).await?;
        }
    }

    /// Hears what the browser says, as long as it does.
    pub(crate) async fn run(&self) -> Infallible {
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
        if is_news(&method) {
            self.told.notify_one();
        }
        match &*method {
            "" => {}
            "Target.attachedToTarget" => {
                let page = params["sessionId"].as_str().unwrap_or_default();
                if !is_page_or_frame(&params) {
                    wire.send(page, "Runtime.runIfWaitingForDebugger", json!({})).await?;
                } else if params["waitingForDebugger"] == true {
                    self.loading().pages.insert(page.to_owned(), false);
                    wire.send(page, "Page.enable", json!({})).await?;
                    wire.send(page, "Runtime.runIfWaitingForDebugger", json!({})).await?;
                } else {
                    self.loading().first.insert(page.to_owned());
                    wire.send(page, "Page.enable", json!({})).await?;
                }
            }
            // The driver finds those of a page that it knows.
            "Page.javascriptDialogOpening" if self.loading().first.contains(&session) => {}
            "Page.javascriptDialogOpening" => {
                let text = |name: &str| params[name].as_str().unwrap_or_default().to_owned();
                let dialog = PopupDialog { page: session, url: text("url"), says: text("message") };
                if self.is_to_be_dismissed(&dialog) {
                    let no = json!({ "accept": false });
                    wire.send(&dialog.page, "Page.handleJavaScriptDialog", no).await?;
                    let mut dismissed = self.dismissed();
                    if dismissed.len() < TOLD_MAX {
                        dismissed.push(dialog);
                    }
                } else {
                    let mut open = self.open();
                    open.truncate(DIALOGS_MAX - 1);
                    open.push(dialog);
                }
            }
            "Page.loadEventFired" => drop(self.loading().pages.remove(&session)),
            "Page.javascriptDialogClosed" => self.open().retain(|dialog| dialog.page != session),
            "Target.detachedFromTarget" => {
                let page = params["sessionId"].as_str().unwrap_or_default();
                self.loading().forget(page);
                self.open().retain(|dialog| dialog.page != page);
            }
            _ => return Ok(()),
        }
        self.changed.notify_waiters();
        Ok(())
    }

    /// Whether a dialog keeps a page from loading and nobody will answer it. What a page shows later, the driver
    /// finds.
    fn is_to_be_dismissed(&self, dialog: &PopupDialog) -> bool {
        !self.are_answered && self.loading().pages.contains_key(&dialog.page)
    }

    /// Whether the browser tells of its pages by itself.
    pub(super) const fn are_heard(&self) -> bool {
        self.wire.is_some()
    }

    /// Waits until it has told something of them since this was last awaited.
    pub(super) async fn told_more(&self) {
        self.told.notified().await;
    }

    /// What was dismissed, a line each.
    pub(crate) fn told(&self, redactor: &Redactor) -> Vec<String> {
        let line = |PopupDialog { url, says, .. }: &PopupDialog| {
            let line = format!("{url}: its dialog was dismissed, since nothing answers it: {says:?}");
            told_line(redactor, &line, TOLD_CHARACTERS_MAX)
        };
        self.dismissed().iter().map(line).collect()
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
                    if loading.answered >= asked && loading.pages.values().all(|is_late| *is_late) {
                        return;
                    }
                }
                changed.await;
            }
        };
        let limit = if self.are_answered { SETTLE_TIMEOUT } else { UNANSWERED_SETTLE_TIMEOUT };
        if within(clock, limit, settled).await.is_none() {
            self.loading().pages.values_mut().for_each(|is_late| *is_late = true);
        }
    }

    /// The same before any step that is not at the first page, if no step answers a dialog: then none is in the
    /// way of a page for longer than it takes to dismiss it.
    pub(super) async fn settled_unanswered(&self, clock: &dyn Clock) {
        if !self.are_answered {
            self.settled(clock).await;
        }
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

    fn dismissed(&self) -> MutexGuard<'_, Vec<PopupDialog>> {
        self.dismissed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn loading(&self) -> MutexGuard<'_, Loading> {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> MutexGuard<'_, Vec<PopupDialog>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loading {
    /// A page is closed.
    fn forget(&mut self, page: &str) {
        self.pages.remove(page);
        self.first.remove(page);
    }
}

/// Whether an event may be what somebody waits for: a page or a frame that has opened, closed, gone somewhere or
/// loaded, and a dialog.
fn is_news(method: &str) -> bool {
    method.starts_with("Target.")
        || matches!(
            method,
            "Page.frameAttached"
                | "Page.frameDetached"
                | "Page.frameNavigated"
                | "Page.frameStoppedLoading"
                | "Page.javascriptDialogClosed"
                | "Page.javascriptDialogOpening"
                | "Page.loadEventFired"
                | "Page.navigatedWithinDocument"
        )
}
