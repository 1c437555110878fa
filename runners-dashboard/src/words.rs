//! Words and figures for people, which the pages share.

use runners_core::{
    ArtifactUse, Conclusion, Happening, JobLine, Outcome, StopReason, Timestamp,
    protocol::{JobObstacle, Obstacle, PoolObstacle, StateView},
};
use std::time::Duration;

/// A tone, by what became of something. It is a class of the style.
pub(crate) type Tone = &'static str;

/// A span as people say it: `310 ms`, `5.1 s`, `2 min 03 s`, `3 h 20 min`, `4 d 2 h`.
pub(crate) fn span(span: Duration) -> String {
    let (millis, seconds) = (span.as_millis(), span.as_secs());
    match seconds {
        0 => format!("{millis} ms"),
        1..60 => format!("{:.1} s", span.as_secs_f64()),
        60..3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {:02} min", seconds / 3_600, seconds / 60 % 60),
        _ if seconds / 3_600 % 24 == 0 => format!("{} d", seconds / 86_400),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// How far a clock is from the control plane's, by how many milliseconds it is ahead.
pub(crate) fn drift(ahead_ms: i64) -> String {
    let apart = span(Duration::from_millis(ahead_ms.unsigned_abs()));
    match ahead_ms {
        0 => "agrees with the server's".to_owned(),
        1.. => format!("{apart} ahead of the server's"),
        _ => format!("{apart} behind the server's"),
    }
}

/// A span in its largest unit: `12 s`, `3 min`, `4 h`, `5 d`.
pub(crate) fn rough(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3_600 => format!("{} min", seconds / 60),
        seconds @ 3_600..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// A number of bytes as people say it: `20 KiB`. The units are those of the command line, where `50g` is `50 GiB`.
pub(crate) fn size(bytes: u64) -> String {
    let in_tenths = |shift: u32| {
        let tenths = (u128::from(bytes) * 10) >> shift;
        match tenths % 10 {
            0 => format!("{}", tenths / 10),
            rest => format!("{}.{rest}", tenths / 10),
        }
    };
    match bytes {
        0..1_024 => format!("{bytes} bytes"),
        1_024..1_048_576 => format!("{} KiB", bytes >> 10),
        1_048_576..1_073_741_824 => format!("{} MiB", in_tenths(20)),
        _ => format!("{} GiB", in_tenths(30)),
    }
}

/// What a tenant keeps as artifacts, of what it may.
pub(crate) fn used(artifacts: &ArtifactUse) -> String {
    match artifacts.quota {
        Some(quota) => format!("{} of {}", size(artifacts.bytes), size(quota)),
        None => size(artifacts.bytes),
    }
}

/// A number with its thousands apart: `12 345`.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A count and its noun: `1 job`, `3 jobs`.
pub(crate) fn count(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", number(count))
}

/// The last digits of an id, which tell it from its neighbours.
pub(crate) fn short(id: impl std::fmt::Display) -> String {
    let text = id.to_string();
    text.get(text.len().saturating_sub(8)..).unwrap_or(&text).to_owned()
}

/// A day as it stands in calendars: `21 Nov`.
pub(crate) fn day(at: Timestamp) -> String {
    zoned(at).map_or_else(String::new, |at| at.strftime("%-d %b").to_string())
}

/// A time of the day in UTC: `14:05:09`.
pub(crate) fn clock(at: Timestamp) -> String {
    zoned(at).map_or_else(String::new, |at| at.strftime("%H:%M:%S").to_string())
}

fn zoned(at: Timestamp) -> Option<jiff::Zoned> {
    let millis = i64::try_from(at.as_millis()).ok()?;
    Some(jiff::Timestamp::from_millisecond(millis).ok()?.to_zoned(jiff::tz::TimeZone::UTC))
}

/// The tone and the words of how a job is.
pub(crate) fn state(state: &StateView) -> (Tone, &'static str) {
    match state {
        StateView::Scheduled { .. } => ("waiting", "scheduled"),
        StateView::Blocked { .. } => ("waiting", "blocked"),
        StateView::Ready { .. } => ("waiting", "waiting"),
        StateView::Offered { .. } => ("running", "offered"),
        StateView::Running { cancelling: true, .. } => ("errored", "stopping"),
        StateView::Running { .. } => ("running", "running"),
        StateView::Concluded { conclusion, .. } => self::conclusion(*conclusion),
        _ => ("faint", "unknown"),
    }
}

/// The tone and the words of how a job ended.
pub(crate) fn conclusion(conclusion: Conclusion) -> (Tone, &'static str) {
    let tone = match conclusion {
        Conclusion::Passed => "passed",
        Conclusion::Flaky => "flaky",
        Conclusion::Failed | Conclusion::TimedOut => "failed",
        Conclusion::Errored => "errored",
        _ => "faint",
    };
    (tone, conclusion.words())
}

/// The tone and the words of how an attempt ended, without the message of its fault.
pub(crate) fn outcome(outcome: &Outcome) -> (Tone, &'static str) {
    match outcome {
        Outcome::Passed => ("passed", "passed"),
        Outcome::Failed => ("failed", "failed"),
        Outcome::Errored(_) => ("errored", "errored"),
        Outcome::TimedOut => ("failed", "timed out"),
        Outcome::Cancelled => ("faint", "cancelled"),
        _ => ("errored", "lost"),
    }
}

/// How long a job took or has taken: since when it is in its state.
pub(crate) fn since(line: &JobLine) -> Timestamp {
    match line.state {
        StateView::Ready { since } | StateView::Running { since, .. } => since,
        StateView::Concluded { at, .. } => at,
        _ => line.submitted_at,
    }
}

/// What an event says, in one line.
pub(crate) fn happening(what: &Happening) -> (Tone, String) {
    let after = |after: &Option<Outcome>| {
        after
            .as_ref()
            .map_or_else(String::new, |outcome| format!(", after an attempt that {}", ended(outcome)))
    };
    match what {
        Happening::Scheduled { after: before, ready_at } => {
            ("waiting", format!("scheduled for {}{}", clock(*ready_at), after(before)))
        }
        Happening::Blocked { on } => ("waiting", format!("waits for {}", count(u64::from(*on), "other job"))),
        Happening::Ready { after: before } => ("waiting", format!("waits for a runner{}", after(before))),
        Happening::Offered { .. } => ("running", "offered to a runner".to_owned()),
        Happening::Running { attempt, .. } => ("running", format!("attempt {attempt} runs")),
        Happening::Stopping { reason, .. } => ("errored", format!("told to stop: {}", stop(*reason))),
        Happening::Concluded { conclusion } => {
            let (tone, words) = self::conclusion(*conclusion);
            (tone, format!("ended: {words}"))
        }
        Happening::Opened => ("running", "run opened".to_owned()),
        Happening::Closed => ("faint", "run closed".to_owned()),
        other => ("faint", other.name().to_owned()),
    }
}

fn ended(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed => "failed",
        Outcome::Errored(_) => "errored",
        Outcome::TimedOut => "timed out",
        Outcome::Cancelled => "was cancelled",
        _ => "was lost",
    }
}

fn stop(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Requested => "somebody asked for it",
        StopReason::Deadline => "the attempt took longer than it may",
        StopReason::RunDeadline => "its run took longer than it may",
        StopReason::Drained => "its runner drains",
        _ => "for another reason",
    }
}

/// What keeps a job from every runner.
pub(crate) fn job_obstacle(obstacle: &JobObstacle) -> String {
    match obstacle {
        JobObstacle::Concluded => "It has ended.".into(),
        JobObstacle::Granted => "A runner has it.".into(),
        JobObstacle::RunnerRemoved { runner } => format!("It is pinned to {runner}, which was removed."),
        JobObstacle::RunnerNotInPools { runner } => {
            format!("It is pinned to {runner}, which is in none of its pools.")
        }
        JobObstacle::Suspended => "Its tenant is suspended.".into(),
        JobObstacle::NotDue { ready_at } => format!("It is not due before {} UTC.", clock(*ready_at)),
        JobObstacle::Blocked { on } => format!("It waits for {}.", count(u64::from(*on), "other job")),
        JobObstacle::Hosted { suited: true } => "It waits for its turn on a runner of the operator.".into(),
        JobObstacle::Hosted { .. } => "No runner of the operator is there that may take it.".into(),
        JobObstacle::Concurrency { key, max } => {
            format!("{} with the key {key:?} may run at once, and they do.", count(u64::from(*max), "job"))
        }
        _ => "It is kept back.".into(),
    }
}

/// What keeps a job from every runner of a pool.
pub(crate) fn pool_obstacle(obstacle: &PoolObstacle) -> &'static str {
    match obstacle {
        PoolObstacle::Inactive => "the pool is not active",
        PoolObstacle::Empty => "the pool has no runners",
        PoolObstacle::Draining => "every runner of the pool drains",
        _ => "the pool is kept back",
    }
}

/// What keeps a job from a runner.
pub(crate) fn obstacle(obstacle: &Obstacle) -> String {
    match obstacle {
        Obstacle::Pinned { to } => format!("the job is pinned to {to}"),
        Obstacle::Absent => "not heard of for a while".into(),
        Obstacle::Elsewhere => "served by another control plane".into(),
        Obstacle::Kind => "cannot execute this kind".into(),
        Obstacle::Wanted { label } => format!("lacks the label {label}"),
        Obstacle::Refused { label } => format!("has the label {label}, which the job refuses"),
        Obstacle::Suspended => "the owner of its pool is suspended".into(),
        Obstacle::Inactive => "its pool is not active".into(),
        Obstacle::Draining => "drains or leaves".into(),
        Obstacle::Suspect => "did not confirm an offer in time".into(),
        Obstacle::CrashLoop { until } => {
            format!("started again and again: held back until {} UTC", clock(*until))
        }
        Obstacle::Full => "has no free slot".into(),
        _ => "kept back".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_in_the_unit_that_fits() {
        let told = |seconds| span(Duration::from_secs(seconds));
        assert_eq!(
            [told(5), told(123), told(12_000), told(400_000), told(172_800)],
            ["5.0 s", "2 min 03 s", "3 h 20 min", "4 d 15 h", "2 d"]
        );
        assert_eq!([rough(Duration::from_secs(59)), rough(Duration::from_secs(7_300))], ["59 s", "2 h"]);
        assert_eq!(
            [drift(4_000), drift(-61_000)],
            ["4.0 s ahead of the server's", "1 min 01 s behind the server's"]
        );
        assert_eq!([number(7), number(1_234_567)], ["7", "1\u{202f}234\u{202f}567"]);
        assert_eq!([count(1, "job"), count(0, "job")], ["1 job", "0 jobs"]);
        assert_eq!([size(12), size(20_480), size(3_500_000_000)], ["12 bytes", "20 KiB", "3.2 GiB"]);
        assert_eq!([size(50 << 30), size(u64::MAX)], ["50 GiB", "17179869183.9 GiB"]);
        assert_eq!(clock(Timestamp::from_millis(1_700_000_000_123)), "22:13:20");
        assert_eq!(day(Timestamp::from_millis(1_700_000_000_123)), "14 Nov");
    }
}
