//! What a scraper sees of a control plane and a runner.
#![expect(clippy::unwrap_used, reason = "a test that fails to set up fails")]

use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use runners_core::{
    Attempt, Command, ControlPlane, MemoryStore,
    metrics::{Instrument, Measure, Metrics as _, control_plane, runner},
};
use runners_otel::{Exposition, Telemetry};
use tower_service::Service as _;

#[derive(serde::Serialize, serde::Deserialize)]
struct Add(i64, i64);

impl Command for Add {
    const KIND: &'static str = "add";
    type Result = i64;
}

fn telemetry() -> (Telemetry, Exposition) {
    let telemetry = Telemetry::builder("test").exposes().build().unwrap();
    let exposition = telemetry.exposition().unwrap();
    (telemetry, exposition)
}

#[tokio::test]
async fn a_job_leaves_its_numbers_at_both_halves() {
    let (telemetry, exposition) = telemetry();
    let control =
        ControlPlane::builder(MemoryStore::default()).metrics(telemetry.metrics()).start().await.unwrap();
    let runner = control.local_runner("default").metrics(telemetry.metrics());
    let runner = runner.executor(async |Add(a, b), _: Attempt| Ok(a + b)).start();
    let job = control.local_client().submit(&Add(2, 3)).await.unwrap();
    assert_eq!(job.result().await.unwrap(), 5);
    runner.drain().await.unwrap();
    let text = exposition.text();
    let line = |name: &str, has: &str| {
        let found = text.lines().find(|line| line.starts_with(name) && line.contains(has));
        found.unwrap_or_else(|| panic!("no {name} with {has} in:\n{text}")).to_owned()
    };
    assert!(line("self_hosted_jobs_concluded_total{", "conclusion=\"passed\"").ends_with(" 1"));
    assert!(line("self_hosted_grant_latency_seconds_count{", "pool=\"pool_").ends_with(" 1"));
    line("self_hosted_runner_sync_duration_seconds_bucket{", "runners.self_hosted.control_plane");
    line("self_hosted_runner_sync_duration_seconds_bucket{", "runners.self_hosted.runner_daemon");
    line("self_hosted_store_commit_size_bytes_sum{", "runners.self_hosted.control_plane");
    assert!(!text.contains("job_"), "no job is ever an attribute");
    control.stop().await.unwrap();
}

#[test]
fn nothing_is_made_that_nobody_reads() {
    let telemetry = Telemetry::builder("test").build().unwrap();
    assert!(!telemetry.metrics().is_wanted() && telemetry.exposition().is_none());
    assert!(Telemetry::builder("test").exposes().build().unwrap().metrics().is_wanted());
}

#[tokio::test]
async fn a_host_says_what_its_meters_begin_with() {
    let telemetry = Telemetry::builder("test").meter_prefix("certyn").exposes().build().unwrap();
    telemetry.metrics().record(&control_plane::SYNC_REQUESTS, 1.0, &[]);
    telemetry.metrics().record(&runner::SYNC_FAILURES, 1.0, &[]);
    let text = telemetry.exposition().unwrap().text();
    for scope in ["certyn.self_hosted.control_plane", "certyn.self_hosted.runner_daemon"] {
        assert!(text.contains(&format!("otel_scope_name=\"{scope}\"")), "{text}");
    }
}

#[tokio::test]
async fn every_instrument_is_exported_under_its_name_and_kind() {
    let (telemetry, exposition) = telemetry();
    let metrics = telemetry.metrics();
    for instrument in Instrument::all() {
        metrics.record(instrument, 1.0, &[]);
        metrics.record(instrument, 1.0, &[]);
    }
    let text = exposition.text();
    for instrument in Instrument::all() {
        let name = instrument.name.replace('.', "_");
        let unit = match instrument.unit {
            "s" => "_seconds",
            "By" => "_bytes",
            _ => "",
        };
        let (sample, value) = match instrument.measure {
            Measure::Counter => (format!("{name}{unit}_total{{"), " 2"),
            Measure::Histogram(_) => (format!("{name}{unit}_count{{"), " 2"),
            _ => (format!("{name}{unit}{{"), " 1"),
        };
        let scope = format!("\"runners.{}\"", instrument.meter.suffix());
        let found = text.lines().find(|line| line.starts_with(&sample) && line.contains(&scope));
        assert!(found.is_some_and(|line| line.ends_with(value)), "{sample}{value} in:\n{text}");
    }
}

#[tokio::test]
async fn the_text_is_answered_at_its_path_alone() {
    let (telemetry, mut exposition) = telemetry();
    telemetry.metrics().record(&control_plane::SYNC_REQUESTS, 1.0, &[]);
    for (method, path, code) in [
        (Method::GET, "/metrics", StatusCode::OK),
        (Method::GET, "/metrics?name=all", StatusCode::OK),
        (Method::POST, "/metrics", StatusCode::METHOD_NOT_ALLOWED),
        (Method::GET, "/", StatusCode::NOT_FOUND),
    ] {
        let request = Request::builder().method(method).uri(path).body(()).unwrap();
        let response = exposition.call(request).await.unwrap();
        assert_eq!(response.status(), code, "{path}");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body.starts_with(b"# HELP"), code == StatusCode::OK, "{path}");
    }
}
