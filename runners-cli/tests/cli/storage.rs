//! Servers whose artifacts lie in a bucket: two need no directory in common, and what is wrong with a
//! bucket is said.

use crate::{
    others::{Gate, webdriver},
    processes::Process,
    stage::Stage,
};
use futures::FutureExt as _;
use http::Method;
use runners_artifacts_s3::testing::TestStorage;
use runners_store_postgres::testing::TestServer;
use serde_json::json;
use std::{
    process::Command,
    sync::mpsc::{Receiver, channel},
    time::Duration,
};
use tokio::runtime::Runtime;

/// How long something is waited for that a server does by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// Names that were put there.
struct Puts(Receiver<String>);

impl Puts {
    fn of(storage: &TestStorage) -> Self {
        let (told, puts) = channel();
        storage.intercept(move |request| {
            if request.method == Method::PUT {
                drop(told.send(request.uri.path().to_owned()));
            }
            async { None }.boxed()
        });
        Self(puts)
    }

    #[track_caller]
    fn wait(&self) -> String {
        self.0.recv_timeout(PATIENCE).expect("something is put")
    }
}

fn storage() -> (Runtime, TestStorage) {
    let runtime = Runtime::new().unwrap();
    let storage = runtime.block_on(TestStorage::start()).unwrap();
    (runtime, storage)
}

/// A server whose artifacts lie there.
fn server(stage: &Stage, storage: &TestStorage, more: &[&str]) -> Command {
    let endpoint = storage.endpoint();
    let mut arguments = vec!["server", "--json", "--listen", "127.0.0.1:0", "--no-orchestrator"];
    arguments.extend(["--artifacts", "s3://artifacts/ci", "--artifacts-endpoint", &endpoint]);
    arguments.extend(more);
    let mut command = stage.command(&arguments);
    command.env("AWS_ACCESS_KEY_ID", TestStorage::KEY).env("AWS_SECRET_ACCESS_KEY", TestStorage::SECRET);
    command
}

fn started(command: Command) -> (Process, String) {
    let server = Process::start(command);
    let told = server.wait_for("listening");
    assert!(told["artifacts"].as_str().unwrap().starts_with("s3://artifacts/ci at http://"), "{told}");
    (server, told["url"].as_str().unwrap().to_owned())
}

/// A flow that is too large to travel in a request: it is an artifact itself.
fn large_flow(stage: &Stage) {
    let url = format!("http://shop.example/?{}", "x".repeat(200_000));
    let steps = json!([{ "type": "navigate", "url": url }]);
    stage.write("flow.json", json!({ "title": "Opens", "steps": steps }).to_string());
}

#[test]
fn what_was_written_at_one_server_is_read_at_another_and_they_share_no_directory() {
    let database = match TestServer::start() {
        Ok(database) => database,
        Err(why) => return println!("\nskipped: {why}"),
    };
    let (_runtime, storage) = storage();
    let puts = Puts::of(&storage);
    let (here, there) = (Stage::new(), Stage::new());
    let url = database.url();
    let (first, first_url) = started(server(&here, &storage, &["--store", &url]));
    let (second, second_url) = started(server(&there, &storage, &["--store", &url]));
    let driver = webdriver(&Gate::open());
    let arguments = ["run", "--json", "-s", &first_url, "--webdriver", &driver, "--screenshots", "failure"];
    let runner = Process::start(here.command(&arguments));
    runner.wait_for("connected");

    large_flow(&there);
    let submitted = there.run(&["submit", "flow.json", "--json", "-s", &second_url]);
    submitted.expect(0, "");
    let job = submitted.json()["jobs"][0]["job"].as_str().unwrap().to_owned();
    assert!(puts.wait().starts_with("/artifacts/ci/tenant_"), "the flow is an artifact");
    here.run(&["logs", &job, "--follow", "-s", &first_url]).expect(0, "");
    assert!(puts.wait().starts_with("/artifacts/ci/tenant_"), "the log of an ended job is one too");

    first.kill();
    let logs = there.run(&["logs", &job, "-s", &second_url]);
    logs.expect(0, "");
    assert!(!logs.stdout().is_empty() && !logs.stdout().contains("missing"), "{}", logs.stdout());
    let told = there.run(&["job", &job, "-s", &second_url, "--json"]).json();
    assert_eq!(told["state"]["concluded"]["conclusion"], "passed", "{told}");
    assert!(storage.names().iter().all(|name| name.starts_with("ci/tenant_")), "{:?}", storage.names());
    for stage in [&here, &there] {
        assert!(!stage.path("runners-data/artifacts").exists());
    }
    assert!(!second.said().contains(TestStorage::SECRET), "{}", second.said());
}

#[test]
fn what_is_wrong_with_a_bucket_is_said_and_no_secret_is() {
    let (_runtime, storage) = storage();
    let stage = Stage::new();
    let refused = |mut command: Command, in_stderr: &str| {
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(in_stderr), "{told}");
        assert!(!told.contains("hush") && !told.contains("Signature="), "{told}");
    };
    let mut wrong = server(&stage, &storage, &[]);
    wrong.env("AWS_SECRET_ACCESS_KEY", "hush-hush");
    refused(wrong, "correct the key and its secret");
    let mut without = server(&stage, &storage, &[]);
    without.env_remove("AWS_ACCESS_KEY_ID");
    refused(without, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    let absent = stage.path("absent");
    let absent = server(&stage, &storage, &["--artifacts-credentials-file", absent.to_str().unwrap()]);
    refused(absent, "cannot be read");
    let elsewhere =
        stage.command(&["server", "--listen", "127.0.0.1:0", "--artifacts", "https://storage/ci"]);
    refused(elsewhere, "s3://BUCKET/PREFIX");
}
