//! The dashboard: what a host gives it, and its routes.

use crate::{access, assets, history::Histories, live, pages, session::Sessions};
use axum::{
    Router, middleware,
    routing::{get, post},
};
use runners_core::{
    Authenticate, Clock, ControlPlane, FailedAttempts, Random, SystemClock, SystemRandom, Timestamp,
};
use std::{fmt, sync::Arc, time::Duration};

/// The dashboard of a control plane, as routes to be mounted under any prefix.
///
/// Clones are the same dashboard, and share the sessions of those who have signed in.
#[derive(Clone, Debug)]
pub struct Dashboard(Site);

/// Builds a [`Dashboard`].
#[derive(Debug)]
pub struct DashboardBuilder(Inner);

/// What every page is given.
#[derive(Clone, Debug)]
pub(crate) struct Site(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) control: ControlPlane,
    /// Looks pasted credentials up; `None` where the host signs people in.
    pub(crate) authenticate: Option<Arc<dyn Authenticate>>,
    pub(crate) attempts: FailedAttempts,
    pub(crate) sessions: Sessions,
    pub(crate) histories: Histories,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    /// What another machine would say to reach the control plane, if the host knows.
    pub(crate) server_url: Option<String>,
    #[cfg(feature = "orchestrator")]
    pub(crate) orchestrator: Option<runners_core::orchestration::Orchestrator>,
}

impl Dashboard {
    /// Begins a dashboard of `control` that people sign in to by pasting an API credential.
    /// `authenticate` tells for whom it speaks, at the sign-in and at every request after it, so what
    /// is revoked ends at once: [`ControlPlane::authenticator`] for the control plane's own
    /// credentials.
    pub fn builder(control: &ControlPlane, authenticate: impl Authenticate) -> DashboardBuilder {
        DashboardBuilder(Inner::new(control, Some(Arc::new(authenticate))))
    }

    /// Begins a dashboard of `control` behind the host's own sign-in: a layer of the host puts
    /// [`SignedIn`](crate::SignedIn) into the extensions of every request that may see it. A request
    /// without is refused.
    pub fn behind_sign_in(control: &ControlPlane) -> DashboardBuilder {
        DashboardBuilder(Inner::new(control, None))
    }

    /// The routes, to be merged, or nested under a prefix: with axum's `nest_service`, so that the
    /// prefix leads to the first page with and without a slash at its end.
    pub fn into_router(self) -> Router {
        let site = self.0;
        pages::routes()
            .route("/live", get(live::follow))
            .route("/sign-out", post(access::sign_out))
            .fallback(pages::nowhere)
            .layer(middleware::from_fn_with_state(site.clone(), access::admit))
            .route("/", get(pages::beginning))
            .route("/sign-in", get(access::show_sign_in).post(access::sign_in))
            .merge(assets::routes())
            .layer(middleware::from_fn(assets::guard))
            .with_state(site)
    }
}

impl DashboardBuilder {
    /// Tells the time by `clock`, not by that of the machine.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.0.clock = Arc::new(clock);
        self
    }

    /// Draws sessions and ids from `random`, not from the operating system.
    #[must_use]
    pub fn random(mut self, random: impl Random) -> Self {
        self.0.random = Arc::new(random);
        self
    }

    /// How long somebody stays signed in: twelve hours unless said otherwise.
    #[must_use]
    pub fn session_life(mut self, life: Duration) -> Self {
        self.0.sessions = Sessions::new(life);
        self
    }

    /// Shows how a machine joins a pool with this URL of the control plane.
    #[must_use]
    pub fn server_url(mut self, url: impl Into<String>) -> Self {
        self.0.server_url = Some(url.into());
        self
    }

    /// Shows the runs over regions of an orchestrator.
    #[cfg(feature = "orchestrator")]
    #[must_use]
    pub fn orchestrator(mut self, orchestrator: &runners_core::orchestration::Orchestrator) -> Self {
        self.0.orchestrator = Some(orchestrator.clone());
        self
    }

    /// Ends building.
    #[must_use]
    pub fn build(self) -> Dashboard {
        Dashboard(Site(Arc::new(self.0)))
    }
}

impl Inner {
    fn new(control: &ControlPlane, authenticate: Option<Arc<dyn Authenticate>>) -> Self {
        Self {
            control: control.clone(),
            authenticate,
            attempts: FailedAttempts::default(),
            sessions: Sessions::new(Sessions::LIFE),
            histories: Histories::default(),
            clock: Arc::new(SystemClock::default()),
            random: Arc::new(SystemRandom::default()),
            server_url: None,
            #[cfg(feature = "orchestrator")]
            orchestrator: None,
        }
    }
}

impl Site {
    /// The time on the wall.
    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.wall()
    }

    /// Whether there are runs over regions.
    pub(crate) fn has_regions(&self) -> bool {
        #[cfg(feature = "orchestrator")]
        return self.orchestrator.is_some();
        #[cfg(not(feature = "orchestrator"))]
        false
    }

    /// Draws an id.
    pub(crate) fn draw<T>(&self, id: impl FnOnce(Timestamp, [u8; 10]) -> T) -> T {
        let mut random = [0; 10];
        self.0.random.fill(&mut random);
        id(self.now(), random)
    }

    /// Draws a text that nobody guesses.
    pub(crate) fn draw_text(&self) -> String {
        let mut random = [0; 32];
        self.0.random.fill(&mut random);
        hex::encode(random)
    }
}

impl std::ops::Deref for Site {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dashboard").field("authenticate", &self.authenticate).finish_non_exhaustive()
    }
}
