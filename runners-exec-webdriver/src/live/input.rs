//! Input into a page of a Chromium, over a connection of its own, so that it waits for no picture.

use super::{
    chromium::{Chromium, Unseen},
    keyboard::{Modifiers, Stroke},
    refused,
};
use crate::{
    evidence::wire::{Wire, WireError},
    within::within,
};
use runners_core::{
    Clock,
    live::{FrameError, Input},
};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex as StateMutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Mutex;

/// How long a page may take to do what it was told, and to be connected to before. One that shows a dialog
/// meanwhile does not answer. Runners give an input ten seconds, and have no more to say of it than that.
const INPUT_TIMEOUT: Duration = Duration::from_secs(8);
/// How long a page may take to refuse an address. It is on its way then.
const NAVIGATION_TIMEOUT: Duration = Duration::from_secs(1);
/// The buttons of a mouse as the DOM counts them, and the bit of each in `MouseEvent.buttons`.
const BUTTONS: [(&str, u8); 5] = [("left", 1), ("middle", 4), ("right", 2), ("back", 8), ("forward", 16)];

/// A hand on the page that is shown.
#[derive(Debug)]
pub(super) struct DevtoolsInput {
    chromium: Arc<Chromium>,
    clock: Arc<dyn Clock>,
    /// Held by the input that is carried out.
    line: Mutex<Option<Line>>,
    held: StateMutex<Held>,
}

/// A connection to one page.
#[derive(Debug)]
struct Line {
    wire: Wire,
    target: String,
    session: String,
}

/// What is held down.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    modifiers: Modifiers,
    buttons: u8,
}

/// Why an input was not carried out.
#[derive(Debug)]
enum Trouble {
    /// The page did not take it.
    Refused(String),
    /// The connection is of no use any more.
    Lost(Unseen),
}

impl DevtoolsInput {
    pub(super) fn new(chromium: Arc<Chromium>, clock: Arc<dyn Clock>) -> Self {
        Self { chromium, clock, line: Mutex::default(), held: StateMutex::default() }
    }

    /// Does what a person did.
    pub(super) async fn carry_out(&self, input: &Input) -> Result<(), FrameError> {
        if let Input::Navigate { url } = input {
            self.chromium.check_page(url).map_err(refused)?;
        }
        self.chromium.note_act();
        let mut line = self.line.lock().await;
        let done = match within(&*self.clock, INPUT_TIMEOUT, self.done(&mut line, input)).await {
            Some(done) => done?,
            None => return Err(FrameError::Unavailable("the page did not answer in time".into())),
        };
        match done {
            Ok(()) => Ok(()),
            Err(Trouble::Refused(why)) => Err(FrameError::Unavailable(why.into())),
            Err(Trouble::Lost(why)) => {
                *line = None;
                match why {
                    Unseen::Over => Err(FrameError::Closed),
                    Unseen::Trouble(_) if self.chromium.is_gone() => Err(FrameError::Closed),
                    Unseen::Trouble(error) => Err(FrameError::Unavailable(error)),
                }
            }
        }
    }

    async fn done(&self, line: &mut Option<Line>, input: &Input) -> Result<Result<(), Trouble>, FrameError> {
        let (method, params) = match input {
            Input::Back => return Ok(self.go(line, -1).await),
            Input::Forward => return Ok(self.go(line, 1).await),
            other => self.command(other)?,
        };
        Ok(self.told(line, method, params).await.map(drop))
    }

    /// What a page is told of an input; what is held afterwards is noted.
    fn command(&self, input: &Input) -> Result<(&'static str, Value), FrameError> {
        const MOUSE: &str = "Input.dispatchMouseEvent";
        const KEY: &str = "Input.dispatchKeyEvent";
        let mut held = self.held();
        let modifiers = held.modifiers.bits();
        Ok(match input {
            Input::PointerMove { x, y } => {
                let pressed = BUTTONS.iter().find(|(_, bit)| held.buttons & bit != 0);
                let button = pressed.map_or("none", |(name, _)| name);
                let told = json!({
                    "type": "mouseMoved", "x": x, "y": y, "button": button, "buttons": held.buttons,
                    "modifiers": modifiers,
                });
                (MOUSE, told)
            }
            Input::PointerDown { x, y, button, clicks } | Input::PointerUp { x, y, button, clicks } => {
                let is_down = matches!(input, Input::PointerDown { .. });
                let unknown = || FrameError::Unsupported(format!("the button {button}"));
                let (name, bit) = *BUTTONS.get(usize::from(*button)).ok_or_else(unknown)?;
                held.buttons = if is_down { held.buttons | bit } else { held.buttons & !bit };
                let told = json!({
                    "type": if is_down { "mousePressed" } else { "mouseReleased" }, "x": x, "y": y,
                    "button": name, "buttons": held.buttons, "clickCount": clicks, "modifiers": modifiers,
                });
                (MOUSE, told)
            }
            Input::Wheel { x, y, delta_x, delta_y } => {
                let told = json!({
                    "type": "mouseWheel", "x": x, "y": y, "deltaX": delta_x, "deltaY": delta_y,
                    "modifiers": modifiers,
                });
                (MOUSE, told)
            }
            Input::KeyDown { key } | Input::KeyUp { key } => {
                let is_down = matches!(input, Input::KeyDown { .. });
                let unknown = || FrameError::Unsupported(format!("the key {key:?}"));
                let stroke = Stroke::of(key).ok_or_else(unknown)?;
                held.modifiers.note(key, is_down);
                (KEY, stroke.event(is_down, held.modifiers))
            }
            Input::Text { text } => ("Input.insertText", json!({ "text": text })),
            Input::Reload => ("Page.reload", json!({})),
            Input::Navigate { url } => ("Page.navigate", json!({ "url": url })),
            other => return Err(FrameError::Unsupported(format!("{other:?}"))),
        })
    }

    /// Goes through the history of the page; at its end it stays where it is.
    async fn go(&self, line: &mut Option<Line>, by: i64) -> Result<(), Trouble> {
        let history = self.told(line, "Page.getNavigationHistory", json!({})).await?;
        let at = history["currentIndex"].as_i64().unwrap_or_default() + by;
        let entry = usize::try_from(at).ok().map(|at| &history["entries"][at]["id"]);
        let Some(entry) = entry.filter(|entry| !entry.is_null()) else { return Ok(()) };
        self.told(line, "Page.navigateToHistoryEntry", json!({ "entryId": entry })).await.map(drop)
    }

    /// Tells the page that is shown, and waits for its answer.
    async fn told(&self, line: &mut Option<Line>, method: &str, params: Value) -> Result<Value, Trouble> {
        let line = self.line_to(line).await?;
        let answer = line.wire.ask(&line.session, method, params);
        let answered = if method == "Page.navigate" {
            // It is answered once the server has, and refused at once.
            match within(&*self.clock, NAVIGATION_TIMEOUT, answer).await {
                Some(answered) => answered,
                None => return Ok(Value::Null),
            }
        } else {
            answer.await
        };
        answered.map_err(lost)?.map_err(Trouble::Refused)
    }

    /// The connection to the page that is shown, which may be another than before.
    async fn line_to<'l>(&self, line: &'l mut Option<Line>) -> Result<&'l Line, Trouble> {
        let shown = self.chromium.shown();
        let is_there = line.as_ref().is_some_and(|line| shown.as_ref() == Some(&line.target));
        if !is_there {
            let (wire, target) = match (line.take(), shown) {
                (Some(line), Some(target)) => {
                    let params = json!({ "sessionId": line.session });
                    line.wire.send("", "Target.detachFromTarget", params).await.map_err(lost)?;
                    (line.wire, target)
                }
                // Nobody looks, so nobody knows.
                (_, None) => {
                    let (wire, pages) = self.chromium.connect().await.map_err(Trouble::Lost)?;
                    (wire, pages.shown().unwrap_or_default().to_owned())
                }
                (None, Some(target)) => (self.chromium.connect().await.map_err(Trouble::Lost)?.0, target),
            };
            let params = json!({ "targetId": target, "flatten": true });
            let attached = wire.ask("", "Target.attachToTarget", params).await.map_err(lost)?;
            let gone = |why: String| Trouble::Lost(Unseen::Trouble(why.into()));
            let session = attached.map_err(gone)?["sessionId"].as_str().unwrap_or_default().to_owned();
            return Ok(line.insert(Line { wire, target, session }));
        }
        Ok(line.as_ref().expect("invariant: it is there"))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lost(error: WireError) -> Trouble {
    Trouble::Lost(Unseen::Trouble(error))
}
