//! Whom a request is about: the operator works for any tenant that it names, and for everybody else there
//! is none but their own.

use crate::support::{Running, raw};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use runners_core::{
    ArtifactKey, ArtifactStore as _, Authenticate, AuthenticateError, Client, Command, ControlPlane, Digest,
    Error, JobHandle, MemoryArtifacts, MemoryStore, PoolSpec, Principal, Scope, TenantId, Token, TokenKind,
    protocol::RefusalCode,
};
use runners_transport_http::{BuildError, HttpArtifacts, HttpFace, HttpTransport, HttpTransportBuilder};
use std::sync::Arc;

const OPERATOR: [u8; 32] = [1; 32];
const OF_ACME: [u8; 32] = [2; 32];
const OF_DEFAULT: [u8; 32] = [3; 32];

fn token(bytes: [u8; 32]) -> Token {
    Token::new(TokenKind::Api, bytes)
}

/// Knows the operator beside those that the control plane knows.
#[derive(Debug)]
struct Known(runners_core::RecordsAuthenticator);

#[async_trait]
impl Authenticate for Known {
    async fn authenticate(&self, text: &str) -> Result<Principal, AuthenticateError> {
        if text == token(OPERATOR).expose() {
            return Ok(Principal::Operator);
        }
        self.0.authenticate(text).await
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Echo(String);

impl Command for Echo {
    const KIND: &'static str = "echo";
    type Result = String;
}

/// A server with the tenants `default` and `acme`, each with a credential.
struct Stage {
    control: ControlPlane,
    running: Running,
    acme: TenantId,
}

impl Stage {
    async fn open() -> Self {
        let artifacts = MemoryArtifacts::default();
        let control = ControlPlane::builder(MemoryStore::default()).artifacts(artifacts.clone());
        let control = control.start().await.unwrap();
        let operator = control.management(Principal::Operator);
        let acme = operator.create_tenant("acme").await.unwrap().id;
        operator.within(acme).unwrap().create_pool(PoolSpec::new("default")).await.unwrap();
        for (bytes, tenant) in [(OF_ACME, acme), (OF_DEFAULT, TenantId::DEFAULT)] {
            control.admit_api_credential(token(bytes).digest(), tenant, Scope::ALL).await.unwrap();
        }
        let callers = control.clone();
        let known = Known(control.authenticator());
        let face = HttpFace::builder(known, move |who| Arc::new(callers.caller(who)));
        let running = Running::start(face.artifacts(artifacts)).await;
        Self { control, running, acme }
    }

    fn transport(&self, bytes: [u8; 32], tenant: Option<&str>) -> HttpTransport {
        let builder = HttpTransport::builder(self.running.url()).token(token(bytes));
        let builder = tenant.into_iter().fold(builder, HttpTransportBuilder::tenant);
        builder.build().unwrap()
    }

    fn client(&self, bytes: [u8; 32], tenant: Option<&str>) -> Client {
        let transport = self.transport(bytes, tenant);
        // The key of an artifact has a tenant too, which says nothing here.
        let artifacts = HttpArtifacts::new(&transport);
        Client::builder(transport).artifacts(TenantId::DEFAULT, artifacts).build()
    }
}

/// Why something is refused, without the name that it was asked with.
fn refused<T: std::fmt::Debug>(told: Result<T, Error>, name: &str) -> (RefusalCode, String) {
    match told {
        Err(Error::Refused(refused)) => (refused.code, refused.detail.replace(name, "NAME")),
        told => panic!("{told:?}"),
    }
}

#[tokio::test]
async fn the_operator_submits_looks_and_cancels_for_a_tenant_by_its_id_or_its_name() {
    let stage = Stage::open().await;
    let theirs = stage.client(OF_ACME, None);
    for named in ["acme".to_owned(), stage.acme.to_string()] {
        let operator = stage.client(OPERATOR, Some(&named));
        // It is large, and travels as an artifact of that tenant.
        let job = operator.submit(&Echo("x".repeat(300_000))).await.unwrap().id();
        assert_eq!(theirs.inspect(job).await.unwrap(), operator.inspect(job).await.unwrap());
        let missing = stage.client(OPERATOR, None).inspect(job).await;
        assert_eq!(refused(missing, "").0, RefusalCode::NotFound, "it is not the operator's own");
        assert!(operator.cancel(job).await.unwrap());
        assert!(theirs.inspect(job).await.unwrap().conclusion().is_some());
    }
    let within = stage.control.management(Principal::Operator).within(stage.acme).unwrap();
    let noted = within.audit(&runners_core::Paging::default()).await.unwrap();
    assert!(format!("{noted:?}").contains("cancelled"), "what the operator did there is noted: {noted:?}");
}

#[tokio::test]
async fn the_operator_reads_what_a_job_of_a_tenant_left() {
    let stage = Stage::open().await;
    let bytes = "a picture";
    let key = |tenant| ArtifactKey { tenant, digest: Digest::of(bytes.as_bytes()) };
    let kept = HttpArtifacts::new(&stage.transport(OF_ACME, None));
    let pieces = stream::iter([Ok(Bytes::from_static(bytes.as_bytes()))]).boxed();
    kept.put(key(stage.acme), bytes.len() as u64, pieces).await.unwrap();
    for (who, tenant, found) in [
        (OPERATOR, Some("acme"), true),
        (OPERATOR, None, false),
        (OPERATOR, Some("default"), false),
        (OF_DEFAULT, None, false),
        // It stays within its own tenant.
        (OF_DEFAULT, Some("acme"), false),
        (OF_ACME, None, true),
    ] {
        let artifacts = HttpArtifacts::new(&stage.transport(who, tenant));
        let length = artifacts.head(key(stage.acme)).await.unwrap();
        assert_eq!(length, found.then_some(bytes.len() as u64), "{who:?} {tenant:?}");
    }
    let nobody = HttpArtifacts::new(&stage.transport(OPERATOR, Some("nobody")));
    assert_eq!(nobody.head(key(stage.acme)).await.unwrap(), None);
    assert!(nobody.get(key(stage.acme), None).await.is_err());
}

#[tokio::test]
async fn for_anybody_else_another_tenant_does_not_exist() {
    let stage = Stage::open().await;
    let job = stage.client(OF_DEFAULT, None).submit(&Echo("x".into())).await.unwrap().id();
    let (theirs, nobodys) = (TenantId::DEFAULT.to_string(), TenantId::from_bytes([7; 16]).to_string());
    let asked = async |who, named: &str| {
        let client = stage.client(who, Some(named));
        let told = [
            refused(client.inspect(job).await, named),
            refused(client.cancel(job).await, named),
            refused(client.explain(job, None).await, named),
            refused(client.submit(&Echo("x".into())).await.map(|job: JobHandle<String>| job.id()), named),
        ];
        assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
        told[0].clone()
    };
    let missing = asked(OF_ACME, &nobodys).await;
    assert_eq!(missing, (RefusalCode::NotFound, "tenant: there is no tenant NAME".into()));
    assert_eq!(asked(OF_ACME, &theirs).await, missing);
    assert_eq!(asked(OF_ACME, "default").await, missing);
    assert_eq!(asked(OF_ACME, "acme").await, missing, "their own is found by its id");
    assert_eq!(asked(OPERATOR, "nobody").await, missing);
    let own = stage.client(OF_ACME, Some(&stage.acme.to_string()));
    assert!(own.submit(&Echo("x".into())).await.is_ok());
    assert!(stage.client(OF_DEFAULT, None).inspect(job).await.unwrap().conclusion().is_none());
}

/// What is answered to the operator who asks for a job in the name of these tenants.
async fn told(stage: &Stage, tenants: &str, body: &str) -> String {
    let sent = format!(
        "POST /v1/inspect HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nrunners-protocol: 1\r\n{tenants}\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        token(OPERATOR).expose(),
        body.len(),
    );
    raw(stage.running.address, sent.as_bytes(), "}").await
}

#[tokio::test]
async fn a_body_that_is_malformed_is_told_to_be_whomever_it_is_about() {
    let stage = Stage::open().await;
    let told = told(&stage, "runners-tenant: nobody\r\n", "[null]").await;
    assert!(told.starts_with("HTTP/1.1 400") && told.contains("the body is malformed"), "{told}");
}

#[tokio::test]
async fn a_tenant_that_is_named_twice_or_not_at_all_is_malformed() {
    let stage = Stage::open().await;
    let body = "{\"job\":\"job_00000000000000000000000000000001\"}";
    for tenants in ["runners-tenant: \r\n", "runners-tenant: a\r\nrunners-tenant: b\r\n"] {
        let told = told(&stage, tenants, body).await;
        assert!(told.starts_with("HTTP/1.1 400") && told.contains("\"path\":\"Runners-Tenant\""), "{told}");
    }
    let sent = format!(
        "GET /v1/artifacts/{} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nrunners-protocol: 1\r\n\
         runners-tenant: \r\n\r\n",
        Digest::of(b"abc"),
        token(OF_ACME).expose(),
    );
    let told = raw(stage.running.address, sent.as_bytes(), "}").await;
    assert!(told.starts_with("HTTP/1.1 400") && told.contains("\"path\":\"Runners-Tenant\""), "{told}");
    let url = stage.running.url();
    for odd in ["", "a\nb"] {
        let built = HttpTransport::builder(&url).token(token(OPERATOR)).tenant(odd).build();
        assert!(matches!(built, Err(BuildError::Tenant(told)) if told == odd), "{odd:?}");
    }
}
