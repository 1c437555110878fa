//! The two halves apart: a control plane on a SQLite file behind HTTP, and a runner and a client
//! that know nothing but its address and a token.
//!
//! `cargo run -p runners-examples --example over_http`

use runners_core::{
    DirectoryArtifacts, PoolId, Random as _, Registration, Scope, SystemRandom, TenantId, Token, TokenKind,
    prelude::*,
};
use runners_store_sqlite::SqliteStore;
use runners_transport_http::{HttpArtifacts, HttpFace, HttpTransport, enrol, serve};
use std::sync::Arc;
use tokio::{net::TcpListener, sync::oneshot};

#[derive(serde::Serialize, serde::Deserialize)]
struct Shout(String);

impl Command for Shout {
    const KIND: &'static str = "example.shout";
    type Result = String;
}

fn token(kind: TokenKind) -> Token {
    let mut random = [0; Token::RANDOM_BYTES];
    SystemRandom::default().fill(&mut random);
    Token::new(kind, random)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // The control plane. It sees only the digests of the two tokens.
    let folder = tempfile::tempdir()?;
    let store = Arc::new(SqliteStore::open(folder.path().join("runners.db")).await?);
    let artifacts = DirectoryArtifacts::open(folder.path().join("artifacts")).await?;
    let control = ControlPlane::builder(Arc::clone(&store)).artifacts(artifacts).start().await?;
    let (registration, api) = (token(TokenKind::Registration), token(TokenKind::Api));
    let anybody = Registration::new(TenantId::DEFAULT, PoolId::DEFAULT);
    control.admit_registration(registration.digest(), anybody).await?;
    control.admit_api_credential(api.digest(), TenantId::DEFAULT, [Scope::Submit, Scope::Read]).await?;

    let callers = control.clone();
    let face =
        HttpFace::builder(control.authenticator(), move |principal| Arc::new(callers.caller(principal)))
            .artifacts(control.artifacts())
            .build();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::task::JoinSet::from_iter([serve(listener, face, async move { drop(stopped.await) })]);
    println!("control plane at {url}");

    // The runner. It makes its own credential, and only ever connects out.
    let registrant = HttpTransport::builder(&url).token(registration).build()?;
    let credential = token(TokenKind::Runner);
    let enrolled = enrol(&registrant, "example", None, &credential).await?;
    println!("enrolled as {} in the pool {}", enrolled.runner, enrolled.pool_name);
    let transport = registrant.with_token(&credential)?;
    let runner = Runner::builder(transport.clone())
        .name("example")
        .artifacts(enrolled.tenant, HttpArtifacts::new(&transport))
        .executor(async |Shout(text): Shout, attempt: Attempt| {
            let kept = attempt.attach("shout.txt", "text/plain", text.clone()).await;
            kept.map_err(|error| Fault::retryable("artifact", error.to_string()))?;
            Ok(text.to_uppercase())
        })
        .start();

    // The client.
    let client = Client::new(HttpTransport::builder(&url).token(api).build()?);
    let job = client.submit(&Shout("hello from afar".into())).await?;
    let shouted = job.result().await?;
    let view = job.wait().await?;
    println!("{shouted}, with {} ({} bytes)", view.artifacts[0].name, view.artifacts[0].length);
    assert_eq!(shouted, "HELLO FROM AFAR");

    runner.drain().await?;
    control.stop().await?;
    drop(stop);
    for served in served.join_all().await {
        served?;
    }
    store.close().await;
    Ok(())
}
