//! What attempts write down as they go, each line with the time since boot, which all processes of a
//! machine share: when they started, until when they trusted their lease, when they ended.

use anyhow::{Context as _, Result};
use runners_core::{Attempt, BootTime, Clock as _, FencingToken, JobId, SystemClock};
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
    /// A finish came too late: the lease was somebody else's, or over.
    Refused,
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
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        Ok(Self(Arc::new(file.with_context(|| format!("{} cannot be written", path.display()))?)))
    }

    /// Notes what an attempt does.
    pub(crate) fn note(&self, event: Event, attempt: &Attempt) -> Result<()> {
        self.write(event, attempt.token(), attempt.lease().trusted_until())
    }

    /// Notes that a write of an attempt was refused.
    pub(crate) fn refused(&self, token: FencingToken) -> Result<()> {
        self.write(Event::Refused, token, BootTime::default())
    }

    /// Writes a line, in one call: a kill leaves it whole, or cut at the end of the file.
    fn write(&self, event: Event, token: FencingToken, trusted_until: BootTime) -> Result<()> {
        let at = SystemClock::default().boot().as_duration();
        let trusted_until = trusted_until.as_duration();
        let line = Line { event, job: token.job, grant: token.grant, at, trusted_until };
        let mut text = serde_json::to_string(&line)?;
        text.push('\n');
        Ok((&*self.0).write_all(text.as_bytes())?)
    }
}

/// The lines of a journal.
pub(crate) type Lines = Vec<Line>;

/// Reads a journal.
pub(crate) fn read(path: &Path) -> Lines {
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The time in which an attempt trusted its lease, as far as its journal tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trust {
    pub(crate) job: JobId,
    pub(crate) grant: u64,
    pub(crate) from: BootTime,
    pub(crate) until: BootTime,
    pub(crate) ended: bool,
    /// It has ended, or was stopped: not by a death.
    pub(crate) over: bool,
    /// When its process was known to be dead, if it is.
    pub(crate) died: Option<BootTime>,
}

/// What the attempts of one process trusted. `died` is when it was known to be dead, if it is.
pub(crate) fn trusts(lines: &[Line], died: Option<BootTime>) -> Vec<Trust> {
    let mut trusts: Vec<Trust> = Vec::new();
    for line in lines.iter().filter(|line| line.event != Event::Refused) {
        let time = BootTime::from_duration;
        let mut until = time(line.trusted_until);
        // Whoever has ended trusts nothing any more, and neither does a process that is dead.
        let over_at = matches!(line.event, Event::Ended | Event::Stopped).then(|| time(line.at));
        until = [over_at, died].into_iter().flatten().fold(until, BootTime::min);
        let (ended, over) = (line.event == Event::Ended, over_at.is_some());
        if line.event == Event::Started {
            let from = time(line.at);
            trusts.push(Trust { job: line.job, grant: line.grant, from, until, ended, over, died });
        } else if let Some(trust) = trusts.iter_mut().rfind(|t| (t.job, t.grant) == (line.job, line.grant)) {
            trust.until = until;
            trust.ended |= ended;
            trust.over |= over;
        }
    }
    trusts
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: JobId = JobId::from_bytes([1; 16]);

    fn line(event: Event, at: u64, trusted_until: u64) -> Line {
        let (at, trusted_until) = (Duration::from_secs(at), Duration::from_secs(trusted_until));
        Line { event, job: JOB, grant: 1, at, trusted_until }
    }

    fn until(lines: &[Line], died: Option<u64>) -> Duration {
        let died = died.map(|at| BootTime::from_duration(Duration::from_secs(at)));
        trusts(lines, died)[0].until.as_duration()
    }

    #[test]
    fn trust_ends_with_its_term_its_attempt_or_its_process() {
        let started = line(Event::Started, 0, 4);
        assert_eq!(until(&[started], None), Duration::from_secs(4));
        let renewed = [started, line(Event::Trusts, 3, 7)];
        assert_eq!(until(&renewed, None), Duration::from_secs(7));
        assert_eq!(until(&renewed, Some(5)), Duration::from_secs(5));
        let ended = [started, line(Event::Trusts, 3, 7), line(Event::Ended, 4, 7)];
        assert_eq!(until(&ended, None), Duration::from_secs(4));
        // A refusal is no sign of trust.
        assert_eq!(until(&[started, line(Event::Refused, 2, 0)], None), Duration::from_secs(4));
    }

    #[test]
    fn a_line_that_a_kill_has_cut_is_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let whole = serde_json::to_string(&line(Event::Started, 0, 4)).unwrap();
        fs::write(&path, format!("{whole}\n{}", &whole[..20])).unwrap();
        assert_eq!(read(&path).len(), 1);
    }
}
