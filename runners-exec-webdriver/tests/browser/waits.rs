//! The two steps that only wait.

use crate::stage::{LIMIT_MILLIS, SHORT_MILLIS, Stage};
use serde_json::{Value, json};

const LIST: &str =
    "<ul><li class=a title=x>1<li class=a title=x>2<li class=b>3</ul><input id=it value=v><button>Go</button>
    <script>it.extra = { deep: { one: 1, two: 2 } }</script>";

fn wait(selectors: Value, more: Value) -> Value {
    let mut step = json!({ "type": "waitForElement", "selectors": selectors, "timeout": LIMIT_MILLIS });
    step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    step
}

fn short(selectors: Value, mut more: Value) -> Value {
    more["timeout"] = json!(SHORT_MILLIS);
    wait(selectors, more)
}

#[tokio::test]
async fn the_number_found_is_compared_by_the_operator() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page(LIST);
    stage
        .passes(json!([
            { "type": "navigate", "url": url },
            wait(json!(["li"]), json!({})),
            wait(json!(["li"]), json!({ "count": 2 })),
            wait(json!(["li"]), json!({ "operator": "==", "count": 3 })),
            wait(json!(["li"]), json!({ "operator": "<=", "count": 3 })),
            wait(json!(["#none"]), json!({ "operator": "==", "count": 0 })),
            wait(json!(["#none", ".b"]), json!({ "operator": "==", "count": 1 })),
            // The button, and not the text in it that has the same name.
            wait(json!(["aria/Go"]), json!({ "operator": "==", "count": 1 })),
            wait(json!(["aria/[role=\"listitem\"]"]), json!({ "operator": "==", "count": 3 })),
            wait(json!([["ul", "aria/[role=\"listitem\"]"]]), json!({ "operator": "==", "count": 3 })),
        ]))
        .await;
    let reason = stage.fails(json!([short(json!(["li"]), json!({ "operator": "==", "count": 2 }))])).await;
    assert!(reason.contains("waited for == 2 of li: 3 found, for 1500 ms"), "{reason}");
    stage.close().await;
}

#[tokio::test]
async fn visible_false_turns_the_condition_round_and_measures_nothing() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page("<p id=hidden style='display:none'>x</p>");
    stage
        .passes(json!([
            { "type": "navigate", "url": url },
            wait(json!(["#hidden"]), json!({ "visible": true })),
            wait(json!(["#none"]), json!({ "visible": false })),
        ]))
        .await;
    let reason = stage.fails(json!([short(json!(["#hidden"]), json!({ "visible": false }))])).await;
    assert!(reason.contains("not to be there: 1 found"), "{reason}");
    stage.close().await;
}

#[tokio::test]
async fn every_element_found_must_have_the_attributes_and_properties() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page(LIST);
    stage
        .passes(json!([
            { "type": "navigate", "url": url },
            wait(json!([".a"]), json!({ "attributes": { "title": "x" } })),
            wait(json!(["#it"]), json!({ "properties": { "value": "v", "extra": { "deep": { "two": 2 } } } })),
        ]))
        .await;
    let reason = stage.fails(json!([short(json!(["li"]), json!({ "attributes": { "title": "x" } }))])).await;
    assert!(reason.contains("3 found, and the attribute title of one is null"), "{reason}");
    let reason = stage
        .fails(json!([short(json!(["#it"]), json!({ "properties": { "extra": { "deep": { "two": 3 } } } }))]))
        .await;
    assert!(reason.contains("the property extra of one is another object"), "{reason}");
    stage.close().await;
}

#[tokio::test]
async fn an_expression_is_evaluated_until_it_is_true() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page("<script>
        window.frames_ = 0; window.asked = 0;
        const count = () => { frames_++; requestAnimationFrame(count); }; count();
        window.slow = () => { asked++; return new Promise(done => { const f = () => frames_ > 60 ? done(true) : requestAnimationFrame(f); f(); }); };
        </script>");
    let expression = |text: &str| json!({ "type": "waitForExpression", "expression": text });
    stage
        .passes(json!([
            { "type": "navigate", "url": url },
            expression("slow()"),
            expression("frames_ > 30 // a comment"),
            expression("Promise.resolve('yes')"),
        ]))
        .await;
    assert_eq!(stage.js("return asked").await, json!(1), "a pending promise is awaited, not asked for again");
    stage.close().await;
}

#[tokio::test]
async fn an_expression_that_is_never_true_says_what_it_was() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page("");
    let failing = |text: &str| json!([{ "type": "navigate", "url": url }, { "type": "waitForExpression", "expression": text, "timeout": SHORT_MILLIS }]);
    let reason = stage.fails(failing("0")).await;
    assert!(reason.contains("\"0\" is not true: it is 0, for 1500 ms"), "{reason}");
    let reason = stage.fails(failing("nothing.at")).await;
    assert!(reason.contains("it throws ReferenceError: nothing is not defined"), "{reason}");
    let reason = stage.fails(failing("new Promise(() => {})")).await;
    assert!(reason.contains("its promise is still pending"), "{reason}");
    let reason = stage.fails(failing("(")).await;
    assert!(reason.contains("is no expression"), "{reason}");
    stage.close().await;
}

#[tokio::test]
async fn an_expression_means_what_the_page_means_by_its_names() {
    let Some(stage) = Stage::open().await else { return };
    let names = ["done", "request", "state", "first", "all", "tell", "frame", "expression", "change", "mark"];
    let page: String = names.iter().map(|name| format!("window.{name} = '{name}';")).collect();
    let url = stage.page(&format!("<script>{page}</script>"));
    let asks =
        |name: &&str| json!({ "type": "waitForExpression", "expression": format!("{name} === '{name}'") });
    let steps: Vec<Value> =
        std::iter::once(json!({ "type": "navigate", "url": url })).chain(names.iter().map(asks)).collect();
    stage.passes(json!(steps)).await;
    stage.close().await;
}
