//! Requests that may come again under a key: what a repeat is told, and for how long.

use crate::{
    rules::record::RepeatRecord,
    values::{
        digest::Digest,
        reply::{RefusalCode, Refused},
        time::Timestamp,
    },
};
use std::time::Duration;

/// How long a request is remembered: 24 hours.
pub(crate) const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// How many requests of a tenant are remembered at most.
pub(crate) const COUNT_MAX: u32 = 10_000;

/// Whether a request that comes under the key of `before` is a repeat of it. One that is forgotten
/// is not.
pub(crate) fn is_repeat(before: &RepeatRecord, request: Digest, now: Timestamp) -> Result<bool, Refused> {
    if before.forgotten_at() <= now {
        return Ok(false);
    }
    if before.request == request {
        return Ok(true);
    }
    let problem = "Idempotency-Key: another request was made under this key: choose a new one for each";
    Err(Refused::new(RefusalCode::KeyReused, problem))
}

/// The answer to a request whose like is being carried out by somebody else.
pub(crate) fn under_way() -> Refused {
    let problem = "a request with this Idempotency-Key is under way: send it again for its answer";
    Refused::new(RefusalCode::Conflict, problem)
}

/// The answer to a request that cannot be remembered.
pub(crate) fn too_many() -> Refused {
    let problem = format!(
        "Idempotency-Key: the last {COUNT_MAX} requests of the tenant with one are remembered, for 24 hours \
         each: send no key, or wait"
    );
    Refused::new(RefusalCode::Exhausted, problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::id::TenantId;

    #[test]
    fn a_repeat_is_the_same_request_within_a_day() {
        let made_at = Timestamp::from_millis(1_000);
        let (request, other) = (Digest::of(b"a"), Digest::of(b"b"));
        let before = RepeatRecord::new(TenantId::DEFAULT, [1; 16], request, made_at);
        let soon = made_at + KEPT_FOR - Duration::from_millis(1);
        assert_eq!(is_repeat(&before, request, soon), Ok(true));
        assert_eq!(is_repeat(&before, other, soon).unwrap_err().code, RefusalCode::KeyReused);
        assert_eq!(is_repeat(&before, request, made_at + KEPT_FOR), Ok(false));
        assert_eq!(is_repeat(&before, other, made_at + KEPT_FOR), Ok(false));
    }
}
