//! Checks that a runner of a pool has of its own, by real processes: the server knows none of them.

use crate::{
    processes::Process,
    stage::{Stage, has_browser, page},
};
use serde_json::json;

const SECRET: &str = "hunter2 & co";

#[test]
fn flows_of_a_runner_are_checks_of_its_pool_and_their_secrets_are_the_runners() {
    if !has_browser() {
        return;
    }
    let stage = Stage::new();
    let shop = page("<input id=p type=password>");
    let typed = format!("document.querySelector('#p').value.length === {}", SECRET.len());
    for (name, secret) in [("signs-in", "shop"), ("lacks", "nowhere")] {
        let steps = json!([
            { "type": "navigate", "url": "http://recorded.invalid/" },
            { "type": "change", "selectors": [["#p"]], "value": format!("${{secret:{secret}}}") },
            { "type": "waitForExpression", "expression": typed },
        ]);
        let flow = json!({ "title": name, "timeout": 10_000, "steps": steps });
        stage.write(&format!("flows/{name}.json"), flow.to_string());
    }
    let secret = stage.write("secrets/shop", SECRET);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let (_server, url) = stage.server();
    let arguments =
        ["run", "--json", "-s", &url, "--flows", "flows", "--secrets", "secrets", "--screenshots", "failure"];
    let runner = Process::start(stage.command(&arguments));
    assert_eq!(runner.wait_for("checks")["checks"], json!(["lacks", "signs-in"]));
    runner.wait_for("connected");
    let ask = |check: &str| {
        stage.run(&["run-checks", check, "--url", &shop, "--region", "default", "-s", &url, "--json"])
    };
    let ended = ask("signs-in");
    ended.expect(0, "1 check, 1 job, 1 region");
    assert_eq!(ended.json()["jobs"][0]["results"][0]["status"], "pass", "{}", ended.stdout());
    let lacking = ask("lacks");
    lacking.expect(2, "1 check");
    assert!(lacking.stdout().contains("this runner knows no secret"), "{}", lacking.stdout());
    let unknown = ask("nobody");
    unknown.expect(2, "1 check");
    assert!(unknown.stdout().contains("there is lacks, signs-in"), "{}", unknown.stdout());
    let told = ended.stdout() + &ended.stderr() + &runner.said();
    assert!(!told.contains("hunter2"), "{told}");
}
