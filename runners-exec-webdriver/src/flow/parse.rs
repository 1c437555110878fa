//! Reads a flow document: every rule of the format, every violation of it at once.

use super::{
    Flow, Mode,
    baselines::baselines,
    capture::capture,
    emulation::{network, viewport},
    extension::{Extension, custom_step},
    include::Steps,
    members::{of_document, of_runners, of_step, of_texts},
    parameters::declared,
    problem::Problem,
    reader::{Reader, kind},
    selector::{Chain, Selector, Selectors},
    step::{Action, AssertedNavigation, Click, Device, Operator, Step, WaitForElement},
};
use serde_json::{Map, Value};
use std::time::Duration;

pub(super) const BUTTONS: &[&str] = &["primary", "auxiliary", "secondary", "back", "forward"];
pub(super) const DEVICES: &[&str] = &["mouse", "pen", "touch"];
pub(super) const MODES: &[&str] = &["compat", "strict"];
pub(super) const OPERATORS: &[&str] = &[">=", "==", "<="];
pub(super) const TYPES: &[&str] = &[
    "change",
    "click",
    "close",
    "customStep",
    "doubleClick",
    "emulateNetworkConditions",
    "hover",
    "keyDown",
    "keyUp",
    "navigate",
    "scroll",
    "setViewport",
    "waitForElement",
    "waitForExpression",
];

/// Reads a document. A flow comes back only if there is no problem.
pub(super) fn flow(document: &Value, problems: &mut Vec<Problem>) -> Option<Flow> {
    let Some(members) = document.as_object() else {
        let message = format!("a flow must be an object, and this is {}", kind(document));
        problems.push(Problem::new("", message, "write {\"title\": \"…\", \"steps\": []}"));
        return None;
    };
    let reader = Reader::new(members, "");
    let title = reader.required_string("title", problems);
    if reader.get("timeout").is_some_and(|timeout| !timeout.is_number()) {
        reader.wrong("timeout", "a number of milliseconds", problems);
    }
    let timeout = timeout(&reader, problems);
    let runners = runners(&reader, problems);
    let mode = mode(runners.as_ref(), problems);
    let parameters = runners.as_ref().map(|runners| declared(runners, problems)).unwrap_or_default();
    let steps = steps(&reader, Steps::new(&parameters, runners.as_ref()), problems);
    let capture = capture(runners.as_ref(), problems);
    let baselines = baselines(runners.as_ref(), problems);
    let title = title.unwrap_or_default();
    let doubts = of_document(members);
    problems.is_empty().then_some(Flow {
        title,
        timeout,
        steps,
        mode,
        parameters,
        capture,
        baselines,
        doubts,
    })
}

/// What is written for this replayer is meant as it says.
fn mode(runners: Option<&Reader<'_>>, problems: &mut Vec<Problem>) -> Mode {
    let Some(runners) = runners else { return Mode::Compat };
    if runners.choice("mode", MODES, problems) == Some(0) { Mode::Compat } else { Mode::Strict }
}

fn runners<'v>(flow: &Reader<'v>, problems: &mut Vec<Problem>) -> Option<Reader<'v>> {
    let members = flow.get("runners")?.as_object();
    if members.is_none() {
        flow.wrong("runners", "an object", problems);
    }
    let runners = Reader::new(members?, "/runners");
    of_runners(&runners, problems);
    Some(runners)
}

fn steps(flow: &Reader<'_>, read: Steps<'_>, problems: &mut Vec<Problem>) -> Vec<Step> {
    let Some(steps) = flow.get("steps") else {
        flow.missing("steps", "write an array of steps; it may be empty", problems);
        return Vec::new();
    };
    let Some(steps) = steps.as_array() else {
        flow.wrong("steps", "an array", problems);
        return Vec::new();
    };
    if steps.len() > Flow::STEPS_MAX {
        let message = format!("{} steps are more than the limit of {}", steps.len(), Flow::STEPS_MAX);
        problems.push(Problem::new("/steps", message, "split the flow"));
        return Vec::new();
    }
    read.of(steps, problems)
}

pub(super) fn step(value: &Value, pointer: String, problems: &mut Vec<Problem>) -> Option<Step> {
    let Some(members) = value.as_object() else {
        let message = format!("a step must be an object, and this is {}", kind(value));
        problems.push(Problem::new(pointer, message, "such as {\"type\": \"close\"}"));
        return None;
    };
    let reader = Reader::new(members, pointer);
    let name = reader.required_string("type", problems);
    let mut doubts = of_step(&reader, problems);
    of_texts(value, reader.pointer(), &mut doubts);
    let timeout = timeout(&reader, problems);
    let asserted_navigations = asserted_events(&reader, problems);
    let frame = frame(&reader, problems);
    let (id, optional, retries) = ours(&reader, problems);
    let screenshot = reader.get("screenshot").and_then(Value::as_bool).unwrap_or(false);
    let action = action(&name?, &reader, problems)?;
    let pointer = reader.pointer().to_owned();
    if asserts_over_dialog(&action, &asserted_navigations) {
        let hint = "leave it out, and look at the address with runners.assertUrl";
        problems.push(Problem::new(reader.at("assertedEvents"), "a dialog hides the page", hint));
    }
    let target = reader.get("target").and_then(Value::as_str).map(str::to_owned);
    Some(Step {
        action,
        pointer,
        id,
        optional,
        retries,
        screenshot,
        timeout,
        asserted_navigations,
        target,
        frame,
        doubts,
    })
}

/// The members that this replayer adds to every step.
fn ours(reader: &Reader<'_>, problems: &mut Vec<Problem>) -> (Option<String>, bool, u32) {
    let id = reader.string("id", problems);
    if id.as_ref().is_some_and(|id| id.is_empty() || id.len() > Step::ID_BYTES_MAX) {
        let message = format!("an `id` has 1 to {} bytes", Step::ID_BYTES_MAX);
        problems.push(Problem::new(reader.at("id"), message, "write a short word, or leave it out"));
    }
    let optional = reader.bool("optional", problems).unwrap_or(false);
    let most = f64::from(Step::RETRIES_MAX);
    let retries = reader.number("retries", problems).unwrap_or(0.0);
    if !(0.0..=most).contains(&retries) || retries.fract() != 0.0 {
        let message = format!("{retries} retries are not a whole number from 0 to {most}");
        problems.push(Problem::new(reader.at("retries"), message, "leave it out for none"));
        return (id, optional, 0);
    }
    let count = (0..=Step::RETRIES_MAX).find(|count| f64::from(*count) == retries);
    (id, optional, count.unwrap_or(0))
}

/// While a dialog is open, nobody can see whether the page behind it goes somewhere.
fn asserts_over_dialog(action: &Action, asserted: &[AssertedNavigation]) -> bool {
    matches!(action, Action::Extension(Extension::Dialog { .. })) && !asserted.is_empty()
}

/// A timeout that is no number is dropped by the format; of a flow it was refused before.
fn timeout(reader: &Reader<'_>, problems: &mut Vec<Problem>) -> Option<Duration> {
    let millis = reader.get("timeout")?.as_f64()?;
    if !(1.0..=30_000.0).contains(&millis) {
        let message = format!("a timeout of {millis} ms is not between 1 and 30000 ms");
        problems.push(Problem::new(reader.at("timeout"), message, "leave it out for 5000 ms"));
        return None;
    }
    Some(Duration::from_secs_f64(millis / 1000.0))
}

/// A value that is no array is dropped by the format.
fn asserted_events(reader: &Reader<'_>, problems: &mut Vec<Problem>) -> Vec<AssertedNavigation> {
    let Some(events) = reader.get("assertedEvents").and_then(Value::as_array) else {
        return Vec::new();
    };
    let mut asserted = Vec::new();
    for (index, event) in events.iter().enumerate() {
        let pointer = format!("{}/{index}", reader.at("assertedEvents"));
        let Some(members) = event.as_object() else {
            let message = format!("an asserted event must be an object, and this is {}", kind(event));
            problems.push(Problem::new(pointer, message, "such as {\"type\": \"navigation\"}"));
            continue;
        };
        let event = Reader::new(members, pointer);
        if event.required_string("type", problems).is_some() {
            event.choice("type", &["navigation"], problems);
        }
        // A recorder writes an empty text for what it did not know yet.
        let mut text = |name| event.string(name, problems).filter(|text| !text.is_empty());
        asserted.push(AssertedNavigation { url: text("url"), title: text("title") });
    }
    asserted
}

fn frame(reader: &Reader<'_>, problems: &mut Vec<Problem>) -> Vec<i64> {
    let Some(value) = reader.get("frame") else {
        return Vec::new();
    };
    let indices = value.as_array().map(|frame| {
        frame.iter().map(|index| index.as_i64().filter(|index| *index >= 0)).collect::<Option<Vec<_>>>()
    });
    indices.flatten().unwrap_or_else(|| {
        let message = "`frame` must be an array of whole numbers from 0 on";
        let hint = "write the index of each child frame, from the main frame, in brackets: [0, 1]";
        problems.push(Problem::new(reader.at("frame"), message, hint));
        Vec::new()
    })
}

fn action(name: &str, step: &Reader<'_>, problems: &mut Vec<Problem>) -> Option<Action> {
    Some(match name {
        "navigate" => Action::Navigate { url: step.required_string("url", problems)? },
        "setViewport" => Action::SetViewport(viewport(step, problems)?),
        "click" => Action::Click(click(step, problems)?),
        "doubleClick" => Action::DoubleClick(click(step, problems)?),
        "hover" => Action::Hover { selectors: selectors(step, problems)? },
        "change" => {
            let value = step.required_string("value", problems);
            Action::Change { selectors: selectors(step, problems)?, value: value? }
        }
        "keyDown" => Action::KeyDown { key: step.required_string("key", problems)? },
        "keyUp" => Action::KeyUp { key: step.required_string("key", problems)? },
        "scroll" => scroll(step, problems),
        "close" => Action::Close,
        "emulateNetworkConditions" => network(step, problems)?,
        "waitForElement" => Action::WaitForElement(wait_for_element(step, problems)?),
        "waitForExpression" => {
            Action::WaitForExpression { expression: step.required_string("expression", problems)? }
        }
        "customStep" => custom_step(step, problems)?,
        _ => {
            step.choice("type", TYPES, problems);
            return None;
        }
    })
}

fn click(step: &Reader<'_>, problems: &mut Vec<Problem>) -> Option<Click> {
    let offset_x = step.required_number("offsetX", problems);
    let offset_y = step.required_number("offsetY", problems);
    let button = step.choice("button", BUTTONS, problems).unwrap_or(0);
    let device = step.choice("deviceType", DEVICES, problems).unwrap_or(0);
    let held = step.number("duration", problems).unwrap_or(0.0);
    if !(0.0..=30_000.0).contains(&held) {
        let message = format!("a duration of {held} ms is not between 0 and 30000 ms");
        problems.push(Problem::new(step.at("duration"), message, "leave it out for 0 ms"));
        return None;
    }
    Some(Click {
        selectors: selectors(step, problems)?,
        offset_x: offset_x?,
        offset_y: offset_y?,
        button: u8::try_from(button).expect("there are five buttons"),
        duration: Duration::from_secs_f64(held / 1000.0),
        device: [Device::Mouse, Device::Pen, Device::Touch][device],
    })
}

fn scroll(step: &Reader<'_>, problems: &mut Vec<Problem>) -> Action {
    let selectors = step.get("selectors").and_then(|_| selectors(step, problems));
    let mut number = |name| step.number(name, problems).unwrap_or(0.0);
    Action::Scroll { selectors, x: number("x"), y: number("y") }
}

fn wait_for_element(step: &Reader<'_>, problems: &mut Vec<Problem>) -> Option<WaitForElement> {
    let operator = step.choice("operator", OPERATORS, problems);
    let count = step.number("count", problems).unwrap_or(1.0);
    if count < 0.0 || count.fract() != 0.0 {
        let message = format!("a count of {count} is not a whole number from 0 on");
        problems.push(Problem::new(step.at("count"), message, "leave it out for 1"));
    }
    let visible = step.bool("visible", problems).unwrap_or(true);
    let properties = object(step, "properties", problems);
    let attributes = object(step, "attributes", problems);
    for (name, value) in attributes.iter().flatten() {
        if !value.is_string() {
            let attributes = Reader::new(attributes.as_ref().expect("just seen"), step.at("attributes"));
            attributes.wrong(name, "a string", problems);
        }
    }
    Some(WaitForElement {
        selectors: selectors(step, problems)?,
        operator: [Operator::AtLeast, Operator::Exactly, Operator::AtMost][operator.unwrap_or(0)],
        count,
        visible,
        properties,
        attributes,
    })
}

fn object(step: &Reader<'_>, name: &str, problems: &mut Vec<Problem>) -> Option<Map<String, Value>> {
    let value = step.get(name)?;
    if !value.is_object() {
        step.wrong(name, "an object", problems);
    }
    value.as_object().cloned()
}

pub(super) fn selectors(step: &Reader<'_>, problems: &mut Vec<Problem>) -> Option<Selectors> {
    let Some(value) = step.get("selectors") else {
        step.missing("selectors", "write at least one selector", problems);
        return None;
    };
    let Some(alternatives) = value.as_array() else {
        step.wrong("selectors", "an array of selectors", problems);
        return None;
    };
    let pointer = step.at("selectors");
    if alternatives.is_empty() {
        problems.push(Problem::new(pointer, "`selectors` is empty", "write at least one selector"));
        return None;
    }
    if alternatives.len() > Selectors::ALTERNATIVES_MAX {
        let message = format!("more than the limit of {} alternatives", Selectors::ALTERNATIVES_MAX);
        problems.push(Problem::new(pointer, message, "leave the weakest out"));
        return None;
    }
    let read = |(index, value)| chain(value, &format!("{pointer}/{index}"), problems);
    let chains: Vec<_> = alternatives.iter().enumerate().map(read).collect();
    chains.into_iter().collect::<Option<_>>().map(Selectors::new)
}

fn chain(value: &Value, pointer: &str, problems: &mut Vec<Problem>) -> Option<Chain> {
    let Some(parts) = value.as_array() else {
        return selector(value, pointer.to_owned(), problems).map(|selector| Chain::new(vec![selector]));
    };
    if parts.is_empty() || parts.len() > Chain::SELECTORS_MAX {
        let message = format!("{} selectors, not 1 to {}", parts.len(), Chain::SELECTORS_MAX);
        problems.push(Problem::new(
            pointer,
            message,
            "write one selector for each shadow root or part of it",
        ));
        return None;
    }
    let read = |(index, value)| selector(value, format!("{pointer}/{index}"), problems);
    let selectors: Vec<_> = parts.iter().enumerate().map(read).collect();
    selectors.into_iter().collect::<Option<_>>().map(Chain::new)
}

fn selector(value: &Value, pointer: String, problems: &mut Vec<Problem>) -> Option<Selector> {
    let Some(text) = value.as_str() else {
        let message = format!("a selector must be a string or an array of them, and this is {}", kind(value));
        problems.push(Problem::new(pointer, message, "such as \"#buy\", or [\"#host\", \"button\"]"));
        return None;
    };
    let hint = match text.split_once('/') {
        Some(("aria", _)) => "write aria/Name, aria/[role=\"button\"] or both",
        _ => "write what is looked for, or leave the selector out",
    };
    Selector::parse(text).map_err(|message| problems.push(Problem::new(pointer, message, hint))).ok()
}
