//! How recorded steps are written: as the document of a flow, checked as every flow is.

use super::told::{Dialog, Size};
use crate::flow::BrowserFlow;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The document of a flow. It is `strict`: what was recorded is to be so.
pub(super) fn document<'s>(
    title: &str,
    secrets: &BTreeSet<String>,
    steps: impl Iterator<Item = &'s Value>,
) -> Value {
    let mut runners = json!({ "mode": "strict" });
    if !secrets.is_empty() {
        let declared = secrets.iter().map(|name| (name.clone(), json!({ "secret": true })));
        runners["params"] = Value::Object(declared.collect::<Map<_, _>>());
    }
    json!({ "title": title, "runners": runners, "steps": steps.collect::<Vec<_>>() })
}

/// What a step does in one line, or what is wrong with it.
pub(super) fn description(step: &Value, secrets: &BTreeSet<String>) -> Result<String, String> {
    let document = document("", secrets, std::iter::once(step));
    let flow = BrowserFlow::parse(&document.to_string()).map_err(|problems| problems.to_string())?;
    Ok(flow.flow().steps.first().map(crate::flow::Step::description).unwrap_or_default())
}

/// The place of a secret in a value.
pub(super) fn place_of_secret(name: &str) -> String {
    format!("${{params.{name}}}")
}

/// The place of a step: its page, unless that is the main one, and its frame.
pub(super) fn placed(mut step: Value, target: Option<&str>, frame: &[usize]) -> Value {
    if let Some(target) = target {
        step["target"] = json!(target);
    }
    if !frame.is_empty() {
        step["frame"] = json!(frame);
    }
    step
}

pub(super) fn viewport(size: Size) -> Value {
    json!({
        "type": "setViewport", "width": number(size.width), "height": number(size.height),
        "deviceScaleFactor": number(size.scale),
        "isMobile": false, "hasTouch": false, "isLandscape": size.width > size.height,
    })
}

/// A number as people write it: without a fraction of nothing.
#[expect(clippy::cast_possible_truncation, reason = "only what has no fraction and is small")]
fn number(number: f64) -> Value {
    let is_whole = number.fract() == 0.0 && number.abs() < f64::from(i32::MAX);
    if is_whole { json!(number as i64) } else { json!(number) }
}

pub(super) fn dialog(dialog: &Dialog) -> Value {
    let mut parameters = json!({ "accept": dialog.accept, "message": dialog.message });
    if let Some(value) = dialog.value.as_ref().filter(|_| dialog.accept) {
        parameters["value"] = json!(value);
    }
    custom("runners.dialog", &parameters)
}

pub(super) fn custom(name: &str, parameters: &Value) -> Value {
    json!({ "type": "customStep", "name": name, "parameters": parameters })
}

/// Says where the navigation ends that a step causes.
pub(super) fn assert_navigation(step: &mut Value, url: &str, title: Option<&str>) {
    let mut event = json!({ "type": "navigation", "url": url });
    if let Some(title) = title.filter(|title| !title.is_empty()) {
        event["title"] = json!(title);
    }
    step["assertedEvents"] = json!([event]);
}
