//! The endpoint of a region: checks, carried out for an orchestrator that calls over HTTP. What the
//! checks are, and what they look at, is the region's.

mod description;
mod execution;
mod left;
mod repeats;
mod request;

use crate::{
    contract::{described, error::Refusal},
    wire::{credential, exchange},
};
use axum::{
    Json, Router,
    extract::{OriginalUri, Request, State},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{any, get, post},
};
use left::Shelf;
use repeats::Repeats;
use runners_core::{
    ArtifactStore, Authenticate, CheckCatalogue, Clock, Egress, FailedAttempts, Peer, Principal, Random,
    RunCheck, Scope, SystemClock, SystemRandom, TenantId, orchestration::Region,
};
use serde_json::{Value, json};
use std::{fmt, sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

/// The endpoint of a region, as routes to be mounted under any prefix, such as `/api/runner`.
///
/// Every page that a request names has to be allowed by the [`Egress`], which is
/// [`Egress::pushing`] unless said otherwise: public addresses only. Whose request it is, a host's
/// [`Authenticate`] tells if there is one; carrying checks out takes the scope `submit`.
///
/// A call with an `Idempotency-Key` is carried out once: a repeat of it within an hour is answered as the
/// first was, and joins it while that is under way. This is remembered in memory, for 4,096 calls and
/// 64 MiB at most.
///
/// What checks leave is named in their results. Given its [store](EndpointFaceBuilder::artifacts), each of
/// those names has the member `url`: where the bytes are, relative to the call.
#[derive(Clone, Debug)]
pub struct EndpointFace(Face);

/// Builds an [`EndpointFace`].
#[derive(Debug)]
#[must_use]
pub struct EndpointFaceBuilder(Inner);

/// What every call is given.
#[derive(Clone)]
struct Face(Arc<Inner>);

struct Inner {
    catalogue: Arc<dyn CheckCatalogue>,
    region: Arc<dyn Region>,
    name: Option<String>,
    authenticate: Option<Arc<dyn Authenticate>>,
    attempts: FailedAttempts,
    egress: Egress,
    calls_max: usize,
    /// One for each call that may be carried out at once.
    places: Arc<Semaphore>,
    check_timeout: Duration,
    calls: TaskTracker,
    repeats: Repeats,
    /// What calls left, if that is offered.
    shelf: Option<Shelf>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl EndpointFace {
    /// How many calls are carried out at once, unless said otherwise. More are asked to come again.
    pub const CALLS_MAX: usize = 16;
    /// The longest time that a call may give one check: 10 minutes.
    pub const CHECK_TIMEOUT_MAX: Duration = Duration::from_secs(600);
    /// The largest number of checks in one call.
    pub const RUNNERS_MAX: usize = 1000;

    /// Begins a face of the checks in `catalogue`, which `region` carries out: side by side, as far as
    /// it does that, and each no longer than it may.
    pub fn builder(catalogue: impl CheckCatalogue, region: impl Region) -> EndpointFaceBuilder {
        EndpointFaceBuilder(Inner {
            catalogue: Arc::new(catalogue),
            region: Arc::new(region),
            name: None,
            authenticate: None,
            attempts: FailedAttempts::default(),
            egress: Egress::pushing(),
            calls_max: Self::CALLS_MAX,
            places: Arc::new(Semaphore::new(Self::CALLS_MAX)),
            check_timeout: RunCheck::TIMEOUT,
            calls: TaskTracker::new(),
            repeats: Repeats::default(),
            shelf: None,
            clock: Arc::new(SystemClock::default()),
            random: Arc::new(SystemRandom::default()),
        })
    }

    /// Completes once no call is being carried out any more, also none whose caller has hung up: its
    /// checks are told to stop, and what they look at is closed. Call it when the server has stopped.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn idle(&self) {
        let calls = &self.0.0.calls;
        calls.close();
        calls.wait().await;
        calls.reopen();
    }

    /// The routes: `execute`, `info`, `artifacts/{digest}`, and documentation at `docs` and `spec.json`.
    pub fn into_router(self) -> Router {
        let face = self.0;
        let document = description::document(&face.0.catalogue.list());
        let calls = Router::new()
            .route("/execute", post(execution::execute))
            .route("/info", get(about))
            .route("/artifacts/{digest}", get(left::read))
            .route_layer(middleware::from_fn_with_state(face.clone(), authenticate));
        let all = calls.merge(described::routes(&document)).route("/spec.json", any(specification));
        let refuse = |problem| Refusal::from(problem).into_response();
        exchange::around(all, Arc::clone(&face.0.random), refuse).with_state(face)
    }
}

impl EndpointFaceBuilder {
    /// What the region is called. It is told whatever a call says.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.0.name = Some(name.into());
        self
    }

    /// Asks `authenticate` who calls. Without it anybody may who can reach the routes, so that a host
    /// guards them itself.
    pub fn authenticate(mut self, authenticate: impl Authenticate) -> Self {
        self.0.authenticate = Some(Arc::new(authenticate));
        self
    }

    /// Where the region keeps what its checks leave, and whose it is if nobody says who calls: as
    /// [`ProcessRegion::artifacts`](runners_core::orchestration::ProcessRegion::artifacts) was told.
    /// Whoever speaks for the tenant of a call, and may have checks carried out, can read for two hours
    /// what it left. It is named and not offered unless this is said.
    pub fn artifacts(mut self, tenant: TenantId, store: impl ArtifactStore) -> Self {
        self.0.shelf = Some(Shelf::new(tenant, store));
        self
    }

    /// Which pages may be asked for.
    pub fn egress(mut self, egress: Egress) -> Self {
        self.0.egress = egress;
        self
    }

    /// How many calls are carried out at once: [`EndpointFace::CALLS_MAX`] unless said otherwise, and
    /// at least one.
    pub fn calls_max(mut self, calls: usize) -> Self {
        self.0.calls_max = calls.clamp(1, Semaphore::MAX_PERMITS);
        self.0.places = Arc::new(Semaphore::new(self.0.calls_max));
        self
    }

    /// How long a check may take if the call does not say so: [`RunCheck::TIMEOUT`] unless said
    /// otherwise, and at most [`EndpointFace::CHECK_TIMEOUT_MAX`].
    pub fn check_timeout(mut self, span: Duration) -> Self {
        self.0.check_timeout = span.min(EndpointFace::CHECK_TIMEOUT_MAX);
        self
    }

    /// Waits on `clock`, not on that of the machine.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.0.clock = Arc::new(clock);
        self
    }

    /// Draws ids of requests from `random`, not from the operating system.
    pub fn random(mut self, random: impl Random) -> Self {
        self.0.random = Arc::new(random);
        self
    }

    /// Ends building.
    #[must_use]
    pub fn build(self) -> EndpointFace {
        EndpointFace(Face(Arc::new(self.0)))
    }
}

/// Finds out who calls before anything else is looked at.
async fn authenticate(
    State(face): State<Face>,
    mut request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let mut whose = Whose(None);
    if let Some(authenticate) = &face.0.authenticate {
        let token = credential::token(request.headers())?;
        credential::check_kind(&token)?;
        let peer = request.extensions().get::<Peer>().copied();
        let attempts = &face.0.attempts;
        let principal =
            credential::principal(&**authenticate, attempts, &*face.0.clock, &token, peer).await?;
        let may = match principal {
            Principal::Api { tenant, scopes } => {
                whose = Whose(Some(tenant));
                scopes.contains(&Scope::Submit)
            }
            Principal::Operator => true,
            _ => false,
        };
        if !may {
            let message = "the credential has not the scope submit: get one that has";
            return Err(Refusal::new(403, "FORBIDDEN", "The credential does not allow this", message));
        }
    }
    request.extensions_mut().insert(whose);
    Ok(next.run(request).await)
}

/// Whose call it is, if the host tells callers apart.
#[derive(Clone, Copy, Debug)]
struct Whose(Option<TenantId>);

/// The document that the page is made from.
async fn specification(State(face): State<Face>) -> Response {
    described::specification(&description::document(&face.0.catalogue.list()))
}

/// Tells which checks there are, and how to ask for them.
async fn about(State(face): State<Face>, OriginalUri(uri): OriginalUri) -> Json<Value> {
    let names: Vec<String> = face.0.catalogue.list().into_iter().map(|listing| listing.name).collect();
    let prefix = uri.path().trim_end_matches('/').strip_suffix("/info").unwrap_or_default();
    let first: Vec<&String> = names.iter().take(2).collect();
    let example = json!({ "url": "https://example.com", "runners": first });
    let usage = json!({ "method": "POST", "endpoint": format!("{prefix}/execute"), "example": example });
    let mut told = json!({ "runners": names, "count": names.len(), "usage": usage });
    if let Some(name) = &face.0.name {
        told["region"] = name.as_str().into();
    }
    Json(told)
}

impl fmt::Debug for Face {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointFace")
            .field("name", &self.name)
            .field("catalogue", &self.catalogue)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}
