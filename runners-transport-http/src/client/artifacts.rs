//! Artifacts at a control plane: streamed both ways, and checked at this end too.

use crate::{
    client::{
        Connection, HttpTransport,
        exchange::{Trouble, broken, problem},
        uploads::{Begun, Uploads},
    },
    wire::{
        ARTIFACT_BYTES_MAX, DIRECT, OCTETS, PROTOCOL, STALL_MAX, TENANT, deadline::within, problem::Problem,
    },
};
use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use http::{Method, StatusCode, header};
use reqwest::{RequestBuilder, Response};
use runners_core::{
    ArtifactError, ArtifactGuard, ArtifactIntake, ArtifactKey, ArtifactSource, ArtifactStore, ByteStream,
    TenantId,
};
use std::{
    fmt,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// The artifacts of whom a token speaks for, at the control plane's server.
///
/// Nothing over the server's limit is sent: the limit is told here, or learnt from the server
/// before the first byte.
///
/// What is large is uploaded straight to where the control plane keeps it, if it grants that. From where
/// the storage cannot be reached it goes through the control plane, and that is said once.
#[derive(Clone)]
pub struct HttpArtifacts {
    pub(super) connection: Arc<Connection>,
    tenant: Option<TenantId>,
    /// What the server takes at most; [`u64::MAX`] until it is known.
    bytes_max: Arc<AtomicU64>,
    pub(super) uploads: Arc<Uploads>,
}

impl HttpArtifacts {
    /// Takes the server, the connections and the token of `transport`.
    #[must_use]
    pub fn new(transport: &HttpTransport) -> Self {
        let bytes_max = Arc::new(AtomicU64::new(u64::MAX));
        Self { connection: transport.0.clone(), tenant: None, bytes_max, uploads: Arc::default() }
    }

    /// Answers for this tenant only. Without it, the token says whose artifacts they are, or the operator
    /// with the [tenant of the transport](crate::HttpTransportBuilder::tenant), whatever tenant is in a key;
    /// only a runner of the operator also reaches those of tenants whose jobs it hosts, while it does.
    #[must_use]
    pub const fn tenant(mut self, tenant: TenantId) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// The largest number of bytes in one artifact, if it is known before the server tells.
    #[must_use]
    pub fn bytes_max(self, bytes_max: u64) -> Self {
        self.bytes_max.store(bytes_max, Ordering::Relaxed);
        self
    }

    fn reaches(&self, key: &ArtifactKey) -> bool {
        self.tenant.is_none_or(|tenant| tenant == key.tenant)
    }

    /// A request about an artifact, or about what stands below it.
    pub(super) fn request(&self, method: Method, key: &ArtifactKey, below: &str) -> (RequestBuilder, String) {
        let (request, id) = self.connection.request(method, &format!("artifacts/{}{below}", key.digest));
        // Only runners have keys of several tenants. What else is said of one, the transport says.
        if self.connection.tenant.is_some() || self.connection.speaks_for_a_client() {
            return (request, id);
        }
        (request.header(TENANT, key.tenant.to_string()), id)
    }

    /// Sends a request that has no body, or one that `guard` watches, and waits for the head
    /// of its answer for as long as something moves.
    pub(super) async fn send(
        &self,
        request: RequestBuilder,
        id: &str,
        guard: &ArtifactGuard,
    ) -> Result<Response, ArtifactError> {
        let mut sending = Box::pin(request.send());
        loop {
            let before = guard.pieces();
            if let Some(sent) = within(&*self.connection.clock, STALL_MAX, sending.as_mut()).await {
                let response = sent.map_err(|source| unavailable(broken(id, source).error))?;
                self.learn(&response);
                return Ok(response);
            }
            if guard.pieces() == before {
                return Err(unavailable(Trouble::Late { id: id.into(), within: STALL_MAX }));
            }
        }
    }

    fn learn(&self, response: &Response) {
        let told =
            response.headers().get(ARTIFACT_BYTES_MAX).and_then(|value| value.to_str().ok()?.parse().ok());
        if let Some(bytes_max) = told {
            self.bytes_max.store(bytes_max, Ordering::Relaxed);
        }
    }
}

#[async_trait]
impl ArtifactStore for HttpArtifacts {
    async fn put(&self, key: ArtifactKey, length: u64, bytes: ByteStream) -> Result<(), ArtifactError> {
        if !self.reaches(&key) {
            return Err(unavailable("the token speaks for another tenant"));
        }
        // The limit is told with any answer. What is there already is put all the same: who collects
        // what nothing names learns by it that somebody is about to name this.
        if self.bytes_max.load(Ordering::Relaxed) == u64::MAX {
            self.head(key).await?;
        }
        let intake = ArtifactIntake::new(key, length, self.bytes_max.load(Ordering::Relaxed))?;
        let Some(bytes) = self.upload(key, length, &intake, bytes).await? else { return Ok(()) };
        let (guard, bytes) = ArtifactGuard::over(intake, bytes);
        let body = reqwest::Body::wrap_stream(bytes);
        let (request, id) = self.request(Method::PUT, &key, "");
        let request =
            request.header(header::CONTENT_LENGTH, length).header(header::CONTENT_TYPE, OCTETS).body(body);
        let sent = self.send(request, &id, &guard).await;
        // What was wrong with the bytes themselves says more than that the request was given up.
        if let Some(error) = guard.spoilt() {
            return Err(error);
        }
        let response = sent?;
        match response.status() {
            StatusCode::NO_CONTENT if is_ours(&response) => Ok(()),
            _ => Err(self.refused(key, length, &id, response).await),
        }
    }

    async fn get(&self, key: ArtifactKey, range: Option<Range<u64>>) -> Result<ByteStream, ArtifactError> {
        if !self.reaches(&key) {
            return Err(ArtifactError::Missing(key.digest));
        }
        if range.as_ref().is_some_and(Range::is_empty) {
            // HTTP has no empty ranges.
            self.head(key).await?.ok_or(ArtifactError::Missing(key.digest))?;
            return Ok(stream::empty().boxed());
        }
        let (response, id) = self.read(key, range.as_ref()).await?;
        let wanted = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        match response.status() {
            status if status == wanted => {}
            StatusCode::RANGE_NOT_SATISFIABLE => return Ok(stream::empty().boxed()),
            _ => return Err(self.refused(key, 0, &id, response).await),
        }
        let length = response.content_length();
        let pieces = received(self.connection.clone(), id, response);
        match (range, length) {
            (None, Some(length)) => {
                let intake = ArtifactIntake::new(key, length, u64::MAX)?;
                Ok(ArtifactGuard::over(intake, pieces).1)
            }
            _ => Ok(pieces),
        }
    }

    async fn head(&self, key: ArtifactKey) -> Result<Option<u64>, ArtifactError> {
        if !self.reaches(&key) {
            return Ok(None);
        }
        let (request, id) = self.request(Method::HEAD, &key, "");
        let response = self.send(request, &id, &ArtifactGuard::default()).await?;
        let length = response.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
        match (response.status(), is_ours(&response)) {
            (StatusCode::OK, true) if length.is_some() => Ok(length),
            (StatusCode::NOT_FOUND, true) => Ok(None),
            (status, true) => Err(unavailable(Trouble::Refused { id, status })),
            (status, false) => Err(unavailable(Trouble::Foreign { id, status })),
        }
    }

    async fn delete(&self, key: ArtifactKey) -> Result<(), ArtifactError> {
        if !self.reaches(&key) {
            return Ok(());
        }
        let (request, id) = self.request(Method::DELETE, &key, "");
        let response = self.send(request, &id, &ArtifactGuard::default()).await?;
        match response.status() {
            StatusCode::NO_CONTENT if is_ours(&response) => Ok(()),
            _ => Err(self.refused(key, 0, &id, response).await),
        }
    }

    async fn upload_offset(&self, key: ArtifactKey, length: u64) -> Result<Option<u64>, ArtifactError> {
        if !self.reaches(&key) {
            return Ok(None);
        }
        match self.begin(key, length, false).await? {
            Begun::Here(offset) => Ok(Some(offset)),
            Begun::Straight(_) | Begun::Whole => Ok(None),
        }
    }

    async fn append(
        &self,
        key: ArtifactKey,
        length: u64,
        offset: u64,
        bytes: ByteStream,
    ) -> Result<u64, ArtifactError> {
        if !self.reaches(&key) {
            return Err(unavailable("the token speaks for another tenant"));
        }
        self.send_piece(key, (offset, length), bytes, None, &ArtifactGuard::default()).await
    }
}

impl HttpArtifacts {
    /// Has an artifact read here, or where it is kept if that is told and can be reached.
    async fn read(
        &self,
        key: ArtifactKey,
        range: Option<&Range<u64>>,
    ) -> Result<(Response, String), ArtifactError> {
        let part = range.map(|range| format!("bytes={}-{}", range.start, range.end - 1));
        let now = self.connection.clock.boot();
        for direct in [!self.uploads.rests(now), false] {
            let (mut request, id) = self.request(Method::GET, &key, "");
            if let Some(part) = &part {
                request = request.header(header::RANGE, part);
            }
            if direct {
                request = request.header(DIRECT, "yes");
            }
            let response = self.send(request, &id, &ArtifactGuard::default()).await?;
            let leads = response.headers().get(header::LOCATION).and_then(|url| url.to_str().ok());
            match (response.status(), leads) {
                (StatusCode::TEMPORARY_REDIRECT, Some(url)) if direct => {
                    if let Some(response) = self.read_there(url, part.as_deref()).await {
                        return Ok((response, id));
                    }
                }
                _ if is_ours(&response) => return Ok((response, id)),
                _ => return Err(self.refused(key, 0, &id, response).await),
            }
        }
        Err(unavailable("the control plane leads elsewhere although it was not asked to"))
    }

    /// What an answer that is not the wanted one means.
    pub(super) async fn refused(
        &self,
        key: ArtifactKey,
        length: u64,
        id: &str,
        response: Response,
    ) -> ArtifactError {
        let status = response.status();
        let read = within(&*self.connection.clock, STALL_MAX, problem(id, response)).await;
        let Some(Ok(Some(Problem { code, detail, limit, used, .. }))) = read else {
            return unavailable(Trouble::Foreign { id: id.into(), status });
        };
        match (&*code, limit) {
            ("over_quota", Some(limit)) => {
                ArtifactError::OverQuota { length, used: used.unwrap_or(limit), limit }
            }
            ("not_found", _) => ArtifactError::Missing(key.digest),
            ("mismatch", _) => ArtifactError::Mismatch(key.digest),
            ("too_large", Some(limit)) => ArtifactError::TooLarge { length, limit },
            ("full", _) => ArtifactError::Full(detail.into()),
            _ => unavailable(detail),
        }
    }
}

impl fmt::Debug for HttpArtifacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.connection.url("artifacts/");
        f.debug_struct("HttpArtifacts").field("url", &url.as_str()).finish_non_exhaustive()
    }
}

/// The body of an answer, piece by piece.
fn received(connection: Arc<Connection>, id: String, response: Response) -> ByteStream {
    stream::unfold(Some((connection, id, response)), |state| async move {
        let (connection, id, mut response) = state?;
        match within(&*connection.clock, STALL_MAX, response.chunk()).await {
            Some(Ok(Some(piece))) => Some((Ok(piece), Some((connection, id, response)))),
            Some(Ok(None)) => None,
            Some(Err(source)) => Some((Err(broken(&id, source).error.into()), None)),
            None => Some((Err(Trouble::Late { id, within: STALL_MAX }.into()), None)),
        }
    })
    .boxed()
}

fn is_ours(response: &Response) -> bool {
    response.headers().contains_key(PROTOCOL)
}

pub(super) fn unavailable(source: impl Into<ArtifactSource>) -> ArtifactError {
    ArtifactError::Unavailable(source.into())
}
