//! When a lease is to be renewed, and when it must no longer be trusted: the only code that
//! decides either. How a lease is renewed is left to its [`Lease`].

use crate::{
    seams::{
        clock::Clock,
        lease::{Lease, LeaseError},
    },
    values::time::BootTime,
};
use std::time::Duration;

/// Keeps a lease renewed for as long as it can be trusted.
#[derive(Debug)]
pub struct LeaseKeeper<'a> {
    lease: &'a dyn Lease,
    clock: &'a dyn Clock,
}

/// Why a lease is no longer kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a lease is gone or not known to be held; there is no third")]
pub enum LeaseEnd {
    /// Its trust ran out before it was renewed; somebody else may be granted the job from now on.
    Lapsed,
    /// The right is gone.
    Lost,
}

/// Until when a lease can be trusted, and how much earlier that is than the end of its term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it is these two and nothing else")]
pub struct Trust {
    /// Until when nobody else can have been granted the job.
    pub until: BootTime,
    /// What is left of the term after that, for winding down.
    pub margin: Duration,
}

impl Trust {
    /// What is taken off the first term of an offer, at most.
    pub const OFFER_MARGIN: Duration = Duration::from_secs(2);
    /// Of a short offer, one part in this many is taken off instead: there has to be time to begin in,
    /// or the offer would be given back as often as it is made.
    pub const OFFER_MARGIN_PARTS: u32 = 3;
    /// The part of a term that is taken off it: one in this many.
    pub const MARGIN_PARTS: u32 = 10;

    /// The trust that a granted term gives. It counts from when it was *asked* for: counted from
    /// the reply, a slow round trip would stretch it past what the control plane believes.
    #[must_use]
    pub fn renewed(asked: BootTime, term: Duration) -> Self {
        let margin = term / Self::MARGIN_PARTS;
        Self { until: asked + (term - margin), margin }
    }

    /// The trust that an offer gives before it is confirmed.
    #[must_use]
    pub fn offered(asked: BootTime, start_within: Duration) -> Self {
        let margin = Self::OFFER_MARGIN.min(start_within / Self::OFFER_MARGIN_PARTS);
        Self { until: asked + (start_within - margin), margin }
    }

    /// The longer of two.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if other.until > self.until { other } else { self }
    }
}

/// The shortest wait after the control plane could not be reached.
const RETRY_AFTER_MIN: Duration = Duration::from_millis(500);

impl<'a> LeaseKeeper<'a> {
    /// Keeps `lease` by `clock`, which must be the one its trust is told on.
    #[must_use]
    pub fn new(lease: &'a dyn Lease, clock: &'a dyn Clock) -> Self {
        Self { lease, clock }
    }

    /// Renews the lease whenever a third of its trust is used up, and completes only when it must
    /// no longer be trusted. Trust is checked before the first wait and after every one, because a
    /// grant may take longer to arrive than it lasts, and a machine may be suspended meanwhile.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the lease in its old or in its renewed term.
    pub async fn keep(&self) -> LeaseEnd {
        loop {
            let (now, until) = (self.clock.boot(), self.lease.trusted_until());
            if until <= now {
                return LeaseEnd::Lapsed;
            }
            self.clock.sleep_until(now + until.since(now) / 3).await;
            // Somebody else may have renewed it: whatever speaks for the whole session. Or it is
            // over, because the machine was suspended.
            if self.lease.trusted_until() > until || self.clock.boot() >= until {
                continue;
            }
            tokio::select! {
                biased;
                renewed = self.lease.renew() => match renewed {
                    Ok(renewed_until) if renewed_until > until => {}
                    Err(LeaseError::Lost) => return LeaseEnd::Lost,
                    Ok(_) | Err(LeaseError::Unreachable) => self.pause(until).await,
                },
                () = self.clock.sleep_until(until) => {}
            }
        }
    }

    /// Waits before another try, but not past the end of trust.
    async fn pause(&self, until: BootTime) {
        let now = self.clock.boot();
        let wait = (until.since(now) / 10).max(RETRY_AFTER_MIN);
        self.clock.sleep_until((now + wait).min(until)).await;
    }
}

#[cfg(test)]
mod tests;
