//! Every page of the dashboard, with something on it: axe looks at each, and none is forgotten.

use crate::{
    axe::Axe,
    processes::Process,
    stage::{Stage, page},
    verbs::{json, run},
};
use serde_json::{Value, json};

/// Where the routes of the dashboard are told.
const ROUTES: [&str; 2] = [
    include_str!("../../../runners-dashboard/src/pages.rs"),
    include_str!("../../../runners-dashboard/src/dashboard.rs"),
];

/// What everybody sees who may read and change.
const PAGES: [&str; 26] = [
    "/queue",
    "/jobs",
    "/jobs/{job}",
    "/jobs/{job}/film",
    "/jobs/{job}/requests",
    "/jobs/{job}/console",
    "/runs",
    "/runs/{run}",
    "/flows",
    "/flows/{name}",
    "/record",
    "/record/{job}",
    "/regions",
    "/regions/{run}",
    "/fleet",
    "/fleet/{runner}",
    "/pools",
    "/pools/{pool}",
    "/environments",
    "/events",
    "/audit",
    "/webhooks",
    "/credentials",
    "/settings",
    // A job that runs has other parts than one that has ended.
    "/jobs/{running}",
    "/runs/{matrix}",
];

/// What the operator sees besides.
const PAGES_OF_OPERATOR: [&str; 2] = ["/tenants", "/settings"];

/// What is answered at an address and is no page, and why.
const NO_PAGES: [(&str, &str); 10] = [
    ("/", "leads to the first page"),
    ("/live", "events, for the script"),
    ("/jobs/{job}/watch", "a WebSocket"),
    ("/jobs/{job}/log", "a text to keep"),
    ("/jobs/{job}/log/stream", "events, for the script"),
    ("/jobs/{job}/artifacts/{grant}/{*name}", "bytes that a job left"),
    ("/regions/{run}/artifacts/{digest}/{*name}", "bytes that a check left"),
    ("/record/{job}/flow.json", "a file to keep"),
    ("/flows/{name}/document", "a file to keep"),
    ("/sign-in", "looked at before anybody signs in"),
];

#[test]
fn every_page_of_the_dashboard_is_among_those_that_axe_looks_at() {
    let there: Vec<&str> = ROUTES.iter().flat_map(|source| shown(source)).collect();
    assert!(there.len() > 30, "routes are found: {there:?}");
    for route in &there {
        let is_looked_at = PAGES.contains(route) || PAGES_OF_OPERATOR.contains(route);
        let is_none = NO_PAGES.iter().any(|(path, _)| path == route);
        assert!(is_looked_at != is_none, "{route}: add it to the pages that are looked at, or say why not");
    }
    for (path, why) in NO_PAGES {
        assert!(there.contains(&path), "{path} ({why}) is gone");
    }
}

/// The routes of a source that answer GET.
fn shown(source: &'static str) -> Vec<&'static str> {
    let routes = source.split(".route(").skip(1).filter_map(|route| {
        let (_, rest) = route.split_once('"')?;
        let (path, handlers) = rest.split_once('"')?;
        handlers.trim_start_matches([',', ' ', '\n']).starts_with("get(").then_some(path)
    });
    routes.collect()
}

#[test]
fn axe_finds_nothing_serious_on_any_page() {
    let Some(axe) = Axe::find() else { return };
    let stage = Stage::new();
    let shop = page("<h1>Shop</h1><script>console.warn('low stock'); fetch('/basket')</script>");
    stage.flow("flows/shop.json", &shop, "Shop");
    let arguments =
        ["server", "--json", "--listen", "127.0.0.1:0", "--flows", "flows", "--egress-allow", "127.0.0.0/8"];
    let server = Process::start(stage.command(&arguments));
    let url = server.wait_for("listening")["url"].as_str().unwrap().to_owned();
    let _runner = stage.runner(&url);
    let (names, _recording) = furnish(&stage, &url, &shop);
    let token = |name: &str| stage.read(&format!("runners-data/{name}")).trim().to_owned();
    let asked = json!({
        "url": format!("{url}/dashboard"),
        "visits": [
            { "credential": token("api-token"), "paths": PAGES.map(|page| named(page, &names)) },
            { "credential": token("operator-token"), "paths": PAGES_OF_OPERATOR.map(|page| named(page, &names)) },
        ],
    });
    let found = axe.look(asked);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Puts something on every page, and tells what stands for the names in their addresses.
fn furnish(stage: &Stage, url: &str, shop: &str) -> (Vec<(&'static str, String)>, Process) {
    run(stage, url, &["pools", "create", "lab"]);
    run(stage, url, &["environments", "set", "staging", "--pool", "lab"]);
    run(stage, url, &["runners", "create", "rack-7", "--pool", "lab", "--file", "credential"]);
    run(stage, url, &["webhooks", "create", "https://hooks.example.com/a", "--file", "secret"]);
    let flow = "flows/shop.json";
    run(stage, url, &["flows", "put", flow, "--tag", "paid"]);
    let filmed = json(stage, url, &["submit", flow, "--capture", "frames", "--wait"]);
    let asked = stage.run(&["run-checks", "shop", "--url", shop, "--region", "default", "-s", url, "--json"]);
    asked.expect(0, "1 check");
    let runs = json(stage, url, &["runs", "list"]);
    let recording = ["flow", "record", shop, "--json", "-o", "recorded.json", "-s", url, "--pool", "default"];
    let recording = Process::start(stage.command(&recording));
    let recorded = recording.wait_for("queued");
    recording.wait_for("step");
    let runners = json(stage, url, &["runners", "list"]);
    let pool = json(stage, url, &["pools", "show", "lab"]);
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned();
    let names = vec![
        ("{job}/film", format!("{}/film", text(&filmed["flows"][0]["job"]))),
        ("{running}", text(&recorded["job"])),
        ("record/{job}", format!("record/{}", text(&recorded["job"]))),
        ("{job}", text(&filmed["flows"][0]["job"])),
        ("regions/{run}", format!("regions/{}", text(&asked.json()["runId"]))),
        ("{matrix}", text(&runs["items"][0]["id"])),
        ("{run}", text(&runs["items"][1]["id"])),
        ("{name}", "shop".to_owned()),
        ("{runner}", text(&runners[0]["id"])),
        ("{pool}", text(&pool["id"])),
    ];
    (names, recording)
}

/// The address of a page.
fn named(page: &str, names: &[(&str, String)]) -> String {
    let page = page.trim_start_matches('/').to_owned();
    names.iter().fold(page, |page, (name, stands)| page.replace(name, stands))
}
