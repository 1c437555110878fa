//! A job's history: as one bar, by what it did when, and as a list.

use crate::words;
use maud::{Markup, html};
use runners_core::{Event, Happening, Timestamp};
use std::time::Duration;

/// How many events are listed: the latest.
const EVENTS_MAX: usize = 100;

/// A part of the bar.
struct Part {
    tone: &'static str,
    words: &'static str,
    from: f64,
    share: f64,
    took: Duration,
}

/// The history of a job that was submitted at `submitted_at`.
pub(crate) fn show(now: Timestamp, submitted_at: Timestamp, events: &[Event]) -> Markup {
    let parts = parts(now, submitted_at, events);
    let told: Vec<String> =
        parts.iter().map(|part| format!("{} {}", part.words, words::span(part.took))).collect();
    let skipped = events.len().saturating_sub(EVENTS_MAX);
    html! {
        @if !parts.is_empty() {
            svg.timeline role="img" aria-label=(told.join(", then ")) viewBox="0 0 100 6" preserveAspectRatio="none" {
                @for part in &parts {
                    rect class=(part.tone) x={ (format!("{:.2}", part.from)) } width={ (format!("{:.2}", part.share)) } height="6" {
                        title { (part.words) " " (words::span(part.took)) }
                    }
                }
            }
        }
        ol.history {
            @if skipped > 0 { li.faint { (words::count(skipped as u64, "earlier event")) } }
            @for event in events.iter().skip(skipped) {
                @let (tone, what) = words::happening(&event.what);
                li class=(tone) {
                    time datetime=(event.at) title=(event.at) { (words::clock(event.at)) }
                    span.dot {}
                    span { (what) }
                }
            }
        }
    }
}

fn parts(now: Timestamp, submitted_at: Timestamp, events: &[Event]) -> Vec<Part> {
    let ended = events.iter().rev().find(|event| matches!(event.what, Happening::Concluded { .. }));
    let end = ended.map_or(now, |event| event.at);
    let whole = end.since(submitted_at).as_secs_f64();
    if whole <= 0.0 {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (at, event) in events.iter().enumerate() {
        let (tone, words) = match event.what {
            Happening::Scheduled { .. } | Happening::Blocked { .. } => ("faint", "apart"),
            Happening::Ready { .. } => ("waiting", "waiting"),
            Happening::Offered { .. } => ("flaky", "offered"),
            Happening::Running { .. } => ("running", "running"),
            Happening::Stopping { .. } => ("errored", "stopping"),
            _ => continue,
        };
        let until = events.get(at + 1).map_or(end, |next| next.at);
        let took = until.since(event.at);
        let from = event.at.since(submitted_at).as_secs_f64() / whole * 100.0;
        let share = (took.as_secs_f64() / whole * 100.0).max(0.5);
        found.push(Part { tone, words, from: from.min(99.5), share, took });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use runners_core::{Conclusion, RunnerId};

    #[test]
    fn the_bar_says_how_long_each_part_took() {
        let at = |seconds: u64, what| Event {
            job: None,
            run: None,
            sequence: 0,
            at: Timestamp::from_millis(seconds * 1_000),
            what,
        };
        let runner = RunnerId::from_bytes([1; 16]);
        let events = [
            at(0, Happening::Ready { after: None }),
            at(5, Happening::Running { grant: 1, attempt: 1, runner }),
            at(20, Happening::Concluded { conclusion: Conclusion::Passed }),
        ];
        let shown = show(Timestamp::from_millis(99_000), Timestamp::from_millis(0), &events).0;
        assert!(shown.contains("waiting 5.0 s, then running 15.0 s"), "{shown}");
        assert!(shown.contains("width=\"75.00\""), "{shown}");
    }
}
