//! Verbs for what the API is called with, whom it tells, what is kept, and what is rolled out: each
//! against a real server.

use crate::{
    stage::Stage,
    verbs::{json, run},
};

#[test]
fn a_credential_is_made_does_what_its_scopes_say_and_is_revoked() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let told =
        run(&stage, &url, &["credentials", "create", "audit", "--scope", "read", "--file", "audit-token"]);
    assert!(!told.contains("rapi_") && told.contains("audit-token is written"), "{told}");
    assert!(stage.read("audit-token").starts_with("rapi_"));
    #[cfg(unix)]
    assert_eq!(crate::stage::mode(&stage.path("audit-token")), 0o600);
    let reads = |code, said: &str| {
        stage.run(&["jobs", "list", "--token-file", "audit-token", "-s", &url]).expect(code, said);
    };
    reads(0, "");
    let pool = ["pools", "create", "x", "--token-file", "audit-token", "-s", &url];
    stage.run(&pool).expect(2, "the credential does not allow this");

    let made =
        json(&stage, &url, &["credentials", "create", "ci", "--scope", "submit", "--expires-in", "30d"]);
    let secret = made["token"].as_str().unwrap();
    assert!(secret.starts_with("rapi_") && made["expiresAtUtc"].is_string(), "{made}");
    let listed = run(&stage, &url, &["credentials", "list"]);
    assert!(listed.contains("audit") && listed.contains("ci") && !listed.contains("rapi_"), "{listed}");
    let all = json(&stage, &url, &["credentials", "list"]);
    let audit = all.as_array().unwrap().iter().find(|one| one["name"] == "audit").unwrap();
    run(&stage, &url, &["credentials", "revoke", audit["id"].as_str().unwrap()]);
    reads(2, "does not know this token");
    assert!(run(&stage, &url, &["credentials", "list"]).contains("revoked"));
    stage.run(&["credentials", "create", "none", "-s", &url]).expect(2, "--scope");
    let kept = stage.read("audit-token");
    for verb in [&["credentials", "create", "again", "--scope", "read"][..], &["tokens", "create", "default"]]
    {
        let again = [verb, &["--file", "audit-token", "-s", &url]].concat();
        stage.run(&again).expect(2, "audit-token is there already");
    }
    assert_eq!(stage.read("audit-token"), kept, "what it holds is good still");
    let written = run(&stage, &url, &["tokens", "create", "default", "--file", "another", "--force"]);
    assert!(written.contains("another is written"), "{written}");
    let first = stage.read("another");
    run(&stage, &url, &["tokens", "create", "default", "--file", "another", "--force"]);
    assert_ne!(stage.read("another"), first);
    let two = ["pools", "list", "-t", "rapi_00", "--token-file", "audit-token", "-s", &url];
    stage.run(&two).expect(2, "give one of them");
}

#[test]
fn a_webhook_is_made_given_another_secret_and_deleted_and_what_it_was_not_told_is_listed() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    // Nothing is called that is inside, and the server was not told to.
    let inside = "http://127.0.0.1:9/";
    stage.run(&["webhooks", "create", inside, "-s", &url]).expect(2, "127.0.0.1 is no public address");
    // Where a name leads is looked at when it is called.
    let hook = "http://localhost:9/";
    let secret = run(&stage, &url, &["webhooks", "create", hook, "--event", "ready", "--event", "closed"]);
    assert!(secret.starts_with("whsec_"), "{secret}");
    let listed = run(&stage, &url, &["webhooks", "list"]);
    assert!(
        listed.contains(hook) && listed.contains("closed, ready") && !listed.contains("whsec_"),
        "{listed}"
    );
    let all = json(&stage, &url, &["webhooks", "list"]);
    let id = all[0]["id"].as_str().unwrap();
    run(&stage, &url, &["webhooks", "rotate-secret", id, "--file", "hook-secret"]);
    assert!(stage.read("hook-secret").starts_with("whsec_") && stage.read("hook-secret") != secret);
    stage.write("own-secret", "a secret of their own\n");
    let rotated = json(&stage, &url, &["webhooks", "rotate-secret", id, "--secret-file", "own-secret"]);
    assert_eq!(rotated["secret"], "a secret of their own");

    let flow = stage.flow("flow.json", "http://localhost/", "x");
    let submitted = stage.run(&["submit", &flow, "--json", "-s", &url]).json();
    let job = submitted["jobs"][0]["job"].as_str().unwrap();
    // It is given up at once, since it is never permitted.
    let given_up = loop {
        let given_up = json(&stage, &url, &["webhooks", "deliveries", "--given-up"]);
        if given_up[0].is_object() {
            break given_up;
        }
    };
    assert_eq!(
        (&given_up[0]["event"]["job"], &given_up[0]["event"]["event"]),
        (&job.into(), &"ready".into())
    );
    let told = run(&stage, &url, &["webhooks", "deliveries", "--given-up"]);
    assert!(told.contains("given up") && told.contains(given_up[0]["id"].as_str().unwrap()), "{told}");
    run(&stage, &url, &["webhooks", "redeliver", given_up[0]["id"].as_str().unwrap()]);
    run(&stage, &url, &["webhooks", "delete", id]);
    assert_eq!(json(&stage, &url, &["webhooks", "list"]), serde_json::json!([]));
    stage.run(&["webhooks", "create", "ftp://x", "-s", &url]).expect(2, "must begin with https://");
    stage.run(&["webhooks", "create", hook, "--event", "done", "-s", &url]).expect(2, "concluded");
}

#[test]
fn what_is_kept_is_shown_and_changed_member_by_member() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let shown = run(&stage, &url, &["retention", "show"]);
    assert!(shown.contains("30d") && shown.contains("ended jobs"), "{shown}");
    let set = json(&stage, &url, &["retention", "set", "--jobs-for", "7d", "--jobs-max", "100"]);
    assert_eq!((&set["concludedForSeconds"], &set["jobsMax"]), (&604_800.into(), &100.into()), "{set}");
    let set = json(&stage, &url, &["retention", "set", "--jobs-for", "forever", "--artifacts-for", "1h"]);
    let expected = serde_json::json!({
        "concludedForSeconds": null, "jobsMax": 100, "artifactsForSeconds": 3600, "artifactsMax": null,
        "eventsForSeconds": set["eventsForSeconds"],
    });
    assert_eq!(set, expected, "what was not said stays");
    stage.run(&["retention", "set", "-s", &url]).expect(2, "required");
    stage.run(&["retention", "set", "--jobs-for", "1s", "-s", &url]).expect(2, "concludedForSeconds");
}

#[test]
fn the_operator_says_what_is_rolled_out_to_whom() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    run(&stage, &url, &["tenants", "create", "acme", "--credential-file", "acme-token"]);
    let shown = run(&stage, &url, &["rollout", "show"]);
    assert!(shown.contains("everybody") && shown.contains("the server's settings"), "{shown}");
    run(&stage, &url, &["rollout", "set", "relay", "off"]);
    let rules = json(&stage, &url, &["rollout", "set", "self-hosted", "on", "--to", "acme"]);
    assert_eq!(rules["selfHostedRunners"]["tenants"].as_array().unwrap().len(), 1, "{rules}");
    assert_eq!(rules["selfHostedRelay"]["isEnabled"], false, "the other stays as it was said");
    stage.run(&["pools", "create", "x", "-s", &url]).expect(2, "not switched on for this tenant");
    run(&stage, &url, &["pools", "create", "x", "--token-file", "acme-token"]);
    let off = ["rollout", "set", "self-hosted", "off", "--to", "acme", "-s", &url];
    stage.run(&off).expect(2, "--to goes with on");
    run(&stage, &url, &["pools", "create", "y", "--token-file", "acme-token"]);
    run(&stage, &url, &["rollout", "reset", "self-hosted"]);
    run(&stage, &url, &["pools", "create", "x"]);
    stage.run(&["rollout", "set", "relay", "on", "--to", "acne", "-s", &url]).expect(2, "did you mean acme?");
    stage.run(&["rollout", "show", "--token-file", "acme-token", "-s", &url]).expect(2, "operator");
}

#[test]
fn runners_are_listed_by_how_they_are_and_a_job_is_explained() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let _runner = stage.runner(&url);
    assert!(run(&stage, &url, &["list", "--state", "online", "--pool", "default"]).contains("tester"));
    assert_eq!(json(&stage, &url, &["list", "--state", "offline"]), serde_json::json!([]));
    stage.run(&["list", "--state", "lost", "-s", &url]).expect(2, "offline");
    run(&stage, &url, &["pools", "create", "lab"]);
    let flow = stage.flow("flow.json", "http://localhost/", "x");
    let submitted = stage.run(&["submit", &flow, "--pool", "lab", "--json", "-s", &url]).json();
    let job = submitted["jobs"][0]["job"].as_str().unwrap();
    let told = run(&stage, &url, &["explain", job]);
    assert!(
        told.contains("start one") && told.contains("lab ") && told.contains("the pool has no runners"),
        "{told}"
    );
    let told = json(&stage, &url, &["explain", job]);
    assert_eq!(told["pools"][0]["obstacle"]["code"], "empty", "{told}");
    run(&stage, &url, &["environments", "set", "staging", "--pool", "lab"]);
    let to_staging = ["submit", &flow, "--environment", "staging", "--json", "-s", &url];
    let submitted = stage.run(&to_staging).json();
    let job = submitted["jobs"][0]["job"].as_str().unwrap();
    assert_eq!(json(&stage, &url, &["jobs", "inspect", job])["pool"], "lab");
}

#[test]
fn a_flow_is_submitted_with_all_that_schedules_it() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let _runner = stage.runner(&url);
    run(&stage, &url, &["pools", "create", "spare"]);
    let (flow, other) =
        (stage.flow("a.json", "http://localhost/", "x"), stage.flow("b.json", "http://a/", "x"));
    let runner = json(&stage, &url, &["list"])[0]["id"].as_str().unwrap().to_owned();
    let schedule = [
        "--priority",
        "200",
        "--refuse-label",
        "slow",
        "--on",
        "tester",
        "--start-at",
        "2099-01-01T00:00:00Z",
        "--queue-ttl",
        "36500d",
        "--fallback",
        "spare=5m",
        "--fair",
        "acme=3",
        "--limit",
        "shop=2",
        "--unique",
        "x",
    ];
    let submit = |flow: &str, more: &[&str]| {
        json(&stage, &url, &[&["submit", flow][..], more].concat())["jobs"][0]["job"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(run(&stage, &url, &["ping", "tester"]).contains("tester answered in"));
    let first = submit(&flow, &schedule);
    let shown = json(&stage, &url, &["jobs", "inspect", &first]);
    let options = &shown["options"];
    let runner_id = serde_json::Value::from(runner);
    assert_eq!((&shown["priority"], &options["runnerId"]), (&200.into(), &runner_id), "{shown}");
    assert_eq!(options["refused"], serde_json::json!(["slow"]));
    assert_eq!(options["startAtUtc"], "2099-01-01T00:00:00.000Z");
    assert_eq!(options["queueTtlMs"], 3_153_600_000_000_u64);
    assert_eq!(options["fallbacks"], serde_json::json!([{ "pool": "spare", "waitMs": 300_000 }]));
    assert_eq!(options["fairness"], serde_json::json!({ "key": "acme", "weight": 3 }));
    assert_eq!(options["concurrency"], serde_json::json!([{ "key": "shop", "limit": 2 }]));
    assert_eq!(options["unique"], "x");

    let after = submit(&other, &["--after", &first]);
    let waiting = json(&stage, &url, &["jobs", "inspect", &after]);
    assert_eq!((&waiting["runId"], &waiting["state"]), (&shown["runId"], &"blocked".into()), "{waiting}");
    let elsewhere = submit(&other, &["--start-at", "2h"]);
    let both = ["submit", &other, "--after", &first, "--after", &elsewhere, "-s", &url];
    stage.run(&both).expect(2, "it is of another run than");
    stage
        .run(&["submit", &other, "--unique", "x", "-s", &url])
        .expect(2, "has this key and asks for something else");
    stage.run(&["submit", &other, "--on", "testor", "-s", &url]).expect(2, "did you mean tester?");
    let container =
        ["container", "submit", "debian:12", "--after", &first, "--priority", "7", "--on", "tester"];
    let container = json(&stage, &url, &container)["job"].as_str().unwrap().to_owned();
    let shown = json(&stage, &url, &["jobs", "inspect", &container]);
    assert_eq!((&shown["runId"], &shown["state"]), (&waiting["runId"], &"blocked".into()), "{shown}");
    assert_eq!((&shown["priority"], &shown["options"]["runnerId"]), (&7.into(), &runner_id), "{shown}");
}

#[test]
fn jobs_are_listed_by_kind_and_run_page_by_page_or_all_at_once() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let flow = stage.flow("a.json", "http://localhost/", "x");
    let first = stage.run(&["submit", &flow, "--json", "-s", &url]).json();
    let (job, of_run) = (first["jobs"][0]["job"].as_str().unwrap(), first["run"].as_str().unwrap());
    stage.run(&["submit", &flow, &flow, "--json", "-s", &url]).expect(0, "");
    let ids = |answer: &serde_json::Value| -> Vec<String> {
        let items = answer["items"].as_array().unwrap().iter();
        items.map(|job| job["id"].as_str().unwrap().to_owned()).collect()
    };
    let list = |more: &[&str]| json(&stage, &url, &[&["jobs", "list"][..], more].concat());
    let all = ids(&list(&["--all"]));
    assert_eq!(all.len(), 3);
    let page = list(&["--limit", "2"]);
    let rest = list(&["--limit", "2", "--after", page["next"].as_str().unwrap()]);
    assert_eq!([ids(&page), ids(&rest)].concat(), all);
    assert_eq!(ids(&list(&["--run", of_run])), [job]);
    assert_eq!(
        (ids(&list(&["--kind", "browser_flow"])).len(), ids(&list(&["--kind", "shout", "--all"])).len()),
        (3, 0)
    );
    let told = stage.run(&["jobs", "list", "--limit", "2", "-s", &url]);
    let place = page["next"].as_str().unwrap();
    told.expect(0, &format!("there may be more: go on with --after {place}, or list them with --all"));
    assert!(!stage.run(&["jobs", "list", "--all", "-s", &url]).stderr().contains("there may be more"));
    stage.run(&["jobs", "list", "--all", "--limit", "2", "-s", &url]).expect(2, "cannot be used with");
}
