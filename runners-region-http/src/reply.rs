//! What a region answered, read without trust: both shapes of a good reply, all shapes of an error,
//! and everything else as what it is.

use http::{HeaderMap, StatusCode, header};
use runners_core::orchestration::RegionError;
use serde_json::{Map, Value};
use std::time::Duration;

/// The longest part of what a region said that an error repeats, in bytes.
const SAID_BYTES_MAX: usize = 2000;

/// Reads the head of a reply. What it comes to is told before the body is read, if it is told by that.
pub(crate) fn check_head(code: StatusCode, headers: &HeaderMap) -> Result<(), RegionError> {
    if !code.is_redirection() {
        return Ok(());
    }
    let to = headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
    // What follows the path may hold a secret.
    let to = to.map(|to| format!(" to {}", said(to.split(['?', '#']).next().unwrap_or_default())));
    let to = to.unwrap_or_default();
    let message = format!(
        "it is {code}, a redirect{to}, and redirects are not followed: name the URL that it leads to"
    );
    Err(RegionError::broken(message))
}

/// Reads a reply as a whole.
pub(crate) fn read(code: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Vec<Value>, RegionError> {
    check_head(code, headers)?;
    if code.is_success() { read_answer(headers, body) } else { Err(read_error(code, headers, body)) }
}

fn read_answer(headers: &HeaderMap, body: &[u8]) -> Result<Vec<Value>, RegionError> {
    let broken = |problem: String| Err(RegionError::broken(problem));
    let value: Value = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(_) if body.trim_ascii().is_empty() => {
            return broken("it is empty: expected {\"results\":[…]}".to_owned());
        }
        Err(error) if error.is_eof() => {
            let length = body.len();
            return broken(format!("it ends in the middle, after {length} bytes: {error}"));
        }
        Err(error) => {
            let kind = media_type(headers);
            return broken(format!("it is {kind} and no JSON ({error}): is the URL of the region right?"));
        }
    };
    let mut members = match unwrapped(value) {
        Value::Object(members) => members,
        other => return broken(format!("it is {}: expected an object with results", kind(&other))),
    };
    match members.remove("results") {
        Some(Value::Array(results)) => Ok(results),
        Some(other) => broken(format!("results: expected a list, and it is {}", kind(&other))),
        None => broken("results: missing".to_owned()),
    }
}

/// Takes the envelope away in which some servers answer.
fn unwrapped(value: Value) -> Value {
    match value {
        Value::Object(mut members) if members.contains_key("json") && !members.contains_key("results") => {
            members.remove("json").unwrap_or_default()
        }
        plain => plain,
    }
}

fn read_error(code: StatusCode, headers: &HeaderMap, body: &[u8]) -> RegionError {
    let told = serde_json::from_slice(body).ok().map(unwrapped);
    let told = told.as_ref().and_then(Value::as_object);
    let message = told.and_then(told_message).unwrap_or_else(|| code.to_string());
    let is_busy = matches!(code.as_u16(), 408 | 425 | 429 | 502 | 503 | 504);
    if is_busy {
        RegionError::retry_later(retry_after(headers), message)
    } else {
        RegionError::refused(message)
    }
}

/// What an error of the contract, or a problem, says: its message, and the details that help.
fn told_message(told: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| told.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let mut message = said(text("message").or_else(|| text("detail")).or_else(|| text("error"))?);
    let Some(data) = told.get("data").and_then(Value::as_object) else { return Some(message) };
    let names = |name: &str| {
        let names = data.get(name)?.as_array()?.iter().filter_map(Value::as_str).collect::<Vec<_>>();
        (!names.is_empty()).then(|| said(&names.join(", ")))
    };
    let unless_told = |message: &str, names: &String| !message.contains(&format!(": {names}"));
    if let Some(missing) = names("missingRunners").filter(|names| unless_told(&message, names)) {
        message.push_str(&format!("; missing: {missing}"));
    }
    if let Some(available) = names("availableRunners").filter(|names| unless_told(&message, names)) {
        message.push_str(&format!("; there are: {available}"));
    }
    for issue in data.get("issues").and_then(Value::as_array).into_iter().flatten().take(3) {
        let of =
            |name: &str| issue.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), said));
        let (path, problem) = (of("path").unwrap_or_default(), of("message").unwrap_or_default());
        message.push_str(&format!("; {}: {problem}", said(&path)));
    }
    Some(said(&message))
}

/// How long to wait, if it is told in seconds. Dates would need clocks that agree.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match value.map(|value| value.split(';').next().unwrap_or_default().trim()) {
        Some(kind) if kind.eq_ignore_ascii_case("text/html") => "HTML".to_owned(),
        Some(kind) if !kind.is_empty() => said(kind),
        _ => "something".to_owned(),
    }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// What somebody else said, on one line and not too long.
pub(crate) fn said(text: &str) -> String {
    let mut plain: String =
        text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if plain.len() > SAID_BYTES_MAX {
        let end = (0..=SAID_BYTES_MAX).rev().find(|at| plain.is_char_boundary(*at)).unwrap_or(0);
        plain.truncate(end);
        plain.push('…');
    }
    plain
}

#[cfg(test)]
mod tests;
