//! The lines of a job's history: one for each version of its record.

use crate::{
    rules::job::{JobRecord, State},
    values::{
        id::RunnerId,
        outcome::{Conclusion, Outcome},
        time::Timestamp,
    },
};
use bytes::Bytes;
use serde::Serialize;

/// One line of a job's history, as JSON.
#[derive(Debug, Serialize)]
struct Line<'a> {
    at: Timestamp,
    #[serde(flatten)]
    event: Event<'a>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    Scheduled { ready_at: Timestamp, after: Option<&'a Outcome> },
    Blocked { on: u32 },
    Ready { after: Option<&'a Outcome> },
    Offered { grant: u64, runner: RunnerId },
    Running { grant: u64, attempt: u32, runner: RunnerId },
    Stopping { grant: u64, reason: crate::rules::job::StopReason },
    Concluded { conclusion: Conclusion },
}

/// The line that tells how `job` is from now on.
pub(crate) fn line(job: &JobRecord, now: Timestamp) -> Bytes {
    let after = job.attempts.last().map(|ended| &ended.outcome);
    let event = match &job.state {
        State::Scheduled { ready_at } => Event::Scheduled { ready_at: *ready_at, after },
        State::Blocked { on, .. } => Event::Blocked { on: *on },
        State::Ready { .. } => Event::Ready { after },
        State::Offered { to, .. } => Event::Offered { grant: job.grant, runner: to.runner },
        State::Running { stop: Some(stop), .. } => Event::Stopping { grant: job.grant, reason: stop.reason },
        State::Running { by, attempt, .. } => {
            Event::Running { grant: job.grant, attempt: *attempt, runner: by.runner }
        }
        State::Concluded { conclusion, .. } => Event::Concluded { conclusion: *conclusion },
    };
    serde_json::to_vec(&Line { at: now, event }).expect("a line is plain data").into()
}
