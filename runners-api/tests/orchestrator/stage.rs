//! An orchestrator over regions that do as they are told, behind its face.

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use runners_api::{OrchestratorFace, OrchestratorFaceBuilder};
use runners_core::{
    ArtifactKey, ArtifactStore as _, Authenticate, AuthenticateError, Digest, MemoryArtifacts, MemoryStore,
    Principal, Scope, TenantId,
    orchestration::{
        Orchestrator, Region, RegionCall, RegionError, RegionReply, RegionResult, ResultArtifact, ResultState,
    },
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};

/// An orchestrator on this machine, for as long as this lives.
pub(crate) struct Stage {
    pub(crate) url: String,
    pub(crate) orchestrator: Orchestrator,
    client: reqwest::Client,
    _server: JoinSet<()>,
}

/// What the check `leaves` leaves.
pub(crate) const PICTURE: &[u8] = b"picture";

/// What a region does.
#[derive(Clone, Copy, Debug)]
enum Script {
    /// Every check passes, but for those called `fails` and `odd`.
    Good,
    /// It is not there.
    Down,
    /// It answers once it is cancelled.
    Hangs,
}

#[async_trait]
impl Region for Script {
    async fn execute(&self, call: RegionCall) -> Result<RegionReply, RegionError> {
        match self {
            Self::Down => return Err(RegionError::refused("it is down")),
            Self::Hangs => call.cancelled().await,
            Self::Good => {}
        }
        let result = |name: &str| match name {
            "odd" => json!({ "name": "odd", "status": "skipped" }),
            "leaves" => {
                let mut result = RegionResult::new(name, ResultState::Pass);
                let picture = Digest::of(PICTURE);
                result.artifacts =
                    vec![ResultArtifact::new("a/shot.png", picture, PICTURE.len() as u64, "image/png")];
                serde_json::to_value(result).unwrap()
            }
            "fails" => serde_json::to_value(RegionResult::new(name, ResultState::Fail)).unwrap(),
            _ => serde_json::to_value(RegionResult::new(name, ResultState::Pass)).unwrap(),
        };
        let answered = call.checks.iter().filter(|_| !call.is_cancelled());
        Ok(RegionReply::new(answered.map(|asked| result(&asked.name)).collect()))
    }
}

/// Tokens by what they may do.
#[derive(Debug)]
pub(crate) struct Accounts;

#[async_trait]
impl Authenticate for Accounts {
    async fn authenticate(&self, token: &str) -> Result<Principal, AuthenticateError> {
        let (tenant, scopes) = match token {
            "all" => (TenantId::DEFAULT, Scope::ALL.into()),
            "reader" => (TenantId::DEFAULT, [Scope::Read].into()),
            "submitter" => (TenantId::DEFAULT, [Scope::Submit].into()),
            "other" => (TenantId::from_bytes([9; 16]), Scope::ALL.into()),
            "operator" => return Ok(Principal::Operator),
            _ => return Err(AuthenticateError::Unknown),
        };
        Ok(Principal::Api { tenant, scopes })
    }
}

impl Stage {
    pub(crate) async fn open(build: impl FnOnce(OrchestratorFaceBuilder) -> OrchestratorFaceBuilder) -> Self {
        let artifacts = MemoryArtifacts::default();
        let key = ArtifactKey { tenant: TenantId::DEFAULT, digest: Digest::of(PICTURE) };
        let bytes = stream::iter([Ok(PICTURE.into())]).boxed();
        artifacts.put(key, PICTURE.len() as u64, bytes).await.unwrap();
        let orchestrator = Orchestrator::builder(MemoryStore::default())
            .artifacts(artifacts)
            .region("eu", Script::Good)
            .region("us", Script::Good)
            .region("down", Script::Down)
            .region("slow", Script::Hangs)
            .local(Script::Good)
            .start()
            .await
            .unwrap();
        let face = build(OrchestratorFace::builder(&orchestrator, Accounts)).build();
        let app = axum::Router::new().nest("/api/orchestrator", face.into_router());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/orchestrator", listener.local_addr().unwrap());
        let server = async move { axum::serve(listener, app).await.unwrap() };
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { url, orchestrator, client, _server: [server].into_iter().collect() }
    }

    pub(crate) async fn plain() -> Self {
        Self::open(|builder| builder).await
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method.parse().unwrap(), format!("{}{path}", self.url))
    }

    /// Calls as somebody who may do everything.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        body: impl Into<Option<Value>>,
    ) -> (u16, Value) {
        let mut request = self.request(method, path).bearer_auth("all");
        if let Some(body) = body.into() {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        read(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.call("GET", path, None).await
    }

    /// Submits, and answers the name of the run.
    pub(crate) async fn submit(&self, body: Value) -> String {
        let (code, answer) = self.call("POST", "", body).await;
        assert_eq!(code, 200, "{answer}");
        answer["runId"].as_str().unwrap().to_owned()
    }

    /// Waits for the end of a run, and answers what became of it.
    pub(crate) async fn results(&self, run: &str) -> Value {
        let client = self.orchestrator.local_client();
        client.wait(run, std::time::Duration::from_secs(60)).await.unwrap();
        let (code, answer) = self.get(&format!("/{run}")).await;
        assert_eq!(code, 200, "{answer}");
        answer
    }
}

pub(crate) async fn read(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let code = response.status().as_u16();
    let text = response.text().await.unwrap();
    (code, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// A check of a page in a region.
pub(crate) fn check(name: &str, region: &str, url: &str) -> Value {
    json!({ "name": name, "region": region, "input": { "url": url } })
}

/// A request for one check that passes.
pub(crate) fn one() -> Value {
    json!({ "mode": "remote", "runners": [check("opens", "eu", "https://shop.example/")] })
}

/// A request whose run goes on until it is cancelled.
pub(crate) fn endless() -> Value {
    let runners =
        [check("opens", "eu", "https://shop.example/"), check("opens", "slow", "https://shop.example/")];
    json!({ "mode": "remote", "runners": runners })
}
