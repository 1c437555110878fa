//! The life of a credential: good, then replaced by the next, and never good again.
//!
//! Whoever holds a secret makes the next one and announces its hash. The first use of the next one
//! proves that it arrived where it is kept; only then does the old one end, a while later, since
//! requests under it may be on their way.

use crate::{
    rules::record::{CredentialRecord, RegistrationRecord},
    values::{digest::Digest, request::RotateRequest, time::Timestamp},
};
use std::time::Duration;

/// What a credential is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// For everything that its subject may do.
    Good,
    /// It is used for the first time: it takes the place of this one.
    First(Digest),
    /// It was replaced, and nobody should have it any more.
    Retired,
    /// Its runner was removed, and is to hear of it.
    Removed,
    /// It is revoked or expired.
    Ended,
}

/// For how long a runner is told that it was removed: one that was switched off meanwhile hears of
/// it when it comes back.
pub(crate) const REMOVED_TOLD_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

impl CredentialRecord {
    /// What it is good for at `now`.
    pub(crate) fn standing(&self, now: Timestamp) -> Standing {
        if self.forgotten_at().is_some_and(|at| now < at) {
            return Standing::Removed;
        }
        if self.revoked || self.expires_at.is_some_and(|at| now >= at) {
            return Standing::Ended;
        }
        if self.retires_at.is_some_and(|at| now >= at) {
            return Standing::Retired;
        }
        self.replaces.map_or(Standing::Good, Standing::First)
    }

    /// Its runner is removed: it is good for nothing but to be told so. Whether it was good until
    /// then; there is no use for one that was not.
    pub(crate) fn remove(&mut self, now: Timestamp) -> bool {
        let was_good = matches!(self.standing(now), Standing::Good | Standing::First(_));
        if was_good {
            (self.revoked, self.removed_at) = (true, Some(now));
        }
        was_good
    }

    /// When nothing needs to be known of it any more, if its runner was removed.
    pub(crate) fn forgotten_at(&self) -> Option<Timestamp> {
        self.removed_at.map(|at| at + REMOVED_TOLD_FOR)
    }

    /// How long from `now` it is to be replaced, if it expires: after three quarters of its life.
    pub(crate) fn rotate_in(&self, now: Timestamp) -> Option<Duration> {
        let expires_at = self.expires_at?;
        let rotate_at = self.made_at + expires_at.since(self.made_at) * 3 / 4;
        Some(rotate_at.since(now))
    }

    /// The one that takes its place from its first use on.
    pub(crate) fn successor(&self, digest: Digest, now: Timestamp, life: Duration) -> Self {
        Self {
            name: self.name.clone(),
            expires_at: Some(now + life),
            replaces: Some(self.digest),
            registration: self.registration,
            ..Self::new(digest, self.tenant, self.subject.clone(), now)
        }
    }

    /// It was used for the first time.
    pub(crate) const fn promote(&mut self) {
        self.replaces = None;
    }

    /// The one after it was used for the first time: it ends after the overlap.
    pub(crate) fn retire(&mut self, now: Timestamp) {
        self.retires_at.get_or_insert(now + RotateRequest::OVERLAP);
    }
}

impl RegistrationRecord {
    /// Whether it is good at `now`.
    pub(crate) fn is_good(&self, now: Timestamp) -> bool {
        !self.revoked && self.expires_at.is_none_or(|at| now < at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        rules::record::Subject,
        values::id::{PoolId, RunnerId, TenantId},
    };

    const LIFE: Duration = Duration::from_secs(3600);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn credential(number: u8) -> CredentialRecord {
        let subject =
            Subject::Runner { pool: PoolId::from_bytes([1; 16]), runner: RunnerId::from_bytes([2; 16]) };
        CredentialRecord::new(Digest::from_bytes([number; 32]), TenantId::DEFAULT, subject, at(0))
    }

    #[test]
    fn the_first_use_of_the_next_credential_retires_the_old_one_after_the_overlap() {
        let mut old = credential(1);
        let mut next = old.successor(Digest::from_bytes([2; 32]), at(10), LIFE);
        assert_eq!(old.standing(at(20)), Standing::Good, "the next one may never arrive");
        assert_eq!(next.standing(at(20)), Standing::First(old.digest));
        next.promote();
        old.retire(at(20));
        assert_eq!((next.standing(at(79)), old.standing(at(79))), (Standing::Good, Standing::Good));
        old.retire(at(79));
        assert_eq!((next.standing(at(80)), old.standing(at(80))), (Standing::Good, Standing::Retired));
    }

    #[test]
    fn a_good_credential_of_a_removed_runner_tells_so_for_a_while_and_any_other_is_of_no_use() {
        let mut good = credential(1);
        assert!(good.remove(at(5)));
        assert_eq!(good.standing(at(6)), Standing::Removed);
        assert_eq!(good.forgotten_at(), Some(at(5) + REMOVED_TOLD_FOR));
        assert_eq!(good.standing(at(5) + REMOVED_TOLD_FOR), Standing::Ended);
        assert!(good.revoked, "an earlier release knows nothing of removals");
        let mut revoked = CredentialRecord { revoked: true, ..credential(2) };
        assert!(!revoked.remove(at(5)));
        assert_eq!(revoked.standing(at(6)), Standing::Ended);
    }

    #[test]
    fn a_credential_ends_when_it_is_revoked_or_expires() {
        let mut one = credential(1);
        one.expires_at = Some(at(5));
        assert_eq!(one.rotate_in(at(1)), Some(Duration::from_millis(2750)), "after three quarters");
        assert_eq!((one.standing(at(4)), one.standing(at(5))), (Standing::Good, Standing::Ended));
        one.revoked = true;
        assert_eq!(one.standing(at(4)), Standing::Ended);
    }
}
