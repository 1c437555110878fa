//! The dashboard of a server, in a real browser, by a flow of our own: it is an example too.

use crate::{
    processes::Process,
    stage::{Stage, has_browser},
    verbs::{json, run},
};
use serde_json::{Value, json};
use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Says where axe-core is, and what drives a browser.
const AXE: &str = "AXE_PACKAGE_DIRECTORY";

/// The step that waits for a job to arrive on the page.
const WAITS: &str = "step 13/";

#[test]
fn a_person_signs_in_makes_a_pool_sees_a_job_arrive_and_cancels_it() {
    if !has_browser() {
        return;
    }
    let stage = Stage::new();
    let (server, url) = stage.server();
    let listening = server.said();
    assert!(listening.contains(&format!("{url}/dashboard")), "{listening}");
    let flow = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/flows/dashboard.json");
    let parameter = format!("url={url}");
    let mut person = stage.command(&["flow", "run", flow.to_str().unwrap(), "--param", &parameter]);
    person.env("RUNNERS_SECRET_credential", stage.read("runners-data/api-token").trim());
    let mut person = Process::start(person);
    person.wait_for_line(WAITS);
    let waiting = stage.flow("waiting.json", "http://localhost/", "x");
    let submitted = stage.run(&["submit", &waiting, "--json", "-s", &url]).json();
    assert_eq!(person.wait(), Some(0), "{}", person.said());
    let job = submitted["jobs"][0]["job"].as_str().unwrap();
    let told = stage.run(&["job", job, "-s", &url, "--json"]).json();
    assert_eq!(told["state"]["concluded"]["conclusion"], "cancelled", "{told}");
    let pools = stage.run(&["pools", "list", "--json", "-s", &url]).stdout();
    assert!(pools.contains("from-the-dashboard"), "{pools}");
    let artifacts = &stage.report()["flows"][0]["artifacts"];
    let kept = artifacts.as_array().unwrap().iter().filter_map(|one| one["name"].as_str());
    let pictures: Vec<_> = kept.filter(|name| name.starts_with("screenshots/")).collect();
    assert_eq!(pictures, ["screenshots/job.png", "screenshots/pool.png", "screenshots/queue.png"]);
    assert_eq!(stage.report()["flows"][0]["page_errors"], Value::Null, "the policy lets the pages be");
    keep(&stage);
}

#[test]
fn axe_finds_nothing_serious_on_any_page() {
    let Some(packages) = std::env::var_os(AXE) else {
        println!("skipped: axe-core is not there: cargo xtask test installs it");
        return;
    };
    let browsers = ["chromium", "chromium-browser", "google-chrome"];
    let Some(browser) = browsers.into_iter().find_map(on_the_path) else {
        println!("skipped: there is no browser to look at the pages with");
        return;
    };
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let flow = stage.flow("shop.json", "http://localhost/", "x");
    run(&stage, &url, &["flows", "put", &flow, "--tag", "paid"]);
    run(&stage, &url, &["pools", "create", "lab"]);
    run(&stage, &url, &["environments", "set", "staging", "--pool", "lab"]);
    run(&stage, &url, &["runners", "create", "rack-7", "--pool", "lab", "--file", "credential"]);
    run(&stage, &url, &["webhooks", "create", "https://hooks.example.com/a", "--file", "secret"]);
    let queued = json(&stage, &url, &["flows", "run", "shop"]);
    let runners = json(&stage, &url, &["runners", "list"]);
    let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
    let pool = json(&stage, &url, &["pools", "show", "lab"]);
    let mut paths: Vec<String> = [
        "queue",
        "jobs",
        "runs",
        "flows",
        "flows/shop",
        "regions",
        "fleet",
        "pools",
        "environments",
        "events",
        "audit",
        "webhooks",
        "credentials",
        "settings",
    ]
    .map(str::to_owned)
    .into();
    paths.extend([
        format!("jobs/{}", queued["jobs"][0]["job"].as_str().unwrap()),
        format!("runs/{}", queued["run"].as_str().unwrap()),
        format!("fleet/{}", id(&runners[0])),
        format!("pools/{}", id(&pool)),
    ]);
    let asked = json!({
        "packages": packages.to_str().unwrap(), "browser": browser, "url": format!("{url}/dashboard"),
        "credential": stage.read("runners-data/api-token").trim(), "paths": paths,
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/axe.cjs");
    let mut node = Command::new("node")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    node.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let said = node.wait_with_output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let found: Vec<String> = serde_json::from_slice(&said.stdout).unwrap();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_server_leaves_the_dashboard_out_if_it_is_told_to() {
    let stage = Stage::new();
    let server =
        Process::start(stage.command(&["server", "--json", "--no-dashboard", "--listen", "127.0.0.1:0"]));
    assert_eq!(server.wait_for("listening")["dashboard_url"], Value::Null);
}

/// Where a program is, among those that are found by their name.
fn on_the_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|place| place.join(name)).find(|file| file.is_file())
}

/// Keeps the pictures where somebody says, so that CI can show them.
fn keep(stage: &Stage) {
    let Some(to) = std::env::var_os("RUNNERS_PICTURES") else { return };
    std::fs::create_dir_all(&to).unwrap();
    for name in ["job", "pool", "queue"] {
        let from = stage.path(&format!("runners-output/dashboard/screenshots/{name}.png"));
        std::fs::copy(from, Path::new(&to).join(format!("dashboard-{name}.png"))).unwrap();
    }
}
