//! Secrets stay where they belong: in files of their owner, not in arguments, environments or logs.

use crate::{
    processes::Process,
    stage::{Stage, has_browser, page},
};
use std::fs;

/// The arguments and the environment of a process and of all that it has started.
fn seen_of(process: u32) -> String {
    let mut seen = String::new();
    let mut waiting = vec![process];
    while let Some(id) = waiting.pop() {
        for name in ["cmdline", "environ"] {
            let text = fs::read(format!("/proc/{id}/{name}")).unwrap_or_default();
            seen.push_str(&String::from_utf8_lossy(&text));
        }
        for thread in fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            waiting.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        }
    }
    seen
}

#[cfg(target_os = "linux")]
#[test]
fn a_runner_and_its_browsers_show_no_token_to_other_users() {
    if !has_browser() {
        return;
    }
    let (stage, url) = (Stage::new(), page("<h1>Hello</h1>"));
    let mut command = stage.command(&["server", "--json", "--listen", "127.0.0.1:0"]);
    let control = Process::start({
        command.env("RUST_LOG", "trace");
        command
    });
    let server = control.wait_for("listening")["url"].as_str().unwrap().to_owned();
    let api = stage.read("runners-data/api-token");
    let token = stage.read("runners-data/registration-token").trim().to_owned();
    for given in ["argument", "variable"] {
        let mut arguments = vec!["run", "--json", "-s", &server, "--name", given, "--label", given];
        if given == "argument" {
            arguments.extend(["-t", &token]);
        }
        let mut command = stage.command(&arguments);
        command.env("RUST_LOG", "trace");
        if given == "variable" {
            command.env("RUNNERS_TOKEN", &token);
        }
        let mut runner = Process::start(command);
        runner.wait_for("connected");
        let flow = stage.flow_within("wait.json", &url, "never there", 10_000);
        let arguments = ["submit", &flow, "--wait", "-s", &server, "--label", given];
        let submitting = Process::start(stage.command(&arguments));
        runner.wait_until("step 2", |told| {
            told["text"].as_str().is_some_and(|text| text.starts_with("step 2"))
        });
        let seen = seen_of(runner.id());
        assert!(seen.contains("chromedriver"), "the browser was looked at too");
        assert!(!seen.contains(&token), "{given}: the registration token can be read in /proc");
        assert!(!seen.contains("rcrd_"), "{given}: the credential can be read in /proc");
        drop(submitting);
        runner.terminate();
        assert_eq!(runner.wait(), Some(0));
        let said = runner.said();
        assert!(said.contains("TRACE") || said.contains("DEBUG"), "the log was on");
        let credential = stage.read(&format!(
            "state/runners/{}/{given}/secrets/credential",
            server.replace("http://", "").replace(':', "_")
        ));
        assert!(credential.starts_with("rcrd_"));
        let logs = said + &control.said();
        for secret in [token.as_str(), credential.trim(), api.trim(), "rcrd_"] {
            assert!(!logs.contains(secret), "{given}: a secret is in a log");
        }
    }
}

#[test]
fn a_later_start_needs_no_token() {
    if !has_browser() {
        return;
    }
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let start = |more: &[&str]| {
        let arguments = [&["run", "--json", "-s", &url, "--state", "mine"], more].concat();
        let mut runner = Process::start(stage.command(&arguments));
        let id = runner.wait_for("enrolled")["runner"].clone();
        runner.wait_for("connected");
        runner.terminate();
        assert_eq!(runner.wait(), Some(0));
        id
    };
    let first = start(&[]);
    fs::rename(stage.path("runners-data/registration-token"), stage.path("token")).unwrap();
    assert_eq!(start(&[]), first, "by its credential");
    assert_eq!(start(&["--token-file", "token"]), first, "by a repeated enrolment");
    fs::remove_dir_all(stage.path("mine")).unwrap();
    stage.run(&["run", "-s", &url, "--state", "mine"]).expect(2, "there is no registration token");
}
