//! Browsers other than Chromium, browsers that are kept started, and what a runner says that they can do.

use crate::{
    processes::Process,
    stage::{Stage, has_browser, page},
};
use serde_json::json;

/// Whether a program is there. It is said loudly when it is not.
fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|place| place.join(program).is_file());
    if !found {
        println!("skipped: there is no {program} on the PATH");
    }
    found
}

#[test]
fn a_step_that_an_engine_cannot_do_is_refused_by_its_place_and_no_browser_starts() {
    let stage = Stage::new();
    let viewport = json!({ "type": "setViewport", "width": 700, "height": 500, "deviceScaleFactor": 1,
        "isMobile": false, "hasTouch": false, "isLandscape": false });
    let slow = json!({ "type": "emulateNetworkConditions", "download": 1, "upload": 1, "latency": 1 });
    stage.write("flow.json", json!({ "title": "t", "steps": [viewport, slow] }).to_string());
    let ended = stage.run(&["flow", "run", "flow.json", "--engine", "webkit"]);
    ended.expect(2, "flow.json: /steps/0/type: the step `setViewport` needs a page that can be resized");
    ended.expect(
        2,
        "flow.json: /steps/1/type: the step `emulateNetworkConditions` needs the DevTools protocol",
    );
    let ended = stage.run(&["flow", "run", "flow.json", "--engine", "firefox"]);
    ended.expect(2, "/steps/1/type");
    assert!(!ended.stderr().contains("/steps/0"), "{}", ended.stderr());
    let ended = stage.run(&["flow", "run", "flow.json", "--engine", "opera"]);
    ended.expect(2, "\"opera\" is no engine: write chromium, firefox or webkit");
}

#[test]
fn a_flow_is_replayed_in_each_engine() {
    for (engine, program) in [("firefox", "firefox-esr"), ("webkit", "WPEWebDriver")] {
        if !has(program) {
            continue;
        }
        let (stage, url) = (Stage::new(), page("<h1>Hello</h1>"));
        let flow = stage.flow("flow.json", &url, "Hello");
        stage.run(&["flow", "run", &flow, "--engine", engine]).expect(0, "flow: passed (");
        assert!(stage.path("runners-output/flow/final.png").is_file(), "{engine}");
    }
}

#[test]
fn flows_follow_each_other_in_a_browser_that_is_kept() {
    if !has_browser() {
        return;
    }
    let (stage, url) = (Stage::new(), page("<h1>Hello</h1>"));
    let flows = ["a.json", "b.json", "c.json"].map(|name| stage.flow(name, &url, "Hello"));
    let ended = stage.run(&["flow", "run", &flows[0], &flows[1], &flows[2], "--warm", "1"]);
    ended.expect(0, "c: passed (");
}

#[test]
fn a_runner_says_what_its_browser_can_do_and_a_label_that_none_has_is_named() {
    if !has_browser() {
        return;
    }
    let (stage, url) = (Stage::new(), page("<h1>Hello</h1>"));
    let (_server, server) = stage.server();
    let runner = Process::start(stage.command(&["run", "--json", "-s", &server, "--name", "tester"]));
    let probed = runner.wait_for("probed");
    let labels: Vec<&str> =
        probed["labels"].as_array().unwrap().iter().map(|label| label.as_str().unwrap()).collect();
    for label in ["engine=chromium", "webgl=software", "codec=vp9"] {
        assert!(labels.contains(&label), "{labels:?}");
    }
    runner.wait_for("connected");
    let flow = stage.flow("flow.json", &url, "Hello");
    let submit =
        |label: &str| stage.run(&["submit", &flow, "--label", label, "--json", "-s", &server]).json();
    let submitted = submit("webgl=hardware");
    let job = submitted["jobs"][0]["job"].as_str().unwrap();
    let explained = stage.run(&["jobs", "explain", job, "-s", &server]).stdout();
    assert!(explained.contains("webgl=hardware"), "{explained}");
    let ended = stage.run(&[
        "submit",
        &flow,
        "--label",
        "webgl=software",
        "--label",
        "clock=agrees",
        "--wait",
        "-s",
        &server,
    ]);
    ended.expect(0, "flow: passed (");
}
