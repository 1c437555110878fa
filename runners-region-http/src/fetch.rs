//! What checks of a region left is fetched and kept here: only from where the operator allows calls, within
//! bounds of number, bytes and time. Trouble with it changes no result: what is missing is told.

use crate::{
    exchange,
    left::{self, Fate, Left, Source},
    permitted::refusal,
    region::Inner,
};
use bytes::Bytes;
use futures::{
    StreamExt as _,
    future::{Either, select},
    stream,
};
use http::{StatusCode, header};
use reqwest::{Response, Url};
use runners_core::{
    ArtifactKey, ArtifactStore, Digest, TenantId,
    orchestration::{RegionCall, RegionError},
    sleep,
};
use serde_json::Value;
use std::{
    error::Error,
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// How many artifacts of a region are fetched at once, over all its calls: what bounds the memory.
pub(crate) const SIDE_BY_SIDE: usize = 4;
/// The largest artifact that is fetched: 64 MiB.
const BYTES_MAX: usize = 64 << 20;
/// What the artifacts of one call may have together: 256 MiB.
const OF_CALL_BYTES_MAX: usize = 256 << 20;
/// How long fetching what one call left may take.
const WITHIN: Duration = Duration::from_secs(120);
/// How many redirects of one artifact are followed.
const REDIRECTS_MAX: usize = 5;

/// What was fetched, with the media type that came with it.
type Fetched = (Bytes, Option<String>);

impl Inner {
    /// Fetches what the results name, and has them name what is kept here instead, and what is missing.
    pub(crate) async fn fetch_left(&self, call: &RegionCall, results: &mut [Value]) {
        let all = left::take(results, &self.execute);
        let mut fates: Vec<Option<Fate>> = all.iter().map(|_| None).collect();
        let why = match call.artifacts() {
            None => "it stays where the region is: nothing is kept here".to_owned(),
            Some((tenant, store)) => {
                let (all, shelf) =
                    (&all, &Shelf { tenant, store, room: AtomicUsize::new(OF_CALL_BYTES_MAX) });
                let each = stream::iter(0..all.len());
                let each = each.map(|at| async move { (at, self.keep(&all[at], shelf).await) });
                let mut fetched = each.buffer_unordered(SIDE_BY_SIDE);
                let (cancelled, late) = (pin!(call.cancelled()), pin!(sleep(&*self.clock, WITHIN)));
                let mut stop = select(cancelled, late);
                loop {
                    match select(fetched.next(), &mut stop).await {
                        Either::Left((Some((at, fate)), _)) => fates[at] = Some(fate),
                        Either::Left((None, _)) => break String::new(),
                        Either::Right((Either::Left(_), _)) => break "the call was cancelled".to_owned(),
                        Either::Right((Either::Right(_), _)) => {
                            break format!("it was not fetched within {} s", WITHIN.as_secs());
                        }
                    }
                }
            }
        };
        let fates = all.into_iter().zip(fates).map(|(left, fate)| {
            let fate = fate.unwrap_or_else(|| match left.bytes {
                Source::Nowhere(why) => Err(why),
                _ => Err(why.clone()),
            });
            (left.result, left.name, fate)
        });
        left::give(results, fates);
    }

    /// Fetches one, and keeps it.
    async fn keep(&self, left: &Left, shelf: &Shelf<'_>) -> Fate {
        match &left.bytes {
            Source::Nowhere(why) => Err(why.clone()),
            Source::Here(bytes) => shelf.put(left, (bytes.clone(), None)).await,
            Source::At(url) => {
                let _place = self.fetches.acquire().await.expect("invariant: nobody closes it");
                let room = shelf.room.load(Ordering::Relaxed);
                let fetched = self.fetch(url.clone(), BYTES_MAX.min(room)).await?;
                shelf.put(left, fetched).await
            }
        }
    }

    /// Fetches bytes, of at most so many.
    async fn fetch(&self, url: Url, bytes_max: usize) -> Result<Fetched, String> {
        let response = self.follow(url).await?;
        let code = response.status();
        if code != StatusCode::OK {
            return Err(format!("it cannot be fetched: the answer is {code}"));
        }
        let told = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let told = told.map(str::to_owned);
        match exchange::read_body(response, bytes_max).await {
            Ok(bytes) => Ok((bytes, told)),
            Err(RegionError::Broken { .. }) => Err(over("it", bytes_max)),
            Err(RegionError::Unreachable { problem, .. }) => Err(format!("it cannot be fetched: {problem}")),
            Err(error) => Err(format!("it cannot be fetched: {error}")),
        }
    }

    /// Gets what is at a URL, or where that leads. Every step has to be allowed, and what the region is
    /// called with goes to its own origin alone, and no more once a redirect has left that.
    async fn follow(&self, mut url: Url) -> Result<Response, String> {
        let forbidden = |error: &dyn Error| format!("it may not be fetched: {error}");
        let mut is_own = true;
        for _ in 0..=REDIRECTS_MAX {
            is_own &= url.origin() == self.execute.origin();
            self.egress.check(url.as_str()).map_err(|error| forbidden(&error))?;
            let request = self.client.get(if is_own { self.as_called(&url) } else { url.clone() });
            let request = if is_own { request.headers(self.headers.clone()) } else { request };
            let response = request.send().await.map_err(|error| match refusal(&error) {
                Some(refused) => forbidden(&refused),
                None => format!("it cannot be fetched: {}", exchange::innermost(&error.without_url())),
            })?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let to = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
            let to = to.and_then(|to| url.join(to).ok());
            url = to.ok_or_else(|| format!("it cannot be fetched: {} leads nowhere", response.status()))?;
        }
        Err(format!("it cannot be fetched: it is redirected more than {REDIRECTS_MAX} times"))
    }

    /// With the query and the user of the region's URL, where one of its origin says none: they may be how
    /// it tells callers.
    fn as_called(&self, url: &Url) -> Url {
        let mut called = url.clone();
        if called.query().is_none() {
            called.set_query(self.execute.query());
        }
        if called.username().is_empty() && called.password().is_none() {
            // Only what has no host refuses them.
            let _ = called.set_username(self.execute.username());
            let _ = called.set_password(self.execute.password());
        }
        called
    }
}

/// Where what one call left is kept.
struct Shelf<'a> {
    tenant: TenantId,
    store: &'a dyn ArtifactStore,
    /// How many bytes there is still room for.
    room: AtomicUsize,
}

impl Shelf<'_> {
    async fn put(&self, left: &Left, (bytes, told): Fetched) -> Fate {
        let length = bytes.len();
        let taken =
            self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| room.checked_sub(length));
        taken.map_err(|_| over("what one call left", OF_CALL_BYTES_MAX))?;
        let digest = Digest::of(&bytes);
        let kept = left.kept(digest, length, told.as_deref())?;
        let whole = stream::iter([Ok(bytes)]).boxed();
        let put = self.store.put(ArtifactKey { tenant: self.tenant, digest }, length as u64, whole).await;
        put.map(|()| kept).map_err(|error| format!("it cannot be kept: {error}"))
    }
}

fn over(what: &str, limit: usize) -> String {
    format!("{what} is over the limit of {limit} bytes")
}
