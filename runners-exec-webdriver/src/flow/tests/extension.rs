//! What is added to the format, each rule with what breaks it.

use super::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn parsed(runners: &Value, steps: &Value) -> Result<BrowserFlow, Problems> {
    BrowserFlow::parse(&json!({ "title": "t", "runners": runners, "steps": steps }).to_string())
}

fn refused(runners: &Value, steps: &Value) -> Problems {
    super::refused(&json!({ "title": "t", "runners": runners, "steps": steps }).to_string())
}

fn found(runners: &Value, steps: &Value) -> Vec<String> {
    refused(runners, steps).iter().map(|problem| problem.pointer.clone()).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "parameters are written where they are passed")]
fn custom(name: &str, parameters: Value) -> Value {
    json!({ "type": "customStep", "name": name, "parameters": parameters })
}

#[test]
fn each_added_step_names_what_is_wrong_with_it() {
    let steps = json!([
        custom("runners.assertText", json!({ "selectors": [] })),
        custom("runners.assertUrl", json!({ "exact": 1 })),
        custom("runners.screenshot", json!({ "name": "../up" })),
        custom("runners.upload", json!({ "selectors": ["#a"], "files": [{ "name": "a" }, 1] })),
        custom("runners.upload", json!({ "selectors": ["#a"], "files": [{ "name": "a", "base64": "?" }] })),
        custom("runners.cookies", json!({ "set": [{ "name": "a", "value": "b", "sameSite": "lax" }] })),
        { "type": "customStep", "name": "runners.dialog" },
        {
            "type": "customStep", "name": "runners.dialog", "parameters": {},
            "assertedEvents": [{ "type": "navigation" }], "retries": 11, "optional": "yes", "id": "",
        },
    ]);
    assert_eq!(
        found(&json!({}), &steps),
        [
            "/steps/0/parameters/text",
            "/steps/0/parameters/selectors",
            "/steps/1/parameters/exact",
            "/steps/1/parameters/url",
            "/steps/2/parameters/name",
            "/steps/3/parameters/files/0/text",
            "/steps/3/parameters/files/1",
            "/steps/4/parameters/files/0/base64",
            "/steps/5/parameters/set/0/sameSite",
            "/steps/6/parameters",
            "/steps/7/id",
            "/steps/7/optional",
            "/steps/7/retries",
            "/steps/7/assertedEvents",
        ]
    );
}

#[test]
fn what_may_be_a_session_is_in_no_description_and_no_debug_output() {
    let steps = json!([
        custom("runners.cookies", json!({ "set": [{ "name": "a", "value": "hunter2" }] })),
        custom("runners.dialog", json!({ "value": "hunter2" })),
        custom(
            "runners.storageState",
            json!({ "origins": [
            { "origin": "https://a", "localStorage": [{ "name": "a", "value": "hunter2" }] }
        ] })
        ),
    ]);
    let flow = parsed(&json!({}), &steps).unwrap();
    for step in &flow.flow().steps {
        assert!(!step.description().contains("hunter2"), "{}", step.description());
    }
    let Action::Extension(cookies) = &flow.flow().steps[0].action else { panic!("an added step") };
    assert!(!format!("{cookies:?}").contains("hunter2"));
    let Action::Extension(state) = &flow.flow().steps[2].action else { panic!("an added step") };
    assert!(!format!("{state:?}").contains("hunter2"));
}

#[test]
fn a_used_flow_stands_in_the_place_of_its_step_and_keeps_its_own() {
    let close = json!({ "type": "close" });
    let uses = |name: &str| custom("runners.use", json!({ "flow": name }));
    let runners = json!({ "flows": {
        "a/b": { "steps": [close, uses("inner")] },
        "inner": { "steps": [{ "type": "scroll" }] },
        "loop": { "steps": [uses("loop")] },
        "empty": { "steps": [] },
    } });
    let flow = parsed(&runners, &json!([uses("a/b"), close])).unwrap();
    let pointers: Vec<_> = flow.flow().steps.iter().map(|step| step.pointer.as_str()).collect();
    assert_eq!(pointers, ["/runners/flows/a~1b/steps/0", "/runners/flows/inner/steps/0", "/steps/1"]);
    assert_eq!(found(&runners, &json!([uses("none")])), ["/steps/0/parameters/flow"]);
    assert_eq!(found(&runners, &json!([custom("runners.use", json!({}))])), ["/steps/0/parameters/flow"]);
    let problems = refused(&runners, &json!([uses("loop")]));
    assert!(problems.to_string().contains("more than 10 deep (does one use itself?)"), "{problems}");
    let often = Value::from(vec![uses("empty"); 1_100]);
    let problems = refused(&runners, &often);
    assert!(problems.to_string().contains("more often than 1000 times"), "{problems}");
    let many = json!({ "flows": { "many": { "steps": vec![close; 100] } } });
    let problems = refused(&many, &Value::from(vec![uses("many"); 101]));
    assert!(problems.to_string().contains("more than 10000 steps"), "{problems}");
}

#[test]
fn what_every_step_may_have_is_refused_on_one_that_stands_for_others() {
    let runners = json!({ "flows": { "inner": { "steps": [{ "type": "scroll" }] } } });
    let members = [
        ("id", json!("a")),
        ("optional", json!(true)),
        ("retries", json!(1)),
        ("screenshot", json!(true)),
        ("timeout", json!(100)),
        ("target", json!("https://a.example/")),
        ("frame", json!([0])),
        ("assertedEvents", json!([{ "type": "navigation" }])),
    ];
    for (name, value) in members {
        let mut uses = custom("runners.use", json!({ "flow": "inner" }));
        uses[name] = value;
        let problems = refused(&runners, &json!([uses]));
        let told = format!("/steps/0/{name}: a step that uses a flow has no `{name}` (");
        assert!(problems.to_string().starts_with(&told), "{problems}");
        assert!(problems.to_string().contains("on the steps of the flow \"inner\""), "{problems}");
    }
}

#[test]
fn every_other_rule_that_is_broken_says_what_to_write() {
    let step = |name: &str, parameters: Value| json!([custom(&format!("runners.{name}"), parameters)]);
    for (runners, steps, pointer) in [
        (json!({ "mode": "loose" }), json!([]), "/runners/mode"),
        (json!({ "capture": ["sound"] }), json!([]), "/runners/capture/0"),
        (json!({ "baselines": { "a.png": "?" } }), json!([]), "/runners/baselines/a.png"),
        (json!({ "params": [] }), json!([]), "/runners/params"),
        (json!({}), json!([7]), "/steps/0"),
        (json!({}), json!([{ "type": "close", "frame": "a" }]), "/steps/0/frame"),
        (
            json!({}),
            step("select", json!({ "selectors": ["a"], "values": [1] })),
            "/steps/0/parameters/values",
        ),
        (json!({}), step("drag", json!({ "selectors": ["a"] })), "/steps/0/parameters/to"),
        (
            json!({}),
            step("assertScreenshot", json!({ "name": "a", "threshold": 0.5 })),
            "/steps/0/parameters/threshold",
        ),
    ] {
        assert_eq!(found(&runners, &steps), [pointer]);
    }
}

#[test]
fn parameters_are_declared_filled_in_and_checked() {
    let runners = json!({ "params": {
        "host": { "default": "a.example" }, "count": { "type": "number", "default": 3 }, "on": { "type": "boolean" },
    } });
    let steps = json!([
        { "type": "navigate", "url": "https://${params.host}/?n=${params.count}&x=${params.${y}" },
    ]);
    let url = |flow: &BrowserFlow| match &flow.flow().steps[0].action {
        Action::Navigate { url } => url.clone(),
        other => panic!("{other:?}"),
    };
    let flow = parsed(&runners, &steps).unwrap();
    assert_eq!(url(&flow), "https://a.example/?n=3&x=${params.${y}");
    let given = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
    let other = flow.clone().with_mode(Mode::Compat).with_parameters(&given("count", "4.5")).unwrap();
    assert_eq!(url(&other), "https://a.example/?n=4.5&x=${params.${y}");
    assert_eq!(other.flow().mode, Mode::Compat, "it was chosen");
    let again = BrowserFlow::parse(other.document()).unwrap();
    assert_eq!(url(&again), url(&other), "the value travels in the document");
    assert_eq!(flow.check_parameters().unwrap_err().code, "parameter");
    flow.clone().with_parameters(&given("on", "true")).unwrap().check_parameters().unwrap();
    for (name, value, why) in [
        ("count", "four", "must be a number"),
        ("on", "yes", "must be true or false"),
        ("hots", "x", "no parameter \"hots\" (it has count, host, on)"),
    ] {
        let problems = flow.clone().with_parameters(&given(name, value)).unwrap_err();
        assert!(problems.to_string().contains(why), "{problems}");
        assert!(problems.iter().all(|problem| !problem.hint.is_empty()), "{problems}");
    }
    let plain =
        BrowserFlow::parse(r#"{"title":"t","steps":[{"type":"navigate","url":"${params.x}"}]}"#).unwrap();
    assert_eq!(url(&plain), "${params.x}", "a recording that declares none means its texts");
}

#[test]
fn a_secret_parameter_stands_only_where_it_is_not_told() {
    let runners = json!({ "params": { "word": { "secret": true } } });
    let change = json!({ "type": "change", "selectors": ["#a"], "value": "<${params.word}>" });
    let flow = parsed(&runners, &json!([change])).unwrap();
    assert_eq!(flow.secrets().into_iter().collect::<Vec<_>>(), ["word"]);
    flow.check_parameters().unwrap();
    let told = json!([{ "type": "navigate", "url": "https://a/?${params.word}" }]);
    assert_eq!(found(&runners, &told), ["/steps/0/url"]);
    let wait = |member: &str| json!({ "type": "waitForElement", "selectors": ["#a"], member: { "value": "${params.word}" } });
    for (step, pointer) in [
        (wait("properties"), "/steps/0/properties/value"),
        (wait("attributes"), "/steps/0/attributes/value"),
        (custom("of.others", json!({ "value": "${params.word}" })), "/steps/0/parameters/value"),
    ] {
        let problems = refused(&runners, &json!([step]));
        assert_eq!(problems.iter().next().unwrap().pointer, pointer);
        assert!(problems.to_string().contains("is a secret, and this would tell it"), "{problems}");
    }
    let item = json!([{ "name": "a", "value": "${params.word}", "domain": "a.example", "path": "/" }]);
    let origin = json!([{ "origin": "https://a.example", "localStorage": [{ "name": "a", "value": "${params.word}" }] }]);
    for step in [
        custom("runners.dialog", json!({ "value": "${params.word}" })),
        custom("runners.cookies", json!({ "set": item })),
        custom("runners.storageState", json!({ "cookies": item })),
        custom("runners.storageState", json!({ "origins": origin })),
    ] {
        let flow = parsed(&runners, &json!([step])).unwrap();
        assert_eq!(flow.secrets().into_iter().collect::<Vec<_>>(), ["word"], "{step}");
        let inner =
            json!({ "params": { "word": { "secret": true } }, "flows": { "in/ner": { "steps": [step] } } });
        parsed(&inner, &json!([custom("runners.use", json!({ "flow": "in/ner" }))])).unwrap();
    }
    let given = BTreeMap::from([("word".to_owned(), "x".to_owned())]);
    assert!(flow.with_parameters(&given).unwrap_err().to_string().contains("is a secret"));
    for (declared, pointer) in [
        (json!({ "a": { "secret": true, "default": "x" } }), "/runners/params/a/default"),
        (json!({ "a": { "type": "number", "default": "x" } }), "/runners/params/a/default"),
        (json!({ "a b": {} }), "/runners/params/a b"),
        (json!({ "a": "x" }), "/runners/params/a"),
    ] {
        assert_eq!(found(&json!({ "params": declared }), &json!([])), [pointer]);
    }
    assert_eq!(found(&runners, &json!([{ "type": "navigate", "url": "${params.other}" }])), ["/steps/0/url"]);
}

#[test]
fn no_value_of_a_parameter_is_the_place_of_a_secret() {
    let runners = json!({ "params": {
        "word": { "secret": true }, "a": { "default": "" }, "b": { "default": "" },
    } });
    let given = |a: &str, b: &str| {
        let given = [("a", a), ("b", b)].map(|(name, value)| (name.to_owned(), value.to_owned()));
        BTreeMap::from(given)
    };
    let flow = |value: &str| {
        let change = json!({ "type": "change", "selectors": [["#a"]], "value": value });
        parsed(&runners, &json!([change])).unwrap()
    };
    for (written, a, b) in [
        ("${params.a}", "${secret:token}", ""),
        ("${params.a}${params.b}", "${sec", "ret:token}"),
        ("${params.a}{secret:token}", "$", ""),
        ("${secret:${params.a}}", "token", ""),
        ("${secret:${params.a}${params.word}", "token}", ""),
        ("${params.word}${params.a}", "${secret:word}", ""),
    ] {
        let problems = flow(written).with_parameters(&given(a, b)).unwrap_err();
        assert_eq!(problems.iter().next().unwrap().pointer, "/steps/0/value", "{written}");
        assert!(problems.to_string().contains("asks for another secret"), "{problems}");
    }
    for (written, a, b, typed) in [
        ("${params.a}", "${", "", "${"),
        ("${params.a}${params.b}", "${secret:", "a b}", "${secret:a b}"),
        ("${params.a}", "${params.word}", "", "${params.word}"),
        ("${params.a}${params.word}", "${secret:", "", "${secret:${secret:word}"),
    ] {
        let flow = flow(written).with_parameters(&given(a, b)).unwrap();
        let Action::Change { value, .. } = &flow.flow().steps[0].action else { panic!("{written}") };
        assert_eq!(value, typed);
        assert!(flow.secrets().iter().all(|name| name == "word"), "{written}");
    }
}
