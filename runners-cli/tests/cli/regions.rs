//! One request over many regions, by real processes: what is shown, written and meant.

use crate::{
    others::{Gate, region, webdriver},
    processes::Process,
    stage::{Stage, has_browser, page},
};
use serde_json::{Value, json};
use std::process::Command;

/// The program, with one region of this URL.
fn with_region(stage: &Stage, url: &str, arguments: &[&str]) -> Command {
    let mut command = stage.command(arguments);
    command.env("PLAYWRIGHT_RUNNERS", json!({ "eu": url }).to_string());
    command
}

fn ended(mut command: Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn request(stage: &Stage, checks: &[(&str, &str)]) {
    let runners: Vec<Value> = checks
        .iter()
        .map(|(name, region)| json!({ "name": name, "region": region, "input": { "url": "https://shop.example/" } }))
        .collect();
    let request =
        json!({ "mode": "remote", "runners": runners, "options": { "retries": 0, "secondTry": false } });
    stage.write("request.json", request.to_string());
}

#[test]
fn the_exit_code_tells_what_the_run_came_to() {
    let stage = Stage::new();
    let url = region(&Gate::open());
    for (checks, code, told) in [
        (&[("good", "eu")][..], 0, "1 passed of 1 check"),
        (&[("good", "eu"), ("bad", "eu")], 1, "1 passed, 1 failed of 2 checks"),
        (&[("good", "eu"), ("strange", "eu")], 2, "1 passed, 1 errored of 2 checks"),
        (&[("good", "nowhere")], 2, "there is no region \"nowhere\"; there is eu"),
    ] {
        request(&stage, checks);
        let (exit, stdout, stderr) = ended(with_region(&stage, &url, &["orchestrate", "request.json"]));
        assert_eq!(exit, Some(code), "{checks:?}: {stdout}{stderr}");
        assert!(stdout.contains(told), "{told:?} is not in {stdout}");
        assert!(stderr.contains("1 job, 1 region"), "{stderr}");
    }
}

#[test]
fn reports_and_annotations_are_written_where_they_are_asked_for() {
    let stage = Stage::new();
    let url = region(&Gate::open());
    request(&stage, &[("good", "eu"), ("bad", "eu")]);
    let arguments = [
        "orchestrate",
        "request.json",
        "--junit",
        "out/junit.xml",
        "--html",
        "out/report.html",
        "--ctrf",
        "out/ctrf.json",
        "--json",
    ];
    let mut command = with_region(&stage, &url, &arguments);
    command.env("GITHUB_ACTIONS", "true");
    let (exit, stdout, stderr) = ended(command);
    assert_eq!(exit, Some(1), "{stderr}");
    let summary: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(summary["summary"], json!({ "total": 2, "passed": 1, "failed": 1, "errored": 0 }));
    let annotation = "::error title=bad failed in eu::https://shop.example/: no cart,%0A::set-env::x";
    assert!(stderr.lines().any(|line| line == annotation), "{stderr}");
    assert!(!stderr.lines().any(|line| line.starts_with("::set-env")), "{stderr}");
    assert!(stage.read("out/junit.xml").contains("failures=\"1\""), "{}", stage.read("out/junit.xml"));
    assert!(stage.read("out/report.html").contains("no cart"));
    let ctrf: Value = serde_json::from_str(&stage.read("out/ctrf.json")).unwrap();
    assert_eq!(ctrf["results"]["summary"]["failed"], 1, "{ctrf}");
}

#[test]
fn what_is_wrong_with_a_request_is_told_with_its_place_and_nothing_is_called() {
    let stage = Stage::new();
    stage.write("request.json", r#"{"mode": "remote", "runners": [{"name": "a"}], "options": {"retry": 1}}"#);
    stage.run(&["orchestrate", "request.json"]).expect(2, "request.json: options: knows no \"retry\"");
    stage.write("request.json", r#"{"mode": "remote", "runners": [{"name": "a"}]}"#);
    stage.run(&["orchestrate", "request.json"]).expect(2, "request.json: runners.0");
    stage.write("request.json", "{");
    stage.run(&["orchestrate", "request.json"]).expect(2, "request.json is not JSON");
    stage.run(&["run-checks", "good", "--url", "https://shop.example/"]).expect(2, "--flows DIR");
    stage.run(&["run-checks", "good"]).expect(2, "--url");
}

#[test]
fn an_interrupt_cancels_the_run_and_what_came_back_is_kept() {
    let stage = Stage::new();
    let gate = Gate::open();
    let url = region(&gate);
    let arguments = ["run-checks", "hangs", "--url", "https://shop.example/", "--region", "eu"];
    let mut asking = Process::start(with_region(&stage, &url, &arguments));
    asking.wait_for_line("1 check, 1 job, 1 region");
    asking.terminate();
    asking.wait_for_line("cancelling the run");
    assert_eq!(asking.wait(), Some(2));
    assert!(asking.said().contains("cancelled"), "{}", asking.said());
}

#[test]
fn flows_of_a_directory_are_checks_of_a_pool_an_endpoint_and_the_server() {
    if !has_browser() {
        return;
    }
    let stage = Stage::new();
    let shop = page("<h1>Hello</h1>");
    let steps = json!([
        { "type": "navigate", "url": "http://recorded.invalid/" },
        { "type": "waitForExpression", "expression": "document.body.innerText.includes('Hello')" },
    ]);
    stage.write(
        "flows/greets.json",
        json!({ "title": "Greets", "timeout": 5000, "steps": steps }).to_string(),
    );
    let arguments = |data| {
        [
            "server",
            "--json",
            "--listen",
            "127.0.0.1:0",
            "--data",
            data,
            "--flows",
            "flows",
            "--egress-allow",
            "127.0.0.0/8",
        ]
    };
    let endpoint = Process::start(stage.command(&arguments("endpoint")));
    let told = endpoint.wait_for("listening");
    assert_eq!(told["checks"], json!(["greets"]));
    let eu = json!({ "url": told["endpoint_url"], "token": stage.read("endpoint/api-token").trim() });
    let mut command = stage.command(&arguments("runners-data"));
    command.env("PLAYWRIGHT_RUNNERS", json!({ "eu": eu }).to_string());
    let server = Process::start(command);
    let told = server.wait_for("listening");
    assert_eq!(told["regions"], json!(["eu", "local"]));
    let url = told["url"].as_str().unwrap();
    let _runner = stage.runner(url);

    let everywhere =
        ["run-checks", "greets", "--url", &shop, "--region", "eu", "--region", "default", "-s", url];
    let ended = stage.run(&[&everywhere[..], &["--json", "--html", "report.html"]].concat());
    ended.expect(0, "2 checks, 2 jobs, 2 regions");
    let summary = ended.json();
    assert_eq!(summary["summary"]["passed"], 2, "{summary}");
    assert!(summary["jobs"][1]["results"][0]["runner"].is_string(), "{summary}");
    // The endpoint's pictures stand beside the pool's, with the bytes of each.
    for job in [&summary["jobs"][0], &summary["jobs"][1]] {
        let result = &job["results"][0];
        let is_picture = |left: &Value| left["mediaType"] == "image/png";
        assert!(result["artifacts"].as_array().unwrap().iter().any(is_picture), "{result}");
        assert!(result["missing"].is_null(), "{result}");
        assert_eq!(result["engine"], "chromium", "{result}");
    }
    let report = stage.read("report.html");
    assert!(report.matches("data:image/png").count() >= 2, "both pictures are in the page");
    let local = stage.run(&["run-checks", "greets", "--url", &shop, "-s", url]);
    local.expect(0, "1 check");
    let refused = stage.run(&["run-checks", "greets", "--url", "http://169.254.169.254/", "-s", url]);
    refused.expect(2, "169.254.169.254");
}

#[test]
fn without_a_server_flows_are_carried_out_here() {
    let stage = Stage::new();
    let gate = Gate::open();
    let driver = webdriver(&gate);
    stage.write(
        "flows/opens.json",
        r#"{"title": "Opens", "steps": [{"type": "navigate", "url": "http://a/"}]}"#,
    );
    let arguments = [
        "run-checks",
        "opens",
        "--url",
        "http://b/",
        "--flows",
        "flows",
        "--webdriver",
        &driver,
        "--screenshots",
        "failure",
    ];
    let ended = stage.run_in_little_stack(&arguments);
    ended.expect(0, "1 check, 1 job, 1 region");
    assert!(ended.stdout().contains("1 passed of 1 check"), "{}", ended.stdout());
    assert_eq!((gate.count("http://b/"), gate.count("http://a/")), (1, 0));
}

#[test]
fn a_credential_without_its_server_is_refused_and_nobody_who_was_not_asked_is_blamed() {
    let stage = Stage::new();
    let asked = ["run-checks", "opens", "--url", "http://b/", "--region", "default"];
    let token = format!("rapi_{}", "7".repeat(64));
    for credential in [["-t", &token], ["--token-file", "token"]] {
        stage.run(&[&asked[..], &credential].concat()).expect(2, "name the server by -s");
    }
    stage.run(&asked).expect(2, "no server was asked");
}

#[test]
fn the_faces_of_the_orchestrator_can_be_switched_off() {
    let stage = Stage::new();
    stage.write("runners.toml", "no-orchestrator = true\n[regions]\neu = \"https://eu.example\"\n");
    let server =
        Process::start(stage.command(&["server", "--json", "--listen", "127.0.0.1:0", "--no-endpoint"]));
    let told = server.wait_for("listening");
    assert!(told["orchestrator_url"].is_null() && told["endpoint_url"].is_null(), "{told}");
    let shown = stage.run(&["config", "show"]);
    shown.expect(0, "");
    assert!(shown.stdout().contains("no-orchestrator = true"), "{}", shown.stdout());
    assert!(shown.stdout().contains("# eu = …") && shown.stdout().contains("# file runners.toml"));
    stage.write("runners.toml", "egres-allow = [\"10.0.0.0/8\"]\n");
    stage.run(&["config", "show"]).expect(2, "did you mean egress-allow?");
    let schema = stage.run(&["config", "schema"]).json();
    assert_eq!(schema["additionalProperties"], false);
}
