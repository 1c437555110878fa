//! Requests as a HAR 1.2, which every browser's network panel opens, and in a few words. What a request is, is
//! `network`'s.

use super::network::{Exchange, Headers, Response};
use bytes::Bytes;
use runners_core::Timestamp;
use serde_json::{Map, Value, json};
use url::Url;

/// Writes requests down; `when` says during which step one began, and how many milliseconds after the
/// flow.
pub(super) fn written(
    exchanges: &[Exchange],
    left_out: usize,
    browser: &Map<String, Value>,
    when: impl Fn(&Exchange) -> (Option<usize>, u64),
) -> Bytes {
    let named = |name: &str| browser.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut log = json!({
        "version": "1.2",
        "creator": { "name": "runners", "version": env!("CARGO_PKG_VERSION") },
        "browser": { "name": named("browserName"), "version": named("browserVersion") },
        "entries": exchanges.iter().map(|exchange| entry(exchange, when(exchange))).collect::<Vec<_>>(),
    });
    if left_out > 0 {
        log["comment"] = json!(format!("{left_out} more requests were left out"));
    }
    json!({ "log": log }).to_string().into()
}

/// A request in a few words. `took_ms` is there once it has ended, and `status` once it was answered.
pub(super) fn brief(
    exchange: &Exchange,
    step: Option<usize>,
    since: u64,
    short: impl Fn(&str) -> String,
) -> Value {
    let mut brief = json!({ "at_ms": since, "method": exchange.method, "url": short(&exchange.url) });
    if let Some(step) = step {
        brief["step"] = json!(step);
    }
    if let Some(response) = &exchange.response {
        brief["status"] = json!(response.code);
    }
    if let Some(failure) = &exchange.failure {
        brief["error"] = json!(short(failure));
    }
    if exchange.ended.is_some() {
        brief["took_ms"] = json!(micro(exchange.spans().total()));
    }
    brief
}

fn entry(exchange: &Exchange, (step, since): (Option<usize>, u64)) -> Value {
    let spans = exchange.spans();
    let mut entry = json!({
        "startedDateTime": instant(exchange.at),
        "time": micro(spans.total()),
        "request": request(exchange),
        "response": response(exchange),
        "cache": {},
        "timings": {
            "blocked": micro(spans.blocked), "dns": micro(spans.dns), "connect": micro(spans.connect),
            "ssl": micro(spans.ssl), "send": micro(spans.send), "wait": micro(spans.wait),
            "receive": micro(spans.receive),
        },
        "_resourceType": exchange.kind.to_lowercase(),
        "_at_ms": since,
    });
    if let Some(address) =
        exchange.response.as_ref().map(|response| &response.address).filter(|at| !at.is_empty())
    {
        entry["serverIPAddress"] = json!(address.trim_matches(['[', ']']));
    }
    if let Some(step) = step {
        entry["_step"] = json!(step);
    }
    entry
}

fn request(exchange: &Exchange) -> Value {
    let query: Vec<Value> = Url::parse(&exchange.url).map_or_else(
        |_| Vec::new(),
        |url| url.query_pairs().map(|(name, value)| json!({ "name": name, "value": value })).collect(),
    );
    let version = exchange.response.as_ref().map(|response| &*response.version).unwrap_or_default();
    let mut request = json!({
        "method": exchange.method,
        "url": exchange.url,
        "httpVersion": http_version(version),
        "cookies": [],
        "headers": pairs(&exchange.headers),
        "queryString": query,
        "headersSize": -1,
        "bodySize": exchange.posted.as_ref().map_or(0, |posted| posted.bytes),
    });
    if let Some(posted) = &exchange.posted {
        let kind = value_of(&exchange.headers, "content-type");
        let text = posted.text.as_deref();
        let mut data = json!({ "mimeType": kind, "params": [], "text": text.unwrap_or_default() });
        if text.is_none() {
            data["comment"] = json!("bodies were not kept");
        }
        request["postData"] = data;
    }
    request
}

fn response(exchange: &Exchange) -> Value {
    let none = Response::default();
    let response = exchange.response.as_ref().unwrap_or(&none);
    let mut content = json!({ "size": exchange.content_bytes, "mimeType": response.media_type });
    if let Some(body) = &exchange.body {
        content["text"] = json!(body.text);
        if body.is_base64 {
            content["encoding"] = json!("base64");
        }
    }
    let mut answer = json!({
        // By convention 0 stands for none.
        "status": response.code,
        "statusText": response.reason,
        "httpVersion": http_version(&response.version),
        "cookies": [],
        "headers": pairs(&response.headers),
        "content": content,
        "redirectURL": value_of(&response.headers, "location"),
        "headersSize": -1,
        "bodySize": if response.is_cached { json!(0) } else { json!(-1) },
        "_transferSize": exchange.transferred_bytes,
    });
    if response.is_cached {
        answer["_fetchedViaCache"] = json!(true);
    }
    if let Some(failure) = &exchange.failure {
        answer["_error"] = json!(failure);
    }
    answer
}

fn pairs(headers: &Headers) -> Vec<Value> {
    headers.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

fn value_of<'h>(headers: &'h Headers, wanted: &str) -> &'h str {
    headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
        .map(|(_, value)| &**value)
        .unwrap_or_default()
}

fn http_version(protocol: &str) -> String {
    match protocol {
        "h2" => "HTTP/2".to_owned(),
        "h3" => "HTTP/3".to_owned(),
        other => other.to_uppercase(),
    }
}

/// To the microsecond.
fn micro(millis: f64) -> f64 {
    (millis * 1_000.0).round() / 1_000.0
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time after 1970")]
fn instant(millis: f64) -> String {
    Timestamp::from_millis(millis.max(0.0) as u64).to_string()
}
