//! What the checks of an endpoint left, for those whose calls they were: an answer says where each is, and
//! its bytes are read there for a while. What calls left is remembered in memory, within bounds.

use super::{Face, Whose};
use crate::{
    contract::error::Refusal,
    wire::bytes::{self, Plan},
};
use axum::{
    Extension,
    extract::{Path, State},
    response::Response,
};
use http::HeaderMap;
use runners_core::{
    ArtifactError, ArtifactKey, ArtifactStore, BootTime, Digest, TenantId, orchestration::RegionResult,
};
use serde_json::{Value, json};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How many artifacts are remembered.
const LEFT_MAX: usize = 65_536;
/// How long one is remembered: longer than the answer of a call, which may be told again.
const KEPT_FOR: Duration = Duration::from_secs(2 * 3600);

/// Where artifacts are, and which of them calls left lately.
pub(super) struct Shelf {
    tenant: TenantId,
    store: Arc<dyn ArtifactStore>,
    lately: Mutex<Lately>,
}

/// The oldest goes first where there is no room.
#[derive(Default)]
struct Lately {
    at: HashMap<ArtifactKey, BootTime>,
    order: VecDeque<(ArtifactKey, BootTime)>,
}

impl Shelf {
    /// Of `tenant` is what those left of whom nobody says who they are.
    pub(super) fn new(tenant: TenantId, store: impl ArtifactStore) -> Self {
        Self { tenant, store: Arc::new(store), lately: Mutex::default() }
    }

    /// A result as it is answered: each artifact says where its bytes are, relative to the call, and may be
    /// read there by whoever speaks for the same tenant.
    pub(super) fn offer(&self, whose: Whose, result: &RegionResult, now: BootTime) -> Value {
        let mut told = json!(result);
        let named = told.get_mut("artifacts").and_then(Value::as_array_mut).into_iter().flatten();
        for (named, artifact) in named.zip(&result.artifacts) {
            named["url"] = format!("artifacts/{}", artifact.digest).into();
            self.lately().note(self.key(whose, artifact.digest), now);
        }
        told
    }

    fn key(&self, whose: Whose, digest: Digest) -> ArtifactKey {
        ArtifactKey { tenant: whose.0.unwrap_or(self.tenant), digest }
    }

    fn lately(&self) -> MutexGuard<'_, Lately> {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lately {
    fn note(&mut self, key: ArtifactKey, now: BootTime) {
        if self.at.insert(key, now) == Some(now) {
            return;
        }
        self.order.push_back((key, now));
        while self.order.len() > LEFT_MAX {
            let Some((oldest, noted)) = self.order.pop_front() else { return };
            // One that was left again since has a later place.
            if self.at.get(&oldest) == Some(&noted) {
                self.at.remove(&oldest);
            }
        }
    }

    fn has(&self, key: ArtifactKey, now: BootTime) -> bool {
        self.at.get(&key).is_some_and(|noted| now.since(*noted) < KEPT_FOR)
    }
}

/// The bytes of one, or a part of them.
pub(super) async fn read(
    State(face): State<Face>,
    Extension(whose): Extension<Whose>,
    Path(digest): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let none = || Refusal::not_found(format!("no call left an artifact {digest:?} here lately"));
    let shelf = face.0.shelf.as_ref().ok_or_else(none)?;
    let digest: Digest = digest.parse().map_err(|_| none())?;
    let key = shelf.key(whose, digest);
    if !shelf.lately().has(key, face.0.clock.boot()) {
        return Err(none());
    }
    let length = shelf.store.head(key).await.map_err(|error| trouble(error, none))?.ok_or_else(none)?;
    let part = match bytes::plan(digest, length, &headers)? {
        Plan::Known(response) => return Ok(response),
        Plan::Send(part) => part,
    };
    let found = shelf.store.get(key, part.clone()).await.map_err(|error| trouble(error, none))?;
    Ok(bytes::answer(digest, length, part.as_ref(), found))
}

fn trouble(error: ArtifactError, none: impl FnOnce() -> Refusal) -> Refusal {
    match error {
        ArtifactError::Missing(_) => none(),
        error => {
            tracing::warn!(error = &error as &dyn std::error::Error, "what a check left could not be read");
            let message = "what checks left cannot be read now: come again";
            Refusal::new(503, "SERVICE_UNAVAILABLE", "The server cannot answer now", message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_has_bounds_and_the_oldest_goes_first() {
        let key = |number: usize| ArtifactKey {
            tenant: TenantId::DEFAULT,
            digest: Digest::of(&number.to_be_bytes()),
        };
        let at = |seconds| BootTime::from_duration(Duration::from_secs(seconds));
        let mut lately = Lately::default();
        lately.note(key(0), at(0));
        lately.note(key(1), at(0));
        lately.note(key(0), at(1));
        (2..LEFT_MAX).for_each(|number| lately.note(key(number), at(2)));
        assert!(lately.has(key(0), at(2)), "it was left again");
        assert!(lately.has(key(1), at(2)), "there is room for one more");
        lately.note(key(LEFT_MAX), at(3));
        assert_eq!([0, 1, LEFT_MAX].map(|number| lately.has(key(number), at(3))), [true, false, true]);
        assert!(!lately.has(key(LEFT_MAX), at(3) + KEPT_FOR));
        assert!(lately.order.len() <= LEFT_MAX && lately.at.len() <= LEFT_MAX);
    }
}
