//! The session: each command of classic WebDriver that a replay gives, said in commands of BiDi. Those
//! for cookies are in `cookies`.

mod cookies;

use super::{
    actions,
    heard::{Heard as Told, OF_PAGES},
    script::{self, Answers},
};
use crate::{
    browser::{
        BrowserError, Call, Method, OpenError, Session,
        connection::{Connection, Heard, Refusal},
    },
    engine::Abilities,
    within::within,
};
use async_trait::async_trait;
use futures::future::{Either, select};
use runners_core::Clock;
use serde_json::{Map, Value, json};
use std::{
    pin::pin,
    sync::{Arc, Mutex as StateMutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Mutex, Notify};

/// How long a script may hang before it is given up. Ours answer within 300 ms on a page that is
/// alive.
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a browser may take to end its session.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// A session that a browser serves by itself.
#[derive(Debug)]
pub(crate) struct BidiSession {
    connection: Mutex<Connection>,
    /// Somebody has a command for whom the connection is wanted.
    wanted: Notify,
    state: StateMutex<State>,
    capabilities: Map<String, Value>,
    clock: Arc<dyn Clock>,
}

/// Where the session is, and what is in its way.
#[derive(Debug, Default)]
struct State {
    /// The page.
    page: String,
    /// The frames below it, down to the one that commands are for.
    frames: Vec<String>,
    /// The page that was brought to the front last.
    front: String,
    /// What was typed into the dialog.
    typed: Option<String>,
    told: Told,
}

impl BidiSession {
    /// Opens a session with the browser that listens on a port of this machine, and is to connect through
    /// another one.
    pub(crate) async fn open(
        port: u16,
        gate: Option<u16>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let opened = Connection::open(port, "session").await;
        let connection = opened.map_err(|error| not_opened(&error.to_string()))?;
        let (connection, wanted) = (Mutex::new(connection), Notify::new());
        let (state, capabilities, clock) = (StateMutex::default(), Map::new(), Arc::clone(clock));
        let mut session = Self { connection, wanted, state, capabilities, clock };
        session.start(gate).await.map_err(|error| not_opened(&error.to_string()))?;
        Ok(session)
    }

    async fn start(&mut self, gate: Option<u16>) -> Result<(), BrowserError> {
        let prompts = json!({ "default": "ignore", "beforeUnload": "accept" });
        let mut wanted = json!({ "capabilities": { "alwaysMatch": { "unhandledPromptBehavior": prompts } } });
        if let Some(port) = gate {
            wanted["capabilities"]["alwaysMatch"]["proxy"] = json!({
                "proxyType": "manual", "socksProxy": format!("127.0.0.1:{port}"), "socksVersion": 5,
            });
        }
        let mut session = self.command("session.new", &wanted).await?;
        if let Value::Object(capabilities) = session["capabilities"].take() {
            self.capabilities = capabilities;
        }
        self.capabilities.insert(Abilities::BIDI.to_owned(), json!(true));
        // All that it tells of pages and of their dialogs.
        self.command("session.subscribe", &json!({ "events": [OF_PAGES] })).await?;
        // The page that Firefox starts with has the focus in the address bar, so that nothing in it is ever
        // focused or blurred. A page that is opened has it itself.
        let first = self.pages().await?;
        let opened = self.command("browsingContext.create", &json!({ "type": "tab" })).await?;
        let page = opened["context"].as_str().unwrap_or_default().to_owned();
        for context in first {
            self.command("browsingContext.close", &json!({ "context": context })).await?;
        }
        let mut state = self.state();
        (state.page, state.front) = (page.clone(), page);
        drop(state);
        Ok(())
    }

    /// Sends a command and waits for its answer, or for a dialog that keeps the page from giving one.
    async fn command(&self, method: &str, params: &Value) -> Result<Value, BrowserError> {
        self.wanted.notify_one();
        let mut connection = self.connection.lock().await;
        while let Some(heard) = connection.waiting()? {
            self.hear(heard);
        }
        let is_of_page = method.starts_with("script.") || method.starts_with("input.");
        self.refuse_behind_dialog(is_of_page)?;
        let number = connection.send(method, params).await?;
        loop {
            match connection.next().await? {
                Heard::Answer(answered, answer) if answered == number => {
                    return answer.map_err(|refusal| self.refused(refusal));
                }
                heard => self.hear(heard),
            }
            self.refuse_behind_dialog(is_of_page)?;
        }
    }

    fn hear(&self, heard: Heard) {
        // The answer to a command that was given up changes nothing.
        if let Heard::Event(event) = heard {
            self.state().told.take(event);
        }
    }

    fn refuse_behind_dialog(&self, is_of_page: bool) -> Result<(), BrowserError> {
        let dialog = if is_of_page { self.dialog() } else { None };
        dialog.map_or(Ok(()), |text| Err(BrowserError::Dialog { text }))
    }

    /// What the dialog says that is open on the page, if one is.
    fn dialog(&self) -> Option<String> {
        let state = self.state();
        state.told.dialog(&state.page)
    }

    fn refused(&self, refusal: Refusal) -> BrowserError {
        let Refusal { code, message } = refusal;
        let message = message.lines().next().unwrap_or_default().trim().to_owned();
        match &*code {
            "no such frame" if self.state().frames.is_empty() => BrowserError::Closed,
            "invalid session id" => BrowserError::Gone { source: message.into() },
            "unknown command" | "unknown method" | "unsupported operation" => {
                BrowserError::Unsupported { message }
            }
            _ => BrowserError::Refused { code, message },
        }
    }

    async fn pages(&self) -> Result<Vec<String>, BrowserError> {
        let tree = self.command("browsingContext.getTree", &json!({ "maxDepth": 0 })).await?;
        let pages = tree["contexts"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(pages.iter().filter_map(|page| page["context"].as_str()).map(str::to_owned).collect())
    }

    async fn run(&self, body: &Value, answers: Answers) -> Result<Value, BrowserError> {
        let params = script::call(&self.frame(), body, answers);
        let ran = within(&*self.clock, SCRIPT_TIMEOUT, self.command("script.callFunction", &params)).await;
        let late = || BrowserError::Refused {
            code: "script timeout".to_owned(),
            message: format!("the script did not answer within {} s", SCRIPT_TIMEOUT.as_secs()),
        };
        script::answer(&ran.unwrap_or_else(|| Err(late()))?)
    }

    async fn show_window(&self, handle: &Value) -> Result<Value, BrowserError> {
        let handle = handle.as_str().unwrap_or_default();
        if !self.pages().await?.iter().any(|page| page == handle) {
            return Err(BrowserError::Closed);
        }
        let mut state = self.state();
        handle.clone_into(&mut state.page);
        state.frames.clear();
        Ok(Value::Null)
    }

    async fn show_frame(&self, id: &Value) -> Result<Value, BrowserError> {
        if id.is_null() {
            self.state().frames.clear();
            return Ok(Value::Null);
        }
        let (declared, argument) = match script::element(id) {
            Some(id) => ("frame => frame.contentWindow", json!({ "sharedId": id })),
            None => ("index => window[index]", json!({ "type": "number", "value": id })),
        };
        let params = json!({
            "functionDeclaration": declared,
            "awaitPromise": false,
            "target": { "context": self.frame() },
            "arguments": [argument],
        });
        let answer = self.command("script.callFunction", &params).await?;
        let frame = answer["result"]["value"]["context"].as_str().ok_or_else(|| BrowserError::Refused {
            code: "no such frame".to_owned(),
            message: "the frame was taken out of the page".to_owned(),
        })?;
        self.state().frames.push(frame.to_owned());
        Ok(Value::Null)
    }

    async fn act(&self, body: &Value) -> Result<Value, BrowserError> {
        self.come_to_front().await?;
        let params = actions::perform(&self.frame(), body);
        self.command("input.performActions", &params).await.map(|_| Value::Null)
    }

    /// Input is for the page in front.
    async fn come_to_front(&self) -> Result<(), BrowserError> {
        let page = self.page();
        if self.state().front != page {
            self.command("browsingContext.activate", &json!({ "context": page })).await?;
            self.state().front = page;
        }
        Ok(())
    }

    async fn close_page(&self) -> Result<Value, BrowserError> {
        let page = self.page();
        self.command("browsingContext.close", &json!({ "context": page })).await?;
        self.state().told.closed(&page);
        Ok(json!(self.pages().await?))
    }

    async fn open_page(&self, body: &Value) -> Result<Value, BrowserError> {
        let kind = if body["type"] == "window" { "window" } else { "tab" };
        // What was in front stays there.
        let created =
            self.command("browsingContext.create", &json!({ "type": kind, "background": true })).await?;
        Ok(json!({ "handle": created["context"], "type": kind }))
    }

    async fn answer_dialog(&self, accept: bool) -> Result<Value, BrowserError> {
        let page = self.page();
        let mut params = json!({ "context": page, "accept": accept });
        if let Some(text) = self.state().typed.take() {
            params["userText"] = json!(text);
        }
        self.command("browsingContext.handleUserPrompt", &params).await?;
        self.state().told.answered(&page);
        Ok(Value::Null)
    }

    async fn dialog_text(&self) -> Result<Value, BrowserError> {
        // Anything that waits for an answer learns what has happened meanwhile.
        self.pages().await?;
        let none = || BrowserError::Refused { code: "no such alert".to_owned(), message: String::new() };
        self.dialog().map(Value::String).ok_or_else(none)
    }

    async fn address(&self) -> Result<Value, BrowserError> {
        let params = json!({ "root": self.page(), "maxDepth": 0 });
        let tree = self.command("browsingContext.getTree", &params).await?;
        Ok(tree["contexts"][0]["url"].clone())
    }

    async fn load(&self, method: &str, mut params: Value) -> Result<Value, BrowserError> {
        params["context"] = json!(self.page());
        params["wait"] = json!("none");
        self.state().frames.clear();
        self.command(method, &params).await.map(|_| Value::Null)
    }

    async fn picture(&self) -> Result<Value, BrowserError> {
        let params = json!({ "context": self.page() });
        let mut picture = self.command("browsingContext.captureScreenshot", &params).await?;
        Ok(picture["data"].take())
    }

    /// A command of BiDi as it is; one that names no page is for the one that the session is at.
    async fn pass_on(&self, body: &Value) -> Result<Value, BrowserError> {
        let mut params = body["params"].clone();
        if params.get("context").is_some_and(Value::is_null) {
            params["context"] = json!(self.page());
        }
        if body["method"] == "input.performActions" {
            self.come_to_front().await?;
        }
        self.command(body["method"].as_str().unwrap_or_default(), &params).await
    }

    fn page(&self) -> String {
        self.state().page.clone()
    }

    fn frame(&self) -> String {
        let state = self.state();
        state.frames.last().unwrap_or(&state.page).clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Session for BidiSession {
    fn capabilities(&self) -> &Map<String, Value> {
        &self.capabilities
    }

    async fn call(&self, call: Call) -> Result<Value, BrowserError> {
        let Call { method, path, body } = &call;
        match (method, &**path) {
            (Method::Post, "execute/async") => self.run(body, Answers::ThroughLastArgument).await,
            (Method::Post, "execute/sync") => self.run(body, Answers::Returned).await,
            (Method::Post, "actions") => self.act(body).await,
            (Method::Delete, "actions") => self
                .command("input.releaseActions", &json!({ "context": self.frame() }))
                .await
                .map(|_| Value::Null),
            (Method::Get, "window") => Ok(json!(self.page())),
            (Method::Get, "window/handles") => Ok(json!(self.pages().await?)),
            (Method::Post, "window") => self.show_window(&body["handle"]).await,
            (Method::Post, "window/new") => self.open_page(body).await,
            (Method::Delete, "window") => self.close_page().await,
            (Method::Post, "frame") => self.show_frame(&body["id"]).await,
            (Method::Post, "frame/parent") => {
                self.state().frames.pop();
                Ok(Value::Null)
            }
            (Method::Get, "url") => self.address().await,
            (Method::Get, "title") => {
                self.run(&json!({ "script": "return document.title", "args": [] }), Answers::Returned).await
            }
            (Method::Post, "url") => {
                self.load("browsingContext.navigate", json!({ "url": body["url"] })).await
            }
            (Method::Post, "refresh") => self.load("browsingContext.reload", json!({})).await,
            (Method::Get, "screenshot") => self.picture().await,
            (Method::Get, "source") => {
                let script = "return document.documentElement?.outerHTML ?? ''";
                self.run(&json!({ "script": script, "args": [] }), Answers::Returned).await
            }
            (Method::Get, "alert/text") => self.dialog_text().await,
            (Method::Post, "alert/text") => {
                self.state().typed = body["text"].as_str().map(str::to_owned);
                Ok(Value::Null)
            }
            (Method::Post, "alert/accept") => self.answer_dialog(true).await,
            (Method::Post, "alert/dismiss") => self.answer_dialog(false).await,
            (Method::Get, "cookie") => self.cookies().await,
            (Method::Post, "cookie") => self.set_cookie(body).await,
            (Method::Delete, "cookie") => self.clear_cookies().await,
            (Method::Post, "runners/bidi") => self.pass_on(body).await,
            (Method::Get, "runners/bidi/told") => {
                // Everything before this answer has been told by then.
                self.pages().await?;
                Ok(self.state().told.give())
            }
            _ => Err(BrowserError::Unsupported {
                message: format!("{path} is no command of a session over BiDi"),
            }),
        }
    }

    async fn changed(&self) -> Result<(), BrowserError> {
        loop {
            let mut connection = self.connection.lock().await;
            if self.state().told.take_change() {
                return Ok(());
            }
            // Whoever has a command for the browser goes first: a lock is given to those who wait in their order.
            match select(pin!(connection.next()), pin!(self.wanted.notified())).await {
                Either::Left((heard, _)) => self.hear(heard?),
                Either::Right(_) => {}
            }
        }
    }

    async fn close(&self) {
        // The browser ends with its session.
        let ended = within(&*self.clock, CLOSE_TIMEOUT, self.command("browser.close", &json!({}))).await;
        if let Some(Err(error)) = ended {
            tracing::debug!(%error, "the browser was gone before it was closed");
        }
    }
}

fn not_opened(error: &str) -> OpenError {
    OpenError::NotStarted { message: format!("no session over BiDi: {error}") }
}
