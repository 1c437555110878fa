//! An endpoint over a few checks that look at nothing.

use runners_api::{EndpointFace, EndpointFaceBuilder};
use runners_core::{
    Attempt, CheckError, CheckResult, Checks, Executor, Fault, MemoryArtifacts, RunCheck, SystemClock,
    TenantId, checks::schemars::JsonSchema, orchestration::ProcessRegion,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use tokio::{
    net::TcpListener,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
};

/// An endpoint on this machine, for as long as this lives.
pub(crate) struct Stage {
    pub(crate) url: String,
    pub(crate) face: EndpointFace,
    /// What the checks say of themselves.
    pub(crate) told: UnboundedReceiver<&'static str>,
    client: reqwest::Client,
    _server: JoinSet<()>,
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[schemars(crate = "runners_core::checks::schemars")]
#[serde(default)]
pub(crate) struct Words {
    url: String,
    most: usize,
    nested: Option<Nested>,
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[schemars(crate = "runners_core::checks::schemars")]
struct Nested {
    deep: u8,
}

impl Default for Words {
    fn default() -> Self {
        Self { url: "none".to_owned(), most: 7, nested: None }
    }
}

type Tell = UnboundedSender<&'static str>;

async fn echoes(_: Tell, input: Words) -> Result<Words, CheckError> {
    Ok(input)
}

async fn fails(_: Tell, (): ()) -> Result<(), CheckError> {
    Err(CheckError::failed("not as it should be"))
}

async fn panics(_: Tell, (): ()) -> Result<(), CheckError> {
    panic!("the check is broken")
}

/// Says when it is dropped.
struct Stopped(Tell);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.send("stopped");
    }
}

async fn hangs(tell: Tell, _: Value) -> Result<(), CheckError> {
    let _ = tell.send("began");
    let _stopped = Stopped(tell);
    std::future::pending().await
}

struct Suite {
    checks: Arc<Checks<Tell>>,
    tell: Tell,
}

impl Executor<RunCheck> for Suite {
    async fn execute(&self, command: RunCheck, attempt: Attempt) -> Result<CheckResult, Fault> {
        // Nothing is left where nothing keeps it.
        drop(attempt.attach("shots/end.png", "image/png", PICTURE).await);
        let prepared = self.checks.prepare(command)?;
        let clock = SystemClock::default();
        tokio::select! {
            ended = prepared.run(self.tell.clone(), &clock) => ended,
            () = attempt.cancelled() => Err(Fault::permanent("cancelled", "cancelled")),
        }
    }
}

/// What every check leaves.
pub(crate) const PICTURE: &[u8] = b"a picture";

impl Stage {
    pub(crate) async fn open(build: impl FnOnce(EndpointFaceBuilder) -> EndpointFaceBuilder) -> Self {
        Self::with(|region| region, build).await
    }

    /// What checks leave is kept in `store`, and offered.
    pub(crate) async fn keeping(
        store: &MemoryArtifacts,
        build: impl FnOnce(EndpointFaceBuilder) -> EndpointFaceBuilder,
    ) -> Self {
        let kept = store.clone();
        let build = |builder: EndpointFaceBuilder| build(builder.artifacts(TenantId::DEFAULT, kept));
        Self::with(|region| region.artifacts(TenantId::DEFAULT, store.clone()), build).await
    }

    async fn with(
        prepare: impl FnOnce(ProcessRegion) -> ProcessRegion,
        build: impl FnOnce(EndpointFaceBuilder) -> EndpointFaceBuilder,
    ) -> Self {
        let checks = Checks::new().with("echoes", echoes).with("fails", fails).with("hangs", hangs);
        let checks = Arc::new(checks.with("panics", panics));
        let (tell, told) = unbounded_channel();
        let region = prepare(ProcessRegion::new(Suite { checks: Arc::clone(&checks), tell }));
        let face = build(EndpointFace::builder(checks, region)).build();
        let app = axum::Router::new().nest("/api/runner", face.clone().into_router());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/runner", listener.local_addr().unwrap());
        let server = async move { axum::serve(listener, app).await.unwrap() };
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { url, face, told, client, _server: [server].into_iter().collect() }
    }

    pub(crate) async fn plain() -> Self {
        Self::open(|builder| builder).await
    }

    pub(crate) fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    pub(crate) fn post(&self, body: &Value) -> reqwest::RequestBuilder {
        let request = self.client.post(format!("{}/execute", self.url));
        request.header("content-type", "application/json").body(body.to_string())
    }

    pub(crate) async fn execute(&self, body: Value) -> (u16, Value) {
        read(self.post(&body)).await
    }
}

pub(crate) async fn read(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let code = response.status().as_u16();
    let text = response.text().await.unwrap();
    (code, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}
