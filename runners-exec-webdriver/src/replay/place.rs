//! Where a step happens: which page, and which frame of it. A step goes there before it looks, and
//! back to the surface before it points; that way is in `place/frames`. What it does there is in `element`
//! and its neighbours.

mod frames;

pub(super) use frames::Spot;

use self::frames::{FRAME, Outside};
use super::{
    scope::{Look, Scope},
    trouble::Trouble,
};
use crate::{
    browser::{BrowserError, page::Page},
    flow::{Action, Extension, Mode, Step},
    visual::Rectangle,
    within::within,
};
use futures::future::{Either, select};
use runners_core::Clock;
use serde_json::json;
use std::{
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

/// Where a page is that was not sent anywhere, or has not got there.
const NOWHERE: &str = "about:blank";
/// How long the way back to the page that the flow started with may take.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(3);
/// The most pages among which a target is looked for.
const PAGES_MAX: usize = 50;
/// The most frames of one page among which a target is looked for.
const FRAMES_MAX: usize = 50;
/// How deep frames may lie in each other for that.
const DEPTH_MAX: usize = 8;

/// The page and the frame that the session is at. It outlives a step.
#[derive(Debug, Default)]
pub(super) struct Place(Mutex<Here>);

#[derive(Debug, Default)]
struct Here {
    /// The page that the flow started with, once there was a need to know.
    main: Option<String>,
    window: Window,
    /// Whether the session may be in a child frame.
    in_frame: bool,
    /// The part of that frame's window that is in view, as far as it is known.
    visible: Option<Rectangle>,
}

/// The page that the session is at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Window {
    #[default]
    Main,
    Other(String),
    /// A change of page was given up half-way.
    Unknown,
}

impl Place {
    /// What tells the page apart that the session is at; the first one is `None`.
    pub(super) fn page(&self) -> Option<String> {
        match &self.here().window {
            Window::Other(handle) => Some(handle.clone()),
            Window::Main | Window::Unknown => None,
        }
    }

    /// The handle of the page that the session is at.
    pub(super) async fn handle(&self, page: Page<'_>) -> Result<String, BrowserError> {
        let (window, main) = {
            let here = self.here();
            (here.window.clone(), here.main.clone())
        };
        match (window, main) {
            (Window::Other(handle), _) | (Window::Main, Some(handle)) => Ok(handle),
            (Window::Unknown, _) => page.window().await,
            (Window::Main, None) => {
                let main = page.window().await?;
                self.here().main = Some(main.clone());
                Ok(main)
            }
        }
    }

    /// Closes the page, and goes on with the one that the flow started with.
    pub(super) async fn close(&self, page: Page<'_>) -> Result<(), BrowserError> {
        page.close().await?;
        let is_main = self.here().window == Window::Main;
        if is_main {
            return Ok(());
        }
        self.here().window = Window::Unknown;
        self.show_main(page).await
    }

    /// Opens a page of its own and goes there, without showing it.
    pub(super) async fn open(&self, page: Page<'_>) -> Result<(), BrowserError> {
        // Whoever goes on after this has to find the way back.
        self.pages(page).await?;
        let handle = page.open_window().await?;
        self.show(page, &handle).await
    }

    /// Goes back to where the flow started, for whoever uses the session next. Trouble with that is
    /// theirs to see.
    pub(super) async fn leave(&self, page: Page<'_>, clock: &dyn Clock) {
        let back = async {
            self.show_main(page).await?;
            self.surface(page).await
        };
        if let Some(Err(error)) = within(clock, LEAVE_TIMEOUT, back).await {
            tracing::debug!(%error, "the session stays where the flow ended");
        }
    }

    /// Goes to the page that the flow started with.
    async fn show_main(&self, page: Page<'_>) -> Result<(), BrowserError> {
        let main = self.here().main.clone();
        match main {
            Some(main) => self.show(page, &main).await,
            // Nobody ever left it.
            None => Ok(()),
        }
    }

    /// Goes to a page.
    async fn show(&self, page: Page<'_>, handle: &str) -> Result<(), BrowserError> {
        let window = {
            let mut here = self.here();
            let is_main = here.main.as_deref() == Some(handle);
            let window = if is_main { Window::Main } else { Window::Other(handle.to_owned()) };
            if here.window == window {
                return Ok(());
            }
            here.window = Window::Unknown;
            window
        };
        page.show_window(handle).await?;
        let mut here = self.here();
        (here.window, here.in_frame, here.visible) = (window, false, None);
        Ok(())
    }

    /// All pages, the one that the flow started with first.
    async fn pages(&self, page: Page<'_>) -> Result<Vec<String>, BrowserError> {
        if self.here().main.is_none() {
            let main = page.window().await?;
            self.here().main = Some(main);
        }
        let main = self.here().main.clone();
        let mut pages = page.windows().await?;
        pages.sort_by_key(|handle| Some(handle) != main.as_ref());
        pages.truncate(PAGES_MAX);
        Ok(pages)
    }

    fn here(&self) -> MutexGuard<'_, Here> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scope<'_> {
    /// Goes to the page that the step is for, and learns in which frame of it the step happens.
    pub(super) async fn enter(&self, step: &Step) -> Result<(), Trouble> {
        let is_input = matches!(
            step.action,
            Action::KeyDown { .. } | Action::KeyUp { .. } | Action::EmulateNetworkConditions { .. }
        );
        let is_of_page = is_input
            || matches!(
                step.action,
                Action::SetViewport(_) | Action::Close | Action::Extension(Extension::Dialog { .. })
            );
        let is_always_main = is_input && self.mode == Mode::Compat;
        let target = step.target.as_deref().filter(|target| *target != "main" && !is_always_main);
        let mut path = match target {
            Some(url) if matches!(step.action, Action::Extension(Extension::Dialog { .. })) => {
                match Box::pin(self.find_dialog(url)).await? {
                    Some(path) => path,
                    None => return Ok(()),
                }
            }
            Some(url) => {
                if let Some(popups) = self.popups {
                    Box::pin(popups.settled_unanswered(self.clock)).await;
                }
                self.until_told(|| self.find(url, false)).await?
            }
            None => {
                self.place.show_main(self.page).await?;
                Vec::new()
            }
        };
        self.is_frame_target.store(!path.is_empty(), Ordering::Relaxed);
        if !is_of_page {
            for index in &step.frame {
                let index = usize::try_from(*index)
                    .map_err(|_| Trouble::Failed(format!("there is no frame {:?}", step.frame)))?;
                path.push(index);
            }
        }
        self.place.surface(self.page).await?;
        *self.frames() = path;
        Ok(())
    }

    /// The page at this address that a dialog is to be on. None if the dialog was heard of: the driver may
    /// never get there.
    async fn find_dialog(&self, url: &str) -> Result<Option<Vec<usize>>, Trouble> {
        let finding = self.until_told(|| self.find(url, true));
        let Some(popups) = self.popups else { return finding.await.map(Some) };
        let finding = async {
            popups.settled(self.clock).await;
            finding.await
        };
        match select(pin!(popups.dialog_at(url)), pin!(finding)).await {
            Either::Right((found, _)) => found.map(Some),
            Either::Left((dialog, _)) => {
                *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(dialog);
                Ok(None)
            }
        }
    }

    /// The page at this address, or the path to the frame that is. Behind a dialog some browsers do not say
    /// where a page is: if it is the dialog that is wanted, such a page is taken for it.
    async fn find(&self, url: &str, is_dialog: bool) -> Result<Look<Vec<usize>>, BrowserError> {
        let mut pages = self.place.pages(self.page).await?;
        if is_dialog {
            // A dialog of a popup may keep the page that opened it from answering, too.
            pages.reverse();
        }
        let mut open = Vec::new();
        for handle in &pages {
            match self.address_of(handle).await {
                Ok(address) if address == url => return Ok(Look::Done(Vec::new())),
                Ok(address) if is_dialog && self.is_held_up(&address).await? => {
                    return Ok(Look::Done(Vec::new()));
                }
                Ok(address) => open.push(address),
                Err(BrowserError::Closed) => {}
                Err(BrowserError::Dialog { .. }) if is_dialog => return Ok(Look::Done(Vec::new())),
                Err(error) => return Err(error),
            }
        }
        for handle in &pages {
            match self.frame_at(handle, url).await {
                Ok(Some(path)) => return Ok(Look::Done(path)),
                Ok(None) | Err(BrowserError::Closed | BrowserError::Refused { .. }) => {}
                // Of a page that is only on its way there.
                Err(BrowserError::Dialog { .. }) if is_dialog => {}
                Err(error) => return Err(error),
            }
        }
        self.place.show_main(self.page).await?;
        Ok(Look::Again(format!("no page and no frame is at {url}; there is {}", open.join(", "))))
    }

    /// Whether a dialog keeps the page that is shown from being where it was sent: Chromium says of a popup
    /// that opens one while it loads that it is nowhere yet.
    async fn is_held_up(&self, address: &str) -> Result<bool, BrowserError> {
        Ok(address == NOWHERE && self.page.dialog().await?.is_some())
    }

    async fn address_of(&self, handle: &str) -> Result<String, BrowserError> {
        self.place.show(self.page, handle).await?;
        self.page.address().await
    }

    /// The path to the first frame of a page that is at this address.
    async fn frame_at(&self, handle: &str, url: &str) -> Result<Option<Vec<usize>>, BrowserError> {
        self.place.show(self.page, handle).await?;
        let (mut paths, mut next) = (vec![Vec::new()], 0);
        while next < paths.len().min(FRAMES_MAX) {
            let path = paths[next].clone();
            next += 1;
            if self.place.descend(self.page, &path).await?.is_some() {
                continue;
            }
            let inside: Outside = self.page.run(&FRAME, &json!({})).await?;
            if !path.is_empty() && inside.url == url {
                return Ok(Some(path));
            }
            if path.len() < DEPTH_MAX {
                paths.extend((0..inside.count).map(|index| [&path[..], &[index]].concat()));
            }
        }
        Ok(None)
    }
}
