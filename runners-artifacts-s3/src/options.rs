//! What may be chosen about a store before it is opened.

use crate::{
    OpenError, S3Artifacts, S3Credentials,
    exchange::{STALL_MAX, Storage},
    place::Place,
};
use reqwest::{Certificate, Url, redirect};
use runners_core::{Clock, Random, SystemClock, SystemRandom};
use rusty_s3::{Bucket, UrlStyle};
use std::{env, fmt, net::IpAddr, sync::Arc, time::Duration};

/// The longest that connecting may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// The longest that an unused connection is kept: shorter than storages keep theirs.
const IDLE_MAX: Duration = Duration::from_secs(15);

/// The region where none is named.
const USUAL_REGION: &str = "us-east-1";

/// Chooses how [`S3Artifacts`] are opened. The defaults are those of AWS.
///
/// ```no_run
/// # async fn example() -> Result<(), runners_artifacts_s3::OpenError> {
/// use runners_artifacts_s3::{S3Credentials, S3Options};
///
/// let artifacts = S3Options::new("s3://ci-artifacts/runners")
///     .endpoint("https://storage.example")
///     .credentials(S3Credentials::from_file("/run/secrets/storage"))
///     .open()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct S3Options {
    url: String,
    endpoint: Option<String>,
    region: Option<String>,
    path_style: Option<bool>,
    credentials: Option<S3Credentials>,
    certificates: Vec<u8>,
    bytes_max: u64,
    grants_uploads: bool,
    grants_reads: bool,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl S3Options {
    /// The largest object that can be put by one request, and so the largest artifact: 5 GiB.
    pub const BYTES_MAX: u64 = 5 << 30;

    /// A bucket, and the prefix of the names in it if there is one: `s3://bucket/prefix`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            endpoint: None,
            region: None,
            path_style: None,
            credentials: None,
            certificates: Vec::new(),
            bytes_max: 1 << 30,
            grants_uploads: true,
            grants_reads: false,
            clock: Arc::new(SystemClock::default()),
            random: Arc::new(SystemRandom::default()),
        }
    }

    /// Where the storage is. That of AWS in the region by default.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// The region of the bucket. What `AWS_REGION` says by default, or else `us-east-1`.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Whether the bucket stands in the path of a URL and not before its host. It does by default where
    /// an [`endpoint`](Self::endpoint) is named.
    pub fn path_style(mut self, path_style: bool) -> Self {
        self.path_style = Some(path_style);
        self
    }

    /// Who speaks. Those [of the environment](S3Credentials::from_environment) by default.
    pub fn credentials(mut self, credentials: S3Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Trusts these certificates of authorities too, beside those that the system trusts: PEM, one or
    /// several.
    pub fn certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.certificates = pem.into();
        self
    }

    /// The largest number of bytes in one artifact. 1 GiB by default, at most
    /// [`BYTES_MAX`](Self::BYTES_MAX).
    pub fn bytes_max(mut self, bytes_max: u64) -> Self {
        self.bytes_max = bytes_max.min(Self::BYTES_MAX);
        self
    }

    /// Whether runners may upload straight to the storage, each artifact under a grant for it alone. They
    /// may by default; those that cannot reach it under the same endpoint send their bytes through the
    /// control plane.
    pub fn grant_uploads(mut self, granted: bool) -> Self {
        self.grants_uploads = granted;
        self
    }

    /// Whether readers may be sent to the storage, each for one artifact and a minute. They may not by default:
    /// whoever reads must then reach it under the same endpoint, and browsers do not say if they do not.
    pub fn grant_reads(mut self, granted: bool) -> Self {
        self.grants_reads = granted;
        self
    }

    /// Waits on `clock`, and signs by its time, not by that of the machine.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Draws the names of uploads from `random`, not from the operating system.
    pub fn random(mut self, random: impl Random) -> Self {
        self.random = Arc::new(random);
        self
    }

    /// Looks whether the bucket is there and may be listed.
    ///
    /// # Errors
    /// See [`OpenError`]; its variants say what to do.
    ///
    /// # Cancel safety
    /// Nothing is changed.
    pub async fn open(self) -> Result<S3Artifacts, OpenError> {
        let (bucket, place) = self.place()?;
        let shown = format!("{} ({})", self.url, bucket.base_url().origin().ascii_serialization());
        let missing = || OpenError::NoCredentials {
            place: shown.clone(),
            problem: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file".to_owned(),
        };
        let client = client(bucket.base_url(), &self.certificates)?;
        let given = self.credentials.or_else(S3Credentials::from_environment);
        let credentials = given.ok_or_else(missing)?;
        let storage = Arc::new(Storage { bucket, credentials, client, clock: self.clock });
        let Self { random, bytes_max, grants_uploads, grants_reads, .. } = self;
        let artifacts = S3Artifacts { storage, place, random, bytes_max, grants_uploads, grants_reads };
        let looked = artifacts.names(artifacts.place.prefix(), None, 1).await;
        looked.map_err(|trouble| OpenError::of(shown, trouble))?;
        Ok(artifacts)
    }

    /// The bucket, and our place in it.
    fn place(&self) -> Result<(Bucket, Place), OpenError> {
        let bad = |problem: &str| OpenError::Url { url: self.url.clone(), problem: problem.to_owned() };
        let rest = self.url.strip_prefix("s3://").ok_or_else(|| bad("it does not begin with s3://"))?;
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
        if !(3..=63).contains(&name.len()) || !name.bytes().all(is_plain) || name.starts_with('.') {
            return Err(bad("the name of a bucket has 3 to 63 lower-case letters, digits, `-` and `.`"));
        }
        let place = Place::new(prefix).map_err(|problem| bad(&format!("the prefix {problem}")))?;
        let of_environment = || env::var("AWS_REGION").ok().filter(|region| !region.is_empty());
        let region = self.region.clone().or_else(of_environment).unwrap_or_else(|| USUAL_REGION.to_owned());
        let usual = format!("https://s3.{region}.amazonaws.com");
        let endpoint = endpoint(self.endpoint.as_deref().unwrap_or(&usual))?;
        let style = match self.path_style.unwrap_or(self.endpoint.is_some()) {
            true => UrlStyle::Path,
            false => UrlStyle::VirtualHost,
        };
        let bucket = Bucket::new(endpoint, style, name.to_owned(), region)
            .map_err(|error| OpenError::Endpoint { problem: format!("cannot be used: {error}") })?;
        Ok((bucket, place))
    }
}

impl fmt::Debug for S3Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The endpoint may hold a password until it is checked.
        f.debug_struct("S3Options")
            .field("url", &self.url)
            .field("region", &self.region)
            .field("credentials", &self.credentials)
            .field("bytes_max", &self.bytes_max)
            .field("grants_uploads", &self.grants_uploads)
            .field("grants_reads", &self.grants_reads)
            .finish_non_exhaustive()
    }
}

fn endpoint(text: &str) -> Result<Url, OpenError> {
    let bad = |problem: &str| OpenError::Endpoint { problem: problem.to_owned() };
    let url = Url::parse(text.trim()).map_err(|_| bad("is malformed"))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(bad("must begin with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("has a user or password: leave them out"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("has a query or a fragment: leave it out"));
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        tracing::warn!(
            host = url.host_str(),
            "artifacts travel to the storage over plain http, for all to read"
        );
    }
    Ok(url)
}

fn client(base: &Url, pem: &[u8]) -> Result<reqwest::Client, OpenError> {
    let unusable = |error: reqwest::Error| OpenError::Client(error.without_url().into());
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        // What is tried again, and when, is decided above.
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_WITHIN)
        .pool_idle_timeout(IDLE_MAX)
        .tcp_nodelay(true)
        .tcp_keepalive(STALL_MAX);
    if base.scheme() == "http" {
        // The machine may have no certificates at all, and none are needed.
        builder = builder.tls_certs_only([]);
    } else if !pem.is_empty() {
        builder = builder.tls_certs_merge(Certificate::from_pem_bundle(pem).map_err(unusable)?);
    }
    if is_loopback(base) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(unusable)
}

/// Whether a URL leads to this machine, whatever a resolver says.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|address: IpAddr| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(options: &S3Options) -> String {
        options.place().unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_bucket_is_told_why() {
        assert!(refused(&S3Options::new("bucket/prefix")).contains("does not begin with s3://"));
        assert!(refused(&S3Options::new("s3://B")).contains("3 to 63"));
        assert!(refused(&S3Options::new("s3://bucket/a/../b")).contains("`..`"));
        let at = |endpoint: &str| S3Options::new("s3://bucket").endpoint(endpoint);
        assert!(refused(&at("storage")).contains("is malformed"));
        assert!(refused(&at("ftp://storage")).contains("must begin with"));
        let told = refused(&at("https://me:hush@storage"));
        assert!(told.contains("user or password") && !told.contains("hush"), "{told}");
    }

    #[test]
    fn a_bucket_stands_before_the_host_at_aws_and_in_the_path_elsewhere() {
        let base = |options: S3Options| options.place().unwrap().0.base_url().to_string();
        let aws = S3Options::new("s3://bucket").region("eu-central-1");
        assert_eq!(base(aws.clone()), "https://bucket.s3.eu-central-1.amazonaws.com/");
        assert_eq!(base(aws.path_style(true)), "https://s3.eu-central-1.amazonaws.com/bucket/");
        let own = S3Options::new("s3://bucket").endpoint("http://127.0.0.1:9000");
        assert_eq!(base(own), "http://127.0.0.1:9000/bucket/");
        let own = S3Options::new("s3://bucket").endpoint("https://storage.example").path_style(false);
        assert_eq!(base(own), "https://bucket.storage.example/");
    }
}
