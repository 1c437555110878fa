//! Sessions over WebDriver: fantoccini carries the commands, this file says which and turns its
//! errors into ours.

use super::{BrowserError, Call, Method, OpenError, Session};
use crate::{flow::one_line, within::within};
use async_trait::async_trait;
use fantoccini::{
    Client, ClientBuilder,
    error::{CmdError, ErrorStatus, NewSessionError, WebDriver},
    wd::WebDriverCompatibleCommand,
};
use hyper_util::client::legacy::connect::HttpConnector;
use runners_core::Clock;
use serde_json::{Map, Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use url::{ParseError, Url};

/// How long a script may hang before the driver gives it up. Ours answer within 300 ms on a page
/// that is alive.
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a browser may take to close its session.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it may take if it has not yet answered a command that was given up.
const BUSY_CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The most characters of why there is no session.
const REASON_CHARACTERS_MAX: usize = 400;

/// A session that a WebDriver serves.
#[derive(Debug)]
pub(crate) struct WebDriverSession {
    client: Client,
    capabilities: Map<String, Value>,
    clock: Arc<dyn Clock>,
    busy: AtomicBool,
    lost: AtomicBool,
}

impl WebDriverSession {
    /// Opens a session at the driver of this address with these capabilities, and ours.
    pub(crate) async fn open(
        driver: &str,
        mut capabilities: Map<String, Value>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        capabilities.insert("pageLoadStrategy".to_owned(), json!("none"));
        capabilities.insert("unhandledPromptBehavior".to_owned(), json!("ignore"));
        let script = u64::try_from(SCRIPT_TIMEOUT.as_millis()).expect("ten seconds fit");
        capabilities.insert("timeouts".to_owned(), json!({"implicit": 0, "script": script}));
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(capabilities).connect(driver).await.map_err(not_opened)?;
        let capabilities = client.capabilities().cloned().unwrap_or_default();
        let (busy, lost) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Self { client, capabilities, clock: Arc::clone(clock), busy, lost })
    }

    /// Closes the session; says whether the browser is known to have been asked.
    pub(crate) async fn close_in_time(&self) -> bool {
        let limit = if self.busy.load(Ordering::Relaxed) { BUSY_CLOSE_TIMEOUT } else { CLOSE_TIMEOUT };
        let closed = within(&*self.clock, limit, self.client.clone().close()).await;
        if let Some(Err(error)) = &closed {
            tracing::debug!(%error, "the session was gone before it was closed");
        }
        closed.is_some() && !self.lost.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Session for WebDriverSession {
    fn capabilities(&self) -> &Map<String, Value> {
        &self.capabilities
    }

    async fn call(&self, call: Call) -> Result<Value, BrowserError> {
        // Stays set if this future is dropped before there is an answer.
        self.busy.store(true, Ordering::Relaxed);
        let answer = self.client.issue_cmd(call).await;
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
}

impl WebDriverCompatibleCommand for Call {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        let session = session.unwrap_or_default();
        base.join(&format!("session/{session}/{}", self.path))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        match self.method {
            Method::Get => (http::Method::GET, None),
            Method::Post => (http::Method::POST, Some(self.body.to_string())),
            Method::Delete => (http::Method::DELETE, None),
        }
    }
}

impl From<CmdError> for BrowserError {
    fn from(error: CmdError) -> Self {
        match error {
            CmdError::Standard(error) => standard(error),
            // ChromeDriver has error codes of its own; fantoccini hands them over bare.
            CmdError::NotW3C(Value::String(code)) if is_gone(&code) => Self::Gone { source: code.into() },
            CmdError::NotW3C(_) | CmdError::NotJson(_) | CmdError::Json(_) => {
                Self::Refused { code: "unknown error".to_owned(), message: first_line(&error.to_string()) }
            }
            other => Self::Gone { source: other.to_string().into() },
        }
    }
}

fn standard(error: WebDriver) -> BrowserError {
    let message = first_line(&error.message);
    match error.error {
        ErrorStatus::InvalidSessionId => BrowserError::Gone { source: message.into() },
        ErrorStatus::NoSuchWindow => BrowserError::Closed,
        ErrorStatus::UnexpectedAlertOpen => {
            let text = error.data.as_ref().and_then(|data| data.get("text")).and_then(Value::as_str);
            BrowserError::Dialog { text: text.unwrap_or(&message).to_owned() }
        }
        ErrorStatus::UnknownCommand | ErrorStatus::UnknownMethod | ErrorStatus::UnsupportedOperation => {
            BrowserError::Unsupported { message }
        }
        _ if is_gone(&message) => BrowserError::Gone { source: message.into() },
        code => BrowserError::Refused { code: code.to_string(), message },
    }
}

/// Whether a message of ChromeDriver means that nothing more will come of the session.
fn is_gone(message: &str) -> bool {
    ["tab crashed", "disconnected", "chrome not reachable", "session deleted"]
        .iter()
        .any(|sign| message.contains(sign))
}

fn not_opened(error: NewSessionError) -> OpenError {
    match error {
        NewSessionError::BadWebdriverUrl(error) => {
            OpenError::Misconfigured { message: format!("the WebDriver address is not a URL: {error}") }
        }
        NewSessionError::SessionNotCreated(error) => {
            // Which versions do not fit is on two lines.
            let told = one_line(&error.message, REASON_CHARACTERS_MAX);
            OpenError::NotStarted { message: format!("no session: {told}") }
        }
        other => OpenError::NotStarted { message: first_line(&other.to_string()) },
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}
