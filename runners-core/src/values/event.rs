//! Events: the lines of a job's history, and of the feeds of its run and its tenant.

use crate::values::{
    id::{JobId, RunId, RunnerId},
    outcome::{Conclusion, Outcome},
    time::{Timestamp, rfc3339},
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Something that happened to a job, or to a run. Whom it happened to and `sequence` together name
/// it: who is told twice of the same two is told of the same event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "faces of other protocols take it apart")]
pub struct Event {
    /// The job, unless it happened to the run itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// The run, or the job's run if it is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Grows from one event of a job, or of a run, to the next; not by one.
    pub sequence: u64,
    /// When it happened.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub what: Happening,
}

/// What happened: how the job, or the run, is from then on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Happening {
    /// It waits for its time.
    Scheduled {
        /// When it will be ready.
        #[serde(with = "rfc3339")]
        ready_at: Timestamp,
        /// How the attempt before ended, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Outcome>,
    },
    /// It waits for other jobs.
    Blocked {
        /// How many.
        on: u32,
    },
    /// It waits for a runner.
    Ready {
        /// How the attempt before ended, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Outcome>,
    },
    /// It was offered to a runner.
    Offered {
        /// The number of the grant.
        grant: u64,
        /// The runner.
        runner: RunnerId,
    },
    /// A runner executes it.
    Running {
        /// The number of the grant.
        grant: u64,
        /// The number of the attempt.
        attempt: u32,
        /// The runner.
        runner: RunnerId,
    },
    /// Its attempt is to stop.
    Stopping {
        /// The number of the grant.
        grant: u64,
        /// Why.
        reason: StopReason,
    },
    /// It ended.
    Concluded {
        /// How.
        conclusion: Conclusion,
    },
    /// A run: a job of it is open, and none was before.
    Opened,
    /// A run: the last of its open jobs has ended. A job that is added later opens it again.
    Closed,
}

impl Happening {
    /// The word that stands for each, as it stands in `event`.
    pub const NAMES: [&str; 9] =
        ["scheduled", "blocked", "ready", "offered", "running", "stopping", "concluded", "opened", "closed"];

    /// The word that stands for it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Scheduled { .. } => "scheduled",
            Self::Blocked { .. } => "blocked",
            Self::Ready { .. } => "ready",
            Self::Offered { .. } => "offered",
            Self::Running { .. } => "running",
            Self::Stopping { .. } => "stopping",
            Self::Concluded { .. } => "concluded",
            Self::Opened => "opened",
            Self::Closed => "closed",
        }
    }
}

/// Why a job is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StopReason {
    /// Somebody asked for it.
    Requested,
    /// Its attempt took longer than it may.
    Deadline,
    /// Its run took longer than it may.
    RunDeadline,
    /// Its runner drains, and has taken longer than it may. The job itself goes on elsewhere.
    Drained,
}

/// Whose events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventsOf {
    /// Every job and run of the tenant, for as long as its retention keeps them.
    Tenant,
    /// A run and its jobs.
    Run(RunId),
    /// One job.
    Job(JobId),
}

/// Some events, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "faces of other protocols take it apart")]
pub struct EventPage {
    /// Each event, and where to go on after it.
    pub events: Vec<(EventCursor, Event)>,
    /// Where to go on: after the last of them.
    pub next: EventCursor,
}

/// A place in events: after one of them. It is good for the events that it came from, and for
/// ever; events that are not kept any more are passed over.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventCursor(u64);

impl EventCursor {
    /// Before everything.
    pub const START: Self = Self(0);

    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
    }

    pub(crate) const fn number(self) -> u64 {
        self.0
    }

    /// The place in the events of a run or a tenant before whatever happens at `at` or later. The
    /// events of one job are not numbered by time.
    #[must_use]
    pub const fn at(at: Timestamp) -> Self {
        Self((at.as_millis() << NUMBER_BITS).saturating_sub(1))
    }
}

/// How many bits of the number of an event count within a millisecond.
pub(crate) const NUMBER_BITS: u32 = 20;

impl fmt::Display for EventCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl fmt::Debug for EventCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no place in events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a place in events is a text that came with an event")]
#[non_exhaustive]
pub struct EventCursorError;

impl FromStr for EventCursor {
    type Err = EventCursorError;
    fn from_str(text: &str) -> Result<Self, EventCursorError> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u64::from_str_radix(text, 16).ok().filter(|number| is_plain && *number < 1 << 62);
        number.map(Self).ok_or(EventCursorError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_its_text_and_nothing_else_is_one() {
        let place = EventCursor::new(0x00ab_cdef_0123);
        assert_eq!(place.to_string().parse(), Ok(place));
        for text in ["", "+1", "-1", "x", "ffffffffffffffff", "0x1"] {
            assert_eq!(text.parse::<EventCursor>(), Err(EventCursorError), "{text:?}");
        }
    }

    #[test]
    fn an_event_is_one_flat_object() {
        let event = Event {
            job: Some(JobId::from_bytes([1; 16])),
            run: None,
            sequence: 3,
            at: Timestamp::from_millis(1_700_000_000_123),
            what: Happening::Stopping { grant: 2, reason: StopReason::RunDeadline },
        };
        let json = serde_json::to_value(&event).unwrap();
        let expected = serde_json::json!({
            "job": event.job, "sequence": 3, "at": "2023-11-14T22:13:20.123Z",
            "event": "stopping", "grant": 2, "reason": "run_deadline",
        });
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_value::<Event>(json).unwrap(), event);
        assert!(Happening::NAMES.contains(&event.what.name()));
    }

    #[test]
    fn an_event_of_a_run_names_no_job() {
        let run = Some(RunId::from_bytes([2; 16]));
        let event = Event { job: None, run, sequence: 3, at: Timestamp::default(), what: Happening::Closed };
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!((&json["event"], json.get("job")), (&"closed".into(), None));
        assert_eq!(serde_json::from_value::<Event>(json).unwrap(), event);
    }
}
