//! What continues what, what causes what, and what a person changes.

use super::*;
use crate::{
    flow::{Action, Extension},
    record::told::Size,
};
use runners_core::Secret;

const SIZE: Size = Size { width: 800.0, height: 600.0, scale: 1.0 };

fn draft() -> Draft {
    Draft::new("a flow", "main", "https://shop.example/", Some(SIZE))
}

#[expect(clippy::needless_pass_by_value, reason = "it is written where it is passed")]
fn told(what: Value) -> Told {
    let mut told = json!({ "document": "d1", "frame": [], "url": "https://shop.example/" });
    for (name, value) in what.as_object().unwrap() {
        told[name] = value.clone();
    }
    serde_json::from_value(told).unwrap()
}

fn typed(value: &str) -> Told {
    let step = json!({ "type": "change", "selectors": [["#name"]], "value": value });
    told(json!({ "is": "did", "element": "e1", "steps": [step], "merges": true }))
}

fn clicked(element: &str) -> Told {
    let step = json!({ "type": "click", "selectors": [[format!("#{element}")]], "offsetX": 1, "offsetY": 1 });
    told(json!({ "is": "did", "element": element, "steps": [step], "causes": true }))
}

fn arrived(document: &str, url: &str, how: &str) -> Told {
    told(
        json!({ "is": "arrived", "document": document, "url": url, "how": how, "width": 800, "height": 600, "scale": 1 }),
    )
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn types(draft: &Draft) -> Vec<&str> {
    draft.entries.iter().map(|entry| entry.step["type"].as_str().unwrap()).collect()
}

fn last(draft: &Draft) -> &Value {
    &draft.entries.last().unwrap().step
}

#[test]
fn a_text_that_is_typed_is_one_step_with_what_it_came_to() {
    let mut draft = draft();
    assert_eq!(draft.take("main", &typed("A"), at(1)), 1);
    assert_eq!(draft.take("main", &typed("Ad"), at(2)), 0);
    draft.take("main", &typed("Ada"), at(3));
    assert_eq!(types(&draft), ["setViewport", "navigate", "change"]);
    assert_eq!(last(&draft)["value"], "Ada");
    draft.take("main", &clicked("buy"), at(4));
    draft.take("main", &typed("Adam"), at(5));
    assert_eq!(types(&draft)[2..], ["change", "click", "change"]);
}

#[test]
fn what_is_typed_where_a_secret_belongs_is_a_parameter() {
    let mut draft = draft();
    let step = json!({ "type": "change", "selectors": [["#pass"]] });
    let deed = json!({ "is": "did", "element": "e2", "steps": [step], "merges": true, "secret": "password" });
    draft.take("main", &told(deed.clone()), at(1));
    draft.take("main", &told(deed), at(2));
    let flow = draft.flow().unwrap();
    assert_eq!(flow.flow().steps.len(), 3);
    assert_eq!(flow.secrets().into_iter().collect::<Vec<_>>(), ["password"]);
    assert_eq!(flow.flow().parameters.len(), 1);
}

#[test]
fn what_looks_like_a_place_of_something_is_typed_as_it_stands() {
    let texts =
        ["${params.price}", "${secret:deploy}", "a ${secret:=} $${params.text.dollar}${params.", "${sec"];
    let mut draft = draft();
    draft.take("main", &typed(texts[0]), at(1));
    let alone = draft.flow().unwrap();
    let flow = |draft: &Draft| {
        draft.flow().unwrap().with_secrets(|name| Some(Secret::from_text(format!("<{name}>"))))
    };
    let values = |flow: &BrowserFlow| {
        let steps = flow.flow().steps.iter();
        let values = steps.filter_map(|step| match &step.action {
            Action::Change { value, .. } => Some(value.clone()),
            Action::Extension(Extension::Dialog { value, .. }) => value.clone(),
            _ => None,
        });
        values.collect::<Vec<_>>()
    };
    assert_eq!(values(&alone), texts[..1]);
    let mut odd = arrived("d2", "https://shop.example/?${params.a}", "navigate");
    odd.url = "https://shop.example/?${params.a}".to_owned();
    for (index, text) in texts.iter().enumerate().skip(1) {
        draft.take("main", &clicked("${params.buy}"), at(10 * index as u64));
        draft.take("main", &typed("what it continues"), at(10 * index as u64 + 1));
        draft.take("main", &typed(text), at(10 * index as u64 + 2));
    }
    draft.take("main", &odd, at(100));
    let titled = json!({ "is": "titled", "document": "d2", "title": "${params.t}", "width": 800, "height": 600, "scale": 1 });
    draft.take("main", &told(titled), at(101));
    let says = Dialog { accept: true, message: texts[0].to_owned(), value: Some(texts[1].to_owned()) };
    draft.answered("main", &says, at(102));
    let change = json!({ "type": "change", "selectors": [["#pass"]] });
    let deed = json!({ "is": "did", "element": "e2", "steps": [change], "secret": "password" });
    draft.take("main", &told(deed), at(103));
    assert!(draft.notes().is_empty(), "{:?}", draft.notes());
    let recorded = draft.flow().unwrap();
    assert_eq!(recorded.secrets().into_iter().collect::<Vec<_>>(), ["password"]);
    let all = [&texts[..], &texts[1..2], &["<password>"]].concat();
    assert_eq!(values(&flow(&draft).unwrap()), all);
    let asserted = recorded.flow().steps.iter().find_map(|step| step.asserted_navigations.first()).unwrap();
    assert_eq!((asserted.url.as_deref(), asserted.title.as_deref()), (Some(&*odd.url), Some("${params.t}")));
}

#[test]
fn a_step_that_is_put_back_as_it_was_listed_says_the_same() {
    let mut draft = draft();
    draft.take("main", &typed("${secret:a} ${params.b}"), at(1));
    let listed = draft.list().steps.pop().unwrap();
    draft.edit(&listed.id, listed.step.clone().unwrap()).unwrap();
    assert_eq!(last(&draft), &listed.step.unwrap());
    // A parameter that nobody has declared is text, as in every flow that declares none.
    let step = json!({ "type": "change", "selectors": [["#a"]], "value": "${params.c}" });
    draft.edit(&listed.id, step).unwrap();
    draft.declared.insert("password".to_owned());
    draft.flow().unwrap();
}

#[test]
fn a_page_that_goes_elsewhere_because_of_a_step_is_asserted_there() {
    let mut draft = draft();
    draft.take("main", &arrived("d1", "https://shop.example/", "navigate"), at(1));
    draft.take("main", &clicked("next"), at(9));
    draft.take("main", &arrived("d2", "https://shop.example/next", "navigate"), at(10));
    let titled =
        json!({ "is": "titled", "document": "d2", "title": "Next", "width": 800, "height": 600, "scale": 1 });
    draft.take("main", &told(titled), at(11));
    assert_eq!(types(&draft), ["setViewport", "navigate", "click"]);
    let event = json!([{ "type": "navigation", "url": "https://shop.example/next", "title": "Next" }]);
    assert_eq!(last(&draft)["assertedEvents"], event);
    assert_eq!(draft.entries[1].step["assertedEvents"][0]["url"], "https://shop.example/");
}

#[test]
fn a_page_that_goes_elsewhere_by_itself_is_a_step() {
    let mut draft = draft();
    draft.take("main", &arrived("d1", "https://shop.example/", "navigate"), at(1));
    draft.take("main", &clicked("buy"), at(2));
    draft.take("main", &arrived("d2", "https://other.example/", "navigate"), at(30));
    assert_eq!(types(&draft)[2..], ["click", "navigate"]);
    draft.take("main", &clicked("buy"), at(40));
    draft.take("main", &arrived("d3", "https://shop.example/", "back_forward"), at(43));
    assert_eq!(types(&draft)[4..], ["click", "navigate"], "that was the button of the browser");
    draft.take("main", &arrived("d4", "https://shop.example/on", "navigate"), at(44));
    assert_eq!(types(&draft).len(), 6, "it was led on");
    assert_eq!(last(&draft)["assertedEvents"][0]["url"], "https://shop.example/on");
}

#[test]
fn two_clicks_that_are_one_double_click_are_one_step() {
    let mut draft = draft();
    draft.take("main", &clicked("other"), at(1));
    draft.take("main", &clicked("twice"), at(2));
    draft.take("main", &clicked("twice"), at(2));
    let step = json!({ "type": "doubleClick", "selectors": [["#twice"]], "offsetX": 1, "offsetY": 1 });
    let deed = json!({ "is": "did", "element": "twice", "steps": [step], "causes": true, "instead": 2 });
    draft.take("main", &told(deed), at(2));
    assert_eq!(types(&draft)[2..], ["click", "doubleClick"]);
}

#[test]
fn a_step_in_a_popup_names_it_by_where_it_is_and_in_a_frame_by_its_path() {
    let mut draft = draft();
    let popup = "https://shop.example/popup";
    draft.take("p", &arrived("d5", popup, "navigate"), at(1));
    assert_eq!(types(&draft).len(), 2, "it came by itself");
    let mut deed = clicked("there");
    (deed.url, deed.frame) = ("https://ads.example/".to_owned(), vec![0, 1]);
    draft.take("p", &deed, at(2));
    assert_eq!((&last(&draft)["target"], &last(&draft)["frame"]), (&json!(popup), &json!([0, 1])));
    assert_eq!(draft.closed("p", at(3)), 0, "the click has closed it");
    draft.take("q", &arrived("d6", popup, "navigate"), at(4));
    assert_eq!(draft.closed("q", at(20)), 1);
    assert_eq!(last(&draft), &json!({ "type": "close", "target": popup }));
}

#[test]
fn what_was_changed_last_is_taken_back() {
    let mut draft = draft();
    draft.take("main", &clicked("a"), at(1));
    draft.take("main", &clicked("b"), at(2));
    let ids: Vec<String> = draft.list().steps.into_iter().map(|step| step.id).collect();
    draft.delete(&ids[2]).unwrap();
    draft.move_to(&ids[3], 0).unwrap();
    assert_eq!(types(&draft), ["click", "setViewport", "navigate"]);
    draft.undo().unwrap();
    assert_eq!(types(&draft), ["setViewport", "navigate", "click"]);
    draft.undo().unwrap();
    assert_eq!(types(&draft).len(), 4);
    assert!(draft.move_to(&ids[0], 4).unwrap_err().message.contains("use 0 to 3"));
    assert!(draft.delete("99").unwrap_err().message.contains("no step \"99\""));
}

#[test]
fn a_step_is_edited_to_a_step_and_to_nothing_else() {
    let mut draft = draft();
    draft.take("main", &clicked("a"), at(1));
    let id = draft.list().steps[2].id.clone();
    let bad = json!({ "type": "click", "selectors": [], "offsetX": 1, "offsetY": 1 });
    assert!(draft.edit(&id, bad).unwrap_err().message.contains("selectors"));
    draft.edit(&id, json!({ "type": "hover", "selectors": [["#b"]], "id": "x" })).unwrap();
    assert_eq!(last(&draft), &json!({ "type": "hover", "selectors": [["#b"]] }));
}

#[test]
fn the_list_has_the_newest_steps_and_no_more_than_fits() {
    let mut draft = draft();
    for number in 0..300 {
        draft.take("main", &clicked(&format!("e{number}")), at(1));
    }
    let list = draft.list();
    assert_eq!((list.total, list.steps.len()), (302, RecordedSteps::STEPS_MAX));
    assert_eq!(list.steps.last().unwrap().index, 301);
    let bytes = serde_json::to_vec(&list).unwrap().len();
    assert!(bytes < 60 * 1024, "{bytes}");
    assert!(draft.document().contains("\"id\": \"302\""));
    assert!(!draft.flow().unwrap().document().contains("\"id\""));
}

#[test]
fn what_is_no_step_is_left_out_and_told() {
    let mut draft = draft();
    let step = json!({ "type": "click", "selectors": [] });
    draft.take("main", &told(json!({ "is": "did", "element": "e", "steps": [step] })), at(1));
    assert_eq!(types(&draft).len(), 2);
    assert!(draft.notes()[0].contains("left out"), "{:?}", draft.notes());
}

#[test]
fn another_size_before_anything_was_done_is_the_size_that_it_begins_with() {
    let mut draft = draft();
    let sized = |width: u32| told(json!({ "is": "sized", "width": width, "height": 600, "scale": 1 }));
    draft.take("main", &sized(900), at(1));
    assert_eq!((types(&draft).len(), &draft.entries[0].step["width"]), (2, &json!(900)));
    draft.take("main", &clicked("a"), at(2));
    draft.take("main", &sized(1000), at(3));
    draft.take("main", &sized(1100), at(4));
    assert_eq!(types(&draft)[2..], ["click", "setViewport"]);
}
