//! What the input of a flow means, and what is said to one that does not fit.

use super::*;

fn checks() -> FlowChecks {
    let recorded = json!({ "title": "Opens", "steps": [{ "type": "navigate", "url": "https://recorded/" }] });
    let orders = json!({
        "title": "Orders",
        "runners": { "params": {
            "url": { "type": "string" },
            "article": { "type": "number", "default": 7 },
            "user": { "type": "string" },
        } },
        "steps": [{ "type": "navigate", "url": "${params.url}/order/${params.article}?${params.user}" }],
    });
    let parse = |document: &Value| BrowserFlow::parse(&document.to_string()).unwrap();
    FlowChecks::new([("opens".to_owned(), parse(&recorded)), ("orders".to_owned(), parse(&orders))])
}

fn asked(name: &str, input: &Value) -> RunCheck {
    RunCheck::new(name, input).unwrap()
}

#[track_caller]
fn begins(check: &RunCheck) -> String {
    match &checks().flow(check).unwrap().flow().steps[0].action {
        crate::Action::Navigate { url } => url.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_flow_begins_at_the_page_that_is_asked_for() {
    assert_eq!(begins(&asked("opens", &json!({ "url": "https://b/" }))), "https://b/");
    let input = json!({ "url": "https://b", "article": 9, "user": "ada" });
    assert_eq!(begins(&asked("orders", &input)), "https://b/order/9?ada");
}

#[test]
fn an_input_that_does_not_fit_is_told_with_its_place() {
    for (name, input, at, part) in [
        ("opens", json!({ "url": "https://b/", "article": 1 }), "/article", "no parameter"),
        ("opens", json!({ "url": [] }), "/url", "must be a text"),
        ("orders", json!({ "url": "u", "user": "ada", "article": "many" }), "/article", "must be a number"),
        ("orders", json!({ "url": "u" }), "/", "missing field `user`"),
    ] {
        let Err(CheckRefusal::Input { place, problem, .. }) = checks().flow(&asked(name, &input)) else {
            panic!("{input} fits")
        };
        assert!(place == at && problem.contains(part), "{place}: {problem}");
    }
    let types = json!({
        "title": "Types",
        "runners": { "params": { "word": { "default": "" } } },
        "steps": [{ "type": "change", "selectors": [["#a"]], "value": "${params.word}" }],
    });
    let flow = BrowserFlow::parse(&types.to_string()).unwrap();
    let input = json!({ "word": "${secret:deploy-token}" });
    let refused = FlowChecks::new([("types".to_owned(), flow)]).flow(&asked("types", &input)).unwrap_err();
    let CheckRefusal::Input { place, problem, .. } = refused else { panic!("{refused:?}") };
    assert!(place == "/" && problem.contains("another secret"), "{place}: {problem}");
    let unknown = checks().flow(&asked("nobody", &json!({}))).unwrap_err();
    assert_eq!(unknown, CheckRefusal::Unknown { name: "nobody".to_owned() });
}

#[test]
fn the_schema_of_an_input_has_its_defaults_and_no_secrets() {
    let listed = checks().list();
    let schema = &listed[1].input_schema;
    assert_eq!(schema["properties"]["article"], json!({ "type": "number", "default": 7 }));
    assert_eq!(schema["required"], json!(["url", "user"]));
}

#[test]
fn a_pool_is_sent_the_document_and_its_result_is_the_checks() {
    let checks = checks();
    let command = checks.command(&asked("opens", &json!({ "url": "https://b/" }))).unwrap().unwrap();
    assert_eq!((command.kind, command.timeout), (BrowserFlow::KIND, Some(RunCheck::TIMEOUT)));
    assert!(str::from_utf8(&command.payload).unwrap().contains("https://b/"));
    assert_eq!(checks.command(&asked("nobody", &json!({}))), Ok(None));

    let step = json!({ "index": 1, "type": "click", "description": "click", "state": "failed",
        "duration_ms": 5, "reason": "not there", "artifacts": ["steps/02-failed.png"] });
    let result = json!({ "title": "Opens", "verdict": "failed", "duration_ms": 9, "steps": [step] });
    let told = checks.result("opens", result.to_string().as_bytes()).unwrap();
    assert_eq!((told.name.as_str(), told.state), ("opens", CheckState::Failed));
    assert_eq!(told.message.as_deref(), Some("not there"));
    assert_eq!(told.artifacts, ["steps/02-failed.png"]);
}
