//! What a library of flows is told of a document: its title, its steps in words, and the secrets that
//! it names. A library keeps what can be replayed and nothing else.

use super::{BrowserFlow, Problems, Step};
use runners_core::{Command as _, FlowOutline, FlowReader};

/// How many problems of a document are told.
const PROBLEMS_MAX: usize = 5;

/// Reads recorded flows for a library, and takes documents of other kinds as they are: give it to
/// [`ControlPlaneBuilder::flow_reader`](runners_core::ControlPlaneBuilder::flow_reader).
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to say")]
pub struct RecordedFlows;

impl FlowReader for RecordedFlows {
    fn read(&self, kind: &str, document: &[u8]) -> Result<FlowOutline, String> {
        if kind != BrowserFlow::KIND {
            return Ok(FlowOutline::default());
        }
        let text = std::str::from_utf8(document).map_err(|_| "is no text in UTF-8".to_owned())?;
        let flow = BrowserFlow::parse(text).map_err(|problems| told(&problems))?;
        Ok(FlowOutline {
            title: Some(flow.flow().title.clone()),
            steps: flow.flow().steps.iter().map(Step::description).collect(),
            secrets: flow.secrets(),
        })
    }
}

/// The first problems, and how many there are beside.
fn told(problems: &Problems) -> String {
    let mut told: Vec<String> = problems.iter().take(PROBLEMS_MAX).map(ToString::to_string).collect();
    let more = problems.iter().skip(PROBLEMS_MAX).count();
    told.extend((more > 0).then(|| format!("and {more} more")));
    told.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_flow_is_read_and_another_document_is_not_looked_at() {
        let text = r#"{"title":"shop","steps":[{"type":"navigate","url":"https://example.com"}]}"#;
        let outline = RecordedFlows.read(BrowserFlow::KIND, text.as_bytes()).unwrap();
        assert_eq!((outline.title.as_deref(), outline.steps.len()), (Some("shop"), 1));
        assert!(RecordedFlows.read(BrowserFlow::KIND, b"{}").is_err());
        assert_eq!(RecordedFlows.read("other", b"\xff"), Ok(FlowOutline::default()));
    }
}
