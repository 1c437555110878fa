//! The verbs over the management API, each against a real server.

use crate::stage::Stage;
use serde_json::Value;

/// Runs a verb to its good end; what it printed.
#[track_caller]
pub(crate) fn run(stage: &Stage, url: &str, arguments: &[&str]) -> String {
    let ended = stage.run(&[arguments, &["-s", url]].concat());
    ended.expect(0, "");
    ended.stdout()
}

/// The same as JSON.
#[track_caller]
pub(crate) fn json(stage: &Stage, url: &str, arguments: &[&str]) -> Value {
    serde_json::from_str(&run(stage, url, &[arguments, &["--json"]].concat())).unwrap()
}

#[test]
fn a_pool_is_made_admits_runners_and_is_deleted() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let made =
        json(&stage, &url, &["pools", "create", "lab", "--region", "eu", "--max-runners", "3", "--pack"]);
    assert_eq!((&made["name"], &made["placement"]), (&"lab".into(), &"pack".into()), "{made}");
    let listed = run(&stage, &url, &["pools", "list"]);
    assert!(listed.contains("lab") && listed.contains("0 to 3") && listed.contains("default"), "{listed}");
    stage.run(&["pools", "create", "lab", "-s", &url]).expect(2, "there is a pool of that name");
    stage.run(&["pools", "delete", "lob", "-s", &url]).expect(2, "did you mean lab?");

    let told = run(&stage, &url, &["tokens", "create", "lab", "--uses", "2", "--file", "lab-token"]);
    assert!(!told.contains("rreg_"), "{told}");
    assert!(stage.read("lab-token").starts_with("rreg_"));
    #[cfg(unix)]
    assert_eq!(crate::stage::mode(&stage.path("lab-token")), 0o600);
    let more = stage.run(&["tokens", "create", "lab", "-s", &url]);
    more.expect(0, "good for 1 runner, until ");
    assert!(more.stdout().starts_with("rreg_"));
    let tokens = json(&stage, &url, &["tokens", "list", "lab"]);
    assert_eq!(tokens.as_array().unwrap().len(), 2, "{tokens}");
    let token = tokens[0]["id"].as_str().unwrap();
    run(&stage, &url, &["tokens", "revoke", "lab", token]);
    assert!(run(&stage, &url, &["tokens", "list", "lab"]).contains("revoked"));

    run(&stage, &url, &["environments", "set", "staging", "--pool", "lab"]);
    let listed = json(&stage, &url, &["environments", "list"]);
    assert_eq!(listed[0]["runnerPoolId"], made["id"], "{listed}");
    stage.run(&["environments", "set", "staging", "-s", &url]).expect(2, "<--pool <POOL>|--hosted>");
    let both = ["environments", "set", "staging", "--hosted", "--pool", "lab", "-s", &url];
    stage.run(&both).expect(2, "cannot be used with");
    stage.run(&["pools", "delete", "lab", "-s", &url]).expect(0, "until they lead elsewhere: staging");
    run(&stage, &url, &["environments", "delete", "staging"]);
    assert!(!run(&stage, &url, &["pools", "list"]).contains("lab"));
}

#[test]
fn a_runner_is_drained_resumed_limited_renamed_asked_and_removed() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let mut runner = stage.runner(&url);
    run(&stage, &url, &["drain", "tester", "--note", "new disk"]);
    runner.wait_for("desired_changed");
    let listed = run(&stage, &url, &["list", "--pool", "default"]);
    assert!(listed.contains("draining") && listed.contains("new disk"), "{listed}");
    run(&stage, &url, &["resume", "tester"]);
    assert!(run(&stage, &url, &["slots", "tester", "1"]).contains("1 job at once"));
    run(&stage, &url, &["rename", "tester", "rack-7"]);
    stage.run(&["drain", "tester", "-s", &url]).expect(2, "there is no runner called tester");
    let answered = json(&stage, &url, &["signal", "rack-7", "runners.ping", r#"{"text":"x"}"#]);
    assert_eq!(answered["state"], "answered", "{answered}");
    stage.run(&["signal", "rack-7", "runners.ping", "{", "-s", &url]).expect(2, "is not JSON");
    run(&stage, &url, &["remove", "rack-7", "--force"]);
    assert_eq!(runner.wait(), Some(2), "{}", runner.said());
    assert!(!run(&stage, &url, &["list"]).contains("rack-7"));
}

#[test]
fn a_job_is_listed_explained_cancelled_and_queued_again() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let flow = stage.flow("flow.json", "http://localhost/", "x");
    let submitted = stage.run(&["submit", &flow, "--json", "-s", &url]).json();
    let job = submitted["jobs"][0]["job"].as_str().unwrap();
    let listed = run(&stage, &url, &["jobs", "list", "--state", "ready"]);
    assert!(listed.contains(job), "{listed}");
    let explained = run(&stage, &url, &["jobs", "explain", job]);
    assert!(explained.contains("is ready"), "{explained}");
    run(&stage, &url, &["jobs", "cancel", job]);
    assert!(run(&stage, &url, &["jobs", "inspect", job]).contains("cancelled"));
    let again = json(&stage, &url, &["jobs", "retry", job]);
    assert_eq!(again["retryOf"], job, "{again}");
    stage.run(&["jobs", "list", "--state", "lost", "-s", &url]).expect(2, "state");
}

#[test]
fn a_tenant_is_made_with_a_credential_that_is_its_own() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let made = json(&stage, &url, &["tenants", "create", "acme", "--credential-file", "acme-token"]);
    let told = made.to_string();
    assert!(!told.contains("rapi_") && stage.read("acme-token").starts_with("rapi_"), "{told}");
    assert!(run(&stage, &url, &["tenants", "list"]).contains("acme"));
    stage.run(&["tenants", "create", "acme", "-s", &url]).expect(2, "there is a tenant of that name");
    run(&stage, &url, &["pools", "create", "theirs", "--token-file", "acme-token"]);
    assert!(!run(&stage, &url, &["pools", "list"]).contains("theirs"));
    let theirs = run(&stage, &url, &["pools", "list", "--as-tenant", "acme"]);
    assert!(theirs.contains("theirs") && !theirs.contains("default"), "{theirs}");
    for verb in [&["list"][..], &["jobs", "list"], &["runs", "list"], &["pools", "list"]] {
        let theirs = run(&stage, &url, &[verb, &["--token-file", "runners-data/operator-token"]].concat());
        assert!(theirs.contains("none of the operator's own; --as-tenant NAME"), "{theirs}");
    }
    let refused = stage.run(&["tenants", "list", "--token-file", "acme-token", "-s", &url]);
    refused.expect(2, "operator");
}

#[test]
fn the_operator_submits_looks_and_cancels_for_a_tenant() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    run(&stage, &url, &["tenants", "create", "acme", "--credential-file", "acme-token"]);
    run(&stage, &url, &["pools", "create", "default", "--as-tenant", "acme"]);
    let flow = stage.flow("flow.json", "http://localhost/", "x");
    let submitted = json(&stage, &url, &["submit", &flow, "--as-tenant", "acme"]);
    let job = submitted["jobs"][0]["job"].as_str().unwrap();
    assert_eq!(json(&stage, &url, &["job", job, "--token-file", "acme-token"])["job"], job);
    for verb in [&["job", job][..], &["logs", job], &["artifacts", "list", job], &["cancel", job]] {
        for (other, told) in [
            (&[][..], "there is no job"),
            (&["--as-tenant", "nobody"], "there is no tenant nobody"),
            (&["--as-tenant", "default", "--token-file", "acme-token"], "there is no tenant default"),
        ] {
            stage.run(&[verb, other, &["-s", &url]].concat()).expect(2, told);
        }
        run(&stage, &url, &[verb, &["--as-tenant", "acme"]].concat());
    }
    assert!(run(&stage, &url, &["jobs", "inspect", job, "--as-tenant", "acme"]).contains("cancelled"));
    let signed = ["submit", &flow, "--as-tenant", "acme", "--sign-key", "acme-token", "-s", &url];
    stage.run(&signed).expect(2, "sign");
}

#[test]
fn what_counts_is_printed_with_where_it_comes_from() {
    let stage = Stage::new();
    stage.write("runners.toml", "term = \"90s\"\n[Features]\nSelfHostedRelayEnabled = false\n");
    let told = stage.run(&["server", "--config", "runners.toml", "--data", "d", "--print-config"]);
    told.expect(0, "");
    let line = |start: &str| told.stdout().lines().find(|line| line.starts_with(start)).unwrap().to_owned();
    assert!(line("data = \"d\"").ends_with("# flag"));
    assert!(line("term = \"90s\"").ends_with("# file runners.toml"));
    assert!(line("SelfHostedRelayEnabled = false").ends_with("# file runners.toml"));
    assert!(line("listen = ").ends_with("# default"));
    stage.write("again.toml", told.stdout());
    stage.run(&["server", "--config", "again.toml", "--print-config"]).expect(0, "");
    stage.write("wrong.toml", "trem = \"90s\"");
    stage
        .run(&["server", "--config", "wrong.toml"])
        .expect(2, "trem: there is no such setting; did you mean term?");
}
