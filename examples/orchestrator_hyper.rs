//! An orchestrator's API without a web framework: its face is a `tower::Service`, which hyper serves
//! connection by connection. The region is this process.
//!
//! `cargo run -p runners-examples --example orchestrator_hyper`

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use runners_api::OrchestratorFace;
use runners_core::{
    Attempt, CheckError, Checks, ControlPlane, Egress, MemoryStore, RunCheck, Scope, SystemClock, TenantId,
    Token, TokenKind,
    checks::schemars::JsonSchema,
    orchestration::{Orchestrator, ProcessRegion, RunSummary},
    sleep,
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{net::TcpListener, sync::oneshot};

/// How long it is waited after a connection that could not be accepted.
const ACCEPT_AFTER: Duration = Duration::from_millis(100);

#[derive(serde::Deserialize, JsonSchema)]
#[schemars(crate = "runners_core::checks::schemars")]
struct Page {
    url: String,
}

/// What is looked at needs no browser here.
async fn is_secure(_: (), page: Page) -> Result<(), CheckError> {
    if page.url.starts_with("https://") { Ok(()) } else { Err(CheckError::failed("no https")) }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let checks = std::sync::Arc::new(Checks::new().with("is_secure", is_secure));
    let here = ProcessRegion::new(move |command: RunCheck, _: Attempt| {
        let checks = std::sync::Arc::clone(&checks);
        async move { checks.prepare(command)?.run((), &SystemClock::default()).await }
    });
    let store = MemoryStore::default();
    let control = ControlPlane::builder(store.clone()).start().await?;
    let orchestrator = Orchestrator::builder(store).local(here).start().await?;
    let token = Token::new(TokenKind::Api, [7; Token::RANDOM_BYTES]);
    let scopes = [Scope::Submit, Scope::Read];
    control.admit_api_credential(token.digest(), TenantId::DEFAULT, scopes).await?;

    // Without a prefix, so the calls are at the root. Pages of public addresses may be named.
    let face = OrchestratorFace::builder(&orchestrator, control.authenticator()).egress(Egress::pushing());
    let service = TowerToHyperService::new(face.build().into_router());

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    println!("what can be asked for is described at {url}/docs");
    let (stop, stopped) = oneshot::channel::<()>();
    let server = serve(listener, service, stopped);
    let asked = async {
        let summary = ask(&url, &token).await;
        drop(stop);
        summary
    };
    let ((), summary) = futures::future::join(server, asked).await;
    let summary = summary?;
    for result in summary.jobs.iter().flat_map(|job| &job.results) {
        println!(
            "{}: {:?} {}",
            result.name,
            result.state,
            result.error_message.as_deref().unwrap_or_default()
        );
    }
    assert_eq!((summary.summary.passed, summary.summary.failed), (1, 1), "{summary:?}");
    orchestrator.stop().await;
    control.stop().await?;
    Ok(())
}

/// Serves connections until `stopped`, and then answers what is under way.
async fn serve(
    listener: TcpListener,
    service: TowerToHyperService<axum::Router>,
    mut stopped: oneshot::Receiver<()>,
) {
    let server = auto::Builder::new(TokioExecutor::new());
    let graceful = GracefulShutdown::new();
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let connection = server.serve_connection(TokioIo::new(stream), service.clone()).into_owned();
                    // A client that goes away is no trouble of the server.
                    let connection = graceful.watch(connection);
                    connections.spawn(async move { drop(connection.await) });
                }
                // It hung up already, or there are too many: others are served all the same.
                Err(error) => {
                    eprintln!("accept: {error}");
                    sleep(&SystemClock::default(), ACCEPT_AFTER).await;
                }
            },
            // What has ended is let go of.
            Some(_) = connections.join_next() => {}
            _ = &mut stopped => break,
        }
    }
    graceful.shutdown().await;
}

/// Asks for two pages, and waits for what became of them.
async fn ask(url: &str, token: &Token) -> anyhow::Result<RunSummary> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(60)).build()?;
    let call = async |request: reqwest::RequestBuilder| {
        let answer = request.bearer_auth(token.expose()).send().await?;
        let code = answer.status();
        let text = answer.text().await?;
        anyhow::ensure!(code.is_success(), "{code}: {text}");
        Ok(text)
    };
    let check = |page: &str| json!({ "name": "is_secure", "input": { "url": page } });
    let request =
        json!({ "mode": "local", "runners": [check("https://example.com/"), check("http://example.com/")] });
    let body = client.post(url).header("content-type", "application/json").body(request.to_string());
    let submitted: Value = serde_json::from_str(&call(body).await?)?;
    let run = format!("{url}/{}", submitted["runId"].as_str().unwrap_or_default());
    // It ends when the run does.
    call(client.get(format!("{run}/events"))).await?;
    Ok(serde_json::from_str(&call(client.get(run)).await?)?)
}
