//! Over the DevTools protocol: a connection of our own beside the driver's, attached to every page of the
//! session and every frame that has a process of its own.

use super::{ANSWER_TIMEOUT, EarError, Heard, Place, WORLD, script};
use crate::{
    browser::Session,
    evidence::wire::{Said, Wire, hold_new, is_page_or_frame},
    record::told::Dialog,
    within::within,
};
use runners_core::Clock;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};

/// What the script calls to tell something.
const BINDING: &str = "runnersRecordTell";
/// The most that waits to be heard.
const HEARD_MAX: usize = 10_000;

/// The pages of one session in a browser of the Chromium family.
#[derive(Debug)]
pub(in crate::record) struct Devtools<'s> {
    wire: Wire,
    clock: &'s dyn Clock,
    script: String,
    /// The profile of the session; pages of another are somebody else's.
    context: Option<String>,
    main: String,
    /// What is attached to, by its session.
    attached: HashMap<String, Attached>,
    /// What the dialogs say that are open, by page.
    dialogs: HashMap<String, String>,
    heard: VecDeque<Heard>,
    /// Commands whose answers do not matter: session, method, parameters. Sent twice they do no more.
    waiting: VecDeque<(String, &'static str, Value)>,
}

#[derive(Debug)]
struct Attached {
    page: String,
    is_page: bool,
}

impl<'s> Devtools<'s> {
    pub(super) async fn open(
        session: &'s dyn Session,
        window: &str,
        clock: &'s dyn Clock,
    ) -> Result<Self, EarError> {
        let devtools = session.devtools().ok_or(
            "a browser is recorded where its DevTools protocol is spoken: on this machine, or in a Selenium Grid",
        )?;
        let opened = within(clock, ANSWER_TIMEOUT, Wire::open(&devtools)).await;
        let wire = opened.ok_or("the browser does not take a second connection")??;
        let mut ear = Self {
            wire,
            clock,
            script: script(&format!("text => globalThis.{BINDING}(text)")),
            context: None,
            main: String::new(),
            attached: HashMap::new(),
            dialogs: HashMap::new(),
            heard: VecDeque::new(),
            waiting: VecDeque::new(),
        };
        let targets = ear.command("", "Target.getTargets", json!({})).await?;
        let pages = targets["targetInfos"].as_array().map(Vec::as_slice).unwrap_or_default();
        let own = pages.iter().find(|page| page["targetId"].as_str().is_some_and(|id| window.contains(id)));
        let own = own.ok_or("the browser does not know the page of the session")?;
        ear.main = text(&own["targetId"]);
        ear.context = own["browserContextId"].as_str().map(str::to_owned);
        ear.attach_to_new("");
        // The pages that are there are told of before this is answered, and what they are sent is carried
        // out before the next is.
        for _ in 0..2 {
            ear.command("", "Browser.getVersion", json!({})).await?;
        }
        let main = ear.attached.iter().find(|(_, one)| one.page == ear.main).map(|(id, _)| id.clone());
        let main = main.ok_or("the browser does not attach to the page of the session")?;
        ear.command(&main, "Runtime.evaluate", json!({ "expression": "0" })).await?;
        Ok(ear)
    }

    pub(super) fn main(&self) -> &str {
        &self.main
    }

    pub(super) async fn next(&mut self) -> Result<Heard, EarError> {
        loop {
            if let Some(heard) = self.heard.pop_front() {
                return Ok(heard);
            }
            self.send_waiting().await?;
            let said = self.wire.next().await?;
            self.hear(said);
        }
    }

    pub(super) async fn ask(&mut self, place: &Place, expression: &str) -> Result<String, EarError> {
        let context: u64 = place.context.parse()?;
        let params = json!({ "expression": expression, "contextId": context, "returnByValue": true });
        let answer = self.command(&place.session, "Runtime.evaluate", params).await?;
        answer["result"]["value"].as_str().map(str::to_owned).ok_or_else(|| "the page is gone".into())
    }

    async fn command(&mut self, session: &str, method: &str, params: Value) -> Result<Value, EarError> {
        let clock = self.clock;
        let asked = within(clock, ANSWER_TIMEOUT, async {
            self.send_waiting().await?;
            let id = self.wire.send(session, method, params).await?;
            loop {
                let said = self.wire.next().await?;
                if said.id == Some(id) {
                    return Ok(said.result);
                }
                self.hear(said);
                self.send_waiting().await?;
            }
        });
        asked.await.unwrap_or_else(|| Err(format!("the browser did not answer {method} in time").into()))
    }

    /// Sends what waits to be sent. Dropping the future loses nothing.
    async fn send_waiting(&mut self) -> Result<(), EarError> {
        while let Some((session, method, params)) = self.waiting.front() {
            self.wire.send(session, method, params.clone()).await?;
            self.waiting.pop_front();
        }
        Ok(())
    }

    fn attach_to_new(&mut self, session: &str) {
        let attach = hold_new();
        self.waiting.push_back((session.to_owned(), "Target.setAutoAttach", attach));
    }

    fn hear(&mut self, said: Said) {
        let Said { method, session, mut params, .. } = said;
        match &*method {
            "Target.attachedToTarget" => self.attach(&session, &params),
            "Target.detachedFromTarget" => {
                let gone = self.attached.remove(params["sessionId"].as_str().unwrap_or_default());
                if let Some(Attached { page, is_page: true }) = gone {
                    self.push(Heard::Closed { page });
                }
            }
            "Runtime.bindingCalled" if params["name"] == BINDING => {
                let Some(page) = self.page(&session) else { return };
                let context = params["executionContextId"].to_string();
                let payload = params["payload"].take();
                let place = Place { session, context };
                self.push(Heard::Told { page, place, text: text(&payload) });
            }
            "Page.javascriptDialogOpening" if params["type"] != "beforeunload" => {
                let Some(page) = self.page(&session) else { return };
                let message = text(&params["message"]);
                self.dialogs.insert(page, message.clone());
                self.push(Heard::Asked { message });
            }
            "Page.javascriptDialogClosed" => {
                let Some(page) = self.page(&session) else { return };
                let Some(message) = self.dialogs.remove(&page) else { return };
                let value = Some(text(&params["userInput"])).filter(|value| !value.is_empty());
                let dialog = Dialog { accept: params["result"] == true, message, value };
                self.push(Heard::Answered { page, dialog });
            }
            _ => {}
        }
    }

    /// Has the script put into a page or a frame, unless it is somebody else's, and lets it begin.
    fn attach(&mut self, parent: &str, params: &Value) {
        let session = text(&params["sessionId"]);
        let told = &params["targetInfo"];
        let is_own = self.context.is_none() || self.context.as_deref() == told["browserContextId"].as_str();
        if is_own && is_page_or_frame(params) && !self.attached.contains_key(&session) {
            let is_page = told["type"] == "page";
            let of_parent = || self.page(parent);
            let page = if is_page { Some(text(&told["targetId"])) } else { of_parent() };
            if let Some(page) = page {
                self.attached.insert(session.clone(), Attached { page, is_page });
                let script = json!({ "source": self.script, "worldName": WORLD, "runImmediately": true });
                let binding = json!({ "name": BINDING, "executionContextName": WORLD });
                for (method, params) in [
                    ("Page.enable", json!({})),
                    ("Runtime.enable", json!({})),
                    ("Runtime.addBinding", binding),
                    ("Page.addScriptToEvaluateOnNewDocument", script),
                ] {
                    self.waiting.push_back((session.clone(), method, params));
                }
                self.attach_to_new(&session);
            }
        }
        self.waiting.push_back((session, "Runtime.runIfWaitingForDebugger", json!({})));
    }

    fn page(&self, session: &str) -> Option<String> {
        self.attached.get(session).map(|attached| attached.page.clone())
    }

    fn push(&mut self, heard: Heard) {
        if self.heard.len() < HEARD_MAX {
            self.heard.push_back(heard);
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
