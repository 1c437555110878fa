//! What a collector receives by OTLP, and what becomes of it when there is none.
#![expect(clippy::unwrap_used, reason = "a test that fails to set up fails")]

use opentelemetry_proto::tonic::collector::{
    metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest,
};
use prost::Message as _;
use runners_core::metrics::{Metrics as _, control_plane};
use runners_otel::{Telemetry, TelemetryError};
use std::time::Duration;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};
use tracing_subscriber::layer::SubscriberExt as _;

const WITHIN: Duration = Duration::from_secs(10);

/// A collector that takes requests, by path and body.
struct Collector {
    url: String,
    taken: mpsc::Receiver<(String, Vec<u8>)>,
    serving: JoinSet<()>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (take, taken) = mpsc::channel(16);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let take = take.clone();
                connections.spawn(async move { while answer(&stream, &take).await.is_some() {} });
                tokio::task::yield_now().await;
            }
        });
        Self { url, taken, serving }
    }
}

/// Reads one request and answers that it was taken.
async fn answer(stream: &TcpStream, take: &mpsc::Sender<(String, Vec<u8>)>) -> Option<()> {
    let mut bytes = Vec::new();
    loop {
        stream.readable().await.ok()?;
        let mut chunk = [0; 4096];
        match stream.try_read(&mut chunk) {
            Ok(0) => return None,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_) => return None,
        }
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse().ok()?;
        let body: &[u8] = &bytes[end + 4..];
        if body.len() < length {
            continue;
        }
        let path = head.split(' ').nth(1)?.to_owned();
        take.send((path, body[..length].to_vec())).await.ok()?;
        stream.writable().await.ok()?;
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        stream.try_write(answer).ok()?;
        return Some(());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_and_spans_are_sent_at_the_latest_at_the_end() {
    let mut collector = Collector::start().await;
    let telemetry = Telemetry::builder("test").otlp(&collector.url).build().unwrap();
    telemetry.metrics().record(&control_plane::SYNC_REQUESTS, 3.0, &[("pool", "one")]);
    let subscriber = tracing_subscriber::registry().with(telemetry.layer());
    tracing::subscriber::with_default(subscriber, || tracing::info_span!("runners.submit").in_scope(|| {}));
    telemetry.shutdown(WITHIN).await.unwrap();

    let (mut metrics, mut spans) = (Vec::new(), Vec::new());
    while let Ok((path, body)) = collector.taken.try_recv() {
        match path.as_str() {
            "/v1/metrics" => {
                let sent = ExportMetricsServiceRequest::decode(&*body).unwrap();
                let scopes = sent.resource_metrics.into_iter().flat_map(|one| one.scope_metrics);
                metrics.extend(scopes.flat_map(|scope| scope.metrics).map(|metric| metric.name));
            }
            "/v1/traces" => {
                let sent = ExportTraceServiceRequest::decode(&*body).unwrap();
                let scopes = sent.resource_spans.into_iter().flat_map(|one| one.scope_spans);
                spans.extend(scopes.flat_map(|scope| scope.spans).map(|span| span.name));
            }
            other => panic!("nothing is sent to {other}"),
        }
    }
    assert_eq!(
        (metrics, spans),
        (vec!["self_hosted.runner.sync.requests".to_owned()], vec!["runners.submit".to_owned()])
    );
    collector.serving.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_does_not_answer_holds_nobody_up_for_longer_than_said() {
    // It takes connections, and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let telemetry = Telemetry::builder("test").otlp(&url).build().unwrap();
    telemetry.metrics().record(&control_plane::SYNC_REQUESTS, 1.0, &[]);
    let ended = telemetry.shutdown(Duration::from_millis(50)).await;
    assert!(matches!(ended, Err(TelemetryError::Undelivered(_))));
}

#[test]
fn sending_needs_a_runtime() {
    let built = Telemetry::builder("test").otlp("http://127.0.0.1:4318").build();
    assert!(matches!(built, Err(TelemetryError::NoRuntime)));
}
