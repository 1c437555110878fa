//! Building a client: what is wrong with a URL or a token is told before anything is sent.

use crate::{
    client::{Connection, HttpTransport, exchange},
    wire::TOKEN_BYTES_MAX,
};
use http::HeaderValue;
use reqwest::{Certificate, Url, redirect};
use runners_core::{Clock, Random, SystemClock, SystemRandom, Token};
use std::{
    error::Error,
    fmt,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

/// The longest that connecting may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// The longest that an unused connection is kept: shorter than servers and proxies keep theirs, so
/// that a request rarely meets one that is just being closed.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// How often the other end of an HTTP/2 connection is asked whether it is there, and how long it
/// may take to answer.
const PING_EVERY: Duration = Duration::from_secs(20);

/// Builds an [`HttpTransport`].
pub struct HttpTransportBuilder {
    url: String,
    token: Option<Token>,
    tenant: Option<String>,
    client: Option<reqwest::Client>,
    certificates: Vec<u8>,
    insecure_http: bool,
    answer_within: Duration,
    poll_interval: Duration,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl HttpTransportBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            token: None,
            tenant: None,
            client: None,
            certificates: Vec::new(),
            insecure_http: false,
            answer_within: Duration::from_secs(10),
            poll_interval: Duration::from_secs(3),
            clock: Arc::new(SystemClock::default()),
            random: Arc::new(SystemRandom::default()),
        }
    }

    /// The token to speak with. There must be one.
    #[must_use]
    pub fn token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }

    /// Asks about this tenant, named by its id or its name, which only the operator may: it is whose jobs are
    /// submitted, looked at and cancelled, and whose artifacts are read and put, whatever tenant is in a key.
    /// To anybody else who names another tenant than their own it is one that does not exist. Without it the
    /// token says for whom it speaks.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// Sends over a client that the host has made: with its proxies, certificates and pools. It
    /// should not follow redirects; the transport itself never does anything with one.
    #[must_use]
    pub fn client(mut self, client: reqwest::Client) -> Self {
        self.client = Some(client);
        self
    }

    /// Trusts these certificates of authorities too, beside those that the system trusts: PEM, one
    /// or several. A client that the [host has made](Self::client) brings its own.
    #[must_use]
    pub fn certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.certificates = pem.into();
        self
    }

    /// Whether tokens may travel over plain HTTP beyond this machine. They may not unless said
    /// otherwise: whoever listens could use them.
    #[must_use]
    pub const fn insecure_http(mut self, allowed: bool) -> Self {
        self.insecure_http = allowed;
        self
    }

    /// How long an answer may take beyond the park that was asked for, and beyond a second for
    /// each 64 KiB sent. 10 s unless said otherwise, at least 3 s.
    #[must_use]
    pub fn answer_within(mut self, answer_within: Duration) -> Self {
        self.answer_within = answer_within.max(Duration::from_secs(3));
        self
    }

    /// The wait between polls where parked calls are cut. 3 s unless said otherwise.
    #[must_use]
    pub const fn poll_interval(mut self, poll_interval: Duration) -> Self {
        self.poll_interval = poll_interval;
        self
    }

    /// Waits on `clock`, not on that of the machine.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Draws the ids of requests from `random`, not from the operating system.
    #[must_use]
    pub fn random(mut self, random: impl Random) -> Self {
        self.random = Arc::new(random);
        self
    }

    /// Ends building. Nothing is sent yet.
    ///
    /// # Errors
    /// A [`BuildError`] for each thing that must be mended first.
    pub fn build(self) -> Result<HttpTransport, BuildError> {
        let base = parse(&self.url, self.insecure_http)?;
        let bearer = bearer(self.token.as_ref().ok_or(BuildError::NoToken)?)?;
        let tenant = self.tenant.map(|tenant| named(&tenant)).transpose()?;
        let (client, certificates) = match self.client {
            Some(client) => (client, None),
            None => {
                let trusted = certificates(&self.certificates)?;
                let client =
                    own_client(&base, trusted).build().map_err(|error| BuildError::Client(error.into()))?;
                (client, Some(self.certificates))
            }
        };
        Ok(HttpTransport(Arc::new(Connection {
            client,
            upgrading: OnceLock::new(),
            certificates,
            base,
            bearer: Mutex::new(bearer),
            tenant,
            answer_within: self.answer_within,
            poll_interval: self.poll_interval,
            clock: self.clock,
            random: self.random,
            parking: Mutex::default(),
        })))
    }
}

impl fmt::Debug for HttpTransportBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold credentials until it is checked.
        f.debug_struct("HttpTransportBuilder").field("token", &self.token).finish_non_exhaustive()
    }
}

/// Why there is no transport, by what must be mended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Write another URL.
    #[error("control plane's URL is malformed: write it like https://runners.example.com/prefix")]
    Url(#[source] Box<dyn Error + Send + Sync>),
    /// Begin the URL with `https` or `http`.
    #[error("control plane's URL has the scheme {0:?}: it must begin with https:// or http://")]
    Scheme(String),
    /// Leave out what stands for a user, a password, a query or a fragment.
    #[error("control plane's URL has {0}: leave it out")]
    Superfluous(&'static str),
    /// Use `https`, or allow plain HTTP.
    #[error(
        "a token would travel to {host} over plain HTTP for all to read: use https, or allow insecure_http"
    )]
    InsecureHttp {
        /// The host of the URL.
        host: String,
    },
    /// Give a token.
    #[error("there is no token: give one")]
    NoToken,
    /// Give the token as it was issued: this text cannot be sent. It is not repeated here, only what is wrong
    /// with it.
    #[error("token {0}: give it as it was issued")]
    Token(String),
    /// Name the tenant by its id or its name: this text is neither.
    #[error("tenant {0:?} cannot be sent: name it by its id or its name, of which none is empty")]
    Tenant(String),
    /// Give certificates as PEM, with at least one section `BEGIN CERTIFICATE`.
    #[error("certificates to trust are not well-formed PEM with a section BEGIN CERTIFICATE")]
    Certificates(#[source] Option<Box<dyn Error + Send + Sync>>),
    /// Mend the system's TLS set-up, or give a client.
    #[error("HTTP client cannot be made")]
    Client(#[source] Box<dyn Error + Send + Sync>),
}

fn parse(url: &str, insecure_http: bool) -> Result<Url, BuildError> {
    let mut base = Url::parse(url.trim()).map_err(|error| BuildError::Url(error.into()))?;
    if !matches!(base.scheme(), "https" | "http") {
        return Err(BuildError::Scheme(base.scheme().into()));
    }
    let parts = [
        (!base.username().is_empty() || base.password().is_some(), "a user or password"),
        (base.query().is_some(), "a query"),
        (base.fragment().is_some(), "a fragment"),
    ];
    if let Some((_, part)) = parts.into_iter().find(|(there, _)| *there) {
        return Err(BuildError::Superfluous(part));
    }
    if base.scheme() == "http" && !insecure_http && !is_loopback(&base) {
        return Err(BuildError::InsecureHttp { host: base.host_str().unwrap_or_default().into() });
    }
    let path = format!("{}/", base.path().trim_end_matches('/'));
    base.set_path(&path);
    Ok(base)
}

/// Whether a URL leads to this machine, whatever a resolver says.
pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    if host == "localhost" || host.ends_with(".localhost") {
        return true;
    }
    let address = host.trim_start_matches('[').trim_end_matches(']');
    address.parse().is_ok_and(|address: std::net::IpAddr| address.to_canonical().is_loopback())
}

pub(super) fn bearer(token: &Token) -> Result<HeaderValue, BuildError> {
    let text = token.expose();
    let too_long = format!("has more than {TOKEN_BYTES_MAX} bytes");
    // Tokens of hosts may look like anything else that a header can carry.
    let problems = [
        (text.is_empty(), "is empty"),
        (text.len() > TOKEN_BYTES_MAX, &too_long),
        (text.contains(char::is_whitespace), "has a blank or the end of a line in it"),
        (text.contains(char::is_control), "has a control character in it"),
        (!text.is_ascii(), "has a character in it that is not ASCII"),
    ];
    if let Some((_, problem)) = problems.into_iter().find(|(there, _)| *there) {
        return Err(BuildError::Token(problem.to_owned()));
    }
    let value = HeaderValue::try_from(format!("Bearer {text}"));
    let mut value = value.expect("invariant: a header carries visible ASCII");
    value.set_sensitive(true);
    Ok(value)
}

/// The tenant as it is sent.
fn named(tenant: &str) -> Result<HeaderValue, BuildError> {
    let value = HeaderValue::from_str(tenant).ok().filter(|value| !value.is_empty());
    value.ok_or_else(|| BuildError::Tenant(tenant.to_owned()))
}

/// The certificates that are trusted beside those of the system.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, BuildError> {
    if pem.is_empty() {
        return Ok(Vec::new());
    }
    let found =
        Certificate::from_pem_bundle(pem).map_err(|error| BuildError::Certificates(Some(error.into())))?;
    if found.is_empty() { Err(BuildError::Certificates(None)) } else { Ok(found) }
}

pub(super) fn own_client(base: &Url, trusted: Vec<Certificate>) -> reqwest::ClientBuilder {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        // What is tried again, and when, is decided above, where the present state is known.
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_WITHIN)
        .pool_idle_timeout(IDLE_MAX)
        .tcp_nodelay(true)
        .tcp_keepalive(PING_EVERY)
        .http2_keep_alive_interval(PING_EVERY)
        .http2_keep_alive_timeout(PING_EVERY);
    if base.scheme() == "http" {
        // The machine may have no certificates at all, and none are needed.
        builder = builder.tls_certs_only([]);
    } else if !trusted.is_empty() {
        builder = builder.tls_certs_merge(trusted);
    }
    if is_loopback(base) {
        builder = builder.no_proxy();
    }
    builder
}

impl Connection {
    /// The client that opens WebSockets: over https, HTTP/2 must not be agreed upon.
    pub(super) fn upgrading_client(&self) -> Result<&reqwest::Client, BuildError> {
        let Some(pem) = self.certificates.as_ref().filter(|_| self.base.scheme() == "https") else {
            return Ok(&self.client);
        };
        if let Some(client) = self.upgrading.get() {
            return Ok(client);
        }
        let client = own_client(&self.base, certificates(pem)?).http1_only().build();
        let client = client.map_err(|error| BuildError::Client(error.into()))?;
        Ok(self.upgrading.get_or_init(|| client))
    }

    /// The URL of something below the base.
    pub(super) fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{}{path}", self.base.path(), exchange::VERSION_SEGMENT));
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runners_core::TokenKind;

    fn build(url: &str) -> Result<HttpTransport, BuildError> {
        HttpTransport::builder(url).token(Token::new(TokenKind::Api, [7; 32])).build()
    }

    #[test]
    fn a_url_that_would_not_do_is_told_why() {
        assert!(matches!(build("runners"), Err(BuildError::Url(_))));
        assert!(matches!(build("ftp://localhost"), Err(BuildError::Scheme(_))));
        assert!(matches!(build("http://u:p@localhost"), Err(BuildError::Superfluous("a user or password"))));
        assert!(matches!(build("http://localhost/?a"), Err(BuildError::Superfluous("a query"))));
        assert!(matches!(build("http://localhost/#a"), Err(BuildError::Superfluous("a fragment"))));
    }

    #[test]
    fn plain_http_beyond_this_machine_must_be_allowed() {
        for far in ["http://runners.example.com", "http://10.0.0.7:80", "http://localhost.example.com"] {
            assert!(matches!(build(far), Err(BuildError::InsecureHttp { .. })), "{far}");
        }
        for near in ["http://localhost:8080", "http://127.0.0.2", "http://[::1]:80", "http://a.localhost"] {
            build(near).unwrap();
        }
        let allowed = HttpTransport::builder("http://10.0.0.7").insecure_http(true);
        allowed.token(Token::new(TokenKind::Api, [7; 32])).build().unwrap();
    }

    #[test]
    fn a_token_is_needed_and_must_be_fit_to_send() {
        let with =
            |token: &str| HttpTransport::builder("http://localhost").token(Token::from_text(token)).build();
        assert!(matches!(HttpTransport::builder("http://localhost").build(), Err(BuildError::NoToken)));
        let told = |token: &str| match with(token) {
            Err(BuildError::Token(problem)) => problem,
            other => panic!("{other:?}"),
        };
        assert_eq!(told(""), "is empty");
        assert_eq!(told("rreg_1\n"), "has a blank or the end of a line in it");
        assert_eq!(told("two words"), "has a blank or the end of a line in it");
        assert_eq!(told("rreg_\u{7f}"), "has a control character in it");
        assert_eq!(told("rreg_\u{e9}"), "has a character in it that is not ASCII");
        assert_eq!(told(&"x".repeat(513)), "has more than 512 bytes");
        for good in ["x".repeat(512), "of-the-host".into(), "a.b~c+d/e==".into(), "rreg_".into()] {
            with(&good).unwrap();
        }
    }

    #[test]
    fn paths_stand_below_the_prefix() {
        for url in ["http://localhost/a/b", "http://localhost/a/b/"] {
            assert_eq!(build(url).unwrap().0.url("sync").as_str(), "http://localhost/a/b/v1/sync");
        }
        assert_eq!(build("http://localhost").unwrap().0.url("sync").path(), "/v1/sync");
    }

    #[test]
    fn nothing_prints_the_token() {
        let secret = "07".repeat(32);
        let builder = HttpTransport::builder("http://localhost").token(Token::new(TokenKind::Api, [7; 32]));
        assert!(!format!("{builder:?}").contains(&secret));
        let transport = builder.build().unwrap();
        assert!(!format!("{transport:?}").contains(&secret));
        assert!(!format!("{:?}", transport.0.bearer).contains(&secret));
    }
}
