//! Metrics of the program, as a scraper reads them.

use crate::{processes::Process, stage::Stage};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

/// What stands at an address of this machine.
fn read(url: &str) -> String {
    let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn metrics_are_served_where_they_are_asked_for_and_nowhere_else() {
    let stage = Stage::new();
    let mut server = Process::start(stage.command(&["server", "--json", "--listen", "127.0.0.1:0"]));
    assert!(server.wait_for("listening")["metrics_url"].is_null());
    server.terminate();
    server.wait();

    let stage = Stage::new();
    let listen = ["server", "--json", "--listen", "127.0.0.1:0", "--metrics-listen", "0"];
    let server = Process::start(stage.command(&listen));
    let told = server.wait_for("listening");
    let (url, metrics) = (told["url"].as_str().unwrap(), told["metrics_url"].as_str().unwrap());
    assert!(metrics.starts_with("http://127.0.0.1:"), "{metrics}");
    let text = read(metrics);
    assert!(text.contains("self_hosted_store_commit_duration_seconds_count"), "{text}");
    assert!(!read(&format!("{url}/metrics")).contains("self_hosted"), "not at the port of the API");
}

#[test]
fn a_runner_serves_metrics_of_its_own() {
    let stage = Stage::new();
    let (_server, url) = stage.server();
    let runner = ["run", "--json", "-s", &url, "--name", "tester", "--metrics-listen", "0"];
    let runner = Process::start(stage.command(&runner));
    let metrics = runner.wait_for("metrics")["url"].as_str().unwrap().to_owned();
    runner.wait_for("connected");
    // It can only be read once the first sync was answered, which is what it counts.
    let text = read(&metrics);
    assert!(text.contains("self_hosted_runner_sync_duration_seconds_count"), "{text}");
    assert!(text.contains("runner_daemon") && !text.contains("rcred_"), "{text}");
}

#[test]
fn what_the_variables_ask_for_and_cannot_be_done_is_told_by_their_name() {
    let stage = Stage::new();
    let mut command = stage.command(&["server", "--listen", "127.0.0.1:0"]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317");
    let ended = command.env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc").output().unwrap();
    assert_eq!(ended.status.code(), Some(2));
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(said.contains("OTEL_EXPORTER_OTLP_PROTOCOL"), "{said}");
}
