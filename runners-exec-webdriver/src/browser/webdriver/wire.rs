//! How commands reach a WebDriver: JSON over HTTP, with the credentials that go with every request and
//! into no text.

use crate::browser::{
    Method, OpenError,
    side_channel::{RemoteSession, is_here},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use percent_encoding::percent_decode_str;
use reqwest::{
    Client, ClientBuilder, Response, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use serde_json::{Map, Value};
use std::{error::Error, fmt, time::Duration};

/// How long it may take to reach a driver.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// The largest answer of a driver: the source of a page, or a picture.
const ANSWER_BYTES_MAX: usize = 256 << 20;
/// The shortest text that is kept out of messages; less would make them unreadable.
const CONCEALED_BYTES_MIN: usize = 4;

/// A WebDriver at an address. Clones share its connections.
#[derive(Clone)]
pub(crate) struct Wire {
    client: Client,
    base: Url,
    credentials: Credentials,
}

/// What lets us in, and what must be told to nobody.
#[derive(Clone, Default)]
pub(crate) struct Credentials {
    headers: HeaderMap,
    secrets: Vec<String>,
}

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    /// The driver did not carry it out.
    #[error("{code}: {message}")]
    Refused {
        code: String,
        message: String,
        /// What the dialog says that is in the way.
        text: Option<String>,
    },
    /// The driver wants other credentials.
    #[error("the WebDriver does not take these credentials ({state})")]
    Forbidden { state: u16 },
    /// What is there is no driver.
    #[error("the answer ({state}) is none of a WebDriver")]
    Strange { state: u16 },
    /// Its answer is too large.
    #[error("an answer is larger than the limit of {ANSWER_BYTES_MAX} bytes")]
    Large,
    /// There is no connection.
    #[error("{message}")]
    Lost { message: String },
}

impl Credentials {
    /// Takes user and password out of an address.
    pub(crate) fn of(url: &mut Url) -> Self {
        let mut credentials = Self::default();
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let user = decoded(url.username());
        let password = url.password().map(decoded);
        if user.is_empty() && password.is_none() {
            return credentials;
        }
        let pair = format!("{user}:{}", password.as_deref().unwrap_or_default());
        let basic = STANDARD.encode(pair);
        let mut value = HeaderValue::from_str(&format!("Basic {basic}")).expect("base64 is plain text");
        value.set_sensitive(true);
        credentials.headers.insert(AUTHORIZATION, value);
        credentials.secrets.extend(password);
        credentials.secrets.push(basic);
        // Neither fails on an address that has them.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        credentials
    }

    /// Sends one more header with every request.
    pub(crate) fn add(&mut self, name: &str, value: &str) -> Result<(), OpenError> {
        let wrong = |what: &str| OpenError::Misconfigured {
            message: format!("the {what} of a header for the WebDriver is none of HTTP"),
        };
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("name"))?;
        let mut header = HeaderValue::from_str(value).map_err(|_| wrong("value"))?;
        header.set_sensitive(true);
        self.headers.insert(name, header);
        // Of `Bearer abc`, either part may be repeated.
        self.secrets.extend(value.split_whitespace().last().map(str::to_owned));
        Ok(())
    }

    /// Keeps what looks like a credential among capabilities out of messages.
    pub(crate) fn know(&mut self, capabilities: &Map<String, Value>) {
        for (name, value) in capabilities {
            let name = name.to_lowercase();
            let is_secret = ["key", "password", "token", "secret"].iter().any(|sign| name.contains(sign));
            match value {
                Value::String(text) if is_secret => self.secrets.push(text.clone()),
                Value::Object(members) => self.know(members),
                _ => {}
            }
        }
    }
}

impl Wire {
    /// A driver of this machine, past any proxy.
    pub(crate) fn local(port: u16) -> Result<Self, OpenError> {
        let url = Url::parse(&format!("http://127.0.0.1:{port}/")).expect("invariant: this is an address");
        Self::new(url, Credentials::default())
    }

    /// The driver at an address, by the proxy that the environment names unless it is of this machine.
    pub(crate) fn new(base: Url, credentials: Credentials) -> Result<Self, OpenError> {
        let client = client(&base).build().map_err(|error| OpenError::Misconfigured {
            message: format!("the WebDriver cannot be called from here: {}", chain(&error)),
        })?;
        Ok(Self { client, base, credentials })
    }

    /// The session at a path, as one whose browser is heard beside its commands.
    pub(crate) fn session<'s>(
        &'s self,
        path: &str,
        capabilities: &'s Map<String, Value>,
    ) -> Option<RemoteSession<'s>> {
        let url = self.base.join(path).ok()?;
        // Over https, HTTP/2 must not be agreed upon.
        let client = if url.scheme() == "https" {
            client(&self.base).http1_only().build().ok()?
        } else {
            self.client.clone()
        };
        Some(RemoteSession { capabilities, url, credentials: &self.credentials.headers, client })
    }

    /// The address, which has no credentials in it.
    pub(crate) const fn address(&self) -> &Url {
        &self.base
    }

    /// A text without what must be told to nobody.
    pub(crate) fn conceal(&self, text: &str) -> String {
        let secrets = self.credentials.secrets.iter().filter(|secret| secret.len() >= CONCEALED_BYTES_MIN);
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "[redacted]"))
    }

    /// Sends a command and answers its `value`.
    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> Result<Value, Unanswered> {
        let url = self.base.join(path).map_err(|error| self.lost(&error))?;
        let request = match method {
            Method::Get => self.client.get(url),
            Method::Delete => self.client.delete(url),
            Method::Post => self
                .client
                .post(url)
                .header(CONTENT_TYPE, "application/json; charset=utf-8")
                .body(body.to_string()),
        };
        let request = request.headers(self.credentials.headers.clone());
        let answer = request.send().await.map_err(|error| self.lost(&error.without_url()))?;
        let state = answer.status();
        let bytes = self.read(answer).await?;
        let mut told = match serde_json::from_slice::<Map<String, Value>>(&bytes) {
            Ok(told) if told.contains_key("value") => told,
            _ if [401, 403].contains(&state.as_u16()) => {
                return Err(Unanswered::Forbidden { state: state.as_u16() });
            }
            _ => return Err(Unanswered::Strange { state: state.as_u16() }),
        };
        let value = told.remove("value").unwrap_or_default();
        match value.get("error").and_then(Value::as_str) {
            Some(code) if !state.is_success() => Err(refused(code, &value)),
            None if !state.is_success() => Err(Unanswered::Strange { state: state.as_u16() }),
            _ => Ok(value),
        }
    }

    async fn read(&self, mut answer: Response) -> Result<Vec<u8>, Unanswered> {
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.lost(&error.without_url()))? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(Unanswered::Large);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn lost(&self, error: &dyn Error) -> Unanswered {
        Unanswered::Lost { message: format!("{}: {}", self.base, self.conceal(&chain(error))) }
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("headers", &self.headers.len()).finish_non_exhaustive()
    }
}

fn refused(code: &str, value: &Value) -> Unanswered {
    let message = value["message"].as_str().unwrap_or_default();
    // What follows is about the insides of the driver, but for why there is no session.
    let is_whole = code == "session not created";
    let message = if is_whole { message } else { message.lines().next().unwrap_or_default() }.trim();
    let text = value["data"]["text"].as_str().map(str::to_owned);
    Unanswered::Refused { code: code.to_owned(), message: message.to_owned(), text }
}

fn client(base: &Url) -> ClientBuilder {
    let builder = Client::builder().redirect(Policy::none()).connect_timeout(CONNECT_TIMEOUT);
    if is_here(base) { builder.no_proxy() } else { builder }
}

/// An error with its causes, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn user_and_password_leave_the_address_and_are_told_nowhere() {
        let mut url = Url::parse("http://ada:s%40cret%20word@grid.example:4444/wd/hub/").unwrap();
        let mut credentials = Credentials::of(&mut url);
        assert_eq!(url.as_str(), "http://grid.example:4444/wd/hub/");
        let basic = STANDARD.encode("ada:s@cret word");
        assert_eq!(credentials.headers[AUTHORIZATION], format!("Basic {basic}"));
        credentials.add("X-Grid-Key", "Bearer abcdef").unwrap();
        let capabilities = json!({ "cloud:options": { "accessKey": "k3y-of-cloud", "build": "7" } });
        credentials.know(capabilities.as_object().unwrap());
        let wire = Wire::new(url, credentials).unwrap();
        let said = wire.conceal(&format!("no: s@cret word, {basic}, abcdef, k3y-of-cloud, build 7"));
        assert_eq!(said, "no: [redacted], [redacted], [redacted], [redacted], build 7");
        let debugged = format!("{wire:?}");
        assert!(!debugged.contains("cret") && !debugged.contains("abcdef"), "{debugged}");
    }

    #[test]
    fn a_header_that_is_none_is_refused_and_its_value_not_repeated() {
        let mut credentials = Credentials::default();
        let error = credentials.add("Authorization", "s3cret\n").unwrap_err().to_string();
        assert_eq!(error, "the value of a header for the WebDriver is none of HTTP");
        assert!(credentials.add("a header", "x").is_err());
    }
}
