//! What attempts write down as they go, each line with the time since boot, which all processes of a
//! machine share: when they started, until when they trusted their lease, when they ended.

use runners_core::{Attempt, BootTime, Clock as _, JobId, SystemClock};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::Path,
    sync::Arc,
    time::Duration,
};

/// A journal of one process.
#[derive(Clone, Debug)]
pub(crate) struct Journal(Arc<File>);

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    Started,
    Trusts,
    Ended,
    Stopped,
}

/// A line of a journal.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) event: Event,
    pub(crate) job: JobId,
    pub(crate) grant: u64,
    at: Duration,
    trusted_until: Duration,
}

impl Journal {
    pub(crate) fn open(path: &Path) -> Self {
        Self(Arc::new(OpenOptions::new().create(true).append(true).open(path).unwrap()))
    }

    /// Writes a line, in one call: a kill leaves it whole, or cut at the end of the file.
    pub(crate) fn note(&self, event: Event, attempt: &Attempt) {
        let at = SystemClock::default().boot().as_duration();
        let token = attempt.token();
        let trusted_until = attempt.lease().trusted_until().as_duration();
        let line = Line { event, job: token.job, grant: token.grant, at, trusted_until };
        let mut text = serde_json::to_string(&line).unwrap();
        text.push('\n');
        (&*self.0).write_all(text.as_bytes()).unwrap();
    }
}

/// The lines of a journal.
pub(crate) fn read(path: &Path) -> Vec<Line> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The time in which an attempt trusted its lease, as far as its journal tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trust {
    pub(crate) job: JobId,
    pub(crate) grant: u64,
    pub(crate) from: BootTime,
    pub(crate) until: BootTime,
    pub(crate) ended: bool,
}

/// What the attempts of one process trusted. `died` is when it was known to be dead, if it is.
pub(crate) fn trusts(lines: &[Line], died: Option<BootTime>) -> Vec<Trust> {
    let mut trusts: Vec<Trust> = Vec::new();
    for line in lines {
        let time = BootTime::from_duration;
        let mut until = time(line.trusted_until);
        // Whoever has ended trusts nothing any more, and neither does a process that is dead.
        let over = matches!(line.event, Event::Ended | Event::Stopped).then(|| time(line.at));
        until = [over, died].into_iter().flatten().fold(until, BootTime::min);
        let ended = line.event == Event::Ended;
        if line.event == Event::Started {
            let from = time(line.at);
            trusts.push(Trust { job: line.job, grant: line.grant, from, until, ended });
        } else if let Some(trust) = trusts.iter_mut().rfind(|t| (t.job, t.grant) == (line.job, line.grant)) {
            trust.until = until;
            trust.ended |= ended;
        }
    }
    trusts
}
