//! Sessions over classic WebDriver: which commands open and close one, and what the errors of a driver
//! mean. How commands travel is in `wire`.

mod wire;

pub(crate) use wire::{Credentials, Wire};

use super::{BrowserError, Call, Endpoint, Method, OpenError, Session, SideChannel};
use crate::{flow::one_line, within::within};
use async_trait::async_trait;
use runners_core::Clock;
use serde_json::{Map, Value, json};
use std::{
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Mutex, task::JoinSet};
use wire::Unanswered;

/// How long a script may hang before the driver gives it up. Ours answer within 300 ms on a page
/// that is alive.
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a driver may take to answer a script in all. One that has not given it up by then never will:
/// WPE WebKit loses scripts whose page goes meanwhile.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// How long it may then take to say that it is still there.
const SIGN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a browser may take to close its session.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it may take if it has not yet answered a command that was given up.
const BUSY_CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Where sessions that were dropped are closed in the background. Whoever owns it joins them, or ends
/// them by dropping it.
pub(crate) type Closing = Arc<std::sync::Mutex<JoinSet<()>>>;

/// Who uses a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manners {
    /// This crate, which waits for pages and answers dialogs itself.
    Ours,
    /// Another client, which expects what WebDriver does by itself.
    Usual,
}

/// The most characters of why there is no session.
const REASON_CHARACTERS_MAX: usize = 400;

/// A session that a WebDriver serves.
#[derive(Debug)]
pub(crate) struct WebDriverSession {
    wire: Wire,
    /// The path of the session, with a slash at its end.
    path: String,
    capabilities: Map<String, Value>,
    /// Where the driver lets the browser be heard.
    devtools: Option<SideChannel>,
    bidi: Option<SideChannel>,
    clock: Arc<dyn Clock>,
    /// Held by the command that is carried out.
    turn: Mutex<()>,
    busy: AtomicBool,
    lost: AtomicBool,
    /// Neither a script was answered nor what was asked then, so nothing will be.
    silent: AtomicBool,
    closed: AtomicBool,
    closing: Option<Closing>,
}

impl WebDriverSession {
    /// Opens a session at the driver of this address with these capabilities, and those that suit its
    /// user.
    pub(crate) async fn open(
        wire: Wire,
        mut capabilities: Map<String, Value>,
        manners: Manners,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        if manners == Manners::Ours {
            capabilities.insert("pageLoadStrategy".to_owned(), json!("none"));
            capabilities.insert("unhandledPromptBehavior".to_owned(), json!("ignore"));
            let script = u64::try_from(SCRIPT_TIMEOUT.as_millis()).expect("ten seconds fit");
            capabilities.insert("timeouts".to_owned(), json!({"implicit": 0, "script": script}));
        }
        let wanted = json!({ "capabilities": { "alwaysMatch": capabilities, "firstMatch": [{}] } });
        let mut opened =
            wire.send(Method::Post, "session", &wanted).await.map_err(|error| not_opened(&wire, error))?;
        let Some(id) = opened["sessionId"].as_str() else {
            return Err(OpenError::NotStarted { message: "the driver answered no session".to_owned() });
        };
        let path = format!("session/{id}/");
        let capabilities = match opened["capabilities"].take() {
            Value::Object(capabilities) => capabilities,
            _ => Map::new(),
        };
        Ok(Self {
            wire,
            path,
            capabilities,
            devtools: None,
            bidi: None,
            clock: Arc::clone(clock),
            turn: Mutex::default(),
            busy: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            silent: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            closing: None,
        })
    }

    /// Has the session closed in the background if it is dropped before.
    pub(crate) fn closing_in(mut self, closing: &Closing) -> Self {
        self.closing = Some(Arc::clone(closing));
        self
    }

    /// Has the browser heard beside the commands, where the driver lets it and can be reached.
    pub(crate) async fn heard(mut self) -> Self {
        let Some(session) = self.wire.session(&self.path, &self.capabilities) else { return self };
        if let Some(devtools) = SideChannel::devtools_at(&session) {
            self.devtools = devtools.if_it_opens(&*self.clock).await;
        } else if let Some(bidi) = SideChannel::bidi_at(&session) {
            self.bidi = bidi.if_it_opens(&*self.clock).await;
        }
        self
    }

    /// What a script comes to that was not answered: it may be tried again if the driver is still there. If
    /// it is not, that costs the session.
    async fn without_answer(&self) -> BrowserError {
        let path = format!("{}window", self.path);
        let sign = self.wire.send(Method::Get, &path, &Value::Null);
        match within(&*self.clock, SIGN_TIMEOUT, sign).await {
            Some(Ok(_)) => {
                self.busy.store(false, Ordering::Relaxed);
                BrowserError::Refused { code: "script timeout".to_owned(), message: late() }
            }
            Some(Err(_)) | None => {
                self.silent.store(true, Ordering::Relaxed);
                self.lost.store(true, Ordering::Relaxed);
                unanswered()
            }
        }
    }

    /// Closes the session; says whether the browser is known to have been asked.
    pub(crate) async fn close_in_time(&self) -> bool {
        if self.closed.swap(true, Ordering::Relaxed) {
            return !self.lost.load(Ordering::Relaxed);
        }
        let limit = if self.busy.load(Ordering::Relaxed) { BUSY_CLOSE_TIMEOUT } else { CLOSE_TIMEOUT };
        let closing = self.wire.send(Method::Delete, self.path.trim_end_matches('/'), &Value::Null);
        let closed = within(&*self.clock, limit, closing).await;
        if let Some(Err(error)) = &closed {
            tracing::debug!(?error, "the session was gone before it was closed");
        }
        closed.is_some() && !self.lost.load(Ordering::Relaxed)
    }
}

impl Drop for WebDriverSession {
    fn drop(&mut self) {
        let Some(closing) = self.closing.take().filter(|_| !self.closed.load(Ordering::Relaxed)) else {
            return;
        };
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let (wire, path) = (self.wire.clone(), self.path.trim_end_matches('/').to_owned());
        let clock = Arc::clone(&self.clock);
        let mut closing = closing.lock().unwrap_or_else(PoisonError::into_inner);
        while closing.try_join_next().is_some() {}
        closing.spawn(async move {
            within(&*clock, CLOSE_TIMEOUT, wire.send(Method::Delete, &path, &Value::Null)).await;
        });
    }
}

#[async_trait]
impl Session for WebDriverSession {
    fn capabilities(&self) -> &Map<String, Value> {
        &self.capabilities
    }

    async fn call(&self, call: Call) -> Result<Value, BrowserError> {
        let _turn = self.turn.lock().await;
        if self.silent.load(Ordering::Relaxed) {
            return Err(unanswered());
        }
        // Stays set if this future is dropped before there is an answer.
        self.busy.store(true, Ordering::Relaxed);
        let path = format!("{}{}", self.path, call.path);
        let sent = self.wire.send(call.method, &path, &call.body);
        let answer = if call.path.starts_with("execute/") {
            match within(&*self.clock, ANSWER_TIMEOUT, sent).await {
                Some(answer) => answer,
                None => return Err(self.without_answer().await),
            }
        } else {
            sent.await
        };
        self.busy.store(false, Ordering::Relaxed);
        let answer = answer.map_err(BrowserError::from);
        if matches!(answer, Err(BrowserError::Gone { .. })) {
            self.lost.store(true, Ordering::Relaxed);
        }
        answer
    }

    async fn close(&self) {
        if !self.close_in_time().await {
            tracing::warn!("the browser did not close its session in time");
        }
    }

    fn devtools(&self) -> Option<SideChannel> {
        self.devtools.clone().or_else(|| SideChannel::devtools_here(&self.capabilities))
    }

    fn bidi(&self) -> Option<SideChannel> {
        self.bidi.clone()
    }

    fn endpoint(&self) -> Option<Endpoint> {
        let session = self.path.trim_start_matches("session/").trim_end_matches('/').to_owned();
        Some(Endpoint { driver: self.wire.address().to_string(), session })
    }
}

impl From<Unanswered> for BrowserError {
    fn from(error: Unanswered) -> Self {
        let Unanswered::Refused { code, message, text } = error else {
            return Self::Gone { source: error.to_string().into() };
        };
        match &*code {
            "invalid session id" => Self::Gone { source: message.into() },
            "no such window" => Self::Closed,
            "unexpected alert open" => Self::Dialog { text: text.unwrap_or(message) },
            "unknown command" | "unknown method" | "unsupported operation" => Self::Unsupported { message },
            _ if is_gone(&code) || is_gone(&message) => Self::Gone { source: message.into() },
            _ => Self::Refused { code, message },
        }
    }
}

fn unanswered() -> BrowserError {
    BrowserError::Gone { source: late().into() }
}

fn late() -> String {
    format!("a script was not answered within {} s", ANSWER_TIMEOUT.as_secs())
}

/// Whether a message of ChromeDriver means that nothing more will come of the session.
fn is_gone(message: &str) -> bool {
    ["tab crashed", "disconnected", "chrome not reachable", "session deleted"]
        .iter()
        .any(|sign| message.contains(sign))
}

fn not_opened(wire: &Wire, error: Unanswered) -> OpenError {
    match error {
        Unanswered::Forbidden { state } => OpenError::Misconfigured {
            message: format!("the WebDriver at {} does not take these credentials ({state})", wire.address()),
        },
        // A driver may repeat what it was asked for.
        Unanswered::Refused { message, .. } => {
            // Which versions do not fit is on two lines.
            let told = one_line(&wire.conceal(&message), REASON_CHARACTERS_MAX);
            OpenError::NotStarted { message: format!("no session: {told}") }
        }
        other => OpenError::NotStarted { message: format!("no session: {other}") },
    }
}

#[cfg(test)]
mod tests;
