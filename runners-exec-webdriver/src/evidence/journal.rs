//! Everything that was heard of a browser during a flow, within a limit, and what of it is kept. What a film tells of
//! it while it goes on is `newest`'s.

mod newest;

pub(super) use newest::Telling;

use super::{
    console::{Entry, Level, Source},
    har,
    network::{Exchange, Received, Sent},
};
use crate::flow::one_line;
use bytes::Bytes;
use runners_core::{Redactor, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The most bytes of all entries together, and of all requests.
const JOURNAL_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most entries of the console, and the most requests.
const ENTRIES_MAX: usize = 2_000;
/// The most errors that a result tells, and the most characters of one.
const PAGE_ERRORS_MAX: usize = 20;
const PAGE_ERROR_CHARACTERS_MAX: usize = 400;

/// What was heard.
#[derive(Debug)]
pub(crate) struct Journal {
    redactor: Redactor,
    began: f64,
    /// When each step began.
    steps: Vec<(usize, f64)>,
    entries: Shelf<Entry>,
    exchanges: Shelf<Exchange>,
    /// The requests that are under way, by the browser's name for them.
    open: HashMap<String, usize>,
    bodies: Option<usize>,
    /// How often something was heard that is told of lines and requests.
    changes: u64,
}

/// The journal of who listens, for who tells of it meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct SharedJournal(Arc<Mutex<Journal>>);

impl SharedJournal {
    pub(super) fn new(journal: Journal) -> Self {
        Self(Arc::new(Mutex::new(journal)))
    }

    pub(crate) fn open(&self) -> MutexGuard<'_, Journal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Things up to a limit.
#[derive(Debug)]
struct Shelf<T> {
    all: Vec<T>,
    bytes: usize,
    left_out: usize,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ended {
    request_id: String,
    timestamp: f64,
    encoded_data_length: Option<f64>,
    error_text: Option<String>,
    blocked_reason: Option<String>,
    #[serde(default)]
    canceled: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answered {
    request_id: String,
    response: Received,
}

impl Journal {
    pub(super) fn new(redactor: Redactor, now: Timestamp) -> Self {
        Self {
            redactor,
            began: wall(now),
            steps: Vec::new(),
            entries: Shelf::default(),
            exchanges: Shelf::default(),
            open: HashMap::new(),
            bodies: None,
            changes: 0,
        }
    }

    /// Keeps the bodies of requests, each up to a limit.
    pub(super) const fn with_bodies(mut self, bytes_max: Option<usize>) -> Self {
        self.bodies = bytes_max;
        self
    }

    /// A step begins.
    pub(super) fn step(&mut self, index: usize, now: Timestamp) {
        self.steps.push((index, wall(now)));
    }

    /// Takes an event.
    pub(super) fn take(&mut self, method: &str, params: &Value) {
        match method {
            "Network.requestWillBeSent" => {
                if let Ok(sent) = Sent::deserialize(params) {
                    self.send(sent);
                }
            }
            "Network.responseReceived" => {
                if let Ok(answered) = Answered::deserialize(params)
                    && let Some(at) = self.open.get(&answered.request_id)
                {
                    self.exchanges.all[*at].receive(answered.response, &self.redactor);
                    self.changes += 1;
                }
            }
            "Network.dataReceived" => {
                let at = params["requestId"].as_str().and_then(|id| self.open.get(id));
                if let Some(at) = at {
                    self.exchanges.all[*at].content_bytes += params["dataLength"].as_u64().unwrap_or(0);
                }
            }
            "Network.loadingFailed" => self.fail(params),
            _ => self.note(method, params),
        }
    }

    /// A response is complete: which one, if its body is to be asked for.
    pub(super) fn finish(&mut self, params: &Value) -> Option<usize> {
        let ended = Ended::deserialize(params).ok()?;
        let at = self.open.remove(&ended.request_id)?;
        self.exchanges.all[at].end(ended.timestamp, ended.encoded_data_length);
        self.changes += 1;
        self.bodies.map(|_| at)
    }

    /// Takes the body of a response.
    pub(super) fn body(&mut self, at: usize, answer: &Value) {
        let (Some(limit), Some(exchange)) = (self.bodies, self.exchanges.all.get_mut(at)) else { return };
        exchange.take_body(answer, limit, &self.redactor);
        let bytes = exchange.body.as_ref().map_or(0, |body| body.text.len());
        if self.exchanges.bytes + bytes > JOURNAL_BYTES_MAX {
            exchange.body = None;
        } else {
            self.exchanges.bytes += bytes;
        }
    }

    /// What went wrong in the page, a line each, the first ones first; `unreached` says why the host of an
    /// address was not reached, if somebody knows.
    pub(crate) fn page_errors(&self, unreached: impl Fn(&str) -> Option<String>) -> Vec<String> {
        let loud = self.entries.all.iter().filter(|entry| entry.level == Level::Error).map(|entry| {
            let what = match entry.source {
                Source::Uncaught => "",
                Source::Console => "console: ",
                Source::Browser => "browser: ",
            };
            let text = entry.text.lines().next().unwrap_or_default();
            (entry.at, format!("{what}{text}{}", entry.place()))
        });
        let failed = self.exchanges.all.iter().filter_map(|one| {
            let trouble = one.trouble()?;
            let why = one.failure.as_ref().and_then(|_| unreached(&one.url));
            Some((one.at, why.map_or_else(|| trouble.clone(), |why| format!("{trouble}: {why}"))))
        });
        let mut all: Vec<_> = loud.chain(failed).collect();
        all.sort_by(|one, other| one.0.total_cmp(&other.0));
        let more = all.len().saturating_sub(PAGE_ERRORS_MAX);
        let line = |(at, text): (f64, String)| {
            let step = self.step_at(at).map(|step| format!("during step {step}: ")).unwrap_or_default();
            one_line(&format!("{step}{text}"), PAGE_ERROR_CHARACTERS_MAX)
        };
        let mut lines: Vec<String> = all.into_iter().take(PAGE_ERRORS_MAX).map(line).collect();
        if more > 0 {
            lines.push(format!("{more} more"));
        }
        lines
    }

    /// The console as JSON.
    pub(crate) fn console(&self) -> Bytes {
        let entry = |entry: &Entry| Entry {
            at_ms: self.since_began(entry.at),
            step: self.step_at(entry.at),
            ..entry.clone()
        };
        let entries: Vec<_> = self.entries.all.iter().map(entry).collect();
        let left_out = self.entries.left_out;
        json!({ "version": 1, "entries": entries, "left_out": left_out }).to_string().into()
    }

    /// The requests as a HAR 1.2, told to be of this browser.
    pub(crate) fn har(&self, browser: &Map<String, Value>) -> Bytes {
        let when = |exchange: &Exchange| (self.step_at(exchange.at), self.since_began(exchange.at));
        har::written(&self.exchanges.all, self.exchanges.left_out, browser, when)
    }

    fn send(&mut self, mut sent: Sent) {
        let id = sent.request_id.clone();
        if let (Some(redirect), Some(at)) = (sent.redirect_response.take(), self.open.remove(&id)) {
            let before = &mut self.exchanges.all[at];
            before.receive(redirect, &self.redactor);
            before.end(sent.timestamp, None);
        }
        let exchange = Exchange::new(sent, self.bodies, &self.redactor);
        if exchange.at + 1.0 < self.began || exchange.url.starts_with("data:") {
            return;
        }
        self.changes += 1;
        let bytes = exchange.bytes();
        if let Some(at) = self.exchanges.put(exchange, bytes) {
            self.open.insert(id, at);
        }
    }

    fn fail(&mut self, params: &Value) {
        let Ok(ended) = Ended::deserialize(params) else { return };
        let Some(at) = self.open.remove(&ended.request_id) else { return };
        let exchange = &mut self.exchanges.all[at];
        exchange.end(ended.timestamp, None);
        exchange.cancelled = ended.canceled;
        self.changes += 1;
        let blocked = ended.blocked_reason.map(|reason| format!(" (blocked: {reason})")).unwrap_or_default();
        exchange.failure = Some(format!("{}{blocked}", ended.error_text.unwrap_or_default()));
    }

    /// Notes what the console says, unless it is of before the flow.
    fn note(&mut self, method: &str, params: &Value) {
        let Some(entry) = Entry::of(method, params, &self.redactor) else { return };
        if entry.at + 1.0 >= self.began {
            self.changes += 1;
            let bytes = entry.bytes();
            self.entries.put(entry, bytes);
        }
    }

    /// The step that ran at a time, from 1.
    fn step_at(&self, at: f64) -> Option<usize> {
        // Clocks of the wall tell whole milliseconds. In the one in which a step begins, no command of it has reached
        // the browser: what happens in it is the doing of the step before.
        let (first, later) = self.steps.split_first()?;
        let began = later.iter().rev().find(|(_, began)| *began < at.floor());
        let began = began.or(Some(first).filter(|(_, began)| *began <= at.ceil()));
        began.map(|(index, _)| index + 1)
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is not before it began")]
    fn since_began(&self, at: f64) -> u64 {
        (at - self.began).max(0.0) as u64
    }
}

impl<T> Shelf<T> {
    /// Answers where it stands, if there was room.
    fn put(&mut self, one: T, bytes: usize) -> Option<usize> {
        if self.all.len() >= ENTRIES_MAX || self.bytes + bytes > JOURNAL_BYTES_MAX {
            self.left_out += 1;
            return None;
        }
        self.bytes += bytes;
        self.all.push(one);
        Some(self.all.len() - 1)
    }
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { all: Vec::new(), bytes: 0, left_out: 0 }
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are exact for ages")]
fn wall(now: Timestamp) -> f64 {
    now.as_millis() as f64
}

#[cfg(test)]
mod tests;
