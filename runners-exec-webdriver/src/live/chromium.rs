//! A Chromium whose DevTools protocol is spoken, as a live view sees it: a connection beside the driver's, and the pages of its
//! session.

use super::pages::Pages;
use crate::{
    browser::{BrowserError, Session, SideChannel, page::Page},
    evidence::wire::{Wire, WireError},
    within::within,
};
use runners_core::{BootTime, Clock};
use serde_json::json;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio::sync::watch;

/// How long the driver may take to say at which page the session is.
const WINDOW_TIMEOUT: Duration = Duration::from_secs(3);

/// A browser and the session in it.
#[derive(Debug)]
pub(super) struct Chromium {
    origin: Origin,
    devtools: SideChannel,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
    /// When a person did something last.
    acted: watch::Sender<Option<BootTime>>,
}

#[derive(Debug, Default)]
struct Known {
    /// The profile that the session is in.
    context: Option<String>,
    /// The page that is shown, while one is.
    shown: Option<String>,
}

/// How it is known at which page the session is.
#[derive(Debug)]
enum Origin {
    /// It is asked.
    Session(Weak<dyn Session>),
    /// It was asked before.
    Window(String),
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum Unseen {
    /// The session is over.
    Over,
    /// It may be there when it is tried again.
    Trouble(WireError),
}

impl Chromium {
    pub(super) fn new(session: Weak<dyn Session>, devtools: SideChannel, clock: Arc<dyn Clock>) -> Self {
        Self::by(Origin::Session(session), devtools, clock)
    }

    /// The session that is at a page, which nobody can ask.
    pub(super) fn at(window: String, devtools: SideChannel, clock: Arc<dyn Clock>) -> Self {
        Self::by(Origin::Window(window), devtools, clock)
    }

    fn by(origin: Origin, devtools: SideChannel, clock: Arc<dyn Clock>) -> Self {
        Self { origin, devtools, clock, known: Mutex::default(), acted: watch::Sender::new(None) }
    }

    /// Connects, and learns which pages the session has; of others it is told by events.
    pub(super) async fn connect(&self) -> Result<(Wire, Pages), Unseen> {
        let window = self.window().await?;
        // What no longer listens is over.
        let wire = Wire::open(&self.devtools).await.map_err(|_| Unseen::Over)?;
        let mut pages = Pages::of(self.known().context.clone());
        let wanted = json!({ "discover": true, "filter": [{ "type": "page" }] });
        let id = wire.send("", "Target.setDiscoverTargets", wanted).await.map_err(Unseen::Trouble)?;
        loop {
            // The pages that are there are told of before this is answered.
            let said = wire.next().await.map_err(Unseen::Trouble)?;
            if said.id == Some(id) {
                break;
            }
            pages.hear(&said.method, &said.params);
        }
        if let Some(window) = window {
            pages.turn_to(&window);
        }
        if pages.shown().is_none() {
            return Err(Unseen::Over);
        }
        self.known().context = pages.context().map(str::to_owned);
        Ok((wire, pages))
    }

    /// The handle of the page that the session is at, if it can be told now.
    async fn window(&self) -> Result<Option<String>, Unseen> {
        // Whoever holds the session keeps it open. This does not.
        let session = match &self.origin {
            Origin::Window(window) => return Ok(Some(window.clone())),
            Origin::Session(session) => session.upgrade().ok_or(Unseen::Over)?,
        };
        match within(&*self.clock, WINDOW_TIMEOUT, Page::new(&*session).window()).await {
            Some(Ok(window)) => Ok(Some(window)),
            Some(Err(BrowserError::Gone { .. })) => Err(Unseen::Over),
            // The page was closed, or the driver is at something else.
            Some(Err(_)) | None => Ok(None),
        }
    }

    /// Notes which page is shown, for whoever acts on it.
    pub(super) fn note_shown(&self, target: Option<&str>) {
        self.known().shown = target.map(str::to_owned);
    }

    /// The page that is shown, while one is.
    pub(super) fn shown(&self) -> Option<String> {
        self.known().shown.clone()
    }

    /// Notes that a person does something now.
    pub(super) fn note_act(&self) {
        self.acted.send_replace(Some(self.clock.boot()));
    }

    /// When a person did something last, for whoever waits until they do.
    pub(super) fn acted(&self) -> watch::Receiver<Option<BootTime>> {
        self.acted.subscribe()
    }

    /// Says whether the page may be sent to an address.
    pub(super) fn check_page(&self, url: &str) -> Result<(), BrowserError> {
        let gone = || BrowserError::Gone { source: "the session is closed".into() };
        match &self.origin {
            Origin::Session(session) => session.upgrade().ok_or_else(gone)?.check_page(url),
            Origin::Window(_) => Err(gone()),
        }
    }

    /// Whether the session is no longer held by anybody.
    pub(super) fn is_gone(&self) -> bool {
        matches!(&self.origin, Origin::Session(session) if session.strong_count() == 0)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
