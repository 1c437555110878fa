//! Flows without a server: validated, and replayed here.

use crate::stage::{Stage, has_browser, page};

#[test]
fn a_selenium_project_becomes_flows_and_what_is_left_out_is_told() {
    let stage = Stage::new();
    let project = r#"{"id": "p", "version": "3.0", "name": "shop", "url": "https://shop.example", "delay": 200, "tests": [{"id": "t",
        "name": "buy it", "commands": [
        {"id": "c1", "command": "open", "target": "/", "value": ""},
        {"id": "c2", "command": "mouseMoveAt", "target": "id=a", "value": "5,5"}]}]}"#;
    stage.write("shop.side", project);
    let ended = stage.run(&["flow", "import", "shop.side"]);
    ended.expect(0, "shop.side:4: not imported: \"buy it\", command 2: mouseMoveAt | id=a | 5,5:");
    assert!(ended.stderr().contains("shop.side: not imported: delay | 200:"), "{}", ended.stderr());
    assert!(ended.stdout().contains("1 command carried over, 1 not imported"), "{}", ended.stdout());
    stage.run(&["flow", "validate", "flows/buy-it.json"]).expect(0, "");
    stage.run(&["flow", "import", "shop.side"]).expect(2, "is there already");
    let ended = stage.run(&["flow", "export", "flows/buy-it.json"]);
    ended.expect(0, "");
    assert_eq!(ended.json()["steps"][0]["url"], "https://shop.example/");
    assert_eq!(stage.run(&["flow", "schema"]).json()["title"], "Browser flow");
}

#[test]
fn every_problem_of_every_flow_is_told_by_its_place() {
    let stage = Stage::new();
    stage.write("bad.json", r#"{"steps": [{"type": "navigate"}, {"type": "fly"}]}"#);
    stage.write("worse.json", "{");
    let good = stage.flow("good.json", "http://localhost/", "x");
    let ended = stage.run(&["flow", "validate", "bad.json", &good, "worse.json", "absent.json"]);
    ended.expect(2, "bad.json: /title: ");
    for told in [
        "bad.json: /steps/0/url: ",
        "bad.json: /steps/1/type: ",
        "worse.json: not JSON",
        "absent.json: could not be read",
    ] {
        assert!(ended.stderr().contains(told), "{told:?} is not in: {}", ended.stderr());
    }
    assert!(ended.stdout().contains("valid: good.json: \"good.json\", 2 steps"), "{}", ended.stdout());
}

#[test]
fn a_flow_is_validated_from_standard_input() {
    let stage = Stage::new();
    let flow = stage.flow("flow.json", "http://localhost/", "x");
    let mut command = stage.command(&["flow", "validate", "-"]);
    let read = command.stdin(std::fs::File::open(stage.path(&flow)).unwrap()).output().unwrap();
    let told = String::from_utf8_lossy(&read.stdout);
    assert!(read.status.success() && told.contains("2 steps"), "{told}");
}

#[test]
fn a_flow_that_does_nothing_is_told_as_such_and_is_none_in_strict_mode() {
    let stage = Stage::new();
    stage.write("empty.json", r#"{ "title": "x", "steps": [] }"#);
    stage.run(&["flow", "validate", "empty.json"]).expect(0, "there are none, so nothing is looked at");
    let submit = ["submit", "empty.json", "-s", "http://127.0.0.1:1", "-t"];
    let token = format!("rapi_{}", "7".repeat(64));
    stage.run(&[&submit[..], &[&token]].concat()).expect(2, "warning: empty.json: /steps");
    stage.run(&["flow", "run", "empty.json", "--mode", "strict"]).expect(2, "error: empty.json: /steps");
    stage.write("strict.json", r#"{ "title": "x", "runners": { "mode": "strict" }, "steps": [] }"#);
    stage.run(&["flow", "validate", "strict.json"]).expect(2, "there are none");
}

#[test]
fn validation_speaks_json_too() {
    let stage = Stage::new();
    stage.write("bad.json", r#"{"title": "t", "steps": [{"type": "navigate"}]}"#);
    let ended = stage.run(&["flow", "validate", "--json", "bad.json"]);
    ended.expect(2, "");
    let told = ended.json();
    assert_eq!(told["flows"][0]["file"], "bad.json");
    assert_eq!(told["flows"][0]["problems"][0]["pointer"], "/steps/0/url");
}

#[test]
fn what_an_engine_cannot_do_is_found_without_it() {
    let stage = Stage::new();
    stage.write(
        "twice.json",
        r##"{"title": "t", "steps": [
        {"type": "doubleClick", "selectors": ["#a"], "offsetX": 1, "offsetY": 1}]}"##,
    );
    stage.run(&["flow", "validate", "twice.json"]).expect(0, "");
    stage.run(&["flow", "validate", "--engine", "firefox", "twice.json"]).expect(0, "");
    let ended = stage.run(&["flow", "validate", "--engine", "webkit", "twice.json"]);
    ended.expect(2, "twice.json: /steps/0/type: the step `doubleClick` is no more than two clicks in webkit");
}

#[test]
fn a_flow_goes_only_to_the_hosts_that_are_listed() {
    if !has_browser() {
        return;
    }
    let stage = Stage::new();
    let flow = stage.flow("there.json", "http://localhost/", "x");
    let ended = stage.run(&["flow", "run", "--browse", "shop.example", &flow]);
    ended.expect(2, "there: errored");
    let told = "/steps/0/url: the host \"localhost\" is not on the operator's list";
    assert!(ended.stdout().contains(told), "{}", ended.stdout());
}

#[test]
fn parameters_are_filled_in_before_a_flow_is_validated() {
    let stage = Stage::new();
    let step = r#"{"type": "navigate", "url": "${params.url}"}"#;
    let params = r#"{"url": {}, "count": {"type": "number"}}"#;
    let text = format!(r#"{{"title": "t", "runners": {{"params": {params}}}, "steps": [{step}]}}"#);
    stage.write("shop.json", text);
    let validate = ["flow", "validate", "shop.json"];
    stage.run(&validate).expect(0, "warning: shop.json: /steps/0/url: \"\" is not an absolute address");
    let ended =
        stage.run(&[&validate[..], &["--param", "url=http://localhost/", "--param", "count=3"]].concat());
    ended.expect(0, "");
    assert_eq!(ended.stderr(), "");
    let wrong = |given: &str| stage.run(&[&validate[..], &["--param", given]].concat());
    wrong("count=many").expect(2, "the parameter \"count\" must be a number");
    wrong("user=ada").expect(2, "the flow has no parameter \"user\" (it has count, url)");
}

#[test]
fn a_file_that_is_no_utf8_is_refused_and_its_neighbours_are_read() {
    let stage = Stage::new();
    let good = stage.flow("good.json", "http://localhost/", "x");
    std::fs::write(stage.path("bytes.json"), b"{\"title\": \"\xff\", \"steps\": []}").unwrap();
    let ended = stage.run(&["flow", "validate", "bytes.json", &good]);
    ended.expect(2, "bytes.json: is not text in UTF-8: export the recording as JSON");
    assert!(ended.stdout().contains("valid: good.json"), "{}", ended.stdout());
    stage.run(&["flow", "run", "bytes.json"]).expect(2, "bytes.json: is not text in UTF-8");
}

#[test]
fn what_this_version_cannot_replay_is_refused_before_a_browser_starts() {
    let stage = Stage::new();
    let step = r#"{"type": "customStep", "name": "runners.fly", "parameters": {}}"#;
    stage.write("fly.json", format!(r#"{{"title": "t", "steps": [{step}]}}"#));
    for verb in [["flow", "run"], ["flow", "validate"]] {
        let ended = stage.run(&[verb[0], verb[1], "fly.json"]);
        ended.expect(2, "/steps/0/name: the custom step \"runners.fly\" is not supported");
    }
    let step = r#"{"type": "customStep", "name": "other"}"#;
    stage.write("other.json", format!(r#"{{"title": "t", "steps": [{step}]}}"#));
    stage.run(&["flow", "run", "other.json", "--mode", "strict"]).expect(2, "/steps/0/name: nothing here");
    let ended = stage.run(&["flow", "run", "other.json", "--param", "user=ada"]);
    ended.expect(2, "the flow has no parameter \"user\" (it has none)");
    stage.run(&["flow", "run", "other.json", "--param", "hunter2"]).expect(2, "write NAME=VALUE");
    assert!(!stage.path("runners-output").exists());
}

#[test]
fn flows_are_replayed_here_and_leave_a_report() {
    if !has_browser() {
        return;
    }
    let (stage, url) = (Stage::new(), page("<title>here</title><h1>Hello</h1>"));
    let (good, bad) =
        (stage.flow("good.json", &url, "Hello"), stage.flow_within("bad.json", &url, "Goodbye", 2_000));
    stage.write("runners-output/mine.txt", "mine");
    let ended = stage.run(&["flow", "run", &good, &bad, "--slots", "2", "--steps"]);
    ended.expect(1, "good: step 1/2: go to http://127.0.0.1");
    let table = ended.stdout();
    assert!(
        table.contains("✓ passed") && table.contains("✗ failed") && table.contains("step 2 ("),
        "{table}"
    );
    assert!(!table.contains('\u{1b}'), "colours are for terminals");
    let report = stage.report();
    assert_eq!((&report["version"], &report["conclusion"]), (&1.into(), &"failed".into()));
    let [good, bad] = &report["flows"].as_array().unwrap()[..] else { panic!("two flows") };
    assert_eq!((&good["name"], &good["conclusion"]), (&"good".into(), &"passed".into()));
    assert_eq!((&bad["steps"][1]["state"], &bad["steps"][0]["state"]), (&"failed".into(), &"passed".into()));
    let picture = bad["artifacts"][3]["path"].as_str().unwrap();
    assert_eq!(picture, "bad/steps/02-failed.png");
    let bytes = std::fs::read(stage.path("runners-output").join(picture)).unwrap();
    assert!(bytes.starts_with(b"\x89PNG") && bad["artifacts"][3]["bytes"] == bytes.len());

    // The other reports tell the same, each in its form.
    let page = stage.read("runners-output/report.html");
    assert!(
        page.contains("1 passed") && page.contains("data:image/png;base64,") && page.contains("step 2 (")
    );
    assert!(stage.read("runners-output/bad/report.html").contains("href=\"./../bad/steps/02-failed.html\""));
    let xml = stage.read("runners-output/junit.xml");
    assert!(
        xml.contains("failures=\"1\"") && xml.contains("[[ATTACHMENT|bad/steps/02-failed.png]]"),
        "{xml}"
    );
    assert!(stage.read("runners-output/ctrf.json").contains("\"failed\": 1"));

    // The next time, what the first left is gone, and what it did not leave is there.
    let ended = stage.run(&["flow", "run", "good.json", "--json"]);
    ended.expect(0, "");
    assert_eq!(ended.json(), stage.report());
    assert!(!stage.path("runners-output/bad/steps/02-failed.png").exists());
    assert!(!stage.path("runners-output/bad/report.html").exists());
    assert_eq!(stage.read("runners-output/mine.txt"), "mine");
}
