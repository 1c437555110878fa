//! The history of a job: what each version of its record tells, and where that stands.
//!
//! The newest lines stand in the record itself, those that it has no room for in the job's own stream, each
//! at its version. Beside them, what one commit tells stands together in the feeds of the run and of the
//! tenant, at a number that grows with time. What a run tells stands in these two only.

mod recent;

pub(crate) use recent::Recent;

use crate::{
    rules::job::{JobRecord, State},
    values::{
        event::{Event, Happening},
        id::RunId,
        time::Timestamp,
    },
};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;

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

/// Lines as one chunk of a feed, each with a line feed at its end.
pub(crate) fn chunk<'a>(lines: impl Iterator<Item = &'a Bytes>) -> Bytes {
    let mut chunk = BytesMut::new();
    for line in lines {
        chunk.extend_from_slice(line);
        chunk.extend_from_slice(b"\n");
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
    // Older chunks have none at their end.
    let chunk = chunk.strip_suffix(b"\n").unwrap_or(chunk);
    first + chunk.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// What a job has told, by its versions: its record, and the chunks of its own stream.
///
/// The record is to be read first: a line only ever goes from there to the stream. Where the stream goes on
/// behind these chunks, what the record tells beyond them is left out.
pub(crate) fn events_of(job: &JobRecord, chunks: &[(u64, Bytes)], is_all: bool) -> BTreeMap<u64, Event> {
    let event = |sequence, (at, what)| {
        (sequence, Event { job: Some(job.id), run: job.terms.run, sequence, at, what })
    };
    let until = if is_all { u64::MAX } else { chunks.last().map_or(0, |(sequence, _)| *sequence) };
    let own = job.history.lines().into_iter().filter(|(sequence, _, _)| *sequence <= until);
    let mut events: BTreeMap<u64, Event> =
        own.map(|(sequence, at, what)| event(sequence, (at, what))).collect();
    for (sequence, line) in chunks {
        events.extend(recent::read_line(line).map(|told| event(*sequence, told)));
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        rules::record::{LaneRecord, Preference},
        values::{
            id::{JobId, PoolId, TenantId},
            job::{JobOptions, JobSpec},
            outcome::Conclusion,
        },
    };

    /// A job whose record tells that it is blocked in versions 4 to 6.
    fn telling() -> JobRecord {
        let spec = JobSpec::new(JobId::from_bytes([1; 16]), "visit", b"{}", JobOptions::default());
        let pools = vec![(PoolId::from_bytes([5; 16]), std::time::Duration::ZERO)];
        let preference = Preference { owner: TenantId::DEFAULT, pools };
        let lanes = LaneRecord::of(TenantId::DEFAULT, &preference, &spec);
        let mut job = JobRecord::submitted(&lanes, &spec, Timestamp::default());
        for sequence in 4..=6 {
            let what = Happening::Blocked { on: 1 };
            let event = Event { job: Some(job.id), run: None, sequence, at: Timestamp::default(), what };
            job.history = job.history.with(&event).0;
        }
        job
    }

    #[test]
    fn what_the_record_tells_goes_after_what_stands_in_the_stream_and_nothing_is_passed_over() {
        let job = telling();
        let line = |sequence| (sequence, Bytes::from_static(br#"{"at":7,"event":"blocked","on":2}"#));
        let told = |chunks: &[(u64, Bytes)], is_all| {
            let on = |event: Event| match event.what {
                Happening::Blocked { on } => on,
                _ => 0,
            };
            let events = events_of(&job, chunks, is_all).into_iter();
            events.map(|(sequence, event)| (sequence, on(event))).collect::<Vec<_>>()
        };
        assert_eq!(told(&[], true), [(4, 1), (5, 1), (6, 1)]);
        // One of them has left the record since it was read.
        assert_eq!(told(&[line(2), line(4)], true), [(2, 2), (4, 2), (5, 1), (6, 1)]);
        assert_eq!(told(&[line(2), line(3)], false), [(2, 2), (3, 2)], "the stream goes on");
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
        assert_eq!(last_of(70, b"{}\n{}\n{}"), 72, "the last line may have no end");
    }
}
