//! The history of a job: what each version of its record tells, and how that stands in streams.
//!
//! A line stands in the job's own stream at its version. Beside it, what one commit tells stands
//! together in the feeds of the run and of the tenant, at a number that grows with time. What a run
//! tells stands in these two only.

use crate::{
    rules::job::{JobRecord, State},
    values::{
        event::{Event, Happening},
        id::{JobId, RunId},
        time::{Timestamp, rfc3339},
    },
};
use bytes::{Bytes, BytesMut};
use serde::Deserialize;

/// What `job`, in this version, tells.
pub(crate) fn event(job: &JobRecord, version: u64, at: Timestamp) -> Event {
    Event { job: Some(job.id), run: job.terms.run, sequence: version, at, what: happening(job) }
}

/// What a run, in this version of its record, tells.
pub(crate) const fn event_of_run(run: RunId, what: Happening, version: u64, at: Timestamp) -> Event {
    Event { job: None, run: Some(run), sequence: version, at, what }
}

/// How `job` is.
pub(crate) fn happening(job: &JobRecord) -> Happening {
    let after = job.attempts.last().map(|ended| ended.outcome.clone());
    let grant = job.grant;
    match &job.state {
        State::Scheduled { ready_at } => Happening::Scheduled { ready_at: *ready_at, after },
        State::Blocked { on, .. } => Happening::Blocked { on: *on },
        State::Ready { .. } => Happening::Ready { after },
        State::Offered { to, .. } => Happening::Offered { grant, runner: to.runner },
        State::Running { stop: Some(stop), .. } => Happening::Stopping { grant, reason: stop.reason },
        State::Running { by, attempt, .. } => {
            Happening::Running { grant, attempt: *attempt, runner: by.runner }
        }
        State::Concluded { conclusion, .. } => Happening::Concluded { conclusion: *conclusion },
    }
}

/// The line that stands for an event.
pub(crate) fn line(event: &Event) -> Bytes {
    serde_json::to_vec(event).expect("an event is plain data").into()
}

/// Lines as one chunk of a feed.
pub(crate) fn chunk<'a>(lines: impl Iterator<Item = &'a Bytes>) -> Bytes {
    let mut chunk = BytesMut::new();
    for line in lines {
        if !chunk.is_empty() {
            chunk.extend_from_slice(b"\n");
        }
        chunk.extend_from_slice(line);
    }
    chunk.freeze()
}

/// The events of a chunk of a feed that begins at `first`, each with its number. A line that this
/// release cannot read is passed over.
pub(crate) fn events_in(first: u64, chunk: &[u8]) -> impl Iterator<Item = (u64, Event)> {
    let lines = (first..).zip(chunk.split(|byte| *byte == b'\n'));
    lines.filter_map(|(number, line)| Some((number, serde_json::from_slice(line).ok()?)))
}

/// The number of the last line of a chunk of a feed that begins at `first`.
pub(crate) fn last_of(first: u64, chunk: &[u8]) -> u64 {
    first + chunk.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// The event of a line in a job's own stream.
pub(crate) fn read_line(job: JobId, run: Option<RunId>, sequence: u64, line: &[u8]) -> Option<Event> {
    /// What every release has written.
    #[derive(Deserialize)]
    struct Line {
        #[serde(with = "rfc3339")]
        at: Timestamp,
        #[serde(flatten)]
        what: Happening,
    }
    let Line { at, what } = serde_json::from_slice(line).ok()?;
    Some(Event { job: Some(job), run, sequence, at, what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::outcome::Conclusion;

    #[test]
    fn a_line_that_was_written_with_milliseconds_is_read() {
        let line = br#"{"at":7,"event":"scheduled","ready_at":9,"after":null}"#;
        let event = read_line(JobId::from_bytes([1; 16]), None, 4, line).unwrap();
        let ready_at = Timestamp::from_millis(9);
        assert_eq!(event.what, Happening::Scheduled { ready_at, after: None });
        assert_eq!((event.sequence, event.at), (4, Timestamp::from_millis(7)));
    }

    #[test]
    fn the_events_of_a_chunk_are_numbered_from_its_place() {
        let told = |sequence| Event {
            job: Some(JobId::from_bytes([1; 16])),
            run: None,
            sequence,
            at: Timestamp::default(),
            what: Happening::Concluded { conclusion: Conclusion::Passed },
        };
        let lines = [line(&told(1)), Bytes::from_static(b"{}"), line(&told(3))];
        let read: Vec<_> = events_in(70, &chunk(lines.iter())).collect();
        assert_eq!(read, [(70, told(1)), (72, told(3))]);
        assert_eq!(last_of(70, &chunk(lines.iter())), 72);
    }
}
