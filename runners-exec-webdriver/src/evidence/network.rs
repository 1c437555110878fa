//! One request of a page and what came of it.

use super::told;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use runners_core::Redactor;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

/// The longest address in bytes.
const URL_BYTES_MAX: usize = 2_000;
/// The longest value of a header in bytes.
const HEADER_BYTES_MAX: usize = 2_000;
/// The most headers of one message.
const HEADERS_MAX: usize = 64;
/// What stands for a value that is never told.
const HIDDEN: &str = "***";
/// The headers that let somebody in.
const CREDENTIALS: &[&str] = &[
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
    "api-key",
    "x-auth-token",
    "x-access-token",
    "x-csrf-token",
    "x-xsrf-token",
    "x-amz-security-token",
];

/// Names and values.
pub(super) type Headers = Vec<(String, String)>;

/// A request, and its answer as far as there is one. Its texts hold no secrets.
#[derive(Clone, Debug, Default)]
pub(super) struct Exchange {
    pub(super) method: String,
    pub(super) url: String,
    /// What asked for it, such as `Document` or `Fetch`.
    pub(super) kind: String,
    /// Milliseconds since 1970.
    pub(super) at: f64,
    /// Seconds of the browser's own clock.
    started: f64,
    pub(super) ended: Option<f64>,
    pub(super) headers: Headers,
    pub(super) posted: Option<Posted>,
    pub(super) response: Option<Response>,
    /// How long the body is, unpacked.
    pub(super) content_bytes: u64,
    /// How many bytes came for all of it.
    pub(super) transferred_bytes: u64,
    pub(super) failure: Option<String>,
    /// The page itself gave it up.
    pub(super) cancelled: bool,
    pub(super) body: Option<Body>,
}

/// What a request sent.
#[derive(Clone, Debug)]
pub(super) struct Posted {
    pub(super) bytes: usize,
    /// If bodies are kept.
    pub(super) text: Option<String>,
}

/// The body of a response.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) text: String,
    pub(super) is_base64: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Response {
    pub(super) code: u16,
    pub(super) reason: String,
    pub(super) version: String,
    pub(super) headers: Headers,
    pub(super) media_type: String,
    pub(super) address: String,
    pub(super) is_cached: bool,
    pub(super) timing: Option<Timing>,
}

/// When what happened, in milliseconds from `request_time`; negative for what did not.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Timing {
    request_time: f64,
    dns_start: f64,
    dns_end: f64,
    connect_start: f64,
    connect_end: f64,
    ssl_start: f64,
    ssl_end: f64,
    send_start: f64,
    send_end: f64,
    receive_headers_end: f64,
}

/// How long what took, in milliseconds; -1 for what did not happen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spans {
    pub(super) blocked: f64,
    pub(super) dns: f64,
    /// With `ssl`.
    pub(super) connect: f64,
    pub(super) ssl: f64,
    pub(super) send: f64,
    pub(super) wait: f64,
    pub(super) receive: f64,
}

/// A request as the browser tells it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sent {
    pub(super) request_id: String,
    request: Request,
    pub(super) timestamp: f64,
    wall_time: f64,
    #[serde(rename = "type", default)]
    kind: String,
    pub(super) redirect_response: Option<Received>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    url: String,
    method: String,
    #[serde(default)]
    headers: Map<String, Value>,
    post_data: Option<String>,
}

/// A response as the browser tells it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Received {
    status: u16,
    #[serde(default)]
    status_text: String,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    mime_type: String,
    #[serde(rename = "remoteIPAddress", default)]
    address: String,
    #[serde(default)]
    from_disk_cache: bool,
    #[serde(default)]
    protocol: String,
    #[serde(default)]
    encoded_data_length: f64,
    timing: Option<Timing>,
}

impl Exchange {
    pub(super) fn new(sent: Sent, with_bodies: Option<usize>, redactor: &Redactor) -> Self {
        let request = sent.request;
        let posted = request.post_data.map(|data| Posted {
            bytes: data.len(),
            text: with_bodies.map(|limit| told(redactor, &data, limit)),
        });
        Self {
            method: told(redactor, &request.method, 20),
            url: address(&request.url, redactor),
            kind: sent.kind,
            at: sent.wall_time * 1_000.0,
            started: sent.timestamp,
            headers: headers(&request.headers, redactor),
            posted,
            ..Self::default()
        }
    }

    pub(super) fn receive(&mut self, received: Received, redactor: &Redactor) {
        self.transferred_bytes = whole(received.encoded_data_length);
        self.response = Some(Response {
            code: received.status,
            reason: told(redactor, &received.status_text, 100),
            version: received.protocol,
            headers: headers(&received.headers, redactor),
            media_type: told(redactor, &received.mime_type, 100),
            address: received.address,
            is_cached: received.from_disk_cache,
            timing: received.timing.filter(|timing| timing.request_time > 0.0),
        });
    }

    pub(super) fn end(&mut self, at: f64, transferred: Option<f64>) {
        self.ended = Some(at);
        if let Some(bytes) = transferred {
            self.transferred_bytes = whole(bytes);
        }
    }

    pub(super) fn take_body(&mut self, answer: &Value, limit: usize, redactor: &Redactor) {
        let Some(text) = answer["body"].as_str() else { return };
        let is_base64 = answer["base64Encoded"] == true;
        // Text that the browser packed is cut and cleaned as text.
        let plain = if is_base64 {
            STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok())
        } else {
            None
        };
        self.body = match (plain, is_base64) {
            (Some(plain), _) => Some(Body { text: told(redactor, &plain, limit), is_base64: false }),
            (None, false) => Some(Body { text: told(redactor, text, limit), is_base64: false }),
            (None, true) if text.len() <= limit => {
                Some(Body { text: redactor.redact(text), is_base64: true })
            }
            (None, true) => None,
        };
    }

    /// What went wrong, in a few words, unless it was the page's own wish, or no wish of the page.
    pub(super) fn trouble(&self) -> Option<String> {
        let is_own = self.kind == "Other" && self.url.ends_with("/favicon.ico");
        if is_own {
            return None;
        }
        if let Some(failure) = self.failure.as_ref().filter(|_| !self.cancelled) {
            return Some(format!("{} {} failed: {failure}", self.method, self.url));
        }
        // A page that does not read an answer gives it up.
        let response = self.response.as_ref().filter(|response| response.code >= 400)?;
        let reason = if response.reason.is_empty() { String::new() } else { format!(" {}", response.reason) };
        Some(format!("{} {} was answered {}{reason}", self.method, self.url, response.code))
    }

    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        let of = |headers: &Headers| {
            headers.iter().map(|(name, value)| name.len() + value.len() + 30).sum::<usize>()
        };
        let posted = self.posted.as_ref().and_then(|posted| posted.text.as_ref()).map_or(0, String::len);
        let body = self.body.as_ref().map_or(0, |body| body.text.len());
        // The address stands there twice: once in its parts.
        600 + 2 * self.url.len()
            + of(&self.headers)
            + posted
            + body
            + self.response.as_ref().map_or(0, |response| of(&response.headers))
    }

    /// How long what took.
    pub(super) fn spans(&self) -> Spans {
        let total = self.ended.map_or(0.0, |ended| millis(ended - self.started));
        let Some(timing) = self.response.as_ref().and_then(|response| response.timing) else {
            return Spans {
                blocked: -1.0,
                dns: -1.0,
                connect: -1.0,
                ssl: -1.0,
                send: 0.0,
                wait: total,
                receive: 0.0,
            };
        };
        let span = |from: f64, to: f64| if from < 0.0 || to < from { -1.0 } else { to - from };
        let first = [timing.dns_start, timing.connect_start, timing.send_start]
            .into_iter()
            .find(|at| *at >= 0.0)
            .unwrap_or(0.0);
        let before = millis(timing.request_time - self.started);
        let answered = before + timing.receive_headers_end.max(0.0);
        Spans {
            blocked: before + first,
            dns: span(timing.dns_start, timing.dns_end),
            connect: span(timing.connect_start, timing.connect_end),
            ssl: span(timing.ssl_start, timing.ssl_end),
            send: span(timing.send_start, timing.send_end).max(0.0),
            wait: span(timing.send_end, timing.receive_headers_end).max(0.0),
            receive: (total - answered).max(0.0),
        }
    }
}

impl Spans {
    /// All of it; what did not happen took no time, and `ssl` is a part of `connect`.
    pub(super) fn total(&self) -> f64 {
        [self.blocked, self.dns, self.connect, self.send, self.wait, self.receive]
            .into_iter()
            .map(|span| span.max(0.0))
            .sum()
    }
}

fn headers(told_of: &Map<String, Value>, redactor: &Redactor) -> Headers {
    let one = |(name, value): (&String, &Value)| {
        let is_credential = CREDENTIALS.iter().any(|credential| name.eq_ignore_ascii_case(credential));
        let value = value.as_str().unwrap_or_default();
        let value = if is_credential { HIDDEN.to_owned() } else { told(redactor, value, HEADER_BYTES_MAX) };
        (told(redactor, name, 100), value)
    };
    told_of.iter().take(HEADERS_MAX).map(one).collect()
}

/// An address without a password.
fn address(url: &str, redactor: &Redactor) -> String {
    let is_data = url.starts_with("data:");
    if !is_data
        && url.contains('@')
        && let Ok(mut parsed) = Url::parse(url)
        && parsed.password().is_some()
    {
        let _ = parsed.set_password(Some(HIDDEN));
        return told(redactor, parsed.as_str(), URL_BYTES_MAX);
    }
    told(redactor, url, if is_data { 200 } else { URL_BYTES_MAX })
}

/// Milliseconds of seconds, to the microsecond.
fn millis(seconds: f64) -> f64 {
    ((seconds * 1_000_000.0).round() / 1_000.0).max(0.0)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "lengths are whole and positive")]
fn whole(bytes: f64) -> u64 {
    bytes.max(0.0) as u64
}
