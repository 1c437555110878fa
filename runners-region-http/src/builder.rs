//! Building a region: what is wrong with its URL or its headers is told before anything is sent.

use crate::{
    circuit::Circuit,
    fetch,
    permitted::Permitted,
    region::{HttpRegion, Inner},
    settings::{RegionSetting, RegionSettings, RegionTenants},
};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use reqwest::{Url, redirect};
use runners_core::{Clock, Egress, EgressError, Secret, SystemClock};
use std::{
    error::Error,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::{Notify, Semaphore};

/// The longest that connecting may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The longest that an unused connection is kept: shorter than servers and proxies keep theirs.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// Builds an [`HttpRegion`].
#[must_use]
pub struct HttpRegionBuilder {
    name: String,
    url: String,
    token: Option<Secret>,
    headers: Vec<(String, Secret)>,
    egress: Egress,
    answer_within: Duration,
    reply_bytes_max: usize,
    clock: Arc<dyn Clock>,
    tenants: Option<RegionTenants>,
}

/// What is wrong with a region as it was set up. It repeats no URL and no value of a header.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegionBuildError {
    /// Mend the URL.
    #[error("the region {region:?}: its URL is not good: {problem}")]
    Url {
        /// The region.
        region: String,
        /// What is wrong.
        problem: String,
    },
    /// Mend the URL, or allow where it leads.
    #[error("the region {region:?}: its URL is not allowed")]
    Forbidden {
        /// The region.
        region: String,
        /// What is not allowed.
        source: EgressError,
    },
    /// Mend the header.
    #[error("the region {region:?}: the header {header:?} is not good: {problem}")]
    Header {
        /// The region.
        region: String,
        /// The name of the header.
        header: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// Nothing can be called: TLS could not be set up.
    #[error("the client cannot be set up")]
    Client(#[source] Box<dyn Error + Send + Sync>),
}

impl HttpRegionBuilder {
    pub(crate) fn new(name: String, url: String) -> Self {
        Self {
            name,
            url,
            token: None,
            headers: Vec::new(),
            egress: Egress::pushing(),
            answer_within: HttpRegion::ANSWER_WITHIN,
            reply_bytes_max: HttpRegion::REPLY_BYTES_MAX,
            clock: Arc::new(SystemClock::default()),
            tenants: None,
        }
    }

    /// Calls with `Authorization: Bearer` and this token.
    pub fn token(mut self, token: Secret) -> Self {
        self.token = Some(token);
        self
    }

    /// Calls with this header too. Its value is shown nowhere.
    pub fn header(mut self, name: impl Into<String>, value: Secret) -> Self {
        self.headers.push((name.into(), value));
        self
    }

    /// Calls where this allows it: [`Egress::pushing`] unless said otherwise, so that regions on this
    /// machine or in private networks have to be allowed.
    pub fn egress(mut self, egress: Egress) -> Self {
        self.egress = egress;
        self
    }

    /// The longest that a call may take: [`HttpRegion::ANSWER_WITHIN`] unless
    /// said otherwise.
    pub const fn answer_within(mut self, span: Duration) -> Self {
        self.answer_within = span;
        self
    }

    /// The largest reply in bytes: [`HttpRegion::REPLY_BYTES_MAX`] unless said otherwise.
    pub const fn reply_bytes_max(mut self, bytes: usize) -> Self {
        self.reply_bytes_max = bytes;
        self
    }

    /// Waits on `clock`, not on that of the machine.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Ends building. Nothing is called yet.
    ///
    /// # Errors
    /// [`RegionBuildError`], which says what to mend.
    pub fn build(self) -> Result<HttpRegion, RegionBuildError> {
        let (execute, about) = self.urls()?;
        let headers = self.headers()?;
        let egress = Arc::new(self.egress);
        let client = reqwest::Client::builder()
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .connect_timeout(CONNECT_WITHIN)
            .pool_idle_timeout(IDLE_MAX)
            .dns_resolver(Permitted(Arc::clone(&egress)))
            .build()
            .map_err(|error| RegionBuildError::Client(error.into()))?;
        Ok(HttpRegion(Arc::new(Inner {
            name: self.name,
            client,
            headers,
            egress,
            execute,
            about,
            answer_within: self.answer_within,
            reply_bytes_max: self.reply_bytes_max,
            circuit: Mutex::new(Circuit::default()),
            probe_ended: Notify::new(),
            clock: self.clock,
            tenants: self.tenants,
            fetches: Semaphore::new(fetch::SIDE_BY_SIDE),
        })))
    }

    /// Where checks are executed, and where the region tells about itself.
    fn urls(&self) -> Result<(Url, Url), RegionBuildError> {
        let region = || self.name.clone();
        let bad = |problem: String| RegionBuildError::Url { region: region(), problem };
        if self.name.is_empty() || self.name.len() > RegionSettings::NAME_BYTES_MAX {
            return Err(bad(format!("its name must have 1 to {} bytes", RegionSettings::NAME_BYTES_MAX)));
        }
        let url: Url = self.url.parse().map_err(|error| bad(format!("{error}")))?;
        self.egress
            .check(url.as_str())
            .map_err(|source| RegionBuildError::Forbidden { region: region(), source })?;
        let below = |name: &str| {
            let mut url = url.clone();
            url.set_fragment(None);
            let mut segments = url.path_segments_mut().map_err(|()| bad("it has no path".to_owned()))?;
            segments.pop_if_empty().push(name);
            drop(segments);
            Ok(url)
        };
        Ok((below("execute")?, below("info")?))
    }

    fn headers(&self) -> Result<HeaderMap, RegionBuildError> {
        let mut headers = HeaderMap::new();
        let token = self.token.iter().map(|token| {
            let value = Secret::from_text(format!("Bearer {}", token.expose()));
            ("authorization".to_owned(), value)
        });
        for (name, value) in self.headers.iter().cloned().chain(token) {
            let bad = |problem| RegionBuildError::Header {
                region: self.name.clone(),
                header: name.clone(),
                problem,
            };
            let header: HeaderName = name.parse().map_err(|_| bad("it is no name of a header"))?;
            if OURS.contains(&header) {
                return Err(bad("it is set by the call itself"));
            }
            let mut value: HeaderValue = value
                .expose()
                .parse()
                .map_err(|_| bad("its value has characters that no header may have"))?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        Ok(headers)
    }
}

/// What every call sets.
const OURS: [HeaderName; 4] =
    [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::HOST];

impl RegionSettings {
    /// Builds the regions, which may be called where `egress` allows it.
    ///
    /// # Errors
    /// As [`HttpRegionBuilder::build`], for the first that is not good.
    pub fn build(self, egress: &Egress) -> Result<Vec<HttpRegion>, RegionBuildError> {
        let region = |(name, setting): (String, RegionSetting)| {
            let mut builder = HttpRegion::builder(name, setting.url).egress(egress.clone());
            builder.token = setting.token;
            builder.headers = setting.headers.into_iter().collect();
            builder.tenants = setting.tenants;
            builder.build()
        };
        self.into_regions().map(region).collect()
    }
}

impl fmt::Debug for HttpRegionBuilder {
    /// Without the URL and the values of headers, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRegionBuilder")
            .field("name", &self.name)
            .field("token", &self.token)
            .field("headers", &self.headers)
            .field("egress", &self.egress)
            .finish_non_exhaustive()
    }
}
