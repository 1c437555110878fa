//! How recorded steps are written: as the document of a flow, checked as every flow is.

use super::told::{Dialog, Size};
use crate::flow::{BrowserFlow, PARAMETER_OPEN, literal_value};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The parameter whose value is a dollar sign: where a text looks like the place of a parameter, it stands for its
/// first character. No secret that a page names is called so.
const DOLLAR: &str = "text.dollar";

/// The document of a flow. It is `strict`: what was recorded is to be so.
pub(super) fn document<'s>(
    title: &str,
    secrets: &BTreeSet<String>,
    steps: impl Iterator<Item = &'s Value>,
) -> Value {
    let mut runners = json!({ "mode": "strict" });
    let steps: Vec<_> = steps.collect();
    let declared = secrets.iter().map(|name| (name.clone(), json!({ "secret": true })));
    let mut declared: Map<_, _> = declared.collect();
    if steps.iter().any(|step| step.to_string().contains(&place_of(DOLLAR))) {
        declared.insert(DOLLAR.to_owned(), json!({ "default": "$" }));
    }
    if !declared.is_empty() {
        runners["params"] = Value::Object(declared);
    }
    json!({ "title": title, "runners": runners, "steps": steps })
}

/// What a step does in one line, or what is wrong with it.
pub(super) fn description(step: &Value, secrets: &BTreeSet<String>) -> Result<String, String> {
    let document = document("", secrets, std::iter::once(step));
    let flow = BrowserFlow::parse(&document.to_string()).map_err(|problems| problems.to_string())?;
    Ok(flow.flow().steps.first().map(crate::flow::Step::description).unwrap_or_default())
}

/// The place of a secret in a value.
pub(super) fn place_of_secret(name: &str) -> String {
    place_of(name)
}

fn place_of(parameter: &str) -> String {
    format!("{PARAMETER_OPEN}{parameter}}}")
}

/// A step whose texts are what they say, as a page tells them: none is the place of anything.
pub(super) fn literal(mut step: Value) -> Value {
    let is_typed = match step["type"].as_str() {
        Some("change") => step.get_mut("value"),
        Some("customStep") if step["name"] == "runners.dialog" => step["parameters"].get_mut("value"),
        _ => None,
    };
    if let Some(Value::String(value)) = is_typed {
        *value = literal_value(value);
    }
    texts(&mut step, &|text| *text = literal_text(text));
    step
}

fn literal_text(text: &str) -> String {
    text.replace(PARAMETER_OPEN, &format!("{}{}", place_of(DOLLAR), &PARAMETER_OPEN[1..]))
}

/// A step in which there are no places of parameters but those that were written here.
pub(super) fn without_parameters(mut step: Value) -> Value {
    let ours = place_of(DOLLAR);
    texts(&mut step, &|text| {
        *text = text.split(&ours).map(literal_text).collect::<Vec<_>>().join(&ours);
    });
    step
}

/// Changes every text in a value.
fn texts(value: &mut Value, change: &impl Fn(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(all) => all.iter_mut().for_each(|one| texts(one, change)),
        Value::Object(members) => members.values_mut().for_each(|one| texts(one, change)),
        _ => {}
    }
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
pub(super) fn assert_navigation(step: &mut Value, url: &str) {
    step["assertedEvents"] = json!([{ "type": "navigation", "url": literal_text(url) }]);
}

/// Says what the page is called where it ends.
pub(super) fn assert_title(step: &mut Value, title: &str) {
    let Some(event) = step["assertedEvents"][0].as_object_mut() else { return };
    event.remove("title");
    if !title.is_empty() {
        event.insert("title".to_owned(), json!(literal_text(title)));
    }
}
