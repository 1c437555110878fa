//! The newest lines of a job's history, as its record holds them: most jobs tell so little that all of it
//! stands there, and costs no row of its own.

use crate::values::{
    event::{Event, Happening},
    time::{Timestamp, rfc3339},
};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use std::{fmt, sync::Arc};

/// How many lines stand in a record, and how many bytes they have together: it is written as a whole each time.
const LINES_MAX: usize = 8;
const BYTES_MAX: usize = 2 << 10;

/// The newest lines of a history, oldest first. They are parsed when somebody wants to read them.
#[derive(Clone, Default)]
pub(crate) struct Recent(Option<Arc<RawValue>>);

/// An event in the history of its job, which it need not name.
#[derive(Serialize, Deserialize)]
struct Line<W> {
    sequence: u64,
    #[serde(with = "rfc3339")]
    at: Timestamp,
    #[serde(flatten)]
    what: W,
}

impl Recent {
    /// No line.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// How many lines there are.
    pub(crate) fn count(&self) -> usize {
        self.raw().len()
    }

    /// These lines and the one for `event`; and the oldest, each with its sequence, for which there is no room.
    pub(crate) fn with(&self, event: &Event) -> (Self, Vec<(u64, Bytes)>) {
        let line = Line { sequence: event.sequence, at: event.at, what: &event.what };
        let line = to_raw_value(&line).expect("an event is plain data");
        let mut lines = self.raw();
        lines.push(&line);
        let mut bytes: usize = lines.iter().map(|line| line.get().len()).sum();
        let mut out = 0;
        while lines.len() - out > LINES_MAX || bytes > BYTES_MAX {
            bytes -= lines[out].get().len();
            out += 1;
        }
        let kept = lines.split_off(out);
        let kept = (!kept.is_empty()).then(|| to_raw_value(&kept).expect("lines are plain data").into());
        (Self(kept), lines.into_iter().filter_map(numbered).collect())
    }

    /// Its lines: the sequence of each, when it was, and what. One that this release cannot read is passed over.
    pub(super) fn lines(&self) -> Vec<(u64, Timestamp, Happening)> {
        let read = |line: &RawValue| serde_json::from_str::<Line<Happening>>(line.get()).ok();
        let lines = self.raw().into_iter().filter_map(read);
        lines.map(|Line { sequence, at, what }| (sequence, at, what)).collect()
    }

    fn raw(&self) -> Vec<&RawValue> {
        let text = self.0.as_ref().map_or("[]", |lines| lines.get());
        serde_json::from_str(text).unwrap_or_default()
    }
}

/// A line as it stands in the job's own stream.
fn numbered(line: &RawValue) -> Option<(u64, Bytes)> {
    #[derive(Deserialize)]
    struct Number {
        sequence: u64,
    }
    let Number { sequence } = serde_json::from_str(line.get()).ok()?;
    Some((sequence, Bytes::copy_from_slice(line.get().as_bytes())))
}

/// What a line in the job's own stream tells, and when it was.
pub(super) fn read_line(line: &[u8]) -> Option<(Timestamp, Happening)> {
    /// What every release has written.
    #[derive(Deserialize)]
    struct Told {
        #[serde(with = "rfc3339")]
        at: Timestamp,
        #[serde(flatten)]
        what: Happening,
    }
    let Told { at, what } = serde_json::from_slice(line).ok()?;
    Some((at, what))
}

impl PartialEq for Recent {
    fn eq(&self, other: &Self) -> bool {
        let text = |lines: &Self| lines.0.as_ref().map(|lines| lines.get().to_owned());
        text(self) == text(other)
    }
}

impl Eq for Recent {}

impl fmt::Debug for Recent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lines()).finish()
    }
}

impl Serialize for Recent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_deref().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Recent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Some(Box::<RawValue>::deserialize(deserializer)?.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::{id::JobId, outcome::Outcome, result::Fault};

    fn told(sequence: u64, what: Happening) -> Event {
        let at = Timestamp::from_millis(1_000 * sequence);
        Event { job: Some(JobId::from_bytes([1; 16])), run: None, sequence, at, what }
    }

    fn blocked(on: u32) -> Happening {
        Happening::Blocked { on }
    }

    #[test]
    fn lines_that_a_record_has_no_room_for_leave_it_in_their_order() {
        let (mut recent, mut left) = (Recent::default(), Vec::new());
        for sequence in 1..=20 {
            let (next, out) = recent.with(&told(sequence, blocked(7)));
            recent = next;
            left.extend(out);
        }
        let kept: Vec<u64> = recent.lines().into_iter().map(|(sequence, ..)| sequence).collect();
        assert_eq!(kept, (13..=20).collect::<Vec<_>>());
        assert_eq!(
            left.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>(),
            (1..=12).collect::<Vec<_>>()
        );
        assert_eq!(read_line(&left[4].1), Some((Timestamp::from_millis(5_000), blocked(7))));
    }

    #[test]
    fn a_long_line_leaves_no_room_for_others_and_the_longest_none_for_itself() {
        let ready = |length| {
            let fault = Fault::retryable("x", "y".repeat(length));
            Happening::Ready { after: Some(Outcome::Errored(fault)) }
        };
        let (recent, _) = Recent::default().with(&told(1, blocked(1)));
        let (recent, out) = recent.with(&told(2, ready(BYTES_MAX - 150)));
        assert_eq!((recent.lines().len(), out.len()), (1, 1));
        let (recent, out) = recent.with(&told(3, ready(BYTES_MAX)));
        assert!(recent.is_empty() && out.len() == 2, "{recent:?}");
    }

    #[test]
    fn a_line_that_was_written_with_milliseconds_is_read() {
        let line = br#"{"at":7,"event":"scheduled","ready_at":9,"after":null}"#;
        let ready_at = Timestamp::from_millis(9);
        let what = Happening::Scheduled { ready_at, after: None };
        assert_eq!(read_line(line), Some((Timestamp::from_millis(7), what)));
    }
}
