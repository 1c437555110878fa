//! Tells a person, or a program, what a runner in the foreground does.

use crate::terminal;
use console::Style;
use runners_core::{Clock, FencingToken, Mode, Notice, Observer, Outcome, SystemClock, Timestamp};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Prints a line for whatever happens to a runner.
#[derive(Debug)]
pub(crate) struct Narrator {
    json: bool,
    /// Nobody looks on: there is a log, and for as long as it is started somebody who waits.
    in_background: bool,
    server: String,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    was_connected: bool,
    /// When each attempt started. One for each slot at most.
    started: BTreeMap<FencingToken, Timestamp>,
    /// It takes nothing new, and what it had still ran when that was told.
    is_draining: bool,
}

impl Narrator {
    /// The target under which it is logged.
    pub(crate) const TARGET: &str = "runner";

    pub(crate) fn new(server: impl Into<String>, json: bool) -> Self {
        Self { json, in_background: false, server: server.into(), seen: Mutex::default() }
    }

    /// Writes the text to the log, and prints the events for the program that has started it.
    pub(crate) fn in_background(server: impl Into<String>) -> Self {
        Self { in_background: true, ..Self::new(server, true) }
    }

    /// Prints something that the runner itself does not tell.
    pub(crate) fn say(&self, text: &str, event: Value) {
        if self.in_background {
            tracing::info!(target: Narrator::TARGET, "{text}");
        }
        if self.json {
            let mut event = event;
            event["at"] = json!(now().to_string());
            terminal::print_json(&event);
        } else {
            let at = now().to_string();
            let time = at.get(11..19).unwrap_or_default();
            terminal::print(format!("{}  {text}", Style::new().dim().apply_to(time)));
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connected(&self) {
        let mut seen = self.seen();
        let again = std::mem::replace(&mut seen.was_connected, true);
        let text = if again { "connected again".to_owned() } else { format!("connected to {}", self.server) };
        self.say(&text, json!({ "event": "connected", "again": again }));
    }

    fn disconnected(&self, error: &str, retry_in: std::time::Duration) {
        let text = format!("{}: {error}; trying again", Style::new().magenta().apply_to("disconnected"));
        let event = json!({ "event": "disconnected", "error": error, "retry_in_ms": millis(retry_in) });
        self.say(&text, event);
    }

    fn ended(&self, token: FencingToken, outcome: &Outcome) {
        let (started, is_drained) = {
            let mut seen = self.seen();
            let started = seen.started.remove(&token);
            (started, seen.started.is_empty() && std::mem::take(&mut seen.is_draining))
        };
        let span = started.map(|started| now().since(started)).unwrap_or_default();
        let (word, style, detail) = words(outcome);
        let detail = detail.map(|detail| format!(": {detail}")).unwrap_or_default();
        let text =
            format!("{}  {} after {}{detail}", short(token), style.apply_to(word), terminal::span(span));
        let event = json!({
            "event": "attempt_ended", "job": token.job, "grant": token.grant, "outcome": outcome,
            "duration_ms": millis(span),
        });
        self.say(&text, event);
        if is_drained {
            self.drained();
        }
    }

    /// It takes nothing new any more.
    fn drained(&self) {
        let left = {
            let mut seen = self.seen();
            seen.is_draining = !seen.started.is_empty();
            seen.started.len()
        };
        if left == 0 {
            return self.say("drained", json!({ "event": "drained" }));
        }
        let jobs = if left == 1 { "one job still runs".to_owned() } else { format!("{left} jobs still run") };
        self.say(
            &format!("takes nothing new any more; {jobs}"),
            json!({ "event": "draining", "left": left }),
        );
    }
}

impl Observer for Narrator {
    fn observe(&self, notice: &Notice) {
        match notice {
            Notice::Connected => self.connected(),
            Notice::Disconnected { error, retry_in } => self.disconnected(error, *retry_in),
            Notice::AttemptStarted { token, attempt, kind } => {
                self.seen().started.insert(*token, now());
                let again = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
                let job = token.job;
                self.say(
                    &format!("{}  started: {kind} of {job}{again}", short(*token)),
                    json!({ "event": "attempt_started", "job": job, "grant": token.grant, "attempt": attempt, "kind": kind }),
                );
            }
            Notice::AttemptProgress { token, text } => self.say(
                &format!("{}  {text}", short(*token)),
                json!({ "event": "attempt_progress", "job": token.job, "grant": token.grant, "text": text }),
            ),
            Notice::AttemptEnded { token, outcome } => self.ended(*token, outcome),
            Notice::DesiredChanged { mode, slots } => {
                let wish = match mode {
                    Mode::Serve => "serve",
                    Mode::Drain => "take nothing new",
                    Mode::Leave => "finish and leave",
                };
                if *mode == Mode::Serve {
                    self.seen().is_draining = false;
                }
                let slots_of =
                    |slots: &u32| if *slots == 1 { "one slot".to_owned() } else { format!("{slots} slots") };
                let limit = slots
                    .as_ref()
                    .map(slots_of)
                    .map(|slots| format!(", with {slots} at most"))
                    .unwrap_or_default();
                let event = json!({ "event": "desired_changed", "mode": mode, "slots": slots });
                self.say(&format!("the operator wants this runner to {wish}{limit}"), event);
            }
            Notice::Idle { span } => self.say(
                &format!("idle for {}: leaving", terminal::span(*span)),
                json!({ "event": "idle", "for_ms": u64::try_from(span.as_millis()).unwrap_or(u64::MAX) }),
            ),
            Notice::Drained => self.drained(),
            _ => {}
        }
    }
}

fn words(outcome: &Outcome) -> (&'static str, Style, Option<&str>) {
    let (red, doubtful) = (Style::new().red(), Style::new().magenta());
    match outcome {
        Outcome::Passed => ("passed", Style::new().green(), None),
        Outcome::Failed => ("failed", red, None),
        Outcome::Errored(fault) => ("errored", red, Some(&fault.message)),
        Outcome::TimedOut => ("timed out", red, None),
        Outcome::Cancelled => ("cancelled", doubtful, None),
        Outcome::Lapsed => ("stopped", doubtful, Some("its lease was over or was taken back")),
        _ => ("ended", doubtful, None),
    }
}

/// The end of a job's id tells jobs of one moment apart; the beginning is the time.
fn short(token: FencingToken) -> String {
    let id = token.job.to_string();
    id.get(id.len() - 8..).unwrap_or_default().to_owned()
}

fn now() -> Timestamp {
    SystemClock::default().wall()
}

fn millis(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
