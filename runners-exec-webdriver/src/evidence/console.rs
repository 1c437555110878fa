//! What the console of a page says, and what nobody caught.

use super::told;
use runners_core::Redactor;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest text of one entry in bytes.
const TEXT_BYTES_MAX: usize = 4_000;
/// The longest address in bytes.
const URL_BYTES_MAX: usize = 1_000;
/// The most members of an object that are shown.
const MEMBERS_MAX: usize = 20;

/// One entry.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Entry {
    /// Milliseconds since 1970.
    #[serde(skip)]
    pub(super) at: f64,
    /// Milliseconds since the flow began.
    pub(super) at_ms: u64,
    /// The step that ran then, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) step: Option<usize>,
    pub(super) level: Level,
    pub(super) source: Source,
    pub(super) text: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) url: String,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<u64>,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) column: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    Error,
    Warning,
    Info,
    Debug,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Source {
    /// A script wrote it.
    Console,
    /// A script threw it, and nobody caught it.
    Uncaught,
    /// The browser wrote it.
    Browser,
}

/// A message that a script wrote.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    args: Vec<Value>,
    timestamp: f64,
    #[serde(default)]
    stack_trace: Stack,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Thrown {
    timestamp: f64,
    exception_details: Details,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Details {
    text: String,
    url: String,
    line_number: u64,
    column_number: u64,
    exception: Value,
    stack_trace: Stack,
}

#[derive(Debug, Deserialize)]
struct Added {
    entry: LogEntry,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogEntry {
    source: String,
    level: String,
    text: String,
    timestamp: f64,
    #[serde(default)]
    url: String,
    line_number: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Stack {
    call_frames: Vec<Frame>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Frame {
    url: String,
    line_number: u64,
    column_number: u64,
}

impl Entry {
    /// What an event says; nothing if it is of another kind, or repeats what a request says already.
    pub(super) fn of(method: &str, params: &Value, redactor: &Redactor) -> Option<Self> {
        let mut entry = match method {
            "Runtime.consoleAPICalled" => written(Written::deserialize(params).ok()?),
            "Runtime.exceptionThrown" => thrown(Thrown::deserialize(params).ok()?),
            "Log.entryAdded" => added(Added::deserialize(params).ok()?.entry)?,
            _ => return None,
        };
        entry.text = told(redactor, &entry.text, TEXT_BYTES_MAX);
        entry.url = told(redactor, &entry.url, URL_BYTES_MAX);
        Some(entry)
    }

    /// About how many bytes it takes.
    pub(super) const fn bytes(&self) -> usize {
        self.text.len() + self.url.len() + 150
    }

    /// Where it was written, if that is known.
    pub(super) fn place(&self) -> String {
        match self.line {
            Some(line) if !self.url.is_empty() => format!(" ({}:{line})", self.url),
            _ => String::new(),
        }
    }

    fn new(at: f64, level: Level, source: Source, text: String) -> Self {
        let (url, line, column) = (String::new(), None, None);
        Self { at, at_ms: 0, step: None, level, source, text, url, line, column }
    }

    fn at_frame(mut self, frame: Option<Frame>) -> Self {
        if let Some(frame) = frame {
            self.url = frame.url;
            (self.line, self.column) = (Some(frame.line_number + 1), Some(frame.column_number + 1));
        }
        self
    }
}

fn written(mut said: Written) -> Entry {
    let level = match &*said.kind {
        "error" | "assert" => Level::Error,
        "warning" => Level::Warning,
        "debug" => Level::Debug,
        _ => Level::Info,
    };
    let texts: Vec<String> = said.args.iter().map(shown).collect();
    let text = if said.kind == "assert" {
        format!("Assertion failed: {}", texts.join(" "))
    } else {
        texts.join(" ")
    };
    let top = said.stack_trace.call_frames.drain(..).next();
    Entry::new(said.timestamp, level, Source::Console, text).at_frame(top)
}

fn thrown(said: Thrown) -> Entry {
    let details = said.exception_details;
    let what = match &details.exception {
        Value::Null => String::new(),
        exception => shown(exception),
    };
    // "Uncaught" or "Uncaught (in promise)" stands before what was thrown.
    let text = if what.is_empty() { details.text } else { format!("{} {what}", details.text) };
    let own =
        Frame { url: details.url, line_number: details.line_number, column_number: details.column_number };
    let top = if own.url.is_empty() { details.stack_trace.call_frames.into_iter().next() } else { Some(own) };
    Entry::new(said.timestamp, Level::Error, Source::Uncaught, text).at_frame(top)
}

fn added(said: LogEntry) -> Option<Entry> {
    if said.source == "network" {
        return None;
    }
    let level = match &*said.level {
        "error" => Level::Error,
        "warning" => Level::Warning,
        "verbose" => Level::Debug,
        _ => Level::Info,
    };
    let mut entry = Entry::new(said.timestamp, level, Source::Browser, said.text);
    (entry.url, entry.line) = (said.url, said.line_number.map(|line| line + 1));
    Some(entry)
}

/// A value of a script, as a console shows it.
fn shown(value: &Value) -> String {
    if let Some(text) = value["unserializableValue"].as_str() {
        return text.to_owned();
    }
    match &value["value"] {
        Value::String(text) => return text.clone(),
        Value::Null if value["type"] == "undefined" => return "undefined".to_owned(),
        Value::Null => {}
        other => return other.to_string(),
    }
    let Some(members) = value["preview"]["properties"].as_array().filter(|_| value["subtype"] != "error")
    else {
        return value["description"].as_str().unwrap_or("null").to_owned();
    };
    let is_list = value["subtype"] == "array";
    let one = |member: &Value| {
        let text = member["value"].as_str().unwrap_or_default();
        let text = if member["type"] == "string" { format!("{text:?}") } else { text.to_owned() };
        if is_list { text } else { format!("{}: {text}", member["name"].as_str().unwrap_or_default()) }
    };
    let mut all: Vec<String> = members.iter().take(MEMBERS_MAX).map(one).collect();
    if members.len() > MEMBERS_MAX || value["preview"]["overflow"] == true {
        all.push("…".to_owned());
    }
    let (open, close) = if is_list { ('[', ']') } else { ('{', '}') };
    format!("{open}{}{close}", all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[expect(clippy::needless_pass_by_value, reason = "events are written where they are passed")]
    fn entry(method: &str, params: Value) -> Entry {
        Entry::of(method, &params, &Redactor::new(["hunter2"])).unwrap()
    }

    #[test]
    fn values_are_shown_as_a_console_shows_them() {
        let object = json!({ "type": "object", "description": "Object", "preview": { "properties": [
            { "name": "a", "type": "number", "value": "1" }, { "name": "b", "type": "string", "value": "x" },
        ] } });
        let args = json!([
            { "type": "string", "value": "cart" }, { "type": "number", "value": 3 }, { "type": "undefined" },
            { "type": "object", "subtype": "null", "value": null }, object,
            { "type": "number", "unserializableValue": "NaN" },
        ]);
        let stack =
            json!({ "callFrames": [{ "url": "http://a/app.js", "lineNumber": 4, "columnNumber": 0 }] });
        let said = json!({ "type": "warning", "args": args, "timestamp": 5.5, "stackTrace": stack });
        let said = entry("Runtime.consoleAPICalled", said);
        assert_eq!(said.text, "cart 3 undefined null {a: 1, b: \"x\"} NaN");
        assert_eq!((said.level, said.place()), (Level::Warning, " (http://a/app.js:5)".to_owned()));
    }

    #[test]
    fn what_nobody_caught_is_an_error_without_secrets() {
        let thrown = json!({ "timestamp": 1.0, "exceptionDetails": {
            "text": "Uncaught", "url": "http://a/?p=hunter2", "lineNumber": 1, "columnNumber": 2,
            "exception": { "type": "object", "subtype": "error", "description": "Error: hunter2\n    at f" },
        } });
        let said = entry("Runtime.exceptionThrown", thrown);
        assert_eq!(said.text, "Uncaught Error: ***\n    at f");
        assert_eq!((said.url.as_str(), said.level), ("http://a/?p=***", Level::Error));
    }

    #[test]
    fn a_request_that_failed_is_told_once() {
        let said = |source: &str| json!({ "entry": { "source": source, "level": "error", "text": "x", "timestamp": 1.0 } });
        assert!(Entry::of("Log.entryAdded", &said("network"), &Redactor::default()).is_none());
        assert_eq!(entry("Log.entryAdded", said("security")).source, Source::Browser);
    }
}
