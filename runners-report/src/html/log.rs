//! The console and the requests of a job, read from `console.json` and `network.har`, as tables.

use super::{Html, view::cut};
use crate::words::{size, span};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// The most rows of a table; a longer one says how many are left out.
const ROWS_MAX: usize = 300;
/// The longest address of a row in characters.
const ADDRESS_CHARACTERS_MAX: usize = 300;

/// What the console said.
pub(super) struct ConsoleView {
    pub(super) words: String,
    pub(super) rows: Vec<ConsoleRow>,
    pub(super) more: usize,
}

pub(super) struct ConsoleRow {
    pub(super) class: &'static str,
    pub(super) level: String,
    pub(super) at: String,
    pub(super) step: Option<u64>,
    pub(super) text: String,
    pub(super) place: String,
}

/// What was requested.
pub(super) struct NetworkView {
    pub(super) words: String,
    pub(super) rows: Vec<NetworkRow>,
    pub(super) more: usize,
}

pub(super) struct NetworkRow {
    pub(super) class: &'static str,
    pub(super) method: String,
    pub(super) code: String,
    pub(super) address: String,
    pub(super) kind: String,
    pub(super) size: String,
    pub(super) span: String,
    /// Where it stands in the time of all, in percent.
    pub(super) from: String,
    pub(super) share: String,
}

#[derive(Deserialize)]
struct Console {
    entries: Vec<Entry>,
    #[serde(default)]
    left_out: usize,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    at_ms: u64,
    step: Option<u64>,
    #[serde(default)]
    level: String,
    #[serde(default)]
    source: String,
    text: String,
    #[serde(default)]
    url: String,
    line: Option<u64>,
}

#[derive(Deserialize)]
struct Har {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    entries: Vec<Exchange>,
}

#[derive(Deserialize)]
struct Exchange {
    #[serde(default)]
    time: f64,
    request: Request,
    response: Response,
    #[serde(rename = "_resourceType", default)]
    kind: String,
    #[serde(rename = "_at_ms", default)]
    at_ms: f64,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    url: String,
}

#[derive(Deserialize)]
struct Response {
    #[serde(rename = "status")]
    code: u64,
    #[serde(default)]
    content: Value,
    #[serde(rename = "_error")]
    error: Option<String>,
    #[serde(rename = "_transferSize")]
    transferred: Option<u64>,
}

impl ConsoleView {
    /// Reads `console.json`; nothing if it is something else, or empty.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let console: Console = serde_json::from_slice(bytes).ok()?;
        let number = console.entries.len();
        if number == 0 {
            return None;
        }
        let errors = console.entries.iter().filter(|entry| entry.level == "error").count();
        let words = match errors {
            0 => counted(number, "entry", "entries"),
            _ => format!("{}, {}", counted(number, "entry", "entries"), counted(errors, "error", "errors")),
        };
        let rows: Vec<_> = console.entries.into_iter().take(ROWS_MAX).map(ConsoleRow::new).collect();
        let more = number - rows.len() + console.left_out;
        Some(Self { words, rows, more })
    }
}

impl ConsoleRow {
    fn new(entry: Entry) -> Self {
        let class = match &*entry.level {
            "error" => "failed",
            "warning" => "flaky",
            _ => "skipped",
        };
        let level = if entry.source == "uncaught" { "uncaught".to_owned() } else { entry.level };
        let place = match entry.line {
            Some(line) if !entry.url.is_empty() => format!("{}:{line}", entry.url),
            _ => entry.url,
        };
        Self {
            class,
            level,
            at: span(Duration::from_millis(entry.at_ms)),
            step: entry.step,
            text: cut(&entry.text).into_owned(),
            place,
        }
    }
}

impl NetworkView {
    /// Reads a HAR; nothing if it is something else, or empty.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let entries = serde_json::from_slice::<Har>(bytes).ok()?.log.entries;
        if entries.is_empty() {
            return None;
        }
        let failed = entries.iter().filter(|one| one.is_failed()).count();
        let transferred = entries.iter().filter_map(|one| one.response.transferred).sum();
        let requests = counted(entries.len(), "request", "requests");
        let words = match failed {
            0 => format!("{requests}, {}", size(transferred)),
            _ => format!("{requests}, {failed} failed, {}", size(transferred)),
        };
        let end = entries.iter().map(Exchange::end).fold(1.0, f64::max);
        let start = entries.iter().map(|one| one.at_ms).fold(end, f64::min);
        let number = entries.len();
        let row = |one| NetworkRow::new(one, start, end - start);
        let rows: Vec<_> = entries.into_iter().take(ROWS_MAX).map(row).collect();
        Some(Self { words, more: number - rows.len(), rows })
    }
}

impl Exchange {
    fn is_failed(&self) -> bool {
        self.response.error.is_some() || self.response.code >= 400
    }

    fn end(&self) -> f64 {
        self.at_ms + self.time.max(0.0)
    }
}

impl NetworkRow {
    fn new(one: Exchange, start: f64, all: f64) -> Self {
        let class = if one.is_failed() { "failed" } else { "passed" };
        let percent = |millis: f64| (millis.max(0.0) / all.max(1.0) * 100.0).min(100.0);
        let code = match (&one.response.error, one.response.code) {
            (Some(error), 0) => error.clone(),
            (_, 0) => "no answer".to_owned(),
            (_, code) => code.to_string(),
        };
        let bytes = one.response.transferred.or_else(|| one.response.content["size"].as_u64());
        Self {
            class,
            from: format!("{:.2}", percent(one.at_ms - start)),
            share: format!("{:.2}", percent(one.time).max(0.5)),
            span: span(Duration::try_from_secs_f64(one.time.max(0.0) / 1_000.0).unwrap_or_default()),
            method: one.request.method,
            code,
            address: shortened(one.request.url),
            kind: one.kind,
            size: bytes.map(size).unwrap_or_default(),
        }
    }
}

fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn shortened(mut address: String) -> String {
    if let Some((end, _)) = address.char_indices().nth(ADDRESS_CHARACTERS_MAX.min(Html::TEXT_CHARACTERS_MAX))
    {
        address.truncate(end);
        address.push('…');
    }
    address
}
