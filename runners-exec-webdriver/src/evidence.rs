//! What the browser does beside the steps: its console, what nobody caught, its requests, and what
//! the screen showed. Listened to while a flow is replayed, over the DevTools protocol or, without bodies,
//! over WebDriver BiDi; where a browser speaks neither, a flow leaves what it left before. What the screen
//! shows is taken from its live view. Pictures of steps are the replay's own.

mod bidi;
mod capture;
mod console;
mod film;
mod filming;
mod har;
mod journal;
mod network;
mod reel;
mod video;
mod watch;
pub(crate) mod wire;

pub(crate) use capture::CaptureSignals;
pub use capture::{Capture, StartCapture, StopCapture};
pub(crate) use filming::Filming;
pub(crate) use reel::is_pictures;
pub(crate) use watch::Watch;

use crate::flow::one_line;
use runners_core::Redactor;

/// What stands where a text was cut.
const CUT: char = '…';

/// A text of the page as it may be told: without secrets, and with at most so many bytes. What is cut
/// is cut after the secrets are out, so that no beginning of one stays.
pub(crate) fn told(redactor: &Redactor, text: &str, bytes_max: usize) -> String {
    let mut told = if text.len() <= bytes_max {
        redactor.redact(text)
    } else {
        redactor.redact_cut(&text[..boundary(text, bytes_max)])
    };
    if told.len() > bytes_max {
        told.truncate(boundary(&told, bytes_max));
    }
    if told.len() < text.len() && text.len() > bytes_max {
        told.push(CUT);
    }
    told
}

/// What the page says, in one line with at most so many characters. What is cut is cut after the secrets are out; what
/// the page has cut already ends with a sign, and loses before that what may be the beginning of one.
pub(crate) fn told_line(redactor: &Redactor, text: &str, characters_max: usize) -> String {
    let whole = redactor.redact(text);
    let mut parts = whole.split(CUT).rev();
    let last = parts.next().unwrap_or_default().to_owned();
    let line = parts.fold(last, |after, part| format!("{}{CUT}{after}", redactor.redact_cut(part)));
    one_line(&line, characters_max)
}

/// The last place up to `at` where a text can be cut.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_cut_within_a_secret_keeps_no_part_of_it() {
        let redactor = Redactor::new(["hunter2!"]);
        assert_eq!(told(&redactor, "the word is hunter2!", 100), "the word is ***");
        let cut = told(&redactor, "the word is hunter2! and more", 16);
        assert_eq!(cut, "the word is …");
        assert_eq!(told(&redactor, "ééé", 3), "é…", "at a character");
    }

    #[test]
    fn a_line_that_is_cut_within_a_secret_keeps_no_part_of_it() {
        let redactor = Redactor::new(["hunter2!", "a… b"]);
        assert_eq!(told_line(&redactor, "the word\n is hunter2!", 100), "the word is ***");
        assert_eq!(told_line(&redactor, "the word is hunter2!", 16), "the word is ***");
        assert_eq!(told_line(&redactor, "the word is hunter2! and more", 16), "the word is ***…");
        assert_eq!(told_line(&redactor, "\"is hunt…\" and not \"hunter…\"", 100), "\"is …\" and not \"…\"");
        assert_eq!(told_line(&redactor, "is a… b and a… c", 100), "is *** and … c");
    }
}
