//! A person at a browser: real input, through the driver, while a recording listens.

use async_trait::async_trait;
use runners_exec_webdriver::{
    Browser, BrowserError, Call, Engine, Method, OpenError, RecordObserver, RecordedStep, Session,
    SideChannel,
};
use serde_json::{Map, Value, json};
use std::{borrow::Cow, sync::Arc};
use tokio::sync::mpsc;

pub(super) const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Opens a session that somebody else uses as well.
#[derive(Debug)]
pub(super) struct Shared(pub(super) Arc<dyn Session>, pub(super) Engine);

#[derive(Debug)]
struct Borrowed(Arc<dyn Session>);

#[async_trait]
impl Browser for Shared {
    async fn open(&self) -> Result<Box<dyn Session>, OpenError> {
        Ok(Box::new(Borrowed(Arc::clone(&self.0))))
    }
    fn engine(&self) -> Option<Engine> {
        Some(self.1)
    }
}

#[async_trait]
impl Session for Borrowed {
    fn capabilities(&self) -> &Map<String, Value> {
        self.0.capabilities()
    }
    async fn call(&self, call: Call) -> Result<Value, BrowserError> {
        self.0.call(call).await
    }
    fn devtools(&self) -> Option<SideChannel> {
        self.0.devtools()
    }
    async fn close(&self) {}
}

/// Hands on which steps there are, and what is kept.
#[derive(Debug)]
pub(super) struct Watcher(mpsc::UnboundedSender<Told>);

#[derive(Debug)]
pub(super) enum Told {
    Step(RecordedStep),
    Noted(String),
    Kept(String),
}

impl Watcher {
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Told>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }
}

#[async_trait]
impl RecordObserver for Watcher {
    fn recorded(&self, step: &RecordedStep) {
        let _ = self.0.send(Told::Step(step.clone()));
    }
    fn noted(&self, text: &str) {
        let _ = self.0.send(Told::Noted(text.to_owned()));
    }
    async fn keep(&self, document: &str) {
        let _ = self.0.send(Told::Kept(document.to_owned()));
    }
}

/// Somebody who uses a browser, and sees which steps come of it.
pub(crate) struct Person {
    pub(super) session: Arc<dyn Session>,
    pub(super) told: mpsc::UnboundedReceiver<Told>,
}

impl Person {
    pub(super) async fn call(
        &self,
        method: Method,
        path: impl Into<Cow<'static, str>>,
        body: Value,
    ) -> Value {
        self.session.call(Call::new(method, path, body)).await.unwrap()
    }

    pub(super) async fn js(&self, script: &str) -> Value {
        self.call(Method::Post, "execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// Waits until a script answers true, also across pages that load.
    pub(crate) async fn see(&self, script: &str) {
        loop {
            let body = json!({ "script": format!("return Boolean({script})"), "args": [] });
            match self.session.call(Call::new(Method::Post, "execute/sync", body)).await {
                Ok(Value::Bool(true)) => return,
                Ok(_) | Err(BrowserError::Refused { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Waits for the next step of which the description holds this.
    pub(crate) async fn step(&mut self, holds: &str) -> RecordedStep {
        loop {
            match self.told.recv().await.unwrap() {
                Told::Step(step) if step.description.contains(holds) => return step,
                Told::Noted(text) => println!("noted: {text}"),
                _ => {}
            }
        }
    }

    pub(super) async fn act(&self, actions: Value) {
        self.call(Method::Post, "actions", json!({ "actions": actions })).await;
    }

    /// The middle of an element of the present frame.
    pub(super) async fn middle(&self, find: &str) -> (f64, f64) {
        let script = format!(
            "const e = {find}; e.scrollIntoView({{ block: 'nearest' }}); const b = e.getBoundingClientRect();
             return [b.x + b.width / 2, b.y + b.height / 2]"
        );
        let at = self.js(&script).await;
        (at[0].as_f64().unwrap().floor(), at[1].as_f64().unwrap().floor())
    }

    async fn click_at(&self, (x, y): (f64, f64), button: u8, times: usize) {
        let mut actions = vec![json!({ "type": "pointerMove", "x": x, "y": y })];
        for _ in 0..times {
            actions.push(json!({ "type": "pointerDown", "button": button }));
            actions.push(json!({ "type": "pointerUp", "button": button }));
        }
        self.mouse(actions).await;
    }

    async fn mouse(&self, actions: Vec<Value>) {
        let kind = json!({ "pointerType": "mouse" });
        self.act(json!([{ "type": "pointer", "id": "mouse", "parameters": kind, "actions": actions }])).await;
    }

    /// Moves the pointer to the middle of an element.
    pub(super) async fn point(&self, selector: &str) {
        let (x, y) = self.middle(&format!("document.querySelector('{selector}')")).await;
        self.mouse(vec![json!({ "type": "pointerMove", "x": x, "y": y })]).await;
    }

    /// Draws one element onto another; onto itself it is drawn to the right.
    pub(super) async fn drag(&self, from: &str, to: &str) {
        let start = self.middle(&format!("document.querySelector('{from}')")).await;
        let mut end = self.middle(&format!("document.querySelector('{to}')")).await;
        if from == to {
            end.0 += 40.0;
        }
        let between = (f64::midpoint(start.0, end.0).floor(), f64::midpoint(start.1, end.1).floor());
        let at = |(x, y): (f64, f64)| json!({ "type": "pointerMove", "x": x, "y": y });
        let button = |kind: &str| json!({ "type": kind, "button": 0 });
        self.mouse(vec![at(start), button("pointerDown"), at(between), at(end), button("pointerUp")]).await;
    }

    /// Chooses options of a list with the mouse, all but the first with Control held.
    pub(super) async fn choose(&self, selector: &str, values: &[&str]) {
        let control = |kind: &str| json!([{ "type": "key", "id": "keys", "actions": [{ "type": kind, "value": "\u{E009}" }] }]);
        for (at, value) in values.iter().enumerate() {
            if at == 1 {
                self.act(control("keyDown")).await;
            }
            let option = format!("document.querySelector('{selector} [value={value}]')");
            self.click_as(&option, 0, 1).await;
        }
        self.act(control("keyUp")).await;
    }

    /// Lets so many milliseconds of the page's own clock pass.
    pub(super) async fn pass(&self, millis: u32) {
        let now = self.js("return performance.now()").await.as_f64().unwrap();
        self.see(&format!("performance.now() > {}", now + f64::from(millis))).await;
    }

    /// Clicks at the middle of an element, so often.
    pub(super) async fn click_as(&self, find: &str, button: u8, times: usize) {
        self.click_at(self.middle(find).await, button, times).await;
    }

    /// Clicks at the middle of an element of a frame.
    pub(super) async fn click_in(&self, frame: &str, selector: &str) {
        let found = format!("document.querySelector('{frame}')");
        let outer = self.js(&format!("const e = {found}; e.scrollIntoView({{ block: 'nearest' }}); const b = e.getBoundingClientRect(); return [b.x + e.clientLeft, b.y + e.clientTop]")).await;
        let element = self.js(&format!("return {found}")).await;
        self.call(Method::Post, "frame", json!({ "id": element })).await;
        self.see(&format!("document.querySelector('{selector}')")).await;
        let (x, y) = self.middle(&format!("document.querySelector('{selector}')")).await;
        self.call(Method::Post, "frame", json!({ "id": null })).await;
        let within = |at: &Value, inner: f64| (at.as_f64().unwrap() + inner).floor();
        self.click_at((within(&outer[0], x), within(&outer[1], y)), 0, 1).await;
    }

    pub(crate) async fn click(&self, selector: &str) {
        self.click_as(&format!("document.querySelector('{selector}')"), 0, 1).await;
    }

    /// Types characters one after the other; those of WebDriver's keys too.
    pub(super) async fn keys(&self, text: &str) {
        let press =
            |c: char| [json!({ "type": "keyDown", "value": c }), json!({ "type": "keyUp", "value": c })];
        self.act(json!([{ "type": "key", "id": "keys", "actions": text.chars().flat_map(press).collect::<Vec<_>>() }])).await;
    }

    /// Presses a key while another is held.
    pub(super) async fn chord(&self, held: char, key: char) {
        self.act(json!([{ "type": "key", "id": "keys", "actions": [
            { "type": "keyDown", "value": held }, { "type": "keyDown", "value": key },
            { "type": "keyUp", "value": key }, { "type": "keyUp", "value": held },
        ] }]))
        .await;
    }

    pub(super) async fn wheel(&self, y: i64) {
        self.act(json!([{ "type": "wheel", "id": "wheel", "actions": [
            { "type": "scroll", "x": 400, "y": 300, "deltaX": 0, "deltaY": y },
        ] }]))
        .await;
    }

    /// Gives a file to an input, as its dialog does.
    pub(super) async fn choose_file(&self, selector: &str, path: &str) {
        let element = self.js(&format!("return document.querySelector('{selector}')")).await;
        let id = element[ELEMENT].as_str().unwrap().to_owned();
        if self.session.capabilities().contains_key("runners:bidi") {
            let params = json!({ "context": null, "element": { "sharedId": id }, "files": [path] });
            self.call(Method::Post, "runners/bidi", json!({ "method": "input.setFiles", "params": params }))
                .await;
        } else {
            self.call(Method::Post, format!("element/{id}/value"), json!({ "text": path })).await;
        }
    }

    /// Goes to the page that was opened last.
    pub(super) async fn popup(&self) -> String {
        let main = self.call(Method::Get, "window", Value::Null).await.as_str().unwrap().to_owned();
        loop {
            let pages = self.call(Method::Get, "window/handles", Value::Null).await;
            let other = pages.as_array().unwrap().iter().find(|page| **page != json!(main));
            if let Some(other) = other {
                self.call(Method::Post, "window", json!({ "handle": other })).await;
                return main;
            }
        }
    }
}
