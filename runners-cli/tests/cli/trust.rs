//! Runners for one use, runners that execute only what was signed, and secrets that flows name.

use crate::{
    processes::Process,
    stage::{Stage, has_browser, page},
};
use serde_json::json;
use std::{fs, path::Path};

/// Every file below a directory, as text.
fn files_below(path: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            text.push_str(&files_below(&entry.path()));
        } else {
            text.push_str(&String::from_utf8_lossy(&fs::read(entry.path()).unwrap()));
        }
    }
    text
}

fn private(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[test]
fn a_single_use_runner_replays_one_flow_and_its_credential_is_gone() {
    if !has_browser() {
        return;
    }
    let (stage, url) = (Stage::new(), page("<h1>Hello</h1>"));
    let (_server, server) = stage.server();
    let arguments = ["run", "--json", "-s", &server, "--state", "mine", "--single-use"];
    let mut runner = Process::start(stage.command(&arguments));
    runner.wait_for("connected");
    let (one, two) = (stage.flow("one.json", &url, "Hello"), stage.flow("two.json", &url, "Hello"));
    stage.run(&["submit", &one, "--wait", "-s", &server]).expect(0, "");
    runner.wait_for("deregistered");
    assert_eq!(runner.wait(), Some(0));
    let second = stage.run(&["submit", &two, "--json", "-s", &server]).json();
    let job = second["jobs"][0]["job"].as_str().unwrap().to_owned();
    let told = stage.run(&["job", &job, "--json", "-s", &server]).json();
    assert!(told["state"].to_string().contains("ready"), "{told}");
    fs::rename(stage.path("runners-data/registration-token"), stage.path("token")).unwrap();
    stage.run(&arguments).expect(2, "there is no registration token");
}

#[test]
fn an_idle_runner_ends_by_itself() {
    let stage = Stage::new();
    let (_server, server) = stage.server();
    let arguments = ["run", "--json", "-s", &server, "--idle-exit", "500ms"];
    let mut runner = Process::start(stage.command(&arguments));
    assert_eq!(runner.wait_for("idle")["for_ms"], 500);
    assert_eq!(runner.wait(), Some(0));
}

#[test]
fn a_runner_that_demands_signatures_replays_what_was_signed_and_nothing_else() {
    if !has_browser() {
        return;
    }
    let (stage, url) = (Stage::new(), page("<h1>Hello</h1>"));
    let (_server, server) = stage.server();
    for key in ["release.key", "other.key"] {
        stage.run(&["key", "generate", key]).expect(0, "");
    }
    stage
        .run(&["run", "-s", &server, "--trust-key", "release.key"])
        .expect(2, "give the one in the .pub file");
    let arguments = ["run", "--json", "-s", &server, "--trust-key", "release.key.pub", "--demand-signatures"];
    let runner = Process::start(stage.command(&arguments));
    runner.wait_for("connected");
    let flow = stage.flow("one.json", &url, "Hello");
    stage.run(&["submit", &flow, "--wait", "-s", &server, "--sign-key", "release.key"]).expect(0, "");
    for (more, why) in
        [(&[][..], "is not signed"), (&["--sign-key", "other.key"], "by no key that this runner")]
    {
        let refused = stage.run(&[&["submit", &flow, "--wait", "-s", &server], more].concat());
        assert_eq!(refused.code(), Some(2), "{}", refused.stdout());
        let report = stage.report();
        assert_eq!(report["flows"][0]["attempts"], 1, "another try would be refused too: {report}");
        assert!(report["flows"][0]["failure"].to_string().contains(why), "{report}");
    }
}

#[test]
fn a_secret_is_typed_by_its_name_and_is_nowhere_to_be_read() {
    const SECRET: &str = "hunter2 & co";
    if !has_browser() {
        return;
    }
    let url = page("<form><input id=p type=password name=p><button id=b>go</button></form>");
    let stage = Stage::new();
    stage.write("secrets/shop", SECRET);
    private(&stage.path("secrets/shop"));
    let mut command = stage.command(&["server", "--json", "--listen", "127.0.0.1:0"]);
    command.env("RUST_LOG", "trace");
    let control = Process::start(command);
    let server = control.wait_for("listening")["url"].as_str().unwrap().to_owned();
    let mut command =
        stage.command(&["run", "--json", "-s", &server, "--secrets", "secrets", "--screenshots", "failure"]);
    command.env("RUST_LOG", "trace");
    let runner = Process::start(command);
    runner.wait_for("connected");
    let typed = format!("document.querySelector('#p').value.length === {}", SECRET.len());
    let flow = json!({ "title": "signs in", "timeout": 30_000, "steps": [
        { "type": "navigate", "url": url },
        { "type": "change", "selectors": [["#p"]], "value": "${secret:shop}" },
        { "type": "waitForExpression", "expression": typed },
        { "type": "click", "selectors": [["#b"]], "offsetX": 1, "offsetY": 1,
          "assertedEvents": [{ "type": "navigation" }] },
        { "type": "waitForExpression", "expression": "document.title === 'never'", "timeout": 2_000 },
    ] });
    stage.write("in.json", flow.to_string());
    let ended = stage.run(&["submit", "in.json", "--wait", "-s", &server]);
    assert_eq!(ended.code(), Some(1), "{}{}", ended.stdout(), ended.stderr());
    let steps = stage.report()["flows"][0]["steps"].clone();
    assert_eq!(steps[3]["state"], "passed", "the secret was typed: {steps}");
    assert!(steps[4]["page_url"].to_string().contains("p=***"), "{steps}");
    let left = files_below(&stage.path("runners-output")) + &files_below(&stage.path("runners-data"));
    let told = ended.stdout() + &ended.stderr() + &runner.said() + &control.said() + &left;
    for form in [SECRET, "hunter2", "hunter2+%26+co"] {
        assert!(!told.contains(form), "{form} can be read");
    }
    let missing = json!({ "title": "lacks", "steps": [
        { "type": "change", "selectors": [["#p"]], "value": "${secret:other}" },
    ] });
    stage.write("lacks.json", missing.to_string());
    stage.run(&["submit", "lacks.json", "--wait", "-s", &server]);
    assert!(stage.report()["flows"][0]["failure"].to_string().contains("knows no secret"));
}
