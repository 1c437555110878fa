//! The dashboard of a server, in a real browser, by a flow of our own: it is an example too.

use crate::{
    processes::Process,
    stage::{Stage, has_browser},
};
use serde_json::Value;
use std::path::Path;

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
fn a_server_leaves_the_dashboard_out_if_it_is_told_to() {
    let stage = Stage::new();
    let server =
        Process::start(stage.command(&["server", "--json", "--no-dashboard", "--listen", "127.0.0.1:0"]));
    assert_eq!(server.wait_for("listening")["dashboard_url"], Value::Null);
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
