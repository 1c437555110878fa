//! Calls that make something, and may come again: who calls, what is asked for, and under which
//! key.

use super::{Face, caller::Caller};
use crate::wire::{
    json::{self, Asked},
    problem::{Code, Problem},
};
use axum::extract::{FromRequest, FromRequestParts as _, Request};
use http::{HeaderMap, HeaderName};
use runners_core::{Digest, IdempotencyKey, TenantId, Timestamp};

/// The header that names a request, so that a repeat of it makes nothing.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A call that makes something.
#[derive(Debug)]
pub(crate) struct Write<T> {
    /// Who calls, for this one request if it has a key.
    pub(crate) caller: Caller,
    pub(crate) asked: T,
    ids: Ids,
}

/// Where the ids of new things come from that were not chosen by the client.
#[derive(Debug)]
pub(crate) struct Ids {
    face: Face,
    tenant: TenantId,
    key: Option<IdempotencyKey>,
    drawn: u32,
}

impl<T> Write<T> {
    pub(crate) fn into_parts(self) -> (Caller, T, Ids) {
        (self.caller, self.asked, self.ids)
    }
}

impl Ids {
    /// An id that nothing has yet. Under a key it is the same in every repeat, and another in every tenant: a runner
    /// that works for two takes no job while it holds one of the same id. `known` makes it of bytes, `new` of the
    /// time and chance.
    pub(crate) fn draw<I>(
        &mut self,
        known: impl FnOnce([u8; 16]) -> I,
        new: impl FnOnce(Timestamp, [u8; 10]) -> I,
    ) -> I {
        let Some(key) = &self.key else { return self.face.draw(new) };
        let name = format!("{} {} {}", self.tenant, self.drawn, key.as_str());
        self.drawn += 1;
        let digest = *Digest::of(name.as_bytes()).as_bytes();
        let (id, _) = digest.split_first_chunk().expect("invariant: a digest has 32 bytes");
        known(*id)
    }
}

impl<T: Asked> FromRequest<Face> for Write<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, face: &Face) -> Result<Self, Problem> {
        let (mut head, body) = request.into_parts();
        let mut caller = Caller::from_request_parts(&mut head, face).await?;
        let key = key(&head.headers)?;
        let (bytes, asked) = json::read(&head.headers, body, face).await?;
        if let Some(key) = &key {
            let uri = head.uri.path_and_query().map_or("", |uri| uri.as_str());
            let request = [head.method.as_str().as_bytes(), b" ", uri.as_bytes(), b"\n", &bytes].concat();
            caller.management = caller.management.repeatable(key, Digest::of(&request));
        }
        let tenant = caller.management.tenant();
        Ok(Self { caller, asked, ids: Ids { face: face.clone(), tenant, key, drawn: 0 } })
    }
}

/// The key of a request, if it has one.
fn key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let malformed = |detail: String| Problem::new(Code::Invalid, detail).at("Idempotency-Key");
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let text = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().unwrap_or_default(),
        _ => return Err(malformed("Idempotency-Key: send it once".into())),
    };
    let limit = IdempotencyKey::BYTES_MAX as u64;
    let problem = |error| malformed(format!("Idempotency-Key: {error}")).limit(limit);
    text.parse().map(Some).map_err(problem)
}
