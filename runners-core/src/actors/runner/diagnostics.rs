//! What every runner answers by itself: a ping, and what it is at. What happened lately is kept as
//! lines without any text of jobs, so that no secret is in it.

use super::serve::Shared;
use crate::{
    seams::{
        clock::Clock,
        facts::FactsSource,
        observer::{Notice, Observer},
        responder::{Responder, Responders},
    },
    values::{
        outcome::Outcome,
        result::Fault,
        signal::{CollectDiagnostics, DatedNotice, Diagnostics, Ping, Pong},
        time::BootTime,
    },
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

/// The longest line in bytes; a longer one is cut at a character.
const LINE_BYTES_MAX: usize = 500;

/// Passes notices on, and keeps the newest ones.
#[derive(Debug)]
pub(super) struct NoticeLog {
    inner: Arc<dyn Observer>,
    clock: Arc<dyn Clock>,
    lines: Mutex<VecDeque<(BootTime, String)>>,
}

impl NoticeLog {
    pub(super) fn new(inner: Arc<dyn Observer>, clock: Arc<dyn Clock>) -> Self {
        Self { inner, clock, lines: Mutex::default() }
    }

    fn recent(&self, now: BootTime) -> Vec<DatedNotice> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let dated = |(at, text): &(BootTime, String)| DatedNotice {
            ago_secs: now.since(*at).as_secs(),
            text: text.clone(),
        };
        lines.iter().map(dated).collect()
    }
}

impl Observer for NoticeLog {
    fn observe(&self, notice: &Notice) {
        if let Some(mut text) = line(notice) {
            let end = (0..=LINE_BYTES_MAX.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
            text.truncate(end.unwrap_or(0));
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() >= Diagnostics::NOTICES_MAX {
                lines.pop_front();
            }
            lines.push_back((self.clock.boot(), text));
        }
        self.inner.observe(notice);
    }
}

/// A notice for people. What jobs say of themselves is left out.
fn line(notice: &Notice) -> Option<String> {
    Some(match notice {
        Notice::Connected => "connected".to_owned(),
        Notice::Disconnected { error, .. } => format!("disconnected: {error}"),
        Notice::AttemptStarted { token, attempt, kind } => {
            format!("{token} started as attempt {attempt}, {kind}")
        }
        Notice::AttemptEnded { token, outcome } => match outcome {
            Outcome::Errored(fault) => format!("{token} ended: errored ({})", fault.code),
            outcome => format!("{token} ended: {outcome:?}"),
        },
        Notice::DesiredChanged { mode, slots } => format!("wanted: {mode:?}, slots {slots:?}"),
        Notice::Drained => "drained".to_owned(),
        _ => return None,
    })
}

/// Adds what every runner answers by itself. A host's responder to the same kind is a mistake.
pub(super) fn built_in(
    responders: Responders,
    shared: &Arc<Shared>,
    facts: Arc<dyn FactsSource>,
    notices: Arc<NoticeLog>,
) -> Responders {
    let started = shared.clock.boot();
    let collector = Collector { shared: shared.clone(), facts, notices, started };
    responders.with(|Ping { text }: Ping| async move { Ok(Pong { text }) }).with(collector)
}

struct Collector {
    shared: Arc<Shared>,
    facts: Arc<dyn FactsSource>,
    notices: Arc<NoticeLog>,
    started: BootTime,
}

impl Responder<CollectDiagnostics> for Collector {
    async fn respond(&self, _command: CollectDiagnostics) -> Result<Diagnostics, Fault> {
        let now = self.shared.clock.boot();
        let (facts, responding) = self.shared.look(|session| (session.facts().clone(), session.responding()));
        let snapshot = self.shared.look(super::session::Session::snapshot);
        Ok(Diagnostics {
            facts,
            load: self.facts.load(),
            mode: snapshot.mode,
            free: snapshot.free,
            held: snapshot.held,
            unrecorded: snapshot.unrecorded as u64,
            responding: responding as u64,
            up_secs: now.since(self.started).as_secs(),
            notices: self.notices.recent(now),
        })
    }
}
