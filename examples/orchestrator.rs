//! A host that orchestrates: it mounts an orchestrator's API into its own routes, and beside it the
//! endpoint of a region, which the orchestrator calls over HTTP as it would anywhere else.
//!
//! `cargo run -p runners-examples --example orchestrator`, and its test by `cargo test` with the same
//! arguments. It needs no browser: its checks look at pages through an HTTP client.

use axum::{Router, routing::get};
use runners_api::{EndpointFace, OrchestratorFace};
use runners_core::{
    Attempt, CheckError, Checks, ControlPlane, Egress, MemoryStore, RunCheck, Scope, SystemClock, TenantId,
    Token, TokenKind,
    checks::schemars::JsonSchema,
    orchestration::{Orchestrator, ProcessRegion, RunSummary},
};
use runners_region_http::HttpRegion;
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinSet};

#[derive(serde::Deserialize, JsonSchema)]
#[schemars(crate = "runners_core::checks::schemars")]
struct Page {
    url: String,
    #[serde(default = "ok")]
    code: u16,
}

fn ok() -> u16 {
    200
}

/// A page answers with its code, and says nothing of an error.
async fn answers(client: reqwest::Client, page: Page) -> Result<u16, CheckError> {
    let answer =
        client.get(&page.url).send().await.map_err(|error| CheckError::errored(error.to_string()))?;
    let code = answer.status().as_u16();
    if code != page.code {
        return Err(CheckError::failed(format!("{code}, not {}", page.code)));
    }
    Ok(code)
}

/// This process as a region.
fn region(checks: &Arc<Checks<reqwest::Client>>) -> ProcessRegion {
    let (checks, client) = (Arc::clone(checks), reqwest::Client::new());
    ProcessRegion::new(move |command: RunCheck, _: Attempt| {
        let (checks, client) = (Arc::clone(&checks), client.clone());
        async move { checks.prepare(command)?.run(client, &SystemClock::default()).await }
    })
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let summary = orchestrate(listener, &url).await?;
    for job in &summary.jobs {
        let found: Vec<_> =
            job.results.iter().map(|result| format!("{} {:?}", result.name, result.state)).collect();
        println!("{} in {}: {}", job.url, job.region.as_deref().unwrap_or("this process"), found.join(", "));
    }
    println!("{} of {} passed: {:?}", summary.summary.passed, summary.summary.total, summary.conclusion);
    assert_eq!((summary.summary.passed, summary.summary.failed), (3, 1));
    Ok(())
}

async fn orchestrate(listener: TcpListener, url: &str) -> anyhow::Result<RunSummary> {
    // Everything here is on this machine, which has to be allowed: otherwise nothing is called that is
    // not public, and no page is looked at.
    let egress = Egress::pushing().allow_network("127.0.0.0/8".parse()?);
    let checks = Arc::new(Checks::new().with("answers", answers));
    let endpoint =
        EndpointFace::builder(Arc::clone(&checks), region(&checks)).name("eu").egress(egress.clone());
    let eu = HttpRegion::builder("eu", format!("{url}/api/runner")).egress(egress.clone()).build()?;

    let store = MemoryStore::default();
    let control = ControlPlane::builder(store.clone()).start().await?;
    let orchestrator =
        Orchestrator::builder(store).region("eu", eu).region("here", region(&checks)).start().await?;
    let token = Token::new(TokenKind::Api, [7; Token::RANDOM_BYTES]);
    let scopes = [Scope::Submit, Scope::Read];
    control.admit_api_credential(token.digest(), TenantId::DEFAULT, scopes).await?;

    let face = OrchestratorFace::builder(&orchestrator, control.authenticator()).egress(egress).build();
    let app = Router::new()
        .route("/shop", get(async || "a page of the host"))
        .nest("/api/runner", endpoint.build().into_router())
        .nest("/api/orchestrator", face.into_router());
    let mut server = JoinSet::from_iter([async move { axum::serve(listener, app).await }]);
    println!("what can be asked for is described at {url}/api/orchestrator/docs");

    let summary = ask(url, &token).await?;
    orchestrator.stop().await;
    control.stop().await?;
    server.abort_all();
    Ok(summary)
}

/// Asks as any client does: submits, follows the run to its end, and reads what became of it.
async fn ask(url: &str, token: &Token) -> anyhow::Result<RunSummary> {
    let check = |region, page| json!({ "name": "answers", "region": region, "input": { "url": format!("{url}{page}") } });
    let runners = [check("eu", "/shop"), check("here", "/shop"), check("eu", "/nowhere")];
    let mut request = json!({ "mode": "remote", "concurrency": 2, "timeout": 60_000, "runners": runners });
    request["runners"].as_array_mut().into_iter().for_each(|runners| {
        runners.push(json!({ "name": "answers", "region": "eu", "input": { "url": format!("{url}/gone"), "code": 404 } }));
    });
    let client = reqwest::Client::builder().timeout(Duration::from_secs(60)).build()?;
    let call = async |request: reqwest::RequestBuilder| {
        let answer = request.bearer_auth(token.expose()).send().await?;
        let code = answer.status();
        let text = answer.text().await?;
        anyhow::ensure!(code.is_success(), "{code}: {text}");
        Ok(text)
    };
    let body = client.post(format!("{url}/api/orchestrator")).header("content-type", "application/json");
    let submitted: serde_json::Value = serde_json::from_str(&call(body.body(request.to_string())).await?)?;
    let run = format!("{url}/api/orchestrator/{}", submitted["runId"].as_str().unwrap_or_default());
    let events = call(client.get(format!("{run}/events"))).await?;
    for event in events.lines().filter_map(|line| line.strip_prefix("event: ")) {
        println!("{event}");
    }
    Ok(serde_json::from_str(&call(client.get(run)).await?)?)
}

#[tokio::test]
async fn one_request_is_carried_out_in_both_regions() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let summary = orchestrate(listener, &url).await?;
    let shop = |region: &str| {
        summary.jobs.iter().find(|job| job.url.ends_with("/shop") && job.region.as_deref() == Some(region))
    };
    for region in ["eu", "here"] {
        let job = shop(region).ok_or_else(|| anyhow::anyhow!("there is no job in {region}"))?;
        assert_eq!(job.results[0].details.as_ref().map(|details| &details["value"]), Some(&200.into()));
    }
    assert_eq!((summary.summary.passed, summary.summary.failed), (3, 1), "{summary:?}");
    Ok(())
}
