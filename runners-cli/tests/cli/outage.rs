//! A server that is killed in the middle of a run over three regions, and started again: the run ends
//! complete, and nothing that was recorded is asked for again.

use crate::{
    others::{Gate, region, webdriver},
    processes::Process,
    stage::Stage,
};
use runners_core::{Clock as _, SystemClock};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

/// How many jobs each region has: one page each.
const PAGES: [(&str, usize); 3] = [("default", 67), ("push", 67), ("local", 66)];
/// How many of each are answered before the server is killed.
const ANSWERED: usize = 15;

/// How long they may take for that.
const RECORDED_WITHIN: Duration = Duration::from_secs(120);

/// What the three regions were asked: a pool by its runner, an endpoint, and the server itself.
struct Regions {
    gates: BTreeMap<&'static str, Arc<Gate>>,
    endpoint: String,
    /// The WebDrivers of the runner and of the server.
    drivers: [String; 2],
}

impl Regions {
    fn start() -> Self {
        let gates: BTreeMap<_, _> = PAGES.map(|(region, _)| (region, Gate::after(ANSWERED))).into();
        let endpoint = region(&gates["push"]);
        let drivers = ["default", "local"].map(|region| webdriver(&gates[region]));
        Self { gates, endpoint, drivers }
    }

    fn server(&self, stage: &Stage) -> (Process, String) {
        let driver = &self.drivers[1];
        let mut command = stage.command(&[
            "server",
            "--json",
            "--listen",
            "127.0.0.1:0",
            "--term",
            "5s",
            "--flows",
            "flows",
            "--egress-allow",
            "127.0.0.0/8",
            "--webdriver",
            driver,
            "--screenshots",
            "failure",
        ]);
        command.env("PLAYWRIGHT_RUNNERS", json!({ "push": self.endpoint }).to_string());
        let server = Process::start(command);
        let url = server.wait_for("listening")["url"].as_str().unwrap().to_owned();
        (server, url)
    }

    fn runner(&self, stage: &Stage, url: &str) -> Process {
        let driver = &self.drivers[0];
        let runner = Process::start(stage.command(&[
            "run",
            "--json",
            "-s",
            url,
            "--slots",
            "4",
            "--webdriver",
            driver,
            "--screenshots",
            "failure",
        ]));
        runner.wait_for("connected");
        runner
    }

    fn count(&self, (region, page): &(String, String)) -> usize {
        self.gates[region.as_str()].count(page)
    }
}

#[test]
fn a_run_whose_server_is_killed_ends_complete_and_repeats_nothing_that_was_recorded() {
    let stage = Stage::new();
    stage.write(
        "flows/good.json",
        r#"{"title": "Good", "steps": [{"type": "navigate", "url": "http://a/"}]}"#,
    );
    let check = |region: &str, page: usize| json!({ "name": "good", "region": region, "input": { "url": format!("http://127.0.0.1:9/{page}") } });
    let each = PAGES.iter().flat_map(|(region, count)| (0..*count).map(|page| check(region, page)));
    let runners: Vec<Value> = each.collect();
    assert_eq!(runners.len(), 200);
    stage.write("request.json", json!({ "mode": "remote", "runners": runners }).to_string());

    let regions = Regions::start();
    let (server, url) = regions.server(&stage);
    let runner = regions.runner(&stage, &url);
    let ask = |url: &str| {
        stage.command(&["orchestrate", "request.json", "--run-id", "outage", "-s", url, "--json"])
    };
    let first = Process::start(ask(&url));
    first.wait_for_line("200 checks");
    let recorded = recorded(&stage, &url);
    let before: Vec<usize> = recorded.iter().map(|job| regions.count(job)).collect();
    server.kill();
    runner.kill();
    first.kill();

    let (_server, url) = regions.server(&stage);
    let _runner = regions.runner(&stage, &url);
    regions.gates.values().for_each(|gate| gate.lift());
    let mut second = Process::start(ask(&url));
    assert_eq!(second.wait(), Some(0), "{}", second.said());
    let summary = second.said().lines().find_map(|line| serde_json::from_str::<Value>(line).ok()).unwrap();
    assert_eq!(summary["summary"], json!({ "total": 200, "passed": 200, "failed": 0, "errored": 0 }));
    let after: Vec<usize> = recorded.iter().map(|job| regions.count(job)).collect();
    assert_eq!(after, before, "what was recorded was asked for again");
}

/// Follows the run until each region has answered what it answers, and tells those jobs.
fn recorded(stage: &Stage, url: &str) -> BTreeSet<(String, String)> {
    let token = stage.read("runners-data/api-token");
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    // The stream says every few seconds that it is there: one that goes on for ever has to end as well.
    let give_up_at = SystemClock::default().boot() + RECORDED_WITHIN;
    let head = format!("Host: {address}\r\nAuthorization: Bearer {}", token.trim());
    write!(stream, "GET /api/orchestrator/outage/events HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
    let (mut pages, mut ended) = (BTreeMap::new(), BTreeSet::new());
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        assert!(SystemClock::default().boot() < give_up_at, "only {} jobs have ended", ended.len());
        let Some(event) =
            line.strip_prefix("data:").and_then(|data| serde_json::from_str::<Value>(data).ok())
        else {
            continue;
        };
        let index = event["index"].as_u64();
        match event["event"].as_str() {
            Some("job_started") => {
                pages.insert(index, event["url"].as_str().unwrap().to_owned());
            }
            Some("job_ended") => {
                ended.insert((event["region"].as_str().unwrap().to_owned(), pages[&index].clone()));
            }
            _ => {}
        }
        if ended.len() == ANSWERED * PAGES.len() {
            return ended;
        }
    }
    panic!("the events broke off after {} jobs", ended.len())
}
