//! An autoscaler in fifty lines: it polls the fleet summary, starts runners while fewer are online
//! than should be, and drains one that is idle while there are more. Here its machines are runners
//! in this very process; nothing else would change for real ones.
//!
//! `cargo run -p runners-examples --example autoscaler`

use axum::Router;
use reqwest::{Client, Method};
use runners_api::ManagementFace;
use runners_core::{
    PoolId, Principal, Random as _, Scope, SystemClock, SystemRandom, TenantId, Token, TokenKind, prelude::*,
    sleep,
};
use runners_transport_http::{HttpFace, HttpTransport};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinSet};

/// How often the summary is looked at.
const POLL_EVERY: Duration = Duration::from_millis(100);
/// How many jobs there are to do.
const JOBS: u32 = 12;

#[derive(serde::Serialize, serde::Deserialize)]
struct Nap(u64);

impl Command for Nap {
    const KIND: &'static str = "example.nap";
    type Result = ();
}

/// What the autoscaler knows: an address, a credential, a pool, and the machines it has started.
struct Autoscaler {
    url: String,
    token: Token,
    pool: PoolId,
    runners: Vec<Runner>,
    started: u32,
}

impl Autoscaler {
    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let request = Client::builder().build()?.request(method, format!("{}/api{path}", self.url));
        let mut request = request.bearer_auth(self.token.expose());
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await?;
        anyhow::ensure!(answer.status().is_success(), "{path} was answered with {}", answer.status());
        Ok(serde_json::from_str(&answer.text().await?)?)
    }

    /// Looks once, and does what follows. Whether there is nothing left to do.
    async fn step(&mut self) -> anyhow::Result<bool> {
        let summary = self.call(Method::GET, "/fleet/summary", None).await?;
        let pools = summary["pools"].as_array().into_iter().flatten();
        let mine = pools.into_iter().find(|pool| pool["poolId"] == json!(self.pool));
        let count = |name: &str| mine.and_then(|pool| pool[name].as_u64()).unwrap_or_default();
        let (desired, queued, busy) = (count("desiredRunners"), count("queuedJobs"), count("busyRunners"));
        let have = self.runners.len() as u64;
        if desired > have {
            println!("{queued} queued, {busy} busy: {have} runners, {desired} desired: start one");
            self.start().await?;
        } else if desired < have && count("idleRunners") > 0 {
            println!("{queued} queued, {busy} busy: {have} runners, {desired} desired: stop one");
            // Whichever it is finishes what it holds: a drain loses nothing.
            self.runners.remove(0).drain().await?;
        }
        Ok(queued + busy + desired == 0 && self.runners.is_empty())
    }

    /// Registers a runner, and starts it with the token that is good for it alone.
    async fn start(&mut self) -> anyhow::Result<()> {
        self.started += 1;
        let name = format!("machine-{}", self.started);
        let path = format!("/self-hosted/pools/{}/runners", self.pool);
        let issued = self.call(Method::POST, &path, Some(json!({ "name": name }))).await?;
        let credential = Token::from_text(issued["token"].as_str().unwrap_or_default());
        let transport = HttpTransport::builder(&self.url).token(credential).build()?;
        let runner = Runner::builder(transport).name(&name).executor(async |Nap(millis): Nap, _: Attempt| {
            sleep(&SystemClock::default(), Duration::from_millis(millis)).await;
            Ok(())
        });
        self.runners.push(runner.start());
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let control = ControlPlane::builder(MemoryStore::default()).start().await?;
    let mut random = [0; Token::RANDOM_BYTES];
    SystemRandom::default().fill(&mut random);
    let token = Token::new(TokenKind::Api, random);
    let scopes = [Scope::Read, Scope::Admin];
    control.admit_api_credential(token.digest(), TenantId::DEFAULT, scopes).await?;
    let callers = control.clone();
    let face = HttpFace::builder(control.authenticator(), move |who| Arc::new(callers.caller(who))).build();
    let management = ManagementFace::builder(&control, control.authenticator()).build();
    let app = Router::new().nest("/api", management.into_router()).fallback_service(face);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let mut server = JoinSet::from_iter([async move { axum::serve(listener, app).await }]);

    // At most three machines, and twelve naps for them.
    let operator = control.management(Principal::Operator).within(TenantId::DEFAULT)?;
    operator.update_pool(PoolId::DEFAULT, |pool| pool.runners_max = Some(3)).await?;
    let client = control.local_client();
    for _ in 0..JOBS {
        client.submit(&Nap(150)).await?;
    }

    let mut autoscaler = Autoscaler { url, token, pool: PoolId::DEFAULT, runners: Vec::new(), started: 0 };
    while !autoscaler.step().await? {
        sleep(&SystemClock::default(), POLL_EVERY).await;
    }
    println!("all {JOBS} jobs are done, and {} machines were enough", autoscaler.started);
    assert!((1..=3).contains(&autoscaler.started), "the pool has three at the most");

    control.stop().await?;
    server.abort_all();
    Ok(())
}
