//! The alerts and the dashboard ask for metrics that the code exports, and for labels that they have.
#![expect(clippy::unwrap_used, reason = "a test that fails to set up fails")]

use runners_core::metrics::{Instrument, Metrics as _};
use runners_otel::Telemetry;
use std::collections::BTreeSet;

/// The names that a scraper sees when everything has been recorded once.
fn exported() -> BTreeSet<String> {
    let telemetry = Telemetry::builder("test").exposes().build().unwrap();
    let metrics = telemetry.metrics();
    Instrument::all().for_each(|instrument| metrics.record(instrument, 1.0, &[]));
    let text = telemetry.exposition().unwrap().text();
    let names = text.lines().filter(|line| !line.starts_with('#'));
    names.filter_map(|line| line.split(['{', ' ']).next()).map(str::to_owned).collect()
}

/// The names of ours that a file asks for.
fn asked(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("self_hosted_")).map(str::to_owned).collect()
}

#[test]
fn alerts_and_dashboard_ask_only_for_what_is_exported() {
    let exported = exported();
    for (file, text) in [
        ("alerts.yml", include_str!("../../ops/prometheus/alerts.yml")),
        ("alerts_test.yml", include_str!("../../ops/prometheus/alerts_test.yml")),
        ("dashboard.json", include_str!("../../ops/grafana/dashboard.json")),
    ] {
        let asked = asked(text);
        assert!(asked.len() >= 10, "{file}: {asked:?}");
        let unknown: Vec<_> = asked.difference(&exported).collect();
        assert!(unknown.is_empty(), "{file} asks for {unknown:?}, and what is exported is {exported:?}");
    }
}

#[test]
fn every_panel_of_the_dashboard_has_a_place_and_asks_for_something() {
    let dashboard: serde_json::Value =
        serde_json::from_str(include_str!("../../ops/grafana/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut places = BTreeSet::new();
    for panel in panels {
        let (title, place) = (panel["title"].as_str().unwrap(), &panel["gridPos"]);
        assert!(places.insert((place["x"].as_u64().unwrap(), place["y"].as_u64().unwrap())), "{title}");
        assert!(place["x"].as_u64().unwrap() + place["w"].as_u64().unwrap() <= 24, "{title}");
        let targets = panel["targets"].as_array().unwrap();
        let asks = |target: &serde_json::Value| asked(target["expr"].as_str().unwrap()).len() == 1;
        assert!(!targets.is_empty() && targets.iter().all(asks), "{title}");
    }
    assert!(panels.len() >= 12);
}

/// Runs `promtool` in the folder of the rules. `false` when there is none, which is said.
fn promtool(arguments: &[&str]) -> bool {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../ops/prometheus");
    let ran = std::process::Command::new("promtool").args(arguments).current_dir(folder).output();
    let ran = match ran {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: there is no promtool on the PATH: install the package `prometheus`");
            return false;
        }
        ran => ran.unwrap(),
    };
    let said = [ran.stdout, ran.stderr].concat();
    assert!(ran.status.success(), "promtool {arguments:?}: {}", String::from_utf8_lossy(&said));
    true
}

#[test]
fn every_alert_fires_when_it_should_and_only_then() {
    if promtool(&["check", "rules", "alerts.yml"]) {
        promtool(&["test", "rules", "alerts_test.yml"]);
    }
}

#[test]
fn every_alert_is_seen_to_fire() {
    let named = |text: &str, key: &str| -> BTreeSet<String> {
        let lines = text.lines().map(str::trim);
        let values = lines.filter_map(|line| line.strip_prefix(key)).map(|name| name.trim().to_owned());
        values.collect()
    };
    let alerts = named(include_str!("../../ops/prometheus/alerts.yml"), "- alert:");
    // A case that expects an alert names it on a line of its own.
    let fired = named(include_str!("../../ops/prometheus/alerts_test.yml"), "alertname:");
    assert_eq!(alerts, fired);
}
