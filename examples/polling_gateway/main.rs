//! A gateway for runners that speak another protocol: they poll over HTTP, and our control plane gives them jobs.
//!
//! `cargo run -p runners-examples --example polling_gateway`
//!
//! plays a runner of that protocol to the end. With an address it serves real ones, and runs one test on the first
//! that comes:
//!
//! `cargo run -p runners-examples --example polling_gateway -- 127.0.0.1:9000 TEST.js https://example.com`
//!
//! To carry another protocol, keep the shape: `wire` says how messages are written, `seat` holds what waits for a
//! runner between two polls, `execution` turns typed commands of ours into messages and back, and `gateway` embeds one
//! [`Runner`](runners_core::Runner) for each foreign one. Everything else is the control plane's, unchanged.

mod commands;
mod execution;
mod gateway;
mod seat;
mod stand_in;
#[cfg(test)]
mod transcripts;
mod wire;

use anyhow::Context as _;
use commands::RunTest;
use gateway::Gateway;
use runners_core::{
    Followed, MemoryArtifacts, PoolId, Random as _, Registration, SystemClock, SystemRandom, TenantId, Token,
    TokenKind, prelude::*,
};
use stand_in::StandIn;
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinSet};

/// How long a real runner may take to come.
const WAIT_FOR_RUNNER: Duration = Duration::from_secs(600);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let asked = arguments.next();
    let listener = TcpListener::bind(asked.as_deref().unwrap_or("127.0.0.1:0")).await?;
    let url = format!("http://{}", listener.local_addr()?);

    let artifacts = Arc::new(MemoryArtifacts::default());
    let control = ControlPlane::builder(MemoryStore::default()).artifacts(artifacts.clone()).start().await?;
    let gateway = Gateway::new(&control, artifacts, SystemClock::default());
    let router = gateway.router();
    let mut server = JoinSet::from_iter([async move { axum::serve(listener, router).await }]);
    let token = admit(&control).await?;

    match asked {
        None => play(&control, &url, &token).await?,
        Some(_) => {
            let file = arguments.next().context("name the file of a test after the address")?;
            let code = std::fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
            let target_url = arguments.next().context("name the page of the test after its file")?;
            println!("waiting for a runner: -t {} -s {url}", token.expose());
            let test = RunTest { test_id: file, code, target_url, timeout_ms: 60_000, ..RunTest::default() };
            run(&control, test).await?;
        }
    }
    gateway.stop().await;
    control.stop().await?;
    server.abort_all();
    Ok(())
}

/// A token for one runner of the pool `default`.
async fn admit(control: &ControlPlane) -> anyhow::Result<Token> {
    let mut random = [0; Token::RANDOM_BYTES];
    SystemRandom::default().fill(&mut random);
    let token = Token::new(TokenKind::Registration, random);
    let admits = Registration::new(TenantId::DEFAULT, PoolId::DEFAULT).uses_max(1);
    control.admit_registration(token.digest(), admits).await?;
    Ok(token)
}

/// A stand-in for a runner of the other protocol, and a test for it.
async fn play(control: &ControlPlane, url: &str, token: &Token) -> anyhow::Result<()> {
    let mut stand_in = StandIn::register(url, token.expose()).await?;
    let test = RunTest {
        test_id: "checkout".to_owned(),
        code: "export async function test(page) { await page.goto('/'); }".to_owned(),
        target_url: "https://shop.example".to_owned(),
        timeout_ms: 30_000,
        ..RunTest::default()
    };
    let played = async {
        stand_in.pass_next_test().await?;
        stand_in.leave().await
    };
    let (ran, played) = futures::future::join(run(control, test), played).await;
    played?;
    ran
}

/// Submits a test, and tells what happens to it.
async fn run(control: &ControlPlane, test: RunTest) -> anyhow::Result<()> {
    use futures::StreamExt as _;
    let options = JobOptions { queue_ttl: Some(WAIT_FOR_RUNNER), ..JobOptions::default() };
    let handle = control.local_client().submit(&(test, options)).await?;
    let mut events = std::pin::pin!(handle.follow());
    while let Some(event) = events.next().await {
        match event? {
            Followed::Progress(text) => println!("{text}"),
            Followed::Log { bytes, .. } => print!("{}", String::from_utf8_lossy(bytes.as_bytes())),
            _ => {}
        }
    }
    let report = handle.result().await?;
    println!("passed: {}, in {} ms, pictures: {:?}", report.passed, report.duration_ms, report.screenshots);
    if let Some(error) = report.error {
        println!("{error}");
    }
    Ok(())
}
