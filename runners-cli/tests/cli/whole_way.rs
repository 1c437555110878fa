//! Flows on their whole way: submitted, queued, granted, replayed, reported.

use crate::{
    processes::Process,
    stage::{ChangingPage, Stage, has_browser, page},
};
use serde_json::json;

#[test]
fn flows_travel_from_submit_to_report() {
    if !has_browser() {
        return;
    }
    let (stage, url) = (Stage::new(), page("<title>here</title><h1>Hello</h1>"));
    let (good, bad) =
        (stage.flow("good.json", &url, "Hello"), stage.flow_within("bad.json", &url, "Goodbye", 2_000));
    let (_server, server) = stage.server();
    let runner = stage.runner(&server);
    let ended = stage.run(&["submit", &good, &bad, "--wait", "-s", &server]);
    ended.expect(1, "good: passed (");
    assert!(ended.stderr().contains("bad: failed ("), "{}", ended.stderr());
    assert!(ended.stdout().contains("1 passed, 1 failed of 2 flows"), "{}", ended.stdout());
    let report = stage.report();
    let bad = &report["flows"][1];
    assert_eq!((&bad["conclusion"], &bad["attempts"]), (&"failed".into(), &1.into()));
    let paths: Vec<_> =
        bad["artifacts"].as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap()).collect();
    let left = ["console.json", "network.har", "steps/02-failed.html", "steps/02-failed.png"];
    assert_eq!(paths, left.map(|name| format!("bad/{name}")));
    assert!(stage.read("runners-output/bad/steps/02-failed.html").contains("Hello"));
    assert!(stage.path("runners-output/good/final.png").is_file());

    let id = runner.said().split('"').find(|text| text.starts_with("runner_")).unwrap().to_owned();
    let pinged = stage.run(&["ping", &id, "-s", &server]);
    pinged.expect(0, "");
    assert!(pinged.stdout().contains("answered in"), "{}", pinged.stdout());
}

#[test]
fn a_flow_that_failed_and_passes_when_it_is_tried_again_is_told_as_flaky() {
    if !has_browser() {
        return;
    }
    let (stage, page) = (Stage::new(), ChangingPage::new("<h1>Goodbye</h1>"));
    let (_server, server) = stage.server();
    let runner = stage.runner(&server);
    let flow = stage.flow_within("flow.json", &page.url, "Hello", 2_000);
    let again = ["submit", &flow, "--wait", "--attempts", "9", "--retry-failed", "-s", &server];
    let mut submitting = Process::start(stage.command(&again));
    runner.wait_for("attempt_ended");
    page.change("<h1>Hello</h1>");
    assert_eq!(submitting.wait(), Some(0), "{}", submitting.said());
    let said = submitting.said();
    assert!(said.contains("flow: flaky (") && said.contains("✓ flaky"), "{said}");
    let flow = &stage.report()["flows"][0];
    assert_eq!(flow["conclusion"], "flaky");
    assert!(flow["attempts"].as_u64().is_some_and(|attempts| attempts > 1), "{flow}");
    assert!(stage.path("runners-output/flow/attempt-1/steps/02-failed.png").is_file());
    assert!(stage.read("runners-output/report.html").contains("attempt 1: failed"), "and how it came to it");
    assert!(stage.read("runners-output/junit.xml").contains("<flakyFailure"));
}

#[test]
fn the_first_interrupt_of_a_runner_finishes_what_runs() {
    if !has_browser() {
        return;
    }
    let (stage, url) = (Stage::new(), page("<h1>Hello</h1>"));
    let (_server, server) = stage.server();
    let mut runner = stage.runner(&server);
    let flow = stage.flow_within("flow.json", &url, "never there", 10_000);
    let mut submitting = Process::start(stage.command(&["submit", &flow, "--wait", "--json", "-s", &server]));
    runner.wait_until("step 2", |told| told["text"].as_str().is_some_and(|text| text.starts_with("step 2")));
    runner.terminate();
    assert_eq!(runner.wait_for("draining")["running"], 1);
    runner.wait_for("attempt_ended");
    assert_eq!(runner.wait(), Some(0));
    assert_eq!(submitting.wait(), Some(1), "the verdict arrived");
    assert_eq!(stage.report()["flows"][0]["conclusion"], "failed");
}

#[test]
fn the_second_interrupt_of_a_runner_stops_and_the_flow_is_tried_elsewhere() {
    if !has_browser() {
        return;
    }
    let (stage, url) = (Stage::new(), page("<h1>Hello</h1>"));
    let (_server, server) = stage.server();
    let mut runner = stage.runner(&server);
    let wait = r#"{"type": "waitForExpression", "expression": "false", "timeout": 30000}"#;
    let navigate = format!(r#"{{"type": "navigate", "url": "{url}"}}"#);
    stage.write("flow.json", format!(r#"{{"title": "long", "steps": [{navigate}, {wait}]}}"#));
    let submitted = stage.run(&["submit", "flow.json", "--json", "-s", &server]).json();
    let job = submitted["jobs"][0]["job"].as_str().unwrap();
    runner.wait_until("step 2", |told| told["text"].as_str().is_some_and(|text| text.starts_with("step 2")));
    runner.terminate();
    runner.wait_for("draining");
    runner.terminate();
    runner.wait_for("stopping");
    assert_eq!(runner.wait(), Some(0));
    let told = stage.run(&["job", job, "-s", &server, "--json"]).json();
    assert!(told["state"]["concluded"].is_null(), "{told}");
    assert_eq!(told["attempts"].as_array().map(Vec::len), Some(1), "{told}");
}

#[test]
fn a_runner_tells_of_an_outage_and_of_its_end() {
    if !has_browser() {
        return;
    }
    let stage = Stage::new();
    let (mut server, url) = stage.server();
    let runner = stage.runner(&url);
    server.terminate();
    assert_eq!(server.wait(), Some(0));
    runner.wait_for("disconnected");
    let address = url.strip_prefix("http://").unwrap();
    let again = Process::start(stage.command(&["server", "--json", "--listen", address]));
    again.wait_for("listening");
    assert_eq!(runner.wait_for("connected")["again"], true);
}

#[test]
fn an_interrupt_of_a_submit_cancels_what_it_submitted() {
    let stage = Stage::new();
    let (_server, server) = stage.server();
    let flow = stage.flow("flow.json", "http://localhost/", "x");
    let mut submitting = Process::start(stage.command(&["submit", &flow, "--wait", "-s", &server]));
    submitting.wait_for_line("waiting for a runner");
    submitting.terminate();
    assert_eq!(submitting.wait(), Some(2));
    assert_eq!(stage.report()["flows"][0]["conclusion"], "cancelled");
}

#[test]
fn a_report_tells_how_far_a_cancelled_flow_got() {
    if !has_browser() {
        return;
    }
    let (stage, url) = (Stage::new(), page("<h1>Hello</h1>"));
    let (_server, server) = stage.server();
    let _runner = stage.runner(&server);
    let flow = stage.flow("flow.json", &url, "Goodbye");
    let mut submitting = Process::start(stage.command(&["submit", &flow, "--wait", "-s", &server]));
    submitting.wait_for_line("step 2/2");
    submitting.terminate();
    assert_eq!(submitting.wait(), Some(2));
    let report = stage.report();
    let told = &report["flows"][0];
    assert_eq!((&told["conclusion"], &told["steps"][0]["state"]), (&json!("cancelled"), &json!("passed")));
    assert_eq!(told["steps"][1]["state"], "cut_short", "{told}");
    let failure = told["failure"].as_str().unwrap();
    assert!(failure.starts_with("it was cancelled; step 2 (wait until document"), "{failure}");
    let html = stage.read("runners-output/report.html");
    assert!(html.contains("cut short") && html.contains("<figure>"), "{html}");
    assert!(stage.read("runners-output/junit.xml").contains("cut short"));
}

#[test]
fn dev_is_everything_in_one_process() {
    if !has_browser() {
        return;
    }
    let (stage, url) = (Stage::new(), page("<h1>Hello</h1>"));
    let mut dev = Process::start(stage.command(&["dev", "--json", "--listen", "127.0.0.1:0"]));
    let server = dev.wait_for("listening")["url"].as_str().unwrap().to_owned();
    let flow = stage.flow("flow.json", &url, "Hello");
    stage.run(&["submit", &flow, "--wait", "-s", &server]).expect(0, "flow: passed");
    let told = crate::verbs::json(&stage, &server, &["runners", "show", "dev"]).to_string();
    assert!(told.contains("\"browsers\":{\"chromium\":"), "{told}");
    dev.terminate();
    assert_eq!(dev.wait(), Some(0), "{}", dev.said());
}
