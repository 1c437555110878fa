//! How things look: colours where a person reads them, plain text where a program does.
//!
//! `console` decides about colours (a terminal, no `NO_COLOR`, no `TERM=dumb`), separately for the
//! two streams. Results go to standard output, everything else to standard error.

use anyhow::Error;
use console::Style;
use runners_core::Conclusion;
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

/// `1 flow`, `3 flows`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// How many checks came to what, for standard error: `✓ 3  ✗ 1`. What none came to is left out.
pub(crate) fn marks(passed: usize, failed: usize, errored: usize) -> String {
    let style = || Style::new().for_stderr();
    let each =
        [(passed, "✓", style().green()), (failed, "✗", style().red()), (errored, "!", style().yellow())];
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
        Conclusion::Flaky | Conclusion::Cancelled => style.yellow(),
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
    fn a_cause_is_told_once() {
        let error = anyhow!("the disk is full").context("could not write: the disk is full");
        assert_eq!(chain(&error), "could not write: the disk is full");
        let error = anyhow!("the disk is full").context("could not write");
        assert_eq!(chain(&error), "could not write: the disk is full");
    }
}
