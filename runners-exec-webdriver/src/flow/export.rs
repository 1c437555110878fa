//! A flow as the Recorder panel opens it: what only this project knows is taken out, and said.

use super::{BrowserFlow, problem::Problem};
use serde_json::{Map, Value};

/// Members of a document, and of a step, that are of this project alone.
const OURS_OF_FLOW: &[&str] = &["$schema", "runners"];
const OURS_OF_STEP: &[&str] = &["id", "name", "optional", "retries", "screenshot"];

/// A flow for the Recorder panel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportedFlow {
    /// The JSON document.
    pub document: String,
    /// What the panel will do otherwise, by places of the flow as it was.
    pub losses: Vec<Problem>,
}

impl BrowserFlow {
    /// The flow as the Recorder panel of Chrome opens it.
    #[must_use]
    pub fn export(&self) -> ExportedFlow {
        let mut document: Value =
            serde_json::from_str(self.document()).expect("invariant: a flow was read from this document");
        let mut losses = Vec::new();
        if let Some(members) = document.as_object_mut() {
            take_out(members, OURS_OF_FLOW, "", &mut losses);
        }
        let steps = document.get_mut("steps").and_then(Value::as_array_mut).into_iter().flatten();
        for (index, step) in steps.enumerate() {
            let pointer = format!("/steps/{index}");
            if step["type"] == "customStep" {
                let message = format!("the panel skips the custom step {}", step["name"]);
                losses.push(Problem::new(format!("{pointer}/name"), message, ""));
                continue;
            }
            if let Some(members) = step.as_object_mut() {
                take_out(members, OURS_OF_STEP, &pointer, &mut losses);
            }
            if step.to_string().contains("${") {
                let message = "the panel fills in no secret and no parameter";
                losses.push(Problem::new(pointer, message, "write the value in by hand"));
            }
        }
        ExportedFlow { document: format!("{document:#}\n"), losses }
    }
}

fn take_out(members: &mut Map<String, Value>, ours: &[&str], pointer: &str, losses: &mut Vec<Problem>) {
    for name in ours {
        // Where a schema is published changes nothing of what a flow does.
        if members.remove(*name).is_some() && *name != "$schema" {
            let message = format!("the panel does not know `{name}`");
            losses.push(Problem::new(format!("{pointer}/{name}"), message, ""));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_panel_does_not_know_is_taken_out_and_said() {
        let document = json!({
            "$schema": "x", "title": "t", "runners": { "mode": "compat" }, "timeout": 1000,
            "steps": [
                { "type": "navigate", "url": "https://example.com/", "id": "first" },
                { "type": "change", "selectors": ["#a"], "value": "${secret:a}" },
                { "type": "customStep", "name": "runners.assertText", "parameters": { "selectors": ["#a"], "text": "x" } },
            ],
        });
        let exported = BrowserFlow::parse(&document.to_string()).unwrap().export();
        let written: Value = serde_json::from_str(&exported.document).unwrap();
        assert_eq!(written["steps"][0], json!({ "type": "navigate", "url": "https://example.com/" }));
        assert_eq!(written["steps"][2], document["steps"][2], "a custom step stays as it is");
        assert_eq!((&written["runners"], &written["timeout"]), (&Value::Null, &json!(1000)));
        let places: Vec<_> = exported.losses.iter().map(|loss| loss.pointer.as_str()).collect();
        assert_eq!(places, ["/runners", "/steps/0/id", "/steps/1", "/steps/2/name"]);
        BrowserFlow::parse(&exported.document).unwrap();
    }

    #[test]
    fn a_recording_is_exported_as_it_was() {
        let document = json!({ "title": "t", "steps": [{ "type": "scroll", "x": 1, "unknown": true }] });
        let exported = BrowserFlow::parse(&document.to_string()).unwrap().export();
        assert_eq!(serde_json::from_str::<Value>(&exported.document).unwrap(), document);
        assert!(exported.losses.is_empty());
    }
}
