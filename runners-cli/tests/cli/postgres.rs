//! Servers on one PostgreSQL: two are one queue, and what is wrong with a database is said.

use crate::{
    others::{Gate, webdriver},
    processes::Process,
    stage::Stage,
};
use runners_store_postgres::testing::TestServer;
use serde_json::json;
use std::process::Command;

/// A database of its own. Where there is none, it says so.
fn database() -> Option<TestServer> {
    TestServer::start().inspect_err(|why| println!("\nskipped: {why}")).ok()
}

fn on(stage: &Stage, url: &str) -> Command {
    stage.command(&[
        "server",
        "--json",
        "--listen",
        "127.0.0.1:0",
        "--term",
        "5s",
        "--no-orchestrator",
        "--store",
        url,
    ])
}

fn started(stage: &Stage, url: &str) -> (Process, String) {
    let server = Process::start(on(stage, url));
    let url = server.wait_for("listening")["url"].as_str().unwrap().to_owned();
    (server, url)
}

#[test]
fn two_servers_on_one_database_are_one_queue_and_one_that_is_killed_takes_nothing_with_it() {
    let Some(database) = database() else { return };
    let (here, there) = (Stage::new(), Stage::new());
    let (first, first_url) = started(&here, &database.url());
    let (_second, second_url) = started(&there, &database.url());
    let driver = webdriver(&Gate::open());
    let runner = |stage: &Stage, url: &str| {
        let arguments = ["run", "--json", "-s", url, "--webdriver", &driver, "--screenshots", "failure"];
        let runner = Process::start(stage.command(&arguments));
        runner.wait_for("connected");
        runner
    };
    let steps = json!([{ "type": "navigate", "url": "http://shop.example/" }]);
    let flow = json!({ "title": "Opens", "steps": steps }).to_string();
    there.write("flow.json", &flow);

    // The runner is at one server, and whoever submits and waits is at the other.
    let runner_of_first = runner(&here, &first_url);
    there.run(&["submit", "flow.json", "--wait", "-s", &second_url]).expect(0, "");

    // Accepted by the first, which is killed before anybody does it.
    runner_of_first.kill();
    here.write("flow.json", &flow);
    let submitted = here.run(&["submit", "flow.json", "--json", "-s", &first_url]);
    submitted.expect(0, "");
    let job = submitted.json()["jobs"][0]["job"].as_str().unwrap().to_owned();
    first.kill();
    let _runner = runner(&there, &second_url);
    // The second may not have been told of it: then it finds it by itself.
    there.run(&["logs", "-f", &job, "-s", &second_url]).expect(0, "");
    let told = there.run(&["job", &job, "-s", &second_url, "--json"]).json();
    assert!(told["state"]["concluded"].is_object(), "{told}");
}

#[test]
fn what_is_wrong_with_a_database_is_said_and_no_password_is() {
    let stage = Stage::new();
    let refused = |url: &str, code, in_stderr: &str| {
        let output = on(&stage, url).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(told.contains(in_stderr), "{told}");
        assert!(!told.contains("hush"), "{told}");
    };
    refused("postgres://me:hush-hush@127.0.0.1/queue", 2, "PGPASSWORD");
    refused("postgres://me@127.0.0.1:1/queue", 2, "nothing answers at 127.0.0.1:1/queue");
    refused("queue.db", 2, "postgres://USER@HOST/DATABASE");
}
