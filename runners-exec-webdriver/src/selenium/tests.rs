//! Projects of Selenium IDE, and what is left of them.

mod blocks;

use super::*;
use crate::flow::BrowserFlow;

fn command(name: &str, target: &str, value: &str) -> Value {
    json!({ "id": format!("id-{name}"), "command": name, "target": target, "value": value, "targets": [] })
}

fn project(tests: &[(&str, Vec<Value>)]) -> String {
    let tests: Vec<_> = tests
        .iter()
        .map(|(name, commands)| json!({ "id": name, "name": name, "commands": commands }))
        .collect();
    let project = json!({
        "id": "p", "version": "3.0", "name": "shop", "url": "https://shop.example",
        "urls": ["https://shop.example"], "plugins": [], "tests": tests, "suites": [],
    });
    format!("{project:#}")
}

fn imported(commands: Vec<Value>) -> ImportedFlow {
    let import = SeleniumImport::parse(&project(&[("one", commands)])).unwrap();
    let flow = import.flows.into_iter().next().unwrap();
    BrowserFlow::parse(&flow.document).unwrap();
    flow
}

fn steps(flow: &ImportedFlow) -> Vec<Value> {
    let document: Value = serde_json::from_str(&flow.document).unwrap();
    document["steps"].as_array().unwrap().clone()
}

#[test]
fn what_the_recorder_writes_is_carried_over() {
    let flow = imported(vec![
        command("open", "/cart?x=1", ""),
        command("setWindowSize", "1200x800", ""),
        command("click", "id=buy", ""),
        command("type", "name=card", "4111"),
        command("type", "name=password", "${env:PASSWORD}"),
        command("sendKeys", "name=card", "${KEY_ENTER}"),
        command("select", "id=size", "label=Extra  large"),
        command("check", "id=gift", ""),
        command("mouseOver", "linkText=Help", ""),
        command("selectFrame", "index=0", ""),
        command("assertText", "css=h1", "Thank you"),
        command("selectFrame", "relative=parent", ""),
        command("assertTitle", "Shop", ""),
        command("waitForElementVisible", "id=done", "3000"),
        command("close", "", ""),
    ]);
    let steps = steps(&flow);
    let kinds: Vec<_> = steps.iter().map(|step| step["type"].as_str().unwrap()).collect();
    let written = "navigate setViewport click change change click keyDown keyUp waitForExpression change hover \
                   waitForElement waitForExpression waitForExpression close";
    assert_eq!(kinds, written.split(' ').collect::<Vec<_>>());
    assert_eq!(steps[0]["url"], "https://shop.example/cart?x=1");
    assert_eq!(steps[4]["value"], "${secret:PASSWORD}");
    assert_eq!(steps[11]["frame"], json!([0]));
    assert_eq!(steps[11]["properties"], json!({ "innerText": "Thank you" }));
    assert!(steps[12]["frame"].is_null(), "the frame was left");
    assert_eq!(flow.carried, 15);
    let notes: Vec<_> = flow.left_out.iter().map(|left| (left.number, left.carried)).collect();
    assert_eq!(notes, [(6, true)], "{:?}", flow.left_out);
}

#[test]
fn what_cannot_be_carried_over_is_named_line_by_line() {
    let text = project(&[(
        "one",
        vec![
            command("mouseMoveAt", "id=a", "5,5"),
            command("storeText", "id=a", "name"),
            command("click", "linkText=${name}", ""),
            command("if", "1 > 0", ""),
            command("type", "id=a", "x"),
            command("end", "", ""),
            command("debugger", "", ""),
            command("// click", "id=a", ""),
            command("open", "/", ""),
        ],
    )]);
    let flow = SeleniumImport::parse(&text).unwrap().flows.remove(0);
    assert_eq!((flow.carried, steps(&flow).len()), (1, 1));
    let told: Vec<_> = flow.left_out.iter().map(|left| (left.number, left.reason.as_str())).collect();
    assert_eq!(
        told,
        [
            (1, "flows have nothing like it"),
            (2, "flows have no variables that the page sets"),
            (3, "the value of \"name\" is known while the test is run only"),
            (4, "flows have no `if`"),
            (5, "it is inside of `if`"),
            (7, "flows have nothing like it"),
        ]
    );
    let lines: Vec<_> = text.lines().collect();
    for left in &flow.left_out {
        assert!(lines[left.line - 1].contains("\"id\": \"id-"), "{left:?}: {}", lines[left.line - 1]);
    }
    assert_eq!(flow.left_out[0].command, "mouseMoveAt | id=a | 5,5");
}

#[test]
fn tests_that_run_others_have_their_steps_and_endless_ones_end() {
    let login = vec![command("store", "Ada", "user"), command("open", "/login", "")];
    let main = vec![command("run", "login", ""), command("type", "id=user", "${user}")];
    let endless = vec![command("run", "endless", "")];
    let text = project(&[("login", login), ("main", main), ("endless", endless)]);
    let import = SeleniumImport::parse(&text).unwrap();
    assert_eq!(steps(&import.flows[1])[1]["value"], "Ada");
    assert!(import.flows[2].left_out[0].reason.contains("deep"), "{:?}", import.flows[2].left_out);
}

#[test]
fn a_frame_that_cannot_be_told_takes_what_is_in_it_along() {
    let flow = imported(vec![
        command("selectFrame", "id=inner", ""),
        command("click", "id=a", ""),
        command("selectFrame", "relative=top", ""),
        command("click", "id=a", ""),
    ]);
    let told: Vec<_> = flow.left_out.iter().map(|left| left.number).collect();
    assert_eq!((told, steps(&flow).len()), (vec![1, 2], 1));
}

/// The numbers of the commands that are told of, and why.
fn told(flow: &ImportedFlow) -> Vec<(usize, bool, &str)> {
    flow.left_out.iter().map(|left| (left.number, left.carried, left.reason.as_str())).collect()
}

fn opening(target: &str) -> Value {
    let mut opening = command("click", target, "");
    (opening["opensWindow"], opening["windowHandleName"]) = (json!(true), json!("win1"));
    opening
}

const OF_WINDOW: &str = "it is in a window that was not carried over";

#[test]
fn a_window_that_cannot_be_told_takes_what_is_in_it_along_until_the_first_is_selected() {
    let flow = imported(vec![
        opening("id=help"),
        command("storeWindowHandle", "root", ""),
        command("selectWindow", "handle=${win1}", ""),
        command("setWindowSize", "800x600", ""),
        command("selectFrame", "index=0", ""),
        command("click", "id=a", ""),
        command("storeWindowHandle", "other", ""),
        command("close", "", ""),
        command("selectWindow", "handle=${other}", ""),
        command("selectWindow", "handle=${root}", ""),
        command("assertTitle", "Shop", ""),
    ]);
    let steps = steps(&flow);
    let kinds: Vec<_> = steps.iter().map(|step| step["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["click", "waitForExpression"]);
    assert!(steps[1]["frame"].is_null());
    let by_address = "flows know a window by its address only";
    assert_eq!(
        told(&flow),
        [
            (1, true, "it opens a window, which flows know by its address only"),
            (3, false, by_address),
            (4, false, OF_WINDOW),
            (5, false, OF_WINDOW),
            (6, false, OF_WINDOW),
            (7, false, OF_WINDOW),
            (8, false, OF_WINDOW),
            (9, false, by_address),
        ]
    );
}

#[test]
fn an_address_that_is_opened_in_a_lost_window_is_carried_over_and_the_first_window_is_then_lost() {
    let flow = imported(vec![
        command("storeWindowHandle", "root", ""),
        command("selectWindow", "handle=${win1}", ""),
        command("open", "/help", ""),
        command("click", "id=a", ""),
        command("selectWindow", "handle=${root}", ""),
        command("click", "id=b", ""),
    ]);
    let steps = steps(&flow);
    assert_eq!((steps.len(), &steps[0]["url"]), (2, &json!("https://shop.example/help")));
    let told: Vec<_> = told(&flow).into_iter().map(|(number, carried, _)| (number, carried)).collect();
    assert_eq!(told, [(2, false), (3, true), (5, false), (6, false)]);
}

#[test]
fn every_branch_of_a_block_is_told() {
    let flow = imported(vec![
        command("if", "1 > 0", ""),
        command("click", "id=a", ""),
        command("elseIf", "2 > 0", ""),
        command("else", "", ""),
        command("end", "", ""),
        command("do", "", ""),
        command("repeatIf", "1 > 0", ""),
    ]);
    assert_eq!(
        told(&flow),
        [
            (1, false, "flows have no `if`"),
            (2, false, "it is inside of `if`"),
            (3, false, "flows have no `elseIf`"),
            (4, false, "flows have no `else`"),
            (6, false, "flows have no `do`"),
            (7, false, "flows have no `repeatIf`"),
        ]
    );
}

#[test]
fn a_wait_takes_as_long_as_it_says_and_a_step_can() {
    let flow = imported(vec![
        command("waitForElementVisible", "id=a", "3000"),
        command("waitForElementPresent", "id=a", "60000"),
        command("waitForElementNotPresent", "id=a", ""),
        command("waitForElementEditable", "id=a", "0"),
        command("waitForElementNotVisible", "id=a", "soon"),
        command("assertElementPresent", "id=a", "7"),
    ]);
    let limits: Vec<_> = steps(&flow).iter().map(|step| step["timeout"].clone()).collect();
    assert_eq!(limits, [json!(3000), json!(30_000), Value::Null, json!(1), Value::Null, Value::Null]);
    assert_eq!(
        told(&flow),
        [
            (2, true, "it waits 60000 ms, and a step takes 30000 ms at most"),
            (5, true, "\"soon\" is no number of milliseconds: it waits as long as every step"),
        ]
    );
}

#[test]
fn what_a_project_says_of_all_its_tests_is_carried_over_or_told() {
    let text = project(&[("one", vec![command("open", "/", "")])]);
    let with = |settings: Value| {
        let mut project: Value = serde_json::from_str(&text).unwrap();
        project.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let import = SeleniumImport::parse(&format!("{project:#}")).unwrap();
        let document: Value = serde_json::from_str(&import.flows[0].document).unwrap();
        let told = serde_json::to_value(&import).unwrap()["left_out"].take();
        let told = told.as_array().unwrap().iter();
        let told = told.map(|left| {
            format!("{}: {}", left["command"].as_str().unwrap(), left["reason"].as_str().unwrap())
        });
        (document["timeout"].clone(), told.collect::<Vec<_>>())
    };
    assert_eq!(with(json!({ "timeout": 5000, "delay": 0 })), (json!(5000), Vec::new()));
    let suite = json!({ "id": "s", "name": "all", "persistSession": true, "parallel": true, "timeout": 300, "tests": ["one"] });
    let plugin = json!({ "id": "p", "name": "Applitools", "version": "1.0.0" });
    let (timeout, told) =
        with(json!({ "timeout": 60_000, "delay": 200, "plugins": [plugin], "suites": [suite] }));
    assert_eq!(timeout, 30_000);
    assert_eq!(
        told,
        [
            "timeout | 60000: a step takes 1 to 30000 ms: these take 30000",
            "delay | 200: flows do not pause between steps, which wait for what they need",
            "plugin | Applitools: flows have no plugins",
            "suite | all | persistSession: true | parallel: true | timeout: 300: flows have no suites: each test is a \
             flow of its own, which shares no session with others and has no limit but those of its steps",
        ]
    );
}

#[test]
fn a_dialog_is_looked_at_and_answered_by_one_step() {
    let flow = imported(vec![
        command("click", "id=alert", ""),
        command("assertAlert", "Hello", ""),
        command("acceptAlert", "", ""),
        command("click", "id=sure", ""),
        command("assertConfirmation", "Sure?", ""),
        command("dismissConfirmation", "", ""),
        command("click", "id=who", ""),
        command("answerPrompt", "Ada", ""),
        command("click", "id=alert", ""),
        command("assertAlert", "Hello", ""),
        command("click", "id=other", ""),
        command("acceptAlert", "", ""),
    ]);
    let dialogs: Vec<_> = steps(&flow).into_iter().filter(|step| step["name"] == "runners.dialog").collect();
    let parameters: Vec<_> = dialogs.iter().map(|step| step["parameters"].clone()).collect();
    assert_eq!(
        parameters,
        [
            json!({ "accept": true, "message": "Hello" }),
            json!({ "accept": false, "message": "Sure?" }),
            json!({ "accept": true, "value": "Ada" }),
            json!({ "accept": true, "message": "Hello" }),
            json!({ "accept": true }),
        ]
    );
    assert_eq!((flow.carried, steps(&flow).len()), (12, 10));
    let looks = "the step that looks at a dialog answers it, too";
    assert_eq!(told(&flow), [(2, true, looks), (5, true, looks), (10, true, looks)]);
}

#[test]
fn an_answer_that_is_given_before_the_dialog_comes_stands_behind_what_opens_it() {
    let flow = imported(vec![
        command("selectFrame", "index=0", ""),
        command("chooseCancelOnNextConfirmation", "", ""),
        command("click", "id=sure", ""),
        command("assertConfirmation", "Sure?", ""),
        command("webdriverChooseCancelOnVisibleConfirmation", "", ""),
        command("answerOnNextPrompt", "${env:WHO}", ""),
        command("click", "id=who", ""),
        command("click", "id=who", ""),
        command("chooseOkOnNextConfirmation", "", ""),
        command("debugger", "", ""),
        command("click", "id=who", ""),
    ]);
    let steps = steps(&flow);
    let kinds: Vec<_> = steps.iter().map(|step| step["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["click", "customStep", "click", "customStep", "click", "click"]);
    assert_eq!(steps[1]["parameters"], json!({ "accept": false, "message": "Sure?" }));
    assert_eq!(steps[3]["parameters"], json!({ "accept": true, "value": "${secret:WHO}" }));
    assert_eq!((&steps[0]["frame"], &steps[1]["frame"]), (&json!([0]), &Value::Null));
}

#[test]
fn drags_and_options_of_lists_are_carried_over() {
    let flow = imported(vec![
        command("dragAndDropToObject", "id=a", "css=ul > li"),
        command("addSelection", "id=sizes", "value=s"),
        command("removeSelection", "id=sizes", "label=Large"),
    ]);
    let steps = steps(&flow);
    assert_eq!(
        (&steps[0]["name"], &steps[0]["parameters"]),
        (&json!("runners.drag"), &json!({ "selectors": [["#a"]], "to": { "selectors": [["ul > li"]] } }))
    );
    let script = |at: usize| steps[at]["expression"].as_str().unwrap();
    assert!(
        script(1).contains("o.value === value") && script(1).contains("o.selected = true"),
        "{}",
        script(1)
    );
    assert!(script(2).contains("o.label") && script(2).contains("o.selected = false"), "{}", script(2));
    assert_eq!(told(&flow), []);
}

#[test]
fn the_environment_becomes_parameters_that_the_flow_declares() {
    let flow = imported(vec![
        command("open", "/${env:PLACE}?q=${env:WHAT}#x", ""),
        command("open", "${env:HOST}/cart", ""),
        command("assertText", "id=a", "${env:WHAT}!"),
        command("click", "id=${env:WHAT}", ""),
    ]);
    let document: Value = serde_json::from_str(&flow.document).unwrap();
    assert_eq!(
        document["runners"],
        json!({ "mode": "compat", "params": { "HOST": {}, "PLACE": {}, "WHAT": {} } })
    );
    assert_eq!(document["steps"][0]["url"], "https://shop.example/${params.PLACE}?q=${params.WHAT}#x");
    assert_eq!(document["steps"][1]["url"], "${params.HOST}/cart");
    assert_eq!(document["steps"][2]["properties"], json!({ "innerText": "${params.WHAT}!" }));
    let told: Vec<_> = told(&flow).into_iter().map(|(number, carried, _)| (number, carried)).collect();
    assert_eq!(told, [(1, true), (2, true), (3, true), (4, false)]);
    assert!(imported(vec![command("open", "/", "")]).document.find("runners").is_none());
}

#[test]
fn what_is_no_project_is_refused() {
    assert!(matches!(SeleniumImport::parse("{"), Err(ImportError::Unreadable(_))));
    assert!(matches!(
        SeleniumImport::parse("{\"title\": \"t\", \"steps\": []}"),
        Err(ImportError::Unreadable(_))
    ));
    let newer = project(&[]).replace("3.0", "4.0");
    assert!(SeleniumImport::parse(&newer).unwrap_err().to_string().contains("\"4.0\""));
    let large = " ".repeat(Flow::BYTES_MAX + 1);
    assert!(SeleniumImport::parse(&large).unwrap_err().to_string().contains("the limit of 4194304"));
}
