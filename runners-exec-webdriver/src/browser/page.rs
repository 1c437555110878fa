//! What a replay says to a page: scripts, pointer and keys, pictures. One call each, or two.

use super::{
    BrowserError, Call, Method, Session, SideChannel,
    script::{KeptScripts, NOT_KEPT, Script},
};
use crate::{
    engine::{Abilities, Engine},
    flow::{Device, Devtools},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::time::Duration;

/// The document as HTML, up to so many characters.
const SOURCE: &str = "const [to, done] = arguments;
    const text = document.documentElement?.outerHTML ?? '';
    const kind = document.doctype ? `<!DOCTYPE ${document.doctype.name}>` : '';
    done({ source: (kind + text).slice(0, to.most) });";

/// A session, spoken to in terms of its page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page<'s> {
    session: &'s dyn Session,
    kept: Option<&'s KeptScripts>,
}

/// A point in the viewport, in CSS pixels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, serde::Deserialize)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// How a pointer is pressed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Press {
    pub(crate) device: Device,
    /// The button, as the DOM numbers them.
    pub(crate) button: u8,
    pub(crate) held: Duration,
}

impl<'s> Page<'s> {
    pub(crate) const fn new(session: &'s dyn Session) -> Self {
        Self { session, kept: None }
    }

    /// The same, whose documents keep the scripts that run in them.
    pub(crate) const fn keeping(self, kept: &'s KeptScripts) -> Self {
        Self { kept: Some(kept), ..self }
    }

    /// Where the DevTools protocol of its browser is spoken beside its commands.
    pub(crate) fn devtools_beside(self) -> Option<SideChannel> {
        self.session.devtools()
    }

    /// What the browser can do beyond what all can.
    pub(crate) fn abilities(self) -> Abilities {
        Abilities::of(self.session.capabilities())
    }

    /// Whether the browser says that it is one of the Chromium family.
    pub(crate) fn devtools(self) -> Devtools {
        if self.abilities().devtools() { Devtools::Spoken } else { Devtools::Absent }
    }

    /// Whether a script may be answered by nobody if its page goes meanwhile.
    pub(crate) fn loses_answers(self) -> bool {
        Engine::of(self.session.capabilities()) == Some(Engine::Webkit)
    }

    /// The engine, or what the browser calls itself if it is none of those that are known.
    pub(crate) fn engine_name(self) -> Option<String> {
        Engine::name_of(self.session.capabilities())
    }

    /// The name of the browser, as the driver says it.
    pub(crate) fn engine(self) -> String {
        let name = self.session.capabilities().get("browserName").and_then(Value::as_str);
        name.unwrap_or("browser").to_owned()
    }

    /// The handle of the page that the session is at.
    pub(crate) async fn window(self) -> Result<String, BrowserError> {
        Ok(self.get("window").await?.as_str().unwrap_or_default().to_owned())
    }

    /// The handles of all pages.
    pub(crate) async fn windows(self) -> Result<Vec<String>, BrowserError> {
        let handles = self.get("window/handles").await?;
        let handles = handles.as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(handles.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// Turns to another page, without bringing it to the front.
    pub(crate) async fn show_window(self, handle: &str) -> Result<(), BrowserError> {
        self.goes_elsewhere();
        self.post("window", json!({ "handle": handle })).await.map(drop)
    }

    /// Opens another page and answers its handle.
    pub(crate) async fn open_window(self) -> Result<String, BrowserError> {
        let opened = self.post("window/new", json!({ "type": "tab" })).await?;
        Ok(opened["handle"].as_str().unwrap_or_default().to_owned())
    }

    /// Turns to a child frame by its element, or to the main frame by null.
    pub(crate) async fn show_frame(self, element: &Value) -> Result<(), BrowserError> {
        self.goes_elsewhere();
        self.post("frame", json!({ "id": element })).await.map(drop)
    }

    /// Turns to the frame around the present one.
    pub(crate) async fn show_parent_frame(self) -> Result<(), BrowserError> {
        self.goes_elsewhere();
        self.post("frame/parent", json!({})).await.map(drop)
    }

    /// The address of the page.
    pub(crate) async fn address(self) -> Result<String, BrowserError> {
        Ok(self.get("url").await?.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until the browser has told something new of its pages in the connection of the session.
    pub(crate) async fn changed(self) -> Result<(), BrowserError> {
        self.session.changed().await
    }

    /// Why the browser did not reach the host of an address, if somebody knows.
    pub(crate) fn unreached(self, url: &str) -> Option<String> {
        self.session.unreached(url)
    }

    /// Starts to load an address; does not wait for it.
    pub(crate) async fn go_to(self, url: &str) -> Result<(), BrowserError> {
        self.goes_elsewhere();
        self.post("url", json!({ "url": url })).await.map(drop)
    }

    pub(crate) async fn reload(self) -> Result<(), BrowserError> {
        self.goes_elsewhere();
        self.post("refresh", json!({})).await.map(drop)
    }

    /// Runs a script that answers through its last argument.
    pub(crate) async fn ask<T: DeserializeOwned>(
        self,
        script: &str,
        request: &(impl Serialize + Sync),
    ) -> Result<T, BrowserError> {
        let request = serde_json::to_value(request).expect("requests have string keys only");
        answered(self.ask_plainly(script, &request).await?)
    }

    /// Runs a script that the document keeps from then on.
    pub(crate) async fn run<T: DeserializeOwned>(
        self,
        script: &Script,
        request: &(impl Serialize + Sync),
    ) -> Result<T, BrowserError> {
        self.run_on(script, "this", request).await
    }

    /// The same, with what the expression `this` comes to as its `this`.
    pub(crate) async fn run_on<T: DeserializeOwned>(
        self,
        script: &Script,
        this: &str,
        request: &(impl Serialize + Sync),
    ) -> Result<T, BrowserError> {
        let request = serde_json::to_value(request).expect("requests have string keys only");
        if let Some(kept) = self.kept.filter(|kept| kept.has(script)) {
            let answer = self.ask_plainly(&script.call(this), &request).await;
            if !matches!(&answer, Ok(answer) if answer != NOT_KEPT) {
                // After an error, too, it may be another document.
                kept.forget();
            }
            match answer? {
                answer if answer == NOT_KEPT => {}
                answer => return answered(answer),
            }
        }
        let answer = self.ask_plainly(&script.whole(this), &request).await?;
        if let Some(kept) = self.kept {
            kept.note(script);
        }
        answered(answer)
    }

    /// What comes is another document.
    fn goes_elsewhere(self) {
        if let Some(kept) = self.kept {
            kept.forget();
        }
    }

    async fn ask_plainly(self, script: &str, request: &Value) -> Result<Value, BrowserError> {
        self.post("execute/async", json!({ "script": script, "args": [request] })).await
    }

    /// Sends a command of the DevTools protocol.
    pub(crate) async fn devtools_call(self, method: &str, params: Value) -> Result<Value, BrowserError> {
        self.post("goog/cdp/execute", json!({ "cmd": method, "params": params })).await
    }

    /// Sends a command of WebDriver BiDi; a context of null is the page that the session is at.
    pub(crate) async fn bidi_call(self, method: &str, params: Value) -> Result<Value, BrowserError> {
        self.post("runners/bidi", json!({ "method": method, "params": params })).await
    }

    /// What was told over WebDriver BiDi of the events that somebody has subscribed to.
    pub(crate) async fn bidi_told(self) -> Result<Vec<Value>, BrowserError> {
        let mut told = self.get("runners/bidi/told").await?;
        Ok(told.as_array_mut().map(std::mem::take).unwrap_or_default())
    }

    /// Brings the page to the front, where the browser can.
    pub(crate) async fn come_to_front(self) -> Result<(), BrowserError> {
        if self.abilities().bidi() {
            self.bidi_call("browsingContext.activate", json!({ "context": null })).await.map(drop)
        } else {
            self.devtools_call("Page.bringToFront", json!({})).await.map(drop)
        }
    }

    /// Moves and sizes the window.
    pub(crate) async fn set_window_size(self, width: f64, height: f64) -> Result<(), BrowserError> {
        self.post("window/rect", json!({ "width": width, "height": height })).await.map(drop)
    }

    /// Moves the mouse to a point.
    pub(crate) async fn point_at(self, to: Point) -> Result<(), BrowserError> {
        self.act(json!([pointer(Device::Mouse, &[move_to(to)])])).await
    }

    /// Presses the mouse button where the pointer is, and holds it.
    pub(crate) async fn press_mouse(self) -> Result<(), BrowserError> {
        self.act(json!([pointer(Device::Mouse, &[json!({ "type": "pointerDown", "button": 0 })])])).await
    }

    /// Releases it.
    pub(crate) async fn release_mouse(self) -> Result<(), BrowserError> {
        self.act(json!([pointer(Device::Mouse, &[json!({ "type": "pointerUp", "button": 0 })])])).await
    }

    /// Presses the mouse button at a point, moves to another and releases it there, all in one command: it is a
    /// drag only if the pointer is seen to go a few pixels, and a drop only where it was before it came to rest.
    pub(crate) async fn drag(self, from: Point, to: Point) -> Result<(), BrowserError> {
        let way = f64::hypot(to.x - from.x, to.y - from.y);
        let along = |share: f64| {
            let at = Point { x: from.x + share * (to.x - from.x), y: from.y + share * (to.y - from.y) };
            move_to(at)
        };
        let nearby = |pixels: f64| along((pixels / way).min(0.5));
        let button = |kind: &str| json!({ "type": kind, "button": 0 });
        let start = [move_to(from), button("pointerDown")];
        let moves = [nearby(5.0), nearby(10.0), along(0.5), move_to(to), move_to(to)];
        let actions = [&start[..], &moves[..], &[button("pointerUp")]].concat();
        self.act(json!([pointer(Device::Mouse, &actions)])).await
    }

    /// Presses a mouse button at a point, holds it, releases it, as often as told.
    pub(crate) async fn click(self, at: Point, press: Press, times: u8) -> Result<(), BrowserError> {
        let mut actions = vec![move_to(at)];
        for _ in 0..times {
            actions.push(json!({ "type": "pointerDown", "button": press.button }));
            if !press.held.is_zero() {
                actions.push(json!({ "type": "pause", "duration": press.held.as_secs_f64() * 1000.0 }));
            }
            actions.push(json!({ "type": "pointerUp", "button": press.button }));
        }
        self.act(json!([pointer(press.device, &actions)])).await
    }

    /// Presses a key and leaves it down.
    pub(crate) async fn key_down(self, point: char) -> Result<(), BrowserError> {
        self.act(json!([keyboard(&[key("keyDown", point)])])).await
    }

    /// Releases a key.
    pub(crate) async fn key_up(self, point: char) -> Result<(), BrowserError> {
        self.act(json!([keyboard(&[key("keyUp", point)])])).await
    }

    /// Types characters one by one into what has the focus.
    pub(crate) async fn type_points(self, points: impl Iterator<Item = char>) -> Result<(), BrowserError> {
        let actions =
            points.flat_map(|point| [key("keyDown", point), key("keyUp", point)]).collect::<Vec<_>>();
        self.act(json!([keyboard(&actions)])).await
    }

    /// A picture of the viewport, as PNG.
    pub(crate) async fn screenshot(self) -> Result<Vec<u8>, BrowserError> {
        let text = self.get("screenshot").await?;
        let bytes = STANDARD.decode(text.as_str().unwrap_or_default());
        bytes.map_err(|error| refused("unable to capture screen", &error.to_string()))
    }

    /// The page as HTML, as it is now.
    pub(crate) async fn source(self) -> Result<String, BrowserError> {
        let text = self.get("source").await?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// The beginning of it: a page may be larger than what reads it.
    pub(crate) async fn source_up_to(self, characters_max: usize) -> Result<String, BrowserError> {
        let answer: Value = self.ask(SOURCE, &json!({ "most": characters_max })).await?;
        Ok(answer["source"].as_str().unwrap_or_default().to_owned())
    }

    /// Closes the page. The session stays, even if it was the only one.
    pub(crate) async fn close(self) -> Result<(), BrowserError> {
        let pages = self.get("window/handles").await?;
        if pages.as_array().is_some_and(|pages| pages.len() == 1) {
            self.post("window/new", json!({ "type": "tab" })).await?;
        }
        self.session.call(Call::new(Method::Delete, "window", Value::Null)).await.map(drop)
    }

    /// What the dialog says that is open, if one is.
    pub(crate) async fn dialog(self) -> Result<Option<String>, BrowserError> {
        match self.get("alert/text").await {
            Ok(text) => Ok(Some(text.as_str().unwrap_or_default().to_owned())),
            Err(BrowserError::Refused { code, .. }) if code == "no such alert" => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn type_into_dialog(self, text: &str) -> Result<(), BrowserError> {
        self.post("alert/text", json!({ "text": text })).await.map(drop)
    }

    pub(crate) async fn answer_dialog(self, accept: bool) -> Result<(), BrowserError> {
        let path = if accept { "alert/accept" } else { "alert/dismiss" };
        self.post(path, json!({})).await.map(drop)
    }

    /// The cookies of the page's domain.
    pub(crate) async fn cookies(self) -> Result<Value, BrowserError> {
        self.get("cookie").await
    }

    /// Sets a cookie of the page's domain.
    pub(crate) async fn set_cookie(self, cookie: Value) -> Result<(), BrowserError> {
        self.post("cookie", json!({ "cookie": cookie })).await.map(drop)
    }

    /// Clears the cookies of the page's domain.
    pub(crate) async fn clear_cookies(self) -> Result<(), BrowserError> {
        self.session.call(Call::new(Method::Delete, "cookie", Value::Null)).await.map(drop)
    }

    async fn act(self, actions: Value) -> Result<(), BrowserError> {
        self.post("actions", json!({ "actions": actions })).await.map(drop)
    }

    async fn get(self, path: &'static str) -> Result<Value, BrowserError> {
        self.session.call(Call::new(Method::Get, path, Value::Null)).await
    }

    async fn post(self, path: &'static str, body: Value) -> Result<Value, BrowserError> {
        self.session.call(Call::new(Method::Post, path, body)).await
    }
}

/// What a script has answered.
fn answered<T: DeserializeOwned>(answer: Value) -> Result<T, BrowserError> {
    if let Some(message) = answer.get("error").and_then(Value::as_str) {
        return Err(refused("javascript error", message));
    }
    serde_json::from_value(answer).map_err(|error| refused("javascript error", &error.to_string()))
}

fn refused(code: &str, message: &str) -> BrowserError {
    BrowserError::Refused { code: code.to_owned(), message: message.to_owned() }
}

fn pointer(device: Device, actions: &[Value]) -> Value {
    let kind = match device {
        Device::Mouse => "mouse",
        Device::Pen => "pen",
        Device::Touch => "touch",
    };
    json!({ "type": "pointer", "id": kind, "parameters": { "pointerType": kind }, "actions": actions })
}

fn move_to(to: Point) -> Value {
    json!({ "type": "pointerMove", "duration": 0, "origin": "viewport", "x": to.x, "y": to.y })
}

fn keyboard(actions: &[Value]) -> Value {
    json!({ "type": "key", "id": "keyboard", "actions": actions })
}

fn key(action: &str, point: char) -> Value {
    json!({ "type": action, "value": point })
}
