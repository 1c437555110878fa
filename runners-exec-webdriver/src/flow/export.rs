//! A flow as the Recorder panel opens it: what only this project knows is taken out, and said.

use super::{BrowserFlow, include::USE, problem::Problem};
use serde_json::{Map, Value, json};

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
        let flows = document["runners"]["flows"].take();
        if let Some(members) = document.as_object_mut() {
            members.retain(|name, value| name != "runners" || *value != json!({ "flows": null }));
            take_out(members, OURS_OF_FLOW, "", &mut losses);
        }
        let (list, mut steps) = (document["steps"].take(), Vec::new());
        write_out(&list, "/steps", &flows, &mut steps, &mut losses);
        document["steps"] = steps.into();
        ExportedFlow { document: format!("{document:#}\n"), losses }
    }
}

/// Writes steps as the panel knows them, those of a flow that is used in the place of the step that uses it.
fn write_out(list: &Value, at: &str, flows: &Value, steps: &mut Vec<Value>, losses: &mut Vec<Problem>) {
    for (index, step) in list.as_array().into_iter().flatten().enumerate() {
        let pointer = format!("{at}/{index}");
        let mut step = step.clone();
        if step["type"] == "customStep" {
            if let (true, Some(name)) = (step["name"] == USE, step["parameters"]["flow"].as_str()) {
                let inside = format!("/runners/flows/{}/steps", name.replace('~', "~0").replace('/', "~1"));
                write_out(&flows[name]["steps"], &inside, flows, steps, losses);
                continue;
            }
            let message = format!("the panel skips the custom step {}", step["name"]);
            losses.push(Problem::new(format!("{pointer}/name"), message, ""));
            steps.push(step);
            continue;
        }
        if let Some(members) = step.as_object_mut() {
            take_out(members, OURS_OF_STEP, &pointer, losses);
        }
        if step.to_string().contains("${") {
            let message = "the panel fills in no secret and no parameter";
            losses.push(Problem::new(pointer, message, "write the value in by hand"));
        }
        steps.push(step);
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
    fn the_steps_of_a_flow_that_is_used_take_the_place_of_its_use() {
        let uses = |name: &str| json!({ "type": "customStep", "name": "runners.use", "parameters": { "flow": name } });
        let scroll = |x: u32| json!({ "type": "scroll", "x": x, "y": 1 });
        let flows = json!({
            "a": { "steps": [uses("b/c"), scroll(2)] },
            "b/c": { "steps": [{ "type": "scroll", "x": 1, "y": 1, "id": "mine" }] },
        });
        let document = json!({ "title": "t", "runners": { "flows": flows }, "steps": [uses("a"), scroll(3), uses("b/c")] });
        let exported = BrowserFlow::parse(&document.to_string()).unwrap().export();
        let written: Value = serde_json::from_str(&exported.document).unwrap();
        assert_eq!(written, json!({ "title": "t", "steps": [scroll(1), scroll(2), scroll(3), scroll(1)] }));
        let places: Vec<_> = exported.losses.iter().map(|loss| loss.pointer.as_str()).collect();
        assert_eq!(places, ["/runners/flows/b~1c/steps/0/id"; 2]);
    }

    #[test]
    fn a_recording_is_exported_as_it_was() {
        let document = json!({ "title": "t", "steps": [{ "type": "scroll", "x": 1, "unknown": true }] });
        let exported = BrowserFlow::parse(&document.to_string()).unwrap().export();
        assert_eq!(serde_json::from_str::<Value>(&exported.document).unwrap(), document);
        assert!(exported.losses.is_empty());
    }
}
