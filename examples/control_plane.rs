//! A host that has accounts and an HTTP server of its own, and mounts both faces of a control plane
//! into it: one for runners, one for people and programs that manage them.
//!
//! `cargo run -p runners-examples --example control_plane`

use async_trait::async_trait;
use axum::{Router, routing::get};
use reqwest::{Client, Method};
use runners_api::ManagementFace;
use runners_core::{
    Authenticate, AuthenticateError, Principal, Random as _, RecordsAuthenticator, Scope, SystemRandom,
    TenantId, Token, TokenKind, prelude::*,
};
use runners_transport_http::{HttpFace, HttpTransport, enrol};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::{net::TcpListener, task::JoinSet};

#[derive(serde::Serialize, serde::Deserialize)]
struct Shout(String);

impl Command for Shout {
    const KIND: &'static str = "example.shout";
    type Result = String;
}

/// The host's own accounts. What they do not know may be a credential of the control plane, such as
/// a runner's.
#[derive(Debug)]
struct Accounts {
    credentials: RecordsAuthenticator,
}

#[async_trait]
impl Authenticate for Accounts {
    async fn authenticate(&self, token: &str) -> Result<Principal, AuthenticateError> {
        match token {
            "session-of-alice" => {
                let scopes = [Scope::Submit, Scope::Read, Scope::Admin].into();
                Ok(Principal::Api { tenant: TenantId::DEFAULT, scopes })
            }
            "session-of-bob" => {
                Ok(Principal::Api { tenant: TenantId::DEFAULT, scopes: [Scope::Read].into() })
            }
            other => self.credentials.authenticate(other).await,
        }
    }
}

/// Calls the management API as somebody. The code of the answer, and its JSON.
async fn call(who: &str, method: Method, url: String, body: Option<Value>) -> anyhow::Result<(u16, Value)> {
    let mut request = Client::builder().build()?.request(method, url).bearer_auth(who);
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    let answer = request.send().await?;
    let code = answer.status().as_u16();
    Ok((code, serde_json::from_str(&answer.text().await?).unwrap_or_default()))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // The host: a page of its own, runners below /runners, management below /manage.
    let control = ControlPlane::builder(MemoryStore::default()).start().await?;
    let accounts = Arc::new(Accounts { credentials: control.authenticator() });
    let callers = control.clone();
    let runners = HttpFace::builder(accounts.clone(), move |who| Arc::new(callers.caller(who))).build();
    let management = ManagementFace::builder(&control, accounts).build();
    let app = Router::new()
        .route("/", get(async || "the host's own page\n"))
        .nest_service("/runners", runners)
        .nest("/manage", management.into_router());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let mut server = JoinSet::from_iter([async move { axum::serve(listener, app).await }]);
    println!("the host is at {url}, and what can be managed is described at {url}/manage/docs");

    // Alice makes a pool and a token for one runner. Bob may look, and no more.
    let pools = format!("{url}/manage/self-hosted/pools");
    let (_, pool) =
        call("session-of-alice", Method::POST, pools.clone(), Some(json!({ "name": "attic" }))).await?;
    let tokens = format!("{pools}/{}/registration-tokens", pool["id"].as_str().unwrap_or_default());
    let (_, issued) = call("session-of-alice", Method::POST, tokens.clone(), Some(json!({}))).await?;
    let (refused, problem) = call("session-of-bob", Method::POST, tokens, Some(json!({}))).await?;
    println!("bob is told {refused}: {}", problem["detail"]);
    assert_eq!(refused, 403);

    // The runner knows the address and the token, and makes its own credential.
    let registration = Token::from_text(issued["token"].as_str().unwrap_or_default());
    let mut random = [0; Token::RANDOM_BYTES];
    SystemRandom::default().fill(&mut random);
    let credential = Token::new(TokenKind::Runner, random);
    let registrant = HttpTransport::builder(format!("{url}/runners")).token(registration).build()?;
    let enrolled = enrol(&registrant, "attic-1", None, &credential).await?;
    let runner = Runner::builder(registrant.with_token(&credential)?)
        .name("attic-1")
        .executor(async |Shout(text): Shout, _: Attempt| Ok(text.to_uppercase()))
        .start();
    println!("enrolled as {} in the pool {}", enrolled.runner, enrolled.pool_name);

    // Alice submits a job over HTTP, follows its events to the end, and reads its result.
    let job = json!({ "kind": Shout::KIND, "pool": "attic", "payload": "hello from the host" });
    let jobs = format!("{url}/manage/jobs");
    let (_, submitted) =
        call("session-of-alice", Method::POST, jobs.clone(), Some(json!({ "jobs": [job] }))).await?;
    let job = format!("{jobs}/{}", submitted["jobs"][0]["id"].as_str().unwrap_or_default());
    let events = Client::builder().build()?.get(format!("{job}/events")).bearer_auth("session-of-bob");
    for line in events.send().await?.text().await?.lines().filter(|line| line.starts_with("event: ")) {
        println!("{line}");
    }
    let (_, shown) = call("session-of-bob", Method::GET, job, None).await?;
    println!("{} with {}", shown["conclusion"], shown["result"]);
    assert_eq!(shown["result"], "HELLO FROM THE HOST");

    runner.drain().await?;
    control.stop().await?;
    server.abort_all();
    Ok(())
}
