//! The rules of the format, each with what breaks it.

mod extension;

use super::*;
use crate::engine::Engine;
use serde_json::{Value, json};

/// The problems of a bad flow, each of which says what to write instead.
fn refused(document: &str) -> Problems {
    let problems = BrowserFlow::parse(document).unwrap_err();
    for problem in problems.iter() {
        assert!(!problem.hint.is_empty(), "what is to be done? {problem}");
    }
    problems
}

fn found(document: &Value) -> Vec<String> {
    refused(&document.to_string()).iter().map(|problem| problem.pointer.clone()).collect()
}

fn with_step(step: &Value) -> Value {
    json!({"title": "t", "steps": [step]})
}

fn flow_of(step: &Value) -> Flow {
    BrowserFlow::parse(&with_step(step).to_string()).unwrap().flow().clone()
}

#[test]
fn the_document_stays_byte_for_byte() {
    let text = "{ \"title\" : \"t\",\n \"steps\":[ ], \"$schema\": \"x\", \"n\": 1.50e1 }";
    let command = BrowserFlow::parse(&format!("\n {text} \n")).unwrap();
    assert_eq!(command.document(), text);
    assert_eq!(serde_json::to_string(&command).unwrap(), text);
    let back: BrowserFlow = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_vec(&back).unwrap(), text.as_bytes());
}

#[test]
fn all_problems_come_at_once_in_the_order_of_the_document() {
    let document = json!({
        "timeout": "soon",
        "steps": [
            {"type": "click", "selectors": [], "offsetX": "1", "timeout": 30001},
            7,
            {"type": "swipe"},
            {"type": "waitForElement", "selectors": [["#a", 3]], "attributes": {"a/b": 1}, "properties": null},
        ],
    });
    assert_eq!(
        found(&document),
        [
            "/title",
            "/timeout",
            "/steps/0/timeout",
            "/steps/0/offsetX",
            "/steps/0/offsetY",
            "/steps/0/selectors",
            "/steps/1",
            "/steps/2/type",
            "/steps/3/properties",
            "/steps/3/attributes/a~1b",
            "/steps/3/selectors/0/1",
        ]
    );
}

#[test]
fn a_timeout_outside_its_limits_names_them_and_the_way_out() {
    let problems = refused(&with_step(&json!({"type": "close", "timeout": 0})).to_string());
    assert_eq!(
        problems.to_string(),
        "/steps/0/timeout: a timeout of 0 ms is not between 1 and 30000 ms (leave it out for 5000 ms)"
    );
    assert_eq!(found(&json!({"title": "t", "timeout": 30001, "steps": []})), ["/timeout"]);
    assert_eq!(
        flow_of(&json!({"type": "close", "timeout": 1})).steps[0].timeout,
        Some(Duration::from_millis(1))
    );
    assert_eq!(flow_of(&json!({"type": "close", "timeout": "x"})).steps[0].timeout, None);
}

#[test]
fn every_type_of_step_is_read() {
    let steps = json!([
        {"type": "navigate", "url": "https://example.com/"},
        {"type": "setViewport", "width": 1, "height": 2, "deviceScaleFactor": 1.5,
            "isMobile": true, "hasTouch": false, "isLandscape": true},
        {"type": "click", "selectors": ["#a"], "offsetX": 1, "offsetY": 2.5, "button": "forward", "duration": 50},
        {"type": "doubleClick", "selectors": ["#a"], "offsetX": 1, "offsetY": 2, "deviceType": "pen"},
        {"type": "hover", "selectors": [["#a", "#b"]]},
        {"type": "change", "selectors": ["#a"], "value": "x"},
        {"type": "keyDown", "key": "Enter"},
        {"type": "keyUp", "key": "Enter"},
        {"type": "scroll"},
        {"type": "scroll", "selectors": ["#a"], "x": 1, "y": 2},
        {"type": "close"},
        {"type": "emulateNetworkConditions", "download": 1, "upload": 2, "latency": 3},
        {"type": "waitForElement", "selectors": ["#a"], "operator": "<=", "count": 3, "visible": false,
            "properties": {"a": {"b": 1}}, "attributes": {"c": "d"}},
        {"type": "waitForExpression", "expression": "true"},
        {"type": "customStep", "name": "other", "parameters": [1]},
    ]);
    let command = BrowserFlow::parse(&json!({"title": "t", "steps": steps}).to_string()).unwrap();
    let names: Vec<_> = command.flow().steps.iter().map(|step| step.action.name()).collect();
    let written: Vec<_> =
        steps.as_array().unwrap().iter().map(|step| step["type"].as_str().unwrap()).collect();
    assert_eq!(names, written);
    let Action::Click(click) = &command.flow().steps[2].action else { panic!("a click") };
    assert_eq!((click.button, click.offset_y, click.duration), (4, 2.5, Duration::from_millis(50)));
    let Action::WaitForElement(wait) = &command.flow().steps[12].action else { panic!("a wait") };
    assert_eq!((wait.operator, wait.count, wait.visible), (Operator::AtMost, 3.0, false));
}

#[test]
fn every_required_member_is_required() {
    let missing = |step: Value| found(&with_step(&step));
    assert_eq!(missing(json!({})), ["/steps/0/type"]);
    assert_eq!(missing(json!({"type": "navigate"})), ["/steps/0/url"]);
    assert_eq!(missing(json!({"type": "keyDown"})), ["/steps/0/key"]);
    assert_eq!(missing(json!({"type": "change"})), ["/steps/0/value", "/steps/0/selectors"]);
    assert_eq!(missing(json!({"type": "setViewport"})).len(), 6);
    assert_eq!(missing(json!({"type": "emulateNetworkConditions"})).len(), 3);
    assert_eq!(missing(json!({"type": "waitForExpression"})), ["/steps/0/expression"]);
    assert_eq!(missing(json!({"type": "customStep"})), ["/steps/0/name"]);
    assert_eq!(found(&json!({"title": "t"})), ["/steps"]);
    assert_eq!(found(&json!({"title": "t", "steps": {}})), ["/steps"]);
    assert_eq!(found(&json!([])), [""]);
    assert_eq!(missing(json!({"type": "hover", "selectors": [[]]})), ["/steps/0/selectors/0"]);
}

#[test]
fn asserted_events_are_navigations_and_anything_but_an_array_is_dropped() {
    let step = |events: Value| json!({"type": "close", "assertedEvents": events});
    assert!(
        flow_of(&step(json!([{"type": "navigation", "url": "u", "title": "t"}]))).steps[0]
            .asserts_navigation()
    );
    assert!(!flow_of(&step(json!("navigation"))).steps[0].asserts_navigation());
    assert!(!flow_of(&step(json!([]))).steps[0].asserts_navigation());
    assert_eq!(found(&with_step(&step(json!([{"type": "load"}, 1, {}])))).len(), 3);
}

#[test]
fn what_is_valid_but_not_replayed_is_named_by_its_place() {
    let document = json!({"title": "t", "steps": [
        {"type": "close", "target": "https://example.com/"},
        {"type": "customStep", "name": "runners.fly"},
        {"type": "customStep", "name": "other"},
    ]});
    let command = BrowserFlow::parse(&document.to_string()).unwrap();
    let unsupported = |command: &BrowserFlow| {
        let problems = command.flow().unsupported();
        assert!(problems.iter().all(|problem| !problem.hint.is_empty()), "{problems:?}");
        problems.into_iter().map(|problem| problem.pointer).collect::<Vec<_>>()
    };
    assert!(!command.flow().warnings()[0].hint.is_empty());
    assert_eq!(unsupported(&command), ["/steps/1/name"]);
    let command = command.with_mode(Mode::Strict);
    assert_eq!(unsupported(&command), ["/steps/1/name", "/steps/2/name"]);
    assert_eq!(command.flow().warnings(), [], "it is refused, and that is enough");
}

#[test]
fn numbers_and_selectors_that_mean_nothing_are_refused_with_their_limits() {
    let told = |step: Value| {
        refused(&with_step(&step).to_string()).iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    let viewport = |width: f64, height: f64, factor: f64| {
        json!({"type": "setViewport", "width": width, "height": height, "deviceScaleFactor": factor,
            "isMobile": false, "hasTouch": false, "isLandscape": false})
    };
    let network = |download: f64, upload: f64, latency: f64| json!({"type": "emulateNetworkConditions", "download": download, "upload": upload, "latency": latency});
    let wait = |count: f64| json!({"type": "waitForElement", "selectors": ["#a"], "count": count});
    let hover = |selector: Value| json!({"type": "hover", "selectors": [selector]});
    let ours =
        |name: &str, parameters: Value| json!({"type": "customStep", "name": name, "parameters": parameters});
    for (step, why) in [
        (wait(-1.0), "/steps/0/count: a count of -1 is not a whole number from 0 on (leave it out for 1)"),
        (wait(1.5), "/steps/0/count: a count of 1.5"),
        (viewport(0.0, 1.0, 1.0), "/steps/0/width: a width of 0 is not between 1 and 10000000"),
        (viewport(1.0, -5.0, 1.0), "/steps/0/height: a height of -5"),
        (viewport(1e9, 1.0, 1.0), "/steps/0/width: a width of 1000000000 is not"),
        (viewport(1.0, 1.0, -1.0), "/steps/0/deviceScaleFactor: a factor of -1 is below 0"),
        (
            json!({"type": "scroll", "frame": [-1]}),
            "/steps/0/frame: `frame` must be an array of whole numbers from 0 on",
        ),
        (hover(json!(["#a", ""])), "/steps/0/selectors/0/1: \"\" looks for nothing"),
        (hover(json!("text/")), "/steps/0/selectors/0: \"text/\" looks for nothing"),
        (hover(json!("xpath/ ")), "/steps/0/selectors/0: \"xpath/ \" looks for nothing"),
        (hover(json!("aria/")), "/steps/0/selectors/0: an aria selector without a name"),
        (
            network(-2.0, -1.0, 0.0),
            "/steps/0/download: a `download` of -2 is below 0 (write bytes a second, or -1",
        ),
        (network(1.0, 1.0, -1.0), "/steps/0/latency: a `latency` of -1 is below 0"),
        (
            ours("runners.dialog", json!({"accept": false, "value": "x"})),
            "/steps/0/parameters/value: nothing is typed",
        ),
        (
            ours("runners.cookies", json!({"clear": false})),
            "/steps/0/parameters/set: the step neither clears nor sets",
        ),
    ] {
        let told = told(step);
        assert!(told.contains(why) && !told.contains("; "), "{why}: {told}");
    }
    for good in [wait(0.0), viewport(10_000_000.0, 1.0, 0.0), network(-1.0, -1.0, 0.0)] {
        assert!(flow_of(&good).warnings().is_empty());
    }
}

#[test]
fn a_mark_of_the_order_of_bytes_is_skipped() {
    let text = "{\"title\": \"t\", \"steps\": []}";
    assert_eq!(BrowserFlow::parse(&format!("\u{feff}{text}")).unwrap().document(), text);
}

#[test]
fn a_document_written_for_this_replayer_is_strict_unless_it_says_otherwise() {
    let mode = |runners: Value| {
        let document = json!({"title": "t", "steps": [], "runners": runners});
        BrowserFlow::parse(&document.to_string()).map(|flow| flow.flow().mode)
    };
    assert_eq!(flow_of(&json!({"type": "close"})).mode, Mode::Compat);
    assert_eq!(mode(json!({})), Ok(Mode::Strict));
    assert_eq!(mode(json!({"mode": "strict"})), Ok(Mode::Strict));
    assert_eq!(mode(json!({"mode": "compat"})), Ok(Mode::Compat));
    assert!(mode(json!({"mode": "loose"})).unwrap_err().to_string().starts_with("/runners/mode"));
    assert!(mode(json!("strict")).is_err());
}

#[test]
fn a_step_that_an_engine_cannot_do_is_named_by_pointer_unless_it_is_optional() {
    let phone = json!({"type": "setViewport", "width": 1, "height": 2, "deviceScaleFactor": 2,
        "isMobile": true, "hasTouch": false, "isLandscape": false});
    let document = json!({"title": "t", "steps": [
        {"type": "hover", "selectors": [["aria/Save"], ["#form", "aria/Save"]]},
        {"type": "hover", "selectors": ["pierce/#save"]},
        {"type": "keyDown", "key": "F13"},
        {"type": "setViewport", "width": 1, "height": 2, "deviceScaleFactor": 1,
            "isMobile": false, "hasTouch": false, "isLandscape": false},
        phone,
        {"type": "emulateNetworkConditions", "download": 1, "upload": 1, "latency": 1, "optional": true},
        {"type": "doubleClick", "selectors": ["#a"], "offsetX": 1, "offsetY": 1},
    ]});
    let flow = BrowserFlow::parse(&document.to_string()).unwrap().flow().clone();
    let pointers =
        |engine| flow.unsupported_on(engine).into_iter().map(|problem| problem.pointer).collect::<Vec<_>>();
    assert_eq!(pointers(Engine::Chromium), [""; 0]);
    assert_eq!(pointers(Engine::Firefox), ["/steps/2/key", "/steps/4/isMobile"]);
    assert_eq!(pointers(Engine::Webkit), ["/steps/2/key", "/steps/3/type", "/steps/4/type", "/steps/6/type"]);
    let told = flow.unsupported_on(Engine::Firefox)[0].to_string();
    assert!(told.contains("this key needs the DevTools protocol, which firefox does not have"), "{told}");
}

#[test]
fn a_key_that_no_keyboard_has_is_a_warning() {
    let warnings = flow_of(&json!({"type": "keyDown", "key": "Entr"})).warnings();
    assert_eq!(warnings[0].pointer, "/steps/0/key");
    assert!(flow_of(&json!({"type": "keyDown", "key": "F13"})).warnings().is_empty());
    assert_eq!(flow_of(&json!({"type": "navigate", "url": "/a"})).warnings()[0].pointer, "/steps/0/url");
}

#[test]
fn a_description_tells_what_is_meant_and_no_secret() {
    let line = |step: Value| flow_of(&step).steps[0].description();
    let selectors = json!([["#password"], ["aria/Password"]]);
    assert_eq!(
        line(json!({"type": "change", "selectors": selectors, "value": "hunter2"})),
        "fill in \"Password\""
    );
    assert_eq!(line(json!({"type": "waitForElement", "selectors": ["#a"]})), "wait for #a");
    assert_eq!(
        line(json!({"type": "waitForElement", "selectors": ["#a"], "visible": false})),
        "wait for no #a"
    );
    assert_eq!(
        line(json!({"type": "waitForElement", "selectors": ["#a"], "operator": "==", "count": 3})),
        "wait for == 3 of #a"
    );
}

#[test]
fn too_large_a_flow_is_refused_by_name_of_the_limit() {
    let steps = vec![json!({"type": "close"}); Flow::STEPS_MAX + 1];
    let problems = refused(&json!({"title": "t", "steps": steps}).to_string());
    assert!(problems.to_string().contains("the limit of 10000"), "{problems}");
    let problems = refused(&" ".repeat(Flow::BYTES_MAX + 1));
    assert!(problems.to_string().contains("the limit of 4194304"), "{problems}");
    assert!(refused("{").to_string().starts_with("the document: not JSON"));
}
