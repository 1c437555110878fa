//! Input as actions of WebDriver, in the connection of the session: each waits for the command that is carried out.
//! Its pointer and its keys are sources of their own, so that what a flow holds stays held.

use super::refused;
use crate::{
    browser::{Call, Method, Session, page::Page},
    flow::{Key, typed},
    within::within,
};
use runners_core::{
    Clock,
    live::{FrameError, Input},
};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Weak},
    time::Duration,
};

/// How long an input may take, the wait for the command before it included. Runners give it ten seconds, and have
/// no more to say of it than that.
const INPUT_TIMEOUT: Duration = Duration::from_secs(8);
/// How many characters are typed in one command.
const TYPED_AT_ONCE: usize = 100;

/// A hand on the page that a session is at.
#[derive(Debug)]
pub(super) struct Actions {
    session: Weak<dyn Session>,
    clock: Arc<dyn Clock>,
}

impl Actions {
    pub(super) fn new(session: Weak<dyn Session>, clock: Arc<dyn Clock>) -> Self {
        Self { session, clock }
    }

    /// Does what a person did.
    pub(super) async fn carry_out(&self, input: &Input) -> Result<(), FrameError> {
        let session = self.session.upgrade().ok_or(FrameError::Closed)?;
        let done = within(&*self.clock, INPUT_TIMEOUT, done(&*session, input)).await;
        done.unwrap_or_else(|| Err(FrameError::Unavailable("the browser did not answer in time".into())))
    }
}

async fn done(session: &dyn Session, input: &Input) -> Result<(), FrameError> {
    let page = Page::new(session);
    let is_bidi = page.abilities().bidi();
    match input {
        Input::PointerMove { x, y } => act(session, pointer(&[move_to(*x, *y)])).await,
        Input::PointerDown { x, y, button, .. } => {
            let press = json!({ "type": "pointerDown", "button": button });
            act(session, pointer(&[move_to(*x, *y), press])).await
        }
        Input::PointerUp { x, y, button, .. } => {
            let release = json!({ "type": "pointerUp", "button": button });
            act(session, pointer(&[move_to(*x, *y), release])).await
        }
        Input::Wheel { x, y, delta_x, delta_y } => {
            let scroll = json!({
                "type": "scroll", "x": whole(*x), "y": whole(*y), "deltaX": whole(*delta_x),
                "deltaY": whole(*delta_y), "duration": 0, "origin": "viewport",
            });
            act(session, json!({ "type": "wheel", "id": "viewer-wheel", "actions": [scroll] })).await
        }
        Input::KeyDown { key } => act(session, keys(&[stroke("keyDown", point(key)?)])).await,
        Input::KeyUp { key } => act(session, keys(&[stroke("keyUp", point(key)?)])).await,
        Input::Text { text } => {
            let points: Vec<char> = text.chars().map(typed).collect();
            for some in points.chunks(TYPED_AT_ONCE) {
                let strokes: Vec<_> = some
                    .iter()
                    .flat_map(|point| [stroke("keyDown", *point), stroke("keyUp", *point)])
                    .collect();
                act(session, keys(&strokes)).await?;
            }
            Ok(())
        }
        Input::Back | Input::Forward if is_bidi => {
            let delta = if matches!(input, Input::Back) { -1 } else { 1 };
            let gone =
                page.bidi_call("browsingContext.traverseHistory", json!({ "context": null, "delta": delta }));
            // At its end the history leads nowhere.
            match gone.await {
                Err(crate::BrowserError::Refused { code, .. }) if code == "no such history entry" => Ok(()),
                other => other.map(drop).map_err(refused),
            }
        }
        Input::Back => post(session, "back", json!({})).await,
        Input::Forward => post(session, "forward", json!({})).await,
        Input::Reload => page.reload().await.map_err(refused),
        Input::Navigate { url } => {
            session.check_page(url).map_err(refused)?;
            page.go_to(url).await.map_err(refused)
        }
        other => Err(FrameError::Unsupported(format!("{other:?}"))),
    }
}

/// Carries actions of one source out, in the page and not in a frame where that can be said.
async fn act(session: &dyn Session, source: Value) -> Result<(), FrameError> {
    let page = Page::new(session);
    if page.abilities().bidi() {
        let params = json!({ "context": null, "actions": [source] });
        return page.bidi_call("input.performActions", params).await.map(drop).map_err(refused);
    }
    post(session, "actions", json!({ "actions": [source] })).await
}

async fn post(session: &dyn Session, path: &'static str, body: Value) -> Result<(), FrameError> {
    session.call(Call::new(Method::Post, path, body)).await.map(drop).map_err(refused)
}

fn pointer(actions: &[Value]) -> Value {
    let kind = json!({ "pointerType": "mouse" });
    json!({ "type": "pointer", "id": "viewer-pointer", "parameters": kind, "actions": actions })
}

fn keys(actions: &[Value]) -> Value {
    json!({ "type": "key", "id": "viewer-keys", "actions": actions })
}

fn move_to(x: f64, y: f64) -> Value {
    json!({ "type": "pointerMove", "duration": 0, "origin": "viewport", "x": x, "y": y })
}

fn stroke(action: &str, point: char) -> Value {
    json!({ "type": action, "value": point })
}

fn point(key: &str) -> Result<char, FrameError> {
    match Key::of(key) {
        Key::Point(point) => Ok(point),
        Key::Unmapped(_) | Key::Unknown => Err(FrameError::Unsupported(format!("the key {key:?}"))),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "it is cut to what fits")]
fn whole(pixels: f64) -> i32 {
    pixels.round() as i32
}
