//! Clicks past the driver, where it is a ChromeDriver whose browser can be spoken to beside it. A driver waits until
//! the page has taken each event before it sends the next, and a page takes a move only with its next frame; so the
//! move and the presses of a click cost a frame. Here all of them go at once, in their order, as those of a hand do.

use super::place::Place;
use crate::{
    browser::{
        BrowserError, SideChannel,
        page::{Page, Point},
    },
    evidence::wire::{Said, Wire, WireError},
    within::within,
};
use futures::FutureExt as _;
use runners_core::Clock;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How long it may take to connect to the browser, and to attach to a page of it.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// What is known of a session for clicks. It outlives a step.
#[derive(Debug, Default)]
pub(super) struct Clicks {
    channel: tokio::sync::Mutex<Channel>,
    /// The keys that the driver holds.
    held: Mutex<BTreeSet<String>>,
}

/// The connection to the browser.
#[derive(Debug, Default)]
enum Channel {
    #[default]
    Untried,
    Open(Box<Beside>),
    /// There is none, or it broke. The driver clicks.
    Absent,
}

#[derive(Debug)]
struct Beside {
    wire: Wire,
    /// The pages that it is attached to, by their handles.
    pages: BTreeMap<String, String>,
    /// What the dialogs say that are open, by attached page.
    dialogs: BTreeMap<String, String>,
}

/// What became of a click.
#[derive(Debug)]
enum Sent {
    /// The page has taken it.
    Taken,
    /// It opened a dialog, or one was there.
    Dialog(String),
    /// Nothing of it was sent.
    Nothing,
    /// The page went, or refused a part of it.
    Cut,
}

impl Clicks {
    /// Clicks with a button of the mouse, so often. `false` if the driver has to.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the click sent as a whole or not at all.
    pub(super) async fn click(
        &self,
        page: Page<'_>,
        place: &Place,
        clock: &dyn Clock,
        (at, button, times): (Point, u8, u8),
    ) -> Result<bool, BrowserError> {
        let Some(button) = Button::of(button) else { return Ok(false) };
        if !self.keys().is_empty() {
            // The driver knows what they make of a click.
            return Ok(false);
        }
        let mut channel = self.channel.lock().await;
        if matches!(*channel, Channel::Untried) {
            *channel = Channel::open(page.devtools_beside(), clock).await;
        }
        let Channel::Open(beside) = &mut *channel else { return Ok(false) };
        let handle = place.handle(page).await?;
        let arrived = within(clock, OPEN_TIMEOUT, beside.arrive(page, &handle)).await;
        let session = match arrived.unwrap_or_else(|| Err("it does not answer".into())) {
            Ok(Some(session)) => session,
            Ok(None) => return Ok(false),
            Err(error) => {
                tracing::debug!(%error, "clicks are left to the driver");
                *channel = Channel::Absent;
                return Ok(false);
            }
        };
        match beside.send(&session, at, button, times).await {
            Sent::Nothing => Ok(false),
            Sent::Taken => Ok(true),
            Sent::Dialog(text) => Err(BrowserError::Dialog { text }),
            // The driver knows what became of the page.
            Sent::Cut => page.address().await.map(|_| true),
        }
    }

    /// The driver holds a key until it is released.
    pub(super) fn held(&self, key: &str) {
        self.keys().insert(key.to_owned());
    }

    pub(super) fn released(&self, key: &str) {
        self.keys().remove(key);
    }

    fn keys(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Channel {
    async fn open(devtools: Option<SideChannel>, clock: &dyn Clock) -> Self {
        let Some(devtools) = devtools else { return Self::Absent };
        match within(clock, OPEN_TIMEOUT, Wire::open(&devtools)).await {
            Some(Ok(wire)) => {
                let (pages, dialogs) = (BTreeMap::new(), BTreeMap::new());
                Self::Open(Box::new(Beside { wire, pages, dialogs }))
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "clicks are left to the driver");
                Self::Absent
            }
            None => Self::Absent,
        }
    }
}

impl Beside {
    /// Attaches to a page, unless it is. `None` if the browser does not know it by this handle.
    async fn arrive(&mut self, page: Page<'_>, handle: &str) -> Result<Option<String>, WireError> {
        while let Some(said) = self.wire.next().now_or_never() {
            self.hear(said?);
        }
        if let Some(session) = self.pages.get(handle) {
            return Ok(Some(session.clone()));
        }
        let wanted = json!({ "targetId": handle, "flatten": true });
        let Ok(attached) = self.ask("", "Target.attachToTarget", wanted).await? else { return Ok(None) };
        let session = attached["sessionId"].as_str().unwrap_or_default().to_owned();
        for domain in ["Page.enable", "Inspector.enable"] {
            self.ask(&session, domain, json!({})).await?.map_err(WireError::from)?;
        }
        // One that is open already is told to nobody who attaches.
        if let Some(says) = page.dialog().await? {
            self.dialogs.insert(session.clone(), says);
        }
        self.pages.insert(handle.to_owned(), session.clone());
        Ok(Some(session))
    }

    /// Sends a click, and waits until the page has taken it or will not.
    async fn send(&mut self, session: &str, at: Point, button: Button, times: u8) -> Sent {
        if let Some(says) = self.dialogs.get(session) {
            return Sent::Dialog(says.clone());
        }
        let events = button.click(at, times).into_iter().map(|event| ("Input.dispatchMouseEvent", event));
        let Ok(mut unanswered) = self.wire.send_all(session, events).await else { return Sent::Cut };
        let (mut taken, mut refused) = (0, 0);
        while !unanswered.is_empty() {
            let Ok(said) = self.wire.next().await else { return Sent::Cut };
            match said.id {
                Some(id) if unanswered.remove(&id) => {
                    *(if said.error.is_null() { &mut taken } else { &mut refused }) += 1;
                }
                _ => self.hear(said),
            }
            if let Some(says) = self.dialogs.get(session) {
                return Sent::Dialog(says.clone());
            }
            if !self.pages.values().any(|attached| attached == session) {
                return Sent::Cut;
            }
        }
        match (taken, refused) {
            (_, 0) => Sent::Taken,
            (0, _) => Sent::Nothing,
            _ => Sent::Cut,
        }
    }

    /// Sends a command and waits for its answer, and hears what is said before.
    async fn ask(
        &mut self,
        session: &str,
        method: &str,
        params: Value,
    ) -> Result<Result<Value, String>, WireError> {
        let id = self.wire.send(session, method, params).await?;
        loop {
            let said = self.wire.next().await?;
            if said.id == Some(id) {
                let refused = said.error["message"].as_str().map(str::to_owned);
                return Ok(refused.map_or(Ok(said.result), Err));
            }
            self.hear(said);
        }
    }

    fn hear(&mut self, said: Said) {
        let Said { method, session, params, .. } = said;
        match &*method {
            "Page.javascriptDialogOpening" => {
                let says = params["message"].as_str().unwrap_or_default().to_owned();
                self.dialogs.insert(session, says);
            }
            "Page.javascriptDialogClosed" => drop(self.dialogs.remove(&session)),
            "Inspector.targetCrashed" => self.leave(&session),
            "Target.detachedFromTarget" => self.leave(params["sessionId"].as_str().unwrap_or_default()),
            _ => {}
        }
    }

    fn leave(&mut self, session: &str) {
        self.pages.retain(|_, attached| attached != session);
        self.dialogs.remove(session);
    }
}

/// A button of the mouse.
#[derive(Clone, Copy, Debug)]
struct Button {
    name: &'static str,
    bit: u8,
}

impl Button {
    /// The button with a number of the DOM.
    fn of(number: u8) -> Option<Self> {
        let known = [("left", 1), ("middle", 4), ("right", 2), ("back", 8), ("forward", 16)];
        known.get(usize::from(number)).map(|(name, bit)| Self { name, bit: *bit })
    }

    /// The events of a click, as a ChromeDriver makes them.
    fn click(self, at: Point, times: u8) -> Vec<Value> {
        let event = |kind: &str, button: &str, buttons: u8, count: u8, force: f64| {
            json!({
                "type": kind, "x": at.x, "y": at.y, "button": button, "buttons": buttons,
                "clickCount": count, "force": force, "pointerType": "mouse",
            })
        };
        let mut events = vec![event("mouseMoved", "none", 0, 0, 0.0)];
        for count in 1..=times {
            events.push(event("mousePressed", self.name, 0, count, 0.5));
            events.push(event("mouseReleased", self.name, self.bit, count, 0.0));
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_double_click_counts_its_presses() {
        let events = Button::of(2).unwrap().click(Point { x: 1.5, y: 2.0 }, 2);
        let told: Vec<_> =
            events.iter().map(|event| (&event["type"], &event["button"], &event["clickCount"])).collect();
        let told = json!(told);
        let right = json!([
            ["mouseMoved", "none", 0],
            ["mousePressed", "right", 1],
            ["mouseReleased", "right", 1],
            ["mousePressed", "right", 2],
            ["mouseReleased", "right", 2],
        ]);
        assert_eq!(told, right);
        assert!(Button::of(5).is_none(), "no mouse has more");
    }
}
