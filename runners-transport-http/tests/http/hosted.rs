//! Hosted execution over HTTP: a runner of the operator works for another tenant, and reaches what is
//! that tenant's for as long.

use crate::support::Running;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use runners_core::{
    ArtifactKey, ArtifactStore as _, Attempt, Client, Command, ControlPlane, Digest, Fault, JobOptions,
    MemoryArtifacts, MemoryStore, PoolSpec, Principal, Registration, Route, Runner, Scope, Sharing, TenantId,
    Token, TokenKind,
};
use runners_transport_http::{HttpArtifacts, HttpFace, enrol};

const GUEST: TenantId = TenantId::from_bytes([7; 16]);
/// Too much for any call: it travels as an artifact.
const LARGE: usize = 300_000;

#[derive(serde::Serialize, serde::Deserialize)]
struct Echo(String);

impl Command for Echo {
    const KIND: &'static str = "echo";
    type Result = String;
}

fn token(kind: TokenKind) -> Token {
    Token::new(kind, [5; Token::RANDOM_BYTES])
}

/// A control plane with a pool that is shared, and a guest whose environment leads there.
async fn open(artifacts: &MemoryArtifacts) -> (ControlPlane, Running) {
    let control = ControlPlane::builder(MemoryStore::default()).artifacts(artifacts.clone());
    let control = control.start().await.unwrap();
    let spec = PoolSpec { sharing: Sharing::Everyone, ..PoolSpec::new("machines") };
    let pool = control.management(Principal::Operator).create_pool(spec).await.unwrap().id;
    let registration = Registration::new(TenantId::OPERATOR, pool);
    control.admit_registration(token(TokenKind::Registration).digest(), registration).await.unwrap();
    control.admit_api_credential(token(TokenKind::Api).digest(), GUEST, Scope::ALL).await.unwrap();
    let guest = Principal::Api { tenant: GUEST, scopes: Scope::ALL.into() };
    control.management(guest).route_environment("cloud", Route::Hosted).await.unwrap();
    let callers = control.clone();
    let face =
        HttpFace::builder(control.authenticator(), move |who| std::sync::Arc::new(callers.caller(who)));
    let running = Running::start(face.artifacts(artifacts.clone())).await;
    (control, running)
}

#[tokio::test]
async fn a_hosted_jobs_bytes_are_its_tenants_and_reached_only_while_it_is_held() {
    let artifacts = MemoryArtifacts::default();
    let (control, running) = open(&artifacts).await;
    let registrant = running.transport(token(TokenKind::Registration));
    let enrolled = enrol(&registrant, "machine", None, &token(TokenKind::Runner)).await.unwrap();
    let transport = registrant.with_token(&token(TokenKind::Runner)).unwrap();
    let of_runner = HttpArtifacts::new(&transport);
    let runner = Runner::builder(transport)
        .artifacts(enrolled.tenant, of_runner.clone())
        .executor(async |Echo(text): Echo, attempt: Attempt| {
            let kept = attempt.attach("shot.txt", "text/plain", "what it looked like").await;
            kept.map_err(|error| Fault::permanent("artifact", error.to_string()))?;
            Ok(text)
        })
        .start();

    let transport = running.transport(token(TokenKind::Api));
    let of_guest = HttpArtifacts::new(&transport);
    let client = Client::builder(transport).artifacts(GUEST, of_guest.clone()).build();
    let options = JobOptions { environment: Some("cloud".into()), ..JobOptions::default() };
    let job = client.submit(&(Echo("x".repeat(LARGE)), options)).await.unwrap();
    assert_eq!(job.result().await.unwrap().len(), LARGE);

    let shot = Digest::of(b"what it looked like");
    let key = |tenant| ArtifactKey { tenant, digest: shot };
    assert_eq!(job.wait().await.unwrap().artifacts[0].digest, shot);
    assert!(of_guest.head(key(GUEST)).await.unwrap().is_some());
    assert!(artifacts.head(key(TenantId::OPERATOR)).await.unwrap().is_none(), "it is not the operator's");
    let late = stream::iter([Ok(Bytes::from_static(b"what it looked like"))]).boxed();
    assert!(of_runner.put(key(GUEST), 19, late).await.is_err(), "its lease is over");
    assert!(of_runner.head(key(GUEST)).await.is_err());
    assert_eq!(of_runner.head(key(TenantId::OPERATOR)).await.unwrap(), None);
    runner.drain().await.unwrap();
    control.stop().await.unwrap();
}
