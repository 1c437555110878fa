//! An orchestrator behind its face, and something in between that does what it is told to.

use async_trait::async_trait;
use axum::{
    body::Body,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use futures::{StreamExt as _, stream};
use runners_api::{HttpOrchestrator, HttpOrchestratorBuilder, OrchestratorFace};
use runners_core::{
    ArtifactKey, ArtifactStore as _, Authenticate, AuthenticateError, Digest, MemoryArtifacts, MemoryStore,
    Principal, Scope, TenantId, Token,
    orchestration::{
        AskedCheck, OrchestrationRequest, Orchestrator, OrchestratorClient, Region, RegionCall, RegionError,
        RegionReply, RegionResult, ResultArtifact, ResultState,
    },
};
use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinSet};

/// Longer than anything takes here.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// What the check `leaves` leaves.
pub(crate) const PICTURE: &[u8] = b"picture";

/// An orchestrator on this machine, for as long as this lives.
pub(crate) struct Stage {
    pub(crate) url: String,
    pub(crate) orchestrator: Orchestrator,
    between: Between,
    _server: JoinSet<()>,
}

/// What happens to a call in between.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mishap {
    /// It is answered this before it arrives.
    Code(u16, &'static str),
    /// It is carried out, and its answer is lost.
    Lost,
    /// Its answer is cut after so many bytes.
    Cut(usize),
}

#[derive(Clone, Debug, Default)]
struct Between(Arc<Mutex<(VecDeque<Mishap>, Vec<String>)>>);

async fn mishaps(State(between): State<Between>, request: Request, next: Next) -> Response {
    let mishap = {
        let mut told = between.0.lock().unwrap();
        told.1.push(format!("{} {}", request.method(), request.uri().path()));
        told.0.pop_front()
    };
    let broken = || Err(io::Error::other("cut"));
    match mishap {
        None => next.run(request).await,
        Some(Mishap::Code(code, page)) => {
            let code = axum::http::StatusCode::from_u16(code).unwrap();
            (code, [("content-type", "text/html"), ("retry-after", "0")], page).into_response()
        }
        Some(Mishap::Lost) => {
            next.run(request).await;
            Response::new(Body::from_stream(stream::iter([broken()])))
        }
        Some(Mishap::Cut(bytes)) => {
            let (head, body) = next.run(request).await.into_parts();
            let pieces = body.into_data_stream();
            let cut = stream::unfold((pieces, bytes), move |(mut pieces, left)| async move {
                let piece = pieces.next().await?.unwrap();
                let kept = piece.len().min(left);
                (kept > 0).then(|| (Ok(piece.slice(..kept)), (pieces, left - kept)))
            });
            Response::from_parts(head, Body::from_stream(cut.chain(stream::iter([broken()]))))
        }
    }
}

/// What a region does.
#[derive(Clone, Copy, Debug)]
enum Script {
    /// Every check passes, but for those called `fails`.
    Good,
    /// It answers once it is cancelled.
    Hangs,
}

#[async_trait]
impl Region for Script {
    async fn execute(&self, call: RegionCall) -> Result<RegionReply, RegionError> {
        if matches!(self, Self::Hangs) {
            call.cancelled().await;
            return Err(RegionError::unreachable("cut short"));
        }
        let state = |name: &str| if name == "fails" { ResultState::Fail } else { ResultState::Pass };
        let result = |asked: &AskedCheck| {
            let mut result = RegionResult::new(&*asked.name, state(&asked.name));
            let picture = ResultArtifact::new("shot.png", Digest::of(PICTURE), 7, "image/png");
            result.artifacts.extend((asked.name == "leaves").then_some(picture));
            result
        };
        Ok(call.checks.iter().map(result).collect::<Vec<_>>().into())
    }
}

/// Tokens by what they may do.
#[derive(Debug)]
struct Accounts;

#[async_trait]
impl Authenticate for Accounts {
    async fn authenticate(&self, token: &str) -> Result<Principal, AuthenticateError> {
        match token {
            "all" => Ok(Principal::Api { tenant: TenantId::DEFAULT, scopes: Scope::ALL.into() }),
            "reader" => Ok(Principal::Api { tenant: TenantId::DEFAULT, scopes: [Scope::Read].into() }),
            "operator" => Ok(Principal::Operator),
            _ => Err(AuthenticateError::Unknown),
        }
    }
}

impl Stage {
    pub(crate) async fn open() -> Self {
        let artifacts = MemoryArtifacts::default();
        let key = ArtifactKey { tenant: TenantId::DEFAULT, digest: Digest::of(PICTURE) };
        let bytes = stream::iter([Ok(PICTURE.into())]).boxed();
        artifacts.put(key, PICTURE.len() as u64, bytes).await.unwrap();
        let orchestrator = Orchestrator::builder(MemoryStore::default())
            .artifacts(artifacts)
            .region("eu", Script::Good)
            .region("us", Script::Good)
            .region("slow", Script::Hangs)
            .open_runs_max(2)
            .start()
            .await
            .unwrap();
        let face = OrchestratorFace::builder(&orchestrator, Accounts).build();
        let between = Between::default();
        let app = axum::Router::new()
            .nest("/api/orchestrator", face.into_router())
            .layer(middleware::from_fn_with_state(between.clone(), mishaps));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/orchestrator", listener.local_addr().unwrap());
        let server = async move { axum::serve(listener, app).await.unwrap() };
        Self { url, orchestrator, between, _server: [server].into_iter().collect() }
    }

    pub(crate) fn builder(&self, token: &str) -> HttpOrchestratorBuilder {
        HttpOrchestrator::builder(&self.url).token(Token::from_text(token))
    }

    /// A client over HTTP that may do everything.
    pub(crate) fn client(&self) -> OrchestratorClient {
        self.builder("all").build().unwrap().into_client()
    }

    /// What happens to the next calls.
    pub(crate) fn mishaps(&self, mishaps: impl IntoIterator<Item = Mishap>) {
        self.between.0.lock().unwrap().0.extend(mishaps);
    }

    /// What was called since this was last asked, as `GET /path`.
    pub(crate) fn called(&self) -> Vec<String> {
        std::mem::take(&mut self.between.0.lock().unwrap().1)
    }
}

/// One check of one page in each region.
pub(crate) fn everywhere(check: &str, regions: &[&str]) -> OrchestrationRequest {
    let asked = |region: &&str| AskedCheck::new(check, "https://shop.example/").in_region(*region);
    OrchestrationRequest::remote(regions.iter().map(asked))
}
