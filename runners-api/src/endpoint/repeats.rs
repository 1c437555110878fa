//! Calls under an idempotency key: a repeat is answered as the first was, and joins it while it is under
//! way. What is kept is in memory, within bounds: after a restart a call is carried out again.

use crate::contract::error::Refusal;
use bytes::Bytes;
use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared},
};
use http::{HeaderMap, HeaderName, header};
use runners_core::{BootTime, Digest};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The header that names a call.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 255;
/// How many calls are remembered.
const CALLS_MAX: usize = 4096;
/// How many bytes of answers are remembered.
const ANSWERS_BYTES_MAX: usize = 64 << 20;
/// How long an answer is remembered.
const KEPT_FOR: Duration = Duration::from_secs(3600);

/// What a call comes to: its answer in JSON.
pub(super) type Carried = BoxFuture<'static, Result<Bytes, Refusal>>;

/// The calls that came under a key. The oldest goes first where there is no room.
#[derive(Default)]
pub(super) struct Repeats(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    calls: HashMap<Digest, Call>,
    order: VecDeque<Digest>,
    bytes: usize,
}

struct Call {
    body: Digest,
    began_at: BootTime,
    came_to: CameTo,
}

enum CameTo {
    /// It is under way for as long as anybody waits for it.
    Nothing(WeakShared<Carried>),
    Answer(Bytes),
}

/// A call under a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keyed {
    key: Digest,
    body: Digest,
}

impl Keyed {
    /// The key of a call, if it has one. The same key means another call to who shows another credential.
    pub(super) fn of(headers: &HeaderMap, body: &str) -> Result<Option<Self>, Refusal> {
        let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
        let is_plain = value.as_bytes().iter().all(|byte| (0x20..0x7f).contains(byte));
        if value.is_empty() || value.len() > KEY_BYTES_MAX || !is_plain {
            let limit = format!("must be 1 to {KEY_BYTES_MAX} printable ASCII characters");
            return Err(Refusal::malformed(format!("Idempotency-Key: {limit}")));
        }
        let mut parts = vec![value.as_bytes()];
        for name in [header::AUTHORIZATION, crate::wire::credential::API_KEY] {
            parts.push(headers.get(name).map_or(&b""[..], |value| value.as_bytes()));
        }
        // None of the parts holds the byte that is between them.
        let key = Digest::of(&parts.join(&0));
        Ok(Some(Self { key, body: Digest::of(body.as_bytes()) }))
    }
}

impl Repeats {
    /// The call under this key: the one that was made, or is under way, or else the one that `begin`
    /// begins.
    pub(super) fn join(
        &self,
        keyed: Keyed,
        now: BootTime,
        begin: impl FnOnce() -> Carried,
    ) -> Result<Shared<Carried>, Refusal> {
        let mut kept = self.kept();
        let known = kept.calls.get(&keyed.key).filter(|call| now.since(call.began_at) < KEPT_FOR);
        if let Some(call) = known {
            if call.body != keyed.body {
                let title = "The key was used for something else";
                let message = "another call was made under this Idempotency-Key: draw a key for each call";
                return Err(Refusal::new(422, "KEY_REUSED", title, message));
            }
            match &call.came_to {
                CameTo::Answer(answer) => return Ok(std::future::ready(Ok(answer.clone())).boxed().shared()),
                // Once nobody waits for it, it has stopped, and is begun again.
                CameTo::Nothing(way) => {
                    if let Some(way) = way.upgrade() {
                        return Ok(way);
                    }
                }
            }
        }
        let way = begin().shared();
        let under_way = way.downgrade().expect("invariant: it was just made, and nobody has polled it");
        kept.remember(keyed, now, CameTo::Nothing(under_way));
        Ok(way)
    }

    /// Remembers what a call came to.
    pub(super) fn answered(&self, keyed: Keyed, now: BootTime, answer: &Bytes) {
        self.kept().remember(keyed, now, CameTo::Answer(answer.clone()));
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn remember(&mut self, keyed: Keyed, now: BootTime, came_to: CameTo) {
        let bytes = came_to.bytes();
        let call = Call { body: keyed.body, began_at: now, came_to };
        match self.calls.insert(keyed.key, call) {
            Some(before) => self.bytes -= before.came_to.bytes(),
            None => self.order.push_back(keyed.key),
        }
        self.bytes += bytes;
        while self.bytes > ANSWERS_BYTES_MAX || self.calls.len() > CALLS_MAX {
            let Some(oldest) = self.order.pop_front() else { return };
            let gone = self.calls.remove(&oldest);
            self.bytes -= gone.map_or(0, |gone| gone.came_to.bytes());
        }
    }
}

impl CameTo {
    const fn bytes(&self) -> usize {
        match self {
            Self::Nothing(_) => 0,
            Self::Answer(answer) => answer.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed(key: usize, body: &str) -> Keyed {
        Keyed { key: Digest::of(&key.to_be_bytes()), body: Digest::of(body.as_bytes()) }
    }

    fn answering(text: &'static str) -> Carried {
        std::future::ready(Ok(Bytes::from_static(text.as_bytes()))).boxed()
    }

    fn at(seconds: u64) -> BootTime {
        BootTime::from_duration(Duration::from_secs(seconds))
    }

    #[tokio::test]
    async fn what_is_remembered_has_bounds_and_the_oldest_goes_first() {
        let repeats = Repeats::default();
        for key in 0..CALLS_MAX + 10 {
            repeats.answered(keyed(key, ""), at(0), &Bytes::from_static(b"first"));
        }
        let join = |key| repeats.join(keyed(key, ""), at(1), || answering("again")).expect("it is the same");
        assert_eq!(join(CALLS_MAX).await.expect("it is answered"), "first");
        assert_eq!(join(9).await.expect("it is answered"), "again");
        let large = Bytes::from(vec![b'x'; ANSWERS_BYTES_MAX / 2 + 1]);
        repeats.answered(keyed(1_000_000, ""), at(1), &large);
        repeats.answered(keyed(1_000_001, ""), at(1), &large);
        assert_eq!(join(1_000_000).await.expect("it is answered"), "again");
        assert_eq!(join(1_000_001).await.expect("it is answered"), large);
        let late = repeats.join(keyed(1_000_001, ""), at(1) + KEPT_FOR, || answering("later"));
        assert_eq!(late.expect("it is the same").await.expect("it is answered"), "later");
    }
}
