//! The steps that are added to the format, and what every step may carry.

use crate::stage::{LIMIT_MILLIS, SHORT_MILLIS, Stage};
use runners_core::{Secret, Verdict};
use runners_exec_webdriver::{BrowserFlow, Call, Engine, Method, StepState};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn custom(name: &str, parameters: Value) -> Value {
    json!({ "type": "customStep", "name": format!("runners.{name}"), "parameters": parameters })
}

/// The same with a limit for steps that are to fail.
fn short(mut step: Value) -> Value {
    step["timeout"] = json!(SHORT_MILLIS);
    step
}

fn click(selector: &str) -> Value {
    json!({ "type": "click", "selectors": [selector], "offsetX": 3, "offsetY": 3 })
}

fn document(runners: Value, steps: Value) -> BrowserFlow {
    let document = json!({ "title": "t", "timeout": LIMIT_MILLIS, "runners": runners, "steps": steps });
    BrowserFlow::parse(&document.to_string()).unwrap()
}

#[tokio::test]
async fn text_address_and_sight_are_waited_for_and_told_if_they_differ() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page(
        "<h1>  Your\n cart <b>(3)</b></h1><input id=name value='Ada'><input id=word type=password value=hunter2>
        <p class=note hidden>Old</p><p class=note>New</p><p id=late></p>
        <script>setTimeout(() => late.textContent = 'Here now', 300)</script>",
    );
    let text = |selector: &str, text: &str, exact| {
        custom("assertText", json!({ "selectors": [selector], "text": text, "exact": exact }))
    };
    let seen = |selector: &str, visible| {
        custom("assertVisible", json!({ "selectors": [[selector]], "visible": visible }))
    };
    stage
        .passes(json!([
            { "type": "navigate", "url": url },
            text("h1", "cart (3)", false),
            text("aria/Your cart (3)", "Your cart (3)", true),
            text("#name", "Ada", true),
            text(".note", "New", true),
            text("#late", "now", false),
            seen("#late", true),
            seen(".note", true),
            seen("#none", false),
            custom("assertUrl", json!({ "url": url })),
            custom("assertUrl", json!({ "url": "/page", "exact": false })),
        ]))
        .await;
    for (step, why) in [
        (text("h1", "cart", true), "waited for h1 to say \"cart\": it says \"Your cart (3)\", for 1500 ms"),
        (text("#none", "x", false), "to say something with \"x\": no element matches #none"),
        (seen("p[hidden]", true), "1 elements match p[hidden], and nothing is to be seen of them"),
        (seen(".note", false), "waited for .note not to be seen: <p class=\"note\"> is to be seen"),
    ] {
        let reason = stage.fails(json!([short(step)])).await;
        assert!(reason.contains(why), "{reason}");
    }
    let reason = stage.fails(json!([short(custom("assertUrl", json!({ "url": "http://x/" })))])).await;
    assert!(reason.contains(&format!("the page should be at \"http://x/\" and is at {url:?}")), "{reason}");
    let reason = stage.fails(json!([short(text("#word", "other", true))])).await;
    assert!(reason.contains("it has another") && !reason.contains("hunter2"), "{reason}");
    stage.close().await;
}

#[tokio::test]
async fn a_dialog_is_waited_for_compared_and_answered() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page(
        "<button id=ask onclick=\"log.push(prompt('Your name?'))\">Ask</button>
        <button id=sure onclick=\"setTimeout(() => log.push(confirm('Sure?')), 300)\">Sure</button>",
    );
    let dialog = |parameters: Value| custom("dialog", parameters);
    stage
        .passes(json!([
            { "type": "navigate", "url": url },
            click("#ask"), dialog(json!({ "message": "Your name?", "value": "Ada" })),
            click("#sure"), dialog(json!({ "accept": false })),
            click("#sure"), dialog(json!({})),
            { "type": "waitForExpression", "expression": "log.join() === 'Ada,false,true'" },
        ]))
        .await;
    let reason = stage.fails(json!([short(dialog(json!({})))])).await;
    assert!(reason.contains("no dialog is open, for 1500 ms"), "{reason}");
    let reason = stage.fails(json!([click("#sure"), dialog(json!({ "message": "Really?" }))])).await;
    assert!(reason.contains("the dialog should say \"Really?\" and says \"Sure?\""), "{reason}");
    stage.close().await;
}

#[tokio::test]
async fn files_travel_with_the_flow_and_are_given_to_a_file_input() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page(
        "<input type=file id=it multiple hidden><input type=file id=one><input id=text>
        <script>it.onchange = async () => {
            for (const file of it.files) log.push(`${file.name} ${file.type} ${[...new Uint8Array(await file.arrayBuffer())]}`);
        }</script>",
    );
    let files = json!([
        { "name": "a.txt", "mediaType": "text/plain", "text": "Hi" },
        { "name": "b.bin", "base64": "AP8=" },
    ]);
    let upload = |selector: &str| custom("upload", json!({ "selectors": [selector], "files": files }));
    stage
        .passes(json!([
            { "type": "navigate", "url": url },
            upload("#it"),
            { "type": "waitForExpression", "expression": "log.join(';') === 'a.txt text/plain 72,105;b.bin  0,255'" },
        ]))
        .await;
    let reason = stage.fails(json!([upload("#one")])).await;
    assert!(reason.contains("#one takes one file only"), "{reason}");
    let reason = stage.fails(json!([upload("#text")])).await;
    assert!(reason.contains("#text is no file input but <input id=\"text\">"), "{reason}");
    stage.close().await;
}

#[tokio::test]
async fn cookies_and_storage_are_set_before_the_page_is_used() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page("<p>Shop</p>");
    let origin = &stage.site.origin;
    let state = json!({
        "cookies": [{ "name": "session", "value": "${secret:session}", "domain": "127.0.0.1", "path": "/", "expires": -1 }],
        "origins": [{ "origin": origin, "localStorage": [{ "name": "theme", "value": "dark" }] }],
    });
    let expects = |expression: &str| json!({ "type": "waitForExpression", "expression": expression });
    let steps = json!([
        { "type": "navigate", "url": url },
        custom("storageState", state),
        custom("cookies", json!({ "set": [{ "name": "seen", "value": "1" }] })),
        expects("document.cookie === 'session=s3; seen=1' && localStorage.theme === 'dark'"),
        custom("cookies", json!({ "clear": true })),
        expects("document.cookie === ''"),
    ]);
    let flow = document(json!({}), steps);
    assert_eq!(flow.secrets().into_iter().collect::<Vec<_>>(), ["session"]);
    let flow = flow.with_secrets(|_| Some(Secret::from_text("s3"))).unwrap();
    let (result, _) = stage.replay_flow(flow).await.unwrap();
    assert_eq!(result.verdict, Verdict::Passed, "{:?}", result.failure());
    stage.close().await;
}

#[tokio::test]
async fn storage_of_another_origin_is_set_on_a_page_of_its_own() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page("<p>Shop</p>");
    let elsewhere = stage.site.origin.replace("127.0.0.1", "localhost");
    stage.site.serve("/", "<p>Elsewhere</p>");
    let values = |origin: &str, value: &str| json!({ "origin": origin, "localStorage": [{ "name": "theme", "value": value }] });
    let state = json!({ "origins": [values(&elsewhere, "dark"), values(&stage.site.origin, "light")] });
    let expects = |expression: &str| json!({ "type": "waitForExpression", "expression": expression });
    let steps = json!([
        { "type": "navigate", "url": url },
        custom("storageState", state),
        expects("localStorage.theme === 'light' && location.pathname === '/page'"),
        { "type": "navigate", "url": format!("{elsewhere}/page") },
        expects("localStorage.theme === 'dark'"),
    ]);
    stage.passes(steps).await;
    let pages = stage.session.call(Call::new(Method::Get, "window/handles", Value::Null)).await.unwrap();
    assert_eq!(pages.as_array().unwrap().len(), 1, "the page of its own was closed");
    let unreachable = json!({ "origins": [values("http://nowhere.invalid", "x")] });
    let reason = stage.fails(json!([custom("storageState", unreachable)])).await;
    assert!(reason.contains("the storage of http://nowhere.invalid is set on one of its pages"), "{reason}");
    stage.passes(json!([{ "type": "navigate", "url": url }])).await;
    stage.close().await;
}

#[tokio::test]
async fn what_is_saved_of_cookies_and_storage_is_what_a_flow_takes() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page("<script>document.cookie = 'seen=1'; localStorage.theme = 'dark'</script>");
    let steps = json!([{ "type": "navigate", "url": url }, custom("saveStorageState", json!({ "name": "signed-in" }))]);
    let (result, evidence) = stage.replay(steps).await.unwrap();
    assert_eq!(result.steps[1].artifacts, ["storage/signed-in.json"]);
    let saved = evidence.iter().find(|evidence| evidence.name == "storage/signed-in.json").unwrap();
    let saved: Value = serde_json::from_slice(&saved.bytes).unwrap();
    let empty = stage.site.serve("/empty", "<p>Empty</p>");
    let expects = |expression: &str| json!({ "type": "waitForExpression", "expression": expression });
    stage
        .passes(json!([
            { "type": "navigate", "url": empty },
            custom("cookies", json!({ "clear": true })),
            expects("localStorage.clear() ?? document.cookie === ''"),
            custom("storageState", saved),
            expects("document.cookie === 'seen=1' && localStorage.theme === 'dark'"),
        ]))
        .await;
    stage.close().await;
}

#[tokio::test]
async fn a_step_may_be_optional_tried_again_named_and_pictured() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page("<button id=it onclick='log.push(1)'>Go</button>");
    let mut optional = click("#banner");
    (optional["optional"], optional["timeout"]) = (json!(true), json!(5_000));
    // Each look makes it come nearer; one time limit is not enough.
    let again = json!({
        "type": "waitForExpression", "timeout": 1_000, "retries": 10, "id": "patience",
        "expression": "(window.from ??= performance.now()) < performance.now() - 1500",
    });
    let mut pictured = click("#it");
    pictured["screenshot"] = json!(true);
    let steps = json!([
        { "type": "navigate", "url": url }, optional, again, pictured,
        custom("screenshot", json!({ "name": "after-go" })),
    ]);
    let (result, evidence) = stage.replay_flow(document(json!({}), steps)).await.unwrap();
    assert_eq!(result.verdict, Verdict::Passed, "{:?}", result.failure());
    assert_eq!(result.steps[1].state, StepState::Excused);
    assert!(result.steps[1].reason.as_ref().unwrap().contains("no element matches #banner"));
    assert!(result.steps[2].retries > 0, "{:?}", result.steps[2]);
    assert_eq!(result.steps[2].id.as_deref(), Some("patience"));
    assert_eq!(result.steps[3].artifacts, ["steps/04.png"]);
    assert_eq!(result.steps[4].artifacts, ["screenshots/after-go.png"]);
    assert!(evidence.iter().any(|evidence| evidence.name == "screenshots/after-go.png"));
    let mut tried = short(click("#banner"));
    (tried["retries"], tried["timeout"]) = (json!(2), json!(200));
    let (result, _) = stage.replay(json!([tried])).await.unwrap();
    assert_eq!((result.verdict, result.failure().unwrap().retries), (Verdict::Failed, 2));
    stage.close().await;
}

#[tokio::test]
async fn parameters_and_other_flows_of_the_document_are_filled_in() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page("<label>Name <input id=name></label><label>Word <input id=word></label>");
    let change =
        |selector: &str, value: &str| json!({ "type": "change", "selectors": [selector], "value": value });
    let runners = json!({
        "params": { "name": { "default": "Ada" }, "url": {}, "word": { "secret": true } },
        "flows": { "sign in": { "steps": [change("#name", "${params.name}"), change("#word", "<${params.word}>")] } },
    });
    let steps = json!([
        { "type": "navigate", "url": "${params.url}" },
        custom("use", json!({ "flow": "sign in" })),
        { "type": "waitForExpression", "expression": "document.querySelector('#name').value + document.querySelector('#word').value === '${params.name}<s3>'" },
    ]);
    let flow = document(runners, steps);
    let fault = stage.replay_flow(flow.clone()).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.retryable), ("parameter", false));
    assert!(fault.message.contains("\"url\" of the flow has no value"), "{fault}");
    let values = BTreeMap::from([("url".to_owned(), url), ("name".to_owned(), "Grace".to_owned())]);
    let flow =
        flow.with_parameters(&values).unwrap().with_secrets(|_| Some(Secret::from_text("s3"))).unwrap();
    let (result, _) = stage.replay_flow(flow).await.unwrap();
    assert_eq!(result.verdict, Verdict::Passed, "{:?}", result.failure());
    assert_eq!(result.steps.len(), 4);
    stage.close().await;
}

#[tokio::test]
async fn a_dialog_that_a_page_opens_while_it_loads_ends_the_navigation_that_leads_there() {
    for engine in Engine::ALL {
        let Some(stage) = Stage::open_in(*engine).await else { continue };
        let loud =
            "<script>alert('Hi')</script><button id=it onclick=\"document.title = 'clicked'\">It</button>";
        let loud = stage.site.serve("/loud", loud);
        let url = stage.page("<a id=go href=/loud>Go</a>");
        let mut go = click("#go");
        go["assertedEvents"] = json!([{ "type": "navigation", "url": loud, "title": "Test page" }]);
        let clicked = json!({ "type": "waitForExpression", "expression": "document.title === 'clicked'" });
        let steps = json!([
            { "type": "navigate", "url": loud, "assertedEvents": [{ "type": "navigation", "url": loud }] },
            custom("dialog", json!({ "message": "Hi" })),
            click("#it"),
            clicked,
            { "type": "navigate", "url": url },
            go,
            custom("dialog", json!({ "message": "Hi", "accept": false })),
            click("#it"),
            clicked,
        ]);
        stage.passes(steps.clone()).await;
        stage.passes_strictly(steps).await;
        let mut quiet = go.clone();
        quiet["timeout"] = json!(SHORT_MILLIS);
        let reason = stage.fails(json!([{ "type": "navigate", "url": url }, quiet, click("#it")])).await;
        assert!(reason.contains("a dialog is open: \"Hi\""), "{engine}: {reason}");
        stage.close().await;
    }
}

#[tokio::test]
async fn a_dialog_of_a_popup_is_answered_by_its_target() {
    for engine in [Engine::Chromium, Engine::Firefox] {
        let Some(stage) = Stage::open_in(engine).await else { continue };
        let popup = stage.site.serve(
            "/popup",
            "<button id=ask onclick=\"document.title = confirm('Sure?') ? 'yes' : 'no'\">Ask</button>",
        );
        let url = stage.page("<button id=one onclick=\"window.open('/popup')\">1</button>");
        let at = |target: &str, mut step: Value| {
            step["target"] = json!(target);
            step
        };
        let dialog = |parameters: Value| custom("dialog", parameters);
        let title = |title: &str| json!({ "type": "waitForExpression", "expression": format!("document.title === '{title}'") });
        stage
            .passes(json!([
                { "type": "navigate", "url": url },
                click("#one"),
                at(&popup, click("#ask")),
                at(&popup, dialog(json!({ "message": "Sure?" }))),
                at(&popup, title("yes")),
                at(&popup, click("#ask")),
                at(&popup, dialog(json!({ "accept": false }))),
                at(&popup, title("no")),
                at(&popup, json!({ "type": "close" })),
                title("Test page"),
            ]))
            .await;
        stage.close().await;
    }
}

#[tokio::test]
async fn a_dialog_of_a_popup_that_no_step_answers_is_dismissed_and_told() {
    let Some(stage) = Stage::open().await else { return };
    let popup = stage.site.serve(
        "/popup",
        "<script>alert('Welcome'); window.said = confirm('Sure?')</script>\
         <button id=it onclick=\"document.title = 'said ' + said\">It</button>",
    );
    let url = stage.page("<button id=one onclick=\"window.open('/popup')\">1</button>");
    let at = |mut step: Value| {
        step["target"] = json!(popup);
        step
    };
    let title = |title: &str| json!({ "type": "waitForExpression", "expression": format!("document.title === '{title}'") });
    let result = stage
        .passes(json!([
            { "type": "navigate", "url": url },
            click("#one"),
            at(click("#it")),
            at(title("said false")),
            at(json!({ "type": "close" })),
            title("Test page"),
        ]))
        .await;
    let told = |says| format!("{popup}: its dialog was dismissed, since nothing answers it: {says:?}");
    assert_eq!(result.page_errors, [told("Welcome"), told("Sure?")]);
    stage.close().await;
}

#[tokio::test]
async fn a_dialog_that_a_popup_opens_while_it_loads_is_answered_and_its_steps_go_on() {
    for engine in [Engine::Chromium, Engine::Firefox] {
        let Some(stage) = Stage::open_in(engine).await else { continue };
        let popup = stage.site.serve(
            "/popup",
            "<script>alert('Welcome')</script><button id=it onclick=\"document.title = 'clicked'\">It</button>",
        );
        let url = stage.page("<button id=one onclick=\"window.open('/popup')\">1</button>");
        let at = |mut step: Value| {
            step["target"] = json!(popup);
            step
        };
        let title = |title: &str| json!({ "type": "waitForExpression", "expression": format!("document.title === '{title}'") });
        stage
            .passes(json!([
                { "type": "navigate", "url": url },
                click("#one"),
                at(custom("dialog", json!({ "message": "Welcome" }))),
                at(click("#it")),
                at(title("clicked")),
                at(json!({ "type": "close" })),
                title("Test page"),
            ]))
            .await;
        stage.close().await;
    }
}
