//! What is said to arguments, good and bad, before anything is started.

use crate::stage::Stage;

#[test]
fn every_command_explains_itself() {
    let stage = Stage::new();
    let help = stage.run(&["--help"]);
    assert_eq!(help.code(), Some(0));
    assert!(help.stdout().contains("runners flow run FLOW.json"), "{}", help.stdout());
    for verb in ["dev", "server", "run", "submit", "flow", "orchestrate", "run-checks"] {
        let help = stage.run(&[verb, "--help"]);
        assert_eq!(help.code(), Some(0), "{verb}");
        let text = help.stdout();
        assert!(verb == "flow" || text.contains("Example"), "{verb}: {text}");
    }
    for verb in [
        ["webhooks", "create"],
        ["credentials", "create"],
        ["retention", "set"],
        ["rollout", "set"],
        ["tokens", "create"],
        ["jobs", "list"],
    ] {
        let help = stage.run(&[&verb[..], &["--help"]].concat());
        assert!(help.code() == Some(0) && help.stdout().contains("Example"), "{verb:?}: {}", help.stdout());
    }
    let help = stage.run(&["submit", "--help"]).stdout();
    for member in ["version", "counts", "conclusion", "steps", "artifacts", "sha256"] {
        assert!(help.contains(&format!("\"{member}\"")), "{member} of report.json is not explained");
    }
    let help = stage.run(&["run", "--help"]).stdout();
    assert!(help.contains("--token-file and RUNNERS_TOKEN are safer"), "{help}");
}

#[test]
fn shells_and_man_know_every_verb() {
    let stage = Stage::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = stage.run(&["completion", shell]);
        assert_eq!(script.code(), Some(0));
        assert!(script.stdout().contains("doctor"), "{shell}");
    }
    stage.run(&["man", "pages/man1"]).expect(0, "");
    assert!(stage.read("pages/man1/runners.1").contains(r"runners\-submit(1)"));
    assert!(stage.read("pages/man1/runners-start.1").contains("in the background"));
}

#[test]
fn malformed_arguments_exit_with_2_and_name_the_limit() {
    let stage = Stage::new();
    stage.run(&["fly"]).expect(2, "unrecognized subcommand");
    stage.run(&["run", "--slots", "0"]).expect(2, "0 is not in 1..=2000");
    stage.run(&["submit"]).expect(2, "FLOW.json");
    stage.run(&["submit", "x.json", "--timeout", "90"]).expect(2, "such as 90s");
    stage.run(&["submit", "x.json", "--attempts", "0"]).expect(2, "0 is not in 1..=100");
    stage.run(&["run", "--warm-jobs", "0"]).expect(2, "0 is not in 1..");
    stage.run(&["run", "--warm-memory", "1g"]).expect(2, "invalid value '1g' for '--warm-memory <MIB>'");
    stage.run(&["ping", "runner_1"]).expect(2, "32 lowercase hex digits");
    stage.run(&["server", "--listen", "here"]).expect(2, "--listen");
}

#[test]
fn how_jobs_are_scheduled_is_told_apart_and_refused_with_what_to_write() {
    let stage = Stage::new();
    for verb in [&["submit"][..], &["flows", "run"]] {
        let help = stage.run(&[verb, &["--help"]].concat()).stdout();
        let (_, below) = help.split_once("\nScheduling:\n").unwrap_or_else(|| panic!("{help}"));
        let (scheduling, rest) = below.split_once("\n      --attempts").map_or((below, ""), |parts| parts);
        for option in [
            "--priority",
            "--refuse-label",
            "--on",
            "--start-at",
            "--queue-ttl",
            "--fallback",
            "--fair",
            "--limit",
            "--unique",
            "--after",
        ] {
            assert!(scheduling.contains(&format!("{option} <")), "{option}: {help}");
        }
        assert!(!scheduling.contains("--timeout") && !rest.contains("--priority"), "{help}");
    }
    let flow = stage.flow("flow.json", "http://localhost/", "x");
    let other = stage.flow("other.json", "http://localhost/", "x");
    for (given, words) in [
        (["--priority", "256"], "256 is not in 0..=255"),
        (["--fallback", "spare"], "write POOL=WAIT, such as spare=5m"),
        (["--fallback", "default=1m"], "the pool \"default\" is named twice"),
        (["--fair", "acme=0"], "a weight from 1 to 100"),
        (["--limit", "shop=0"], "a count of at least 1, such as shop.example=2"),
        (["--start-at", "soon"], "such as 2026-01-31T22:00:00Z, or how long from now, such as 2h"),
        (["--queue-ttl", "90"], "such as 90s"),
        (["--after", "job_1"], "32 lowercase hex digits"),
        (["--unique", "nightly"], "--unique is for one flow, and there are 2"),
    ] {
        let token = ["-t", &format!("rapi_{}", "7".repeat(64)), "-s", "http://127.0.0.1:1"];
        stage.run(&[&["submit", &flow, &other][..], &given, &token].concat()).expect(2, words);
    }
}

#[test]
fn a_second_attempt_at_what_failed_is_refused_where_there_is_only_one() {
    let stage = Stage::new();
    let flow = stage.flow("flow.json", "http://localhost/", "x");
    let one = ["--attempts", "1", "--retry-failed"];
    for what in [&["submit", &flow][..], &["container", "submit", "alpine:3"]] {
        let ended = stage.run(&[what, &one].concat());
        ended.expect(2, "--retry-failed needs a second attempt, and --attempts 1 allows none");
    }
    stage.run(&["flow", "run", &flow, "--retry-failed"]).expect(2, "unexpected argument '--retry-failed'");
    let help = stage.run(&["flow", "run", "--help"]).stdout();
    assert!(help.contains("Each flow has one attempt"), "{help}");
}

#[test]
fn plain_http_beyond_this_machine_must_be_allowed() {
    let stage = Stage::new();
    stage.run(&["server", "--listen", "0.0.0.0:0"]).expect(2, "--insecure-http");
    assert!(!stage.path("runners-data").exists(), "nothing was made before");
    let token = format!("rapi_{}", "0".repeat(64));
    let file = stage.write("token", &token);
    let flow = stage.flow("flow.json", "http://localhost/", "x");
    let file = file.to_str().unwrap();
    let far = ["submit", &flow, "-s", "http://192.0.2.1:7878", "--token-file", file];
    stage.run(&far).expect(2, "plain http");
}

#[test]
fn a_missing_token_is_told_where_it_is() {
    let stage = Stage::new();
    let flow = stage.flow("flow.json", "http://localhost/", "x");
    stage.run(&["submit", &flow]).expect(2, "there is no API credential: give --token-file FILE");
    stage
        .run(&["submit", &flow, "--token-file", "nowhere"])
        .expect(2, "could not read the token file nowhere");
    stage.write("empty", " \n");
    stage.run(&["submit", &flow, "--token-file", "empty"]).expect(2, "is empty");
}

#[test]
fn a_token_of_another_kind_is_named_and_not_shown() {
    let stage = Stage::new();
    let flow = stage.flow("flow.json", "http://localhost/", "x");
    let (registration, api) = (format!("rreg_{}", "7".repeat(64)), format!("rapi_{}", "7".repeat(64)));
    let submitted = stage.run(&["submit", &flow, "-t", &registration]);
    submitted.expect(2, "API credential (rapi_…), and what was given is the registration token (rreg_…)");
    let run = stage.run(&["run", "-t", &api, "--webdriver", "http://localhost:1"]);
    run.expect(2, "registration token (rreg_…) or the runner credential (rcrd_…), and what was given is the API credential (rapi_…)");
    assert!(!(submitted.stderr() + &run.stderr()).contains("7777"));
}

#[test]
fn a_server_that_is_not_there_is_told_with_its_cause_and_the_way_out() {
    let stage = Stage::new();
    let flow = stage.flow("flow.json", "http://localhost/", "x");
    let token = format!("rapi_{}", "7".repeat(64));
    let ended = stage.run(&["submit", &flow, "-s", "http://127.0.0.1:1", "-t", &token]);
    ended.expect(2, "could not reach http://127.0.0.1:1: is it the right URL");
    assert!(ended.stderr().contains("Connection refused"), "{}", ended.stderr());
    assert_eq!(ended.stderr().matches("Connection refused").count(), 1, "{}", ended.stderr());
}

#[test]
fn a_server_that_speaks_plain_http_is_told_as_such() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let url = url.replace("http://", "https://");
    for verb in [&["list"][..], &["job", &format!("job_{}", "0".repeat(32))]] {
        stage.run(&[verb, &["-s", &url]].concat()).expect(2, "it speaks plain http: write http://");
    }
    let told = stage.run(&["doctor", "--json", "-s", &url]).stdout();
    assert!(told.contains(&url) && told.contains("plain http"), "{told}");
}

#[test]
fn an_environment_is_named_the_same_to_flows_and_containers() {
    let stage = Stage::new();
    let flow = stage.flow("flow.json", "http://localhost/", "x");
    let (_server, url) = stage.server();
    for verb in [&["submit", &flow][..], &["container", "submit", "alpine:3"]] {
        for option in ["--environment", "--environment-name"] {
            stage.run(&[verb, &[option, "nowhere", "-s", &url]].concat()).expect(2, "nowhere");
        }
    }
    let listed = stage.run(&["runs", "list", "-s", &url]);
    assert_eq!(listed.stdout(), "none\n", "what is refused leaves no run");
    stage.run(&["server", "--term", "1ms"]).expect(2, "at least 1s");
}
