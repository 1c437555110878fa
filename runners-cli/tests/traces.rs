//! One trace reaches from the submit of a job over HTTP to its attempt on a runner, and to its end.

use opentelemetry_sdk::trace::{InMemorySpanExporter, SpanData};
use runners_core::{
    Attempt, Client, Command, ControlPlane, MemoryStore, PoolId, Principal, Runner, RunnerId, Scope,
    TenantId, Token, TokenKind, Transport,
};
use runners_otel::Telemetry;
use runners_transport_http::{HttpFace, HttpTransport, serve};
use std::sync::Arc;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use tracing_subscriber::layer::SubscriberExt as _;

#[derive(serde::Serialize, serde::Deserialize)]
struct Add(i64, i64);

impl Command for Add {
    const KIND: &'static str = "add";
    type Result = i64;
}

/// The runner and the user that the tokens of this test speak for.
#[derive(Debug)]
struct Tokens {
    runner: Token,
    user: Token,
}

#[async_trait::async_trait]
impl runners_core::Authenticate for Tokens {
    async fn authenticate(&self, token: &str) -> Result<Principal, runners_core::AuthenticateError> {
        let (tenant, pool, runner) = (TenantId::DEFAULT, PoolId::DEFAULT, RunnerId::from_bytes([1; 16]));
        if token == self.runner.expose() {
            return Ok(Principal::Runner { tenant, pool, runner });
        }
        assert_eq!(token, self.user.expose());
        Ok(Principal::Api { tenant, scopes: [Scope::Submit, Scope::Read].into() })
    }
}

#[tokio::test]
async fn one_trace_shows_both_halves() {
    let exporter = InMemorySpanExporter::default();
    let telemetry = Telemetry::builder("test").spans_to(exporter.clone()).build().unwrap();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(telemetry.layer()));

    let store = MemoryStore::default();
    let control = ControlPlane::builder(store).traces(telemetry.traces()).start().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let tokens = || Tokens {
        runner: Token::new(TokenKind::Runner, [1; 32]),
        user: Token::new(TokenKind::Api, [2; 32]),
    };
    let callers = {
        let control = control.clone();
        move |principal| Arc::new(control.caller(principal)) as Arc<dyn Transport>
    };
    let face = HttpFace::builder(tokens(), callers).build();
    let stop = CancellationToken::new();
    let mut serving = JoinSet::new();
    serving.spawn(serve(listener, face, stop.clone().cancelled_owned()));

    let http = |token: Token| HttpTransport::builder(&url).token(token).build().unwrap();
    let runner = Runner::builder(http(tokens().runner)).traces(telemetry.traces());
    let runner = runner
        .executor(async |Add(a, b), _: Attempt| {
            tracing::info_span!("of the executor").in_scope(|| {});
            Ok(a + b)
        })
        .start();
    let client = Client::builder(http(tokens().user)).traces(telemetry.traces()).build();
    let host = tracing::info_span!("of the host");
    let job = async { client.submit(&Add(2, 3)).await.unwrap() }.instrument(host.clone()).await;
    drop(host);
    let id = job.id().to_string();
    assert_eq!(job.result().await.unwrap(), 5);
    runner.drain().await.unwrap();
    stop.cancel();
    control.stop().await.unwrap();
    serving.join_next().await.unwrap().unwrap().unwrap();

    let spans = exporter.get_finished_spans().unwrap();
    let span = |name: &str| -> SpanData {
        let found = spans.iter().find(|span| span.name == name);
        found.unwrap_or_else(|| panic!("no {name} in {spans:#?}")).clone()
    };
    let (host, submit) = (span("of the host"), span("runners.submit"));
    assert_eq!(submit.parent_span_id, host.span_context.span_id());
    for name in ["runners.grant", "runners.attempt", "runners.finish"] {
        let span = span(name);
        assert_eq!(span.parent_span_id, submit.span_context.span_id(), "{name}");
        assert_eq!(span.span_context.trace_id(), host.span_context.trace_id(), "{name}");
        let field = |key: &str| {
            span.attributes
                .iter()
                .find(|field| field.key.as_str() == key)
                .map(|f| f.value.as_str().into_owned())
        };
        assert_eq!(field("job"), Some(id.clone()), "{name}");
        assert_eq!(field("kind").as_deref(), Some("add"), "{name}");
        assert_eq!(field("attempt").as_deref(), Some("1"), "{name}");
    }
    assert_eq!(span("of the executor").parent_span_id, span("runners.attempt").span_context.span_id());
}
