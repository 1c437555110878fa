//! The management API: its routes, and what a host gives it.

mod artifacts;
mod audit;
mod caller;
mod credentials;
mod documentation;
mod environments;
mod events;
mod fleet;
mod flows;
mod follow;
mod jobs;
mod logs;
mod page;
mod pools;
mod probes;
mod retention;
mod rollout;
mod runners;
mod runs;
mod signals;
mod tenants;
mod tokens;
mod views;
mod webhooks;
mod write;

use crate::wire::exchange;
use axum::{Router, middleware, response::IntoResponse};
use runners_core::{
    Authenticate, Clock, ControlPlane, FailedAttempts, Random, SystemClock, SystemRandom, Timestamp,
};
use std::{fmt, sync::Arc};
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The management API of a control plane, as routes to be mounted under any prefix.
///
/// Clones are the same face. Whose request it is, a host's [`Authenticate`] tells; what they may
/// do follows from the scopes of the [`Principal`](runners_core::Principal) that it names.
#[derive(Clone, Debug)]
pub struct ManagementFace(Face);

/// Builds a [`ManagementFace`].
#[derive(Debug)]
pub struct ManagementFaceBuilder(Inner);

/// What every call is given.
#[derive(Clone)]
pub(crate) struct Face(Arc<Inner>);

struct Inner {
    control: ControlPlane,
    authenticate: Arc<dyn Authenticate>,
    attempts: FailedAttempts,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// Whose pages may look beside those of this server.
    live_origins: Vec<String>,
}

impl ManagementFace {
    /// Begins a face of `control`. `authenticate` tells for whom a token speaks:
    /// [`ControlPlane::authenticator`] for the control plane's own credentials.
    pub fn builder(control: &ControlPlane, authenticate: impl Authenticate) -> ManagementFaceBuilder {
        ManagementFaceBuilder(Inner {
            control: control.clone(),
            authenticate: Arc::new(authenticate),
            attempts: FailedAttempts::default(),
            clock: Arc::new(SystemClock::default()),
            random: Arc::new(SystemRandom::default()),
            live_origins: Vec::new(),
        })
    }

    /// The routes, to be nested under a prefix, or merged. Documentation is at `docs`, what it is
    /// made from at `openapi.json`, and probes are at `healthz` and `readyz`.
    pub fn into_router(self) -> Router {
        let face = self.0;
        let (calls, document) = calls().split_for_parts();
        let authenticated = calls
            .route_layer(middleware::from_fn_with_state(face.clone(), caller::authenticate))
            .merge(documentation::routes(document))
            .merge(probes::routes())
            .merge(views::routes());
        exchange::around(authenticated, Arc::clone(&face.0.random), IntoResponse::into_response)
            .with_state(face)
    }

    /// The description of every call, as an OpenAPI 3.1 document in JSON.
    #[must_use]
    pub fn openapi() -> String {
        documentation::json(&described())
    }
}

impl ManagementFaceBuilder {
    /// Waits on `clock`, not on that of the machine.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.0.clock = Arc::new(clock);
        self
    }

    /// Draws ids and tokens from `random`, not from the operating system.
    #[must_use]
    pub fn random(mut self, random: impl Random) -> Self {
        self.0.random = Arc::new(random);
        self
    }

    /// How many attempts with bad tokens one source may make within a minute: 60 unless said
    /// otherwise. Sources are told apart by the [`Peer`](runners_core::Peer) in the extensions of a
    /// request; where there is none, nobody is limited.
    #[must_use]
    pub fn failed_attempts_max(mut self, failed_max: u32) -> Self {
        self.0.attempts = FailedAttempts::new(failed_max);
        self
    }

    /// Lets pages of another origin, such as `https://example.com`, show live views by a grant. Those of the
    /// server's own origin may.
    #[must_use]
    pub fn live_origin(mut self, origin: impl Into<String>) -> Self {
        self.0.live_origins.push(origin.into());
        self
    }

    /// Ends building.
    #[must_use]
    pub fn build(self) -> ManagementFace {
        ManagementFace(Face(Arc::new(self.0)))
    }
}

impl Face {
    pub(crate) fn control(&self) -> &ControlPlane {
        &self.0.control
    }

    pub(crate) fn authenticator(&self) -> &dyn Authenticate {
        &*self.0.authenticate
    }

    /// The failed attempts at this face.
    pub(crate) fn attempts(&self) -> &FailedAttempts {
        &self.0.attempts
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    pub(crate) fn random(&self) -> &dyn Random {
        &*self.0.random
    }

    /// Whose pages may look beside those of this server.
    pub(crate) fn live_origins(&self) -> impl Iterator<Item = &str> {
        self.0.live_origins.iter().map(String::as_str)
    }

    /// Draws an id.
    pub(crate) fn draw<T>(&self, id: impl FnOnce(Timestamp, [u8; 10]) -> T) -> T {
        let mut random = [0; 10];
        self.random().fill(&mut random);
        id(self.clock().wall(), random)
    }
}

impl fmt::Debug for Face {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Face").field("authenticate", &self.authenticate).finish_non_exhaustive()
    }
}

/// Every call that takes a credential.
fn calls() -> OpenApiRouter<Face> {
    OpenApiRouter::new()
        .routes(routes!(pools::list_pools, pools::create_pool))
        .routes(routes!(pools::get_pool, pools::change_pool, pools::delete_pool))
        .routes(routes!(tokens::list_registration_tokens, tokens::create_registration_token))
        .routes(routes!(tokens::revoke_registration_token))
        .routes(routes!(tokens::register_runner))
        .routes(routes!(tokens::revoke_runner_credentials))
        .routes(routes!(runners::list_runners))
        .routes(routes!(runners::get_runner, runners::change_runner, runners::remove_runner))
        .routes(routes!(runners::drain_runner))
        .routes(routes!(runners::shut_down_runner))
        .routes(routes!(runners::resume_runner))
        .routes(routes!(runners::get_runner_system))
        .routes(routes!(credentials::list_credentials, credentials::create_credential))
        .routes(routes!(credentials::revoke_credential))
        .merge(calls_of_jobs())
        .routes(routes!(fleet::summarize_fleet))
        .routes(routes!(tenants::list_tenants, tenants::create_tenant))
        .routes(routes!(tenants::get_own_tenant))
        .routes(routes!(rollout::get_rollout))
        .routes(routes!(rollout::get_rollout_rules, rollout::set_rollout_rules))
        .routes(routes!(tenants::change_tenant))
        .routes(routes!(retention::get_retention, retention::set_retention))
        .routes(routes!(retention::list_unnamed_artifacts))
        .merge(calls_of_webhooks())
        .merge(calls_of_flows())
        .routes(routes!(audit::list_changes))
        .routes(routes!(environments::list_environments))
        .routes(routes!(
            environments::get_environment,
            environments::route_environment,
            environments::delete_environment
        ))
}

/// The calls about jobs, what they leave, and what is told of them.
fn calls_of_jobs() -> OpenApiRouter<Face> {
    OpenApiRouter::new()
        .routes(routes!(jobs::list_jobs, jobs::submit_jobs))
        .routes(routes!(jobs::get_job))
        .routes(routes!(jobs::explain_job))
        .routes(routes!(jobs::cancel_job))
        .routes(routes!(jobs::retry_job))
        .routes(routes!(views::create_view))
        .routes(routes!(runs::list_runs))
        .routes(routes!(runs::get_run))
        .routes(routes!(runs::cancel_run))
        .routes(routes!(logs::read_log))
        .routes(routes!(logs::follow_log))
        .routes(routes!(artifacts::read_artifact))
        .routes(routes!(signals::send_signal))
        .routes(routes!(signals::await_answer))
        .routes(routes!(events::follow_events))
        .routes(routes!(events::follow_job_events))
        .routes(routes!(events::follow_run_events))
}

/// The calls about the library of flows.
fn calls_of_flows() -> OpenApiRouter<Face> {
    OpenApiRouter::new()
        .routes(routes!(flows::list_flows))
        .routes(routes!(flows::get_flow, flows::put_flow, flows::delete_flow))
        .routes(routes!(flows::read_flow))
        .routes(routes!(flows::run_flow))
}

/// The calls about webhooks and what they were not told.
fn calls_of_webhooks() -> OpenApiRouter<Face> {
    OpenApiRouter::new()
        .routes(routes!(webhooks::list_webhooks, webhooks::create_webhook))
        .routes(routes!(webhooks::get_webhook, webhooks::delete_webhook))
        .routes(routes!(webhooks::rotate_webhook_secret))
        .routes(routes!(webhooks::list_deliveries))
        .routes(routes!(webhooks::redeliver))
}

fn described() -> OpenApi {
    documentation::completed(calls().into_openapi())
}
