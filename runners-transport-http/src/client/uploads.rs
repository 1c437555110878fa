//! Large artifacts, uploaded straight to where the control plane keeps them: under a grant of its own, and
//! taken over by it. Whoever cannot reach the storage sends the bytes through the control plane, as those
//! of servers that grant nothing always go: in pieces, if it takes them, so that what was cut goes on.

use crate::{
    client::{
        artifacts::{HttpArtifacts, unavailable},
        builder,
        exchange::Trouble,
    },
    wire::{JSON, PIECE, REPLY_BYTES_MAX, STALL_MAX, UPLOAD_LENGTH, UPLOAD_OFFSET, deadline::within},
};
use futures::{StreamExt as _, TryStreamExt as _, future, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use reqwest::{Body, RequestBuilder, Response, Url};
use runners_core::{
    ArtifactError, ArtifactGuard, ArtifactIntake, ArtifactKey, BootTime, ByteStream,
    protocol::{UploadGrant, UploadRequest},
};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// From how many bytes on an artifact is worth the two calls that an upload takes: 1 MiB.
const BYTES_MIN: u64 = 1 << 20;

/// How long nobody asks for a grant after one came to nothing.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(600);

/// What the clones of a client know of uploads.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    /// Before this, bytes go through the control plane.
    rests_until: Mutex<Option<BootTime>>,
    /// Before this they go there whole: it takes no pieces.
    whole_until: Mutex<Option<BootTime>>,
    /// That they do is said once.
    is_told: AtomicBool,
    /// Where the last grant led, and the connections there.
    storage: Mutex<Option<(String, reqwest::Client)>>,
}

/// Where an upload is to go.
pub(super) enum Begun {
    /// To where artifacts are kept.
    Straight(UploadGrant),
    /// To the control plane, from this byte on.
    Here(u64),
    /// To the control plane, as a whole.
    Whole,
}

/// What became of an upload.
enum Uploaded {
    Whole,
    /// Nothing of the bytes was taken: the storage was not reached.
    Untouched,
    Failed(Trouble),
}

impl HttpArtifacts {
    /// Uploads an artifact to where it is kept; or gives its bytes back, untouched, to be put.
    pub(super) async fn upload(
        &self,
        key: ArtifactKey,
        length: u64,
        intake: &ArtifactIntake,
        bytes: ByteStream,
    ) -> Result<Option<ByteStream>, ArtifactError> {
        let now = self.connection.clock.boot();
        if length < BYTES_MIN || is_before(&self.uploads.whole_until, now) {
            return Ok(Some(bytes));
        }
        let direct = !self.uploads.rests(now);
        let grant = match self.begin(key, length, direct).await? {
            Begun::Straight(grant) if direct => grant,
            Begun::Here(offset) => {
                if direct {
                    self.rest();
                }
                return self.go_on(key, length, offset, intake, bytes).await.map(|()| None);
            }
            Begun::Straight(_) | Begun::Whole => {
                rest(&self.uploads.whole_until, now);
                return Ok(Some(bytes));
            }
        };
        let Some(request) = self.request_to_storage(&grant, length) else {
            self.rest_and_tell("the control plane names a storage that this side does not go to");
            return Ok(Some(bytes));
        };
        let bytes = Lent(Arc::new(Mutex::new(bytes)));
        let (guard, body) = ArtifactGuard::over(intake.clone(), bytes.lend());
        let uploaded = self.carry(request.body(Body::wrap_stream(body)), &guard).await;
        if let Some(error) = guard.spoilt() {
            return Err(error);
        }
        match uploaded {
            Uploaded::Whole => self.have_taken(key, length, &grant).await.map(|()| None),
            Uploaded::Untouched => {
                self.rest_and_tell("the storage cannot be reached from here");
                Ok(Some(bytes.lend()))
            }
            Uploaded::Failed(trouble) => {
                self.rest_and_tell("the storage did not take an upload");
                Err(unavailable(trouble))
            }
        }
    }

    /// Asks where an upload is to go. A server that does not know of that gets the bytes whole.
    pub(super) async fn begin(
        &self,
        key: ArtifactKey,
        length: u64,
        direct: bool,
    ) -> Result<Begun, ArtifactError> {
        let (request, id) = self.request(Method::POST, &key, "/uploads");
        let request = about(request, UploadRequest { length, direct });
        let response = self.send(request, &id, &ArtifactGuard::default()).await?;
        let offset = response.headers().get(UPLOAD_OFFSET);
        let offset = offset.and_then(|offset| offset.to_str().ok()?.parse().ok());
        let is_short = response.content_length().is_some_and(|length| length <= REPLY_BYTES_MAX as u64);
        match (response.status(), offset) {
            (StatusCode::NO_CONTENT, Some(offset)) if offset <= length => Ok(Begun::Here(offset)),
            (StatusCode::OK, _) if is_short => {
                let read = within(&*self.connection.clock, STALL_MAX, response.bytes()).await;
                let grant = read.and_then(|read| serde_json::from_slice(&read.ok()?).ok());
                Ok(grant.map_or(Begun::Whole, Begun::Straight))
            }
            (StatusCode::INSUFFICIENT_STORAGE, _) => Err(self.refused(key, length, &id, response).await),
            _ => Ok(Begun::Whole),
        }
    }

    /// Sends the bytes from `offset` on. Those before are read here, to be sure of the whole.
    async fn go_on(
        &self,
        key: ArtifactKey,
        length: u64,
        offset: u64,
        intake: &ArtifactIntake,
        bytes: ByteStream,
    ) -> Result<(), ArtifactError> {
        let (guard, bytes) = ArtifactGuard::over(intake.clone(), bytes);
        let sent = self.send_piece(key, (offset, length), skip(bytes, offset), Some(length - offset), &guard);
        let sent = sent.await;
        // What was wrong with the bytes themselves says more than that the request was given up.
        if let Some(error) = guard.spoilt() {
            return Err(error);
        }
        match sent? {
            stands if stands == length => Ok(()),
            stands => Err(unavailable(format!("{stands} of {length} bytes arrived"))),
        }
    }

    /// Sends a piece, of `announced` bytes if that is known. How many bytes are there then.
    pub(super) async fn send_piece(
        &self,
        key: ArtifactKey,
        (offset, length): (u64, u64),
        bytes: ByteStream,
        announced: Option<u64>,
        guard: &ArtifactGuard,
    ) -> Result<u64, ArtifactError> {
        let (request, id) = self.request(Method::PATCH, &key, "");
        let mut request = request
            .header(header::CONTENT_TYPE, PIECE)
            .header(UPLOAD_OFFSET, offset)
            .header(UPLOAD_LENGTH, length)
            .body(Body::wrap_stream(bytes));
        if let Some(announced) = announced {
            request = request.header(header::CONTENT_LENGTH, announced);
        }
        let response = self.send(request, &id, guard).await?;
        let stands = response.headers().get(UPLOAD_OFFSET);
        let stands = stands.and_then(|stands| stands.to_str().ok()?.parse().ok());
        match (response.status(), stands) {
            (StatusCode::NO_CONTENT, Some(stands)) => Ok(stands),
            (StatusCode::CONFLICT, Some(stands)) => Err(ArtifactError::Offset { stands }),
            _ => Err(self.refused(key, length, &id, response).await),
        }
    }

    /// Has the control plane take over what was uploaded.
    async fn have_taken(
        &self,
        key: ArtifactKey,
        length: u64,
        grant: &UploadGrant,
    ) -> Result<(), ArtifactError> {
        let (request, id) = self.request(Method::POST, &key, &format!("/uploads/{}", grant.upload));
        let request = about(request, UploadRequest { length, direct: true });
        let response = self.send(request, &id, &ArtifactGuard::default()).await?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(());
        }
        match self.refused(key, length, &id, response).await {
            // The right bytes went out, and others arrived, or none: the next try takes the other way.
            error @ (ArtifactError::Mismatch(_) | ArtifactError::Missing(_)) => {
                self.rest_and_tell("what was uploaded to the storage did not arrive as it was sent");
                Err(unavailable(error))
            }
            error => Err(error),
        }
    }

    /// A request to where a grant leads, if that is somewhere to go.
    fn request_to_storage(&self, grant: &UploadGrant, length: u64) -> Option<RequestBuilder> {
        let url = Url::parse(&grant.url).ok().filter(|url| self.goes_to(url))?;
        let mut headers = HeaderMap::new();
        for (name, value) in grant.headers.iter().take(UploadGrant::HEADERS_MAX) {
            headers.insert(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
        }
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        Some(self.client_of(&url)?.put(url).headers(headers))
    }

    /// Bytes go nowhere less safe than the control plane is: not in the clear if it is spoken to over
    /// TLS, and not to this machine if it is another one.
    fn goes_to(&self, url: &Url) -> bool {
        let base = &self.connection.base;
        let is_as_safe = url.scheme() == "https" || (url.scheme() == "http" && base.scheme() == "http");
        is_as_safe && (builder::is_loopback(base) || !builder::is_loopback(url))
    }

    /// Reads from where an artifact is kept; nothing if it is not to be had there.
    pub(super) async fn read_there(&self, url: &str, range: Option<&str>) -> Option<Response> {
        let reading = async {
            let url = Url::parse(url).ok().filter(|url| self.goes_to(url))?;
            let mut request = self.client_of(&url)?.get(url);
            if let Some(range) = range {
                request = request.header(header::RANGE, range);
            }
            let response = within(&*self.connection.clock, STALL_MAX, request.send()).await?.ok()?;
            let wanted = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
            let is_beyond = range.is_some() && response.status() == StatusCode::RANGE_NOT_SATISFIABLE;
            (response.status() == wanted || is_beyond).then_some(response)
        };
        let read = reading.await;
        if read.is_none() {
            self.rest_and_tell("the storage cannot be read from here");
        }
        read
    }

    fn client_of(&self, url: &Url) -> Option<reqwest::Client> {
        // A client that the host has made has its proxies and certificates.
        let Some(pem) = &self.connection.certificates else { return Some(self.connection.client.clone()) };
        let origin = url.origin().ascii_serialization();
        let mut storage = self.uploads.storage.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = storage.as_ref().filter(|(at, _)| *at == origin) {
            return Some(client.clone());
        }
        let client = builder::own_client(url, builder::certificates(pem).ok()?).build().ok()?;
        *storage = Some((origin, client.clone()));
        Some(client)
    }

    async fn carry(&self, request: RequestBuilder, guard: &ArtifactGuard) -> Uploaded {
        let id = String::from("to the storage");
        let mut sending = Box::pin(request.send());
        loop {
            let before = guard.pieces();
            match within(&*self.connection.clock, STALL_MAX, sending.as_mut()).await {
                Some(Ok(response)) if response.status().is_success() => return Uploaded::Whole,
                Some(Ok(response)) => {
                    return Uploaded::Failed(Trouble::Refused { id, status: response.status() });
                }
                Some(Err(source)) if source.is_connect() => return Uploaded::Untouched,
                Some(Err(source)) => {
                    // The URL has a signature.
                    return Uploaded::Failed(Trouble::Broken { id, source: source.without_url() });
                }
                None if guard.pieces() == before => {
                    return Uploaded::Failed(Trouble::Late { id, within: STALL_MAX });
                }
                None => {}
            }
        }
    }

    fn rest(&self) {
        rest(&self.uploads.rests_until, self.connection.clock.boot());
    }

    fn rest_and_tell(&self, why: &str) {
        self.rest();
        if !self.uploads.is_told.swap(true, Ordering::Relaxed) {
            tracing::warn!(why, "artifacts go through the control plane");
        }
    }
}

impl Uploads {
    /// Whether nobody goes to where artifacts are kept for now.
    pub(super) fn rests(&self, now: BootTime) -> bool {
        is_before(&self.rests_until, now)
    }
}

fn rest(what: &Mutex<Option<BootTime>>, now: BootTime) {
    *what.lock().unwrap_or_else(PoisonError::into_inner) = Some(now + ASK_AGAIN_AFTER);
}

fn is_before(what: &Mutex<Option<BootTime>>, now: BootTime) -> bool {
    what.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| now < until)
}

/// Bytes without the first of them.
fn skip(bytes: ByteStream, first: u64) -> ByteStream {
    let mut left = first;
    bytes
        .try_filter_map(move |mut piece| {
            let before = usize::try_from(left).map_or(piece.len(), |left| left.min(piece.len()));
            left -= before as u64;
            let rest = piece.split_off(before);
            future::ready(Ok((!rest.is_empty()).then_some(rest)))
        })
        .boxed()
}

/// Bytes that are lent, to one after the other, and not lost with whoever took none of them.
struct Lent(Arc<Mutex<ByteStream>>);

impl Lent {
    fn lend(&self) -> ByteStream {
        let bytes = self.0.clone();
        stream::poll_fn(move |context| {
            bytes.lock().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(context)
        })
        .boxed()
    }
}

fn about(request: RequestBuilder, asked: UploadRequest) -> RequestBuilder {
    let body = serde_json::to_vec(&asked).expect("invariant: it is plain data");
    request.header(header::CONTENT_TYPE, JSON).body(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::HttpTransport;
    use runners_core::{Token, TokenKind};

    #[test]
    fn bytes_go_nowhere_less_safe_than_the_control_plane_is() {
        let goes = |base: &str, to: &str| {
            let transport = HttpTransport::builder(base).token(Token::new(TokenKind::Runner, [7; 32]));
            let transport = transport.insecure_http(true).build().unwrap();
            HttpArtifacts::new(&transport).goes_to(&Url::parse(to).unwrap())
        };
        assert!(goes("https://runners.example", "https://storage.example/a"));
        assert!(!goes("https://runners.example", "http://storage.example/a"), "in the clear");
        assert!(goes("http://10.0.0.7", "http://10.0.0.8/a"));
        assert!(!goes("http://10.0.0.7", "http://127.0.0.1:9000/a"), "what listens here is not meant");
        assert!(goes("http://127.0.0.1:7878", "http://127.0.0.1:9000/a"));
        assert!(!goes("http://127.0.0.1:7878", "ftp://127.0.0.1/a"));
    }
}
