//! How things look: colours where a person reads them, plain text where a program does.
//!
//! `console` decides about colours (a terminal, no `NO_COLOR`, no `TERM=dumb`), separately for the
//! two streams. Results go to standard output, everything else to standard error.

use anyhow::Error;
use console::Style;
use runners_core::{Clock as _, Conclusion, SystemClock, Timestamp};
use serde::Serialize;
use std::{
    io::{IsTerminal as _, Write as _},
    time::Duration,
};

/// Whether somebody watches standard error, so that lines may be redrawn.
pub(crate) fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}

/// Prints a line to standard output. A reader that has gone away is no error.
pub(crate) fn print(line: impl AsRef<str>) {
    let _ = writeln!(std::io::stdout().lock(), "{}", line.as_ref());
}

/// Prints a line to standard error.
pub(crate) fn note(line: impl AsRef<str>) {
    let _ = writeln!(std::io::stderr().lock(), "{}", line.as_ref());
}

/// Prints a value for machines: one line of JSON on standard output, there at once.
pub(crate) fn print_json(value: &impl Serialize) {
    let mut text = serde_json::to_string(value).expect("invariant: what is printed is plain data");
    text.push('\n');
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Prints an error with its causes, each once.
pub(crate) fn print_error(error: &Error) {
    note(format!("{} {}", error_style().apply_to("error:"), chain(error)));
}

/// An error and its causes on one line. A cause that the text before it ends with already is not
/// told again: some libraries repeat theirs.
pub(crate) fn chain(error: &Error) -> String {
    error.chain().fold(String::new(), |mut text, cause| {
        let cause = cause.to_string();
        if !text.ends_with(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
        text
    })
}

/// A span as people say it: `480 ms`, `3.4 s`, `2 min 05 s`.
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 => format!("{} ms", span.as_millis()),
        1..60 => format!("{:.1} s", span.as_secs_f64()),
        _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

/// How long ago a time of the API was, as people say it: `12 s ago`, `3 h ago`. What is no time is
/// shown as it is.
pub(crate) fn ago(time: &str) -> String {
    timestamp(time).map_or_else(|| time.to_owned(), |then| format!("{} ago", rough(now().since(then))))
}

/// The same of a time that is still to come: `in 3 h`.
pub(crate) fn ahead(time: &str) -> String {
    match timestamp(time) {
        Some(then) if then > now() => format!("in {}", rough(then.since(now()))),
        _ => ago(time),
    }
}

/// Whether a time of the API is over.
pub(crate) fn is_past(time: &str) -> bool {
    timestamp(time).is_some_and(|then| then <= now())
}

/// How long it took from one time of the API to another.
pub(crate) fn between(from: &str, to: &str) -> String {
    timestamp(from).zip(timestamp(to)).map(|(from, to)| span(to.since(from))).unwrap_or_default()
}

/// A span in its greatest unit.
fn rough(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn timestamp(time: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = time.parse().ok()?;
    u64::try_from(at.as_millisecond()).ok().map(Timestamp::from_millis)
}

fn now() -> Timestamp {
    SystemClock::default().wall()
}

/// `1 flow`, `3 flows`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// How many checks came to what, for standard error: `✓ 3  ✗ 1`. What none came to is left out.
pub(crate) fn marks(passed: usize, failed: usize, errored: usize) -> String {
    let style = || Style::new().for_stderr();
    let each =
        [(passed, "✓", style().green()), (failed, "✗", style().red()), (errored, "!", style().magenta())];
    let told = each.iter().filter(|(count, ..)| *count > 0);
    told.map(|(count, mark, style)| style.apply_to(format!("{mark} {count}")).to_string())
        .collect::<Vec<_>>()
        .join("  ")
}

/// The mark that stands for a conclusion.
pub(crate) const fn mark(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Passed | Conclusion::Flaky => "✓",
        Conclusion::Cancelled => "–",
        _ => "✗",
    }
}

/// The colour of a conclusion on standard error.
pub(crate) fn conclusion_style(conclusion: Conclusion) -> Style {
    let style = Style::new().for_stderr();
    match conclusion {
        Conclusion::Passed => style.green(),
        Conclusion::Flaky | Conclusion::Cancelled => style.magenta(),
        _ => style.red(),
    }
}

pub(crate) fn error_style() -> Style {
    Style::new().for_stderr().red().bold()
}

pub(crate) fn faint() -> Style {
    Style::new().for_stderr().dim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn a_span_is_told_in_the_units_people_use() {
        assert_eq!(span(Duration::from_millis(480)), "480 ms");
        assert_eq!(span(Duration::from_millis(3400)), "3.4 s");
        assert_eq!(span(Duration::from_secs(125)), "2 min 05 s");
    }

    #[test]
    fn a_time_is_told_by_how_far_it_is() {
        for (seconds, text) in [(59, "59 s"), (3599, "59 min"), (9000, "2 h"), (200_000, "2 d")] {
            assert_eq!(rough(Duration::from_secs(seconds)), text);
        }
        assert!(ago("1994-11-06T08:49:37Z").ends_with(" d ago"));
        assert!(ahead("9994-11-06T08:49:37Z").starts_with("in "));
        assert_eq!(ago("9994-11-06T08:49:37Z"), "0 s ago", "a clock may be ahead");
        assert_eq!((ago("yesterday"), ahead("never")), ("yesterday".to_owned(), "never".to_owned()));
        assert_eq!(between("2026-01-01T00:00:00Z", "2026-01-01T00:02:05.5Z"), "2 min 05 s");
    }

    #[test]
    fn a_cause_is_told_once() {
        let error = anyhow!("the disk is full").context("could not write: the disk is full");
        assert_eq!(chain(&error), "could not write: the disk is full");
        let error = anyhow!("the disk is full").context("could not write");
        assert_eq!(chain(&error), "could not write: the disk is full");
    }
}
