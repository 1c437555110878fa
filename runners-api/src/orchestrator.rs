//! The face of an orchestrator: runs over regions, submitted and followed over HTTP. What a run is, and
//! what becomes of it, is the orchestrator's.

mod access;
mod artifacts;
mod description;
mod events;
mod listing;
mod reports;
mod runs;

use crate::{
    contract::{described, error::Refusal},
    wire::exchange,
};
use access::Access;
use axum::{
    Router, middleware,
    response::IntoResponse as _,
    routing::{any, get, post},
};
use reports::Report;
use runners_core::{
    Authenticate, Clock, Egress, FailedAttempts, Principal, Random, SystemClock, SystemRandom,
    orchestration::Orchestrator, report::RunReport,
};
use std::{fmt, sync::Arc};

pub use reports::ReadArtifact;

/// The API of an orchestrator, as routes to be mounted under any prefix, such as `/api/orchestrator`.
/// Every call answers there, and below `/orchestrator` once more, with a slash at the end or without; of
/// the prefix itself that holds where the host mounts the routes by `nest_service`.
///
/// Whose request it is, a host's [`Authenticate`] tells. Submitting and cancelling takes the scope
/// `submit`, reading `read`, and removing `admin`. In local mode the pages of a request have to be
/// allowed by the [`Egress`], which is [`Egress::pushing`] unless said otherwise.
#[derive(Clone, Debug)]
pub struct OrchestratorFace(Face);

/// Builds an [`OrchestratorFace`].
#[derive(Debug)]
#[must_use]
pub struct OrchestratorFaceBuilder(Inner);

/// What every call is given.
#[derive(Clone)]
struct Face(Arc<Inner>);

struct Inner {
    orchestrator: Orchestrator,
    access: Access,
    egress: Egress,
    reports: Vec<Report>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl OrchestratorFace {
    /// Begins a face of `orchestrator`. `authenticate` tells for whom a token speaks.
    pub fn builder(orchestrator: &Orchestrator, authenticate: impl Authenticate) -> OrchestratorFaceBuilder {
        OrchestratorFaceBuilder(Inner {
            orchestrator: orchestrator.clone(),
            access: Access::new(authenticate),
            egress: Egress::pushing(),
            reports: Vec::new(),
            clock: Arc::new(SystemClock::default()),
            random: Arc::new(SystemRandom::default()),
        })
    }

    /// The routes, to be nested under a prefix. Documentation is at `docs`, and what it is made from at
    /// `spec.json`.
    pub fn into_router(self) -> Router {
        let face = self.0;
        let calls = ["", "/orchestrator"].into_iter().fold(Router::new(), |router, prefix| {
            let all = if prefix.is_empty() { "/" } else { prefix };
            let at = |rest: &str| format!("{prefix}/{{run}}{rest}");
            let calls = [
                (all.to_owned(), post(runs::submit).get(listing::list)),
                (format!("{prefix}/history"), get(listing::history)),
                (at(""), get(runs::results).delete(runs::delete)),
                (at("/status"), get(runs::progress)),
                (at("/comparison"), get(runs::comparison)),
                (at("/cancel"), post(runs::cancel)),
                (at("/events"), get(events::follow)),
                (at("/artifacts"), get(artifacts::list)),
                (at("/artifacts/{digest}"), get(artifacts::read)),
            ];
            let routed = calls.into_iter().fold(router, |router, (path, call)| match path.as_str() {
                "/" => router.route("/", call),
                // A slash at the end is a habit of some clients.
                _ => router.route(&path, call.clone()).route(&format!("{path}/"), call),
            });
            routed.merge(reports::routes(&face.0.reports, &at("")))
        });
        let calls = calls.route_layer(middleware::from_fn_with_state(face.clone(), access::authenticate));
        let documents = described::routes(&description::document(&[], &face.0.reports));
        let all = calls.merge(documents).route("/spec.json", any(description::specification));
        let refuse = |problem| Refusal::from(problem).into_response();
        exchange::around(all, Arc::clone(&face.0.random), refuse).with_state(face)
    }

    /// The description of every call, as an OpenAPI 3.1 document in JSON. It names no regions.
    #[must_use]
    pub fn openapi() -> String {
        format!("{:#}\n", description::document(&[], &[]))
    }
}

impl OrchestratorFaceBuilder {
    /// Lets requests without a credential speak for `principal`, as on a network where everybody is
    /// trusted. They are refused unless this is said.
    pub fn anonymous(mut self, principal: Principal) -> Self {
        self.0.access.anonymous = Some(principal);
        self
    }

    /// Which pages may be asked for in local mode.
    pub fn egress(mut self, egress: Egress) -> Self {
        self.0.egress = egress;
        self
    }

    /// Serves a report of each run under this name, such as `junit.xml`. `write` is given what became of
    /// the run, and what reads the artifacts that it wants to show; those that are not at hand, or beyond
    /// 32 MiB together, are not given. It may be called twice for one report, and is to be quick.
    ///
    /// # Panics
    /// [`into_router`](OrchestratorFace::into_router) does if the name has a `/` or a brace, is that of
    /// another report, or is where something else of a run stands, such as `status`.
    pub fn report<W>(mut self, name: impl Into<String>, media_type: &'static str, write: W) -> Self
    where
        W: Fn(&RunReport, &ReadArtifact<'_>) -> String + Send + Sync + 'static,
    {
        self.0.reports.push(Report::new(name.into(), media_type, write));
        self
    }

    /// How many attempts with bad tokens one source may make within a minute: 60 unless said
    /// otherwise. Sources are told apart by the [`Peer`](runners_core::Peer) in the extensions of a
    /// request; where there is none, nobody is limited.
    pub fn failed_attempts_max(mut self, failed_max: u32) -> Self {
        self.0.access.attempts = FailedAttempts::new(failed_max);
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
    pub fn build(self) -> OrchestratorFace {
        OrchestratorFace(Face(Arc::new(self.0)))
    }
}

impl fmt::Debug for Face {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrchestratorFace")
            .field("orchestrator", &self.orchestrator)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}
