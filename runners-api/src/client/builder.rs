//! Building a client: what is wrong with a URL or a token is told before anything is sent.

use super::{Connection, HttpOrchestrator};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use reqwest::{Url, redirect};
use runners_core::{Clock, Random, SystemClock, SystemRandom, TenantId, Token};
use std::{error::Error, fmt, net::IpAddr, sync::Arc, time::Duration};

/// The longest that connecting may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The longest that an unused connection is kept: shorter than servers and proxies keep theirs.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// Builds an [`HttpOrchestrator`].
#[must_use]
pub struct HttpOrchestratorBuilder {
    url: String,
    token: Option<Token>,
    tenant: Option<TenantId>,
    client: Option<reqwest::Client>,
    insecure_http: bool,
    patience: Duration,
    answer_within: Duration,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// Why there is no client, by what must be mended. It repeats no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpOrchestratorError {
    /// Write another URL.
    #[error("orchestrator's URL is not good: {0}")]
    Url(String),
    /// Use `https`, or allow plain HTTP.
    #[error(
        "a token would travel to {host} over plain HTTP for all to read: use https, or allow insecure_http"
    )]
    InsecureHttp {
        /// The host of the URL.
        host: String,
    },
    /// Give another token, without blanks around it.
    #[error("token has characters that cannot be sent, such as blanks or the end of a line")]
    Token,
    /// Mend the system's TLS set-up, or give a client.
    #[error("HTTP client cannot be made")]
    Client(#[source] Box<dyn Error + Send + Sync>),
}

impl HttpOrchestratorBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            token: None,
            tenant: None,
            client: None,
            insecure_http: false,
            patience: HttpOrchestrator::PATIENCE,
            answer_within: HttpOrchestrator::ANSWER_WITHIN,
            clock: Arc::new(SystemClock::default()),
            random: Arc::new(SystemRandom::default()),
        }
    }

    /// Asks with this token. A face that lets everybody in needs none.
    pub fn token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }

    /// Works for this tenant, as an operator does.
    pub fn tenant(mut self, tenant: TenantId) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// Sends over a client that the host has made: with its proxies, certificates and pools. It should
    /// not follow redirects; nothing is ever done with one here.
    pub fn client(mut self, client: reqwest::Client) -> Self {
        self.client = Some(client);
        self
    }

    /// Whether tokens may travel over plain HTTP beyond this machine. They may not unless said
    /// otherwise: whoever listens could use them.
    pub const fn insecure_http(mut self, allowed: bool) -> Self {
        self.insecure_http = allowed;
        self
    }

    /// For how long a call is made again that was not answered:
    /// [`PATIENCE`](HttpOrchestrator::PATIENCE) unless said otherwise. With none, once is enough.
    pub const fn patience(mut self, span: Duration) -> Self {
        self.patience = span;
        self
    }

    /// How long one answer may take, beyond what it is held back for:
    /// [`ANSWER_WITHIN`](HttpOrchestrator::ANSWER_WITHIN) unless said otherwise, at least 1 s.
    pub fn answer_within(mut self, span: Duration) -> Self {
        self.answer_within = span.max(Duration::from_secs(1));
        self
    }

    /// Waits on `clock`, not on that of the machine.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Draws names of runs from `random`, not from the operating system.
    pub fn random(mut self, random: impl Random) -> Self {
        self.random = Arc::new(random);
        self
    }

    /// Ends building. Nothing is sent yet.
    ///
    /// # Errors
    /// An [`HttpOrchestratorError`] for each thing that must be mended first.
    pub fn build(self) -> Result<HttpOrchestrator, HttpOrchestratorError> {
        let base = self.base()?;
        let headers = self.headers()?;
        let client = match self.client {
            Some(client) => client,
            None => own_client(&base).map_err(|error| HttpOrchestratorError::Client(error.into()))?,
        };
        Ok(HttpOrchestrator(Arc::new(Connection {
            client,
            base,
            headers,
            patience: self.patience,
            answer_within: self.answer_within,
            clock: self.clock,
            random: self.random,
        })))
    }

    fn base(&self) -> Result<Url, HttpOrchestratorError> {
        let bad = |problem: &str| HttpOrchestratorError::Url(problem.to_owned());
        let mut base = Url::parse(self.url.trim()).map_err(|error| {
            bad(&format!("{error}: write it like https://tests.example/api/orchestrator"))
        })?;
        if !matches!(base.scheme(), "https" | "http") {
            return Err(bad("it must begin with https:// or http://"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(bad("it has a user or a password: leave them out"));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(bad("it has a query or a fragment: leave them out"));
        }
        if self.token.is_some() && base.scheme() == "http" && !self.insecure_http && !is_loopback(&base) {
            let host = base.host_str().unwrap_or_default().to_owned();
            return Err(HttpOrchestratorError::InsecureHttp { host });
        }
        let path = base.path().trim_end_matches('/').to_owned();
        base.set_path(&path);
        Ok(base)
    }

    fn headers(&self) -> Result<HeaderMap, HttpOrchestratorError> {
        let mut headers = HeaderMap::new();
        if let Some(token) = &self.token {
            let text = token.expose();
            if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(HttpOrchestratorError::Token);
            }
            let value = HeaderValue::try_from(format!("Bearer {text}"));
            let mut value = value.map_err(|_| HttpOrchestratorError::Token)?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        if let Some(tenant) = self.tenant {
            let value = HeaderValue::try_from(tenant.to_string()).expect("invariant: ids are plain text");
            headers.insert(HeaderName::from_static("runners-tenant"), value);
        }
        Ok(headers)
    }
}

impl HttpOrchestrator {
    /// For how long a call is made again that was not answered, unless said otherwise.
    pub const PATIENCE: Duration = Duration::from_secs(30);
    /// How long one answer may take, unless said otherwise.
    pub const ANSWER_WITHIN: Duration = Duration::from_secs(30);
    /// The largest answer that is read: 64 MiB.
    pub const ANSWER_BYTES_MAX: usize = 64 << 20;
}

fn own_client(base: &Url) -> reqwest::Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        // What is tried again, and when, is decided above.
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_WITHIN)
        .pool_idle_timeout(IDLE_MAX)
        .tcp_nodelay(true);
    if base.scheme() == "http" {
        // The machine may have no certificates at all, and none are needed.
        builder = builder.tls_certs_only([]);
    }
    if is_loopback(base) {
        builder = builder.no_proxy();
    }
    builder.build()
}

/// Whether a URL leads to this machine, whatever a resolver says.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    if host == "localhost" || host.ends_with(".localhost") {
        return true;
    }
    let address = host.trim_start_matches('[').trim_end_matches(']');
    address.parse().is_ok_and(|address: IpAddr| address.to_canonical().is_loopback())
}

impl fmt::Debug for HttpOrchestratorBuilder {
    /// Without the URL, which may hold a password until it is checked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpOrchestratorBuilder").field("token", &self.token).finish_non_exhaustive()
    }
}
