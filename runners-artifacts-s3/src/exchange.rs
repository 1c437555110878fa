//! One request to the storage, and what came back: signed at each try, bounded, and tried again where
//! trouble may pass by itself.

use crate::{
    act::Act,
    credentials::S3Credentials,
    error::{Trouble, What},
};
use futures::{
    StreamExt as _,
    future::{Either, select},
    stream,
};
use http::{StatusCode, header};
use jiff::Timestamp;
use reqwest::{Body, RequestBuilder, Response};
use runners_core::{ArtifactGuard, ByteStream, Clock, sleep};
use rusty_s3::Bucket;
use std::{
    error::Error,
    pin::pin,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

/// How long a signature of ours is good. It is looked at when a request begins.
const SIGNED_FOR: Duration = Duration::from_secs(300);

/// The longest that a request may take that has nothing to send, a copy aside.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The longest that a copy may take, which the storage makes by itself.
const COPY_WITHIN: Duration = Duration::from_secs(60);

/// The longest that the next piece of a body is waited for.
pub(crate) const STALL_MAX: Duration = Duration::from_secs(30);

/// How often something is asked.
const TRIES_MAX: u32 = 4;

/// The wait before the second try; it doubles with each one after.
const BACKOFF: Duration = Duration::from_millis(200);

/// The longest wait that a storage may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(20);

/// How much of an answer is read whole: a thousand names take a third of it.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// How far away the storage's time may be before trouble with a signature is put down to it.
const SKEW_MAX: Duration = Duration::from_secs(60);

/// A bucket, and how it is spoken to.
#[derive(Debug)]
pub(crate) struct Storage {
    pub(crate) bucket: Bucket,
    pub(crate) credentials: S3Credentials,
    pub(crate) client: reqwest::Client,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Storage {
    /// Asks something, and waits for the head of a good answer. What may pass is tried again.
    pub(crate) async fn ask(&self, act: &Act<'_>) -> Result<Response, Trouble> {
        let mut backoff = BACKOFF;
        for _ in 1..TRIES_MAX {
            let trouble = match self.ask_once(act, self.now(), SIGNED_FOR).await {
                Err(trouble) => trouble,
                answered => return answered,
            };
            let Some(wait) = trouble.wait(backoff) else { return Err(trouble) };
            tracing::debug!(error = &trouble as &dyn Error, "the storage is asked again");
            sleep(&*self.clock, wait).await;
            backoff *= 2;
        }
        self.ask_once(act, self.now(), SIGNED_FOR).await
    }

    /// The same once, by a signature that is good for `span` from `at`.
    pub(crate) async fn ask_once(
        &self,
        act: &Act<'_>,
        at: Timestamp,
        span: Duration,
    ) -> Result<Response, Trouble> {
        let request = self.request(act, at, span, act.empty_body().map(Body::from)).await?;
        let patience = if matches!(act, Act::Copy { .. }) { COPY_WITHIN } else { ANSWER_WITHIN };
        let response = self.within(patience, request.send()).await?.map_err(Trouble::broken)?;
        self.good(response).await
    }

    /// Asks something whose answer is a text.
    pub(crate) async fn ask_for_text(&self, act: &Act<'_>) -> Result<String, Trouble> {
        let response = self.ask(act).await?;
        self.text(response).await
    }

    /// Sends bytes, which `guard` watches, for as long as something moves.
    pub(crate) async fn send(&self, act: &Act<'_>, body: Body, guard: &ArtifactGuard) -> Result<(), Trouble> {
        let request = self.request(act, self.now(), SIGNED_FOR, Some(body)).await?;
        let mut sending = pin!(request.send());
        loop {
            let before = guard.pieces();
            match self.within(STALL_MAX, sending.as_mut()).await {
                Ok(sent) => return self.good(sent.map_err(Trouble::broken)?).await.map(drop),
                Err(late) if guard.pieces() == before => return Err(late),
                Err(_) => {}
            }
        }
    }

    /// The body of an answer as it comes.
    pub(crate) fn pieces(self: &Arc<Self>, response: Response) -> ByteStream {
        stream::unfold(Some((self.clone(), response)), |state| async move {
            let (storage, mut response) = state?;
            match storage.within(STALL_MAX, response.chunk()).await {
                Ok(Ok(Some(piece))) => Some((Ok(piece), Some((storage, response)))),
                Ok(Ok(None)) => None,
                Ok(Err(source)) => Some((Err(Trouble::broken(source).into()), None)),
                Err(late) => Some((Err(late.into()), None)),
            }
        })
        .boxed()
    }

    pub(crate) fn now(&self) -> Timestamp {
        let millis = i64::try_from(self.clock.wall().as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
    }

    async fn request(
        &self,
        act: &Act<'_>,
        at: Timestamp,
        span: Duration,
        body: Option<Body>,
    ) -> Result<RequestBuilder, Trouble> {
        let credentials = self.credentials.current(&*self.clock).await?;
        let signed = act.sign(&self.bucket, &credentials, at, span);
        let request = self.client.request(signed.method, signed.url).headers(signed.headers);
        Ok(match body {
            Some(body) => request.body(body),
            None => request,
        })
    }

    async fn within<T>(&self, span: Duration, work: impl Future<Output = T>) -> Result<T, Trouble> {
        match select(pin!(work), pin!(sleep(&*self.clock, span))).await {
            Either::Left((done, _)) => Ok(done),
            Either::Right(((), _)) => Err(Trouble::new(What::Late)),
        }
    }

    async fn good(&self, response: Response) -> Result<Response, Trouble> {
        let number = response.status();
        if number.is_success() {
            return Ok(response);
        }
        let (retry_after, is_skewed) = (retry_after(&response), self.is_skewed(&response));
        // Without a body there is less to be told.
        let body = self.text(response).await.unwrap_or_default();
        Err(Trouble::answered(number, &body, retry_after, is_skewed))
    }

    /// Reads a text whole.
    async fn text(&self, mut response: Response) -> Result<String, Trouble> {
        let number = response.status();
        let read = async {
            let mut whole = Vec::new();
            while let Some(piece) = response.chunk().await.map_err(Trouble::broken)? {
                if whole.len() + piece.len() > ANSWER_BYTES_MAX {
                    return Err(Trouble::new(What::Strange).because("the answer is longer than 1 MiB"));
                }
                whole.extend_from_slice(&piece);
            }
            String::from_utf8(whole).map_err(|error| Trouble::new(What::Strange).because(error))
        };
        let text = self.within(ANSWER_WITHIN, read).await??;
        // What takes long may be answered before it has failed.
        if number == StatusCode::OK && text.contains("<Error>") {
            return Err(Trouble::answered(StatusCode::INTERNAL_SERVER_ERROR, &text, None, false));
        }
        Ok(text)
    }

    /// Whether the storage has another time.
    fn is_skewed(&self, response: &Response) -> bool {
        let date = response.headers().get(header::DATE).and_then(|value| value.to_str().ok());
        let Some(theirs) = date.and_then(|date| httpdate::parse_http_date(date).ok()) else { return false };
        let ours = UNIX_EPOCH + Duration::from_millis(self.clock.wall().as_millis());
        let apart = ours.duration_since(theirs).or_else(|_| theirs.duration_since(ours));
        apart.is_ok_and(|apart| apart > SKEW_MAX)
    }
}

/// How long to wait, in seconds; a date is not understood.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}
