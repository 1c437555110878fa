//! Charts: drawn on the server, as pictures whose words say the same.

use crate::{
    history::{Day, Ended, Figures, MINUTES},
    words,
};
use maud::{Markup, html};
use std::time::Duration;

/// The size that charts are drawn in; the style stretches them.
const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 72.0;

/// How many jobs waited over the last hour.
pub(crate) fn queue_depth(figures: &Figures) -> Markup {
    let now = figures.waiting.last().copied().unwrap_or_default();
    let most = figures.waiting.iter().copied().max().unwrap_or_default();
    let says = format!("{now} jobs wait now; over the last hour it was {most} at most");
    let svg = html! { (area("waiting", &figures.waiting, f64::from(most.max(4)))) };
    chart(
        "Waiting",
        &format!("most {}", words::number(u64::from(most))),
        &says,
        &svg,
        Some(("60 min ago", "now")),
    )
}

/// How many slots were in use over the last hour, below how many there are now.
pub(crate) fn slot_use(figures: &Figures, slots: u32) -> Markup {
    let now = figures.running.last().copied().unwrap_or_default();
    let most = figures.running.iter().copied().max().unwrap_or_default();
    let top = f64::from(most.max(slots).max(2)) * 1.05;
    let says = format!("{now} of {slots} slots are in use; over the last hour it was {most} at most");
    let line = HEIGHT - f64::from(slots) / top * HEIGHT;
    let svg = html! {
        (area("running", &figures.running, top))
        @if slots > 0 { line.limit x1="0" x2=(WIDTH) y1=(one(line)) y2=(one(line)) {} }
    };
    chart("Slots in use", &words::count(u64::from(slots), "slot"), &says, &svg, Some(("60 min ago", "now")))
}

/// How long the last attempts took, each a bar in the tone of what became of it.
pub(crate) fn durations(figures: &Figures) -> Markup {
    let ended = &figures.ended;
    let longest = ended.iter().map(|ended| ended.took).max().unwrap_or_default();
    let median = median(ended);
    let says = format!(
        "the last {} attempts took {} in the middle, {} at most",
        ended.len(),
        words::span(median),
        words::span(longest)
    );
    let slot = WIDTH / crate::history::ENDED_MAX as f64;
    let from = WIDTH - slot * ended.len() as f64;
    let svg = html! {
        @for (at, ended) in ended.iter().enumerate() {
            @let height = (ended.took.as_secs_f64() / longest.as_secs_f64().max(0.001) * HEIGHT).max(1.5);
            rect class={ "bar " (words::conclusion(ended.conclusion).0) } x=(one(from + slot * at as f64)) y=(one(HEIGHT - height))
                width=(one(slot * 0.78)) height=(one(height)) {}
        }
    };
    let note =
        if ended.is_empty() { "none yet".to_owned() } else { format!("median {}", words::span(median)) };
    chart("Durations", &note, &says, &svg, Some(("earlier", "latest")))
}

/// What became of the newest jobs by day.
pub(crate) fn pass_rate(figures: &Figures) -> Markup {
    let days = &figures.days;
    let rate = rate(days);
    let most = days.iter().map(Day::total).max().unwrap_or(1).max(1);
    let slot = (WIDTH / days.len().max(7) as f64).min(WIDTH / 7.0);
    let from = WIDTH - slot * days.len() as f64;
    let svg = html! {
        @for (at, day) in days.iter().enumerate() {
            @for (tone, count, below) in day.stacked() {
                @let height = f64::from(count) / f64::from(most) * HEIGHT;
                @let top = HEIGHT - f64::from(below + count) / f64::from(most) * HEIGHT;
                rect class={ "bar " (tone) } x=(one(from + slot * at as f64)) y=(one(top)) width=(one(slot * 0.82)) height=(one(height)) {}
            }
        }
    };
    let told: Vec<String> = days.iter().map(Day::told).collect();
    let says = format!(
        "what became of the last jobs by day: {}",
        if told.is_empty() { "none yet".into() } else { told.join("; ") }
    );
    let note = rate.map_or_else(|| "none yet".to_owned(), |rate| format!("{rate} % passed"));
    let first = days.first().map(|day| words::day(day.begins_at)).unwrap_or_default();
    let first = if days.len() >= 7 { first } else { String::new() };
    chart("By day", &note, &says, &svg, Some((&first, "today")))
}

impl Day {
    fn total(&self) -> u32 {
        self.passed + self.flaky + self.failed + self.errored
    }

    /// Each count, its tone, and how many are below it.
    fn stacked(&self) -> impl Iterator<Item = (&'static str, u32, u32)> {
        let counts = [
            ("passed", self.passed),
            ("flaky", self.flaky),
            ("failed", self.failed),
            ("errored", self.errored),
        ];
        counts.into_iter().scan(0, |below, (tone, count)| {
            let here = *below;
            *below += count;
            Some((tone, count, here))
        })
    }

    fn told(&self) -> String {
        let Self { begins_at, passed, flaky, failed, errored } = self;
        format!(
            "{}: {passed} passed, {flaky} flaky, {failed} failed, {errored} errored",
            words::day(*begins_at)
        )
    }
}

/// How many in a hundred passed, at the first or a later attempt, of those that reached a verdict.
pub(crate) fn rate(days: &[Day]) -> Option<u32> {
    let passed: u32 = days.iter().map(|day| day.passed + day.flaky).sum();
    let all = passed + days.iter().map(|day| day.failed).sum::<u32>();
    (all > 0).then(|| u32::try_from(u64::from(passed) * 100 / u64::from(all)).unwrap_or_default())
}

fn median(ended: &[Ended]) -> Duration {
    let mut spans: Vec<Duration> = ended.iter().map(|ended| ended.took).collect();
    spans.sort_unstable();
    spans.get(spans.len() / 2).copied().unwrap_or_default()
}

fn chart(title: &str, note: &str, says: &str, svg: &Markup, axis: Option<(&str, &str)>) -> Markup {
    html! {
        figure.chart {
            figcaption { b { (title) } span.faint { (note) } }
            svg role="img" aria-label=(says) viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" { (svg) }
            @if let Some((from, to)) = axis { p.axis aria-hidden="true" { span { (from) } span { (to) } } }
        }
    }
}

/// A line with the area below it.
fn area(tone: &str, values: &[u32], top: f64) -> Markup {
    let step = WIDTH / (MINUTES - 1) as f64;
    let mut line = String::new();
    for (at, value) in values.iter().enumerate() {
        let y = HEIGHT - f64::from(*value) / top * (HEIGHT - 2.0) - 1.0;
        line.push_str(&format!("{}{},{}", if at == 0 { "M" } else { " L" }, one(step * at as f64), one(y)));
    }
    let below = format!("{line} L{WIDTH},{HEIGHT} L0,{HEIGHT} Z");
    html! {
        @if !values.is_empty() {
            path class={ "area " (tone) } d=(below) {}
            path class={ "line " (tone) } d=(line) {}
        }
    }
}

/// A coordinate with one digit behind the point.
fn one(number: f64) -> String {
    format!("{number:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use runners_core::{Conclusion, Timestamp};

    #[test]
    fn a_chart_says_in_words_what_it_shows() {
        let day = Day { begins_at: Timestamp::from_millis(0), passed: 3, failed: 1, ..Day::default() };
        let ended = Ended { took: Duration::from_secs(2), conclusion: Conclusion::Passed };
        let figures =
            Figures { waiting: vec![0, 7, 2], running: vec![1; 3], ended: vec![ended], days: vec![day] };
        assert!(queue_depth(&figures).0.contains("2 jobs wait now; over the last hour it was 7 at most"));
        assert!(slot_use(&figures, 4).0.contains("1 of 4 slots are in use"));
        assert!(durations(&figures).0.contains("2.0 s in the middle"));
        assert!(pass_rate(&figures).0.contains("1 Jan: 3 passed, 0 flaky, 1 failed, 0 errored"));
        assert_eq!(rate(&figures.days), Some(75));
    }

    #[test]
    fn nothing_yet_is_drawn_as_nothing() {
        let figures = Figures::default();
        assert!(!queue_depth(&figures).0.contains("<path"));
        assert!(!durations(&figures).0.contains("<rect"));
        assert_eq!(rate(&[]), None);
    }
}
