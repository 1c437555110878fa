//! An orchestrator and a runner endpoint behind one server, and regions over HTTP that answer as they
//! are told to, each by its name.

use async_trait::async_trait;
use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::post,
};
use runners_api::{EndpointFace, OrchestratorFace};
use runners_core::{
    Attempt, Authenticate, AuthenticateError, CheckError, CheckResult, Checks, Egress, Fault, MemoryStore,
    Principal, RunCheck, Scope, Secret, SystemClock, TenantId,
    checks::schemars::JsonSchema,
    orchestration::{Orchestrator, ProcessRegion},
};
use runners_region_http::HttpRegion;
use runners_transport_http::Server;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::{net::TcpListener, task::JoinSet};

/// The regions that answer as they are told to.
const SCRIPTS: [&str; 9] =
    ["wrapped", "plain", "html", "null", "redirects", "says-why", "unavailable", "odd", "hangs"];

/// What a region was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) region: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// Everything, for as long as this lives.
pub(crate) struct Stage {
    url: String,
    pub(crate) orchestrator: Orchestrator,
    client: reqwest::Client,
    sent: Arc<Mutex<Vec<Sent>>>,
    _server: JoinSet<()>,
}

/// What a check is asked with. What is left out has a default.
#[derive(Deserialize, Serialize, JsonSchema)]
#[schemars(crate = "runners_core::checks::schemars")]
struct Asked {
    url: String,
    #[serde(default = "most")]
    most: u8,
}

const fn most() -> u8 {
    7
}

async fn echoes(_: (), asked: Asked) -> Result<Asked, CheckError> {
    Ok(asked)
}

async fn fails(_: (), _: Value) -> Result<(), CheckError> {
    Err(CheckError::failed("not as it should be"))
}

async fn panics(_: (), _: Value) -> Result<(), CheckError> {
    panic!("the check is broken")
}

/// Whoever has a token may do everything.
#[derive(Debug)]
struct Accounts;

#[async_trait]
impl Authenticate for Accounts {
    async fn authenticate(&self, token: &str) -> Result<Principal, AuthenticateError> {
        match token {
            "good" => Ok(Principal::Api { tenant: TenantId::DEFAULT, scopes: Scope::ALL.into() }),
            _ => Err(AuthenticateError::Unknown),
        }
    }
}

impl Stage {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let egress = || Egress::pushing().allow_network("127.0.0.0/8".parse().unwrap());
        let checks =
            Arc::new(Checks::new().with("echoes", echoes).with("fails", fails).with("panics", panics));
        let here = process(&checks);
        let mut builder = Orchestrator::builder(MemoryStore::default()).local(here.clone());
        for name in SCRIPTS {
            let region = HttpRegion::builder(name, format!("{url}/scripted/{name}?key=7"));
            let region = region.token(Secret::from_text("hunter2".to_owned()));
            let region = region.header("x-team", Secret::from_text("shop".to_owned())).egress(egress());
            builder = builder.region(name, region.build().unwrap());
        }
        let own = HttpRegion::builder("own", format!("{url}/api/runner/")).egress(egress());
        let orchestrator = builder.region("own", own.build().unwrap()).start().await.unwrap();
        let face = OrchestratorFace::builder(&orchestrator, Accounts).build();
        let endpoint = EndpointFace::builder(checks, here).name("eu").build();
        let sent: Arc<Mutex<Vec<Sent>>> = Arc::default();
        let scripted = Router::new().route("/scripted/{region}/execute", post(scripted));
        let app = scripted
            .with_state(Arc::clone(&sent))
            .nest_service("/api/orchestrator", face.into_router())
            .nest_service("/api/runner", endpoint.into_router());
        let server = async move { Server::new(listener).serve(app, std::future::pending()).await.unwrap() };
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { url, orchestrator, client, sent, _server: [server].into_iter().collect() }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method.parse().unwrap(), format!("{}{path}", self.url))
    }

    /// What a region was sent for a run.
    pub(crate) fn sent(&self, run: &str) -> Vec<Sent> {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.iter().filter(|one| one.body["runId"] == run).cloned().collect()
    }
}

/// This process as a region.
fn process(checks: &Arc<Checks<()>>) -> ProcessRegion {
    let checks = Arc::clone(checks);
    ProcessRegion::new(move |command: RunCheck, _: Attempt| {
        let checks = Arc::clone(&checks);
        async move {
            let prepared = checks.prepare(command)?;
            let ended: Result<CheckResult, Fault> = prepared.run((), &SystemClock::default()).await;
            ended
        }
    })
}

async fn scripted(
    State(sent): State<Arc<Mutex<Vec<Sent>>>>,
    Path(region): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let asked: Vec<String> = body["runners"]
        .as_array()
        .map(|all| all.iter().filter_map(|one| one["name"].as_str().map(str::to_owned)).collect())
        .unwrap_or_default();
    sent.lock().unwrap_or_else(PoisonError::into_inner).push(Sent { region: region.clone(), headers, body });
    let state = |name: &String| if name.starts_with("fails") { "fail" } else { "pass" };
    let results: Vec<Value> = asked
        .iter()
        .map(|name| json!({ "name": name, "status": state(name), "durationMs": 3, "extra": 1 }))
        .collect();
    let json = |code: u16, body: Value| {
        (StatusCode::from_u16(code).unwrap(), [("content-type", "application/json")], body.to_string())
            .into_response()
    };
    match region.as_str() {
        "wrapped" => json(201, json!({ "json": { "region": "x", "results": results }, "meta": [] })),
        "html" => (StatusCode::OK, [("content-type", "text/html")], "<h1>sign in</h1>").into_response(),
        "null" => json(200, json!({ "json": null })),
        "redirects" => (StatusCode::FOUND, [("location", "/elsewhere?key=7")]).into_response(),
        "says-why" => {
            let data = json!({ "missingRunners": ["gone"], "availableRunners": ["here"] });
            let error = json!({ "defined": true, "code": "RUNNER_NOT_FOUND", "status": 500, "message": "no such runner", "data": data });
            json(500, json!({ "json": error }))
        }
        "unavailable" => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        "odd" => json(200, json!({ "results": [{ "name": asked[0], "status": "skipped" }, results.last()] })),
        "hangs" => std::future::pending().await,
        _ => json(200, json!({ "results": results })),
    }
}
