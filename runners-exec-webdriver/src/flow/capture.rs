//! What a document asks to be kept of its replay: `runners.capture`, a list of words.

use super::{problem::Problem, reader::Reader};
use crate::evidence::Capture;
use serde_json::Value;

/// Reads it; nothing is asked for if it is absent.
pub(super) fn capture(runners: Option<&Reader<'_>>, problems: &mut Vec<Problem>) -> Capture {
    let Some((runners, given)) = runners.and_then(|runners| Some((runners, runners.get("capture")?))) else {
        return Capture::NOTHING;
    };
    let Some(words) = given.as_array() else {
        runners.wrong("capture", "an array", problems);
        return Capture::NOTHING;
    };
    let mut capture = Capture::NOTHING;
    for (index, word) in words.iter().enumerate() {
        match word.as_str().filter(|word| Capture::WORDS.contains(word)) {
            Some(word) => capture = capture.with(word),
            None => problems.push(unknown(&format!("{}/{index}", runners.at("capture")), word)),
        }
    }
    capture
}

fn unknown(pointer: &str, word: &Value) -> Problem {
    let hint = format!("use {}", Capture::WORDS.join(", "));
    Problem::new(pointer, format!("{word} is nothing that can be kept"), hint)
}

#[cfg(test)]
mod tests {
    use crate::{BrowserFlow, Capture};
    use serde_json::json;

    #[test]
    fn what_is_to_be_kept_is_named_and_what_cannot_be_is_told() {
        let read = |capture| {
            let runners = json!({ "capture": capture });
            BrowserFlow::parse(&json!({ "title": "t", "steps": [], "runners": runners }).to_string())
        };
        let capture = read(json!(["frames", "bodies"])).unwrap().flow().capture;
        assert!(capture.frames && capture.bodies && capture.journal && !capture.video);
        assert_eq!(read(json!([])).unwrap().flow().capture, Capture::NOTHING);
        let problem = read(json!(["frames", "smells"])).unwrap_err().to_string();
        assert!(problem.contains("/runners/capture/1: \"smells\" is nothing that can be kept"), "{problem}");
        assert!(read(json!("frames")).unwrap_err().to_string().contains("/runners/capture"));
    }
}
