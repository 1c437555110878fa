//! Projects of Selenium IDE, and what is left of them.

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
            command("dragAndDropToObject", "id=a", "id=b"),
            command("storeText", "id=a", "name"),
            command("click", "linkText=${name}", ""),
            command("if", "1 > 0", ""),
            command("type", "id=a", "x"),
            command("end", "", ""),
            command("acceptAlert", "", ""),
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
    assert_eq!(flow.left_out[0].command, "dragAndDropToObject | id=a | id=b");
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
